import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from usage_pipeline.planning.day_end import DayProjection, project_day


def same_weekdays(*totals: float) -> np.ndarray:
    """Days that use their tokens evenly."""
    return np.repeat(np.array(totals)[:, None] / 1440, 1440, axis=1)


def test_a_day_is_projected_as_the_same_weekdays_went() -> None:
    found = project_day(np.full(720, 2.0), same_weekdays(1440, 2880, 720), limit=2000)
    assert found.status == "projected"
    assert found.tokens == pytest.approx(2880)
    assert found.reaches_limit_at == 999
    assert (found.low, found.high) == (pytest.approx(2880), pytest.approx(2880))


def test_low_and_high_are_the_day_if_it_goes_on_as_one_of_the_weekdays_did() -> None:
    late, early = np.zeros((2, 1440))
    late[700:], early[:800] = 1.0, 1.0
    even = np.ones(1440)
    found = project_day(np.full(720, 2.0), np.stack([late, early, even]), limit=None)
    # By now they had used 20 of 740, 720 of 800 and half.
    assert found.tokens == pytest.approx(2880)
    assert found.low == pytest.approx(1440 / 0.9)
    assert found.high == pytest.approx(1440 * 740 / 20)
    late[:720], late[1000] = 0, 1
    assert project_day(np.full(720, 2.0), np.stack([late, early, even]), limit=None).high is None


def test_a_limit_that_is_already_passed_is_dated_when_it_was() -> None:
    assert project_day(np.full(720, 2.0), same_weekdays(1440), limit=100).reaches_limit_at == 49


def test_a_limit_that_is_not_reached_has_no_minute() -> None:
    assert project_day(np.full(720, 2.0), same_weekdays(1440), limit=3000).reaches_limit_at is None
    assert project_day(np.full(720, 2.0), same_weekdays(1440), limit=None).reaches_limit_at is None


def test_before_a_tenth_of_a_usual_day_nothing_is_projected() -> None:
    assert project_day(np.full(143, 2.0), same_weekdays(1440), 100) == DayProjection("too_early")
    assert project_day(np.full(144, 2.0), same_weekdays(1440), 100).status == "projected"
    assert project_day(np.array([]), same_weekdays(1440), 100) == DayProjection("too_early")


def test_without_a_used_same_weekday_nothing_is_projected() -> None:
    assert project_day(np.full(700, 2.0), same_weekdays(0.0), 100) == DayProjection("no_history")
    assert project_day(np.full(700, 2.0), np.empty((0, 1440)), 100) == DayProjection("no_history")


@settings(max_examples=50, deadline=None)
@given(
    now=st.integers(144, 1440),
    history=st.lists(st.floats(1, 1e9), min_size=1, max_size=4),
    rate=st.floats(0, 1e6),
)
def test_a_projection_is_never_below_what_is_used(now: int, history: list[float], rate: float) -> None:
    found = project_day(np.full(now, rate), same_weekdays(*history), None)
    assert found.status == "too_early" or (found.tokens is not None and found.tokens >= rate * now * (1 - 1e-9))
