"""Two limiters of one pool that reserve at the start of a call and settle at its end, fast over millions of calls.

Here: the state of a limiter, moved forward one call at a time (`take`) or over a whole stretch of calls that all fit
(`admit_many`); both give the same answers, in whole numbers without rounding. Not here: retries (`attempts.py`),
results (`replay.py`). AWS does not publish the shape of its limiter's window; these two are what it may look like.
"""

import heapq
from collections.abc import Iterator
from dataclasses import dataclass
from typing import Protocol

import numpy as np
import numpy.typing as npt

Integers = npt.NDArray[np.int64]
Booleans = npt.NDArray[np.bool_]

MINUTE = 60_000
"""Milliseconds in a minute. A bucket counts in token × MINUTE, so that each millisecond adds the quota itself."""


@dataclass(frozen=True)
class Demand:
    """Calls in the order of time. `start`, `duration` (1 or more) in ms; `reserved`, `settled` in tokens."""

    start: Integers
    reserved: Integers
    settled: Integers
    duration: Integers

    def __len__(self) -> int:
        return len(self.start)

    def part(self, first: int, last: int) -> "Demand":
        """Calls from `first` up to and without `last`, as views."""
        cut = slice(first, last)
        return Demand(self.start[cut], self.reserved[cut], self.settled[cut], self.duration[cut])

    def rows(self) -> Iterator[tuple[int, int, int, int]]:
        """Start, reserved, settled and duration of each call."""
        columns = (self.start, self.reserved, self.settled, self.duration)
        return zip(*(column.tolist() for column in columns), strict=True)


@dataclass(frozen=True)
class Limits:
    """Quotas of one pool: tokens and requests per minute; `requests` is None where the pool has no such quota."""

    tokens: int
    requests: int | None


NEVER = 1 << 62
"""A time that does not come."""


class Limiter(Protocol):
    """What a replay needs of a limiter. Calls come in the order of time."""

    free: int
    """An attempt that asks for more (`asked`) is throttled."""
    changes_at: int
    """The time in ms from which on `free` holds only after `settle`."""

    def asked(self, ts: Integers, reserved: Integers) -> Integers:
        """What attempts at those times, in ms, ask for, to be compared with `free`."""
        ...

    def settle(self, ts: int) -> None:
        """Let happen what happens up to `ts` by itself: calls end, minutes begin."""
        ...

    def take(self, ts: int, reserved: int, settled: int, duration: int) -> bool:
        """Take one attempt that asks for no more than is free; False when requests per minute throttle it."""
        ...

    def admit_many(self, calls: Demand) -> int:
        """Take calls up to the first that does not fit, and return how many that are."""
        ...


class Bucket:
    """Refills evenly, one sixtieth of the quota per second, up to one minute's quota; full at the beginning.

    At the end of a call, what it reserved and did not take comes back; what it took beyond is taken then, which can
    push the level below zero. Calls that end in the same millisecond settle together: what comes back makes up for what
    is taken before anything runs over the rim.
    """

    def __init__(self, limits: Limits, start: int) -> None:
        self._rate = limits.tokens
        self._capacity = self._level = limits.tokens * MINUTE
        self._request_rate = limits.requests or 0
        self._request_level = self._request_rate * MINUTE
        self._has_request_limit = limits.requests is not None
        self._at = self._request_at = self._begin = start
        self._flight: list[tuple[int, int]] = []
        """End of each running call and what comes back then, in token × MINUTE; a heap: what is taken comes first."""
        self.free = self._level
        self.changes_at = NEVER

    def asked(self, ts: Integers, reserved: Integers) -> Integers:
        """What attempts at those times, in ms, ask for, less what will have been refilled since the beginning."""
        need = reserved * MINUTE
        return np.where(need > self._capacity, np.iinfo(np.int64).max, need - (ts - self._begin) * self._rate)

    def settle(self, ts: int) -> None:
        """Give back what calls that ended up to `ts` did not take."""
        capacity, rate, level, at, flight = self._capacity, self._rate, self._level, self._at, self._flight
        while flight and flight[0][0] <= ts:
            end, back = heapq.heappop(flight)
            level += (end - at) * rate
            at = end
            level = (level if level < capacity else capacity) + back
            if level > capacity:
                level = capacity
        self._level, self._at = level, at
        self.free = level - (at - self._begin) * rate
        self.changes_at = flight[0][0] if flight else NEVER

    def take(self, ts: int, reserved: int, settled: int, duration: int) -> bool:
        """Take one attempt that asks for no more than is free; False when requests per minute throttle it."""
        if self._has_request_limit:
            if self._refill_requests(ts) < MINUTE:
                return False
            self._request_level -= MINUTE
        need = reserved * MINUTE
        level = self._level + (ts - self._at) * self._rate
        self._level = (level if level < self._capacity else self._capacity) - need
        self._at = ts
        self.free = self._level - (ts - self._begin) * self._rate
        heapq.heappush(self._flight, (ts + duration, need - settled * MINUTE))
        self.changes_at = self._flight[0][0]
        return True

    def _refill_requests(self, ts: int) -> int:
        level = self._request_level + (ts - self._request_at) * self._request_rate
        self._request_level = min(level, self._request_rate * MINUTE)
        self._request_at = ts
        return self._request_level

    def admit_many(self, calls: Demand) -> int:
        """Take calls up to the first that does not fit, and return how many that are.

        As long as every call fits, the level is the sum of all that came and went, less what ran over the rim, which is
        the running maximum of that sum above the capacity. What comes back at an end can run over until the next event.
        """
        ends = _ends(self._flight, calls, (calls.reserved - calls.settled) * MINUTE)
        order = _merge(ends.time, calls.start)
        change = order.fill(ends.back, -calls.reserved * MINUTE)
        time = order.fill(ends.time, calls.start)
        refill = np.diff(time, prepend=self._at) * self._rate
        after = np.cumsum(refill + change) + self._level
        before = after - change
        over = np.maximum(np.maximum.accumulate(before - self._capacity), 0)
        fits = (before - over)[order.of_starts] >= calls.reserved * MINUTE
        fits &= self._requests_fit(calls.start)
        taken = _leading(fits)
        last = (order.of_starts[taken] if taken < len(calls) else len(time)) - 1
        if last >= 0:
            self._level, self._at = min(int((after - over)[last]), self._capacity), int(time[last])
        if taken:
            self._take_requests(calls.start[:taken])
        self._flight = ends.left(calls, taken)
        return taken

    def _requests_fit(self, start: Integers) -> Booleans:
        if not self._has_request_limit:
            return np.ones(len(start), dtype=np.bool_)
        return self._request_levels(start) >= MINUTE

    def _request_levels(self, start: Integers) -> Integers:
        """Level before each call, if each takes one request."""
        refill = np.diff(start, prepend=self._request_at) * self._request_rate
        before = np.cumsum(refill) - np.arange(len(start)) * MINUTE + self._request_level
        return before - np.maximum(np.maximum.accumulate(before - self._request_rate * MINUTE), 0)

    def _take_requests(self, start: Integers) -> None:
        if self._has_request_limit:
            self._request_level = int(self._request_levels(start)[-1]) - MINUTE
            self._request_at = int(start[-1])


class Window:
    """Counts from zero in every minute of the clock.

    A reservation comes back only while its own minute lasts. What a call took beyond its reservation counts in the
    minute in which it ends.
    """

    def __init__(self, limits: Limits, start: int) -> None:
        self._limit = limits.tokens
        self._request_limit = limits.requests if limits.requests is not None else np.iinfo(np.int64).max
        self._minute = start // MINUTE
        self._used = self._requests = 0
        self._flight: list[tuple[int, int]] = []
        """End of each running call and what comes back then, in tokens; a heap. Without those that change nothing."""
        self._say_what_is_free()

    def asked(self, ts: Integers, reserved: Integers) -> Integers:
        """What attempts at those times, in ms, ask for."""
        return reserved

    def settle(self, ts: int) -> None:
        """Begin the minutes up to `ts`, and settle the calls that ended in them."""
        flight = self._flight
        while flight and flight[0][0] <= ts:
            end, back = heapq.heappop(flight)
            if end // MINUTE != self._minute:
                self._begin(end // MINUTE)
            self._used -= back
        if ts // MINUTE != self._minute:
            self._begin(ts // MINUTE)
        self._say_what_is_free()

    def take(self, ts: int, reserved: int, settled: int, duration: int) -> bool:
        """Take one attempt that asks for no more than is free."""
        self._used += reserved
        self._requests += 1
        self.free = self._limit - self._used if self._requests < self._request_limit else -1
        end, back = ts + duration, reserved - settled
        if back < 0 or (back > 0 and end < self._next_minute):
            heapq.heappush(self._flight, (end, back))
            if end < self.changes_at:
                self.changes_at = end
        return True

    def _say_what_is_free(self) -> None:
        self.free = self._limit - self._used if self._requests < self._request_limit else -1
        self._next_minute = (self._minute + 1) * MINUTE
        self.changes_at = min(self._flight[0][0], self._next_minute) if self._flight else self._next_minute

    def _begin(self, minute: int) -> None:
        self._minute, self._used, self._requests = minute, 0, 0

    def admit_many(self, calls: Demand) -> int:
        """Take calls up to the first that does not fit, and return how many that are."""
        back = calls.reserved - calls.settled
        late = (calls.start + calls.duration) // MINUTE != calls.start // MINUTE
        ends = _ends(self._flight, calls, np.where(late, np.minimum(back, 0), back))
        order = _merge(ends.time, calls.start)
        minute = order.fill(ends.time, calls.start) // MINUTE
        change = order.fill(-ends.back, calls.reserved)
        is_start = np.zeros(len(minute), dtype=np.int64)
        is_start[order.of_starts] = 1
        used = self._within_minutes(minute, change, self._used)
        requests = self._within_minutes(minute, is_start, self._requests)
        fits = used[order.of_starts] <= self._limit
        fits &= requests[order.of_starts] <= self._request_limit
        taken = _leading(fits)
        last = (order.of_starts[taken] if taken < len(calls) else len(minute)) - 1
        if last >= 0:
            self._minute, self._used, self._requests = int(minute[last]), int(used[last]), int(requests[last])
        self._flight = ends.left(calls, taken)
        return taken

    def _within_minutes(self, minute: Integers, change: Integers, now: int) -> Integers:
        """Running sum after each event that begins anew in every minute; `now` counts in the current one."""
        total = np.cumsum(change)
        begins = np.flatnonzero(np.diff(minute, prepend=self._minute - 1))
        earlier = total[begins] - change[begins]
        if minute[0] == self._minute:
            earlier[0] -= now
        return total - np.repeat(earlier, np.diff(begins, append=len(minute)))


@dataclass(frozen=True)
class _Ends:
    """Ends of calls up to the last start: first those that were running already. `back` is what comes back then."""

    time: Integers
    back: Integers
    flight: list[tuple[int, int]]
    new_back: Integers

    def left(self, calls: Demand, taken: int) -> list[tuple[int, int]]:
        """Heap of the calls that still run once the first `taken` were admitted and the next one begins."""
        now = int(calls.start[taken] if taken < len(calls) else calls.start[-1])
        ends = (calls.start + calls.duration)[:taken]
        running = np.flatnonzero((ends > now) & (self.new_back[:taken] != 0))
        left = [entry for entry in self.flight if entry[0] > now]
        left += zip(ends[running].tolist(), self.new_back[running].tolist(), strict=True)
        heapq.heapify(left)
        return left


def _ends(flight: list[tuple[int, int]], calls: Demand, back: Integers) -> _Ends:
    running = np.array(flight, dtype=np.int64).reshape(-1, 2)
    time = np.concatenate([running[:, 0], calls.start + calls.duration])
    all_back = np.concatenate([running[:, 1], back])
    matters = np.flatnonzero((time <= calls.start[-1]) & (all_back != 0))
    # What is taken comes before what comes back at the same millisecond, so that nothing runs over the rim in between.
    moment = 2 * time[matters] + (all_back[matters] > 0)
    matters = matters[np.argsort(moment, kind="stable")]
    return _Ends(time[matters], all_back[matters], flight, back)


@dataclass(frozen=True)
class _Order:
    """Where each end and each start comes when both are put in the order of time."""

    of_ends: Integers
    of_starts: Integers

    def fill(self, ends: Integers, starts: Integers) -> Integers:
        """One array of both, in the order of time."""
        merged = np.empty(len(ends) + len(starts), dtype=np.int64)
        merged[self.of_ends], merged[self.of_starts] = ends, starts
        return merged


def _merge(ends: Integers, starts: Integers) -> _Order:
    """Ends come before starts of the same millisecond."""
    of_starts = np.searchsorted(ends, starts, side="right") + np.arange(len(starts))
    of_ends = np.searchsorted(starts, ends, side="left") + np.arange(len(ends))
    return _Order(of_ends, of_starts)


def _leading(fits: Booleans) -> int:
    """How many are true before the first that is not."""
    return int(np.argmin(fits)) if not fits.all() else len(fits)
