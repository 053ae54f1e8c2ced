"""Tables as CSV, exact and harmless.

Here: rows in, text out. Not here: which rows (`pages/`), the button (`tables.py`).
"""

import csv
import io
import json
from collections.abc import Iterable, Mapping, Sequence
from datetime import date, datetime
from decimal import Decimal
from typing import Any

from usage_pipeline.report.formats import iso_time

_BEGINS_A_FORMULA = ("=", "+", "-", "@", "\t", "\r", "\n", "＝", "＋", "－", "＠")
"""What makes a spreadsheet take a cell for a formula (OWASP, "CSV Injection", read 2026-11)."""


def csv_text(columns: Sequence[str], rows: Iterable[Mapping[str, Any]]) -> str:
    """A header and the rows: exact decimals, UTC times as in ISO 8601, nothing for what is unknown."""
    written = io.StringIO()
    writer = csv.writer(written, lineterminator="\r\n")
    writer.writerow([defused(column) for column in columns])
    writer.writerows([_cell(row.get(column)) for column in columns] for row in rows)
    return written.getvalue()


def defused(text: str) -> str:
    """The text, with an apostrophe before what a spreadsheet would take for a formula."""
    return "'" + text if text.startswith(_BEGINS_A_FORMULA) else text


def _cell(value: Any) -> str:
    if value is None:
        return ""
    if isinstance(value, bool):
        return "true" if value else "false"
    if isinstance(value, Decimal):
        return format(value, "f")
    if isinstance(value, int | float):
        return repr(value)
    if isinstance(value, datetime):
        return iso_time(value)
    if isinstance(value, date):
        return value.isoformat()
    if isinstance(value, str):
        return defused(value)
    return defused(json.dumps(value, ensure_ascii=False, default=str))
