-- One row per account, Region, ModelId and period of 60, 300 or 3600 seconds with accepted calls in the logs.
--
-- Each call is in one row of each length. `max_tokens` sums what callers asked for, `limited_calls` counts who did.
with minutes as (
    select
        usage_date,
        account_id,
        region,
        profile_id,
        date_trunc('minute', ts) as ts,
        count(*) as accepted_calls,
        count(max_tokens) as limited_calls,
        coalesce(sum(max_tokens), 0)::bigint as max_tokens,
    from staging.stg_invocations
    where usage_date between $start_date and $end_date and is_accepted
    group by all
)

select
    usage_date,
    account_id,
    region,
    profile_id,
    time_bucket(to_seconds(lengths.resolution_seconds), minutes.ts) as ts,
    lengths.resolution_seconds,
    sum(accepted_calls)::bigint as accepted_calls,
    sum(limited_calls)::bigint as limited_calls,
    sum(max_tokens)::bigint as max_tokens,
from minutes
cross join (values (60), (300), (3600)) as lengths (resolution_seconds)
group by all
