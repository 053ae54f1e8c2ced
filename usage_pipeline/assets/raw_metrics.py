"""Usage from CloudWatch, by UTC day: the metrics of AWS/Bedrock, and the max_tokens that callers publish.

Not here: which series are asked for and how (`aws/metric_reading.py`), what the catalogue has (`raw_catalogue.py`).
"""

from pathlib import Path
from tempfile import TemporaryDirectory
from typing import Any

import dagster as dg

from usage_pipeline.assets.metadata import reading_metadata, stored_table_schema
from usage_pipeline.assets.metric_storage import metric_requests, store_metric_readings, stored_coverage
from usage_pipeline.assets.readings import ReadingStamp, scope_key, status_rows
from usage_pipeline.aws.access import AwsAccess
from usage_pipeline.aws.metric_catalogue import BEDROCK, MAX_TOKENS, MetricNamespace
from usage_pipeline.aws.metric_reading import read_metrics
from usage_pipeline.config import Settings
from usage_pipeline.partitions import daily_partitions, partition_days
from usage_pipeline.raw_tables import (
    CLOUDWATCH_METRICS,
    CUSTOM_DEPLOYMENTS,
    FOUNDATION_MODELS,
    IMPORTED_MODELS,
    INFERENCE_PROFILES,
    MAX_TOKENS_METRIC,
    StoredTable,
)
from usage_pipeline.warehouse import WAREHOUSE_POOL, Warehouse, record_source_status

# The catalogues say which series may exist, also those that ListMetrics has forgotten.
_CATALOGUES = (FOUNDATION_MODELS, INFERENCE_PROFILES, CUSTOM_DEPLOYMENTS, IMPORTED_MODELS)


def build_metrics_asset(table: StoredTable, namespace: MetricNamespace) -> dg.AssetsDefinition:
    """The asset of one CloudWatch namespace: ask for what is not stored yet, store it, note how far each day goes."""

    @dg.asset(
        key=[table.schema, table.name],
        deps=[dg.AssetKey([catalogue.schema, catalogue.name]) for catalogue in _CATALOGUES],
        partitions_def=daily_partitions,
        backfill_policy=dg.BackfillPolicy.single_run(),
        group_name="raw",
        kinds={"aws", "duckdb"},
        pool=WAREHOUSE_POOL,
        description=table.description,
        metadata={"dagster/column_schema": stored_table_schema(table)},
    )
    def metrics(
        context: dg.AssetExecutionContext,
        warehouse: Warehouse,
        aws: dg.ResourceParam[AwsAccess],
        settings: dg.ResourceParam[Settings],
    ) -> dg.MaterializeResult[Any]:
        days = partition_days(list(context.partition_keys))
        now = settings.now()
        scopes = [scope_key(scope) for scope in aws.resolved.scopes]
        with warehouse.connect() as con:
            requests = metric_requests(con, table, namespace, scopes, days, now)
        with TemporaryDirectory(prefix="usage-pipeline-") as folder:
            readings = aws.read(
                lambda session, scope: read_metrics(
                    session.client("cloudwatch", scope.region),
                    scope,
                    namespace,
                    requests[scope_key(scope)],
                    Path(folder),
                )
            )
            with warehouse.connect() as con:
                rows = store_metric_readings(con, table, namespace, readings)
                coverage = stored_coverage(con, table, namespace, readings, days, now)
                stamp = ReadingStamp(table.name, context.run_id, now)
                record_source_status(con, status_rows(stamp, days, readings, aws.resolved.unreachable, coverage))
        unread = {
            ", ".join(names): count
            for reading in readings
            if reading.value is not None
            for names, count in reading.value.discovered.unread_dimension_sets.items()
        }
        return dg.MaterializeResult(
            metadata={
                **reading_metadata(table, rows, readings),
                "dimension_sets_not_read": dg.MetadataValue.json(unread),
            }
        )

    return metrics


metric_assets = [
    build_metrics_asset(CLOUDWATCH_METRICS, BEDROCK),
    build_metrics_asset(MAX_TOKENS_METRIC, MAX_TOKENS),
]
