"""What a report says of the time to come, and of costs against the time before, as values.

Here: the types. Not here: where the numbers come from (`outlooks.py`), the rest of the report (`contents.py`).
NULL means unknown everywhere, never zero.
"""

from dataclasses import dataclass
from datetime import date, datetime
from decimal import Decimal


@dataclass(frozen=True)
class QuotaOutlook:
    """A row of `marts.quota_recommendations`: which quota is needed, and how long today's lasts.

    Levels are in the quota's unit, dates are UTC days. `evidence_sql` shows the days behind it on the published file.
    """

    recommended: int | None
    recommended_low: int | None
    recommended_high: int | None
    ratio: float | None
    action: str | None
    grade: str | None
    dominant_term: str | None
    caveats: tuple[str, ...]
    peak: float | None
    peak_high: float | None
    return_level: float | None
    reserved_peak: int | None
    daily_growth: float | None
    daily_growth_low: float | None
    daily_growth_high: float | None
    trend_grade: str | None
    reaches_80pct: str | None
    reaches_80pct_on: date | None
    reaches_80pct_earliest: date | None
    reaches_80pct_latest: date | None
    reaches_limit: str | None
    reaches_limit_on: date | None
    reaches_limit_earliest: date | None
    reaches_limit_latest: date | None
    request_text: str | None
    evidence_sql: str | None
    as_of: date


@dataclass(frozen=True)
class ForecastDay:
    """A row of `marts.quota_forecasts`: the highest minute (tpd: the total) of a UTC day to come, and its interval."""

    usage_date: date
    forecast: float | None
    low: float | None
    high: float | None
    grade: str | None


@dataclass(frozen=True)
class DayEnd:
    """A row of `marts.day_end_forecasts`: what the pool's tokens of the UTC day that is not over will be at its end.

    `status` is projected, too_early, no_history or unknown_use. `reaches_limit_at` is NULL when the quota lasts.
    """

    usage_date: date
    covered_until: datetime
    status: str
    used_tokens: int | None
    projected_tokens: float | None
    low: float | None
    high: float | None
    grade: str | None
    limit_value: int | None
    reaches_limit_at: datetime | None
    evidence_sql: str | None


@dataclass(frozen=True)
class Exhaustion:
    """When the first of a pool's quotas is used up: `on` is the middle, four of five futures lie in between.

    `status` is reached, dated, later, no_upward_trend or too_few_days; dates are NULL unless it is dated.
    """

    quota: str
    status: str
    on: date | None
    earliest: date | None
    latest: date | None
    grade: str | None


@dataclass(frozen=True)
class CostChange:
    """Cost of a window's whole UTC days against as many days before them.

    The earlier cost and `change` (a share: 0.1 is a tenth more) are NULL unless the logs of all its days were read.
    `is_at_least`: logs are missing, or calls have no price, that would add to the cost.
    """

    window_name: str
    first_day: date
    last_day: date
    cost_usd: Decimal | None
    is_at_least: bool
    previous_first_day: date
    previous_last_day: date
    previous_cost_usd: Decimal | None
    change: float | None


@dataclass(frozen=True)
class MonthCost:
    """What the UTC month will have cost at its end, with an 80 % interval: a row of `marts.cost_forecasts`."""

    usage_month: date
    to_date_usd: Decimal | None
    projected_usd: Decimal | None
    low_usd: Decimal | None
    high_usd: Decimal | None
    grade: str | None
    projected_days: int
    unpriced_calls: int
    as_of: date


@dataclass(frozen=True)
class MaxTokens:
    """A row of `marts.max_tokens_recommendations`: which `max_tokens` is enough for an application."""

    pool_id: str
    application: str
    requests: int
    p999_output: int | None
    p999_output_low: int | None
    p999_output_high: int | None
    grade: str | None
    max_tokens_p50: int | None
    max_tokens_max: int | None
    recommended: int | None
    status: str
    reason: str | None
    truncated_share: float | None
    truncated_share_after: float | None
    freed_tokens: float | None
    more_at_once: int | None
    evidence_sql: str | None
    as_of: date
