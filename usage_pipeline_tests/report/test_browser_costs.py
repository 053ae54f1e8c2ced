"""Cost and callers in a real browser: tables, filter, chart."""

from collections.abc import Iterator
from decimal import Decimal
from pathlib import Path
from typing import Any

import duckdb
import pytest
from playwright.sync_api import Browser

from usage_pipeline_tests.report.cost_sample import HOSTILE_APPLICATION, HOSTILE_ROLE
from usage_pipeline_tests.report.test_browser import Opened, browser, open_report

__all__ = ["browser"]  # the fixture

pytestmark = pytest.mark.browser


@pytest.fixture
def opened(browser: Browser, logged_page: Path) -> Iterator[Opened]:
    found = open_report(browser, logged_page, viewport={"width": 1360, "height": 1000})
    yield found
    assert found.complaints == []
    found.tab.context.close()


def table(opened: Opened, subject: str) -> Any:
    return opened.tab.locator(f'#cost-tables [data-subject="{subject}"]')


def names(opened: Opened, subject: str) -> list[str]:
    rows = table(opened, subject).locator("tbody tr")
    return rows.evaluate_all("rows => rows.map(row => row.dataset.name)")


def exact(rows: Any, column: str) -> list[str]:
    return rows.locator(f'td[data-column="{column}"]').evaluate_all("cells => cells.map(cell => cell.dataset.value)")


COLUMNS = ("calls", "errors", "input_tokens", "cache_write_tokens", "input_cost_usd", "cost_usd", "unpriced_calls")


@pytest.mark.parametrize(
    ("subject", "column"), [("application", "application"), ("caller", "role_or_user"), ("model", "model_id")]
)
def test_rows_and_totals_are_the_tables(
    opened: Opened, logged: duckdb.DuckDBPyConnection, subject: str, column: str
) -> None:
    sums = ", ".join(f"sum({name})" for name in COLUMNS)
    found = logged.execute(f"select {sums} from marts.usage_daily group by {column}").fetchall()
    (total,) = logged.execute(f"select {sums} from marts.usage_daily").fetchall()
    rows, footer = table(opened, subject).locator("tbody tr"), table(opened, subject).locator("tfoot")
    on_page = [tuple(exact(row, name)[0] for name in COLUMNS) for row in rows.all()]
    assert sorted(on_page) == sorted(tuple("" if value is None else str(value) for value in row) for row in found)
    assert [Decimal(exact(footer, name)[0]) for name in COLUMNS] == [Decimal(value) for value in total]


def test_less_than_a_cent_is_not_nothing(opened: Opened) -> None:
    row = table(opened, "caller").locator('tr[data-name="Alice"]')
    assert row.locator('td[data-column="cost_usd"]').inner_text() == "≥ < 0.01"
    assert row.locator('td[data-column="cache_read_cost_usd"]').inner_text() == "≥ 0.00"


def test_cost_without_a_price_is_unknown(opened: Opened) -> None:
    row = table(opened, "model").locator('tr[data-name="Pixtral Large"]')
    assert row.locator('td[data-column="cost_usd"]').inner_text() == "unknown"
    assert row.locator('td[data-column="share"]').inner_text() == "unknown"
    assert row.locator('td[data-column="calls"]').inner_text() == "1"


def test_filter_is_literal_and_tells_cases_apart(opened: Opened) -> None:
    box = opened.tab.locator("#caller-filter")
    box.fill("Alice")
    assert names(opened, "caller") == ["Alice"]
    assert names(opened, "application") == []
    box.fill(".*")
    assert names(opened, "caller") == []
    box.fill("(un")
    assert names(opened, "application") == ["(unattributed)"]
    box.fill(HOSTILE_APPLICATION)
    assert names(opened, "caller") == [HOSTILE_ROLE]
    assert names(opened, "application") == [HOSTILE_APPLICATION]
    box.fill("")
    assert len(names(opened, "application")) == 13


def test_filter_leaves_the_sum_of_its_rows(opened: Opened) -> None:
    opened.tab.locator("#caller-filter").fill("small-")
    footer = table(opened, "application").locator("tfoot")
    assert footer.locator("th").inner_text() == "Total of 9 of 13"
    assert exact(footer, "calls") == ["9"]
    assert Decimal(exact(footer, "cost_usd")[0]) == 9 * Decimal("0.00600024")
    assert table(opened, "model").locator("tfoot th").inner_text() == "Total"


def test_hostile_names_make_no_elements(opened: Opened) -> None:
    assert HOSTILE_APPLICATION in table(opened, "application").inner_text()
    assert HOSTILE_ROLE in table(opened, "caller").inner_text()
    assert opened.tab.locator("body img").count() == 0


def test_chart_stacks_the_days_costs(opened: Opened, logged: duckdb.DuckDBPyConnection) -> None:
    figure = opened.tab.locator('figure[data-chart="daily-cost"]')
    figure.scroll_into_view_if_needed()
    figure.locator("canvas").first.wait_for()
    bars = figure.evaluate(
        "figure => figure.report.echart.getOption().series.map(({stack, data}) => [stack, data.at(-1)])"
    )
    (total,) = logged.execute("select sum(cost_usd)::double from marts.usage_daily").fetchone() or (None,)
    assert {stack for stack, _ in bars} == {"cost"}
    assert len(bars) == 9
    assert sum(value for _, value in bars) == pytest.approx(total)


def test_phone_needs_no_sideways_scrolling_of_the_page(browser: Browser, logged_page: Path) -> None:
    opened = open_report(browser, logged_page, viewport={"width": 390, "height": 844})
    opened.tab.wait_for_timeout(300)
    assert opened.tab.evaluate("document.documentElement.scrollWidth") == 390
    assert opened.complaints == []
    opened.tab.context.close()
