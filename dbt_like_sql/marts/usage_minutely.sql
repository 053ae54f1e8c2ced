-- One row per pool, profile and period start in which the profile was called: its calls, tokens and latency.
--
-- A period is one minute where CloudWatch still had minutes when it was read, else 300 or 3600 seconds
-- (`resolution_seconds`). A ModelId that belongs to no pool stays in, with `pool_id` NULL. A minute in which every call
-- was throttled has a row with 0 invocations. `consumed_tokens` is what the quota was charged in the end: input + cache
-- write + output x burndown rate of the day, rounded once; NULL when the rate is unknown. `reserved_tokens` is what
-- the period's requests held at their start: input + cache write + max_tokens. Each request's max_tokens is from the
-- invocation logs where these hold every call that CloudWatch counted in the period and say it for any, else from the
-- metric that callers publish, whichever says it for more calls; the model's maximum stands for each of the others.
-- `reserved_source` says which: logs, metric, model_default, mixed (one of the first two and the model's maximum) or
-- unknown (NULL, because the maximum is not known); NULL when no call was accepted. Cache reads are in neither.
-- Averages are weighted by calls: `latency_ms_sum` / `latency_samples`.
with periods as (
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
    from staging.stg_cloudwatch_periods as cloudwatch
    left join staging.stg_max_tokens as published
        using (usage_date, account_id, region, profile_id, ts, resolution_seconds)
    left join intermediate.int_logged_periods as logged
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
        as reserved_tokens,
    case
        when periods.unlimited_requests = 0 and periods.limited_requests = 0 then null
        when periods.unlimited_requests = 0 then if(periods.is_by_logs, 'logs', 'metric')
        when profiles.max_output_tokens is null then 'unknown'
        when periods.limited_requests = 0 then 'model_default'
        else 'mixed'
    end as reserved_source,
    periods.latency_ms_sum::double / nullif(periods.latency_samples, 0) as latency_ms_avg,
    periods.ttft_ms_sum::double / nullif(periods.ttft_samples, 0) as ttft_ms_avg,
    periods.latency_ms_sum,
    periods.latency_samples,
    periods.ttft_ms_sum,
    periods.ttft_samples,
from periods
inner join intermediate.int_profiles_rated as profiles
    on
        periods.account_id = profiles.account_id
        and periods.region = profiles.region
        and periods.profile_id = profiles.profile_id
        and periods.usage_date >= profiles.valid_from
        and (profiles.valid_to is null or periods.usage_date <= profiles.valid_to)
