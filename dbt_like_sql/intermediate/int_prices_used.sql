-- One row per model, endpoint type, source Region, tier, context band and period that calls had: what one token costs.
--
-- For each kind of token the Region's own price wins over that of `*`. A call is of the row with `valid_from` <= its
-- time < `ends` (infinity while it holds) and `tokens_from` <= its input tokens, cached ones included <= `tokens_to`:
-- the band `long` begins above the lowest threshold of any of its kinds. NULL is a kind without a price. Prices are
-- exact: six decimals of US dollars for a million are twelve for one.
with fitting as (
    select
        uses.model_id,
        uses.endpoint_type,
        uses.region,
        uses.service_tier,
        prices.context_band,
        prices.context_threshold,
        prices.token_kind,
        prices.region = '*' as is_everywhere,
        (prices.usd_per_million * 0.000001::decimal(7, 6))::decimal(18, 12) as usd,
        prices.valid_from,
        coalesce(prices.valid_to, 'infinity'::timestamp) as ends,
    from intermediate.int_price_uses as uses
    inner join intermediate.int_prices as prices
        on
            uses.model_id = prices.model_id
            and uses.endpoint_type = prices.endpoint_type
            and uses.service_tier = prices.service_tier
            and prices.region in (uses.region, '*')
),

moments as (
    select distinct
        model_id,
        endpoint_type,
        region,
        service_tier,
        unnest([valid_from, ends]) as valid_from,
    from fitting
),

periods as (
    select
        *,
        lead(valid_from) over (
            partition by model_id, endpoint_type, region, service_tier
            order by valid_from
        ) as ends,
    from moments
    qualify ends is not null
),

chosen as (
    select
        periods.model_id,
        periods.endpoint_type,
        periods.region,
        periods.service_tier,
        periods.valid_from,
        periods.ends,
        fitting.context_band,
        fitting.context_threshold,
        fitting.token_kind,
        fitting.usd,
    from periods
    inner join fitting
        on
            periods.model_id = fitting.model_id
            and periods.endpoint_type = fitting.endpoint_type
            and periods.region = fitting.region
            and periods.service_tier = fitting.service_tier
            and periods.valid_from >= fitting.valid_from
            and periods.valid_from < fitting.ends
    qualify
        row_number() over (
            partition by
                periods.model_id,
                periods.endpoint_type,
                periods.region,
                periods.service_tier,
                periods.valid_from,
                fitting.context_band,
                fitting.token_kind
            order by fitting.is_everywhere
        ) = 1
),

banded as (
    select
        *,
        min(context_threshold) filter (where context_band = 'long') over (
            partition by model_id, endpoint_type, region, service_tier, valid_from
        ) as threshold,
    from chosen
)

select
    model_id,
    endpoint_type,
    region,
    service_tier,
    context_band,
    if(context_band = 'long', threshold + 1, 0) as tokens_from,
    if(context_band = 'standard' and threshold is not null, threshold, 9223372036854775807) as tokens_to,
    valid_from,
    ends,
    max(usd) filter (where token_kind = 'input') as input_usd,
    max(usd) filter (where token_kind = 'output') as output_usd,
    max(usd) filter (where token_kind = 'cache_read') as cache_read_usd,
    max(usd) filter (where token_kind = 'cache_write_5m') as cache_write_5m_usd,
    max(usd) filter (where token_kind = 'cache_write_1h') as cache_write_1h_usd,
    max(usd) filter (where token_kind = 'image') as image_usd,
from banded
where context_band = 'standard' or threshold is not null
group by model_id, endpoint_type, region, service_tier, context_band, threshold, valid_from, ends
