"""What the warehouse knows of each account and Region's models and quotas, and what rules make of it.

Here: reading raw tables into values for `quotas/`. Not here: who decides in the end (`quota_mappings.py`), asking a
model (`llm_quota_mappings.py`).
"""

from collections import defaultdict
from dataclasses import dataclass

import duckdb

from usage_pipeline.quotas.model_names import FoundationModel
from usage_pipeline.quotas.overrides import QuotaIndexRow, ScopedQuotaIndexRow
from usage_pipeline.quotas.precedence import Catalogue, MappingKey
from usage_pipeline.quotas.rule_mapper import Quota, QuotaMapping, map_quotas
from usage_pipeline.reference import quota_labels
from usage_pipeline.warehouse import ScopeKey

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

_OVERRIDES = """
    select model_id, endpoint_type, quota_kind, quota_code, quota_name, null, account_id, region
    from raw.quota_overrides
    order by all
"""


@dataclass(frozen=True)
class ScopeMappings:
    """One account and Region: its newest catalogue, and a mapping by rule for each model, endpoint type and kind."""

    catalogue: Catalogue
    mappings: tuple[QuotaMapping, ...]

    @property
    def keys(self) -> set[MappingKey]:
        """What there is a mapping for."""
        return {(one.model_id, one.endpoint_type, one.quota_kind) for one in self.mappings}


def mappings_by_rule(con: duckdb.DuckDBPyConnection) -> dict[ScopeKey, ScopeMappings]:
    """Every account and Region whose quota catalogue was ever read, in order."""
    models: defaultdict[ScopeKey, dict[str, FoundationModel]] = defaultdict(dict)
    for account_id, region, model_id, model_name, provider_name in con.execute(_MODELS_OF_SCOPES).fetchall():
        models[account_id, region][model_id] = FoundationModel(model_id, model_name, provider_name)
    names: defaultdict[ScopeKey, dict[str, str]] = defaultdict(dict)
    for account_id, region, code, name in con.execute(_NEWEST_QUOTAS).fetchall():
        names[account_id, region][code] = name
    labels = quota_labels()
    return {
        scope: ScopeMappings(
            Catalogue(models[scope], names[scope]),
            tuple(map_quotas(models[scope].values(), [Quota(*one) for one in names[scope].items()], labels=labels)),
        )
        for scope in sorted(names)
    }


def stored_overrides(con: duckdb.DuckDBPyConnection) -> list[QuotaIndexRow]:
    """The rows of `raw.quota_overrides`."""
    columns = tuple(ScopedQuotaIndexRow.model_fields)
    return [
        ScopedQuotaIndexRow.model_validate(dict(zip(columns, row, strict=True)))
        for row in con.execute(_OVERRIDES).fetchall()
    ]
