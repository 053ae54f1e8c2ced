"""The marts that Python makes: percentiles with confidence, forecasts, recommendations, anomalies; one step for all.

Here: the assets, and the order of the work. Not here: the rows (the other `planning_….py`), the formulas
(`planning/`), the tables' columns (`planning_tables.py`).
"""

import datetime as dt
from collections.abc import Iterator
from concurrent.futures import Future, ThreadPoolExecutor
from typing import Any

import dagster as dg
import duckdb
import pyarrow as pa
from threadpoolctl import threadpool_limits

from usage_pipeline.assets.metadata import stored_table_schema
from usage_pipeline.assets.planning_alternatives import cache_rows, endpoint_move_rows
from usage_pipeline.assets.planning_anomalies import anomaly_rows
from usage_pipeline.assets.planning_costs import cost_forecast_rows
from usage_pipeline.assets.planning_max_tokens import PoolFacts, Row
from usage_pipeline.assets.planning_pools import PoolRows, rows_of_pool
from usage_pipeline.planning_calls import NO_CALLS, count_calls, logged_calls
from usage_pipeline.planning_inputs import (
    daily_peaks,
    days_under_way,
    known_minutes,
    log_completeness,
    newest_whole_days,
    pool_minutes,
    pool_totals,
    used_pools,
    whole_minutes,
)
from usage_pipeline.planning_tables import PLANNING_TABLES
from usage_pipeline.stored_table import StoredTable
from usage_pipeline.warehouse import WAREHOUSE_POOL, Warehouse, arrow_schema, replace_all

POOLS_AT_ONCE = 2
"""Pools whose numbers are worked out side by side; NumPy lets other threads run meanwhile."""

SOURCES = (
    "marts.quota_pools",
    "marts.quota_usage_minutely",
    "marts.quota_headroom",
    "marts.invocations",
    "marts.usage_daily",
    "marts.model_prices",
    "marts.data_completeness",
    "staging.stg_cloudwatch_coverage",
    "staging.stg_scopes",
    "intermediate.int_profile_days_summed",
    "raw.inference_profiles",
)
"""The tables that planning reads."""

PLANNING_KEYS = tuple(dg.AssetKey([table.schema, table.name]) for table in PLANNING_TABLES)


def planning_spec(table: StoredTable) -> dg.AssetSpec:
    """The table as Dagster shows it before it is made."""
    return dg.AssetSpec(
        key=dg.AssetKey([table.schema, table.name]),
        deps=[dg.AssetKey(name.split(".")) for name in SOURCES],
        description=table.description,
        group_name="planning",
        kinds={"duckdb", "python"},
        metadata={
            "dagster/relation_identifier": table.qualified_name,
            "dagster/column_schema": stored_table_schema(table),
        },
    )


@dg.multi_asset(name="planning", specs=[planning_spec(table) for table in PLANNING_TABLES], pool=WAREHOUSE_POOL)
def planning(warehouse: Warehouse) -> Iterator[dg.MaterializeResult[Any]]:
    """Make all of them anew from what is stored; equal tables give equal rows."""
    with warehouse.connect() as con:
        counts = {table: replace_all(con, table, rows) for table, rows in planning_rows(con).items()}
    for table, count in counts.items():
        yield dg.MaterializeResult(
            asset_key=dg.AssetKey([table.schema, table.name]), metadata={"dagster/row_count": count}
        )


def planning_rows(con: duckdb.DuckDBPyConnection) -> dict[StoredTable, pa.Table]:
    """The rows of every planning table; none before a whole day was read."""
    rows: dict[str, list[Row]] = {}
    if (days := newest_whole_days(con)) is not None:
        pools = used_pools(con, days)
        peaks = daily_peaks(con, days.last)
        rows = vars(_rows_of_pools(pool_facts(con)))
        rows["cost_forecasts"] = cost_forecast_rows(con, days.last)
        rows["anomalies"] = anomaly_rows(con, days, pools, peaks)
        rows["endpoint_moves"] = endpoint_move_rows(con, days, pools, rows["quota_recommendations"])
        rows["cache_opportunities"] = cache_rows(con, days)
    return {
        table: pa.Table.from_pylist(rows.get(table.name, []), schema=arrow_schema(table)) for table in PLANNING_TABLES
    }


def pool_facts(con: duckdb.DuckDBPyConnection) -> Iterator[PoolFacts]:
    """What is known of each pool with use, one after the other: the calls of one pool can be many."""
    if (days := newest_whole_days(con)) is None:
        return
    known, totals, complete = known_minutes(con, days), pool_totals(con, days), log_completeness(con, days)
    peaks, pools = daily_peaks(con, days.last), used_pools(con, days)
    today, counted = days_under_way(con, days.last + dt.timedelta(days=1), pools), count_calls(con, days)
    for pool in pools:
        yield PoolFacts(
            pool=pool,
            days=days,
            minutes=pool_minutes(con, pool, days, whole_minutes(known, pool, days)),
            peaks={quota: found for (pool_id, quota), found in peaks.items() if pool_id == pool.pool_id},
            calls=logged_calls(con, pool.pool_id, days, counted.get(pool.pool_id, NO_CALLS)),
            totals=totals[pool.pool_id],
            completeness=complete.get(pool.pool_id),
            today=today.get(pool.pool_id),
        )


def _rows_of_pools(facts: Iterator[PoolFacts]) -> PoolRows:
    """The rows of all pools in their order; no more pools are held at once than are worked on."""
    rows = PoolRows()
    waiting: list[Future[PoolRows]] = []
    # The linear algebra library's own threads wait in a loop for the next small product: twice the work, half as fast.
    with threadpool_limits(1), ThreadPoolExecutor(POOLS_AT_ONCE) as threads:
        for each in facts:
            if len(waiting) == POOLS_AT_ONCE:
                rows.extend(waiting.pop(0).result())
            waiting.append(threads.submit(rows_of_pool, each))
        for future in waiting:
            rows.extend(future.result())
    return rows
