"""How fine the report's charts are: periods of each window, coarser where points are too many for one page.

Here: which levels there are, and the most points that they have. Not here: the points themselves (`chart_series.py`).
What profiles add to a pool gives way before anything of the pools' own does.
"""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from datetime import datetime, timedelta
from typing import Any

import duckdb

SECONDS_OF_A_MINUTE = 60

FULL_DETAIL = timedelta(hours=48)
"""How far back the level of one minute reaches at least, when a window is that long."""

MOST_POINTS = 110_000
"""Points of all pools that the levels of one minute have together, and the coarser ones: beyond, a page is too large to
be mailed. Then coarser levels take the next granularity, and minutes keep rates and failures."""

MOST_PROFILE_POINTS = 45_000
"""Points of all profiles that the level of one minute has, and each coarser one: beyond, profiles take longer periods
than their pools."""

_NEXT_GRANULARITY = {300: 900, 900: 3600}

_PROFILE_GRANULARITIES = (300, 900, 3600, 21_600, 86_400)
"""Seconds that a period of profiles can have where those of their pool are too short: 5 minutes to a day."""


@dataclass(frozen=True)
class ChartWindow:
    """One window of the report: `[start, end)` in UTC and the seconds between two points of its charts."""

    name: str
    start: datetime
    end: datetime
    granularity_seconds: int


@dataclass(frozen=True)
class Level:
    """Windows that are drawn from the same points: from when on, how far apart, and whether of every series.

    `profile_step_seconds` is how far apart the points of profiles are: `step_seconds`, or more.
    """

    windows: tuple[ChartWindow, ...]
    start: datetime
    step_seconds: int
    profile_step_seconds: int
    is_whole: bool = True

    @property
    def span(self) -> dict[str, Any]:
        """As the queries name it."""
        return {"start": self.start, "end": max(window.end for window in self.windows), "step": self.step_seconds}

    @property
    def profile_span(self) -> dict[str, Any]:
        """The same for the points of profiles."""
        return self.span | {"step": self.profile_step_seconds}


SHARED_POOLS = """
    select pool_id
    from marts.usage_minutely
    where ts >= $start and ts < $end and pool_id is not null
    group by pool_id
    having min(profile_id) <> max(profile_id)
"""
"""Pools with several profiles: a pool's only profile has no line of its own."""

_POOL_POINTS = """
    select count(distinct hash(pool_id, epoch(ts)::bigint // $step)) as points
    from marts.quota_usage_minutely
    where ts >= $start and ts < $end
"""

# Longer periods are counted in the shortest ones, which are fewer than the minutes.
_PROFILE_POINTS = f"""
    with shortest as (
        select distinct
            hash(pool_id, profile_id) as profile,
            epoch(ts)::bigint // $step * $step as since,
        from marts.usage_minutely
        where ts >= $start and ts < $end and pool_id in ({SHARED_POOLS})
    )

    select {{points}}
    from shortest
"""


def affordable_levels(con: duckdb.DuckDBPyConnection, windows: Sequence[ChartWindow]) -> list[Level]:
    """One level for each granularity, finest first, with no more points than a page can have.

    Raises:
        duckdb.Error: a table or column is missing from the published file.
    """
    levels = _levels(windows, {})
    minutes = [level for level in levels if level.step_seconds == SECONDS_OF_A_MINUTE]
    others = [level for level in levels if level.step_seconds != SECONDS_OF_A_MINUTE]
    while sum(_points(con, level) for level in others) > MOST_POINTS:
        coarser = [_NEXT_GRANULARITY.get(level.step_seconds, level.step_seconds) for level in others]
        if coarser == [level.step_seconds for level in others]:
            break
        steps = dict(zip((level.step_seconds for level in others), coarser, strict=True))
        found = [
            replace(window, granularity_seconds=level.step_seconds) for level in others for window in level.windows
        ]
        others = _levels(found, steps)
    minutes = [replace(level, is_whole=_points(con, level) <= MOST_POINTS) for level in minutes]
    return [_with_profiles(con, level) for level in (*minutes, *others)]


def _levels(windows: Sequence[ChartWindow], coarser: Mapping[int, int]) -> list[Level]:
    """One level for each granularity, finest first; `coarser` has what to take instead of one."""
    first, end = min(window.start for window in windows), max(window.end for window in windows)
    sharing: dict[int, list[ChartWindow]] = {}
    for window in windows:
        step = window.granularity_seconds
        sharing.setdefault(coarser.get(step, step), []).append(window)
    levels: list[Level] = []
    for step, found in sorted(sharing.items()):
        start = min(window.start for window in found)
        if step == SECONDS_OF_A_MINUTE:
            start = min(start, max(first, end - FULL_DETAIL))
        levels.append(Level(tuple(found), start, step, step))
    return levels


def _with_profiles(con: duckdb.DuckDBPyConnection, level: Level) -> Level:
    """The level with the shortest periods of profiles that are few enough, or the longest there are."""
    steps = [level.step_seconds, *(step for step in _PROFILE_GRANULARITIES if step > level.step_seconds)]
    points = (f"count(distinct hash(profile, since // {step}))" for step in steps)
    (counts,) = con.execute(_PROFILE_POINTS.format(points=", ".join(points)), level.span).fetchall()
    few = (step for step, count in zip(steps, counts, strict=True) if count <= MOST_PROFILE_POINTS)
    return replace(level, profile_step_seconds=next(few, steps[-1]))


def _points(con: duckdb.DuckDBPyConnection, level: Level) -> int:
    ((points,),) = con.execute(_POOL_POINTS, level.span).fetchall()
    return points
