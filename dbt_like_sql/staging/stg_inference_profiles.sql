-- One row per day asked, account, Region and inference profile, system-defined or application.
--
-- `model_arns` is sorted, so that two profiles that route to the same models have equal lists. `model_id` is NULL when
-- the ARNs name more than one foundation model. A global profile has an ARN without a Region.
with profiles as (
    select
        * replace (list_sort(list_distinct(model_arns)) as model_arns),
        list_distinct(list_transform(model_arns, lambda arn: regexp_extract(arn, 'foundation-model/(.+)$', 1)))
            as model_ids,
    from raw.inference_profiles
)

select
    snapshot_date,
    account_id,
    region,
    profile_id,
    profile_name,
    if(profile_type = 'SYSTEM_DEFINED', 'system', 'application') as profile_kind,
    split_part(profile_id, '.', 1) as prefix,
    model_arns,
    case when len(model_ids) = 1 and model_ids[1] <> '' then model_ids[1] end as model_id,
    list_bool_or(list_transform(model_arns, lambda arn: split_part(arn, ':', 4) = '')) as routes_anywhere,
    map_from_entries(list_sort(map_entries(tags))) as tags,
from profiles
