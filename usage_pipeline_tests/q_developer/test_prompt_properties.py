"""What holds for every record and every object, not only for those that somebody thought of."""

import datetime as dt
import gzip
import json
from typing import Any

from hypothesis import given, settings
from hypothesis import strategies as st

from usage_pipeline.q_developer.prompt_logs import ParsedPrompts, parse_prompts
from usage_pipeline.q_developer.times import utc_time
from usage_pipeline.q_developer.tokenizer import token_counter
from usage_pipeline_tests.q_developer.prompt_text import KEY, chat, document, inline, task

TEXTS = st.text(max_size=60)
IDS = st.uuids().map(str)
JSON_VALUES = st.recursive(
    st.none() | st.booleans() | st.integers() | st.floats(allow_nan=False, allow_infinity=False) | TEXTS,
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(TEXTS, inner, max_size=3),
    max_leaves=6,
)
TIMES = st.datetimes(dt.datetime(2020, 1, 1), dt.datetime(2030, 1, 1))


@st.composite
def logged(draw: st.DrawFn) -> tuple[dict[str, Any], dict[str, Any]]:
    """A record and what its row must say."""
    kind = draw(st.sampled_from(["chat", "inline", "dev"]))
    time, digits = draw(TIMES), draw(st.sampled_from([0, 3, 6, 9]))
    written = time.isoformat(timespec="microseconds") + f"{draw(st.integers(0, 999)):03}"
    stamp = written[: 19 if digits == 0 else 20 + digits] + "Z"
    sent, received = draw(TEXTS), draw(st.lists(TEXTS, max_size=3))
    extra = {f"x_{name}": value for name, value in draw(st.dictionaries(IDS, JSON_VALUES, max_size=2)).items()}
    request_id = draw(IDS)
    if kind == "chat":
        record = chat(prompt=sent, answer="".join(received), timeStamp=stamp, **extra)
        texts = ["".join(received)]
    elif kind == "inline":
        record = inline(completions=received, leftContext=sent, timeStamp=stamp, **extra)
        texts = received
    else:
        record = task(prompt=sent, timeStamp=stamp, **extra)
        texts = []
    record[next(name for name in record if name.endswith("Response"))]["requestId"] = request_id
    known = kind != "dev"
    kept = time.replace(microsecond=time.microsecond // 10 ** (6 - min(digits, 6)) * 10 ** (6 - min(digits, 6)))
    return record, {
        "kind": kind,
        "request_id": request_id,
        "ts": kept,
        "usage_date": time.date(),
        "input_tokens": token_counter().count(sent),
        "input_characters": len(sent),
        "output_tokens": sum(map(token_counter().count, texts)) if known else None,
        "output_characters": sum(map(len, texts)) if known else None,
    }


def check(parsed: ParsedPrompts, expected: list[dict[str, Any]]) -> None:
    found = parsed.rows.to_pylist()
    assert [{name: row[name] for name in wanted} for row, wanted in zip(found, expected, strict=True)] == expected


@settings(max_examples=60, deadline=None)
@given(st.lists(logged(), max_size=4))
def test_every_record_has_the_row_that_it_says(made: list[tuple[dict[str, Any], dict[str, Any]]]) -> None:
    records, expected = [record for record, _ in made], [row for _, row in made]
    parsed = parse_prompts(gzip.compress(document(*records), 1), KEY)
    check(parsed, expected)
    assert (parsed.quarantined_count, parsed.is_complete) == (0, True)
    check(parse_prompts(json.dumps({"records": records}, indent=1).encode(), KEY), expected)


@settings(max_examples=60, deadline=None)
@given(st.lists(logged(), min_size=1, max_size=4), st.data())
def test_cutting_an_object_anywhere_keeps_the_records_before(
    made: list[tuple[dict[str, Any], dict[str, Any]]], data: st.DataObject
) -> None:
    whole = document(*(record for record, _ in made))
    cut = data.draw(st.integers(1, len(whole) - 1))
    parsed = parse_prompts(whole[:cut], KEY)
    ends = [len(document(*(record for record, _ in made[:number]))) - 2 for number in range(1, len(made) + 1)]
    check(parsed, [row for (_, row), end in zip(made, ends, strict=True) if end <= cut])
    assert parsed.quarantined_count == 1


@settings(max_examples=100, deadline=None)
@given(
    JSON_VALUES, st.sampled_from(["prompt", "userId", "timeStamp", "customizationArn", "chatTriggerType", "modelId"])
)
def test_no_value_of_a_field_is_an_error(value: Any, name: str) -> None:
    parsed = parse_prompts(document(chat(1), chat(2, **{name: value})), KEY)
    assert parsed.rows.num_rows + parsed.quarantined_count == 2
    assert name == "timeStamp" or parsed.quarantined_count == 0


@settings(max_examples=100, deadline=None)
@given(JSON_VALUES, JSON_VALUES)
def test_no_record_and_no_document_is_an_error(value: Any, other: Any) -> None:
    parsed = parse_prompts(document(chat(1), value, other), KEY)
    assert parsed.rows.num_rows == 1
    assert parse_prompts(json.dumps(value).encode(), KEY).rows.num_rows == 0


@settings(max_examples=100, deadline=None)
@given(st.binary(max_size=200))
def test_no_bytes_are_an_error(data: bytes) -> None:
    assert parse_prompts(data, KEY).rows.num_rows == 0
    whole = document(chat(1))
    assert parse_prompts(whole[:-2] + b"," + data, KEY).rows.column("request_id").to_pylist()[:1] == ["chat-1"]


@settings(deadline=None)
@given(st.text(max_size=40))
def test_no_text_of_a_time_is_an_error(text: str) -> None:
    time = utc_time(text)
    assert time is None or time.tzinfo is None


@settings(deadline=None)
@given(TIMES, st.timezones())
def test_a_time_of_any_zone_is_utc(time: dt.datetime, zone: Any) -> None:
    local = time.replace(tzinfo=dt.UTC).astimezone(zone)
    if local.utcoffset() is not None and local.utcoffset().microseconds == 0 and local.utcoffset().seconds % 60 == 0:
        assert utc_time(local.isoformat()) == time
