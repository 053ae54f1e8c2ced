"""Values of a report in JSON's types, as `report.json` and the page's data have them.

Here: how each type is written. Not here: which values there are (`contents.py` and its neighbours), their schema
(`json_schema.py`). Tables are written by column, which is shorter and what data frames read.
"""

import json
from collections.abc import Iterable, Mapping
from dataclasses import Field, fields, is_dataclass
from datetime import date, datetime
from decimal import Decimal
from functools import cache
from operator import attrgetter
from typing import Any, cast, get_args, get_type_hints

from usage_pipeline.report import formats

_PLAIN = (str, int, float, list)
"""Types that are JSON's own. Lists hold bare numbers only: the points of charts, which are many."""

_BARE = frozenset((str, int, float, bool, type(None)))


def report_json(report: Any) -> str:
    """`report.json`: every number of the page, keys as in `report_schema.md`."""
    return json.dumps(plain(report), ensure_ascii=False, separators=(",", ":")) + "\n"


def plain(value: Any) -> Any:
    """The value in JSON's types: fields by name, UTC times with a Z, dates as in ISO 8601, exact decimals as text."""
    if value is None or isinstance(value, _PLAIN):
        return value
    if isinstance(value, datetime):
        return formats.iso_time(value)
    if isinstance(value, date):
        return value.isoformat()
    if isinstance(value, Decimal):
        return format(value, "f")
    if isinstance(value, tuple):
        return [plain(part) for part in cast("tuple[Any, ...]", value)]
    if isinstance(value, Mapping):
        return {key: plain(part) for key, part in cast("Mapping[str, Any]", value).items()}
    if is_dataclass(value):
        return {
            part.name: plain_table(row_type, getattr(value, part.name))
            if row_type is not None
            else plain(getattr(value, part.name))
            for part, row_type in _parts(type(value))
        }
    raise TypeError(f"{type(value).__name__} has no form in JSON that a report uses.")


def plain_table(row_type: type, rows: Iterable[Any]) -> dict[str, list[Any]]:
    """Rows of one dataclass by column."""
    rows = list(rows)
    return {part.name: _plain_column(list(map(attrgetter(part.name), rows))) for part in fields(cast(Any, row_type))}


def _plain_column(values: list[Any]) -> list[Any]:
    # Most columns hold bare numbers, which are many.
    return values if _BARE.issuperset(map(type, values)) else [plain(value) for value in values]


@cache
def _parts(kind: type) -> list[tuple[Field[Any], type | None]]:
    """The fields of a dataclass, each with its row type if it is written by column."""
    hints = get_type_hints(kind)
    return [
        (part, get_args(hints[part.name])[0] if part.metadata.get("by_column") else None)
        for part in fields(cast(Any, kind))
    ]
