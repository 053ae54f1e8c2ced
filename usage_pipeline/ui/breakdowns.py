"""One division of calls and costs, as bars, pie or table.

Here: the choice and its drawing. Not here: the numbers (`spending.py`).
"""

from collections.abc import Sequence
from decimal import Decimal
from typing import Any, Literal

import streamlit as st

from usage_pipeline.report.formats import money, number
from usage_pipeline.ui import charts
from usage_pipeline.ui.tables import AT_LEAST, UNKNOWN, Column, show_table

Row = dict[str, Any]
Measure = Literal["cost_usd", "calls", "tokens"]

MEASURES: dict[str, Measure] = {"Cost": "cost_usd", "Calls": "calls", "Tokens": "tokens"}

UNITS: dict[Measure, str] = {"cost_usd": "US dollars", "calls": "calls", "tokens": "tokens, all kinds"}

_VIEWS = ("Bars", "Pie", "Table")

SPENDING_COLUMNS = (
    Column("cost_usd", "Cost, USD", "money", at_least="is_at_least"),
    Column("share", "Share", "share", at_least="is_at_least"),
    Column("calls", "Calls", "integer"),
    Column("errors", "Errors", "integer"),
    Column("input_tokens", "Input tokens", "integer"),
    Column("output_tokens", "Output tokens", "integer"),
    Column("cache_read_tokens", "Cache read tokens", "integer"),
    Column("cache_write_tokens", "Cache write tokens", "integer"),
    Column("input_cost_usd", "Input, USD", "money", at_least="is_at_least"),
    Column("output_cost_usd", "Output, USD", "money", at_least="is_at_least"),
    Column("cache_read_cost_usd", "Cache read, USD", "money", at_least="is_at_least"),
    Column("cache_write_cost_usd", "Cache write, USD", "money", at_least="is_at_least"),
    Column("unpriced_calls", "Calls without a price", "integer"),
)


def show_breakdown(
    found: Sequence[Row], names: Sequence[Column], page: str, subject: str, measure: Measure = "cost_usd"
) -> None:
    """Show the rows as the person chooses; `names` are the columns that say what a row is."""
    how = st.segmented_control(
        "Show as",
        _VIEWS,
        default=_VIEWS[0],
        required=True,
        key=f"{page}_as",
        bind="query-params",
        label_visibility="collapsed",
    )
    name = f"{measure.removesuffix('_usd')}-by-{subject}".replace(":", "-")
    if how == "Table" or not found:
        show_table(found, (*names, *SPENDING_COLUMNS), name, empty="No logged call on these days.")
        return
    parts = _parts(found, measure)
    draw = charts.bars if how == "Bars" else charts.pie
    charts.show(draw(parts, UNITS[measure]), name, f"{name.replace('-', ' ')}, largest first")
    if notes := _notes(found, parts, how):
        st.caption(" ".join(notes))


def _parts(found: Sequence[Row], measure: Measure) -> list[charts.Part]:
    parts = [
        charts.Part(label(row), row[measure], written(row[measure], measure, is_at_least=row["is_at_least"]))
        for row in found
        if row[measure] is not None
    ]
    return sorted(parts, key=lambda part: -part.value)


def _notes(found: Sequence[Row], parts: Sequence[charts.Part], how: str) -> list[str]:
    notes: list[str] = []
    if unknown := len(found) - len(parts):
        notes.append(f"{unknown:,} of {len(found):,} not drawn: their cost is unknown.")
    if how == "Bars" and len(parts) > charts.MOST_BARS:
        notes.append(f"The {charts.MOST_BARS} largest of {len(parts):,} are drawn; the table has all.")
    return notes


def label(row: Row) -> str:
    """The row's name."""
    return UNKNOWN if row["name"] is None else str(row["name"])


def written(value: int | Decimal, measure: Measure, *, is_at_least: bool = False) -> str:
    """The number with its unit, and a mark when it is a lower bound."""
    if measure == "cost_usd":
        return f"{AT_LEAST if is_at_least else ''}{money(Decimal(value), UNKNOWN)} USD"
    return f"{number(int(value), UNKNOWN)} {measure}"


def show_over_time(found: Sequence[Row], name: str, measure: Measure) -> None:
    """Draw UTC days or hours as stacked bars, the largest series in colours of their own."""
    known = [(row["period_start"], label(row), row[measure]) for row in found if row[measure] is not None]
    if not known:
        st.caption("Nothing is known of these days.")
        return
    points, series = charts.series_with_others(known, lambda value: written(value, measure))
    charts.show(charts.stacked(points, series, UNITS[measure]), name, f"{UNITS[measure]} over time, stacked")
