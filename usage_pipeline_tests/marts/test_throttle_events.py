"""Throttled minutes: their likeliest cause, who used the quota, who was turned away."""

from dataclasses import dataclass
from datetime import datetime, timedelta
from typing import Any

import numpy as np
import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from usage_pipeline.planning.throttle_causes import Column, Values, cause_of, retry_storms, shares
from usage_pipeline_tests.marts.factory import ACCOUNT, DAY, NOVA, REGION, at
from usage_pipeline_tests.marts.one_model import OneModel

POOL = f"{ACCOUNT}/{REGION}/on_demand/{NOVA}"
SCOPE = {"account_id": ACCOUNT, "account_name": "production", "region": REGION, "pool_id": POOL, "usage_date": DAY}
NOON = datetime(DAY.year, DAY.month, DAY.day, 12)


@pytest.fixture(scope="module")
def model() -> OneModel:
    return OneModel("marts.throttle_events")


def minute(number: int, **values: Any) -> dict[str, Any]:
    """A pool's minute of that number after noon, far from every quota."""
    return {
        **SCOPE,
        "ts": NOON + timedelta(minutes=number),
        "resolution_seconds": 60,
        "invocations": 10,
        "throttles": 0,
        "consumed_tokens": 1000,
        "initial_reservation_tokens": 2000,
        "reserved_tokens": 500,
        "reserved_source": "logs",
        "day_tokens_running": 50_000,
        "rpm_limit": 100,
        "tpm_limit": 100_000,
        "tpd_limit": 10_000_000,
    } | values


def profile(name: str, **values: Any) -> dict[str, Any]:
    """What CloudWatch counted of a profile in the minute of noon."""
    return {
        **SCOPE,
        "ts": NOON,
        "resolution_seconds": 60,
        "profile_id": name,
        "profile_name": f"the {name}",
        "invocations": 1,
        "throttles": 0,
        "consumed_tokens": 100,
        "initial_reservation_tokens": 200,
    } | values


def call(name: str, application: str, role: str, **values: Any) -> dict[str, Any]:
    """A logged call of a profile in the minute of noon."""
    return {
        **SCOPE,
        "ts": NOON + timedelta(seconds=5),
        "profile_id": name,
        "application": application,
        "role_or_user": role,
        "is_accepted": True,
        "consumed_tokens": 100,
        "reserved_tokens": 200,
    } | values


def found(
    model: OneModel,
    minutes: list[dict[str, Any]],
    columns: str = "cause, is_certain",
    profiles: list[dict[str, Any]] | None = None,
    calls: list[dict[str, Any]] | None = None,
) -> list[tuple[Any, ...]]:
    """The columns of each event, in the order of time."""
    if calls is None:
        calls = [call("small", "search", "Search", ts=NOON - timedelta(hours=1))]
    inputs = {
        "marts.quota_usage_minutely": minutes,
        "marts.usage_minutely": profiles or [],
        "marts.invocations": calls,
    }
    return model.over(inputs, f"select {columns} from model order by ts")


# Causes


@pytest.mark.parametrize(
    ("values", "expected"),
    [
        ({"invocations": 60, "throttles": 40}, ("rpm", True)),
        ({"invocations": 60, "throttles": 39}, ("not_explained", False)),
        ({"consumed_tokens": 95_000}, ("tpm", False)),
        ({"consumed_tokens": 94_999}, ("not_explained", False)),
        ({"day_tokens_running": 10_000_000}, ("tpd", True)),
        ({"day_tokens_running": 9_999_999}, ("not_explained", False)),
        ({"reserved_tokens": 99_000}, ("reservation", True)),
        ({"reserved_tokens": 98_999}, ("not_explained", False)),
        # What was held is a guess: it gives the cause, and no certainty, also not of another cause.
        ({"reserved_tokens": 99_000, "reserved_source": "mixed"}, ("reservation", False)),
        ({"reserved_tokens": 99_000, "reserved_source": "estimated"}, ("reservation", False)),
        ({"invocations": 100, "reserved_source": "mixed"}, ("rpm", False)),
        ({"invocations": 100, "reserved_source": "mixed", "tpm_limit": None}, ("rpm", True)),
    ],
)
def test_a_throttled_minute_has_its_likeliest_cause(
    model: OneModel, values: dict[str, Any], expected: tuple[str, bool]
) -> None:
    assert found(model, [minute(-1), minute(0, throttles=1) | values]) == [expected]


TPD_REACHED = {"day_tokens_running": 10_000_000}


@pytest.mark.parametrize(
    ("before", "values", "expected"),
    [
        # Tokens per minute on average with the minute before.
        ({"consumed_tokens": 95_001}, {"consumed_tokens": 94_999}, ("tpm", False)),
        ({"consumed_tokens": 95_000}, {"consumed_tokens": 94_999}, ("not_explained", False)),
        # What else could have been: requests of both minutes, tokens of both minutes, what was held, the day's tokens.
        ({}, TPD_REACHED | {"invocations": 89}, ("tpd", False)),
        ({}, TPD_REACHED | {"invocations": 88}, ("tpd", True)),
        ({"consumed_tokens": 49_000}, {"reserved_tokens": 99_000}, ("reservation", False)),
        ({"consumed_tokens": 48_999}, {"reserved_tokens": 99_000}, ("reservation", True)),
        ({}, TPD_REACHED | {"reserved_tokens": 48_000}, ("tpd", False)),
        ({}, TPD_REACHED | {"reserved_tokens": 47_999}, ("tpd", True)),
        ({}, {"throttles": 90, "day_tokens_running": 9_500_000}, ("rpm", False)),
        ({}, {"throttles": 90, "day_tokens_running": 9_499_999}, ("rpm", True)),
    ],
)
def test_bounds_are_reached_exactly(
    model: OneModel, before: dict[str, Any], values: dict[str, Any], expected: tuple[str, bool]
) -> None:
    assert found(model, [minute(-1, **before), minute(0, throttles=1) | values]) == [expected]


def test_a_minute_before_that_has_no_row_had_no_use(model: OneModel) -> None:
    full = {"consumed_tokens": 60_000}
    throttled = minute(0, throttles=90)
    assert found(model, [minute(-1, **full), throttled]) == [("rpm", False)]
    assert found(model, [minute(-2, **full), throttled]) == [("rpm", True)]


def test_before_midnight_nothing_is_known(model: OneModel) -> None:
    assert found(model, [minute(-720, throttles=90)]) == [("rpm", False)]


def test_a_minute_after_a_coarser_period_is_not_certain(model: OneModel) -> None:
    before = minute(-5, resolution_seconds=300)
    assert found(model, [before, minute(0, throttles=90)]) == [("rpm", False)]
    assert found(model, [before, minute(1, throttles=90)]) == [("rpm", True)]


def test_a_coarse_period_compares_means_and_is_never_certain(model: OneModel) -> None:
    coarse = minute(0, resolution_seconds=300, reserved_tokens=None, reserved_source=None, tpm_limit=None)
    columns = "cause, is_certain, is_retry_storm, throttles"
    assert found(model, [coarse | {"invocations": 250, "throttles": 250}], columns) == [("rpm", False, None, 250)]
    assert found(model, [coarse | {"invocations": 250, "throttles": 249}], columns) == [
        ("not_explained", False, None, 249)
    ]


def test_a_day_without_logged_calls_is_not_certain_of_the_largest(model: OneModel) -> None:
    assert found(model, [minute(0, throttles=90)], calls=[]) == [("rpm", False)]


def test_a_call_twice_as_large_as_the_days_largest_may_not_have_fitted(model: OneModel) -> None:
    before = NOON - timedelta(hours=3)
    throttled = [minute(0, throttles=90)]
    fits = call("small", "search", "Search", ts=before, consumed_tokens=49_499, reserved_tokens=49_249)
    assert found(model, throttled, calls=[fits]) == [("rpm", True)]
    assert found(model, throttled, calls=[fits | {"consumed_tokens": 49_500}]) == [("rpm", False)]
    assert found(model, throttled, calls=[fits | {"reserved_tokens": 49_250}]) == [("rpm", False)]


AROUND_LIMITS = st.none() | st.sampled_from([0, 1, 9, 10, 49, 50, 94, 95, 99, 100, 101, 190, 200, 10**13])
COUNTS = st.sampled_from([0, 1, 9, 10, 49, 50, 90, 99, 100])


@dataclass(frozen=True)
class Throttled:
    """A throttled minute, the minute before it, and the largest call of the day."""

    now: dict[str, int | None]
    before: dict[str, int | None]
    largest: tuple[int | None, int | None]
    source: str

    @property
    def by_plan(self) -> tuple[str, bool]:
        """The cause, and whether it is certain."""
        values: dict[Column, int | None] = {
            **self.now,  # type: ignore[dict-item]
            "invocations_before": self.before["invocations"],
            "throttles_before": 0,
            "consumed_tokens_before": self.before["consumed_tokens"],
            "largest_call_tokens": self.largest[0],
            "largest_reservation_tokens": self.largest[1],
        }
        cause = cause_of(values).cause
        sure = cause_of(values if self.source == "logs" else _without_hold(values))
        return cause, sure.is_certain and sure.cause == cause


@settings(max_examples=12, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(
    st.lists(
        st.builds(
            Throttled,
            now=st.fixed_dictionaries(
                {"invocations": COUNTS, "throttles": COUNTS.filter(bool)}
                | dict.fromkeys(("consumed_tokens", "reserved_tokens", "day_tokens_running"), AROUND_LIMITS)
                | dict.fromkeys(("rpm_limit", "tpm_limit", "tpd_limit"), AROUND_LIMITS)
            ),
            before=st.fixed_dictionaries(
                {"invocations": COUNTS, "throttles": st.just(0), "consumed_tokens": AROUND_LIMITS}
            ),
            largest=st.tuples(AROUND_LIMITS, AROUND_LIMITS),
            source=st.sampled_from(["logs", "mixed", "estimated"]),
        ),
        min_size=20,
        max_size=20,
    )
)
def test_sql_and_plan_say_the_same(model: OneModel, cases: list[Throttled]) -> None:
    minutes: list[dict[str, Any]] = []
    calls: list[dict[str, Any]] = []
    # A pool for each, so that one statement answers for all.
    for number, case in enumerate(cases):
        pool = {"pool_id": f"{POOL}-{number}"}
        consumed, reserved = case.largest
        calls.append(call("small", "search", "Search", consumed_tokens=consumed, reserved_tokens=reserved, **pool))
        minutes.append(minute(-1, **case.before, **pool))
        minutes.append(minute(0, reserved_source=case.source, **case.now, **pool))
    rows = {pool: tuple(said) for pool, *said in found(model, minutes, "pool_id, cause, is_certain", calls=calls)}
    assert rows == {f"{POOL}-{number}": case.by_plan for number, case in enumerate(cases)}


def _without_hold(values: Values) -> Values:
    return {**values, "reserved_tokens": None}


# Retry storms


def test_a_storm_is_three_minutes_in_a_row(model: OneModel) -> None:
    bad, less = {"invocations": 79, "throttles": 21}, {"invocations": 80, "throttles": 20}
    minutes = [minute(0, **bad), minute(1, **bad), minute(2, **bad), minute(3, **less), minute(5, **bad)]
    assert [row[0] for row in found(model, minutes, "is_retry_storm")] == [True, True, True, False, False]


THROTTLED_ROWS = st.lists(
    st.tuples(st.integers(0, 15), st.integers(0, 5), st.integers(1, 3)), min_size=1, unique_by=lambda row: row[0]
)


@settings(max_examples=10, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(st.lists(THROTTLED_ROWS, min_size=8, max_size=8))
def test_sql_and_plan_see_the_same_storms(model: OneModel, pools: list[list[tuple[int, int, int]]]) -> None:
    minutes = [
        minute(number, invocations=calls, throttles=turned, pool_id=f"{POOL}-{pool}")
        for pool, rows in enumerate(pools)
        for number, calls, turned in rows
    ]
    storms = found(model, minutes, "pool_id, is_retry_storm")
    for pool, rows in enumerate(pools):
        numbers, invocations, throttles = np.array(sorted(rows), dtype=np.int64).T
        said = [is_storm for pool_id, is_storm in storms if pool_id == f"{POOL}-{pool}"]
        assert said == retry_storms(numbers, invocations, throttles).tolist()


# Who


CONSUMERS = "[[c.profile_id, c.application, c.role_or_user, c.tokens::varchar] for c in top_consumers]"


def test_consumers_are_callers_where_the_logs_hold_every_call(model: OneModel) -> None:
    profiles = [
        profile("logged", invocations=3, consumed_tokens=600),
        profile("unlogged", invocations=2, consumed_tokens=300),
        profile("partly", invocations=2, consumed_tokens=100),
        profile("turned-away", invocations=0, throttles=7, consumed_tokens=0),
    ]
    calls = [
        call("logged", "search", "Search", consumed_tokens=100),
        call("logged", "search", "Search", consumed_tokens=100),
        call("logged", "batch", "Nightly", consumed_tokens=400),
        call("partly", "search", "Search", consumed_tokens=50),
        call("logged", "search", "Search", consumed_tokens=0, is_accepted=False),
        call("logged", "search", "Search", consumed_tokens=9999, ts=NOON + timedelta(minutes=1)),
    ]
    ((consumers, amounts, victims),) = found(
        model,
        [minute(0, throttles=7)],
        f"{CONSUMERS}, [c.share for c in top_consumers], victims",
        profiles,
        calls,
    )
    assert consumers == [
        ["logged", "batch", "Nightly", "400"],
        ["unlogged", None, None, "300"],
        ["logged", "search", "Search", "200"],
        ["partly", None, None, "100"],
    ]
    assert amounts == [share.share for share in shares({"a": 400, "b": 300, "c": 200, "d": 100})]
    assert victims == [
        {
            "profile_id": "turned-away",
            "profile_name": "the turned-away",
            "application": None,
            "role_or_user": None,
            "throttles": 7,
            "share": 1.0,
        }
    ]


def test_victims_are_by_caller_where_the_logs_have_every_throttle_of_the_profile(model: OneModel) -> None:
    turned_away = {"is_accepted": False, "error_code": "ThrottlingException", "consumed_tokens": 0}
    profiles = [
        profile("logged", throttles=3),
        profile("partly", throttles=5),
        profile("unlogged", throttles=2),
        profile("served", throttles=0),
    ]
    calls = [
        call("logged", "search", "Search", **turned_away),
        call("logged", "search", "Search", **turned_away),
        call("logged", "batch", "Nightly", **turned_away),
        call("logged", "batch", "Nightly", **turned_away | {"error_code": "ValidationException"}),
        call("logged", "batch", "Nightly", **turned_away, ts=NOON + timedelta(minutes=1)),
        call("partly", "search", "Search", **turned_away),
        call("unlogged", "search", "Search"),
    ]
    columns = "[[v.profile_id, v.application, v.role_or_user, v.throttles::text, v.share::text] for v in victims]"
    assert found(model, [minute(0, throttles=10)], columns, profiles, calls) == [
        (
            [
                ["partly", None, None, "5", "0.5"],
                ["logged", "search", "Search", "2", "0.2"],
                ["unlogged", None, None, "2", "0.2"],
                ["logged", "batch", "Nightly", "1", "0.1"],
            ],
        )
    ]


def test_a_call_without_counts_leaves_its_profile_whole(model: OneModel) -> None:
    profiles = [profile("logged", invocations=2, consumed_tokens=600)]
    calls = [call("logged", "search", "Search"), call("logged", "batch", "Nightly", consumed_tokens=None)]
    assert found(model, [minute(0, throttles=7)], CONSUMERS, profiles, calls) == [([["logged", None, None, "600"]],)]


@pytest.mark.parametrize(
    ("values", "first"),
    [
        ({"consumed_tokens": 95_000}, "tokens"),
        ({"reserved_tokens": 99_000}, "holder"),
        ({"invocations": 99}, "caller"),
        ({}, "tokens"),
    ],
)
def test_consumers_are_in_the_order_of_what_the_cause_is_about(
    model: OneModel, values: dict[str, Any], first: str
) -> None:
    profiles = [
        profile("tokens", consumed_tokens=900),
        profile("holder", initial_reservation_tokens=64_000),
        profile("caller", invocations=80),
    ]
    ((names, tokens_share),) = found(
        model,
        [minute(0, throttles=1) | values],
        "[c.profile_id for c in top_consumers], list_filter(top_consumers, c -> c.profile_id = 'tokens')[1].share",
        profiles,
        [],
    )
    assert names[0] == first
    assert tokens_share == pytest.approx(900 / values.get("consumed_tokens", 1000))


def test_unknown_consumption_has_no_share_and_ten_are_enough(model: OneModel) -> None:
    profiles = [profile(f"p{number:02}", consumed_tokens=number or None) for number in range(12)]
    ((names, share),) = found(
        model,
        [minute(0, throttles=1, consumed_tokens=None)],
        "[c.profile_id for c in top_consumers], top_consumers[1].share",
        profiles,
        [],
    )
    assert names == [f"p{number:02}" for number in range(11, 1, -1)]
    assert share is None


def test_a_coarse_period_has_the_consumers_of_all_its_minutes(model: OneModel) -> None:
    profiles = [
        profile("fine", throttles=1, consumed_tokens=10),
        profile("fine", ts=NOON + timedelta(minutes=4), throttles=2, consumed_tokens=20),
        profile("fine", ts=NOON + timedelta(minutes=5), consumed_tokens=999),
        profile("coarse", resolution_seconds=300, consumed_tokens=5),
    ]
    columns = f"{CONSUMERS}, [v.throttles for v in victims]"
    ((consumers, throttles),) = found(model, [minute(0, throttles=3, resolution_seconds=300)], columns, profiles, [])
    assert consumers == [["fine", None, None, "30"], ["coarse", None, None, "5"]]
    assert throttles == [3]


def test_names_of_profiles_are_kept_as_they_are(model: OneModel) -> None:
    name = "'); drop table marts.invocations; --<script>"
    ((kept,),) = found(
        model, [minute(0, throttles=1)], "victims[1].profile_name", [profile("p", throttles=1, profile_name=name)]
    )
    assert kept == name


# Days


def test_a_days_causes_have_their_shares() -> None:
    events = [
        {"cause": "tpm", "throttles": 6, "is_certain": False},
        {"cause": "tpm", "throttles": 1, "is_certain": False},
        {"cause": "rpm", "throttles": 3, "is_certain": True},
        {"cause": "not_explained", "throttles": 10, "is_certain": False, "resolution_seconds": 300},
        {"cause": "rpm", "throttles": 5, "is_certain": True, "pool_id": "another"},
    ]
    rows = [{**SCOPE, "ts": at("14T10:00"), "resolution_seconds": 60} | event for event in events]
    columns = "pool_id, cause, throttled_minutes, certain_minutes, throttles, minutes_share, throttles_share"
    daily = OneModel("marts.throttle_causes_daily")
    assert daily.over({"marts.throttle_events": rows}, f"select {columns} from model order by all") == [
        (POOL, "not_explained", 5, 0, 10, 0.625, 0.5),
        (POOL, "rpm", 1, 1, 3, 0.125, 0.15),
        (POOL, "tpm", 2, 0, 7, 0.25, 0.35),
        ("another", "rpm", 1, 1, 5, 1.0, 1.0),
    ]
