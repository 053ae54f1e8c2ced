"""What is wrong with the data or the use of it: findings, checks, sources that did not answer, incomplete logs."""

import json
from datetime import date
from typing import Any, cast

import duckdb
import streamlit as st

from usage_pipeline.checks.sources import UNANSWERED
from usage_pipeline.report import cost_queries, queries
from usage_pipeline.report.table_rows import rows
from usage_pipeline.ui.headline import Tile, show_tiles
from usage_pipeline.ui.plain import plain
from usage_pipeline.ui.tables import Column, show_table
from usage_pipeline.ui.view import View

TITLE = "Checks"
URL = "checks"

Row = dict[str, Any]

_FINDINGS = """
    select
        severity,
        summary,
        value,
        threshold,
        unit,
        check_name,
        asset,
        opened_at,
        last_seen_at,
    from ops.findings
    where resolved_at is null
    order by severity, opened_at, summary
"""

_RUNS = """
    select
        run_id,
        partition_from,
        partition_to,
        started_at,
        published_at,
    from ops.runs
    order by started_at desc
    limit 20
"""


def read_checks(con: duckdb.DuckDBPyConnection) -> list[Row]:
    """Every check with its result, failed ones first."""
    return [
        row | {"result": "passed" if row["passed"] else "failed", "name": row["check_name"].replace("_", " ")}
        for row in rows(con, queries.CHECK_RESULTS)
    ]


def read_findings(con: duckdb.DuckDBPyConnection) -> list[Row]:
    """What is wrong now, errors first."""
    return rows(con, _FINDINGS)


def read_unanswered(con: duckdb.DuckDBPyConnection) -> list[Row]:
    """Sources that AWS did not answer for."""
    return rows(con, UNANSWERED)


def read_completeness(con: duckdb.DuckDBPyConnection, first_day: date, last_day: date) -> list[Row]:
    """Stretches of days in which an account and Region's logs were in one state."""
    return rows(con, cost_queries.COMPLETENESS, {"first_day": first_day, "last_day": last_day})


def read_unresolved(con: duckdb.DuckDBPyConnection) -> list[Row]:
    """ModelIds that belong to no known pool."""
    return rows(con, queries.UNRESOLVED_PROFILES)


def read_runs(con: duckdb.DuckDBPyConnection) -> list[Row]:
    """The newest runs that published."""
    return rows(con, _RUNS)


def show(view: View) -> None:
    """Draw the page."""
    checks = view.read_all(read_checks)
    findings = view.read_all(read_findings)
    unanswered = view.read_all(read_unanswered)
    failed = [row for row in checks if not row["passed"]]
    show_tiles(
        [
            Tile("Checks passed", f"{len(checks) - len(failed):,} of {len(checks):,}"),
            Tile("Failed, errors", f"{sum(row['severity'] == 'ERROR' for row in failed):,}"),
            Tile("Failed, warnings", f"{sum(row['severity'] != 'ERROR' for row in failed):,}"),
            Tile("Open findings", f"{len(findings):,}"),
            Tile("Sources not answered", f"{len(unanswered):,}"),
        ]
    )
    st.caption("Of all accounts and Regions: the filters apply to the completeness of the logs alone.")
    st.subheader("Open findings")
    show_table(findings, FINDING_COLUMNS, "findings", empty="There is none.")
    st.subheader("Checks")
    show_table(checks, _CHECK_COLUMNS, "checks", empty="No check has run yet.")
    _show_examples(failed)
    st.subheader("Sources that AWS did not answer for")
    show_table(unanswered, _SOURCE_COLUMNS, "sources", empty="Every source answered.")
    st.subheader("Completeness of the logs")
    completeness = view.read(read_completeness, view.filters.first_day, view.filters.last_day)
    show_table(completeness, _COMPLETENESS_COLUMNS, "completeness", empty="Nothing is known of these days.")
    st.subheader("ModelIds that belong to no known pool")
    show_table(view.read_all(read_unresolved), _UNRESOLVED_COLUMNS, "unresolved", empty="There is none.")
    st.subheader("Runs")
    show_table(view.read_all(read_runs), _RUN_COLUMNS, "runs", empty="There is none.")


def _show_examples(failed: list[Row]) -> None:
    """Rows that contradict one of the failed checks."""
    if not failed:
        return
    names = [f"{row['asset']}: {row['name']}" for row in failed]
    chosen = st.selectbox("Rows that contradict a check", names, key="checks_failed", bind="query-params")
    row = failed[names.index(chosen)]
    st.markdown(plain(row["description"]))
    examples = _examples(row["examples"])
    columns = [Column(key, key) for key in dict.fromkeys(key for example in examples for key in example)]
    show_table(examples, columns, "contradictions", empty="The check has no examples.")


def _examples(text: str | None) -> list[Row]:
    """The stored examples as rows of text; what is nested is written as JSON."""
    found = json.loads(text or "[]")
    rows_of = [example if isinstance(example, dict) else {"example": example} for example in found]
    return [{key: _text(value) for key, value in cast(Row, row).items()} for row in rows_of]


def _text(value: Any) -> str | None:
    return value if value is None or isinstance(value, str) else json.dumps(value, ensure_ascii=False)


FINDING_COLUMNS = (
    Column("severity", "Severity"),
    Column("summary", "What"),
    Column("value", "Value", "number"),
    Column("threshold", "Threshold", "number", missing="none"),
    Column("unit", "Unit", missing=""),
    Column("opened_at", "Since, UTC", "moment"),
    Column("last_seen_at", "Last seen, UTC", "moment"),
    Column("check_name", "Check"),
    Column("asset", "Table"),
)

_CHECK_COLUMNS = (
    Column("result", "Result"),
    Column("severity", "Severity"),
    Column("name", "Check"),
    Column("asset", "Table"),
    Column("failing_rows", "Rows against it", "integer"),
    Column("description", "What must be true"),
)

_SOURCE_COLUMNS = (
    Column("account_name", "Account"),
    Column("region", "Region", missing="all"),
    Column("source", "Source"),
    Column("status", "Status"),
    Column("error_text", "AWS's answer"),
    Column("first_day", "First day", "day"),
    Column("last_day", "Last day", "day"),
)

_COMPLETENESS_COLUMNS = (
    Column("account_name", "Account"),
    Column("region", "Region"),
    Column("first_day", "First day", "day"),
    Column("last_day", "Last day", "day"),
    Column("status", "Logs"),
    Column("ratio", "Of CloudWatch's", "share"),
    Column("lowest_ratio", "Worst ModelId and day", "share"),
    Column("cloudwatch_calls", "Calls by CloudWatch", "integer"),
    Column("logged_calls", "Calls by logs", "integer"),
    Column("cloudwatch_tokens", "Tokens by CloudWatch", "integer"),
    Column("logged_tokens", "Tokens by logs", "integer"),
)

_UNRESOLVED_COLUMNS = (
    Column("profile_id", "ModelId"),
    Column("profile_name", "Name"),
    Column("account_name", "Account"),
    Column("region", "Region"),
    Column("reason", "Why"),
    Column("invocations", "Requests", "integer"),
    Column("input_tokens", "Input tokens", "integer"),
    Column("output_tokens", "Output tokens", "integer"),
    Column("last_used", "Last used, UTC", "moment"),
)

_RUN_COLUMNS = (
    Column("started_at", "Started, UTC", "moment"),
    Column("published_at", "Published, UTC", "moment"),
    Column("partition_from", "First day", "day"),
    Column("partition_to", "Last day", "day"),
    Column("run_id", "Run"),
)
