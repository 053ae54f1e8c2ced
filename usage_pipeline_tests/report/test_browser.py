"""The report in a real browser, opened from a file with the network off."""

import os
import re
import shutil
from collections.abc import Iterator
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import duckdb
import pytest
from playwright.sync_api import Browser, Page, expect, sync_playwright

from usage_pipeline.report.anchors import pool_anchor
from usage_pipeline.report.contents import ReportSummary
from usage_pipeline_tests.report.sample import (
    HOSTILE_NAME,
    HOSTILE_PROFILE,
    HOSTILE_TAG,
    LITE_POOL,
    MICRO_POOL,
    PIXTRAL_POOL,
    SEARCH_PROFILE,
    SONNET_POOL,
)

pytestmark = pytest.mark.browser

# Without these, Chromium looks for its maker's servers at every start.
QUIET_START = [
    "--no-sandbox",
    "--disable-gpu",
    "--disable-quic",
    "--no-first-run",
    "--disable-background-networking",
    "--disable-component-update",
    "--disable-sync",
]

PATIENCE = 30_000
"""Milliseconds until a chart must have been drawn, on a machine with much else to do."""

CHROMIUM_NAMES = ("chromium", "chromium-browser", "google-chrome")


def find_chromium() -> str | None:
    """The browser that CHROMIUM names, else the one on the path."""
    named = os.environ.get("CHROMIUM")
    return named or next((found for name in CHROMIUM_NAMES if (found := shutil.which(name))), None)


@pytest.fixture(scope="module")
def browser() -> Iterator[Browser]:
    chromium = find_chromium()
    if chromium is None:
        pytest.skip(f"no Chromium: none of {', '.join(CHROMIUM_NAMES)} is on the path and CHROMIUM is not set")
    with sync_playwright() as playwright:
        started = playwright.chromium.launch(executable_path=chromium, args=QUIET_START)
        yield started
        started.close()


@dataclass
class Opened:
    """The report in one tab, with everything that the tab complained about or asked for."""

    tab: Page
    complaints: list[str] = field(default_factory=list[str])
    requests: list[str] = field(default_factory=list[str])

    def pool(self, pool_id: str) -> Any:
        return self.tab.locator(f'details[id="{pool_anchor(pool_id)}"]')

    def choose(self, name: str, value: str) -> None:
        self.tab.locator(f'input[name="{name}"][value="{value}"]').check(force=True)


def open_report(browser: Browser, report_file: Path, **context: Any) -> Opened:
    tab = browser.new_context(offline=True, **context).new_page()
    opened = Opened(tab)
    tab.on("console", lambda message: opened.complaints.append(message.text))
    tab.on("pageerror", lambda error: opened.complaints.append(str(error)))
    tab.on("request", lambda request: opened.requests.append(request.url))
    tab.goto(report_file.as_uri())
    tab.wait_for_selector("html[data-ready]")
    return opened


@pytest.fixture
def opened(browser: Browser, written: tuple[Path, Path, ReportSummary]) -> Iterator[Opened]:
    found = open_report(browser, written[0], viewport={"width": 1360, "height": 1000})
    yield found
    assert found.complaints == []
    found.tab.context.close()


def values(cells: Any) -> list[float | None]:
    """The exact numbers behind the texts of table cells."""
    texts = cells.evaluate_all("cells => cells.map(cell => cell.dataset.value)")
    return [float(text) if text else None for text in texts]


def test_page_asks_for_nothing_but_itself(opened: Opened, written: tuple[Path, Path, ReportSummary]) -> None:
    opened.tab.locator("#open-all").click()
    opened.tab.locator("#notes").scroll_into_view_if_needed()
    opened.tab.wait_for_timeout(300)
    assert opened.requests == [written[0].as_uri()]


def test_risk_table_equals_the_tables(opened: Opened, sample: duckdb.DuckDBPyConnection) -> None:
    in_tables = sample.execute("""
        select
            pool_id,
            max(utilization_peak),
            max(throttles) filter (where quota = 'tpd')::double,
            sum(peak) filter (where quota = 'tpd')
        from (
            select pool_id, quota, max(utilization_peak) as utilization_peak, sum(throttles) as throttles,
                sum(peak) as peak
            from marts.quota_headroom
            group by pool_id, quota
        )
        group by pool_id
        order by pool_id
    """).fetchall()
    on_page: list[tuple[Any, ...]] = []
    for row in opened.tab.locator("#pools tbody tr").all():
        on_page.append((row.get_attribute("data-pool"), *values(row.locator("td[data-value]"))))
    assert sorted(on_page, key=str) == sorted(in_tables, key=str)


@pytest.mark.parametrize("window", ["1hour", "1day", "7days", "14days", "30days"])
@pytest.mark.parametrize("basis", ["active", "all"])
def test_statistics_equal_the_table_in_every_window(
    opened: Opened, sample: duckdb.DuckDBPyConnection, window: str, basis: str
) -> None:
    opened.choose("window", window)
    opened.choose("basis", basis)
    columns = ("p50", "p90", "p95", "p99", "p999", "max", "average", "total", "data_points")
    in_table = {
        row[0]: list(row[1:])
        for row in sample.execute(
            f"select metric, {', '.join(columns)} from marts.usage_statistics "
            "where pool_id = ? and profile_id = 'ALL' and window_name = ? and basis in ('active', ?) "
            # Latency has no idle minutes: its row of minutes with traffic stays.
            "order by basis = ?",
            [SONNET_POOL, window, basis, basis],
        ).fetchall()
    }
    on_page = {
        row.get_attribute("data-metric"): values(row.locator("td[data-column]"))
        for row in opened.pool(SONNET_POOL).locator("tr[data-metric]").all()
    }
    assert on_page == in_table
    assert len(on_page) >= 14


def test_statistics_of_one_profile_can_be_chosen(opened: Opened, sample: duckdb.DuckDBPyConnection) -> None:
    opened.choose("window", "1day")
    pool = opened.pool(SONNET_POOL)
    pool.locator("select").select_option(SEARCH_PROFILE)
    (in_table,) = sample.execute(
        "select p50, max, total from marts.usage_statistics where pool_id = ? and profile_id = ? "
        "and window_name = '1day' and metric = 'tpm' and basis = 'active'",
        [SONNET_POOL, SEARCH_PROFILE],
    ).fetchall()
    row = pool.locator(f'tr[data-metric="tpm"][data-profile="{SEARCH_PROFILE}"]')
    on_page = [values(row.locator(f'td[data-column="{name}"]'))[0] for name in ("p50", "max", "total")]
    assert on_page == list(in_table)


def test_contributions_equal_the_tables_and_show_tags(opened: Opened) -> None:
    opened.choose("window", "1day")
    row = opened.pool(SONNET_POOL).locator(f'tr[data-profile="{SEARCH_PROFILE}"]').first
    assert values(row.locator('td[data-column="consumed_tokens"]')) == [52_435]
    assert "team=search" in row.inner_text()


def test_quotas_show_value_code_and_console_link(opened: Opened) -> None:
    row = opened.pool(SONNET_POOL).locator('tr[data-quota="tpm"]')
    assert values(row.locator('td[data-column="limit_value"]')) == [20_000]
    assert "20,000 tokens/min" in row.inner_text()
    assert "applied to this account, 2026-11-15" in row.inner_text()
    link = row.locator("a")
    assert link.inner_text() == "L-00000001"
    assert link.get_attribute("href") == (
        "https://us-east-1.console.aws.amazon.com/servicequotas/home/services/bedrock/quotas/L-00000001"
    )


def test_unknown_limit_is_written_as_unknown(opened: Opened) -> None:
    pool = opened.pool(PIXTRAL_POOL)
    pool.locator("summary").first.click()
    cells = pool.locator('tr[data-quota="tpm"] td').all_inner_texts()
    assert cells[0].startswith("unknown")
    assert cells[2] == "unknown"


def test_hostile_name_and_tag_stay_text(opened: Opened) -> None:
    head = opened.pool(SONNET_POOL).locator(f'tr[data-profile="{HOSTILE_PROFILE}"]').first
    assert HOSTILE_NAME in head.inner_text()
    assert f"team={HOSTILE_TAG}" in head.inner_text()
    assert opened.tab.locator("body img").count() == 0
    assert opened.tab.locator("main b", has_text=re.compile("^x")).count() == 0


def test_charts_follow_the_window(opened: Opened) -> None:
    figure = opened.pool(SONNET_POOL).locator('figure[data-chart="tpm"]')
    figure.scroll_into_view_if_needed()
    figure.locator("canvas").first.wait_for()
    opened.choose("window", "1hour")
    figure.scroll_into_view_if_needed()
    caption = figure.locator(".under")
    expect(caption).to_have_text("Consumed tokens of each minute.", timeout=PATIENCE)
    assert chart_maximum(opened, "tpm") == 22_000
    opened.choose("window", "30days")
    figure.scroll_into_view_if_needed()
    expect(caption).to_have_text("Consumed tokens; the highest minute of each hour.", timeout=PATIENCE)
    assert chart_maximum(opened, "tpm") == 22_000
    assert opened.tab.locator("#window-span").inner_text() == "2026-10-16 10:27 – 2026-11-15 10:27 UTC"


def chart_maximum(opened: Opened, chart: str) -> float:
    """The highest point of the pool's own line, as the chart library holds it."""
    return (
        opened.pool(SONNET_POOL)
        .locator(f'figure[data-chart="{chart}"]')
        .evaluate("figure => Math.max(...figure.report.echart.getOption().series[0].data.map(point => point[1] ?? 0))")
    )


def test_quota_is_a_dashed_line_and_over_minutes_are_marked(opened: Opened) -> None:
    figure = opened.pool(SONNET_POOL).locator('figure[data-chart="tpm"]')
    figure.scroll_into_view_if_needed()
    figure.locator("canvas").first.wait_for()
    series = figure.evaluate(
        "figure => figure.report.echart.getOption().series.map("
        "series => [series.name, series.lineStyle?.type, series.data.filter(point => point[1] !== null).length])"
    )
    found = {name: (dash, points) for name, dash, points in series}
    assert found["quota"] == ("dashed", 2)
    assert found["over"][1] == 1
    assert found["throttled"][1] == 1
    assert {SEARCH_PROFILE, HOSTILE_PROFILE} <= set(found)


def test_time_that_was_not_read_is_a_gap_not_zero(opened: Opened) -> None:
    opened.choose("window", "7days")
    figure = opened.pool(SONNET_POOL).locator('figure[data-chart="tpm"]')
    figure.scroll_into_view_if_needed()
    figure.locator("canvas").first.wait_for()
    points = figure.evaluate("figure => figure.report.echart.getOption().series[0].data")
    first_read = 1_794_528_000_000  # 2026-11-13T00:00Z
    assert {value for time, value in points if time < first_read - 300_000} == {None}
    assert None not in {value for time, value in points if time >= first_read}


def test_charts_out_of_sight_are_not_made(opened: Opened) -> None:
    pool = opened.pool(LITE_POOL)
    assert pool.locator("figure").count() == 5
    assert pool.locator('figure[data-chart="latency"] canvas').count() == 0
    pool.locator('figure[data-chart="latency"]').scroll_into_view_if_needed()
    pool.locator('figure[data-chart="latency"] canvas').first.wait_for()


def test_link_in_the_risk_table_opens_its_pool(opened: Opened) -> None:
    assert opened.pool(PIXTRAL_POOL).get_attribute("open") is None
    opened.tab.locator(f'tr[data-pool="{PIXTRAL_POOL}"] a').first.click()
    opened.pool(PIXTRAL_POOL).locator("figure").first.wait_for()
    assert opened.pool(PIXTRAL_POOL).get_attribute("open") is not None


def test_pools_without_use_are_folded_away(opened: Opened) -> None:
    row = opened.tab.locator(f'#unused tr[data-pool="{MICRO_POOL}"]')
    assert row.count() == 1
    assert not row.is_visible()
    opened.tab.locator("#unused summary").click()
    assert row.is_visible()


def test_failures_are_on_the_first_screen(opened: Opened) -> None:
    problems = opened.tab.locator(".problems")
    assert (problems.bounding_box() or {"y": 9999})["y"] < 1000
    text = problems.inner_text()
    assert "research" in text
    assert "access denied, 1 day (AccessDenied: not authorized to perform: cloudwatch:GetMetricData)" in text
    assert "every scope answered for cloudwatch metrics" in text


@pytest.mark.parametrize("scheme", ["light", "dark"])
def test_phone_needs_no_sideways_scrolling_of_the_page(
    browser: Browser, written: tuple[Path, Path, ReportSummary], scheme: str
) -> None:
    opened = open_report(browser, written[0], viewport={"width": 390, "height": 844}, color_scheme=scheme)
    opened.tab.locator("#open-all").click()
    opened.tab.locator("#unused summary").click()
    opened.tab.wait_for_timeout(300)
    assert opened.tab.evaluate("document.documentElement.scrollWidth") == 390
    assert opened.complaints == []
    opened.tab.context.close()


def test_page_is_dark_where_the_system_is(browser: Browser, written: tuple[Path, Path, ReportSummary]) -> None:
    grounds: list[str] = []
    for scheme in ("light", "dark"):
        opened = open_report(browser, written[0], color_scheme=scheme)
        grounds.append(opened.tab.evaluate("getComputedStyle(document.body).backgroundColor"))
        opened.tab.context.close()
    assert grounds == ["rgb(246, 247, 249)", "rgb(18, 21, 26)"]
