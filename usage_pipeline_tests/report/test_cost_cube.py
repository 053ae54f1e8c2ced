"""The cost cube, and the cube as the page gets it."""

import dataclasses
from collections import defaultdict
from decimal import Decimal
from typing import Any

import duckdb
import pytest

from usage_pipeline.report.contents import Report
from usage_pipeline.report.cost_cube import read_cube
from usage_pipeline.report.packing import unpacked
from usage_pipeline.report.page_data import packed_cube
from usage_pipeline_tests.report.sample import PIXTRAL, SEARCH_PROFILE

MONEY = ("input_cost_usd", "output_cost_usd", "cache_read_cost_usd", "cache_write_cost_usd")


def in_table(con: duckdb.DuckDBPyConnection, key: str) -> dict[Any, tuple[Any, ...]]:
    rows = con.execute(f"""
        select {key}, sum(calls)::bigint, sum(input_tokens)::bigint, sum(cost_usd), sum(unpriced_calls)::bigint
        from marts.usage_daily group by 1
    """).fetchall()
    return {row[0]: row[1:] for row in rows}


def added(rows: Any, key: str) -> dict[Any, tuple[Any, ...]]:
    sums: dict[Any, list[Any]] = defaultdict(lambda: [0, 0, None, 0])
    for row in rows:
        total = sums[getattr(row, key)]
        total[0] += row.calls
        total[1] += row.input_tokens
        parts = [getattr(row, name) for name in MONEY]
        if None not in parts:
            total[2] = sum(parts, total[2] or Decimal(0))
        total[3] += row.unpriced_calls
    return {name: tuple(total) for name, total in sums.items()}


@pytest.mark.parametrize("key", ["usage_date", "pool_id", "profile_id", "application", "role_or_user", "service_tier"])
def test_sums_over_every_dimension_are_the_tables(
    logged_report: Report, logged: duckdb.DuckDBPyConnection, key: str
) -> None:
    assert added(logged_report.cube, key) == in_table(logged, key)


def test_calls_without_a_price_have_no_cost(logged_report: Report) -> None:
    (row,) = (row for row in logged_report.cube if row.model_id == PIXTRAL)
    assert (row.calls, row.unpriced_calls) == (1, 1)
    assert [getattr(row, name) for name in MONEY] == [None] * 4


@pytest.mark.parametrize("most_rows", [1, 4, 7])
def test_merging_keeps_sums_of_days_and_pools_exact(
    logged_report: Report, logged: duckdb.DuckDBPyConnection, most_rows: int
) -> None:
    costs = logged_report.costs
    assert costs.first_day
    assert costs.last_day
    rows = read_cube(logged, costs.first_day, costs.last_day, most_rows)
    pools = {(row.usage_date, row.pool_id) for row in logged_report.cube}
    assert len(rows) <= max(most_rows, len(pools))
    assert sum(row.merged_rows for row in rows) == len(logged_report.cube)
    for key in ("usage_date", "pool_id"):
        assert added(rows, key) == in_table(logged, key)


def test_the_dearest_rows_are_kept_apart(logged_report: Report, logged: duckdb.DuckDBPyConnection) -> None:
    costs = logged_report.costs
    assert costs.first_day
    assert costs.last_day
    rows = read_cube(logged, costs.first_day, costs.last_day, 5)
    dearest = max(logged_report.cube, key=lambda row: sum(getattr(row, name) or 0 for name in MONEY))
    assert dearest in rows
    merged = [row for row in rows if row.is_merged]
    assert merged
    assert {(row.application, row.role_or_user, row.profile_id) for row in merged} == {(None, None, None)}


def read(report: Report) -> tuple[dict[str, Any], dict[str, list[Any]]]:
    text = packed_cube(report)
    assert text
    header, column = unpacked(text)
    return header, {name: column(reference) for name, reference in header["columns"].items()}


def test_packed_cube_is_the_cube_to_the_last_digit(logged_report: Report) -> None:
    header, columns = read(logged_report)
    cube = logged_report.cube
    assert (header["rows"], header["merged_rows"], header["unit"]) == (len(cube), 0, "1e-12 USD")
    for name in ("calls", "errors", "unpriced_calls", "input_tokens", "output_tokens", "cache_read_tokens"):
        assert columns[name] == [getattr(row, name) for row in cube]
    for name in ("input", "output", "cache_read", "cache_write"):
        exact = [None if value is None else Decimal(value).scaleb(-12) for value in columns[f"{name}_cost"]]
        assert exact == [getattr(row, f"{name}_cost_usd") for row in cube]
    assert [Decimal(value).scaleb(-3) for value in columns["latency_us"]] == [row.latency_ms_sum for row in cube]


def test_packed_cube_names_its_dimensions(logged_report: Report) -> None:
    header, columns = read(logged_report)
    entries = header["dictionaries"]
    pools = [entries["pool"][place] for place in columns["pool"]]
    assert [entry["pool_id"] for entry in pools] == [row.pool_id for row in logged_report.cube]
    callers = [entries["caller"][place] for place in columns["caller"]]
    assert [entry["name"] for entry in callers] == [row.role_or_user for row in logged_report.cube]
    applications = [entries["application"][place] for place in columns["application"]]
    assert applications == [row.application for row in logged_report.cube]
    (search,) = (entry for entry in entries["profile"] if entry["profile_id"] == SEARCH_PROFILE)
    assert search == {
        "profile_id": SEARCH_PROFILE,
        "profile_name": "search",
        "profile_kind": "application",
        "tags": {"team": "search"},
    }


def test_merged_rows_have_the_last_entry_of_each_dimension(
    logged_report: Report, logged: duckdb.DuckDBPyConnection
) -> None:
    costs = logged_report.costs
    assert costs.first_day
    assert costs.last_day
    merged = read_cube(logged, costs.first_day, costs.last_day, 5)
    header, columns = read(dataclasses.replace(logged_report, cube=merged))
    for name in ("profile", "application", "caller", "tier"):
        entries = header["dictionaries"][name]
        assert entries[-1] == {"merged": True}
        marked = [place == len(entries) - 1 for place in columns[name]]
        assert marked == [row.is_merged for row in merged]
    assert header["merged_rows"] == sum(row.merged_rows for row in merged if row.is_merged) > 0


def test_incomplete_days_are_pairs_of_day_and_pool(logged_report: Report, logged: duckdb.DuckDBPyConnection) -> None:
    text = packed_cube(logged_report)
    assert text
    header, column = unpacked(text)
    days, pools = (column(header["incomplete"][name]) for name in ("day", "pool"))
    first = logged_report.costs.first_day
    assert first
    found = {
        ((row[0] - first).days, row[1])
        for row in logged.execute(
            "select usage_date, pool_id from marts.data_completeness where status <> 'complete'"
        ).fetchall()
    }
    entries = header["dictionaries"]["pool"]
    assert {(day, entries[pool]["pool_id"]) for day, pool in zip(days, pools, strict=True)} == found
    assert found


def test_report_without_logs_has_no_cube(report: Report) -> None:
    assert packed_cube(report) is None
