"""Between the warehouse and a reading of CloudWatch: what is stored already, and storing what came.

Here: queries of the ledger `ops.cloudwatch_series` and of known ModelIds, and writing both points and ledger. Not
here: calls and planning (`aws/`), Dagster.
"""

import datetime as dt
from collections import defaultdict
from collections.abc import Mapping, Sequence

import duckdb
import pyarrow as pa
import pyarrow.parquet as pq

from usage_pipeline.assets.readings import Coverage, read_until, scope_key
from usage_pipeline.aws.errors import Shortfall
from usage_pipeline.aws.metric_catalogue import HOUR_SECONDS, MetricNamespace
from usage_pipeline.aws.metric_reading import MetricReading, MetricRequest, StoredRead
from usage_pipeline.aws.read_plan import ACCOUNT_TOTAL, RETENTION, SeriesState
from usage_pipeline.aws.scopes import Scope
from usage_pipeline.aws.source_reading import ScopeReading
from usage_pipeline.raw_tables import CLOUDWATCH_SERIES, StoredTable
from usage_pipeline.warehouse import ScopeKey, SeriesWindow, arrow_schema, record_series, replace_series

_CATALOGUE_IDS = """
    select account_id, region, profile_id from raw.inference_profiles
    union
    select account_id, region, deployment_arn from raw.custom_deployments
    union
    select account_id, region, model_arn from raw.imported_models
"""

_FORGOTTEN = Shortfall(
    "failed",
    f"CloudWatch keeps points for {RETENTION[HOUR_SECONDS].days} days; this day is older and was not stored before. "
    "Its usage cannot be read any more.",
)

_ON_DEMAND_MODELS = """
    select distinct account_id, region, model_id
    from raw.foundation_models
    where list_contains(inference_types, 'ON_DEMAND')
"""


def metric_requests(
    con: duckdb.DuckDBPyConnection,
    table: StoredTable,
    namespace: MetricNamespace,
    scopes: Sequence[ScopeKey],
    days: Sequence[dt.date],
    now: dt.datetime,
) -> dict[ScopeKey, MetricRequest]:
    """For each scope, the days that are wanted and what is known of them: the ledger and every ModelId ever seen."""
    ledger = _ledger(con, namespace, days)
    seen = _ids_by_scope(
        con, f"select distinct account_id, region, model_id from {table.qualified_name} where model_id is not null"
    )
    # An account that publishes nothing then costs one ListMetrics call, and not a query for each profile.
    listed = _no_ids() if namespace.only_where_seen else _ids_by_scope(con, _CATALOGUE_IDS)
    on_demand = _no_ids() if namespace.only_where_seen else _ids_by_scope(con, _ON_DEMAND_MODELS)
    return {
        scope: MetricRequest(
            days=days,
            now=now,
            ledger=ledger[scope],
            ever_seen=seen[scope],
            catalogue=listed[scope],
            on_demand_models=on_demand[scope],
        )
        for scope in scopes
    }


def _no_ids() -> defaultdict[ScopeKey, list[str]]:
    return defaultdict(list)


def _ids_by_scope(con: duckdb.DuckDBPyConnection, query: str) -> defaultdict[ScopeKey, list[str]]:
    found = _no_ids()
    for account_id, region, model_id in con.execute(query).fetchall():
        found[account_id, region].append(model_id)
    return found


def _ledger(
    con: duckdb.DuckDBPyConnection, namespace: MetricNamespace, days: Sequence[dt.date]
) -> defaultdict[ScopeKey, list[SeriesState]]:
    rows = con.execute(
        f"""
        select account_id, region, usage_date, model_id, resolution_seconds, covered_until, is_final, query_set
        from {CLOUDWATCH_SERIES.qualified_name}
        where namespace = $namespace and list_contains($days::date[], usage_date)
        """,
        {"namespace": namespace.name, "days": list(days)},
    ).fetchall()
    found: defaultdict[ScopeKey, list[SeriesState]] = defaultdict(list)
    for account_id, region, *state in rows:
        found[account_id, region].append(SeriesState(*state))
    return found


def store_metric_readings(
    con: duckdb.DuckDBPyConnection,
    table: StoredTable,
    namespace: MetricNamespace,
    readings: Sequence[ScopeReading[MetricReading]],
) -> int:
    """Replace the points of every range that was read, and note each in the ledger. Returns the points stored."""
    rows = 0
    for reading in readings:
        for stored in reading.value.reads if reading.value is not None else ():
            replace_series(con, table, pq.read_table(stored.file), [_window(reading.scope, stored)])
            # After the points: a run that is killed in between asks for the range again and stores the same.
            record_series(con, _ledger_rows(namespace, reading.scope, stored))
            rows += stored.row_count
    return rows


def _window(scope: Scope, stored: StoredRead) -> SeriesWindow:
    model_ids = tuple(None if model_id == ACCOUNT_TOTAL else model_id for model_id in stored.read.model_ids)
    return SeriesWindow(scope.account_id, scope.region, model_ids, stored.read.start, stored.read.end)


def _ledger_rows(namespace: MetricNamespace, scope: Scope, stored: StoredRead) -> pa.Table:
    return pa.Table.from_pylist(
        [
            {
                "account_id": scope.account_id,
                "region": scope.region,
                "usage_date": state.usage_date,
                "namespace": namespace.name,
                "model_id": state.model_id,
                "resolution_seconds": state.resolution_seconds,
                "covered_until": state.covered_until,
                "is_final": state.is_final,
                "query_set": state.query_set,
            }
            for state in stored.read.states
        ],
        schema=arrow_schema(CLOUDWATCH_SERIES),
    )


def stored_coverage(
    con: duckdb.DuckDBPyConnection,
    table: StoredTable,
    namespace: MetricNamespace,
    readings: Sequence[ScopeReading[MetricReading]],
    days: Sequence[dt.date],
    now: dt.datetime,
) -> Mapping[tuple[str, str, dt.date], Coverage]:
    """What is stored now of each day of each scope that answered; a day reaches as far as its least read ModelId.

    A day of which a part could not be read says nothing new about how far it reaches.
    """
    counts = _stored_rows(con, table, days)
    reaches = _ledger_reaches(con, namespace, days)
    coverage: dict[tuple[str, str, dt.date], Coverage] = {}
    for reading in readings:
        if reading.value is None:
            continue
        for day in days:
            key = (*scope_key(reading.scope), day)
            rows = counts.get(key, 0)
            if shortfall := _shortfall_of_day(reading.value, day):
                coverage[key] = Coverage(rows or None, None, shortfall=shortfall)
            else:
                # Without any ModelId there was nothing to ask.
                covered_until, resolution = reaches.get(key, (read_until(day, now), None))
                coverage[key] = Coverage(rows, covered_until, resolution)
    return coverage


def _shortfall_of_day(reading: MetricReading, day: dt.date) -> Shortfall | None:
    if day in reading.forgotten_days:
        return _FORGOTTEN
    return reading.shortfall if day in reading.unread_days else None


def _stored_rows(
    con: duckdb.DuckDBPyConnection, table: StoredTable, days: Sequence[dt.date]
) -> dict[tuple[str, str, dt.date], int]:
    rows = con.execute(
        f"""
        select account_id, region, usage_date, count(*)
        from {table.qualified_name}
        where list_contains($days::date[], usage_date)
        group by account_id, region, usage_date
        """,
        {"days": list(days)},
    ).fetchall()
    return {(account_id, region, day): count for account_id, region, day, count in rows}


def _ledger_reaches(
    con: duckdb.DuckDBPyConnection, namespace: MetricNamespace, days: Sequence[dt.date]
) -> dict[tuple[str, str, dt.date], tuple[dt.datetime, int]]:
    """How far the least read ModelId of each scope and day was read, and the coarsest period of any, in seconds."""
    rows = con.execute(
        f"""
        select account_id, region, usage_date, min(covered_until), max(resolution_seconds)
        from {CLOUDWATCH_SERIES.qualified_name}
        where namespace = $namespace and list_contains($days::date[], usage_date)
        group by account_id, region, usage_date
        """,
        {"namespace": namespace.name, "days": list(days)},
    ).fetchall()
    return {(account_id, region, day): (until, resolution) for account_id, region, day, until, resolution in rows}
