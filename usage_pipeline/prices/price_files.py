"""Reads and writes the CSV files of prices: the snapshot that ships with this package, and users' files.

Here: the files and the errors in them. Not here: the rows (`price_rows.py`, `overrides.py`).
"""

import csv
import io
import re
from collections.abc import Iterable
from datetime import datetime
from decimal import Decimal
from itertools import pairwise
from pathlib import Path
from typing import TypeVar

from usage_pipeline.prices.overrides import PriceOverride
from usage_pipeline.prices.price_rows import ModelPrice
from usage_pipeline.reference import ReferenceDataError, numbered_rows, numbered_rows_of, reference_path

Dated = TypeVar("Dated", ModelPrice, PriceOverride)


def snapshot_prices() -> list[ModelPrice]:
    """The prices that ship with this package. Raises ReferenceDataError if the file is not as it must be."""
    return read_price_file(reference_path("model_prices"))


def file_prices(path: Path) -> list[ModelPrice]:
    """The prices of a user's file; their `source` begins with the file's name. Raises ReferenceDataError."""
    return [row.model_copy(update={"source": f"file {path.name}: {row.source}"}) for row in read_price_file(path)]


def read_price_file(path: Path) -> list[ModelPrice]:
    """Rows of a CSV with exactly raw.model_prices' columns.

    Raises:
        ReferenceDataError: a value or column that is not allowed, or two prices of one key at one time; names the file,
            line, column, what was read and what is allowed.
    """
    return _dated_rows(path, ModelPrice)


def read_price_overrides(path: Path) -> list[PriceOverride]:
    """Rows of price_overrides.csv, whose columns are those of raw.price_overrides.

    Raises:
        ReferenceDataError: as `read_price_file`; two overrides of one pattern, endpoint type and kind at one time.
    """
    return _dated_rows(path, PriceOverride)


def price_overrides_of(text: str, name: str) -> list[tuple[int, PriceOverride]]:
    """The same of a file's text that is not stored yet, each row with the line that it ends on."""
    return _one_at_a_time(name, numbered_rows_of(text, name, PriceOverride))


def _dated_rows(path: Path, row_type: type[Dated]) -> list[Dated]:
    return [row for _, row in _one_at_a_time(path.name, numbered_rows(path, row_type))]


def _one_at_a_time(name: str, numbered: list[tuple[int, Dated]]) -> list[tuple[int, Dated]]:
    """The rows, whose key ends with `valid_from` and of which one holds at a time for the rest of the key."""
    ordered = sorted(numbered, key=lambda line_and_row: line_and_row[1].key())
    for (earlier_line, earlier), (line, later) in pairwise(ordered):
        same = earlier.key()[:-1] == later.key()[:-1]
        if same and (earlier.valid_to is None or earlier.valid_to > later.valid_from):
            raise ReferenceDataError(
                f"{name}, line {line}, column valid_from: read {written(later.valid_from)!r}, but the row of line"
                f" {earlier_line} has the same {' | '.join(later.key()[:-1])} and holds then; allowed is a row that"
                " starts when the other has ended (valid_to)."
            )
    return numbered


def price_file_text(rows: Iterable[ModelPrice]) -> str:
    """The rows as CSV, in the order of their keys."""
    text = io.StringIO()
    writer = csv.writer(text, lineterminator="\n")
    writer.writerow(ModelPrice.model_fields)
    for row in sorted(rows, key=ModelPrice.key):
        writer.writerow([written(value) for value in row.model_dump().values()])
    return text.getvalue()


def written(value: object) -> str:
    """A value as files have it: nothing for None, plain decimals, UTC times without needless zeros."""
    if value is None:
        return ""
    if isinstance(value, Decimal):
        return format(value.normalize(), "f")
    if isinstance(value, datetime):
        return re.sub("T00:00:00Z$", "", f"{value.isoformat()}Z")
    return str(value)
