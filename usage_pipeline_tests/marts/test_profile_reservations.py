"""What a profile's own calls in flight hold, period by period: `reserved_tokens` of `marts.usage_minutely`."""

from collections import Counter
from datetime import datetime, timedelta
from typing import Any

import numpy as np
import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from usage_pipeline.planning.reservations import held_by_minute
from usage_pipeline_tests.marts.factory import ACCOUNT, DAY, REGION, SONNET
from usage_pipeline_tests.marts.one_model import OneModel

POOL = f"{ACCOUNT}/{REGION}/geo/{SONNET}"
SCOPE = {"account_id": ACCOUNT, "region": REGION, "usage_date": DAY}
MIDNIGHT = datetime(DAY.year, DAY.month, DAY.day)
NOON = MIDNIGHT + timedelta(hours=12)

Counted = tuple[str, int, int]
"""Profile, minute after noon, and calls that CloudWatch counted in it."""


@pytest.fixture(scope="module")
def model() -> OneModel:
    return OneModel("marts.usage_minutely", ["intermediate.int_calls_in_flight"])


def call(profile_id: str, seconds: float, latency_ms: float | None, reserved: int | None) -> dict[str, Any]:
    """A logged call that began so many seconds after noon."""
    return {
        **SCOPE,
        "pool_id": POOL,
        "ts": NOON + timedelta(seconds=seconds),
        "profile_id": profile_id,
        "is_accepted": True,
        "latency_ms": latency_ms,
        "reserved_tokens": reserved,
        "reserved_source": "logs",
    }


def found(
    model: OneModel, calls: list[dict[str, Any]], counted: list[Counted], period: int = 60
) -> list[tuple[str, int, int | None]]:
    """Profile, minute after noon, and what its calls held."""
    logged = Counter((each["profile_id"], (each["ts"] - NOON) // timedelta(seconds=period)) for each in calls)
    profiles = sorted({profile_id for profile_id, _, _ in counted})

    def row(profile_id: str, number: int, **values: Any) -> dict[str, Any]:
        ts = NOON + timedelta(minutes=number)
        return {**SCOPE, "profile_id": profile_id, "ts": ts, "resolution_seconds": period} | values

    return model.over(
        {
            "marts.invocations": calls,
            # A period in which every call was throttled has a row, too.
            "staging.stg_cloudwatch_periods": [
                row(profile_id, number, invocations=count, throttles=1, latency_ms_sum=5000 * count, latency_samples=1)
                for profile_id, number, count in counted
            ],
            "intermediate.int_logged_periods": [
                row(profile_id, number * period // 60, accepted_calls=count)
                for (profile_id, number), count in logged.items()
            ],
            "intermediate.int_profiles_rated": [
                {"account_id": ACCOUNT, "region": REGION, "pool_id": POOL, "profile_id": each, "valid_from": DAY}
                for each in profiles
            ],
        },
        f"""
        select profile_id, date_diff('minute', timestamp '{NOON}', ts), reserved_tokens
        from model order by profile_id, ts
        """,
    )


def test_a_profile_holds_what_its_own_calls_hold_also_those_that_began_earlier(model: OneModel) -> None:
    calls = [call("a", 50, 30_000, 100), call("a", 62, 1000, 10), call("b", 62, 1000, 7)]

    rows = found(model, calls, [("a", 0, 1), ("a", 1, 1), ("b", 1, 1)])

    assert rows == [("a", 0, 100), ("a", 1, 110), ("b", 1, 7)]


def test_calls_that_run_on_count_where_every_new_one_was_throttled(model: OneModel) -> None:
    assert found(model, [call("a", 50, 30_000, 100)], [("a", 0, 1), ("a", 1, 0), ("a", 2, 0)]) == [
        ("a", 0, 100),
        ("a", 1, 100),
        ("a", 2, 0),
    ]


def test_cloudwatchs_average_latency_stands_in(model: OneModel) -> None:
    assert found(model, [call("a", 0, None, 100), call("a", 4, 1, 10)], [("a", 0, 2)]) == [("a", 0, 110)]


@pytest.mark.parametrize("calls", [[], [call("a", 0, 1000, 100)], [call("a", 0, 1000, 100), call("a", 1, 9, None)]])
def test_it_is_unknown_where_logs_lack_a_call_or_its_reservation(model: OneModel, calls: list[dict[str, Any]]) -> None:
    assert found(model, calls, [("a", 0, 2), ("b", 0, 0)]) == [("a", 0, None), ("b", 0, 0)]


def test_a_missing_call_leaves_it_unknown_as_long_as_it_may_still_run(model: OneModel) -> None:
    calls = [call("a", 0, 90_000, 100), call("a", 130, 10, 1), call("a", 160, 10, 1), call("a", 200, 1, 5)]

    rows = found(model, calls, [("a", 0, 2), ("a", 2, 2), ("a", 3, 1)])

    # The missing call began before 12:01 and ran for 90 seconds at most.
    assert rows == [("a", 0, None), ("a", 2, None), ("a", 3, 5)]


def test_a_longer_period_has_the_most_of_its_minutes(model: OneModel) -> None:
    calls = [call("a", 0, 1000, 100), call("a", 200, 200_000, 70), call("a", 299, 5000, 60)]

    assert found(model, calls, [("a", 0, 3), ("a", 5, 0)], period=300) == [("a", 0, 130), ("a", 5, 130)]


@settings(max_examples=12, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(
    calls=st.lists(
        st.tuples(
            st.sampled_from(["a", "b"]),
            st.integers(0, 240),
            st.sampled_from([1, 900, 10_000, 60_000, 150_000]),
            st.integers(0, 50),
        ),
        min_size=1,
        max_size=15,
    )
)
def test_sql_and_plan_say_the_same_of_each_profile(calls: list[tuple[str, int, int, int]], model: OneModel) -> None:
    began = Counter((profile_id, second // 60) for profile_id, second, _, _ in calls)
    counted = [(profile_id, number, began[profile_id, number]) for profile_id in "ab" for number in range(8)]
    expected = []
    for name in "ab":
        own = np.array([each[1:] for each in calls if each[0] == name], dtype=np.int64).reshape(-1, 3)
        start, duration, reserved = own.T
        held = held_by_minute(start * 1000, duration, reserved, 0, 8).tolist()
        expected += [(name, number, tokens) for number, tokens in enumerate(held)]

    assert found(model, [call(*each) for each in calls], counted) == expected
