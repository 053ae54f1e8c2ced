"""Which quota code limits which model and endpoint type, from the names in the quota catalogue.

Not here: the rules (`quotas/rule_mapper.py`), the limits' values (`dbt_like_sql/`).
"""

import dataclasses
from collections import defaultdict
from typing import Any

import dagster as dg
import duckdb
import pyarrow as pa

from usage_pipeline.assets.metadata import stored_table_schema
from usage_pipeline.quotas.model_names import FoundationModel
from usage_pipeline.quotas.rule_mapper import Quota, map_quotas
from usage_pipeline.raw_tables import (
    CLOUDWATCH_METRICS,
    CUSTOM_DEPLOYMENTS,
    FOUNDATION_MODELS,
    INFERENCE_PROFILES,
    QUOTA_MAPPINGS,
    SERVICE_QUOTAS,
)
from usage_pipeline.reference import quota_labels
from usage_pipeline.warehouse import WAREHOUSE_POOL, ScopeKey, Warehouse, arrow_schema, replace_all

_UPSTREAM = (FOUNDATION_MODELS, INFERENCE_PROFILES, CUSTOM_DEPLOYMENTS, SERVICE_QUOTAS, CLOUDWATCH_METRICS)

# A scope's own list, and models that its profiles, deployments or usage name although the list does not: a legacy
# model, or a list that could not be read.
_MODELS_OF_SCOPES = """
    with used as (
        select distinct account_id, region, model_id
        from raw.cloudwatch_metrics
        where model_id like '%.%' and model_id not like 'arn:%'
    ),

    named as (
        select account_id, region, model_id from raw.foundation_models
        union
        select account_id, region, split_part(unnest(model_arns), '/', -1) from raw.inference_profiles
        union
        select account_id, region, split_part(base_model_arn, '/', -1) from raw.custom_deployments
        where base_model_arn is not null
        union
        select account_id, region, regexp_replace(model_id, '^(' || prefixes.pattern || ')\\.', '')
        from used
        cross join (select string_agg(prefix, '|') as pattern from raw.endpoint_prefixes) as prefixes
    ),

    names as (
        select
            model_id,
            max_by(model_name, snapshot_date) as model_name,
            max_by(provider_name, snapshot_date) as provider_name,
        from raw.foundation_models
        group by model_id
    )

    select
        named.account_id,
        named.region,
        named.model_id,
        names.model_name,
        names.provider_name,
    from named
    left join names using (model_id)
"""

_NEWEST_QUOTAS = """
    select account_id, region, quota_code, quota_name
    from raw.service_quotas
    where valid_to is null
"""


def mapping_rows(con: duckdb.DuckDBPyConnection) -> list[dict[str, Any]]:
    """Rows of `raw.quota_mappings` for every scope whose quota catalogue was ever read; others have none."""
    models: defaultdict[ScopeKey, list[FoundationModel]] = defaultdict(list)
    for account_id, region, model_id, model_name, provider_name in con.execute(_MODELS_OF_SCOPES).fetchall():
        models[account_id, region].append(FoundationModel(model_id, model_name, provider_name))
    quotas: defaultdict[ScopeKey, list[Quota]] = defaultdict(list)
    for account_id, region, code, name in con.execute(_NEWEST_QUOTAS).fetchall():
        quotas[account_id, region].append(Quota(code, name))
    labels = quota_labels()
    return [
        {"account_id": scope[0], "region": scope[1], **dataclasses.asdict(mapping)}
        for scope in sorted(quotas)
        for mapping in map_quotas(models[scope], quotas[scope], labels=labels)
    ]


@dg.asset(
    key=[QUOTA_MAPPINGS.schema, QUOTA_MAPPINGS.name],
    deps=[dg.AssetKey([table.schema, table.name]) for table in _UPSTREAM] + [dg.AssetKey(["raw", "endpoint_prefixes"])],
    group_name="raw",
    kinds={"python", "duckdb"},
    pool=WAREHOUSE_POOL,
    description=QUOTA_MAPPINGS.description,
    metadata={"dagster/column_schema": stored_table_schema(QUOTA_MAPPINGS)},
)
def raw_quota_mappings(warehouse: Warehouse) -> dg.MaterializeResult[Any]:
    """Map the newest catalogue of each scope by rule."""
    with warehouse.connect() as con:
        rows = mapping_rows(con)
        replace_all(con, QUOTA_MAPPINGS, pa.Table.from_pylist(rows, schema=arrow_schema(QUOTA_MAPPINGS)))
    counts = {status: sum(row["status"] == status for row in rows) for status in ("mapped", "no_quota", "unmapped")}
    return dg.MaterializeResult(metadata={"dagster/row_count": len(rows), **counts})
