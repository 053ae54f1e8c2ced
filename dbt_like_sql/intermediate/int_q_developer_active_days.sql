-- One row per user, or everybody of an account and product, and UTC day with use in the newest 30 days that are known.
with through as (
    select
        account_id,
        max(known_through) as known_through,
    from staging.stg_q_developer_coverage
    group by account_id
),

known as (
    select
        usage.account_id,
        usage.account_name,
        usage.region,
        usage.product,
        usage.user_id,
        usage.user_email,
        usage.usage_date,
        usage.interactions,
        coalesce(
            through.known_through,
            max(usage.usage_date) over (partition by usage.account_id)
        ) as last_day,
        min(usage.usage_date) over (partition by usage.account_id, usage.product) as first_use,
    from marts.q_developer_usage as usage
    left join through using (account_id)
),

newest as (
    select
        *,
        greatest(first_use, last_day - 29) as first_day,
    from known
    where usage_date between last_day - 29 and last_day and interactions > 0
)

select
    account_id,
    any_value(account_name) as account_name,
    max(region) as region,
    product,
    if(grouping(user_id) = 1, 'everybody', 'user') as subject_kind,
    user_id,
    if(grouping(user_id) = 1, null, max(user_email)) as user_email,
    usage_date,
    first_day,
    last_day,
    sum(interactions)::bigint as interactions,
from newest
group by grouping sets (
    (account_id, product, user_id, usage_date, first_day, last_day),
    (account_id, product, usage_date, first_day, last_day)
)
