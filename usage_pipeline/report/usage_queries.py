"""The queries behind what a report says of how pools are used: throttles, reservations, performance, hours of the week.

Here: choosing, adding up and ordering rows of the marts. `$first_day` and `$last_day` are the report's UTC days, both
inclusive; `$start` and `$end` the longest window, `$end` exclusive. Not here: formulas (`dbt_like_sql/`).
"""

from usage_pipeline.report.usage_contents import PERCENTILE_STEP

THROTTLE_CAUSES = """
    select
        pool_id,
        usage_date,
        cause,
        throttled_minutes,
        certain_minutes,
        throttles,
        minutes_share,
        throttles_share,
    from marts.throttle_causes_daily
    where usage_date between $first_day and $last_day
    order by pool_id, usage_date, throttles desc, cause
"""

THROTTLE_TOTALS = """
    select
        pool_id,
        count(*) as minutes,
        sum(throttles)::bigint as throttles,
    from marts.throttle_events
    where usage_date between $first_day and $last_day
    group by pool_id
    order by pool_id
"""

# The fifty minutes with most throttles of each pool.
THROTTLED_MINUTES = """
    select
        pool_id,
        ts,
        resolution_seconds,
        throttles,
        invocations,
        cause,
        is_certain,
        is_retry_storm,
        consumed_tokens,
        reserved_tokens,
        tpm_limit,
        rpm_limit,
        tpd_limit,
    from marts.throttle_events
    where usage_date between $first_day and $last_day
    qualify row_number() over (partition by pool_id order by throttles desc, ts) <= 50
    order by pool_id, throttles desc, ts
"""

CONSUMERS = """
    with consumers as (
        select
            pool_id,
            unnest(top_consumers) as consumer,
        from marts.throttle_events
        where usage_date between $first_day and $last_day
    )

    select
        pool_id,
        consumer.profile_id as profile_id,
        min(consumer.profile_name) as profile_name,
        consumer.application as application,
        consumer.role_or_user as role_or_user,
        count(*) as minutes,
        if(bool_or(consumer.tokens is null), null, sum(consumer.tokens))::bigint as tokens,
        if(bool_or(consumer.invocations is null), null, sum(consumer.invocations))::bigint as invocations,
    from consumers
    group by pool_id, consumer.profile_id, consumer.application, consumer.role_or_user
    qualify
        row_number() over (
            partition by pool_id
            order by tokens desc nulls last, minutes desc, profile_id, application, role_or_user
        ) <= 10
    order by pool_id, tokens desc nulls last, minutes desc, profile_id, application, role_or_user
"""

VICTIMS = """
    with victims as (
        select
            pool_id,
            ts,
            unnest(victims) as victim,
        from marts.throttle_events
        where usage_date between $first_day and $last_day
    )

    select
        pool_id,
        victim.profile_id as profile_id,
        min(victim.profile_name) as profile_name,
        count(distinct ts) as minutes,
        sum(victim.throttles)::bigint as throttles,
    from victims
    group by pool_id, victim.profile_id
    qualify row_number() over (partition by pool_id order by throttles desc, minutes desc, profile_id) <= 10
    order by pool_id, throttles desc, minutes desc, profile_id
"""

# Minutes of storms that follow each other are one storm.
RETRY_STORMS = """
    with storm_minutes as (
        select
            *,
            ts - to_minutes(row_number() over (partition by pool_id order by ts)) as stretch,
        from marts.throttle_events
        where usage_date between $first_day and $last_day and is_retry_storm
    )

    select
        pool_id,
        min(ts) as start,
        max(ts) + interval 1 minute as end,
        count(*) as minutes,
        sum(throttles)::bigint as throttles,
        sum(invocations)::bigint as invocations,
    from storm_minutes
    group by pool_id, stretch
    order by pool_id, start
"""

# Where less was held than was consumed in the end, nothing was held for nothing.
RESERVATIONS = """
    with minutes as (
        select
            *,
            initial_reservation_tokens is not null and settled_tokens is not null as is_known,
        from marts.reservations_minutely
        where usage_date between $first_day and $last_day
    ),

    sums as (
        select
            pool_id,
            count(*) filter (where is_known) as minutes,
            count(*) filter (where source = 'estimated') as estimated_minutes,
            sum(initial_reservation_tokens) filter (where is_known)::bigint as held,
            sum(settled_tokens) filter (where is_known)::bigint as settled_tokens,
            sum(greatest(initial_reservation_tokens - settled_tokens, 0)) filter (where is_known)::bigint
                as for_nothing,
            max(reserved_tokens) as reserved_peak,
            arg_min(ts, (-reserved_tokens, ts)) filter (where reserved_tokens is not null) as reserved_peak_at,
        from minutes
        group by pool_id
    )

    select
        pool_id,
        minutes,
        estimated_minutes,
        held as initial_reservation_tokens,
        settled_tokens,
        for_nothing as for_nothing_tokens,
        for_nothing / nullif(held, 0)::double as for_nothing_share,
        reserved_peak,
        reserved_peak_at,
    from sums
    order by pool_id
"""

_TIMES = """
    calls as (
        select
            pool_id,
            application,
            usage_date,
            latency_ms,
            ttft_ms,
            tpot_ms,
        from marts.invocations
        where
            usage_date between $first_day and $last_day
            and error_code is null
            and pool_id is not null
            and coalesce(latency_ms, ttft_ms, tpot_ms) is not null
    ),

    times as (
        select pool_id, application, usage_date, 'latency_ms' as metric, latency_ms as ms
        from calls
        where latency_ms is not null
        union all
        select pool_id, application, usage_date, 'ttft_ms', ttft_ms
        from calls
        where ttft_ms is not null
        union all
        select pool_id, application, usage_date, 'tpot_ms', tpot_ms
        from calls
        where tpot_ms is not null
    )
"""

# Counts by times of nearly equal length add up over days and applications, which percentiles do not, and need little
# memory however many calls there are. A time of 0 is put with those of a microsecond.
PERFORMANCE = f"""
    with {_TIMES},

    counted as materialized (
        select
            pool_id,
            application,
            usage_date,
            metric,
            round(ln(greatest(ms, 0.001)) / ln({PERCENTILE_STEP}))::integer as step,
            count(*) as calls,
            sum(ms::decimal(18, 6)) as total,
            min(ms) as shortest,
            max(ms) as longest,
        from times
        group by pool_id, application, usage_date, metric, step
    ),

    added as (
        select
            pool_id,
            application,
            usage_date,
            metric,
            grouping(application) = 1 as is_whole_pool,
            grouping(usage_date) = 0 as is_day,
            step,
            sum(calls) as calls,
            sum(total) as total,
            min(shortest) as shortest,
            max(longest) as longest,
        from counted
        group by grouping sets (
            (pool_id, application, metric, step),
            (pool_id, metric, step),
            (pool_id, usage_date, metric, step)
        )
    ),

    ranked as (
        select
            *,
            sum(calls) over subject as all_calls,
            sum(calls) over (subject order by step) as calls_so_far,
        from added
        window subject as (partition by pool_id, is_whole_pool, application, is_day, usage_date, metric)
    )

    select
        pool_id,
        application,
        usage_date,
        metric,
        sum(calls)::bigint as calls,
        sum(total)::double / sum(calls) as average,
        min(shortest) as min,
        max(longest) as max,
        pow({PERCENTILE_STEP}, min(step) filter (where calls_so_far >= 0.5 * all_calls)) as p50,
        pow({PERCENTILE_STEP}, min(step) filter (where calls_so_far >= 0.9 * all_calls)) as p90,
        pow({PERCENTILE_STEP}, min(step) filter (where calls_so_far >= 0.99 * all_calls)) as p99,
    from ranked
    group by pool_id, is_whole_pool, application, is_day, usage_date, metric
    order by pool_id, is_day, usage_date, not is_whole_pool, application, metric
"""

HOURS_OF_THE_WEEK = """
    select
        pool_id,
        24 * (isodow(ts) - 1) + hour(ts) as place,
        sum(resolution_seconds)::bigint // 60 as minutes_active,
        if(bool_or(consumed_tokens is null), null, sum(consumed_tokens))::bigint as tokens,
        round(max(tokens_per_minute), 3) as tpm_max,
        sum(invocations)::bigint as requests,
        round(max(requests_per_minute), 3) as rpm_max,
        sum(throttles)::bigint as throttles,
    from marts.quota_usage_minutely
    where ts >= $start and ts < $end
    group by pool_id, place
    order by pool_id, place
"""

PROFILE_DAYS = """
    select
        pool_id,
        usage_date,
        profile_id,
        if(bool_or(consumed_tokens is null), null, sum(consumed_tokens))::bigint as consumed_tokens,
        sum(invocations)::bigint as invocations,
        sum(throttles)::bigint as throttles,
    from marts.usage_minutely
    where pool_id is not null and usage_date between $first_day and $last_day
    group by pool_id, usage_date, profile_id
    order by pool_id, usage_date, profile_id
"""
