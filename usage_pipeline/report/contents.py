"""What a report holds, as values: the same keys as `report.json`, described in `report_schema.md`.

Here: the types. Not here: where the numbers come from (`numbers.py`), the points of charts (`chart_series.py`).
NULL means unknown everywhere, never zero. Times are UTC without a zone.
"""

from dataclasses import dataclass, field
from datetime import date, datetime
from typing import Any, Literal

from usage_pipeline.report.chart_levels import ChartWindow
from usage_pipeline.report.chart_series import PoolSeries
from usage_pipeline.report.cost_contents import Costs
from usage_pipeline.report.cost_cube import CubeRow, IncompleteDay
from usage_pipeline.report.finding_contents import FindingCard
from usage_pipeline.report.ledger_contents import Bill, QuotaChange
from usage_pipeline.report.outlook_contents import (
    CostChange,
    DayEnd,
    Exhaustion,
    ForecastDay,
    MaxTokens,
    MonthCost,
    QuotaOutlook,
)
from usage_pipeline.report.q_developer_contents import QDeveloper
from usage_pipeline.report.risk import Risk
from usage_pipeline.report.table_rows import BY_COLUMN, table
from usage_pipeline.report.usage_contents import (
    HeatMap,
    Performance,
    PerformanceDay,
    ProfileDay,
    Reservation,
    Throttling,
    WindowTotals,
)

SCHEMA_VERSION = 3
"""Version of `report.json`; grows when a key changes its meaning or goes away."""

QuotaKind = Literal["tpm", "rpm", "tpd", "concurrency"]


@dataclass(frozen=True)
class SourceFailure:
    """One source that AWS did not answer for, in one scope: the newest error, and the days that lack it."""

    source: str
    status: str
    error_text: str | None
    first_day: date
    last_day: date
    days: int


@dataclass(frozen=True)
class CoveredTime:
    """A stretch `[start, end)` of which CloudWatch metrics were read; outside it, use is unknown."""

    start: datetime
    end: datetime


@dataclass(frozen=True)
class ScopeReading:
    """One account and Region, and how reading it went. Region is NULL when the account could not be reached."""

    account_id: str | None
    account_name: str
    region: str | None
    data_up_to: datetime | None
    covered: tuple[CoveredTime, ...]
    failures: tuple[SourceFailure, ...]


@dataclass(frozen=True)
class CheckResult:
    """One data check over the whole warehouse. `examples` are up to 20 rows that contradict it."""

    check_name: str
    asset: str
    passed: bool
    severity: str
    failing_rows: int
    description: str
    examples: tuple[Any, ...]


@dataclass(frozen=True)
class TopProfile:
    """One of the profiles that used most at a pool's worst minute, with its share of that minute (0 to 1)."""

    profile_id: str
    profile_name: str
    share: float


@dataclass(frozen=True)
class QuotaDay:
    """One UTC day of one quota: a row of `marts.quota_headroom`."""

    usage_date: date
    limit_value: float | None
    peak: float | None
    p50: float | None
    p90: float | None
    p99: float | None
    p50_active: float | None
    p90_active: float | None
    p99_active: float | None
    utilization_peak: float | None
    minutes_over_80pct: int | None
    minutes_over_limit: int | None
    throttles: int
    throttled_minutes: int
    worst_minute: datetime | None
    top_profiles: tuple[TopProfile, ...]
    resolution_seconds: int


@dataclass(frozen=True)
class Quota:
    """One quota of a pool: its newest value, and how near use came to it on the report's days.

    `peak`, `utilization_peak`, `worst_minute` and `top_profiles` are of the worst day; minutes are sums over the days.
    """

    kind: QuotaKind
    code: str | None
    name: str | None
    limit_value: float | None
    limit_source: str | None
    limit_as_of: date | None
    mapping_status: str
    is_doubled: bool
    console_url: str | None
    peak: float | None = None
    utilization_peak: float | None = None
    headroom: float | None = None
    minutes_over_80pct: int | None = None
    minutes_over_limit: int | None = None
    worst_minute: datetime | None = None
    top_profiles: tuple[TopProfile, ...] = ()
    coarse_days: int = 0
    days: tuple[QuotaDay, ...] = table()
    outlook: QuotaOutlook | None = None
    forecast: tuple[ForecastDay, ...] = table()


@dataclass(frozen=True)
class Profile:
    """One ModelId that draws on a pool. `tags` is NULL when they could not be read."""

    profile_id: str
    profile_name: str
    profile_kind: str
    tags: dict[str, str] | None


@dataclass(frozen=True)
class Statistic:
    """A row of `marts.usage_statistics`; `profile_id` is ALL for the pool's sum over its profiles."""

    profile_id: str
    window_name: str
    metric: str
    basis: str
    p50: float | None
    p90: float | None
    p95: float | None
    p99: float | None
    p999: float | None
    max: float | None
    average: float | None
    total: int | None
    data_points: int
    unknown_periods: int | None
    covered_minutes: int
    coarse_minutes: int
    window_minutes: int
    partial_days: int | None


@dataclass(frozen=True)
class Contribution:
    """What one profile adds to its pool in a window. `share` is its part of the consumed tokens (0 to 1)."""

    profile_id: str
    window_name: str
    basis: str
    tpm_p50: float | None
    tpm_p90: float | None
    tpm_average: float | None
    rpm_p50: float | None
    rpm_p90: float | None
    rpm_average: float | None
    tpd_p50: float | None
    tpd_p90: float | None
    tpd_average: float | None
    consumed_tokens: int | None
    invocations: int | None
    throttles: int | None
    share: float | None


@dataclass(frozen=True)
class Pool:
    """What one set of quotas limits, most urgent first in the report.

    `utilization_peak`, `utilization_quota` and `headroom` are of the quota that came nearest to its limit.
    `throttles`, `throttled_minutes` and `consumed_tokens` are sums over the report's days, NULL when none was read.
    `windows` has the same of each window's days, for pools with use. `throttling` is NULL without throttled minutes,
    `heat` without use in the longest window.
    """

    anchor: str
    pool_id: str
    account_id: str
    account_name: str
    region: str
    provider: str | None
    model_id: str
    model_name: str
    endpoint_type: str
    burndown_rate: float | None
    burndown_source: str | None
    max_output_tokens: int | None
    mapping_method: str
    mapping_status: str
    last_used_date: date | None
    risk: Risk
    has_traffic: bool
    utilization_peak: float | None
    utilization_quota: QuotaKind | None
    headroom: float | None
    throttles: int | None
    throttled_minutes: int | None
    consumed_tokens: int | None
    quotas: tuple[Quota, ...]
    profiles: tuple[Profile, ...]
    statistics: tuple[Statistic, ...] = field(metadata=BY_COLUMN)
    contributions: tuple[Contribution, ...] = field(metadata=BY_COLUMN)
    series: PoolSeries
    exhaustion: Exhaustion | None = None
    day_end: DayEnd | None = None
    windows: dict[str, WindowTotals] = field(default_factory=dict[str, WindowTotals])
    throttling: Throttling | None = None
    reservation: Reservation | None = None
    performance: tuple[Performance, ...] = table()
    performance_days: tuple[PerformanceDay, ...] = table()
    heat: HeatMap | None = None
    profile_days: tuple[ProfileDay, ...] = table()


@dataclass(frozen=True)
class UnresolvedProfile:
    """A ModelId that belongs to no known pool; its use is in no pool's numbers."""

    account_id: str
    account_name: str
    region: str
    profile_id: str
    profile_name: str | None
    profile_kind: str | None
    status: str
    reason: str | None
    candidates: tuple[str, ...]
    invocations: int
    throttles: int
    input_tokens: int
    output_tokens: int
    last_used: datetime | None


@dataclass(frozen=True)
class ReportSummary:
    """The verdict: what a person should know before reading on."""

    pools: int
    pools_by_risk: dict[str, int]
    throttles: int
    scopes_read: int
    scopes_failed: int
    checks_passed: int
    checks_failed: int
    unresolved_profiles: int
    data_up_to: datetime | None


@dataclass(frozen=True)
class WindowDays:
    """The UTC days of one window, both inclusive: as many as it has, the last of which may not be over."""

    first_day: date
    last_day: date


@dataclass(frozen=True)
class Report:
    """Everything in the report. `first_day` to `last_day` are the UTC days of the risk order and the quota tables."""

    schema_version: int
    generated_at: datetime
    utilization_warning: float
    first_day: date | None
    last_day: date | None
    summary: ReportSummary
    windows: tuple[ChartWindow, ...]
    scopes: tuple[ScopeReading, ...]
    checks: tuple[CheckResult, ...]
    pools: tuple[Pool, ...] = ()
    unresolved_profiles: tuple[UnresolvedProfile, ...] = ()
    costs: Costs = field(default=Costs())
    findings: tuple[FindingCard, ...] = ()
    window_days: dict[str, WindowDays] = field(default_factory=dict[str, WindowDays])
    cost_changes: tuple[CostChange, ...] = ()
    month: MonthCost | None = None
    max_tokens: tuple[MaxTokens, ...] = table()
    quota_changes: tuple[QuotaChange, ...] = ()
    bill: Bill | None = None
    cube: tuple[CubeRow, ...] = table()
    incomplete_days: tuple[IncompleteDay, ...] = table()
    q_developer: QDeveloper | None = None
