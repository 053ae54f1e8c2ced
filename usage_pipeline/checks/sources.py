"""Checks on reading: did every scope answer, is the newest day here, was any day of the report's windows left out.

Not here: whether what was read is right (`reconciliation.py`, `quota_mappings.py`).
"""

from usage_pipeline.checks.rules import Rule
from usage_pipeline.raw_tables import (
    CLOUDWATCH_METRICS,
    CUSTOM_DEPLOYMENTS,
    FOUNDATION_MODELS,
    IMPORTED_MODELS,
    INFERENCE_PROFILES,
    MAX_TOKENS_METRIC,
    SERVICE_QUOTAS,
    StoredTable,
)

READ_SOURCES = (
    FOUNDATION_MODELS,
    INFERENCE_PROFILES,
    CUSTOM_DEPLOYMENTS,
    IMPORTED_MODELS,
    SERVICE_QUOTAS,
    CLOUDWATCH_METRICS,
    MAX_TOKENS_METRIC,
)
"""The raw tables that are filled from AWS, scope by scope."""

# A day counts for the report while it is in its longest window, 30 days; a scope taken out of the configuration
# no longer counts.
_UNANSWERED = """
    select
        account_name,
        account_id,
        region,
        max_by(status, partition_date) as status,
        max_by(error_text, partition_date) as error_text,
        min(partition_date) as first_day,
        max(partition_date) as last_day,
        count(*) as days,
    from ops.source_status
    where
        source = $source
        and status not in ('ok', 'empty')
        and partition_date > (select max(partition_date) from ops.source_status) - 30
        and (
            account_id is null
            or (account_id, region) in (select (account_id, region) from raw.scopes where is_configured)
        )
    group by account_name, account_id, region
    order by account_name, region
"""


def _every_scope_answered(table: StoredTable) -> Rule:
    return Rule(
        name=f"every_scope_answered_for_{table.name}",
        table=table.qualified_name,
        description=(
            f"AWS answered for {table.name} in every account and Region. Where it did not, numbers of that scope are "
            "missing, not zero. The error names what to allow or repair; then run the named days again."
        ),
        contradictions=_UNANSWERED,
        parameters={"source": table.name},
    )


NEWEST_DAY_IS_READ = Rule(
    name="newest_day_is_read",
    table=CLOUDWATCH_METRICS.qualified_name,
    description=(
        "Every configured scope's metrics reach as far as the newest scope's, to within one hour. An older scope "
        "makes sums over scopes too low for the missing time."
    ),
    contradictions="""
        with reach as (
            select
                account_id,
                region,
                max(covered_until) as covered_until,
            from ops.source_status
            where source = 'cloudwatch_metrics' and account_id is not null
            group by account_id, region
        )

        select
            account_name,
            account_id,
            region,
            reach.covered_until,
            max(reach.covered_until) over () as newest,
        from raw.scopes
        left join reach using (account_id, region)
        where is_configured
        qualify
            reach.covered_until is null
            or reach.covered_until < max(reach.covered_until) over () - interval 1 hour
        order by account_name, region
    """,
)

NO_DAY_WAS_LEFT_OUT = Rule(
    name="no_day_was_left_out",
    table=CLOUDWATCH_METRICS.qualified_name,
    severity="WARN",
    description=(
        "Between the first and the newest day of each scope, every UTC day was read. Run a missing day with "
        "`usage-pipeline run --date`; CloudWatch keeps one-minute data for 15 days and hourly data for 455."
    ),
    contradictions="""
        with read_days as (
            select
                account_id,
                region,
                partition_date,
            from ops.source_status
            where source = 'cloudwatch_metrics' and covered_until is not null
        ),

        expected_days as (
            select
                account_id,
                region,
                unnest(generate_series(min(partition_date), max(partition_date), interval 1 day))::date
                    as partition_date,
            from read_days
            group by account_id, region
        )

        select
            account_id,
            region,
            partition_date,
        from expected_days
        anti join read_days using (account_id, region, partition_date)
        order by account_id, region, partition_date
    """,
)

SOURCE_RULES = (*(_every_scope_answered(table) for table in READ_SOURCES), NEWEST_DAY_IS_READ, NO_DAY_WAS_LEFT_OUT)
