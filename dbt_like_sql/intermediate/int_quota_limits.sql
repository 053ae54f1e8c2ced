-- One row per pool, kind of quota (tpm, rpm, tpd, concurrency) and period in which its value was the same.
--
-- AWS tells only the present value, so the first value that was read also stands for all time before. `valid_to` is
-- exclusive, NULL while the value holds. `limit_value` is what the pool may use: tokens per day are doubled for geographic
-- endpoints where the quota's own name says so.
with compared as (
    select
        account_id,
        region,
        quota_code,
        quota_name,
        limit_value,
        limit_source,
        is_doubled_for_geo,
        if(row_number() over readings = 1, timestamp '1970-01-01', valid_from) as valid_from,
        valid_to,
        lag(valid_to) over readings is distinct from stg_service_quotas.valid_from
        or limit_value is distinct from lag(limit_value) over readings
        or limit_source is distinct from lag(limit_source) over readings
        or quota_name is distinct from lag(quota_name) over readings as is_another_value,
    from staging.stg_service_quotas
    window readings as (partition by account_id, region, quota_code order by stg_service_quotas.valid_from)
),

numbered as (
    select
        *,
        count_if(is_another_value) over (
            partition by account_id, region, quota_code order by valid_from
        ) as period,
    from compared
),

-- What changed beside the value, such as whether it is adjustable, is no reason to divide a period.
values_by_period as (
    select
        account_id,
        region,
        quota_code,
        any_value(quota_name) as quota_name,
        any_value(limit_value) as limit_value,
        any_value(limit_source) as limit_source,
        any_value(is_doubled_for_geo) as is_doubled_for_geo,
        min(valid_from) as valid_from,
        if(bool_or(valid_to is null), null, max(valid_to)) as valid_to,
    from numbered
    group by account_id, region, quota_code, period
)

select
    mappings.account_id,
    mappings.region,
    mappings.pool_id,
    mappings.quota_kind,
    mappings.quota_code,
    quotas.quota_name,
    mappings.endpoint_type = 'geo' and mappings.quota_kind = 'tpd' and quotas.is_doubled_for_geo as is_doubled,
    quotas.limit_value * if(is_doubled, 2, 1) as limit_value,
    quotas.limit_source,
    quotas.valid_from,
    quotas.valid_to,
from staging.stg_quota_mappings as mappings
inner join values_by_period as quotas using (account_id, region, quota_code)
where mappings.status = 'mapped'
