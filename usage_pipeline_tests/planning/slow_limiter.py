"""A replay that is slow and easy to believe: one attempt after the other, everything summed anew from what happened."""

from dataclasses import dataclass, field
from fractions import Fraction

import numpy as np

from usage_pipeline.planning.limiter import Demand
from usage_pipeline.planning.replay import Settings, Shape

MINUTE = 60_000


@dataclass(frozen=True)
class Admitted:
    start: int
    end: int
    reserved: int
    settled: int


@dataclass
class SlowLimiter:
    shape: Shape
    settings: Settings
    admitted: list[Admitted] = field(default_factory=list)

    def admits(self, ts: int, reserved: int) -> bool:
        limits = self.settings.limits
        if self.shape == "window":
            requests = sum(1 for call in self.admitted if call.start // MINUTE == ts // MINUTE)
            is_request_free = limits.requests is None or requests < limits.requests
            return is_request_free and self.used_in_minute_of(ts) + reserved <= limits.tokens
        is_request_free = limits.requests is None or self.request_level(ts) >= 1
        return is_request_free and self.token_level(ts) >= reserved

    def used_in_minute_of(self, ts: int) -> int:
        minute = ts // MINUTE
        used = 0
        for call in self.admitted:
            if call.start // MINUTE == minute:
                used += call.reserved
            if call.end <= ts and call.end // MINUTE == minute:
                overrun = max(0, call.settled - call.reserved)
                unused = max(0, call.reserved - call.settled)
                used += overrun - (unused if call.start // MINUTE == minute else 0)
        return used

    def token_level(self, ts: int) -> Fraction:
        changes = [(call.start, 1, -call.reserved) for call in self.admitted]
        changes += [(call.end, 0, call.reserved - call.settled) for call in self.admitted if call.end <= ts]
        return level(sorted(changes), ts, self.settings.limits.tokens)

    def request_level(self, ts: int) -> Fraction:
        assert self.settings.limits.requests is not None
        return level([(call.start, 1, -1) for call in self.admitted], ts, self.settings.limits.requests)


def level(changes: list[tuple[int, int, int]], ts: int, quota: int) -> Fraction:
    """What a bucket that was full before the first change holds at `ts`."""
    amount, at = Fraction(quota), changes[0][0] if changes else ts
    for time, _, change in changes:
        amount = min(Fraction(quota), amount + Fraction(quota * (time - at), MINUTE))
        amount = min(Fraction(quota), amount + change)
        at = time
    return min(Fraction(quota), amount + Fraction(quota * (ts - at), MINUTE))


@dataclass
class SlowOutcome:
    throttled_requests: int = 0
    attempts: int = 0
    lost: int = 0
    waits: list[int] = field(default_factory=list)


def slow_replay(demand: Demand, settings: Settings, shape: Shape) -> SlowOutcome:
    shares = np.random.default_rng(settings.seed).random(1 << 17)
    limiter, outcome = SlowLimiter(shape, settings), SlowOutcome()
    # A first attempt comes before a retry of the same millisecond.
    waiting = [(int(ts), 0, call, 1) for call, ts in enumerate(demand.start)]
    while waiting:
        waiting.sort()
        ts, _, call, attempt = waiting.pop(0)
        outcome.attempts += 1
        reserved, settled = int(demand.reserved[call]), int(demand.settled[call])
        if limiter.admits(ts, reserved):
            limiter.admitted.append(Admitted(ts, ts + int(demand.duration[call]), reserved, settled))
            outcome.waits.append(ts - int(demand.start[call]))
            continue
        outcome.throttled_requests += attempt == 1
        if attempt == settings.attempts:
            outcome.lost += 1
        else:
            longest = min(20_000, 1000 * 2 ** (attempt - 1))
            wait = int(shares[(2 * call + attempt) % len(shares)] * longest)
            waiting.append((ts + wait, 1, call, attempt + 1))
    return outcome
