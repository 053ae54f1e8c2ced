"""How many threads DuckDB takes in a test process: one, and not one for each core as outside of tests.

Not here: processes that tests start, which are as outside of tests.
"""

from collections.abc import Generator, Mapping
from contextlib import contextmanager
from functools import wraps
from pathlib import Path
from typing import Any
from unittest import mock

import duckdb


@contextmanager
def one_thread() -> Generator[None]:
    """Unless a connection says otherwise itself."""
    connect = duckdb.connect

    @wraps(connect)
    def connect_with_one_thread(
        database: str | Path = ":memory:", read_only: bool = False, config: Mapping[str, Any] | None = None
    ) -> duckdb.DuckDBPyConnection:
        return connect(database, read_only=read_only, config={"threads": 1, **(config or {})})

    with mock.patch("duckdb.connect", connect_with_one_thread):
        yield
