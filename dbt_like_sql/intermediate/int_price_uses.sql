-- One row per model, endpoint type, source Region and service tier that logged calls had: what needs a price.
select distinct
    profiles.model_id,
    profiles.endpoint_type,
    days.region,
    days.service_tier,
from intermediate.int_logged_days as days
inner join intermediate.int_profiles as profiles using (account_id, region, profile_id)
where profiles.pool_id is not null
