-- One row per UTC day of the newest 30 known ones, and user or everybody, with far more use than on the other days.
--
-- `expected` is the median of the interactions of the other active days, `score` how many times it there was. A day
-- stands out above three times the median, if it is higher by ten at least and two other days were active.
with places as (
    select
        *,
        list(interactions) over (partition by account_id, product, subject_kind, user_id) as of_all_days,
    from intermediate.int_q_developer_active_days
),

held as (
    select
        account_id,
        account_name,
        region,
        product,
        subject_kind,
        user_id,
        user_email,
        usage_date,
        interactions,
        list_concat(
            list_filter(of_all_days, lambda other: other != interactions),
            list_filter(of_all_days, lambda other: other = interactions)[2:]
        ) as of_other_days,
    from places
),

terms as (
    select
        usage_month,
        account_id,
        product,
        max(value) filter (where term = 'spike_factor') as spike_factor,
        max(value) filter (where term = 'spike_least_interactions') as least_interactions,
    from intermediate.int_q_developer_terms
    group by usage_month, account_id, product
)

select
    held.usage_date,
    held.account_id,
    held.account_name,
    held.region,
    held.product,
    held.subject_kind,
    held.user_id,
    held.user_email,
    'interactions' as metric,
    held.interactions as value,
    list_median(held.of_other_days)::double as expected,
    (held.interactions / list_median(held.of_other_days))::double as score,
    len(held.of_other_days)::bigint as other_active_days,
from held
inner join terms
    on
        terms.usage_month = date_trunc('month', held.usage_date)::date
        and terms.account_id = held.account_id
        and terms.product = held.product
where
    len(held.of_other_days) >= 2
    and held.interactions > terms.spike_factor * list_median(held.of_other_days)
    and held.interactions >= list_median(held.of_other_days) + terms.least_interactions
