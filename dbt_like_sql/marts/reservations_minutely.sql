-- One row per pool and minute with use, or with calls still running: how many tokens its calls held at once.
--
-- `held_tokens` is the most that the accepted calls in flight held together at any moment of the minute, those that began
-- earlier included: each holds its `reserved_tokens` of marts.invocations from its start until its latency has passed.
-- `source`: logs where the logs hold every call that CloudWatch counted, with the max_tokens and the latency of each;
-- mixed where the model's maximum or CloudWatch's average latency of the ModelId and minute stands in for some;
-- estimated where calls are missing, now or so shortly before that they may still have run: then it is the mean by
-- Little's law (tokens reserved by the minute's calls x average latency / minute), or what the logged calls held if that
-- is more, and too low for a peak. NULL where not even that is known: nobody says max_tokens, or CloudWatch no latency.
--
-- Log times are whole seconds, so a call may have begun and ended up to a second later than counted here: calls of the
-- same second count as overlapping. A call counts until the midnight (UTC) after its start; the minutes after midnight
-- into which the pool's longest call of the day could have run are therefore estimated.
-- `calls_in_flight` is the most at once, NULL where estimated. `initial_reservation_tokens` is what the calls that began
-- in the minute held at their start, `settled_tokens` what the same calls consumed in the end: both as in
-- marts.usage_minutely. Only periods of one minute; coarser ones have no row.
with calls as (
    select
        calls.pool_id,
        calls.account_id,
        calls.region,
        calls.usage_date,
        calls.profile_id,
        calls.ts,
        date_trunc('minute', calls.ts) as minute,
        calls.reserved_tokens,
        coalesce(calls.latency_ms, profile_minutes.latency_ms_avg) as duration_ms,
        calls.reserved_tokens is not null and duration_ms is not null as is_known,
        calls.latency_ms is null or calls.reserved_source <> 'logs' as is_substituted,
        to_microseconds(ceil(greatest(least(duration_ms, 86400000), 1) * 1000)::bigint) as duration,
        least(calls.ts + duration, calls.usage_date + interval 1 day) as ended_at,
    from marts.invocations as calls
    left join marts.usage_minutely as profile_minutes
        on
            calls.usage_date = profile_minutes.usage_date
            and calls.account_id = profile_minutes.account_id
            and calls.region = profile_minutes.region
            and calls.profile_id = profile_minutes.profile_id
            and date_trunc('minute', calls.ts) = profile_minutes.ts
            and profile_minutes.resolution_seconds = 60
            and profile_minutes.usage_date between $start_date and $end_date
    where calls.usage_date between $start_date and $end_date and calls.is_accepted and calls.pool_id is not null
),

logged_minutes as (
    select
        pool_id,
        account_id,
        region,
        usage_date,
        profile_id,
        minute,
        count(*) as accepted_calls,
        bool_or(not is_known) as has_unknown_calls,
        bool_or(is_substituted) as has_substituted_calls,
    from calls
    group by pool_id, account_id, region, usage_date, profile_id, minute
),

counted_minutes as (
    select
        pool_id,
        account_id,
        region,
        usage_date,
        profile_id,
        ts as minute,
        invocations,
        consumed_tokens,
        reserved_tokens,
        case
            when invocations = 0 then 0
            when reserved_source not in ('model_default', 'unknown') then reserved_tokens * latency_ms_avg / 60000
            -- Decimal, so that sums over profiles do not depend on the order in which they are added.
        end::decimal(38, 3) as mean_held_tokens,
    from marts.usage_minutely
    where usage_date between $start_date and $end_date and resolution_seconds = 60 and pool_id is not null
),

pool_minutes as (
    select
        coalesce(counted.pool_id, logged.pool_id) as pool_id,
        coalesce(counted.usage_date, logged.usage_date) as usage_date,
        coalesce(counted.minute, logged.minute) as minute,
        bool_or(
            coalesce(counted.invocations, 0) <> coalesce(logged.accepted_calls, 0)
            or coalesce(logged.has_unknown_calls, false)
        ) as is_incomplete,
        bool_or(coalesce(logged.has_substituted_calls, false)) as is_substituted,
        if(bool_or(counted.reserved_tokens is null), null, sum(counted.reserved_tokens)) as reserved_tokens,
        if(bool_or(counted.consumed_tokens is null), null, sum(counted.consumed_tokens)) as consumed_tokens,
        if(bool_or(counted.mean_held_tokens is null), null, sum(counted.mean_held_tokens)) as mean_held_tokens,
    from counted_minutes as counted
    full join logged_minutes as logged
        using (pool_id, account_id, region, usage_date, profile_id, minute)
    group by all
),

-- The minutes at whose beginning calls of an earlier one were still running.
carried_minutes as (
    select distinct
        pool_id,
        usage_date,
        unnest(generate_series(minute + interval 1 minute, last_minute, interval 1 minute)) as minute,
    from (
        select
            pool_id,
            usage_date,
            minute,
            date_trunc('minute', max(ended_at) - interval 1 microsecond) as last_minute,
        from calls
        where is_known
        group by pool_id, usage_date, minute
    )
),

-- At the same moment what ends goes first, then the beginning of a minute is looked at, then calls begin.
moments as (
    select
        pool_id,
        usage_date,
        ended_at as moment,
        0 as place,
        -reserved_tokens as tokens,
        -1 as calls,
    from calls
    where is_known

    union all

    select
        pool_id,
        usage_date,
        minute as moment,
        1 as place,
        0 as tokens,
        0 as calls,
    from carried_minutes

    union all

    select
        pool_id,
        usage_date,
        ts as moment,
        2 as place,
        reserved_tokens as tokens,
        1 as calls,
    from calls
    where is_known
),

running as (
    select
        pool_id,
        usage_date,
        date_trunc('minute', moment) as minute,
        place,
        sum(tokens) over so_far as held_tokens,
        sum(calls) over so_far as calls_in_flight,
    from moments
    window so_far as (partition by pool_id, usage_date order by moment, place rows unbounded preceding)
),

peaks as (
    select
        pool_id,
        usage_date,
        minute,
        max(held_tokens) as held_tokens,
        max(calls_in_flight) as calls_in_flight,
    from running
    where place > 0
    group by pool_id, usage_date, minute
),

longest_calls as (
    select
        pool_id,
        usage_date,
        max(duration) as duration,
    from calls
    where is_known
    group by pool_id, usage_date
),

judged as (
    select
        pool_id,
        usage_date,
        minute,
        coalesce(peaks.held_tokens, 0) as logged_tokens,
        coalesce(peaks.calls_in_flight, 0) as calls_in_flight,
        -- A minute that has neither metric nor logged call of its own had none.
        if(pool_minutes.minute is null, 0, pool_minutes.reserved_tokens) as initial_tokens,
        if(pool_minutes.minute is null, 0, pool_minutes.consumed_tokens) as settled_tokens,
        if(pool_minutes.minute is null, 0, pool_minutes.mean_held_tokens) as mean_tokens,
        coalesce(longest_calls.duration, interval 0 second) as longest,
        max(minute) filter (where pool_minutes.is_incomplete) over so_far as last_incomplete,
        max(minute) filter (where pool_minutes.is_substituted) over so_far as last_substituted,
        minute >= coalesce(last_incomplete + interval 1 minute, usage_date) + longest as is_whole,
        minute >= last_substituted + interval 1 minute + longest as is_by_logs,
        case
            when is_whole then if(coalesce(is_by_logs, true), 'logs', 'mixed')
            when mean_tokens is not null then 'estimated'
        end as source,
    from pool_minutes
    full join peaks using (pool_id, usage_date, minute)
    left join longest_calls using (pool_id, usage_date)
    window so_far as (partition by pool_id, usage_date order by minute)
)

select
    judged.pool_id,
    pools.account_id,
    pools.account_name,
    pools.region,
    judged.usage_date,
    judged.minute as ts,
    case
        when judged.is_whole then judged.logged_tokens
        when judged.source is not null then greatest(judged.logged_tokens, round(judged.mean_tokens))
    end::bigint as held_tokens,
    if(judged.is_whole, judged.calls_in_flight, null)::bigint as calls_in_flight,
    judged.initial_tokens::bigint as initial_reservation_tokens,
    judged.settled_tokens::bigint as settled_tokens,
    judged.source,
from judged
inner join (
    select distinct
        pool_id,
        account_id,
        account_name,
        region,
    from intermediate.int_profiles_rated
    where pool_id is not null
) as pools using (pool_id)
