"""What holds for every record and every object, not only for those that somebody thought of."""

import datetime as dt
import gzip
import json
import random
import zlib
from typing import Any
from unittest import mock

from hypothesis import given, settings
from hypothesis import strategies as st

from usage_pipeline.invocation_logs.parsing import ParsedObject, parse_object
from usage_pipeline.log_files import unpacking
from usage_pipeline_tests.invocation_logs.log_text import KEY, good_lines, gzipped, joined, record

COUNTS = st.none() | st.integers(0, 2**63 - 1)
WORDS = st.text(st.characters(codec="utf-8"), max_size=20)
JSON_VALUES = st.recursive(
    st.none() | st.booleans() | st.integers() | st.floats(allow_nan=False, allow_infinity=False) | WORDS,
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(WORDS, inner, max_size=3),
    max_leaves=8,
)
EXTRAS = st.dictionaries(WORDS.map(lambda word: f"x_{word}"), JSON_VALUES, max_size=3)


@st.composite
def requests(draw: st.DrawFn) -> dict[str, Any]:
    """The facts of one request, as its row has them."""
    asked, answered = draw(COUNTS), draw(COUNTS)
    return {
        "request_id": draw(st.uuids().map(str)),
        "ts": draw(st.datetimes(dt.datetime(2020, 1, 1), dt.datetime(2030, 1, 1))).replace(microsecond=0),
        "input_tokens": asked,
        "output_tokens": answered,
        "cache_read_tokens": draw(COUNTS),
        "max_tokens": draw(COUNTS),
        "stop_reason": draw(st.sampled_from([None, "end_turn", "max_tokens", "tool_use"])),
        "latency_ms": draw(st.none() | st.integers(1, 10**6).map(float)),
        "request_metadata": draw(st.dictionaries(WORDS, WORDS, max_size=3)),
        "error_code": draw(st.none() | WORDS),
        "inference_region": draw(st.none() | st.sampled_from(["us-west-2", "eu-west-1"])),
    }


def converse(request: dict[str, Any]) -> dict[str, Any]:
    answer = {"stopReason": request["stop_reason"], "metrics": {"latencyMs": request["latency_ms"]}}
    return logged(request, {"inferenceConfig": {"maxTokens": request["max_tokens"]}}, answer)


def nested_converse(request: dict[str, Any]) -> dict[str, Any]:
    whole = converse(request)
    whole["output"]["outputBodyJson"] = {"output": whole["output"]["outputBodyJson"]}
    return whole


def chunks(request: dict[str, Any]) -> dict[str, Any]:
    answer = [
        {"type": "message_start", "message": {"usage": {"output_tokens": 1}}},
        {"type": "content_block_delta", "delta": {"type": "text_delta", "text": "Bonjour"}},
        {"type": "message_delta", "delta": {"stop_reason": request["stop_reason"]}},
        {"type": "message_stop", "amazon-bedrock-invocationMetrics": {"invocationLatency": request["latency_ms"]}},
    ]
    return logged(request, {"max_tokens": request["max_tokens"]}, answer)


def logged(request: dict[str, Any], request_body: Any, answer: Any) -> dict[str, Any]:
    return record(
        requestId=request["request_id"],
        timestamp=f"{request['ts'].isoformat()}Z",
        requestMetadata=request["request_metadata"],
        errorCode=request["error_code"],
        inferenceRegion=request["inference_region"],
        input={
            "inputBodyJson": request_body,
            "inputTokenCount": request["input_tokens"],
            "cacheReadInputTokenCount": request["cache_read_tokens"],
        },
        output={"outputBodyJson": answer, "outputTokenCount": request["output_tokens"]},
    )


@st.composite
def serialised(draw: st.DrawFn) -> tuple[bytes, dict[str, Any]]:
    """A log line, written in one of the ways that mean the same, and the facts it tells."""
    request = draw(requests())
    shape = draw(st.sampled_from([converse, nested_converse, chunks]))
    value = varied(shape(request), draw(EXTRAS), random.Random(draw(st.integers())))
    separators = draw(st.sampled_from([(",", ":"), (", ", ": "), (" ,\t", " : ")]))
    text = json.dumps(value, ensure_ascii=draw(st.booleans()), separators=separators)
    return text.encode(), request


def varied(value: Any, extras: dict[str, Any], order: random.Random) -> Any:
    """The same value with its fields in another order and unknown fields in every object but the caller's own map."""
    if isinstance(value, list):
        return [varied(item, extras, order) for item in value]
    if not isinstance(value, dict):
        return value
    fields = [(k, v if k == "requestMetadata" else varied(v, extras, order)) for k, v in value.items()]
    fields += extras.items()
    order.shuffle(fields)
    return dict(fields)


def parse_in_pieces(data: bytes, piece_bytes: int) -> ParsedObject:
    with mock.patch.object(unpacking, "PIECE_BYTES", piece_bytes):
        return parse_object(data, KEY)


@settings(max_examples=150, deadline=None)
@given(st.lists(serialised(), min_size=1, max_size=5), st.integers(1, 3000), st.booleans())
def test_a_record_gives_the_same_row_however_it_is_written_and_in_whatever_pieces_it_comes(
    written: list[tuple[bytes, dict[str, Any]]], piece_bytes: int, is_gzip: bool
) -> None:
    text = joined(line for line, _ in written)
    parsed = parse_in_pieces(gzip.compress(text) if is_gzip else text, piece_bytes)
    assert (parsed.quarantined, parsed.is_complete) == ((), True)
    for row, (_, request) in zip(parsed.rows.to_pylist(), written, strict=True):
        expected = {**request, "request_metadata": list(request["request_metadata"].items()) or None}
        assert {name: row[name] for name in expected} == expected
        assert row["usage_date"] == request["ts"].date()


LINES = [*good_lines(20), b"no JSON", *good_lines(3), b"", b'{"requestId": 7}', *good_lines(2)]
WHOLE = parse_object(gzipped(LINES), KEY)


@settings(max_examples=150, deadline=None)
@given(st.integers(1, 20_000))
def test_pieces_of_any_size_give_the_same_rows_and_the_same_quarantine(piece_bytes: int) -> None:
    for data in (gzipped(LINES), joined(LINES)):
        parsed = parse_in_pieces(data, piece_bytes)
        assert parsed.rows.equals(WHOLE.rows)
        assert parsed.quarantined == WHOLE.quarantined


COMPRESSED = gzipped(LINES)


@settings(max_examples=400, deadline=None)
@given(st.integers(0, len(COMPRESSED) - 1), st.integers(1, 3000))
def test_a_truncation_anywhere_is_told_and_loses_no_whole_line(length: int, piece_bytes: int) -> None:
    parsed = parse_in_pieces(COMPRESSED[:length], piece_bytes)
    assert not parsed.is_complete
    readable = zlib.decompressobj(31).decompress(COMPRESSED[:length]) if length else b""
    whole_lines = parse_object(readable[: readable.rfind(b"\n") + 1] or b"\n", KEY)
    assert parsed.rows.num_rows >= whole_lines.rows.num_rows
    assert parsed.rows.equals(WHOLE.rows.slice(0, parsed.rows.num_rows))
    assert parsed.quarantined[: whole_lines.quarantined_count] == whole_lines.quarantined
    # And one entry that says what is missing.
    told = [entry for entry in parsed.quarantined if entry.reason.endswith(("ends early", "has 0 bytes"))]
    assert told == [parsed.quarantined[-1]]


@settings(max_examples=300, deadline=None)
@given(st.integers(0, len(COMPRESSED) - 1), st.integers(1, 255), st.integers(1, 3000))
def test_a_flipped_byte_anywhere_never_raises(position: int, flip: int, piece_bytes: int) -> None:
    data = bytearray(COMPRESSED)
    data[position] ^= flip
    parsed = parse_in_pieces(bytes(data), piece_bytes)
    parsed.rows.validate(full=True)


@settings(max_examples=300, deadline=None)
@given(st.binary(max_size=300) | st.text(st.sampled_from('[]{},:"\\ \n1ae'), max_size=60).map(str.encode))
def test_any_bytes_at_all_never_raise(data: bytes) -> None:
    for form in (data, gzip.compress(data), b"\x1f\x8b\x08" + data):
        parsed = parse_object(form, KEY)
        assert parsed.rows.num_rows == 0


@settings(max_examples=300, deadline=None)
@given(
    st.dictionaries(
        st.sampled_from(["input", "output", "identity", "requestMetadata", "operation", "errorCode", "serviceTier"]),
        JSON_VALUES,
    ),
    st.dictionaries(st.sampled_from(["inputBodyJson", "inputTokenCount"]), JSON_VALUES),
    st.dictionaries(
        st.sampled_from(
            ["usage", "metrics", "stopReason", "choices", "output", "delta", "serviceTier", "finishReason"]
        ),
        JSON_VALUES,
    ),
)
def test_values_of_any_type_in_any_field_cost_no_row(
    fields: dict[str, Any], asked: dict[str, Any], answer: dict[str, Any]
) -> None:
    value = record(**{"input": asked, "output": {"outputBodyJson": answer}, **fields})
    parsed = parse_object(json.dumps(value).encode(), KEY)
    assert (parsed.rows.num_rows, parsed.quarantined) == (1, ())
    parsed.rows.validate(full=True)
