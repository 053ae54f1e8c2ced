"""What a report holds of the invocation logs, as values: cost, callers, prices, completeness, sources.

Here: the types. Not here: where the numbers come from (`costs.py`), the rest of the report (`contents.py`).
NULL means unknown everywhere, never zero. Money is exact US dollars, of which parts add up to their total.
"""

from dataclasses import dataclass
from datetime import date, datetime
from decimal import Decimal

from usage_pipeline.report.table_rows import table


@dataclass(frozen=True)
class CostRow:
    """Logged calls of one model, application, caller or tag over the report's days.

    `name` is NULL when it is unknown; `is_unset` says that the profile lacks the tag. `model_id` is of models,
    `principal_type` and the account of callers. `is_at_least`: logs are missing that could add to it. Costs are those
    of the calls that have a price, NULL when none has; `share` is the part of the total cost (0 to 1).
    """

    name: str | None
    is_unset: bool
    model_id: str | None
    principal_type: str | None
    account_id: str | None
    account_name: str | None
    is_at_least: bool
    calls: int
    errors: int
    input_tokens: int
    output_tokens: int
    cache_read_tokens: int
    cache_write_tokens: int
    input_cost_usd: Decimal | None
    output_cost_usd: Decimal | None
    cache_read_cost_usd: Decimal | None
    cache_write_cost_usd: Decimal | None
    cost_usd: Decimal | None
    unpriced_calls: int
    share: float | None


@dataclass(frozen=True)
class TagCosts:
    """The calls by the values of one tag key; every call is in exactly one row."""

    tag_key: str
    rows: tuple[CostRow, ...] = table()


@dataclass(frozen=True)
class ApplicationDays:
    """One application's cost of each UTC day from the first; `application` is NULL for all others together."""

    application: str | None
    usd: tuple[Decimal | None, ...]


@dataclass(frozen=True)
class PriceUsed:
    """Prices of a model that was called, in US dollars for a million tokens (images for `image_usd`).

    One row per validity and source: kinds that have other ones are in rows of their own.
    """

    model_id: str
    model_name: str | None
    endpoint_type: str
    region: str
    service_tier: str
    context_band: str
    input_usd: Decimal | None
    output_usd: Decimal | None
    cache_read_usd: Decimal | None
    cache_write_5m_usd: Decimal | None
    cache_write_1h_usd: Decimal | None
    image_usd: Decimal | None
    valid_from: datetime
    valid_to: datetime | None
    source: str


@dataclass(frozen=True)
class UnpricedUse:
    """Calls whose cost is unknown, and why: `no_price`, `no_counts` or `no_pool`."""

    model_id: str
    endpoint_type: str | None
    region: str
    service_tier: str | None
    reason: str
    calls: int
    input_tokens: int
    output_tokens: int


@dataclass(frozen=True)
class LoggingState:
    """Whether an account and Region logs its invocations; `is_on` is NULL when AWS was not asked or did not answer."""

    account_id: str
    account_name: str
    region: str
    is_on: bool | None
    as_of: date | None


@dataclass(frozen=True)
class Completeness:
    """Days in a row on which the logs of one account and Region were in the same state, against CloudWatch.

    `ratio` is the lower of calls and tokens by logs over those by CloudWatch, `lowest_ratio` that of the worst ModelId
    and day. `status` is complete, incomplete, no_logs or logging_off.
    """

    account_id: str
    account_name: str
    region: str
    first_day: date
    last_day: date
    cloudwatch_calls: int
    logged_calls: int
    cloudwatch_tokens: int
    logged_tokens: int
    ratio: float | None
    lowest_ratio: float | None
    status: str


@dataclass(frozen=True)
class LogSource:
    """Log objects of one account and Region: how many were read, and what of them could not be."""

    source: str
    account_id: str | None
    region: str | None
    objects: int
    broken_objects: int
    records: int
    quarantined_records: int


@dataclass(frozen=True)
class Costs:
    """The part that rests on invocation logs. `total` is NULL when the days have no logged call."""

    first_day: date | None = None
    last_day: date | None = None
    total: CostRow | None = None
    models: tuple[CostRow, ...] = table()
    applications: tuple[CostRow, ...] = table()
    callers: tuple[CostRow, ...] = table()
    tags: tuple[TagCosts, ...] = ()
    days: tuple[ApplicationDays, ...] = ()
    prices: tuple[PriceUsed, ...] = ()
    unpriced: tuple[UnpricedUse, ...] = ()
    logging: tuple[LoggingState, ...] = ()
    completeness: tuple[Completeness, ...] = ()
    log_sources: tuple[LogSource, ...] = ()
