from contextlib import AbstractContextManager
from pathlib import Path

import dagster as dg
import pytest
import yaml
from dagster._core.instance.ref import InstanceRef
from dagster._core.storage.event_log import SqliteEventLogStorage

from usage_pipeline.event_log import FILES_KEPT_OPEN, KeptOpenEventLogStorage, open_instance
from usage_pipeline.instance_folder import prepare_instance_folder


@dg.asset(check_specs=[dg.AssetCheckSpec("is_small", asset="calls")])
def calls(context: dg.AssetExecutionContext):
    context.log.info("counted")
    return dg.MaterializeResult(
        metadata={"dagster/row_count": 7}, check_results=[dg.AssetCheckResult(check_name="is_small", passed=False)]
    )


@dg.asset
def broken() -> None:
    raise RuntimeError("broken")


PLANNED = (dg.DagsterEventType.ASSET_MATERIALIZATION_PLANNED, dg.DagsterEventType.ASSET_CHECK_EVALUATION_PLANNED)


@pytest.fixture
def home(tmp_path: Path) -> Path:
    return prepare_instance_folder(tmp_path / "dagster_home")


def dagsters_own(home: Path) -> AbstractContextManager[dg.DagsterInstance]:
    """The instance in this folder with the event log that Dagster has by default."""
    usual = InstanceRef.config_defaults(str(home))["event_log_storage"]
    assert usual is not None
    own = {"module": usual.module_name, "class": usual.class_name, "config": yaml.safe_load(usual.config_yaml)}
    opened = dg.DagsterInstance.from_ref(InstanceRef.from_dir(str(home), overrides={"event_log_storage": own}))
    assert type(opened.event_log_storage) is SqliteEventLogStorage
    return opened


def logs_not_written_back(home: Path) -> list[Path]:
    return [path for path in home.rglob("*.db-wal") if path.parent.name == "runs"]


def events_of(instance: dg.DagsterInstance, run_id: str) -> list[tuple[str | None, str | None]]:
    return [
        (entry.dagster_event_type.value if entry.dagster_event_type else None, entry.step_key)
        for entry in instance.all_logs(run_id)
    ]


def test_the_files_are_the_same_as_those_of_dagsters_own_storage(home: Path, tmp_path: Path) -> None:
    own_home = prepare_instance_folder(tmp_path / "own")
    with open_instance(home) as kept_open, dagsters_own(own_home) as own:
        assert isinstance(kept_open.event_log_storage, KeptOpenEventLogStorage)
        run_id = dg.materialize([calls], instance=kept_open).run_id
        own_run_id = dg.materialize([calls], instance=own).run_id
        written = events_of(kept_open, run_id)
        assert written == events_of(own, own_run_id)

    with dagsters_own(home) as reader:
        assert events_of(reader, run_id) == written
        materialization = reader.get_latest_materialization_event(dg.AssetKey("calls"))
        assert materialization is not None
        assert materialization.run_id == run_id


def test_others_read_and_write_while_the_files_are_open(home: Path) -> None:
    with open_instance(home) as kept_open, dagsters_own(home) as other:
        first = dg.materialize([calls], instance=kept_open).run_id
        second = dg.materialize([calls], instance=other).run_id
        third = dg.materialize([calls], instance=kept_open).run_id

        assert len(events_of(other, first)) == len(events_of(kept_open, second)) > 10
        newest = other.get_latest_materialization_event(dg.AssetKey("calls"))
        assert newest is not None
        assert newest.run_id == third


def test_dagsters_servers_open_the_same_files_wherever_the_folder_is(
    home: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    with open_instance(home) as instance:
        run_id = dg.materialize([calls], instance=instance).run_id
        written = events_of(instance, run_id)
    moved = home.rename(tmp_path / "moved")
    monkeypatch.setenv("DAGSTER_HOME", str(moved))

    with dg.DagsterInstance.get() as served:
        assert isinstance(served.event_log_storage, KeptOpenEventLogStorage)
        assert events_of(served, run_id) == written
    assert not home.exists()


def test_a_server_that_sees_many_runs_keeps_few_files_open(home: Path) -> None:
    with open_instance(home) as instance:
        first, *others = [dg.materialize([calls], instance=instance).run_id for _ in range(FILES_KEPT_OPEN + 2)]

        # One is the index of all runs.
        assert len(logs_not_written_back(home)) == FILES_KEPT_OPEN
        assert len(events_of(instance, first)) == len(events_of(instance, others[-1])) > 10

        instance.wipe()
        assert events_of(instance, others[-1]) == []
        assert events_of(instance, dg.materialize([calls], instance=instance).run_id)


def test_files_are_written_back_when_the_instance_is_closed(home: Path) -> None:
    with open_instance(home) as instance:
        dg.materialize([calls], instance=instance)
        assert logs_not_written_back(home)

    assert not logs_not_written_back(home)


def test_a_failed_run_is_stored_and_written_back(home: Path) -> None:
    with open_instance(home) as instance:
        run_id = dg.materialize([broken], instance=instance, raise_on_error=False).run_id

    assert not logs_not_written_back(home)
    with dagsters_own(home) as reader:
        assert ("STEP_FAILURE", "broken") in events_of(reader, run_id)


def test_a_batch_is_stored_whole_or_not_at_all(home: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    with open_instance(home) as instance:
        run_id = dg.materialize([calls], instance=instance).run_id
        storage = instance.event_log_storage
        planned = [entry for entry in instance.all_logs(run_id) if entry.dagster_event_type in PLANNED]
        assert len(planned) == len(PLANNED)
        before = events_of(instance, run_id)

        with monkeypatch.context() as patch:
            patch.setattr(SqliteEventLogStorage, "store_asset_check_event", lambda *_: 1 / 0)
            with pytest.raises(ZeroDivisionError):
                storage.store_event_batch(planned)
        assert events_of(instance, run_id) == before

        storage.store_event_batch(planned)
        assert len(events_of(instance, run_id)) == len(before) + len(planned)


@pytest.mark.parametrize(
    "chosen",
    [
        "storage: {sqlite: {base_dir: %s}}",
        "event_log_storage:\n  module: dagster._core.storage.event_log\n  class: SqliteEventLogStorage\n"
        "  config: {base_dir: %s}",
    ],
)
def test_a_storage_that_somebody_chose_stands(home: Path, tmp_path: Path, chosen: str) -> None:
    (home / "dagster.yaml").write_text(chosen % (tmp_path / "elsewhere"), encoding="utf-8")

    with open_instance(home) as instance:
        assert not isinstance(instance.event_log_storage, KeptOpenEventLogStorage)
        dg.materialize([calls], instance=instance)

    assert list((tmp_path / "elsewhere").rglob("*.db"))
