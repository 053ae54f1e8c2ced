-- One row per account, Region and application inference profile: which base model or system profile it was made from.
--
-- AWS does not say, so the exact set of model ARNs decides: a system profile of the same account and Region that routes
-- or once routed to the same set, or the base model itself for one ARN of this Region. Candidates that mean the same
-- pool resolve; candidates that disagree are `ambiguous`. Without any candidate, an ARN without a Region means a global
-- profile, because global profiles grow; everything else is `unknown`.
with profiles as (
    select
        account_id,
        region,
        profile_id,
        arg_max(profile_name, snapshot_date) as profile_name,
        arg_max(model_arns, snapshot_date) as model_arns,
        arg_max(model_id, snapshot_date) as model_id,
        arg_max(routes_anywhere, snapshot_date) as routes_anywhere,
        -- NULL tags could not be read; what was read before still says whose it is.
        arg_max(tags, snapshot_date) filter (where tags is not null) as tags,
        max(snapshot_date) as last_listed,
    from staging.stg_inference_profiles
    where profile_kind = 'application'
    group by account_id, region, profile_id
),

newest_catalogues as (
    select
        account_id,
        region,
        max(snapshot_date) as snapshot_date,
    from staging.stg_inference_profiles
    group by account_id, region
),

routed_sets as (
    select distinct
        account_id,
        region,
        profile_id,
        model_arns,
    from staging.stg_inference_profiles
    where profile_kind = 'system'
),

system_candidates as (
    select
        profiles.account_id,
        profiles.region,
        profiles.profile_id,
        listed.profile_id as candidate,
        listed.endpoint_type,
        listed.model_id,
    from profiles
    inner join routed_sets
        on
            profiles.account_id = routed_sets.account_id
            and profiles.region = routed_sets.region
            and profiles.model_arns = routed_sets.model_arns
    inner join intermediate.int_profiles_listed as listed
        on
            routed_sets.account_id = listed.account_id
            and routed_sets.region = listed.region
            and routed_sets.profile_id = listed.profile_id
            and listed.profile_kind = 'system'
),

models_without_on_demand as (
    select
        account_id,
        region,
        model_id,
    from staging.stg_foundation_models
    group by account_id, region, model_id
    having not arg_max(is_on_demand, snapshot_date)
),

base_candidates as (
    select
        account_id,
        region,
        profile_id,
        model_id as candidate,
        'on_demand' as endpoint_type,
        model_id,
    from profiles
    anti join models_without_on_demand using (account_id, region, model_id)
    where len(model_arns) = 1 and model_id is not null and split_part(model_arns[1], ':', 4) = region
),

matches as (
    select
        account_id,
        region,
        profile_id,
        list_sort(list(distinct candidate)) as candidates,
        count(distinct (endpoint_type, model_id)) as pools,
        min(endpoint_type) as endpoint_type,
    from (from system_candidates union all by name from base_candidates)
    group by account_id, region, profile_id
)

select
    profiles.account_id,
    profiles.region,
    profiles.profile_id,
    profiles.profile_name,
    profiles.tags,
    profiles.model_id,
    case
        when matches.pools = 1 then matches.endpoint_type
        when matches.pools is null and profiles.routes_anywhere and profiles.model_id is not null then 'global'
    end as endpoint_type,
    case
        when profiles.model_id is null then 'unknown'
        when matches.pools > 1 then 'ambiguous'
        when matches.pools = 1 or profiles.routes_anywhere then 'resolved'
        else 'unknown'
    end as status,
    coalesce(matches.candidates, []) as candidates,
    profiles.model_arns,
    profiles.last_listed = newest_catalogues.snapshot_date as is_listed,
from profiles
inner join newest_catalogues using (account_id, region)
left join matches using (account_id, region, profile_id)
