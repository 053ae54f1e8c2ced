"""What planning says of quotas and costs: recommendations, forecasts, exhaustion, changes of cost, the month's end.

Here: rows of the planning marts, and costs of windows against the time before. Not here: formulas (`planning/`).
"""

from collections import defaultdict
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, fields
from datetime import date, timedelta
from decimal import Decimal
from typing import Any

import duckdb

from usage_pipeline.assets.planning_costs import logged_days
from usage_pipeline.report.chart_levels import ChartWindow
from usage_pipeline.report.outlook_contents import (
    CostChange,
    DayEnd,
    Exhaustion,
    ForecastDay,
    MaxTokens,
    MonthCost,
    QuotaOutlook,
)
from usage_pipeline.report.table_rows import filled, rows

PoolQuota = tuple[str, str]
"""Pool id and kind of quota."""

_OUTLOOKS = f"""
    select
        pool_id,
        quota,
        {", ".join(field.name for field in fields(QuotaOutlook))},
    from marts.quota_recommendations
    order by pool_id, quota
"""

_FORECASTS = """
    select
        pool_id,
        quota,
        usage_date,
        forecast,
        low,
        high,
        grade,
    from marts.quota_forecasts
    order by pool_id, quota, usage_date
"""

_MONTH = f"""
    select {", ".join(field.name for field in fields(MonthCost))}
    from marts.cost_forecasts
    where subject_kind = 'total'
    order by usage_month desc
    limit 1
"""

_DAY_ENDS = f"""
    select pool_id, {", ".join(field.name for field in fields(DayEnd))},
    from marts.day_end_forecasts
    order by pool_id
"""

_MAX_TOKENS = f"""
    select {", ".join(field.name for field in fields(MaxTokens))}
    from marts.max_tokens_recommendations
    order by pool_id, application
"""

_DAILY_COSTS = """
    select
        usage_date,
        sum(cost_usd)::decimal(38, 12) as cost_usd,
        sum(unpriced_calls)::bigint as unpriced_calls,
    from marts.usage_daily
    where usage_date between $first_day and $last_day
    group by usage_date
    order by usage_date
"""

_NEWEST_DAY = "select max(usage_date) as last_day from marts.usage_daily"

_INCOMPLETE_DAYS = """
    select distinct usage_date
    from marts.data_completeness
    where usage_date between $first_day and $last_day and status <> 'complete'
    order by usage_date
"""

EXHAUSTION_ORDER = ("reached", "dated", "later", "no_upward_trend", "too_few_days")
"""What `reaches_limit` can say, most urgent first."""


def read_outlooks(con: duckdb.DuckDBPyConnection) -> dict[PoolQuota, QuotaOutlook]:
    """What is recommended, by pool and quota."""
    return {(row["pool_id"], row["quota"]): filled(QuotaOutlook, row) for row in rows(con, _OUTLOOKS)}


def read_forecasts(con: duckdb.DuckDBPyConnection) -> dict[PoolQuota, tuple[ForecastDay, ...]]:
    """The days to come, by pool and quota."""
    found: dict[PoolQuota, list[ForecastDay]] = defaultdict(list)
    for row in rows(con, _FORECASTS):
        found[row["pool_id"], row["quota"]].append(filled(ForecastDay, row))
    return {key: tuple(days) for key, days in found.items()}


def read_month(con: duckdb.DuckDBPyConnection) -> MonthCost | None:
    """The cost of the newest month that planning looked at; None before any cost."""
    return next((filled(MonthCost, row) for row in rows(con, _MONTH)), None)


def read_day_ends(con: duckdb.DuckDBPyConnection) -> dict[str, DayEnd]:
    """The day that is not over, by pool."""
    return {row["pool_id"]: filled(DayEnd, row) for row in rows(con, _DAY_ENDS)}


def read_max_tokens(con: duckdb.DuckDBPyConnection) -> tuple[MaxTokens, ...]:
    """Every pool and application of which `max_tokens` was looked at."""
    return tuple(filled(MaxTokens, row) for row in rows(con, _MAX_TOKENS))


def exhaustion(outlooks: Iterable[tuple[str, QuotaOutlook]]) -> Exhaustion | None:
    """The quota of a pool that is used up first; None while no limit is known."""
    known = [(quota, outlook) for quota, outlook in outlooks if outlook.reaches_limit is not None]
    if not known:
        return None
    quota, outlook = min(known, key=lambda found: _urgency(found[1]))
    return Exhaustion(
        quota=quota,
        status=str(outlook.reaches_limit),
        on=outlook.reaches_limit_on,
        earliest=outlook.reaches_limit_earliest,
        latest=outlook.reaches_limit_latest,
        grade=outlook.trend_grade,
    )


def _urgency(outlook: QuotaOutlook) -> tuple[int, date]:
    status = outlook.reaches_limit
    place = EXHAUSTION_ORDER.index(status) if status in EXHAUSTION_ORDER else len(EXHAUSTION_ORDER)
    return place, outlook.reaches_limit_on or date.max


# ---------------------------------------------------------------------------------------------------------------------
# Cost against the time before


@dataclass(frozen=True)
class KnownCosts:
    """Costs by day, the days of which all logs were read, and days on which something is missing in them."""

    by_day: Mapping[date, Decimal | None]
    unpriced: frozenset[date]
    whole: frozenset[date]
    incomplete: frozenset[date]


def read_cost_changes(con: duckdb.DuckDBPyConnection, windows: Sequence[ChartWindow]) -> tuple[CostChange, ...]:
    """Cost of each window of whole days, up to the newest day of which all logs were read; none without one."""
    lengths = {window.name: (window.end - window.start).days for window in windows if window.end - window.start >= _DAY}
    (newest,) = rows(con, _NEWEST_DAY)
    if not lengths or newest["last_day"] is None:
        return ()
    whole = logged_days(con, newest["last_day"]).of_all()
    if not whole:
        return ()
    last = max(whole)
    span = {"first_day": last - (2 * max(lengths.values()) - 1) * _DAY, "last_day": last}
    found = rows(con, _DAILY_COSTS, span)
    costs = KnownCosts(
        by_day={row["usage_date"]: row["cost_usd"] for row in found},
        unpriced=frozenset(row["usage_date"] for row in found if row["unpriced_calls"]),
        whole=frozenset(whole),
        incomplete=frozenset(row["usage_date"] for row in rows(con, _INCOMPLETE_DAYS, span)),
    )
    return tuple(cost_change(name, last, length, costs) for name, length in lengths.items())


_DAY = timedelta(days=1)


def cost_change(window_name: str, last: date, length: int, costs: KnownCosts) -> CostChange:
    """The `length` days up to `last` against as many before them."""
    days = [last - place * _DAY for place in range(length)]
    earlier = [day - length * _DAY for day in days]
    cost = _sum(costs, days)
    before = _sum(costs, earlier) if costs.whole.issuperset(earlier) else None
    missing = costs.unpriced | costs.incomplete
    return CostChange(
        window_name=window_name,
        first_day=days[-1],
        last_day=last,
        cost_usd=cost,
        is_at_least=not costs.whole.issuperset(days) or not missing.isdisjoint(days),
        previous_first_day=earlier[-1],
        previous_last_day=earlier[0],
        previous_cost_usd=before,
        change=float(cost / before - 1) if cost is not None and before else None,
    )


def _sum(costs: KnownCosts, days: Iterable[date]) -> Decimal | None:
    """Days without a call cost nothing; without a priced call on any day, the cost is unknown."""
    known: list[Any] = [costs.by_day[day] for day in days if costs.by_day.get(day) is not None]
    return sum(known, Decimal(0)) if known else None
