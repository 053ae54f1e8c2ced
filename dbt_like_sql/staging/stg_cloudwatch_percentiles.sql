-- One row per account, Region, ModelId and hour: percentiles over single requests, as CloudWatch gives them.
--
-- They cannot be added up or averaged over ModelIds or hours.
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
    max(value) filter (where metric_name = 'InvocationLatency' and statistic = 'p50') as latency_ms_p50,
    max(value) filter (where metric_name = 'InvocationLatency' and statistic = 'p90') as latency_ms_p90,
    max(value) filter (where metric_name = 'InvocationLatency' and statistic = 'p99') as latency_ms_p99,
    max(value) filter (where metric_name = 'TimeToFirstToken' and statistic = 'p50') as ttft_ms_p50,
    max(value) filter (where metric_name = 'TimeToFirstToken' and statistic = 'p90') as ttft_ms_p90,
    max(value) filter (where metric_name = 'TimeToFirstToken' and statistic = 'p99') as ttft_ms_p99,
    max(value) filter (where metric_name = 'InputTokenCount' and statistic = 'p50') as input_tokens_p50,
    max(value) filter (where metric_name = 'InputTokenCount' and statistic = 'p90') as input_tokens_p90,
    max(value) filter (where metric_name = 'InputTokenCount' and statistic = 'p99') as input_tokens_p99,
    max(value) filter (where metric_name = 'OutputTokenCount' and statistic = 'p50') as output_tokens_p50,
    max(value) filter (where metric_name = 'OutputTokenCount' and statistic = 'p90') as output_tokens_p90,
    max(value) filter (where metric_name = 'OutputTokenCount' and statistic = 'p99') as output_tokens_p99,
from raw.cloudwatch_metrics
where
    usage_date between $start_date and $end_date
    and namespace = 'AWS/Bedrock'
    and dimension_set = 'ModelId'
    and period_seconds = 3600
    and statistic in ('p50', 'p90', 'p99')
group by all
