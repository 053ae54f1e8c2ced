"""One asset per SQL model, built in one step: a step of its own for each would cost more than the SQL.

Not here: reading the files (`sql_models.py`), deciding what to build (`sql_builds.py`), the SQL (`dbt_like_sql/`).
"""

import itertools
from collections.abc import Iterator, Mapping, Sequence
from typing import Any

import dagster as dg

from usage_pipeline.assets.metadata import table_lineage, table_schema
from usage_pipeline.column_lineage import Lineage, all_column_types, lineage_of_models
from usage_pipeline.raw_tables import CLOUDWATCH_METRICS
from usage_pipeline.sql_builds import BuiltModel, build
from usage_pipeline.sql_models import SqlModel
from usage_pipeline.warehouse import WAREHOUSE_POOL, Warehouse

BUILT_AT_ONCE = 2
"""Models that are built side by side in a run of few days; in a longer one, each may need all memory there is."""


def model_key(model: SqlModel) -> dg.AssetKey:
    """The model's asset: [schema, table]."""
    return dg.AssetKey([model.schema, model.name])


def model_spec(model: SqlModel) -> dg.AssetSpec:
    """The model as Dagster shows it before it is built."""
    return dg.AssetSpec(
        key=model_key(model),
        deps=[dg.AssetKey(name.split(".")) for name in upstream_tables(model)],
        description=f"{model.description}\n\n```sql\n{without_header(model.sql)}\n```",
        group_name=model.schema,
        kinds={"duckdb", "sql"},
        metadata={"dagster/relation_identifier": model.qualified_name},
    )


def upstream_tables(model: SqlModel) -> list[str]:
    """The tables whose assets come before the model. What `ops` notes of a reading is written with the metrics."""
    return sorted({CLOUDWATCH_METRICS.qualified_name if _is_ops(name) else name for name in model.dependencies})


def _is_ops(table: str) -> bool:
    return table.startswith("ops.")


def without_header(sql: str) -> str:
    """The statement without the comment that opens the file, which is the description already."""
    lines = sql.strip().splitlines()
    return "\n".join(itertools.dropwhile(lambda line: line.startswith("--"), lines))


def build_model_assets(models: Sequence[SqlModel]) -> dg.AssetsDefinition:
    """All SQL models as one subsettable step."""
    by_key = {model_key(model): model for model in models}

    @dg.multi_asset(
        name="sql_models", specs=[model_spec(model) for model in models], can_subset=True, pool=WAREHOUSE_POOL
    )
    def sql_models(context: dg.AssetExecutionContext, warehouse: Warehouse) -> Iterator[dg.MaterializeResult[Any]]:
        selected = {by_key[key].qualified_name for key in context.selected_asset_keys}
        with warehouse.connect() as con:
            done = build(con, models, only=selected, at_once=BUILT_AT_ONCE if warehouse.is_kept_open else 1)
            warehouse.write_back_meanwhile()
            types = all_column_types(con)
            built_models = [by_key[dg.AssetKey(built.table_name.split("."))] for built in done]
            lineages = lineage_of_models(con, built_models, types)
        for built in done:
            yield model_result(built, types[built.table_name], lineages[built.table_name])

    return sql_models


def model_result(built: BuiltModel, types: Mapping[str, str], lineage: Lineage) -> dg.MaterializeResult[Any]:
    """Row count, columns with DuckDB's types, lineage and what was rebuilt."""
    rebuilt = "the whole table" if built.is_rebuilt_whole else ", ".join(f"{a} to {b}" for a, b in built.days)
    return dg.MaterializeResult(
        asset_key=dg.AssetKey(built.table_name.split(".")),
        metadata={
            "dagster/row_count": built.row_count,
            "dagster/column_schema": table_schema(types),
            "dagster/column_lineage": table_lineage(lineage),
            "rebuilt": rebuilt or "nothing had changed",
            "seconds": round(built.seconds, 3),
        },
    )
