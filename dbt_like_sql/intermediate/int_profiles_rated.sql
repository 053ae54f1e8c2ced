-- One row per account, Region, ModelId that was used and period of days: its pool, and what its tokens cost the quota.
--
-- `rate` is quota tokens per output token, NULL when unknown. Only ModelIds with use are in it, so that a new model or
-- profile in a catalogue restates no day of usage.
with used as (
    select distinct
        account_id,
        region,
        profile_id,
    from intermediate.int_profile_days_summed

    union

    select distinct
        account_id,
        region,
        profile_id,
    from intermediate.int_logged_days
)

select
    profiles.account_id,
    profiles.account_name,
    profiles.region,
    profiles.profile_id,
    profiles.profile_name,
    profiles.profile_kind,
    profiles.tags,
    profiles.pool_id,
    profiles.endpoint_type,
    profiles.model_id,
    models.max_output_tokens,
    rates.rate,
    coalesce(rates.valid_from, date '1970-01-01') as valid_from,
    rates.valid_to,
from intermediate.int_profiles as profiles
inner join used using (account_id, region, profile_id)
left join intermediate.int_models as models on profiles.model_id = models.model_id
left join intermediate.int_burndown_rates as rates on profiles.model_id = rates.model_id
