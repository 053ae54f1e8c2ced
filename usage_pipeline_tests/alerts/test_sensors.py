"""The sensor over finished runs, on Dagster's own storage; with the real daemon it is in `test_dagster_ui.py`."""

import datetime as dt
from collections.abc import Iterator
from pathlib import Path

import dagster as dg
import pytest
from dagster._core.remote_origin import (
    ManagedGrpcPythonEnvCodeLocationOrigin,
    RemoteJobOrigin,
    RemoteRepositoryOrigin,
)
from dagster._core.types.loadable_target_origin import LoadableTargetOrigin

from usage_pipeline.alerts.deliveries import open_delivery_log
from usage_pipeline.alerts.sensors import build_alerts_sensor, is_our_run, note_finished_runs
from usage_pipeline.config import Settings
from usage_pipeline.definitions import build_definitions
from usage_pipeline.runs import RUN_HERE_TAG
from usage_pipeline_tests.alerts.factory import finding, publish_findings, settings_in
from usage_pipeline_tests.alerts.webhook import webhook


@dg.asset
def broken() -> None:
    raise ValueError("the disk\nis full")


@dg.asset(check_specs=[dg.AssetCheckSpec("parts_add_up", asset="blocked", blocking=True)])
def blocked() -> Iterator[dg.MaterializeResult[None] | dg.AssetCheckResult]:
    yield dg.MaterializeResult()
    yield dg.AssetCheckResult(passed=False)


@dg.asset
def fine() -> None:
    """Does nothing."""


JOBS = {
    asset.key.to_user_string(): dg.Definitions(
        assets=[asset], jobs=[dg.define_asset_job(f"{asset.key.to_user_string()}_job", selection=[asset])]
    ).resolve_job_def(f"{asset.key.to_user_string()}_job")
    for asset in (broken, blocked, fine)
}


@pytest.fixture
def instance(tmp_path: Path) -> Iterator[dg.DagsterInstance]:
    with dg.DagsterInstance.local_temp(str(tmp_path)) as instance:
        yield instance


def execute(instance: dg.DagsterInstance, name: str, *, ours: bool = True) -> str:
    tags = {RUN_HERE_TAG: "here"} if ours else {}
    return JOBS[name].execute_in_process(instance=instance, tags=tags, raise_on_error=False).run_id


def tick(instance: dg.DagsterInstance, settings: Settings, cursor: str | None) -> tuple[str | None, str | None]:
    """One tick; returns the cursor and what the sensor said."""
    context = dg.build_sensor_context(instance, cursor=cursor, resources={"settings": settings})
    said = build_alerts_sensor(settings).evaluate_tick(context)
    return said.cursor, said.skip_message


def test_the_sensor_runs_by_default_at_the_configured_interval(tmp_path: Path) -> None:
    sensor = build_alerts_sensor(settings_in(tmp_path, interval_seconds=45))

    assert (sensor.default_status, sensor.minimum_interval_seconds) == (dg.DefaultSensorStatus.RUNNING, 45)


def test_a_failed_and_a_blocked_run_are_told_once_each_and_their_end_too(
    instance: dg.DagsterInstance, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    settings = settings_in(tmp_path)
    with webhook() as hook:
        monkeypatch.setenv("CHAT_URL", hook.address)
        cursor, _ = tick(instance, settings, None)
        for name in ("broken", "blocked", "fine"):
            execute(instance, name)
            cursor, _ = tick(instance, settings, cursor)
            cursor, said = tick(instance, settings, cursor)
            assert said == "Nothing new to tell."

    assert [title.split("]")[0] for title in hook.titles] == ["[ERROR", "[WORSE: ERROR", "[RESOLVED"]
    bodies = [message["message"] for message in hook.messages]
    assert bodies[0].startswith("A run failed: broken: ValueError: the disk is full")
    assert bodies[1].startswith("A run failed: check parts_add_up failed and blocks\n")


def test_a_failed_message_is_sent_by_a_later_tick_without_a_new_run(
    instance: dg.DagsterInstance, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    settings = settings_in(tmp_path)
    publish_findings(settings.published_file, [finding()])
    with webhook(failures=1) as hook:
        monkeypatch.setenv("CHAT_URL", hook.address)
        cursor, first = tick(instance, settings, None)
        cursor, second = tick(instance, settings, cursor)
        _, third = tick(instance, settings, cursor)

    assert first == "chat: the service answered with HTTP status 500"
    assert (second, third) == ("messages delivered: 1", "Nothing new to tell.")


def test_history_is_not_told_on_a_fresh_cursor(instance: dg.DagsterInstance, tmp_path: Path) -> None:
    settings = settings_in(tmp_path)
    execute(instance, "broken")
    an_hour_later = dt.datetime.now(dt.UTC) + dt.timedelta(hours=1)

    note_finished_runs(instance, settings, an_hour_later, location=None)

    with open_delivery_log(settings.alerts_file) as log:
        assert log.runs() == []


def test_runs_of_others_in_the_same_instance_are_not_ours(instance: dg.DagsterInstance, tmp_path: Path) -> None:
    settings = settings_in(tmp_path)
    since = dt.datetime.now(dt.UTC)
    execute(instance, "broken", ours=False)
    run_id = execute(instance, "fine")

    note_finished_runs(instance, settings, since, location="usage_pipeline")

    with open_delivery_log(settings.alerts_file) as log:
        assert [(run.run_id, run.succeeded) for run in log.runs()] == [(run_id, True)]


@pytest.mark.parametrize(
    ("job", "location", "is_ours"),
    [("daily", "here", True), ("daily", "elsewhere", False), ("__ASSET_JOB", "here", False)],
)
def test_launched_runs_are_ours_by_their_code_location(job: str, location: str, is_ours: bool) -> None:
    code = ManagedGrpcPythonEnvCodeLocationOrigin(LoadableTargetOrigin(module_name="m"), location_name=location)
    origin = RemoteJobOrigin(RemoteRepositoryOrigin(code, "__repository__"), job)

    assert is_our_run(dg.DagsterRun(job_name=job, remote_job_origin=origin), "here") is is_ours


def test_without_channels_the_sensor_does_nothing(instance: dg.DagsterInstance, tmp_path: Path) -> None:
    settings = settings_in(tmp_path, channels=[])

    assert tick(instance, settings, None) == (None, "No channel is configured (alerts.channels).")
    assert not settings.alerts_file.exists()


def test_the_definitions_have_the_sensor(tmp_path: Path) -> None:
    repository = build_definitions(settings_in(tmp_path)).get_repository_def()

    assert [sensor.name for sensor in repository.sensor_defs] == ["alerts_sensor"]
