"""The page of a report whose profiles, marks and statistics are too many for it, in a real browser."""

from pathlib import Path

import duckdb
import pytest
from playwright.sync_api import Browser

from usage_pipeline.config import ReportSettings
from usage_pipeline.report import chart_levels, chart_series, page_data
from usage_pipeline.report.write import write_report
from usage_pipeline_tests.report.browser import open_report
from usage_pipeline_tests.report.sample import GENERATED_AT, SEARCH_PROFILE, SONNET_POOL

pytestmark = pytest.mark.browser

IN_TABLE = """
    select strftime(time_bucket(interval 15 minutes, ts), '%H:%M'), max(consumed_tokens), min(consumed_tokens)
    from marts.usage_minutely
    where pool_id = ? and profile_id = ? and ts >= timestamp '2026-11-15 09:15'
    group by 1
"""

ON_PAGE = """
    table => {
        const heads = [...table.querySelectorAll("thead th")].map((head) => head.textContent);
        const rows = [...table.querySelectorAll("tbody tr")].map(({ children }) => [...children]);
        const place = (name) => heads.findIndex((head) => head.startsWith(name));
        const [highest, lowest] = [place("search, highest per 15 minutes"), place("search, lowest per 15 minutes")];
        const value = (cells, place) => Number(cells[place].dataset.value);
        return rows.map((cells) => [cells[0].textContent, value(cells, highest), value(cells, lowest)]);
    }
"""


def test_what_is_coarser_or_left_out_is_said_and_equals_the_tables(
    browser: Browser, logged: duckdb.DuckDBPyConnection, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(chart_levels, "MOST_PROFILE_POINTS", 12)
    monkeypatch.setattr(chart_series, "MOST_MARKED_VALUES", 0)
    monkeypatch.setattr(page_data, "MOST_PROFILE_STATISTICS", 0)
    write_report(logged, tmp_path / "report.html", tmp_path / "report.json", ReportSettings(), GENERATED_AT)
    opened = open_report(browser, tmp_path / "report.html")

    opened.choose("window", "1hour")
    figure = opened.figure(SONNET_POOL, "tpm")
    assert "Of each profile, the highest minute of each 15 minutes" in figure.locator(".under").first.inner_text()
    figure.locator(".twin-toggle").click()
    figure.locator("tbody tr").first.wait_for()
    on_page = {
        (f"{time[-5:-2]}{int(time[-2:]) // 15 * 15:02}", highest, lowest)
        for time, highest, lowest in figure.locator("table").evaluate(ON_PAGE)
    }
    assert on_page == set(logged.execute(IN_TABLE, [SONNET_POOL, SEARCH_PROFILE]).fetchall())

    opened.choose("window", "30days")
    figure.locator(".twin-toggle").click()
    opened.tab.wait_for_function("document.querySelector('figure[data-chart=tpm] .under').textContent.includes('line')")
    pool = opened.pool(SONNET_POOL)
    assert "each is marked on the quota's line" in figure.locator(".under").first.inner_text()
    assert "4 profiles with less use are not on this page" in " ".join(pool.locator("p.under").all_inner_texts())
    assert pool.locator('[data-table="contributions"] tr[data-profile]').count() == 4
    assert opened.complaints == []
    opened.tab.context.close()
