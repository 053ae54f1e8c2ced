-- One row per pool, profile (or `ALL`), window, metric and basis: percentiles, maximum, average and total.
--
-- Windows end where the newest reading of CloudWatch ends, not now. Rows exist for every pool and profile that was used
-- in the last 30 days, and for profiles that people made even when idle.
-- `basis` active looks at minutes with traffic, all at every minute that was read, idle ones as 0. Profiles are summed
-- per minute first; `ALL` is that sum. p50 to max look at one-minute periods only (linear interpolation);
-- `data_points` is how many. `total` adds up all periods, also coarser ones. `average` over all is the total per
-- covered minute at any resolution; over active minutes it is the mean of the one-minute periods.
-- `window_minutes` = what the window asks for, `covered_minutes` = of these, read minute by minute, `coarse_minutes` =
-- read at 300 or 3600 seconds only; the rest is unknown. `unknown_periods` had traffic but no value of the metric.
-- latency_ms and ttft_ms: per-minute averages, `average` weighted by calls, no total, active only.
-- tpd: consumed tokens per UTC day, one data point per day that begins in the window or is its last; `partial_days` of
-- them were not read from midnight to midnight. tpd_rolling_24h: of the pool, the 24 hours up to each active minute.
with newest as (
    select max(covered_until) as window_end
    from staging.stg_cloudwatch_coverage
),

windows as (
    select
        lengths.window_name,
        lengths.window_minutes,
        newest.window_end - to_minutes(lengths.window_minutes) as window_start,
        newest.window_end,
        -- The last day with any reading; a window that ends at midnight ends with the day before.
        (newest.window_end - interval 1 microsecond)::date as last_day,
    from (
        values
            ('1hour', 60),
            ('1day', 1440),
            ('7days', 10080),
            ('14days', 20160),
            ('30days', 43200),
    ) as lengths (window_name, window_minutes)
    cross join newest
    where newest.window_end is not null
),

used as (
    select distinct
        account_id,
        region,
        profile_id,
    from intermediate.int_profile_days_summed
    where usage_date >= (select min(window_start)::date from windows)
),

profiles as (
    select
        profiles.pool_id,
        profiles.account_id,
        profiles.account_name,
        profiles.region,
        profiles.profile_id,
    from intermediate.int_profiles as profiles
    left join used using (account_id, region, profile_id)
    where
        profiles.pool_id is not null
        and (used.profile_id is not null or (profiles.is_listed and profiles.profile_kind not in ('base', 'system')))
),

subjects as (
    from profiles
    union all by name
    select distinct
        pool_id,
        account_id,
        account_name,
        region,
        'ALL' as profile_id,
    from profiles
),

coverage as (
    select
        days.account_id,
        days.region,
        windows.window_name,
        coalesce(sum(minutes) filter (where days.resolution_seconds = 60), 0)::bigint as covered_minutes,
        coalesce(sum(minutes) filter (where days.resolution_seconds > 60), 0)::bigint as coarse_minutes,
        count(*) filter (where is_day_counted) as covered_days,
        count(*) filter (where is_day_counted and days.covered_until < (days.usage_date + 1)::timestamp)
            as partial_days,
    from windows
    inner join (
        select *
        from staging.stg_cloudwatch_coverage
    ) as days
        on days.covered_until > windows.window_start and days.covered_from < windows.window_end
    cross join lateral (
        select
            date_diff(
                'minute',
                greatest(days.covered_from, windows.window_start),
                least(days.covered_until, windows.window_end)
            ) as minutes,
            windows.last_day - days.usage_date < windows.window_minutes / 1440 as is_day_counted,
    )
    group by days.account_id, days.region, windows.window_name
),

period_rows as (
    select
        pool_id,
        profile_id,
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
        reserved_tokens,
        latency_ms_sum,
        latency_samples,
        ttft_ms_sum,
        ttft_samples,
    from marts.usage_minutely
    where pool_id is not null and usage_date >= (select min(window_start)::date from windows)

    union all by name

    select
        pool_id,
        'ALL' as profile_id,
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
        reserved_tokens,
        latency_ms_sum,
        latency_samples,
        ttft_ms_sum,
        ttft_samples,
    from marts.quota_usage_minutely
    where usage_date >= (select min(window_start)::date from windows)
),

-- Zeros are counted, not listed: with the number of idle minutes, one sorted list gives both kinds of percentiles.
collected as (
    select
        period_rows.pool_id,
        period_rows.profile_id,
        windows.window_name,
        count(*) as periods,
        count(*) filter (where resolution_seconds = 60) as minutes,
        count(consumed_tokens) as consumed_known,
        count(aws_estimated_tokens) as estimated_known,
        count(reserved_tokens) as reserved_known,
        count(consumed_tokens) filter (where resolution_seconds = 60) as consumed_minutes,
        count(aws_estimated_tokens) filter (where resolution_seconds = 60) as estimated_minutes,
        count(reserved_tokens) filter (where resolution_seconds = 60) as reserved_minutes,
        sum(consumed_tokens)::bigint as consumed_total,
        sum(invocations)::bigint as invocations_total,
        sum(throttles)::bigint as throttles_total,
        sum(client_errors)::bigint as client_errors_total,
        sum(server_errors)::bigint as server_errors_total,
        sum(input_tokens)::bigint as input_total,
        sum(output_tokens)::bigint as output_total,
        sum(cache_read_tokens)::bigint as cache_read_total,
        sum(cache_write_tokens)::bigint as cache_write_total,
        sum(aws_estimated_tokens)::bigint as estimated_total,
        sum(reserved_tokens)::bigint as reserved_total,
        sum(latency_ms_sum)::double / nullif(sum(latency_samples), 0) as latency_average,
        sum(ttft_ms_sum)::double / nullif(sum(ttft_samples), 0) as ttft_average,
        list(consumed_tokens::double) filter (where resolution_seconds = 60 and consumed_tokens > 0) as consumed,
        list(invocations::double) filter (where resolution_seconds = 60 and invocations > 0) as invocations,
        list(throttles::double) filter (where resolution_seconds = 60 and throttles > 0) as throttles,
        list(client_errors::double) filter (where resolution_seconds = 60 and client_errors > 0) as client_errors,
        list(server_errors::double) filter (where resolution_seconds = 60 and server_errors > 0) as server_errors,
        list(input_tokens::double) filter (where resolution_seconds = 60 and input_tokens > 0) as input,
        list(output_tokens::double) filter (where resolution_seconds = 60 and output_tokens > 0) as output,
        list(cache_read_tokens::double) filter (where resolution_seconds = 60 and cache_read_tokens > 0) as cache_read,
        list(cache_write_tokens::double) filter (where resolution_seconds = 60 and cache_write_tokens > 0)
            as cache_write,
        list(aws_estimated_tokens::double) filter (where resolution_seconds = 60 and aws_estimated_tokens > 0)
            as estimated,
        list(reserved_tokens::double) filter (where resolution_seconds = 60 and reserved_tokens > 0) as reserved,
        list(latency_ms_sum::double / latency_samples) filter (where resolution_seconds = 60 and latency_samples > 0)
            as latency,
        list(ttft_ms_sum::double / ttft_samples) filter (where resolution_seconds = 60 and ttft_samples > 0) as ttft,
    from period_rows
    inner join windows
        on
            period_rows.ts >= windows.window_start
            and period_rows.ts < windows.window_end
    group by period_rows.pool_id, period_rows.profile_id, windows.window_name
),

-- What a (pool, profile, window) without any row has: no values, and nothing unknown.
filled as (
    select
        subjects.*,
        windows.window_name,
        windows.window_start,
        windows.window_end,
        windows.window_minutes,
        coalesce(coverage.covered_minutes, 0) as covered_minutes,
        coalesce(coverage.coarse_minutes, 0) as coarse_minutes,
        coalesce(coverage.covered_days, 0) as covered_days,
        coalesce(coverage.partial_days, 0) as partial_days,
        coalesce(collected.periods, 0) as periods,
        coalesce(collected.minutes, 0) as minutes,
        collected.* exclude (pool_id, profile_id, window_name, periods, minutes),
    from subjects
    cross join windows
    left join coverage using (account_id, region, window_name)
    left join collected using (pool_id, profile_id, window_name)
),

minute_measures as (
    select
        pool_id,
        account_id,
        account_name,
        region,
        profile_id,
        window_name,
        window_start,
        window_end,
        window_minutes,
        covered_minutes,
        coarse_minutes,
        covered_minutes + coarse_minutes as average_over,
        greatest(covered_minutes - minutes, 0) as idle,
        unnest(
            [
                {
                    'metrics': ['tpm'], 'amounts': consumed, 'known': consumed_minutes, 'total': consumed_total,
                    'unknown': periods - consumed_known, 'weighted': null::double
                },
                {
                    'metrics': ['rpm', 'invocations'], 'amounts': invocations, 'known': minutes,
                    'total': invocations_total, 'unknown': 0, 'weighted': null
                },
                {
                    'metrics': ['throttles'], 'amounts': throttles, 'known': minutes, 'total': throttles_total,
                    'unknown': 0, 'weighted': null
                },
                {
                    'metrics': ['client_errors'], 'amounts': client_errors, 'known': minutes,
                    'total': client_errors_total, 'unknown': 0, 'weighted': null
                },
                {
                    'metrics': ['server_errors'], 'amounts': server_errors, 'known': minutes,
                    'total': server_errors_total, 'unknown': 0, 'weighted': null
                },
                {
                    'metrics': ['input_tokens'], 'amounts': input, 'known': minutes, 'total': input_total,
                    'unknown': 0, 'weighted': null
                },
                {
                    'metrics': ['output_tokens'], 'amounts': output, 'known': minutes, 'total': output_total,
                    'unknown': 0, 'weighted': null
                },
                {
                    'metrics': ['cache_read_tokens'], 'amounts': cache_read, 'known': minutes,
                    'total': cache_read_total, 'unknown': 0, 'weighted': null
                },
                {
                    'metrics': ['cache_write_tokens'], 'amounts': cache_write, 'known': minutes,
                    'total': cache_write_total, 'unknown': 0, 'weighted': null
                },
                {
                    'metrics': ['aws_estimated_tokens'], 'amounts': estimated, 'known': estimated_minutes,
                    'total': estimated_total, 'unknown': periods - estimated_known, 'weighted': null
                },
                {
                    'metrics': ['reserved_tokens'], 'amounts': reserved, 'known': reserved_minutes,
                    'total': reserved_total, 'unknown': periods - reserved_known, 'weighted': null
                },
                {
                    'metrics': ['latency_ms'], 'amounts': latency, 'known': len(latency), 'total': null,
                    'unknown': 0, 'weighted': latency_average
                },
                {
                    'metrics': ['ttft_ms'], 'amounts': ttft, 'known': len(ttft), 'total': null,
                    'unknown': 0, 'weighted': ttft_average
                },
            ],
            recursive := true
        ),
        null::bigint as partial_days,
    from filled
),

profile_days as (
    select
        pool_id,
        profile_id,
        usage_date,
        sum(consumed_tokens)::double as tokens,
    from period_rows
    group by pool_id, profile_id, usage_date
),

day_measures as (
    select
        filled.pool_id,
        filled.account_id,
        filled.account_name,
        filled.region,
        filled.profile_id,
        filled.window_name,
        filled.window_start,
        filled.window_end,
        filled.window_minutes,
        filled.covered_minutes,
        filled.coarse_minutes,
        any_value(filled.covered_days) as average_over,
        greatest(any_value(filled.covered_days) - count(profile_days.usage_date), 0) as idle,
        ['tpd'] as metrics,
        list(profile_days.tokens) filter (where profile_days.tokens > 0) as amounts,
        count(profile_days.tokens) as known,
        sum(profile_days.tokens)::bigint as total,
        count(profile_days.usage_date) - count(profile_days.tokens) as unknown,
        null::double as weighted,
        any_value(filled.partial_days) as partial_days,
    from filled
    left join profile_days
        on
            filled.pool_id = profile_days.pool_id
            and filled.profile_id = profile_days.profile_id
            and profile_days.usage_date
                > (filled.window_end - interval 1 microsecond)::date - (filled.window_minutes / 1440)::integer
    where filled.window_minutes >= 1440
    group by all
),

running_totals as (
    select
        pool_id,
        ts,
        sum(consumed_tokens) over (partition by pool_id order by ts) as running,
    from marts.quota_usage_minutely
    where usage_date >= (select min(window_start)::date - 1 from windows)
),

rolling_days as (
    -- A running total, minus what it was 24 hours earlier.
    select
        later.pool_id,
        later.ts,
        (later.running - coalesce(earlier.running, 0))::double as tokens,
    from running_totals as later
    asof left join running_totals as earlier
        on later.pool_id = earlier.pool_id and later.ts - interval 1 day >= earlier.ts
),

rolling_measures as (
    select
        filled.pool_id,
        filled.account_id,
        filled.account_name,
        filled.region,
        filled.profile_id,
        filled.window_name,
        filled.window_start,
        filled.window_end,
        filled.window_minutes,
        filled.covered_minutes,
        filled.coarse_minutes,
        null::bigint as average_over,
        0::bigint as idle,
        ['tpd_rolling_24h'] as metrics,
        list(rolling_days.tokens) filter (where rolling_days.tokens > 0) as amounts,
        count(rolling_days.tokens) as known,
        null::bigint as total,
        0::bigint as unknown,
        null::double as weighted,
        null::bigint as partial_days,
    from filled
    left join rolling_days
        on
            filled.pool_id = rolling_days.pool_id
            and rolling_days.ts >= filled.window_start
            and rolling_days.ts < filled.window_end
    where filled.profile_id = 'ALL' and filled.window_minutes >= 1440
    group by all
),

measures as (
    from minute_measures
    union all by name
    from day_measures
    union all by name
    from rolling_measures
),

sorted as (
    select
        * exclude (amounts),
        list_sort(coalesce(amounts, [])) as amounts,
        coalesce(len(amounts), 0) as positive,
        coalesce(known, 0) as active_points,
        [0.5, 0.9, 0.95, 0.99, 0.999] as fractions,
    from measures
),

-- Where each percentile lies, counted from 0, in the zeros followed by the sorted amounts.
placed as (
    select
        *,
        if(active_points = 0, null, list_transform(fractions, lambda f: f * (active_points - 1))) as active_places,
        if(
            active_points + idle = 0,
            null,
            list_transform(fractions, lambda f: f * (active_points + idle - 1))
        ) as all_places,
        active_points - positive as active_zeros,
        active_points + idle - positive as all_zeros,
    from sorted
),

read_out as (
    select
        * exclude (amounts, fractions, active_places, all_places),
        unnest(['active', 'all']) as basis,
        unnest([active_points, active_points + idle]) as data_points,
        unnest([active_places, all_places]) as places,
        unnest([
            list_transform(active_places, lambda p: coalesce(amounts[greatest(floor(p)::bigint - active_zeros + 1, 0)], 0)),
            list_transform(all_places, lambda p: coalesce(amounts[greatest(floor(p)::bigint - all_zeros + 1, 0)], 0)),
        ]) as lower_values,
        unnest([
            list_transform(active_places, lambda p: coalesce(amounts[greatest(ceil(p)::bigint - active_zeros + 1, 0)], 0)),
            list_transform(all_places, lambda p: coalesce(amounts[greatest(ceil(p)::bigint - all_zeros + 1, 0)], 0)),
        ]) as upper_values,
        coalesce(amounts[-1], 0) as highest,
        list_sum(amounts) as points_total,
    from placed
),

statistics as (
    select
        *,
        list_transform(
            places,
            lambda p, i: lower_values[i] + (upper_values[i] - lower_values[i]) * (p - floor(p))
        ) as percentiles,
    from read_out
)

select
    pool_id,
    account_id,
    account_name,
    region,
    profile_id,
    window_name,
    window_start,
    window_end,
    unnest(metrics) as metric,
    basis,
    percentiles[1] as p50,
    percentiles[2] as p90,
    percentiles[3] as p95,
    percentiles[4] as p99,
    percentiles[5] as p999,
    if(data_points = 0, null, highest) as max,
    case
        when weighted is not null then weighted
        when basis = 'all' then coalesce(total, 0) / nullif(average_over, 0)::double
        else points_total / nullif(data_points, 0)::double
    end as average,
    total,
    data_points,
    unknown as unknown_periods,
    covered_minutes,
    coarse_minutes,
    window_minutes,
    partial_days,
from statistics
where basis = 'active' or not list_has_any(metrics, ['latency_ms', 'ttft_ms', 'tpd_rolling_24h'])
