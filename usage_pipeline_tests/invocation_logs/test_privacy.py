"""No prompt or answer leaves the parser, whatever its form: a marker is planted in all of them and looked for."""

import gzip
import json
import logging
import traceback
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

from usage_pipeline.invocation_logs.parsing import parse_object
from usage_pipeline.invocation_logs.tolerant import read_leniently
from usage_pipeline.log_files.coercion import UnusableRecordError
from usage_pipeline.log_files.files import parse_files
from usage_pipeline.log_files.parts import LogFile
from usage_pipeline_tests.invocation_logs.log_text import KEY, bodies, gzipped, joined, line, record

MARKER = "SecretOfTheCaller"

REQUESTS: list[Any] = [
    {"messages": [{"role": "user", "content": [{"text": MARKER}]}], "system": [{"text": MARKER}]},
    {"inferenceConfig": {"maxTokens": 5, "stopSequences": [MARKER]}, "messages": MARKER},
    {"prompt": MARKER, "max_gen_len": MARKER, "service_tier": MARKER, "parameters": MARKER},
    {"serviceTier": {"type": MARKER}, "inputText": MARKER, MARKER: MARKER},
    MARKER,
    [MARKER, {"text": MARKER}, [MARKER]],
]
ANSWERS: list[Any] = [
    {"output": {"message": {"content": [{"text": MARKER}]}}, "stopReason": "end_turn", "stop_sequence": MARKER},
    {"output": MARKER, "message": MARKER, "delta": MARKER, "metadata": {"x": MARKER}, "response": MARKER},
    {"choices": [{"text": MARKER, "message": {"content": MARKER}}], "generation": MARKER, "usage": MARKER},
    {"stop_reason": f"{MARKER} is the answer", "serviceTier": {"type": MARKER}, "usage": {"service_tier": MARKER}},
    {"incomplete_details": {"reason": f"{MARKER}!"}, "finishReason": {"reason": f"{MARKER} 1"}, "metrics": MARKER},
    [{"type": "content_block_delta", "delta": {"text": MARKER}}, {"delta": MARKER}, MARKER],
    MARKER,
]

WELL_FORMED = [line(bodies(request, answer)) for request in REQUESTS for answer in ANSWERS]
GOOD = line(bodies(REQUESTS[0], ANSWERS[0]))
QUOTED = f'"{MARKER}"'.encode()

MALFORMED = {
    "not JSON": MARKER.encode(),
    "cut inside the marker": GOOD[: GOOD.index(MARKER.encode()) + 10],
    "cut after the marker": GOOD[: GOOD.index(MARKER.encode()) + len(MARKER)],
    "unquoted": GOOD.replace(QUOTED, MARKER.encode()),
    "wrong escape": GOOD.replace(MARKER.encode(), MARKER.encode() + b"\\q"),
    "lone surrogate": GOOD.replace(MARKER.encode(), MARKER.encode() + b"\\ud83d"),
    "invalid UTF-8": GOOD.replace(MARKER.encode(), MARKER.encode() + b"\xff"),
    "raw control character": GOOD.replace(MARKER.encode(), MARKER.encode() + b"\x01"),
    "too long a number": GOOD.replace(QUOTED, QUOTED + b", " + QUOTED + b": " + b"1" * 5000),
    "nested too deeply": GOOD.replace(QUOTED, b"[" * 5000 + QUOTED + b"]" * 5000),
    "a text": QUOTED,
    "a list": b"[" + QUOTED + b"]",
    "no record": b'{"prompt": ' + QUOTED + b"}",
    "no time": line(record(timestamp=MARKER, input={"inputBodyJson": MARKER})),
    "no id": line(bodies(REQUESTS[0], ANSWERS[0], requestId={"text": MARKER})),
    "another log": line(bodies(REQUESTS[0], ANSWERS[0], schemaType=MARKER)),
    "trailing text": GOOD + MARKER.encode(),
    "invalid UTF-8 in an id": GOOD.replace(b"7487ab04", b"\xff" + b"7487ab04"),
}


def objects() -> Iterator[bytes]:
    """Objects of every form with the marker in them."""
    yield gzipped(WELL_FORMED)
    yield b"[" + b",".join(WELL_FORMED) + b"]"
    for text in MALFORMED.values():
        yield joined([GOOD, text, GOOD])
        yield gzipped([GOOD, text])[:-4]
        yield gzip.compress(text)
        yield text
        yield b"[" + GOOD + b"," + text + b"," + GOOD
        yield b"[\n" + GOOD + b",\n" + text + b",\n" + GOOD + b"\n]"


@pytest.mark.parametrize("request_body", REQUESTS)
@pytest.mark.parametrize("answer", ANSWERS)
def test_a_body_of_any_shape_costs_no_row_and_leaves_nothing(request_body: Any, answer: Any) -> None:
    parsed = parse_object(gzipped([line(bodies(request_body, answer))]), KEY)
    assert (parsed.rows.num_rows, parsed.quarantined_count) == (1, 0)
    assert MARKER not in str(parsed.rows.to_pylist())


def test_neither_rows_nor_quarantine_nor_output_hold_a_prompt(
    capfd: pytest.CaptureFixture[str], caplog: pytest.LogCaptureFixture
) -> None:
    caplog.set_level(logging.DEBUG)
    for data in objects():
        parsed = parse_object(data, KEY)
        assert MARKER not in str(parsed.rows.to_pylist())
        assert MARKER not in str(parsed.rows.schema)
        assert MARKER not in repr(parsed.quarantined)
    assert MARKER not in caplog.text
    assert MARKER not in "".join(capfd.readouterr())


@pytest.mark.parametrize("processes", [1, 2])
def test_neither_parts_nor_results_nor_output_of_workers_hold_a_prompt(
    tmp_path: Path, capfd: pytest.CaptureFixture[str], processes: int
) -> None:
    files: list[LogFile] = []
    for number, data in enumerate(objects()):
        path = tmp_path / f"{number}.log"
        path.write_bytes(data)
        files.append(LogFile(str(path), KEY))
    results = list(parse_files(files, tmp_path / "parts", processes))
    assert len(results) == len(files)
    assert MARKER not in repr(results)
    parts = list((tmp_path / "parts").iterdir())
    assert parts
    assert all(MARKER.encode() not in part.read_bytes() for part in parts)
    assert MARKER not in "".join(capfd.readouterr())


UNUSABLE = {name: text for name, text in MALFORMED.items() if not parse_object(text, "no key").rows.num_rows}


@pytest.mark.parametrize("text", UNUSABLE.values(), ids=UNUSABLE.keys())
def test_an_error_holds_no_text_in_message_context_or_traceback(text: bytes) -> None:
    with pytest.raises(UnusableRecordError) as raised:
        read_leniently(text, None, None)
    assert raised.value.__context__ is None
    assert raised.value.__cause__ is None
    told = str(raised.value) + repr(raised.value) + "".join(traceback.format_exception(raised.value))
    assert MARKER not in told


def test_the_marker_is_really_in_every_object() -> None:
    for data in objects():
        try:
            text = gzip.decompress(data) if data[:2] == b"\x1f\x8b" else data
        except EOFError:
            continue
        assert MARKER[:10].encode() in text
    assert all(json.loads(text) for text in WELL_FORMED)
