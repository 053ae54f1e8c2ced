"""The history of quotas: which period each value held, whatever was read in which order."""

import datetime as dt
from functools import cache
from itertools import pairwise

import duckdb
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from usage_pipeline.assets.quota_storage import store_quotas
from usage_pipeline.aws.errors import Shortfall
from usage_pipeline.aws.scopes import Scope
from usage_pipeline.aws.service_quotas import ServiceQuota
from usage_pipeline.aws.source_reading import Listing, ScopeReading
from usage_pipeline.raw_tables import SERVICE_QUOTAS
from usage_pipeline_tests.empty_warehouse import in_memory

HERE = Scope("111122223333", "production", "us-east-1", "aws")
THERE = Scope("444455556666", "research", "eu-west-1", "aws")

Said = dict[str, float | None]
"""Limit by quota code."""


def hour(number: int) -> dt.datetime:
    return dt.datetime(2026, 11, 14) + dt.timedelta(hours=number)


def quota(code: str, value: float | None, *, adjustable: bool = True) -> ServiceQuota:
    return ServiceQuota(code, f"quota {code}", value, "applied", 1.0, "None", adjustable, f"arn:{code}")


def read(said: Said, scope: Scope = HERE, shortfall: Shortfall | None = None) -> ScopeReading[Listing[ServiceQuota]]:
    rows = tuple(quota(code, value) for code, value in said.items())
    return ScopeReading(scope, "ok", Listing(rows, shortfall), len(rows), 2, None)


REFUSED: ScopeReading[Listing[ServiceQuota]] = ScopeReading(HERE, "denied", None, None, 1, "AccessDenied: no")
PART = Shortfall("throttled", "ListServiceQuotas: TooManyRequestsException: slow down")


@cache
def database() -> duckdb.DuckDBPyConnection:
    """Opened once: that takes longer than most tests here."""
    con = in_memory()
    con.execute("create schema raw")
    return con


def empty_history() -> duckdb.DuckDBPyConnection:
    """A connection to the table of quotas, which is empty again."""
    database().execute(SERVICE_QUOTAS.create_statement.replace("create table if not exists", "create or replace table"))
    return database()


@pytest.fixture
def con() -> duckdb.DuckDBPyConnection:
    return empty_history()


def history(con: duckdb.DuckDBPyConnection) -> list[tuple[object, ...]]:
    """Code, value, first hour and end."""
    rows = con.execute(
        "select quota_code, limit_value, valid_from, valid_to from raw.service_quotas order by all"
    ).fetchall()
    return [(code, value, hours_of(start), hours_of(end)) for code, value, start, end in rows]


def hours_of(moment: dt.datetime | None) -> float | None:
    return None if moment is None else (moment - hour(0)).total_seconds() / 3600


def test_reading_the_same_again_changes_nothing(con: duckdb.DuckDBPyConnection) -> None:
    for number in (1, 2, 3):
        assert store_quotas(con, [read({"L-1": 100, "L-2": None})], hour(number)) == 2

    assert history(con) == [("L-1", 100, 1, None), ("L-2", None, 1, None)]


def test_another_value_closes_the_row_and_opens_the_next_at_the_same_moment(con: duckdb.DuckDBPyConnection) -> None:
    store_quotas(con, [read({"L-1": 100, "L-2": 5})], hour(1))
    store_quotas(con, [read({"L-1": 200, "L-2": 5})], hour(2))

    assert history(con) == [("L-1", 100, 1, 2), ("L-1", 200, 2, None), ("L-2", 5, 1, None)]


def test_whatever_else_aws_says_differently_opens_a_row_too(con: duckdb.DuckDBPyConnection) -> None:
    store_quotas(con, [read({"L-1": 100})], hour(1))
    fixed = Listing((quota("L-1", 100, adjustable=False),))
    store_quotas(con, [ScopeReading(HERE, "ok", fixed, 1, 2, None)], hour(2))

    rows = con.execute("select adjustable, valid_to from raw.service_quotas order by valid_from").fetchall()
    assert rows == [(True, hour(2)), (False, None)]


def test_a_code_that_vanishes_is_closed_and_reopens_as_a_row_of_its_own(con: duckdb.DuckDBPyConnection) -> None:
    for number, said in enumerate([{"L-1": 1, "L-2": 2}, {"L-1": 1}, {"L-1": 1, "L-2": 2}]):
        store_quotas(con, [read(said)], hour(number))

    assert history(con) == [("L-1", 1, 0, None), ("L-2", 2, 0, 1), ("L-2", 2, 2, None)]


@pytest.mark.parametrize(
    "reading", [REFUSED, read({"L-1": 9}, shortfall=PART), read({}, shortfall=PART), read({})], ids=str
)
def test_a_reading_that_failed_or_came_in_part_or_empty_changes_nothing(
    con: duckdb.DuckDBPyConnection, reading: ScopeReading[Listing[ServiceQuota]]
) -> None:
    store_quotas(con, [read({"L-1": 1, "L-2": 2})], hour(1))
    store_quotas(con, [reading, read({"L-1": 7}, THERE)], hour(2))

    assert history(con) == [("L-1", 1, 1, None), ("L-1", 7, 2, None), ("L-2", 2, 1, None)]


def test_a_reading_from_before_a_stored_change_is_not_stored(con: duckdb.DuckDBPyConnection) -> None:
    store_quotas(con, [read({"L-1": 1})], hour(1))
    store_quotas(con, [read({"L-1": 2})], hour(5))
    store_quotas(con, [read({"L-1": 3}), read({"L-1": 3}, THERE)], hour(4))

    assert history(con) == [("L-1", 1, 1, 5), ("L-1", 2, 5, None), ("L-1", 3, 4, None)]


def test_of_two_readings_of_one_moment_the_later_one_counts(con: duckdb.DuckDBPyConnection) -> None:
    store_quotas(con, [read({"L-1": 1, "L-2": 1, "L-3": 1})], hour(1))
    store_quotas(con, [read({"L-1": 2, "L-2": 1, "L-4": 1})], hour(2))
    store_quotas(con, [read({"L-1": 3, "L-2": 1, "L-3": 1})], hour(2))

    assert history(con) == [("L-1", 1, 1, 2), ("L-1", 3, 2, None), ("L-2", 1, 1, None), ("L-3", 1, 1, None)]


_said = st.dictionaries(st.sampled_from(["L-1", "L-2"]), st.sampled_from([None, 0.0, 1.0, 2.0]), min_size=1)


SCOPES = [Scope("111122223333", "production", f"region-{number}", "aws") for number in range(5)]
"""Each has a history of its own, which takes no longer than one of one scope; no history hears of another."""


def history_of(con: duckdb.DuckDBPyConnection, scope: Scope) -> list[tuple[str, object, float, float | None]]:
    """Code, value, first hour and end, by code and first hour."""
    rows = con.execute(
        "select quota_code, limit_value, valid_from, valid_to from raw.service_quotas where region = ? order by 1, 3",
        [scope.region],
    ).fetchall()
    return [(code, value, hours_of(start) or 0.0, hours_of(end)) for code, value, start, end in rows]


@settings(max_examples=12, deadline=None)
@given(st.lists(st.tuples(st.integers(0, 6), st.tuples(*[st.none() | _said] * len(SCOPES))), max_size=10))
def test_in_any_order_of_readings_a_code_has_one_open_row_at_most_and_no_two_overlap(
    readings: list[tuple[int, tuple[Said | None, ...]]],
) -> None:
    con = empty_history()
    for number, said_of_scopes in readings:
        answers = zip(SCOPES, said_of_scopes, strict=True)
        store_quotas(con, [read(said, scope) for scope, said in answers if said is not None], hour(number))

    for scope in SCOPES:
        ends: dict[str, float] = {}
        for code, _, start, end in history_of(con, scope):
            assert start >= ends.get(code, 0.0)
            ends[code] = float("inf") if end is None else end
            assert ends[code] > start


@settings(max_examples=10, deadline=None)
@given(st.lists(st.tuples(*[_said] * len(SCOPES)), min_size=1, max_size=6))
def test_readings_in_their_own_order_give_back_what_each_of_them_said(readings: list[tuple[Said, ...]]) -> None:
    con = empty_history()
    for number, said_of_scopes in enumerate(readings):
        store_quotas(con, list(map(read, said_of_scopes, SCOPES)), hour(number))

    for scope, readings_of_scope in zip(SCOPES, zip(*readings, strict=True), strict=True):
        rows = history_of(con, scope)
        held = [
            {code: value for code, value, start, end in rows if start <= number and (end is None or end > number)}
            for number in range(len(readings))
        ]
        assert held == list(readings_of_scope)
        # Two rows of a code that follow each other without a gap say different things.
        for (code, value, _, end), (next_code, next_value, start, _) in pairwise(rows):
            assert (code, value, end) != (next_code, next_value, start)
