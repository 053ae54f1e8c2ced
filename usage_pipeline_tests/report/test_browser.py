"""The numbers and charts of the report in a real browser are those of the tables."""

import re
from pathlib import Path
from typing import Any

import duckdb
import pytest
from playwright.sync_api import Browser, expect

from usage_pipeline_tests.report.browser import DESKTOP, PATIENCE, Opened, numbers, open_report, rows, values
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


def test_risk_table_equals_the_tables(opened: Opened, logged: duckdb.DuckDBPyConnection) -> None:
    in_tables = logged.execute("""
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
    names = ("utilization_peak", "throttles", "consumed_tokens")
    found = rows(opened.tab.locator("#pools tbody tr"), "pool", names)
    on_page = [(pool, *numbers(cells)) for pool, cells in found]
    assert sorted(on_page, key=str) == sorted(in_tables, key=str)


@pytest.mark.parametrize("window", ["1hour", "1day", "7days", "14days", "30days"])
@pytest.mark.parametrize("basis", ["active", "all"])
def test_statistics_equal_the_table_in_every_window(
    opened: Opened, logged: duckdb.DuckDBPyConnection, window: str, basis: str
) -> None:
    opened.choose("window", window)
    opened.choose("basis", basis)
    columns = ("p50", "p90", "p95", "p99", "p999", "max", "average", "total", "data_points")
    in_table = {
        row[0]: list(row[1:])
        for row in logged.execute(
            f"select metric, {', '.join(columns)} from marts.usage_statistics "
            "where pool_id = ? and profile_id = 'ALL' and window_name = ? and basis in ('active', ?) "
            # Latency has no idle minutes: its row of minutes with traffic stays.
            "order by basis = ?",
            [SONNET_POOL, window, basis, basis],
        ).fetchall()
    }
    found = rows(opened.pool(SONNET_POOL).locator('[data-table="statistics"] tr[data-metric]'), "metric")
    on_page = {metric: numbers(cells) for metric, cells in found}
    assert on_page == in_table
    assert len(on_page) >= 14


def test_statistics_of_one_profile_can_be_chosen(opened: Opened, logged: duckdb.DuckDBPyConnection) -> None:
    opened.choose("window", "1day")
    pool = opened.pool(SONNET_POOL)
    pool.locator("select[aria-label=Profile]").select_option(SEARCH_PROFILE)
    (in_table,) = logged.execute(
        "select p50, max, total from marts.usage_statistics where pool_id = ? and profile_id = ? "
        "and window_name = '1day' and metric = 'tpm' and basis = 'active'",
        [SONNET_POOL, SEARCH_PROFILE],
    ).fetchall()
    row = pool.locator(f'tr[data-metric="tpm"][data-profile="{SEARCH_PROFILE}"]')
    on_page = [values(row.locator(f'td[data-column="{name}"]'))[0] for name in ("p50", "max", "total")]
    pool.locator("select[aria-label=Profile]").select_option("ALL")
    assert on_page == list(in_table)


def test_contributions_equal_the_tables_and_show_tags(opened: Opened) -> None:
    opened.choose("window", "1day")
    row = opened.pool(SONNET_POOL).locator(f'[data-table="contributions"] tr[data-profile="{SEARCH_PROFILE}"]')
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
    cells = pool.locator('tr[data-quota="tpm"] td').all_text_contents()
    assert cells[0].strip().startswith("unknown")
    assert cells[2].strip() == "unknown"


def test_hostile_name_and_tag_stay_text(opened: Opened) -> None:
    head = opened.pool(SONNET_POOL).locator(f'tr[data-profile="{HOSTILE_PROFILE}"]').first
    assert HOSTILE_NAME in head.inner_text()
    assert f"team={HOSTILE_TAG}" in head.inner_text()
    tags = opened.tab.locator(".filters select[name=tag] option").all_text_contents()
    assert f"team={HOSTILE_TAG}" in tags
    assert opened.tab.locator("body img").count() == 0
    assert opened.tab.locator("main b", has_text=re.compile("^x")).count() == 0


def series_of(opened: Opened, chart: str) -> dict[str, dict[str, Any]]:
    """The lines of a chart of the Sonnet pool, as the chart library holds them."""
    series = opened.figure(SONNET_POOL, chart).evaluate(
        "figure => figure.report.echart.getOption().series.map(({name, lineStyle, data}) => ({name, lineStyle, data}))"
    )
    return {line["name"]: line for line in series}


def highest(line: dict[str, Any]) -> float:
    return max(value or 0 for _, value in line["data"])


def test_charts_follow_the_window(opened: Opened) -> None:
    opened.choose("window", "1hour")
    caption = opened.figure(SONNET_POOL, "tpm").locator(".under")
    expect(caption).to_have_text("Consumed tokens of each minute.", timeout=PATIENCE)
    assert highest(series_of(opened, "tpm")["ALL"]) == 22_000
    opened.choose("window", "7days")
    expect(caption).to_have_text("Consumed tokens; the highest minute of each 5 minutes.", timeout=PATIENCE)
    assert highest(series_of(opened, "tpm")["ALL"]) == 22_000
    assert opened.tab.locator("#window-span").inner_text() == "2026-11-08 10:27 – 2026-11-15 10:27 UTC"


def test_quota_is_a_dashed_line_and_over_minutes_are_marked(opened: Opened) -> None:
    found = series_of(opened, "tpm")
    known = {name: sum(value is not None for _, value in line["data"]) for name, line in found.items()}
    assert found["quota"]["lineStyle"]["type"] == "dashed"
    assert (known["quota"], known["over"], known["throttled"]) == (2, 1, 1)
    assert {SEARCH_PROFILE, HOSTILE_PROFILE} <= set(found)


def test_running_total_of_the_day_is_the_day_s_sum(opened: Opened, logged: duckdb.DuckDBPyConnection) -> None:
    opened.choose("window", "1day")
    (total,) = logged.execute(
        "select max(day_tokens_running) from marts.quota_usage_minutely "
        "where pool_id = ? and usage_date = '2026-11-15'",
        [SONNET_POOL],
    ).fetchone() or (None,)
    assert highest(series_of(opened, "tpd")["ALL"]) == total


def test_contribution_by_day_adds_up_to_the_pool(opened: Opened, logged: duckdb.DuckDBPyConnection) -> None:
    (total,) = logged.execute(
        "select sum(consumed_tokens) from marts.usage_minutely where pool_id = ?", [SONNET_POOL]
    ).fetchone() or (None,)
    bars = opened.figure(SONNET_POOL, "contribution").evaluate(
        "figure => figure.report.echart.getOption().series.flatMap(({data}) => data)"
    )
    assert sum(value or 0 for value in bars) == total


def test_time_that_was_not_read_is_a_gap_not_zero(opened: Opened) -> None:
    opened.choose("window", "7days")
    points = series_of(opened, "tpm")["ALL"]["data"]
    first_read = 1_794_528_000_000  # 2026-11-13T00:00Z
    assert {value for time, value in points if time < first_read - 300_000} == {None}
    assert None not in {value for time, value in points if time >= first_read}


def test_charts_out_of_sight_are_not_made(browser: Browser, logged_page: Path) -> None:
    opened = open_report(browser, logged_page)
    assert opened.tab.evaluate("typeof echarts") == "undefined"
    latency = opened.pool(LITE_POOL).locator('figure[data-chart="latency"]')
    assert latency.locator("canvas").count() == 0
    latency.scroll_into_view_if_needed()
    latency.locator("canvas").first.wait_for(timeout=PATIENCE)
    assert opened.complaints == []
    opened.tab.context.close()


@pytest.mark.parametrize(("fragment", "chart"), [("#costs", "daily-cost"), ("#details", "tpm")])
def test_charts_of_what_the_address_names_come_first(
    browser: Browser, logged_page: Path, fragment: str, chart: str
) -> None:
    opened = open_report(browser, logged_page, fragment)
    times = opened.tab.evaluate(
        "['first-chart', 'complete'].map(name => performance.getEntriesByName(name)[0].startTime)"
    )
    assert times[0] < times[1]
    figure = opened.tab.locator(f'figure[data-chart="{chart}"]').first
    assert figure.locator("canvas").count() > 0
    # What was made above it meanwhile has not moved it.
    top = opened.tab.evaluate("id => document.getElementById(id).getBoundingClientRect().top", fragment[1:])
    assert 0 <= top < 150
    opened.tab.locator(f'.sections a[aria-current][href="{fragment}"]').wait_for(timeout=5000)
    assert opened.complaints == []
    opened.tab.context.close()


def test_a_complete_page_hides_nothing_that_is_out_of_sight(opened: Opened) -> None:
    kept_back = "sections => sections.filter(one => getComputedStyle(one).contentVisibility !== 'visible').length"
    assert opened.tab.locator("main > section").evaluate_all(kept_back) == 0


def test_charts_follow_the_size_of_the_window(opened: Opened) -> None:
    figure = opened.figure(SONNET_POOL, "tpm")
    opened.tab.set_viewport_size({"width": 900, "height": 700})
    opened.tab.wait_for_function(
        "figure => figure.report.echart.getWidth() === figure.report.canvas.clientWidth", arg=figure.element_handle()
    )
    assert figure.evaluate("figure => figure.report.echart.getWidth()") < 860
    opened.tab.set_viewport_size(DESKTOP)


def test_a_stretch_of_a_chart_can_be_drawn_larger_and_tells_its_values(browser: Browser, logged_page: Path) -> None:
    opened = open_report(browser, logged_page)
    figure = opened.figure(SONNET_POOL, "tpm")
    span = (
        "figure => { const axis = figure.report.echart.getModel().getComponent('xAxis', 0).axis;"
        " return axis.scale.getExtent()[1] - axis.scale.getExtent()[0] }"
    )
    whole = figure.evaluate(span)
    figure.evaluate(
        "figure => figure.report.echart.dispatchAction({"
        "type: 'takeGlobalCursor', key: 'dataZoomSelect', dataZoomSelectActive: true})"
    )
    box = figure.locator("canvas").first.bounding_box()
    assert box
    mouse, height = opened.tab.mouse, box["y"] + box["height"] / 2
    mouse.move(box["x"] + box["width"] / 2, height)
    expect(figure.locator(".tooltip")).to_contain_text("UTC", timeout=PATIENCE)
    mouse.down()
    mouse.move(box["x"] + 3 * box["width"] / 4, height, steps=5)
    mouse.up()
    assert 0.15 < figure.evaluate(span) / whole < 0.35
    assert opened.complaints == []
    opened.tab.context.close()


def test_hours_of_the_week_have_the_highest_minute(opened: Opened) -> None:
    pool = opened.pool(SONNET_POOL)
    pool.locator("select[aria-label=Show]").select_option("tpm_max")
    sunday = pool.locator("table.heat tbody tr").nth(6).locator("td")
    assert values(sunday)[10] == 22_000
    monday = pool.locator("table.heat tbody tr").nth(0).locator("td")
    assert values(monday) == [None] * 24


def test_throttles_name_their_cause(opened: Opened, logged: duckdb.DuckDBPyConnection) -> None:
    (in_table,) = logged.execute("select throttles, throttled_minutes from marts.throttle_causes_daily").fetchall()
    row = opened.table("causes").locator("tbody tr")
    assert row.get_attribute("data-pool") == SONNET_POOL
    assert "requests per minute" in row.inner_text()
    assert values(row.locator("td[data-value]"))[:2] == list(in_table)


def test_link_in_the_risk_table_opens_its_pool(opened: Opened) -> None:
    assert opened.pool(PIXTRAL_POOL).get_attribute("open") is None
    opened.tab.locator(f'#pools tr[data-pool="{PIXTRAL_POOL}"] a').first.click()
    opened.pool(PIXTRAL_POOL).locator("figure").first.wait_for()
    assert opened.pool(PIXTRAL_POOL).get_attribute("open") is not None


def test_pools_without_use_are_folded_away(opened: Opened) -> None:
    row = opened.tab.locator(f'#unused tr[data-pool="{MICRO_POOL}"]')
    assert row.count() == 1
    assert not row.is_visible()
    opened.tab.locator("#unused summary").first.click()
    assert row.is_visible()


def test_failures_are_on_the_first_screen(opened: Opened) -> None:
    opened.tab.evaluate("scrollTo(0, 0)")
    problems = opened.tab.locator(".problems")
    assert (problems.bounding_box() or {"y": 9999})["y"] < 1000
    text = problems.inner_text()
    assert "research" in text
    assert "access denied, 1 day (AccessDenied: not authorized to perform: cloudwatch:GetMetricData)" in text
    assert "every scope answered for cloudwatch metrics" in text


def test_a_report_without_logs_and_one_without_use_need_no_more(
    browser: Browser, written: tuple[Path, Path, Any]
) -> None:
    opened = open_report(browser, written[0])
    assert opened.tab.locator(".filters select[name=account]").count() == 1
    assert opened.tab.locator("#caller-filter").count() == 0
    assert "No invocation log has been read" in opened.tab.locator("#costs").inner_text()
    assert opened.complaints == []
    opened.tab.context.close()
