"""Cost and callers in a real browser: tables, filters, charts."""

from decimal import Decimal
from typing import Any

import duckdb
import pytest

from usage_pipeline_tests.report.browser import Opened, rows
from usage_pipeline_tests.report.cost_sample import HOSTILE_APPLICATION, HOSTILE_ROLE
from usage_pipeline_tests.report.sample import LITE, SONNET

pytestmark = pytest.mark.browser


def table(opened: Opened, subject: str) -> Any:
    return opened.tab.locator(f'#cost-tables [data-subject="{subject}"]')


def names(opened: Opened, subject: str) -> list[str]:
    rows = table(opened, subject).locator("tbody tr")
    return rows.evaluate_all("rows => rows.map(row => row.dataset.name)")


def exact(rows: Any, column: str) -> list[str]:
    return rows.locator(f'td[data-column="{column}"]').evaluate_all("cells => cells.map(cell => cell.dataset.value)")


def filter_callers(opened: Opened, text: str) -> None:
    opened.tab.locator("#caller-filter").fill(text)
    opened.tab.wait_for_function(
        "text => new URLSearchParams(location.hash.split('?')[1]).get('caller') === text", arg=text
    )


COLUMNS = {
    "calls": "calls",
    "errors": "errors",
    "input_tokens": "input_tokens",
    "cache_write_tokens": "cache_write_tokens",
    "input_cost": "input_cost_usd",
    "cost": "cost_usd",
    "unpriced_calls": "unpriced_calls",
}
"""Columns of the page, and of `marts.usage_daily`."""

SUMS = ", ".join(f"sum({name})" for name in COLUMNS.values())


def decimals(texts: Any) -> tuple[Decimal | None, ...]:
    return tuple(None if text in ("", None) else Decimal(text) for text in texts)


@pytest.mark.parametrize(
    ("subject", "column"),
    [
        ("application", "application"),
        ("caller", "role_or_user"),
        ("model", "model_id"),
        ("endpoint", "endpoint_type"),
        ("place", "account_id, region"),
    ],
)
def test_rows_and_totals_are_the_tables(
    opened: Opened, logged: duckdb.DuckDBPyConnection, subject: str, column: str
) -> None:
    found = logged.execute(f"select {SUMS} from marts.usage_daily group by {column}").fetchall()
    (total,) = logged.execute(f"select {SUMS} from marts.usage_daily").fetchall()
    footer = table(opened, subject).locator("tfoot")
    on_page = [decimals(cells) for _, cells in rows(table(opened, subject).locator("tbody tr"), "name", list(COLUMNS))]
    assert sorted(on_page, key=str) == sorted((decimals(row) for row in found), key=str)
    ((_, in_footer),) = rows(footer.locator("tr"), "name", list(COLUMNS))
    assert decimals(in_footer) == decimals(total)


def test_values_of_a_tag_add_up_to_every_call(opened: Opened, logged: duckdb.DuckDBPyConnection) -> None:
    (calls,) = logged.execute("select sum(calls) from marts.usage_daily").fetchone() or (None,)
    assert sum(map(int, exact(table(opened, "tag").locator("tbody tr"), "calls"))) == calls
    assert "search" in names(opened, "tag")
    assert "without this tag" in names(opened, "tag")


def test_less_than_a_cent_is_not_nothing(opened: Opened) -> None:
    row = table(opened, "caller").locator('tr[data-name="Alice"]')
    assert row.locator('td[data-column="cost"]').inner_text() == "≥ < 0.01"
    assert row.locator('td[data-column="cache_read_cost"]').inner_text() == "≥ 0.00"


def test_cost_without_a_price_is_unknown(opened: Opened) -> None:
    row = table(opened, "model").locator('tr[data-name="Pixtral Large"]')
    assert row.locator('td[data-column="cost"]').inner_text() == "unknown"
    assert row.locator('td[data-column="share"]').inner_text() == "unknown"
    assert row.locator('td[data-column="calls"]').inner_text().removeprefix("≥ ") == "1"


def test_caller_filter_is_literal_and_tells_cases_apart(opened: Opened) -> None:
    filter_callers(opened, "Alice")
    assert names(opened, "caller") == ["Alice"]
    assert names(opened, "application") == ["(unattributed)"]
    filter_callers(opened, ".*")
    assert names(opened, "caller") == []
    filter_callers(opened, HOSTILE_APPLICATION)
    assert names(opened, "caller") == [HOSTILE_ROLE]
    assert names(opened, "application") == [HOSTILE_APPLICATION]
    opened.tab.locator("#clear-filters").click()
    assert len(names(opened, "application")) == 13


def test_filters_leave_the_exact_sum_of_their_rows_in_tables_tile_and_charts(opened: Opened) -> None:
    filter_callers(opened, "small-")
    footer = table(opened, "application").locator("tfoot")
    whole = 9 * Decimal("0.00600024")
    assert exact(footer, "calls") == ["9"]
    assert Decimal(exact(footer, "cost")[0]) == whole
    assert names(opened, "model") == ["Nova Lite"]
    assert "0.05" in opened.tab.locator("#tile-cost").inner_text()
    assert sum(value or 0 for value in bars(opened, "daily-cost")) == pytest.approx(float(whole))
    assert sum(value or 0 for value in bars(opened, "daily-cost-kinds")) == pytest.approx(float(whole))


def test_filter_by_application_model_and_tag_meet(opened: Opened, logged: duckdb.DuckDBPyConnection) -> None:
    opened.filter("application", "search")
    opened.filter("model", SONNET)
    opened.filter("tag", "team=search")
    (total,) = logged.execute(
        f"select {SUMS} from marts.usage_daily "
        "where application = 'search' and model_id = ? and tags['team'] = 'search'",
        [SONNET],
    ).fetchall()
    footer = table(opened, "caller").locator("tfoot")
    assert decimals(exact(footer, name)[0] for name in COLUMNS) == decimals(total)
    assert opened.tab.locator("#pool-count").inner_text() == "1 of 4 pools"
    opened.filter("model", LITE)
    assert opened.tab.locator("#pool-count").inner_text() == "0 of 4 pools"
    assert names(opened, "caller") == []


def test_hostile_names_make_no_elements(opened: Opened) -> None:
    assert HOSTILE_APPLICATION in table(opened, "application").inner_text()
    assert HOSTILE_ROLE in table(opened, "caller").inner_text()
    assert opened.tab.locator("body img").count() == 0


def bars(opened: Opened, chart: str) -> list[float | None]:
    figure = opened.tab.locator(f'figure[data-chart="{chart}"]')
    figure.scroll_into_view_if_needed()
    figure.locator("canvas").first.wait_for()
    return figure.evaluate(
        "async figure => { await figure.report.show();"
        " return figure.report.echart.getOption().series.flatMap(({data}) => data) }"
    )


@pytest.mark.parametrize("chart", ["daily-cost", "daily-cost-kinds"])
def test_charts_stack_the_days_costs(opened: Opened, logged: duckdb.DuckDBPyConnection, chart: str) -> None:
    (total,) = logged.execute("select sum(cost_usd)::double from marts.usage_daily").fetchone() or (None,)
    assert sum(value or 0 for value in bars(opened, chart)) == pytest.approx(total)


def test_costliest_applications_have_a_colour_and_the_others_one_together(opened: Opened) -> None:
    figure = opened.tab.locator('figure[data-chart="daily-cost"]')
    bars(opened, "daily-cost")
    assert figure.evaluate("figure => figure.report.echart.getOption().series.length") == 9
    figure.locator(".twin-toggle").click()
    assert "all others" in figure.locator("thead").inner_text()
    figure.locator(".twin-toggle").click()
