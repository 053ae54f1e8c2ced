"""Files of activity reports to one Parquet part: what is not in their rows."""

import datetime as dt
from pathlib import Path
from typing import Any

import pyarrow.parquet as pq
import pytest

from usage_pipeline.log_files.parts import FileResult, LogFile
from usage_pipeline.q_developer.report_files import REPORTED_SCHEMA, ReportFiles, written_at
from usage_pipeline.raw_tables import Q_DEVELOPER_TABLES
from usage_pipeline.warehouse import arrow_schema

FOLDER = "x/AWSLogs/111122223333/KiroLogs/user_report/us-east-1/2026/11/15/00"
KEY = f"{FOLDER}/KIRO_IDE_111122223333_user_report_202611150200.csv"


def parse(folder: Path, reports: ReportFiles, **files: str) -> tuple[list[FileResult], list[dict[str, Any]]]:
    """What each file gave, and the rows of the part."""
    for name, text in files.items():
        (folder / name).write_text(text, encoding="utf-8")
    out = folder / "parts"
    results = list(reports.parse([LogFile(str(folder / name), KEY) for name in files], out))
    return results, [row for part in out.glob("*.parquet") for row in pq.read_table(part).to_pylist()]


def test_the_part_has_the_columns_of_the_raw_table() -> None:
    (activity,) = (table for table in Q_DEVELOPER_TABLES if table.name == "q_developer_activity")
    expected = arrow_schema(activity)

    assert {field.name: field.type for field in REPORTED_SCHEMA} == {field.name: field.type for field in expected}


def test_messages_by_model_go_to_the_row_of_their_user_and_client(tmp_path: Path) -> None:
    text = (
        "Date,UserId,Client_Type,Total_Messages,auto_messages,claude_sonnet_4.5_messages\n"
        "2026-11-14,a,KIRO_IDE,3,1,2\n2026-11-14,a,KIRO_CLI,4,4,\n2026-11-14,a,KIRO_IDE,3,1,2\n"
    )

    _, rows = parse(tmp_path, ReportFiles(), report=text)

    assert [(row["client_type"], row["messages_by_model"]) for row in rows] == [
        ("KIRO_IDE", [("auto", 1), ("claude_sonnet_4.5", 2)]),
        ("KIRO_CLI", [("auto", 4)]),
        ("KIRO_IDE", [("auto", 1), ("claude_sonnet_4.5", 2)]),
    ]
    assert {row["reported_at"] for row in rows} == {dt.datetime(2026, 11, 15, 2)}


def test_warnings_are_counted_by_file_and_columns_are_with_the_rows(tmp_path: Path) -> None:
    reports = ReportFiles()

    results, rows = parse(
        tmp_path,
        reports,
        first="UserId,Date,Chat_MessagesSent,Agentic_Count\na,11-14-2026,2,1\n",
        second="UserId,Date,Chat_MessagesSent,Agentic_Count\nb,2026-11-14,3,\n",
        empty="",
    )

    assert [(result.record_count, result.is_complete) for result in results] == [(1, True), (1, True), (0, False)]
    assert reports.warnings["column 'Agentic_Count' is not known here and was left out"] == 2
    assert {(tuple(row["added_columns"]), len(row["missing_columns"])) for row in rows} == {(("Agentic_Count",), 43)}
    assert [row["messages_by_model"] for row in rows] == [None, None]


def test_without_a_row_there_is_no_part(tmp_path: Path) -> None:
    assert parse(tmp_path, ReportFiles(), report="UserId,Date\n")[1] == []


@pytest.mark.parametrize(
    ("name", "expected"),
    [
        ("KIRO_IDE_111122223333_user_report_202611150200.csv", dt.datetime(2026, 11, 15, 2)),
        ("111122223333_by_user_analytic_202611150001_report_part_1.csv", dt.datetime(2026, 11, 15, 0, 1)),
        ("report_999999999999.csv", dt.datetime(2026, 11, 15)),
        ("report.csv", dt.datetime(2026, 11, 15)),
    ],
)
def test_when_a_report_was_written_is_in_its_name_or_its_folder(name: str, expected: dt.datetime) -> None:
    assert written_at(f"{FOLDER}/{name}") == expected


def test_a_key_that_says_nothing_has_no_time() -> None:
    assert written_at("somewhere/report.csv") is None
