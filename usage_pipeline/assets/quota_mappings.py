"""Which quota code limits which model and endpoint type: a person's word, else the rules', else a model's.

Not here: the rules and their order (`quotas/`), asking a model (`llm_quota_mappings.py`), the limits' values
(`dbt_like_sql/`).
"""

import dataclasses
import datetime as dt
from collections import defaultdict
from typing import Any

import dagster as dg
import duckdb
import pyarrow as pa

from usage_pipeline.assets.metadata import stored_table_schema
from usage_pipeline.assets.quota_scopes import mappings_by_rule, stored_overrides
from usage_pipeline.config import Settings
from usage_pipeline.quotas.overrides import QuotaIndexRow, read_overrides
from usage_pipeline.quotas.precedence import Answer, MappingKey, decide, overrides_of_scope
from usage_pipeline.raw_tables import (
    CLOUDWATCH_METRICS,
    CUSTOM_DEPLOYMENTS,
    ENDPOINT_PREFIXES,
    FOUNDATION_MODELS,
    INFERENCE_PROFILES,
    LLM_QUOTA_MAPPINGS,
    QUOTA_MAPPINGS,
    QUOTA_OVERRIDES,
    SERVICE_QUOTAS,
)
from usage_pipeline.reference import quota_labels
from usage_pipeline.warehouse import WAREHOUSE_POOL, ScopeKey, Warehouse, arrow_schema, replace_all

CATALOGUES = (
    FOUNDATION_MODELS,
    INFERENCE_PROFILES,
    CUSTOM_DEPLOYMENTS,
    SERVICE_QUOTAS,
    CLOUDWATCH_METRICS,
    ENDPOINT_PREFIXES,
    QUOTA_OVERRIDES,
)
"""What the mapping is made from, beside a model's answers."""

_ANSWERS = """
    select account_id, region, model_id, endpoint_type, quota_kind, answered_code, mapper_model_id
    from raw.llm_quota_mappings
    where answered_code is not null
"""

_MADE_BEFORE = """
    select
        account_id,
        region,
        model_id,
        endpoint_type,
        quota_kind,
        quota_code,
        method,
        status,
        mapper_model_id,
        mapped_at,
    from raw.quota_mappings
    where mapped_at is not null
"""


def mapping_rows(con: duckdb.DuckDBPyConnection, now: dt.datetime) -> list[dict[str, Any]]:
    """Rows of `raw.quota_mappings` for every scope whose quota catalogue was ever read; others have none.

    A mapping that is as it was keeps the moment at which it was first made so.
    """
    by_scope, overrides, labels = mappings_by_rule(con), stored_overrides(con), quota_labels()
    answers = _stored_answers(con)
    made = {tuple(row[:-1]): row[-1] for row in con.execute(_MADE_BEFORE).fetchall()}
    anywhere = {key for found in by_scope.values() for key in found.keys}
    return [
        {
            "account_id": scope[0],
            "region": scope[1],
            **dataclasses.asdict(one),
            "mapped_at": made.get((*scope, *one.key, one.quota_code, one.method, one.status, one.mapper_model_id), now),
        }
        for scope, found in by_scope.items()
        for one in decide(
            found.mappings,
            found.catalogue,
            answers=answers[scope],
            overrides=overrides_of_scope(overrides, *scope, found.keys, anywhere),
            labels=labels,
        )
    ]


def _stored_answers(con: duckdb.DuckDBPyConnection) -> defaultdict[ScopeKey, dict[MappingKey, Answer]]:
    answers: defaultdict[ScopeKey, dict[MappingKey, Answer]] = defaultdict(dict)
    for account_id, region, *key, code, mapper_model_id in con.execute(_ANSWERS).fetchall():
        answers[account_id, region][tuple(key)] = Answer(code, mapper_model_id)
    return answers


@dg.asset(
    key=[QUOTA_OVERRIDES.schema, QUOTA_OVERRIDES.name],
    group_name="raw",
    kinds={"csv", "duckdb"},
    pool=WAREHOUSE_POOL,
    description=f"{QUOTA_OVERRIDES.description}\n\nFrom the file that `quota_mapping.overrides_file` names.",
    metadata={"dagster/column_schema": stored_table_schema(QUOTA_OVERRIDES)},
)
def raw_quota_overrides(warehouse: Warehouse, settings: dg.ResourceParam[Settings]) -> dg.MaterializeResult[Any]:
    """Read the file of decisions; without one there are none."""
    path = settings.quota_mapping_settings.overrides_file
    rows = [] if path is None else [override_row(row) for row in read_overrides(path)]
    with warehouse.connect() as con:
        replace_all(con, QUOTA_OVERRIDES, pa.Table.from_pylist(rows, schema=arrow_schema(QUOTA_OVERRIDES)))
    return dg.MaterializeResult(
        metadata={"dagster/row_count": len(rows), "file": "none" if path is None else path.name}
    )


def override_row(row: QuotaIndexRow) -> dict[str, Any]:
    """A row of `raw.quota_overrides` from one of the file."""
    account_id, region = row.scope
    return {
        "account_id": account_id,
        "region": region,
        "model_id": row.model,
        "endpoint_type": row.endpoint,
        "quota_kind": row.quota_type,
        "quota_code": row.quota_code,
        "quota_name": row.quota_name,
    }


@dg.asset(
    key=[QUOTA_MAPPINGS.schema, QUOTA_MAPPINGS.name],
    deps=[dg.AssetKey([table.schema, table.name]) for table in (*CATALOGUES, LLM_QUOTA_MAPPINGS)],
    group_name="raw",
    kinds={"python", "duckdb"},
    pool=WAREHOUSE_POOL,
    description=QUOTA_MAPPINGS.description,
    metadata={"dagster/column_schema": stored_table_schema(QUOTA_MAPPINGS)},
)
def raw_quota_mappings(warehouse: Warehouse, settings: dg.ResourceParam[Settings]) -> dg.MaterializeResult[Any]:
    """Map the newest catalogue of each scope."""
    with warehouse.connect() as con:
        rows = mapping_rows(con, settings.now())
        replace_all(con, QUOTA_MAPPINGS, pa.Table.from_pylist(rows, schema=arrow_schema(QUOTA_MAPPINGS)))
    counts = {status: sum(row["status"] == status for row in rows) for status in ("mapped", "no_quota", "unmapped")}
    by_method = {f"by_{method}": sum(row["method"] == method for row in rows) for method in ("override", "rule", "llm")}
    return dg.MaterializeResult(metadata={"dagster/row_count": len(rows), **counts, **by_method})
