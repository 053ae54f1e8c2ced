"""What one override is: a price or a discount that was agreed with AWS, which wins over the list price.

Here: the rows of raw.price_overrides. Not here: list prices (`price_rows.py`), the file (`price_files.py`), and which
override a request gets; SQL decides that in the order that this package's docstring states.
"""

from datetime import datetime
from decimal import Decimal
from typing import Annotated, ClassVar, Literal

from pydantic import BeforeValidator, Field, ValidationInfo, field_validator

from usage_pipeline.config_values import checked_moment
from usage_pipeline.prices.price_rows import End, EndpointType, Moment, Price, TokenKind, is_after
from usage_pipeline.reference import ReferenceRow, Text, none_if_empty

_EITHER = "exactly one of usd_per_million and discount_percent is given"


class PriceOverride(ReferenceRow):
    """An agreed price, or a discount off the list price, for the models of a pattern while the row is valid.

    `changed_by` and `changed_at` are of the row's last edit in the dashboard, None when there was none.
    """

    optional_columns: ClassVar[tuple[str, ...]] = ("changed_by", "changed_at")

    model_pattern: Text
    endpoint_type: Annotated[EndpointType | Literal["*"], Field(description="on_demand, geo, global, or * for all")]
    token_kind: Annotated[
        TokenKind | Literal["*"],
        Field(description="input, output, cache_read, cache_write_5m, cache_write_1h, image, or * for all"),
    ]
    usd_per_million: Annotated[
        Price | None,
        BeforeValidator(none_if_empty),
        Field(description="US dollars per million, 0 or more, with at most 6 decimals, or nothing with a discount"),
    ]
    discount_percent: Annotated[
        Annotated[Decimal, Field(ge=0, le=100, max_digits=9, decimal_places=6, allow_inf_nan=False)] | None,
        BeforeValidator(none_if_empty),
        Field(description=f"a number from 0 to 100, with at most 6 decimals, or nothing with a price; {_EITHER}"),
    ]
    valid_from: Moment
    valid_to: End
    entered_by: Text
    changed_by: Annotated[
        str | None, BeforeValidator(none_if_empty), Field(description="who changed the row last, or nothing")
    ] = None
    changed_at: Annotated[
        datetime | None,
        BeforeValidator(checked_moment),
        BeforeValidator(none_if_empty),
        Field(description="a UTC time such as 2026-11-15T10:30:00Z, or nothing"),
    ] = None

    @field_validator("discount_percent")
    @classmethod
    def _price_or_discount(cls, discount: Decimal | None, info: ValidationInfo) -> Decimal | None:
        if (discount is None) == (info.data.get("usd_per_million") is None):
            raise ValueError(_EITHER)
        return discount

    _ends_after_start = field_validator("valid_to")(is_after)

    def key(self) -> tuple[str, ...]:
        """What has one override from a moment on."""
        return (self.model_pattern, self.endpoint_type, self.token_kind, self.valid_from.isoformat())
