import datetime as dt
from dataclasses import replace

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from usage_pipeline.planning.forecasts import (
    Exhaustion,
    backtest,
    exhaustion,
    fit_trend,
    forecast_peaks,
    kept_share,
    seasonal_slope,
    weekly_maximum,
)

LAST = dt.date(2026, 6, 30)
WEEKDAYS = np.array([1.0, 1.1, 1.0, 0.9, 1.0, 0.5, 0.4])


def peaks(days: int, growth: float = 0.0, noise: float = 0.0, seed: int = 0, kept: float = 0.0) -> np.ndarray:
    """Peaks around 1,000 that grow by a share a day, with a week and some chance in them.

    Each day keeps a share of the chance of the day before; all vary alike.
    """
    day = np.arange(days)
    chance = np.random.default_rng(seed).normal(0, noise, days)
    for today in day[1:] if kept else ():
        chance[today] = kept * chance[today - 1] + (1 - kept**2) ** 0.5 * chance[today]
    return 1000 * np.exp(growth * day + chance) * WEEKDAYS[day % 7]


def test_the_weekly_maximum_looks_back_six_days() -> None:
    assert weekly_maximum(np.array([9.0, 1, 1, 1, 1, 1, 1, 1, np.nan, 5])).tolist() == [9, 1, 1, 5]


@given(st.lists(st.floats(-1e6, 1e6), min_size=3, max_size=30))
def test_without_weekdays_the_slope_is_that_of_theil_and_sen(values: list[float]) -> None:
    # Here, because every test process would take a second for it at its start.
    from scipy import stats

    weekly = np.full(len(values) * 7 - 6, np.nan)
    weekly[::7] = values
    expected = stats.theilslopes(np.array(values), np.arange(len(values)) * 7).slope
    assert seasonal_slope(weekly)[0] == pytest.approx(expected, rel=1e-9, abs=1e-9)


def test_weekdays_do_not_hide_the_slope() -> None:
    assert seasonal_slope(np.log(peaks(21, 0.01)))[0] == pytest.approx(0.01)


def test_a_fifth_of_wild_days_does_not_move_the_slope() -> None:
    values = np.log(peaks(35, 0.01))
    values[[3, 9, 16, 20, 25, 31, 34]] += 5
    assert seasonal_slope(values)[0] == pytest.approx(0.01, abs=0.002)


@pytest.mark.parametrize("unknown", [0, 5])
def test_a_trend_needs_fourteen_known_days(unknown: int) -> None:
    values = np.append(np.full(unknown, np.nan), peaks(14))
    assert fit_trend(values) is not None
    values[unknown + 3] = np.nan
    assert fit_trend(values) is None


def test_growth_by_a_share_is_seen_as_such_and_growth_by_an_amount_too() -> None:
    curved, straight = fit_trend(peaks(60, 0.02)), fit_trend(np.linspace(1000, 3000, 60))
    assert curved is not None
    assert straight is not None
    assert (curved.scale, straight.scale) == ("log", "linear")
    assert curved.daily_growth(50) == pytest.approx(np.expm1(0.02), rel=0.01)
    assert straight.slope == pytest.approx(2000 / 59)
    assert straight.daily_growth(50) == pytest.approx(2000 / 59 / 3000, rel=0.01)


def test_what_the_days_cannot_tell_apart_widens_the_interval() -> None:
    unclear, clear = fit_trend(peaks(28, 0.01, 0.1)), fit_trend(peaks(90, 0.02, 0.02))
    assert unclear is not None
    assert clear is not None
    assert unclear.rival is not None
    assert unclear.rival.scale != unclear.scale
    assert clear.rival is None
    alone = forecast_peaks(replace(unclear, rival=None), 120)
    both = forecast_peaks(unclear, 120)
    assert both.high[-1] - both.low[-1] > alone.high[-1] - alone.low[-1]


def test_idle_days_are_forecast_as_idle() -> None:
    values = np.tile([100.0, 100, 100, 100, 100, 0, 0], 4)
    trend = fit_trend(values)
    assert trend is not None
    found = forecast_peaks(trend, 7)
    assert found.middle.tolist() == pytest.approx([100, 100, 100, 100, 100, 0, 0])


@pytest.mark.parametrize("day", [10, 29])
def test_one_wild_day_does_not_move_the_forecast(day: int) -> None:
    values = np.full(30, 5.0)
    values[day] = 500
    trend = fit_trend(values)
    assert trend is not None
    assert forecast_peaks(trend, 3).middle.tolist() == pytest.approx([5, 5, 5])


@pytest.mark.parametrize("gap", [slice(14, 26), slice(0, 20), slice(25, 45)])
def test_a_gap_is_neither_zero_nor_a_change(gap: slice) -> None:
    values = peaks(45)
    values[gap] = np.nan
    trend = fit_trend(values)
    assert trend is not None
    assert trend.days == int(np.count_nonzero(~np.isnan(values)))
    assert forecast_peaks(trend, 2).middle == pytest.approx(1000 * WEEKDAYS[[3, 4]])


def test_a_pool_without_use_has_a_flat_trend() -> None:
    trend = fit_trend(np.zeros(30))
    assert trend is not None
    assert (trend.daily_growth(90), forecast_peaks(trend, 1).high.tolist()) == (0.0, [0.0])


def test_the_week_goes_on_after_the_last_day() -> None:
    trend = fit_trend(peaks(31))
    assert trend is not None
    found = forecast_peaks(trend, 4)
    assert found.middle == pytest.approx(1000 * WEEKDAYS[[3, 4, 5, 6]], rel=0.01)


def test_the_interval_is_around_the_middle_and_never_negative() -> None:
    trend = fit_trend(np.maximum(np.random.default_rng(1).normal(20, 30, 40), 0))
    assert trend is not None
    found = forecast_peaks(trend, 30)
    assert np.all((found.low >= 0) & (found.low <= found.middle) & (found.middle <= found.high))


def test_the_date_is_that_on_which_growing_peaks_first_pass_the_share() -> None:
    values = peaks(150, 0.01, 0.05)
    now, later = values[:60], values[60:]
    trend = fit_trend(now)
    found = exhaustion(trend, 4000, 0.8, LAST)
    truth = LAST + dt.timedelta(days=int(np.argmax(later >= 3200)) + 1)
    assert found.status == "dated"
    assert found.day is not None
    assert found.earliest is not None
    assert found.latest is not None
    assert found.earliest <= truth <= found.latest
    assert LAST < found.earliest <= found.day <= found.latest


def test_without_chance_the_date_is_exact() -> None:
    values = peaks(150, 0.01)
    found = exhaustion(fit_trend(values[:60]), 3200, 1.0, LAST)
    truth = LAST + dt.timedelta(days=int(np.argmax(values[60:] >= 3200)) + 1)
    assert (found.earliest, found.day, found.latest) == (truth, truth, truth)


@pytest.mark.parametrize("kept", [0.0, 0.3, 0.6])
@pytest.mark.parametrize("days", [28, 60])
def test_the_interval_of_80_percent_holds_70_to_90_percent_of_the_next_month(days: int, kept: float) -> None:
    hits = []
    for seed in range(80):
        growth, noise = np.random.default_rng([seed, 1]).uniform((0, 0.05), (0.01, 0.2))
        values = peaks(days + 30, growth, noise, seed, kept)
        trend = fit_trend(values[:days], draws=200)
        assert trend is not None
        found = forecast_peaks(trend, 30)
        hits.append((found.low <= values[days:]) & (values[days:] <= found.high))
    assert 0.7 <= np.mean(hits) <= 0.9
    assert 0.7 <= np.mean([hit[:7] for hit in hits]) <= 0.9


@pytest.mark.parametrize("kept", [0.0, 0.6])
def test_backtests_hold_70_to_90_percent_whether_or_not_busy_days_come_together(kept: float) -> None:
    tests = [backtest(peaks(42, 0.005, 0.1, seed, kept), days=7, horizon=7, draws=100) for seed in range(30)]
    assert 0.7 <= np.mean([row.is_hit for test in tests for row in test.rows]) <= 0.9


@pytest.mark.parametrize("kept", [0.0, 0.3, 0.6])
def test_how_much_a_day_keeps_of_the_day_before_is_seen_in_the_mean(kept: float) -> None:
    trends = [fit_trend(peaks(60, 0.005, 0.1, seed, kept), draws=1) for seed in range(60)]
    found = [kept_share(trend.residuals) for trend in trends if trend]
    # Below zero counts as zero.
    assert kept - 0.1 <= np.mean(found) <= kept + 0.15


def test_days_that_are_not_neighbours_keep_nothing() -> None:
    alternating = np.where(np.arange(60) % 2 == 0, np.arange(60.0), np.nan)
    assert kept_share(alternating) == 0
    assert kept_share(np.zeros(60)) == 0


@pytest.mark.parametrize(("days", "kept"), [(42, 0.0), (42, 0.6), (60, 0.6)])
def test_dates_hold_70_to_90_percent_of_the_truths_when_growth_goes_on_as_it_was(days: int, kept: float) -> None:
    held = dated = 0
    for seed in range(80):
        values = peaks(days + 200, 0.01, 0.1, seed, kept)
        trend = fit_trend(values[:days], draws=200)
        assert trend is not None
        found = exhaustion(trend, 2 * trend.now, 1.0, LAST)
        if found.status != "dated" or found.earliest is None:
            continue
        dated += 1
        truth = LAST + dt.timedelta(days=int(np.argmax(values[days:] >= 2 * trend.now)) + 1)
        held += found.earliest <= truth <= (found.latest or dt.date.max)
    assert dated >= 30
    assert 0.7 <= held / dated <= 0.9


def test_a_quota_that_is_reached_says_so_whatever_the_trend() -> None:
    assert exhaustion(fit_trend(peaks(30)), 1000, 0.8, LAST) == Exhaustion("reached", 0.8, LAST)


def test_without_an_upward_trend_there_is_no_date() -> None:
    for values in (peaks(40, 0.0, 0.1), peaks(40, -0.02)):
        assert exhaustion(fit_trend(values), 10_000, 1.0, LAST) == Exhaustion("no_upward_trend", 1.0)


def test_beyond_half_a_year_there_is_no_date() -> None:
    assert exhaustion(fit_trend(peaks(60, 0.001)), 100_000, 1.0, LAST) == Exhaustion("later", 1.0)


def test_too_few_days_have_no_trend() -> None:
    assert exhaustion(fit_trend(peaks(13)), 1000, 1.0, LAST) == Exhaustion("too_few_days", 1.0)


def test_backtest_forecasts_only_from_what_was_known_then() -> None:
    values = peaks(40)
    values[30:] *= 3
    found = backtest(values, days=10, horizon=1, draws=50)
    first = found.rows[0]
    assert (first.origin, first.day, first.truth) == (29, 30, values[30])
    assert first.forecast == pytest.approx(values[30] / 3)
    assert not first.is_hit


def test_backtest_compares_each_day_once_per_origin() -> None:
    rows = backtest(peaks(40), days=3, horizon=2, draws=20).rows
    assert [(row.origin, row.day) for row in rows] == [(36, 37), (36, 38), (37, 38), (37, 39), (38, 39)]


def test_backtest_sums_up_hits_and_errors() -> None:
    found = backtest(peaks(60, 0.01, 0.1), days=14, horizon=7)
    assert found.hit_rate == sum(row.is_hit for row in found.rows) / len(found.rows)
    assert found.median_error == pytest.approx(
        np.median([abs(row.forecast - row.truth) / row.truth for row in found.rows])
    )


def test_backtest_leaves_out_days_that_are_not_known() -> None:
    values = peaks(40)
    values[39] = np.nan
    assert {row.day for row in backtest(values, days=3, horizon=3, draws=20).rows} == {37, 38}


def test_backtest_without_history_claims_nothing() -> None:
    found = backtest(peaks(14), days=3, horizon=3)
    assert (found.rows, found.hit_rate, found.median_error) == ((), None, None)
