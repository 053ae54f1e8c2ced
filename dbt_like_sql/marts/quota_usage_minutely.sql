-- One row per pool and minute (or coarser period) with use: the sum over its profiles, against the limits at its start.
--
-- Where a pool's profiles were stored at different resolutions within an hour, that hour has the coarsest of them.
-- A row coarser than a minute is a mean: its utilization compares the mean per minute with the limit, and minutes
-- inside it may have been higher. A limit is NULL when it is unknown; a limit of 0 has no utilization. Sums that need a
-- value which some profile lacks (consumed, reserved, AWS's estimate) are NULL, not too small.
-- `day_tokens_running` is the pool's total of consumed tokens of the UTC day up to and including the row.
-- `reserved_tokens` is the most that all calls in flight held at once, and `reserved_source` how that is known: as in
-- marts.reservations_minutely, NULL above a minute; it is not the sum over the profiles, whose peaks need not coincide.
-- `initial_reservation_tokens` is what the calls that began in the row held at their start, all added up.
with coarse_hours as (
    select
        pool_id,
        date_trunc('hour', ts) as hour,
        max(resolution_seconds) as resolution_seconds,
    from marts.usage_minutely
    where usage_date between $start_date and $end_date and pool_id is not null and resolution_seconds > 60
    group by pool_id, date_trunc('hour', ts)
),

pool_rows as (
    select
        profile_rows.pool_id,
        profile_rows.account_id,
        profile_rows.account_name,
        profile_rows.region,
        profile_rows.usage_date,
        case
            when coarse_hours.resolution_seconds > profile_rows.resolution_seconds
                then time_bucket(to_seconds(coarse_hours.resolution_seconds), profile_rows.ts)
            else profile_rows.ts
        end as ts,
        coalesce(coarse_hours.resolution_seconds, profile_rows.resolution_seconds) as resolution_seconds,
        sum(invocations)::bigint as invocations,
        sum(throttles)::bigint as throttles,
        sum(client_errors)::bigint as client_errors,
        sum(server_errors)::bigint as server_errors,
        sum(input_tokens)::bigint as input_tokens,
        sum(output_tokens)::bigint as output_tokens,
        sum(cache_read_tokens)::bigint as cache_read_tokens,
        sum(cache_write_tokens)::bigint as cache_write_tokens,
        if(bool_or(consumed_tokens is null), null, sum(consumed_tokens))::bigint as consumed_tokens,
        if(
            bool_or(aws_estimated_tokens is null and consumed_tokens is distinct from 0),
            null,
            sum(aws_estimated_tokens)
        )::bigint as aws_estimated_tokens,
        if(
            bool_or(initial_reservation_tokens is null), null, sum(initial_reservation_tokens)
        )::bigint as initial_reservation_tokens,
        sum(latency_ms_sum)::decimal(18, 3) as latency_ms_sum,
        sum(latency_samples)::bigint as latency_samples,
        sum(ttft_ms_sum)::decimal(18, 3) as ttft_ms_sum,
        sum(ttft_samples)::bigint as ttft_samples,
    from marts.usage_minutely as profile_rows
    left join coarse_hours
        on
            profile_rows.pool_id = coarse_hours.pool_id
            and date_trunc('hour', profile_rows.ts) = coarse_hours.hour
    where profile_rows.usage_date between $start_date and $end_date and profile_rows.pool_id is not null
    group by all
),

-- Most days have one period of limits for each pool, so the minutes find theirs by the day first.
day_limits as (
    select
        days.pool_id,
        days.usage_date,
        limits.tpm_limit,
        limits.rpm_limit,
        limits.tpd_limit,
        limits.valid_from,
        limits.valid_to,
    from (select distinct pool_id, usage_date from pool_rows) as days
    inner join intermediate.int_quota_limits_used as limits
        on
            days.pool_id = limits.pool_id
            and limits.valid_from < days.usage_date + 1
            and (limits.valid_to is null or limits.valid_to > days.usage_date)
),

measured as (
    select
        pool_rows.*,
        -- In the join's condition, the resolution would make DuckDB's join fifty times slower (1.5, November 2026).
        if(pool_rows.resolution_seconds = 60, reservations.reserved_tokens, null) as reserved_tokens,
        if(pool_rows.resolution_seconds = 60, reservations.source, null) as reserved_source,
        day_limits.tpm_limit,
        day_limits.rpm_limit,
        day_limits.tpd_limit,
        pool_rows.consumed_tokens * 60.0::double / pool_rows.resolution_seconds as tokens_per_minute,
        pool_rows.invocations * 60.0::double / pool_rows.resolution_seconds as requests_per_minute,
        sum(pool_rows.consumed_tokens) over so_far::bigint as known_day_tokens,
        count(*) over so_far - count(pool_rows.consumed_tokens) over so_far as unknown_periods,
        if(unknown_periods > 0, null, known_day_tokens) as day_tokens_running,
    from pool_rows
    left join day_limits
        on
            pool_rows.pool_id = day_limits.pool_id
            and pool_rows.usage_date = day_limits.usage_date
            and pool_rows.ts >= day_limits.valid_from
            and (day_limits.valid_to is null or pool_rows.ts < day_limits.valid_to)
    left join marts.reservations_minutely as reservations
        on
            pool_rows.pool_id = reservations.pool_id
            and pool_rows.ts = reservations.ts
            and reservations.usage_date between $start_date and $end_date
    window so_far as (partition by pool_rows.pool_id, pool_rows.usage_date order by pool_rows.ts)
)

select
    pool_id,
    account_id,
    account_name,
    region,
    usage_date,
    ts,
    resolution_seconds,
    invocations,
    throttles,
    client_errors,
    server_errors,
    input_tokens,
    output_tokens,
    cache_read_tokens,
    cache_write_tokens,
    consumed_tokens,
    aws_estimated_tokens,
    initial_reservation_tokens,
    reserved_tokens,
    reserved_source,
    latency_ms_sum::double / nullif(latency_samples, 0) as latency_ms_avg,
    ttft_ms_sum::double / nullif(ttft_samples, 0) as ttft_ms_avg,
    latency_ms_sum,
    latency_samples,
    ttft_ms_sum,
    ttft_samples,
    tokens_per_minute,
    requests_per_minute,
    tpm_limit,
    rpm_limit,
    tokens_per_minute / nullif(tpm_limit, 0) as tpm_utilization,
    requests_per_minute / nullif(rpm_limit, 0) as rpm_utilization,
    day_tokens_running,
    tpd_limit,
    day_tokens_running / nullif(tpd_limit, 0)::double as tpd_utilization,
from measured
