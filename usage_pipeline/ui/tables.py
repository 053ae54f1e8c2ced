"""Tables on the pages: numbers written as in the report, sorted by their value, each with its CSV.

Here: a column's kind, and showing rows. Not here: which rows (`pages/`), the CSV's text (`csv_text.py`).
"""

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, fields, is_dataclass
from typing import Any, Literal

import pandas as pd
import streamlit as st

from usage_pipeline.report import formats
from usage_pipeline.ui.csv_text import csv_text

Kind = Literal[
    "text", "integer", "number", "money", "price", "share", "milliseconds", "moment", "day", "yes_no", "link"
]

UNKNOWN = "unknown"

MOST_ROWS_HIGH = 12
"""Rows that are seen without scrolling within the table."""

_ROW_PIXELS = 36

_FORMATS: dict[Kind, Callable[[Any], str]] = {
    "text": str,
    "link": str,
    "yes_no": lambda value: value if isinstance(value, str) else ("yes" if value else "no"),
    "integer": lambda value: formats.number(int(value), UNKNOWN),
    "number": lambda value: formats.number(value, UNKNOWN),
    "money": lambda value: formats.money(value, UNKNOWN),
    "price": lambda value: formats.price(value, UNKNOWN),
    "share": lambda value: formats.percent(value, UNKNOWN),
    "milliseconds": lambda value: formats.number(value, UNKNOWN),
    "moment": lambda value: formats.moment(value, UNKNOWN),
    "day": lambda value: f"{value:%Y-%m-%d}",
}

AT_LEAST = "≥ "

ABOUT = "≈ "
"""Before a share of what is known, where more is unknown."""


@dataclass(frozen=True)
class Column:
    """A column of a table: which value of a row, what stands above it, how it is written.

    `missing` stands where there is no value. `at_least` names a value that says whether this one is a lower bound.
    """

    key: str
    label: str
    kind: Kind = "text"
    missing: str = UNKNOWN
    at_least: str | None = None


def as_rows(found: Sequence[Any]) -> list[dict[str, Any]]:
    """Dataclasses or mappings as dictionaries."""
    return [
        {field.name: getattr(row, field.name) for field in fields(row)} if is_dataclass(row) else dict(row)
        for row in found
    ]


def show_table(found: Sequence[Any], columns: Sequence[Column], name: str, empty: str = "Nothing to show.") -> None:
    """Show the rows and a button that saves them as `<name>.csv`; `empty` stands there when there are none."""
    rows = as_rows(found)
    if not rows:
        st.caption(empty)
        return
    st.dataframe(
        _written(rows, columns),
        hide_index=True,
        width="stretch",
        height="content" if len(rows) <= MOST_ROWS_HIGH else (MOST_ROWS_HIGH + 1) * _ROW_PIXELS,
        key=f"table-{name}",
        alt=name.replace("-", " "),
        placeholder=UNKNOWN,
        column_config={
            column.label: st.column_config.LinkColumn(display_text="open")
            for column in columns
            if column.kind == "link"
        },
    )
    keys = [column.key for column in columns]
    keys += [bound for column in columns if (bound := column.at_least) and bound not in keys]
    st.download_button(
        "CSV",
        lambda: csv_text(keys, rows).encode("utf-8-sig"),
        file_name=f"{name}.csv",
        mime="text/csv",
        key=f"csv-{name}",
        icon=":material/download:",
        on_click="ignore",
        type="tertiary",
    )


def _written(rows: Sequence[Mapping[str, Any]], columns: Sequence[Column]) -> Any:
    """The values, for sorting, with the text that is shown for each."""
    style = pd.DataFrame({column.label: _values(rows, column) for column in columns}).style
    for column in columns:
        if _is_text(column):
            continue
        write = _FORMATS[column.kind]
        style = style.format(write, na_rep=column.missing, subset=[column.label])
        if bounds := [number for number, row in enumerate(rows) if column.at_least and row.get(column.at_least)]:
            style = style.format(_bounded(column.kind, write), na_rep=column.missing, subset=(bounds, [column.label]))
    return style


def _bounded(kind: Kind, write: Callable[[Any], str]) -> Callable[[Any], str]:
    mark = ABOUT if kind == "share" else AT_LEAST
    return lambda value: mark + write(value)


def _values(rows: Sequence[Mapping[str, Any]], column: Column) -> pd.Series:
    values = [row.get(column.key) for row in rows]
    if _is_text(column):
        texts = [column.missing if value is None else _FORMATS[column.kind](value) for value in values]
        return pd.Series(texts, dtype=object)
    if column.kind == "integer":
        return pd.Series(values, dtype="Int64")
    if column.kind in ("number", "share", "milliseconds"):
        return pd.Series([None if value is None else float(value) for value in values], dtype="Float64")
    if column.kind in ("moment", "day"):
        return pd.Series(values, dtype="datetime64[us]")
    return pd.Series(values, dtype=object)


def _is_text(column: Column) -> bool:
    """Whether the column is sorted as text: the grid has one word for every number that is missing."""
    return column.kind in ("text", "yes_no") or column.missing != UNKNOWN
