-- One row per model pattern and validity: quota tokens that one output token takes.
select
    model_pattern,
    rate,
    valid_from,
    valid_to,
    basis,
from raw.burndown_rates
