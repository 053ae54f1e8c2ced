"""What one price is, and where a stored price came from.

Here: the rows of raw.model_prices. Not here: agreed prices (`overrides.py`), files (`price_files.py`), what a source's
own format means (`litellm_json.py`, `price_list.py`), and history (`history.py`).
"""

from datetime import datetime
from decimal import Decimal
from typing import Annotated, Literal, get_args

from pydantic import BeforeValidator, Field, ValidationInfo, field_validator

from usage_pipeline.config_values import checked_moment
from usage_pipeline.reference import ReferenceRow, Text, none_if_empty

EndpointType = Literal["on_demand", "geo", "global"]
ServiceTier = Literal["default", "flex", "priority", "batch"]
ContextBand = Literal["standard", "long"]
TokenKind = Literal["input", "output", "cache_read", "cache_write_5m", "cache_write_1h", "image"]
NetworkSource = Literal["litellm_json", "aws_price_list"]
Origin = Literal["snapshot", "file"] | NetworkSource

ENDPOINT_TYPES: tuple[EndpointType, ...] = get_args(EndpointType)
TOKEN_KINDS: tuple[TokenKind, ...] = get_args(TokenKind)

EVERY_REGION = "*"
"""Stands for every Region without a row of its own."""

FIRST_MOMENT = datetime(2023, 9, 28)  # noqa: DTZ001  (tables hold UTC without a zone)
"""Amazon Bedrock became generally available on 2023-09-28: the start of a price whose real start is not known."""

PRICE_STEP = Decimal("0.000001")
"""US dollars per million: the finest price that the table holds."""

PriceKey = tuple[str, str, str, str, str, str]
"""(model_id, endpoint_type, region, service_tier, context_band, token_kind): what has one price at a time."""

_ORIGINS: dict[str, Origin] = {
    "file ": "file",
    "LiteLLM JSON, ": "litellm_json",
    "AWS Price List, ": "aws_price_list",
}
"""How `source` begins, by where the price came from; anything else is the snapshot that ships with this package."""


Moment = Annotated[
    datetime,
    BeforeValidator(checked_moment),
    Field(description="a UTC time such as 2026-11-15 or 2026-11-15T10:30:00Z"),
]
End = Annotated[
    datetime | None,
    BeforeValidator(checked_moment),
    BeforeValidator(none_if_empty),
    Field(description="a UTC time after valid_from, such as 2026-11-15, or nothing while the row holds"),
]
Price = Annotated[
    Decimal,
    Field(
        ge=0,
        max_digits=18,
        decimal_places=6,
        allow_inf_nan=False,
        description="US dollars per million, 0 or more, with at most 6 decimals",
    ),
]


def is_after(end: datetime | None, info: ValidationInfo) -> datetime | None:
    """For validators of `valid_to`: the end, if it lies after the row's `valid_from`."""
    start = info.data.get("valid_from")
    if end is not None and start is not None and end <= start:
        raise ValueError("valid_to must be after valid_from")
    return end


class ModelPrice(ReferenceRow):
    """US dollars for a million tokens of one kind, for one model, endpoint type, Region, tier and context band.

    `valid_to` is exclusive and None while the price holds. `context_threshold` is the number of input tokens, cached
    ones included, above which a request is `long`; rows of the band `long` have one.
    """

    model_id: Text
    endpoint_type: Annotated[EndpointType, Field(description="on_demand, geo or global")]
    region: Annotated[
        str, Field(pattern=r"^(\*|[a-z]{2}(-[a-z]+)+-\d+)$", description="a Region such as us-east-1, or *")
    ]
    service_tier: Annotated[ServiceTier, Field(description="default, flex, priority or batch")]
    context_band: Annotated[ContextBand, Field(description="standard or long")]
    context_threshold: Annotated[
        Annotated[int, Field(gt=0)] | None,
        BeforeValidator(none_if_empty),
        Field(description="a whole number of input tokens; nothing is allowed in the band standard only"),
    ]
    token_kind: Annotated[
        TokenKind, Field(description="input, output, cache_read, cache_write_5m, cache_write_1h or image")
    ]
    usd_per_million: Price
    valid_from: Moment
    valid_to: End
    source: Text

    @field_validator("context_threshold")
    @classmethod
    def _long_has_a_threshold(cls, threshold: int | None, info: ValidationInfo) -> int | None:
        if threshold is None and info.data.get("context_band") == "long":
            raise ValueError("the band long needs a threshold")
        return threshold

    _ends_after_start = field_validator("valid_to")(is_after)

    @property
    def price_key(self) -> PriceKey:
        """What has one price at a time."""
        return (
            self.model_id,
            self.endpoint_type,
            self.region,
            self.service_tier,
            self.context_band,
            self.token_kind,
        )

    @property
    def origin(self) -> Origin:
        """Where the price came from, read from how `source` begins."""
        for beginning, origin in _ORIGINS.items():
            if self.source.startswith(beginning):
                return origin
        return "snapshot"

    def key(self) -> tuple[str, ...]:
        """A key has one price from a moment on."""
        return (*self.price_key, self.valid_from.isoformat())

    def holds_at(self, moment: datetime) -> bool:
        """Whether the price is valid at the moment."""
        return self.valid_from <= moment and (self.valid_to is None or moment < self.valid_to)


def per_million(usd_per_token: Decimal) -> Decimal:
    """US dollars for a million, exact to the table's six decimals, from US dollars for one."""
    return (usd_per_token * 1_000_000).quantize(PRICE_STEP)
