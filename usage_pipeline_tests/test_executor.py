"""How a run that Dagster's servers launch is executed: its event log, whoever follows it, and how it waits."""

import os
import threading
import time
from collections.abc import Iterator
from pathlib import Path
from unittest import mock

import dagster as dg
import pytest
import yaml
from dagster._core.execution.plan.active import ActiveExecution
from dagster._core.run_coordinator import QueuedRunCoordinator
from dagster._core.storage.event_log import SqliteEventLogStorage

from usage_pipeline.definitions import one_process
from usage_pipeline.event_log import KeptOpenEventLogStorage
from usage_pipeline.instance_folder import prepare_instance_folder

WORD = "counted"


class Follower:
    """What follows a run from within its process, as a page does from the web server's."""

    def __init__(self, instance: dg.DagsterInstance) -> None:
        self.instance = instance
        self.has_heard = threading.Event()

    def follow(self, run_id: str) -> None:
        self.instance.event_log_storage.watch(run_id, None, self._hear)

    def _hear(self, entry: dg.EventLogEntry, _: str) -> None:
        if entry.user_message == WORD:
            self.has_heard.set()


followers: list[Follower] = []


@dg.asset(pool="warehouse")
def calls(context: dg.AssetExecutionContext):
    for follower in followers:
        follower.follow(context.run_id)
    context.log.info(WORD)
    return dg.MaterializeResult(
        metadata={
            "storage": type(context.instance.event_log_storage).__name__,
            "heard": sum(follower.has_heard.wait(20) for follower in followers),
        }
    )


def launched_job() -> dg.JobDefinition:
    definitions = dg.Definitions(assets=[calls], jobs=[dg.define_asset_job("all_assets")], executor=one_process)
    return definitions.resolve_job_def("all_assets")


def launch(instance: dg.DagsterInstance) -> dg.JobExecutionResult:
    """As a process does that was launched for a run."""
    return dg.execute_job(dg.reconstructable(launched_job), instance=instance)


def told_by(result: dg.JobExecutionResult) -> dict[str, object]:
    (event,) = result.get_asset_materialization_events()
    return {label: value.value for label, value in event.materialization.metadata.items()}


@pytest.fixture
def instance(tmp_path: Path) -> Iterator[dg.DagsterInstance]:
    """As Dagster's servers open one whose folder says nothing of an event log."""
    settings_file = prepare_instance_folder(tmp_path / "dagster_home") / "dagster.yaml"
    settings = yaml.safe_load(settings_file.read_text(encoding="utf-8"))
    del settings["event_log_storage"]
    settings_file.write_text(yaml.safe_dump(settings), encoding="utf-8")
    with dg.DagsterInstance.from_config(str(settings_file.parent)) as opened:
        assert type(opened.event_log_storage) is SqliteEventLogStorage
        yield opened


def test_what_is_launched_waits_a_second_at_most_for_the_daemon_to_look(instance: dg.DagsterInstance) -> None:
    coordinator = instance.run_coordinator

    assert isinstance(coordinator, QueuedRunCoordinator)
    assert coordinator.dequeue_interval_seconds == 1


def test_a_launched_run_keeps_its_event_log_open_and_writes_it_back(instance: dg.DagsterInstance) -> None:
    with launch(instance) as result:
        assert result.success
        assert told_by(result)["storage"] == KeptOpenEventLogStorage.__name__
        of_type = dg.DagsterEventType.STEP_SUCCESS
        assert [entry.step_key for entry in instance.all_logs(result.run_id, of_type=of_type)] == ["calls"]

    assert not list(Path(instance.root_directory).rglob(f"{result.run_id}.db-wal"))


def test_a_run_takes_the_options_of_dagsters_own_executor_and_names_its_process(instance: dg.DagsterInstance) -> None:
    run_config = {"execution": {"config": {"retries": {"disabled": {}}}}}
    with dg.execute_job(dg.reconstructable(launched_job), instance=instance, run_config=run_config) as result:
        assert result.success
        of_type = dg.DagsterEventType.ENGINE_EVENT
        assert any(
            f"(pid: {os.getpid()})" in entry.message for entry in instance.all_logs(result.run_id, of_type=of_type)
        )


def test_a_page_that_follows_a_run_hears_of_events_while_it_goes_on(instance: dg.DagsterInstance) -> None:
    followers.append(Follower(instance))
    try:
        with launch(instance) as result:
            assert told_by(result)["heard"] == 1
    finally:
        followers.clear()


def test_a_run_that_waits_for_another_asks_only_when_the_time_has_come(instance: dg.DagsterInstance) -> None:
    storage, waited = instance.event_log_storage, list[float]()
    storage.initialize_concurrency_limit_to_default("warehouse")
    other = dg.DagsterRun(job_name="other")
    instance.add_run(other)
    assert storage.claim_concurrency_slot("warehouse", other.run_id, "step").is_claimed

    def wait(execution: ActiveExecution) -> None:
        waited.append(execution.sleep_interval())
        time.sleep(max(0.0, waited[-1]))
        storage.free_concurrency_slot_for_step(other.run_id, "step")

    with mock.patch.object(ActiveExecution, "sleep_til_ready", wait), launch(instance) as result:
        assert result.success

    assert 0.5 < waited[0] <= 1
    assert len(waited) <= 3
