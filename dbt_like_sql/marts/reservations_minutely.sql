-- One row per pool and minute with use, or with calls still running: how many tokens its calls held at once.
--
-- `reserved_tokens` is the most that the accepted calls in flight held together at any moment of the minute, those that
-- began earlier included: each holds its `reserved_tokens` of marts.invocations from its start until its latency has passed.
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
with logged_minutes as (
    select
        pool_id,
        account_id,
        region,
        usage_date,
        profile_id,
        ts as minute,
        began_calls,
        has_unknown_calls,
        has_substituted_calls,
    from intermediate.int_calls_in_flight
    where usage_date between $start_date and $end_date and profile_id <> 'ALL' and began_calls > 0
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
        initial_reservation_tokens,
        case
            when invocations = 0 then 0
            when initial_reservation_source not in ('model_default', 'unknown')
                then initial_reservation_tokens * latency_ms_avg / 60000
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
            coalesce(counted.invocations, 0) <> coalesce(logged.began_calls, 0)
            or coalesce(logged.has_unknown_calls, false)
        ) as is_incomplete,
        bool_or(coalesce(logged.has_substituted_calls, false)) as is_substituted,
        if(
            bool_or(counted.initial_reservation_tokens is null), null, sum(counted.initial_reservation_tokens)
        ) as initial_tokens,
        if(bool_or(counted.consumed_tokens is null), null, sum(counted.consumed_tokens)) as consumed_tokens,
        if(bool_or(counted.mean_held_tokens is null), null, sum(counted.mean_held_tokens)) as mean_held_tokens,
    from counted_minutes as counted
    full join logged_minutes as logged
        using (pool_id, account_id, region, usage_date, profile_id, minute)
    group by all
),

in_flight as (
    select
        pool_id,
        usage_date,
        ts as minute,
        reserved_tokens,
        calls_in_flight,
        longest_call,
    from intermediate.int_calls_in_flight
    where usage_date between $start_date and $end_date and profile_id = 'ALL'
),

judged as (
    select
        pool_id,
        usage_date,
        minute,
        coalesce(in_flight.reserved_tokens, 0) as logged_tokens,
        coalesce(in_flight.calls_in_flight, 0) as calls_in_flight,
        -- A minute that has neither metric nor logged call of its own had none.
        if(pool_minutes.minute is null, 0, pool_minutes.initial_tokens) as initial_tokens,
        if(pool_minutes.minute is null, 0, pool_minutes.consumed_tokens) as settled_tokens,
        if(pool_minutes.minute is null, 0, pool_minutes.mean_held_tokens) as mean_tokens,
        max(in_flight.longest_call) over (partition by pool_id, usage_date) as longest,
        max(minute) filter (where pool_minutes.is_incomplete) over so_far as last_incomplete,
        max(minute) filter (where pool_minutes.is_substituted) over so_far as last_substituted,
        -- Where calls are missing and none is known, nobody knows how long they run.
        if(
            last_incomplete is null,
            minute >= usage_date + coalesce(longest, interval 0 second),
            coalesce(minute >= last_incomplete + interval 1 minute + longest, false)
        ) as is_whole,
        minute >= last_substituted + interval 1 minute + longest as is_by_logs,
        case
            when is_whole then if(coalesce(is_by_logs, true), 'logs', 'mixed')
            when mean_tokens is not null then 'estimated'
        end as source,
    from pool_minutes
    full join in_flight using (pool_id, usage_date, minute)
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
    end::bigint as reserved_tokens,
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
