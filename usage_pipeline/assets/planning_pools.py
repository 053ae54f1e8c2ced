"""Rows of the planning tables about one pool: percentiles, recommended quotas, forecasts, backtests.

Here: what is known of a pool in, rows out; neither Dagster nor DuckDB. Not here: the formulas (`planning/`), reading
what is known (`planning_inputs.py`), `max_tokens` (`planning_max_tokens.py`), costs (`planning_costs.py`).
"""

import datetime as dt
from collections.abc import Mapping
from dataclasses import dataclass, field

import numpy as np

from usage_pipeline.assets.planning_day_end import day_end_rows
from usage_pipeline.assets.planning_max_tokens import PoolFacts, Row, max_tokens_rows
from usage_pipeline.planning.forecasts import (
    HIGH,
    LOW,
    Exhaustion,
    Trend,
    backtest,
    exhaustion,
    fit_trend,
    forecast_peaks,
)
from usage_pipeline.planning.increase_request import Load, RequestFacts, increase_request
from usage_pipeline.planning.percentiles import (
    Basis,
    Floats,
    Grade,
    Interval,
    Level,
    Percentiles,
    ReturnLevel,
    grade,
    intervals,
    known_days,
    nearest_rank,
    percentiles,
    return_interval,
    return_level,
)
from usage_pipeline.planning.recommendations import LEAD_DAYS, Kind, QuotaRecommendation, QuotaUse, recommend_quota
from usage_pipeline.planning.reservations import held_by_minute, hold_in_peak_hours
from usage_pipeline.planning_evidence import quota_evidence
from usage_pipeline.planning_inputs import COMPLETE, DailyPeaks, Pool

DAYS_AHEAD = 30
"""Days that are forecast."""
DAYS_TESTED = 7
"""Newest days that are forecast again from what was known before them."""
TEST_DRAWS = 200
"""Draws behind the interval of each of these; many intervals are judged together, so each may be coarser."""
MARKS = {"reaches_80pct": 0.8, "reaches_limit": 1.0}
"""Shares of the limit whose day is looked for, by the column that tells it."""

_BASES: tuple[Basis, ...] = ("active", "all")
_KINDS: tuple[Kind, ...] = ("tpm", "rpm")
_LEVELS: tuple[Level, ...] = ("p50", "p90", "p95", "p99", "p999")


@dataclass
class PoolRows:
    """Rows of one or more pools, by table."""

    percentile_confidence: list[Row] = field(default_factory=list[Row])
    quota_recommendations: list[Row] = field(default_factory=list[Row])
    max_tokens_recommendations: list[Row] = field(default_factory=list[Row])
    quota_forecasts: list[Row] = field(default_factory=list[Row])
    forecast_backtests: list[Row] = field(default_factory=list[Row])
    day_end_forecasts: list[Row] = field(default_factory=list[Row])

    def extend(self, other: "PoolRows") -> None:
        """Add the rows of another pool."""
        for name, rows in vars(other).items():
            getattr(self, name).extend(rows)


@dataclass(frozen=True)
class _Measured:
    """Percentiles of one grid on one basis, with their intervals; `highest` is that of the return level."""

    percentiles: Percentiles
    intervals: Mapping[Level, Interval]
    highest: Interval | None
    days: int

    def grade(self, level: Level) -> Grade | None:
        value = getattr(self.percentiles, level)
        return None if value is None else grade(self.days, value, self.intervals[level])


def rows_of_pool(facts: PoolFacts) -> PoolRows:
    """All rows of one pool."""
    measured: dict[Kind, Mapping[Basis, _Measured]] = {
        kind: _measure(facts.minutes.of(kind), facts.days.minutes) for kind in _KINDS
    }
    trends = {quota: fit_trend(peaks.values) for quota, peaks in facts.peaks.items()}
    return PoolRows(
        percentile_confidence=[
            row
            for quota, by_basis in measured.items()
            for basis, found in by_basis.items()
            for row in _percentile_rows(facts, quota, basis, found)
        ],
        quota_recommendations=_recommendation_rows(facts, measured, trends),
        max_tokens_recommendations=max_tokens_rows(facts),
        quota_forecasts=[
            row for quota, trend in trends.items() if trend for row in _forecast_rows(facts, quota, trend)
        ],
        forecast_backtests=[
            row for quota, peaks in facts.peaks.items() for row in _backtest_rows(facts.pool, quota, peaks)
        ],
        day_end_forecasts=day_end_rows(facts),
    )


def _measure(grid: Floats, minutes: int) -> dict[Basis, _Measured]:
    highest, days = return_interval(grid, minutes), known_days(grid)
    return {basis: _Measured(percentiles(grid, basis), intervals(grid, basis), highest, days) for basis in _BASES}


def _percentile_rows(facts: PoolFacts, quota: str, basis: Basis, found: _Measured) -> list[Row]:
    if not found.percentiles.data_points:
        return []
    shared = facts.pool.key | {
        "quota": quota,
        "basis": basis,
        "data_points": found.percentiles.data_points,
        "days": found.days,
        "window_start": facts.days.first,
        "window_end": facts.days.last,
    }
    rows = [
        shared
        | {
            "percentile": level,
            "value": getattr(found.percentiles, level),
            "low": found.intervals[level].low,
            "high": found.intervals[level].high,
            "grade": found.grade(level),
        }
        for level in _LEVELS
    ]
    return [*rows, shared | _highest(found)]


def _highest(found: _Measured) -> Row:
    """The maximum, with the interval of the level that is passed once in the window, as wide as to hold it."""
    value = found.percentiles.max
    row: Row = {"percentile": "max", "value": value, "low": None, "high": None, "grade": None}
    if found.highest is None or value is None:
        return row
    around = Interval(min(found.highest.low, value), max(found.highest.high, value))
    return row | {"low": around.low, "high": around.high, "grade": grade(found.days, value, around)}


# Recommended quotas


def _recommendation_rows(
    facts: PoolFacts, measured: Mapping[Kind, Mapping[Basis, _Measured]], trends: Mapping[str, Trend | None]
) -> list[Row]:
    rows: list[Row] = []
    for kind in _KINDS:
        at_all = measured[kind]["all"]
        if at_all.percentiles.p999 is None:
            continue
        use = QuotaUse(
            kind=kind,
            p999=at_all.percentiles.p999,
            interval=at_all.intervals["p999"],
            grade=grade(at_all.days, at_all.percentiles.p999, at_all.intervals["p999"]),
            return_level=return_level(facts.minutes.of(kind), facts.days.minutes),
            hold=_hold(facts) if kind == "tpm" else 0,
            trend=trends.get(kind),
        )
        recommendation = recommend_quota(use, facts.pool.limits[kind])
        text = None
        if recommendation.action in ("increase", "lower_max_tokens"):
            text = increase_request(_request_facts(facts, kind, measured), recommendation)
        rows.append(
            _quota_columns(facts, kind, use.trend)
            | _recommended_columns(recommendation)
            | {
                "peak": use.p999,
                "peak_high": use.interval.high,
                "return_level": _value(use.return_level),
                "reserved_peak": use.hold if kind == "tpm" else None,
                "request_text": text,
            }
        )
    # AWS counts a day's tokens from midnight on; what to ask for is said per minute, so here are dates only.
    if facts.pool.limits["tpd"] is not None and "tpd" in facts.peaks:
        known = facts.peaks["tpd"].values
        if not np.isnan(known).all():
            highest = {"peak": float(np.nanmax(known))}
            rows.append(_nothing_recommended() | _quota_columns(facts, "tpd", trends.get("tpd")) | highest)
    return rows


def _value(level: ReturnLevel | None) -> float | None:
    return level.value if level else None


def _recommended_columns(recommendation: QuotaRecommendation) -> Row:
    return {
        "recommended": recommendation.recommended,
        "recommended_low": recommendation.low,
        "recommended_high": recommendation.high,
        "ratio": recommendation.ratio,
        "action": recommendation.action,
        "grade": recommendation.grade,
        "dominant_term": recommendation.dominant,
        "caveats": list(recommendation.caveats),
    }


def _nothing_recommended() -> Row:
    columns = ("recommended", "recommended_low", "recommended_high", "ratio", "action", "grade", "dominant_term")
    others = ("peak_high", "return_level", "reserved_peak", "request_text")
    return dict.fromkeys((*columns, *others)) | {"caveats": []}


def _quota_columns(facts: PoolFacts, quota: str, trend: Trend | None) -> Row:
    """The quota, its growth and when it is reached."""
    pool, last = facts.pool, facts.days.last
    limit = pool.limits[quota]
    row = pool.key | {
        "quota": quota,
        "quota_code": pool.codes[quota],
        "quota_name": pool.names[quota],
        "current_limit": limit,
        "daily_growth": trend.daily_growth(50) if trend else None,
        "daily_growth_low": trend.daily_growth(LOW) if trend else None,
        "daily_growth_high": trend.daily_growth(HIGH) if trend else None,
        "trend_grade": _trend_grade(trend),
        "evidence_sql": quota_evidence(pool.pool_id, quota, facts.days, _known_points(facts, quota)),
        "as_of": last,
    }
    for column, share in MARKS.items():
        row |= _exhaustion_columns(column, None if limit is None else exhaustion(trend, limit, share, last))
    return row


def _known_points(facts: PoolFacts, quota: str) -> int:
    """Minutes of which it is known what the quota counted in them."""
    return 0 if quota == "tpd" else int(np.count_nonzero(~np.isnan(facts.minutes.of(quota))))


def _trend_grade(trend: Trend | None) -> Grade | None:
    """How far the trend can be trusted: the grade of the forecast for when a new quota is there."""
    if trend is None:
        return None
    found = forecast_peaks(trend, LEAD_DAYS)
    return grade(trend.days, float(found.middle[-1]), Interval(float(found.low[-1]), float(found.high[-1])))


def _exhaustion_columns(column: str, found: Exhaustion | None) -> Row:
    return {
        column: found.status if found else None,
        f"{column}_on": found.day if found else None,
        f"{column}_earliest": found.earliest if found else None,
        f"{column}_latest": found.latest if found else None,
    }


def _hold(facts: PoolFacts) -> int | None:
    """The peak of reservations in the hours that matter; None when logs or latencies do not tell."""
    calls = facts.calls
    if facts.completeness is None or facts.completeness < COMPLETE or not len(calls):
        return None
    if calls.left_out > (1 - COMPLETE) * len(calls) or np.isnan(calls.duration).any():
        return None
    start = np.rint(calls.start * 1000).astype(np.int64)
    duration = np.maximum(np.rint(calls.duration * 1000).astype(np.int64), 1)
    reserved = calls.input + calls.cache_write + calls.max_tokens
    held = held_by_minute(start, duration, reserved, facts.days.first_minute, facts.days.minutes)
    return hold_in_peak_hours(held, facts.minutes.tokens)


def _request_facts(facts: PoolFacts, kind: Kind, measured: Mapping[Kind, Mapping[Basis, _Measured]]) -> RequestFacts:
    pool, totals, calls = facts.pool, facts.totals, facts.calls
    return RequestFacts(
        model_name=pool.model_name,
        endpoint_type=pool.endpoint_type,
        region=pool.region,
        account_id=pool.account_id,
        quota_name=pool.names[kind] or "the quota",
        quota_code=pool.codes[kind] or "code not known",
        limited=kind,
        limit=pool.limits[kind],
        days=known_days(facts.minutes.of(kind)),
        tokens=_load(measured["tpm"]),
        requests=_load(measured["rpm"]),
        mean_input=totals.input_tokens / totals.calls if totals.calls else None,
        p99_input=nearest_rank(np.sort(calls.input), 990),
        mean_output=totals.output_tokens / totals.calls if totals.calls else None,
        p99_output=nearest_rank(np.sort(calls.output), 990),
        throttles=totals.throttles,
        throttled_minutes=totals.throttled_minutes,
    )


def _load(by_basis: Mapping[Basis, _Measured]) -> Load:
    at_all = by_basis["all"].percentiles
    return Load(by_basis["active"].percentiles.p50, at_all.p999, at_all.max)


# Forecasts


def _forecast_rows(facts: PoolFacts, quota: str, trend: Trend) -> list[Row]:
    found = forecast_peaks(trend, DAYS_AHEAD)
    columns = zip(found.middle.tolist(), found.low.tolist(), found.high.tolist(), strict=True)
    return [
        facts.pool.key
        | {
            "quota": quota,
            "usage_date": facts.days.last + dt.timedelta(days=ahead),
            "forecast": middle,
            "low": low,
            "high": high,
            "grade": grade(trend.days, middle, Interval(low, high)),
            "limit_value": facts.pool.limits[quota],
            "as_of": facts.days.last,
        }
        for ahead, (middle, low, high) in enumerate(columns, start=1)
    ]


def _backtest_rows(pool: Pool, quota: str, peaks: DailyPeaks) -> list[Row]:
    found = backtest(peaks.values, DAYS_TESTED, DAYS_TESTED, draws=TEST_DRAWS)
    return [
        pool.key
        | {
            "quota": quota,
            "usage_date": peaks.days.first + dt.timedelta(days=row.day),
            "forecast_on": peaks.days.first + dt.timedelta(days=row.origin),
            "forecast": row.forecast,
            "low": row.low,
            "high": row.high,
            "truth": row.truth,
            "is_inside": row.is_hit,
        }
        for row in found.rows
    ]
