-- One row per pool, profile and UTC minute in which logged calls of the profile began or ran on, and one with the
-- profile ALL for the calls of the whole pool: the most tokens that they held at once.
--
-- `reserved_tokens` is the largest sum over calls in flight at any moment of the minute, those that began earlier
-- included: each accepted call holds its `reserved_tokens` of marts.invocations from its start until its latency has
-- passed, or CloudWatch's average of the ModelId and minute where the log has none. `calls_in_flight` is the most at
-- once. `began_calls` counts the accepted calls that began in the minute; `has_unknown_calls` says that some of these
-- have no reservation or no latency and are in no sum, `has_substituted_calls` that the model's maximum or CloudWatch's
-- latency stood in. `longest_call` is the duration of the longest known call of the profile's UTC day.
-- Log times are whole seconds, so calls of the same second count as overlapping. A call counts until the midnight (UTC)
-- after its start, because days are computed one by one.
with calls as (
    select
        calls.pool_id,
        calls.account_id,
        calls.region,
        calls.usage_date,
        calls.profile_id,
        calls.ts,
        calls.reserved_tokens,
        coalesce(
            calls.latency_ms,
            periods.latency_ms_sum::double / nullif(periods.latency_samples, 0)
        ) as duration_ms,
        calls.reserved_tokens is not null and duration_ms is not null as is_known,
        calls.latency_ms is null or calls.reserved_source <> 'logs' as is_substituted,
        to_microseconds(ceil(greatest(least(duration_ms, 86400000), 1) * 1000)::bigint) as duration,
        least(calls.ts + duration, calls.usage_date + interval 1 day) as ended_at,
    from marts.invocations as calls
    left join staging.stg_cloudwatch_periods as periods
        on
            calls.usage_date = periods.usage_date
            and calls.account_id = periods.account_id
            and calls.region = periods.region
            and calls.profile_id = periods.profile_id
            and date_trunc('minute', calls.ts) = periods.ts
            and periods.resolution_seconds = 60
            and periods.usage_date between $start_date and $end_date
    where calls.usage_date between $start_date and $end_date and calls.is_accepted and calls.pool_id is not null
),

-- Sums are over numbered subjects, a profile's or a pool's day each: sorting by a number is several times faster than by
-- names. What the only profile of a pool's day held is what the pool held, and is not summed twice.
profile_days as (
    select
        pool_id,
        account_id,
        region,
        usage_date,
        profile_id,
        count(*) over (partition by pool_id, usage_date) as profiles,
    from calls
    group by pool_id, account_id, region, usage_date, profile_id
),

subjects as (
    select
        *,
        row_number() over () as subject,
    from (
        select
            pool_id,
            account_id,
            region,
            usage_date,
            'ALL' as profile_id,
            if(profiles = 1, any_value(profile_id), null) as only_profile_id,
        from profile_days
        group by pool_id, account_id, region, usage_date, profiles

        union all

        select
            pool_id,
            account_id,
            region,
            usage_date,
            profile_id,
            null as only_profile_id,
        from profile_days
        where profiles > 1
    )
),

subject_calls as (
    select
        subjects.subject,
        calls.ts,
        calls.ended_at,
        calls.reserved_tokens,
        calls.duration,
        calls.is_known,
        calls.is_substituted,
    from calls
    inner join subjects
        on
            calls.pool_id = subjects.pool_id
            and calls.usage_date = subjects.usage_date
            and subjects.profile_id = 'ALL'

    union all

    select
        subjects.subject,
        calls.ts,
        calls.ended_at,
        calls.reserved_tokens,
        calls.duration,
        calls.is_known,
        calls.is_substituted,
    from calls
    inner join subjects using (pool_id, usage_date, profile_id)
),

began as (
    select
        subject,
        date_trunc('minute', ts) as minute,
        count(*) as began_calls,
        bool_or(not is_known) as has_unknown_calls,
        bool_or(is_substituted) as has_substituted_calls,
        max(duration) filter (where is_known) as longest_call,
        date_trunc('minute', max(ended_at) filter (where is_known) - interval 1 microsecond) as last_minute,
    from subject_calls
    group by subject, minute
),

-- The minutes at whose beginning calls of an earlier one were still running.
carried_minutes as (
    select distinct
        subject,
        unnest(generate_series(minute + interval 1 minute, last_minute, interval 1 minute)) as minute,
    from began
    where last_minute > minute
),

-- At the same moment what ends goes first (0), then the beginning of a minute is looked at (1), then calls begin (2).
moments as (
    select
        subject,
        epoch_us(ended_at) * 4 as place,
        -reserved_tokens as tokens,
        -1 as calls,
    from subject_calls
    where is_known

    union all

    select
        subject,
        epoch_us(minute) * 4 + 1 as place,
        0 as tokens,
        0 as calls,
    from carried_minutes

    union all

    select
        subject,
        epoch_us(ts) * 4 + 2 as place,
        reserved_tokens as tokens,
        1 as calls,
    from subject_calls
    where is_known
),

running as (
    select
        subject,
        place,
        sum(tokens) over so_far as reserved_tokens,
        sum(calls) over so_far as calls_in_flight,
    from moments
    window so_far as (partition by subject order by place rows unbounded preceding)
),

peaks as (
    select
        subject,
        make_timestamp(place // 240000000 * 60000000) as minute,
        max(reserved_tokens) as reserved_tokens,
        max(calls_in_flight) as calls_in_flight,
    from running
    where place % 4 > 0
    group by subject, minute
),

longest_calls as (
    select
        subject,
        max(longest_call) as longest_call,
    from began
    group by subject
),

subject_minutes as (
    select
        subject,
        minute,
        coalesce(peaks.reserved_tokens, 0) as reserved_tokens,
        coalesce(peaks.calls_in_flight, 0) as calls_in_flight,
        coalesce(began.began_calls, 0) as began_calls,
        coalesce(began.has_unknown_calls, false) as has_unknown_calls,
        coalesce(began.has_substituted_calls, false) as has_substituted_calls,
    from began
    full join peaks using (subject, minute)
)

select
    subjects.pool_id,
    subjects.account_id,
    subjects.region,
    subjects.usage_date,
    unnest(
        if(subjects.only_profile_id is null, [subjects.profile_id], ['ALL', subjects.only_profile_id])
    ) as profile_id,
    subject_minutes.minute as ts,
    subject_minutes.reserved_tokens::bigint as reserved_tokens,
    subject_minutes.calls_in_flight::bigint as calls_in_flight,
    subject_minutes.began_calls::bigint as began_calls,
    subject_minutes.has_unknown_calls,
    subject_minutes.has_substituted_calls,
    longest_calls.longest_call,
from subject_minutes
inner join subjects using (subject)
inner join longest_calls using (subject)
