"""The dashboard in a real browser that reaches nothing but it: every page, on a screen and on a phone."""

import csv
import io
import shutil
import socket
import subprocess
import sys
import time
import urllib.error
import urllib.request
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from urllib.parse import parse_qs, urlsplit

import duckdb
import pytest
from playwright.sync_api import Browser, BrowserContext, Locator, Page, ProxySettings, Request, expect

from usage_pipeline.ui.app import PAGES
from usage_pipeline.ui.pages import q_developer
from usage_pipeline_tests.report.browser import PATIENCE
from usage_pipeline_tests.report.sample import HOSTILE_NAME

pytestmark = pytest.mark.browser

SCREEN, PHONE = {"width": 1360, "height": 1000}, {"width": 390, "height": 844}

START_SECONDS = 60

NO_PROXY: ProxySettings = {"server": "http://127.0.0.1:9", "bypass": "127.0.0.1"}
"""Port 9 is `discard`, which nothing serves."""


@dataclass
class Dashboard:
    """A dashboard that runs, and the published file under it."""

    address: str
    file: Path


@pytest.fixture(scope="module")
def dashboard(published: Path, tmp_path_factory: pytest.TempPathFactory) -> Iterator[Dashboard]:
    file = tmp_path_factory.mktemp("served") / "usage.duckdb"
    shutil.copy(published, file)
    with socket.socket() as taken:
        taken.bind(("127.0.0.1", 0))
        port = taken.getsockname()[1]
    command = [sys.executable, "-m", "usage_pipeline.cli", "ui", "--file", str(file), "--port", str(port)]
    with subprocess.Popen(command, stdout=subprocess.PIPE, stderr=subprocess.STDOUT, cwd=file.parent) as process:
        try:
            _wait_for(f"http://127.0.0.1:{port}/_stcore/health", process)
            yield Dashboard(f"http://127.0.0.1:{port}", file)
        finally:
            process.terminate()
            process.wait()


def _wait_for(address: str, process: "subprocess.Popen[bytes]") -> None:
    deadline = time.monotonic() + START_SECONDS
    while time.monotonic() < deadline and process.poll() is None:
        try:
            with urllib.request.urlopen(address, timeout=1):
                return
        except (urllib.error.URLError, ConnectionError, TimeoutError):
            time.sleep(0.1)
    process.terminate()
    raise AssertionError(f"the dashboard did not start: {process.communicate()[0].decode()}")


@dataclass
class Opened:
    """One tab."""

    tab: Page

    def settled(self) -> Page:
        """The tab when the page is drawn."""
        expect(self.tab.get_by_test_id("stApp")).to_have_attribute(
            "data-test-script-state", "notRunning", timeout=PATIENCE
        )
        return self.tab

    def title(self, text: str) -> None:
        expect(self.tab.get_by_role("heading", level=1)).to_have_text(text, timeout=PATIENCE)
        self.settled()

    def tile(self, label: str) -> Locator:
        tiles = self.tab.get_by_test_id("stMetric")
        return tiles.filter(has=self.tab.get_by_text(label, exact=True)).get_by_test_id("stMetricValue")


@pytest.fixture(scope="module")
def context(browser: Browser) -> Iterator[BrowserContext]:
    """One for all tests, so that the dashboard's scripts are loaded once; each test has tabs of its own.

    It reaches this machine alone: to any other it would go through a proxy that is not there.
    """
    with browser.new_context(viewport=SCREEN, accept_downloads=True, proxy=NO_PROXY) as context:
        yield context


@pytest.fixture
def opened(context: BrowserContext, dashboard: Dashboard) -> Iterator[Opened]:
    asked: list[str] = []

    def note(request: Request) -> None:
        asked.append(request.url)

    context.on("request", note)
    yield Opened(context.new_page())
    context.remove_listener("request", note)
    for tab in context.pages:
        tab.close()
    assert asked
    assert [url for url in asked if not url.startswith((dashboard.address, "data:", "blob:"))] == []


def address_of(tab: Page) -> dict[str, list[str]]:
    return parse_qs(urlsplit(tab.url).query)


def test_every_page_on_a_screen_and_on_a_phone_while_another_file_is_published(
    opened: Opened, dashboard: Dashboard
) -> None:
    watching = Opened(opened.tab.context.new_page())
    watching.tab.goto(f"{dashboard.address}/?refresh=10+s")
    watching.title("Overview")
    expect(watching.tile("Calls")).to_have_text("16")

    newer = dashboard.file.with_name("newer.duckdb")
    shutil.copy(dashboard.file, newer)
    with duckdb.connect(str(newer)) as con:
        con.execute("update marts.usage_daily set calls = calls + 1000 where role_or_user = 'Alice'")
    newer.replace(dashboard.file)

    tab = opened.tab
    tab.goto(f"{dashboard.address}/?region=us-east-1")
    for module in PAGES:
        if module is q_developer:
            continue
        tab.get_by_test_id("stSidebarNav").get_by_role("link", name=module.TITLE, exact=True).click()
        opened.title(module.TITLE)
        assert address_of(tab)["region"] == ["us-east-1"]
        expect(tab.get_by_test_id("stException")).to_have_count(0)
        assert tab.locator('img[src="x"]').count() == 0
        tab.set_viewport_size(PHONE)
        tab.wait_for_timeout(300)
        assert tab.evaluate("document.documentElement.scrollWidth") == PHONE["width"]
        tab.set_viewport_size(SCREEN)
    assert urlsplit(tab.url).path == f"/{PAGES[-2].URL}"

    expect(watching.tile("Calls")).to_have_text("1,016", timeout=PATIENCE)


def test_a_link_shows_the_same_and_a_table_is_saved_as_it_is_shown(opened: Opened, dashboard: Dashboard) -> None:
    tab = opened.tab
    tab.goto(f"{dashboard.address}/cost")
    opened.title("Cost")
    tab.get_by_label("Caller", exact=True).fill("search")
    tab.get_by_label("Caller", exact=True).press("Enter")
    expect(opened.tile("Calls")).to_have_text("3")
    tab.get_by_role("radio", name="Table", exact=True).click()
    expect(tab.get_by_test_id("stDataFrame").first).to_be_visible()
    opened.settled()
    assert address_of(tab) == {"caller": ["search"], "cost_as": ["Table"]}

    again = opened.tab.context.new_page()
    again.goto(tab.url)
    expect(Opened(again).tile("Calls")).to_have_text("3", timeout=PATIENCE)
    expect(again.get_by_label("Caller", exact=True)).to_have_value("search")
    again.close()

    with tab.expect_download() as saved:
        tab.get_by_role("button", name="CSV").first.click()
    assert saved.value.suggested_filename == "cost-by-model.csv"
    (row,) = csv.DictReader(io.StringIO(Path(saved.value.path()).read_text(encoding="utf-8-sig"), newline=""))
    with duckdb.connect(str(dashboard.file), read_only=True) as con:
        expected = con.execute(
            "select sum(cost_usd)::varchar from marts.invocations where contains(principal_arn, 'search')"
        ).fetchone()
    assert (row["cost_usd"],) == expected

    tab.get_by_test_id("stDataFrame").first.hover()
    expect(tab.locator('[aria-label^="Fullscreen"]').first).to_be_visible()
    expect(tab.locator('[aria-label^="Download as CSV"]').first).to_be_hidden()


def test_hostile_names_are_text_in_charts(opened: Opened, dashboard: Dashboard) -> None:
    tab = opened.tab
    tab.goto(f"{dashboard.address}/cost?cost_by=Profile")
    opened.title("Cost")
    for view in ("Bars", "Pie"):
        tab.get_by_role("radio", name=view, exact=True).click()
        opened.settled()
        expect(tab.get_by_test_id("stVegaLiteChart").first).to_contain_text(HOSTILE_NAME)
        expect(tab.get_by_test_id("stException")).to_have_count(0)
        assert tab.locator('img[src="x"]').count() == 0
