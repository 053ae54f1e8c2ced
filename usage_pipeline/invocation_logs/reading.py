"""A log object's bytes to records: lines, blocks of lines and arrays, and what cannot be read set aside.

Here: the order of attempts (a block at once, then its lines, then leniently, then quarantine), line numbers, bounds on
memory. Not here: the shapes (`records.py`), unpacking (`log_files/`), rows (`rows.py`).
"""

import hashlib
import re
from collections.abc import Iterable, Iterator, Sequence
from itertools import chain
from typing import BinaryIO

import msgspec

from usage_pipeline.invocation_logs.records import LogRecord
from usage_pipeline.invocation_logs.tolerant import read_leniently, record_from
from usage_pipeline.log_files.coercion import NotJsonError, UnusableRecordError
from usage_pipeline.log_files.json_arrays import elements
from usage_pipeline.log_files.quarantine import Quarantine
from usage_pipeline.log_files.unpacking import DamagedObjectError, unpacked

LONGEST_RECORD_BYTES = 64 * 1024 * 1024
"""A longer line is set aside unread. Bedrock accepts requests of 25 MB and logs at most 100 KB of a body in place."""

LARGEST_ARRAY_BYTES = 64 * 1024 * 1024
"""An object that is one JSON array is read as a whole, so it has a bound; AWS itself writes a record per line."""

_BYTE_ORDER_MARK = b"\xef\xbb\xbf"
_BLANK = b" \t\r\n"

_KEY = re.compile(r"AWSLogs/(?P<account>\d{12})/BedrockModelInvocationLogs/(?P<region>[a-z0-9-]+)/")

_RECORD = msgspec.json.Decoder(LogRecord)
_ARRAY = msgspec.json.Decoder(list[LogRecord])
_UNDECODABLE = (msgspec.DecodeError, UnicodeDecodeError, RecursionError)

RecordLists = Iterator[Sequence[LogRecord]]


def read_records(source: BinaryIO, key: str, quarantine: Quarantine) -> RecordLists:
    """Give the object's records in order, some at a time; what cannot be read goes to `quarantine`.

    `source` is read from its start and must be seekable. `key` is the object's key: its account and Region stand in
    for records that do not name theirs.
    """
    return _ObjectReader(source, key, quarantine).read()


class _ObjectReader:
    def __init__(self, source: BinaryIO, key: str, quarantine: Quarantine) -> None:
        self._source = source
        self._quarantine = quarantine
        origin = _KEY.search(key)
        self._account_id = origin["account"] if origin else None
        self._region = origin["region"] if origin else None
        self._line_number = 1
        self._damage: str | None = None
        """Why the object is not whole, as long as no record says it."""

    def read(self) -> RecordLists:
        pieces = self._pieces()
        beginning: list[bytes] = []
        for piece in pieces:
            beginning.append(piece)
            if piece.strip(_BLANK + _BYTE_ORDER_MARK):
                break
        first_bytes = b"".join(beginning).removeprefix(_BYTE_ORDER_MARK).lstrip(_BLANK)[:1]
        read_content = self._read_array if first_bytes == b"[" else self._read_lines
        yield from read_content(chain(beginning, pieces))
        if self._damage:
            self._quarantine_object(self._damage)

    def _pieces(self) -> Iterator[bytes]:
        try:
            yield from unpacked(self._source)
        except DamagedObjectError as error:
            self._damage = str(error)

    def _quarantine_object(self, reason: str) -> None:
        self._source.seek(0)
        digest = hashlib.file_digest(self._source, "sha256")  # pyright: ignore[reportArgumentType] - any binary file
        self._quarantine.add_hashed(None, reason, digest.hexdigest())
        self._quarantine.is_complete = False

    def _read_lines(self, pieces: Iterable[bytes]) -> RecordLists:
        unfinished = _UnfinishedLine()
        for piece in pieces:
            begin, end = 0, piece.rfind(b"\n") + 1
            if end and unfinished.size:
                begin = piece.find(b"\n") + 1
                unfinished.add(piece[:begin])
                yield self._line(unfinished)
                unfinished = _UnfinishedLine()
            if begin < end:
                yield self._block(piece, begin, end)
            if end < len(piece):
                unfinished.add(piece[end:])
        if unfinished.size:
            yield self._last_line(unfinished)

    def _block(self, piece: bytes, begin: int, end: int) -> Sequence[LogRecord]:
        """Whole lines at once; one by one where the block has anything but one good record per line."""
        line_count = _line_count(piece, begin, end)
        try:
            records = _RECORD.decode_lines(memoryview(piece)[begin:end])
        except _UNDECODABLE:
            records = []
        if len(records) == line_count:
            self._line_number += line_count
            return records
        lines = piece[begin : end - 1].split(b"\n")
        return [record for line in lines for record in self._next_line(line)]

    def _line(self, unfinished: "_UnfinishedLine") -> Sequence[LogRecord]:
        if not unfinished.is_too_long:
            return self._next_line(unfinished.content.removesuffix(b"\n"))
        self._quarantine.add_hashed(self._line_number, "a record longer than 64 MB", unfinished.digest)
        self._line_number += 1
        return ()

    def _next_line(self, line: bytes) -> Sequence[LogRecord]:
        number, self._line_number = self._line_number, self._line_number + 1
        if not line.strip(_BLANK):
            return ()
        try:
            return (self._record(line),)
        except UnusableRecordError as error:
            self._quarantine.add(number, str(error), line)
            return ()

    def _last_line(self, unfinished: "_UnfinishedLine") -> Sequence[LogRecord]:
        """The line without an end: a record, or what is left of one."""
        if unfinished.is_too_long:
            return self._line(unfinished)
        line = unfinished.content
        try:
            return (self._record(line),) if line.strip(_BLANK) else ()
        except NotJsonError:
            reason = f"cut off: {self._damage or 'the object ends inside this record'}"
            self._quarantine.is_complete = False
            self._damage = None
        except UnusableRecordError as error:
            reason = str(error)
        self._quarantine.add(self._line_number, reason, line)
        return ()

    def _record(self, line: bytes) -> LogRecord:
        try:
            return _RECORD.decode(line)
        except _UNDECODABLE:
            pass  # and not from in here: an error's context could carry the text
        return read_leniently(line, self._account_id, self._region)

    def _read_array(self, pieces: Iterable[bytes]) -> RecordLists:
        content = bytearray()
        for piece in pieces:
            content += piece
            if len(content) > LARGEST_ARRAY_BYTES:
                self._damage = "a JSON array larger than 64 MB; a record per line has no such limit"
                return
        try:
            records = _ARRAY.decode(content.removeprefix(_BYTE_ORDER_MARK))
        except _UNDECODABLE:
            # Escaped bytes turn back into what they were, so that a record's hash is that of its bytes.
            records = self._elements(content.decode("utf-8-sig", "surrogateescape"))
        yield records

    def _elements(self, text: str) -> Sequence[LogRecord]:
        records: list[LogRecord] = []
        if not text.rstrip().endswith("]"):
            self._damage = self._damage or "the JSON array ends early"
        for element in elements(text):
            try:
                if not element.is_json:
                    raise NotJsonError("not JSON")
                records.append(record_from(element.value, self._account_id, self._region))
            except UnusableRecordError as error:
                reason = str(error)
                if self._damage and element.end == len(text):
                    reason, self._damage = f"cut off: {self._damage}", None
                    self._quarantine.is_complete = False
                content = text[element.begin : element.end].encode("utf-8", "surrogateescape")
                self._quarantine.add(element.line_number, reason, content)
        return records


def _line_count(piece: bytes, begin: int, end: int) -> int:
    """Line ends in a stretch. For long lines `find` is ten times as fast as `bytes.count` (Python 3.11 to 3.13)."""
    count = 0
    while begin := piece.find(b"\n", begin, end) + 1:
        count += 1
    return count


class _UnfinishedLine:
    """The pieces of a line whose end was not read yet; of a line that is too long only the hash is kept."""

    def __init__(self) -> None:
        self.size = 0
        self._pieces: list[bytes] = []
        self._hash = hashlib.sha256()

    @property
    def is_too_long(self) -> bool:
        return self.size > LONGEST_RECORD_BYTES

    @property
    def content(self) -> bytes:
        return b"".join(self._pieces)

    @property
    def digest(self) -> str:
        """SHA-256 of a line that is too long, without its line end."""
        return self._hash.hexdigest()

    def add(self, piece: bytes) -> None:
        """Append what was read next; a line end may come only as the last byte of all."""
        self.size += len(piece)
        self._pieces.append(piece)
        if self.is_too_long:
            self._hash.update(self.content.removesuffix(b"\n"))
            self._pieces.clear()
