-- One row per model, endpoint type, Region, tier, context band, kind of token and validity: the price that holds.
--
-- List prices with the agreed ones of price_overrides.csv applied; `list_usd_per_million` is what it was before, NULL
-- where there is no list price. `region` is `*` for every Region without a row of its own at the time. `valid_to` is
-- exclusive, NULL while the price holds. `source` says where it is from.
select
    prices.model_id,
    models.model_name,
    models.provider,
    prices.endpoint_type,
    prices.region,
    prices.service_tier,
    prices.context_band,
    prices.context_threshold,
    prices.token_kind,
    prices.usd_per_million,
    prices.list_usd_per_million,
    prices.valid_from,
    prices.valid_to,
    prices.source,
from intermediate.int_prices as prices
left join intermediate.int_models as models using (model_id)
