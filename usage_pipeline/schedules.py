"""The jobs and the daily schedule."""

import datetime as dt
from typing import TYPE_CHECKING

import dagster as dg

from usage_pipeline.partitions import daily_partitions

if TYPE_CHECKING:
    # Dagster has no public name for what `define_asset_job` returns.
    from dagster._core.definitions.unresolved_asset_job_definition import UnresolvedAssetJobDefinition

DAILY_JOB = "daily"
RESTATE_JOB = "restate"


def build_daily_job() -> "UnresolvedAssetJobDefinition":
    """Everything, for one day or a range of days in a single run."""
    return dg.define_asset_job(
        DAILY_JOB,
        selection=dg.AssetSelection.all(),
        partitions_def=daily_partitions,
        description="Reads the days from AWS, rebuilds what changed, checks it, publishes it and writes the report.",
    )


def build_restate_job() -> "UnresolvedAssetJobDefinition":
    """Everything that asks AWS nothing: after a changed price, rate, mapping or rule, for all stored days."""
    return dg.define_asset_job(
        RESTATE_JOB,
        selection=dg.AssetSelection.all() - dg.AssetSelection.tag("dagster/kind/aws", ""),
        description="Makes consumption, cost and headroom anew from what is stored; reads neither metrics nor logs.",
    )


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
