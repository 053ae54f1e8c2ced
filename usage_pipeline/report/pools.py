"""Pools with everything that the report says of each: quotas, profiles, statistics, charts, risk.

Here: joining rows of the marts to pools, and the order of risk. Not here: queries (`queries.py`), what a risk is
(`risk.py`), formulas (`dbt_like_sql/`).
"""

from collections import defaultdict
from collections.abc import Collection, Iterable, Mapping, Sequence
from dataclasses import dataclass, replace
from datetime import date, datetime
from typing import Any, TypeVar

import duckdb

from usage_pipeline.report import queries
from usage_pipeline.report.anchors import pool_anchor
from usage_pipeline.report.chart_levels import ChartWindow
from usage_pipeline.report.chart_series import PoolSeries, read_pool_series
from usage_pipeline.report.console_links import service_quota_url
from usage_pipeline.report.contents import (
    Contribution,
    Pool,
    Profile,
    Quota,
    QuotaDay,
    QuotaKind,
    Statistic,
    TopProfile,
    WindowDays,
)
from usage_pipeline.report.outlook_contents import DayEnd, ForecastDay, QuotaOutlook
from usage_pipeline.report.outlooks import PoolQuota, exhaustion, read_day_ends, read_forecasts, read_outlooks
from usage_pipeline.report.risk import Exposure, risk_of, risk_sort_key
from usage_pipeline.report.table_rows import filled, rows
from usage_pipeline.report.usage_contents import WindowTotals
from usage_pipeline.report.usage_details import Scope, Stretches, UsageDetails, read_usage_details

Row = dict[str, Any]
T = TypeVar("T")

QUOTA_KINDS: tuple[QuotaKind, ...] = ("tpm", "rpm", "tpd", "concurrency")


@dataclass(frozen=True)
class ReportDays:
    """The UTC days of the risk order: as many as the longest window has, both inclusive."""

    first: date
    last: date

    @property
    def parameters(self) -> dict[str, date]:
        """As the queries name them."""
        return {"first_day": self.first, "last_day": self.last}


@dataclass(frozen=True)
class _PoolParts:
    """What belongs to pools, by pool id."""

    peaks: dict[str, dict[str, Row]]
    quota_days: dict[tuple[str, str], tuple[QuotaDay, ...]]
    totals: dict[str, Row]
    profiles: dict[str, tuple[Profile, ...]]
    statistics: dict[str, tuple[Statistic, ...]]
    contributions: dict[str, tuple[Contribution, ...]]
    series: dict[str, PoolSeries]
    outlooks: dict[PoolQuota, QuotaOutlook]
    forecasts: dict[PoolQuota, tuple[ForecastDay, ...]]
    day_ends: dict[str, DayEnd]
    details: UsageDetails
    window_days: Mapping[str, WindowDays]
    read_scopes: Collection[Scope]


def read_pools(
    con: duckdb.DuckDBPyConnection,
    windows: tuple[ChartWindow, ...],
    days: ReportDays,
    window_days: Mapping[str, WindowDays],
    covered: Mapping[Scope, Stretches],
    warning_utilization: float,
) -> tuple[Pool, ...]:
    """Read every pool, most urgent first. `covered` has the (account, Region) whose use is known, and when.

    Raises:
        duckdb.Error: a table or column is missing from the published file.
    """
    names = {"windows": [window.name for window in windows]}
    peaks: dict[str, dict[str, Row]] = defaultdict(dict)
    for row in rows(con, queries.QUOTA_PEAKS, days.parameters):
        peaks[row["pool_id"]][row["quota"]] = row
    parts = _PoolParts(
        peaks=peaks,
        quota_days=_read_quota_days(con, days),
        totals={row["pool_id"]: row for row in rows(con, queries.POOL_TOTALS, days.parameters)},
        profiles=_by_pool(Profile, rows(con, queries.PROFILES, days.parameters)),
        statistics=_by_pool(Statistic, rows(con, queries.STATISTICS, names)),
        contributions=_by_pool(Contribution, rows(con, queries.CONTRIBUTIONS, names)),
        series=read_pool_series(con, windows),
        outlooks=read_outlooks(con),
        forecasts=read_forecasts(con),
        day_ends=read_day_ends(con),
        details=read_usage_details(con, days.parameters, _span(windows), covered),
        window_days=window_days,
        read_scopes=covered.keys(),
    )
    pools = [_pool(row, parts, warning_utilization) for row in rows(con, queries.POOLS)]
    return tuple(
        sorted(pools, key=lambda pool: (*risk_sort_key(pool.risk, pool.utilization_peak, pool.throttles), pool.pool_id))
    )


def _span(windows: tuple[ChartWindow, ...]) -> tuple[datetime, datetime] | None:
    return (windows[-1].start, windows[-1].end) if windows else None


def _by_pool(kind: type[T], found: Iterable[Row]) -> dict[str, tuple[T, ...]]:
    groups: dict[str, list[T]] = defaultdict(list)
    for row in found:
        groups[row["pool_id"]].append(filled(kind, row))
    return {pool_id: tuple(group) for pool_id, group in groups.items()}


def _read_quota_days(con: duckdb.DuckDBPyConnection, days: ReportDays) -> dict[tuple[str, str], tuple[QuotaDay, ...]]:
    groups: dict[tuple[str, str], list[QuotaDay]] = defaultdict(list)
    for row in rows(con, queries.QUOTA_DAYS, days.parameters):
        groups[row["pool_id"], row["quota"]].append(filled(QuotaDay, row | {"top_profiles": _top_profiles(row)}))
    return {key: tuple(group) for key, group in groups.items()}


def _top_profiles(row: Row) -> list[TopProfile]:
    return [filled(TopProfile, profile) for profile in row.get("top_profiles") or ()]


def _pool(row: Row, parts: _PoolParts, warning_utilization: float) -> Pool:
    pool_id = row["pool_id"]
    quotas = tuple(quota for kind in QUOTA_KINDS if (quota := _quota(kind, row, parts)))
    nearest = max(quotas, key=lambda quota: quota.utilization_peak or 0.0)
    was_read = (row["account_id"], row["region"]) in parts.read_scopes
    nothing = 0 if was_read else None
    totals = parts.totals.get(pool_id, {"throttles": nothing, "throttled_minutes": nothing, "consumed_tokens": nothing})
    exposure = Exposure(
        was_read=was_read,
        has_traffic=pool_id in parts.totals,
        has_rate_limit=row["tpm_limit"] is not None or row["rpm_limit"] is not None,
        utilization_peak=nearest.utilization_peak,
        minutes_over_limit=max(quota.minutes_over_limit or 0 for quota in quotas),
        throttles=totals["throttles"] or 0,
    )
    return filled(
        Pool,
        row
        | totals
        | {
            "anchor": pool_anchor(pool_id),
            "risk": risk_of(exposure, warning_utilization),
            "has_traffic": exposure.has_traffic,
            "utilization_peak": nearest.utilization_peak,
            "utilization_quota": nearest.kind if nearest.utilization_peak is not None else None,
            "headroom": nearest.headroom,
            "quotas": quotas,
            "profiles": parts.profiles.get(pool_id, ()),
            "statistics": parts.statistics.get(pool_id, ()),
            "contributions": parts.contributions.get(pool_id, ()),
            "series": parts.series.get(pool_id, PoolSeries()),
            "exhaustion": exhaustion((quota.kind, quota.outlook) for quota in quotas if quota.outlook),
            "day_end": parts.day_ends.get(pool_id),
            "windows": _window_totals(pool_id, exposure, parts, warning_utilization),
            "throttling": parts.details.throttling.get(pool_id),
            "reservation": parts.details.reservations.get(pool_id),
            "performance": parts.details.performance.get(pool_id, ()),
            "performance_days": parts.details.performance_days.get(pool_id, ()),
            "heat": parts.details.heat.get(pool_id),
            "profile_days": parts.details.profile_days.get(pool_id, ()),
        },
    )


def _window_totals(
    pool_id: str, exposure: Exposure, parts: _PoolParts, warning_utilization: float
) -> dict[str, WindowTotals]:
    """The pool's risk and use by window, from the days of its quotas; only for pools with use."""
    if not exposure.has_traffic:
        return {}
    days = {kind: parts.quota_days.get((pool_id, kind), ()) for kind in QUOTA_KINDS}
    return {
        name: _totals_within(
            {
                kind: [day for day in found if within.first_day <= day.usage_date <= within.last_day]
                for kind, found in days.items()
            },
            exposure,
            warning_utilization,
        )
        for name, within in parts.window_days.items()
    }


def _totals_within(
    days: Mapping[str, Sequence[QuotaDay]], exposure: Exposure, warning_utilization: float
) -> WindowTotals:
    peaks = {kind: max((day.utilization_peak or 0.0 for day in found), default=0.0) for kind, found in days.items()}
    known = [kind for kind, found in days.items() if any(day.utilization_peak is not None for day in found)]
    nearest = max(known, key=lambda kind: peaks[kind], default=None)
    utilization = None if nearest is None else peaks[nearest]
    totals = days["tpd"]
    throttles = sum(day.throttles for day in totals)
    minutes_over = max((sum(day.minutes_over_limit or 0 for day in found) for found in days.values()), default=0)
    shown = replace(
        exposure,
        has_traffic=bool(totals),
        utilization_peak=utilization,
        minutes_over_limit=minutes_over,
        throttles=throttles,
    )
    consumed = None if any(day.peak is None for day in totals) else round(sum(day.peak or 0 for day in totals))
    return WindowTotals(
        risk=risk_of(shown, warning_utilization),
        utilization_peak=utilization,
        utilization_quota=nearest,
        headroom=None if utilization is None else 1 - utilization,
        throttles=throttles,
        throttled_minutes=sum(day.throttled_minutes for day in totals),
        consumed_tokens=consumed,
    )


def _quota(kind: QuotaKind, pool: Row, parts: _PoolParts) -> Quota | None:
    """One quota of the pool; None for tokens per day and concurrency that nobody looked for or AWS does not list."""
    status = pool[f"{kind}_mapping_status"]
    if (kind in ("tpd", "concurrency") and status is None) or (kind == "concurrency" and status == "no_quota"):
        return None
    code = pool[f"{kind}_quota_code"]
    peaks = parts.peaks.get(pool["pool_id"], {}).get(kind, {})
    return filled(
        Quota,
        peaks
        | {
            "kind": kind,
            "code": code,
            "name": pool[f"{kind}_quota_name"],
            "limit_value": pool[f"{kind}_limit"],
            "limit_source": pool[f"{kind}_limit_source"],
            "limit_as_of": pool["limit_as_of"] if code else None,
            "mapping_status": status or ("no_quota" if pool["mapping_status"] == "no_quota" else "unmapped"),
            "is_doubled": kind == "tpd" and pool["tpd_is_doubled"],
            "console_url": service_quota_url(pool["region"], code) if code else None,
            "top_profiles": _top_profiles(peaks),
            "days": parts.quota_days.get((pool["pool_id"], kind), ()),
            "outlook": parts.outlooks.get((pool["pool_id"], kind)),
            "forecast": parts.forecasts.get((pool["pool_id"], kind), ()),
        },
    )
