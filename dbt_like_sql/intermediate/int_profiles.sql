-- One row per account, Region and ModelId that is listed or was used: what it is called, and the pool it belongs to.
--
-- `pool_id` is NULL unless `status` is `resolved`; `reason` then says why. Nothing is guessed: an id that no catalogue
-- has is resolved only when it is a known prefix before a known foundation model, or says itself what it is.
with listed as (
    select
        account_id,
        region,
        profile_id,
        profile_name,
        profile_kind,
        map {}::map(varchar, varchar) as tags,
        endpoint_type,
        model_id,
        if(model_id is null, 'unknown', 'resolved') as status,
        []::varchar[] as candidates,
        is_listed,
        if(model_id is null, 'AWS did not say which foundation model it was made from.', null) as reason,
    from intermediate.int_profiles_listed

    union all by name

    select
        account_id,
        region,
        profile_id,
        profile_name,
        'application' as profile_kind,
        tags,
        endpoint_type,
        model_id,
        status,
        candidates,
        is_listed,
        case
            when status = 'ambiguous'
                then 'Its model ARNs fit profiles of different pools: ' || array_to_string(candidates, ', ') || '.'
            when model_id is null then 'Its model ARNs name more than one foundation model, or none.'
            when status = 'unknown'
                then 'No base model or system profile of this Region has its model ARNs: '
                    || array_to_string(model_arns, ', ') || '.'
        end as reason,
    from intermediate.int_application_profiles_resolved
),

used as (
    select
        account_id,
        region,
        profile_id,
    from intermediate.int_profile_days_summed
    union
    select
        account_id,
        region,
        profile_id,
    from intermediate.int_logged_days
),

seen as (
    select
        account_id,
        region,
        profile_id,
        split_part(profile_id, '.', 1) as prefix,
        regexp_extract(profile_id, '^arn:[^/]*:([a-z-]+)/', 1) as arn_kind,
        split_part(profile_id, '/', -1) as last_part,
    from used
),

not_listed as (
    from seen
    anti join listed using (account_id, region, profile_id)
),

explained as (
    select
        not_listed.account_id,
        not_listed.region,
        not_listed.profile_id,
        case
            when base.model_id is not null then 'base'
            when prefixed.model_id is not null then 'system'
            when not_listed.arn_kind = 'imported-model' then 'imported'
            when not_listed.arn_kind = 'provisioned-model' then 'provisioned'
            when not_listed.arn_kind = 'custom-model-deployment' then 'custom_deployment'
        end as profile_kind,
        case
            when base.model_id is not null then 'on_demand'
            when prefixed.model_id is not null then prefixes.endpoint_type
            when not_listed.arn_kind = 'imported-model' then 'imported'
            when not_listed.arn_kind = 'provisioned-model' then 'provisioned'
            when not_listed.arn_kind = 'custom-model-deployment' then 'custom_deployment'
        end as endpoint_type,
        case
            when not_listed.arn_kind in ('imported-model', 'provisioned-model')
                then not_listed.arn_kind || '/' || not_listed.last_part
            else coalesce(base.model_id, prefixed.model_id)
        end as model_id,
        coalesce(base.model_name, prefixed.model_name, not_listed.last_part) as profile_name,
    from not_listed
    left join intermediate.int_models as base on not_listed.profile_id = base.model_id
    left join staging.stg_endpoint_prefixes as prefixes using (prefix)
    left join intermediate.int_models as prefixed
        on prefixes.prefix is not null and substr(not_listed.profile_id, len(prefixes.prefix) + 2) = prefixed.model_id
),

profiles as (
    from listed

    union all by name

    select
        account_id,
        region,
        profile_id,
        profile_name,
        profile_kind,
        map {}::map(varchar, varchar) as tags,
        endpoint_type,
        model_id,
        if(model_id is null, 'unknown', 'resolved') as status,
        []::varchar[] as candidates,
        false as is_listed,
        if(model_id is null, 'No catalogue that was read has this ModelId.', null) as reason,
    from explained
)

select
    profiles.account_id,
    coalesce(scopes.account_name, profiles.account_id) as account_name,
    profiles.region,
    profiles.profile_id,
    profiles.profile_name,
    profiles.profile_kind,
    profiles.tags,
    profiles.endpoint_type,
    profiles.model_id,
    case
        when profiles.status = 'resolved'
            then profiles.account_id || '/' || profiles.region || '/' || profiles.endpoint_type || '/'
                || profiles.model_id
    end as pool_id,
    profiles.status,
    profiles.candidates,
    profiles.is_listed,
    profiles.reason,
from profiles
left join staging.stg_scopes as scopes using (account_id, region)
