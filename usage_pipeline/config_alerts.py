"""The settings about alerts: where they go, when, and from which values on there is something to tell.

Here: what may be set and the sentences for what may not. An address that holds a secret is never in the file: the file
names the environment variable that has it. Not here: sending (`alerts/`), the rules that compare
(`checks/thresholds.py`).
"""

import re
from collections.abc import Mapping
from datetime import time
from decimal import Decimal
from typing import Annotated, Any, Literal, Self, cast
from zoneinfo import ZoneInfo, ZoneInfoNotFoundError

from pydantic import BaseModel, BeforeValidator, ConfigDict, Field, field_validator, model_validator

from usage_pipeline.config_problems import quote

Severity = Literal["ERROR", "WARN"]

_VARIABLE_NAME = re.compile(r"[A-Za-z_][A-Za-z0-9_]*")
_TOPIC_ARN = re.compile(r"arn:(?:aws|aws-us-gov):sns:[a-z0-9-]+:\d{12}:[A-Za-z0-9_-]{1,256}")
_TIME = re.compile(r"([01]\d|2[0-3]):[0-5]\d")


def _variable_name(name: object) -> str:
    if not _VARIABLE_NAME.fullmatch(str(name)):
        # What stands there may be an address with a token in it, so it is not repeated.
        raise ValueError(
            "read something that is no variable's name (not shown, for it may be a secret); allowed: the name of the "
            "environment variable that holds the address, such as ALERTS_SLACK_URL."
        )
    return str(name)


def _topic_arn(arn: str) -> str:
    if not _TOPIC_ARN.fullmatch(arn):
        read = quote(arn) if arn.startswith("arn:") else "something that is not shown, for it may be a secret"
        raise ValueError(f"read {read}; allowed: a topic's ARN such as arn:aws:sns:us-east-1:111122223333:alerts.")
    return arn


def of_shape(kind: type, allowed: str) -> BeforeValidator:
    """Refuses a value of another shape without repeating it, which pydantic's own error would."""

    def checked(value: object) -> object:
        if not isinstance(value, (kind, BaseModel, tuple)):
            raise ValueError(f"read text that is not shown, for it may be a secret; allowed: {allowed}.")
        return value

    return BeforeValidator(checked)


class ChannelSettings(BaseModel):
    """One place where messages go: an Apprise address that an environment variable holds, or an SNS topic."""

    model_config = ConfigDict(frozen=True, extra="forbid")

    name: str = Field(min_length=1, max_length=50)
    url_env: Annotated[str, BeforeValidator(_variable_name)] | None = None
    sns_topic_arn: str | None = None

    @field_validator("sns_topic_arn")
    @classmethod
    def _arn_of_a_topic(cls, arn: str | None) -> str | None:
        return None if arn is None else _topic_arn(arn)

    @model_validator(mode="after")
    def _one_place(self) -> Self:
        if (self.url_env is None) == (self.sns_topic_arn is None):
            read = "neither url_env nor sns_topic_arn" if self.url_env is None else "both url_env and sns_topic_arn"
            raise ValueError(f"read {read}; allowed: one of them.")
        return self


class QuietHours(BaseModel):
    """Hours of each day in which messages wait. `from` is included, `to` is not; they may span midnight."""

    model_config = ConfigDict(frozen=True, extra="forbid", populate_by_name=True)

    start: time = Field(alias="from")
    end: time = Field(alias="to")
    time_zone: str = "UTC"
    errors_pass: bool = False

    @field_validator("start", "end", mode="before")
    @classmethod
    def _time_of_day(cls, value: object) -> object:
        if isinstance(value, time):
            return value
        # YAML 1.1 reads an unquoted 22:00 as the number 1320, which is 22 × 60.
        text = f"{value // 60:02d}:{value % 60:02d}" if isinstance(value, int) and 0 <= value < 1440 else str(value)
        if not _TIME.fullmatch(text):
            raise ValueError(f"read {quote(value)}; allowed: a time of day such as 22:00.")
        return time.fromisoformat(text)

    @field_validator("end")
    @classmethod
    def _not_empty(cls, end: time, info: Any) -> time:
        if end == info.data.get("start"):
            raise ValueError(f"read {end:%H:%M}, the same as from; allowed: another time.")
        return end

    @field_validator("time_zone")
    @classmethod
    def _known_zone(cls, name: str) -> str:
        try:
            ZoneInfo(name)
        except (ZoneInfoNotFoundError, ValueError, OSError):
            raise ValueError(f"read {quote(name)}; allowed: a name such as Europe/Berlin or UTC.") from None
        return name


class ThresholdSettings(BaseModel):
    """From which values on a check of use against limits fails."""

    model_config = ConfigDict(frozen=True, extra="forbid")

    utilization: float = Field(default=0.8, gt=0, le=1)
    utilization_minutes: int = Field(default=5, ge=1, le=1440)
    throttles_per_day: int = Field(default=10, ge=0)
    daily_quota_projection: float = Field(default=1.0, gt=0, le=2)
    end_of_life_days: int = Field(default=90, ge=1, le=730)


class BudgetSettings(BaseModel):
    """What may be spent in a UTC day or calendar month, by everything or by one application, tag or account."""

    model_config = ConfigDict(frozen=True, extra="forbid")

    name: str = Field(min_length=1, max_length=100)
    usd: Decimal = Field(gt=0, max_digits=14, decimal_places=2)
    per: Literal["day", "month"] = "month"
    application: str | None = Field(default=None, min_length=1)
    account: str | None = Field(default=None, min_length=1)
    tag: str | None = None
    warn_at: float = Field(default=0.8, gt=0, le=1)

    @field_validator("tag")
    @classmethod
    def _key_and_value(cls, tag: str | None) -> str | None:
        if tag is not None and not all(tag.partition("=")[::2]):
            raise ValueError(f"read {quote(tag)}; allowed: key=value, such as team=search.")
        return tag


Channels = Annotated[
    tuple[Annotated[ChannelSettings, of_shape(dict, "`name: …` with `url_env: …` or `sns_topic_arn: …`")], ...],
    of_shape(list, "a list of channels"),
]


class AlertSettings(BaseModel):
    """What is told, to whom and when. Without channels nothing is sent; findings are kept all the same."""

    model_config = ConfigDict(frozen=True, extra="forbid")

    channels: Channels = ()
    routing: Mapping[Severity, tuple[str, ...]] = Field(default_factory=dict[Severity, tuple[str, ...]])
    remind_after_hours: int = Field(default=24, ge=1, le=8760)
    worse_factor: float = Field(default=1.25, gt=1, le=100)
    digest_limit: int = Field(default=10, ge=1, le=100)
    interval_seconds: int = Field(default=30, ge=5, le=3600)
    quiet_hours: QuietHours | None = None
    dry_run: bool = False
    report_url: str | None = None
    thresholds: ThresholdSettings = ThresholdSettings()
    budgets: tuple[BudgetSettings, ...] = ()

    def channels_for(self, severity: Severity) -> tuple[ChannelSettings, ...]:
        """Where findings of the severity go: the channels that `routing` names, all where it names none."""
        names = self.routing.get(severity)
        return self.channels if names is None else tuple(channel for channel in self.channels if channel.name in names)

    @field_validator("channels")
    @classmethod
    def _channel_names_are_unique(cls, channels: tuple[ChannelSettings, ...]) -> tuple[ChannelSettings, ...]:
        _each_once("channels", [channel.name for channel in channels])
        return channels

    @field_validator("routing")
    @classmethod
    def _routes_lead_somewhere(cls, routing: Mapping[Severity, tuple[str, ...]], info: Any) -> object:
        if "channels" not in info.data:
            return routing
        names = [channel.name for channel in cast("tuple[ChannelSettings, ...]", info.data["channels"])]
        for severity, named in routing.items():
            if others := sorted(set(named) - set(names)):
                allowed = ", ".join(names) or "none, for there is no channel"
                raise ValueError(f"{severity} names {quote(others[0])}; allowed: names of channels: {allowed}.")
        return routing

    @field_validator("report_url")
    @classmethod
    def _page_address(cls, url: str | None) -> str | None:
        if url is not None and not re.match(r"(https?|file)://\S+$", url):
            raise ValueError(
                f"read {quote(url)}; allowed: where report.html can be opened, such as https://…/report.html."
            )
        return url

    @field_validator("budgets")
    @classmethod
    def _budget_names_are_unique(cls, budgets: tuple[BudgetSettings, ...]) -> tuple[BudgetSettings, ...]:
        _each_once("budgets", [budget.name for budget in budgets])
        return budgets


def _each_once(what: str, names: list[str]) -> None:
    if repeated := sorted({name for name in names if names.count(name) > 1}):
        raise ValueError(f"two {what} have the name {quote(repeated[0])}; allowed: each name once.")
