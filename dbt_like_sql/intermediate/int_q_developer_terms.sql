-- One row per account, product, subscription tier and UTC month with use of Amazon Q Developer or Kiro, and term.
--
-- Of the terms that hold in the month, those of the configuration come first, then those of the account, of the product,
-- of the tier (the longest pattern), then the newest.
with months as (
    select distinct
        date_trunc('month', usage_date)::date as usage_month,
        account_id,
        account_name,
        product,
        subscription_tier,
    from marts.q_developer_usage
)

select
    months.usage_month,
    months.account_id,
    months.product,
    months.subscription_tier,
    terms.term,
    terms.value,
    terms.subscription_tier != '*' as is_of_tier,
    terms.is_configured,
    terms.source,
from months
inner join staging.stg_q_developer_terms as terms
    on
        terms.account_name in ('*', months.account_name)
        and terms.product in ('*', months.product)
        and coalesce(months.subscription_tier, '') glob terms.subscription_tier
        and terms.valid_from <= last_day(months.usage_month)
        and terms.valid_to >= months.usage_month
qualify
    row_number() over (
        partition by months.usage_month, months.account_id, months.product, months.subscription_tier, terms.term
        order by
            terms.is_configured desc,
            terms.account_name = '*',
            terms.product = '*',
            length(terms.subscription_tier) desc,
            terms.valid_from desc
    ) = 1
