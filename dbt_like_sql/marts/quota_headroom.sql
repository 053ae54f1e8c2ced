-- One row per pool, quota (tpm, rpm, tpd) and UTC day with use: how near the pool came to its limit.
--
-- `limit_value` is the limit at the end of what was read of the day. `utilization_peak` and minutes_over_… hold each
-- period against the limit at its start, so on a day in which the limit changed they do not follow from `limit_value`.
-- tpm and rpm: `peak` is the highest minute; p50 to p99 look at every minute that was read, idle ones as 0, and the
-- `_active` ones at minutes with traffic; both use one-minute periods only, so they are NULL on a day of coarser ones.
-- On such a day (`resolution_seconds` above 60) the peak is a mean over the period and the true peak may be higher.
-- `minutes_over_limit` compares with the limit itself, so use over a limit of 0 is over the limit although it has no
-- utilization. tpd: `peak` is the day's total, `worst_minute` when it was reached, percentiles are NULL, and
-- minutes_over_… are the minutes from when the running total passed the mark to the end of what was read.
-- A throttled period counts all its minutes. `top_profiles` are the three profiles that used most at the worst minute,
-- or over the day for tpd, with their share of it. What is made from a limit is NULL when the limit is unknown, and so
-- is the peak of a day in which some period's consumption is unknown.
with usage_rows as (
    select *
    from marts.quota_usage_minutely
    where usage_date between $start_date and $end_date
),

coverage as (
    select
        account_id,
        region,
        usage_date,
        max(covered_until) as covered_until,
        max(date_diff('minute', covered_from, covered_until)) as covered_minutes,
        max(resolution_seconds) as resolution_seconds,
    from staging.stg_cloudwatch_coverage
    where usage_date between $start_date and $end_date
    group by account_id, region, usage_date
),

minute_values as (
    select
        pool_id,
        usage_date,
        ts,
        resolution_seconds,
        throttles,
        unnest(['tpm', 'rpm']) as quota,
        unnest([tokens_per_minute, requests_per_minute]) as value,
        unnest([tpm_limit, rpm_limit]) as limit_value,
    from usage_rows
),

idle_minutes as (
    select
        pool_id,
        usage_date,
        greatest(
            if(
                any_value(coverage.resolution_seconds) = 60,
                any_value(coverage.covered_minutes),
                0
            ) - count(*) filter (where usage_rows.resolution_seconds = 60),
            0
        ) as minutes,
    from usage_rows
    left join coverage using (account_id, region, usage_date)
    group by pool_id, usage_date
),

-- A pool's day has at most 1440 minutes, so writing its idle ones out as zeros stays small.
every_minute as (
    select
        pool_id,
        usage_date,
        quota,
        value,
        true as is_active,
    from minute_values
    where resolution_seconds = 60
    union all by name
    select
        pool_id,
        usage_date,
        unnest(['tpm', 'rpm']) as quota,
        0.0::double as value,
        false as is_active,
    from idle_minutes, range(idle_minutes.minutes) as idle (minute)
),

distributions as (
    select
        pool_id,
        usage_date,
        quota,
        quantile_cont(value, [0.5, 0.9, 0.95, 0.99]) as all_minutes,
        quantile_cont(value, [0.5, 0.9, 0.95, 0.99]) filter (where is_active) as active_minutes,
    from every_minute
    group by pool_id, usage_date, quota
),

minute_peaks as (
    select
        pool_id,
        usage_date,
        quota,
        bool_or(limit_value is not null) as has_limit,
        if(bool_or(value is null), null, max(value)) as peak,
        if(bool_or(value is null), null, max(value / nullif(limit_value, 0))) as utilization_peak,
        arg_min(ts, (-value, ts)) as worst_minute,
        coalesce(arg_min(throttles, (-value, ts)), 0) as worst_minute_throttles,
        (sum(resolution_seconds) filter (where value > 0.8 * limit_value) / 60)::bigint as minutes_over_80pct,
        (sum(resolution_seconds) filter (where value > limit_value) / 60)::bigint as minutes_over_limit,
    from minute_values
    group by pool_id, usage_date, quota
),

-- The running total never falls, so a period is over a mark until the next one begins.
day_periods as (
    select
        usage_rows.*,
        max(day_tokens_running) over pool_day as day_total,
        date_diff(
            'minute',
            ts,
            coalesce(lead(ts) over (pool_day order by ts), coverage.covered_until)
        ) as minutes_until_next,
    from usage_rows
    left join coverage using (account_id, region, usage_date)
    window pool_day as (partition by pool_id, usage_date)
),

day_peaks as (
    select
        pool_id,
        usage_date,
        'tpd' as quota,
        bool_or(tpd_limit is not null) as has_limit,
        if(bool_or(day_tokens_running is null), null, max(day_tokens_running))::double as peak,
        if(bool_or(day_tokens_running is null), null, max(tpd_utilization)) as utilization_peak,
        min(ts) filter (where day_tokens_running = day_total) as worst_minute,
        coalesce(arg_min(throttles, ts) filter (where day_tokens_running = day_total), 0) as worst_minute_throttles,
        (sum(minutes_until_next) filter (where day_tokens_running > 0.8 * tpd_limit))::bigint as minutes_over_80pct,
        (sum(minutes_until_next) filter (where day_tokens_running > tpd_limit))::bigint as minutes_over_limit,
    from day_periods
    group by pool_id, usage_date
),

peaks as (
    from minute_peaks
    union all by name
    from day_peaks
),

pool_days as (
    select
        pool_id,
        usage_date,
        account_id,
        account_name,
        region,
        sum(throttles)::bigint as throttles,
        (coalesce(sum(resolution_seconds) filter (where throttles > 0), 0) / 60)::bigint as throttled_minutes,
        max(resolution_seconds) as resolution_seconds,
    from usage_rows
    group by all
),

-- The limits at the end of what was read of the day.
end_limits as (
    select
        pool_days.pool_id,
        pool_days.usage_date,
        unnest(['tpm', 'rpm', 'tpd']) as quota,
        unnest([limits.tpm_limit, limits.rpm_limit, limits.tpd_limit]) as limit_value,
    from pool_days
    left join coverage using (account_id, region, usage_date)
    inner join intermediate.int_quota_limits_used as limits
        on
            pool_days.pool_id = limits.pool_id
            and limits.valid_from < coalesce(coverage.covered_until, pool_days.usage_date + interval 1 day)
            and (
                limits.valid_to is null
                or limits.valid_to >= coalesce(coverage.covered_until, pool_days.usage_date + interval 1 day)
            )
),

profile_shares as (
    select
        peaks.pool_id,
        peaks.usage_date,
        peaks.quota,
        profile_rows.profile_id,
        any_value(profile_rows.profile_name) as profile_name,
        sum(if(peaks.quota = 'rpm', profile_rows.invocations, profile_rows.consumed_tokens)) as amount,
        amount / nullif(
            sum(amount) over (partition by peaks.pool_id, peaks.usage_date, peaks.quota), 0
        )::double as share,
    from peaks
    inner join marts.usage_minutely as profile_rows
        on
            peaks.pool_id = profile_rows.pool_id
            and peaks.usage_date = profile_rows.usage_date
            and profile_rows.usage_date between $start_date and $end_date
    inner join usage_rows
        on
            peaks.pool_id = usage_rows.pool_id
            and peaks.worst_minute = usage_rows.ts
    where
        peaks.quota = 'tpd'
        or (
            profile_rows.ts >= usage_rows.ts
            and profile_rows.ts < usage_rows.ts + to_seconds(usage_rows.resolution_seconds)
        )
    group by peaks.pool_id, peaks.usage_date, peaks.quota, profile_rows.profile_id
),

top_profiles as (
    select
        pool_id,
        usage_date,
        quota,
        list(
            struct_pack(profile_id := profile_id, profile_name := profile_name, share := share)
            order by amount desc, profile_id
        )[1:3] as top_profiles,
    from profile_shares
    where amount > 0
    group by pool_id, usage_date, quota
)

select
    peaks.pool_id,
    pool_days.account_id,
    pool_days.account_name,
    pool_days.region,
    peaks.quota,
    peaks.usage_date,
    end_limits.limit_value,
    peaks.peak,
    distributions.all_minutes[1] as p50,
    distributions.all_minutes[2] as p90,
    distributions.all_minutes[3] as p95,
    distributions.all_minutes[4] as p99,
    distributions.active_minutes[1] as p50_active,
    distributions.active_minutes[2] as p90_active,
    distributions.active_minutes[3] as p95_active,
    distributions.active_minutes[4] as p99_active,
    peaks.utilization_peak,
    if(peaks.has_limit, coalesce(peaks.minutes_over_80pct, 0), null) as minutes_over_80pct,
    if(peaks.has_limit, coalesce(peaks.minutes_over_limit, 0), null) as minutes_over_limit,
    pool_days.throttles,
    pool_days.throttled_minutes,
    peaks.worst_minute,
    peaks.worst_minute_throttles,
    coalesce(top_profiles.top_profiles, []) as top_profiles,
    coverage.covered_minutes,
    pool_days.resolution_seconds,
from peaks
inner join pool_days using (pool_id, usage_date)
left join end_limits using (pool_id, usage_date, quota)
left join distributions using (pool_id, usage_date, quota)
left join top_profiles using (pool_id, usage_date, quota)
left join coverage using (account_id, region, usage_date)
