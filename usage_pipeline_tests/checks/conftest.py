"""The healthy warehouse for every test of a rule; what a test does to it is undone."""

from collections.abc import Iterator

import duckdb
import pytest

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
