-- One row per model pattern: the most output tokens that one request can ask for.
select
    model_pattern,
    max_output_tokens,
from raw.model_limits
