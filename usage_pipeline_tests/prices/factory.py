"""Prices written short, for tests."""

import datetime as dt
from decimal import Decimal
from typing import Any

from usage_pipeline.prices.price_rows import FIRST_MOMENT, ModelPrice

SONNET = "anthropic.claude-sonnet-4-5-20250929-v1:0"
NOVA = "amazon.nova-lite-v1:0"


def at(text: str) -> dt.datetime:
    """A UTC moment without a zone."""
    return dt.datetime.fromisoformat(text)


def price(
    usd: str | float, start: str | None = None, end: str | None = None, source: str = "a list", **given: Any
) -> ModelPrice:
    """Input tokens of Nova Lite through a geo profile in every Region, unless `given` says otherwise."""
    return ModelPrice(
        **{
            "model_id": NOVA,
            "endpoint_type": "geo",
            "region": "*",
            "service_tier": "default",
            "context_band": "standard",
            "context_threshold": None,
            "token_kind": "input",
            "usd_per_million": Decimal(str(usd)),
            "valid_from": at(start) if start else FIRST_MOMENT,
            "valid_to": at(end) if end else None,
            "source": source,
            **given,
        }
    )


def shortly(rows: list[ModelPrice]) -> list[tuple[str, str, str, str | None]]:
    """(Region, US dollars, start, end) of each row; days only where the time is midnight."""
    return [
        (row.region, format(row.usd_per_million.normalize(), "f"), _short(row.valid_from), _short(row.valid_to))
        for row in rows
    ]


def _short(moment: dt.datetime | None) -> Any:
    return None if moment is None else moment.isoformat().removesuffix("T00:00:00")
