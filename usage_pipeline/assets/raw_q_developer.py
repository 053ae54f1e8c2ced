"""Prompts and activity of Amazon Q Developer and Kiro, by UTC day, from the places that the configuration names.

Both in one step, so that it costs next to nothing where no place is named. Not here: reading one of both
(`q_developer_reading.py`), finding, getting and parsing objects (`aws/`, `q_developer/`).
"""

from collections.abc import Iterator
from typing import Any

import dagster as dg

from usage_pipeline.assets.log_loading import unread_logs
from usage_pipeline.assets.metadata import stored_table_schema
from usage_pipeline.assets.q_developer_reading import (
    SOURCES,
    RunStamp,
    Source,
    list_source,
    load_source,
    note_unnamed_accounts,
)
from usage_pipeline.aws.access import AwsAccess
from usage_pipeline.config import Settings
from usage_pipeline.partitions import daily_partitions, partition_days
from usage_pipeline.raw_tables import StoredTable
from usage_pipeline.warehouse import WAREHOUSE_POOL, Warehouse


def _key(table: StoredTable) -> dg.AssetKey:
    return dg.AssetKey([table.schema, table.name])


def _spec(source: Source) -> dg.AssetSpec:
    table = source.logged.table
    return dg.AssetSpec(
        key=_key(table),
        group_name="raw",
        kinds={"aws", "s3", "duckdb"},
        description=f"{table.description}\n\nFrom the places that `accounts[].q_developer.{source.setting}` of the "
        "configuration names; without any, the table stays as it is.",
        metadata={"dagster/column_schema": stored_table_schema(table)},
    )


@dg.multi_asset(
    specs=[_spec(source) for source in SOURCES],
    partitions_def=daily_partitions,
    backfill_policy=dg.BackfillPolicy.single_run(),
    pool=WAREHOUSE_POOL,
)
def raw_q_developer(
    context: dg.AssetExecutionContext,
    warehouse: Warehouse,
    aws: dg.ResourceParam[AwsAccess],
    settings: dg.ResourceParam[Settings],
) -> Iterator[dg.MaterializeResult[Any]]:
    """Read what the days' folders have that was not read before; a late prompt goes to its own day."""
    run = RunStamp(context.run_id, tuple(partition_days(list(context.partition_keys))), settings.now())
    named = [source for source in SOURCES if source.places(settings)]
    listings = {source.setting: list_source(source, aws, settings, run) for source in named}
    with warehouse.connect() as con, unread_logs(settings.data_folder) as folder:
        for source in SOURCES:
            note_unnamed_accounts(con, source, settings, run)
            if source not in named:
                yield _result(source, {"places": "none are named"})
                continue
            yield _result(source, load_source(con, source, listings[source.setting], run, folder))


def _result(source: Source, metadata: dict[str, Any]) -> dg.MaterializeResult[Any]:
    return dg.MaterializeResult(asset_key=_key(source.logged.table), metadata=metadata)
