"""The numbers at the top of a page.

Here: tiles that stand beside each other, and below each other on a phone. Not here: what they count (`spending.py`).
"""

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

import streamlit as st

from usage_pipeline.report.formats import money, number, percent
from usage_pipeline.ui.plain import plain
from usage_pipeline.ui.tables import AT_LEAST, UNKNOWN


@dataclass(frozen=True)
class Tile:
    """A number with its unit, and a sentence about it."""

    label: str
    text: str
    help: str | None = None


def show_tiles(tiles: Sequence[Tile]) -> None:
    """Show the tiles in a row that breaks where the screen ends."""
    with st.container(horizontal=True):
        for tile in tiles:
            st.metric(tile.label, plain(tile.text), help=tile.help, border=True, width=_WIDTH)


_WIDTH = 168
"""Pixels: two tiles beside each other fit on a phone of 390."""


def spending_tiles(total: dict[str, Any]) -> list[Tile]:
    """What the logged calls used and cost."""
    bound = AT_LEAST if total["is_at_least"] else ""
    return [
        Tile(
            "Cost, USD",
            UNKNOWN if total["cost_usd"] is None else bound + money(total["cost_usd"], UNKNOWN),
            "Of logged calls that have a price. ≥: some have none, or some calls were not logged.",
        ),
        Tile("Calls", number(total["calls"], UNKNOWN), "In the invocation logs."),
        Tile("Errors", _with_share(total["errors"], total["calls"]), "Calls that AWS refused or failed."),
        Tile("Input tokens", number(total["input_tokens"], UNKNOWN), "Without those that came from a cache."),
        Tile("Output tokens", number(total["output_tokens"], UNKNOWN)),
        Tile("Cache tokens", _sum(total["cache_read_tokens"], total["cache_write_tokens"]), "Read and written."),
        Tile("Latency, ms", number(total["latency_ms_avg"], UNKNOWN), "Average over answered calls."),
        Tile("Output token, ms", number(total["tpot_ms_avg"], UNKNOWN), "Time for each, average over answered calls."),
    ]


def _with_share(part: int | None, whole: int | None) -> str:
    if part is None or not whole:
        return UNKNOWN
    return f"{number(part, UNKNOWN)} ({percent(part / whole, UNKNOWN)})"


def _sum(*values: int | None) -> str:
    known = [value for value in values if value is not None]
    return number(sum(known), UNKNOWN) if len(known) == len(values) else UNKNOWN
