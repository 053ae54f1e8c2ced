"""A warehouse in memory with all stored tables and no row, made in a few milliseconds.

Here: the tables as `prepare_tables` makes them in a new file, without their comments, which take ten times as long as
the tables and which `test_warehouse.py` holds. Not here: rows (`marts/factory.py`).
"""

import duckdb

from usage_pipeline.raw_tables import STORED_TABLES
from usage_pipeline.warehouse import SCHEMAS


def in_memory() -> duckdb.DuckDBPyConnection:
    """A connection to a database without any table, which its caller closes."""
    # A few rows give a second thread nothing to do, and starting it costs more than they do.
    return duckdb.connect(":memory:", config={"threads": 1})


def empty_warehouse() -> duckdb.DuckDBPyConnection:
    """A connection that its caller closes, or a `with` does."""
    con = in_memory()
    schemas = [f"create schema if not exists {schema}" for schema in SCHEMAS]
    con.execute(";".join([*schemas, *(table.create_statement for table in STORED_TABLES.values())]))
    return con
