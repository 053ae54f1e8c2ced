-- One row per model and period of days: how many quota tokens one output token takes, and how we know.
--
-- The longest pattern that fits the model and holds on the day decides. What AWS documents is taken as it is. Where the
-- pattern only assumes a rate, the rate that AWS's EstimatedTPMQuotaUsage implies in the period is taken instead
-- (`inferred`): (estimate - input - cache write) / output over all one-minute periods, as a whole number when it is
-- within 5 % of one. `rate` is NULL when no pattern fits and there is no estimate.
with models as (
    select distinct model_id
    from intermediate.int_profiles
    where model_id is not null
),

fitting as (
    select
        models.model_id,
        rates.*,
    from models
    inner join staging.stg_burndown_rates as rates on models.model_id glob rates.model_pattern
),

first_days as (
    select
        model_id,
        date '1970-01-01' as valid_from,
    from models
    union
    select
        model_id,
        valid_from,
    from fitting
    union
    select
        model_id,
        valid_to + 1 as valid_from,
    from fitting
    where valid_to is not null
),

periods as (
    select
        model_id,
        valid_from,
        lead(valid_from) over (partition by model_id order by valid_from) - 1 as valid_to,
    from first_days
),

stated as (
    select
        periods.model_id,
        periods.valid_from,
        periods.valid_to,
        fitting.rate,
        fitting.basis,
    from periods
    left join fitting
        on
            periods.model_id = fitting.model_id
            and periods.valid_from >= fitting.valid_from
            and (fitting.valid_to is null or periods.valid_from <= fitting.valid_to)
    qualify
        row_number() over (
            partition by periods.model_id, periods.valid_from
            order by
                len(fitting.model_pattern) desc nulls last,
                fitting.basis = 'documented' desc,
                fitting.valid_from desc
        ) = 1
),

implied as (
    select
        stated.model_id,
        stated.valid_from,
        (
            sum(days.estimated_tokens) - sum(days.estimated_input_tokens) - sum(days.estimated_cache_write_tokens)
        ) / nullif(sum(days.estimated_output_tokens), 0)::double as rate,
    from stated
    inner join intermediate.int_profiles as profiles using (model_id)
    inner join intermediate.int_profile_days_summed as days
        on
            profiles.account_id = days.account_id
            and profiles.region = days.region
            and profiles.profile_id = days.profile_id
            and days.usage_date >= stated.valid_from
            and (stated.valid_to is null or days.usage_date <= stated.valid_to)
    where stated.basis is distinct from 'documented'
    group by stated.model_id, stated.valid_from
),

inferred as (
    select
        model_id,
        valid_from,
        if(abs(rate - round(rate)) <= 0.05 * round(rate), round(rate), round(rate, 2)) as rate,
    from implied
    -- One output token takes at least one quota token; less means that the estimate leaves something out.
    where rate >= 0.95
)

select
    stated.model_id,
    stated.valid_from,
    stated.valid_to,
    if(stated.basis = 'documented', stated.rate, coalesce(inferred.rate, stated.rate)) as rate,
    case
        when stated.basis = 'documented' then 'documented'
        when inferred.rate is not null then 'inferred'
        when stated.rate is not null then 'assumed'
    end as source,
from stated
left join inferred using (model_id, valid_from)
