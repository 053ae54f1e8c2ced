"""Checks on which quota limits which pool: the code exists, its name says the same, nobody else's code is used.

The reading of quota names lives in `usage_pipeline/quotas`; these rules hold its results against the catalogue again,
so that a wrong override or a renamed quota is caught too.
"""

import dataclasses
from collections import defaultdict
from typing import Any

import duckdb

from usage_pipeline.checks.quota_decisions import QUOTA_DECISION_RULES
from usage_pipeline.checks.rules import CONFIGURED_SCOPES, Rule
from usage_pipeline.quotas.mapping_checks import disagreements, proofs_against, shared_codes
from usage_pipeline.quotas.model_names import FoundationModel
from usage_pipeline.raw_tables import QUOTA_MAPPINGS
from usage_pipeline.reference import quota_labels

EVERY_MAPPED_CODE_EXISTS = Rule(
    name="every_mapped_quota_code_exists",
    table=QUOTA_MAPPINGS.qualified_name,
    subject=("account_id", "region", "model_id", "endpoint_type", "quota_kind"),
    description=(
        "Every mapped quota code is in the newest quota catalogue of its own account and Region. A code that is not "
        "there gives a limit that AWS does not apply."
    ),
    contradictions="""
        with catalogue as (
            select
                account_id,
                region,
                quota_code,
            from raw.service_quotas
            where valid_to is null
        )

        select
            account_id,
            region,
            model_id,
            endpoint_type,
            quota_kind,
            quota_code,
        from raw.quota_mappings
        anti join catalogue using (account_id, region, quota_code)
        where status = 'mapped'
        order by account_id, region, model_id, endpoint_type, quota_kind
    """,
)

EVERY_POOL_WITH_TRAFFIC_HAS_A_LIMIT = Rule(
    name="every_pool_with_traffic_has_a_limit",
    table="marts.quota_pools",
    subject=("pool_id",),
    description=(
        "Every pool that was used in the last 30 days has a tokens-per-minute or requests-per-minute limit. Without "
        "one its headroom is unknown. The mapping's reason says what the catalogue offers."
    ),
    contradictions=f"""
        with used_pools as (
            select distinct pool_id
            from marts.quota_usage_minutely
            where usage_date > (select max(usage_date) from marts.quota_usage_minutely) - 30
        )

        select
            quota_pools.pool_id,
            quota_pools.mapping_status,
            string_agg(distinct quota_mappings.reason, ' ' order by quota_mappings.reason) as reason,
            -- AWS lists no per-minute quota for imported and provisioned models: nothing to repair.
            if(quota_pools.endpoint_type in ('imported', 'provisioned'), 'WARN', 'ERROR') as severity,
        from marts.quota_pools
        semi join used_pools using (pool_id)
        semi join {CONFIGURED_SCOPES} using (account_id, region)
        left join raw.quota_mappings
            on
                quota_mappings.account_id = quota_pools.account_id
                and quota_mappings.region = quota_pools.region
                and quota_mappings.model_id = quota_pools.model_id
                and quota_mappings.endpoint_type = quota_pools.endpoint_type
                and quota_mappings.quota_kind in ('tpm', 'rpm')
        where quota_pools.tpm_limit is null and quota_pools.rpm_limit is null
        group by quota_pools.pool_id, quota_pools.mapping_status, quota_pools.endpoint_type
        order by quota_pools.pool_id
    """,
)

EVERY_MODEL_ID_RESOLVES_TO_ONE_POOL = Rule(
    name="every_model_id_resolves_to_one_pool",
    table="marts.usage_minutely",
    subject=("account_id", "region", "profile_id"),
    description=(
        "Every ModelId that was used in the last 30 days belongs to exactly one pool. The reason says why one does "
        "not, and its candidates which pools it may belong to; its use is in no pool's headroom."
    ),
    contradictions=f"""
        with without_pool as (
            select
                account_id,
                region,
                profile_id,
                sum(invocations)::bigint as invocations,
                sum(throttles)::bigint as throttles,
            from marts.usage_minutely
            where pool_id is null and usage_date > (select max(usage_date) from marts.usage_minutely) - 30
            group by account_id, region, profile_id
        )

        select
            account_id,
            region,
            profile_id,
            unresolved.profile_name,
            unresolved.reason,
            array_to_string(unresolved.candidates, ', ') as candidates,
            without_pool.invocations,
            without_pool.throttles,
        from without_pool
        semi join {CONFIGURED_SCOPES} using (account_id, region)
        left join marts.unresolved_profiles as unresolved using (account_id, region, profile_id)
        order by account_id, region, profile_id
    """,
)


def names_that_disagree(con: duckdb.DuckDBPyConnection) -> list[dict[str, Any]]:
    """Mapped quotas whose name in today's catalogue speaks of another model, endpoint type or metric.

    What a name only leaves out is no reason against what a person or a language model decided: that is why they did.
    """
    labels = quota_labels()
    contradicted: list[dict[str, Any]] = []
    for mapping, model in _mapped_quotas(con):
        disagreeing = disagreements if mapping.method == "rule" else proofs_against
        if sentences := disagreeing(mapping, mapping.quota_name, model, labels=labels):
            contradicted.append({**dataclasses.asdict(mapping), "disagreement": " ".join(sentences)})
    return contradicted


def codes_of_two_models(con: duckdb.DuckDBPyConnection) -> list[dict[str, Any]]:
    """Quota codes that two models of one account and Region use, although nothing says that AWS limits both by it."""
    by_scope: defaultdict[tuple[str, str], list[_Mapping]] = defaultdict(list)
    for mapping, _ in _mapped_quotas(con):
        by_scope[mapping.account_id, mapping.region].append(mapping)
    labels = quota_labels()
    return [
        {
            "account_id": account_id,
            "region": region,
            "quota_code": shared.quota_code,
            "quota_name": shared.quota_name,
            "models": ", ".join(shared.model_ids),
        }
        for (account_id, region), mappings in sorted(by_scope.items())
        for shared in shared_codes(mappings, labels=labels)
    ]


@dataclasses.dataclass(frozen=True)
class _Mapping:
    """A mapped row of `raw.quota_mappings`, with the name that the scope's newest catalogue gives the code."""

    account_id: str
    region: str
    model_id: str
    endpoint_type: str
    quota_kind: str
    quota_code: str
    quota_name: str
    method: str


def _mapped_quotas(con: duckdb.DuckDBPyConnection) -> list[tuple[_Mapping, FoundationModel]]:
    """Each mapped row whose code is in the scope's newest catalogue, and the model's own names."""
    rows = con.execute(
        """
        with catalogue as (
            select
                account_id,
                region,
                quota_code,
                quota_name,
            from raw.service_quotas
            where valid_to is null
        ),

        models as (
            select
                model_id,
                max_by(model_name, snapshot_date) as model_name,
                max_by(provider_name, snapshot_date) as provider_name,
            from raw.foundation_models
            group by model_id
        )

        select
            mappings.account_id,
            mappings.region,
            mappings.model_id,
            mappings.endpoint_type,
            mappings.quota_kind,
            mappings.quota_code,
            catalogue.quota_name,
            mappings.method,
            models.model_name,
            models.provider_name,
        from raw.quota_mappings as mappings
        inner join catalogue using (account_id, region, quota_code)
        left join models on mappings.model_id = models.model_id
        where mappings.status = 'mapped'
        order by all
        """
    ).fetchall()
    return [(_Mapping(*key), FoundationModel(key[2], model_name, provider)) for *key, model_name, provider in rows]


EVERY_QUOTA_NAME_AGREES = Rule(
    name="every_quota_name_agrees_with_its_pool",
    table=QUOTA_MAPPINGS.qualified_name,
    subject=("account_id", "region", "model_id", "endpoint_type", "quota_kind"),
    description=(
        "The name of every mapped quota speaks of the same model, version, variant, endpoint type and metric as the "
        "pool. A name that does not gives a limit of another model."
    ),
    contradictions=names_that_disagree,
)

NO_CODE_SERVES_TWO_MODELS = Rule(
    name="no_quota_code_serves_two_models",
    table=QUOTA_MAPPINGS.qualified_name,
    subject=("account_id", "region", "quota_code"),
    description=(
        "No quota code limits two models of one account and Region, except those that AWS limits together "
        "(reference/quota_labels.csv)."
    ),
    contradictions=codes_of_two_models,
)

QUOTA_MAPPING_RULES = (
    EVERY_MAPPED_CODE_EXISTS,
    EVERY_QUOTA_NAME_AGREES,
    NO_CODE_SERVES_TWO_MODELS,
    *QUOTA_DECISION_RULES,
    EVERY_POOL_WITH_TRAFFIC_HAS_A_LIMIT,
    EVERY_MODEL_ID_RESOLVES_TO_ONE_POOL,
)
