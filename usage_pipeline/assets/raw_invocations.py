"""Requests from the model invocation logs, by UTC day, and the rules that name their applications.

Not here: finding, getting and parsing objects (`aws/`, `invocation_logs/`), storing them (`log_loading.py`,
`log_storage.py`), where logs go (`raw_catalogue.py`).
"""

import dataclasses
import datetime as dt
import functools
from collections.abc import Sequence
from typing import Any

import dagster as dg
import duckdb
import pyarrow as pa

from usage_pipeline.assets.invocation_storage import LOGGED_REQUESTS, known_deliveries
from usage_pipeline.assets.log_loading import LoadSummary, LogKind, load_logs, unread_logs
from usage_pipeline.assets.log_storage import read_objects, recount_rows, stored_rows
from usage_pipeline.assets.metadata import reading_metadata, stored_table_schema
from usage_pipeline.assets.readings import Coverage, ReadingStamp, read_until, scope_key, status_rows
from usage_pipeline.aws.access import AwsAccess
from usage_pipeline.aws.log_listing import LogListing, list_logs
from usage_pipeline.aws.source_reading import ScopeReading
from usage_pipeline.config import Settings
from usage_pipeline.log_files.files import parse_files
from usage_pipeline.log_files.formats import MODEL_INVOCATIONS
from usage_pipeline.partitions import daily_partitions, partition_days
from usage_pipeline.raw_tables import APPLICATION_RULES, INVOCATIONS, LOG_DELIVERY
from usage_pipeline.warehouse import (
    WAREHOUSE_POOL,
    Warehouse,
    arrow_schema,
    record_source_status,
    replace_all,
)

LogReading = ScopeReading[LogListing]

INVOCATION_LOGS = LogKind(LOGGED_REQUESTS, functools.partial(parse_files, format_name=MODEL_INVOCATIONS))


@dg.asset(
    key=[INVOCATIONS.schema, INVOCATIONS.name],
    deps=[dg.AssetKey([LOG_DELIVERY.schema, LOG_DELIVERY.name])],
    partitions_def=daily_partitions,
    backfill_policy=dg.BackfillPolicy.single_run(),
    group_name="raw",
    kinds={"aws", "s3", "duckdb"},
    pool=WAREHOUSE_POOL,
    description=INVOCATIONS.description,
    metadata={"dagster/column_schema": stored_table_schema(INVOCATIONS)},
)
def raw_invocations(
    context: dg.AssetExecutionContext,
    warehouse: Warehouse,
    aws: dg.ResourceParam[AwsAccess],
    settings: dg.ResourceParam[Settings],
) -> dg.MaterializeResult[Any]:
    """Read what the days' folders have that was not read before; a late record goes to its own day."""
    days = partition_days(list(context.partition_keys))
    now = settings.now()
    with warehouse.connect() as con:
        known = known_deliveries(con)
        already_read = read_objects(con, LOGGED_REQUESTS, days)
    listings = aws.read(lambda session, scope: list_logs(session, scope, known.get(scope_key(scope), ()), days, now))
    wanted = [
        (scope, listed)
        for reading in listings
        if reading.value is not None
        for scope in [scope_key(reading.scope)]
        for listed in reading.value.logs
        if (*scope, listed.log.bucket, listed.log.key, listed.log.etag) not in already_read
    ]
    with unread_logs(settings.data_folder) as folder, warehouse.connect() as con:
        loaded = load_logs(con, INVOCATION_LOGS, wanted, folder)
        readings = [_after_load(reading, loaded) for reading in listings]
        coverage = _coverage(con, readings, loaded, days, now)
        stamp = ReadingStamp(INVOCATIONS.name, context.run_id, now)
        record_source_status(con, status_rows(stamp, days, readings, aws.resolved.unreachable, coverage))
        recount_rows(con, LOGGED_REQUESTS, loaded.days)
    return dg.MaterializeResult(
        metadata={
            **reading_metadata(INVOCATIONS, loaded.row_count, readings),
            "objects_read": loaded.object_count,
            "records_read": loaded.record_count,
            "records_quarantined": loaded.quarantined_count,
            "days_changed": len(loaded.days),
        }
    )


def _after_load(reading: LogReading, loaded: LoadSummary) -> LogReading:
    """The reading of a scope's lists with the requests that getting its objects took."""
    return dataclasses.replace(reading, api_calls=reading.api_calls + loaded.api_calls[scope_key(reading.scope)])


def _coverage(
    con: duckdb.DuckDBPyConnection,
    readings: Sequence[LogReading],
    loaded: LoadSummary,
    days: Sequence[dt.date],
    now: dt.datetime,
) -> dict[tuple[str, str, dt.date], Coverage]:
    """What is stored now of each day of each scope whose logs were listed, and what is missing of it."""
    counts = stored_rows(con, LOGGED_REQUESTS, days)
    coverage: dict[tuple[str, str, dt.date], Coverage] = {}
    for reading in readings:
        if (listing := reading.value) is None:
            continue
        scope = scope_key(reading.scope)
        for day in days:
            rows = counts.get((*scope, day), 0)
            if shortfall := listing.unread.get(day) or loaded.shortfall(scope, day):
                coverage[*scope, day] = Coverage(rows or None, None, shortfall=shortfall)
            elif day in listing.off:
                coverage[*scope, day] = Coverage(rows, None, note=listing.off[day])
            else:
                coverage[*scope, day] = Coverage(rows, read_until(day, now))
    return coverage


@dg.asset(
    key=[APPLICATION_RULES.schema, APPLICATION_RULES.name],
    group_name="raw",
    kinds={"yaml", "duckdb"},
    pool=WAREHOUSE_POOL,
    description=f"{APPLICATION_RULES.description}\n\nFrom `applications` in the configuration.",
    metadata={"dagster/column_schema": stored_table_schema(APPLICATION_RULES)},
)
def raw_application_rules(warehouse: Warehouse, settings: dg.ResourceParam[Settings]) -> dg.MaterializeResult[Any]:
    """Write down the rules as they are now; a changed rule names the applications of stored requests anew."""
    rows = [
        {
            "position": position,
            "subject": rule.subject,
            "key": rule.key,
            "pattern": rule.expression,
            "application": rule.application,
        }
        for position, rule in enumerate(settings.applications, start=1)
    ]
    with warehouse.connect() as con:
        replace_all(con, APPLICATION_RULES, pa.Table.from_pylist(rows, schema=arrow_schema(APPLICATION_RULES)))
    return dg.MaterializeResult(metadata={"dagster/row_count": len(rows)})


invocation_assets = [raw_invocations, raw_application_rules]
