import pytest
from hypothesis import given
from hypothesis import strategies as st

from usage_pipeline.planning.forecasts import Trend, fit_trend
from usage_pipeline.planning.percentiles import Grade, Interval, ReturnLevel
from usage_pipeline.planning.recommendations import Kind, QuotaUse, recommend_quota, step_up
from usage_pipeline_tests.planning.test_forecasts import peaks

GROWING: Trend | None = fit_trend(peaks(60, 0.01))
MONTH_LEVEL = ReturnLevel(120_000, 43_200, 432, 0.1, 5000)


def use(
    *,
    kind: Kind = "tpm",
    grade: Grade = "medium",
    return_level: ReturnLevel | None = MONTH_LEVEL,
    hold: int | None = 0,
    trend: Trend | None = None,
) -> QuotaUse:
    return QuotaUse(kind, 100_000, Interval(90_000, 110_000), grade, return_level, hold, trend)


def test_the_upper_end_of_the_interval_leaves_a_fifth_free() -> None:
    found = recommend_quota(use(), limit=100_000)
    assert (found.recommended, found.low, found.high) == (140_000, 120_000, 140_000)
    assert (found.ratio, found.grade, found.dominant, found.action) == (1.4, "medium", "use", "increase")


def test_a_high_grade_takes_the_level_that_is_passed_once_in_a_month() -> None:
    assert recommend_quota(use(grade="high"), None).recommended == 150_000
    assert recommend_quota(use(grade="high", return_level=None), None).recommended == 140_000


def test_reservations_are_added_and_ask_for_less_max_tokens_when_they_are_most() -> None:
    found = recommend_quota(use(hold=250_000), limit=300_000)
    assert (found.recommended, found.dominant, found.action) == (450_000, "reservations", "lower_max_tokens")
    assert recommend_quota(use(hold=50_000), limit=100_000).action == "increase"


def test_growth_until_the_new_quota_comes_is_added() -> None:
    found = recommend_quota(use(trend=GROWING), None, lead_days=14)
    # 110,000 × (1 + 14 × 1.005 %) / 0.8
    assert found.recommended == 160_000
    assert found.low == 130_000
    assert recommend_quota(use(trend=GROWING), None, lead_days=200).dominant == "growth"


def test_a_trend_that_is_not_surely_upward_adds_nothing() -> None:
    assert recommend_quota(use(trend=fit_trend(peaks(60, 0.0, 0.2))), None).recommended == 140_000
    assert recommend_quota(use(trend=fit_trend(peaks(60, -0.05))), None).recommended == 140_000


def test_a_quota_that_is_large_enough_stays() -> None:
    assert recommend_quota(use(), limit=140_000).action == "enough"
    assert recommend_quota(use(hold=900_000), limit=5_000_000).action == "enough"


def test_an_unknown_limit_gives_a_number_without_advice() -> None:
    found = recommend_quota(use(), None)
    assert (found.recommended, found.ratio, found.action) == (140_000, None, "limit_unknown")


def test_what_is_not_known_is_said() -> None:
    assert recommend_quota(use(hold=None), None).caveats == ("reservations_unknown", "no_trend")
    assert recommend_quota(use(kind="rpm", hold=None, trend=GROWING), None).caveats == ()


def test_a_target_beyond_the_quota_is_refused() -> None:
    with pytest.raises(ValueError, match=r"target is 1.1; .* above 0 and at most 1"):
        recommend_quota(use(), None, target=1.1)


@pytest.mark.parametrize(
    ("value", "kind", "expected"),
    [
        (0, "tpm", 1000),
        (999.2, "tpm", 1000),
        (5_350_001, "tpm", 5_400_000),
        (5_400_000, "tpm", 5_400_000),
        (0.2, "rpm", 1),
        (42.1, "rpm", 43),
        (101, "rpm", 110),
    ],
)
def test_quotas_are_rounded_up_to_two_digits(value: float, kind: Kind, expected: int) -> None:
    assert step_up(value, kind) == expected


@given(st.floats(0, 1e12), st.sampled_from(["tpm", "rpm"]))
def test_rounding_never_goes_down_nor_far_up(value: float, kind: Kind) -> None:
    least = 1000 if kind == "tpm" else 1
    assert value <= step_up(value, kind) <= max(value * 1.1 + 1, value + least)
