"""From a model's prices under its several ids to rows by endpoint type and Region.

What decides (AWS's pricing page and user guide, autumn 2026): the Region of the caller sets the price; a model in its
own Region and through a geo profile costs the same there; a global profile has a price of its own, which is about 10 %
lower for models since Claude 4.5. Here: choosing, and filling gaps by the model's own ratios. Not here: how a source
spells ids and fields (`litellm_json.py`).
"""

from collections import defaultdict
from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from decimal import Decimal

from usage_pipeline.prices.price_rows import (
    EVERY_REGION,
    FIRST_MOMENT,
    PRICE_STEP,
    ContextBand,
    EndpointType,
    ModelPrice,
    ServiceTier,
    TokenKind,
)

Slot = tuple[ServiceTier, ContextBand, TokenKind]
"""What of a request is priced, apart from model, endpoint type and Region."""

_Place = tuple[str, EndpointType, str]
"""Model, endpoint type and Region: what one sheet is for."""

CACHE_KINDS: tuple[TokenKind, ...] = ("cache_read", "cache_write_5m", "cache_write_1h")
REDUCED_OR_RAISED: tuple[ServiceTier, ...] = ("flex", "priority", "batch")

GEO_REGIONS: dict[str, tuple[str, ...]] = {
    "jp": ("ap-northeast-1", "ap-northeast-3"),
    "au": ("ap-southeast-2", "ap-southeast-4", "ap-southeast-6"),
    "in": ("ap-south-1", "ap-south-2"),
    "ca": ("ca-central-1", "ca-west-1"),
    "us-gov": ("us-gov-east-1", "us-gov-west-1"),
    "us": ("us-east-1", "us-east-2", "us-west-1", "us-west-2"),
    "eu": (
        *("eu-central-1", "eu-central-2", "eu-north-1", "eu-south-1"),
        *("eu-south-2", "eu-west-1", "eu-west-2", "eu-west-3"),
    ),
    "apac": (
        *("ap-northeast-1", "ap-northeast-2", "ap-northeast-3", "ap-south-1"),
        *("ap-south-2", "ap-southeast-1", "ap-southeast-2", "ap-southeast-4"),
    ),
}
"""Regions that call through the geo profiles of a prefix, narrow geos before wide ones (AWS user guide, 2026)."""

_GOVCLOUD = "us-gov"


@dataclass(frozen=True)
class Quote:
    """US dollars for a million, and where that is from."""

    usd_per_million: Decimal
    source: str


@dataclass(frozen=True)
class PriceSheet:
    """Everything that one id of a model costs. `threshold`: input tokens above which the band `long` begins."""

    quotes: Mapping[Slot, Quote]
    threshold: int | None = None

    @property
    def input_price(self) -> Decimal | None:
        """The price of a plain input token, by which sheets are compared; None for a model without one."""
        quote = self.quotes.get(("default", "standard", "input"))
        return quote.usd_per_million if quote else None


@dataclass
class ModelSheets:
    """A model's sheets: under its bare id, by geo prefix, under `global.`, and for the bare id in single Regions."""

    bare: PriceSheet | None = None
    of_global: PriceSheet | None = None
    by_geo: dict[str, PriceSheet] = field(default_factory=dict[str, PriceSheet])
    by_region: dict[str, PriceSheet] = field(default_factory=dict[str, PriceSheet])


def rows_of_model(model_id: str, sheets: ModelSheets) -> list[ModelPrice]:
    """The model's rows from the first moment on: `*` rows, and each Region that is not priced like `*`."""
    rows = list(_rows(model_id, "on_demand", in_own_region(sheets)))
    rows += _rows(model_id, "geo", through_geo(sheets))
    if sheets.of_global:
        rows += _rows(model_id, "global", _completed({}, _with_what_bare_has(sheets.of_global, sheets)))
    return rows


def in_own_region(sheets: ModelSheets) -> dict[str, PriceSheet]:
    """Sheets by Region for calls by the bare id; without `*` when the model answers through profiles only."""
    everywhere = sheets.bare
    if everywhere is not None and _is_global_price(everywhere, sheets):
        everywhere = _with_premium(everywhere, sheets)
    return _completed({**_of_geos(sheets), **sheets.by_region} if everywhere else dict(sheets.by_region), everywhere)


def through_geo(sheets: ModelSheets) -> dict[str, PriceSheet]:
    """Sheets by Region for calls through a geo profile; without `*` when GovCloud has the only one.

    Where the source names no profile of the model, one costs what the model costs in its own Region, unless a global
    price says that the two may differ.
    """
    if not sheets.by_geo:
        own = {} if sheets.of_global else in_own_region(sheets)
        return {region: _noted(sheet, "; a geo profile costs the same") for region, sheet in own.items()}
    usual = _usual_geo(sheets)
    everywhere = _with_what_bare_has(usual, sheets) if usual else sheets.bare
    by_region = _completed({**sheets.by_region, **_of_geos(sheets)}, everywhere)
    return by_region if usual else {region: by_region[region] for region in _of_geos(sheets)}


def _of_geos(sheets: ModelSheets) -> dict[str, PriceSheet]:
    """The sheet of each source Region of the model's geo profiles; a narrow geo wins over a wide one."""
    geos = [geo for geo in GEO_REGIONS if geo in sheets.by_geo]
    return {region: sheets.by_geo[geo] for geo in reversed(geos) for region in GEO_REGIONS[geo]}


def _usual_geo(sheets: ModelSheets) -> PriceSheet | None:
    """The sheet that stands for Regions of no known geo: of `us.`, else of another geo outside GovCloud."""
    others = [sheet for geo, sheet in sorted(sheets.by_geo.items()) if geo != _GOVCLOUD]
    return sheets.by_geo.get("us") or next(iter(others), None)


def _is_global_price(bare: PriceSheet, sheets: ModelSheets) -> bool:
    """Whether the bare id has the global price though calls in a Region cost more: LiteLLM's way since Claude 4.5."""
    usual = _usual_geo(sheets)
    if usual is None or usual.input_price is None or bare.input_price is None:
        return False
    known_otherwise = sheets.of_global is not None and sheets.of_global.input_price != bare.input_price
    return usual.input_price > bare.input_price and not known_otherwise


def _with_premium(bare: PriceSheet, sheets: ModelSheets) -> PriceSheet:
    """The usual geo's sheet, which is what a call in the model's own Region costs, with what only the bare id has."""
    usual = _usual_geo(sheets) or bare
    percent = ((usual.input_price or 0) / (bare.input_price or 1) - 1) * 100
    return _noted(_with_what_bare_has(usual, sheets), f"; {percent:.0f} % above the bare id, the global price")


def _with_what_bare_has(sheet: PriceSheet, sheets: ModelSheets) -> PriceSheet:
    """A profile's sheet, with tiers and kinds that only the bare id has."""
    return _derived(with_gaps_filled(sheet), with_gaps_filled(sheets.bare)) if sheets.bare else sheet


def _completed(by_region: dict[str, PriceSheet], everywhere: PriceSheet | None) -> dict[str, PriceSheet]:
    """Sheets without gaps: a Region with a price of its own never borrows part of a call from `*`."""
    if everywhere is None:
        return {region: with_gaps_filled(sheet) for region, sheet in by_region.items()}
    everywhere = with_gaps_filled(everywhere)
    completed = {region: _derived(with_gaps_filled(sheet), everywhere) for region, sheet in by_region.items()}
    return {EVERY_REGION: everywhere, **completed}


def with_gaps_filled(sheet: PriceSheet) -> PriceSheet:
    """The sheet with what its own ratios say: cache kinds of a tier as its input, `long` of a tier as by default."""
    quotes = dict(sheet.quotes)
    for tier in REDUCED_OR_RAISED:
        for kind in CACHE_KINDS:
            _fill(
                quotes,
                (tier, "standard", kind),
                ("default", "standard", kind),
                ((tier, "standard", "input"), ("default", "standard", "input")),
                "; as the tier's input",
            )
        for _, band, kind in [slot for slot in quotes if slot[:2] == ("default", "long")]:
            _fill(
                quotes,
                (tier, band, kind),
                (tier, "standard", kind),
                (("default", "long", kind), ("default", "standard", kind)),
                "; long as by default",
            )
    return PriceSheet(quotes, sheet.threshold)


def _fill(quotes: dict[Slot, Quote], missing: Slot, known: Slot, ratio: tuple[Slot, Slot], note: str) -> None:
    """Set the missing quote to the known one times the ratio of two others, if all three are there."""
    if missing in quotes or any(slot not in quotes for slot in (known, *ratio)):
        return
    of, to = (quotes[slot].usd_per_million for slot in ratio)
    if to:
        quote = quotes[known]
        price = (quote.usd_per_million * of / to).quantize(PRICE_STEP)
        quotes[missing] = Quote(price, quote.source + note)


def _derived(own: PriceSheet, other: PriceSheet) -> PriceSheet:
    """The own sheet, with what only the other has, at the ratio between the two."""
    quotes = dict(own.quotes)
    for slot, quote in other.quotes.items():
        if slot not in quotes and (ratio := _ratio(own, other, slot[2])):
            price = (quote.usd_per_million * ratio[0] / ratio[1]).quantize(PRICE_STEP)
            quotes[slot] = Quote(price, ratio[2] + "; in proportion")
    return PriceSheet(quotes, own.threshold or other.threshold)


def filled_from_everywhere(fresh: Sequence[ModelPrice], known: Iterable[ModelPrice]) -> list[ModelPrice]:
    """The fresh rows, and what only the known `*` rows have of their Regions, at the ratio between the two.

    So that a Region whose price is known in part does not borrow the rest of a call from `*`. `known` are rows that
    hold at one moment; a Region's own known rows count as its own.
    """
    quotes: defaultdict[_Place, dict[Slot, Quote]] = defaultdict(dict)
    thresholds: dict[_Place, int | None] = {}
    for row in (*known, *fresh):
        place = _place(row)
        quotes[place][row.service_tier, row.context_band, row.token_kind] = Quote(row.usd_per_million, row.source)
        thresholds[place] = thresholds.get(place) or row.context_threshold
    filled = list(fresh)
    for place in sorted({_place(row) for row in fresh if row.region != EVERY_REGION}):
        model_id, endpoint_type, region = place
        everywhere: _Place = (model_id, endpoint_type, EVERY_REGION)
        other = PriceSheet(quotes.get(everywhere, {}), thresholds.get(everywhere))
        whole = _derived(PriceSheet(quotes[place], thresholds[place]), other)
        gaps = {slot: quote for slot, quote in whole.quotes.items() if slot not in quotes[place]}
        filled += _rows(model_id, endpoint_type, {region: PriceSheet(gaps, whole.threshold)})
    return filled


def _place(row: ModelPrice) -> _Place:
    return row.model_id, row.endpoint_type, row.region


def _ratio(own: PriceSheet, other: PriceSheet, kind: TokenKind) -> tuple[Decimal, Decimal, str] | None:
    """Own price, other price and own source of the kind, or of input where one of them lacks the kind."""
    kinds: tuple[TokenKind, ...] = (kind, "input")
    for named in kinds:
        slot: Slot = ("default", "standard", named)
        if slot in own.quotes and slot in other.quotes and other.quotes[slot].usd_per_million:
            return own.quotes[slot].usd_per_million, other.quotes[slot].usd_per_million, own.quotes[slot].source
    return None


def _noted(sheet: PriceSheet, note: str) -> PriceSheet:
    quotes = {slot: Quote(quote.usd_per_million, quote.source + note) for slot, quote in sheet.quotes.items()}
    return PriceSheet(quotes, sheet.threshold)


def _rows(model_id: str, endpoint_type: EndpointType, by_region: Mapping[str, PriceSheet]) -> Iterator[ModelPrice]:
    for region, sheet in by_region.items():
        for (tier, band, kind), quote in sheet.quotes.items():
            yield ModelPrice(
                model_id=model_id,
                endpoint_type=endpoint_type,
                region=region,
                service_tier=tier,
                context_band=band,
                context_threshold=sheet.threshold if band == "long" else None,
                token_kind=kind,
                usd_per_million=quote.usd_per_million,
                valid_from=FIRST_MOMENT,
                valid_to=None,
                source=quote.source,
            )
