-- One row per model, endpoint type, Region, tier, context band, kind of token and validity: the list price.
select
    model_id,
    endpoint_type,
    region,
    service_tier,
    context_band,
    context_threshold,
    token_kind,
    usd_per_million,
    valid_from,
    valid_to,
    source,
from raw.model_prices
