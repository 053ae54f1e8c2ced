-- One row per UTC month, pool, profile, application, role or user and service tier in the invocation logs.
--
-- `cost_usd` and its parts are exact sums over the calls that have a price, NULL where none has; `unpriced_calls` have
-- none. `latency_ms` is over calls that were answered and whose log says how long they took; so is `tpot_ms`,
-- milliseconds per output token, of which `tpot_whole_call_samples` calls had no time to first token. Percentiles are
-- over the single calls. `assumed_tier_calls` stated no tier and were priced as default;
-- `assumed_cache_write_tokens` stated no lifetime and were priced as kept for five minutes. `consumed_tokens` is NULL
-- when it is unknown for some call.
with summed as (
    select
        date_trunc('month', usage_date)::date as usage_month,
        account_id,
        region,
        profile_id,
        application,
        role_or_user,
        service_tier,
        any_value(pool_id) as pool_id,
        any_value(account_name) as account_name,
        any_value(model_id) as model_id,
        any_value(endpoint_type) as endpoint_type,
        any_value(profile_name) as profile_name,
        any_value(profile_kind) as profile_kind,
        any_value(tags) as tags,
        if(min(principal_type) = max(principal_type), min(principal_type), 'mixed') as principal_type,
        sum(calls)::bigint as calls,
        sum(errors)::bigint as errors,
        sum(throttles)::bigint as throttles,
        sum(input_tokens)::bigint as input_tokens,
        sum(output_tokens)::bigint as output_tokens,
        sum(cache_read_tokens)::bigint as cache_read_tokens,
        sum(cache_write_tokens)::bigint as cache_write_tokens,
        sum(cache_write_5m_tokens)::bigint as cache_write_5m_tokens,
        sum(cache_write_1h_tokens)::bigint as cache_write_1h_tokens,
        sum(output_images)::bigint as output_images,
        if(count(consumed_tokens) < count(*), null, sum(consumed_tokens))::bigint as consumed_tokens,
        sum(cost_usd) as cost_usd,
        sum(input_cost_usd) as input_cost_usd,
        sum(output_cost_usd) as output_cost_usd,
        sum(cache_read_cost_usd) as cache_read_cost_usd,
        sum(cache_write_cost_usd) as cache_write_cost_usd,
        sum(unpriced_calls)::bigint as unpriced_calls,
        sum(assumed_tier_calls)::bigint as assumed_tier_calls,
        sum(assumed_cache_write_tokens)::bigint as assumed_cache_write_tokens,
        sum(latency_ms_sum)::decimal(38, 3) as latency_ms_sum,
        sum(latency_samples)::bigint as latency_samples,
        min(latency_ms_min) as latency_ms_min,
        max(latency_ms_max) as latency_ms_max,
        sum(tpot_ms_sum)::decimal(38, 6) as tpot_ms_sum,
        sum(tpot_samples)::bigint as tpot_samples,
        sum(tpot_whole_call_samples)::bigint as tpot_whole_call_samples,
        min(tpot_ms_min) as tpot_ms_min,
        max(tpot_ms_max) as tpot_ms_max,
    from marts.usage_daily
    where usage_date >= $start_month and usage_date < $end_month + interval 1 month
    group by usage_month, account_id, region, profile_id, application, role_or_user, service_tier
),

-- Percentiles of hours or days cannot be combined, so these are read from the calls.
percentiles as (
    select
        date_trunc('month', usage_date)::date as usage_month,
        account_id,
        region,
        profile_id,
        application,
        role_or_user,
        service_tier,
        quantile_cont(latency_ms, [0.5, 0.9, 0.99]) as latency_ms_percentiles,
        quantile_cont(tpot_ms, [0.5, 0.9, 0.99]) as tpot_ms_percentiles,
    from marts.invocations
    where
        usage_date >= $start_month
        and usage_date < $end_month + interval 1 month
        and error_code is null
        and latency_ms is not null
    group by usage_month, account_id, region, profile_id, application, role_or_user, service_tier
)

select
    usage_month,
    pool_id,
    account_id,
    account_name,
    region,
    model_id,
    endpoint_type,
    profile_id,
    profile_name,
    profile_kind,
    tags,
    application,
    role_or_user,
    principal_type,
    service_tier,
    calls,
    errors,
    throttles,
    input_tokens,
    output_tokens,
    cache_read_tokens,
    cache_write_tokens,
    cache_write_5m_tokens,
    cache_write_1h_tokens,
    output_images,
    consumed_tokens,
    cost_usd,
    input_cost_usd,
    output_cost_usd,
    cache_read_cost_usd,
    cache_write_cost_usd,
    unpriced_calls,
    assumed_tier_calls,
    assumed_cache_write_tokens,
    latency_ms_sum,
    latency_samples,
    latency_ms_sum::double / nullif(latency_samples, 0) as latency_ms_avg,
    latency_ms_min,
    latency_ms_max,
    latency_ms_percentiles[1] as latency_ms_p50,
    latency_ms_percentiles[2] as latency_ms_p90,
    latency_ms_percentiles[3] as latency_ms_p99,
    tpot_ms_sum,
    tpot_samples,
    tpot_whole_call_samples,
    tpot_ms_sum::double / nullif(tpot_samples, 0) as tpot_ms_avg,
    tpot_ms_min,
    tpot_ms_max,
    tpot_ms_percentiles[1] as tpot_ms_p50,
    tpot_ms_percentiles[2] as tpot_ms_p90,
    tpot_ms_percentiles[3] as tpot_ms_p99,
from summed
left join percentiles
    using (usage_month, account_id, region, profile_id, application, role_or_user, service_tier)
