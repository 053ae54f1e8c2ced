"""The expectations of `expectations.yaml` as rules, and Great Expectations, which decides whether they hold.

Tables of catalogue size are read into a frame of the columns that are looked at and given to Great Expectations; tables
of use are asked in SQL (`expectation_sql.py`), and so is a catalogue that has outgrown a frame. Rows that contradict an
expectation are always found in SQL, so that a result has them like any other rule's.

Not here: how Great Expectations is asked (`validation.py`).
"""

import datetime as dt
from collections import defaultdict
from collections.abc import Callable, Iterator, Mapping, Sequence
from typing import TYPE_CHECKING, Any

import duckdb

from usage_pipeline.checks.expectation_sql import contradictions, hold_in_sql
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
    load_suites,
)
from usage_pipeline.checks.rules import Rule, Severity
from usage_pipeline.checks.validation import Validate, validate_here

if TYPE_CHECKING:
    import pandas as pd

MOST_FRAME_ROWS = 100_000
"""Rows of a table that are loaded into a frame, 75 MB at most (measured on the widest key); more are asked in SQL."""

_SEVERITIES: Mapping[str, Severity] = {"critical": "ERROR", "warning": "WARN"}


def expectation_rules(suites: Sequence[Suite]) -> tuple[Rule, ...]:
    """Each expectation as a rule, in the order of the suites."""
    return tuple(_rule(suite, statement) for suite in suites for statement in suite.statements)


def _rule(suite: Suite, statement: Statement) -> Rule:
    query, parameters = contradictions(suite, statement)
    return Rule(
        name=statement.name,
        table=suite.table,
        description=statement.says,
        contradictions=query,
        severity=_SEVERITIES[statement.severity],
        blocking=statement.blocking,
        parameters=parameters,
        expectation=TableExpectation(suite, statement),
    )


EXPECTATION_SUITES = load_suites()

EXPECTATION_RULES = expectation_rules(EXPECTATION_SUITES)


def expectations_that_hold(
    con: duckdb.DuckDBPyConnection, expected: Sequence[TableExpectation], validate: Validate = validate_here
) -> Callable[[], set[str]]:
    """Asks which expectations hold; what it returns waits for their names. Each table is looked at once.

    Great Expectations is asked first and its answers are waited for last: it may work in a process of its own.

    Raises:
        duckdb.Error: a table or column is missing.
        ExpectationError: Great Expectations could not evaluate one; also when the names are waited for.
    """
    by_table: dict[str, list[TableExpectation]] = defaultdict(list)
    for expectation in expected:
        by_table[expectation.suite.table].append(expectation)
    asked: list[Callable[[], set[str]]] = []
    in_sql: list[tuple[Suite, list[Statement]]] = []
    for of_table in by_table.values():
        suite = of_table[0].suite
        statements = [expectation.statement for expectation in of_table]
        if suite.evaluated_by == "sql" or _row_count(con, suite) > MOST_FRAME_ROWS:
            in_sql.append((suite, statements))
        else:
            asked.append(hold_by_great_expectations(con, suite, statements, validate))
    held: set[str] = set()
    for suite, statements in in_sql:
        held |= hold_in_sql(con, suite, statements)
    return lambda: held.union(*(held_of_table() for held_of_table in asked))


def _row_count(con: duckdb.DuckDBPyConnection, suite: Suite) -> int:
    counted = con.execute(f"select count(*) from {suite.table} where {suite.only or 'true'}").fetchone()
    return int(counted[0]) if counted else 0


# ---------------------------------------------------------------------------------------------------------------------
# Great Expectations


def hold_by_great_expectations(
    con: duckdb.DuckDBPyConnection, suite: Suite, statements: Sequence[Statement], validate: Validate = validate_here
) -> Callable[[], set[str]]:
    """Asks by one validation of one frame; what it returns waits for the names of the statements that hold."""
    conditions = list(dict.fromkeys(statement.where for statement in statements if statement.where))
    # Statements may need the same one, such as a key column without NULL: a suite may keep one of two that are equal.
    asked: list[tuple[str, dict[str, Any]]] = []
    needed_by: list[set[str]] = []
    for statement in statements:
        for type_name, arguments in _configurations(con, statement):
            if statement.where:
                arguments |= {
                    "row_condition": f"{_condition_column(conditions, statement.where)} == True",
                    "condition_parser": "pandas",
                }
            if (type_name, arguments) not in asked:
                asked.append((type_name, arguments))
                needed_by.append(set())
            needed_by[asked.index((type_name, arguments))].add(statement.name)
    every_name = {statement.name for statement in statements}
    if not asked:
        return lambda: every_name
    answers = validate(suite.table, frame_of(con, suite, statements, conditions), asked)

    def held() -> set[str]:
        failed = (names for names, holds in zip(needed_by, answers(), strict=True) if not holds)
        return every_name.difference(*failed)

    return held


def frame_of(
    con: duckdb.DuckDBPyConnection, suite: Suite, statements: Sequence[Statement], conditions: Sequence[str]
) -> "pd.DataFrame":
    """The columns that the statements look at, and one that says for each condition whether it is true of the row."""
    columns = dict.fromkeys(column for statement in statements for column in getattr(statement, "columns", ()))
    listed = [f'"{column}"' for column in columns or suite.key]
    listed += [
        f"coalesce({condition}, false) as {_condition_column(conditions, condition)}" for condition in conditions
    ]
    return con.execute(f"select {', '.join(listed)} from {suite.table} where {suite.only or 'true'}").df()


def _condition_column(conditions: Sequence[str], condition: str) -> str:
    return f"condition_{conditions.index(condition)}"


def _configurations(con: duckdb.DuckDBPyConnection, statement: Statement) -> Iterator[tuple[str, dict[str, Any]]]:
    """Type and arguments of the expectations that the statement is for Great Expectations: one for each column."""
    match statement:
        case RowCount():
            yield statement.type, {"min_value": int(bool(_scalar(con, statement.when)))}
        case UniqueKey():
            if len(statement.columns) == 1:
                yield "expect_column_values_to_be_unique", {"column": statement.columns[0]}
            else:
                yield statement.type, {"column_list": list(statement.columns), "ignore_row_if": "never"}
            for column in statement.columns:
                if column not in statement.nullable:
                    yield "expect_column_values_to_not_be_null", {"column": column}
        case Newest():
            if (at_least := _scalar(con, statement.at_least)) is not None:
                yield statement.type, {"column": statement.columns[0], "min_value": at_least}
        case PairInOrder():
            first, second = statement.columns
            arguments = {"column_A": first, "column_B": second, "or_equal": statement.or_equal}
            yield statement.type, arguments | {"ignore_row_if": "either_value_is_missing"}
        case _:
            for column in statement.columns:
                yield statement.type, {"column": column} | _limits(statement)


def _limits(statement: NotNull | Between | InSet | MatchesRegex) -> dict[str, Any]:
    """What the values of one column are held against."""
    match statement:
        case Between():
            bounds = {"min_value": statement.min_value, "max_value": statement.max_value}
            return {name: bound for name, bound in bounds.items() if bound is not None}
        case InSet():
            return {"value_set": list(statement.value_set)}
        case MatchesRegex():
            # `$` would also fit before a last line break.
            return {"regex": rf"^(?:{statement.regex})\Z"}
        case NotNull():
            return {}


def _scalar(con: duckdb.DuckDBPyConnection, query: str) -> Any:
    """The one value of a query; a day as its first moment, as a frame has it."""
    row = con.execute(query).fetchone()
    value: Any = row[0] if row else None
    if isinstance(value, dt.date) and not isinstance(value, dt.datetime):
        return dt.datetime.combine(value, dt.time())
    return value
