"""What a report says of how a pool is used, as values: throttles, reservations, performance, hours of the week.

Here: the types. Not here: where the numbers come from (`usage_details.py`), the rest of the report (`contents.py`).
NULL means unknown everywhere, never zero.
"""

from dataclasses import dataclass
from datetime import date, datetime

from usage_pipeline.report.table_rows import table

PERCENTILE_STEP = 1.02
"""Times that are counted together differ by at most this factor, so that their middle is within 1 % of each."""


@dataclass(frozen=True)
class CauseDay:
    """A row of `marts.throttle_causes_daily`: one cause of a pool's throttles on one UTC day."""

    usage_date: date
    cause: str
    throttled_minutes: int
    certain_minutes: int
    throttles: int
    minutes_share: float
    throttles_share: float


@dataclass(frozen=True)
class ThrottledMinute:
    """A row of `marts.throttle_events`, without its lists of consumers and victims."""

    ts: datetime
    resolution_seconds: int
    throttles: int
    invocations: int
    cause: str
    is_certain: bool
    is_retry_storm: bool | None
    consumed_tokens: int | None
    reserved_tokens: int | None
    tpm_limit: int | None
    rpm_limit: int | None
    tpd_limit: int | None


@dataclass(frozen=True)
class Consumer:
    """Who used a pool while it was throttled: sums over the minutes in which it was among the ten that used most.

    Application and caller are NULL where the logs lack calls of the profile.
    """

    profile_id: str
    profile_name: str
    application: str | None
    role_or_user: str | None
    minutes: int
    tokens: int | None
    invocations: int | None


@dataclass(frozen=True)
class Victim:
    """Whose requests were turned away: sums over the minutes in which it was among the ten with most throttles."""

    profile_id: str
    profile_name: str
    minutes: int
    throttles: int


@dataclass(frozen=True)
class RetryStorm:
    """Minutes `[start, end)` in a row of which each belongs to a retry storm."""

    start: datetime
    end: datetime
    minutes: int
    throttles: int
    invocations: int


@dataclass(frozen=True)
class Throttling:
    """A pool's throttles over the report's days. `events` are the minutes with most throttles, `minutes` counts all."""

    minutes: int
    throttles: int
    causes: tuple[CauseDay, ...] = table()
    events: tuple[ThrottledMinute, ...] = table()
    consumers: tuple[Consumer, ...] = table()
    victims: tuple[Victim, ...] = table()
    storms: tuple[RetryStorm, ...] = table()


@dataclass(frozen=True)
class Reservation:
    """What a pool's calls held at their start, against what they consumed in the end, over the report's days.

    Of minutes in which both are known: `minutes`. `for_nothing_tokens` were held and given back, `for_nothing_share` is
    their part of what was held. `reserved_peak` is the most that calls in flight held at once.
    """

    minutes: int
    estimated_minutes: int
    initial_reservation_tokens: int | None
    settled_tokens: int | None
    for_nothing_tokens: int | None
    for_nothing_share: float | None
    reserved_peak: int | None
    reserved_peak_at: datetime | None


@dataclass(frozen=True)
class Performance:
    """How long logged calls took, in milliseconds: `latency_ms`, `ttft_ms` or `tpot_ms` (per output token).

    `application` is NULL for all calls together. Count, average and extremes are exact; percentiles are within 1 %.
    """

    application: str | None
    metric: str
    calls: int
    average: float
    min: float
    max: float
    p50: float
    p90: float
    p99: float


@dataclass(frozen=True)
class PerformanceDay:
    """The same of one UTC day, all applications together."""

    usage_date: date
    metric: str
    calls: int
    average: float
    p50: float
    p90: float
    p99: float


@dataclass(frozen=True)
class HeatMap:
    """The hours of the week in UTC, over the longest window: lists of 168, Monday 00:00 first.

    Sums and highest minutes; an hour that was never read has NULL in each. Tokens are NULL where a rate is unknown.
    """

    minutes_covered: list[float | int | None]
    minutes_active: list[float | int | None]
    tokens: list[float | int | None]
    tpm_max: list[float | int | None]
    requests: list[float | int | None]
    rpm_max: list[float | int | None]
    throttles: list[float | int | None]


@dataclass(frozen=True)
class ProfileDay:
    """What one profile used on one UTC day: sums that add up to the pool's."""

    usage_date: date
    profile_id: str
    consumed_tokens: int | None
    invocations: int
    throttles: int


@dataclass(frozen=True)
class WindowTotals:
    """A pool's risk and use over the whole UTC days of one window, as the pool has them over the longest."""

    risk: str
    utilization_peak: float | None
    utilization_quota: str | None
    headroom: float | None
    throttles: int | None
    throttled_minutes: int | None
    consumed_tokens: int | None
