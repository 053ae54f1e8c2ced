"""Checks on reading: did every scope answer, is the newest day here, was any day of the report's windows left out.

Not here: whether what was read is right (`reconciliation.py`, `quota_mappings.py`).
"""

from collections.abc import Iterable

from usage_pipeline.checks.rules import Rule
from usage_pipeline.q_developer_tables import Q_DEVELOPER_ACTIVITY, Q_DEVELOPER_PROMPTS, Q_DEVELOPER_TABLES
from usage_pipeline.raw_tables import (
    CLOUDWATCH_METRICS,
    CUSTOM_DEPLOYMENTS,
    FOUNDATION_MODELS,
    IMPORTED_MODELS,
    INFERENCE_PROFILES,
    INVOCATIONS,
    LOG_DELIVERY,
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
    LOG_DELIVERY,
    INVOCATIONS,
    Q_DEVELOPER_PROMPTS,
    Q_DEVELOPER_ACTIVITY,
)
"""The raw tables that are filled from AWS, scope by scope."""

DAY_SOURCES = (CLOUDWATCH_METRICS, MAX_TOKENS_METRIC, INVOCATIONS, *Q_DEVELOPER_TABLES)
"""Those that hold usage by day; the others are snapshots of what an account has."""

ACCOUNT_SOURCES = Q_DEVELOPER_TABLES
"""Those that are read from one place of an account for all of its Regions: their status has no Region."""


def _names(tables: Iterable[StoredTable]) -> str:
    return ", ".join(f"'{table.name}'" for table in tables)


# The newest reading names every scope of the configuration. An earlier failure still counts where it left a day without
# numbers: of metrics and logs, while the day is among the newest 30 and no other reading brought it to its end.
# Catalogues tell the present only, so their newest reading is all that matters. A row without a Region stands for all
# of its account.
UNANSWERED = f"""
    with readings as (
        select
            *,
            finished_at = max(finished_at) over same_source as is_newest,
            partition_date > max(partition_date) over same_source - 30 as is_shown,
        from ops.source_status
        window same_source as (partition by source)
    ),

    failed as (
        from readings
        where status not in ('ok', 'empty')
    ),

    failed_before as (
        select
            scopes.account_name,
            scopes.account_id,
            if(failed.source in ({_names(ACCOUNT_SOURCES)}), null, scopes.region) as region,
            failed.source,
            failed.partition_date,
            failed.status,
            failed.error_text,
        from failed
        inner join raw.scopes as scopes
            on
                (failed.account_id = scopes.account_id or failed.account_name = scopes.account_name)
                and (failed.region = scopes.region or failed.region is null)
        where
            failed.source in ({_names(DAY_SOURCES)})
            and scopes.is_configured
            and failed.is_shown
            and not failed.is_newest
    ),

    read_whole as (
        select
            account_id,
            region,
            source,
            partition_date,
        from readings
        where covered_until >= partition_date + 1
    ),

    unanswered as (
        select
            account_name,
            account_id,
            region,
            source,
            partition_date,
            status,
            error_text,
        from failed
        where is_newest
        union
        from failed_before
        anti join read_whole
            on
                failed_before.account_id = read_whole.account_id
                and failed_before.region is not distinct from read_whole.region
                and failed_before.source = read_whole.source
                and failed_before.partition_date = read_whole.partition_date
    )

    select
        account_name,
        account_id,
        region,
        source,
        max_by(status, partition_date) as status,
        max_by(error_text, partition_date) as error_text,
        min(partition_date) as first_day,
        max(partition_date) as last_day,
        count(distinct partition_date) as days,
    from unanswered
    group by account_name, account_id, region, source
    order by account_name, region, source
"""
"""SQL of the scopes that did not answer for a source, with the newest error and the days that lack numbers."""


def _every_scope_answered(table: StoredTable) -> Rule:
    return Rule(
        name=f"every_scope_answered_for_{table.name}",
        table=table.qualified_name,
        subject=("account_name",) if table in ACCOUNT_SOURCES else ("account_name", "region"),
        description=(
            f"AWS answered for {table.name} in every account and Region. Where it did not, numbers of that scope are "
            "missing, not zero. The error names what to allow or repair; then run the named days again."
        ),
        contradictions=f"select * exclude (source) from ({UNANSWERED}) where source = $source",
        parameters={"source": table.name},
    )


NEWEST_DAY_IS_READ = Rule(
    name="newest_day_is_read",
    table=CLOUDWATCH_METRICS.qualified_name,
    subject=("account_name", "region"),
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
    subject=("account_name", "region"),
    severity="WARN",
    description=(
        "Within the newest 30 days, every UTC day from a scope's first to its newest was read, each before the newest "
        "to its end. Run a missing day with `usage-pipeline run --date`; CloudWatch keeps one-minute data for 15 days "
        "and hourly data for 455."
    ),
    contradictions="""
        with read_days as (
            select
                scopes.account_name,
                scopes.account_id,
                scopes.region,
                status.partition_date,
                status.covered_until,
            from ops.source_status as status
            inner join raw.scopes as scopes using (account_id, region)
            where
                status.source = 'cloudwatch_metrics'
                and status.covered_until is not null
                and status.partition_date > (
                    select max(partition_date) from ops.source_status where source = 'cloudwatch_metrics'
                ) - 30
                and scopes.is_configured
        ),

        expected_days as (
            select
                account_name,
                account_id,
                region,
                max(partition_date) as newest_day,
                unnest(generate_series(min(partition_date), max(partition_date), interval 1 day))::date
                    as partition_date,
            from read_days
            group by account_name, account_id, region
        )

        select
            expected_days.account_name,
            account_id,
            region,
            partition_date,
            read_days.covered_until,
        from expected_days
        left join read_days using (account_id, region, partition_date)
        where
            read_days.covered_until is null
            or (read_days.covered_until < partition_date + 1 and partition_date < expected_days.newest_day)
        order by expected_days.account_name, region, partition_date
    """,
)

SOURCE_RULES = (*(_every_scope_answered(table) for table in READ_SOURCES), NEWEST_DAY_IS_READ, NO_DAY_WAS_LEFT_OUT)
