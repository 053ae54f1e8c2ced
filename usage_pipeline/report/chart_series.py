"""The points of the report's charts: one-minute tables brought down to the granularity of each window.

Here: what a point, a mark and a limit are. Not here: how fine each window is (`chart_levels.py`), statistics
(`numbers.py`), drawing (`pool_charts.js`).
Rates are the highest minute of each period, never a mean of it, so that no peak is lost, with the lowest minute beside
it; counts are sums.
"""

from collections.abc import Sequence
from dataclasses import dataclass, field
from datetime import datetime, timedelta
from itertools import groupby
from typing import Any

import duckdb

from usage_pipeline.report.chart_levels import SHARED_POOLS, ChartWindow, Level, affordable_levels
from usage_pipeline.report.table_rows import rows, whole

MOST_MARKED_VALUES = 60_000
"""Values of marks of one kind that all pools have together; beyond its equal share, a pool has minutes alone."""

Columns = dict[str, list[float | int | None]]
"""Series of one pool or profile. `at` counts the periods with use from the level's start; every other list has one
value for each of them, NULL where it is not known. Periods that are not in `at` are idle if they were read."""


@dataclass(frozen=True)
class SeriesLevel:
    """A pool's points at one granularity, shared by every window that has it.

    `step_seconds` is coarser than the windows' granularity only where CloudWatch had nothing finer; `points` is the
    number of periods. `coarse_until` is the end of the last period that was stored coarser than a minute, NULL when
    none was. `pool` has the pool's own series; `profiles` those of each profile id, when there is more than one, whose
    `at` counts periods of `profile_step_seconds` from `profile_start`.
    """

    windows: tuple[str, ...]
    start: datetime
    step_seconds: int
    points: int
    coarse_until: datetime | None
    pool: Columns
    profile_start: datetime
    profile_step_seconds: int
    profiles: dict[str, Columns]


@dataclass(frozen=True)
class MarkedMinutes:
    """Minutes that must be seen at every granularity, in time order, each with its value in the chart's unit.

    `value` is NULL where the minutes are too many for the page to have their values.
    """

    ts: tuple[datetime, ...]
    value: list[float | int] | None


@dataclass(frozen=True)
class LimitChange:
    """A quota's value from the first period with use on that was held against it; NULL while it was unknown."""

    since: datetime
    value: float | None


Markers = dict[str, MarkedMinutes]
Limits = dict[str, tuple[LimitChange, ...]]


@dataclass(frozen=True)
class PoolSeries:
    """Everything that one pool's charts show.

    `markers` by name: `tpm` and `rpm` are the minutes above the limit, `tpd` the first minute of each day above
    its quota, `throttles` the throttled minutes.
    """

    levels: tuple[SeriesLevel, ...] = ()
    markers: Markers = field(default_factory=dict[str, MarkedMinutes])
    limits: Limits = field(default_factory=dict[str, tuple[LimitChange, ...]])


_STEPS = """
    select
        pool_id,
        greatest($step, max(resolution_seconds)) as step,
        time_bucket(to_seconds(step), $start) as level_start,
        max(ts + to_seconds(resolution_seconds)) filter (where resolution_seconds > 60) as coarse_until,
    from marts.quota_usage_minutely
    where ts >= $start and ts < $end
    group by pool_id
"""

_POOL_SERIES = (
    *("tpm", "tpm_min", "rpm", "rpm_min", "tpd", "initial_reservation", "reserved"),
    *("throttles", "client_errors", "server_errors", "latency", "ttft"),
)
_PROFILE_SERIES = ("tpm", "tpm_min", "rpm", "rpm_min", "throttles")

_COARSER_PROFILE_SERIES = _PROFILE_SERIES[:-1]
"""Of profiles with longer periods than their pool: counts of theirs would not stack up to the pool's."""

_SERIES_OF_MANY_MINUTES = frozenset(("at", "tpm", "rpm", "throttles", "client_errors", "server_errors"))
"""What minutes keep where they are very many; the coarser levels have the rest."""


def _in_columns(keys: str, names: Sequence[str]) -> str:
    """Points to lists in time order, one row for each pool or profile."""
    lists = "".join(f"list({name} order by place) as {name}, " for name in names)
    return f"select {keys}, list(place order by place) as at, {lists} from points group by {keys} order by {keys}"


_PLACE = "((epoch_us(ts) - epoch_us(level_start)) // (step::bigint * 1_000_000))::integer as place"

_POOL_POINTS = f"""
    with steps as ({_STEPS}),

    points as (
        select
            pool_id,
            {_PLACE},
            round(max(tokens_per_minute), 3) as tpm,
            if($step > 60, round(min(tokens_per_minute), 3), null) as tpm_min,
            round(max(requests_per_minute), 3) as rpm,
            if($step > 60, round(min(requests_per_minute), 3), null) as rpm_min,
            max(day_tokens_running) as tpd,
            round(max(initial_reservation_tokens * 60 / resolution_seconds), 3) as initial_reservation,
            max(reserved_tokens) as reserved,
            nullif(sum(throttles), 0)::bigint as throttles,
            nullif(sum(client_errors), 0)::bigint as client_errors,
            nullif(sum(server_errors), 0)::bigint as server_errors,
            round(sum(latency_ms_sum)::double / nullif(sum(latency_samples), 0), 1) as latency,
            round(sum(ttft_ms_sum)::double / nullif(sum(ttft_samples), 0), 1) as ttft,
        from marts.quota_usage_minutely
        inner join steps using (pool_id)
        where ts >= $start and ts < $end
        group by all
    )

    {_in_columns("pool_id", _POOL_SERIES)}
"""

_PROFILE_POINTS = f"""
    with steps as ({_STEPS}),

    shared_pools as ({SHARED_POOLS}),

    points as (
        select
            pool_id,
            profile_id,
            {_PLACE},
            round(max(consumed_tokens * 60 / resolution_seconds), 3) as tpm,
            if($step > 60, round(min(consumed_tokens * 60 / resolution_seconds), 3), null) as tpm_min,
            round(max(invocations * 60 / resolution_seconds), 3) as rpm,
            if($step > 60, round(min(invocations * 60 / resolution_seconds), 3), null) as rpm_min,
            nullif(sum(throttles), 0)::bigint as throttles,
        from marts.usage_minutely
        inner join steps using (pool_id)
        semi join shared_pools using (pool_id)
        where ts >= $start and ts < $end
        group by all
    )

    {{columns}}
"""

_MARKERS = """
    with usage_rows as (
        select *
        from marts.quota_usage_minutely
        where ts >= $start and ts < $end
    ),

    marked as (
        select pool_id, 'tpm' as marker, ts, tokens_per_minute as value
        from usage_rows
        where tokens_per_minute > tpm_limit
        union all
        select pool_id, 'rpm', ts, requests_per_minute
        from usage_rows
        where requests_per_minute > rpm_limit
        union all
        select pool_id, 'tpd', min(ts), min(day_tokens_running)
        from usage_rows
        where day_tokens_running > tpd_limit
        group by pool_id, usage_date
        union all
        select pool_id, 'throttles', ts, throttles
        from usage_rows
        where throttles > 0
    )

    select
        pool_id,
        marker,
        list(ts order by ts) as ts,
        if(count(*) <= $most, list(round(value, 3) order by ts), null) as value,
    from marked
    group by pool_id, marker
    order by pool_id, marker
"""

_LIMITS = """
    select
        pool_id,
        ts,
        tpm_limit as tpm,
        rpm_limit as rpm,
        tpd_limit as tpd,
    from marts.quota_usage_minutely
    where ts >= $start and ts < $end
    window pool as (partition by pool_id order by ts)
    qualify
        row_number() over pool = 1
        or row(tpm_limit, rpm_limit, tpd_limit) is distinct from lag(row(tpm_limit, rpm_limit, tpd_limit)) over pool
    order by pool_id, ts
"""


def read_pool_series(con: duckdb.DuckDBPyConnection, windows: Sequence[ChartWindow]) -> dict[str, PoolSeries]:
    """Read the charts of every pool with use in the windows, by pool id.

    Raises:
        duckdb.Error: a table or column is missing from the published file.
    """
    if not windows:
        return {}
    levels: dict[str, list[SeriesLevel]] = {}
    for level in affordable_levels(con, windows):
        for pool_id, found in _read_levels(con, level).items():
            levels.setdefault(pool_id, []).append(found)
    span = {"start": min(window.start for window in windows), "end": max(window.end for window in windows)}
    markers = _read_markers(con, span, MOST_MARKED_VALUES // max(len(levels), 1))
    limits = _read_limits(con, span)
    return {
        pool_id: PoolSeries(tuple(pool_levels), markers.get(pool_id, {}), limits.get(pool_id, {}))
        for pool_id, pool_levels in levels.items()
    }


def _read_levels(con: duckdb.DuckDBPyConnection, level: Level) -> dict[str, SeriesLevel]:
    """One granularity's series of every pool; its windows share them."""
    span, end = level.span, level.span["end"]
    names = tuple(window.name for window in level.windows)
    profile_steps = {pool_id: found for pool_id, *found in con.execute(_STEPS, level.profile_span).fetchall()}
    levels: dict[str, SeriesLevel] = {}
    for pool_id, step, start, coarse_until in con.execute(f"{_STEPS} order by pool_id", span).fetchall():
        points = -((start - end) // timedelta(seconds=step))
        profile_step, profile_start, _ = profile_steps[pool_id]
        levels[pool_id] = SeriesLevel(names, start, step, points, coarse_until, {}, profile_start, profile_step, {})
    for row in rows(con, _POOL_POINTS, span):
        pool_id = row.pop("pool_id")
        kept = row if level.is_whole else {name: row[name] for name in row if name in _SERIES_OF_MANY_MINUTES}
        levels[pool_id].pool.update(_columns(kept))
    series = _PROFILE_SERIES if level.profile_step_seconds == level.step_seconds else _COARSER_PROFILE_SERIES
    query = _PROFILE_POINTS.format(columns=_in_columns("pool_id, profile_id", series))
    for row in rows(con, query, level.profile_span):
        pool_id, profile_id = row.pop("pool_id"), row.pop("profile_id")
        levels[pool_id].profiles[profile_id] = _columns(row)
    return levels


def _columns(row: dict[str, Any]) -> Columns:
    """Lists of whole numbers where they are whole; a series without any value is not made."""
    return {name: _numbers(values) for name, values in row.items() if any(value is not None for value in values)}


_WHOLE = frozenset((int, type(None)))


def _numbers(values: list[Any]) -> list[Any]:
    types = set(map(type, values))
    if types <= _WHOLE:
        return values
    if types == {float} and all(map(float.is_integer, values)):
        return list(map(int, values))
    return [None if value is None else whole(value) for value in values]


def _read_markers(con: duckdb.DuckDBPyConnection, span: dict[str, datetime], most: int) -> dict[str, Markers]:
    """Markers of each pool, in time order; where one kind has more than `most`, without their values."""
    markers: dict[str, Markers] = {}
    for pool_id, name, minutes, values in con.execute(_MARKERS, span | {"most": most}).fetchall():
        kept = None if values is None else _numbers(values)
        markers.setdefault(pool_id, {})[name] = MarkedMinutes(tuple(minutes), kept)
    return markers


def _read_limits(con: duckdb.DuckDBPyConnection, span: dict[str, datetime]) -> dict[str, Limits]:
    """Limits of each pool: the value at first, then every change of it."""
    limits: dict[str, Limits] = {}
    for pool_id, group in groupby(rows(con, _LIMITS, span), key=lambda row: row["pool_id"]):
        pool_limits: dict[str, list[LimitChange]] = {"tpm": [], "rpm": [], "tpd": []}
        for row in group:
            for kind, changes in pool_limits.items():
                if not changes or changes[-1].value != row[kind]:
                    changes.append(LimitChange(row["ts"], row[kind]))
        limits[pool_id] = {kind: tuple(changes) for kind, changes in pool_limits.items()}
    return limits
