"""The healthy warehouse for every test of a rule; what a test does to it is undone."""

import shutil
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


@pytest.fixture(scope="session")
def _healthy_file(_healthy: duckdb.DuckDBPyConnection, tmp_path_factory: pytest.TempPathFactory) -> Path:
    file = tmp_path_factory.mktemp("healthy") / "warehouse.duckdb"
    _healthy.execute(f"attach '{file}' as copied")
    _healthy.execute("copy from database memory to copied")
    _healthy.execute("detach copied")
    return file


@pytest.fixture
def warehouse(_healthy_file: Path, tmp_path: Path) -> Warehouse:
    """The healthy warehouse as a file of its own."""
    return Warehouse(database=str(shutil.copy(_healthy_file, tmp_path)))
