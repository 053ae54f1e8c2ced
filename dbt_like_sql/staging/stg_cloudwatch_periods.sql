-- One row per account, Region, ModelId and period (60, 300 or 3600 seconds) in which CloudWatch had a point.
--
-- `profile_id` is the ModelId with the ARNs of foundation models and inference profiles cut to their ids. A count
-- without a point is 0, because the period has other points; `aws_estimated_tokens` without a point is NULL. The cache
-- metrics were renamed: the newer name counts, the older one where the newer has no point, never both.
with points as (
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
        period_seconds,
        metric_name,
        statistic,
        value,
    from raw.cloudwatch_metrics
    where
        usage_date between $start_date and $end_date
        and namespace = 'AWS/Bedrock'
        and dimension_set = 'ModelId'
        and (
            statistic = 'Sum'
            or (statistic = 'SampleCount' and metric_name in ('InvocationLatency', 'TimeToFirstToken'))
        )
),

periods as (
    select
        usage_date,
        account_id,
        region,
        profile_id,
        ts,
        period_seconds as resolution_seconds,
        sum(value) filter (where metric_name = 'Invocations') as invocations,
        sum(value) filter (where metric_name = 'InvocationThrottles') as throttles,
        sum(value) filter (where metric_name = 'InvocationClientErrors') as client_errors,
        sum(value) filter (where metric_name = 'InvocationServerErrors') as server_errors,
        sum(value) filter (where metric_name = 'InputTokenCount') as input_tokens,
        sum(value) filter (where metric_name = 'OutputTokenCount') as output_tokens,
        coalesce(
            sum(value) filter (where metric_name = 'CacheReadInputTokenCount'),
            sum(value) filter (where metric_name = 'CacheReadInputTokens')
        ) as cache_read_tokens,
        coalesce(
            sum(value) filter (where metric_name = 'CacheWriteInputTokenCount'),
            sum(value) filter (where metric_name = 'CacheWriteInputTokens')
        ) as cache_write_tokens,
        sum(value) filter (where metric_name = 'EstimatedTPMQuotaUsage') as aws_estimated_tokens,
        sum(value) filter (where metric_name = 'InvocationLatency' and statistic = 'Sum') as latency_ms_sum,
        sum(value) filter (where metric_name = 'InvocationLatency' and statistic = 'SampleCount') as latency_samples,
        sum(value) filter (where metric_name = 'TimeToFirstToken' and statistic = 'Sum') as ttft_ms_sum,
        sum(value) filter (where metric_name = 'TimeToFirstToken' and statistic = 'SampleCount') as ttft_samples,
    from points
    group by all
)

select
    usage_date,
    account_id,
    region,
    profile_id,
    ts,
    resolution_seconds,
    coalesce(round(invocations), 0)::bigint as invocations,
    coalesce(round(throttles), 0)::bigint as throttles,
    coalesce(round(client_errors), 0)::bigint as client_errors,
    coalesce(round(server_errors), 0)::bigint as server_errors,
    coalesce(round(input_tokens), 0)::bigint as input_tokens,
    coalesce(round(output_tokens), 0)::bigint as output_tokens,
    coalesce(round(cache_read_tokens), 0)::bigint as cache_read_tokens,
    coalesce(round(cache_write_tokens), 0)::bigint as cache_write_tokens,
    round(aws_estimated_tokens)::bigint as aws_estimated_tokens,
    -- Decimal, so that sums over profiles do not depend on the order in which they are added.
    latency_ms_sum::decimal(18, 3) as latency_ms_sum,
    round(latency_samples)::bigint as latency_samples,
    ttft_ms_sum::decimal(18, 3) as ttft_ms_sum,
    round(ttft_samples)::bigint as ttft_samples,
from periods
