-- One row per UTC calendar month, account, product and subscription tier: what use would cost by the token, and what it does.
--
-- The virtual cost is of logged tokens, and of estimates from activity on users' days without a log; `…_low_usd` and
-- `…_high_usd` take the estimates' ends for these. Seats are those of the configuration, else as many as there are users
-- in logs and reports. `subscription_to_date_usd` is the part of the month's price for the days through `known_through`,
-- rounded down to a millionth of a dollar; so are costs for one seat.
with tiers as (
    select
        date_trunc('month', usage_date)::date as usage_month,
        account_id,
        product,
        user_id,
        max_by(subscription_tier, usage_date) as subscription_tier,
        max(usage_date) as newest_day,
    from marts.q_developer_usage
    where usage_date >= $start_month and usage_date < $end_month + interval 1 month
    group by date_trunc('month', usage_date)::date, account_id, product, user_id
),

through as (
    select
        account_id,
        usage_month,
        coalesce(max(coverage.known_through), max(tiers.newest_day)) as known_through,
    from tiers
    left join staging.stg_q_developer_coverage as coverage using (account_id, usage_month)
    group by account_id, usage_month
),

summed as (
    select
        tiers.usage_month,
        tiers.account_id,
        tiers.product,
        tiers.subscription_tier,
        any_value(usage.account_name) as account_name,
        max(usage.region) as region,
        any_value(through.known_through) as known_through,
        count(distinct usage.user_id) as users,
        count(distinct usage.user_id) filter (where usage.interactions > 0) as active_users,
        count(*) filter (where usage.token_source is not null) as logged_user_days,
        count(*) filter (where usage.token_source is null and usage.estimated_input_tokens_mean > 0)
            as estimated_user_days,
        count(*) filter (
            where
                usage.token_source is null
                and coalesce(usage.estimated_input_tokens_mean, 0) = 0
                and usage.interactions > 0
        ) as unknown_user_days,
        max(usage.token_source) as logged_source,
        unnest(['mean', 'low', 'high']) as level,
        unnest([
            sum(if(usage.token_source is null, usage.estimated_input_tokens_mean, usage.input_tokens)),
            sum(if(usage.token_source is null, usage.estimated_input_tokens_low, usage.input_tokens)),
            sum(if(usage.token_source is null, usage.estimated_input_tokens_high, usage.input_tokens))
        ])::bigint as input_tokens,
        unnest([
            sum(if(usage.token_source is null, usage.estimated_output_tokens_mean, usage.output_tokens)),
            sum(if(usage.token_source is null, usage.estimated_output_tokens_low, usage.output_tokens)),
            sum(if(usage.token_source is null, usage.estimated_output_tokens_high, usage.output_tokens))
        ])::bigint as output_tokens,
    from tiers
    inner join marts.q_developer_usage as usage
        on
            usage.account_id = tiers.account_id
            and usage.product = tiers.product
            and usage.user_id is not distinct from tiers.user_id
            and date_trunc('month', usage.usage_date)::date = tiers.usage_month
            and usage.usage_date >= $start_month
            and usage.usage_date < $end_month + interval 1 month
    inner join through
        on through.account_id = tiers.account_id and through.usage_month = tiers.usage_month
    where usage.usage_date <= through.known_through
    group by tiers.usage_month, tiers.account_id, tiers.product, tiers.subscription_tier
),

terms as (
    select
        usage_month,
        account_id,
        product,
        subscription_tier,
        max(value) filter (where term = 'input_usd_per_million')::decimal(12, 6) as input_usd_per_million,
        max(value) filter (where term = 'output_usd_per_million')::decimal(12, 6) as output_usd_per_million,
        max(value) filter (where term = 'usd_per_seat')::decimal(12, 6) as usd_per_seat,
        max(value) filter (where term = 'seats')::bigint as seats,
        coalesce(bool_or(is_of_tier) filter (where term = 'seats'), false) as seats_are_of_tier,
    from intermediate.int_q_developer_terms
    group by usage_month, account_id, product, subscription_tier
),

priced as (
    select
        summed.*,
        terms.input_usd_per_million,
        terms.output_usd_per_million,
        terms.usd_per_seat,
        -- Seats of a whole product cannot be told apart by tier, so they count where there is one tier only.
        if(
            terms.seats_are_of_tier
            or count(*) over (partition by summed.usage_month, summed.account_id, summed.product, summed.level) = 1,
            terms.seats,
            null
        ) as configured_seats,
        (summed.input_tokens::decimal(18, 0) * terms.input_usd_per_million * 0.000001::decimal(7, 6))::decimal(38, 12)
            as input_cost_usd,
        (summed.output_tokens::decimal(18, 0) * terms.output_usd_per_million * 0.000001::decimal(7, 6))::decimal(38, 12)
            as output_cost_usd,
    from summed
    left join terms
        on
            terms.usage_month = summed.usage_month
            and terms.account_id = summed.account_id
            and terms.product = summed.product
            and terms.subscription_tier is not distinct from summed.subscription_tier
),

monthly as (
    select
        usage_month,
        account_id,
        product,
        subscription_tier,
        any_value(account_name) as account_name,
        any_value(region) as region,
        any_value(known_through) as known_through,
        (any_value(known_through) - usage_month + 1)::integer as days_elapsed,
        extract('day' from last_day(usage_month))::integer as days_in_month,
        any_value(users) as users,
        any_value(active_users) as active_users,
        coalesce(any_value(configured_seats), any_value(users)) as seats,
        if(any_value(configured_seats) is null, 'users_seen', 'configured') as seats_source,
        any_value(usd_per_seat) as usd_per_seat,
        max(input_tokens) filter (where level = 'mean') as input_tokens,
        max(output_tokens) filter (where level = 'mean') as output_tokens,
        any_value(logged_source) as logged_source,
        any_value(logged_user_days) as logged_user_days,
        any_value(estimated_user_days) as estimated_user_days,
        any_value(unknown_user_days) as unknown_user_days,
        any_value(input_usd_per_million) as input_usd_per_million,
        any_value(output_usd_per_million) as output_usd_per_million,
        max(input_cost_usd) filter (where level = 'mean') as input_cost_usd,
        max(output_cost_usd) filter (where level = 'mean') as output_cost_usd,
        max(input_cost_usd + output_cost_usd) filter (where level = 'low') as virtual_cost_low_usd,
        max(input_cost_usd + output_cost_usd) filter (where level = 'high') as virtual_cost_high_usd,
    from priced
    group by usage_month, account_id, product, subscription_tier
),

subscribed as (
    select
        *,
        input_cost_usd + output_cost_usd as virtual_cost_usd,
        (seats * usd_per_seat)::decimal(38, 12) as subscription_usd,
        (
            ((seats * usd_per_seat * 1000000)::hugeint * days_elapsed // days_in_month)::decimal(28, 0)
            * 0.000001::decimal(7, 6)
        )::decimal(38, 12) as subscription_to_date_usd,
    from monthly
)

select
    usage_month,
    account_id,
    account_name,
    region,
    product,
    subscription_tier,
    known_through,
    days_elapsed,
    days_in_month,
    users,
    seats,
    seats_source,
    active_users as active_seats,
    greatest(seats - active_users, 0) as idle_seats,
    input_tokens,
    output_tokens,
    case
        when logged_user_days > 0 and estimated_user_days > 0 then 'mixed'
        when logged_user_days > 0 then logged_source
        when estimated_user_days > 0 then 'activity'
    end as token_source,
    logged_user_days,
    estimated_user_days,
    unknown_user_days,
    input_usd_per_million,
    output_usd_per_million,
    input_cost_usd,
    output_cost_usd,
    virtual_cost_usd,
    virtual_cost_low_usd,
    virtual_cost_high_usd,
    usd_per_seat,
    subscription_usd,
    subscription_to_date_usd,
    virtual_cost_usd - subscription_to_date_usd as net_usd,
    (
        ((virtual_cost_usd * 1000000)::hugeint // nullif(seats, 0))::decimal(28, 0) * 0.000001::decimal(7, 6)
    )::decimal(38, 12) as virtual_cost_per_seat_usd,
from subscribed
