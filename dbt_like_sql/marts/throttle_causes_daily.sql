-- One row per pool, UTC day and cause of throttles: how many minutes and throttles had it, and their share of the day's.
--
-- Causes are those of marts.throttle_events; a minute with several has one row there, so all its throttles count with
-- the likeliest. A period longer than a minute counts all its minutes. `certain_minutes` are those in which, by what is
-- known, nothing else could have been the cause.
with causes as (
    select
        pool_id,
        account_id,
        account_name,
        region,
        usage_date,
        cause,
        (sum(resolution_seconds) // 60)::bigint as throttled_minutes,
        coalesce(sum(resolution_seconds) filter (where is_certain) // 60, 0)::bigint as certain_minutes,
        sum(throttles)::bigint as throttles,
    from marts.throttle_events
    where usage_date between $start_date and $end_date
    group by all
)

select
    pool_id,
    account_id,
    account_name,
    region,
    usage_date,
    cause,
    throttled_minutes,
    certain_minutes,
    throttles,
    throttled_minutes / sum(throttled_minutes) over pool_day::double as minutes_share,
    throttles / sum(throttles) over pool_day::double as throttles_share,
from causes
window pool_day as (partition by pool_id, usage_date)
