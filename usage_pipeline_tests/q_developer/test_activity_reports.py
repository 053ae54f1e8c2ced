"""Activity reports: columns by name, whatever else the file has or lacks."""

import datetime as dt
import gzip
from decimal import Decimal
from hashlib import sha256
from typing import Any

import pytest

from usage_pipeline.q_developer.activity_reports import ParsedReport, ReportWarning, parse_report
from usage_pipeline.q_developer.activity_rows import ACTIVITY_SCHEMA, METRICS, MODEL_MESSAGES_SCHEMA
from usage_pipeline_tests.q_developer.report_text import COLUMNS, KEY, KIRO_HEADER, KIRO_KEY, KIRO_LINE, USER, report


def rows(data: bytes, key: str = KEY) -> list[dict[str, Any]]:
    parsed = parse_report(data, key)
    assert (parsed.quarantined, parsed.is_complete) == ((), True)
    assert parsed.rows.schema.equals(ACTIVITY_SCHEMA)
    assert parsed.model_rows.schema.equals(MODEL_MESSAGES_SCHEMA)
    return parsed.rows.to_pylist()


def known(row: dict[str, Any]) -> dict[str, Any]:
    return {name: value for name, value in row.items() if value is not None}


def noted(parsed: ParsedReport) -> list[tuple[int | None, str]]:
    return [(record.line_number, record.reason) for record in parsed.quarantined]


def test_a_report_has_46_columns() -> None:
    assert (len(COLUMNS), len(METRICS)) == (46, 44)
    assert METRICS["DocGeneration_AcceptedFilesCreations"] == "doc_generation_accepted_files_creations"
    assert METRICS["Inline_AICodeLines"] == "inline_ai_code_lines"


def test_every_metric_is_in_the_column_of_its_name() -> None:
    values = {name: number for number, name in enumerate(METRICS, start=1)}
    parsed = parse_report(report(values), KEY)
    assert parsed.warnings == ()
    (row,) = parsed.rows.to_pylist()
    assert known(row) == {
        "usage_date": dt.date(2026, 11, 14),
        "account_id": "111122223333",
        "region": "us-east-1",
        "product": "q_developer",
        "report": "by_user_analytic",
        "user_id": USER,
        "logged_user_id": USER,
        **{METRICS[name]: number for name, number in values.items()},
    }


def test_the_order_of_columns_does_not_matter() -> None:
    values = {name: number for number, name in enumerate(METRICS)}
    assert rows(report(values, columns=COLUMNS[::-1])) == rows(report(values))


def test_a_47th_column_is_left_out_and_told() -> None:
    columns = [*COLUMNS[:10], "Agentic_EventCount", *COLUMNS[10:]]
    parsed = parse_report(report({"Dev_GenerationEventCount": 7, "Agentic_EventCount": 9}, columns=columns), KEY)
    assert parsed.rows.column("dev_generation_event_count").to_pylist() == [7]
    told = [str(warning) for warning in parsed.warnings if warning.problem == "added"]
    assert told == ["column 'Agentic_EventCount' is not known here and was left out"]


def test_a_lacking_column_is_unknown_and_told() -> None:
    columns = [name for name in COLUMNS if name != "Dev_GenerationEventCount"]
    parsed = parse_report(report({"Chat_MessagesSent": 7}, columns=columns), KEY)
    (row,) = parsed.rows.to_pylist()
    assert (row["dev_generation_event_count"], row["chat_messages_sent"]) == (None, 7)
    told = [warning for warning in parsed.warnings if warning.problem == "missing"]
    assert told == [ReportWarning("Dev_GenerationEventCount", "missing", 1)]
    assert str(told[0]) == "column 'Dev_GenerationEventCount' is missing; its values are unknown"


def test_an_early_report_of_8_columns_is_loaded() -> None:
    data = (
        b"UserId,Date,Chat_AICodeLines,Chat_MessagesInteracted,Chat_MessagesSent,Inline_AICodeLines,"
        b"Inline_AcceptanceCount,Inline_SuggestionsCount\n"
        b'"xxx",04-17-2025,0,4,69,49,49,70\n"yyy",04-17-2025,,,3,,,\n'
    )
    parsed = parse_report(data, KEY)
    first, second = parsed.rows.to_pylist()
    assert (first["user_id"], first["chat_messages_sent"], first["inline_suggestions_count"]) == ("xxx", 69, 70)
    assert (second["chat_messages_sent"], second["inline_suggestions_count"]) == (3, None)
    assert [warning.problem for warning in parsed.warnings] == ["missing"] * 38


def test_an_empty_cell_is_unknown_and_a_zero_is_zero() -> None:
    first, second = rows(report({"Chat_MessagesSent": 0}, {"Chat_MessagesSent": ""}))
    assert (first["chat_messages_sent"], second["chat_messages_sent"]) == (0, None)


def test_a_column_without_any_value_is_told() -> None:
    told = parse_report(report({"Chat_MessagesSent": 1}, {}), KEY).warnings
    assert ReportWarning("Dev_AcceptedLines", "empty", 2) in told
    assert "column 'Dev_AcceptedLines' is empty in all 2 rows; its values are unknown" in map(str, told)
    assert "Chat_MessagesSent" not in {warning.column for warning in told}


@pytest.mark.parametrize("cell", ["many", "-1", "1.5", "1e400", "nan", "0x10", "1_000", "9" * 30, "true"])
def test_a_cell_that_is_no_count_is_unknown_and_told_without_its_text(cell: str) -> None:
    parsed = parse_report(report({"Chat_MessagesSent": cell}, {"Chat_MessagesSent": 3}), KEY)
    assert parsed.rows.column("chat_messages_sent").to_pylist() == [None, 3]
    told = [warning for warning in parsed.warnings if warning.problem == "unreadable"]
    assert told == [ReportWarning("Chat_MessagesSent", "unreadable", 1)]
    assert str(told[0]) == (
        "column 'Chat_MessagesSent' has 1 cells that do not hold what it should; their values are unknown"
    )


@pytest.mark.parametrize("cell", ["12", " 12 ", "12.0", '"12"'])
def test_a_count_may_be_written_in_any_usual_way(cell: str) -> None:
    assert rows(report({"Chat_MessagesSent": cell}))[0]["chat_messages_sent"] == 12


@pytest.mark.parametrize(
    ("cell", "day"),
    [
        ("11-14-2026", dt.date(2026, 11, 14)),
        ("2026-11-14", dt.date(2026, 11, 14)),
        ("11/14/2026", dt.date(2026, 11, 14)),
        ('"11-14-2026"', dt.date(2026, 11, 14)),
        ("2026-11-14T00:00:00Z", dt.date(2026, 11, 14)),
        ("2026-11-14 23:30:00-05:00", dt.date(2026, 11, 15)),
        ("02-29-2024", dt.date(2024, 2, 29)),
    ],
)
def test_both_spellings_of_a_day_are_read(cell: str, day: dt.date) -> None:
    assert rows(report({"Date": cell}))[0]["usage_date"] == day


def test_days_are_in_the_order_of_time_across_a_year() -> None:
    found = rows(report({"Date": "12-31-2025"}, {"Date": "01-02-2026"}, {"Date": "2026-01-01"}))
    assert sorted(row["usage_date"] for row in found) == [
        dt.date(2025, 12, 31),
        dt.date(2026, 1, 1),
        dt.date(2026, 1, 2),
    ]


@pytest.mark.parametrize(
    "cell", ["", "14-11-2026", "02-30-2026", "20261114", "yesterday", "2026-11-14T99:00:00Z", "1-1-2026"]
)
def test_a_line_without_a_day_is_set_aside(cell: str) -> None:
    parsed = parse_report(report({}, {"Date": cell}, {}), KEY)
    assert parsed.rows.num_rows == 2
    assert noted(parsed) == [(3, "Date is missing or unreadable")]


@pytest.mark.parametrize("cell", ["", "   ", "two words"])
def test_a_line_without_a_user_is_set_aside(cell: str) -> None:
    assert noted(parse_report(report({"UserId": cell}), KEY)) == [(2, "UserId is missing or unreadable")]


def test_a_user_is_spelled_as_in_prompt_logs() -> None:
    (row,) = rows(report({"UserId": f"d-92675051d5.{USER}"}))
    assert (row["user_id"], row["logged_user_id"]) == (USER, f"d-92675051d5.{USER}")


def test_the_other_spelling_of_inline_chats_is_the_same_column() -> None:
    columns = [name.replace("InlineChat_TotalEventCount", "InlineChat_EventCount") for name in COLUMNS]
    parsed = parse_report(report({"InlineChat_EventCount": 5}, columns=columns), KEY)
    assert parsed.rows.column("inline_chat_total_event_count").to_pylist() == [5]
    assert not [warning for warning in parsed.warnings if warning.problem in ("missing", "added")]


@pytest.mark.parametrize(
    "change",
    [
        lambda data: b"\xef\xbb\xbf" + data,
        lambda data: data.replace(b"\n", b"\r\n"),
        lambda data: data.rstrip(b"\n"),
        lambda data: b"\n" + data + b"\n\n",
        lambda data: gzip.compress(data),
        lambda data: data.replace(b"UserId", b'"UserId"').replace(USER.encode(), b'"%s"' % USER.encode()),
        lambda data: data.replace(b"Chat_MessagesSent", b" chat_messagessent "),
        lambda data: data.replace(b",,\n", b",,,,\n"),
    ],
    ids=[
        "byte order mark",
        "CRLF",
        "no last line end",
        "blank lines",
        "gzip",
        "quoted",
        "another case",
        "empty cells more",
    ],
)
def test_every_form_of_a_file_is_read(change: Any) -> None:
    data = report({"Chat_MessagesSent": 7})
    assert rows(change(data)) == rows(data)
    assert change(data) != data


def test_kiros_report_has_credits_and_messages_by_model() -> None:
    parsed = parse_report(f"{KIRO_HEADER}\n{KIRO_LINE}\n".encode(), KIRO_KEY)
    (row,) = parsed.rows.to_pylist()
    about = {
        "usage_date": dt.date(2026, 11, 14),
        "account_id": "111122223333",
        "region": "us-east-1",
        "product": "kiro",
        "user_id": USER,
        "logged_user_id": USER,
        "client_type": "KIRO_IDE",
    }
    assert known(row) == {
        **about,
        "report": "user_report",
        "subscription_tier": "PRO",
        "profile_id": "arn:aws:codewhisperer:x",
        "user_email": "ann@x.test",
        "chat_conversations": 3,
        "total_messages": 40,
        "credits_used": Decimal("12.530000"),
        "overage_credits_used": Decimal(0),
        "overage_cap": Decimal(100),
        "overage_enabled": False,
        "new_user": True,
    }
    assert parsed.model_rows.to_pylist() == [
        {**about, "model": "auto", "messages": 30},
        {**about, "model": "claude_opus_4.8", "messages": 10},
    ]
    assert parsed.warnings == ()


def test_newer_and_older_columns_of_kiros_report_are_told_only_where_they_matter() -> None:
    header = KIRO_HEADER.replace(",User_Email", "").replace(",Total_Messages", "") + ",Usage_Limit,Colour"
    line = KIRO_LINE.replace(",ann@x.test", "").replace(",40,", ",") + ",1000,blue"
    parsed = parse_report(f"{header}\n{line}\n".encode(), KIRO_KEY)
    assert parsed.rows.column("usage_limit").to_pylist() == [Decimal(1000)]
    assert [(warning.column, warning.problem) for warning in parsed.warnings] == [
        ("Total_Messages", "missing"),
        ("Colour", "added"),
    ]


def test_models_without_a_number_have_no_row() -> None:
    line = KIRO_LINE.replace("30,10", ",many")
    parsed = parse_report(f"{KIRO_HEADER}\n{line}\n{KIRO_LINE}\n".encode(), KIRO_KEY)
    assert parsed.model_rows.column("model").to_pylist() == ["auto", "claude_opus_4.8"]
    assert parsed.warnings == (ReportWarning("claude_opus_4.8_messages", "unreadable", 1),)


@pytest.mark.parametrize(
    "cell", ["-1", "1e12", "999999999999.9999999", "NaN", "Infinity", "1e999999999", "x", "1" * 200]
)
def test_credits_that_are_none_are_unknown(cell: str) -> None:
    line = KIRO_LINE.replace("12.53", cell)
    parsed = parse_report(f"{KIRO_HEADER}\n{line}\n".encode(), KIRO_KEY)
    assert parsed.rows.column("credits_used").to_pylist() == [None]
    assert ReportWarning("Credits_Used", "unreadable", 1) in parsed.warnings


def test_credits_are_kept_to_six_places() -> None:
    line = KIRO_LINE.replace("12.53", "0.12345678")
    parsed = parse_report(f"{KIRO_HEADER}\n{line}\n".encode(), KIRO_KEY)
    assert parsed.rows.column("credits_used").to_pylist() == [Decimal("0.123457")]


BROKEN = {
    "0 bytes": (b"", 0, [(None, "the object has 0 bytes")], False),
    "only a header": (report(), 0, [], True),
    "blank": (b"\n \n", 0, [], True),
    "no header": (
        b"a,b\nc,d\n",
        0,
        [(1, "a header without UserId and Date"), (2, "a line below a header that cannot be used")],
        True,
    ),
    "no user": (b"Date,Chat_MessagesSent\n", 0, [(1, "a header without UserId")], True),
    "a short line": (report({}) + b"u,11-14-2026\n", 1, [(3, "2 cells below a header of 46")], True),
    "a long line": (report({}) + b"u,11-14-2026" + b",1" * 50 + b"\n", 1, [(3, "52 cells below a header of 46")], True),
    "an open quotation mark": (report({}, {"UserId": '"u'}, {}), 2, [(3, "not CSV")], True),
    "a cell too long": (report({"UserId": "u" * 200_000}, {}), 1, [(2, "not CSV")], True),
    "invalid UTF-8": (report({"Chat_MessagesSent": 1}).replace(b",1,", b",\xff,"), 1, [], True),
    "cut gzip": (gzip.compress(report({}, {}))[:-8], 2, [(None, "the gzip stream ends early")], False),
}


@pytest.mark.parametrize("name", BROKEN)
def test_one_defect_costs_one_line_at_most(name: str) -> None:
    data, count, expected, is_complete = BROKEN[name]
    parsed = parse_report(data, KEY)
    assert (parsed.rows.num_rows, noted(parsed), parsed.is_complete) == (count, expected, is_complete)
    assert parsed.quarantined_count == len(expected)


def test_a_line_that_is_cut_off_is_not_loaded_with_half_a_number() -> None:
    lines = [{"UserId": f"user-{n * 7919 % 10007}", "Transformation_LinesIngested": n} for n in range(2_000)]
    data = gzip.compress(report(*lines))
    parsed = parse_report(data[: len(data) // 2], KEY)
    count = parsed.rows.num_rows
    assert 100 < count < 2_000
    assert parsed.rows.column("transformation_lines_ingested").to_pylist() == list(range(count))
    assert noted(parsed)[-1][1].endswith("the gzip stream ends early")
    assert not parsed.is_complete


def test_a_bad_line_leaves_its_hash_and_not_its_text() -> None:
    parsed = parse_report(report({}) + b"secret words,11-14-2026\n", KEY)
    (record,) = parsed.quarantined
    assert record.record_hash == sha256(b"secret words,11-14-2026").hexdigest()
    assert "secret" not in repr(parsed)


def test_the_parts_of_a_day_add_up() -> None:
    everyone = [{"UserId": f"user-{n}", "Chat_MessagesSent": n} for n in range(30)]
    whole = rows(report(*everyone))
    assert rows(report(*everyone[:17])) + rows(report(*everyone[17:])) == whole


def test_the_name_of_a_new_column_is_cut() -> None:
    (warning,) = [
        w for w in parse_report(report(columns=[*COLUMNS, "x" * 5_000]), KEY).warnings if w.problem == "added"
    ]
    assert len(str(warning)) < 120


def test_thousands_of_new_columns_stay_few_warnings() -> None:
    columns = [*COLUMNS, *(f"New_{number}" for number in range(5_000))]
    parsed = parse_report(report({}, columns=columns), KEY)
    assert parsed.rows.num_rows == 1
    assert len([warning for warning in parsed.warnings if warning.problem == "added"]) == 100
