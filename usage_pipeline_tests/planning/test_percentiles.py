import time

import numpy as np
import pytest
from hypothesis import example, given, settings
from hypothesis import strategies as st

from usage_pipeline.planning.percentiles import (
    DAY,
    HEAVIEST_TAIL,
    PER_MILLE,
    Grade,
    Interval,
    Percentiles,
    _box_cox,
    _drawn_levels,
    dense_minutes,
    grade,
    interval_of,
    intervals,
    known_days,
    percentiles,
    resampled_percentiles,
    return_interval,
    return_level,
)

MONTH = 30 * DAY


def known(length: int) -> np.ndarray:
    return np.ones(length, dtype=bool)


def whole_days(*days: list[float]) -> np.ndarray:
    """A grid of days that hold a few values each; the rest of each day is not known."""
    grid = np.full((len(days), DAY), np.nan)
    for row, values in zip(grid, days, strict=True):
        row[: len(values)] = values
    return grid.ravel()


def test_idle_minutes_are_zero_and_unknown_ones_are_not() -> None:
    is_known = np.array([True, True, True, False])
    grid = dense_minutes(np.array([100, 102]), np.array([5.0, 7.0]), 100, 4, is_known)
    assert np.array_equal(grid, [5, 0, 7, np.nan], equal_nan=True)


def test_a_minute_outside_the_grid_is_named() -> None:
    with pytest.raises(ValueError, match="minutes 99 to 100 are not all in 100 to 103"):
        dense_minutes(np.array([99, 100]), np.array([1.0, 1.0]), 100, 4, known(4))


def test_a_minute_given_twice_is_refused() -> None:
    with pytest.raises(ValueError, match="there twice"):
        dense_minutes(np.array([100, 100]), np.array([1.0, 1.0]), 100, 4, known(4))


def test_a_pool_busy_one_hour_a_day_has_a_high_active_and_no_median_of_all_minutes() -> None:
    grid = np.zeros(DAY)
    grid[:60] = 100_000
    active, every = percentiles(grid, "active"), percentiles(grid, "all")
    assert active == Percentiles("active", 60, *[100_000.0] * 6)
    assert (every.data_points, every.p50, every.p95, every.p99, every.max) == (1440, 0.0, 0.0, 100_000.0, 100_000.0)


def test_unknown_minutes_are_no_data_points() -> None:
    assert percentiles(np.array([np.nan, 0.0, 3.0]), "all").data_points == 2


def test_without_a_data_point_nothing_is_claimed() -> None:
    assert percentiles(np.full(DAY, np.nan), "all") == Percentiles("all", 0, *[None] * 6)
    assert intervals(np.zeros(DAY), "active") == {}
    assert return_level(np.full(DAY, np.nan), MONTH) is None


@given(st.lists(st.integers(0, 50), min_size=1, max_size=300))
def test_percentiles_are_the_nearest_rank(values: list[int]) -> None:
    found = percentiles(np.array(values, dtype=float), "all")
    for level, per_mille in PER_MILLE.items():
        expected = np.percentile(values, per_mille / 10, method="inverted_cdf")
        assert getattr(found, level) == expected


@settings(max_examples=60, deadline=None)
@given(
    days=st.lists(st.lists(st.integers(0, 20).map(float), max_size=300), min_size=1, max_size=8),
    basis=st.sampled_from(["active", "all"]),
    seed=st.integers(0, 5),
)
def test_resampling_does_what_repeating_the_days_would(days: list[list[float]], basis: str, seed: int) -> None:
    grid = whole_days(*days)
    drawn = resampled_percentiles(grid, basis, seed, draws=5)  # type: ignore[arg-type]
    kept = [[value for value in day if basis == "all" or value > 0] for day in days if day]
    if not any(kept):
        assert len(drawn) == 0
        return
    times = np.random.default_rng(seed).multinomial(len(kept), np.full(len(kept), 1 / len(kept)), 5)
    expected = []
    for row in times:
        values = [value for count, day in zip(row, kept, strict=True) for value in day * count]
        if values:
            expected.append([np.percentile(values, share / 10, method="inverted_cdf") for share in PER_MILLE.values()])
    assert drawn.tolist() == expected


def test_a_draw_of_idle_days_says_nothing_of_minutes_with_use() -> None:
    grid = np.zeros(3 * DAY)
    grid[10] = 5.0
    drawn = resampled_percentiles(grid, "active", draws=200)
    assert 0 < len(drawn) < 200
    assert (drawn == 5).all()


def test_bursts_within_a_day_widen_the_interval_beyond_independent_minutes() -> None:
    rng = np.random.default_rng(1)
    busy = np.repeat(rng.lognormal(0, 1, 30), DAY)
    grid = busy * rng.lognormal(0, 0.3, MONTH)
    rank = round(0.999 * MONTH)
    spread = round(1.96 * np.sqrt(MONTH * 0.999 * 0.001))
    ordered = np.sort(grid)
    found = intervals(grid, "all")["p999"]
    assert found.high - found.low > 3 * (ordered[rank + spread] - ordered[rank - spread])


def test_interval_holds_the_true_percentile_nearly_as_often_as_it_says() -> None:
    # Here, because every test process would take a second for it at its start.
    from scipy import stats

    held = 0
    for seed in range(40):
        rng = np.random.default_rng(seed)
        grid = np.repeat(rng.lognormal(0, 0.5, 28), DAY) * rng.lognormal(0, 0.5, 28 * DAY)
        found = intervals(grid, "all", draws=200)["p90"]
        held += found.low <= stats.lognorm.ppf(0.9, np.sqrt(0.5)) <= found.high
    assert held / 40 >= 0.85


def test_the_same_seed_gives_the_same_interval() -> None:
    grid = np.random.default_rng(2).lognormal(size=14 * DAY)
    assert intervals(grid, "all", seed=3) == intervals(grid, "all", seed=3) != intervals(grid, "all", seed=4)


def test_days_must_be_whole() -> None:
    with pytest.raises(ValueError, match="1441 minutes are not whole days of 1440; fill the rest of a day with NaN"):
        intervals(np.zeros(1441), "all")


def test_a_hundred_pools_of_a_month_take_fifteen_seconds_at_most() -> None:
    grids = np.random.default_rng(3).lognormal(size=(5, MONTH))
    # Processor time, so that other work on the machine does not count.
    before = time.process_time()
    for grid in grids:
        intervals(grid, "all")
    assert (time.process_time() - before) * 100 / len(grids) < 15


@pytest.mark.parametrize(
    ("days", "half_width", "expected"),
    [
        (28, 14.9, "high"),
        (28, 15.0, "medium"),
        (27, 1.0, "medium"),
        (14, 34.9, "medium"),
        (14, 35.0, "low"),
        (13, 1.0, "low"),
    ],
)
def test_grade_needs_days_and_a_narrow_interval(days: int, half_width: float, expected: Grade) -> None:
    assert grade(days, 100.0, Interval(100 - half_width, 100 + half_width)) == expected


def test_a_value_of_zero_is_sure_only_when_every_draw_says_so() -> None:
    assert grade(30, 0.0, Interval(0, 0)) == "high"
    assert grade(30, 0.0, Interval(0, 1)) == "low"


def test_days_are_known_when_anything_of_them_is() -> None:
    assert known_days(whole_days([0.0], [], [5.0])) == 2


@pytest.mark.parametrize("shape", [-0.3, 0.0, 0.2])
def test_return_level_finds_the_tail_that_made_the_data(shape: float) -> None:
    from scipy import stats

    tail = stats.genpareto(shape, loc=100, scale=10)
    rng = np.random.default_rng(4)
    values = np.append(rng.uniform(0, 100, 990_000), tail.rvs(10_000, random_state=rng))
    found = return_level(values, MONTH)
    assert found is not None
    assert found.shape == pytest.approx(shape, abs=0.05)
    assert found.value == pytest.approx(tail.isf(1 / (MONTH * 0.01)), rel=0.05)
    assert found.excesses == 10_000


def test_the_interval_of_values_is_that_of_their_grid() -> None:
    grid = np.random.default_rng(6).lognormal(size=14 * DAY)
    found = interval_of(grid, np.arange(len(grid)) // DAY, "p999", seed=3, draws=100)
    assert found == intervals(grid, "all", seed=3, draws=100)["p999"]
    assert interval_of(np.empty(0), np.empty(0, dtype=np.int64), "p999") is None


def test_days_without_values_are_not_drawn() -> None:
    assert interval_of(np.array([5.0, 5, 5]), np.array([0, 4, 9]), "p50", draws=50) == Interval(5, 5)


def test_interval_of_the_return_level_holds_the_true_level_nearly_as_often_as_it_says() -> None:
    from scipy import stats

    true = stats.gamma.isf(1 / MONTH, 2)
    found = [return_interval(np.random.default_rng(seed).gamma(2, 1, MONTH), MONTH, draws=100) for seed in range(40)]
    assert np.mean([each.low <= true <= each.high for each in found if each]) >= 0.8


def test_drawn_levels_are_those_of_the_days_that_were_drawn() -> None:
    grid = np.random.default_rng(7).gamma(2, 1, 30 * DAY)
    threshold = np.percentile(grid, 99, method="inverted_cdf")
    at = np.flatnonzero(grid > threshold)
    at = at[np.argsort(grid[at])]
    once, twice = np.ones((1, len(at))), np.full((1, len(at)), 2.0)
    level = return_level(grid, MONTH)
    assert level is not None
    drawn = _drawn_levels(grid[at] - threshold, once, MONTH, np.array([len(grid)]))
    assert threshold + drawn[0] == pytest.approx(level.value)
    doubled = return_level(np.concatenate([grid, grid]), MONTH)
    assert doubled is not None
    drawn = _drawn_levels(grid[at] - threshold, twice, MONTH, np.array([2 * len(grid)]))
    assert threshold + drawn[0] == pytest.approx(doubled.value)


def test_a_tail_that_is_too_heavy_or_too_short_is_not_extrapolated() -> None:
    rng = np.random.default_rng(5)
    heavy = np.append(rng.uniform(0, 1, 99_000), 1 + rng.pareto(1.2, 1000))
    short = rng.uniform(0, 1, 4000)
    for values in (heavy, short):
        found = return_level(values, MONTH)
        assert found is not None
        assert (found.value, found.shape, found.scale) == (values.max(), None, None)
        assert return_interval(np.append(values, np.full(-len(values) % DAY, np.nan)), MONTH) is None


def test_equal_excesses_have_no_tail() -> None:
    found = return_level(np.append(np.zeros(99_000), np.full(900, 7.0)), MONTH)
    assert found is not None
    assert (found.value, found.shape) == (7.0, None)


@example([(1.75, 2.2250738585e-313)])
@given(st.lists(st.tuples(st.floats(1, 1e9), st.floats(-2, HEAVIEST_TAIL)), min_size=1, max_size=20))
def test_box_cox_is_that_of_scipy(pairs: list[tuple[float, float]]) -> None:
    from scipy import special

    passed, shape = np.array([*pairs, (100.0, 0.0)]).T
    assert _box_cox(passed, shape) == pytest.approx(special.boxcox(passed, shape), rel=1e-12)
