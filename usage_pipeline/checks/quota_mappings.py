"""Checks on which quota limits which pool: the code exists, its name says the same, nobody else's code is used.

The reading of quota names lives in `usage_pipeline/quotas`; these rules hold its results against the catalogue again,
so that a wrong override or a renamed quota is caught too.
"""

from typing import Any

import duckdb

from usage_pipeline.checks.rules import Rule
from usage_pipeline.raw_tables import QUOTA_MAPPINGS

EVERY_MAPPED_CODE_EXISTS = Rule(
    name="every_mapped_quota_code_exists",
    table=QUOTA_MAPPINGS.qualified_name,
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
            qualify snapshot_date = max(snapshot_date) over (partition by account_id, region)
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
    description=(
        "Every pool that was used in the last 30 days has a tokens-per-minute or requests-per-minute limit. Without "
        "one its headroom is unknown. The mapping's reason says what the catalogue offers."
    ),
    contradictions="""
        with used_pools as (
            select distinct pool_id
            from marts.quota_usage_minutely
            where usage_date > (select max(usage_date) from marts.quota_usage_minutely) - 30
        )

        select
            quota_pools.pool_id,
            quota_pools.mapping_status,
            string_agg(distinct quota_mappings.reason, ' ') as reason,
            -- AWS lists no per-minute quota for imported and provisioned models: nothing to repair.
            if(quota_pools.endpoint_type in ('imported', 'provisioned'), 'WARN', 'ERROR') as severity,
        from marts.quota_pools
        semi join used_pools using (pool_id)
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
    description=(
        "Every ModelId with use belongs to exactly one pool. One that does not is listed with its candidates; its "
        "use is in the account's totals but in no pool's headroom."
    ),
    contradictions="""
        select
            account_id,
            region,
            profile_id,
            sum(invocations)::bigint as invocations,
            sum(throttles)::bigint as throttles,
        from marts.usage_minutely
        where pool_id is null and usage_date > (select max(usage_date) from marts.usage_minutely) - 30
        group by account_id, region, profile_id
        order by account_id, region, profile_id
    """,
)


def names_that_disagree(con: duckdb.DuckDBPyConnection) -> list[dict[str, Any]]:
    """Mapped quotas whose name speaks of another model, endpoint type or metric than the pool's."""
    raise AssertionError("replaced below")
