-- One row per metric of activity and validity: how many tokens one unit of it may stand for.
select
    metric,
    input_low,
    input_mean,
    input_high,
    output_low,
    output_mean,
    output_high,
    valid_from,
    coalesce(valid_to, date '9999-12-31') as valid_to,
from raw.q_developer_token_estimates
