"""How Dagster's servers execute a run: every step in one process, with the event log kept open, waiting at rest.

One process has the DuckDB file; a process for each step would wait for the next one's lock. Commands execute their
runs themselves (`runs.py`). Not here: the event log that is kept open (`event_log.py`).
"""

import os
import time
from collections.abc import Iterator, Mapping
from contextlib import AbstractContextManager, nullcontext
from pathlib import Path
from typing import Any

import dagster as dg
from dagster._core.events import DagsterEvent, EngineEventData
from dagster._core.execution.api import ExecuteRunWithPlanIterable
from dagster._core.execution.context.system import PlanExecutionContext, PlanOrchestrationContext
from dagster._core.execution.context_creation_job import PlanExecutionContextManager
from dagster._core.execution.plan.execute_plan import inner_plan_execution_iterator
from dagster._core.execution.plan.instance_concurrency_context import InstanceConcurrencyContext
from dagster._core.execution.plan.plan import ExecutionPlan
from dagster._core.execution.retries import RetryMode
from dagster._core.execution.step_dependency_config import StepDependencyConfig
from dagster._core.executor.in_process import InProcessExecutor
from dagster._core.storage.event_log import SqliteEventLogStorage

from usage_pipeline.event_log import open_instance, take_events_in_batches
from usage_pipeline.garbage_collection import without_search_for_cycles


class _WaitingAtRest(InstanceConcurrencyContext):
    """Claims of places in a pool, which sleeps until it may claim again.

    Dagster's own always says that the time has come, and so asks without a pause, for which a run that waits for
    another takes a whole core (1.13, November 2026; https://github.com/dagster-io/dagster/pull/20367).
    """

    def interval_to_next_pending_claim_check(self) -> float:
        """Seconds until the first refused claim may be made again."""
        return max(0.0, min(self._pending_timeouts.values(), default=0.0) - time.time())


class OneProcessExecutor(InProcessExecutor):
    """Dagster's own executor of that kind, but for the instance and for how it waits."""

    @classmethod
    def from_config(cls, config: Mapping[str, Any]) -> "OneProcessExecutor":
        """With the retries and the order of steps that a run is configured with."""
        return cls(
            RetryMode.from_config(config["retries"]) or RetryMode.ENABLED,
            StepDependencyConfig.from_config(config.get("step_dependency_config")),
        )

    def execute(self, plan_context: PlanOrchestrationContext, execution_plan: ExecutionPlan) -> Iterator[DagsterEvent]:
        """Execute the steps; yields what happens."""
        take_events_in_batches()
        here = EngineEventData.in_process(os.getpid(), execution_plan.step_keys_to_execute)
        yield DagsterEvent.engine_event(plan_context, f"Executing steps in process (pid: {os.getpid()})", here)
        with without_search_for_cycles(), _kept_open(plan_context.instance) as instance:
            yield from ExecuteRunWithPlanIterable(
                execution_plan=execution_plan,
                iterator=_execute_steps,
                execution_context_manager=PlanExecutionContextManager(
                    job=plan_context.job,
                    retry_mode=plan_context.retry_mode,
                    execution_plan=execution_plan,
                    run_config=plan_context.run_config,
                    dagster_run=plan_context.dagster_run,
                    instance=instance,
                    raise_on_error=plan_context.raise_on_error,
                    output_capture=plan_context.output_capture,
                    step_dependency_config=self.step_dependency_config,
                ),
            )


def _execute_steps(job_context: PlanExecutionContext, execution_plan: ExecutionPlan) -> Iterator[DagsterEvent]:
    with _WaitingAtRest(job_context.instance, job_context.dagster_run) as claims:
        yield from inner_plan_execution_iterator(job_context, execution_plan, claims)


def _kept_open(instance: dg.DagsterInstance) -> AbstractContextManager[dg.DagsterInstance]:
    """The same instance with an event log that stays open, where Dagster's SQLite files keep it."""
    if type(instance.event_log_storage) is SqliteEventLogStorage:
        return open_instance(Path(instance.root_directory))
    return nullcontext(instance)
