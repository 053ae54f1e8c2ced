-- One row per user, or everybody of an account and product, active in the newest 30 known UTC days: how a day is.
--
-- `daily_average` and `daily_min` are over all `days`, idle ones as 0; the days begin with the first use that is known.
-- Days that `marts.q_developer_spikes` has are among them.
with spikes as (
    select
        account_id,
        product,
        subject_kind,
        user_id,
        count(*) as spike_days,
    from marts.q_developer_spikes
    group by account_id, product, subject_kind, user_id
),

summed as (
    select
        account_id,
        any_value(account_name) as account_name,
        max(region) as region,
        product,
        subject_kind,
        user_id,
        max(user_email) as user_email,
        first_day,
        last_day,
        (last_day - first_day + 1)::bigint as days,
        count(*) as active_days,
        sum(interactions)::bigint as interactions,
        median(interactions)::double as active_median,
        max(interactions) as daily_max,
        arg_min(usage_date, (-interactions, usage_date)) as daily_max_on,
        min(interactions) as active_min,
    from intermediate.int_q_developer_active_days
    group by account_id, product, subject_kind, user_id, first_day, last_day
)

select
    summed.account_id,
    summed.account_name,
    summed.region,
    summed.product,
    summed.subject_kind,
    summed.user_id,
    summed.user_email,
    summed.first_day,
    summed.last_day,
    summed.days,
    summed.active_days,
    summed.interactions,
    (summed.interactions / summed.days)::double as daily_average,
    summed.active_median,
    summed.daily_max,
    summed.daily_max_on,
    if(summed.active_days < summed.days, 0, summed.active_min)::bigint as daily_min,
    coalesce(spikes.spike_days, 0)::bigint as spike_days,
from summed
left join spikes
    on
        spikes.account_id = summed.account_id
        and spikes.product = summed.product
        and spikes.subject_kind = summed.subject_kind
        and spikes.user_id is not distinct from summed.user_id
