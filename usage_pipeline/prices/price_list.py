"""Reads products of AWS's Price List: which model, Region, endpoint, tier and kind of token each one's price is for.

No product names a model id, so the reading is careful rather than complete: a product counts only when every part of
it is understood and its name is that of exactly one model. The rest is counted with the reason, never guessed. Grammar
as documented in autumn 2026. Not here: asking AWS (`aws/price_list.py`).
"""

import json
import re
from collections import defaultdict
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from decimal import Decimal, InvalidOperation
from typing import Any, cast

from usage_pipeline.prices.price_rows import (
    FIRST_MOMENT,
    ContextBand,
    EndpointType,
    ModelPrice,
    PriceKey,
    ServiceTier,
    TokenKind,
    per_million,
)
from usage_pipeline.prices.product_names import ModelNames
from usage_pipeline.prices.usage_types import UnreadUsageTypeError, read_usage_type

MARKETPLACE_SERVICE = "AmazonBedrockFoundationModels"
"""The service whose products say in words what they price; those of the others say it in their usage type."""

SERVICE_CODES = ("AmazonBedrock", "AmazonBedrockService", MARKETPLACE_SERVICE)

_REGION = re.compile(r"[a-z]{2}(-[a-z]+)+-\d+")
_ENDPOINTS: dict[str | None, tuple[EndpointType, ...]] = {
    None: ("on_demand", "geo"),
    "geo": ("geo",),
    "global": ("global",),
}
"""Endpoint types that a scope prices: a geo profile costs what its Region does unless it has a price of its own."""

_FILLING_WORDS = {"million", "token", "tokens", "regional"}
_KINDS_IN_WORDS: dict[frozenset[str], TokenKind] = {
    frozenset({"input"}): "input",
    frozenset({"output"}): "output",
    frozenset({"response"}): "output",
    frozenset({"cache", "read"}): "cache_read",
    frozenset({"cache", "read", "input"}): "cache_read",
    frozenset({"cache", "write"}): "cache_write_5m",
    frozenset({"cache", "write", "input"}): "cache_write_5m",
    frozenset({"cache", "write", "1h"}): "cache_write_1h",
    frozenset({"cache", "write", "input", "1h"}): "cache_write_1h",
}


class _NotUnderstoodError(Exception):
    """A product, or a part of it, means nothing that is known here; the text says why."""


@dataclass(frozen=True)
class UnmappedProduct:
    """A product that gave no price, and why."""

    name: str
    reason: str


@dataclass(frozen=True)
class ListPrices:
    """What the Price List says: rows, and the products that gave none."""

    rows: tuple[ModelPrice, ...]
    unmapped: tuple[UnmappedProduct, ...]


@dataclass(frozen=True)
class _Dimension:
    """What of a request a product prices. `scope`: global, geo, or None for the Region whatever the endpoint."""

    kind: TokenKind
    tier: ServiceTier
    band: ContextBand
    scope: str | None


@dataclass(frozen=True)
class _Offer:
    """A product that was understood."""

    name: str
    model_id: str
    region: str
    dimension: _Dimension
    usd_per_million: Decimal
    sku: str


def read_price_list(
    products: Iterable[str], names: ModelNames, thresholds: Mapping[str, int], label: str
) -> ListPrices:
    """The prices of products as GetProducts gives them, each a JSON text.

    `thresholds` are the input tokens above which a model's requests are long, by model id; the Price List does not say.
    `label` begins each row's source, such as `AWS Price List, 2026-11-15`.
    """
    offers: list[_Offer] = []
    unmapped: list[UnmappedProduct] = []
    for text in products:
        product = _product(text)
        try:
            offers.append(_offer(product, names, thresholds))
        except _NotUnderstoodError as error:
            unmapped.append(UnmappedProduct(_name(product), str(error)))
    rows, contradicting = _rows(offers, thresholds, label)
    return ListPrices(tuple(rows), (*unmapped, *contradicting))


def _product(text: str) -> dict[str, Any]:
    try:
        product = json.loads(text)
    except ValueError:
        return {}
    return cast("dict[str, Any]", product) if isinstance(product, dict) else {}


def _part(product: Mapping[str, Any], *names: str) -> dict[str, Any]:
    """The object under the names, one in the other; empty where there is none."""
    found: object = product
    for name in names:
        found = cast("dict[str, object]", found).get(name) if isinstance(found, dict) else None
    return cast("dict[str, Any]", found) if isinstance(found, dict) else {}


def _attributes(product: Mapping[str, Any]) -> dict[str, str]:
    return {name: str(value) for name, value in _part(product, "product", "attributes").items()}


def _name(product: Mapping[str, Any]) -> str:
    attributes = _attributes(product)
    return attributes.get("usagetype") or attributes.get("servicename") or "a product without a usage type"


def _offer(product: Mapping[str, Any], names: ModelNames, thresholds: Mapping[str, int]) -> _Offer:
    attributes = _attributes(product)
    region = attributes.get("regionCode", "")
    if not _REGION.fullmatch(region):
        raise _NotUnderstoodError("no Region")
    price = _only_price(product)
    if product.get("serviceCode", attributes.get("servicecode")) == MARKETPLACE_SERVICE:
        dimension, model_names = _in_words(str(price.get("description", ""))), [attributes.get("servicename", "")]
        usd = _per_million(price, in_words="million" in str(price.get("description", "")).lower())
    else:
        dimension, segment = _in_usage_type(attributes.get("usagetype", ""))
        model_names = [attributes.get("model", ""), attributes.get("titanModel", ""), segment]
        usd = _per_million(price, in_words=False)
    model_ids = names.of_product(model_names, attributes.get("provider"))
    if len(model_ids) != 1:
        raise _NotUnderstoodError("fits more than one model" if model_ids else "no known model has this name")
    if dimension.band == "long" and model_ids[0] not in thresholds:
        raise _NotUnderstoodError("the length of long requests is not known")
    sku = str(_part(product, "product").get("sku", ""))
    return _Offer(_name(product), model_ids[0], region, dimension, usd, sku)


def _only_price(product: Mapping[str, Any]) -> Mapping[str, Any]:
    terms = _part(product, "terms", "OnDemand")
    prices = [
        _part(terms, term, "priceDimensions", code) for term in terms for code in _part(terms, term, "priceDimensions")
    ]
    if len(prices) != 1:
        raise _NotUnderstoodError("not one single price")
    return prices[0]


def _in_usage_type(usage_type: str) -> tuple[_Dimension, str]:
    """What a usage type such as `USE1-NovaLite-input-tokens-batch` prices, and its part that names the model."""
    try:
        found = read_usage_type(usage_type)
    except UnreadUsageTypeError as error:
        raise _NotUnderstoodError(str(error)) from error
    if found.model_words is None:
        raise _NotUnderstoodError("no price of tokens on demand")
    dimension = _Dimension(found.token_kind, found.service_tier, found.context_band, found.scope)
    return dimension, found.model_words


def _in_words(description: str) -> _Dimension:
    """What a description such as `AWS Marketplace software usage|us-east-1|Million Input Tokens Global` prices."""
    words = re.findall(r"[a-z0-9]+", description.rpartition("|")[2].lower().replace("1 hour", "1h"))
    left = set(words) - _FILLING_WORDS
    tier: ServiceTier = "batch" if "batch" in left else "default"
    band: ContextBand = "long" if {"long", "context"} <= left else "standard"
    scope = "global" if "global" in left else "geo" if left & {"cris", "geo"} else None
    kind = _KINDS_IN_WORDS.get(frozenset(left - {"batch", "long", "context", "global", "geo", "cris"}))
    if kind is None or not {"token", "tokens"} & set(words):
        raise _NotUnderstoodError("no price of tokens on demand")
    return _Dimension(kind, tier, band, scope)


def _per_million(price: Mapping[str, Any], *, in_words: bool) -> Decimal:
    """US dollars for a million tokens; `in_words` when the description, and not the unit, says that it is a million."""
    unit = str(price.get("unit", ""))
    try:
        usd = Decimal(str(_part(price, "pricePerUnit").get("USD", "")))
    except InvalidOperation as error:
        raise _NotUnderstoodError("no price in US dollars") from error
    if not usd.is_finite() or usd <= 0:
        raise _NotUnderstoodError("no price above zero")
    if unit == "1K tokens":
        return per_million(usd / 1000)
    if unit == "1M tokens" or (unit == "Units" and in_words):
        return per_million(usd / 1_000_000)
    raise _NotUnderstoodError(f"unit {unit or '(none)'}")


def _rows(
    offers: Sequence[_Offer], thresholds: Mapping[str, int], label: str
) -> tuple[list[ModelPrice], list[UnmappedProduct]]:
    """One row for each key whose offers agree; a price of `geo` itself wins over that of the Region."""
    by_key: defaultdict[PriceKey, list[_Offer]] = defaultdict(list)
    # Offers of one scope come first, so that those of the Region find which keys have an offer of their own.
    for offer in sorted(offers, key=lambda offer: offer.dimension.scope is None):
        for endpoint_type in _ENDPOINTS[offer.dimension.scope]:
            dimension = offer.dimension
            key = (offer.model_id, endpoint_type, offer.region, dimension.tier, dimension.band, dimension.kind)
            if not any(other.dimension.scope != dimension.scope for other in by_key[key]):
                by_key[key].append(offer)
    rows: list[ModelPrice] = []
    contradicting: dict[str, UnmappedProduct] = {}
    for key, group in by_key.items():
        if len({offer.usd_per_million for offer in group}) > 1:
            contradicting |= {offer.sku: UnmappedProduct(offer.name, "several prices for the same") for offer in group}
            continue
        offer = group[0]
        rows.append(_row(key, offer, thresholds, f"{label}: {offer.name} ({offer.sku})"))
    return rows, list(contradicting.values())


def _row(key: PriceKey, offer: _Offer, thresholds: Mapping[str, int], source: str) -> ModelPrice:
    return ModelPrice(
        model_id=offer.model_id,
        endpoint_type=cast("EndpointType", key[1]),
        region=offer.region,
        service_tier=offer.dimension.tier,
        context_band=offer.dimension.band,
        context_threshold=thresholds[offer.model_id] if offer.dimension.band == "long" else None,
        token_kind=offer.dimension.kind,
        usd_per_million=offer.usd_per_million,
        valid_from=FIRST_MOMENT,
        valid_to=None,
        source=source,
    )
