"""The quota limiter of one pool: a token bucket that reserves `max_tokens`, a request bucket, and the SDK's retries.

Here: which attempt is admitted, which is throttled and why. Not here: where the calls come from (`traffic.py`).
AWS does not publish the shape of its limiter; this one refills evenly and holds one minute's quota.
"""

import heapq
from dataclasses import dataclass
from typing import Any

import numpy as np
import numpy.typing as npt

Integers = npt.NDArray[np.int64]

ADMITTED, RPM, TPM, RESERVATION = 0, 1, 2, 3
CAUSES = ("admitted", "rpm", "tpm", "reservation")
"""Name of each cause by its number.

rpm: the request bucket was empty. tpm: the token bucket was too low, and would have been without reservations.
reservation: it was too low only because requests in flight hold more tokens than they end up taking.
"""

_MILLISECONDS = 60_000


@dataclass(frozen=True)
class Calls:
    """What callers want, in the order of time. `ts` and `latency` in ms; `reserved` and `settled` in quota tokens."""

    ts: Integers
    reserved: Integers
    settled: Integers
    latency: Integers


@dataclass(frozen=True)
class Attempts:
    """One row per attempt: the call's row in `Calls`, the attempt's number from 1, its time in ms and its cause."""

    call: Integers
    attempt: Integers
    ts: Integers
    cause: Integers


class _Bucket:
    """Refills evenly up to one minute's quota. A level can fall below zero when an answer was longer than reserved."""

    def __init__(self, per_minute: float) -> None:
        self.capacity = per_minute
        self.level = per_minute
        self.rate = per_minute / _MILLISECONDS
        self.at = 0

    def refill(self, ts: int) -> float:
        self.level = min(self.capacity, self.level + (ts - self.at) * self.rate)
        self.at = ts
        return self.level

    def add(self, tokens: int) -> None:
        self.level = min(self.capacity, self.level + tokens)


class Limiter:
    """The state of one pool's limiter, moved forward in time by `admit`."""

    def __init__(self, tpm_limit: float, rpm_limit: float | None) -> None:
        self._tokens = _Bucket(tpm_limit)
        self._settled_only = _Bucket(tpm_limit)
        self._requests = _Bucket(rpm_limit) if rpm_limit else None
        self._in_flight: list[tuple[int, int]] = []

    def admit(self, ts: int, reserved: int, settled: int, latency: int) -> int:
        """Take one attempt at `ts` ms, not before the last one; returns ADMITTED or the cause of the throttle."""
        while self._in_flight and self._in_flight[0][0] <= ts:
            ended, given_back = heapq.heappop(self._in_flight)
            self._tokens.refill(ended)
            self._tokens.add(given_back)
        if self._requests and self._requests.refill(ts) < 1:
            return RPM
        if self._tokens.refill(ts) < reserved:
            return RESERVATION if self._settled_only.refill(ts) >= settled else TPM
        self._settled_only.refill(ts)
        self._settled_only.add(-settled)
        self._tokens.add(-reserved)
        if self._requests:
            self._requests.add(-1)
        heapq.heappush(self._in_flight, (ts + latency, reserved - settled))
        return ADMITTED


def limit(
    calls: Calls,
    limiter: Limiter,
    waits: npt.NDArray[np.float64],
    *,
    base_wait_ms: int = 1000,
    longest_wait_ms: int = 20_000,
) -> Attempts:
    """Send the calls through the limiter; a throttled attempt is sent again after an exponential wait with jitter.

    `waits` has one row per call and one column per retry, numbers in [0, 1): the share of the longest wait of that
    retry. The call is lost when its last retry is throttled too.
    """
    rows: list[tuple[int, int, int, int]] = []
    first = zip(calls.ts.tolist(), range(len(calls.ts)), strict=True)
    retries: list[tuple[int, int, int]] = []
    call_list: Any = list(zip(calls.reserved.tolist(), calls.settled.tolist(), calls.latency.tolist(), strict=True))
    upcoming = next(first, None)
    while upcoming or retries:
        if upcoming and (not retries or upcoming[0] <= retries[0][0]):
            ts, call, attempt = upcoming[0], upcoming[1], 1
            upcoming = next(first, None)
        else:
            ts, call, attempt = heapq.heappop(retries)
        cause = limiter.admit(ts, *call_list[call])
        rows.append((call, attempt, ts, cause))
        if cause != ADMITTED and attempt <= waits.shape[1]:
            longest = min(longest_wait_ms, base_wait_ms * 2 ** (attempt - 1))
            wait = int(waits[call, attempt - 1] * longest)
            heapq.heappush(retries, (ts + wait, call, attempt + 1))
    columns = np.array(rows, dtype=np.int64).reshape(-1, 4).T
    return Attempts(*columns)
