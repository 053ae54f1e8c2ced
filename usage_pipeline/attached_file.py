"""The published file beside a small database of one's own, for work that needs more than a plain query.

Here: opening it so that nobody is disturbed: read-only, with bounded memory. Not here: publishing (`warehouse.py`).
"""

import tempfile
from collections.abc import Generator
from contextlib import contextmanager
from pathlib import Path

import duckdb

MEMORY_LIMIT = "400MB"
"""Memory of DuckDB; what is more lies in temporary files."""


@contextmanager
def attached(published: Path) -> Generator[duckdb.DuckDBPyConnection]:
    """A database in memory with the published file attached as `published`, read-only.

    Of one file that is opened itself, DuckDB refuses connections of one process whose settings differ.

    Raises:
        duckdb.Error: the file is not there, or no DuckDB file.
    """
    with tempfile.TemporaryDirectory() as folder:
        settings: dict[str, str | bool | int | float | list[str]] = {
            "memory_limit": MEMORY_LIMIT,
            "temp_directory": folder,
        }
        with duckdb.connect(":memory:", config=settings) as con:
            # DuckDB binds no file name; a quote in it is doubled as in any SQL text.
            con.execute(f"attach '{str(published).replace(chr(39), chr(39) * 2)}' as published (read_only)")
            yield con
