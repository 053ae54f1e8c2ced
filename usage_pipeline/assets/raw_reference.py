"""Raw tables that come from dated files of this project and not from AWS.

Not here: the files and their validation (`reference/`).
"""

from collections.abc import Callable, Sequence
from typing import Any

import dagster as dg
import pyarrow as pa

from usage_pipeline import reference
from usage_pipeline.assets.metadata import stored_table_schema
from usage_pipeline.raw_tables import BURNDOWN_RATES, ENDPOINT_PREFIXES, MODEL_LIMITS, StoredTable
from usage_pipeline.warehouse import WAREHOUSE_POOL, Warehouse, arrow_schema, replace_all


def build_reference_asset(
    table: StoredTable, read: Callable[[], Sequence[reference.ReferenceRow]]
) -> dg.AssetsDefinition:
    """The asset of one reference file."""

    @dg.asset(
        key=[table.schema, table.name],
        group_name="raw",
        kinds={"csv", "duckdb"},
        pool=WAREHOUSE_POOL,
        description=f"{table.description}\n\nFrom `usage_pipeline/reference/{table.name}.csv`.",
        metadata={"dagster/column_schema": stored_table_schema(table)},
    )
    def reference_table(warehouse: Warehouse) -> dg.MaterializeResult[Any]:
        rows = pa.Table.from_pylist([row.model_dump() for row in read()], schema=arrow_schema(table))
        with warehouse.connect() as con:
            replace_all(con, table, rows)
        return dg.MaterializeResult(metadata={"dagster/row_count": rows.num_rows})

    return reference_table


reference_assets = [
    build_reference_asset(BURNDOWN_RATES, reference.burndown_rates),
    build_reference_asset(MODEL_LIMITS, reference.model_limits),
    build_reference_asset(ENDPOINT_PREFIXES, reference.endpoint_prefixes),
]
