from collections.abc import Iterator
from fractions import Fraction

import duckdb
import numpy as np
import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from usage_pipeline.planning.throttle_causes import (
    Column,
    Share,
    Values,
    Verdict,
    cause_of,
    cause_sql,
    certainty_sql,
    distinct_requests,
    over_fair_share,
    retry_storms,
    shares,
    shares_of_causes,
)


def minute(**values: int | None) -> Values:
    """A throttled minute far from every quota, with the given values."""
    usual: dict[Column, int | None] = {
        "invocations": 10,
        "throttles": 1,
        "consumed_tokens": 1000,
        "reserved_tokens": 500,
        "day_tokens_running": 50_000,
        "invocations_before": 10,
        "throttles_before": 0,
        "consumed_tokens_before": 1000,
        "largest_call_tokens": 100,
        "largest_reservation_tokens": 200,
        "rpm_limit": 100,
        "tpm_limit": 100_000,
        "tpd_limit": 10_000_000,
    }
    return usual | values  # type: ignore[return-value]


@pytest.mark.parametrize(
    ("values", "expected"),
    [
        # Requests and throttles together reach the requests per minute.
        (minute(invocations=60, throttles=40), Verdict("rpm", True)),
        (minute(invocations=60, throttles=39), Verdict("not_explained", False)),
        # 95 % of the tokens per minute, to the token.
        (minute(consumed_tokens=95_000), Verdict("tpm", False)),
        (minute(consumed_tokens=94_999), Verdict("not_explained", False)),
        (minute(consumed_tokens=94_999, reserved_tokens=5001), Verdict("reservation", False)),
        (minute(day_tokens_running=10_000_000), Verdict("tpd", True)),
        (minute(day_tokens_running=9_999_999), Verdict("not_explained", False)),
        (minute(reserved_tokens=99_000), Verdict("reservation", True)),
        (minute(reserved_tokens=98_999), Verdict("not_explained", False)),
        # The first rule that fits gives the cause, and what fits besides takes the certainty.
        (minute(invocations=100, consumed_tokens=95_000, day_tokens_running=10**7), Verdict("rpm", False)),
        (minute(consumed_tokens=95_000, day_tokens_running=10**7, reserved_tokens=10**6), Verdict("tpm", False)),
        (minute(day_tokens_running=10**7, reserved_tokens=10**6), Verdict("tpd", False)),
        # The minute before could have used up what is missing now.
        (minute(invocations=100, consumed_tokens_before=60_000), Verdict("rpm", False)),
        (minute(reserved_tokens=99_000, invocations_before=90), Verdict("reservation", False)),
        (minute(reserved_tokens=99_000, consumed_tokens_before=49_000), Verdict("reservation", False)),
        (minute(reserved_tokens=99_000, day_tokens_running=9_500_000), Verdict("reservation", False)),
        # Two minutes in a row that are nearly full together.
        (minute(consumed_tokens=90_000, consumed_tokens_before=100_000, reserved_tokens=20_000), Verdict("tpm", False)),
        (
            minute(consumed_tokens=90_000, consumed_tokens_before=99_999, reserved_tokens=20_000),
            Verdict("reservation", False),
        ),
        # A call twice as large as the largest of the day would not have fitted.
        (minute(reserved_tokens=99_000, largest_call_tokens=49_000), Verdict("reservation", False)),
        (minute(reserved_tokens=99_000, largest_call_tokens=48_999), Verdict("reservation", True)),
        (minute(invocations=100, largest_reservation_tokens=48_750), Verdict("rpm", False)),
        (minute(invocations=100, largest_reservation_tokens=48_749), Verdict("rpm", True)),
        (minute(invocations=100, largest_call_tokens=None), Verdict("rpm", False)),
        # Without logs nobody knows what calls held.
        (minute(invocations=100, reserved_tokens=None), Verdict("rpm", False)),
        (minute(reserved_tokens=None), Verdict("not_explained", False)),
        # A limit that is not there limits nothing.
        (minute(invocations=100, rpm_limit=None), Verdict("not_explained", False)),
        (minute(reserved_tokens=99_000, rpm_limit=None, tpd_limit=None), Verdict("reservation", True)),
        (minute(consumed_tokens=None, reserved_tokens=99_000), Verdict("not_explained", False)),
        (minute(rpm_limit=None, tpm_limit=None, tpd_limit=None), Verdict("not_explained", False)),
        (minute(rpm_limit=0), Verdict("rpm", True)),
    ],
)
def test_the_cause_is_the_first_that_fits_and_certain_when_nothing_else_can_be(
    values: Values, expected: Verdict
) -> None:
    assert cause_of(values) == expected


@pytest.fixture(scope="module")
def con() -> Iterator[duckdb.DuckDBPyConnection]:
    with duckdb.connect(":memory:") as con:
        yield con


AROUND_LIMITS = st.none() | st.sampled_from([0, 1, 9, 10, 49, 50, 94, 95, 99, 100, 101, 190, 200, 10**13])


@settings(max_examples=150, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(values=st.fixed_dictionaries(dict.fromkeys(minute(), AROUND_LIMITS)))
def test_sql_says_the_same(values: dict[str, int | None], con: duckdb.DuckDBPyConnection) -> None:
    columns = ", ".join(f"${name}::bigint as {name}" for name in values)
    query = f"select {cause_sql()}, {certainty_sql()} from (select {columns})"
    assert Verdict(*con.execute(query, values).fetchall()[0]) == cause_of(values)  # type: ignore[arg-type]


def test_shares_add_up_and_the_largest_comes_first() -> None:
    assert shares({"b": 1, "a": 1, "c": 6, "idle": 0}) == (Share("c", 0.75), Share("a", 0.125), Share("b", 0.125))
    assert shares({"a": 0}) == ()


def test_who_is_over_its_share_is_not_who_uses_most() -> None:
    consumed, fair = {"large": 700, "small": 300, "free": 100}, {"large": Fraction(4, 5), "small": Fraction(1, 10)}
    assert over_fair_share(consumed, fair, limit=1000) == (Share("small", 1.0),)


def test_causes_are_counted_by_minutes() -> None:
    assert shares_of_causes(["tpm", "rpm", "tpm", "tpm"]) == (Share("tpm", 0.75), Share("rpm", 0.25))


def storms(*rows: tuple[int, int, int]) -> list[bool]:
    """Rows of minute, invocations and throttles."""
    columns = np.array(rows, dtype=np.int64).reshape(-1, 3).T
    return retry_storms(*columns).tolist()


def test_a_storm_is_three_minutes_in_a_row_with_more_than_a_fifth_throttled() -> None:
    assert storms((1, 79, 21), (2, 79, 21), (3, 79, 21), (4, 80, 20)) == [True, True, True, False]
    assert storms((1, 79, 21), (2, 79, 21), (3, 80, 20), (4, 79, 21)) == [False] * 4


def test_a_minute_without_calls_ends_a_storm() -> None:
    assert storms((1, 0, 9), (2, 0, 9), (4, 0, 9)) == [False] * 3
    assert storms() == []


def test_one_bad_minute_is_no_storm() -> None:
    assert storms((7, 0, 1)) == [False]


def test_distinct_requests_lie_between_all_retried_and_none() -> None:
    assert distinct_requests(invocations=100, throttles=10, attempts=3) == (104, 110)
