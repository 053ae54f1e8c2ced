"""Running the daily job in this process, for the command line and cron; the UI and the schedule need none of this.

Here: one run at a time, progress, and putting away what a killed run left behind. Not here: what the job does
(`definitions.py`, `assets/`), the folder of the Dagster instance (`instance_folder.py`).
"""

import datetime as dt
import fcntl
import logging
import socket
import sys
from collections.abc import Callable, Generator, Mapping
from contextlib import ExitStack, contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Protocol

import dagster as dg
import duckdb

from usage_pipeline.aws.access import AwsAccess
from usage_pipeline.checks.evaluation import RuleResults
from usage_pipeline.checks.validation import ValidationProcess
from usage_pipeline.config import Settings
from usage_pipeline.definitions import build_definitions
from usage_pipeline.event_log import take_events_in_batches
from usage_pipeline.garbage_collection import without_search_for_cycles
from usage_pipeline.raw_tables import CLOUDWATCH_METRICS, INVOCATIONS, MAX_TOKENS_METRIC, SOURCE_STATUS
from usage_pipeline.schedules import DAILY_JOB, RESTATE_JOB
from usage_pipeline.warehouse import Warehouse, note_changed_days

RUN_HERE_TAG = "usage_pipeline/run_on_host"
"""Marks a run that a command executed in its own process, with the host's name."""

FEW_DAYS = 7
"""A run of fewer days keeps the warehouse open and has Great Expectations imported beside it from its beginning."""

_STEP_WORDS = {
    dg.DagsterEventType.STEP_START: "started",
    dg.DagsterEventType.STEP_SUCCESS: "succeeded",
    dg.DagsterEventType.STEP_FAILURE: "failed",
    dg.DagsterEventType.STEP_SKIPPED: "skipped",
}


class Progress(Protocol):
    """Hears how a run goes on."""

    def begin(self, steps: int) -> None:
        """The run has so many steps."""
        ...

    def step(self, name: str, word: str) -> None:
        """A step is `started`, `succeeded`, `failed` or `skipped`."""
        ...


@dataclass(frozen=True)
class FailedStep:
    """A step that raised, and the text of its error."""

    name: str
    error: str


@dataclass(frozen=True)
class RunOutcome:
    """How a run ended: its id, whether every step succeeded, why steps failed, and the checks that failed in it."""

    run_id: str
    succeeded: bool
    failed_steps: tuple[FailedStep, ...]
    failed_checks: tuple[dg.AssetCheckEvaluation, ...]

    @property
    def failed_errors(self) -> tuple[dg.AssetCheckEvaluation, ...]:
        """Failed checks of severity ERROR."""
        return tuple(check for check in self.failed_checks if check.severity == dg.AssetCheckSeverity.ERROR)


@contextmanager
def alone_in(folder: Path, waiting: Callable[[], None]) -> Generator[None]:
    """Hold the folder's run lock; `waiting` is called once when another run has it. The system frees it on a kill."""
    with (folder / "run.lock").open("w") as lock:
        try:
            fcntl.flock(lock, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except BlockingIOError:
            waiting()
            fcntl.flock(lock, fcntl.LOCK_EX)
        yield


def put_away_killed_runs(instance: dg.DagsterInstance) -> list[str]:
    """Mark runs that a killed command left as started, and free their place in the pool. Returns their ids.

    Call it holding the run lock: then no command of this host is still running one.
    """
    left_over = instance.get_runs(
        dg.RunsFilter(
            statuses=[dg.DagsterRunStatus.STARTED, dg.DagsterRunStatus.NOT_STARTED],
            tags={RUN_HERE_TAG: socket.gethostname()},
        )
    )
    for run in left_over:
        instance.report_run_failed(run, "The process was ended before the run was over; its days are read again.")
        instance.event_log_storage.free_concurrency_slots_for_run(run.run_id)
    return [run.run_id for run in left_over]


def any_day_was_asked(settings: Settings) -> bool:
    """Whether CloudWatch was ever asked for a day; a warehouse may hold refreshed catalogues and nothing else.

    True as well for a warehouse that is in use or cannot be read: of that the run itself speaks.
    """
    if not settings.warehouse_file.exists():
        return False
    try:
        with duckdb.connect(str(settings.warehouse_file), read_only=True) as con:
            query = f"select 1 from {SOURCE_STATUS.qualified_name} where source = ? limit 1"
            return con.execute(query, [CLOUDWATCH_METRICS.name]).fetchone() is not None
    except duckdb.Error:
        return True


def run_days(
    settings: Settings, instance: dg.DagsterInstance, first: dt.date, last: dt.date, progress: Progress
) -> RunOutcome:
    """Run the daily job for the UTC days `first` to `last` as one run."""
    days = {
        "dagster/asset_partition_range_start": first.isoformat(),
        "dagster/asset_partition_range_end": last.isoformat(),
    }
    return _run_job(settings, instance, DAILY_JOB, days, progress, is_short=(last - first).days < FEW_DAYS)


def restate_days(
    settings: Settings, instance: dg.DagsterInstance, first: dt.date | None, last: dt.date | None, progress: Progress
) -> RunOutcome:
    """Make everything anew that follows from the stored days `first` to `last` (None: no bound), asking AWS nothing."""
    with Warehouse.of(settings).connect() as con:
        for table in (CLOUDWATCH_METRICS, MAX_TOKENS_METRIC, INVOCATIONS):
            days = con.execute(
                f"""
                select distinct usage_date from {table.qualified_name}
                where usage_date between coalesce($first, '0001-01-01'::date) and coalesce($last, '9999-12-31'::date)
                """,
                {"first": first, "last": last},
            ).fetchall()
            note_changed_days(con, table.qualified_name, [day for (day,) in days])
    return _run_job(settings, instance, RESTATE_JOB, {}, progress)


def refresh(settings: Settings, instance: dg.DagsterInstance, job: str, progress: Progress) -> RunOutcome:
    """Run a job that reads one catalogue anew, as it is now."""
    today = settings.now().date().isoformat()
    days = {"dagster/asset_partition_range_start": today, "dagster/asset_partition_range_end": today}
    return _run_job(settings, instance, job, days, progress, is_short=True)


def _run_job(
    settings: Settings,
    instance: dg.DagsterInstance,
    name: str,
    tags: Mapping[str, str],
    progress: Progress,
    is_short: bool = False,
) -> RunOutcome:
    """Execute the job here. Many days need the memory for what is read of them; other runs spend some on speed."""
    with ExitStack() as stack:
        rule_results, aws = None, AwsAccess(settings)
        if is_short:
            aws.begin()
            take_events_in_batches()
            stack.enter_context(without_search_for_cycles())
            stack.enter_context(Warehouse.of(settings).kept_open())
            if "great_expectations" not in sys.modules:
                rule_results = RuleResults(stack.enter_context(ValidationProcess()).validate)
        job = build_definitions(settings, {"steps": _step_logger(progress)}, rule_results, aws).resolve_job_def(name)
        progress.begin(len(job.nodes))
        result = job.execute_in_process(
            instance=instance,
            run_config={"loggers": {"steps": {}}},
            tags={**tags, RUN_HERE_TAG: socket.gethostname()},
            raise_on_error=False,
        )
    return RunOutcome(
        run_id=result.run_id,
        succeeded=result.success,
        failed_steps=tuple(
            FailedStep(event.step_key or "", _error_text(event))
            for event in result.all_node_events
            if event.is_step_failure
        ),
        failed_checks=tuple(evaluation for evaluation in result.get_asset_check_evaluations() if not evaluation.passed),
    )


def _error_text(event: dg.DagsterEvent) -> str:
    """What the step's own code raised, in one line, without Dagster's words around it."""
    error = event.step_failure_data.error
    while error is not None and error.cause is not None:
        error = error.cause
    return " ".join(error.message.split()) if error is not None else "no reason was recorded"


def _step_logger(progress: Progress) -> dg.LoggerDefinition:
    """A Dagster logger that turns step events into calls of `progress` and prints nothing."""

    class StepHandler(logging.Handler):
        def emit(self, record: logging.LogRecord) -> None:
            event = getattr(record, "dagster_event", None)
            if isinstance(event, dg.DagsterEvent) and event.step_key and (word := _STEP_WORDS.get(event.event_type)):
                progress.step(event.step_key, word)

    def steps(_: dg.InitLoggerContext) -> logging.Logger:
        logger = logging.Logger("usage_pipeline.steps")
        logger.addHandler(StepHandler())
        return logger

    return dg.LoggerDefinition(steps, description="Tells a command which step runs.")
