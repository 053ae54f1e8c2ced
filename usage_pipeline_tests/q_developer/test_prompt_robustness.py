"""What is left of an object that is broken in one place: everything else, and a note of where and why."""

import gzip
import json
import time
from collections.abc import Callable
from hashlib import sha256

import pytest

from usage_pipeline.q_developer import prompt_reading
from usage_pipeline.q_developer.prompt_logs import ParsedPrompts, parse_prompts
from usage_pipeline_tests.q_developer.prompt_text import KEY, chat, document, gzipped, inline, task

WHOLE = document(chat(1), inline(2), task(3), chat(4))
IDS = ["chat-1", "inline-2", "dev-3", "chat-4"]


def outcome(parsed: ParsedPrompts) -> tuple[list[str], list[tuple[int | None, str]], bool]:
    noted = [(record.line_number, record.reason) for record in parsed.quarantined]
    assert len(noted) == parsed.quarantined_count
    return parsed.rows.column("request_id").to_pylist(), noted, parsed.is_complete


def spoiled(old: bytes, new: bytes) -> bytes:
    assert WHOLE.count(old) == 1
    return WHOLE.replace(old, new)


BROKEN = {
    "good": (WHOLE, IDS, [], True),
    "no records": (b'{"records": []}', [], [], True),
    "blank": (b" \n", [], [], True),
    "null instead of records": (b'{"records": null}', [], [], True),
    "0 bytes": (b"", [], [(None, "the object has 0 bytes")], False),
    "not JSON": (b"hello", [], [(1, "not JSON")], True),
    "another document": (b'{"message": "hello"}', [], [(1, "none of the three kinds of request")], True),
    "a text among records": (
        spoiled(b', {"generateCompletions', b', "hello", {"generateCompletions'),
        IDS,
        [(2, "not JSON")],
        True,
    ),
    "a record of another kind": (
        document(chat(1), {"somethingNew": {"prompt": "x"}}),
        ["chat-1"],
        [(2, "not JSON")],
        True,
    ),
    "one malformed": (spoiled(b'"inline-2"', b"oops"), ["chat-1", "dev-3", "chat-4"], [(2, "not JSON")], True),
    "an unclosed text": (spoiled(b'"inline-2"', b'"inline-2'), ["chat-1", "dev-3", "chat-4"], [(2, "not JSON")], True),
    "first malformed": (spoiled(b'"conversation-1"', b""), IDS[1:], [(1, "not JSON")], True),
    "wrong types": (spoiled(b'"inline-2"', b"17"), ["chat-1", "17", "dev-3", "chat-4"], [], True),
    "an id that is none": (spoiled(b'"inline-2"', b'"two words"'), ["chat-1", None, "dev-3", "chat-4"], [], True),
    "lone surrogate": (spoiled(b'"x + 1"', b'"\\ud83d"'), IDS, [], True),
    "invalid UTF-8": (spoiled(b'"x + 1"', b'"\xff"'), IDS, [], True),
    "control character": (spoiled(b'"x + 1"', b'"\x01"'), IDS, [], True),
    "line separators in text": (spoiled(b'"x + 1"', '"\u2028\u0085"'.encode()), IDS, [], True),
    "nested too deeply": (
        spoiled(b'"x + 1"', b"[" * 5000 + b"]" * 5000),
        ["chat-1", "dev-3", "chat-4"],
        [(2, "not JSON")],
        True,
    ),
    "trailing text": (WHOLE + b" hello", IDS, [(5, "cut off: the object ends early")], False),
    "cut in the last record": (WHOLE[:-40], IDS[:3], [(4, "cut off: the object ends early")], False),
    "cut between records": (
        WHOLE[: WHOLE.index(b', {"startTask')],
        IDS[:2],
        [(None, "the object ends early")],
        False,
    ),
    "cut before the records": (b'{"records": ', [], [(None, "the object ends early")], False),
    "records that are no list": (b'{"records": {"a": 1}}', [], [(1, "none of the three kinds of request")], True),
    "cut before the last bracket": (WHOLE[:-1], IDS, [(None, "the object ends early")], False),
    "cut before the brackets": (WHOLE[:-2], IDS, [(None, "the object ends early")], False),
    "plain text named gz": (b"\x1f\x8bhello", [], [(None, "the gzip stream is damaged or fails its checksum")], False),
}


@pytest.mark.parametrize("name", BROKEN)
def test_one_defect_costs_one_record_at_most(name: str) -> None:
    data, ids, noted, is_complete = BROKEN[name]
    assert outcome(parse_prompts(data, KEY)) == (ids, noted, is_complete)


@pytest.mark.parametrize("name", [name for name in BROKEN if name not in ("0 bytes", "plain text named gz")])
def test_gzip_changes_nothing(name: str) -> None:
    data, ids, noted, is_complete = BROKEN[name]
    assert outcome(parse_prompts(gzip.compress(data), KEY)) == (ids, noted, is_complete)


def test_a_truncated_gzip_gives_what_came_before() -> None:
    records = [chat(n, prompt=f"{n * 7919 % 1000003} is a number") for n in range(300)]
    data = gzipped(*records)
    ids, noted, is_complete = outcome(parse_prompts(data[: len(data) // 2], KEY))
    assert ids == [f"chat-{n}" for n in range(len(ids))]
    assert 50 < len(ids) < 300
    assert noted == [(len(ids) + 1, "cut off: the gzip stream ends early")]
    assert not is_complete


def test_a_wrong_checksum_costs_no_record_and_is_noted() -> None:
    data = bytearray(gzipped(chat(1), chat(2)))
    data[-8] ^= 0xFF
    assert outcome(parse_prompts(bytes(data), KEY)) == (
        ["chat-1", "chat-2"],
        [(None, "the gzip stream is damaged or fails its checksum")],
        False,
    )


def test_an_object_larger_than_memory_should_hold_is_set_aside(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(prompt_reading, "LARGEST_OBJECT_BYTES", 1_000)
    assert outcome(parse_prompts(WHOLE, KEY)) == ([], [(None, "a prompt log larger than 64 MB")], False)


def test_the_hash_of_a_bad_record_is_that_of_its_bytes() -> None:
    parsed = parse_prompts(b'{"records": [{"x\xff": }, ' + json.dumps(chat(1)).encode() + b"]}", KEY)
    assert [record.record_hash for record in parsed.quarantined] == [sha256(b'{"x\xff": }').hexdigest()]
    assert parsed.rows.num_rows == 1


def test_thousands_of_bad_records_stay_small() -> None:
    bad = b'{"generateCompletionsEventRequest": '
    parsed = parse_prompts(b'{"records": [' + bad * 20_000, KEY)
    assert (parsed.rows.num_rows, parsed.quarantined_count, len(parsed.quarantined)) == (0, 20_000, 1_000)


BEGIN = b'{"generateCompletionsEventRequest"'

NASTY: dict[str, Callable[[int], bytes]] = {
    "commas": lambda size: b'{"records": [' + b"," * size,
    "spaces": lambda size: b" " * size + b"a",
    "brackets": lambda size: b"[" * size,
    "braces": lambda size: b"{ " * (size // 2),
    "the key of records": lambda size: b'"records" : ' * (size // 12),
    "begun records": lambda size: BEGIN * (size // len(BEGIN)),
    "nested records": lambda size: (BEGIN + b":") * (size // len(BEGIN)),
    "backslashes": lambda size: b'{"records": ["' + b"\\" * size,
    "a document that ends and ends": lambda size: WHOLE + b"]}" * (size // 2),
    "one long prompt": lambda size: document(chat(prompt="ab " * (size // 3))),
    "one long prompt without a time": lambda size: document(chat(prompt="a" * size, timeStamp=None)),
}


@pytest.mark.parametrize("name", NASTY)
def test_the_nastiest_object_takes_time_in_proportion_to_its_size(name: str) -> None:
    small, large = NASTY[name](200_000), NASTY[name](800_000)
    assert cpu_seconds(large) <= 12 * max(cpu_seconds(small), 0.005)


def cpu_seconds(data: bytes) -> float:
    """The lesser of two, so that other work on the machine does not count."""
    needed: list[float] = []
    for _ in range(2):
        started = time.process_time()
        parse_prompts(data, KEY)
        needed.append(time.process_time() - started)
    return min(needed)
