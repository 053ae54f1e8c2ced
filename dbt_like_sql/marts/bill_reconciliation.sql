-- One row per UTC day, account, Region, model, endpoint type and kind of token that was billed or has a computed cost.
--
-- Days of an account before its first and after its last day in the bill are left out, and so are taxes, credits,
-- refunds and fees. `status`: agrees (the difference is 5 % of what was billed or less), differs, only_billed (no
-- logged call has a cost; `unpriced_calls` have none), only_computed. `model_id` and what follows from it are NULL where
-- the bill's usage type was not understood; `endpoint_type` also where the bill does not tell on_demand from geo and no
-- call was logged. Cache writes of both lifetimes are one kind; images count as output.
with billed_days as (
    select
        account_id,
        min(usage_date) as first_day,
        max(usage_date) as last_day,
    from staging.stg_bill
    where is_compared
    group by account_id
),

computed as (
    select
        usage_date,
        account_id,
        account_name,
        region,
        model_id,
        endpoint_type,
        unnest(['input', 'output', 'cache_read', 'cache_write']) as token_kind,
        unnest([input_cost_usd, output_cost_usd, cache_read_cost_usd, cache_write_cost_usd]) as computed_usd,
        unnest([input_tokens, output_tokens + output_images, cache_read_tokens, cache_write_tokens]) as amount,
        unpriced_calls,
    from marts.usage_daily
    semi join billed_days
        on
            usage_daily.account_id = billed_days.account_id
            and usage_daily.usage_date between billed_days.first_day and billed_days.last_day
    where model_id is not null
),

both_sides as (
    select
        usage_date,
        account_id,
        account_name,
        region,
        model_id,
        endpoint_type,
        token_kind,
        computed_usd,
        null::decimal(38, 12) as billed_usd,
        unpriced_calls,
    from computed
    where amount > 0

    union all

    select
        usage_date,
        account_id,
        account_name,
        region,
        model_id,
        endpoint_type,
        token_kind,
        null::decimal(38, 12) as computed_usd,
        billed_usd,
        0 as unpriced_calls,
    from marts.billed_cost
    where is_compared
),

summed as (
    select
        usage_date,
        account_id,
        any_value(account_name) as account_name,
        region,
        model_id,
        endpoint_type,
        token_kind,
        sum(computed_usd)::decimal(38, 12) as computed_usd,
        sum(billed_usd)::decimal(38, 12) as billed_usd,
        sum(unpriced_calls)::bigint as unpriced_calls,
    from both_sides
    group by usage_date, account_id, region, model_id, endpoint_type, token_kind
    having coalesce(sum(computed_usd), 0) <> 0 or count(billed_usd) > 0
)

select
    usage_date,
    account_id,
    account_name,
    region,
    model_id,
    endpoint_type,
    token_kind,
    computed_usd,
    billed_usd,
    computed_usd - billed_usd as difference_usd,
    computed_usd::double / nullif(billed_usd, 0)::double as ratio,
    case
        when computed_usd is null then 'only_billed'
        when billed_usd is null then 'only_computed'
        when abs(computed_usd - billed_usd) <= abs(billed_usd) * 0.05::decimal(3, 2) then 'agrees'
        else 'differs'
    end as status,
    unpriced_calls,
from summed
