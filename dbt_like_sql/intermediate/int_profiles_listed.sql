-- One row per account, Region and base model, system profile, custom deployment or imported model of the catalogues.
--
-- What AWS no longer lists keeps its newest row. Base models that answer only through a profile are left out; one that
-- shows up in CloudWatch all the same is added by int_profiles.
with base_models as (
    select
        account_id,
        region,
        model_id as profile_id,
        arg_max(model_name, snapshot_date) as profile_name,
        'base' as profile_kind,
        'on_demand' as endpoint_type,
        model_id,
        max(snapshot_date) as last_listed,
    from staging.stg_foundation_models
    group by account_id, region, model_id
    having arg_max(is_on_demand, snapshot_date)
),

newest_system_profiles as (
    select
        account_id,
        region,
        profile_id,
        prefix,
        arg_max(profile_name, snapshot_date) as profile_name,
        arg_max(routes_anywhere, snapshot_date) as routes_anywhere,
        -- The id without its prefix, when the ARNs do not agree on one model.
        coalesce(arg_max(model_id, snapshot_date), substr(profile_id, len(prefix) + 2)) as model_id,
        max(snapshot_date) as last_listed,
    from staging.stg_inference_profiles
    where profile_kind = 'system'
    group by account_id, region, profile_id, prefix
),

system_profiles as (
    select
        profiles.account_id,
        profiles.region,
        profiles.profile_id,
        profiles.profile_name,
        'system' as profile_kind,
        -- A prefix that is listed but new to us is one more geography.
        coalesce(prefixes.endpoint_type, if(profiles.routes_anywhere, 'global', 'geo')) as endpoint_type,
        profiles.model_id,
        profiles.last_listed,
    from newest_system_profiles as profiles
    left join staging.stg_endpoint_prefixes as prefixes using (prefix)
),

custom_deployments as (
    select
        account_id,
        region,
        profile_id,
        arg_max(profile_name, snapshot_date) as profile_name,
        'custom_deployment' as profile_kind,
        'custom_deployment' as endpoint_type,
        arg_max(model_id, snapshot_date) as model_id,
        max(snapshot_date) as last_listed,
    from staging.stg_custom_deployments
    group by account_id, region, profile_id
),

imported_models as (
    select
        account_id,
        region,
        profile_id,
        arg_max(profile_name, snapshot_date) as profile_name,
        'imported' as profile_kind,
        'imported' as endpoint_type,
        model_id,
        max(snapshot_date) as last_listed,
    from staging.stg_imported_models
    group by account_id, region, profile_id, model_id
),

listed as (
    from base_models
    union all by name
    from system_profiles
    union all by name
    from custom_deployments
    union all by name
    from imported_models
)

select
    account_id,
    region,
    profile_id,
    profile_name,
    profile_kind,
    endpoint_type,
    model_id,
    -- Each kind has a catalogue of its own, which may have been read on other days than the rest.
    last_listed = max(last_listed) over (partition by account_id, region, profile_kind) as is_listed,
from listed
