-- One row per agreed price or discount, which wins over the list price.
select
    model_pattern,
    endpoint_type,
    token_kind,
    usd_per_million,
    discount_percent,
    valid_from,
    valid_to,
    entered_by,
from raw.price_overrides
