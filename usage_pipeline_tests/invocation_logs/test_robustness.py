"""One defect per object: how many rows are read, what is set aside, and whether the object counts as whole."""

import gzip
import hashlib
import json
import zlib
from collections.abc import Callable

import pytest

from usage_pipeline.invocation_logs import reading
from usage_pipeline.invocation_logs.parsing import ParsedObject, parse_object
from usage_pipeline.log_files import unpacking
from usage_pipeline.log_files.quarantine import LISTED_PER_OBJECT
from usage_pipeline_tests.invocation_logs.log_text import KEY, bodies, good_lines, gzipped, joined, line, record


def parse(data: bytes) -> ParsedObject:
    return parse_object(data, KEY)


def set_aside(parsed: ParsedObject) -> list[tuple[int | None, str]]:
    return [(entry.line_number, entry.reason) for entry in parsed.quarantined]


def ids(parsed: ParsedObject) -> list[str]:
    return [str(value) for value in parsed.rows.column("request_id").to_pylist()]


LINES = good_lines(50)
IDS = [f"request-{n}" for n in range(50)]


def replaced(number: int, text: bytes) -> list[bytes]:
    """Fifty lines, the one with this number replaced."""
    return [text if n == number else good for n, good in enumerate(LINES, 1)]


def edited(old: bytes, new: bytes) -> list[bytes]:
    """Fifty lines, in the third a text replaced."""
    assert old in LINES[2]
    return replaced(3, LINES[2].replace(old, new, 1))


def with_body_of(size: int) -> list[bytes]:
    """Fifty lines, the third with a prompt of so many bytes."""
    return replaced(3, line({**bodies({"messages": "x" * size}, {}), "requestId": "request-2"}))


def with_gzip_comment(data: bytes) -> bytes:
    """The gzip member with a comment in its header."""
    return data[:3] + b"\x10" + data[4:10] + b"a comment\0" + data[10:]


WHOLE = {
    "good": gzipped(LINES),
    "plain JSON": joined(LINES),
    "plain JSON without a last line end": joined(LINES)[:-1],
    "CRLF": joined(text + b"\r" for text in LINES),
    "blank lines": joined(text + b"\n \t\r\n" for text in LINES),
    "UTF-8 BOM": gzip.compress(b"\xef\xbb\xbf" + joined(LINES)),
    "multi-member gzip": gzipped(LINES[:20]) + gzipped(LINES[20:]),
    "a member per line": b"".join(gzipped([text]) for text in LINES),
    "members with a BOM each": b"".join(gzip.compress(b"\xef\xbb\xbf" + text + b"\n") for text in LINES),
    "members that end inside a line": gzip.compress(joined(LINES)[:1000]) + gzip.compress(joined(LINES)[1000:]),
    "gzip padded with zeros": gzipped(LINES) + b"\0" * 512,
    "empty member between": gzipped(LINES[:20]) + gzipped([]) + gzipped(LINES[20:]),
    "gzip with a comment": with_gzip_comment(gzipped(LINES)),
    "JSON array": gzip.compress(b"[" + b",".join(LINES) + b"]"),
    "JSON array, a record per line": gzip.compress(b"[\n" + b",\n".join(LINES) + b"\n]\n"),
    "JSON array, indented, not gzip": json.dumps([json.loads(text) for text in LINES], indent=2).encode(),
    "JSON array with a BOM": b"\xef\xbb\xbf [" + b",".join(LINES) + b"]",
    "JSON arrays, one per line": joined(b"[" + text + b"]" for text in LINES),
    "array with an odd record": b"[" + b",".join(edited(b'"inputTokenCount": 255', b'"inputTokenCount": "255"')) + b"]",
    "a 90 KB body": gzipped(with_body_of(90_000)),
    "a 20 MB record": gzipped(with_body_of(20_000_000)),
    "U+2028, U+2029 and U+0085 in a text": gzipped(edited(b"Bonjour", "a\u2028b\u2029c\u0085d".encode())),
    "a lone surrogate": gzipped(edited(b"Bonjour", b"\\ud83d")),
    "an invalid UTF-8 byte": gzipped(edited(b"Bonjour", b"\xff\xfe")),
    "a raw tab in a text": gzipped(edited(b"Bonjour", b"a\tb")),
    "NaN in a body": gzipped(edited(b'"max_tokens": 100', b'"max_tokens": NaN')),
    "a number beyond 64 bits": gzipped(edited(b'"max_tokens": 100', b'"max_tokens": 1' + b"0" * 300)),
    "a key twice": gzipped(edited(b"{", b'{"operation": "x", ')),
}


@pytest.mark.parametrize("data", WHOLE.values(), ids=WHOLE.keys())
def test_every_record_is_read(data: bytes) -> None:
    parsed = parse(data)
    assert ids(parsed) == IDS
    assert set_aside(parsed) == []
    assert parsed.quarantined_count == 0
    assert parsed.is_complete


def test_the_same_rows_come_of_every_form() -> None:
    whole = parse(WHOLE["good"]).rows
    for name in (
        "plain JSON",
        "CRLF",
        "UTF-8 BOM",
        "multi-member gzip",
        "JSON array",
        "JSON array, indented, not gzip",
    ):
        assert parse(WHOLE[name]).rows.equals(whole), name


@pytest.mark.parametrize("name", ["key.json.gz", "key.json", "log-group", ""])
def test_the_content_says_whether_it_is_gzip_and_the_name_does_not(name: str) -> None:
    for data in (joined(LINES), gzipped(LINES)):
        assert parse_object(data, name).rows.num_rows == 50


def test_a_file_twice_has_its_rows_twice() -> None:
    # Duplicates go when rows are stored, because they can be in different files.
    assert ids(parse(gzipped(LINES) + gzipped(LINES))) == IDS * 2


def gzip_cut_after(lines: list[bytes], whole_lines: int) -> bytes:
    """A gzip object that ends inside the line after so many."""
    data = gzipped(lines)
    for length in range(len(data)):
        readable = zlib.decompressobj(31).decompress(data[:length])
        if readable.count(b"\n") == whole_lines and not readable.endswith(b"\n"):
            return data[:length]
    raise AssertionError("no such length")


def test_a_truncated_gzip_gives_its_whole_lines_and_says_so() -> None:
    parsed = parse(gzip_cut_after(good_lines(200), 121))
    assert ids(parsed) == [f"request-{n}" for n in range(121)]
    assert set_aside(parsed) == [(122, "cut off: the gzip stream ends early")]
    assert not parsed.is_complete


def test_a_gzip_with_a_wrong_checksum_gives_its_lines_and_says_so() -> None:
    data = bytearray(gzipped(good_lines(200)))
    data[-8] ^= 0xFF
    parsed = parse(bytes(data))
    assert parsed.rows.num_rows == 200
    (only,) = parsed.quarantined
    assert (only.line_number, only.reason) == (None, "the gzip stream is damaged or fails its checksum")
    assert only.record_hash == hashlib.sha256(data).hexdigest()
    assert not parsed.is_complete


def test_a_gzip_that_is_damaged_in_the_middle_gives_the_lines_before() -> None:
    lines = good_lines(200)
    data = gzipped(lines[:100]) + b"\x1f\x8b\x08\xff" + gzipped(lines[100:])[4:]
    parsed = parse(data)
    assert ids(parsed) == [f"request-{n}" for n in range(100)]
    assert set_aside(parsed) == [(None, "the gzip stream is damaged or fails its checksum")]
    assert not parsed.is_complete


def test_bytes_after_the_gzip_stream_are_told() -> None:
    parsed = parse(gzipped(LINES) + b"trailer")
    assert ids(parsed) == IDS
    assert set_aside(parsed) == [(None, "the object goes on after the gzip stream")]
    assert not parsed.is_complete


@pytest.mark.parametrize("form", [gzipped, joined])
def test_a_malformed_line_is_set_aside_with_its_number_and_hash(form: Callable[[list[bytes]], bytes]) -> None:
    broken = b'{"requestId": "request-25", "operation": }'
    parsed = parse(form(replaced(26, broken)))
    assert ids(parsed) == IDS[:25] + IDS[26:]
    (only,) = parsed.quarantined
    assert (only.line_number, only.reason) == (26, "not JSON from character 42 on")
    assert only.record_hash == hashlib.sha256(broken).hexdigest()
    assert parsed.is_complete


@pytest.mark.parametrize("form", [gzipped, joined])
def test_a_last_line_that_was_cut_is_set_aside(form: Callable[[list[bytes]], bytes]) -> None:
    parsed = parse(form(replaced(50, LINES[-1][:80])))
    assert ids(parsed) == IDS[:49]
    assert [number for number, _ in set_aside(parsed)] == [50]


def test_an_object_that_ends_inside_its_last_line_is_not_whole() -> None:
    parsed = parse(gzip.compress(joined(LINES)[:-30]))
    assert ids(parsed) == IDS[:49]
    assert set_aside(parsed) == [(50, "cut off: the object ends inside this record")]
    assert not parsed.is_complete


def test_the_numbers_of_lines_count_blank_ones() -> None:
    parsed = parse(b"\n\r\n" + LINES[0] + b"\n\n" + b"no JSON\n" + LINES[1] + b"\n" + b"no JSON")
    assert ids(parsed) == IDS[:2]
    assert [number for number, _ in set_aside(parsed)] == [5, 7]


@pytest.mark.parametrize("part", ["output", "identity", "input"])
@pytest.mark.parametrize("value", [..., None, {}])
def test_a_missing_null_or_empty_part_costs_no_row(part: str, value: object) -> None:
    parsed = parse(gzipped([line(record(n, **{part: value})) for n in range(50)]))
    assert (parsed.rows.num_rows, parsed.quarantined) == (50, ())


ODD_TYPES = {
    "latency 812.5": {"output": {"outputTokenCount": 113, "outputBodyJson": {"metrics": {"latencyMs": 812.5}}}},
    "latency as text": {"output": {"outputTokenCount": 113, "outputBodyJson": {"metrics": {"latencyMs": "812"}}}},
    "tokens as text": {"input": {"inputTokenCount": "17"}},
    "tokens as a float": {"input": {"inputTokenCount": 17.0}},
    "body as text": {"input": {"inputBodyJson": "Hi"}, "output": {"outputBodyJson": "Hi"}},
    "usage = 7": {"output": {"outputBodyJson": {"usage": 7}}},
    "list of scalars": {"output": {"outputBodyJson": [1, "a", None, True, [2]]}},
    "max_tokens an object": {"input": {"inputBodyJson": {"max_tokens": {"value": 5}}}},
    "max_tokens as text": {"input": {"inputBodyJson": {"max_tokens": "100"}}},
    "input a list": {"input": [1]},
    "identity as text": {"identity": "arn:aws:iam::111122223333:user/alice"},
    "ARN as a number": {"identity": {"arn": 5}},
    "metadata as text": {"requestMetadata": "team=search"},
    "metadata with numbers": {"requestMetadata": {"team": 5, "nested": {"a": 1}, "flag": True}},
    "error code as a number": {"errorCode": 429},
    "choices with scalars": {"output": {"outputBodyJson": {"choices": ["a", {"finish_reason": "stop"}]}}},
    "negative tokens": {"input": {"inputTokenCount": -1}},
    "boolean tokens": {"input": {"inputTokenCount": True}},
    "infinite tokens": {"input": {"inputTokenCount": "1e999"}},
    "tokens beyond 64 bits": {"input": {"inputTokenCount": 2**63}},
}


@pytest.mark.parametrize("fields", ODD_TYPES.values(), ids=ODD_TYPES.keys())
def test_a_value_of_an_odd_type_costs_no_row(fields: dict[str, object]) -> None:
    parsed = parse(gzipped([line(record(n, **fields)) for n in range(50)]))
    assert (parsed.rows.num_rows, parsed.quarantined, parsed.is_complete) == (50, (), True)
    parsed.rows.validate(full=True)


def test_numbers_and_texts_are_taken_for_each_other_and_the_rest_is_unknown() -> None:
    def read(**fields: object) -> dict[str, object]:
        (row,) = parse(gzipped([line(record(**fields))])).rows.to_pylist()
        return row

    assert read(input={"inputTokenCount": "17"})["input_tokens"] == 17
    assert read(input={"inputTokenCount": 17.0})["input_tokens"] == 17
    assert read(input={"inputTokenCount": str(2**63 - 1)})["input_tokens"] == 2**63 - 1
    for unreadable in (17.5, -1, True, "x", 2**63, [17], {"n": 17}):
        found = read(input={"inputTokenCount": unreadable, "cacheReadInputTokenCount": 4})
        assert (found["input_tokens"], found["cache_read_tokens"]) == (None, 4)
    assert read(errorCode=429)["error_code"] == "429"
    assert read(output={"outputBodyJson": {"usage": 7, "stopReason": "end_turn"}})["stop_reason"] == "end_turn"
    metadata = read(requestMetadata={"team": 5, "nested": {"a": 1}})["request_metadata"]
    assert metadata == [("team", "5"), ("nested", None)]


def test_text_that_utf8_cannot_hold_is_kept_with_a_replacement() -> None:
    surrogate = line(record()).replace(b'"Converse"', b'"Con\\ud83dverse"')
    invalid = line(record()).replace(b'"Converse"', b'"Con\xffverse"')
    parsed = parse(gzipped([surrogate, invalid]))
    assert parsed.rows.column("operation").to_pylist() == ["Con?verse", "Con\ufffdverse"]


def test_an_empty_gzip_is_whole_and_an_object_of_0_bytes_is_not() -> None:
    assert parse(gzipped([])).is_complete
    parsed = parse(b"")
    assert (parsed.rows.num_rows, parsed.is_complete) == (0, False)
    assert set_aside(parsed) == [(None, "the object has 0 bytes")]
    assert parsed.quarantined[0].record_hash == hashlib.sha256(b"").hexdigest()


def test_text_that_is_no_log_gives_no_rows_and_a_reason_per_line() -> None:
    parsed = parse(b"first line\nsecond line\n42\n{}\n")
    assert parsed.rows.num_rows == 0
    assert set_aside(parsed) == [
        (1, "not JSON from character 1 on"),
        (2, "not JSON from character 1 on"),
        (3, "not a JSON object"),
        (4, "timestamp is missing or unreadable"),
    ]


def test_of_an_object_full_of_rubbish_the_first_lines_are_listed_and_all_are_counted() -> None:
    parsed = parse(b"rubbish\n" * (LISTED_PER_OBJECT + 500))
    assert len(parsed.quarantined) == LISTED_PER_OBJECT
    assert parsed.quarantined_count == LISTED_PER_OBJECT + 500


@pytest.mark.parametrize("text", [b"[" * 200_000, b'{"a":' * 200_000, b'{"input":{"inputBodyJson":' + b"[" * 200_000])
def test_nesting_without_end_is_set_aside(text: bytes) -> None:
    parsed = parse(gzipped([LINES[0], text, LINES[1]]))
    assert ids(parsed) == IDS[:2]
    assert [number for number, _ in set_aside(parsed)] == [2]


def test_a_body_that_is_nested_too_deeply_is_set_aside() -> None:
    body = b"[" * 500_000 + b"]" * 500_000
    parsed = parse(gzipped([line(bodies("body", {})).replace(b'"body"', body)]))
    assert set_aside(parsed) == [(1, "JSON with a number too long or nested too deeply to read")]


def test_a_number_of_5000_digits_is_set_aside_where_python_refuses_it() -> None:
    digits = line(record()).replace(b"255", b"1" * 5_000)
    parsed = parse(gzipped([digits, LINES[0]]))
    assert ids(parsed) == IDS[:1]
    assert set_aside(parsed) == [(1, "JSON with a number too long or nested too deeply to read")]


def test_a_line_that_is_too_long_is_set_aside_without_being_held(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(reading, "LONGEST_RECORD_BYTES", 10_000)
    monkeypatch.setattr(unpacking, "PIECE_BYTES", 4_096)
    long = line(bodies({"messages": "x" * 50_000}, {}))
    parsed = parse(joined([LINES[0], long, LINES[1]]) + long)
    assert ids(parsed) == IDS[:2]
    expected = hashlib.sha256(long).hexdigest()
    found = [(entry.line_number, entry.reason, entry.record_hash) for entry in parsed.quarantined]
    assert found == [(2, "a record longer than 64 MB", expected), (4, "a record longer than 64 MB", expected)]


def test_an_array_that_is_too_large_is_set_aside_as_a_whole(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(reading, "LARGEST_ARRAY_BYTES", 1_000)
    parsed = parse(b"[" + b",".join(LINES) + b"]")
    assert parsed.rows.num_rows == 0
    assert not parsed.is_complete
    assert set_aside(parsed) == [
        (None, "a JSON array larger than 64 MB; a record per line has no such limit"),
    ]


def test_of_a_broken_array_the_other_elements_are_read() -> None:
    elements = replaced(26, b'{"requestId": "request-25"}')
    parsed = parse(b"[\n" + b",\n".join(elements) + b"\n]")
    assert ids(parsed) == IDS[:25] + IDS[26:]
    assert set_aside(parsed) == [(27, "timestamp is missing or unreadable")]
    assert parsed.quarantined[0].record_hash == hashlib.sha256(b'{"requestId": "request-25"}').hexdigest()
    assert parsed.is_complete


@pytest.mark.parametrize("separator", [b",", b",\n"])
def test_an_array_that_ends_early_gives_the_elements_before(separator: bytes) -> None:
    whole = b"[" + separator.join(LINES)
    cut = parse(whole[:-30])
    assert ids(cut) == IDS[:49]
    assert set_aside(cut) == [(50 if b"\n" in separator else 1, "cut off: the JSON array ends early")]
    assert not cut.is_complete
    unclosed = parse(whole)
    assert ids(unclosed) == IDS
    assert set_aside(unclosed) == [(None, "the JSON array ends early")]
    assert not unclosed.is_complete


def test_an_array_in_a_truncated_gzip_gives_the_elements_before() -> None:
    data = gzip.compress(b"[" + b",".join(good_lines(200)) + b"]")
    parsed = parse(data[: len(data) // 2])
    read = parsed.rows.num_rows
    assert 0 < read < 200
    assert ids(parsed) == [f"request-{n}" for n in range(read)]
    assert set_aside(parsed) == [(1, "cut off: the gzip stream ends early")]
    assert not parsed.is_complete


def test_records_of_another_kind_in_an_array_are_set_aside() -> None:
    parsed = parse(b"[" + line(record(1)) + b"," + line(record(2, schemaType="Other")) + b"]")
    assert parsed.rows.num_rows == 1
    assert set_aside(parsed) == [(1, "schemaType is not ModelInvocationLog")]
