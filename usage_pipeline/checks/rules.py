"""What a data check is: a statement about one table and the query that finds the rows which contradict it.

Here: the `Rule` type and its evaluation on a DuckDB connection. Not here: the rules themselves (the other modules of
this package) and their Dagster form (`asset_checks.py`).
"""

import datetime as dt
import json
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from typing import Any, Literal

import duckdb

from usage_pipeline.checks.expectation_suites import TableExpectation

Severity = Literal["ERROR", "WARN"]

MOST_ROWS = 1000
"""Offending rows that a result carries; more than that are one trouble, not a thousand."""

MOST_EXAMPLES = 20
"""Of these, how many are shown: an alert is read on a phone."""

CONFIGURED_SCOPES = "(select account_id, region from raw.scopes where is_configured)"
"""SQL of the accounts and Regions that are still read; what is wrong in others cannot be mended by reading."""

SETTLED_SCOPES = f"""(
            select
                account_id,
                region,
                max(covered_until) - $settling_time as settled_until,
            from ops.source_status
            semi join {CONFIGURED_SCOPES} using (account_id, region)
            where source = 'cloudwatch_metrics'
            group by account_id, region
        )"""
"""SQL of the scopes with the moment up to which CloudWatch adds nothing more; `$settling_time` is a parameter."""


def newly_stored_days(table: str) -> str:
    """SQL of the 62 days of a raw table that were stored last.

    A warehouse of years is not searched anew each day: rows change only when a reading replaces them.
    """
    return f"""(
            select usage_date
            from ops.day_changes
            where table_name = '{table}'
            order by change desc
            limit 62
        )"""


NEWLY_STORED_DAYS = newly_stored_days("raw.cloudwatch_metrics")
"""SQL of the days of metrics that were stored last."""


@dataclass(frozen=True)
class Rule:
    """One statement about one table.

    `contradictions` is a query, or a function for what SQL cannot say, such as reading a quota's name; every row
    that it returns is a proof that the statement is false. Its columns are the keys and values that a person needs
    to see. A column named `severity`, when there is one, holds ERROR or WARN and overrides the rule's own for that
    row. `parameters` are bound by name.

    `subject` names the columns that say which thing a row is about, such as its pool: rows with equal subjects are one
    finding. Empty: all rows together are one. A row may have `value`, `threshold` and `unit` for the person to whom
    the finding is told.

    `expectation` is there where the statement is one of `expectations.yaml`; its query is then made from it.
    """

    name: str
    table: str
    description: str
    contradictions: str | Callable[[duckdb.DuckDBPyConnection], list[dict[str, Any]]]
    severity: Severity = "ERROR"
    blocking: bool = False
    parameters: Mapping[str, Any] = field(default_factory=dict[str, Any])
    subject: tuple[str, ...] = ()
    expectation: TableExpectation | None = None

    def __post_init__(self) -> None:
        if "." not in self.table:
            raise ValueError(f"check {self.name}: table {self.table!r} must be written schema.table")


@dataclass(frozen=True)
class RuleResult:
    """How one rule came out. `failing_rows` counts all contradictions; `rows` holds the first 1,000 of them."""

    rule: Rule
    passed: bool
    severity: Severity
    failing_rows: int
    rows: list[dict[str, Any]]

    @property
    def examples(self) -> list[dict[str, Any]]:
        """The first 20 contradictions."""
        return self.rows[:MOST_EXAMPLES]

    @property
    def examples_json(self) -> str:
        """The examples as a JSON list; days and times in ISO 8601."""
        return json.dumps(self.examples, default=_as_json, ensure_ascii=False)


def _as_json(value: object) -> str:
    return value.isoformat() if isinstance(value, dt.date) else str(value)


def evaluate(con: duckdb.DuckDBPyConnection, rule: Rule) -> RuleResult:
    """Run one rule.

    Raises:
        duckdb.Error: when the query cannot run, for example because a table is missing. A check that cannot run is
            an error of the pipeline, never a passed or failed check.
    """
    failing_rows, found, severities = (
        _from_query(con, rule.contradictions, rule.parameters)
        if isinstance(rule.contradictions, str)
        else _from_rows(rule.contradictions(con))
    )
    named = {severity or rule.severity for severity in severities} or {rule.severity}
    severity: Severity = "ERROR" if "ERROR" in named else "WARN"
    return RuleResult(rule, failing_rows == 0, severity, failing_rows, found)


def _from_query(
    con: duckdb.DuckDBPyConnection, query: str, parameters: Mapping[str, Any]
) -> tuple[int, list[dict[str, Any]], set[str | None]]:
    """How many rows contradict, the first of them, and the severities that they name; None where a row names none."""
    query = query.strip().rstrip(";")
    counted = con.execute(f"select count(*) from ({query})", dict(parameters)).fetchone()
    failing_rows = int(counted[0]) if counted else 0
    if failing_rows == 0:
        return 0, [], set()
    cursor = con.execute(f"select * from ({query}) limit {MOST_ROWS}", dict(parameters))
    columns = [column[0] for column in cursor.description or []]
    found = [dict(zip(columns, row, strict=True)) for row in cursor.fetchall()]
    severities: set[str | None] = set()
    if "severity" in columns:
        rows = con.execute(f"select distinct severity from ({query})", dict(parameters)).fetchall()
        severities = {row[0] for row in rows}
    return failing_rows, found, severities


def _from_rows(rows: list[dict[str, Any]]) -> tuple[int, list[dict[str, Any]], set[str | None]]:
    """The same for rows that a function found."""
    return len(rows), rows[:MOST_ROWS], {row.get("severity") for row in rows}
