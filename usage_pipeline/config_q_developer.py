"""The settings about Amazon Q Developer and Kiro: where an account's logs and reports lie, and its limits and prices.

Here: what may be set and the sentences for what may not. Not here: which keys are read below the place
(`q_developer/object_keys.py`), the terms that hold where nothing is set (`reference/q_developer_terms.csv`).
"""

from datetime import date
from decimal import Decimal
from typing import Annotated, Literal, Self

from pydantic import AfterValidator, BaseModel, ConfigDict, Field, model_validator

from usage_pipeline.config_logs import checked_bucket, checked_prefix
from usage_pipeline.reference import QDeveloperTermName


class BucketPlaceSettings(BaseModel):
    """A bucket, and what comes before AWSLogs in its keys."""

    model_config = ConfigDict(frozen=True, extra="forbid")

    bucket: Annotated[str, AfterValidator(checked_bucket)]
    prefix: Annotated[str, AfterValidator(checked_prefix)] = ""


class QDeveloperSettings(BaseModel):
    """Where one account's prompt logs and activity reports lie; what is not named is not read."""

    model_config = ConfigDict(frozen=True, extra="forbid")

    prompt_logs: BucketPlaceSettings | None = None
    activity_reports: BucketPlaceSettings | None = None

    @model_validator(mode="after")
    def _some_place(self) -> Self:
        if self.prompt_logs is None and self.activity_reports is None:
            raise ValueError("read neither prompt_logs nor activity_reports; allowed: one of them or both.")
        return self


class QDeveloperTermSettings(BaseModel):
    """A limit, a price, seats or another number by which use is judged, instead of the one of the reference file.

    `account` is a configured account's name and `subscription_tier` a glob over the tier in capitals; * is any.
    """

    model_config = ConfigDict(frozen=True, extra="forbid")

    term: QDeveloperTermName
    value: Decimal = Field(ge=0, max_digits=18, decimal_places=6)
    account: str = Field(default="*", min_length=1)
    product: Literal["q_developer", "kiro", "*"] = "*"
    subscription_tier: str = Field(default="*", min_length=1)
    valid_from: date | None = None
    valid_to: date | None = None

    @model_validator(mode="after")
    def _ends_after_it_begins(self) -> Self:
        if self.valid_from and self.valid_to and self.valid_to < self.valid_from:
            raise ValueError(f"read valid_to {self.valid_to}; allowed: {self.valid_from} (valid_from) or a later day.")
        return self
