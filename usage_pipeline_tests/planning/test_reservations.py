import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from usage_pipeline.planning.reservations import calls_at_once, held_by_minute, hold_in_peak_hours, usual_hold


def held(*calls: tuple[int, int, int], length: int = 4) -> list[int]:
    """Calls of start and duration in ms and tokens, over minutes 0 to `length`."""
    start, duration, reserved = np.array(calls, dtype=np.int64).reshape(-1, 3).T
    return held_by_minute(start, duration, reserved, 0, length).tolist()


def test_running_calls_add_up_until_they_end() -> None:
    assert held((0, 1000, 10), (500, 1000, 5), (1200, 100, 1)) == [15, 0, 0, 0]


def test_a_call_counts_in_every_minute_it_runs_into() -> None:
    assert held((59_000, 70_000, 10)) == [10, 10, 10, 0]


def test_a_call_that_ends_as_another_begins_is_not_counted_with_it() -> None:
    assert held((0, 1000, 10), (1000, 1000, 10)) == [10, 0, 0, 0]


def test_a_call_that_ends_with_the_minute_is_not_in_the_next() -> None:
    assert held((0, 60_000, 10), (60_000, 1, 3)) == [10, 3, 0, 0]


def test_calls_outside_the_grid_count_where_they_run_into_it() -> None:
    found = held_by_minute(np.array([-5000, 500_000]), np.array([10_000, 1]), np.array([7, 9]), 0, 2)
    assert found.tolist() == [7, 0]


def test_no_calls_hold_nothing() -> None:
    assert held() == [0, 0, 0, 0]
    assert hold_in_peak_hours(np.empty(0, dtype=np.int64), np.empty(0)) == 0


@given(
    st.lists(
        st.tuples(
            st.integers(0, 18).map(lambda tens: tens * 10_000),
            st.sampled_from([1, 10_000, 50_000, 60_000]),
            st.integers(0, 50),
        ),
        max_size=20,
    )
)
def test_the_peak_of_a_minute_is_the_largest_sum_at_any_start_or_at_its_beginning(
    calls: list[tuple[int, int, int]],
) -> None:
    expected = []
    for minute in range(4):
        moments = {minute * 60_000} | {start for start, _, _ in calls if start // 60_000 == minute}
        # At the beginning of a minute, what ends exactly then has gone.
        expected.append(
            max(sum(tokens for start, length, tokens in calls if start <= at < start + length) for at in moments)
        )
    assert held(*calls) == expected


def test_a_hold_in_a_quiet_hour_asks_for_no_quota() -> None:
    consumed, holds = np.ones(2 * 1440), np.zeros(2 * 1440, dtype=np.int64)
    consumed[600:610] = 1000
    holds[630], holds[1200] = 50, 400
    assert hold_in_peak_hours(holds, consumed) == 50


def test_an_hour_is_a_peak_hour_by_its_hold_too() -> None:
    holds = np.zeros(2 * 1440, dtype=np.int64)
    holds[1200:1210] = 5000
    assert hold_in_peak_hours(holds, np.full(2 * 1440, 10.0)) == 5000


def test_unknown_consumption_does_not_hide_a_hold() -> None:
    holds = np.zeros(1440, dtype=np.int64)
    holds[5] = 9
    assert hold_in_peak_hours(holds, np.full(1440, np.nan)) == 9


def test_usual_hold_follows_littles_law() -> None:
    assert usual_hold(calls_per_minute=120, duration=3, prompt=1000, max_tokens=4000) == 30_000


def test_usual_hold_agrees_with_what_calls_held() -> None:
    rng = np.random.default_rng(1)
    start = np.sort(rng.integers(0, 3_600_000, 7200))
    moments = rng.integers(600_000, 3_000_000, 500)
    running = [int(np.count_nonzero((start <= at) & (at < start + 3000))) * 5000 for at in moments]
    assert np.mean(running) == pytest.approx(usual_hold(120, 3, 1000, 4000), rel=0.1)


def test_the_quota_bounds_how_many_calls_begin_together() -> None:
    assert calls_at_once(100_000, 1000, 64_000) == 1
    assert calls_at_once(100_000, 1000, 1024) == 49
