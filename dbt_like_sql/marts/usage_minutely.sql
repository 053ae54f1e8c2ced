-- One row per pool, profile and period start in which the profile was called: its calls, tokens and latency.
--
-- A period is one minute where CloudWatch still had minutes when it was read, else 300 or 3600 seconds
-- (`resolution_seconds`). A ModelId that belongs to no pool stays in, with `pool_id` NULL. A minute in which every call
-- was throttled has a row with 0 invocations. `consumed_tokens` is what the quota was charged in the end: input + cache
-- write + output x burndown rate of the day, rounded once; NULL when the rate is unknown.
-- `initial_reservation_tokens` is what the period's requests held at their start, all added up: input + cache write +
-- max_tokens. Each request's max_tokens is from the invocation logs where these hold every call that CloudWatch counted
-- in the period and say it for any, else from the metric that callers publish, whichever says it for more calls; the
-- model's maximum stands for each of the others. `initial_reservation_source` says which: logs, metric, model_default,
-- mixed (one of the first two and the model's maximum) or unknown (NULL, because the maximum is not known); NULL when no
-- call was accepted.
-- `reserved_tokens` is the most that the profile's own calls in flight held at once in the period, from the logs
-- (intermediate.int_calls_in_flight), calls that began earlier included. NULL without logs, and where calls are missing
-- now or so shortly before that they may still have run. A minute in which calls only run on has no row here; the pool's
-- is in marts.reservations_minutely. The pool's peak is not the sum over its profiles. Cache reads are in none of these.
-- Averages are weighted by calls: `latency_ms_sum` / `latency_samples`.
with in_flight as (
    select
        in_flight.usage_date,
        in_flight.account_id,
        in_flight.region,
        in_flight.profile_id,
        time_bucket(to_seconds(lengths.resolution_seconds), in_flight.ts) as ts,
        lengths.resolution_seconds,
        max(in_flight.reserved_tokens) as reserved_tokens,
        bool_or(in_flight.has_unknown_calls) as has_unknown_calls,
        max(in_flight.longest_call) as longest_call,
    from intermediate.int_calls_in_flight as in_flight
    cross join (values (60), (300), (3600)) as lengths (resolution_seconds)
    where in_flight.usage_date between $start_date and $end_date and in_flight.profile_id <> 'ALL'
    group by all
),

periods as (
    select
        cloudwatch.*,
        coalesce(published.max_tokens_samples, 0) as published_requests,
        coalesce(published.max_tokens_sum, 0) as published_max_tokens,
        if(logged.accepted_calls = cloudwatch.invocations, logged.limited_calls, 0) as logged_requests,
        logged_requests > published_requests
        or (logged_requests > 0 and logged_requests = cloudwatch.invocations) as is_by_logs,
        if(is_by_logs, logged_requests, published_requests) as limited_requests,
        if(is_by_logs, logged.max_tokens, published_max_tokens) as max_tokens,
        greatest(cloudwatch.invocations - limited_requests, 0) as unlimited_requests,
        coalesce(in_flight.reserved_tokens, 0) as logged_tokens,
        max(in_flight.longest_call) over (
            partition by cloudwatch.usage_date, cloudwatch.account_id, cloudwatch.region, cloudwatch.profile_id
        ) as longest_call,
        coalesce(logged.accepted_calls, 0) = cloudwatch.invocations
        and not coalesce(in_flight.has_unknown_calls, false) as is_wholly_logged,
    from staging.stg_cloudwatch_periods as cloudwatch
    left join staging.stg_max_tokens as published
        using (usage_date, account_id, region, profile_id, ts, resolution_seconds)
    left join intermediate.int_logged_periods as logged
        using (usage_date, account_id, region, profile_id, ts, resolution_seconds)
    left join in_flight
        using (usage_date, account_id, region, profile_id, ts, resolution_seconds)
    where
        cloudwatch.usage_date between $start_date and $end_date
        and (
            cloudwatch.invocations > 0
            or cloudwatch.throttles > 0
            or cloudwatch.client_errors > 0
            or cloudwatch.server_errors > 0
            or cloudwatch.input_tokens > 0
            or cloudwatch.output_tokens > 0
            or cloudwatch.cache_read_tokens > 0
            or cloudwatch.cache_write_tokens > 0
        )
),

-- The end of the newest period, up to each, in which calls are missing or not known.
with_missing_calls as (
    select
        *,
        max(ts + to_seconds(resolution_seconds)) filter (where not is_wholly_logged) over (
            partition by usage_date, account_id, region, profile_id
            order by ts
        ) as missing_until,
    from periods
)

select
    profiles.pool_id,
    periods.account_id,
    profiles.account_name,
    periods.region,
    periods.usage_date,
    periods.ts,
    periods.resolution_seconds,
    periods.profile_id,
    profiles.profile_name,
    profiles.profile_kind,
    profiles.tags,
    periods.invocations,
    periods.throttles,
    periods.client_errors,
    periods.server_errors,
    periods.input_tokens,
    periods.output_tokens,
    periods.cache_read_tokens,
    periods.cache_write_tokens,
    round(
        periods.input_tokens
        + periods.cache_write_tokens
        + if(periods.output_tokens = 0, 0, periods.output_tokens * profiles.rate)
    )::bigint as consumed_tokens,
    periods.aws_estimated_tokens,
    periods.input_tokens
    + periods.cache_write_tokens
    + periods.max_tokens
    + if(periods.unlimited_requests = 0, 0, periods.unlimited_requests * profiles.max_output_tokens)
        as initial_reservation_tokens,
    case
        when periods.unlimited_requests = 0 and periods.limited_requests = 0 then null
        when periods.unlimited_requests = 0 then if(periods.is_by_logs, 'logs', 'metric')
        when profiles.max_output_tokens is null then 'unknown'
        when periods.limited_requests = 0 then 'model_default'
        else 'mixed'
    end as initial_reservation_source,
    case
        when profiles.pool_id is null then null
        when
            periods.missing_until is null
            and periods.ts >= periods.usage_date + coalesce(periods.longest_call, interval 0 second)
            then periods.logged_tokens
        when periods.ts >= periods.missing_until + periods.longest_call then periods.logged_tokens
    end::bigint as reserved_tokens,
    periods.latency_ms_sum::double / nullif(periods.latency_samples, 0) as latency_ms_avg,
    periods.ttft_ms_sum::double / nullif(periods.ttft_samples, 0) as ttft_ms_avg,
    periods.latency_ms_sum,
    periods.latency_samples,
    periods.ttft_ms_sum,
    periods.ttft_samples,
from with_missing_calls as periods
inner join intermediate.int_profiles_rated as profiles
    on
        periods.account_id = profiles.account_id
        and periods.region = profiles.region
        and periods.profile_id = profiles.profile_id
        and periods.usage_date >= profiles.valid_from
        and (profiles.valid_to is null or periods.usage_date <= profiles.valid_to)
