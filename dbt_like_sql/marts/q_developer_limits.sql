-- One row per user, UTC calendar month and limit of Amazon Q Developer or Kiro: how much is used, and what it comes to.
--
-- `projected` is `used` / days elapsed x days of the month; days count as elapsed through `known_through`, the last one
-- that was read whole. /dev counts as the report does, and as the prompt log does where there is no report. `status`:
-- limit_reached; warning, from four fifths on; reaches_limit, if it goes on like this; caution, from half on; ok; unknown.
with daily as (
    select
        date_trunc('month', usage_date)::date as usage_month,
        usage_date,
        account_id,
        account_name,
        region,
        product,
        user_id,
        user_email,
        subscription_tier,
        credits_limit,
        unnest(['dev_runs', 'transformation_lines', 'credits']) as limit_name,
        unnest([
            coalesce(dev_generation_event_count, dev_requests)::decimal(18, 6),
            transformation_lines_ingested::decimal(18, 6),
            credits_used
        ]) as used,
    from marts.q_developer_usage
    where usage_date >= $start_month and usage_date < $end_month + interval 1 month and user_id is not null
),

through as (
    select
        account_id,
        usage_month,
        coalesce(max(coverage.known_through), max(daily.usage_date)) as known_through,
    from daily
    left join staging.stg_q_developer_coverage as coverage using (account_id, usage_month)
    group by account_id, usage_month
),

running as (
    select
        daily.*,
        through.known_through,
        sum(daily.used) over (
            partition by daily.usage_month, daily.account_id, daily.product, daily.user_id, daily.limit_name
            order by daily.usage_date
        ) as used_so_far,
    from daily
    inner join through using (account_id, usage_month)
    where daily.usage_date <= through.known_through
),

tiers as (
    select
        usage_month,
        account_id,
        product,
        user_id,
        max_by(subscription_tier, usage_date) as subscription_tier,
        max_by(credits_limit, usage_date) as credits_limit,
    from daily
    group by usage_month, account_id, product, user_id
),

limits as (
    select
        tiers.*,
        terms.term,
        terms.value,
        terms.source,
    from tiers
    inner join intermediate.int_q_developer_terms as terms
        on
            terms.usage_month = tiers.usage_month
            and terms.account_id = tiers.account_id
            and terms.product = tiers.product
            and terms.subscription_tier is not distinct from tiers.subscription_tier
),

monthly as (
    select
        running.usage_month,
        running.account_id,
        running.product,
        running.user_id,
        running.limit_name,
        any_value(running.account_name) as account_name,
        max_by(running.region, running.usage_date) as region,
        max(running.user_email) as user_email,
        sum(running.used)::decimal(18, 6) as used,
        count(*) filter (where running.used is null) as unknown_days,
        any_value(running.known_through) as known_through,
        (any_value(running.known_through) - running.usage_month + 1)::integer as days_elapsed,
        extract('day' from last_day(running.usage_month))::integer as days_in_month,
        list({'usage_date': running.usage_date, 'used_so_far': running.used_so_far} order by running.usage_date)
            as course,
    from running
    group by running.usage_month, running.account_id, running.product, running.user_id, running.limit_name
    having
        (running.product = 'q_developer' and running.limit_name != 'credits')
        or (running.limit_name = 'credits' and count(running.used) > 0)
        or sum(running.used) > 0
),

limited as (
    select
        monthly.*,
        tiers.subscription_tier,
        if(monthly.limit_name = 'credits', coalesce(tiers.credits_limit, limits.value), limits.value) as limit_value,
        if(
            monthly.limit_name = 'credits' and tiers.credits_limit is not null,
            'report of Kiro',
            limits.source
        ) as limit_source,
        coalesce(caution.value, 0.5) as caution_share,
        coalesce(warning.value, 0.8) as warning_share,
        (monthly.used * monthly.days_in_month / monthly.days_elapsed)::decimal(18, 6) as projected,
    from monthly
    inner join tiers using (usage_month, account_id, product, user_id)
    left join limits
        on
            limits.usage_month = monthly.usage_month
            and limits.account_id = monthly.account_id
            and limits.product = monthly.product
            and limits.user_id = monthly.user_id
            and limits.term = monthly.limit_name || '_per_month'
    left join limits as caution
        on
            caution.usage_month = monthly.usage_month
            and caution.account_id = monthly.account_id
            and caution.product = monthly.product
            and caution.user_id = monthly.user_id
            and caution.term = 'limit_caution_share'
    left join limits as warning
        on
            warning.usage_month = monthly.usage_month
            and warning.account_id = monthly.account_id
            and warning.product = monthly.product
            and warning.user_id = monthly.user_id
            and warning.term = 'limit_warning_share'
)

select
    usage_month,
    account_id,
    account_name,
    region,
    product,
    user_id,
    user_email,
    subscription_tier,
    limit_name,
    used,
    limit_value as "limit",
    (used / nullif(limit_value, 0))::double as used_share,
    projected,
    (projected / nullif(limit_value, 0))::double as projected_share,
    known_through,
    days_elapsed,
    days_in_month,
    unknown_days,
    case
        when used >= limit_value
            then list_filter(course, lambda day: day.used_so_far >= limit_value)[1].usage_date
        when projected >= limit_value
            then usage_month + ceil((limit_value * days_elapsed / used)::double)::integer - 1
    end as reaches_limit_on,
    case
        when used is null or limit_value is null then 'unknown'
        when used >= limit_value then 'limit_reached'
        when used >= limit_value * warning_share then 'warning'
        when projected >= limit_value then 'reaches_limit'
        when used >= limit_value * caution_share then 'caution'
        else 'ok'
    end as status,
    limit_source,
from limited
