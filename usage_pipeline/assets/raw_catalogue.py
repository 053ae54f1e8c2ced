"""What each account and Region has: models, profiles, deployments, quotas, a place for logs.

AWS tells the present only: a snapshot a day is kept, stored under today also in a run for past days; of quotas, the
periods in which AWS said the same. Not here: usage (`raw_metrics.py`), the calls (`aws/bedrock.py`,
`aws/service_quotas.py`).
"""

import datetime as dt
from collections.abc import Callable, Sequence
from typing import Any

import dagster as dg
import duckdb
import pyarrow as pa

from usage_pipeline.assets.catalogue_storage import store_snapshot
from usage_pipeline.assets.metadata import reading_metadata, stored_table_schema
from usage_pipeline.assets.quota_storage import store_quotas
from usage_pipeline.assets.readings import (
    Coverage,
    ReadingStamp,
    scope_key,
    scope_rows,
    status_rows,
)
from usage_pipeline.aws import bedrock, service_quotas
from usage_pipeline.aws.access import AwsAccess
from usage_pipeline.aws.invocation_logging import read_log_delivery
from usage_pipeline.aws.scopes import Scope
from usage_pipeline.aws.sessions import AccountSession
from usage_pipeline.aws.source_reading import Listing, ScopeReading
from usage_pipeline.config import Settings
from usage_pipeline.partitions import daily_partitions, partition_days
from usage_pipeline.raw_tables import (
    CUSTOM_DEPLOYMENTS,
    FOUNDATION_MODELS,
    IMPORTED_MODELS,
    INFERENCE_PROFILES,
    LOG_DELIVERY,
    SCOPES,
    SERVICE_QUOTAS,
    StoredTable,
)
from usage_pipeline.warehouse import (
    WAREHOUSE_POOL,
    Warehouse,
    arrow_schema,
    record_source_status,
    replace_all,
)

SCOPES_KEY = dg.AssetKey([SCOPES.schema, SCOPES.name])

ReadListing = Callable[[AccountSession, Scope], Listing[Any]]

StoreListings = Callable[[duckdb.DuckDBPyConnection, Sequence[ScopeReading[Listing[Any]]], dt.datetime], int]
"""Stores what the scopes listed at a moment (naive UTC); returns the rows that hold now."""


@dg.asset(
    key=SCOPES_KEY,
    group_name="raw",
    kinds={"aws", "duckdb"},
    pool=WAREHOUSE_POOL,
    description=SCOPES.description,
    metadata={"dagster/column_schema": stored_table_schema(SCOPES)},
)
def raw_scopes(warehouse: Warehouse, aws: dg.ResourceParam[AwsAccess]) -> dg.MaterializeResult[Any]:
    """Ask every configured account who it is and which Regions it has."""
    resolved = aws.resolved
    with warehouse.connect() as con:
        known = con.execute(f"select * from {SCOPES.qualified_name}").to_arrow_table().to_pylist()
        rows = scope_rows(resolved, known)
        replace_all(con, SCOPES, pa.Table.from_pylist(rows, schema=arrow_schema(SCOPES)))
    return dg.MaterializeResult(
        metadata={
            "dagster/row_count": len(rows),
            "unreachable": dg.MetadataValue.md(
                "\n".join(f"* {account.account_name}: {account.error_text}" for account in resolved.unreachable)
                or "none"
            ),
        }
    )


def build_catalogue_asset(
    table: StoredTable, read: ReadListing, store: StoreListings | None = None
) -> dg.AssetsDefinition:
    """The asset of one catalogue: list it in every scope, store it, note how it went.

    Args:
        table: the raw table.
        read: lists one scope.
        store: how the listings are stored; without it, today's snapshot is replaced.
    """

    @dg.asset(
        key=[table.schema, table.name],
        deps=[SCOPES_KEY],
        partitions_def=daily_partitions,
        backfill_policy=dg.BackfillPolicy.single_run(),
        group_name="raw",
        kinds={"aws", "duckdb"},
        pool=WAREHOUSE_POOL,
        description=table.description,
        metadata={"dagster/column_schema": stored_table_schema(table)},
    )
    def catalogue(
        context: dg.AssetExecutionContext,
        warehouse: Warehouse,
        aws: dg.ResourceParam[AwsAccess],
        settings: dg.ResourceParam[Settings],
    ) -> dg.MaterializeResult[Any]:
        now = settings.now()
        readings = aws.read(read)
        days = partition_days(list(context.partition_keys))
        coverage = {
            (*scope_key(reading.scope), day): Coverage(len(reading.value), None, shortfall=reading.value.shortfall)
            for reading in readings
            if reading.value is not None
            for day in days
        }
        stamp = ReadingStamp(table.name, context.run_id, now)
        with warehouse.connect() as con:
            rows = store(con, readings, now) if store else store_snapshot(con, table, readings, now.date())
            record_source_status(con, status_rows(stamp, days, readings, aws.resolved.unreachable, coverage))
        return dg.MaterializeResult(metadata=reading_metadata(table, rows, readings))

    return catalogue


catalogue_assets = [
    raw_scopes,
    build_catalogue_asset(
        FOUNDATION_MODELS,
        lambda session, scope: bedrock.list_foundation_models(session.client("bedrock", scope.region)),
    ),
    build_catalogue_asset(
        INFERENCE_PROFILES,
        lambda session, scope: bedrock.list_inference_profiles(session.client("bedrock", scope.region)),
    ),
    build_catalogue_asset(
        CUSTOM_DEPLOYMENTS,
        lambda session, scope: bedrock.list_custom_deployments(session.client("bedrock", scope.region)),
    ),
    build_catalogue_asset(
        IMPORTED_MODELS,
        lambda session, scope: bedrock.list_imported_models(session.client("bedrock", scope.region)),
    ),
    build_catalogue_asset(
        SERVICE_QUOTAS,
        lambda session, scope: service_quotas.list_service_quotas(session.client("service-quotas", scope.region)),
        store_quotas,
    ),
    build_catalogue_asset(
        LOG_DELIVERY,
        lambda session, scope: read_log_delivery(
            session.client("bedrock", scope.region), session.account.log_place(scope.region)
        ),
    ),
]
