"""Every page shows the numbers of the tables, follows the filters, and takes names for text."""

from datetime import date, datetime, timedelta
from pathlib import Path
from typing import Any

import duckdb
import pytest

from usage_pipeline.ui.app import PAGES
from usage_pipeline.ui.pages import q_developer
from usage_pipeline.ui.published_tables import opened
from usage_pipeline.ui.spending import read_over_time
from usage_pipeline_tests.report.cost_sample import HOSTILE_APPLICATION, HOSTILE_ROLE
from usage_pipeline_tests.report.sample import HOSTILE_NAME, HOSTILE_TAG, LITE, SONNET, SONNET_POOL
from usage_pipeline_tests.ui.drawing import draw, sample_filters, table, tiles


def asked(file: Path, query: str, *values: Any) -> list[tuple[Any, ...]]:
    with duckdb.connect(str(file), read_only=True) as con:
        return con.execute(query, list(values)).fetchall()


NAMES = [module.__name__.rpartition(".")[2] for module in PAGES]


@pytest.mark.parametrize("name", [name for name in NAMES if name not in ("q_developer", "pricing", "what_if")])
def test_a_page_without_any_data_says_so_in_words(name: str, unused: Path) -> None:
    page = draw(name, unused)
    assert len(page.dataframe) == 0
    assert page.info or page.caption


def test_overview_counts_calls_pools_and_checks(published: Path) -> None:
    page = draw("overview", published)
    ((calls, errors, tokens),) = asked(
        published, "select sum(calls), sum(errors), sum(input_tokens) from marts.usage_daily"
    )
    shown = tiles(page)
    assert shown["Calls"] == f"{calls}"
    assert shown["Errors"].startswith(f"{errors} (")
    assert shown["Input tokens"] == f"{tokens:,}"
    assert shown["Cost, USD"] == "≥ 1.47"
    assert shown["Throttled requests"] == "450"
    assert shown["Checks passed"] == "1 of 2"
    assert table(page, "Risk", "Model", "Used up on")[0] == ("▲ over or throttled", "Claude Sonnet 4.5", "unknown")


def test_costs_by_model_are_exact_and_add_up(published: Path) -> None:
    page = draw("cost", published)
    page.segmented_control(key="cost_as").set_value("Table").run()
    expected = asked(
        published,
        """
        select coalesce(any_value(model_name), daily.model_id), sum(cost_usd), sum(calls), sum(unpriced_calls)
        from marts.usage_daily as daily
        left join (select distinct model_id, model_name from marts.quota_pools) using (model_id)
        group by daily.model_id
        order by sum(cost_usd) desc nulls last
        """,
    )
    assert table(page, "Name", "Cost, USD", "Calls", "Calls without a price") == expected
    assert ("Pixtral Large", None, 1, 1) in expected


@pytest.mark.parametrize(
    ("chosen", "condition"),
    [
        (
            {"models": (LITE, SONNET), "endpoint_types": ("geo",), "regions": ("us-east-1",)},
            f"model_id in ('{LITE}', '{SONNET}') and endpoint_type = 'geo' and region = 'us-east-1'",
        ),
        ({"regions": ("eu-west-1",)}, "region = 'eu-west-1'"),
        ({"tags": (("team", HOSTILE_TAG),)}, f"tags['team'] = '{HOSTILE_TAG}'"),
        ({"caller": "Alice"}, "contains(principal_arn, 'Alice')"),
    ],
    ids=lambda value: next(iter(value)) if isinstance(value, dict) else "",
)
def test_filters_leave_only_what_they_name(published: Path, chosen: dict[str, Any], condition: str) -> None:
    page = draw("cost", published, **chosen)
    ((calls, tokens),) = asked(
        published, f"select count(*), coalesce(sum(input_tokens), 0) from marts.invocations where {condition}"
    )
    shown = tiles(page)
    assert shown["Calls"] == (f"{calls}" if calls else "unknown")
    assert shown["Input tokens"] == (f"{tokens:,}" if calls else "unknown")


def test_three_days_are_shown_by_hours_and_more_by_days(published: Path) -> None:
    first = sample_filters().first_day
    with opened(str(published)) as con:
        hours = read_over_time(con, "model", first, first + timedelta(days=2))
        days = read_over_time(con, "model", first, first + timedelta(days=3))
    assert {row["period_start"] for row in hours} == {datetime(2026, 11, 15, 10)}
    assert {row["period_start"] for row in days} == {date(2026, 11, 15)}
    assert [row["cost_usd"] for row in hours] == [row["cost_usd"] for row in days]


def test_costs_are_divided_by_tag_and_names_stay_text(published: Path) -> None:
    page = draw("cost", published)
    page.selectbox(key="cost_by").set_value("Tag team")
    page.segmented_control(key="cost_as").set_value("Table").run()
    assert {name for (name,) in table(page, "Name")} == {"search", HOSTILE_TAG, "(not set)"}

    page.selectbox(key="cost_by").set_value("Profile").run()
    assert (HOSTILE_NAME,) in table(page, "Name")
    page.selectbox(key="cost_by").set_value("Application").run()
    assert (HOSTILE_APPLICATION,) in table(page, "Name")
    marked = [element.value for kind in ("markdown", "caption", "subheader", "title") for element in page.get(kind)]
    assert not [text for text in marked if HOSTILE_NAME in text or HOSTILE_APPLICATION in text]


def test_callers_are_told_apart_by_capitals_and_each_arn_has_its_row(published: Path) -> None:
    page = draw("callers", published)
    names = [name for (name,) in table(page, "Caller")]
    assert {"Alice", "alice", HOSTILE_ROLE} <= set(names)
    expected = asked(
        published,
        "select principal_arn, count(*), sum(cost_usd) from marts.invocations group by all order by principal_arn",
    )
    assert sorted(table(page, "ARN", "Calls", "Cost, USD")) == expected


def test_quotas_show_the_worst_minute_the_limit_and_who_was_throttled(published: Path) -> None:
    page = draw("quotas", published)
    ((peak, limit, worst),) = asked(
        published,
        "select peak, limit_value, worst_minute from marts.quota_headroom where pool_id = ? and quota = 'tpm' "
        "order by utilization_peak desc limit 1",
        SONNET_POOL,
    )
    pool = {name: rest for name, *rest in table(page, "Quota", "Limit", "Highest", "Worst minute, UTC")}
    assert pool["Tokens per minute"] == [limit, peak, worst]
    assert table(page, "Throttled", "Who was throttled") == [(450, f"{HOSTILE_NAME} 100 %")]
    assert page.caption[0].value.startswith("The highest minute of each quarter of an hour")


def test_statistics_of_the_pool_are_those_of_the_table(published: Path) -> None:
    page = draw("quotas", published)
    columns = ("profile_id", "metric", "basis", "p50", "p99", "p999", "max", "total")
    page.segmented_control(key="quotas_window").set_value("1day").run()
    expected = asked(
        published,
        f"select {', '.join(columns)} from marts.usage_statistics where pool_id = ? and window_name = '1day'",
        SONNET_POOL,
    )
    shown = table(page, "Profile", "Metric", "Minutes", "P50", "P99", "P99.9", "Max", "Total")
    assert sorted(shown, key=str) == sorted(expected, key=str)
    assert {name for (name, *_) in shown} >= {"ALL"}


def test_quotas_say_that_tags_and_callers_share_them(published: Path) -> None:
    page = draw("quotas", published, caller="Alice")
    assert page.caption[0].value == "A quota is shared by all callers and tags; those two filters do not apply here."
    ((pools,),) = asked(published, "select count(distinct pool_id) from marts.quota_headroom")
    assert len(table(page, "Pool")) == pools


def test_performance_is_over_single_calls(published: Path) -> None:
    page = draw("performance", published)
    expected = asked(
        published,
        "select count(*), count(error_code) / count(*) from marts.invocations where model_id = ?",
        SONNET,
    )
    rows = {row[0]: row[1:] for row in table(page, "Model", "Calls", "Errors")}
    assert [rows["Claude Sonnet 4.5"]] == expected
    assert {average for (average,) in table(page, "Average")} == {None}


def test_checks_show_what_failed_with_its_rows_as_text(published: Path) -> None:
    page = draw("checks", published)
    expected = asked(published, "select asset, failing_rows from ops.check_results order by passed, check_name")
    assert table(page, "Table", "Rows against it") == expected
    assert table(page, "account_name", "note") == [("research", "</script><b>y")]
    ((error,),) = table(page, "AWS's answer")
    assert error == "AccessDenied: not authorized to perform: cloudwatch:GetMetricData"
    assert ("two models",) in table(page, "Name")


def test_q_developer_shows_every_metric_of_every_user(published: Path, tmp_path: Path) -> None:
    file = tmp_path / "usage.duckdb"
    file.write_bytes(published.read_bytes())
    with duckdb.connect(str(file)) as con:
        con.execute(
            """
            insert into marts.q_developer_usage by name
            select * from (values
                (date '2026-11-14', 'ann', 3, 1.5),
                (date '2026-11-15', 'ann', 4, null),
                (date '2026-11-15', '=cmd()', null, null)
            ) as users (usage_date, user_id, chat_messages_sent, credits_used)
            """
        )
        con.execute(
            """
            insert into marts.q_developer_limits by name
            select * from (values
                (date '2026-10-01', 'ann', 'dev_runs', 30, 30, 1.0),
                (date '2026-11-01', 'ann', 'dev_runs', 25, 30, 0.833)
            ) as limits (usage_month, user_id, limit_name, used, "limit", used_share)
            """
        )
        con.execute(
            "insert into marts.q_developer_value by name select date '2026-11-01' as usage_month, 19 as usd_per_seat"
        )
    page = draw("q_developer", file)
    assert tiles(page) == {"Users": "2", "Days with use": "2"}
    shown = table(page, "User", "Days", "chat messages sent", "credits used", "dev requests")
    assert shown == [("ann", 2, 7, 1.5, None), ("=cmd()", 1, None, None, None)]
    assert page.selectbox(key="q_developer_metric").options[:2] == ["chat_messages_sent", "credits_used"]
    newest_first = [("dev_runs", 25, 0.833), ("dev_runs", 30, 1.0)]
    assert table(page, "limit name", "used", "used share") == newest_first
    assert len(table(page, "usd per seat", "net usd")) == 1
    assert "credits_limit" not in page.selectbox(key="q_developer_metric").options


def test_q_developer_is_not_shown_where_nobody_uses_it(published: Path) -> None:
    with opened(str(published)) as con:
        assert not q_developer.is_published(con)
