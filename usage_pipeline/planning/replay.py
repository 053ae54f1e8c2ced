"""Sends stored calls through a limiter once more, as they were or changed: other traffic, quota or `max_tokens`.

Here: the calls, the settings and what came of it. Not here: the limiters (`limiter.py`), the SDK's retries
(`attempts.py`), reading calls. Both shapes of window are replayed, because AWS does not publish which one it uses:
results are estimates.
"""

from dataclasses import dataclass, replace
from fractions import Fraction
from typing import Literal

import numpy as np
import numpy.typing as npt

from usage_pipeline.planning.attempts import Progress, Tally, take_until_calm
from usage_pipeline.planning.limiter import Bucket, Demand, Integers, Limits, Window

Floats = npt.NDArray[np.float64]
Shape = Literal["bucket", "window"]
SHAPES: tuple[Shape, ...] = ("bucket", "window")
"""bucket: refills evenly, holds one minute's quota. window: starts from zero in every minute of the clock."""

ATTEMPTS = 3
"""Attempts of one request in boto3's `standard` retry mode (botocore 1.44, `retries/standard.py`)."""

LARGEST_THROTTLED = 0.001
"""Share of requests that may be throttled where a quota counts as enough."""

_FIRST_STRETCH, _LONGEST_STRETCH = 1024, 1 << 17
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
    tally = _sent(demand, settings, shape, len(demand), progress)
    return _outcome(tally, shape, len(demand), cut_answers)


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


def _sent(demand: Demand, settings: Settings, shape: Shape, allowed: int, progress: Progress = _tell_nobody) -> Tally:
    """Send calls through one limiter until more than `allowed` requests were throttled.

    Stretches without a throttle are taken at once, the others attempt by attempt.
    """
    start = int(demand.start[0]) if len(demand) else 0
    limiter = Bucket(settings.limits, start) if shape == "bucket" else Window(settings.limits, start)
    tally = Tally(settings.attempts, settings.seed, progress)
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
        position = take_until_calm(demand, position, limiter, tally, allowed)
    return tally


def _outcome(tally: Tally, shape: Shape, requests: int, cut_answers: int) -> Outcome:
    waits = tally.ordered_waits()
    served = requests - tally.lost
    return Outcome(
        shape=shape,
        requests=requests,
        throttled_requests=tally.throttled_requests,
        attempts=served + tally.throttled_attempts,
        throttled_attempts=tally.throttled_attempts,
        lost_requests=tally.lost,
        throttled_minutes=tally.throttled_minutes,
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
