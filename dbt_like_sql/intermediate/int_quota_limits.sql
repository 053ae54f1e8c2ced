-- One row per pool, kind of quota (tpm, rpm, tpd, concurrency) and period of days in which its value was the same.
--
-- AWS tells only today's value, so the first value that was read also stands for all days before. `limit_value` is what
-- the pool may use: tokens per day are doubled for geographic endpoints where the quota's own name says so.
with changes as (
    select
        account_id,
        region,
        quota_code,
        quota_name,
        limit_value,
        limit_source,
        is_doubled_for_geo,
        snapshot_date,
        row_number() over snapshots = 1 as is_first,
    from staging.stg_service_quotas
    window snapshots as (partition by account_id, region, quota_code order by snapshot_date)
    qualify
        is_first
        or limit_value is distinct from lag(limit_value) over snapshots
        or limit_source is distinct from lag(limit_source) over snapshots
        or quota_name is distinct from lag(quota_name) over snapshots
),

values_by_period as (
    select
        * exclude (snapshot_date, is_first),
        if(is_first, date '1970-01-01', snapshot_date) as valid_from,
        lead(snapshot_date) over (partition by account_id, region, quota_code order by snapshot_date) - 1 as valid_to,
    from changes
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
