"""A warehouse in memory with all stored tables and no row, made in a few milliseconds.

Here: the tables as `prepare_tables` makes them in a new file, without their comments, which take ten times as long as
the tables and which `test_warehouse.py` holds. Not here: rows (`marts/factory.py`).
"""

from collections.abc import Collection, Generator
from contextlib import contextmanager
from itertools import count
from typing import Any

import duckdb

from usage_pipeline.raw_tables import STORED_TABLES
from usage_pipeline.warehouse import SCHEMAS, Warehouse

_ONE_THREAD: dict[str, Any] = {"threads": 1}
"""A few rows give a second thread nothing to do, and starting it costs more than they do."""

_NUMBERS = count()


def in_memory() -> duckdb.DuckDBPyConnection:
    """A connection to a database without any table, which its caller closes."""
    return duckdb.connect(":memory:", config=_ONE_THREAD)


def empty_warehouse(only: Collection[str] = STORED_TABLES) -> duckdb.DuckDBPyConnection:
    """A connection that its caller closes, or a `with` does; `only` the stored tables of these names."""
    con = in_memory()
    make_tables(con, only)
    return con


@contextmanager
def empty_warehouse_resource() -> Generator[Warehouse]:
    """The same for assets: each of its connections sees what the others stored, and nothing of it is ever a file."""
    warehouse = Warehouse(database=f":memory:warehouse_{next(_NUMBERS)}", connection_config=_ONE_THREAD)
    with warehouse.kept_open():
        with duckdb.connect(warehouse.database, config=_ONE_THREAD) as con:
            make_tables(con)
        yield warehouse


def make_tables(con: duckdb.DuckDBPyConnection, only: Collection[str] = STORED_TABLES) -> None:
    """Make the stored tables, or some of them, where they are missing."""
    schemas = [f"create schema if not exists {schema}" for schema in SCHEMAS]
    con.execute(";".join([*schemas, *(STORED_TABLES[name].create_statement for name in only)]))
