"""Sends stored calls through a limiter once more, as they were or changed: other traffic, quota or `max_tokens`.

Here: the calls, the settings, the SDK's retries and what came of it. Not here: the limiters (`limiter.py`), reading
calls. Both shapes of window are replayed, because AWS does not publish which one it uses: results are estimates.
"""

import heapq
from collections.abc import Callable
from dataclasses import dataclass, replace
from fractions import Fraction
from typing import Literal

import numpy as np
import numpy.typing as npt

from usage_pipeline.planning.limiter import MINUTE, Bucket, Demand, Integers, Limiter, Limits, Window

Floats = npt.NDArray[np.float64]
Progress = Callable[[float], None]
"""Is told, from time to time, the share of a replay that is done, from 0 to 1."""
Shape = Literal["bucket", "window"]
SHAPES: tuple[Shape, ...] = ("bucket", "window")
"""bucket: refills evenly, holds one minute's quota. window: starts from zero in every minute of the clock."""

ATTEMPTS = 3
"""Attempts of one request in boto3's `standard` retry mode (botocore 1.44, `retries/standard.py`)."""
BASE_WAIT_MS, LONGEST_WAIT_MS = 1000, 20_000
"""Wait before retry n: a random share of min(1 s × 2^(n-1), 20 s), for throttles (same file)."""

LARGEST_THROTTLED = 0.001
"""Share of requests that may be throttled where a quota counts as enough."""

_FIRST_STRETCH, _LONGEST_STRETCH = 1024, 1 << 17
_CALM = 128
"""First attempts in a row that must pass, with no retry outstanding, before calls are taken in stretches again."""
_DRAWS = 1 << 17
"""Random shares drawn at once and used in turn, two for each request."""
_LARGEST_LEVEL = 1 << 61
"""Keeps every sum of a stretch within 64 bits."""


@dataclass(frozen=True)
class Calls:
    """Stored calls in any order. `start` in seconds since the epoch, `duration` in seconds, the others in tokens.

    `input` does not contain cached tokens; cache reads count for nothing and are left out.
    """

    start: Floats
    input: Integers
    cache_write: Integers
    output: Integers
    max_tokens: Integers
    duration: Floats

    def __len__(self) -> int:
        return len(self.start)


@dataclass(frozen=True)
class Settings:
    """What the calls meet. `max_tokens` None leaves each call's own; `traffic` is a factor of the number of calls."""

    limits: Limits
    burndown_rate: Fraction
    max_tokens: int | None = None
    traffic: float = 1.0
    attempts: int = ATTEMPTS
    seed: int = 0


@dataclass(frozen=True)
class Outcome:
    """What one limiter made of the calls.

    A throttled request met at least one throttle; a lost one met nothing else. Waits are seconds from the first attempt
    to the one that passed, over all requests that were served, None when there are none. `throttled_minutes` counts
    minutes of the clock with a throttle. `cut_answers` are answers longer than the changed `max_tokens`; they are
    settled in full all the same, which makes the result cautious.
    """

    shape: Shape
    requests: int
    throttled_requests: int
    attempts: int
    throttled_attempts: int
    lost_requests: int
    throttled_minutes: int
    cut_answers: int
    wait_p50: float | None
    wait_p99: float | None
    wait_max: float | None

    @property
    def throttled_share(self) -> float | None:
        """Throttled requests of all, from 0 to 1; None without requests."""
        return self.throttled_requests / self.requests if self.requests else None


def _tell_nobody(_: float) -> None:
    pass


def part_of(progress: Progress, part: int, parts: int) -> Progress:
    """Tells of one of equal parts, numbered from 0, as of the whole."""
    return lambda share: progress((part + share) / parts)


def replay(calls: Calls, settings: Settings, progress: Progress = _tell_nobody) -> tuple[Outcome, ...]:
    """One outcome per shape of window. The true limiter may lie between them, or beside."""
    _refuse_impossible(calls, settings)
    demand, cut_answers = demand_of(calls, settings)
    return tuple(
        replay_demand(demand, settings, shape, cut_answers, part_of(progress, part, len(SHAPES)))
        for part, shape in enumerate(SHAPES)
    )


def demand_of(calls: Calls, settings: Settings) -> tuple[Demand, int]:
    """What the calls ask of the limiter under the settings, in the order of time, and how many answers are cut."""
    chosen, shift = _traffic(calls, settings.traffic, settings.seed)
    start = np.rint((calls.start[chosen] + shift) * 1000).astype(np.int64)
    order = slice(None) if bool(np.all(start[1:] >= start[:-1])) else np.argsort(start, kind="stable")
    chosen, start = chosen[order], start[order]
    used = calls.input[chosen] + calls.cache_write[chosen]
    output = calls.output[chosen]
    # Rounded up, so that a call never takes less than it did.
    rate = settings.burndown_rate
    settled = used - (-output * rate.numerator // rate.denominator)
    allowed = calls.max_tokens[chosen] if settings.max_tokens is None else settings.max_tokens
    duration = np.maximum(np.rint(calls.duration[chosen] * 1000).astype(np.int64), 1)
    cut_answers = 0 if settings.max_tokens is None else int(np.count_nonzero(output > settings.max_tokens))
    return Demand(start, used + allowed, settled, duration), cut_answers


def _traffic(calls: Calls, factor: float, seed: int) -> tuple[Integers, Floats | float]:
    """Which calls are sent, and how far each is moved, in seconds.

    A factor of 2.3 sends each call twice and three in ten once more. The first copy stays where it is; the others move
    to any moment of the same minute, so that the minutes keep their shape and copies do not arrive together.
    """
    if factor == 1.0:
        return np.arange(len(calls)), 0.0
    rng = np.random.default_rng([seed, 1])
    whole = int(factor)
    copies = whole + (rng.random(len(calls)) < factor - whole)
    chosen = np.repeat(np.arange(len(calls)), copies)
    is_first = np.diff(chosen, prepend=-1) > 0
    second_of_minute = calls.start[chosen] % 60
    moved = np.where(is_first, 0.0, rng.uniform(0, 60, len(chosen)) - second_of_minute)
    return chosen, moved


def replay_demand(
    demand: Demand, settings: Settings, shape: Shape, cut_answers: int = 0, progress: Progress = _tell_nobody
) -> Outcome:
    """Send calls through one limiter."""
    return _sent(demand, settings, shape, len(demand), progress).outcome(shape, len(demand), cut_answers)


def smallest_quota(calls: Calls, settings: Settings, shape: Shape, share: float = LARGEST_THROTTLED) -> int | None:
    """The least tokens per minute, to 1 %, that throttle at most a share of the requests; the settings give the rest.

    None when no quota does that a replay can hold: requests per minute throttle more. It fits the calls that were.
    """
    _refuse_impossible(calls, settings)
    demand, _ = demand_of(calls, settings)
    allowed = int(share * len(demand))

    def is_enough(tokens: int) -> bool:
        limits = replace(settings.limits, tokens=tokens)
        return _sent(demand, replace(settings, limits=limits), shape, allowed).throttled_requests <= allowed

    if not len(demand):
        return 1
    # A quota of all that was ever asked for holds everything at once.
    asked = int(np.maximum(demand.reserved, demand.settled).sum())
    too_little, enough = 0, max(min(asked, (_LARGEST_LEVEL - 1) // (int(np.ptp(demand.start)) + 1)), 1)
    if not is_enough(enough):
        return None
    while enough - too_little > max(enough // 100, 1):
        middle = (too_little + enough) // 2
        too_little, enough = (too_little, middle) if is_enough(middle) else (middle, enough)
    return enough


def _sent(
    demand: Demand, settings: Settings, shape: Shape, allowed: int, progress: Progress = _tell_nobody
) -> "_Tally":
    """Send calls through one limiter until more than `allowed` requests were throttled.

    Stretches without a throttle are taken at once, the others call by call.
    """
    start = int(demand.start[0]) if len(demand) else 0
    limiter = Bucket(settings.limits, start) if shape == "bucket" else Window(settings.limits, start)
    tally = _Tally(settings, progress)
    position, stretch = 0, _FIRST_STRETCH
    while position < len(demand) and tally.throttled_requests <= allowed:
        part = demand.part(position, position + stretch)
        taken = limiter.admit_many(part)
        position += taken
        tally.progress(position / len(demand))
        if taken == len(part):
            stretch = min(stretch * 4, _LONGEST_STRETCH)
            continue
        stretch = _FIRST_STRETCH
        position = _step(demand, position, limiter, tally, allowed)
    return tally


class _Tally:
    """Counts of one replay, and the random waits of its retries."""

    def __init__(self, settings: Settings, progress: Progress) -> None:
        self.progress = progress
        self.attempts_allowed = settings.attempts
        shares = np.random.default_rng(settings.seed).random(_DRAWS)
        self.shares: list[float] = shares.tolist()
        self.throttled_requests = self.throttled_attempts = self.lost = self.throttled_minutes = 0
        self.last_minute = -1
        self.waits: list[int] = []

    def outcome(self, shape: Shape, requests: int, cut_answers: int) -> Outcome:
        waits = np.sort(np.array(self.waits, dtype=np.int64))
        served = requests - self.lost
        return Outcome(
            shape=shape,
            requests=requests,
            throttled_requests=self.throttled_requests,
            attempts=served + self.throttled_attempts,
            throttled_attempts=self.throttled_attempts,
            lost_requests=self.lost,
            throttled_minutes=self.throttled_minutes,
            cut_answers=cut_answers,
            wait_p50=_wait(waits, served, 500),
            wait_p99=_wait(waits, served, 990),
            wait_max=_wait(waits, served, 1000),
        )


def _wait(waits: Integers, served: int, per_mille: int) -> float | None:
    """Nearest-rank percentile in seconds; requests that are not in `waits` waited for nothing."""
    if not served:
        return None
    from_top = served - -(-served * per_mille // 1000)
    return float(waits[-1 - from_top]) / 1000 if from_top < len(waits) else 0.0


def _step(demand: Demand, position: int, limiter: Limiter, tally: _Tally, allowed: int) -> int:
    """Take calls one by one until the limiter is calm and no retry is left; returns the next call's position."""
    retries: list[tuple[int, int, int]] = []
    calm = 0
    while (position < len(demand) or retries) and tally.throttled_requests <= allowed:
        last = min(position + 4096, len(demand))
        part = demand.part(position, last)
        rows = zip(
            part.start.tolist(), part.reserved.tolist(), part.settled.tolist(), part.duration.tolist(), strict=True
        )
        for ts, reserved, settled, duration in rows:
            if retries and retries[0][0] < ts:
                _retry_until(ts, retries, demand, limiter, tally)
            if limiter.admit(ts, reserved, settled, duration):
                calm += 1
                if calm >= _CALM and not retries:
                    return position + 1
            else:
                calm = 0
                tally.throttled_requests += 1
                _throttled(ts, position, 1, retries, tally)
            position += 1
        tally.progress(position / len(demand))
        if position == len(demand):
            _retry_until(None, retries, demand, limiter, tally)
    return position


def _retry_until(
    until: int | None, retries: list[tuple[int, int, int]], demand: Demand, limiter: Limiter, tally: _Tally
) -> None:
    """Send the retries that are due before `until` ms; all of them when it is None."""
    while retries and (until is None or retries[0][0] < until):
        ts, call, attempt = heapq.heappop(retries)
        if limiter.admit(ts, int(demand.reserved[call]), int(demand.settled[call]), int(demand.duration[call])):
            tally.waits.append(ts - int(demand.start[call]))
        else:
            _throttled(ts, call, attempt, retries, tally)


def _throttled(ts: int, call: int, attempt: int, retries: list[tuple[int, int, int]], tally: _Tally) -> None:
    """Count a throttle, and send the call again after a random wait or give it up."""
    tally.throttled_attempts += 1
    minute = ts // MINUTE
    if minute != tally.last_minute:
        tally.last_minute = minute
        tally.throttled_minutes += 1
    if attempt >= tally.attempts_allowed:
        tally.lost += 1
        return
    longest = min(LONGEST_WAIT_MS, BASE_WAIT_MS << (attempt - 1))
    share = tally.shares[(2 * call + attempt) % _DRAWS]
    heapq.heappush(retries, (ts + int(share * longest), call, attempt + 1))


def _refuse_impossible(calls: Calls, settings: Settings) -> None:
    """Raise ValueError that names the setting, what it is and what is allowed."""
    if settings.limits.tokens <= 0:
        raise ValueError(f"limits.tokens is {settings.limits.tokens}; a replay needs a quota above 0")
    if not settings.traffic > 0:
        raise ValueError(f"traffic is {settings.traffic}; it is a factor of today's calls and must be above 0")
    if settings.attempts < 1:
        raise ValueError(f"attempts is {settings.attempts}; a request has one attempt at least")
    lengths = {name: len(values) for name, values in vars(calls).items()}
    if len(set(lengths.values())) > 1:
        raise ValueError(f"the arrays of calls differ in length: {lengths}; each call needs one value in each")
    span = float(np.ptp(calls.start)) * 1000 if len(calls) else 0.0
    if span * settings.limits.tokens >= _LARGEST_LEVEL:
        raise ValueError(
            f"calls over {span / 86_400_000:.0f} days at {settings.limits.tokens:,} tokens per minute are too much for "
            "one replay; replay fewer days"
        )
