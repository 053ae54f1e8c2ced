"""The sample with invocation logs as a published file, made once for the tests of this folder in any process."""

from collections.abc import Iterator
from functools import cache
from pathlib import Path

import pytest
from streamlit.components.v2 import manifest_scanner

from usage_pipeline_tests.report.cost_sample import log_rows
from usage_pipeline_tests.report.sample import write_sample
from usage_pipeline_tests.shared_files import made_once
from usage_pipeline_tests.ui.priced_sample import write_priced_sample


@pytest.fixture(scope="session", autouse=True)
def _packages_are_searched_once() -> Iterator[None]:
    """Streamlit looks for components in every installed package; a server does so once, AppTest for each drawing."""
    with pytest.MonkeyPatch.context() as patch:
        found_once = cache(manifest_scanner.scan_component_manifests)
        patch.setattr(manifest_scanner, "scan_component_manifests", found_once)
        yield


@pytest.fixture(scope="session")
def published(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """2026-11-13 to 15; logs of the 15th of production/us-east-1, hostile names, calls without a price."""

    def make(folder: Path) -> None:
        write_sample(folder / "usage.duckdb", log_rows())

    return made_once(tmp_path_factory, "dashboard", make) / "usage.duckdb"


@pytest.fixture(scope="session")
def unused(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A published file with every table and no row."""

    def make(folder: Path) -> None:
        write_empty(folder / "usage.duckdb")

    return made_once(tmp_path_factory, "unused", make) / "usage.duckdb"


@pytest.fixture(scope="session")
def priced(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A published file with priced and unpriced calls and a pool that throttles."""

    def make(folder: Path) -> None:
        write_priced_sample(folder / "usage.duckdb")

    return made_once(tmp_path_factory, "priced", make) / "usage.duckdb"


def write_empty(path: Path) -> None:
    """Write a published file before anything was read."""
    import duckdb

    from usage_pipeline.sql_builds import build
    from usage_pipeline.sql_models import load_models
    from usage_pipeline.warehouse import prepare_tables

    with duckdb.connect(str(path)) as con:
        prepare_tables(con)
        build(con, load_models())
