import datetime as dt
from typing import Any

import duckdb
import pytest

from usage_pipeline.checks.logs import EVERY_LOG_OBJECT_IS_WHOLE, NO_RECORD_WAS_QUARANTINED
from usage_pipeline.checks.rules import evaluate
from usage_pipeline_tests.checks.healthy import TODAY

YESTERDAY = dt.date(2026, 11, 14)
KEY = "444455556666/eu-west-1/2026-11-14.json.gz"
RESEARCH_YESTERDAY = "source = 'invocations' and region = 'eu-west-1' and folder_date = '2026-11-14'"


def quarantine(con: duckdb.DuckDBPyConnection, line: int | None, reason: str) -> None:
    con.execute(
        """
        insert into ops.quarantined_records
        values ('invocations', '444455556666', 'eu-west-1', 'logs', ?, ?, ?, ?, 'abc')
        """,
        [KEY, YESTERDAY, line, reason],
    )
    con.execute(f"update ops.ingested_objects set quarantined_count = quarantined_count + 1 where {RESEARCH_YESTERDAY}")


def cut_off(con: duckdb.DuckDBPyConnection) -> None:
    con.execute(f"update ops.ingested_objects set is_complete = false, record_count = 121 where {RESEARCH_YESTERDAY}")
    quarantine(con, None, "the gzip stream ends early")


def test_a_cut_off_object_is_named_with_what_is_wrong_and_what_was_readable(con: duckdb.DuckDBPyConnection) -> None:
    cut_off(con)

    result = evaluate(con, EVERY_LOG_OBJECT_IS_WHOLE)

    assert result.severity == "ERROR"
    assert result.examples == [
        {
            "account_id": "444455556666",
            "region": "eu-west-1",
            "folder_date": YESTERDAY,
            "bucket": "logs",
            "key": KEY,
            "reason": "the gzip stream ends early",
            "size_bytes": 100_000,
            "record_count": 121,
        }
    ]


def test_one_record_in_two_thousand_is_a_warning_with_its_line_and_reason(con: duckdb.DuckDBPyConnection) -> None:
    quarantine(con, 26, "not JSON")

    result = evaluate(con, NO_RECORD_WAS_QUARANTINED)

    assert result.severity == "WARN"
    assert result.examples == [
        {
            "account_id": "444455556666",
            "region": "eu-west-1",
            "folder_date": YESTERDAY,
            "quarantined_records": 1,
            "readable_records": 2000,
            "reason": "not JSON",
            "first_key": KEY,
            "first_line": 26,
            "severity": "WARN",
        }
    ]


def test_more_than_one_record_in_a_thousand_is_an_error(con: duckdb.DuckDBPyConnection) -> None:
    for line in (26, 27, 28):
        quarantine(con, line, "not JSON")

    assert evaluate(con, NO_RECORD_WAS_QUARANTINED).severity == "ERROR"


@pytest.mark.parametrize("rule", [EVERY_LOG_OBJECT_IS_WHOLE, NO_RECORD_WAS_QUARANTINED], ids=lambda rule: rule.name)
class TestWhatNoLongerCounts:
    def test_an_object_of_more_than_thirty_days_ago(self, con: duckdb.DuckDBPyConnection, rule: Any) -> None:
        cut_off(con)
        con.execute(
            f"update ops.ingested_objects set folder_date = ? where {RESEARCH_YESTERDAY}",
            [TODAY - dt.timedelta(days=29)],
        )
        assert not evaluate(con, rule).passed

        con.execute(
            "update ops.ingested_objects set folder_date = ? where not is_complete", [TODAY - dt.timedelta(days=30)]
        )
        assert evaluate(con, rule).passed

    def test_a_scope_that_is_no_longer_configured(self, con: duckdb.DuckDBPyConnection, rule: Any) -> None:
        cut_off(con)
        con.execute("update raw.scopes set is_configured = false where region = 'eu-west-1'")

        assert evaluate(con, rule).passed
