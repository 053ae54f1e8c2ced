-- One row per pool and throttled minute (or coarser period): the quota that was most likely the cause, who used it, and
-- who was turned away.
--
-- CloudWatch does not say which quota throttled, so `cause` is a conclusion, the first that fits: rpm where requests and
-- throttles reach the requests per minute; tpm where consumed tokens reach 95 % of the tokens per minute, alone or on
-- average with the minute before; tpd where the day's tokens reach the tokens per day; reservation where consumed tokens
-- and what calls in flight held reach the tokens per minute; else not_explained: AWS's side, or a burst too short to be
-- seen. `is_certain` says that by what is known nothing else could have been, looking at the minute before as well, and
-- at a call twice as large as the day's largest logged one, because what was turned away may have been larger than all
-- that was let in; what calls held counts in it only where the logs say all of it (`reserved_source` = logs). Across
-- midnight nothing is known of the minute before, so little is certain.
-- A row coarser than a minute compares means, is never certain, and has no `is_retry_storm`.
-- `is_retry_storm`: more than 20 % of the attempts were throttled for three minutes in a row or more, within the day.
--
-- `top_consumers` has the ten that took most: by caller where the logs hold every call of the profile, else by profile.
-- They are in the order of what the cause is about: `invocations` for rpm, `initial_reservation_tokens` (of the calls that
-- began in the minute) for reservation, else `tokens`. `share` is of the pool's consumed tokens. `victims` has
-- the ten with most throttles: by caller where the logs hold every throttled call of the profile, which they need not,
-- else by profile. Who was turned away is not who filled the quota.
with usage_rows as (
    select
        *,
        resolution_seconds = 60 as is_minute,
        lag(ts) over earlier as ts_before,
        -- A minute without a row had no use. Before the first of the day nothing is known.
        case
            when not is_minute or ts = usage_date then null
            when ts_before is null or ts_before + to_seconds(lag(resolution_seconds) over earlier) < ts then 0
            when lag(resolution_seconds) over earlier = 60 then 1
        end as rows_before,
        if(rows_before = 0, 0, lag(invocations) over earlier * rows_before) as invocations_before,
        if(rows_before = 0, 0, lag(throttles) over earlier * rows_before) as throttles_before,
        if(rows_before = 0, 0, lag(consumed_tokens) over earlier * rows_before) as consumed_tokens_before,
    from marts.quota_usage_minutely
    where usage_date between $start_date and $end_date
    window earlier as (partition by pool_id, usage_date order by ts)
),

bad_minutes as (
    select
        pool_id,
        usage_date,
        ts,
        ts - to_minutes(row_number() over (partition by pool_id, usage_date order by ts)) as run,
    from usage_rows
    where is_minute and throttles * 5 > invocations + throttles
),

storm_minutes as (
    select
        pool_id,
        ts,
    from bad_minutes
    qualify count(*) over (partition by pool_id, usage_date, run) >= 3
),

largest_calls as (
    select
        pool_id,
        usage_date,
        max(consumed_tokens) as largest_call_tokens,
        max(reserved_tokens) as largest_reservation_tokens,
    from marts.invocations
    semi join (from usage_rows where throttles > 0) as throttled using (pool_id, usage_date)
    where usage_date between $start_date and $end_date and is_accepted
    group by pool_id, usage_date
),

-- Every value as a rate per minute, which is the value itself for a minute.
rates as (
    select
        pool_id,
        ts,
        is_minute,
        rpm_limit,
        tpm_limit,
        tpd_limit,
        invocations * 60 // resolution_seconds as invocations,
        throttles * 60 // resolution_seconds as throttles,
        consumed_tokens * 60 // resolution_seconds as consumed_tokens,
        reserved_tokens,
        if(reserved_source = 'logs', reserved_tokens, null) as certain_reserved_tokens,
        day_tokens_running,
        invocations_before,
        throttles_before,
        consumed_tokens_before,
        consumed_tokens + consumed_tokens_before as two_minutes_tokens,
        largest_call_tokens,
        largest_reservation_tokens,
    from usage_rows
    left join largest_calls using (pool_id, usage_date)
    where usage_rows.throttles > 0
),

-- The same rules as in usage_pipeline/planning/throttle_causes.py.
causes as (
    select
        pool_id,
        ts,
        case
            when invocations + throttles >= rpm_limit then 'rpm'
            when consumed_tokens * 20 >= tpm_limit * 19 or two_minutes_tokens * 10 >= tpm_limit * 19 then 'tpm'
            when day_tokens_running >= tpd_limit then 'tpd'
            when consumed_tokens + reserved_tokens >= tpm_limit then 'reservation'
            else 'not_explained'
        end as cause,
        rpm_limit is not null
        and coalesce(invocations + throttles + invocations_before + throttles_before >= rpm_limit, true) as rpm_may_be,
        tpm_limit is not null
        and coalesce(
            two_minutes_tokens * 2 >= tpm_limit or two_minutes_tokens + 2 * largest_call_tokens >= tpm_limit, true
        ) as tpm_may_be,
        tpd_limit is not null
        and coalesce(day_tokens_running * 20 >= tpd_limit * 19, true) as tpd_may_be,
        tpm_limit is not null
        and coalesce(
            (two_minutes_tokens + certain_reserved_tokens) * 2 >= tpm_limit
            or two_minutes_tokens + certain_reserved_tokens + 2 * largest_reservation_tokens >= tpm_limit,
            true
        ) as reservation_may_be,
        is_minute and case cause
            when 'rpm' then not (tpm_may_be or tpd_may_be or reservation_may_be)
            when 'tpm' then not (rpm_may_be or tpd_may_be or reservation_may_be)
            when 'tpd' then not (rpm_may_be or tpm_may_be or reservation_may_be)
            when 'reservation' then certain_reserved_tokens is not null and not (rpm_may_be or tpm_may_be or tpd_may_be)
            else false
        end as is_certain,
    from rates
),

event_minutes as (
    select
        events.pool_id,
        events.ts,
        causes.cause,
        events.consumed_tokens,
        events.ts + to_minutes(unnest(range(events.resolution_seconds // 60))) as minute,
    from usage_rows as events
    inner join causes using (pool_id, ts)
),

profile_uses as (
    select
        event_minutes.pool_id,
        event_minutes.ts,
        any_value(event_minutes.cause) as cause,
        any_value(event_minutes.consumed_tokens) as pool_tokens,
        profile_rows.profile_id,
        any_value(profile_rows.profile_name) as profile_name,
        sum(profile_rows.invocations) as invocations,
        sum(profile_rows.throttles) as throttles,
        if(bool_or(profile_rows.consumed_tokens is null), null, sum(profile_rows.consumed_tokens)) as tokens,
        if(
            bool_or(profile_rows.initial_reservation_tokens is null), null, sum(profile_rows.initial_reservation_tokens)
        ) as initial_reservation_tokens,
    from event_minutes
    inner join marts.usage_minutely as profile_rows
        on
            event_minutes.pool_id = profile_rows.pool_id
            and event_minutes.minute = profile_rows.ts
            and profile_rows.usage_date between $start_date and $end_date
    group by event_minutes.pool_id, event_minutes.ts, profile_rows.profile_id
),

caller_uses as (
    select
        event_minutes.pool_id,
        event_minutes.ts,
        calls.profile_id,
        calls.application,
        calls.role_or_user,
        count(*) as invocations,
        sum(calls.consumed_tokens) as tokens,
        if(bool_or(calls.reserved_tokens is null), null, sum(calls.reserved_tokens)) as initial_reservation_tokens,
        count(calls.consumed_tokens) as known_calls,
    from event_minutes
    inner join marts.invocations as calls
        on
            event_minutes.pool_id = calls.pool_id
            and event_minutes.minute = date_trunc('minute', calls.ts)
            and calls.usage_date between $start_date and $end_date
    where calls.is_accepted
    group by event_minutes.pool_id, event_minutes.ts, calls.profile_id, calls.application, calls.role_or_user
),

-- Profiles of which the logs hold every call, with its counts.
logged_profiles as (
    select
        pool_id,
        ts,
        caller_uses.profile_id,
    from caller_uses
    inner join profile_uses using (pool_id, ts, profile_id)
    group by pool_id, ts, caller_uses.profile_id
    having
        sum(caller_uses.invocations) = any_value(profile_uses.invocations)
        and sum(caller_uses.known_calls) = any_value(profile_uses.invocations)
),

consumers as (
    select
        profile_uses.pool_id,
        profile_uses.ts,
        profile_uses.cause,
        profile_uses.pool_tokens,
        profile_uses.profile_id,
        profile_uses.profile_name,
        caller_uses.application,
        caller_uses.role_or_user,
        if(caller_uses.pool_id is null, profile_uses.invocations, caller_uses.invocations)::bigint as invocations,
        if(caller_uses.pool_id is null, profile_uses.tokens, caller_uses.tokens)::bigint as tokens,
        if(
            caller_uses.pool_id is null,
            profile_uses.initial_reservation_tokens,
            caller_uses.initial_reservation_tokens
        )::bigint as initial_reservation_tokens,
    from profile_uses
    left join (from caller_uses semi join logged_profiles using (pool_id, ts, profile_id)) as caller_uses
        using (pool_id, ts, profile_id)
    where profile_uses.invocations > 0
),

-- Only ten of each go into lists, which are held in memory.
largest_consumers as (
    select
        *,
        tokens / nullif(pool_tokens, 0)::double as share,
        row_number() over (
            partition by pool_id, ts
            order by
                case cause
                    when 'rpm' then invocations
                    when 'reservation' then initial_reservation_tokens
                    else tokens
                end desc nulls last,
                profile_id,
                application,
                role_or_user
        ) as place,
    from consumers
    qualify place <= 10
),

top_consumers as (
    select
        pool_id,
        ts,
        list(
            struct_pack(
                profile_id := profile_id,
                profile_name := profile_name,
                application := application,
                role_or_user := role_or_user,
                invocations := invocations,
                tokens := tokens,
                initial_reservation_tokens := initial_reservation_tokens,
                share := share
            )
            order by place
        ) as top_consumers,
    from largest_consumers
    group by pool_id, ts
),

caller_throttles as (
    select
        event_minutes.pool_id,
        event_minutes.ts,
        calls.profile_id,
        calls.application,
        calls.role_or_user,
        count(*) as throttles,
        sum(count(*)) over (partition by event_minutes.pool_id, event_minutes.ts, calls.profile_id) as logged_throttles,
    from event_minutes
    inner join marts.invocations as calls
        on
            event_minutes.pool_id = calls.pool_id
            and event_minutes.minute = date_trunc('minute', calls.ts)
            and calls.usage_date between $start_date and $end_date
    where calls.error_code = 'ThrottlingException'
    group by event_minutes.pool_id, event_minutes.ts, calls.profile_id, calls.application, calls.role_or_user
),

turned_away as (
    select
        profile_uses.pool_id,
        profile_uses.ts,
        profile_uses.profile_id,
        profile_uses.profile_name,
        caller_throttles.application,
        caller_throttles.role_or_user,
        coalesce(caller_throttles.throttles, profile_uses.throttles)::bigint as throttles,
        sum(coalesce(caller_throttles.throttles, profile_uses.throttles)) over pool_minute::double as total,
    from profile_uses
    left join caller_throttles
        on
            profile_uses.pool_id = caller_throttles.pool_id
            and profile_uses.ts = caller_throttles.ts
            and profile_uses.profile_id = caller_throttles.profile_id
            and profile_uses.throttles = caller_throttles.logged_throttles
    where profile_uses.throttles > 0
    window pool_minute as (partition by profile_uses.pool_id, profile_uses.ts)
),

victims as (
    select
        pool_id,
        ts,
        list(
            struct_pack(
                profile_id := profile_id,
                profile_name := profile_name,
                application := application,
                role_or_user := role_or_user,
                throttles := throttles,
                share := throttles / total
            )
            order by throttles desc, profile_id, application, role_or_user
        )[1:10] as victims,
    from turned_away
    group by pool_id, ts
)

select
    events.pool_id,
    events.account_id,
    events.account_name,
    events.region,
    events.usage_date,
    events.ts,
    events.resolution_seconds,
    events.throttles,
    events.invocations,
    causes.cause,
    causes.is_certain,
    if(events.is_minute, storm_minutes.ts is not null, null) as is_retry_storm,
    events.consumed_tokens,
    events.initial_reservation_tokens,
    events.reserved_tokens,
    events.reserved_source,
    events.day_tokens_running,
    events.tpm_limit,
    events.rpm_limit,
    events.tpd_limit,
    coalesce(top_consumers.top_consumers, []) as top_consumers,
    coalesce(victims.victims, []) as victims,
from usage_rows as events
inner join causes using (pool_id, ts)
left join storm_minutes using (pool_id, ts)
left join top_consumers using (pool_id, ts)
left join victims using (pool_id, ts)
