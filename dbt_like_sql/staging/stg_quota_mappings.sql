-- One row per account, Region, model, endpoint type and kind of quota: which quota code limits it.
select
    account_id,
    region,
    model_id,
    endpoint_type,
    account_id || '/' || region || '/' || endpoint_type || '/' || model_id as pool_id,
    quota_kind,
    quota_code,
    quota_name,
    method,
    status,
from raw.quota_mappings
