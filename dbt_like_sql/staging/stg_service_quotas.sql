-- One row per account, Region, Bedrock quota code and period in which AWS said the same of it: the applied value, else
-- AWS's default.
select
    account_id,
    region,
    quota_code,
    quota_name,
    round(limit_value)::bigint as limit_value,
    limit_source,
    -- AWS says it in the quota's own name, and only there; a global quota is never doubled.
    quota_name ilike '%doubled for cross-region calls%' as is_doubled_for_geo,
    valid_from,
    valid_to,
from raw.service_quotas
