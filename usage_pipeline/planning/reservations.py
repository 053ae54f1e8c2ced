"""How many tokens calls hold while they run: what `max_tokens` takes from the quota without being used.

Here: the sum over running calls, its peak in each minute, and the hold that a quota must leave room for. Not here: the
limiters that count it (`limiter.py`).
"""

import numpy as np

from usage_pipeline.planning.limiter import MINUTE, Integers
from usage_pipeline.planning.percentiles import Floats

HOUR = 60
"""Minutes."""
PEAK = 99.9
"""Percentile of the minutes from which on they make their hour a peak hour."""


def held_by_minute(start: Integers, duration: Integers, reserved: Integers, first: int, length: int) -> Integers:
    """The largest sum of reservations of running calls in each minute, from minute `first` since the epoch on.

    Times in ms; a call that runs into a minute counts in it, and one that ends as another begins does not count twice.
    """
    end = start + duration
    order = np.argsort(np.concatenate([end, start]), kind="stable")
    held = np.cumsum(np.concatenate([-reserved, reserved])[order])
    ends, starts = np.sort(end), np.sort(start)
    begins = (first + np.arange(length)) * MINUTE
    before = np.searchsorted(ends, begins, side="right") + np.searchsorted(starts, begins, side="left")
    peaks = np.append(0, held)[before]
    # A sum rises only where a call begins.
    after_start = held[order >= len(start)]
    minute = starts // MINUTE - first
    inside = (minute >= 0) & (minute < length)
    np.maximum.at(peaks, minute[inside], after_start[inside])
    return peaks


def hold_in_peak_hours(held: Integers, consumed: Floats) -> int:
    """The largest hold in the hours that matter, in tokens: H of the recommended quota.

    Both are dense grids of the same minutes from a full hour on. A peak hour has a minute in which consumption and hold
    together are at or above their P99.9; a hold in an hour in which nothing else is going on asks for no quota.
    """
    if not len(held):
        return 0
    together = np.nan_to_num(consumed) + held
    hour = np.arange(len(held)) // HOUR
    peak_hours = np.unique(hour[together >= np.percentile(together, PEAK, method="inverted_cdf")])
    return int(held[np.isin(hour, peak_hours)].max())


def usual_hold(calls_per_minute: float, duration: float, prompt: float, max_tokens: float) -> float:
    """Mean tokens held, by Little's law, from means per call: `duration` in seconds, `prompt` is input and cache write.

    For pools without logs: it needs `max_tokens` from a person, and says nothing of the peak.
    """
    return calls_per_minute / 60 * duration * (prompt + max_tokens)


def calls_at_once(limit: int, prompt: float, max_tokens: float) -> int:
    """How many calls can begin together before the reservations alone use up a full quota."""
    return int(limit // (prompt + max_tokens))
