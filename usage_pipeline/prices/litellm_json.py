"""Reads LiteLLM's JSON of model prices: which Bedrock model, endpoint and Region each key is, and what its fields cost.

The format as of LiteLLM 1.109.1, US dollars per token or image. Here: spelling of keys and fields, and which entries
have no price by tokens or images. Not here: which price holds in which Region (`price_sheets.py`).
"""

import json
import re
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from decimal import Decimal
from typing import cast

from usage_pipeline.prices.price_rows import ContextBand, ModelPrice, ServiceTier, TokenKind, per_million
from usage_pipeline.prices.price_sheets import (
    GEO_REGIONS,
    ModelSheets,
    PriceSheet,
    Quote,
    Slot,
    rows_of_model,
)

_KINDS: dict[str, TokenKind] = {
    "input_cost_per_token": "input",
    "output_cost_per_token": "output",
    "cache_read_input_token_cost": "cache_read",
    "cache_creation_input_token_cost": "cache_write_5m",
    "cache_creation_input_token_cost_above_1hr": "cache_write_1h",
    "output_cost_per_image": "image",
}
_TIERS: dict[str | None, ServiceTier] = {None: "default", "flex": "flex", "priority": "priority", "batches": "batch"}
_FIELD = re.compile(
    rf"(?P<name>{'|'.join(sorted(_KINDS, key=len, reverse=True))})"
    r"(?:_above_(?P<thousands>\d+)k_tokens)?(?:_(?P<tier>flex|priority|batches))?"
)
_MODEL_ID = re.compile(r"[a-z0-9]+\.[a-z0-9][a-z0-9.:-]*")
_REGION = re.compile(r"[a-z]{2}(-[a-z]+)+-\d")
_GLOBAL = "global"

_UNCOUNTED = re.compile(
    r"input_cost_per_(image|query|second|video_per_second|audio_per_second)|\w+_cost_per_audio_token"
)
"""Fields for what invocation logs do not count; a model that has one costs more than its tokens say."""

_SAME_AS_TEXT = ("input_cost_per_audio_token",)
"""Fields that do no harm when they equal the price of an input token."""


class PriceSourceError(Exception):
    """A source answered, but not with prices; the text says what came."""


@dataclass(frozen=True)
class LitellmPrices:
    """What a LiteLLM file says of Bedrock: rows, and the keys that gave none, each with why."""

    rows: tuple[ModelPrice, ...]
    left_out: Mapping[str, str]


@dataclass(frozen=True)
class _Place:
    """What a key names: a model, and the geo prefix, `global`, a Region or neither. `is_mantle`: another endpoint."""

    model_id: str
    profile: str | None = None
    region: str | None = None
    is_mantle: bool = False


def read_litellm_prices(text: str, label: str) -> LitellmPrices:
    """The Bedrock prices of a LiteLLM file. `label` begins each row's source, such as `LiteLLM 1.109.1, 2026-11-20`.

    Raises:
        PriceSourceError: the text is no JSON object, or a Bedrock entry is none.
    """
    sheets: dict[str, ModelSheets] = {}
    left_out: dict[str, str] = {}
    # Keys of the runtime endpoint come first: Mantle's price counts only where there is no other.
    for key, entry in sorted(_bedrock_entries(text), key=lambda item: (item[0].startswith("bedrock_mantle/"), item[0])):
        place, reason = _place(key)
        sheet = None
        if place is not None:
            sheet, reason = _sheet(entry, f"{label}: {key}", place.model_id)
        if place is None or sheet is None:
            left_out[key] = reason
        else:
            _put(sheets.setdefault(place.model_id, ModelSheets()), place, sheet)
    rows = [row for model_id in sorted(sheets) for row in rows_of_model(model_id, sheets[model_id])]
    if not rows:
        raise PriceSourceError("The file has no price of a Bedrock model.")
    return LitellmPrices(tuple(rows), left_out)


def _bedrock_entries(text: str) -> Iterator[tuple[str, dict[str, object]]]:
    try:
        # Decimals are read from the text itself: 3e-06 is 3.000000 a million, not 2.9999999.
        data = json.loads(text, parse_float=Decimal, parse_int=Decimal)
    except ValueError as error:
        raise PriceSourceError(f"Not JSON: {error}.") from error
    if not isinstance(data, dict):
        raise PriceSourceError("Read JSON that is no object of models.")
    for key, entry in cast("dict[str, object]", data).items():
        if isinstance(entry, dict):
            fields = cast("dict[str, object]", entry)
            if str(fields.get("litellm_provider", "")).startswith("bedrock"):
                yield key, fields


def _place(key: str) -> tuple[_Place | None, str]:
    """What the key names, or why it names no model that is called by tokens."""
    parts = key.split("/")
    is_mantle = parts[0] == "bedrock_mantle"
    if parts[0] == "bedrock" or is_mantle:
        parts = parts[1:]
    if any(part.endswith("-commitment") for part in parts):
        return None, "provisioned throughput"
    if parts[0] == "claude_platform":
        return None, "another service"
    region = parts.pop(0) if len(parts) == 2 and _REGION.fullmatch(parts[0]) else None
    if len(parts) > 1:
        return None, "price of one size or route"
    profile, dot, rest = parts[0].partition(".")
    is_profile = bool(dot) and (profile == _GLOBAL or profile in GEO_REGIONS)
    model_id = rest if is_profile else parts[0]
    if not _MODEL_ID.fullmatch(model_id):
        return None, "not spelled like a model id"
    return _Place(model_id, profile if is_profile else None, region, is_mantle), ""


def _sheet(entry: Mapping[str, object], source: str, model_id: str) -> tuple[PriceSheet | None, str]:
    """What the entry costs, or why that cannot be told from tokens and images."""
    prices = {name: value for name, value in entry.items() if isinstance(value, Decimal)}
    if uncounted := sorted(name for name in prices if _is_uncounted(name, prices)):
        return None, f"{uncounted[0]}: not counted in logs"
    quotes: dict[Slot, Quote] = {}
    thresholds: set[int] = set()
    for name, value in prices.items():
        if found := _FIELD.fullmatch(name):
            band: ContextBand = "long" if found["thousands"] else "standard"
            thresholds |= {int(found["thousands"]) * 1000} if found["thousands"] else set()
            slot: Slot = (_TIERS[found["tier"]], band, _KINDS[found["name"]])
            quotes[slot] = Quote(per_million(value), source)
    if not any(quote.usd_per_million for quote in quotes.values()):
        return None, "no price"
    if len(thresholds) > 1:
        return None, "more than one threshold"
    return PriceSheet(_with_free_writes(quotes, model_id), next(iter(thresholds), None)), ""


def _is_uncounted(name: str, prices: Mapping[str, Decimal]) -> bool:
    if not _UNCOUNTED.fullmatch(name) or not prices[name]:
        return False
    return name not in _SAME_AS_TEXT or prices[name] != prices.get("input_cost_per_token")


def _with_free_writes(quotes: dict[Slot, Quote], model_id: str) -> dict[Slot, Quote]:
    """Amazon Nova writes to the cache without a surcharge (AWS, autumn 2026): at the input price, which no key says."""
    if not model_id.startswith("amazon.nova"):
        return quotes
    written = dict(quotes)
    for tier, band, kind in quotes:
        if kind == "cache_read" and (tier, band, "input") in quotes:
            plain = quotes[tier, band, "input"]
            free = Quote(plain.usd_per_million, plain.source + "; cache writes cost as input")
            written.setdefault((tier, band, "cache_write_5m"), free)
    return written


def _put(model: ModelSheets, place: _Place, sheet: PriceSheet) -> None:
    if place.profile == _GLOBAL:
        model.of_global = model.of_global or sheet
    elif place.profile is not None:
        model.by_geo.setdefault(place.profile, sheet)
    elif place.region is not None:
        model.by_region.setdefault(place.region, sheet)
    else:
        model.bare = model.bare or sheet
