"""The snapshot against genai-prices, which collects prices by itself. Only where a developer has installed it."""

from decimal import Decimal
from typing import Any

import pytest

from usage_pipeline.prices.price_files import snapshot_prices
from usage_pipeline.prices.price_rows import ModelPrice
from usage_pipeline_tests.prices.factory import at

genai_data = pytest.importorskip(
    "genai_prices.data", reason="genai-prices is not installed; it is a check for developers, not a dependency"
)

TODAY = at("2026-11-20")
FIELDS = {
    "input": "input_mtok",
    "output": "output_mtok",
    "cache_read": "cache_read_mtok",
    "cache_write_5m": "cache_write_mtok",
    "cache_write_1h": "cache_write_1h_mtok",
}
PREFIXES = {"on_demand": "", "geo": "us.", "global": "global."}


def quoted(model: Any, row: ModelPrice) -> Decimal | None:
    """What genai-prices says today for the row's kind and band; None where it says nothing."""
    prices = model.prices
    if isinstance(prices, list):
        begun = [
            (start, price.prices)
            for price in prices
            for start in [getattr(price.constraint, "start_date", None)]
            if start is None or start <= TODAY.date()
        ]
        prices = max(begun, key=lambda entry: (entry[0] is not None, entry[0]))[1]
    price = getattr(prices, FIELDS[row.token_kind], None)
    tiers = getattr(price, "tiers", None)
    if row.context_band == "long":
        return tiers[0].price if tiers else None
    return price if tiers is None else price.base


def test_every_price_that_both_have_is_the_same() -> None:
    aws = next(provider for provider in genai_data.providers if provider.id == "aws")
    compared, differing = 0, []
    for row in snapshot_prices():
        plain = row.region == "*" and row.service_tier == "default" and row.token_kind in FIELDS
        if not plain or not row.holds_at(TODAY) or row.source.startswith("genai-prices"):
            continue
        model = aws.find_model(PREFIXES[row.endpoint_type] + row.model_id)
        theirs = None if model is None else quoted(model, row)
        if theirs is not None:
            compared += 1
            if theirs != row.usd_per_million:
                differing.append((row.price_key, row.usd_per_million, theirs, model.id))
    assert differing == []
    assert compared > 600
