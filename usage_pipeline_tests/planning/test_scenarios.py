"""Plans made from four weeks of traffic with known causes, held against the two weeks that came after."""

from collections import Counter
from dataclasses import dataclass
from functools import cache

import numpy as np
import pytest

from usage_pipeline.planning.forecasts import backtest, fit_trend
from usage_pipeline.planning.limiter import Limits
from usage_pipeline.planning.max_tokens import Answers, recommend_max_tokens
from usage_pipeline.planning.percentiles import grade, intervals, known_days, percentiles, return_level
from usage_pipeline.planning.recommendations import QuotaUse, recommend_quota
from usage_pipeline.planning.replay import Settings, demand_of, replay
from usage_pipeline.planning.reservations import held_by_minute, hold_in_peak_hours
from usage_pipeline.planning.throttle_causes import RULES, Cause, Column, Verdict, cause_of, shares
from usage_pipeline.sandbox.limiter import ADMITTED, CAUSES, Attempts, Limiter, limit
from usage_pipeline.sandbox.limiter import Calls as Attempted
from usage_pipeline_tests.planning.scenarios import (
    BURNDOWN,
    DAY,
    DAYS,
    KINDS,
    MAX_TOKENS,
    NOISY,
    PLANNED_DAYS,
    SEEDS,
    Scenario,
    scenario,
)

MONTH = 30 * DAY
ALL = [(kind, seed) for kind in KINDS for seed in SEEDS]
made = cache(scenario)


def recommended_quota(past: Scenario) -> int:
    grid = past.consumed_by_minute(PLANNED_DAYS)
    p999, interval = percentiles(grid, "all").p999, intervals(grid, "all")["p999"]
    assert p999 is not None
    asked, _ = demand_of(past.calls, Settings(Limits(1, None), BURNDOWN))
    held = held_by_minute(asked.start, asked.duration, asked.reserved, 0, len(grid))
    return recommend_quota(
        QuotaUse(
            kind="tpm",
            p999=p999,
            interval=interval,
            grade=grade(known_days(grid), p999, interval),
            return_level=return_level(grid, MONTH),
            hold=hold_in_peak_hours(held, grid),
            trend=fit_trend(daily_peaks(grid)),
        ),
        limit=None,
    ).recommended


def daily_peaks(grid: np.ndarray) -> np.ndarray:
    return np.percentile(grid.reshape(-1, DAY), 99.9, axis=1, method="inverted_cdf")


@pytest.mark.parametrize(("kind", "seed"), ALL)
def test_the_recommended_quota_throttles_less_than_one_in_a_thousand_of_later_requests(kind: str, seed: int) -> None:
    known = made(kind, seed)  # type: ignore[arg-type]
    quota = recommended_quota(known.days(0, PLANNED_DAYS))
    later = known.days(PLANNED_DAYS, DAYS)
    for outcome in replay(later.calls, Settings(Limits(quota, None), BURNDOWN)):
        assert outcome.throttled_share is not None
        assert outcome.throttled_share < 0.001
    # The quota is not merely far too large: a quarter of it throttles somebody.
    scarce = replay(later.calls, Settings(Limits(quota // 4, None), BURNDOWN))
    assert all(outcome.throttled_requests > 0 for outcome in scarce)


@pytest.mark.parametrize(("kind", "seed"), ALL)
def test_the_recommended_max_tokens_cut_less_than_one_in_a_thousand_of_later_answers(kind: str, seed: int) -> None:
    known = made(kind, seed)  # type: ignore[arg-type]
    past, later = known.days(0, PLANNED_DAYS).calls, known.days(PLANNED_DAYS, DAYS).calls
    answers = Answers(
        past.input + past.cache_write, past.output, past.max_tokens, past.output >= MAX_TOKENS, past.duration
    )
    found = recommend_max_tokens(answers, PLANNED_DAYS * 86_400, limit=None)
    assert found.status == "lower"
    assert found.recommended is not None
    assert found.recommended < MAX_TOKENS / 2
    assert np.mean(later.output > found.recommended) < 0.001


def test_the_interval_of_80_percent_holds_70_to_90_percent_of_later_peaks() -> None:
    hits = []
    for kind, seed in ALL:
        grid = made(kind, seed).consumed_by_minute(DAYS)
        hits += [row.is_hit for row in backtest(daily_peaks(grid), DAYS - PLANNED_DAYS, horizon=7, draws=200).rows]
    assert len(hits) > 1000
    assert 0.7 <= np.mean(hits) <= 0.9


@dataclass(frozen=True)
class ThrottledMinute:
    """A throttled minute, which quotas truly throttled it, and what the rules say."""

    causes: frozenset[str]
    values: dict[Column, int | None]
    verdict: Verdict

    @property
    def is_identifiable(self) -> bool:
        """One quota was the cause, and the totals of the minute show that it was full."""
        visible: set[Cause] = {rule.cause for rule in RULES if rule.likely.holds(self.values)}
        return len(self.causes) == 1 and self.causes <= visible


SCARCE: dict[str, tuple[float, float, float, int]] = {
    # Shares of the peaks of tokens and requests per minute and of tokens per day that the quotas are, and max_tokens.
    "tpm": (0.4, 5.0, 2.0, 512),
    "rpm": (6.0, 0.6, 2.0, 512),
    "tpd": (6.0, 5.0, 0.9, 512),
    "reservation": (1.2, 5.0, 2.0, 60_000),
    "all": (0.6, 0.6, 0.9, 4096),
}
LIMITED_DAYS = 7
TPD = len(CAUSES)
"""Number of the cause that the sandbox's limiter does not have."""


class LimiterOfDays(Limiter):
    """The sandbox's limiter with a quota of tokens per UTC day before it."""

    def __init__(self, tokens: int, requests: int, tokens_per_day: int) -> None:
        super().__init__(tokens, requests)
        self._left = self._per_day = tokens_per_day
        self._day = 0

    def admit(self, ts: int, reserved: int, settled: int, latency: int) -> int:
        if ts // (DAY * 60_000) != self._day:
            self._left, self._day = self._per_day, ts // (DAY * 60_000)
        if self._left <= 0:
            return TPD
        cause = super().admit(ts, reserved, settled, latency)
        self._left -= settled if cause == ADMITTED else 0
        return cause


@cache
def throttled_minutes(kind: str, seed: int, scarce: str) -> tuple[ThrottledMinute, ...]:
    known = made(kind, seed).days(0, LIMITED_DAYS)  # type: ignore[arg-type]
    attempts, quotas = limited(known, scarce)
    asked, _ = demand_of(known.calls, Settings(Limits(1, None), BURNDOWN, max_tokens=SCARCE[scarce][3]))
    minute, passed, length = attempts.ts // 60_000, attempts.cause == ADMITTED, LIMITED_DAYS * DAY + 2
    call = attempts.call[passed]
    counts = np.zeros((length, TPD + 1), dtype=int)
    np.add.at(counts, (minute, attempts.cause), 1)
    invocations, throttles = counts[:, ADMITTED], counts[:, ADMITTED + 1 :].sum(axis=1)
    consumed = np.bincount(minute[passed], weights=asked.settled[call], minlength=length).astype(int)
    held = held_by_minute(attempts.ts[passed], asked.duration[call], asked.reserved[call], 0, length)
    found = []
    for at in np.flatnonzero(throttles).tolist():
        values: dict[Column, int | None] = {
            "invocations": int(invocations[at]),
            "throttles": int(throttles[at]),
            "consumed_tokens": int(consumed[at]),
            "reserved_tokens": int(held[at]),
            "day_tokens_running": int(consumed[at // DAY * DAY : at + 1].sum()),
            "invocations_before": int(invocations[at - 1]),
            "throttles_before": int(throttles[at - 1]),
            "consumed_tokens_before": int(consumed[at - 1]),
            "largest_call_tokens": int(asked.settled[call].max()),
            "largest_reservation_tokens": int(asked.reserved[call].max()),
            "rpm_limit": quotas["rpm"],
            "tpm_limit": quotas["tpm"],
            "tpd_limit": quotas["tpd"],
        }
        causes = frozenset((*CAUSES, "tpd")[number] for number in range(1, TPD + 1) if counts[at, number])
        found.append(ThrottledMinute(causes, values, cause_of(values)))
    return tuple(found)


def limited(known: Scenario, scarce: str) -> tuple[Attempts, dict[str, int]]:
    """The calls sent through the sandbox's limiter, which knows each throttle's cause, and its quotas."""
    of_tokens, of_requests, of_days, max_tokens = SCARCE[scarce]
    consumed = known.consumed_by_minute(LIMITED_DAYS)
    requests = np.bincount((known.calls.start // 60).astype(int))
    quotas = {
        "tpm": int(np.percentile(consumed, 99.9) * of_tokens),
        "rpm": int(np.percentile(requests, 99.9) * of_requests),
        "tpd": int(consumed.reshape(-1, DAY).sum(axis=1).max() * of_days),
    }
    asked, _ = demand_of(known.calls, Settings(Limits(1, None), BURNDOWN, max_tokens=max_tokens))
    waits = np.random.default_rng(known.seed).random((len(asked), 2))
    calls = Attempted(asked.start, asked.reserved, asked.settled, asked.duration)
    limiter = LimiterOfDays(quotas["tpm"], quotas["rpm"], quotas["tpd"])
    return limit(calls, limiter, waits), quotas


CAUSE_SCENARIOS = [
    (kind, seed, scarce) for kind in KINDS for seed, scarce in enumerate(("tpm", "rpm", "reservation", "tpd", "all"))
]
"""Twenty: every pattern of arrivals with each quota scarce, and with all of them."""


def test_minutes_whose_cause_can_be_seen_get_the_true_one() -> None:
    right: Counter[str] = Counter()
    seen: Counter[str] = Counter()
    for kind, seed, scarce in CAUSE_SCENARIOS:
        if scarce == "all":
            continue
        for minute in throttled_minutes(kind, seed, scarce):
            if minute.is_identifiable:
                seen[scarce] += 1
                right[scarce] += minute.verdict.cause in minute.causes
    assert set(seen) == {"tpm", "rpm", "tpd", "reservation"}
    assert min(seen.values()) > 100
    assert {scarce: right[scarce] / seen[scarce] >= 0.95 for scarce in seen} == dict.fromkeys(seen, True)


def test_over_all_scenarios_95_percent_of_what_can_be_seen_is_right() -> None:
    minutes = [minute for named in CAUSE_SCENARIOS for minute in throttled_minutes(*named) if minute.is_identifiable]
    assert np.mean([minute.verdict.cause in minute.causes for minute in minutes]) >= 0.95


def test_where_every_quota_is_scarce_a_minute_that_fits_one_cause_has_it() -> None:
    fitting: list[bool] = []
    for kind, seed, scarce in CAUSE_SCENARIOS:
        if scarce == "all":
            for minute in throttled_minutes(kind, seed, scarce):
                visible: set[str] = {rule.cause for rule in RULES if rule.likely.holds(minute.values)}
                fitting += [visible <= minute.causes] if len(visible) == 1 else []
    assert len(fitting) > 500
    assert np.mean(fitting) >= 0.95


def test_no_minute_gets_a_wrong_certain_cause_even_where_every_quota_is_scarce() -> None:
    certain = 0
    for kind, seed, scarce in CAUSE_SCENARIOS:
        for minute in throttled_minutes(kind, seed, scarce):
            if minute.verdict.is_certain:
                certain += 1
                assert minute.verdict.cause in minute.causes, minute
    assert certain > 1000


@pytest.mark.parametrize("seed", SEEDS)
def test_the_noisy_neighbour_is_the_first_consumer_of_throttled_minutes(seed: int) -> None:
    known = made("noisy_neighbour", seed).days(0, LIMITED_DAYS)
    attempts, _ = limited(known, "tpm")
    passed = attempts.cause == ADMITTED
    minute = attempts.ts // 60_000
    is_throttled = np.isin(minute, minute[~passed])
    consumed = np.bincount(
        known.caller[attempts.call[passed & is_throttled]],
        weights=known.consumed[attempts.call[passed & is_throttled]],
        minlength=3,
    )
    consumers = shares({str(caller): int(tokens) for caller, tokens in enumerate(consumed)})
    assert consumers[0].subject == str(NOISY)
    assert consumers[0].share > 0.5
