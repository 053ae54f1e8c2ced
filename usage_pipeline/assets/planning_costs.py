"""Rows of `marts.cost_forecasts`: what the month will have cost at its end, by total, scope, application and tag.

Here: known costs by day and the rows that are made of them. Not here: the formula (`planning/month_end.py`), anomalies
(`planning_anomalies.py`).
"""

import datetime as dt
from dataclasses import dataclass, field
from decimal import Decimal
from typing import Any

import duckdb

from usage_pipeline.planning.anomalies import SAME_WEEKDAYS
from usage_pipeline.planning.month_end import MonthEnd, month_end_cost
from usage_pipeline.planning.percentiles import Grade, Interval, grade
from usage_pipeline.planning_inputs import WINDOW_DAYS

Row = dict[str, Any]
Costs = dict[dt.date, Decimal]

LOOK_BACK = dt.timedelta(days=WINDOW_DAYS + 7 * SAME_WEEKDAYS)


@dataclass
class KnownCosts:
    """Costs of one subject by day, from its first cost on. A day that was not read to its end is not in it."""

    by_day: Costs
    columns: Row
    unpriced_calls: int = 0
    """In the month of the newest whole day."""


@dataclass
class LoggedDays:
    """Which whole days of logs were read, by scope."""

    by_scope: dict[tuple[str, str], set[dt.date]] = field(default_factory=dict[tuple[str, str], set[dt.date]])

    def of_all(self) -> set[dt.date]:
        """Days that were read for every scope that had been read by then."""
        scopes = [(min(days), days) for days in self.by_scope.values() if days]
        every_day: set[dt.date] = set().union(*(days for _, days in scopes)) if scopes else set()
        return {day for day in every_day if all(day in days for first, days in scopes if first <= day)}


def logged_days(con: duckdb.DuckDBPyConnection, last: dt.date) -> LoggedDays:
    """The days up to `last` of which all logs were read, for scopes with logged calls."""
    found = LoggedDays()
    rows = con.execute(
        """
        select status.account_id, status.region, status.partition_date
        from ops.source_status as status
        semi join (select distinct account_id, region from marts.usage_daily) using (account_id, region)
        where
            status.source = 'invocations'
            and status.partition_date between $first and $last
            and status.covered_until >= (status.partition_date + 1)::timestamp
        """,
        {"first": last - LOOK_BACK, "last": last},
    ).fetchall()
    for account_id, region, day in rows:
        found.by_scope.setdefault((account_id, region), set()).add(day)
    return found


def _grade(found: MonthEnd, days: int) -> Grade | None:
    """How far the month's end can be trusted, by the days of known cost and the interval; low without one."""
    if found.projected is None:
        return None
    if found.low is None or found.high is None:
        return "low"
    return grade(days, float(found.projected), Interval(float(found.low), float(found.high)))


_COSTS = """
    with costs as (
        select
            usage_date,
            account_id,
            account_name,
            region,
            application,
            tags,
            cost_usd,
            unpriced_calls,
        from marts.usage_daily
        where usage_date between $first and $last
    ),

    subjects as (
        select * replace (null as account_id, null as account_name, null as region),
            'total' as subject_kind, 'everything' as subject
        from costs
        union all by name
        select *, 'scope' as subject_kind, account_id || '/' || region as subject from costs
        union all by name
        select * replace (null as account_id, null as account_name, null as region),
            'application' as subject_kind, application as subject
        from costs
        union all by name
        select * replace (null as account_id, null as account_name, null as region),
            'tag' as subject_kind, tag.key || '=' || tag.value as subject
        from (select *, unnest(map_entries(tags)) as tag from costs)
    )

    select
        subject_kind,
        subject,
        account_id,
        max(account_name) as account_name,
        region,
        usage_date,
        sum(cost_usd)::decimal(38, 12) as cost_usd,
        sum(unpriced_calls)::bigint as unpriced_calls,
    from subjects
    group by subject_kind, subject, account_id, region, usage_date
    order by all
"""


def cost_forecast_rows(con: duckdb.DuckDBPyConnection, last: dt.date) -> list[Row]:
    """Rows of `marts.cost_forecasts` as of the end of a day."""
    logged = logged_days(con, last)
    rows: list[Row] = []
    for (kind, subject), known in _known_costs(con, logged, last).items():
        if not known.by_day:
            continue
        found = month_end_cost(known.by_day, last)
        rows.append(
            {
                "usage_month": last.replace(day=1),
                "subject_kind": kind,
                "subject": subject,
                # A month of calls without a price did not cost nothing.
                "to_date_usd": None if known.unpriced_calls and not found.to_date else found.to_date,
                "projected_usd": found.projected,
                "low_usd": found.low,
                "high_usd": found.high,
                "grade": _grade(found, len(known.by_day)),
                "projected_days": found.projected_days,
                "unpriced_calls": known.unpriced_calls,
                "as_of": last,
            }
            | known.columns
        )
    return rows


def _known_costs(
    con: duckdb.DuckDBPyConnection, logged: LoggedDays, last: dt.date
) -> dict[tuple[str, str], KnownCosts]:
    """Costs by (subject kind, subject). A known day without a row cost nothing; without prices is unknown."""
    found: dict[tuple[str, str], KnownCosts] = {}
    unknown: dict[tuple[str, str], set[dt.date]] = {}
    rows = con.execute(_COSTS, {"first": last - LOOK_BACK, "last": last}).fetchall()
    for kind, subject, account_id, account_name, region, day, cost, unpriced in rows:
        columns = {"account_id": account_id, "account_name": account_name, "region": region}
        known = found.setdefault((kind, subject), KnownCosts({}, columns))
        if day >= last.replace(day=1):
            known.unpriced_calls += unpriced
        if cost is None:
            unknown.setdefault((kind, subject), set()).add(day)
        else:
            known.by_day[day] = cost
    everywhere = logged.of_all()
    for key, known in found.items():
        scope = (known.columns["account_id"], known.columns["region"])
        days = logged.by_scope.get(scope, set()) if key[0] == "scope" else everywhere
        complete(known, days - unknown.get(key, set()))
    return found


def complete(known: KnownCosts, days: set[dt.date]) -> None:
    """Keep the costs of the known days, and add 0 for those without a row, from the first cost on."""
    if known.by_day:
        first = min(known.by_day)
        known.by_day = {day: known.by_day.get(day, Decimal(0)) for day in sorted(days) if day >= first}
