-- One row per pool, profile and period start in which the profile was called: its calls, tokens and latency.
--
-- A period is one minute where CloudWatch still had minutes when it was read, else 300 or 3600 seconds
-- (`resolution_seconds`). A ModelId that belongs to no pool stays in, with `pool_id` NULL. A minute in which every call
-- was throttled has a row with 0 invocations. `consumed_tokens` is what the quota was charged in the end: input + cache
-- write + output x burndown rate of the day, rounded once; NULL when the rate is unknown. `reserved_tokens` is what
-- the period's requests held at their start: input + cache write + max_tokens, where max_tokens is what callers
-- published plus the model's maximum for each request that published nothing; NULL when that maximum is unknown.
-- `reserved_source` says which: metric, model_default, mixed or unknown; NULL when no call was accepted or published.
-- Cache reads are in neither. Averages are weighted by calls: `latency_ms_sum` / `latency_samples`.
with periods as (
    select
        *,
        greatest(periods.invocations - coalesce(max_tokens.max_tokens_samples, 0), 0) as unpublished_requests,
        coalesce(max_tokens.max_tokens_sum, 0) as max_tokens_published,
        coalesce(max_tokens.max_tokens_samples, 0) as published_requests,
    from staging.stg_cloudwatch_periods as periods
    left join staging.stg_max_tokens as max_tokens
        using (usage_date, account_id, region, profile_id, ts, resolution_seconds)
    where
        periods.usage_date between $start_date and $end_date
        and (
            periods.invocations > 0
            or periods.throttles > 0
            or periods.client_errors > 0
            or periods.server_errors > 0
            or periods.input_tokens > 0
            or periods.output_tokens > 0
            or periods.cache_read_tokens > 0
            or periods.cache_write_tokens > 0
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
    + periods.max_tokens_published
    + if(periods.unpublished_requests = 0, 0, periods.unpublished_requests * profiles.max_output_tokens)
        as reserved_tokens,
    case
        when periods.unpublished_requests = 0 and periods.published_requests = 0 then null
        when periods.unpublished_requests = 0 then 'metric'
        when profiles.max_output_tokens is null then 'unknown'
        when periods.published_requests = 0 then 'model_default'
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
