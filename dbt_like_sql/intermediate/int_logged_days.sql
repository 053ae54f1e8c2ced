-- One row per UTC day, account, Region, ModelId and service tier in the invocation logs: calls and tokens.
--
-- `accepted_calls` are those that CloudWatch's Invocations counts.
select
    usage_date,
    account_id,
    region,
    profile_id,
    service_tier,
    count(*) as calls,
    count(*) filter (where is_accepted) as accepted_calls,
    coalesce(sum(input_tokens), 0)::bigint as input_tokens,
    coalesce(sum(output_tokens), 0)::bigint as output_tokens,
    coalesce(sum(cache_read_tokens), 0)::bigint as cache_read_tokens,
    coalesce(sum(cache_write_tokens), 0)::bigint as cache_write_tokens,
    min(ts) as first_ts,
    max(ts) as last_ts,
from staging.stg_invocations
where usage_date between $start_date and $end_date
group by usage_date, account_id, region, profile_id, service_tier
