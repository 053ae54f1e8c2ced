-- One row per account, Region, ModelId and UTC day with use: its sums, and those of the periods with AWS's estimate.
select
    usage_date,
    account_id,
    region,
    profile_id,
    sum(invocations)::bigint as invocations,
    sum(throttles)::bigint as throttles,
    sum(input_tokens)::bigint as input_tokens,
    sum(output_tokens)::bigint as output_tokens,
    sum(cache_read_tokens)::bigint as cache_read_tokens,
    sum(cache_write_tokens)::bigint as cache_write_tokens,
    min(ts) as first_ts,
    max(ts) as last_ts,
    sum(aws_estimated_tokens) filter (where resolution_seconds = 60)::bigint as estimated_tokens,
    sum(input_tokens) filter (where is_estimated)::bigint as estimated_input_tokens,
    sum(output_tokens) filter (where is_estimated)::bigint as estimated_output_tokens,
    sum(cache_write_tokens) filter (where is_estimated)::bigint as estimated_cache_write_tokens,
from (
    select
        *,
        resolution_seconds = 60 and aws_estimated_tokens is not null as is_estimated,
    from staging.stg_cloudwatch_periods
    where usage_date between $start_date and $end_date
)
group by all
