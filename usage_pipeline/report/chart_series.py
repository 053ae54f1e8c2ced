"""The points of the report's charts: one-minute tables brought down to the granularity of each window.

Here: which periods a chart has and what a point is. Not here: statistics (`numbers.py`), drawing (`charts.js`).
Rates are the highest minute of each period, never a mean of it, so that no peak is lost, with the lowest minute beside
it; counts are sums.
"""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field, replace
from datetime import datetime, timedelta
from itertools import groupby
from typing import Any

import duckdb

from usage_pipeline.report.table_rows import rows, whole

Columns = dict[str, list[float | int | None]]
"""Series of one pool or profile. `at` counts the periods with use from the level's start; every other list has one
value for each of them, NULL where it is not known. Periods that are not in `at` are idle if they were read."""

SECONDS_OF_A_MINUTE = 60

FULL_DETAIL = timedelta(hours=48)
"""How far back the level of one minute reaches at least, when a window is that long."""

MOST_POINTS = 120_000
"""Points of all pools that the levels of one minute have together, and the coarser ones: beyond, a page is too large to
be mailed. Then coarser levels take the next granularity, and minutes keep rates and failures."""

_NEXT_GRANULARITY = {300: 900, 900: 3600}


@dataclass(frozen=True)
class ChartWindow:
    """One window of the report: `[start, end)` in UTC and the seconds between two points of its charts."""

    name: str
    start: datetime
    end: datetime
    granularity_seconds: int


@dataclass(frozen=True)
class SeriesLevel:
    """A pool's points at one granularity, shared by every window that has it.

    `step_seconds` is coarser than the windows' granularity only where CloudWatch had nothing finer; `points` is the
    number of periods. `coarse_until` is the end of the last period that was stored coarser than a minute, NULL when
    none was. `pool` has the pool's own series; `profiles` those of each profile id, when there is more than one.
    """

    windows: tuple[str, ...]
    start: datetime
    step_seconds: int
    points: int
    coarse_until: datetime | None
    pool: Columns
    profiles: dict[str, Columns]


@dataclass(frozen=True)
class MarkedMinutes:
    """Minutes that must be seen at every granularity, in time order, each with its value in the chart's unit."""

    ts: tuple[datetime, ...]
    value: list[float | int]


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
_PROFILE_SERIES = ("tpm", "rpm", "throttles")

_SERIES_OF_MANY_MINUTES = frozenset(("at", "tpm", "rpm", "throttles", "client_errors", "server_errors"))
"""What minutes keep where they are very many; the coarser levels have the rest, and profiles."""


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

    shared_pools as (
        select pool_id
        from marts.usage_minutely
        where ts >= $start and ts < $end
        group by pool_id
        having count(distinct profile_id) > 1
    ),

    points as (
        select
            pool_id,
            profile_id,
            {_PLACE},
            round(max(consumed_tokens * 60 / resolution_seconds), 3) as tpm,
            round(max(invocations * 60 / resolution_seconds), 3) as rpm,
            nullif(sum(throttles), 0)::bigint as throttles,
        from marts.usage_minutely
        inner join steps using (pool_id)
        semi join shared_pools using (pool_id)
        where ts >= $start and ts < $end
        group by all
    )

    {_in_columns("pool_id, profile_id", _PROFILE_SERIES)}
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
        list(round(value, 3) order by ts) as value,
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


# Lines of profiles have two series, those of pools eight or more, so four points of profiles weigh as much as one.
_POINTS = """
    select approx_count_distinct(hash(pool_id, epoch(ts)::bigint // $step)) as points
    from marts.quota_usage_minutely
    where ts >= $start and ts < $end
    union all
    select approx_count_distinct(hash(pool_id, profile_id, epoch(ts)::bigint // $step)) // 4
    from marts.usage_minutely
    where ts >= $start and ts < $end and pool_id is not null
"""


@dataclass(frozen=True)
class _Level:
    """Windows that are drawn from the same points: from when on, how far apart, and whether of every series."""

    windows: tuple[ChartWindow, ...]
    start: datetime
    step_seconds: int
    is_whole: bool = True

    @property
    def span(self) -> dict[str, Any]:
        """As the queries name it."""
        return {"start": self.start, "end": max(window.end for window in self.windows), "step": self.step_seconds}


def read_pool_series(con: duckdb.DuckDBPyConnection, windows: Sequence[ChartWindow]) -> dict[str, PoolSeries]:
    """Read the charts of every pool with use in the windows, by pool id.

    Raises:
        duckdb.Error: a table or column is missing from the published file.
    """
    if not windows:
        return {}
    levels: dict[str, list[SeriesLevel]] = {}
    for level in _affordable(con, _levels(windows, {})):
        for pool_id, found in _read_levels(con, level).items():
            levels.setdefault(pool_id, []).append(found)
    span = {"start": min(window.start for window in windows), "end": max(window.end for window in windows)}
    markers = _read_markers(con, span)
    limits = _read_limits(con, span)
    return {
        pool_id: PoolSeries(tuple(pool_levels), markers.get(pool_id, {}), limits.get(pool_id, {}))
        for pool_id, pool_levels in levels.items()
    }


def _levels(windows: Sequence[ChartWindow], coarser: Mapping[int, int]) -> list[_Level]:
    """One level for each granularity, finest first; `coarser` has what to take instead of one."""
    first, end = min(window.start for window in windows), max(window.end for window in windows)
    sharing: dict[int, list[ChartWindow]] = {}
    for window in windows:
        step = window.granularity_seconds
        sharing.setdefault(coarser.get(step, step), []).append(window)
    levels: list[_Level] = []
    for step, found in sorted(sharing.items()):
        start = min(window.start for window in found)
        if step == SECONDS_OF_A_MINUTE:
            start = min(start, max(first, end - FULL_DETAIL))
        levels.append(_Level(tuple(found), start, step))
    return levels


def _affordable(con: duckdb.DuckDBPyConnection, levels: list[_Level]) -> list[_Level]:
    """The levels as they are unless they have too many points."""
    minutes = [level for level in levels if level.step_seconds == SECONDS_OF_A_MINUTE]
    others = [level for level in levels if level.step_seconds != SECONDS_OF_A_MINUTE]
    while sum(_points(con, level) for level in others) > MOST_POINTS:
        coarser = [_NEXT_GRANULARITY.get(level.step_seconds, level.step_seconds) for level in others]
        if coarser == [level.step_seconds for level in others]:
            break
        steps = dict(zip((level.step_seconds for level in others), coarser, strict=True))
        windows = [
            replace(window, granularity_seconds=level.step_seconds) for level in others for window in level.windows
        ]
        others = _levels(windows, steps)
    return [
        *(replace(level, is_whole=_points(con, level) <= MOST_POINTS) for level in minutes),
        *others,
    ]


def _points(con: duckdb.DuckDBPyConnection, level: _Level) -> int:
    return sum(points for (points,) in con.execute(_POINTS, level.span).fetchall())


def _read_levels(con: duckdb.DuckDBPyConnection, level: _Level) -> dict[str, SeriesLevel]:
    """One granularity's series of every pool; its windows share them."""
    span, end = level.span, level.span["end"]
    names = tuple(window.name for window in level.windows)
    levels: dict[str, SeriesLevel] = {}
    for pool_id, step, level_start, coarse_until in con.execute(f"{_STEPS} order by pool_id", span).fetchall():
        points = -((level_start - end) // timedelta(seconds=step))
        levels[pool_id] = SeriesLevel(names, level_start, step, points, coarse_until, {}, {})
    for row in rows(con, _POOL_POINTS, span):
        pool_id = row.pop("pool_id")
        kept = row if level.is_whole else {name: row[name] for name in row if name in _SERIES_OF_MANY_MINUTES}
        levels[pool_id].pool.update(_columns(kept))
    for row in rows(con, _PROFILE_POINTS, span) if level.is_whole else ():
        pool_id, profile_id = row.pop("pool_id"), row.pop("profile_id")
        levels[pool_id].profiles[profile_id] = _columns(row)
    return levels


def _columns(row: dict[str, Any]) -> Columns:
    """Lists of whole numbers where they are whole; a series without any value is not made."""
    return {name: _numbers(values) for name, values in row.items() if any(value is not None for value in values)}


_WHOLE = frozenset((int, type(None)))


def _numbers(values: list[Any]) -> list[Any]:
    if _WHOLE.issuperset(map(type, values)):
        return values
    return [None if value is None else whole(value) for value in values]


def _read_markers(con: duckdb.DuckDBPyConnection, span: dict[str, datetime]) -> dict[str, Markers]:
    """Markers of each pool, in time order."""
    markers: dict[str, Markers] = {}
    for pool_id, name, minutes, values in con.execute(_MARKERS, span).fetchall():
        markers.setdefault(pool_id, {})[name] = MarkedMinutes(tuple(minutes), _numbers(values))
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
