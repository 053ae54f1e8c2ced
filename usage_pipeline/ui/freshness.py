"""Looking whether another file was published, as often as the person wants.

Here: the choice, the look at the file, "data up to". Not here: reading it (`reading.py`).
"""

from datetime import datetime
from pathlib import Path

import duckdb
import streamlit as st

from usage_pipeline.report import queries
from usage_pipeline.report.formats import moment
from usage_pipeline.report.table_rows import rows
from usage_pipeline.ui.reading import PublishedFile, published_file, read

INTERVALS: dict[str, int | None] = {"off": None, "10 s": 10, "30 s": 30, "1 min": 60, "5 min": 300}
"""Seconds between two looks, by what a person chooses."""


def data_up_to(con: duckdb.DuckDBPyConnection) -> datetime | None:
    """End of the newest data of any account and Region, UTC."""
    return max((row["data_up_to"] for row in rows(con, queries.SCOPES) if row["data_up_to"]), default=None)


def ask_refresh(file: PublishedFile) -> None:
    """Say how new the data are, and keep looking for newer ones."""
    st.markdown(f"**Data up to** {moment(read(file, None, data_up_to), 'unknown')} UTC")
    chosen = st.selectbox("Refresh", list(INTERVALS), key="refresh", bind="query-params")
    seconds = INTERVALS[chosen]
    if seconds is not None:
        st.fragment(_look, run_every=seconds)(file)


def _look(file: PublishedFile) -> None:
    """Draw everything anew when another file lies there; nothing is read while it is the same."""
    try:
        newest = published_file(Path(file.path))
    except FileNotFoundError:
        return
    if newest != file:
        st.rerun()
