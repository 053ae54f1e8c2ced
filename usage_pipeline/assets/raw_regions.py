"""Which Regions each account has enabled, also those that the configuration does not name; asked on request only.

Not here: the scopes that are read (`raw_catalogue.py`), how AWS is asked (`aws/scopes.py`).
"""

import datetime as dt
from collections.abc import Iterable
from typing import Any

import dagster as dg
import pyarrow as pa

from usage_pipeline.assets.metadata import reading_metadata, stored_table_schema
from usage_pipeline.assets.raw_catalogue import SCOPES_KEY
from usage_pipeline.assets.readings import Coverage, ReadingStamp, account_status_rows, scope_key
from usage_pipeline.aws.access import AwsAccess
from usage_pipeline.aws.scopes import enabled_bedrock_regions
from usage_pipeline.aws.source_reading import Listing, ScopeReading
from usage_pipeline.config import Settings
from usage_pipeline.raw_tables import ENABLED_REGIONS
from usage_pipeline.warehouse import WAREHOUSE_POOL, Warehouse, arrow_schema, record_source_status, upsert


@dg.asset(
    key=[ENABLED_REGIONS.schema, ENABLED_REGIONS.name],
    deps=[SCOPES_KEY],
    group_name="raw",
    kinds={"aws", "duckdb"},
    pool=WAREHOUSE_POOL,
    description=ENABLED_REGIONS.description,
    metadata={"dagster/column_schema": stored_table_schema(ENABLED_REGIONS)},
)
def raw_enabled_regions(
    context: dg.AssetExecutionContext,
    warehouse: Warehouse,
    aws: dg.ResourceParam[AwsAccess],
    settings: dg.ResourceParam[Settings],
) -> dg.MaterializeResult[Any]:
    """Ask every account once, whatever Regions are configured; one that does not answer keeps what is known of it."""
    now = settings.now()
    readings = aws.read_accounts(lambda session, scope: Listing(enabled_bedrock_regions(session, scope.aws_partition)))
    stamp = ReadingStamp(ENABLED_REGIONS.name, context.run_id, now)
    with warehouse.connect() as con:
        rows = pa.Table.from_pylist(enabled_region_rows(readings, now), schema=arrow_schema(ENABLED_REGIONS))
        upsert(con, ENABLED_REGIONS, rows, keys=["account_id"])
        coverage = {
            (*scope_key(reading.scope), now.date()): Coverage(reading.row_count, None)
            for reading in readings
            if reading.value is not None
        }
        statuses = account_status_rows(stamp, [now.date()], readings, aws.resolved.unreachable, coverage)
        record_source_status(con, statuses)
    return dg.MaterializeResult(metadata=reading_metadata(ENABLED_REGIONS, rows.num_rows, readings))


def enabled_region_rows(readings: Iterable[ScopeReading[Listing[str]]], asked_at: dt.datetime) -> list[dict[str, Any]]:
    """Rows of `raw.enabled_regions`; accounts that did not answer have none."""
    return [
        {
            "account_id": reading.scope.account_id,
            "account_name": reading.scope.account_name,
            "region": region,
            "asked_at": asked_at,
        }
        for reading in readings
        if reading.value is not None
        for region in reading.value.rows
    ]
