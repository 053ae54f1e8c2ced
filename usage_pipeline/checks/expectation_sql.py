"""The queries of expectations: the rows that contradict one, and a whole table's expectations in one scan.

Here: each expectation type in SQL. Great Expectations decides in Python on small tables; both agree, which a test shows
on the same frames. Column and table names and conditions are those of `expectations.yaml`; values are bound.
"""

from collections.abc import Sequence
from typing import Any

import duckdb

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
    UniqueKey,
)

RowStatement = NotNull | Between | InSet | MatchesRegex | PairInOrder
"""A statement about each row by itself: one scan of the table answers many."""


def contradictions(suite: Suite, statement: Statement) -> tuple[str, dict[str, Any]]:
    """The query for the rows that contradict the statement, with its parameters."""
    match statement:
        case RowCount():
            return _row_count(suite, statement), {}
        case UniqueKey():
            return _key(suite, statement), {}
        case Newest():
            return _newest(suite, statement), {}
        case _:
            condition, parameters = _violation(statement, "value")
            columns = ", ".join(dict.fromkeys((*suite.key, *statement.columns)))
            query = f"""
                select {columns}
                from {suite.table}
                where {_looked_at(suite, statement)} and ({condition})
                order by {columns}
            """
            return query, parameters


def hold_in_sql(con: duckdb.DuckDBPyConnection, suite: Suite, statements: Sequence[Statement]) -> set[str]:
    """Names of the statements that hold. Those about single rows take one scan of the table together."""
    by_row = [statement for statement in statements if isinstance(statement, RowStatement)]
    held = {statement.name for statement in by_row} - _contradicted(con, suite, by_row)
    for statement in statements:
        if not isinstance(statement, RowStatement):
            query, parameters = contradictions(suite, statement)
            if con.execute(f"select 1 from ({query}) limit 1", parameters).fetchone() is None:
                held.add(statement.name)
    return held


def _contradicted(con: duckdb.DuckDBPyConnection, suite: Suite, statements: Sequence[RowStatement]) -> set[str]:
    """Names of the statements that some row contradicts."""
    if not statements:
        return set()
    found: list[str] = []
    parameters: dict[str, Any] = {}
    for number, statement in enumerate(statements):
        condition, values = _violation(statement, f"value_{number}")
        where = f"({statement.where}) and " if statement.where else ""
        found.append(f"coalesce(bool_or({where}({condition})), false)")
        parameters |= values
    query = f"select {', '.join(found)} from {suite.table} where {suite.only or 'true'}"
    answers = con.execute(query, parameters).fetchone() or ()
    return {statement.name for statement, answer in zip(statements, answers, strict=True) if answer}


def _looked_at(suite: Suite, statement: Statement) -> str:
    """The condition of the rows that the statement is about."""
    return " and ".join(f"({condition})" for condition in (suite.only, statement.where) if condition) or "true"


def _row_count(suite: Suite, statement: RowCount) -> str:
    return f"""
        select
            count(*) as row_count,
            1 as at_least,
        from {suite.table}
        where {_looked_at(suite, statement)}
        having count(*) = 0 and ({statement.when})
    """


def _key(suite: Suite, statement: UniqueKey) -> str:
    columns = ", ".join(statement.columns)
    needed = [f" or {column} is null" for column in statement.columns if column not in statement.nullable]
    return f"""
        select
            {columns},
            count(*) as row_count,
        from {suite.table}
        where {_looked_at(suite, statement)}
        group by {columns}
        having count(*) > 1{"".join(needed)}
        order by {columns}
    """


def _newest(suite: Suite, statement: Newest) -> str:
    """Over all rows: those that were stored last need not be of the newest days."""
    (column,) = statement.columns
    return f"""
        with reached as (
            select
                max({column}) as newest,
                ({statement.at_least}) as at_least,
            from {suite.table}
            where {statement.where or "true"}
        )

        from reached
        where newest < at_least or (newest is null and at_least is not null)
    """


def _violation(statement: RowStatement, prefix: str) -> tuple[str, dict[str, Any]]:
    """A condition that is true of a row that contradicts the statement. What is unknown contradicts only `not_null`."""
    columns = statement.columns
    match statement:
        case NotNull():
            return " or ".join(f"{column} is null" for column in columns), {}
        case InSet():
            values = {f"{prefix}_{number}": value for number, value in enumerate(statement.value_set)}
            allowed = ", ".join(f"${name}" for name in values)
            return " or ".join(f"{column} not in ({allowed})" for column in columns), values
        case MatchesRegex():
            condition = " or ".join(f"not regexp_full_match({column}, ${prefix})" for column in columns)
            return condition, {prefix: statement.regex}
        case PairInOrder():
            return f"{columns[0]} {'<' if statement.or_equal else '<='} {columns[1]}", {}
        case Between():
            bounds = {"<": statement.min_value, ">": statement.max_value}
            names = {"<": f"{prefix}_least", ">": f"{prefix}_most"}
            given = {sign: bound for sign, bound in bounds.items() if bound is not None}
            conditions = [f"{column} {sign} ${names[sign]}" for column in columns for sign in given]
            return " or ".join(conditions), {names[sign]: bound for sign, bound in given.items()}
