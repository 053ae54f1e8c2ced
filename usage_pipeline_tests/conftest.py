"""What tests of whole days share: one simulated organisation for each test process."""

import os
from collections.abc import Iterator
from pathlib import Path

import pytest

from usage_pipeline.sandbox import RunningSandbox, start_in_thread
from usage_pipeline_tests.pipeline_runs import ORGANISATION

LONGEST_FIRST = (
    "test_pipeline.py",
    "test_dagster_ui.py",
    "test_sensors.py",
    "test_cli.py",
    "test_invocation_logs.py",
    "test_browser.py",
)


@pytest.hookimpl(optionalhook=True)
def pytest_xdist_auto_num_workers() -> int:
    """One more than cores, because tests also wait: for files to reach the disk, and for processes to start."""
    return (os.cpu_count() or 1) + 1


def pytest_collection_modifyitems(items: list[pytest.Item]) -> None:
    """Begin with the files that take longest, so that no core waits at the end for one that began late."""
    places = {name: place for place, name in enumerate(LONGEST_FIRST)}
    items.sort(key=lambda item: places.get(item.path.name, len(places)))


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
