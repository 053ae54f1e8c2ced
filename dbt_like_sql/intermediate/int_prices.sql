-- One row per model, endpoint type, Region, tier, context band, kind of token and period: the price that holds.
--
-- It is the list price, unless price_overrides.csv has a row for the moment: of those whose pattern fits the model, the
-- longest pattern wins, then an equal endpoint type before `*`, then an equal kind before `*`, then the pattern that
-- sorts first. An agreed price also holds where there is no list price, for models that were called; a discount is
-- taken off the list price, rounded to the six decimals that a price has. Periods of one key never overlap.
with listed as (
    select
        *,
        coalesce(valid_to, 'infinity'::timestamp) as ends,
    from staging.stg_model_prices
),

overrides as (
    select
        *,
        coalesce(valid_to, 'infinity'::timestamp) as ends,
    from staging.stg_price_overrides
),

keys as (
    select distinct
        model_id,
        endpoint_type,
        region,
        service_tier,
        context_band,
        token_kind,
    from listed

    union

    select
        uses.model_id,
        uses.endpoint_type,
        '*' as region,
        uses.service_tier,
        'standard' as context_band,
        kinds.token_kind,
    from intermediate.int_price_uses as uses
    cross join (
        values ('input'), ('output'), ('cache_read'), ('cache_write_5m'), ('cache_write_1h'), ('image')
    ) as kinds (token_kind)
),

agreed as (
    select
        keys.*,
        overrides.model_pattern,
        overrides.usd_per_million,
        overrides.discount_percent,
        overrides.valid_from,
        overrides.ends,
        overrides.entered_by,
        row_number() over (
            partition by
                keys.model_id,
                keys.endpoint_type,
                keys.region,
                keys.service_tier,
                keys.context_band,
                keys.token_kind
            order by
                len(overrides.model_pattern) desc,
                overrides.endpoint_type = '*',
                overrides.token_kind = '*',
                overrides.model_pattern,
                overrides.valid_from
        ) as place,
    from keys
    inner join overrides
        on
            keys.model_id glob overrides.model_pattern
            and overrides.endpoint_type in (keys.endpoint_type, '*')
            and overrides.token_kind in (keys.token_kind, '*')
),

moments as (
    select
        model_id,
        endpoint_type,
        region,
        service_tier,
        context_band,
        token_kind,
        unnest([valid_from, ends]) as valid_from,
    from listed

    union

    select
        model_id,
        endpoint_type,
        region,
        service_tier,
        context_band,
        token_kind,
        unnest([valid_from, ends]) as valid_from,
    from agreed
),

periods as (
    select
        *,
        lead(valid_from) over (
            partition by model_id, endpoint_type, region, service_tier, context_band, token_kind
            order by valid_from
        ) as ends,
    from moments
    qualify ends is not null
),

priced as (
    select
        periods.model_id,
        periods.endpoint_type,
        periods.region,
        periods.service_tier,
        periods.context_band,
        periods.token_kind,
        periods.valid_from,
        periods.ends,
        listed.context_threshold,
        listed.usd_per_million as list_usd_per_million,
        agreed.discount_percent,
        case
            when agreed.place is null then listed.usd_per_million
            when agreed.usd_per_million is not null then agreed.usd_per_million
            else
                round(listed.usd_per_million * (100 - agreed.discount_percent) * 0.01::decimal(3, 2), 6)
                ::decimal(18, 6)
        end as usd_per_million,
        case
            when agreed.place is null then listed.source
            when agreed.usd_per_million is not null then 'agreed price, entered by ' || agreed.entered_by
            else
                'discount of ' || rtrim(rtrim(agreed.discount_percent::varchar, '0'), '.') || ' %, entered by '
                || agreed.entered_by || ', off ' || listed.source
        end as source,
    from periods
    left join listed
        on
            periods.model_id = listed.model_id
            and periods.endpoint_type = listed.endpoint_type
            and periods.region = listed.region
            and periods.service_tier = listed.service_tier
            and periods.context_band = listed.context_band
            and periods.token_kind = listed.token_kind
            and periods.valid_from >= listed.valid_from
            and periods.valid_from < listed.ends
    left join agreed
        on
            periods.model_id = agreed.model_id
            and periods.endpoint_type = agreed.endpoint_type
            and periods.region = agreed.region
            and periods.service_tier = agreed.service_tier
            and periods.context_band = agreed.context_band
            and periods.token_kind = agreed.token_kind
            and periods.valid_from >= agreed.valid_from
            and periods.valid_from < agreed.ends
    qualify
        row_number() over (
            partition by
                periods.model_id,
                periods.endpoint_type,
                periods.region,
                periods.service_tier,
                periods.context_band,
                periods.token_kind,
                periods.valid_from
            order by agreed.place
        ) = 1
)

select
    model_id,
    endpoint_type,
    region,
    service_tier,
    context_band,
    context_threshold,
    token_kind,
    usd_per_million,
    list_usd_per_million,
    valid_from,
    if(isfinite(ends), ends, null) as valid_to,
    source,
from priced
where usd_per_million is not null
