"""Percentiles of minutes on a dense grid, how sure they are, and levels beyond what was seen.

Here: the grid, nearest-rank percentiles, their interval from resampled days, the grade, the return level. Not here:
reading minutes from tables, percentiles of the windows that `marts.usage_statistics` shows.
"""

import math
from collections.abc import Mapping
from dataclasses import dataclass
from functools import lru_cache
from typing import Literal

import numpy as np
import numpy.typing as npt

Floats = npt.NDArray[np.float64]
Integers = npt.NDArray[np.int64]

Basis = Literal["active", "all"]
"""active: minutes with a value above 0. all: every minute that is known, idle ones as 0."""
Grade = Literal["high", "medium", "low"]
Level = Literal["p50", "p90", "p95", "p99", "p999"]

PER_MILLE: dict[Level, int] = {"p50": 500, "p90": 900, "p95": 950, "p99": 990, "p999": 999}
"""Share of minutes at or below each percentile, in thousandths, so that ranks are whole numbers."""

DAY = 1440
"""Minutes in a day."""
DRAWS = 1000
"""Resampled months behind an interval."""
CONFIDENCE = (2.5, 97.5)
"""Percentiles of the draws that bound an interval."""

HIGH_DAYS, HIGH_HALF_WIDTH = 28, 0.15
MEDIUM_DAYS, MEDIUM_HALF_WIDTH = 14, 0.35
"""What a grade needs: days of data, and half of the interval as a share of the value below this."""

_SAME = 1e-9
"""Relative spread of excesses below which they count as equal."""

LEAST_EXCESSES, HEAVIEST_TAIL = 50, 0.5
"""A tail is fitted to this many excesses at least, and believed up to this shape."""


@dataclass(frozen=True)
class Percentiles:
    """Nearest-rank percentiles and the maximum: each is a value that occurred. None when there is no data point.

    The nearest rank of p is the smallest value with a share of p or more at or below it.
    """

    basis: Basis
    data_points: int
    p50: float | None
    p90: float | None
    p95: float | None
    p99: float | None
    p999: float | None
    max: float | None


@dataclass(frozen=True)
class Interval:
    """95 % interval of a percentile, if days like those that were seen come again in another mix."""

    low: float
    high: float


@dataclass(frozen=True)
class ReturnLevel:
    """The level that is passed once in `minutes` minutes on average.

    `shape` (ξ) and `scale` (σ) are those of the tail, None when the maximum stands in: fewer than 50 excesses, or a
    tail heavier than 0.5.
    """

    value: float
    minutes: int
    excesses: int
    shape: float | None
    scale: float | None


def dense_minutes(minute: Integers, value: Floats, first: int, length: int, is_known: npt.NDArray[np.bool_]) -> Floats:
    """One value per minute from `first` (minutes since the epoch) on; 0 where idle, NaN where not known.

    CloudWatch leaves out minutes without a call; without the grid, a pool that is busy an hour a day looks always busy.
    """
    at = minute - first
    if np.any((at < 0) | (at >= length)):
        raise ValueError(
            f"minutes {int(minute.min())} to {int(minute.max())} are not all in {first} to {first + length - 1}"
        )
    if len(np.unique(at)) < len(at):
        raise ValueError("a minute is there twice; add up the profiles of a pool before")
    grid = np.where(is_known, 0.0, np.nan)
    grid[at] = value
    return grid


def percentiles(grid: Floats, basis: Basis) -> Percentiles:
    """Percentiles of the minutes of a dense grid."""
    values = np.sort(_data_points(grid, basis))
    found = {level: nearest_rank(values, share) for level, share in PER_MILLE.items()}
    return Percentiles(basis, len(values), **found, max=float(values[-1]) if len(values) else None)


def _data_points(grid: Floats, basis: Basis) -> Floats:
    return grid[grid > 0] if basis == "active" else grid[~np.isnan(grid)]


def nearest_rank(ordered: Floats | Integers, per_mille: int) -> float | None:
    """The smallest of the ordered values with `per_mille` thousandths of them or more at or below it; None of none."""
    return float(ordered[-(-len(ordered) * per_mille // 1000) - 1]) if len(ordered) else None


def intervals(grid: Floats, basis: Basis, seed: int = 0, draws: int = DRAWS) -> dict[Level, Interval]:
    """The interval of each percentile; empty when there is no data point.

    Whole UTC days are drawn again, because neighbouring minutes are alike: counting them as independent gives an
    interval several times too narrow. The grid must begin at midnight and have whole days; what is not known is NaN.
    """
    drawn = resampled_percentiles(grid, basis, seed, draws)
    if not len(drawn):
        return {}
    low, high = np.percentile(drawn, CONFIDENCE, axis=0)
    return {level: Interval(float(low[at]), float(high[at])) for at, level in enumerate(PER_MILLE)}


def resampled_percentiles(grid: Floats, basis: Basis, seed: int = 0, draws: int = DRAWS) -> Floats:
    """The percentiles of each draw of days: one row per draw, one column per percentile.

    A day drawn twice counts twice. All values are sorted once; how many of each block of ranks a draw holds is a
    product of two matrices, so only the block with the wanted rank is looked at one by one. Idle minutes are only
    counted: most minutes of most pools are.
    """
    if len(grid) % DAY:
        raise ValueError(f"{len(grid)} minutes are not whole days of {DAY}; fill the rest of a day with NaN")
    days = np.flatnonzero(~np.isnan(grid).reshape(-1, DAY).all(axis=1))
    at = np.flatnonzero(grid > 0)
    idle = (grid == 0).reshape(-1, DAY).sum(axis=1) * (basis == "all")
    if not len(at) and not idle.any():
        return np.empty((0, len(PER_MILLE)))
    at = at[np.argsort(grid[at], kind="stable")]
    times = _drawn_days(days, len(grid) // DAY, seed, draws)
    return _weighted_percentiles(grid[at], at // DAY, times, PER_MILLE, times[:, :-1] @ idle)


def interval_of(values: Floats, day: Integers, level: Level, seed: int = 0, draws: int = DRAWS) -> Interval | None:
    """The interval of a percentile of values of days, which are numbers from 0 on; None when there are no values."""
    if not len(values):
        return None
    order = np.argsort(values, kind="stable")
    times = _drawn_days(np.unique(day), int(day.max()) + 1, seed, draws)
    drawn = _weighted_percentiles(values[order], day[order], times, {level: PER_MILLE[level]}, np.zeros(draws))
    low, high = np.percentile(drawn, CONFIDENCE)
    return Interval(float(low), float(high))


def _drawn_days(days: Integers, length: int, seed: int, draws: int) -> Floats:
    """How often each draw has each day, one row per draw; only `days` are drawn, and a day that is none is last."""
    return _times_of_days(tuple(days.tolist()), length, seed, draws)


@lru_cache(maxsize=8)
def _times_of_days(days: tuple[int, ...], length: int, seed: int, draws: int) -> Floats:
    """The draws of the same days are the same, and most pools are known on all days of the window."""
    times = np.zeros((draws, length + 1))
    times[:, days] = np.random.default_rng(seed).multinomial(len(days), np.full(len(days), 1 / len(days)), draws)
    times.setflags(write=False)
    return times


def _weighted_percentiles(
    ordered: Floats, day: Integers, times: Floats, levels: Mapping[Level, int], zeros: Floats
) -> Floats:
    """Percentiles of ordered values, each counted as often as its day; `times` has an empty day at its end.

    Before the values of each draw come so many `zeros`.
    """
    draws, nothing = len(times), times.shape[1] - 1
    # Any size of a block gives the same result; with this one there are as many blocks as values in each.
    size = math.isqrt(len(ordered)) + 1
    blocks = len(ordered) // size + 1
    day = np.append(day, np.full(blocks * size - len(day), nothing))
    held = np.bincount(day * blocks + np.arange(blocks * size) // size, minlength=(nothing + 1) * blocks)
    up_to = np.cumsum(times @ held.reshape(-1, blocks), axis=1)
    counted = (zeros + up_to[:, -1]).astype(np.int64)
    found = np.empty((draws, len(levels)))
    values = np.append(0.0, ordered)
    for column, share in enumerate(levels.values()):
        rank = (-(-counted * share // 1000) - zeros)[:, None]
        in_block = np.minimum((up_to < rank).sum(axis=1), blocks - 1)
        before = np.where(in_block > 0, up_to[np.arange(draws), in_block - 1], 0.0)
        member = in_block[:, None] * size + np.arange(size)
        reached = before[:, None] + np.cumsum(times[np.arange(draws)[:, None], day[member]], axis=1) >= rank
        at = np.minimum(member[:, 0] + reached.argmax(axis=1), len(ordered) - 1)
        found[:, column] = values[np.where(rank[:, 0] > 0, at + 1, 0)]
    # A draw can hold idle days only; where those do not count, it says nothing of the others.
    return found[np.flatnonzero(counted)]


def grade(days: int, value: float, interval: Interval) -> Grade:
    """How far a percentile can be trusted: `days` with data, and the width of its interval."""
    half = (interval.high - interval.low) / 2
    width = half / value if value else (0.0 if half == 0 else np.inf)
    if days >= HIGH_DAYS and width < HIGH_HALF_WIDTH:
        return "high"
    return "medium" if days >= MEDIUM_DAYS and width < MEDIUM_HALF_WIDTH else "low"


def known_days(grid: Floats) -> int:
    """Days of the grid of which anything is known."""
    return int((~np.isnan(grid).reshape(-1, DAY).all(axis=1)).sum())


def return_level(grid: Floats, minutes: int) -> ReturnLevel | None:
    """The level passed once in `minutes` minutes: peaks over P99, with a generalised Pareto tail. None without data.

    Shape and scale come from probability-weighted moments (Hosking and Wallis 1987).
    """
    values = np.sort(_data_points(grid, "all"))
    threshold = nearest_rank(values, PER_MILLE["p99"])
    if threshold is None:
        return None
    excess = values[np.searchsorted(values, threshold, side="right") :] - threshold
    count = len(excess)
    fitted = _pareto(excess) if count >= LEAST_EXCESSES else None
    if fitted is None or fitted[0] > HEAVIEST_TAIL:
        return ReturnLevel(float(values[-1]), minutes, count, None, None)
    shape, scale = fitted
    passed = max(minutes * count / len(values), 1.0)
    return ReturnLevel(threshold + scale * float(_box_cox(passed, shape)), minutes, count, shape, scale)


_NO_SHAPE = 1e-19
"""Smaller shapes change no digit of log(passed), and the smallest numbers have too few digits to divide by."""


def _box_cox(passed: npt.ArrayLike, shape: npt.ArrayLike) -> Floats:
    """((passed ^ shape) - 1) / shape, and its limit log(passed) for a shape of nearly 0."""
    # scipy.special.boxcox, whose import takes longer than all that a day plans with it.
    log, is_zero = np.log(passed), np.abs(shape) < _NO_SHAPE
    return np.where(is_zero, log, np.expm1(np.multiply(shape, log)) / np.where(is_zero, 1, shape))


def return_interval(grid: Floats, minutes: int, seed: int = 0, draws: int = DRAWS) -> Interval | None:
    """The interval of the return level, from whole days drawn again; None where the maximum stands in for it.

    P99 stays where it is. A draw whose tail cannot be fitted counts with its highest minute.
    """
    level = return_level(grid, minutes)
    if level is None or level.shape is None:
        return None
    days = np.flatnonzero(~np.isnan(grid).reshape(-1, DAY).all(axis=1))
    times = _drawn_days(days, len(grid) // DAY, seed, draws)
    known = (~np.isnan(grid)).reshape(-1, DAY).sum(axis=1)
    threshold = nearest_rank(np.sort(_data_points(grid, "all")), PER_MILLE["p99"]) or 0.0
    at = np.flatnonzero(grid > threshold)
    at = at[np.argsort(grid[at], kind="stable")]
    passed = times[:, :-1] @ known
    drawn = _drawn_levels(grid[at] - threshold, times[:, at // DAY], minutes, passed)
    low, high = np.percentile(threshold + drawn, CONFIDENCE)
    return Interval(float(low), float(high))


def _drawn_levels(excess: Floats, times: Floats, minutes: int, points: Floats) -> Floats:
    """Return levels above the threshold from ordered excesses, one per row of how often each counts."""
    count = times.sum(axis=1)
    highest = np.where(times > 0, excess, 0).max(axis=1)
    before = np.cumsum(times, axis=1) - times
    # Equal excesses take the ranks from `before` + 1 on.
    ranks_left = times * (count[:, None] - before) - times * (times + 1) / 2
    with np.errstate(divide="ignore", invalid="ignore"):
        mean = times @ excess / count
        weighted = ranks_left @ excess / (count * (count - 1))
        spread = mean - 2 * weighted
        shape, scale = 2 - mean / spread, 2 * mean * weighted / spread
        level = scale * _box_cox(np.maximum(minutes * count / points, 1), shape)
    is_fitted = (count >= LEAST_EXCESSES) & (spread > _SAME * mean) & (shape <= HEAVIEST_TAIL)
    return np.where(is_fitted, level, highest)


def _pareto(excess: Floats) -> tuple[float, float] | None:
    """Shape and scale of ordered excesses; None when they are all the same."""
    count = len(excess)
    mean = float(excess.mean())
    weighted = float((excess * (count - np.arange(1, count + 1)) / (count - 1)).mean())
    spread = mean - 2 * weighted
    if spread <= _SAME * mean:
        return None
    return 2 - mean / spread, 2 * mean * weighted / spread
