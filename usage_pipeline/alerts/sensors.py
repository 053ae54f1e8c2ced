"""The sensor that tells people: looks at finished runs and at what is still due, and sends it.

A plain sensor over finished runs, because a run-failure sensor sees neither a failed check that does not block nor a
message that could not be sent, and a cursor over check events fails on Dagster's default storage (1.13).

Here: which runs are looked at, and how one ended. Not here: what is due and how it is sent (`dispatch.py`).
"""

import datetime as dt
from collections.abc import Sequence

import dagster as dg

from usage_pipeline.alerts.deliveries import RunEnd, open_delivery_log
from usage_pipeline.alerts.dispatch import SENSOR_SECONDS, dispatch
from usage_pipeline.config import Settings

FINISHED = (dg.DagsterRunStatus.SUCCESS, dg.DagsterRunStatus.FAILURE)

OVERLAP = dt.timedelta(seconds=10)
"""Runs of the last seconds are looked at twice, for two may end at one moment; noting one again changes nothing."""

MOST_RUNS = 100
"""Finished runs that are looked at in one tick; the next tick goes on."""

_BLOCKED = "DagsterAssetCheckFailedError"
"""What a step raises besides when one of its checks blocks; the check says it better."""

_MOST_REASONS = 3
_LONGEST_REASON = 300


def build_alerts_sensor(settings: Settings) -> dg.SensorDefinition:
    """The sensor for one configuration, on by default; without channels it does nothing."""

    @dg.sensor(
        name="alerts_sensor",
        minimum_interval_seconds=settings.alerts.interval_seconds,
        default_status=dg.DefaultSensorStatus.RUNNING,
        description="Tells the configured channels what is new, worse, still open or resolved, and which runs failed.",
    )
    def alerts_sensor(context: dg.SensorEvaluationContext, settings: dg.ResourceParam[Settings]) -> dg.SkipReason:
        if not settings.alerts.channels:
            return dg.SkipReason("No channel is configured (alerts.channels).")
        now = dt.datetime.now(dt.UTC)
        origin = context.code_location_origin
        location = origin.location_name if origin is not None else None
        # On a fresh cursor history is not told.
        since = dt.datetime.fromisoformat(context.cursor) if context.cursor else now
        context.update_cursor(note_finished_runs(context.instance, settings, since, location).isoformat())
        outcome = dispatch(settings, now.replace(tzinfo=None), seconds=SENSOR_SECONDS)
        for title in outcome.said:
            context.log.info(title)
        for error in outcome.errors:
            context.log.warning(error)
        return dg.SkipReason(outcome.text or "Nothing new to tell.")

    return alerts_sensor


def note_finished_runs(
    instance: dg.DagsterInstance, settings: Settings, since: dt.datetime, location: str | None
) -> dt.datetime:
    """Note how our runs ended that were finished after `since`; returns from where to look next time."""
    records = instance.get_run_records(
        dg.RunsFilter(statuses=list(FINISHED), updated_after=since - OVERLAP),
        order_by="update_timestamp",
        ascending=True,
        limit=MOST_RUNS,
    )
    with open_delivery_log(settings.alerts_file) as log:
        for record in records:
            if is_our_run(record.dagster_run, location):
                log.note_run(run_end(instance, record))
    return max([since, *(_utc(record.update_timestamp) for record in records)])


def is_our_run(run: dg.DagsterRun, location: str | None) -> bool:
    """Whether a command of ours or our code location made the run; one that a person began in the UI is seen there."""
    from usage_pipeline.runs import RUN_HERE_TAG  # that module builds the definitions, of which this is a part

    if run.job_name.startswith("__"):
        return False
    origin = run.remote_job_origin
    if origin is None:
        return RUN_HERE_TAG in run.tags
    return location is None or origin.location_name == location


def run_end(instance: dg.DagsterInstance, record: dg.RunRecord) -> RunEnd:
    """How a finished run ended."""
    run = record.dagster_run
    succeeded = run.status == dg.DagsterRunStatus.SUCCESS
    return RunEnd(
        run_id=run.run_id,
        ended_at=_utc(record.update_timestamp).replace(tzinfo=None),
        succeeded=succeeded,
        job=run.job_name,
        reason="" if succeeded else _reason(instance, run.run_id),
    )


def _reason(instance: dg.DagsterInstance, run_id: str) -> str:
    kinds = {
        dg.DagsterEventType.STEP_FAILURE,
        dg.DagsterEventType.ASSET_CHECK_EVALUATION,
        dg.DagsterEventType.RUN_FAILURE,
    }
    entries = instance.all_logs(run_id, of_type=kinds)
    return failure_reason([entry.dagster_event for entry in entries if entry.dagster_event is not None])


def failure_reason(events: Sequence[dg.DagsterEvent]) -> str:
    """Why a run failed: what steps raised, else which blocking checks failed, else what Dagster says."""
    errors = [
        f"{event.step_key}: {said}"
        for event in events
        if event.is_step_failure and _BLOCKED not in (said := _first_words(event))
    ]
    checks = [
        event.asset_check_evaluation_data
        for event in events
        if event.event_type == dg.DagsterEventType.ASSET_CHECK_EVALUATION
    ]
    blocking = [
        f"check {check.check_name} failed and blocks" for check in checks if not check.passed and check.blocking
    ]
    said = [event.message or "" for event in events if event.event_type == dg.DagsterEventType.RUN_FAILURE]
    reasons = [*blocking, *errors] or said or ["no reason was recorded"]
    return "; ".join(" ".join(reason.split())[:_LONGEST_REASON] for reason in reasons[:_MOST_REASONS])


def _first_words(event: dg.DagsterEvent) -> str:
    error = event.step_failure_data.error
    while error is not None and error.cause is not None:
        error = error.cause
    return error.message if error is not None else "no reason was recorded"


def _utc(moment: dt.datetime) -> dt.datetime:
    return moment.replace(tzinfo=dt.UTC) if moment.tzinfo is None else moment.astimezone(dt.UTC)
