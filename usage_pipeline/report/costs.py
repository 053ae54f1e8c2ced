"""Cost and callers of the invocation logs, read from the marts.

Here: assembly of rows into `Costs`, and which numbers are only a lower bound. Not here: queries (`cost_queries.py`),
formulas (`dbt_like_sql/`), how money is written (`formats.py`, `page/costs.js`).
"""

from collections import defaultdict
from collections.abc import Callable
from dataclasses import dataclass
from datetime import date, timedelta
from decimal import Decimal
from itertools import groupby
from typing import Any

import duckdb

from usage_pipeline.report import cost_queries
from usage_pipeline.report.cost_contents import (
    ApplicationDays,
    Completeness,
    CostRow,
    Costs,
    LoggingState,
    LogSource,
    PriceUsed,
    TagCosts,
    UnpricedUse,
)
from usage_pipeline.report.table_rows import filled, rows

Row = dict[str, Any]

MOST_APPLICATIONS = 8
"""Applications with a colour of their own in the chart; the others are drawn as one."""

COMPLETE = "complete"

_UNNAMED: Row = {
    "name": None,
    "is_unset": False,
    "model_id": None,
    "principal_type": None,
    "account_id": None,
    "account_name": None,
}


@dataclass(frozen=True)
class _Known:
    """What every row is held against: the whole cost, and of what logs are missing."""

    total_usd: Decimal | None
    is_incomplete: bool
    incomplete_models: frozenset[str | None]


def read_costs(con: duckdb.DuckDBPyConnection, first_day: date | None, last_day: date | None) -> Costs:
    """Read what the logs say of the UTC days, both inclusive; without days, of the logs' newest thirty.

    Raises:
        duckdb.Error: a table or column is missing from the published file.
    """
    logging = tuple(filled(LoggingState, row) for row in rows(con, cost_queries.LOGGING))
    if first_day is None or last_day is None:
        (logged,) = rows(con, cost_queries.LOGGED_DAYS)
        first_day, last_day = logged["first_day"], logged["last_day"]
    if first_day is None or last_day is None:
        return Costs(logging=logging)
    days = {"first_day": first_day, "last_day": last_day}
    completeness = tuple(filled(Completeness, row) for row in rows(con, cost_queries.COMPLETENESS, days))
    (total,) = rows(con, cost_queries.TOTAL, days)
    known = _Known(
        total["cost_usd"],
        any(stretch.status != COMPLETE for stretch in completeness),
        frozenset(row["model_id"] for row in rows(con, cost_queries.INCOMPLETE_MODELS, days)),
    )

    def table(query: str) -> tuple[CostRow, ...]:
        return tuple(_cost_row(row, known) for row in rows(con, query, days))

    return Costs(
        first_day=first_day,
        last_day=last_day,
        total=_cost_row(total, known) if total["calls"] else None,
        models=tuple(
            _cost_row(row, known, is_at_least=row["model_id"] in known.incomplete_models)
            for row in rows(con, cost_queries.MODELS, days)
        ),
        applications=table(cost_queries.APPLICATIONS),
        callers=table(cost_queries.CALLERS),
        tags=_read_tags(con, days, lambda row: _cost_row(row, known)),
        days=_read_application_days(con, first_day, last_day),
        prices=tuple(filled(PriceUsed, row) for row in rows(con, cost_queries.PRICES, days)),
        unpriced=tuple(filled(UnpricedUse, row) for row in rows(con, cost_queries.UNPRICED, days)),
        logging=logging,
        completeness=completeness,
        log_sources=tuple(filled(LogSource, row) for row in rows(con, cost_queries.LOG_SOURCES, days)),
    )


def _cost_row(row: Row, known: _Known, is_at_least: bool | None = None) -> CostRow:
    """A caller or application can be behind any call that was not logged; a model only behind its own."""
    cost = row["cost_usd"]
    share = None if cost is None or not known.total_usd else float(cost / known.total_usd)
    bound = known.is_incomplete if is_at_least is None else is_at_least
    return filled(CostRow, _UNNAMED | row | {"share": share, "is_at_least": bound})


def _read_tags(
    con: duckdb.DuckDBPyConnection, days: dict[str, date], cost_row: Callable[[Row], CostRow]
) -> tuple[TagCosts, ...]:
    found = rows(con, cost_queries.TAGS, days)
    return tuple(
        TagCosts(key, tuple(cost_row(row) for row in group))
        for key, group in groupby(found, lambda row: row["tag_key"])
    )


def _read_application_days(con: duckdb.DuckDBPyConnection, first: date, last: date) -> tuple[ApplicationDays, ...]:
    """Costliest first; those after the eighth are added up by day."""
    by_application: dict[str, dict[date, Decimal]] = defaultdict(dict)
    for row in rows(con, cost_queries.APPLICATION_DAYS, {"first_day": first, "last_day": last}):
        by_application[row["application"]][row["usage_date"]] = row["usd"]
    order = sorted(by_application, key=lambda name: (-sum(by_application[name].values()), name))
    others: dict[date, Decimal] = defaultdict(Decimal)
    for name in order[MOST_APPLICATIONS:]:
        for day, usd in by_application[name].items():
            others[day] += usd
    axis = [first + timedelta(days=x) for x in range((last - first).days + 1)]
    shown: list[tuple[str | None, dict[date, Decimal]]] = [
        (name, by_application[name]) for name in order[:MOST_APPLICATIONS]
    ]
    if others:
        shown.append((None, others))
    return tuple(ApplicationDays(name, tuple(usd.get(day) for day in axis)) for name, usd in shown)
