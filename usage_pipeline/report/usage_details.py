"""How each pool is used: throttles, reservations, performance, hours of the week, days of profiles.

Here: rows of the marts by pool. Not here: queries (`usage_queries.py`), quotas and charts (`pools.py`).
"""

from collections import defaultdict
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, fields
from datetime import date, datetime, timedelta
from typing import Any, TypeVar

import duckdb

from usage_pipeline.report import usage_queries
from usage_pipeline.report.table_rows import filled, rows, whole
from usage_pipeline.report.usage_contents import (
    CauseDay,
    Consumer,
    HeatMap,
    Performance,
    PerformanceDay,
    ProfileDay,
    Reservation,
    RetryStorm,
    ThrottledMinute,
    Throttling,
    Victim,
)

Row = dict[str, Any]
T = TypeVar("T")
Scope = tuple[str | None, str | None]
Stretches = Sequence[tuple[datetime, datetime]]

HOURS_OF_A_WEEK = 168


@dataclass(frozen=True)
class UsageDetails:
    """What belongs to pools, by pool id."""

    throttling: Mapping[str, Throttling]
    reservations: Mapping[str, Reservation]
    performance: Mapping[str, tuple[Performance, ...]]
    performance_days: Mapping[str, tuple[PerformanceDay, ...]]
    heat: Mapping[str, HeatMap]
    profile_days: Mapping[str, tuple[ProfileDay, ...]]


def read_usage_details(
    con: duckdb.DuckDBPyConnection,
    days: Mapping[str, date],
    span: tuple[datetime, datetime] | None,
    covered: Mapping[Scope, Stretches],
) -> UsageDetails:
    """Read what the report says of pools' use. `span` is the longest window, `covered` what was read of each scope.

    Raises:
        duckdb.Error: a table or column is missing from the published file.
    """
    performance, performance_days = read_performance(con, days)
    return UsageDetails(
        throttling=_read_throttling(con, days),
        reservations={row["pool_id"]: filled(Reservation, row) for row in rows(con, usage_queries.RESERVATIONS, days)},
        performance=performance,
        performance_days=performance_days,
        heat={} if span is None else _read_heat(con, span, covered),
        profile_days=_by_pool(ProfileDay, rows(con, usage_queries.PROFILE_DAYS, days)),
    )


def _by_pool(kind: type[T], found: Iterable[Row]) -> dict[str, tuple[T, ...]]:
    groups: dict[str, list[T]] = defaultdict(list)
    for row in found:
        groups[row["pool_id"]].append(filled(kind, row))
    return {pool_id: tuple(group) for pool_id, group in groups.items()}


def _read_throttling(con: duckdb.DuckDBPyConnection, days: Mapping[str, date]) -> dict[str, Throttling]:
    causes = _by_pool(CauseDay, rows(con, usage_queries.THROTTLE_CAUSES, days))
    events = _by_pool(ThrottledMinute, rows(con, usage_queries.THROTTLED_MINUTES, days))
    consumers = _by_pool(Consumer, rows(con, usage_queries.CONSUMERS, days))
    victims = _by_pool(Victim, rows(con, usage_queries.VICTIMS, days))
    storms = _by_pool(RetryStorm, rows(con, usage_queries.RETRY_STORMS, days))
    return {
        pool_id: Throttling(
            minutes=row["minutes"],
            throttles=row["throttles"],
            causes=causes.get(pool_id, ()),
            events=events.get(pool_id, ()),
            consumers=consumers.get(pool_id, ()),
            victims=victims.get(pool_id, ()),
            storms=storms.get(pool_id, ()),
        )
        for row in rows(con, usage_queries.THROTTLE_TOTALS, days)
        for pool_id in (row["pool_id"],)
    }


def read_performance(
    con: duckdb.DuckDBPyConnection, days: Mapping[str, date]
) -> tuple[dict[str, tuple[Performance, ...]], dict[str, tuple[PerformanceDay, ...]]]:
    """Whole pools and their applications, and pools by day."""
    found = [_within_extremes(row) for row in rows(con, usage_queries.PERFORMANCE, days)]
    return (
        _by_pool(Performance, (row for row in found if row["usage_date"] is None)),
        _by_pool(PerformanceDay, (row for row in found if row["usage_date"] is not None)),
    )


def _within_extremes(row: Row) -> Row:
    """A percentile is within 1 % of a time that occurred, and never beyond the shortest and the longest."""
    shortest, longest = row["min"], row["max"]
    # Six digits, not three decimals, which of the shortest times would be part of the one percent.
    percentiles = {name: float(f"{min(max(row[name], shortest), longest):.6g}") for name in ("p50", "p90", "p99")}
    return row | percentiles | {"average": round(row["average"], 3)}


# ---------------------------------------------------------------------------------------------------------------------
# Hours of the week


def _read_heat(
    con: duckdb.DuckDBPyConnection, span: tuple[datetime, datetime], covered: Mapping[Scope, Stretches]
) -> dict[str, HeatMap]:
    start, end = span
    minutes_by_scope = {scope: covered_minutes(stretches, start, end) for scope, stretches in covered.items()}
    cells: dict[str, dict[int, Row]] = defaultdict(dict)
    for row in rows(con, usage_queries.HOURS_OF_THE_WEEK, {"start": start, "end": end}):
        cells[row["pool_id"]][row["place"]] = row
    return {pool_id: _heat_map(found, _covered_of(pool_id, minutes_by_scope)) for pool_id, found in cells.items()}


def _covered_of(pool_id: str, minutes_by_scope: Mapping[Scope, list[int]]) -> list[int]:
    account_id, region = pool_id.split("/", 2)[:2]
    return minutes_by_scope.get((account_id, region), [0] * HOURS_OF_A_WEEK)


_SUMS = tuple(field.name for field in fields(HeatMap) if field.name != "minutes_covered")


def _heat_map(cells: Mapping[int, Row], covered: Sequence[int]) -> HeatMap:
    """An hour that was read without use is 0; one that was never read has no numbers."""
    values: dict[str, list[float | int | None]] = {name: [] for name in _SUMS}
    for place in range(HOURS_OF_A_WEEK):
        row = cells.get(place)
        for name, column in values.items():
            value = row[name] if row else (0 if covered[place] else None)
            column.append(None if value is None else whole(value))
    return HeatMap(minutes_covered=[minutes or None for minutes in covered], **values)


def covered_minutes(stretches: Stretches, start: datetime, end: datetime) -> list[int]:
    """Minutes of `[start, end)` that were read, by hour of the week."""
    minutes = [0] * HOURS_OF_A_WEEK
    for begins, ends in stretches:
        at, until = max(begins, start), min(ends, end)
        while at < until:
            next_hour = at.replace(minute=0, second=0, microsecond=0) + timedelta(hours=1)
            stop = min(next_hour, until)
            minutes[24 * at.weekday() + at.hour] += round((stop - at).total_seconds() / 60)
            at = stop
    return minutes
