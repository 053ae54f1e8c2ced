"""The sample warehouse and its report, made once for the tests of this folder, whichever process runs them."""

import json
import shutil
from collections.abc import Iterator
from pathlib import Path
from typing import TYPE_CHECKING, Any

import duckdb
import pytest

from usage_pipeline.config import ReportSettings
from usage_pipeline.report.contents import Report, ReportSummary
from usage_pipeline.report.numbers import read_report
from usage_pipeline.report.write import write_report
from usage_pipeline_tests.report.cost_sample import log_rows
from usage_pipeline_tests.report.planned_sample import add_plans
from usage_pipeline_tests.report.q_developer_sample import q_developer_rows
from usage_pipeline_tests.report.sample import GENERATED_AT, write_sample
from usage_pipeline_tests.shared_files import made_once

if TYPE_CHECKING:
    from playwright.sync_api import Browser

    from usage_pipeline_tests.report.browser import Opened


@pytest.fixture(scope="session")
def sample_file(tmp_path_factory: pytest.TempPathFactory) -> Path:
    def make(folder: Path) -> None:
        write_sample(folder / "usage.duckdb")

    return made_once(tmp_path_factory, "report", make) / "usage.duckdb"


@pytest.fixture
def sample(sample_file: Path) -> Iterator[duckdb.DuckDBPyConnection]:
    with duckdb.connect(str(sample_file), read_only=True) as con:
        yield con


@pytest.fixture(scope="session")
def report(sample_file: Path) -> Report:
    with duckdb.connect(str(sample_file), read_only=True) as con:
        return read_report(con, ReportSettings(), GENERATED_AT)


@pytest.fixture(scope="session")
def written(sample_file: Path, tmp_path_factory: pytest.TempPathFactory) -> tuple[Path, Path, ReportSummary]:
    """`report.html`, `report.json` and the verdict of the sample."""
    folder = tmp_path_factory.mktemp("written")
    with duckdb.connect(str(sample_file), read_only=True) as con:
        summary = write_report(con, folder / "report.html", folder / "report.json", ReportSettings(), GENERATED_AT)
    return folder / "report.html", folder / "report.json", summary


@pytest.fixture(scope="session")
def page(written: tuple[Path, Path, ReportSummary]) -> str:
    return written[0].read_text(encoding="utf-8")


@pytest.fixture(scope="session")
def numbers(written: tuple[Path, Path, ReportSummary]) -> dict[str, Any]:
    """`report.json`, read back."""
    return json.loads(written[1].read_text(encoding="utf-8"))


@pytest.fixture(scope="session")
def logged_file(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The sample with invocation logs, and with use of Amazon Q Developer and Kiro."""

    def make(folder: Path) -> None:
        write_sample(folder / "usage.duckdb", log_rows() | q_developer_rows())

    return made_once(tmp_path_factory, "logged", make) / "usage.duckdb"


@pytest.fixture
def logged(logged_file: Path) -> Iterator[duckdb.DuckDBPyConnection]:
    with duckdb.connect(str(logged_file), read_only=True) as con:
        yield con


@pytest.fixture(scope="session")
def logged_report(logged_file: Path) -> Report:
    with duckdb.connect(str(logged_file), read_only=True) as con:
        return read_report(con, ReportSettings(), GENERATED_AT)


@pytest.fixture(scope="session")
def logged_page(logged_file: Path, tmp_path_factory: pytest.TempPathFactory) -> Path:
    """`report.html` of the sample with logs; `report.json` lies beside it."""

    def make(folder: Path) -> None:
        with duckdb.connect(str(logged_file), read_only=True) as con:
            write_report(con, folder / "report.html", folder / "report.json", ReportSettings(), GENERATED_AT)

    return made_once(tmp_path_factory, "logged_page", make) / "report.html"


@pytest.fixture(scope="session")
def planned_file(logged_file: Path, tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The sample with invocation logs, and with what planning and the checks say of it."""

    def make(folder: Path) -> None:
        shutil.copy(logged_file, folder / "usage.duckdb")
        add_plans(folder / "usage.duckdb")

    return made_once(tmp_path_factory, "planned", make) / "usage.duckdb"


@pytest.fixture
def planned(planned_file: Path) -> Iterator[duckdb.DuckDBPyConnection]:
    with duckdb.connect(str(planned_file), read_only=True) as con:
        yield con


@pytest.fixture(scope="session")
def planned_report(planned_file: Path) -> Report:
    with duckdb.connect(str(planned_file), read_only=True) as con:
        return read_report(con, ReportSettings(), GENERATED_AT)


@pytest.fixture(scope="session")
def report_tab(browser: "Browser", logged_page: Path) -> "Iterator[Opened]":
    from usage_pipeline_tests.report.browser import open_report

    found = open_report(browser, logged_page, accept_downloads=True)
    yield found
    found.tab.context.close()


@pytest.fixture
def opened(report_tab: "Opened") -> "Iterator[Opened]":
    """The report in one tab for all tests, as it begins; a test must leave it without complaints and requests."""
    report_tab.tab.evaluate("document.querySelectorAll('dialog[open]').forEach(dialog => dialog.close())")
    report_tab.go("")
    report_tab.tab.evaluate("scrollTo(0, 0)")
    yield report_tab
    assert report_tab.complaints == []
    # What is saved is an address of the tab's own.
    assert [url for url in report_tab.requests if not url.startswith("blob:")] == [report_tab.address]
