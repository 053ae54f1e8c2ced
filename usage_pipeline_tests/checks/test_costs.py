"""What the rules about calls and costs must tell apart."""

from typing import Any

import duckdb
import pytest

from usage_pipeline.checks.costs import (
    COST_PARTS_ADD_UP,
    EVERY_CALL_HAS_A_PRICE,
    LOGS_HOLD_WHAT_CLOUDWATCH_COUNTED,
    MARTS_ADD_UP_TO_RAW,
)
from usage_pipeline.checks.rules import Rule, evaluate
from usage_pipeline_tests.checks.healthy import GEO_SONNET
from usage_pipeline_tests.marts.factory import DAY, NOVA, SONNET, Store, at

SEARCH = "profile_id = 'searchsearch' and usage_date = '2026-11-14'"


def found(con: duckdb.DuckDBPyConnection, rule: Rule, *columns: str) -> list[tuple[Any, ...]]:
    return [tuple(example[column] for column in columns) for example in evaluate(con, rule).examples]


# marts_add_up_to_raw


@pytest.mark.parametrize("table", ["raw.invocations", "marts.invocations", "marts.usage_hourly", "marts.usage_daily"])
def test_calls_that_a_table_lacks_are_found(con: duckdb.DuckDBPyConnection, table: str) -> None:
    con.execute(f"delete from {table} where {SEARCH}")
    days = found(con, MARTS_ADD_UP_TO_RAW, "usage_date", "account_id", "region")
    assert days == [(DAY, "111122223333", "us-east-1")]


@pytest.mark.parametrize("table", ["raw.invocations", "marts.invocations", "marts.usage_hourly", "marts.usage_daily"])
def test_a_day_that_a_table_lacks_altogether_is_found(con: duckdb.DuckDBPyConnection, table: str) -> None:
    con.execute(f"delete from {table} where usage_date = '2026-11-14' and region = 'eu-west-1'")
    assert found(con, MARTS_ADD_UP_TO_RAW, "usage_date", "region") == [(DAY, "eu-west-1")]


@pytest.mark.parametrize(
    "column", ["input_tokens", "output_tokens", "cache_read_tokens", "cache_write_tokens", "errors"]
)
def test_a_number_that_differs_is_found(con: duckdb.DuckDBPyConnection, column: str) -> None:
    con.execute(f"update marts.usage_hourly set {column} = {column} + 1 where {SEARCH} and hour(ts) = 2")
    assert found(con, MARTS_ADD_UP_TO_RAW, "usage_date") == [(DAY,)]


def test_a_request_that_is_stored_twice_is_found_although_the_sums_agree(con: duckdb.DuckDBPyConnection) -> None:
    con.execute(f"update raw.invocations set request_id = 'one' where {SEARCH}")
    (requests,) = found(con, MARTS_ADD_UP_TO_RAW, "requests")
    assert "raw.invocations 7" in requests[0]


# cost_parts_add_up


@pytest.mark.parametrize("table", ["usage_hourly", "usage_daily", "usage_monthly"])
@pytest.mark.parametrize("column", ["input", "output", "cache_read", "cache_write"])
def test_the_last_digit_of_a_part_matters(con: duckdb.DuckDBPyConnection, table: str, column: str) -> None:
    part = f"{column}_cost_usd"
    con.execute(f"update marts.{table} set {part} = {part} + 0.000000000001 where profile_id = 'searchsearch'")
    assert {name for (name,) in found(con, COST_PARTS_ADD_UP, "table_name")} == {f"marts.{table}"}


def test_a_cost_without_parts_is_found(con: duckdb.DuckDBPyConnection) -> None:
    con.execute(f"update marts.usage_daily set input_cost_usd = null where {SEARCH}")
    assert found(con, COST_PARTS_ADD_UP, "table_name", "rows_that_differ") == [("marts.usage_daily", 1)]


def test_rows_that_have_no_price_have_no_parts_either(con: duckdb.DuckDBPyConnection) -> None:
    nothing = ", ".join(f"{part}cost_usd = null" for part in ("", "input_", "output_", "cache_read_", "cache_write_"))
    for table in ("usage_hourly", "usage_daily", "usage_monthly"):
        con.execute(f"update marts.{table} set {nothing} where profile_id = 'searchsearch'")
    assert evaluate(con, COST_PARTS_ADD_UP).passed


def test_days_that_do_not_add_up_to_their_month_are_found(con: duckdb.DuckDBPyConnection) -> None:
    con.execute("update marts.usage_monthly set cost_usd = cost_usd - 1, input_cost_usd = input_cost_usd - 1")
    assert found(con, COST_PARTS_ADD_UP, "table_name", "rows_that_differ") == [("marts.usage_monthly", 0)]


# every_call_has_a_price


def test_calls_without_a_price_are_listed_by_model_with_the_reason() -> None:
    store = Store()
    store.burndown("*", 1)
    store.model(NOVA)
    imported = "arn:aws:bedrock:us-east-1:111122223333:imported-model/abc"
    store.price(NOVA, "input", "1")
    for model_id, tier in ((NOVA, "flex"), (NOVA, "reserved"), (NOVA, None), (imported, None), ("gone12345678", None)):
        store.call(model_id, at("14T10:00"), input_tokens=1, service_tier=tier)
    store.call(NOVA, at("14T10:00"), error_code="ThrottlingException", service_tier="flex")
    store.build()

    result = evaluate(store.con, EVERY_CALL_HAS_A_PRICE)
    columns = ("model_id", "service_tier", "reason", "unpriced_calls", "calls", "severity")
    by_token = "AWS does not charge it by the token."
    no_price = "A kind of token that it has has no price, or its log has no counts: see cost_status of its calls."
    unresolved = "Its ModelId belongs to no model: see marts.unresolved_profiles."
    assert sorted(tuple(example[column] for column in columns) for example in result.examples) == [
        (NOVA, "flex", no_price, 1, 2, "ERROR"),
        (NOVA, "reserved", by_token, 1, 1, "WARN"),
        ("gone12345678", "default", unresolved, 1, 1, "ERROR"),
        ("imported-model/abc", "default", by_token, 1, 1, "WARN"),
    ]
    assert result.severity == "ERROR"


def test_calls_of_more_than_thirty_days_ago_are_not_listed(con: duckdb.DuckDBPyConnection) -> None:
    con.execute("update marts.usage_daily set unpriced_calls = 1, usage_date = '2026-10-16' where " + SEARCH)
    assert evaluate(con, EVERY_CALL_HAS_A_PRICE).passed


# logs_hold_what_cloudwatch_counted


@pytest.mark.parametrize(
    ("status", "passes"), [("complete", True), ("logging_off", True), ("incomplete", False), ("no_logs", False)]
)
def test_only_logs_that_are_missing_fail(con: duckdb.DuckDBPyConnection, status: str, passes: bool) -> None:
    con.execute(f"update marts.data_completeness set status = '{status}' where {SEARCH}")
    assert evaluate(con, LOGS_HOLD_WHAT_CLOUDWATCH_COUNTED).passed == passes


def test_a_day_is_compared_three_hours_after_its_end(con: duckdb.DuckDBPyConnection) -> None:
    con.execute("update marts.data_completeness set status = 'incomplete' where usage_date = '2026-11-15'")
    assert evaluate(con, LOGS_HOLD_WHAT_CLOUDWATCH_COUNTED).passed

    con.execute("update marts.data_completeness set status = 'incomplete' where usage_date = '2026-11-14'")
    assert len(found(con, LOGS_HOLD_WHAT_CLOUDWATCH_COUNTED, "usage_date")) == 3
    con.execute("update ops.source_status set covered_until = '2026-11-15 02:59' where covered_until > '2026-11-15'")
    assert evaluate(con, LOGS_HOLD_WHAT_CLOUDWATCH_COUNTED).passed


def test_a_scope_that_is_no_longer_configured_is_not_compared(con: duckdb.DuckDBPyConnection) -> None:
    con.execute("update marts.data_completeness set status = 'no_logs' where region = 'eu-west-1'")
    con.execute("update raw.scopes set is_configured = false where region = 'eu-west-1'")
    assert evaluate(con, LOGS_HOLD_WHAT_CLOUDWATCH_COUNTED).passed


def test_what_is_missing_is_told_in_percent(con: duckdb.DuckDBPyConnection) -> None:
    con.execute(
        f"update marts.data_completeness set logged_calls = 4, ratio = 2 / 3, status = 'incomplete' "
        f"where profile_id = '{GEO_SONNET}' and usage_date = '2026-11-14'"
    )
    columns = ("profile_id", "cloudwatch_calls", "logged_calls", "percent")
    assert found(con, LOGS_HOLD_WHAT_CLOUDWATCH_COUNTED, *columns) == [(f"us.{SONNET}", 6, 4, 66.67)]
