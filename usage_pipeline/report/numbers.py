"""The report's numbers, read from the published tables.

Here: queries that choose, join and order rows of the marts, and their assembly into a `Report`. Not here: pools
(`pools.py`), cost and callers (`costs.py`), formulas (`dbt_like_sql/`), HTML (`render.py`).
"""

import json
from collections import defaultdict
from collections.abc import Iterable
from datetime import date, datetime, timedelta
from typing import Any

import duckdb

from usage_pipeline.checks.sources import UNANSWERED
from usage_pipeline.config import GRANULARITY_SECONDS, WINDOW_LENGTHS, ReportSettings
from usage_pipeline.report import queries
from usage_pipeline.report.chart_levels import ChartWindow
from usage_pipeline.report.contents import (
    SCHEMA_VERSION,
    CheckResult,
    CoveredTime,
    Pool,
    Report,
    ReportSummary,
    ScopeReading,
    SourceFailure,
    UnresolvedProfile,
    WindowDays,
)
from usage_pipeline.report.cost_contents import Costs
from usage_pipeline.report.cost_cube import read_cube, read_incomplete_days
from usage_pipeline.report.costs import read_costs
from usage_pipeline.report.findings import read_findings
from usage_pipeline.report.ledgers import read_bill, read_quota_changes
from usage_pipeline.report.outlooks import read_cost_changes, read_max_tokens, read_month
from usage_pipeline.report.pools import ReportDays, read_pools
from usage_pipeline.report.q_developer import read_q_developer
from usage_pipeline.report.risk import RISK_ORDER
from usage_pipeline.report.table_rows import filled, rows


def read_report(con: duckdb.DuckDBPyConnection, settings: ReportSettings, generated_at: datetime) -> Report:
    """Read everything that the report shows; `generated_at` is UTC without a zone.

    Raises:
        duckdb.Error: a table or column is missing from the published file.
    """
    windows = _read_windows(con, settings)
    days = _report_days(windows)
    scopes = _read_scopes(con, days)
    checks = _read_checks(con)
    window_days = {window.name: _days_of(window) for window in windows}
    covered = {
        (scope.account_id, scope.region): [(stretch.start, stretch.end) for stretch in scope.covered]
        for scope in scopes
        if scope.covered
    }
    pools = read_pools(con, windows, days, window_days, covered, settings.utilization_warning)
    unresolved = tuple(filled(UnresolvedProfile, row) for row in rows(con, queries.UNRESOLVED_PROFILES))
    max_tokens = read_max_tokens(con)
    costs = read_costs(con, days.first if windows else None, days.last if windows else None)
    return Report(
        schema_version=SCHEMA_VERSION,
        generated_at=generated_at,
        utilization_warning=settings.utilization_warning,
        first_day=days.first if windows else None,
        last_day=days.last if windows else None,
        summary=_summarise(scopes, checks, pools, unresolved),
        windows=windows,
        scopes=scopes,
        checks=checks,
        pools=pools,
        unresolved_profiles=unresolved,
        costs=costs,
        findings=read_findings(con, pools, scopes, checks, max_tokens, days.parameters),
        window_days=window_days,
        cost_changes=read_cost_changes(con, windows),
        month=read_month(con),
        max_tokens=max_tokens,
        quota_changes=read_quota_changes(con, days.parameters),
        bill=read_bill(con, days.parameters),
        q_developer=read_q_developer(con, days.first if windows else None, days.last if windows else None),
        **_read_cube(con, costs),
    )


def _read_cube(con: duckdb.DuckDBPyConnection, costs: Costs) -> dict[str, Any]:
    if costs.first_day is None or costs.last_day is None:
        return {}
    return {
        "cube": read_cube(con, costs.first_day, costs.last_day),
        "incomplete_days": read_incomplete_days(con, costs.first_day, costs.last_day),
    }


# ---------------------------------------------------------------------------------------------------------------------
# Time: windows and days


def _read_windows(con: duckdb.DuckDBPyConnection, settings: ReportSettings) -> tuple[ChartWindow, ...]:
    """The configured windows that the statistics have, shortest first."""
    ends = {row["window_name"]: row for row in rows(con, queries.WINDOWS)}
    granularity = settings.granularity_by_window
    return tuple(
        ChartWindow(name, ends[name]["window_start"], ends[name]["window_end"], GRANULARITY_SECONDS[granularity[name]])
        for name in WINDOW_LENGTHS
        if name in granularity and name in ends
    )


def _report_days(windows: tuple[ChartWindow, ...]) -> ReportDays:
    if not windows:
        return ReportDays(date.min, date.min)
    longest = _days_of(windows[-1])
    return ReportDays(longest.first_day, longest.last_day)


def _days_of(window: ChartWindow) -> WindowDays:
    """As many UTC days as the window has, one at least; the last may not be over yet."""
    # A window that ends at midnight ends with the day before.
    last_day = (window.end - timedelta(microseconds=1)).date()
    length = max((window.end - window.start).days, 1)
    return WindowDays(last_day - timedelta(days=length - 1), last_day)


# ---------------------------------------------------------------------------------------------------------------------
# How the reading and the checks went


def _read_scopes(con: duckdb.DuckDBPyConnection, days: ReportDays) -> tuple[ScopeReading, ...]:
    failures: dict[tuple[Any, ...], list[SourceFailure]] = defaultdict(list)
    for row in rows(con, UNANSWERED):
        failures[row["account_name"], row["account_id"], row["region"]].append(filled(SourceFailure, row))
    covered: dict[tuple[Any, ...], list[CoveredTime]] = defaultdict(list)
    for row in rows(con, queries.COVERED_TIMES, days.parameters):
        covered[row["account_id"], row["region"]].append(CoveredTime(row["covered_from"], row["covered_until"]))
    scopes = [
        ScopeReading(
            account_id=row["account_id"],
            account_name=row["account_name"],
            region=row["region"],
            data_up_to=row["data_up_to"],
            covered=_joined(covered[row["account_id"], row["region"]]),
            failures=tuple(failures.pop((row["account_name"], row["account_id"], row["region"]), ())),
        )
        for row in rows(con, queries.SCOPES)
    ]
    # What is left could not even be reached to learn its Regions.
    scopes += [
        ScopeReading(account_id, account_name, region, None, (), tuple(found))
        for (account_name, account_id, region), found in failures.items()
    ]
    return tuple(sorted(scopes, key=lambda scope: (scope.account_name, scope.region or "")))


def _joined(stretches: Iterable[CoveredTime]) -> tuple[CoveredTime, ...]:
    """Neighbouring stretches as one; they come in time order."""
    joined: list[CoveredTime] = []
    for stretch in stretches:
        if joined and stretch.start <= joined[-1].end:
            joined[-1] = CoveredTime(joined[-1].start, max(joined[-1].end, stretch.end))
        else:
            joined.append(stretch)
    return tuple(joined)


def _read_checks(con: duckdb.DuckDBPyConnection) -> tuple[CheckResult, ...]:
    return tuple(
        filled(CheckResult, row | {"examples": json.loads(row["examples"] or "[]")})
        for row in rows(con, queries.CHECK_RESULTS)
    )


# ---------------------------------------------------------------------------------------------------------------------
# The verdict


def _summarise(
    scopes: tuple[ScopeReading, ...],
    checks: tuple[CheckResult, ...],
    pools: tuple[Pool, ...],
    unresolved: tuple[UnresolvedProfile, ...],
) -> ReportSummary:
    failed_scopes = sum(bool(scope.failures) for scope in scopes)
    failed_checks = sum(not check.passed for check in checks)
    return ReportSummary(
        pools=len(pools),
        pools_by_risk={risk: sum(pool.risk == risk for pool in pools) for risk in RISK_ORDER},
        throttles=sum(pool.throttles or 0 for pool in pools),
        scopes_read=len(scopes) - failed_scopes,
        scopes_failed=failed_scopes,
        checks_passed=len(checks) - failed_checks,
        checks_failed=failed_checks,
        unresolved_profiles=len(unresolved),
        data_up_to=max((scope.data_up_to for scope in scopes if scope.data_up_to), default=None),
    )
