-- One row per pool, profile (or `ALL`), window, metric and basis: percentiles, maximum, average and total.
--
-- Windows end where the newest reading of CloudWatch ends, not now. Rows exist for every pool and profile that was used
-- in the last 30 days, and for profiles that people made even when idle.
-- `basis` active looks at minutes with traffic, all at every minute that was read, idle ones as 0. Profiles are summed
-- per minute first; `ALL` is that sum. p50 to max look at one-minute periods only (linear interpolation);
-- `data_points` is how many. `total` adds up all periods, also coarser ones. `average` over all is the total per
-- covered minute at any resolution; over active minutes it is the mean of the one-minute periods.
-- `window_minutes` = what the window asks for, `covered_minutes` = of these, read minute by minute, `coarse_minutes` =
-- read at 300 or 3600 seconds only; the rest is unknown. `unknown_periods` had traffic but no value of the metric; the
-- total leaves them out, and the average over all is then NULL.
-- latency_ms and ttft_ms: per-minute averages, `average` weighted by calls, no total, active only.
-- tpd: consumed tokens per UTC day, one data point per day of the window: its last day counts, the day in which it
-- begins does not; `partial_days` of them were not read to their end. tpd_rolling_24h: of the pool, the 24 hours up to
-- each period with traffic, active only.
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
        -- A window that ends at midnight ends with the day before.
        (newest.window_end - interval 1 microsecond)::date - (lengths.window_minutes // 1440)::integer + 1 as first_day,
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

first_days as (
    select min(window_start)::date as first_day
    from windows
),

used as (
    select distinct
        account_id,
        region,
        profile_id,
    from intermediate.int_profile_days_summed
    where usage_date >= (select first_day from first_days)
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
    -- Rows are grouped by a number, because grouping by long texts takes several times as long.
    select
        *,
        row_number() over (order by pool_id, profile_id) as subject,
    from (
        from profiles
        union all by name
        select distinct * replace ('ALL' as profile_id)
        from profiles
    )
),

covered_days as (
    select
        days.account_id,
        days.region,
        windows.window_name,
        date_diff(
            'minute',
            greatest(days.covered_from, windows.window_start),
            least(days.covered_until, windows.window_end)
        ) as minutes,
        days.resolution_seconds = 60 as is_minutely,
        days.usage_date >= windows.first_day as is_data_point,
        days.covered_until < (days.usage_date + 1)::timestamp as is_partial,
    from staging.stg_cloudwatch_coverage as days
    inner join windows on days.covered_until > windows.window_start and days.covered_from < windows.window_end
),

coverage as (
    select
        account_id,
        region,
        window_name,
        sum(minutes) filter (where is_minutely)::bigint as covered_minutes,
        sum(minutes) filter (where not is_minutely)::bigint as coarse_minutes,
        count(*) filter (where is_data_point) as days,
        count(*) filter (where is_data_point and is_partial) as partial_days,
    from covered_days
    group by account_id, region, window_name
),

grid as (
    select
        subjects.*,
        windows.*,
        coalesce(coverage.covered_minutes, 0) as covered_minutes,
        coalesce(coverage.coarse_minutes, 0) as coarse_minutes,
        coalesce(coverage.days, 0) as days,
        coalesce(coverage.partial_days, 0) as partial_days,
    from subjects
    cross join windows
    left join coverage using (account_id, region, window_name)
),

subject_periods as (
    select
        pool_id,
        profile_id,
        ts,
        usage_date,
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
    where pool_id is not null and usage_date >= (select first_day from first_days)

    union all by name

    select
        pool_id,
        'ALL' as profile_id,
        ts,
        usage_date,
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
    where usage_date >= (select first_day from first_days)
),

usage_rows as (
    select
        subjects.subject,
        subject_periods.* exclude (pool_id, profile_id) replace (
            -- AWS gives no estimate for a period in which nothing was consumed.
            if(consumed_tokens = 0, coalesce(aws_estimated_tokens, 0), aws_estimated_tokens) as aws_estimated_tokens
        ),
        subject_periods.resolution_seconds = 60 as is_minute,
        subject_periods.latency_ms_sum::double / nullif(subject_periods.latency_samples, 0) as latency_ms,
        subject_periods.ttft_ms_sum::double / nullif(subject_periods.ttft_samples, 0) as ttft_ms,
    from subject_periods
    inner join subjects using (pool_id, profile_id)
),

-- How many of the highest values are enough to read every percentile from: of the minutes with traffic the upper half,
-- of all minutes the upper tenth, and also the upper half of these where at least half of them had traffic.
counted as (
    select
        grid.subject,
        grid.window_name,
        any_value(grid.window_start) as window_start,
        any_value(grid.window_end) as window_end,
        count(*) filter (where usage_rows.is_minute) as minutes,
        greatest(any_value(grid.covered_minutes), minutes) as all_minutes,
    from usage_rows
    inner join grid
        on
            usage_rows.subject = grid.subject
            and usage_rows.ts >= grid.window_start
            and usage_rows.ts < grid.window_end
    group by grid.subject, grid.window_name
),

depths as (
    select
        *,
        greatest(minutes // 2, if(minutes * 2 >= all_minutes - 1, all_minutes // 2, all_minutes // 10)) + 2 as depth,
    from counted
),

collected as (
    select
        depths.subject,
        depths.window_name,
        any_value(depths.all_minutes) - any_value(depths.minutes) as idle,
        [
            {
                'metrics': ['tpm'],
                'highest': max(consumed_tokens::double, depth) filter (where is_minute and consumed_tokens > 0),
                'known': count(consumed_tokens) filter (where is_minute),
                'points_total': sum(consumed_tokens) filter (where is_minute)::double,
                'total': sum(consumed_tokens)::bigint,
                'unknown_periods': count(*) - count(consumed_tokens),
                'weighted': null::double,
            },
            {
                'metrics': ['rpm', 'invocations'],
                'highest': max(invocations::double, depth) filter (where is_minute and invocations > 0),
                'known': count(invocations) filter (where is_minute),
                'points_total': sum(invocations) filter (where is_minute)::double,
                'total': sum(invocations)::bigint,
                'unknown_periods': count(*) - count(invocations),
                'weighted': null::double,
            },
            {
                'metrics': ['throttles'],
                'highest': max(throttles::double, depth) filter (where is_minute and throttles > 0),
                'known': count(throttles) filter (where is_minute),
                'points_total': sum(throttles) filter (where is_minute)::double,
                'total': sum(throttles)::bigint,
                'unknown_periods': count(*) - count(throttles),
                'weighted': null::double,
            },
            {
                'metrics': ['client_errors'],
                'highest': max(client_errors::double, depth) filter (where is_minute and client_errors > 0),
                'known': count(client_errors) filter (where is_minute),
                'points_total': sum(client_errors) filter (where is_minute)::double,
                'total': sum(client_errors)::bigint,
                'unknown_periods': count(*) - count(client_errors),
                'weighted': null::double,
            },
            {
                'metrics': ['server_errors'],
                'highest': max(server_errors::double, depth) filter (where is_minute and server_errors > 0),
                'known': count(server_errors) filter (where is_minute),
                'points_total': sum(server_errors) filter (where is_minute)::double,
                'total': sum(server_errors)::bigint,
                'unknown_periods': count(*) - count(server_errors),
                'weighted': null::double,
            },
            {
                'metrics': ['input_tokens'],
                'highest': max(input_tokens::double, depth) filter (where is_minute and input_tokens > 0),
                'known': count(input_tokens) filter (where is_minute),
                'points_total': sum(input_tokens) filter (where is_minute)::double,
                'total': sum(input_tokens)::bigint,
                'unknown_periods': count(*) - count(input_tokens),
                'weighted': null::double,
            },
            {
                'metrics': ['output_tokens'],
                'highest': max(output_tokens::double, depth) filter (where is_minute and output_tokens > 0),
                'known': count(output_tokens) filter (where is_minute),
                'points_total': sum(output_tokens) filter (where is_minute)::double,
                'total': sum(output_tokens)::bigint,
                'unknown_periods': count(*) - count(output_tokens),
                'weighted': null::double,
            },
            {
                'metrics': ['cache_read_tokens'],
                'highest': max(cache_read_tokens::double, depth) filter (where is_minute and cache_read_tokens > 0),
                'known': count(cache_read_tokens) filter (where is_minute),
                'points_total': sum(cache_read_tokens) filter (where is_minute)::double,
                'total': sum(cache_read_tokens)::bigint,
                'unknown_periods': count(*) - count(cache_read_tokens),
                'weighted': null::double,
            },
            {
                'metrics': ['cache_write_tokens'],
                'highest': max(cache_write_tokens::double, depth) filter (where is_minute and cache_write_tokens > 0),
                'known': count(cache_write_tokens) filter (where is_minute),
                'points_total': sum(cache_write_tokens) filter (where is_minute)::double,
                'total': sum(cache_write_tokens)::bigint,
                'unknown_periods': count(*) - count(cache_write_tokens),
                'weighted': null::double,
            },
            {
                'metrics': ['aws_estimated_tokens'],
                'highest': max(aws_estimated_tokens::double, depth) filter (where is_minute and aws_estimated_tokens > 0),
                'known': count(aws_estimated_tokens) filter (where is_minute),
                'points_total': sum(aws_estimated_tokens) filter (where is_minute)::double,
                'total': sum(aws_estimated_tokens)::bigint,
                'unknown_periods': count(*) - count(aws_estimated_tokens),
                'weighted': null::double,
            },
            {
                'metrics': ['reserved_tokens'],
                'highest': max(reserved_tokens::double, depth) filter (where is_minute and reserved_tokens > 0),
                'known': count(reserved_tokens) filter (where is_minute),
                'points_total': sum(reserved_tokens) filter (where is_minute)::double,
                'total': sum(reserved_tokens)::bigint,
                'unknown_periods': count(*) - count(reserved_tokens),
                'weighted': null::double,
            },
            {
                'metrics': ['latency_ms'],
                'highest': max(latency_ms, depth) filter (where is_minute and latency_ms > 0),
                'known': count(latency_ms) filter (where is_minute),
                'points_total': null,
                'total': null,
                'unknown_periods': 0,
                'weighted': sum(latency_ms_sum)::double / nullif(sum(latency_samples), 0),
            },
            {
                'metrics': ['ttft_ms'],
                'highest': max(ttft_ms, depth) filter (where is_minute and ttft_ms > 0),
                'known': count(ttft_ms) filter (where is_minute),
                'points_total': null,
                'total': null,
                'unknown_periods': 0,
                'weighted': sum(ttft_ms_sum)::double / nullif(sum(ttft_samples), 0),
            },
        ] as measures,
    from usage_rows
    inner join depths
        on
            usage_rows.subject = depths.subject
            and usage_rows.ts >= depths.window_start
            and usage_rows.ts < depths.window_end
    group by depths.subject, depths.window_name
),

no_use as (
    select
        list({
            'metrics': metrics,
            'highest': []::double[],
            'known': 0,
            'points_total': null::double,
            'total': null::bigint,
            'unknown_periods': 0,
            'weighted': null::double,
        }) as measures,
    from (
        values
            (['tpm']),
            (['rpm', 'invocations']),
            (['throttles']),
            (['client_errors']),
            (['server_errors']),
            (['input_tokens']),
            (['output_tokens']),
            (['cache_read_tokens']),
            (['cache_write_tokens']),
            (['aws_estimated_tokens']),
            (['reserved_tokens']),
            (['latency_ms']),
            (['ttft_ms']),
    ) as names (metrics)
),

minute_measures as (
    select
        grid.*,
        grid.covered_minutes + grid.coarse_minutes as average_over,
        coalesce(collected.idle, grid.covered_minutes) as idle,
        null::bigint as uncovered_days,
        unnest(coalesce(collected.measures, no_use.measures)) as measure,
    from grid
    cross join no_use
    left join collected using (subject, window_name)
),

subject_days as (
    select
        subject,
        usage_date,
        if(bool_or(consumed_tokens is null), null, sum(consumed_tokens))::double as tokens,
    from usage_rows
    group by subject, usage_date
),

collected_days as (
    select
        grid.subject,
        grid.window_name,
        count(subject_days.subject) as days_with_use,
        {
            'metrics': ['tpd'],
            'highest': list_reverse_sort(list(subject_days.tokens) filter (where subject_days.tokens > 0)),
            'known': count(subject_days.tokens),
            'points_total': sum(subject_days.tokens),
            'total': sum(subject_days.tokens)::bigint,
            'unknown_periods': count(subject_days.subject) - count(subject_days.tokens),
            'weighted': null::double,
        } as measure,
    from grid
    left join subject_days on grid.subject = subject_days.subject and subject_days.usage_date >= grid.first_day
    where grid.window_minutes >= 1440
    group by grid.subject, grid.window_name
),

day_measures as (
    select
        grid.*,
        grid.days as average_over,
        greatest(grid.days - collected_days.days_with_use, 0) as idle,
        grid.partial_days as uncovered_days,
        collected_days.measure,
    from grid
    inner join collected_days using (subject, window_name)
),

running_totals as (
    select
        pool_id,
        ts,
        sum(consumed_tokens) over so_far as running,
        count(*) over so_far - count(consumed_tokens) over so_far as unknown,
    from marts.quota_usage_minutely
    where usage_date >= (select first_day - 1 from first_days)
    window so_far as (partition by pool_id order by ts)
),

-- A running total, minus what it was 24 hours earlier.
rolling_days as (
    select
        later.pool_id,
        later.ts,
        if(
            later.unknown > coalesce(earlier.unknown, 0),
            null,
            later.running - coalesce(earlier.running, 0)
        )::double as tokens,
    from running_totals as later
    asof left join running_totals as earlier
        on later.pool_id = earlier.pool_id and later.ts - interval 1 day >= earlier.ts
),

collected_rolling_days as (
    select
        grid.subject,
        grid.window_name,
        {
            'metrics': ['tpd_rolling_24h'],
            'highest': list_reverse_sort(list(rolling_days.tokens) filter (where rolling_days.tokens > 0)),
            'known': count(rolling_days.tokens),
            'points_total': sum(rolling_days.tokens),
            'total': null::bigint,
            'unknown_periods': count(*) - count(rolling_days.tokens),
            'weighted': null::double,
        } as measure,
    from grid
    inner join rolling_days
        on
            grid.pool_id = rolling_days.pool_id
            and rolling_days.ts >= grid.window_start
            and rolling_days.ts < grid.window_end
    where grid.profile_id = 'ALL' and grid.window_minutes >= 1440
    group by grid.subject, grid.window_name
),

rolling_measures as (
    select
        grid.*,
        null::bigint as average_over,
        0::bigint as idle,
        null::bigint as uncovered_days,
        collected_rolling_days.measure,
    from grid
    inner join collected_rolling_days using (subject, window_name)
),

measures as (
    select
        * exclude (measure),
        unnest(measure),
    from (
        from minute_measures
        union all by name
        from day_measures
        union all by name
        from rolling_measures
    )
),

by_basis as (
    select
        *,
        unnest(['active', 'all']) as basis,
        unnest([known, known + idle]) as data_points,
    from measures
),

-- `place` is where a percentile lies among the data points, lowest first, counted from 0. What lies below the listed
-- values is 0.
read_out as (
    select
        * exclude (highest),
        if(data_points = 0, null, coalesce(highest[1], 0)) as max,
        -- What lies below the listed values is 0.
        list_transform(
            list_transform(
                if(data_points = 0, null, [0.5, 0.9, 0.95, 0.99, 0.999]::double[]),
                lambda fraction: fraction * (data_points - 1)
            ),
            lambda place:
                coalesce(highest[data_points - floor(place)::bigint], 0) * (1 - (place - floor(place)))
                + coalesce(highest[data_points - ceil(place)::bigint], 0) * (place - floor(place))
        ) as percentiles,
    from by_basis
    where basis = 'active' or not list_has_any(metrics, ['latency_ms', 'ttft_ms', 'tpd_rolling_24h'])
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
    max,
    case
        when basis = 'all'
            then if(unknown_periods > 0, null, coalesce(total, 0) / nullif(average_over, 0)::double)
        else coalesce(weighted, points_total / nullif(data_points, 0)::double)
    end as average,
    case
        when list_has_any(metrics, ['latency_ms', 'ttft_ms', 'tpd_rolling_24h']) then null
        when unknown_periods > 0 then nullif(total, 0)
        else coalesce(total, 0)
    end as total,
    data_points,
    unknown_periods,
    covered_minutes,
    coarse_minutes,
    window_minutes,
    uncovered_days as partial_days,
from read_out
