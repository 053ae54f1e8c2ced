"""A prompt log's bytes to requests, and what cannot be read set aside.

Here: the order of attempts (the whole object at once, then its records one by one, then quarantine), the records'
numbers, bounds on memory. Not here: the shapes (`prompt_records.py`), unpacking (`log_files/`), rows
(`prompt_rows.py`).
"""

import hashlib
import json
import re
from collections.abc import Iterator, Sequence
from dataclasses import dataclass, field
from itertools import pairwise
from typing import Any, BinaryIO

import msgspec

from usage_pipeline.log_files.coercion import NotJsonError, UnusableRecordError, fields_of
from usage_pipeline.log_files.quarantine import Quarantine
from usage_pipeline.log_files.unpacking import DamagedObjectError, unpacked
from usage_pipeline.q_developer.prompt_records import PROMPT_LOG, Prompt, PromptRecord, prompt_of

LARGEST_OBJECT_BYTES = 64 * 1024 * 1024
"""An object is one JSON document, so it is read as a whole and has a bound; those of AWS have some records each."""

_BYTE_ORDER_MARK = b"\xef\xbb\xbf"

_RECORD_BEGIN = re.compile(
    r'\{\s*"(?:generateAssistantResponse|generateCompletions|startTaskAssistCodeGeneration)Event(?:Request|Response)"'
)
"""How a record begins. Within a text its quotation marks would be escaped, so it is found in broken objects as well."""

_BEFORE_RECORDS = re.compile(r'\s*(?:\{\s*"records"\s*:)?[\s\[]*')
_BETWEEN_RECORDS = re.compile(r'(?:[\s,\[\]{}]+|"records"\s*:)*')

_SEPARATORS = ", \t\r\n"
_EMPTY_DOCUMENT = re.compile(r'(?:\{\s*"records"\s*:\s*(?:\[\s*\]|null)\s*\}|\[\s*\])?')

_DECODER = json.JSONDecoder(strict=False)
_UNDECODABLE = (msgspec.DecodeError, UnicodeDecodeError, RecursionError)


def read_prompts(source: BinaryIO, quarantine: Quarantine) -> Sequence[Prompt]:
    """The object's requests in order; what cannot be read goes to `quarantine`, with the record's number as its line.

    `source` is read from its start and must be seekable. No message holds any of the text.
    """
    content = bytearray()
    damage = None
    try:
        for piece in unpacked(source):
            content += piece
            if len(content) > LARGEST_OBJECT_BYTES:
                content.clear()
                damage = "a prompt log larger than 64 MB"
                break
    except DamagedObjectError as error:
        damage = str(error)
    if content.startswith(_BYTE_ORDER_MARK):
        del content[: len(_BYTE_ORDER_MARK)]
    prompts = None if damage else _prompts_at_once(content)
    if prompts is None:
        one_by_one = _OneByOne(content.decode("utf-8", "surrogateescape"), quarantine, damage)
        prompts = one_by_one.read()
        damage = one_by_one.damage
    if damage:
        source.seek(0)
        digest = hashlib.file_digest(source, "sha256")  # pyright: ignore[reportArgumentType] - any binary file
        quarantine.add_hashed(None, damage, digest.hexdigest())
        quarantine.is_complete = False
    return prompts


def _prompts_at_once(document: bytearray) -> list[Prompt] | None:
    """Every request of a whole document; None when one of them has something missing or of another type."""
    try:
        prompts = [prompt_of(record) for record in PROMPT_LOG.decode(document).records]
    except (*_UNDECODABLE, UnusableRecordError):
        return None
    # The bytes of a record, whose hash stands in for its id, are at hand only one by one.
    return None if any(prompt.request_id is None for prompt in prompts) else prompts


@dataclass(frozen=True)
class _Element:
    """What should be one record."""

    text: str = field(repr=False)
    """Its own text, without what separates it from the next one."""
    value: Any = field(repr=False)
    """Parsed JSON; None when it is not JSON."""
    is_json: bool
    is_last: bool
    """Whether it reaches to the end of the object."""

    @property
    def content(self) -> bytes:
        """Its bytes as they were in the object."""
        return self.text.encode("utf-8", "surrogateescape")


class _OneByOne:
    """The records of an object that is broken somewhere, or has records that need a closer look."""

    def __init__(self, text: str, quarantine: Quarantine, damage: str | None) -> None:
        self._text = text
        self._quarantine = quarantine
        self.damage = damage or ("the object ends early" if _ends_early(text) else None)
        """Why the object is not whole, as long as no record says it."""

    def read(self) -> list[Prompt]:
        """The readable ones."""
        prompts: list[Prompt] = []
        for number, element in enumerate(_elements(self._text), start=1):
            try:
                prompts.append(_prompt(element))
            except UnusableRecordError as error:
                reason = str(error)
                if self.damage and element.is_last and not element.is_json:
                    reason, self.damage = f"cut off: {self.damage}", None
                    self._quarantine.is_complete = False
                self._quarantine.add(number, reason, element.content)
        return prompts


def _prompt(element: _Element) -> Prompt:
    if not element.is_json:
        raise NotJsonError("not JSON")
    if not isinstance(element.value, dict):
        raise UnusableRecordError("not a JSON object")
    prompt = prompt_of(PromptRecord(**fields_of(element.value, PromptRecord)))
    if prompt.request_id is not None:
        return prompt
    return prompt._replace(record_hash=hashlib.sha256(element.content).hexdigest())


def _ends_early(text: str) -> bool:
    """Whether a list of records was begun and not ended, as far as the last brackets tell."""
    begin = _BEFORE_RECORDS.match(text)
    if begin is None or not begin[0].strip():
        return False
    if "[" not in begin[0]:
        return begin.end() == len(text)
    ending = text.rstrip()
    if "{" not in begin[0]:
        return not ending.endswith("]")
    return not (ending.endswith("}") and ending[:-1].rstrip().endswith("]"))


def _elements(text: str) -> Iterator[_Element]:
    """What stands between the separators: records by how they begin, and whatever else is there."""
    if _EMPTY_DOCUMENT.fullmatch(text.strip()):
        return
    begins = [found.start() for found in _RECORD_BEGIN.finditer(text)]
    first = begins[0] if begins else len(text)
    yield from _stretch(_BEFORE_RECORDS.sub("", text[:first], count=1), is_last=not begins)
    for begin, end in pairwise([*begins, len(text)]):
        yield from _stretch(text[begin:end], is_last=end == len(text))


def _stretch(text: str, is_last: bool) -> Iterator[_Element]:
    """One JSON value and what follows it, up to the next record."""
    if not text:
        return
    try:
        value, end = _DECODER.raw_decode(text)
    except (ValueError, RecursionError):
        yield _Element(text.rstrip(_SEPARATORS), None, is_json=False, is_last=is_last)
        return
    rest = _BETWEEN_RECORDS.sub("", text[end:], count=1).rstrip(_SEPARATORS)
    yield _Element(text[:end], value, is_json=True, is_last=is_last and not rest)
    if rest:
        yield _Element(rest, None, is_json=False, is_last=is_last)
