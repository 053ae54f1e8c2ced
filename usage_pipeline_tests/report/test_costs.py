"""Cost and callers: every number is that of a table."""

import dataclasses
import json
import re
from collections.abc import Iterable
from datetime import date
from decimal import Decimal
from pathlib import Path
from typing import Any

import duckdb
import pytest

from usage_pipeline.config import ReportSettings
from usage_pipeline.raw_tables import INVOCATIONS, SCOPES
from usage_pipeline.report.contents import Report
from usage_pipeline.report.cost_contents import CostRow, Costs
from usage_pipeline.report.numbers import read_report
from usage_pipeline.report.packing import unpacked
from usage_pipeline.report.render import report_html
from usage_pipeline.sql_builds import build
from usage_pipeline.sql_models import load_models
from usage_pipeline.warehouse import note_changed_days
from usage_pipeline_tests.empty_warehouse import empty_warehouse
from usage_pipeline_tests.report.cost_sample import (
    HOSTILE_APPLICATION,
    HOSTILE_ROLE,
    SMALL_APPLICATIONS,
    TEN,
    log_rows,
)
from usage_pipeline_tests.report.sample import GENERATED_AT, HOSTILE_TAG, LITE, PIXTRAL, PRODUCTION, SONNET, insert
from usage_pipeline_tests.report.test_numbers import make_empty_marts

COUNTS = ("calls", "errors", "input_tokens", "output_tokens", "cache_read_tokens", "cache_write_tokens")
MONEY = ("input_cost_usd", "output_cost_usd", "cache_read_cost_usd", "cache_write_cost_usd", "cost_usd")


@pytest.fixture
def costs(logged_report: Report) -> Costs:
    return logged_report.costs


def numbers_of(row: CostRow) -> tuple[Any, ...]:
    return tuple(getattr(row, name) for name in (*COUNTS, *MONEY, "unpriced_calls"))


def sums_by(con: duckdb.DuckDBPyConnection, columns: str) -> dict[Any, tuple[Any, ...]]:
    """The sums of marts.usage_daily by the first selected value."""
    sums = ", ".join(f"sum({name})::{'bigint' if name in COUNTS else 'decimal(38, 12)'}" for name in (*COUNTS, *MONEY))
    found = con.execute(f"select {columns}, {sums}, sum(unpriced_calls)::bigint from marts.usage_daily group by 1")
    return {row[0]: row[1:] for row in found.fetchall()}


def added_up(rows: Iterable[CostRow]) -> tuple[Any, ...]:
    rows = list(rows)
    counts = tuple(sum(getattr(row, name) for row in rows) for name in COUNTS)
    money = tuple(sum((getattr(row, name) or Decimal(0) for row in rows), Decimal(0)) for name in MONEY)
    return (*counts, *money, sum(row.unpriced_calls for row in rows))


def test_costs_by_model_application_and_caller_are_the_tables(costs: Costs, logged: duckdb.DuckDBPyConnection) -> None:
    assert {row.model_id: numbers_of(row) for row in costs.models} == sums_by(logged, "model_id")
    assert {row.name: numbers_of(row) for row in costs.applications} == sums_by(logged, "application")
    assert {row.name: numbers_of(row) for row in costs.callers} == sums_by(logged, "role_or_user")


def test_costs_by_tag_are_the_tables(costs: Costs, logged: duckdb.DuckDBPyConnection) -> None:
    (team,) = costs.tags
    assert team.tag_key == "team"
    by_team = sums_by(logged, "tags['team']")
    assert {row.name: numbers_of(row) for row in team.rows} == by_team
    assert [(row.name, row.is_unset) for row in team.rows if row.name is None] == [(None, True)]
    assert set(by_team) == {"search", HOSTILE_TAG, None}


def test_every_table_adds_up_to_the_total(costs: Costs) -> None:
    assert costs.total is not None
    total = numbers_of(costs.total)
    for rows in (costs.models, costs.applications, costs.callers, *(tag.rows for tag in costs.tags)):
        assert added_up(rows) == total


def test_cost_is_tokens_times_price(costs: Costs) -> None:
    search = next(row for row in costs.applications if row.name == "search")
    assert (search.calls, search.errors, search.cache_read_tokens, search.cache_write_tokens) == (3, 1, 10_000, 4_000)
    assert [str(getattr(search, name)) for name in MONEY] == [
        "0.012000000000",
        "0.030000000000",
        "0.003000000000",
        "0.015000000000",
        "0.060000000000",
    ]


def test_costliest_come_first_and_what_has_no_price_is_unknown(costs: Costs) -> None:
    assert [(row.name, row.cost_usd) for row in costs.models] == [
        ("Claude Sonnet 4.5", Decimal("1.411818")),
        ("Nova Lite", Decimal("0.05400216")),
        ("Pixtral Large", None),
    ]
    assert [row.share for row in costs.models][2] is None
    assert sum(row.share or 0 for row in costs.models) == pytest.approx(1)


def test_callers_say_what_they_are_and_where(costs: Costs) -> None:
    alices = [
        (row.name, row.principal_type, row.account_name) for row in costs.callers if row.name in ("Alice", "alice")
    ]
    assert alices == [("alice", "user", "production"), ("Alice", "user", "production")]


def test_chart_has_eight_applications_and_the_others_by_day(costs: Costs) -> None:
    assert [series.application for series in costs.days] == [
        HOSTILE_APPLICATION,
        "search",
        *SMALL_APPLICATIONS[:5],
        SMALL_APPLICATIONS[5],
        None,
    ]
    assert {len(series.usd) for series in costs.days} == {30}
    assert all(usd is None for series in costs.days for usd in series.usd[:-1])
    assert costs.total is not None
    assert sum((series.usd[-1] or Decimal(0) for series in costs.days), Decimal(0)) == costs.total.cost_usd


def test_prices_are_those_of_called_models_and_the_regions_own_first(costs: Costs) -> None:
    assert [
        (price.model_id, price.region, price.input_usd, price.output_usd, price.cache_read_usd, price.source)
        for price in costs.prices
    ] == [
        (LITE, "*", Decimal("0.06"), Decimal("0.24"), None, "list price of *"),
        (LITE, "us-east-1", Decimal("0.05"), None, None, "until the 14th"),
        (SONNET, "us-east-1", Decimal(3), Decimal(15), Decimal("0.3"), "list price of us-east-1"),
    ]
    assert {str(price.valid_from) for price in costs.prices} == {"2026-01-01 00:00:00"}
    assert [str(price.valid_to) for price in costs.prices] == ["None", "2026-11-14 00:00:00", "None"]


def test_models_without_a_price_are_listed(costs: Costs) -> None:
    (unpriced,) = costs.unpriced
    assert (unpriced.model_id, unpriced.reason, unpriced.calls, unpriced.input_tokens) == (PIXTRAL, "no_price", 1, 500)


def test_completeness_is_the_table_by_days_in_the_same_state(costs: Costs, logged: duckdb.DuckDBPyConnection) -> None:
    before, today = costs.completeness
    assert (before.first_day, before.last_day, before.status) == (date(2026, 11, 13), date(2026, 11, 14), "no_logs")
    assert (before.logged_calls, before.ratio) == (0, 0)
    assert (today.first_day, today.last_day, today.status) == (date(2026, 11, 15), date(2026, 11, 15), "incomplete")
    for stretch in costs.completeness:
        sums = logged.execute(
            "select sum(cloudwatch_calls), sum(logged_calls), sum(cloudwatch_tokens), sum(logged_tokens), min(ratio) "
            "from marts.data_completeness where usage_date between ? and ?",
            [stretch.first_day, stretch.last_day],
        ).fetchone()
        assert sums == (
            stretch.cloudwatch_calls,
            stretch.logged_calls,
            stretch.cloudwatch_tokens,
            stretch.logged_tokens,
            stretch.lowest_ratio,
        )


def test_numbers_that_lack_logs_say_so(costs: Costs) -> None:
    assert [(row.name, row.is_at_least) for row in costs.models] == [
        ("Claude Sonnet 4.5", True),
        ("Nova Lite", True),
        ("Pixtral Large", False),
    ]
    assert {row.is_at_least for row in (*costs.applications, *costs.callers)} == {True}


def test_logging_that_is_off_is_a_state_with_its_remedy(logged_report: Report) -> None:
    assert [(state.account_name, state.is_on) for state in logged_report.costs.logging] == [
        ("production", True),
        ("research", False),
    ]
    text = report_html(logged_report)
    assert "Logging is off in research (444455556666), eu-west-1." in text
    assert "Turn on model invocation logging in this account and Region" in text


def test_broken_objects_and_quarantined_records_are_counted(costs: Costs) -> None:
    (source,) = costs.log_sources
    assert (source.objects, source.broken_objects, source.records, source.quarantined_records) == (2, 1, 17, 3)


def test_packed_costs_add_up_to_the_total_of_the_json(logged_page: Path) -> None:
    (packed,) = re.findall(r'id="cube-data">"([^<]*)"<', logged_page.read_text(encoding="utf-8"))
    header, column = unpacked(packed)
    total = json.loads((logged_page.parent / "report.json").read_text(encoding="utf-8"))["costs"]["total"]
    for name in ("calls", "input_tokens", "unpriced_calls"):
        assert sum(column(header["columns"][name])) == total[name]
    for name in ("input_cost", "output_cost", "cache_read_cost", "cache_write_cost"):
        known = [value for value in column(header["columns"][name]) if value is not None]
        assert Decimal(sum(known)).scaleb(-12) == Decimal(total[f"{name}_usd"])


def test_hostile_callers_are_text(logged_page: Path, costs: Costs) -> None:
    text = logged_page.read_text(encoding="utf-8")
    assert HOSTILE_ROLE in [row.name for row in costs.callers]
    assert HOSTILE_APPLICATION not in text
    assert HOSTILE_TAG not in text


def test_hostile_model_region_and_source_are_text(logged_report: Report) -> None:
    costs = logged_report.costs
    hostile = "</script><img src=x>"
    changed = dataclasses.replace(
        costs,
        prices=tuple(dataclasses.replace(price, source=hostile, region=hostile) for price in costs.prices),
        unpriced=tuple(dataclasses.replace(row, model_id=hostile) for row in costs.unpriced),
        completeness=tuple(dataclasses.replace(row, account_name=hostile) for row in costs.completeness),
        logging=tuple(dataclasses.replace(row, account_name=hostile) for row in costs.logging),
    )
    assert hostile not in report_html(dataclasses.replace(logged_report, costs=changed))


def test_warehouse_without_logs_says_so_in_one_line(report: Report, page: str) -> None:
    assert report.costs.total is None
    assert (report.costs.applications, report.costs.prices, report.costs.unpriced) == ((), (), ())
    shown = page.partition("<script")[0]
    assert shown.count("No invocation log has been read for these days: who called, and what it cost, is unknown.") == 1
    assert 'id="cost-tables"' not in shown


def test_empty_warehouse_has_no_costs() -> None:
    with empty_warehouse() as con:
        make_empty_marts(con)
        report = read_report(con, ReportSettings(), GENERATED_AT)
    assert report.costs == Costs()
    assert "No invocation log has been read" in report_html(report)


def test_logs_without_cloudwatch_show_their_own_days() -> None:
    with empty_warehouse() as con:
        insert(con, SCOPES, [PRODUCTION | {"account_name": "production", "is_configured": True}])
        for table, table_rows in log_rows().items():
            insert(con, table, table_rows)
        note_changed_days(con, INVOCATIONS.qualified_name, [TEN.date()])
        build(con, load_models())
        report = read_report(con, ReportSettings(), GENERATED_AT)
    assert (report.windows, report.costs.last_day) == ((), date(2026, 11, 15))
    assert report.costs.total is not None
    assert report.costs.total.calls == 16
    report_html(report)
