-- One row per line of AWS's bill and caller (endpoint type, application, role or user) of the calls that it pays for.
--
-- A line is divided among the logged calls of its day, account, Region, model, tier and kind of token: in proportion to
-- their computed cost, or to their tokens where some call has no cost (`divided_by`). What is left after rounding down
-- goes, one last digit each, to the parts that lost most by it: the parts of a line are its amount to the last digit.
-- A line for which there is no logged call, or whose usage type is not understood, is one row, `(unattributed)`, with
-- `divided_by` NULL. A line for one endpoint type is for calls through it; one that names none is for calls on demand
-- and, unless geo profiles have a line of their own, through them. A line for one application profile is for its calls,
-- and the others share the rest. `is_compared` are use and discounts on it, not taxes, credits, refunds and fees.
with lines as (
    select
        bill.usage_date,
        bill.line_number,
        bill.billing_month,
        bill.account_id,
        -- Lines of AWS Marketplace may say their Region in the usage type only.
        coalesce(bill.region, types.region) as region,
        bill.product_name,
        bill.usage_type,
        bill.resource_id,
        bill.profile_id,
        bill.line_type,
        bill.is_compared,
        types.model_id,
        types.endpoint_type,
        types.service_tier,
        types.token_kind,
        bill.billed_usd,
        (bill.billed_usd * 1000000000000)::hugeint as picodollars,
    from staging.stg_bill as bill
    left join staging.stg_billed_usage_types as types
        on
            bill.usage_type = types.usage_type
            and bill.product_name is not distinct from types.product_name
    where bill.usage_date between $start_date and $end_date
),

-- Which endpoint types and profiles have a line of their own.
own_endpoints as (
    select distinct usage_date, account_id, region, line_type, model_id, service_tier, token_kind, endpoint_type,
    from lines
    where endpoint_type is not null
),

own_profiles as (
    select distinct usage_date, account_id, region, line_type, model_id, service_tier, token_kind, profile_id,
    from lines
    where profile_id is not null
),

callers as (
    select
        usage_date,
        account_id,
        region,
        model_id,
        endpoint_type,
        service_tier,
        profile_id,
        application,
        role_or_user,
        unnest(['input', 'output', 'cache_read', 'cache_write']) as token_kind,
        unnest([sum(input_cost_usd), sum(output_cost_usd), sum(cache_read_cost_usd), sum(cache_write_cost_usd)])
            as cost_usd,
        unnest([sum(input_tokens), sum(output_tokens), sum(cache_read_tokens), sum(cache_write_tokens)]) as tokens,
        sum(unpriced_calls) as unpriced_calls,
    from marts.usage_daily
    where
        usage_date between $start_date and $end_date
        and model_id is not null
    group by
        usage_date, account_id, region, model_id, endpoint_type, service_tier, profile_id, application, role_or_user
),

paid_for as (
    select
        lines.usage_date,
        lines.line_number,
        any_value(lines.picodollars) as picodollars,
        callers.endpoint_type,
        callers.application,
        callers.role_or_user,
        coalesce(sum(callers.cost_usd) * 1000000000000, 0)::hugeint as cost,
        sum(callers.tokens)::hugeint as tokens,
        sum(if(callers.tokens > 0, callers.unpriced_calls, 0)) as unpriced_calls,
    from lines
    inner join callers
        on
            lines.usage_date = callers.usage_date
            and lines.account_id = callers.account_id
            and lines.region = callers.region
            and lines.model_id = callers.model_id
            and lines.service_tier = callers.service_tier
            and lines.token_kind = callers.token_kind
    left join own_endpoints
        on
            lines.usage_date = own_endpoints.usage_date
            and lines.account_id = own_endpoints.account_id
            and lines.region = own_endpoints.region
            and lines.line_type = own_endpoints.line_type
            and lines.model_id = own_endpoints.model_id
            and lines.service_tier = own_endpoints.service_tier
            and lines.token_kind = own_endpoints.token_kind
            and callers.endpoint_type = own_endpoints.endpoint_type
    left join own_profiles
        on
            lines.usage_date = own_profiles.usage_date
            and lines.account_id = own_profiles.account_id
            and lines.region = own_profiles.region
            and lines.line_type = own_profiles.line_type
            and lines.model_id = own_profiles.model_id
            and lines.service_tier = own_profiles.service_tier
            and lines.token_kind = own_profiles.token_kind
            and callers.profile_id = own_profiles.profile_id
    where
        if(
            lines.endpoint_type is null,
            callers.endpoint_type in ('on_demand', 'geo') and own_endpoints.endpoint_type is null,
            callers.endpoint_type = lines.endpoint_type
        )
        and lines.profile_id is not distinct from own_profiles.profile_id
    group by
        lines.usage_date, lines.line_number, callers.endpoint_type, callers.application, callers.role_or_user
),

weighted as (
    select
        *,
        if(
            sum(unpriced_calls) over line = 0 and sum(cost) over line > 0, 'cost', 'tokens'
        ) as divided_by,
        if(divided_by = 'cost', cost, tokens) as weight,
    from paid_for
    window line as (partition by usage_date, line_number)
),

shares as (
    select
        *,
        (sum(weight) over (partition by usage_date, line_number))::hugeint as total_weight,
        abs(picodollars) * weight // total_weight as whole,
        abs(picodollars) * weight % total_weight as remainder,
    from weighted
    where weight > 0
),

parts as (
    select
        *,
        whole
        + if(
            row_number() over (
                partition by usage_date, line_number
                order by remainder desc, endpoint_type, application, role_or_user
            ) <= abs(picodollars) - sum(whole) over (partition by usage_date, line_number),
            1,
            0
        ) as part,
    from shares
)

select
    lines.usage_date,
    lines.line_number,
    lines.billing_month,
    lines.account_id,
    coalesce(names.account_name, lines.account_id) as account_name,
    lines.region,
    lines.product_name,
    lines.usage_type,
    lines.resource_id,
    lines.line_type,
    lines.is_compared,
    lines.model_id,
    coalesce(parts.endpoint_type, lines.endpoint_type) as endpoint_type,
    lines.service_tier,
    lines.token_kind,
    coalesce(parts.application, '(unattributed)') as application,
    coalesce(parts.role_or_user, '(unattributed)') as role_or_user,
    parts.divided_by,
    if(
        parts.part is null,
        lines.billed_usd,
        (if(lines.picodollars < 0, -parts.part, parts.part))::decimal(38, 0) * 0.000000000001
    )::decimal(38, 12) as billed_usd,
from lines
left join parts using (usage_date, line_number)
left join (
    select
        account_id,
        min(account_name) as account_name,
    from staging.stg_scopes
    group by account_id
) as names using (account_id)
