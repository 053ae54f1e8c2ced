"""Rows of a query as Python values.

Here: names beside values, dataclasses filled by column name, fields that hold a table, whole numbers without a decimal
point. Not here: queries.
"""

from collections.abc import Mapping
from dataclasses import field, fields
from functools import cache
from types import MappingProxyType
from typing import Any, TypeVar, cast

import duckdb

T = TypeVar("T")

BY_COLUMN = MappingProxyType({"by_column": True})
"""Metadata of a field whose rows JSON has as one list for each column."""


def table() -> Any:
    """A field with rows of one dataclass, in JSON by column; empty unless given."""
    return field(default=(), metadata=BY_COLUMN)


def rows(
    con: duckdb.DuckDBPyConnection, query: str, parameters: Mapping[str, Any] | None = None
) -> list[dict[str, Any]]:
    """Every row of the query as a dictionary of its columns."""
    cursor = con.execute(query, dict(parameters or {}))
    names = [column[0] for column in cursor.description or []]
    return [dict(zip(names, row, strict=True)) for row in cursor.fetchall()]


def filled(kind: type[T], row: Mapping[str, Any]) -> T:
    """Make a frozen dataclass of a row whose columns have its fields' names; lists become tuples."""
    values = {name: row[name] for name in _names(kind) if name in row}
    for name, value in values.items():
        if isinstance(value, list):
            values[name] = tuple(value)
    return kind(**values)


@cache
def _names(kind: type) -> tuple[str, ...]:
    return tuple(field.name for field in fields(cast(Any, kind)))


def whole(value: float | int) -> float | int:
    """The same number, as an integer when it has no fraction: shorter to write, and easier to read."""
    return int(value) if isinstance(value, float) and value.is_integer() else value
