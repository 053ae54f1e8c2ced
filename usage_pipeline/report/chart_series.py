"""The points of the report's charts: one-minute tables brought down to the granularity of each window.

Here: which periods a chart has and what a point is. Not here: statistics (`numbers.py`), drawing (`page/`).
Rates are the highest minute of each period, never a mean of it, so that no peak is lost; counts are sums.
"""

from collections.abc import Sequence
from dataclasses import dataclass, field
from datetime import datetime, timedelta
from itertools import groupby
from typing import Any

import duckdb

from usage_pipeline.report.table_rows import rows, whole

Points = list[float | int | None]
"""One value per period, NULL where nothing was stored for it: idle if the period was read, else unknown."""


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

    `step_seconds` is coarser than the windows' granularity only where CloudWatch had nothing finer.
    `coarse_until` is the end of the last period that was stored coarser than a minute, NULL when none was.
    `pool` has the pool's own series by name; `profiles` those of each profile id, when there is more than one.
    """

    windows: tuple[str, ...]
    start: datetime
    step_seconds: int
    points: int
    coarse_until: datetime | None
    pool: dict[str, Points]
    profiles: dict[str, dict[str, Points]]


@dataclass(frozen=True)
class Marker:
    """One minute that must be seen at every granularity, with its value in the chart's unit."""

    ts: datetime
    value: float | int


@dataclass(frozen=True)
class LimitChange:
    """A quota's value from the first period with use on that was held against it; NULL while it was unknown."""

    since: datetime
    value: float | None


Markers = dict[str, tuple[Marker, ...]]
Limits = dict[str, tuple[LimitChange, ...]]


@dataclass(frozen=True)
class PoolSeries:
    """Everything that one pool's charts show.

    `markers` by name: `tpm` and `rpm` are the minutes above the limit, `tpd` the first minute of each day above
    its quota, `throttles` the throttled minutes.
    """

    levels: tuple[SeriesLevel, ...] = ()
    markers: Markers = field(default_factory=dict[str, tuple[Marker, ...]])
    limits: Limits = field(default_factory=dict[str, tuple[LimitChange, ...]])


_STEPS = """
    select
        pool_id,
        greatest($step, max(resolution_seconds)) as step,
        max(ts + to_seconds(resolution_seconds)) filter (where resolution_seconds > 60) as coarse_until,
    from marts.quota_usage_minutely
    where ts >= $start and ts < $end
    group by pool_id
    order by pool_id
"""

_POOL_POINTS = f"""
    with steps as ({_STEPS})

    select
        pool_id,
        time_bucket(to_seconds(step), ts) as period_start,
        max(tokens_per_minute) as tpm,
        max(requests_per_minute) as rpm,
        max(day_tokens_running) as tpd,
        max(reserved_tokens * 60 / resolution_seconds) as reserved,
        nullif(sum(throttles), 0)::bigint as throttles,
        nullif(sum(client_errors), 0)::bigint as client_errors,
        nullif(sum(server_errors), 0)::bigint as server_errors,
        round(sum(latency_ms_sum)::double / nullif(sum(latency_samples), 0), 1) as latency,
        round(sum(ttft_ms_sum)::double / nullif(sum(ttft_samples), 0), 1) as ttft,
    from marts.quota_usage_minutely
    inner join steps using (pool_id)
    where ts >= $start and ts < $end
    group by all
    order by pool_id, period_start
"""

_PROFILE_POINTS = f"""
    with steps as ({_STEPS}),

    shared_pools as (
        select pool_id
        from marts.usage_minutely
        where ts >= $start and ts < $end
        group by pool_id
        having count(distinct profile_id) > 1
    )

    select
        pool_id,
        profile_id,
        time_bucket(to_seconds(step), ts) as period_start,
        max(consumed_tokens * 60 / resolution_seconds) as tpm,
        max(invocations * 60 / resolution_seconds) as rpm,
        nullif(sum(throttles), 0)::bigint as throttles,
    from marts.usage_minutely
    inner join steps using (pool_id)
    semi join shared_pools using (pool_id)
    where ts >= $start and ts < $end
    group by all
    order by pool_id, profile_id, period_start
"""

_MARKERS = """
    with usage_rows as (
        select *
        from marts.quota_usage_minutely
        where ts >= $start and ts < $end
    )

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
    order by pool_id, marker, ts
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
    for granularity in sorted({window.granularity_seconds for window in windows}):
        sharing = [window for window in windows if window.granularity_seconds == granularity]
        for pool_id, level in _read_levels(con, sharing).items():
            levels.setdefault(pool_id, []).append(level)
    span = {"start": min(window.start for window in windows), "end": max(window.end for window in windows)}
    markers = _read_markers(con, span)
    limits = _read_limits(con, span)
    return {
        pool_id: PoolSeries(tuple(pool_levels), markers.get(pool_id, {}), limits.get(pool_id, {}))
        for pool_id, pool_levels in levels.items()
    }


def _read_levels(con: duckdb.DuckDBPyConnection, windows: Sequence[ChartWindow]) -> dict[str, SeriesLevel]:
    """One granularity's series of every pool; the given windows share it."""
    first = min(window.start for window in windows)
    end = max(window.end for window in windows)
    span = {"start": first, "end": end, "step": windows[0].granularity_seconds}
    names = tuple(window.name for window in windows)
    levels: dict[str, SeriesLevel] = {}
    for pool_id, step, coarse_until in con.execute(_STEPS, span).fetchall():
        start = _period_start(first, step)
        points = -((start - end) // timedelta(seconds=step))
        levels[pool_id] = SeriesLevel(names, start, step, points, coarse_until, {}, {})
    for row in rows(con, _POOL_POINTS, span):
        level = levels[row.pop("pool_id")]
        _put(level, level.pool, row)
    for row in rows(con, _PROFILE_POINTS, span):
        level = levels[row.pop("pool_id")]
        _put(level, level.profiles.setdefault(row.pop("profile_id"), {}), row)
    return levels


def _put(level: SeriesLevel, series: dict[str, Points], row: dict[str, Any]) -> None:
    """Write one period's values into the series; a series without any value is not made."""
    index = (row.pop("period_start") - level.start) // timedelta(seconds=level.step_seconds)
    for name, value in row.items():
        if value is None:
            continue
        if name not in series:
            series[name] = [None] * level.points
        series[name][index] = whole(value)


def _period_start(ts: datetime, step_seconds: int) -> datetime:
    """The start of the period that holds `ts`; periods are aligned to the UTC day."""
    midnight = datetime.combine(ts.date(), datetime.min.time())
    return midnight + (ts - midnight) // timedelta(seconds=step_seconds) * timedelta(seconds=step_seconds)


def _read_markers(con: duckdb.DuckDBPyConnection, span: dict[str, datetime]) -> dict[str, Markers]:
    """Markers of each pool, in time order."""
    markers: dict[str, Markers] = {}
    for (pool_id, name), group in groupby(con.execute(_MARKERS, span).fetchall(), key=lambda row: row[:2]):
        markers.setdefault(pool_id, {})[name] = tuple(Marker(ts, whole(value)) for _, _, ts, value in group)
    return markers


def _read_limits(con: duckdb.DuckDBPyConnection, span: dict[str, datetime]) -> dict[str, Limits]:
    """Limits of each pool: the value at first, then every change of it."""
    limits: dict[str, Limits] = {}
    for row in rows(con, _LIMITS, span):
        pool_limits = limits.setdefault(row["pool_id"], {})
        for kind in ("tpm", "rpm", "tpd"):
            changes = pool_limits.get(kind, ())
            if not changes or changes[-1].value != row[kind]:
                pool_limits[kind] = (*changes, LimitChange(row["ts"], row[kind]))
    return limits
