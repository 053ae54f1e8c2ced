"""A user activity report, of Amazon Q Developer or of Kiro, to rows: columns by their names, wherever they stand.

A report may lack columns, have new ones, or leave cells empty: it is loaded, and says so. Here: lines, header, and what
is set aside. Not here: the columns (`activity_rows.py`), cells (`report_cells.py`).
"""

import csv
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from hashlib import sha256
from io import BytesIO
from typing import Any, Literal

import pyarrow as pa

from usage_pipeline.log_files.quarantine import Quarantine, QuarantinedRecord
from usage_pipeline.log_files.unpacking import DamagedObjectError, unpacked
from usage_pipeline.q_developer import report_cells
from usage_pipeline.q_developer.activity_rows import ACTIVITY_SCHEMA, MODEL_MESSAGES_SCHEMA
from usage_pipeline.q_developer.identities import user_id
from usage_pipeline.q_developer.object_keys import ObjectKey, recognise
from usage_pipeline.q_developer.report_cells import UnreadableCellError
from usage_pipeline.q_developer.report_headers import DAY, USER, Header, Report, ReportColumn

LARGEST_REPORT_BYTES = 64 * 1024 * 1024
"""AWS starts another part after 1,000 users, which have some 200 KB."""

Problem = Literal["missing", "added", "empty", "unreadable"]

_SHOWN_CHARACTERS = 60


@dataclass(frozen=True)
class ReportWarning:
    """Something about a column that a person should know; the report was loaded all the same."""

    column: str
    """As the header has it, or as AWS documents it; cut. Text of AWS."""
    problem: Problem
    """`missing` from the header; `added`, which no table has; `empty` in every row; `unreadable` cells."""
    row_count: int
    """Rows that it concerns."""

    def __str__(self) -> str:
        told = {
            "missing": "is missing; its values are unknown",
            "added": "is not known here and was left out",
            "empty": f"is empty in all {self.row_count} rows; its values are unknown",
            "unreadable": f"has {self.row_count} cells that do not hold what it should; their values are unknown",
        }
        return f"column {self.column!r} {told[self.problem]}"


@dataclass(frozen=True)
class ParsedReport:
    """What one report held."""

    rows: pa.Table
    """One row per readable line, in the file's order, with `ACTIVITY_SCHEMA`; duplicates are kept."""
    model_rows: pa.Table
    """One row per model and line of Kiro's `user_report`, with `MODEL_MESSAGES_SCHEMA`."""
    warnings: tuple[ReportWarning, ...]
    quarantined: tuple[QuarantinedRecord, ...]
    """The unreadable lines, the first 1,000 of them; `line_number` counts from the header, which is 1."""
    quarantined_count: int
    """All of the unreadable lines."""
    is_complete: bool
    """False when the file ends early, is damaged or has 0 bytes; then a quarantined record says why."""


def parse_report(data: bytes, key: str) -> ParsedReport:
    """Parse one file, gzip or not. Bad content never raises.

    `key` is the object's key, which alone says account, Region and product; where it does not, they are NULL.
    """
    reader = _ReportReader(data, recognise(key))
    reader.read()
    quarantine = reader.quarantine
    return ParsedReport(
        rows=_table(reader.rows, ACTIVITY_SCHEMA),
        model_rows=_table(reader.model_rows, MODEL_MESSAGES_SCHEMA),
        warnings=reader.warnings(),
        quarantined=tuple(quarantine.records),
        quarantined_count=quarantine.count,
        is_complete=quarantine.is_complete,
    )


def _table(rows: Sequence[Mapping[str, Any]], schema: pa.Schema) -> pa.Table:
    columns = [pa.array([row.get(name) for row in rows], schema.field(name).type) for name in schema.names]
    return pa.table(columns, schema=schema)


@dataclass
class _ReportReader:
    """One file while it is read."""

    data: bytes = field(repr=False)
    key: ObjectKey | None
    quarantine: Quarantine = field(default_factory=Quarantine)
    rows: list[dict[str, Any]] = field(default_factory=list[dict[str, Any]])
    model_rows: list[dict[str, Any]] = field(default_factory=list[dict[str, Any]])
    header: Header | None = None
    columns: list[ReportColumn] = field(default_factory=list[ReportColumn])

    def read(self) -> None:
        """Fill `rows`, `model_rows`, the columns' counts and the quarantine."""
        content, damage = _unpacked(self.data)
        # Split at line feeds only: other characters that Python takes for line ends may be part of a cell.
        lines = content.split(b"\n")
        unended = lines.pop()
        if unended.strip() and damage:
            self.quarantine.add(len(lines) + 1, f"cut off: {damage}", unended)
            self.quarantine.is_complete = False
            damage = None
        elif unended.strip():
            lines.append(unended)
        for number, line in enumerate(lines, start=1):
            if line.strip():
                self._read_line(number, line)
        if damage:
            self.quarantine.add_hashed(None, damage, sha256(self.data).hexdigest())
            self.quarantine.is_complete = False

    def _read_line(self, number: int, line: bytes) -> None:
        reason = self._begin(line) if self.header is None else self._add(line, self.header)
        if reason:
            self.quarantine.add(number, reason, line)

    def _begin(self, line: bytes) -> str | None:
        """Take the header, or say what it lacks."""
        self.header = Header.of(_cells(line.decode("utf-8-sig", "replace")) or [])
        self.columns = self.header.loaded()
        lacking = self.header.lacking_keys()
        return f"a header without {' and '.join(lacking)}" if lacking else None

    def _add(self, line: bytes, header: Header) -> str | None:
        """Load one line, or say why not."""
        if header.lacking_keys():
            return "a line below a header that cannot be used"
        cells = _cells(line.decode("utf-8", "replace"))
        if cells is None:
            return "not CSV"
        if len(cells) < header.width or any(cell.strip() for cell in cells[header.width :]):
            return f"{len(cells)} cells below a header of {header.width}"
        try:
            day = report_cells.date(cells[header.places[DAY]].strip())
        except UnreadableCellError:
            return f"{DAY} is missing or unreadable"
        try:
            user = report_cells.user(cells[header.places[USER]].strip())
        except UnreadableCellError:
            return f"{USER} is missing or unreadable"
        self._add_rows(cells, {"usage_date": day, "logged_user_id": user, "user_id": user_id(user)}, header.report)
        return None

    def _add_rows(self, cells: Sequence[str], about: dict[str, Any], report: Report) -> None:
        if self.key is not None:
            about |= {"account_id": self.key.account_id, "region": self.key.region, "product": self.key.product}
        row = {**about, "report": report}
        messages: dict[str, int] = {}
        for column in self.columns:
            value = column.value(cells)
            if column.is_model and value is not None:
                messages[column.target] = value
            elif not column.is_model:
                row[column.target] = value
        self.rows.append(row)
        for model, number in messages.items():
            self.model_rows.append({**about, "client_type": row.get("client_type"), "model": model, "messages": number})

    def warnings(self) -> tuple[ReportWarning, ...]:
        """What was odd about columns, in the order of the kinds of problem."""
        return tuple(self._warnings())

    def _warnings(self) -> Iterator[ReportWarning]:
        if self.header is None or self.header.lacking_keys():
            return
        number = len(self.rows)
        for name in self.header.missing():
            yield ReportWarning(name, "missing", number)
        for name in self.header.added:
            yield ReportWarning(name[:_SHOWN_CHARACTERS], "added", number)
        for column in self.columns:
            if number and not column.filled and not column.is_model:
                yield ReportWarning(column.name, "empty", number)
        for column in self.columns:
            if column.unreadable:
                yield ReportWarning(column.name, "unreadable", column.unreadable)


def _unpacked(data: bytes) -> tuple[bytes, str | None]:
    """The content, and why it is not whole."""
    content = bytearray()
    try:
        for piece in unpacked(BytesIO(data)):
            content += piece
            if len(content) > LARGEST_REPORT_BYTES:
                return b"", "a report larger than 64 MB"
    except DamagedObjectError as error:
        return bytes(content), str(error)
    return bytes(content), None


def _cells(line: str) -> list[str] | None:
    """The cells of one line; None when it is not CSV. An open quotation mark costs its line, not the file."""
    try:
        return next(csv.reader([line.removesuffix("\r")], strict=True), None)
    except csv.Error:
        return None
