"""No prompt, answer or code leaves the parser, whatever its form: a marker is planted in all of them and looked for."""

import gc
import gzip
import json
import logging
import pickle
import traceback
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import msgspec
import pytest

from usage_pipeline.log_files.files import parse_files
from usage_pipeline.log_files.formats import Q_DEVELOPER_PROMPTS
from usage_pipeline.log_files.parts import LogFile
from usage_pipeline.q_developer import tokenizer
from usage_pipeline.q_developer.prompt_logs import parse_prompts
from usage_pipeline.q_developer.prompt_records import PROMPT_LOG
from usage_pipeline_tests.q_developer.prompt_text import KEY, chat, document, gzipped, inline, task

MARKER = "SecretOfTheCaller"
TEXT = f"Please keep {MARKER} to yourself"


def _answered(record: dict[str, Any], **response: Any) -> dict[str, Any]:
    name = next(name for name in record if name.endswith("Response"))
    record[name].update(response)
    return record


RECORDS: list[dict[str, Any]] = [
    _answered(
        chat(prompt=TEXT, answer=TEXT, extra=TEXT),
        followupPrompts=TEXT,
        codeReferenceEvents=[TEXT, {"references": [{"licenseName": TEXT}]}],
        supplementaryWebLinksEvent=[{"uri": TEXT, "title": TEXT, "snippet": TEXT}, TEXT],
    ),
    inline(completions=[TEXT, MARKER], leftContext=TEXT, rightContext=MARKER, fileName=f"{MARKER}.py"),
    task(prompt=TEXT),
    chat(prompt=[TEXT, {"text": TEXT}], answer={"text": TEXT}),
    chat(prompt=TEXT, chatTriggerType=TEXT, customizationArn=TEXT, modelId=TEXT),
    _answered(chat(prompt=TEXT), messageMetadata={"conversationId": TEXT, "utteranceId": TEXT}, requestId=TEXT),
    _answered(chat(prompt=TEXT), messageMetadata=TEXT, requestId=[TEXT], codeReferenceEvents=TEXT),
    inline(completions=TEXT, leftContext={"a": TEXT}, userId=TEXT),
    inline(completions=[[TEXT], {"text": TEXT}, TEXT]),
    {**chat(prompt=TEXT), MARKER: TEXT, "prompt": TEXT},
]

GOOD = json.dumps(RECORDS[0]).encode()
QUOTED = json.dumps(TEXT).encode()

MALFORMED = {
    "not JSON": TEXT.encode(),
    "cut inside the marker": GOOD[: GOOD.index(MARKER.encode()) + 10],
    "cut after the marker": GOOD[: GOOD.index(MARKER.encode()) + len(MARKER)],
    "unquoted": GOOD.replace(QUOTED, TEXT.encode(), 1),
    "wrong escape": GOOD.replace(MARKER.encode(), MARKER.encode() + b"\\q"),
    "lone surrogate": GOOD.replace(MARKER.encode(), MARKER.encode() + b"\\ud83d"),
    "invalid UTF-8": GOOD.replace(MARKER.encode(), MARKER.encode() + b"\xff"),
    "raw control character": GOOD.replace(MARKER.encode(), MARKER.encode() + b"\x01"),
    "nested too deeply": GOOD.replace(QUOTED, b"[" * 5000 + QUOTED + b"]" * 5000),
    "a text": QUOTED,
    "a list": b"[" + QUOTED + b"]",
    "no record": b'{"prompt": ' + QUOTED + b"}",
    "no time": json.dumps(chat(prompt=TEXT, timeStamp=TEXT)).encode(),
    "another time": json.dumps(chat(prompt=TEXT, timeStamp={"text": TEXT})).encode(),
    "trailing text": GOOD + TEXT.encode(),
}


def objects() -> Iterator[bytes]:
    """Objects of every form with the marker in them."""
    yield gzipped(*RECORDS)
    for record in RECORDS:
        yield document(record)
    for text in MALFORMED.values():
        for middle in (GOOD + b"," + text + b"," + GOOD, text, GOOD + b"," + text):
            whole = b'{"records": [' + middle + b"]}"
            yield whole
            yield gzip.compress(whole)[:-12]
            yield whole[:-5]
        yield text


def test_neither_rows_nor_quarantine_nor_output_hold_a_text(
    capfd: pytest.CaptureFixture[str], caplog: pytest.LogCaptureFixture
) -> None:
    caplog.set_level(logging.DEBUG)
    for data in objects():
        parsed = parse_prompts(data, KEY)
        assert MARKER not in str(parsed.rows.to_pylist())
        assert MARKER not in repr(parsed)
        assert MARKER.encode() not in pickle.dumps(parsed)
    assert MARKER not in caplog.text
    assert MARKER not in "".join(capfd.readouterr())


@pytest.mark.parametrize("processes", [1, 2])
def test_neither_parts_nor_results_nor_output_of_workers_hold_a_text(
    tmp_path: Path, capfd: pytest.CaptureFixture[str], processes: int
) -> None:
    files: list[LogFile] = []
    for number, data in enumerate(objects()):
        path = tmp_path / f"{number}.log"
        path.write_bytes(data)
        files.append(LogFile(str(path), KEY))
    results = list(parse_files(files, tmp_path / "parts", processes, Q_DEVELOPER_PROMPTS))
    assert len(results) == len(files)
    assert sum(result.record_count for result in results) > 50
    assert MARKER not in repr(results)
    parts = list((tmp_path / "parts").iterdir())
    assert parts
    assert all(MARKER.encode() not in part.read_bytes() for part in parts)
    assert MARKER not in "".join(capfd.readouterr())


def test_a_decoded_record_has_no_text_to_print_or_pickle() -> None:
    log = PROMPT_LOG.decode(document(*RECORDS[:3]))
    assert MARKER not in repr(log)
    assert MARKER.encode() not in msgspec.json.encode(log, enc_hook=lambda size: getattr(size, "tokens", None))


def test_no_object_keeps_a_text_once_a_log_is_parsed() -> None:
    marker = "".join(reversed(MARKER)) + " is in no other test"
    parsed = parse_prompts(gzip.compress(document(chat(prompt=f"{marker}!", answer=f"{marker}?"))), KEY)
    gc.collect()
    held = [item for item in gc.get_objects() if type(item) in (list, tuple, dict, set) and _holds(item, marker)]
    assert parsed.rows.num_rows == 1
    assert held == []


def _holds(item: Any, marker: str) -> bool:
    values = list(item.values()) if isinstance(item, dict) else list(item)
    return any(isinstance(value, str) and marker in value and value != marker for value in values)


def test_an_error_of_the_tokenizer_holds_no_text(monkeypatch: pytest.MonkeyPatch) -> None:
    def broken(_: str) -> int:
        raise RuntimeError("the vocabulary is damaged")

    monkeypatch.setattr(tokenizer, "token_counter", lambda: tokenizer.TokenCounter("counted", broken))
    with pytest.raises(RuntimeError) as raised:
        parse_prompts(gzipped(RECORDS[2]), KEY)
    assert MARKER not in "".join(traceback.format_exception(raised.value))


def test_the_marker_is_really_in_every_object() -> None:
    for data in objects():
        try:
            text = gzip.decompress(data) if data[:2] == b"\x1f\x8b" else data
        except EOFError:
            continue
        assert MARKER[:7].encode() in text
