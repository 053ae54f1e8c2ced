-- One row per request in the model invocation logs, with its counts in one form.
--
-- `cache_write_5m_tokens` + `cache_write_1h_tokens` is always `cache_write_tokens`: what a log does not split counts as
-- kept for five minutes, which `cache_write_split` = assumed says (else logged; NULL without written tokens). A tier
-- that the log does not state is default (`service_tier_source` = assumed). `is_accepted` leaves out what CloudWatch's
-- Invocations leaves out: requests that were throttled or refused before a model saw them.
select
    usage_date,
    account_id,
    region,
    request_id,
    ts,
    operation,
    logged_model_id,
    coalesce(profile_id, '(unknown)') as profile_id,
    inference_region,
    coalesce(principal_arn, '') as principal_arn,
    request_metadata,
    error_code,
    error_code is null or error_code not in (
        'AccessDeniedException',
        'ResourceNotFoundException',
        'ServiceQuotaExceededException',
        'ThrottlingException',
        'ValidationException'
    ) as is_accepted,
    input_tokens,
    output_tokens,
    cache_read_tokens,
    cache_write_tokens,
    case
        when cache_write_5m_tokens + cache_write_1h_tokens = cache_write_tokens then cache_write_5m_tokens
        else cache_write_tokens
    end as cache_write_5m_tokens,
    case
        when cache_write_5m_tokens + cache_write_1h_tokens = cache_write_tokens then cache_write_1h_tokens
        when cache_write_tokens is not null then 0
    end as cache_write_1h_tokens,
    case
        when cache_write_tokens > 0
            then if(cache_write_5m_tokens + cache_write_1h_tokens = cache_write_tokens, 'logged', 'assumed')
    end as cache_write_split,
    output_images,
    max_tokens,
    stop_reason,
    latency_ms,
    ttft_ms,
    coalesce(service_tier, 'default') as service_tier,
    if(service_tier is null, 'assumed', 'logged') as service_tier_source,
from raw.invocations
