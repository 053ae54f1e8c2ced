-- One row per request in the model invocation logs: who called what, how many tokens, how long it took, what it cost.
--
-- `cost_usd` is exact: tokens of each kind times the price that held at `ts`, added up without rounding; images count
-- as output. It is 0 for a request that failed and NULL where it is unknown, and so are its parts, which always add up to
-- it; `cost_status` says why: priced, error, no_counts (the log has no count to price), no_pool (its ModelId belongs to
-- no model) or no_price (a kind of which it has tokens has none). `service_tier_source` and `cache_write_split` say
-- `assumed` where the log did not say and default or five minutes was taken.
-- `consumed_tokens` are input + cache write + output x burndown rate of the day, NULL when the rate or a count is
-- unknown. `reserved_tokens` are input + cache write + max_tokens, or the model's maximum where the log has no
-- max_tokens (`reserved_source`: logs or model_default, unknown without either); NULL for a request that failed.
-- `tpot_ms` is milliseconds per output token: (latency - time to first token) / (output - 1) where all are known
-- (`tpot_basis` = after_first_token), else latency / output (`whole_call`); NULL for a request that failed.
with resolved as (
    select
        calls.request_id,
        calls.ts,
        calls.usage_date,
        calls.account_id,
        coalesce(profiles.account_name, calls.account_id) as account_name,
        calls.region,
        calls.operation,
        profiles.pool_id,
        profiles.model_id,
        profiles.endpoint_type,
        calls.logged_model_id,
        calls.profile_id,
        coalesce(profiles.profile_name, calls.profile_id) as profile_name,
        profiles.profile_kind,
        calls.inference_region,
        nullif(calls.principal_arn, '') as principal_arn,
        callers.principal_type,
        callers.role_or_user,
        callers.session_name,
        coalesce(applications.application, '(unattributed)') as application,
        calls.request_metadata,
        profiles.tags,
        calls.service_tier,
        calls.service_tier_source,
        calls.error_code,
        calls.is_accepted,
        calls.input_tokens,
        calls.output_tokens,
        calls.cache_read_tokens,
        calls.cache_write_tokens,
        calls.cache_write_5m_tokens,
        calls.cache_write_1h_tokens,
        calls.cache_write_split,
        calls.output_images,
        calls.max_tokens,
        calls.stop_reason,
        calls.latency_ms,
        calls.ttft_ms,
        profiles.rate,
        profiles.max_output_tokens,
        coalesce(calls.input_tokens, 0) as known_input_tokens,
        coalesce(calls.output_tokens, 0) as known_output_tokens,
        coalesce(calls.cache_write_tokens, 0) as known_cache_write_tokens,
        known_input_tokens + coalesce(calls.cache_read_tokens, 0) + known_cache_write_tokens as context_tokens,
    from intermediate.int_calls as calls
    left join intermediate.int_profiles_rated as profiles
        on
            calls.account_id = profiles.account_id
            and calls.region = profiles.region
            and calls.profile_id = profiles.profile_id
            and calls.usage_date >= profiles.valid_from
            and calls.usage_date <= coalesce(profiles.valid_to, 'infinity'::date)
    left join intermediate.int_callers as callers
        on
            calls.usage_date = callers.usage_date
            and calls.principal_arn = callers.principal_arn
            and callers.usage_date between $start_date and $end_date
    left join intermediate.int_applications as applications
        on
            calls.usage_date = applications.usage_date
            and calls.account_id = applications.account_id
            and calls.region = applications.region
            and calls.profile_id = applications.profile_id
            and calls.principal_arn = applications.principal_arn
            and calls.metadata_values = applications.metadata_values
            and applications.usage_date between $start_date and $end_date
    where calls.usage_date between $start_date and $end_date
),

with_parts as (
    select
        resolved.*,
        prices.context_band,
        case
            when resolved.error_code is not null then 'error'
            when
                (resolved.input_tokens is null and resolved.output_images is null)
                -- Charged by the image, and the log does not count its images.
                or (resolved.output_images is null and prices.image_usd is not null and prices.input_usd is null)
                then 'no_counts'
            when resolved.pool_id is null then 'no_pool'
            else 'priced'
        end as countable,
        if(
            known_input_tokens = 0,
            0,
            known_input_tokens::decimal(19, 0) * prices.input_usd
        )::decimal(38, 12) as input_usd,
        (
            if(known_output_tokens = 0, 0, known_output_tokens::decimal(19, 0) * prices.output_usd)
            + if(coalesce(output_images, 0) = 0, 0, output_images::decimal(19, 0) * prices.image_usd)
        )::decimal(38, 12) as output_usd,
        if(
            coalesce(cache_read_tokens, 0) = 0,
            0,
            cache_read_tokens::decimal(19, 0) * prices.cache_read_usd
        )::decimal(38, 12) as cache_read_usd,
        (
            if(
                coalesce(cache_write_5m_tokens, 0) = 0,
                0,
                cache_write_5m_tokens::decimal(19, 0) * prices.cache_write_5m_usd
            )
            + if(
                coalesce(cache_write_1h_tokens, 0) = 0,
                0,
                cache_write_1h_tokens::decimal(19, 0) * prices.cache_write_1h_usd
            )
        )::decimal(38, 12) as cache_write_usd,
    from resolved
    left join intermediate.int_prices_used as prices
        on
            resolved.model_id = prices.model_id
            and resolved.endpoint_type = prices.endpoint_type
            and resolved.region = prices.region
            and resolved.service_tier = prices.service_tier
            and resolved.ts >= prices.valid_from
            and resolved.ts < prices.ends
            and resolved.context_tokens >= prices.tokens_from
            and resolved.context_tokens <= prices.tokens_to
),

priced as (
    select
        *,
        case countable
            when 'error' then 0
            when 'priced' then input_usd + output_usd + cache_read_usd + cache_write_usd
        end::decimal(38, 12) as cost_usd,
    from with_parts
)

select
    request_id,
    ts,
    usage_date,
    account_id,
    account_name,
    region,
    operation,
    pool_id,
    model_id,
    endpoint_type,
    logged_model_id,
    profile_id,
    profile_name,
    profile_kind,
    inference_region,
    principal_arn,
    principal_type,
    role_or_user,
    session_name,
    application,
    request_metadata,
    tags,
    service_tier,
    service_tier_source,
    error_code,
    is_accepted,
    input_tokens,
    output_tokens,
    cache_read_tokens,
    cache_write_tokens,
    cache_write_5m_tokens,
    cache_write_1h_tokens,
    cache_write_split,
    output_images,
    max_tokens,
    stop_reason,
    latency_ms,
    ttft_ms,
    case
        when error_code is not null or latency_ms is null or known_output_tokens = 0 then null
        when ttft_ms is not null and output_tokens > 1 then (latency_ms - ttft_ms) / (output_tokens - 1)
        else latency_ms / output_tokens
    end as tpot_ms,
    if(
        tpot_ms is null,
        null,
        if(ttft_ms is not null and output_tokens > 1, 'after_first_token', 'whole_call')
    ) as tpot_basis,
    case
        when error_code is not null and input_tokens is null then 0
        when input_tokens is null and output_images is null then null
        else
            round(
                known_input_tokens
                + known_cache_write_tokens
                + if(known_output_tokens = 0, 0, known_output_tokens * rate)
            )::bigint
    end as consumed_tokens,
    if(
        error_code is not null or (input_tokens is null and output_images is null),
        null,
        known_input_tokens + known_cache_write_tokens + coalesce(max_tokens, max_output_tokens)
    ) as reserved_tokens,
    case
        when error_code is not null then null
        when reserved_tokens is null then 'unknown'
        when max_tokens is not null then 'logs'
        else 'model_default'
    end as reserved_source,
    context_band,
    if(countable = 'priced' and cost_usd is null, 'no_price', countable) as cost_status,
    cost_usd,
    if(countable = 'error', 0, if(cost_usd is null, null, input_usd))::decimal(38, 12) as input_cost_usd,
    if(countable = 'error', 0, if(cost_usd is null, null, output_usd))::decimal(38, 12) as output_cost_usd,
    if(countable = 'error', 0, if(cost_usd is null, null, cache_read_usd))::decimal(38, 12) as cache_read_cost_usd,
    if(countable = 'error', 0, if(cost_usd is null, null, cache_write_usd))::decimal(38, 12) as cache_write_cost_usd,
from priced
