"""What an edit makes of the text of price_overrides.csv: a price is added, ended or removed; every other line stays.

Pure: text in, text out, held against the rules by which the pipeline reads the file (`price_files.py`). Not here: the
file itself, and two people at once (`override_file.py`).
"""

import csv
import io
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, replace
from datetime import datetime

from usage_pipeline.prices.overrides import PriceOverride
from usage_pipeline.prices.price_files import price_overrides_of, written
from usage_pipeline.reference import ReferenceDataError

LONGEST_NAME = 100
"""Characters of a person's name."""
LONGEST_NOTE = 300
"""Characters of the note behind the name in `entered_by`."""

OverrideKey = tuple[str, ...]
"""(model_pattern, endpoint_type, token_kind, valid_from): what one row of the file has."""

HEADER = ",".join(PriceOverride.model_fields) + "\n"
"""First line of a new file."""


class OverrideEditError(ValueError):
    """An edit cannot be done; nothing was written. The text says why and what to do."""


@dataclass(frozen=True)
class Adding:
    """A row that is new. Who and when are set by the edit."""

    row: PriceOverride


@dataclass(frozen=True)
class Ending:
    """A row that holds until `valid_to` (UTC, exclusive)."""

    key: OverrideKey
    valid_to: datetime


@dataclass(frozen=True)
class Removing:
    """A row that was entered by mistake: it goes, as if it had never held."""

    key: OverrideKey


Edit = Adding | Ending | Removing


@dataclass(frozen=True)
class Editor:
    """Who edits, and when (UTC, whole seconds)."""

    name: str
    at: datetime


@dataclass(frozen=True)
class _Record:
    """Lines of the file that belong to one row, blank lines before it included; `row` is None for the header."""

    text: str
    row: PriceOverride | None


def checked_name(text: str) -> str:
    """A person's name as it can stand in the file.

    Raises:
        OverrideEditError: it is empty, too long, or a table program could take it for a formula.
    """
    return _plain_text("Your name", text, LONGEST_NAME)


def entered_by(name: str, note: str) -> str:
    """The name, and behind it why the price holds, such as the contract.

    Raises:
        OverrideEditError: one of them cannot stand in the file.
    """
    name = checked_name(name)
    return f"{name}: {_plain_text('The note', note, LONGEST_NOTE)}" if note.strip() else name


def _plain_text(what: str, text: str, longest: int) -> str:
    text = text.strip()
    if not text or len(text) > longest or not text.isprintable() or not text[0].isalnum():
        raise OverrideEditError(
            f"{what} is {text[:longest]!r}; allowed are 1 to {longest} characters on one line that begin with a letter "
            "or a digit."
        )
    return text


def row_of(values: Mapping[str, str]) -> PriceOverride:
    """A row from the texts of a form; a column that is not given is empty.

    Raises:
        ReferenceDataError: the pipeline would not accept it; names the column, what was read and what is allowed.
    """
    cells = [values.get(column, "") for column in PriceOverride.model_fields]
    try:
        ((_, row),) = price_overrides_of(HEADER + _line(cells, "\n"), "The price")
    except ReferenceDataError as error:
        # Nobody who fills in a form wrote a line 2.
        raise ReferenceDataError(str(error).replace(", line 2", "", 1)) from error
    return row


def edited(text: str, name: str, edits: Sequence[Edit], editor: Editor) -> str:
    """The text of the file `name` after the edits, which are done in their order; an empty text is a new file.

    The rows that are edited get the editor's name and time. A file without columns for these gets them.

    Raises:
        OverrideEditError: the row of an edit is not in the file.
        ReferenceDataError: the file, or what the edits make of it, is not what the pipeline accepts.
    """
    records = _records(text or HEADER, name)
    newline = _newline(records[0].text)
    if edits and len(_cells(records[0].text)) < len(PriceOverride.model_fields):
        records = list(_with_columns_for_who_and_when(records))
    for edit in edits:
        records = _after(records, edit, editor, newline)
    result = "".join(record.text for record in records)
    if [row for _, row in price_overrides_of(result, name)] != [record.row for record in records if record.row]:
        raise OverrideEditError(f"{name} would not be read as it is written after this edit; edit it by hand.")
    return result


def rows_in_the_way(rows: Sequence[PriceOverride], new: PriceOverride) -> list[PriceOverride]:
    """The rows with the same pattern, endpoint type and kind that begin before the new one and hold when it begins."""
    return [
        row
        for row in rows
        if row.key()[:-1] == new.key()[:-1]
        and row.valid_from < new.valid_from
        and (row.valid_to is None or row.valid_to > new.valid_from)
    ]


def _records(text: str, name: str) -> list[_Record]:
    numbered = price_overrides_of(text, name)
    lines = io.StringIO(text, newline="").readlines()
    header = csv.reader(lines)
    next(header)
    records = [_Record("".join(lines[: header.line_num]), None)]
    begin = header.line_num
    for line, row in numbered:
        records.append(_Record("".join(lines[begin:line]), row))
        begin = line
    # Blank lines at the end belong to nobody; a row that is added comes after them.
    records.append(_Record("".join(lines[begin:]), None))
    return records


def _after(records: Sequence[_Record], edit: Edit, editor: Editor, newline: str) -> list[_Record]:
    stamp = {"changed_by": editor.name, "changed_at": editor.at}
    if isinstance(edit, Adding):
        row = edit.row.model_copy(update=stamp)
        cells = [written(value) for value in row.model_dump().values()]
        return [*(_ended_line(record, newline) for record in records), _Record(_line(cells, newline), row)]
    place = next((at for at, record in enumerate(records) if record.row and record.row.key() == edit.key), None)
    if place is None:
        raise OverrideEditError(f"The file has no row of {' | '.join(edit.key)}; it was ended or removed meanwhile.")
    before, found, after = records[:place], records[place], records[place + 1 :]
    if isinstance(edit, Removing):
        blank_lines, _ = _split_off_blank_lines(found.text)
        return [*before, _Record(blank_lines, None), *after]
    return [*before, _with_values(found, stamp | {"valid_to": edit.valid_to}, newline), *after]


def _with_values(record: _Record, values: Mapping[str, object], newline: str) -> _Record:
    """The row with other values; what its other cells have is written as it was."""
    blank_lines, text = _split_off_blank_lines(record.text)
    cells = _cells(text)
    for column, value in values.items():
        cells[list(PriceOverride.model_fields).index(column)] = written(value)
    row = record.row.model_copy(update=values) if record.row else None
    return replace(record, text=blank_lines + _line(cells, newline), row=row)


def _with_columns_for_who_and_when(records: Sequence[_Record]) -> Iterator[_Record]:
    names = PriceOverride.optional_columns
    for at, record in enumerate(records):
        more = list(names) if at == 0 else [""] * len(names)
        yield record if at and record.row is None else replace(record, text=_with_cells(record.text, more))


def _with_cells(text: str, more: Sequence[str]) -> str:
    """The record with cells added at its end, and otherwise as it is written."""
    body = text.rstrip("\r\n")
    added = ",".join(["", *more])
    longer = body + added + text[len(body) :]
    wanted = [*_cells(text), *more]
    # A quotation mark that nobody closed would swallow the cells.
    return longer if _cells(longer) == wanted else _line(wanted, _newline(text))


def _split_off_blank_lines(text: str) -> tuple[str, str]:
    rest = text.lstrip("\r\n")
    return text[: len(text) - len(rest)], rest


def _cells(text: str) -> list[str]:
    """The cells of the one record of the text."""
    return next(cells for cells in csv.reader(io.StringIO(text, newline="")) if cells)


def _line(cells: Sequence[str], newline: str) -> str:
    line = io.StringIO(newline="")
    csv.writer(line, lineterminator=newline).writerow(cells)
    return line.getvalue()


def _ended_line(record: _Record, newline: str) -> _Record:
    """The record with an end of its last line, and of a quotation that the last line of a file left open."""
    if not record.text.strip("\r\n"):
        return record
    if _leaves_a_quotation_open(record.text):
        blank_lines, text = _split_off_blank_lines(record.text)
        return replace(record, text=blank_lines + _line([cell.strip() for cell in _cells(text)], newline))
    is_open = not record.text.endswith(("\n", "\r"))
    return replace(record, text=record.text + newline) if is_open else record


def _leaves_a_quotation_open(text: str) -> bool:
    try:
        list(csv.reader(io.StringIO(text, newline=""), strict=True))
    except csv.Error:
        return True
    return False


def _newline(text: str) -> str:
    """How the text ends its lines."""
    body = text.rstrip("\r\n")
    return next((end for end in ("\r\n", "\n", "\r") if text[len(body) :].startswith(end)), "\n")
