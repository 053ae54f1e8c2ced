"""What each kind of record becomes, written out."""

import datetime as dt
import gzip
import json
from typing import Any

import pyarrow as pa
import pytest

from usage_pipeline.q_developer import tokenizer
from usage_pipeline.q_developer.prompt_logs import parse_prompts
from usage_pipeline.q_developer.prompt_rows import PROMPT_SCHEMA
from usage_pipeline_tests.q_developer.prompt_text import KEY, USER, chat, document, gzipped, inline, task

KIRO_KEY = KEY.replace("QDeveloperLogs", "KiroLogs")


def rows(*records: Any, key: str = KEY) -> list[dict[str, Any]]:
    parsed = parse_prompts(gzipped(*records), key)
    assert (parsed.quarantined, parsed.is_complete) == ((), True)
    assert parsed.rows.schema.equals(PROMPT_SCHEMA)
    return parsed.rows.to_pylist()


def row(record: Any, key: str = KEY) -> dict[str, Any]:
    (only,) = rows(record, key=key)
    return only


def test_a_chat_is_one_row() -> None:
    assert row(chat()) == {
        "usage_date": dt.date(2026, 11, 14),
        "ts": dt.datetime(2026, 11, 14, 8, 3, 56, 313070),
        "account_id": "111122223333",
        "region": "eu-central-1",
        "product": "q_developer",
        "kind": "chat",
        "request_id": "chat-1",
        "record_hash": None,
        "conversation_id": "conversation-1",
        "user_id": "b8f1f340-9081-70ad-5fc5-0f37151937a6",
        "logged_user_id": USER,
        "trigger_type": "MANUAL",
        "model_id": None,
        "customization_arn": None,
        "input_tokens": 4,
        "output_tokens": 4,
        "token_source": "counted",
        "input_characters": 12,
        "output_characters": 13,
        "completion_count": None,
        "code_reference_count": 0,
        "web_link_count": 1,
    }


def test_an_inline_suggestion_counts_both_contexts_and_every_completion() -> None:
    found = row(inline(rightContext="Hello, world!", completions=("x + 1", "Hello, world!", "")))
    assert (found["kind"], found["input_tokens"], found["input_characters"]) == ("inline", 11 + 4, 27 + 13)
    assert (found["output_tokens"], found["output_characters"], found["completion_count"]) == (4 + 4, 5 + 13, 3)
    assert found["ts"] == dt.datetime(2026, 11, 14, 8, 5, 5, 230565)
    assert (found["conversation_id"], found["trigger_type"], found["web_link_count"]) == (None, None, None)


def test_a_task_of_dev_has_an_unknown_answer() -> None:
    found = row(task(), key=KEY.replace("GenerateAssistantResponse", "StartTaskAssistCodeGeneration"))
    assert (found["kind"], found["request_id"], found["conversation_id"]) == ("dev", "dev-1", "task-1")
    assert (found["input_tokens"], found["output_tokens"], found["output_characters"]) == (4, None, None)
    assert found["token_source"] == "counted"


def test_kiro_names_the_model() -> None:
    model = "anthropic.claude-sonnet-4-20250514-v1:0"
    found = row(chat(modelId=model), key=KIRO_KEY)
    assert (found["product"], found["model_id"]) == ("kiro", model)
    assert row(chat(modelId=None), key=KIRO_KEY)["model_id"] is None


def test_an_object_of_chats_and_suggestions_loses_none_of_them() -> None:
    found = rows(chat(1), inline(1), chat(2), inline(2), task(1), inline(3))
    assert [one["kind"] for one in found] == ["chat", "inline", "chat", "inline", "dev", "inline"]
    assert all(one["output_tokens"] > 0 for one in found if one["kind"] != "dev")


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        ("2026-11-14T08:03:56.313070Z", dt.datetime(2026, 11, 14, 8, 3, 56, 313070)),
        ("2026-11-14T08:03:56.230565389Z", dt.datetime(2026, 11, 14, 8, 3, 56, 230565)),
        ("2026-11-14T08:03:56.003Z", dt.datetime(2026, 11, 14, 8, 3, 56, 3000)),
        ("2026-11-14T08:03:56Z", dt.datetime(2026, 11, 14, 8, 3, 56)),
        ("2026-11-14T08:03:56", dt.datetime(2026, 11, 14, 8, 3, 56)),
        ("2026-11-14T23:03:56-05:00", dt.datetime(2026, 11, 15, 4, 3, 56)),
        ("2025-12-31T23:59:59.999999999Z", dt.datetime(2025, 12, 31, 23, 59, 59, 999999)),
    ],
)
def test_times_of_any_precision_keep_their_utc_day(text: str, expected: dt.datetime) -> None:
    found = row(chat(timeStamp=text))
    assert (found["ts"], found["usage_date"]) == (expected, expected.date())


@pytest.mark.parametrize(
    "text", ["", "yesterday", "2026-11-14", "2026-13-14T08:03:56Z", "0001-01-01T00:00:00+05:00", None, 7, ...]
)
def test_a_record_without_a_time_is_set_aside(text: Any) -> None:
    parsed = parse_prompts(gzipped(chat(1), chat(2, timeStamp=text), chat(3)), KEY)
    assert parsed.rows.column("request_id").to_pylist() == ["chat-1", "chat-3"]
    assert [(q.line_number, q.reason) for q in parsed.quarantined] == [(2, "timeStamp is missing or unreadable")]


def test_an_empty_text_has_no_tokens_and_a_missing_one_is_unknown() -> None:
    found = rows(chat(prompt="", answer=""), chat(prompt=..., answer=None), chat(prompt=["x"], answer={"a": 1}))
    assert [(one["input_tokens"], one["output_tokens"]) for one in found] == [(0, 0), (None, None), (None, None)]
    assert [one["token_source"] for one in found] == ["counted", None, None]
    found = rows(inline(leftContext=None), inline(completions=None), inline(completions=["x", None]))
    assert [(one["input_tokens"], one["output_tokens"]) for one in found] == [(None, 5), (11, None), (11, None)]


def test_a_request_without_its_response_is_kept() -> None:
    record = chat()
    del record["generateAssistantResponseEventResponse"]
    found = row(record)
    assert (found["input_tokens"], found["output_tokens"], found["request_id"]) == (4, None, None)


def test_a_record_without_a_request_id_has_a_hash_that_is_its_own() -> None:
    nameless = chat()
    del nameless["generateAssistantResponseEventResponse"]["requestId"]
    other = chat(prompt="Another prompt")
    del other["generateAssistantResponseEventResponse"]["requestId"]
    first, second, third, known = rows(nameless, other, nameless, chat())
    assert first["record_hash"] == third["record_hash"] != second["record_hash"]
    assert len(first["record_hash"]) == 64
    assert (known["request_id"], known["record_hash"]) == ("chat-1", None)
    assert row(nameless)["record_hash"] == first["record_hash"], "the same in any object"


def test_without_an_id_of_the_user_the_request_still_counts() -> None:
    assert [(one["user_id"], one["logged_user_id"]) for one in rows(chat(userId=None), chat(userId=...))] == [
        (None, None)
    ] * 2


@pytest.mark.parametrize(
    ("logged", "user"),
    [
        (USER, "b8f1f340-9081-70ad-5fc5-0f37151937a6"),
        ("b8f1f340-9081", "b8f1f340-9081"),
        ("d-123.", "d-123."),
        ("arn:aws:iam::111122223333:user/ann", "arn:aws:iam::111122223333:user/ann"),
    ],
)
def test_a_user_is_spelled_as_in_the_activity_report(logged: str, user: str) -> None:
    found = row(chat(userId=logged))
    assert (found["user_id"], found["logged_user_id"]) == (user, logged)


def test_a_key_that_says_nothing_leaves_account_and_region_unknown() -> None:
    found = row(chat(), key="somewhere/else.json.gz")
    assert (found["account_id"], found["region"], found["product"], found["input_tokens"]) == (None, None, None, 4)


def test_the_context_of_a_conversation_is_not_that_of_all_of_them() -> None:
    found = rows(chat(1), chat(1), chat(2), chat(3))
    by_conversation: dict[str, int] = {}
    for one in found:
        tokens = one["input_tokens"] + one["output_tokens"]
        by_conversation[one["conversation_id"]] = by_conversation.get(one["conversation_id"], 0) + tokens
    assert by_conversation == {"conversation-1": 16, "conversation-2": 8, "conversation-3": 8}


def test_parts_add_up_to_the_whole() -> None:
    objects = [
        gzipped(
            *(chat(n, userId=f"u{n % 3}", timeStamp=f"2026-11-{10 + n % 4}T0{n % 9}:00:00Z") for n in range(k, k + 20))
        )
        for k in range(0, 1000, 20)
    ]
    table = pa.concat_tables([parse_prompts(data, KEY).rows for data in objects])
    for column in ("user_id", "usage_date", "ts"):
        sums = table.group_by(column).aggregate([("input_tokens", "sum"), ("output_tokens", "sum")])
        assert (sum(sums["input_tokens_sum"].to_pylist()), sum(sums["output_tokens_sum"].to_pylist())) == (4000, 4000)


def test_estimated_tokens_are_marked(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(tokenizer, "token_counter", lambda: tokenizer.ESTIMATING)
    found = row(chat(prompt="x" * 40, answer="y"))
    assert (found["input_tokens"], found["output_tokens"], found["token_source"]) == (10, 1, "estimated")


@pytest.mark.parametrize(
    "data",
    [
        document(chat(), inline()),
        b"\xef\xbb\xbf" + document(chat(), inline()),
        json.dumps([chat(), inline()]).encode(),
        json.dumps({"records": [chat(), inline()], "version": 2}, indent=2).encode(),
        document(chat()) + b"\n" + document(inline()),
        json.dumps(chat()).encode() + b"\n" + json.dumps(inline()).encode(),
        gzip.compress(document(chat())) + gzip.compress(b"\n" + document(inline())),
    ],
    ids=["plain", "byte order mark", "a list", "indented", "two documents", "a record per line", "two gzip members"],
)
def test_every_form_of_an_object_is_read(data: bytes) -> None:
    parsed = parse_prompts(data, KEY)
    assert parsed.rows.column("request_id").to_pylist() == ["chat-1", "inline-1"]
    assert (parsed.quarantined, parsed.is_complete) == ((), True)
