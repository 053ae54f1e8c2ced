-- One row per usage type and product of the bill: what it is for; NULL where that was not understood.
--
-- The two lifetimes of cache writes are one `token_kind` here, as in the costs of calls.
select
    usage_type,
    product_name,
    region,
    model_id,
    endpoint_type,
    service_tier,
    if(starts_with(token_kind, 'cache_write'), 'cache_write', token_kind) as token_kind,
    reason,
from raw.billed_usage_types
