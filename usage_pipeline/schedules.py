"""The jobs and the schedules: everything daily, the quotas more often, one catalogue on request."""

import datetime as dt
from typing import TYPE_CHECKING

import dagster as dg

from usage_pipeline.partitions import daily_partitions
from usage_pipeline.raw_tables import (
    CUSTOM_DEPLOYMENTS,
    ENABLED_REGIONS,
    FOUNDATION_MODELS,
    IMPORTED_MODELS,
    INFERENCE_PROFILES,
    LLM_QUOTA_MAPPINGS,
    SCOPES,
    SERVICE_QUOTAS,
    StoredTable,
)

if TYPE_CHECKING:
    # Dagster has no public name for what `define_asset_job` returns.
    from dagster._core.definitions.unresolved_asset_job_definition import UnresolvedAssetJobDefinition

DAILY_JOB = "daily"
RESTATE_JOB = "restate"
REFRESH_QUOTAS_JOB = "refresh_quotas"
REFRESH_REGIONS_JOB = "refresh_regions"
REFRESH_MODELS_JOB = "refresh_models"
REFRESH_QUOTA_MAPPINGS_JOB = "refresh_quota_mappings"

LONGEST_RUN = dt.timedelta(hours=6)
"""A run that was begun longer ago and is not over was killed; nothing waits for it."""

_UNDER_WAY = [
    dg.DagsterRunStatus.QUEUED,
    dg.DagsterRunStatus.NOT_STARTED,
    dg.DagsterRunStatus.STARTING,
    dg.DagsterRunStatus.STARTED,
    dg.DagsterRunStatus.CANCELING,
]


def _assets_of(*tables: StoredTable) -> dg.AssetSelection:
    return dg.AssetSelection.assets(*(dg.AssetKey([table.schema, table.name]) for table in tables))


def _made_from_what_is_stored() -> dg.AssetSelection:
    """Everything that asks AWS nothing: mappings, SQL models, checks, what is published."""
    return dg.AssetSelection.all() - dg.AssetSelection.tag("dagster/kind/aws", "")


def build_daily_job() -> "UnresolvedAssetJobDefinition":
    """Everything, for one day or a range of days in a single run."""
    return dg.define_asset_job(
        DAILY_JOB,
        # Which Regions an account has beside the configured ones is asked on request: it needs a right of its own.
        selection=dg.AssetSelection.all() - _assets_of(ENABLED_REGIONS),
        partitions_def=daily_partitions,
        description="Reads the days from AWS, rebuilds what changed, checks it, publishes it and writes the report.",
    )


def build_restate_job() -> "UnresolvedAssetJobDefinition":
    """Everything that asks AWS nothing: after a changed price, rate, mapping or rule, for all stored days."""
    return dg.define_asset_job(
        RESTATE_JOB,
        selection=_made_from_what_is_stored(),
        description="Makes consumption, cost and headroom anew from what is stored; reads neither metrics nor logs.",
    )


def build_refresh_jobs() -> list["UnresolvedAssetJobDefinition"]:
    """One catalogue read anew, and what follows from it: quotas, Regions, models. Neither metrics nor logs."""
    catalogues = {
        REFRESH_QUOTAS_JOB: (SCOPES, SERVICE_QUOTAS),
        REFRESH_REGIONS_JOB: (SCOPES, ENABLED_REGIONS),
        REFRESH_MODELS_JOB: (SCOPES, FOUNDATION_MODELS, INFERENCE_PROFILES, CUSTOM_DEPLOYMENTS, IMPORTED_MODELS),
        REFRESH_QUOTA_MAPPINGS_JOB: (
            *(SCOPES, FOUNDATION_MODELS, INFERENCE_PROFILES, CUSTOM_DEPLOYMENTS, SERVICE_QUOTAS),
            LLM_QUOTA_MAPPINGS,
        ),
    }
    return [
        dg.define_asset_job(
            name,
            selection=_made_from_what_is_stored() | _assets_of(*tables),
            description=f"Reads {', '.join(table.name.replace('_', ' ') for table in tables)} anew, rebuilds what "
            "changed, checks it, publishes it and writes the report; reads neither metrics nor logs.",
        )
        for name, tables in catalogues.items()
    ]


def days_to_read(now: dt.datetime, lookback_days: int) -> tuple[dt.date, dt.date]:
    """First and last UTC day of a daily run: the last `lookback_days` whole days, and today as far as it has come."""
    return now.date() - dt.timedelta(days=lookback_days), now.date()


def build_daily_schedule(job: "UnresolvedAssetJobDefinition", lookback_days: int) -> dg.ScheduleDefinition:
    """Every day at 06:15 UTC: one run over the look-back, so that a missed tick is caught up by the next."""

    @dg.schedule(
        name="daily_at_0615_utc",
        job=job,
        cron_schedule="15 6 * * *",
        execution_timezone="UTC",
        default_status=dg.DefaultScheduleStatus.RUNNING,
        description=f"Reads the last {lookback_days} days and today so far in a single run.",
    )
    def daily_at_0615_utc(context: dg.ScheduleEvaluationContext) -> dg.RunRequest:
        tick = context.scheduled_execution_time.astimezone(dt.UTC)
        first, last = days_to_read(tick, lookback_days)
        return dg.RunRequest(
            run_key=tick.isoformat(),
            tags={
                "dagster/asset_partition_range_start": first.isoformat(),
                "dagster/asset_partition_range_end": last.isoformat(),
            },
        )

    return daily_at_0615_utc


def build_quota_schedule(job: "UnresolvedAssetJobDefinition", every_hours: int) -> dg.ScheduleDefinition:
    """Every so many hours of a UTC day, at a quarter to: half an hour after the daily run, and never beside any run.

    Two runs would take turns at the pool of the warehouse, and this one would publish half of what the other reads.
    """

    @dg.schedule(
        name="quotas_every_few_hours",
        job=job,
        # Written out: of `*/24` Dagster warns that it may fire more often.
        cron_schedule=f"45 {','.join(str(hour) for hour in range(0, 24, every_hours))} * * *",
        execution_timezone="UTC",
        default_status=dg.DefaultScheduleStatus.RUNNING,
        description=f"Reads quotas every {every_hours} hours, unless another run is under way.",
    )
    def quotas_every_few_hours(context: dg.ScheduleEvaluationContext) -> dg.RunRequest | dg.SkipReason:
        tick = context.scheduled_execution_time.astimezone(dt.UTC)
        if other := _run_under_way(context.instance, tick):
            return dg.SkipReason(
                f"Run {other.run_id} of {other.job_name} is under way; quotas are read at the next tick."
            )
        return dg.RunRequest(run_key=tick.isoformat(), partition_key=tick.date().isoformat())

    return quotas_every_few_hours


def _run_under_way(instance: dg.DagsterInstance, now: dt.datetime) -> dg.DagsterRun | None:
    """A run of any job that is not over."""
    begun_lately = dg.RunsFilter(statuses=_UNDER_WAY, created_after=now - LONGEST_RUN)
    return next(iter(instance.get_runs(begun_lately, limit=1)), None)
