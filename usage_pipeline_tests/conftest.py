"""What tests of whole days share: one simulated organisation for each test process."""

from collections.abc import Iterator
from pathlib import Path

import pytest

from usage_pipeline.sandbox import RunningSandbox, start_in_thread
from usage_pipeline_tests.pipeline_runs import ORGANISATION


@pytest.fixture(scope="session")
def truth_file(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Where the sandbox writes the truth."""
    return tmp_path_factory.mktemp("sandbox") / "truth.duckdb"


@pytest.fixture(scope="session")
def _organisation(truth_file: Path) -> Iterator[RunningSandbox]:
    with start_in_thread(ORGANISATION, truth_file.parent) as running:
        yield running


@pytest.fixture
def organisation(_organisation: RunningSandbox) -> Iterator[RunningSandbox]:
    """Four scopes with two whole days and ten and a half hours of traffic, without faults."""
    _organisation.forget_calls()
    yield _organisation
    _organisation.set_faults([])
