-- One row per account, Region and foundation model that is offered there or was used: its lifecycle and its use.
--
-- The lifecycle is as AWS last said it for the Region; NULL is what AWS did not say, or a model that no catalogue of the
-- Region has had. `is_offered` says whether the newest catalogue of the Region lists the model. Calls are those that
-- CloudWatch counts, throttled ones not among them, in the 30 UTC days up to the newest day with use of any account.
with newest_catalogues as (
    select
        account_id,
        region,
        max(snapshot_date) as snapshot_date,
    from staging.stg_foundation_models
    group by account_id, region
),

listed as (
    select
        models.account_id,
        models.region,
        models.model_id,
        models.snapshot_date = newest_catalogues.snapshot_date as is_offered,
        models.lifecycle_status,
        models.legacy_at,
        models.extended_access_at,
        models.end_of_life_at,
    from staging.stg_foundation_models as models
    inner join newest_catalogues using (account_id, region)
    qualify
        row_number() over (
            partition by models.account_id, models.region, models.model_id
            order by models.snapshot_date desc
        ) = 1
),

used as (
    select
        profiles.account_id,
        profiles.region,
        profiles.model_id,
        coalesce(sum(days.invocations) filter (where days.usage_date > newest.usage_date - 30), 0)::bigint
            as calls_30_days,
        list_sort(
            array_agg(distinct profiles.pool_id) filter (
                where profiles.pool_id is not null and days.usage_date > newest.usage_date - 30
            )
        ) as pools,
        max(days.usage_date) as last_used_on,
    from intermediate.int_profile_days_summed as days
    inner join intermediate.int_profiles as profiles using (account_id, region, profile_id)
    cross join (select max(usage_date) as usage_date from intermediate.int_profile_days_summed) as newest
    -- Imported models are one's own: AWS ends none of them.
    where profiles.model_id is not null and profiles.profile_kind <> 'imported'
    group by profiles.account_id, profiles.region, profiles.model_id
)

select
    account_id,
    coalesce(scopes.account_name, account_id) as account_name,
    region,
    model_id,
    coalesce(models.model_name, model_id) as model_name,
    models.provider,
    coalesce(listed.is_offered, false) as is_offered,
    listed.lifecycle_status,
    listed.legacy_at,
    listed.extended_access_at,
    listed.end_of_life_at,
    coalesce(used.calls_30_days, 0) as calls_30_days,
    coalesce(used.pools, []) as pools,
    used.last_used_on,
from listed
full join used using (account_id, region, model_id)
left join staging.stg_scopes as scopes using (account_id, region)
left join intermediate.int_models as models using (model_id)
