"""What the pages read: the published file, remembered until the file is replaced.

Here: which file it is, and remembering what was read. Not here: queries (`pages/`, `report/`), what the filters do to
the tables (`published_tables.py`), how long a file stays open (`open_files.py`). The warehouse is never opened.
"""

from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path
from typing import Any, TypeVar, cast

import duckdb
import streamlit as st

from usage_pipeline.ui.open_files import OpenFiles
from usage_pipeline.ui.published_tables import Filters

T = TypeVar("T")

MOST_REMEMBERED = 200
"""Answers that are kept in memory, over all who look at the dashboard."""


@dataclass(frozen=True)
class PublishedFile:
    """The published file as it was at some moment: a run that publishes puts another one in its place."""

    path: str
    inode: int
    changed_at: int
    """Nanoseconds since 1970."""


def published_file(path: Path) -> PublishedFile:
    """Which file lies at the path now; looks at its name only.

    Raises:
        OSError: there is none, or it may not be looked at.
    """
    found = path.stat()
    return PublishedFile(str(path), found.st_ino, found.st_mtime_ns)


def read(file: PublishedFile, filters: Filters | None, reader: Callable[..., T], *arguments: Any) -> T:
    """What `reader(con, *arguments)` returns of the file, in which `marts.*` hold only what the filters leave.

    It is remembered under the file, the filters, the reader's name and the arguments, so a reader is a function at the
    top of a module, and its arguments are plain values.

    Raises:
        duckdb.Error: a table or column is missing from the file.
    """
    name = f"{reader.__module__}.{reader.__qualname__}"
    return cast(T, _remembered(file, filters, name, arguments, reader))


@st.cache_data(max_entries=MOST_REMEMBERED, show_spinner="Reading …")
def _remembered(
    file: PublishedFile,
    filters: Filters | None,
    name: str,  # Streamlit takes what a name stands for as known.
    arguments: tuple[Any, ...],
    _reader: Callable[..., Any],
) -> Any:
    with _open_files().connection(file, filters) as con:
        return _reader(con, *arguments)


@st.cache_resource(show_spinner=False)
def _open_files() -> OpenFiles:
    """One for all who look."""
    return OpenFiles()


def has_table(con: duckdb.DuckDBPyConnection, schema: str, table: str) -> bool:
    """Whether the published file has the table."""
    found = con.execute(
        "select count(*) from duckdb_tables() where database_name = 'published' and schema_name = ? and table_name = ?",
        [schema, table],
    ).fetchone()
    return bool(found and found[0])
