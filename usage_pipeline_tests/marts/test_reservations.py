"""What a pool's calls in flight hold, minute by minute."""

from collections import Counter
from collections.abc import Mapping, Sequence
from datetime import datetime, timedelta
from typing import Any

import numpy as np
import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from usage_pipeline.planning.reservations import held_by_minute, usual_hold
from usage_pipeline_tests.marts.factory import ACCOUNT, DAY, REGION, SONNET, Store, arns, at
from usage_pipeline_tests.marts.one_model import OneModel

GEO_SONNET = f"us.{SONNET}"
POOL = f"{ACCOUNT}/{REGION}/geo/{SONNET}"
SCOPE = {"account_id": ACCOUNT, "account_name": "production", "region": REGION, "pool_id": POOL}
MIDNIGHT = datetime(DAY.year, DAY.month, DAY.day)
NOON = MIDNIGHT + timedelta(hours=12)


@pytest.fixture(scope="module")
def model() -> OneModel:
    return OneModel("marts.reservations_minutely", ["intermediate.int_calls_in_flight"])


def call(seconds: float, latency_ms: float | None, reserved: int | None, **values: Any) -> dict[str, Any]:
    """A logged call that began so many seconds after noon."""
    return {
        **SCOPE,
        "usage_date": DAY,
        "ts": NOON + timedelta(seconds=seconds),
        "profile_id": GEO_SONNET,
        "is_accepted": True,
        "latency_ms": latency_ms,
        "reserved_tokens": reserved,
        "reserved_source": "logs",
    } | values


def minute(number: int, invocations: int, reserved: int | None = 0, **values: Any) -> dict[str, Any]:
    """What CloudWatch counted of the profile in the minute of that number after noon."""
    return {
        **SCOPE,
        "usage_date": DAY,
        "ts": NOON + timedelta(minutes=number),
        "resolution_seconds": 60,
        "profile_id": GEO_SONNET,
        "invocations": invocations,
        "throttles": 0,
        "consumed_tokens": 0,
        "initial_reservation_tokens": reserved,
        "initial_reservation_source": "logs",
        "latency_ms_avg": 1000.0,
    } | values


def cloudwatch(counted: dict[str, Any]) -> dict[str, Any]:
    """The same minute as CloudWatch has it."""
    columns = ("usage_date", "account_id", "region", "profile_id", "ts", "resolution_seconds", "invocations")
    latency = {"latency_ms_sum": counted["latency_ms_avg"], "latency_samples": counted["latency_ms_avg"] and 1}
    return {column: counted[column] for column in columns} | latency


def found(
    model: OneModel,
    calls: list[dict[str, Any]],
    minutes: list[dict[str, Any]],
    columns: str = "reserved_tokens, source",
    profiles: Sequence[Mapping[str, str]] = ({"pool_id": POOL, "profile_id": GEO_SONNET},),
) -> list[tuple[Any, ...]]:
    """Minute after noon, and the columns."""
    return model.over(
        {
            "marts.invocations": calls,
            "marts.usage_minutely": minutes,
            "staging.stg_cloudwatch_periods": [cloudwatch(each) for each in minutes],
            "intermediate.int_profiles_rated": [{**SCOPE, **profile} for profile in profiles],
        },
        f"select date_diff('minute', timestamp '{NOON}', ts) as minute, {columns} from model order by 1",
    )


def test_calls_hold_from_their_start_until_their_latency_has_passed(model: OneModel) -> None:
    calls = [call(0, 3000, 100), call(2, 500, 10), call(3, 500, 1)]
    columns = "reserved_tokens, calls_in_flight, initial_reservation_tokens, settled_tokens, source"
    assert found(model, calls, [minute(0, 3, 111, consumed_tokens=70)], columns) == [(0, 110, 2, 111, 70, "logs")]


def test_what_is_carried_in_counts_in_every_minute_it_runs_into(model: OneModel) -> None:
    calls = [call(50, 100_000, 100), call(65, 1000, 10)]
    rows = found(model, calls, [minute(0, 1), minute(1, 1)], "reserved_tokens, calls_in_flight")
    assert rows == [(0, 100, 1), (1, 110, 2), (2, 100, 1)]


def test_a_call_that_ends_with_the_minute_is_not_in_the_next(model: OneModel) -> None:
    assert found(model, [call(0, 60_000, 100)], [minute(0, 1)]) == [(0, 100, "logs")]


def test_the_pools_peak_is_not_the_sum_of_its_profiles_peaks(model: OneModel) -> None:
    calls = [call(0, 1000, 100), call(10, 1000, 70, profile_id="search")]
    minutes = [minute(0, 1), minute(0, 1, profile_id="search")]
    assert found(model, calls, minutes) == [(0, 100, "logs")]


def test_refused_calls_hold_nothing(model: OneModel) -> None:
    calls = [call(0, 1000, 100), call(0, None, None, is_accepted=False)]
    assert found(model, calls, [minute(0, 1)]) == [(0, 100, "logs")]


def test_the_average_latency_of_the_minute_stands_in_and_is_said(model: OneModel) -> None:
    calls = [call(0, None, 100), call(2, 500, 10)]
    assert found(model, calls, [minute(0, 2, latency_ms_avg=3000.0)]) == [(0, 110, "mixed")]
    assert found(model, calls, [minute(0, 2, latency_ms_avg=2000.0)]) == [(0, 100, "mixed")]


def test_a_call_that_may_have_held_the_models_maximum_makes_its_minutes_mixed(model: OneModel) -> None:
    calls = [call(0, 70_000, 100, reserved_source="model_default"), call(125, 1000, 10), call(600, 1000, 1)]
    minutes = [minute(0, 1), minute(2, 1), minute(10, 1)]
    rows = found(model, calls, minutes)
    assert rows == [(0, 100, "mixed"), (1, 100, "mixed"), (2, 10, "mixed"), (10, 1, "logs")]


def test_a_missing_call_makes_an_estimate_as_long_as_it_may_still_run(model: OneModel) -> None:
    calls = [call(0, 90_000, 100), call(200, 1000, 10), call(400, 1000, 1)]
    minutes = [minute(0, 2, 600, latency_ms_avg=30_000.0), minute(3, 1, 10), minute(6, 1, 1)]
    rows = found(model, calls, minutes, "reserved_tokens, calls_in_flight, source")
    assert rows == [
        (0, 300, None, "estimated"),  # 600 tokens, each held for half of the minute.
        (1, 100, None, "estimated"),
        (3, 10, 1, "logs"),  # Two and a half minutes after the missing call could have begun at the latest.
        (6, 1, 1, "logs"),
    ]


def test_the_estimate_is_littles_law(model: OneModel) -> None:
    ((_, held, source),) = found(model, [], [minute(0, 30, 30 * 5000, latency_ms_avg=8000.0)])
    assert (held, source) == (usual_hold(30, 8, 1000, 4000), "estimated")


@pytest.mark.parametrize(
    "unknown",
    [
        {"initial_reservation_tokens": None, "initial_reservation_source": "unknown"},
        # Nobody says max_tokens; the model's maximum for all would be far too high.
        {"initial_reservation_source": "model_default"},
        {"latency_ms_avg": None},
    ],
)
def test_without_max_tokens_or_latency_it_is_not_known(model: OneModel, unknown: dict[str, Any]) -> None:
    assert found(model, [], [minute(0, 30, 5000) | unknown]) == [(0, None, None)]


def test_a_minute_without_accepted_calls_holds_nothing(model: OneModel) -> None:
    assert found(model, [], [minute(0, 0, throttles=5)]) == [(0, 0, "logs")]


def test_a_call_that_failed_leaves_its_hold_unknown(model: OneModel) -> None:
    calls = [call(0, 1000, None, error_code="ModelErrorException", reserved_source=None), call(5, 1000, 10)]
    assert found(model, calls, [minute(0, 2, 6000)]) == [(0, 100, "estimated")]


def test_calls_that_cloudwatch_does_not_have_yet_make_no_estimate(model: OneModel) -> None:
    assert found(model, [call(0, 1000, 100)], []) == [(0, None, None)]


def test_a_call_counts_until_midnight_and_the_minutes_after_are_estimated(model: OneModel) -> None:
    late = call(43_170, 300_000, 100)
    early = call(-43_200 + 60, 90_000, 7)
    minutes = [minute(719, 1), minute(-719, 1, 7)]
    assert found(model, [late, early], minutes) == [
        (-719, 7, "estimated"),
        (-718, 7, "estimated"),
        (719, 100, "logs"),
    ]


def test_coarse_periods_have_no_row(model: OneModel) -> None:
    assert found(model, [], [minute(0, 3, resolution_seconds=300)]) == []


def test_an_absurd_latency_ends_at_midnight(model: OneModel) -> None:
    rows = found(model, [call(0, 1e300, 100)], [minute(0, 1)])
    assert len(rows) == 720
    assert rows[-1][:2] == (719, 100)


CALLS = st.lists(
    st.tuples(st.integers(0, 240), st.sampled_from([1, 900, 10_000, 60_000, 150_000]), st.integers(0, 50)),
    min_size=1,
    max_size=15,
)


@settings(max_examples=10, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(st.lists(CALLS, min_size=5, max_size=5))
def test_sql_and_plan_say_the_same(model: OneModel, calls_of_pools: list[list[tuple[int, int, int]]]) -> None:
    # A pool for each, so that one statement answers for all.
    profiles = [{"pool_id": f"{POOL}-{number}", "profile_id": f"search-{number}"} for number in range(5)]
    calls: list[dict[str, Any]] = []
    minutes: list[dict[str, Any]] = []
    for profile, calls_of_pool in zip(profiles, calls_of_pools, strict=True):
        calls += [call(*each, **profile) for each in calls_of_pool]
        started = Counter(start // 60 for start, _, _ in calls_of_pool)
        minutes += [minute(*each, **profile) for each in started.items()]
    rows = found(model, calls, minutes, "pool_id, reserved_tokens, source", profiles)

    for profile, calls_of_pool in zip(profiles, calls_of_pools, strict=True):
        start, duration, reserved = np.array(calls_of_pool, dtype=np.int64).T
        expected = held_by_minute(start * 1000, duration, reserved, 0, 10).tolist()
        # A minute into which no call runs has no row.
        held = {number: tokens for number, pool_id, tokens, _ in rows if pool_id == profile["pool_id"]}
        assert [held.get(number, 0) for number in range(10)] == expected
    assert {source for *_, source in rows} == {"logs"}


def test_the_pools_minutes_carry_what_was_held() -> None:
    store = Store("marts.quota_usage_minutely")
    store.burndown("*", 5)
    store.model_limit("*", 64_000)
    store.model(SONNET, on_demand=False)
    for prefix in ("us", "eu"):
        store.system_profile(f"{prefix}.{SONNET}", arns(SONNET, "us-east-1", "us-west-2"))
    store.usage(GEO_SONNET, at("14T12:00"), invocations=2, input_tokens=30, latency_ms_sum=2500, latency_samples=2)
    store.usage(GEO_SONNET, at("14T13:00"), period=300, invocations=1, input_tokens=30)
    store.call(GEO_SONNET, at("14T12:00:05"), input_tokens=10, output_tokens=1, max_tokens=90, latency_ms=2000)
    store.call(GEO_SONNET, at("14T12:00:06"), input_tokens=20, output_tokens=1, max_tokens=80, latency_ms=500)
    store.call(GEO_SONNET, at("14T13:00:06"), input_tokens=30, output_tokens=1, max_tokens=80, latency_ms=500)
    store.build()

    columns = "ts, initial_reservation_tokens, reserved_tokens, reserved_source"
    assert store.rows(f"select {columns} from marts.quota_usage_minutely order by ts") == [
        (at("14T12:00"), 200, 200, "logs"),
        (at("14T13:00"), 110, None, None),
    ]
