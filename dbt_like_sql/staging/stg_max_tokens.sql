-- One row per account, Region, ModelId and period in which callers published their requests' max_tokens.
select
    usage_date,
    account_id,
    region,
    case
        when starts_with(model_id, 'arn:')
            then regexp_replace(model_id, '^arn:[^/]*:(foundation-model|(application-)?inference-profile)/', '')
        else model_id
    end as profile_id,
    ts,
    period_seconds as resolution_seconds,
    round(sum(value) filter (where statistic = 'Sum'))::bigint as max_tokens_sum,
    round(sum(value) filter (where statistic = 'SampleCount'))::bigint as max_tokens_samples,
from raw.max_tokens_metric
where
    usage_date between $start_date and $end_date
    and metric_name = 'MaxTokens'
    and dimension_set = 'ModelId'
group by all
