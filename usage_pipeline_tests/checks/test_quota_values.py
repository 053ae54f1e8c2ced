"""Values of quotas: what cannot be, what changed, what is below AWS's default."""

from typing import Any

import duckdb
import pytest

from usage_pipeline.checks.quota_values import (
    APPLIED_QUOTAS_ARE_NOT_BELOW_DEFAULT,
    QUOTA_VALUES_ARE_UNCHANGED,
    QUOTA_VALUES_CAN_BE,
)
from usage_pipeline.checks.rules import Rule, evaluate
from usage_pipeline_tests.checks.healthy import GEO_POOL

TPM = "L-F4DDD3EB"


def found(con: duckdb.DuckDBPyConnection, rule: Rule, *columns: str) -> list[tuple[Any, ...]]:
    return [tuple(example[column] for column in columns) for example in evaluate(con, rule).examples]


def add_period(con: duckdb.DuckDBPyConnection, code: str, value: float | None, start: str, end: str | None) -> None:
    """What AWS said of the code in another period."""
    con.execute(
        """
        insert into raw.service_quotas by name
        select * replace ($value as limit_value, $start::timestamp as valid_from, $end::timestamp as valid_to)
        from raw.service_quotas where quota_code = $code limit 1
        """,
        {"code": code, "value": value, "start": start, "end": end},
    )


# quota_values_are_positive_and_dated


@pytest.mark.parametrize(
    ("change", "problem"),
    [
        ("limit_value = -1", "the value is below zero"),
        ("limit_value = 'nan'", "the value is no number"),
        ("limit_value = 'inf'", "the value is no number"),
        ("valid_from = null", "it has no beginning"),
        ("valid_to = valid_from", "it ends before it begins"),
    ],
)
def test_a_value_that_cannot_be_is_named_with_what_is_wrong(
    con: duckdb.DuckDBPyConnection, change: str, problem: str
) -> None:
    con.execute(f"update raw.service_quotas set {change} where quota_code = ?", [TPM])

    assert found(con, QUOTA_VALUES_CAN_BE, "quota_code", "problem") == [(TPM, problem)]


@pytest.mark.parametrize("end", ["2026-11-15 10:31", None])
def test_two_values_at_one_moment_are_found(con: duckdb.DuckDBPyConnection, end: str | None) -> None:
    add_period(con, TPM, 5, "2026-11-14 00:00", end)

    assert found(con, QUOTA_VALUES_CAN_BE, "limit_value", "problem") == [
        (5, "the next value holds before this one ends")
    ]


def test_periods_that_follow_each_other_with_or_without_a_gap_are_right(con: duckdb.DuckDBPyConnection) -> None:
    add_period(con, TPM, 5, "2026-11-13 00:00", "2026-11-14 00:00")
    add_period(con, TPM, 6, "2026-11-14 00:00", "2026-11-15 00:00")
    add_period(con, TPM, None, "2026-11-12 00:00", "2026-11-12 06:00")

    assert evaluate(con, QUOTA_VALUES_CAN_BE).passed


@pytest.mark.parametrize(("peak", "problems"), [(0, []), (3, [(TPM, "the value is zero, but calls were answered")])])
def test_zero_is_a_value_unless_calls_were_answered_after_it_was_read(
    con: duckdb.DuckDBPyConnection, peak: int, problems: list[tuple[str, str]]
) -> None:
    con.execute(
        """
        update raw.service_quotas set limit_value = 0, valid_from = '2026-11-13 12:00' where quota_code = $code;
        """,
        {"code": TPM},
    )
    con.execute("update marts.quota_headroom set limit_value = 0, peak = ? where pool_id = ?", [peak, GEO_POOL])

    assert found(con, QUOTA_VALUES_CAN_BE, "quota_code", "problem") == problems


# quota_values_are_unchanged


def test_a_change_of_the_last_day_is_told_with_both_values_the_moment_and_the_pools(
    con: duckdb.DuckDBPyConnection,
) -> None:
    add_period(con, TPM, 100_000, "2026-11-10 00:00", "2026-11-15 10:30")

    columns = ("quota_code", "value_before", "value", "unit", "changed_at", "pools")
    ((code, before, value, unit, moment, pools),) = found(con, QUOTA_VALUES_ARE_UNCHANGED, *columns)
    assert (code, before, value, unit, pools) == (TPM, 100_000, 200_000, "tokens per minute", GEO_POOL)
    assert str(moment) == "2026-11-15 10:30:00"


def test_a_change_is_told_until_a_day_after_it_in_readings_of_its_own_scope(con: duckdb.DuckDBPyConnection) -> None:
    add_period(con, TPM, 100_000, "2026-11-10 00:00", "2026-11-15 10:30")
    con.execute("update ops.source_status set finished_at = '2026-11-16 10:29' where source = 'service_quotas'")
    assert not evaluate(con, QUOTA_VALUES_ARE_UNCHANGED).passed

    con.execute("update ops.source_status set finished_at = '2026-11-16 10:30' where source = 'service_quotas'")
    assert evaluate(con, QUOTA_VALUES_ARE_UNCHANGED).passed


def test_another_name_or_source_is_no_change_of_value(con: duckdb.DuckDBPyConnection) -> None:
    add_period(con, TPM, 200_000, "2026-11-10 00:00", "2026-11-15 10:30")

    assert evaluate(con, QUOTA_VALUES_ARE_UNCHANGED).passed


def test_a_quota_that_limits_no_pool_may_change(con: duckdb.DuckDBPyConnection) -> None:
    add_period(con, TPM, 100_000, "2026-11-10 00:00", "2026-11-15 10:30")
    con.execute("update raw.quota_mappings set status = 'unmapped', quota_code = null where quota_code = ?", [TPM])
    con.execute("create or replace table staging.stg_quota_mappings as from staging.stg_quota_mappings where false")

    assert evaluate(con, QUOTA_VALUES_ARE_UNCHANGED).passed


# applied_quotas_are_not_below_default


@pytest.mark.parametrize(
    ("source", "default", "is_below"),
    [("applied", 200_001, True), ("applied", 200_000, False), ("applied", None, False), ("default", 300_000, False)],
)
def test_less_than_the_default_is_told_with_both(
    con: duckdb.DuckDBPyConnection, source: str, default: int | None, is_below: bool
) -> None:
    con.execute(
        "update raw.service_quotas set limit_source = ?, default_value = ? where quota_code = ?", [source, default, TPM]
    )

    rows = found(con, APPLIED_QUOTAS_ARE_NOT_BELOW_DEFAULT, "quota_code", "value", "threshold", "unit", "pools")
    assert rows == ([(TPM, 200_000, default, "tokens per minute", GEO_POOL)] if is_below else [])


def test_a_pool_that_was_not_used_lately_may_have_less(con: duckdb.DuckDBPyConnection) -> None:
    con.execute(
        "update raw.service_quotas set limit_source = 'applied', default_value = 9e9 where quota_code = ?", [TPM]
    )
    con.execute("update marts.quota_pools set last_used_date = '2026-10-16' where pool_id = ?", [GEO_POOL])

    assert evaluate(con, APPLIED_QUOTAS_ARE_NOT_BELOW_DEFAULT).passed


def test_a_value_that_no_longer_holds_is_not_compared(con: duckdb.DuckDBPyConnection) -> None:
    con.execute(
        "update raw.service_quotas set limit_source = 'applied', default_value = 9e9, valid_to = '2026-11-16' "
        "where quota_code = ?",
        [TPM],
    )

    assert evaluate(con, APPLIED_QUOTAS_ARE_NOT_BELOW_DEFAULT).passed
