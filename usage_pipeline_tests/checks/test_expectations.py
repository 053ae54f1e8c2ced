"""Great Expectations and SQL must decide alike. That SQL finds each fault is in `test_every_rule.py`."""

import datetime as dt
import os
import sys
from collections.abc import Iterator
from pathlib import Path
from typing import Any, cast

import duckdb
import pandas as pd
import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from usage_pipeline.checks import ALL_RULES, evaluation, expectations, validation
from usage_pipeline.checks.evaluation import evaluate_all
from usage_pipeline.checks.expectation_sql import hold_in_sql
from usage_pipeline.checks.expectation_suites import (
    Between,
    InSet,
    MatchesRegex,
    Newest,
    NotNull,
    PairInOrder,
    RowCount,
    Statement,
    Suite,
    TableExpectation,
    UniqueKey,
)
from usage_pipeline.checks.expectations import (
    EXPECTATION_SUITES,
    expectation_rules,
    expectations_that_hold,
    hold_by_great_expectations,
)
from usage_pipeline.checks.rules import Rule
from usage_pipeline.checks.validation import (
    Answers,
    Asked,
    ExpectationError,
    ValidationProcess,
    exception_text,
    loaded_on_first_use,
    validate,
)
from usage_pipeline.raw_tables import STORED_TABLES
from usage_pipeline.sql_models import load_models
from usage_pipeline_tests.checks.expectation_faults import EXPECTATION_FAULTS, before_faults

every_suite = pytest.mark.parametrize("suite", EXPECTATION_SUITES, ids=lambda suite: suite.table)
every_expectation_of_a_catalogue = pytest.mark.parametrize(
    "expectation",
    [
        TableExpectation(suite, statement)
        for suite in EXPECTATION_SUITES
        if suite.evaluated_by == "great_expectations"
        for statement in suite.statements
    ],
    ids=lambda expectation: expectation.statement.name,
)


def both_ways(
    con: duckdb.DuckDBPyConnection, suite: Suite, statements: tuple[Statement, ...]
) -> tuple[set[str], set[str]]:
    """Names of the statements that hold, by SQL and by Great Expectations."""
    return hold_in_sql(con, suite, statements), hold_by_great_expectations(con, suite, statements)()


# The suites


def test_every_table_has_a_suite() -> None:
    made = {name for name, table in STORED_TABLES.items() if table.schema in ("raw", "marts")}
    made |= {model.qualified_name for model in load_models() if model.schema in ("intermediate", "marts")}

    assert {suite.table for suite in EXPECTATION_SUITES} == made


@every_suite
def test_doubled_keys_of_every_table_are_found(suite: Suite) -> None:
    own = [statement.columns for statement in suite.statements if isinstance(statement, UniqueKey)]
    others = {rule.name for rule in ALL_RULES if rule.expectation is None}

    assert own == ([] if suite.key_is_checked_by else [suite.key])
    assert suite.key_is_checked_by is None or suite.key_is_checked_by in others


@every_suite
def test_a_healthy_table_passes_both_ways(con: duckdb.DuckDBPyConnection, suite: Suite) -> None:
    con.execute(before_faults(suite.table))

    by_sql, by_great_expectations = both_ways(con, suite, suite.statements)

    assert by_sql == by_great_expectations == {statement.name for statement in suite.statements}


@every_expectation_of_a_catalogue
def test_great_expectations_finds_the_fault(con: duckdb.DuckDBPyConnection, expectation: TableExpectation) -> None:
    statement = expectation.statement
    con.execute(EXPECTATION_FAULTS[statement.name])

    assert hold_by_great_expectations(con, expectation.suite, [statement])() == set()


# Types of expectations


SAYS = {"says": "It is so."}
THINGS = Suite(
    table="raw.things",
    key=("a", "b"),
    evaluated_by="great_expectations",
    only=None,
    key_is_checked_by=None,
    statements=(
        RowCount(
            name="things_are_not_missing",
            type="expect_table_row_count_to_be_between",
            when="select count(*) > 0 from raw.others",
            **SAYS,
        ),
        UniqueKey(
            name="pairs_of_things_are_unique", type="expect_compound_columns_to_be_unique", columns=("a", "b"), **SAYS
        ),
        UniqueKey(
            name="pairs_may_lack_a_part",
            type="expect_compound_columns_to_be_unique",
            columns=("a", "b"),
            nullable=("b",),
            **SAYS,
        ),
        UniqueKey(name="every_a_is_unique", type="expect_compound_columns_to_be_unique", columns=("a",), **SAYS),
        NotNull(name="every_thing_has_both", type="expect_column_values_to_not_be_null", columns=("a", "t"), **SAYS),
        NotNull(
            name="high_things_have_a_text",
            type="expect_column_values_to_not_be_null",
            columns=("t",),
            where="a > 1",
            **SAYS,
        ),
        Between(
            name="things_lie_between_bounds",
            type="expect_column_values_to_be_between",
            columns=("a", "b"),
            min_value=-1,
            max_value=2,
            **SAYS,
        ),
        Between(
            name="amounts_are_not_below_zero",
            type="expect_column_values_to_be_between",
            columns=("m",),
            min_value=0,
            **SAYS,
        ),
        InSet(
            name="numbers_are_known_ones",
            type="expect_column_values_to_be_in_set",
            columns=("a",),
            value_set=(0, 1),
            **SAYS,
        ),
        InSet(
            name="texts_are_known_ones",
            type="expect_column_values_to_be_in_set",
            columns=("t",),
            value_set=("x", "it's"),
            **SAYS,
        ),
        MatchesRegex(
            name="texts_have_a_form", type="expect_column_values_to_match_regex", columns=("t",), regex="x|y+", **SAYS
        ),
        PairInOrder(
            name="first_is_above_second",
            type="expect_column_pair_values_a_to_be_greater_than_b",
            columns=("a", "b"),
            **SAYS,
        ),
        PairInOrder(
            name="first_is_not_below_second",
            type="expect_column_pair_values_a_to_be_greater_than_b",
            columns=("a", "b"),
            or_equal=True,
            **SAYS,
        ),
        Newest(
            name="things_reach_the_newest_day",
            type="expect_column_max_to_be_between",
            columns=("d",),
            at_least="select max(d) from raw.others",
            **SAYS,
        ),
    ),
)

small = st.none() | st.integers(-2, 3)
texts = st.none() | st.sampled_from(["x", "it's", "yy", "xy", "", "x\n", "X"])
amounts = st.none() | st.sampled_from(["-0.01", "0", "1.50"])
days = st.none() | st.sampled_from([dt.date(2026, 11, 14), dt.date(2026, 11, 15)])
things = st.lists(st.tuples(small, small, texts, amounts, days), max_size=4)


@pytest.fixture
def two_tables() -> Iterator[duckdb.DuckDBPyConnection]:
    with duckdb.connect() as con:
        con.execute(
            """
            create schema raw;
            create table raw.things (a bigint, b integer, t varchar, m decimal(18, 6), d date);
            create table raw.others (d date);
            """
        )
        yield con


@settings(max_examples=25, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(rows=things, other_days=st.lists(days, max_size=1))
def test_both_ways_decide_alike(
    two_tables: duckdb.DuckDBPyConnection, rows: list[tuple[Any, ...]], other_days: list[dt.date | None]
) -> None:
    two_tables.execute("delete from raw.things; delete from raw.others")
    for row in rows:
        two_tables.execute("insert into raw.things values (?, ?, ?, ?, ?)", list(row))
    for day in other_days:
        two_tables.execute("insert into raw.others values (?)", [day])

    by_sql, by_great_expectations = both_ways(two_tables, THINGS, THINGS.statements)

    assert by_sql == by_great_expectations


def results(con: duckdb.DuckDBPyConnection) -> dict[str, list[dict[str, Any]]]:
    """The rows that contradict each expectation of things, where there are any."""
    return {
        result.rule.name: result.rows for result in evaluate_all(con, expectation_rules([THINGS])) if not result.passed
    }


def test_a_result_has_the_keys_and_values_of_what_contradicts_it(two_tables: duckdb.DuckDBPyConnection) -> None:
    two_tables.execute(
        """
        insert into raw.others values ('2026-11-15');
        insert into raw.things values
            (1, 0, 'x', 0, '2026-11-14'), (1, 0, 'it''s', -1, '2026-11-13'), (5, null, null, null, null);
        """
    )

    assert results(two_tables) == {
        "pairs_of_things_are_unique": [{"a": 1, "b": 0, "row_count": 2}, {"a": 5, "b": None, "row_count": 1}],
        "pairs_may_lack_a_part": [{"a": 1, "b": 0, "row_count": 2}],
        "every_a_is_unique": [{"a": 1, "row_count": 2}],
        "every_thing_has_both": [{"a": 5, "b": None, "t": None}],
        "high_things_have_a_text": [{"a": 5, "b": None, "t": None}],
        "things_lie_between_bounds": [{"a": 5, "b": None}],
        "amounts_are_not_below_zero": [{"a": 1, "b": 0, "m": -1}],
        "numbers_are_known_ones": [{"a": 5, "b": None}],
        "texts_have_a_form": [{"a": 1, "b": 0, "t": "it's"}],
        "things_reach_the_newest_day": [{"newest": dt.date(2026, 11, 14), "at_least": dt.date(2026, 11, 15)}],
    }


def test_an_empty_table_fails_only_when_it_must_have_rows(two_tables: duckdb.DuckDBPyConnection) -> None:
    assert results(two_tables) == {}

    two_tables.execute("insert into raw.others values (null)")

    assert results(two_tables) == {"things_are_not_missing": [{"row_count": 0, "at_least": 1}]}


# Evaluation


def test_a_missing_column_is_an_error_and_not_a_failed_check(two_tables: duckdb.DuckDBPyConnection) -> None:
    two_tables.execute("alter table raw.things drop column t")

    with pytest.raises(duckdb.BinderException, match='"t"'):
        evaluate_all(two_tables, expectation_rules([THINGS]))


def test_an_expectation_that_raises_is_an_error_that_names_it(two_tables: duckdb.DuckDBPyConnection) -> None:
    two_tables.execute("insert into raw.things values (1, 0, 'x', 0, '2026-11-14')")
    of_text = Between(
        name="texts_lie_between_numbers", type="expect_column_values_to_be_between", columns=("t",), min_value=0, **SAYS
    )

    with pytest.raises(ExpectationError) as caught:
        hold_by_great_expectations(two_tables, THINGS, [of_text])

    assert str(caught.value) == (
        "raw.things: expect_column_values_to_be_between(column='t', min_value=0.0) could not be evaluated: "
        "Column values, min_value, and max_value must either be None or of the same type."
    )


@pytest.mark.parametrize(
    ("info", "expected"),
    [
        ({"raised_exception": False, "exception_message": None}, None),
        ({"raised_exception": True, "exception_message": "no"}, "no"),
        ({"metric": {"raised_exception": True, "exception_message": "no column"}}, "no column"),
        ({}, None),
    ],
)
def test_exceptions_are_found_in_both_shapes(info: dict[str, Any], expected: str | None) -> None:
    assert exception_text(info) == expected


def test_a_refusal_without_any_row_is_an_error(
    two_tables: duckdb.DuckDBPyConnection, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(evaluation, "expectations_that_hold", lambda con, expected, validate: set)

    with pytest.raises(ExpectationError, match=r"things_are_not_missing does not hold, but no row contradicts it"):
        evaluate_all(two_tables, expectation_rules([THINGS]))


def test_other_rules_are_asked_while_great_expectations_works(two_tables: duckdb.DuckDBPyConnection) -> None:
    order: list[str] = []

    def rows(con: duckdb.DuckDBPyConnection) -> list[dict[str, Any]]:
        order.append("another rule")
        return []

    def validate(table: str, frame: pd.DataFrame, asked: Asked) -> Answers:
        def answers() -> list[bool]:
            order.append("answered")
            return [True] * len(asked)

        order.append("asked")
        return answers

    another = Rule(name="other_things_are_in_order", table=THINGS.table, description="Other.", contradictions=rows)
    results = evaluate_all(two_tables, [*expectation_rules([THINGS]), another], validate)

    assert order == ["asked", "another rule", "answered"]
    assert [result.rule.name for result in results] == [*(s.name for s in THINGS.statements), another.name]


def test_a_catalogue_that_outgrew_a_frame_is_asked_in_sql(
    two_tables: duckdb.DuckDBPyConnection, monkeypatch: pytest.MonkeyPatch
) -> None:
    def refuse(*arguments: Any) -> set[str]:
        raise AssertionError("loaded a frame")

    monkeypatch.setattr(expectations, "MOST_FRAME_ROWS", 1)
    monkeypatch.setattr(expectations, "hold_by_great_expectations", refuse)
    two_tables.execute("insert into raw.things values (1, 0, 'x', 0, null), (0, -1, 'x', 0, null)")

    held = expectations_that_hold(two_tables, [TableExpectation(THINGS, statement) for statement in THINGS.statements])

    assert held() == {statement.name for statement in THINGS.statements}


def test_statements_about_rows_take_one_scan_together(two_tables: duckdb.DuckDBPyConnection) -> None:
    asked: list[str] = []

    class Listening:
        def execute(self, query: str, parameters: dict[str, Any]) -> duckdb.DuckDBPyConnection:
            asked.append(query)
            return two_tables.execute(query, parameters)

    about_rows = [statement for statement in THINGS.statements if isinstance(statement, NotNull | InSet | MatchesRegex)]

    assert hold_in_sql(cast(duckdb.DuckDBPyConnection, Listening()), THINGS, about_rows) == {
        statement.name for statement in about_rows
    }
    assert (len(about_rows), len(asked)) == (5, 1)


def test_great_expectations_is_quiet_and_tells_nobody(
    two_tables: duckdb.DuckDBPyConnection, capfd: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.delenv("GX_ANALYTICS_ENABLED", raising=False)
    validation._batch_definition.cache_clear()  # pyright: ignore[reportPrivateUsage]  (as in a process that begins)

    hold_by_great_expectations(two_tables, THINGS, THINGS.statements)

    assert capfd.readouterr() == ("", "")
    assert os.environ["GX_ANALYTICS_ENABLED"] == "false"


def test_a_seldom_used_module_is_loaded_when_it_is_first_used(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    (tmp_path / "seldom_used_here.py").write_text(
        "from pathlib import Path\nPath(__file__ + '.loaded').touch()\nSIX = 6\n"
    )
    (tmp_path / "used_here.py").write_text("Thing = object\n")
    monkeypatch.syspath_prepend(tmp_path)
    finders = list(sys.meta_path)
    with loaded_on_first_use({"seldom_used_here"}):
        import seldom_used_here  # pyright: ignore[reportMissingImports]
        from used_here import Thing  # pyright: ignore[reportMissingImports]
    is_loaded = (tmp_path / "seldom_used_here.py.loaded").exists

    assert (Thing, is_loaded(), sys.meta_path) == (object, False, finders)
    assert (seldom_used_here.SIX, is_loaded()) == (6, True)
    with loaded_on_first_use({"no_such_module"}), pytest.raises(ModuleNotFoundError, match="no_such_module"):
        import no_such_module  # pyright: ignore[reportMissingImports]  # noqa: F401


def test_a_process_of_its_own_gives_the_same_answers(capfd: pytest.CaptureFixture[str]) -> None:
    frame = pd.DataFrame({"calls": [1, None], "at": [dt.datetime(2026, 11, 14), None]})
    asked = [
        ("expect_column_values_to_not_be_null", {"column": "calls"}),
        ("expect_column_values_to_be_between", {"column": "at", "max_value": dt.datetime(2026, 11, 15)}),
    ]
    raising = [("expect_column_values_to_not_be_null", {"column": "lacking"})]

    with ValidationProcess() as process:
        answers = [process.validate("raw.things", frame, asked), process.validate("raw.things", frame, asked[1:])]
        assert [answer() for answer in answers] == [[False, True], [True]]
        assert validate("raw.things", frame, asked) == [False, True]
        with pytest.raises(ExpectationError, match=r"raw\.things: .*lacking.* could not be evaluated"):
            process.validate("raw.things", frame, raising)()
        assert process.validate("raw.things", frame, asked)() == [False, True]
    assert capfd.readouterr() == ("", "")


def test_a_process_that_was_killed_is_an_error_that_says_so() -> None:
    with ValidationProcess() as process:
        process._process.kill()
        with pytest.raises(ExpectationError, match=r"raw\.things: .* ended with exit code -9\. Run again"):
            process.validate("raw.things", pd.DataFrame({"calls": [1]}), [])()
