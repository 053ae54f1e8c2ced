"""The healthy warehouse for every test of a rule; what a test does to it is undone."""

from collections.abc import Iterator
from pathlib import Path

import duckdb
import pytest

from usage_pipeline.warehouse import Warehouse
from usage_pipeline_tests.checks.healthy import healthy_store


@pytest.fixture(scope="session")
def _healthy() -> Iterator[duckdb.DuckDBPyConnection]:
    with healthy_store().con as con:
        yield con


@pytest.fixture
def con(_healthy: duckdb.DuckDBPyConnection) -> Iterator[duckdb.DuckDBPyConnection]:
    """The healthy warehouse, inside a transaction that is rolled back."""
    _healthy.begin()
    yield _healthy
    _healthy.rollback()


@pytest.fixture
def warehouse(con: duckdb.DuckDBPyConnection, tmp_path: Path) -> Warehouse:
    """The healthy warehouse as a file of its own."""
    file = tmp_path / "warehouse.duckdb"
    con.execute(f"attach '{file}' as copied")
    con.execute("copy from database memory to copied")
    con.commit()
    con.execute("detach copied")
    con.begin()
    return Warehouse(database=str(file))
