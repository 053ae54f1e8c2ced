"""Two limiters of one pool that reserve at the start of a call and settle at its end, fast over millions of calls.

Here: the state of a limiter, moved forward one call at a time (`admit`) or over a whole stretch of calls that all fit
(`admit_many`); both give the same answers, in whole numbers without rounding. Not here: retries and results
(`replay.py`). AWS does not publish the shape of its limiter's window; these two are what it may look like.
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


class Limiter(Protocol):
    """What a replay needs of a limiter. Calls come in the order of time."""

    def admit(self, ts: int, reserved: int, settled: int, duration: int) -> bool:
        """Take one attempt at `ts` ms; False when it is throttled, which takes no quota."""
        ...

    def admit_many(self, calls: Demand) -> int:
        """Take calls up to the first that does not fit, and return how many that are."""
        ...


class Bucket:
    """Refills evenly, one sixtieth of the quota per second, up to one minute's quota; full at the beginning.

    At the end of a call, what it reserved and did not take comes back; what it took beyond is taken then, which can
    push the level below zero.
    """

    def __init__(self, limits: Limits, start: int) -> None:
        self._rate = limits.tokens
        self._capacity = self._level = limits.tokens * MINUTE
        self._request_rate = limits.requests or 0
        self._request_level = self._request_rate * MINUTE
        self._has_request_limit = limits.requests is not None
        self._at = self._request_at = start
        self._flight: list[tuple[int, int]] = []
        """End of each running call and what comes back then, in token × MINUTE; a heap."""

    def admit(self, ts: int, reserved: int, settled: int, duration: int) -> bool:
        """Take one attempt at `ts` ms; False when it is throttled, which takes no quota."""
        capacity, rate, level, at, flight = self._capacity, self._rate, self._level, self._at, self._flight
        while flight and flight[0][0] <= ts:
            end, back = heapq.heappop(flight)
            level += (end - at) * rate
            at = end
            level = (level if level < capacity else capacity) + back
            if level > capacity:
                level = capacity
        level += (ts - at) * rate
        if level > capacity:
            level = capacity
        self._at = ts
        need = reserved * MINUTE
        if (self._has_request_limit and self._refill_requests(ts) < MINUTE) or level < need:
            self._level = level
            return False
        self._level = level - need
        self._request_level -= MINUTE
        heapq.heappush(flight, (ts + duration, need - settled * MINUTE))
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
        self._limits = limits
        self._request_limit = limits.requests if limits.requests is not None else np.iinfo(np.int64).max
        self._minute = start // MINUTE
        self._used = self._requests = 0
        self._flight: list[tuple[int, int]] = []
        """End of each running call and what comes back then, in tokens; a heap. Without those that change nothing."""

    def admit(self, ts: int, reserved: int, settled: int, duration: int) -> bool:
        """Take one attempt at `ts` ms; False when it is throttled, which takes no quota."""
        flight = self._flight
        while flight and flight[0][0] <= ts:
            end, back = heapq.heappop(flight)
            if end // MINUTE != self._minute:
                self._begin(end // MINUTE)
            self._used -= back
        minute = ts // MINUTE
        if minute != self._minute:
            self._begin(minute)
        if self._requests >= self._request_limit or self._used + reserved > self._limits.tokens:
            return False
        self._used += reserved
        self._requests += 1
        end, back = ts + duration, reserved - settled
        if back < 0 or (back > 0 and end // MINUTE == minute):
            heapq.heappush(flight, (end, back))
        return True

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
        fits = used[order.of_starts] <= self._limits.tokens
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
    matters = matters[np.argsort(time[matters], kind="stable")]
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
