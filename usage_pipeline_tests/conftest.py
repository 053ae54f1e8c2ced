"""What tests share: one simulated organisation and one browser for each test process."""

import gc
import os
from collections.abc import Iterator
from functools import cache
from pathlib import Path
from typing import TYPE_CHECKING

import pytest

from usage_pipeline_tests.python_startup import sitecustomize

# The process that hands the tests to others reads this file too, and waits for each import before it starts them.
if TYPE_CHECKING:
    from playwright.sync_api import Browser

    from usage_pipeline.sandbox import RunningSandbox
    from usage_pipeline_tests.pipeline_runs import WholeRun

# For the processes that tests start; importing it did the same for this one.
os.environ["PYTHONPATH"] = os.pathsep.join(
    filter(None, [str(Path(sitecustomize.__file__).parent), os.environ.get("PYTHONPATH")])
)

# Before numpy is imported: idle threads of its linear algebra wait for work by spinning on cores that tests share.
os.environ.setdefault("OPENBLAS_NUM_THREADS", "1")

LONGEST_FIRST = (
    "test_pipeline.py",
    "test_pipeline_troubles.py",
    "test_dagster_ui.py",
    "test_invocation_logs.py",
    "test_cli.py",
    "test_browser_dashboard.py",
    "test_sql_models.py",
    "test_expectations.py",
    "test_cli_refresh.py",
    "test_browser_tools.py",
    "test_browser.py",
    "test_q_developer.py",
    "test_readers_against_sandbox.py",
    "test_raw_prices.py",
    "test_pages.py",
    "test_cost_cube.py",
    "test_aws_server.py",
    "test_cli_refresh_quota_mappings.py",
    "test_app.py",
    "test_pricing.py",
    "test_warehouse.py",
)


@pytest.hookimpl(optionalhook=True)
def pytest_xdist_auto_num_workers() -> int:
    """One more than cores, because tests also wait: for files to reach the disk, and for processes to start."""
    return (os.cpu_count() or 1) + 1


def pytest_collectstart() -> None:
    """Before the first test is imported; a process that hands tests to others imports none."""
    _prepare_for_tests()


@cache
def _prepare_for_tests() -> None:
    import hypothesis

    # Before any module of assets: it asks Dagster not to warn of what they use.
    import usage_pipeline.definitions  # noqa: F401

    # How long an example takes says more about what else the machine does; speed is measured in benchmarks/.
    hypothesis.settings.register_profile("any_machine", deadline=None)
    hypothesis.settings.load_profile("any_machine")


def pytest_collection_modifyitems(items: list[pytest.Item]) -> None:
    """Begin with the files that take longest, so that no core waits at the end for one that began late."""
    places = {name: place for place, name in enumerate(LONGEST_FIRST)}
    items.sort(key=lambda item: places.get(item.path.name, len(places)))


@pytest.hookimpl(trylast=True)
def pytest_collection_finish() -> None:
    """Leave what importing made out of every search that a library asks for: a million objects that live to the end."""
    gc.freeze()


@pytest.fixture(autouse=True)
def _no_configuration_is_left() -> Iterator[None]:
    """A command that is run in this process names its configuration for all that follows."""
    from usage_pipeline.config import CONFIG_VARIABLE

    before = os.environ.get(CONFIG_VARIABLE)
    yield
    if before is None:
        os.environ.pop(CONFIG_VARIABLE, None)
    else:
        os.environ[CONFIG_VARIABLE] = before


@pytest.fixture(scope="session", autouse=True)
def _duckdb_takes_one_thread() -> Iterator[None]:
    """Processes that test side by side leave no core to a second thread, and DuckDB's spin while they wait for work."""
    from usage_pipeline_tests.threads import one_thread

    with one_thread():
        yield


@pytest.fixture(scope="session", autouse=True)
def _columns_are_traced_once() -> Iterator[None]:
    """Where a model's columns come from follows from its SQL and from columns; each new warehouse would ask again."""
    from usage_pipeline import column_lineage
    from usage_pipeline.sql_models import SqlModel

    trace = column_lineage.column_lineage
    traced: dict[str, column_lineage.Lineage] = {}

    def trace_once(model: SqlModel, types: column_lineage.ColumnTypes) -> column_lineage.Lineage:
        columns = [(name, list(types[name].items())) for name in (model.qualified_name, *model.dependencies)]
        asked = repr((model.sql, columns))
        if asked not in traced:
            traced[asked] = trace(model, types)
        return traced[asked]

    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(column_lineage, "column_lineage", trace_once)
        yield


@pytest.fixture(scope="session")
def truth_file(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Where the sandbox writes the truth."""
    return tmp_path_factory.mktemp("sandbox") / "truth.duckdb"


@pytest.fixture(scope="session")
def _organisation(truth_file: Path) -> "Iterator[RunningSandbox]":
    from usage_pipeline.sandbox import start_in_thread
    from usage_pipeline_tests.pipeline_runs import ORGANISATION

    with start_in_thread(ORGANISATION, truth_file.parent) as running:
        yield running


@pytest.fixture
def organisation(_organisation: "RunningSandbox") -> "Iterator[RunningSandbox]":
    """Four scopes with two whole days and ten and a half hours of traffic, without faults."""
    _organisation.forget_calls()
    yield _organisation
    _organisation.set_faults([])


@pytest.fixture(scope="session")
def whole_run(tmp_path_factory: pytest.TempPathFactory) -> "WholeRun":
    """A demo of the same organisation, all days as one range; tests only read it, or run it again."""
    from usage_pipeline_tests.pipeline_runs import copy_of_whole_run

    return copy_of_whole_run(tmp_path_factory)


@pytest.fixture(scope="session")
def browser() -> "Iterator[Browser]":
    """Chromium, started once; only tests that use it wait for its driver's import."""
    from playwright.sync_api import sync_playwright

    from usage_pipeline_tests.report.browser import CHROMIUM_NAMES, QUIET_START, find_chromium

    chromium = find_chromium()
    if chromium is None:
        pytest.skip(f"no Chromium: none of {', '.join(CHROMIUM_NAMES)} is on the path and CHROMIUM is not set")
    with sync_playwright() as playwright:
        started = playwright.chromium.launch(executable_path=chromium, args=QUIET_START)
        yield started
        started.close()
