-- One row per request in the invocation logs, with the metadata values that rules about applications look at.
--
-- `metadata_values` has one value for each of `metadata_keys`, in their order; NULL where the request has no such key.
with rule_keys as (
    select coalesce(list(distinct key order by key), [])::varchar[] as metadata_keys,
    from staging.stg_application_rules
    where subject = 'metadata'
)

select
    calls.usage_date,
    calls.account_id,
    calls.region,
    calls.request_id,
    calls.ts,
    calls.operation,
    calls.logged_model_id,
    calls.profile_id,
    calls.inference_region,
    calls.principal_arn,
    calls.request_metadata,
    rule_keys.metadata_keys,
    list_transform(rule_keys.metadata_keys, lambda key: calls.request_metadata[key]) as metadata_values,
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
    calls.service_tier,
    calls.service_tier_source,
from staging.stg_invocations as calls
cross join rule_keys
