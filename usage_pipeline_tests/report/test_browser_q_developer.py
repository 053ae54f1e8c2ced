"""Amazon Q Developer and Kiro in a real browser: tables, filters, charts."""

from decimal import Decimal

import duckdb
import pytest

from usage_pipeline_tests.report.browser import PATIENCE, Opened, column, heads
from usage_pipeline_tests.report.q_developer_sample import HOSTILE_USER
from usage_pipeline_tests.report.sample import PRODUCTION

pytestmark = pytest.mark.browser

NAMES = {
    "interactions": "sum(interactions)",
    "messages": "sum(coalesce(chat_messages_sent, total_messages))",
    "accepted_suggestions": "sum(inline_acceptance_count)",
    "inline_lines": "sum(inline_ai_code_lines)",
    "dev_runs": "sum(coalesce(dev_generation_event_count, dev_requests))",
    "requests": "sum(requests)",
    "input_tokens": "sum(input_tokens)",
    "output_tokens": "sum(output_tokens)",
    "estimated_mean": "sum(estimated_input_tokens_mean + estimated_output_tokens_mean)",
}
"""Columns of the page, and how `marts.q_developer_usage` has them."""


def test_the_section_equals_the_tables_and_follows_its_filters(
    opened: Opened, logged: duckdb.DuckDBPyConnection
) -> None:
    users = opened.table("q-users")
    in_table = {
        row[0]: ["" if value is None else str(value) for value in row[1:]]
        for row in logged.execute(
            f"select user_id, {', '.join(NAMES.values())} from marts.q_developer_usage group by user_id"
        ).fetchall()
    }
    on_page = dict(zip(heads(users), zip(*(column(users, name) for name in NAMES), strict=True), strict=True))
    assert {user: list(found) for user, found in on_page.items()} == in_table
    assert opened.tab.locator("#q_developer img").count() == 0

    values = opened.table("q-values")
    money = logged.execute("select virtual_cost_usd, net_usd from marts.q_developer_value").fetchall()
    shown = zip(column(values, "virtual_cost_usd"), column(values, "net_usd"), strict=True)
    assert sorted((Decimal(cost), Decimal(net)) for cost, net in shown) == sorted(money)
    foot = values.locator('tfoot td[data-column="net_usd"]')
    assert Decimal(foot.get_attribute("data-value")) == sum(net for _, net in money)
    assert foot.inner_text().startswith("\u2212")
    assert "unknown" not in values.locator("tfoot").inner_text()

    tile = opened.tab.locator("#q-tile-seats")
    assert tile.inner_text().split() == ["4", "of", "6,", "2026-11"]
    assert heads(opened.table("q-limits"))[0] == "ada"
    assert column(opened.table("q-conversations"), "context_tokens")[0] == "340000"
    trends = opened.table("q-trends")
    lowest = logged.execute("select daily_min, daily_max from marts.q_developer_trends").fetchall()
    assert sorted(zip(column(trends, "daily_min"), column(trends, "daily_max"), strict=True)) == sorted(
        (str(low), str(high)) for low, high in lowest
    )

    opened.filter("region", "us-east-1")
    assert heads(users) == []
    opened.filter("region", "eu-central-1")
    opened.filter("account", PRODUCTION["account_id"])
    assert len(heads(users)) == 4
    opened.tab.locator("#caller-filter").fill(HOSTILE_USER)
    opened.tab.wait_for_function("() => document.querySelectorAll('[data-table=q-users] tbody tr').length === 1")
    assert heads(users) == [HOSTILE_USER]
    assert heads(opened.table("q-conversations")) == [HOSTILE_USER]
    assert heads(opened.table("q-limits")) == [HOSTILE_USER] * len(heads(opened.table("q-limits")))
    opened.tab.locator("#clear-filters").click()

    figure = opened.tab.locator('figure[data-chart="q-interactions"]')
    figure.scroll_into_view_if_needed()
    figure.locator("canvas").first.wait_for(timeout=PATIENCE)
    figure.locator(".twin-toggle").click()
    twin = opened.table("q-interactions")
    twin.locator(".more").click()
    days = logged.execute(
        f"select usage_date::varchar, count(distinct user_id) filter (where interactions > 0), {NAMES['interactions']}"
        " from marts.q_developer_usage group by usage_date order by usage_date"
    ).fetchall()
    rows = zip(heads(twin), column(twin, "people"), column(twin, "interactions"), strict=True)
    assert [row for row in rows if row[1]] == [(day, str(people), str(sum_)) for day, people, sum_ in days]
    figure.locator(".twin-toggle").click()
