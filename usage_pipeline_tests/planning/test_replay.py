from fractions import Fraction

import numpy as np
import pytest
from hypothesis import example, given, settings
from hypothesis import strategies as st

from usage_pipeline.planning import attempts as attempts_module
from usage_pipeline.planning import replay as replay_module
from usage_pipeline.planning.limiter import Bucket, Demand, Limiter, Limits, Window
from usage_pipeline.planning.replay import (
    SHAPES,
    Calls,
    Outcome,
    Settings,
    Shape,
    demand_of,
    replay,
    replay_demand,
    smallest_quota,
)
from usage_pipeline_tests.planning.slow_limiter import slow_replay

MINUTE = 60_000


def demand(*rows: tuple[int, int, int, int]) -> Demand:
    """Rows of start in ms, reserved and settled tokens, duration in ms."""
    return Demand(*np.array(rows, dtype=np.int64).reshape(-1, 4).T)


def calls(*rows: tuple[float, int, int, int, int, float]) -> Calls:
    """Rows of start in s, input, cache write, output, max_tokens, duration in s."""
    start, *tokens, duration = np.array(rows, dtype=float).reshape(-1, 6).T
    return Calls(start, *(column.astype(np.int64) for column in tokens), duration)


def sets(tokens: int, requests: int | None = None, **more: object) -> Settings:
    return Settings(Limits(tokens, requests), Fraction(5), **more)  # type: ignore[arg-type]


CALL = st.tuples(
    st.integers(0, 180).map(lambda second: second * 1000),
    st.sampled_from([0, 10, 50, 100]),
    st.sampled_from([0, 10, 60, 150]),
    st.sampled_from([1, 1000, 30_000, 61_000, 130_000]),
)
HALF_MINUTES = st.tuples(
    st.integers(0, 6).map(lambda half: half * 30_000),
    st.sampled_from([0, 10, 50, 100]),
    st.sampled_from([0, 10, 60, 150]),
    st.sampled_from([1, 30_000, 60_000, 90_000]),
)
"""Calls of which many begin and end in the same millisecond, in a bucket that is often full."""


@settings(max_examples=200, deadline=None)
@given(
    rows=st.lists(CALL, max_size=40) | st.lists(HALF_MINUTES, max_size=20),
    tokens=st.sampled_from([99, 100, 160, 300, 1000]),
    requests=st.none() | st.integers(0, 12),
    shape=st.sampled_from(SHAPES),
    # Stretches and single calls, in every mixture.
    stretch=st.sampled_from([1, 3, 1024]),
    calm=st.sampled_from([1, 2, 128]),
    part=st.sampled_from([1, 2, 7, 256]),
)
# In a full bucket one call gives back 50 and another takes 150 more, both at 130 s: 60 are left, not 10.
@example(
    rows=[(0, 0, 0, 1)] * 4 + [(69_000, 50, 0, 61_000), (100_000, 0, 150, 30_000), (130_000, 50, 0, 1)],
    tokens=160,
    requests=None,
    shape="bucket",
    stretch=1,
    calm=1,
    part=1,
)
def test_fast_and_slow_limiter_do_the_same(
    rows: list[tuple[int, int, int, int]],
    tokens: int,
    requests: int | None,
    shape: Shape,
    stretch: int,
    calm: int,
    part: int,
) -> None:
    asked, limits = demand(*sorted(rows)), sets(tokens, requests, seed=7)
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(replay_module, "_FIRST_STRETCH", stretch)
        patch.setattr(attempts_module, "_CALM", calm)
        patch.setattr(attempts_module, "_FIRST_PART", part)
        fast = replay_demand(asked, limits, shape)
    slow = slow_replay(asked, limits, shape)
    assert fast.throttled_requests == slow.throttled_requests
    assert (fast.attempts, fast.lost_requests) == (slow.attempts, slow.lost)
    assert fast.wait_max == (max(slow.waits) / 1000 if slow.waits else None)
    expected = np.percentile(slow.waits, 99, method="inverted_cdf") / 1000 if slow.waits else None
    assert fast.wait_p99 == expected


def admit_one_by_one(limiter: Limiter, asked: Demand) -> int:
    """How many calls fit before the first that does not, which are taken one after the other."""
    for place, (ts, reserved, settled, duration) in enumerate(asked.rows()):
        limiter.settle(ts)
        need = limiter.asked(np.array([ts]), np.array([reserved]))
        if int(need[0]) > limiter.free or not limiter.take(ts, reserved, settled, duration):
            return place
    return len(asked)


def free_at(limiter: Limiter, ts: int) -> int:
    """What is free at `ts` ms, once a call of no tokens has brought the limiter there."""
    limiter.settle(ts)
    limiter.take(ts, 0, 0, 1)
    return limiter.free


@pytest.mark.parametrize("limiter", [Bucket, Window])
@settings(max_examples=150, deadline=None)
@given(rows=st.lists(HALF_MINUTES, min_size=1, max_size=20), tokens=st.sampled_from([160, 300, 1000]))
def test_a_stretch_leaves_the_level_that_single_calls_leave(
    limiter: type[Bucket] | type[Window], rows: list[tuple[int, int, int, int]], tokens: int
) -> None:
    asked, stretch, single = demand(*sorted(rows)), limiter(Limits(tokens, None), 0), limiter(Limits(tokens, None), 0)
    taken = stretch.admit_many(asked)
    assert taken == admit_one_by_one(single, asked)
    now = int(asked.start[min(taken, len(asked) - 1)])
    # Some calls still run now, and have ended half a minute or two minutes later.
    for ts in (now, now + 30_000, now + 120_000):
        assert free_at(stretch, ts) == free_at(single, ts)


@pytest.mark.parametrize(
    ("together", "left"),
    [
        # Tokens that come back (reserved, settled) and tokens taken beyond, in both orders; the quota is 160.
        ([(50, 0), (0, 150)], 60),
        ([(0, 150), (50, 0)], 60),
        ([(50, 0), (0, 30)], 160),
        ([(40, 0), (0, 150), (50, 0)], 100),
    ],
)
def test_calls_that_end_together_settle_together(together: list[tuple[int, int]], left: int) -> None:
    ended = [(0, reserved, settled, MINUTE) for reserved, settled in together]
    for needed, taken in [(left, len(ended) + 1), (left + 1, len(ended))]:
        asked = demand(*ended, (MINUTE, needed, 0, 1))
        assert Bucket(Limits(160, None), 0).admit_many(asked) == taken
        assert admit_one_by_one(Bucket(Limits(160, None), 0), asked) == taken


@pytest.mark.parametrize("limiter", [Bucket, Window])
def test_a_stretch_ends_before_the_first_call_that_does_not_fit(limiter: type[Bucket] | type[Window]) -> None:
    assert limiter(Limits(100, None), 0).admit_many(demand((0, 60, 60, 1), (1, 60, 60, 1), (2, 1, 1, 1))) == 1


@pytest.mark.parametrize("shape", SHAPES)
def test_what_is_reserved_and_not_taken_comes_back_at_the_end(shape: Shape) -> None:
    during = replay_demand(demand((0, 90, 10, 500), (499, 50, 10, 1)), sets(100), shape)
    after = replay_demand(demand((0, 90, 10, 500), (500, 50, 10, 1)), sets(100), shape)
    assert (during.throttled_requests, after.throttled_requests) == (1, 0)


def test_shapes_differ_where_a_burst_crosses_the_minute() -> None:
    burst = demand((59_000, 100, 100, 1), (60_000, 100, 100, 1))
    once = sets(100, attempts=1)
    assert [replay_demand(burst, once, shape).throttled_requests for shape in SHAPES] == [1, 0]


def test_a_minute_of_the_clock_gives_a_reservation_back_only_while_it_lasts() -> None:
    across = demand((59_000, 100, 1, 2000), (60_500, 100, 100, 1), (61_500, 1, 1, 1))
    assert replay_demand(across, sets(100, attempts=1), "window").throttled_requests == 1


@pytest.mark.parametrize("shape", SHAPES)
def test_an_answer_longer_than_reserved_is_taken_when_it_ends(shape: Shape) -> None:
    found = replay_demand(demand((0, 10, 100, 500), (499, 90, 90, 1), (600, 1, 1, 1)), sets(100, attempts=1), shape)
    assert found.throttled_requests == 1


def test_requests_have_a_limit_of_their_own() -> None:
    three = demand((0, 1, 1, 1), (0, 1, 1, 1), (1, 1, 1, 1))
    assert [replay_demand(three, sets(100, 2, attempts=1), shape).lost_requests for shape in SHAPES] == [1, 1]


def test_outcome_counts_requests_attempts_lost_requests_and_waits() -> None:
    found = replay_demand(demand((0, 100, 100, 1), (0, 101, 101, 1), (60_000, 1, 1, 1)), sets(100), "window")
    assert found == Outcome(
        shape="window",
        requests=3,
        throttled_requests=1,
        attempts=5,
        throttled_attempts=3,
        lost_requests=1,
        throttled_minutes=1,
        cut_answers=0,
        wait_p50=0.0,
        wait_p99=0.0,
        wait_max=0.0,
    )
    assert found.throttled_share == pytest.approx(1 / 3)


def test_a_retry_waits_at_most_a_second_then_at_most_two() -> None:
    found = replay_demand(demand((0, 100, 100, 1), *[(10, 3, 3, 1)] * 50), sets(100), "bucket")
    assert found.wait_max is not None
    assert 1 < found.wait_max <= 3
    assert found.attempts > 100


def test_the_same_seed_gives_the_same_outcome_and_another_a_different_one() -> None:
    crowd = demand((0, 100, 100, 1), *[(10, 3, 3, 1)] * 50)
    first, again, other = (replay_demand(crowd, sets(100, seed=seed), "bucket") for seed in (1, 1, 2))
    assert first == again != other


def test_settlement_counts_output_times_burndown_and_reservation_counts_max_tokens_once() -> None:
    asked, cut = demand_of(calls((1.5, 100, 20, 7, 1000, 2.0)), sets(1000))
    assert [column.tolist() for column in vars(asked).values()] == [[1500], [1120], [155], [2000]]
    assert cut == 0


def test_a_fraction_of_a_token_is_rounded_up() -> None:
    asked, _ = demand_of(calls((0, 100, 0, 3, 10, 1)), Settings(Limits(1, None), Fraction(3, 2)))
    assert asked.settled.tolist() == [105]


def test_changed_max_tokens_change_the_reservation_and_count_answers_that_would_be_cut() -> None:
    asked, cut = demand_of(calls((0, 10, 0, 600, 4096, 1), (1, 10, 0, 500, 4096, 1)), sets(1000, max_tokens=512))
    assert asked.reserved.tolist() == [522, 522]
    assert asked.settled.tolist() == [3010, 2510]
    assert cut == 1


def test_calls_in_any_order_are_put_in_the_order_of_time() -> None:
    asked, _ = demand_of(calls((2, 1, 0, 0, 1, 1), (1, 2, 0, 0, 1, 1)), sets(10))
    assert (asked.start.tolist(), asked.settled.tolist()) == ([1000, 2000], [2, 1])


def test_more_traffic_keeps_its_minutes_and_less_drops_calls() -> None:
    many = calls(*[(60.0 * (index // 100) + index % 60, 1, 0, 0, 1, 1) for index in range(1000)])
    more, _ = demand_of(many, sets(10, traffic=2.5))
    less, _ = demand_of(many, sets(10, traffic=0.5))
    assert 2400 < len(more) < 2600
    assert 420 < len(less) < 580
    assert set(more.start // MINUTE) == set(range(10))
    assert bool(np.all(np.diff(more.start) >= 0))


def test_both_shapes_are_reported() -> None:
    outcomes = replay(calls((0, 10, 0, 5, 50, 1)), sets(100))
    assert [(outcome.shape, outcome.throttled_requests) for outcome in outcomes] == [("bucket", 0), ("window", 0)]


@pytest.mark.parametrize("shape", SHAPES)
def test_the_smallest_quota_throttles_as_few_as_asked_and_a_little_less_throttles_more(shape: Shape) -> None:
    rng = np.random.default_rng(3)
    many = calls(*((second, 900, 0, 20, 300, 2.0) for second in np.sort(rng.uniform(0, 6000, 5000))))
    found = smallest_quota(many, sets(1), shape, share=0.01)
    assert found is not None
    enough, less = (
        next(outcome for outcome in replay(many, sets(quota)) if outcome.shape == shape).throttled_requests
        for quota in (found, int(found * 0.98))
    )
    assert enough <= 50 < less


def test_no_token_quota_is_enough_where_requests_per_minute_throttle() -> None:
    burst = calls(*[(0, 1, 0, 0, 1, 1)] * 10)
    assert smallest_quota(burst, sets(1, 5), "bucket") is None
    assert smallest_quota(burst, sets(1, 10), "bucket") == 20
    assert smallest_quota(calls(), sets(1), "bucket") == 1


def test_sums_of_long_stretches_stay_within_64_bits() -> None:
    month = calls(*((day * 86_400.0, 8 * 10**8, 0, 0, 1, 1) for day in range(30)))
    assert smallest_quota(month, sets(1), "bucket") == pytest.approx(8 * 10**8, rel=0.01)


def test_no_calls_have_no_waits() -> None:
    for outcome in replay(calls(), sets(100)):
        assert (outcome.requests, outcome.attempts, outcome.wait_max, outcome.throttled_share) == (0, 0, None, None)


@pytest.mark.parametrize("shape", SHAPES)
def test_a_quota_of_half_the_calls_throttles_many_of_them(shape: Shape) -> None:
    rng, count = np.random.default_rng(1), 100_000
    start = np.sort(rng.integers(0, count * 260, count))
    output = np.minimum(rng.lognormal(5.5, 1, count).astype(np.int64), 4096)
    asked = Demand(start, np.full(count, 6000), 2000 + 5 * output, 800 + 20 * output)
    per_minute = int(asked.settled.mean() * 60_000 / 260)
    found = replay_demand(asked, sets(per_minute // 2), shape)
    assert found.throttled_share is not None
    assert found.throttled_share > 0.4


@pytest.mark.parametrize(
    ("given_settings", "message"),
    [
        (sets(0), "limits.tokens is 0; a replay needs a quota above 0"),
        (sets(5, traffic=0.0), "traffic is 0.0; it is a factor of today's calls and must be above 0"),
        (sets(5, attempts=0), "attempts is 0; a request has one attempt at least"),
        (sets(10**12), "calls over 99 days at 1,000,000,000,000 tokens per minute are too much"),
    ],
)
def test_impossible_settings_are_named(given_settings: Settings, message: str) -> None:
    with pytest.raises(ValueError, match=message.replace("(", r"\(")):
        replay(calls((0, 1, 0, 0, 1, 1), (99 * 86_400, 1, 0, 0, 1, 1)), given_settings)


def test_arrays_of_different_length_are_refused() -> None:
    good = calls((0, 1, 0, 0, 1, 1))
    bad = Calls(good.start, good.input, good.cache_write, good.output, good.max_tokens, np.array([]))
    with pytest.raises(ValueError, match=r"differ in length: .*'duration': 0"):
        replay(bad, sets(5))
