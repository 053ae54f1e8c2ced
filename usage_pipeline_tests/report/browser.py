"""The report in a real browser, opened from a file with the network off.

Here: starting the browser, opening a report in it, reading its tables. Not here: what must be true of it
(`test_browser*.py`).
"""

import os
import shutil
from collections.abc import Iterable, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from playwright.sync_api import Browser, Page, ViewportSize

from usage_pipeline.report.anchors import pool_anchor

DISABLED_FEATURES = (
    # Two pages behind the address bar, which no test sees, take as long as the page under test (Chromium 156).
    *("WebUIOmniboxPopup", "WebUIOmniboxAimPopup"),
    # Of several lists Chromium takes the last; these are what Playwright's own disables (1.65, November 2026).
    *("AvoidUnnecessaryBeforeUnloadCheckSync", "DestroyProfileOnBrowserClose", "PaintHolding"),
    *("HttpsUpgrades", "HttpsFirstBalancedModeAutoEnable", "ThirdPartyStoragePartitioning"),
    *("AvoidCorsURLLoaderRestartOnRedirect", "LensOverlay", "MediaRouter", "OptimizationHints"),
    *("NetworkTimeServiceQuerying", "AimEnabled", "PreconnectToSearch"),
)

# Without these, Chromium looks for its maker's servers at every start.
QUIET_START = [
    "--no-sandbox",
    "--disable-gpu",
    "--disable-quic",
    "--no-first-run",
    "--disable-background-networking",
    "--disable-component-update",
    "--disable-sync",
    f"--disable-features={','.join(DISABLED_FEATURES)}",
    # To make a script fast that runs once takes longer than to run it.
    "--js-flags=--no-turbofan",
]

PATIENCE = 30_000
"""Milliseconds until a chart must have been drawn, on a machine with much else to do."""

CHROMIUM_NAMES = ("chromium", "chromium-browser", "google-chrome")

DESKTOP: ViewportSize = {"width": 1360, "height": 1000}
PHONE: ViewportSize = {"width": 390, "height": 844}


def find_chromium() -> str | None:
    """The browser that CHROMIUM names, else the one on the path."""
    named = os.environ.get("CHROMIUM")
    return named or next((found for name in CHROMIUM_NAMES if (found := shutil.which(name))), None)


@dataclass
class Opened:
    """The report in one tab, with everything that the tab complained about or asked for."""

    tab: Page
    address: str
    complaints: list[str] = field(default_factory=list[str])
    requests: list[str] = field(default_factory=list[str])

    def pool(self, pool_id: str) -> Any:
        return self.tab.locator(f'details[id="{pool_anchor(pool_id)}"]')

    def choose(self, name: str, value: str) -> None:
        self.tab.locator(f'input[name="{name}"][value="{value}"]').check(force=True)

    def filter(self, name: str, value: str) -> None:
        self.tab.locator(f'.filters select[name="{name}"]').select_option(value)

    def table(self, name: str) -> Any:
        """A table by the name that its sort and file have."""
        return self.tab.locator(f'.framed[data-table="{name}"], .framed:has(> .scroll > table[data-table="{name}"])')

    def figure(self, pool_id: str, chart: str) -> Any:
        """A chart of a pool, drawn."""
        found = self.pool(pool_id).locator(f'figure[data-chart="{chart}"]')
        found.scroll_into_view_if_needed()
        found.locator("canvas").first.wait_for(timeout=PATIENCE)
        return found

    def go(self, fragment: str) -> None:
        """As if the fragment had been typed into the address."""
        self.tab.evaluate("fragment => { location.hash = fragment }", fragment)
        self.tab.wait_for_function("fragment => location.hash === fragment", arg=fragment or "")

    def fragment(self) -> str:
        return self.tab.evaluate("location.hash")


def open_report(browser: Browser, report_file: Path, fragment: str = "", **context: Any) -> Opened:
    """The report in a context of its own, whose network is off."""
    tab = browser.new_context(**{"offline": True, "viewport": DESKTOP} | context).new_page()
    tab.set_default_timeout(PATIENCE / 2)
    opened = Opened(tab, report_file.as_uri())
    tab.on("console", lambda message: opened.complaints.append(message.text))
    tab.on("pageerror", lambda error: opened.complaints.append(str(error)))
    tab.on("request", lambda request: opened.requests.append(request.url))
    tab.goto(opened.address + fragment)
    if context.get("java_script_enabled", True):
        tab.wait_for_selector("html[data-ready]", timeout=PATIENCE)
    return opened


def values(cells: Any) -> list[float | None]:
    """The exact numbers behind the texts of table cells."""
    return numbers(cells.evaluate_all("cells => cells.map(cell => cell.dataset.value)"))


def numbers(texts: Iterable[str | None]) -> list[float | None]:
    """What stands behind the texts of cells, as numbers; None where nothing is known."""
    return [float(text) if text else None for text in texts]


def rows(found: Any, key: str, names: Sequence[str] | None = None) -> list[tuple[str | None, list[str | None]]]:
    """Of each table row the attribute `key` of its data, and the exact texts behind its cells of these columns, or all.

    All in one question to the browser; one for each cell takes longer than everything else that a test does.
    """
    return found.evaluate_all(
        """
        (rows, [key, names]) => rows.map((row) => {
            const cells = names
                ? names.map((name) => row.querySelector(`td[data-column="${name}"]`))
                : [...row.querySelectorAll("td[data-column]")];
            return [row.dataset[key] ?? null, cells.map((cell) => cell.dataset.value ?? null)];
        })
        """,
        [key, names],
    )


def column(opened_table: Any, name: str) -> list[str]:
    """The exact texts behind one column's cells of the body."""
    cells = opened_table.locator(f'tbody td[data-column="{name}"]')
    return cells.evaluate_all("cells => cells.map(cell => cell.dataset.value)")


def heads(opened_table: Any) -> list[str]:
    """The texts of the rows' first cells, without remarks."""
    rows = opened_table.locator("tbody th[scope=row]")
    return rows.evaluate_all("cells => cells.map(cell => cell.firstChild.textContent.trim())")
