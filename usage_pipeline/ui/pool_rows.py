"""Pools with how near they came to their quotas, most urgent first.

Here: the report's queries joined to one row per pool. Not here: what a risk is (`report/risk.py`), one pool's own
tables (`one_pool.py`).
"""

from collections import defaultdict
from datetime import date
from typing import Any

import duckdb

from usage_pipeline.report import queries
from usage_pipeline.report.risk import Exposure, Risk, risk_of, risk_sort_key
from usage_pipeline.report.table_rows import rows

Row = dict[str, Any]

RISK_WORDS: dict[Risk, str] = {
    "critical": "▲ over or throttled",
    "warning": "◆ close to quota",
    "unknown": "? unknown",
    "ok": "✓ room left",
    "idle": "– idle",
}
"""A sign and words, so that no colour is needed."""

_EXHAUSTION = """
    select
        pool_id,
        min(reaches_limit_on) as reaches_limit_on,
        list(reaches_limit) filter (where reaches_limit is not null) as statuses,
    from marts.quota_recommendations
    group by pool_id
"""


def read_pool_rows(con: duckdb.DuckDBPyConnection, first_day: date, last_day: date, warning: float) -> list[Row]:
    """One row per pool that was used on the UTC days, both inclusive; `warning` is the share of a quota that is near.

    `utilization_peak` is the highest share of any of its quotas in any minute, `minutes_over_limit` the minutes
    over the quota that is passed most often; NULL while no limit is known.
    """
    days = {"first_day": first_day, "last_day": last_day}
    peaks: dict[str, list[Row]] = defaultdict(list)
    for row in rows(con, queries.QUOTA_PEAKS, days):
        peaks[row["pool_id"]].append(row)
    totals = {row["pool_id"]: row for row in rows(con, queries.POOL_TOTALS, days)}
    ends = {row["pool_id"]: row for row in rows(con, _EXHAUSTION)}
    found = [
        _row(pool, peaks[pool["pool_id"]], totals[pool["pool_id"]], ends.get(pool["pool_id"], {}), warning)
        for pool in rows(con, queries.POOLS)
        if pool["pool_id"] in totals
    ]
    return sorted(
        found,
        key=lambda row: (*risk_sort_key(row["risk"], row["utilization_peak"], row["throttles"]), row["pool_id"]),
    )


def _row(pool: Row, peaks: list[Row], totals: Row, end: Row, warning: float) -> Row:
    known = [peak for peak in peaks if peak["utilization_peak"] is not None]
    nearest = max(known, key=lambda peak: peak["utilization_peak"], default=None)
    minutes = [peak["minutes_over_limit"] for peak in peaks if peak["minutes_over_limit"] is not None]
    exposure = Exposure(
        was_read=True,
        has_traffic=True,
        has_rate_limit=pool["tpm_limit"] is not None or pool["rpm_limit"] is not None,
        utilization_peak=nearest["utilization_peak"] if nearest else None,
        minutes_over_limit=max(minutes, default=0),
        throttles=totals["throttles"] or 0,
    )
    risk = risk_of(exposure, warning)
    return (
        pool
        | totals
        | {
            "risk": risk,
            "risk_words": RISK_WORDS[risk],
            "utilization_peak": exposure.utilization_peak,
            "utilization_quota": nearest["quota"] if nearest else None,
            "headroom": nearest["headroom"] if nearest else None,
            "worst_minute": nearest["worst_minute"] if nearest else None,
            "minutes_over_limit": max(minutes, default=None),
            "reaches_limit": _reaches(end),
        }
    )


def _reaches(end: Row) -> str | None:
    """When the first of the pool's quotas is used up, as text; NULL where no limit is known."""
    statuses = end.get("statuses") or []
    if "reached" in statuses:
        return "reached"
    if end.get("reaches_limit_on") is not None:
        return f"{end['reaches_limit_on']}"
    if "too_few_days" in statuses:
        return "too few days to say"
    return "not in 180 days" if statuses else None
