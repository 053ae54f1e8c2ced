-- One row per pool: what one set of quotas limits, which quotas these are, and their newest values.
--
-- A pool is (account, source Region, endpoint type, model). `<kind>_limit` is what the pool may use: tokens per day are
-- doubled for geographic endpoints where the quota's name says so (`tpd_is_doubled`); NULL is unknown, 0 is a value.
-- `limit_source` and `mapping_method` are those of the first of tpm, rpm, tpd and concurrency that has one; that a person
-- says there is no such quota counts as override.
-- `mapping_status` is mapped when any quota is, unmapped when one was looked for and not found, else no_quota.
-- `burndown_rate` is that of the newest UTC day with use. `last_used_date` is NULL for a pool that was never called.
with pools as (
    select
        pool_id,
        account_id,
        any_value(account_name) as account_name,
        region,
        endpoint_type,
        model_id,
        count(*) as profiles,
        bool_or(is_listed) as is_listed,
    from intermediate.int_profiles
    where pool_id is not null
    group by pool_id, account_id, region, endpoint_type, model_id
),

last_use as (
    select
        profiles.pool_id,
        max(days.usage_date) as last_used_date,
    from intermediate.int_profile_days_summed as days
    inner join intermediate.int_profiles as profiles using (account_id, region, profile_id)
    group by profiles.pool_id
),

newest_limits as (
    select
        pool_id,
        quota_kind,
        quota_code,
        quota_name,
        limit_value,
        limit_source,
        is_doubled,
    from intermediate.int_quota_limits
    where valid_to is null
),

held as (
    select
        account_id,
        region,
        quota_code,
        valid_from::date as limit_as_of,
    from staging.stg_service_quotas
    where valid_to is null
),

quotas as (
    select
        mappings.pool_id,
        mappings.quota_kind,
        mappings.quota_code,
        coalesce(limits.quota_name, mappings.quota_name) as quota_name,
        limits.limit_value,
        limits.limit_source,
        coalesce(limits.is_doubled, false) as is_doubled,
        held.limit_as_of,
        mappings.method,
        mappings.status,
        list_position(['tpm', 'rpm', 'tpd', 'concurrency'], mappings.quota_kind) as place,
    from staging.stg_quota_mappings as mappings
    left join newest_limits as limits using (pool_id, quota_kind)
    left join held
        on
            mappings.account_id = held.account_id
            and mappings.region = held.region
            and mappings.quota_code = held.quota_code
),

pool_quotas as (
    select
        pool_id,
        any_value(quota_code) filter (where quota_kind = 'tpm') as tpm_quota_code,
        any_value(quota_name) filter (where quota_kind = 'tpm') as tpm_quota_name,
        any_value(limit_value) filter (where quota_kind = 'tpm') as tpm_limit,
        any_value(limit_source) filter (where quota_kind = 'tpm') as tpm_limit_source,
        any_value(status) filter (where quota_kind = 'tpm') as tpm_mapping_status,
        any_value(quota_code) filter (where quota_kind = 'rpm') as rpm_quota_code,
        any_value(quota_name) filter (where quota_kind = 'rpm') as rpm_quota_name,
        any_value(limit_value) filter (where quota_kind = 'rpm') as rpm_limit,
        any_value(limit_source) filter (where quota_kind = 'rpm') as rpm_limit_source,
        any_value(status) filter (where quota_kind = 'rpm') as rpm_mapping_status,
        any_value(quota_code) filter (where quota_kind = 'tpd') as tpd_quota_code,
        any_value(quota_name) filter (where quota_kind = 'tpd') as tpd_quota_name,
        any_value(limit_value) filter (where quota_kind = 'tpd') as tpd_limit,
        any_value(limit_source) filter (where quota_kind = 'tpd') as tpd_limit_source,
        any_value(status) filter (where quota_kind = 'tpd') as tpd_mapping_status,
        any_value(is_doubled) filter (where quota_kind = 'tpd') as tpd_is_doubled,
        any_value(quota_code) filter (where quota_kind = 'concurrency') as concurrency_quota_code,
        any_value(quota_name) filter (where quota_kind = 'concurrency') as concurrency_quota_name,
        any_value(limit_value) filter (where quota_kind = 'concurrency') as concurrency_limit,
        any_value(limit_source) filter (where quota_kind = 'concurrency') as concurrency_limit_source,
        any_value(status) filter (where quota_kind = 'concurrency') as concurrency_mapping_status,
        arg_min(limit_source, place) filter (where limit_value is not null) as limit_source,
        max(limit_as_of) as limit_as_of,
        arg_min(method, place) filter (where status = 'mapped' or method = 'override') as mapping_method,
        case
            when bool_or(status = 'mapped') then 'mapped'
            when bool_or(status = 'unmapped') then 'unmapped'
            else 'no_quota'
        end as mapping_status,
    from quotas
    group by pool_id
),

newest_day as (
    -- Before any use is stored, the day of the newest catalogue stands in.
    select coalesce(
        (select max(usage_date) from intermediate.int_profile_days_summed),
        (select max(snapshot_date) from staging.stg_foundation_models),
    ) as usage_date,
),

current_rates as (
    select
        model_id,
        rate,
        source,
    from intermediate.int_burndown_rates
    inner join newest_day
        on
            newest_day.usage_date >= int_burndown_rates.valid_from
            and (int_burndown_rates.valid_to is null or newest_day.usage_date <= int_burndown_rates.valid_to)
)

select
    pools.pool_id,
    pools.account_id,
    pools.account_name,
    pools.region,
    models.provider,
    pools.model_id,
    coalesce(models.model_name, pools.model_id) as model_name,
    pools.endpoint_type,
    rates.rate as burndown_rate,
    rates.source as burndown_source,
    models.max_output_tokens,
    quotas.tpm_quota_code,
    quotas.tpm_quota_name,
    quotas.tpm_limit,
    quotas.tpm_limit_source,
    quotas.tpm_mapping_status,
    quotas.rpm_quota_code,
    quotas.rpm_quota_name,
    quotas.rpm_limit,
    quotas.rpm_limit_source,
    quotas.rpm_mapping_status,
    quotas.tpd_quota_code,
    quotas.tpd_quota_name,
    quotas.tpd_limit,
    quotas.tpd_limit_source,
    quotas.tpd_mapping_status,
    coalesce(quotas.tpd_is_doubled, false) as tpd_is_doubled,
    quotas.concurrency_quota_code,
    quotas.concurrency_quota_name,
    quotas.concurrency_limit,
    quotas.concurrency_limit_source,
    quotas.concurrency_mapping_status,
    quotas.limit_source,
    quotas.limit_as_of,
    coalesce(quotas.mapping_method, 'none') as mapping_method,
    -- AWS has no token quotas for imported and provisioned models; any other pool must have been looked for.
    coalesce(
        quotas.mapping_status,
        if(pools.endpoint_type in ('imported', 'provisioned'), 'no_quota', 'unmapped')
    ) as mapping_status,
    pools.profiles,
    pools.is_listed,
    last_use.last_used_date,
from pools
left join intermediate.int_models as models using (model_id)
left join current_rates as rates using (model_id)
left join pool_quotas as quotas using (pool_id)
left join last_use using (pool_id)
