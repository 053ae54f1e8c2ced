"""Seeded traffic with known causes: steady through the day, bursty, growing, and with one noisy neighbour.

Each scenario has 42 days of calls: four weeks to plan from, and two that came after.
"""

from dataclasses import dataclass
from fractions import Fraction
from typing import Literal

import numpy as np

from usage_pipeline.planning.percentiles import dense_minutes
from usage_pipeline.planning.replay import Calls

Kind = Literal["diurnal", "bursty", "growing", "noisy_neighbour"]
KINDS: tuple[Kind, ...] = ("diurnal", "bursty", "growing", "noisy_neighbour")
SEEDS = range(5)
DAY = 1440
PLANNED_DAYS, LATER_DAYS = 28, 14
DAYS = PLANNED_DAYS + LATER_DAYS
BURNDOWN = Fraction(5)
MAX_TOKENS = 8192
NOISY = 2
"""Number of the caller that sends the bursts of `noisy_neighbour`; the callers are 0, 1 and 2."""


@dataclass(frozen=True)
class Scenario:
    """Calls of one pool from second 0 on; `caller` has each call's caller; `growth` is the true growth per day."""

    kind: Kind
    seed: int
    growth: float
    calls: Calls
    caller: np.ndarray

    @property
    def consumed(self) -> np.ndarray:
        return self.calls.input + self.calls.cache_write + self.calls.output * int(BURNDOWN)

    def days(self, first: int, last: int) -> "Scenario":
        """The calls of days `first` up to and without `last`."""
        chosen = (self.calls.start >= first * 86_400) & (self.calls.start < last * 86_400)
        part = Calls(*(column[chosen] for column in vars(self.calls).values()))
        return Scenario(self.kind, self.seed, self.growth, part, self.caller[chosen])

    def consumed_by_minute(self, days: int) -> np.ndarray:
        """A dense grid of consumed tokens of the first `days` days."""
        minute, at = np.unique((self.calls.start // 60).astype(np.int64), return_inverse=True)
        tokens = np.bincount(at, weights=self.consumed)
        return dense_minutes(minute, tokens, 0, days * DAY, np.ones(days * DAY, dtype=bool))


def scenario(kind: Kind, seed: int, calls_per_minute: float = 3.0) -> Scenario:
    rng = np.random.default_rng([KINDS.index(kind), seed])
    growth = float(rng.uniform(0.005, 0.015)) if kind == "growing" else 0.0
    minute = np.arange(DAYS * DAY)
    usual = calls_per_minute * _through_the_day(minute) * _by_day(rng) * np.exp(growth * minute / DAY)
    caller_rates = [usual] if kind != "noisy_neighbour" else [usual * 0.5, usual * 0.3, usual * 0.2]
    if kind in ("bursty", "noisy_neighbour"):
        caller_rates[-1] = caller_rates[-1] + 6 * calls_per_minute * _bursts(rng)
    starts = [_arrivals(rng, rate) for rate in caller_rates]
    caller = np.repeat(np.arange(len(starts)) + NOISY + 1 - len(starts), [len(each) for each in starts])
    start = np.concatenate(starts)
    order = np.argsort(start)
    return Scenario(kind, seed, growth, _calls(rng, start[order]), caller[order])


def _through_the_day(minute: np.ndarray) -> np.ndarray:
    hour = minute % DAY / 60
    weekend = minute // DAY % 7 >= 5
    return (0.25 + 1.5 * np.exp(-(((hour - 14) / 4) ** 2))) * np.where(weekend, 0.5, 1.0)


def _by_day(rng: np.random.Generator) -> np.ndarray:
    return np.repeat(rng.lognormal(0, 0.1, DAYS), DAY)


def _bursts(rng: np.random.Generator) -> np.ndarray:
    """1 while a burst lasts: about four a day, of 3 to 15 minutes."""
    active = np.zeros(DAYS * DAY)
    for begin in rng.integers(0, DAYS * DAY, 4 * DAYS):
        active[begin : begin + rng.integers(3, 15)] = 1
    return active


def _arrivals(rng: np.random.Generator, rate: np.ndarray) -> np.ndarray:
    count = rng.poisson(rate)
    return np.repeat(np.arange(len(rate)), count) * 60 + rng.uniform(0, 60, count.sum())


def _calls(rng: np.random.Generator, start: np.ndarray) -> Calls:
    count = len(start)
    output = np.minimum(rng.lognormal(5.5, 0.8, count).astype(np.int64) + 1, MAX_TOKENS)
    return Calls(
        start=start,
        input=rng.lognormal(7.5, 0.8, count).astype(np.int64) + 1,
        cache_write=np.where(rng.random(count) < 0.1, 1000, 0),
        output=output,
        max_tokens=np.full(count, MAX_TOKENS),
        duration=0.8 + output / 50,
    )
