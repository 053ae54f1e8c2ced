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
-- reserved_tokens: the most that calls in flight held at once in a minute, no total, active only, because calls also run
-- on in minutes without a row. initial_reservation_tokens: what the calls that began in a minute held at their start.
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
    select
        min(window_start)::date as first_day,
        -- The 24 hours up to the first period of the longest window begin a day earlier.
        min(window_start)::date - 1 as day_before,
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
        initial_reservation_tokens,
        reserved_tokens,
        latency_ms_sum,
        latency_samples,
        ttft_ms_sum,
        ttft_samples,
    from marts.usage_minutely
    where pool_id is not null and usage_date >= (select day_before from first_days)

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
        initial_reservation_tokens,
        reserved_tokens,
        latency_ms_sum,
        latency_samples,
        ttft_ms_sum,
        ttft_samples,
    from marts.quota_usage_minutely
    where usage_date >= (select day_before from first_days)
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

-- How many of the highest values are enough to read every percentile from: of the minutes with traffic the upper half,
-- of all minutes the upper tenth, and also the upper half of these where at least half of them had traffic.
depths as (
    select
        *,
        greatest(minutes // 2, if(minutes * 2 >= all_minutes - 1, all_minutes // 2, all_minutes // 10)) + 2 as depth,
    from counted
),

-- The highest values without zeros, whole numbers while they are sorted, which is twice as fast as with fractions.
collected as (
    select
        depths.subject,
        depths.window_name,
        usage_rows.is_minute,
        count(*) as periods,
        max(nullif(consumed_tokens, 0), depth)::double[] as tpm_highest,
        sum(consumed_tokens) as tpm_total,
        count(consumed_tokens) as tpm_known,
        max(nullif(invocations, 0), depth)::double[] as rpm_highest,
        sum(invocations) as rpm_total,
        count(invocations) as rpm_known,
        max(nullif(throttles, 0), depth)::double[] as throttles_highest,
        sum(throttles) as throttles_total,
        count(throttles) as throttles_known,
        max(nullif(client_errors, 0), depth)::double[] as client_errors_highest,
        sum(client_errors) as client_errors_total,
        count(client_errors) as client_errors_known,
        max(nullif(server_errors, 0), depth)::double[] as server_errors_highest,
        sum(server_errors) as server_errors_total,
        count(server_errors) as server_errors_known,
        max(nullif(input_tokens, 0), depth)::double[] as input_tokens_highest,
        sum(input_tokens) as input_tokens_total,
        count(input_tokens) as input_tokens_known,
        max(nullif(output_tokens, 0), depth)::double[] as output_tokens_highest,
        sum(output_tokens) as output_tokens_total,
        count(output_tokens) as output_tokens_known,
        max(nullif(cache_read_tokens, 0), depth)::double[] as cache_read_tokens_highest,
        sum(cache_read_tokens) as cache_read_tokens_total,
        count(cache_read_tokens) as cache_read_tokens_known,
        max(nullif(cache_write_tokens, 0), depth)::double[] as cache_write_tokens_highest,
        sum(cache_write_tokens) as cache_write_tokens_total,
        count(cache_write_tokens) as cache_write_tokens_known,
        max(nullif(aws_estimated_tokens, 0), depth)::double[] as aws_estimated_tokens_highest,
        sum(aws_estimated_tokens) as aws_estimated_tokens_total,
        count(aws_estimated_tokens) as aws_estimated_tokens_known,
        max(nullif(initial_reservation_tokens, 0), depth)::double[] as initial_reservation_tokens_highest,
        sum(initial_reservation_tokens) as initial_reservation_tokens_total,
        count(initial_reservation_tokens) as initial_reservation_tokens_known,
        max(nullif(reserved_tokens, 0), depth)::double[] as reserved_tokens_highest,
        sum(reserved_tokens) as reserved_tokens_total,
        count(reserved_tokens) as reserved_tokens_known,
        max(nullif(latency_ms, 0), depth) as latency_highest,
        sum(latency_ms_sum) as latency_total,
        count(latency_ms) as latency_known,
        sum(latency_samples) as latency_calls,
        max(nullif(ttft_ms, 0), depth) as ttft_highest,
        sum(ttft_ms_sum) as ttft_total,
        count(ttft_ms) as ttft_known,
        sum(ttft_samples) as ttft_calls,
    from usage_rows
    inner join depths
        on
            usage_rows.subject = depths.subject
            and usage_rows.ts >= depths.window_start
            and usage_rows.ts < depths.window_end
    group by depths.subject, depths.window_name, usage_rows.is_minute
),

by_metric as (
    select
        subject,
        window_name,
        is_minute,
        periods,
        unnest([
            {'metric': 'tpm', 'highest': tpm_highest, 'total': tpm_total,
                'known': tpm_known, 'calls': null},
            {'metric': 'rpm', 'highest': rpm_highest, 'total': rpm_total,
                'known': rpm_known, 'calls': null},
            {'metric': 'invocations', 'highest': rpm_highest, 'total': rpm_total,
                'known': rpm_known, 'calls': null},
            {'metric': 'throttles', 'highest': throttles_highest, 'total': throttles_total,
                'known': throttles_known, 'calls': null},
            {'metric': 'client_errors', 'highest': client_errors_highest, 'total': client_errors_total,
                'known': client_errors_known, 'calls': null},
            {'metric': 'server_errors', 'highest': server_errors_highest, 'total': server_errors_total,
                'known': server_errors_known, 'calls': null},
            {'metric': 'input_tokens', 'highest': input_tokens_highest, 'total': input_tokens_total,
                'known': input_tokens_known, 'calls': null},
            {'metric': 'output_tokens', 'highest': output_tokens_highest, 'total': output_tokens_total,
                'known': output_tokens_known, 'calls': null},
            {'metric': 'cache_read_tokens', 'highest': cache_read_tokens_highest, 'total': cache_read_tokens_total,
                'known': cache_read_tokens_known, 'calls': null},
            {'metric': 'cache_write_tokens', 'highest': cache_write_tokens_highest, 'total': cache_write_tokens_total,
                'known': cache_write_tokens_known, 'calls': null},
            {'metric': 'aws_estimated_tokens', 'highest': aws_estimated_tokens_highest,
                'total': aws_estimated_tokens_total, 'known': aws_estimated_tokens_known, 'calls': null},
            {'metric': 'initial_reservation_tokens', 'highest': initial_reservation_tokens_highest,
                'total': initial_reservation_tokens_total, 'known': initial_reservation_tokens_known, 'calls': null},
            {'metric': 'reserved_tokens', 'highest': reserved_tokens_highest, 'total': reserved_tokens_total,
                'known': reserved_tokens_known, 'calls': null},
            {'metric': 'latency_ms', 'highest': latency_highest, 'total': latency_total,
                'known': latency_known, 'calls': latency_calls},
            {'metric': 'ttft_ms', 'highest': ttft_highest, 'total': ttft_total,
                'known': ttft_known, 'calls': ttft_calls},
        ]) as measure,
    from collected
),

minute_measures as (
    select
        by_metric.subject,
        by_metric.window_name,
        by_metric.measure.metric as metric,
        any_value(depths.all_minutes - depths.minutes) as idle,
        any_value(by_metric.measure.highest) filter (where by_metric.is_minute) as highest,
        coalesce(sum(by_metric.measure.known) filter (where by_metric.is_minute), 0)::bigint as known,
        sum(by_metric.measure.total) filter (where by_metric.is_minute)::double as points_total,
        sum(by_metric.measure.total)::bigint as total,
        (sum(by_metric.periods) - sum(by_metric.measure.known))::bigint as unknown_periods,
        sum(by_metric.measure.total)::double / nullif(sum(by_metric.measure.calls), 0) as average_call,
    from by_metric
    inner join depths using (subject, window_name)
    group by by_metric.subject, by_metric.window_name, by_metric.measure.metric
),

subject_days as (
    select
        subject,
        usage_date,
        if(bool_or(consumed_tokens is null), null, sum(consumed_tokens)) as tokens,
    from usage_rows
    group by subject, usage_date
),

day_measures as (
    select
        grid.subject,
        grid.window_name,
        'tpd' as metric,
        greatest(any_value(grid.days) - count(*), 0) as idle,
        list_reverse_sort(list(subject_days.tokens::double) filter (where subject_days.tokens > 0)) as highest,
        count(subject_days.tokens) as known,
        sum(subject_days.tokens)::double as points_total,
        sum(subject_days.tokens)::bigint as total,
        count(*) - count(subject_days.tokens) as unknown_periods,
        null::double as average_call,
    from grid
    inner join subject_days on grid.subject = subject_days.subject and subject_days.usage_date >= grid.first_day
    where grid.window_minutes >= 1440
    group by grid.subject, grid.window_name
),

running_totals as (
    select
        subjects.subject,
        periods.usage_date,
        periods.ts,
        periods.day_tokens_running,
    from marts.quota_usage_minutely as periods
    inner join subjects on periods.pool_id = subjects.pool_id and subjects.profile_id = 'ALL'
    where periods.usage_date >= (select day_before from first_days)
),

-- Today's running total, and of yesterday what came after this time of day.
rolling_days as (
    select
        today.subject,
        today.ts,
        (
            today.day_tokens_running
            + if(yesterday.subject is null, 0, yesterday.tokens)
            - if(day_before.subject is null, 0, day_before.day_tokens_running)
        )::double as tokens,
    from running_totals as today
    asof left join running_totals as day_before
        on
            today.subject = day_before.subject
            and today.usage_date - 1 = day_before.usage_date
            and today.ts - interval 1 day >= day_before.ts
    left join subject_days as yesterday
        on today.subject = yesterday.subject and today.usage_date - 1 = yesterday.usage_date
),

rolling_measures as (
    select
        grid.subject,
        grid.window_name,
        'tpd_rolling_24h' as metric,
        0 as idle,
        list_reverse_sort(list(rolling_days.tokens) filter (where rolling_days.tokens > 0)) as highest,
        count(rolling_days.tokens) as known,
        sum(rolling_days.tokens) as points_total,
        null::bigint as total,
        count(*) - count(rolling_days.tokens) as unknown_periods,
        null::double as average_call,
    from grid
    inner join rolling_days
        on
            grid.subject = rolling_days.subject
            and rolling_days.ts >= grid.window_start
            and rolling_days.ts < grid.window_end
    where grid.window_minutes >= 1440
    group by grid.subject, grid.window_name
),

measures as (
    from minute_measures
    union all by name
    from day_measures
    union all by name
    from rolling_measures
),

metrics as (
    select
        names.metric,
        names.bases,
        names.metric like 'tpd%' as is_of_days,
        not list_contains(names.bases, 'all') as is_without_total,
    from (
        values
            ('tpm', ['active', 'all']),
            ('rpm', ['active', 'all']),
            ('tpd', ['active', 'all']),
            ('tpd_rolling_24h', ['active']),
            ('invocations', ['active', 'all']),
            ('throttles', ['active', 'all']),
            ('client_errors', ['active', 'all']),
            ('server_errors', ['active', 'all']),
            ('input_tokens', ['active', 'all']),
            ('output_tokens', ['active', 'all']),
            ('cache_read_tokens', ['active', 'all']),
            ('cache_write_tokens', ['active', 'all']),
            ('aws_estimated_tokens', ['active', 'all']),
            ('initial_reservation_tokens', ['active', 'all']),
            ('reserved_tokens', ['active']),
            ('latency_ms', ['active']),
            ('ttft_ms', ['active']),
    ) as names (metric, bases)
),

-- Every combination, also of what had no use.
filled as (
    select
        grid.* exclude (partial_days),
        metrics.metric,
        metrics.bases,
        metrics.is_without_total,
        if(metrics.metric = 'tpd', grid.partial_days, null) as partial_days,
        if(metrics.metric = 'tpd', grid.days, grid.covered_minutes + grid.coarse_minutes) as average_over,
        coalesce(measures.idle, if(metrics.metric = 'tpd', grid.days, grid.covered_minutes)) as idle,
        coalesce(measures.known, 0) as known,
        coalesce(measures.unknown_periods, 0) as unknown_periods,
        measures.highest,
        measures.points_total,
        measures.total,
        measures.average_call,
    from grid
    inner join metrics
        on
            (grid.window_minutes >= 1440 or not metrics.is_of_days)
            and (grid.profile_id = 'ALL' or metrics.metric <> 'tpd_rolling_24h')
    left join measures using (subject, window_name, metric)
),

by_basis as (
    select
        *,
        unnest(['active', 'all']) as basis,
        unnest([known, known + idle]) as data_points,
    from filled
),

-- `place` is where a percentile lies among the data points, lowest first, counted from 0. What lies below the listed
-- values is 0.
read_out as (
    select
        * exclude (highest),
        if(data_points = 0, null, coalesce(highest[1], 0)) as max,
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
    where list_contains(bases, basis)
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
    metric,
    basis,
    percentiles[1] as p50,
    percentiles[2] as p90,
    percentiles[3] as p95,
    percentiles[4] as p99,
    percentiles[5] as p999,
    max,
    case
        when average_call is not null then average_call
        when basis = 'active' then points_total / nullif(data_points, 0)
        when unknown_periods = 0 then coalesce(total, 0) / nullif(average_over, 0)::double
    end as average,
    case
        when is_without_total then null
        when unknown_periods > 0 then nullif(total, 0)
        -- Of time that was not read, nothing is known: not even that nobody called.
        when covered_minutes + coarse_minutes = 0 then total
        else coalesce(total, 0)
    end as total,
    data_points,
    -- A period without a call has no latency; that is nothing unknown.
    if(metric in ('latency_ms', 'ttft_ms'), 0, unknown_periods) as unknown_periods,
    covered_minutes,
    coarse_minutes,
    window_minutes,
    partial_days,
from read_out
