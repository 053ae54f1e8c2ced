"""Calls some of which are throttled: every attempt that may be made, in the order of time, and what came of it.

Here: when attempts are made, which pass, what is counted. Not here: the limiters (`limiter.py`), stretches of calls
that all pass (`replay.py`). When an attempt would be made does not depend on the limiter, only whether its call has
passed by then: so all are put in order at once, and those of calls that have passed are left out on the way.
"""

from collections.abc import Callable
from dataclasses import dataclass

import numpy as np

from usage_pipeline.planning.limiter import MINUTE, Demand, Integers, Limiter

Progress = Callable[[float], None]
"""Is told, from time to time, the share of a replay that is done, from 0 to 1."""

BASE_WAIT_MS, LONGEST_WAIT_MS = 1000, 20_000
"""Wait before retry n: a random share of min(1 s × 2^(n-1), 20 s), for throttles.

As in boto3's `standard` retry mode (botocore 1.44, `retries/standard.py`).
"""

_FIRST_PART, _LARGEST_PART = 256, 1 << 15
"""Calls whose attempts are put in order at once: the more, the longer throttling lasts."""
_CALM = 128
"""First attempts in a row that must pass, with no retry outstanding, for a limiter to be calm again."""
_DRAWS = 1 << 17
"""Random shares drawn at once and used in turn, two for each request."""


class Tally:
    """Counts of one replay, and the random waits of its retries."""

    def __init__(self, attempts: int, seed: int, progress: Progress) -> None:
        self.progress = progress
        self.attempts_allowed = attempts
        self.throttled_requests = self.throttled_attempts = self.lost = self.throttled_minutes = 0
        self._shares = np.random.default_rng(seed).random(_DRAWS)
        self._last_minute = -1
        self._waits: list[Integers] = []

    def times(self, calls: Integers, start: Integers) -> Integers:
        """When each attempt of the calls is made if those before it are throttled, in ms: a row per call."""
        retries = np.arange(1, self.attempts_allowed)
        longest = np.minimum(LONGEST_WAIT_MS, BASE_WAIT_MS * 2.0 ** (retries - 1))
        waits = (self._shares[(2 * calls[:, None] + retries) % _DRAWS] * longest).astype(np.int64)
        return start[:, None] + np.cumsum(np.concatenate([np.zeros((len(calls), 1), np.int64), waits], axis=1), axis=1)

    def count_throttled(self, ts: Integers, number: Integers) -> None:
        """Count throttled attempts, in the order of time."""
        if not len(ts):
            return
        self.throttled_attempts += len(ts)
        self.throttled_requests += int(np.count_nonzero(number == 1))
        self.lost += int(np.count_nonzero(number == self.attempts_allowed))
        self.throttled_minutes += int(np.count_nonzero(np.diff(ts // MINUTE, prepend=self._last_minute)))
        self._last_minute = int(ts[-1]) // MINUTE

    def count_waits(self, waits: Integers) -> None:
        """Note how long requests waited that passed at a later attempt, in ms."""
        self._waits.append(waits)

    def ordered_waits(self) -> Integers:
        """All waits, the shortest first."""
        return np.sort(np.concatenate([np.empty(0, np.int64), *self._waits]))


@dataclass(frozen=True)
class _Attempts:
    """Attempts that may be made: time in ms, position of the call, number from 1. Ordered by call and number."""

    ts: Integers
    call: Integers
    number: Integers

    def chosen(self, which: Integers) -> "_Attempts":
        return _Attempts(self.ts[which], self.call[which], self.number[which])


def take_until_calm(demand: Demand, position: int, limiter: Limiter, tally: Tally, allowed: int) -> int:
    """Take calls until the limiter is calm and no retry is left, or more than `allowed` requests were throttled.

    Returns the next call's position.
    """
    waiting = _Attempts(*(np.empty(0, np.int64) for _ in range(3)))
    size = _FIRST_PART
    while position < len(demand):
        last = min(position + size, len(demand))
        waiting, is_calm = _send(demand, position, last, waiting, limiter, tally)
        position = last
        tally.progress(position / len(demand))
        if tally.throttled_requests > allowed or (is_calm and not len(waiting.ts)):
            break
        size = min(2 * size, _LARGEST_PART)
    return position


def _send(
    demand: Demand, position: int, last: int, waiting: _Attempts, limiter: Limiter, tally: Tally
) -> tuple[_Attempts, bool]:
    """Send the attempts that are due before call `last` begins, and count what came of them.

    Returns the attempts that may still be made, and whether the last calls passed at once.
    """
    new = np.arange(position, last)
    calls = np.concatenate([np.unique(waiting.call), new])
    attempts = _with_new(waiting, new, tally.times(new, demand.start[position:last]))
    order, due = _in_order(attempts, len(new), int(demand.start[last]) if last < len(demand) else None)
    now, row = order[:due], np.searchsorted(calls, attempts.call)
    ts, columns = attempts.ts[now], (demand.reserved, demand.settled, demand.duration)
    passed = now[_passing(limiter, ts, row[now], *(column[calls] for column in columns))]
    passed_at = np.full(len(calls), tally.attempts_allowed + 1)
    passed_at[row[passed]] = attempts.number[passed]
    late = attempts.chosen(passed[attempts.number[passed] > 1])
    tally.count_waits(late.ts - demand.start[late.call])
    is_throttled = attempts.number[now] < passed_at[row[now]]
    throttled = attempts.chosen(now[is_throttled])
    tally.count_throttled(throttled.ts, throttled.number)
    is_calm = not np.any(throttled.call[throttled.number == 1] >= last - _CALM)
    rest = np.sort(order[due:])
    return attempts.chosen(rest[attempts.number[rest] < passed_at[row[rest]]]), is_calm


def _with_new(waiting: _Attempts, new: Integers, times: Integers) -> _Attempts:
    """First attempts of the new calls, then the retries: those that were waiting, and those of the new calls."""
    retries = times.shape[1] - 1
    return _Attempts(
        ts=np.concatenate([times[:, 0], waiting.ts, times[:, 1:].ravel()]),
        call=np.concatenate([new, waiting.call, np.repeat(new, retries)]),
        number=np.concatenate([np.ones_like(new), waiting.number, np.tile(np.arange(2, retries + 2), len(new))]),
    )


def _in_order(attempts: _Attempts, firsts: int, until: int | None) -> tuple[Integers, int]:
    """The attempts in the order of time, and how many of them are due before `until`.

    At the same millisecond first attempts come before retries, each by call; so does the first attempt of the next
    call, which begins at `until`.
    """
    count = len(attempts.ts)
    bits = count.bit_length()
    begin = int(attempts.ts.min())
    # Time and place in one number, which sorts several times faster than places by their time.
    keys = np.sort((attempts.ts - begin << bits) | np.arange(count))
    due = count if until is None else int(np.searchsorted(keys, (until - begin << bits) | firsts))
    return keys & ((1 << bits) - 1), due


def _passing(
    limiter: Limiter, ts: Integers, row: Integers, reserved: Integers, settled: Integers, duration: Integers
) -> Integers:
    """Which of the attempts, in the order of time, pass the limiter; `row` is each one's place in the other arrays."""
    asked = limiter.asked(ts, reserved[row]).tolist()
    calls = list(zip(reserved.tolist(), settled.tolist(), duration.tolist(), strict=True))
    has_passed = bytearray(len(calls))
    found: list[int] = []
    limiter.settle(int(ts[0]))
    free, changes_at = limiter.free, limiter.changes_at
    # Most of the time of a replay is spent here.
    for place, now, needed, call in zip(range(len(asked)), ts.tolist(), asked, row.tolist(), strict=True):
        if now >= changes_at:
            limiter.settle(now)
            free, changes_at = limiter.free, limiter.changes_at
        if needed > free or has_passed[call]:
            continue
        if limiter.take(now, *calls[call]):
            has_passed[call] = True
            found.append(place)
            free, changes_at = limiter.free, limiter.changes_at
    return np.array(found, dtype=np.int64)
