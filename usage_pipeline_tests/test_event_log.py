from pathlib import Path

import dagster as dg
import pytest
from dagster._core.storage.event_log import SqliteEventLogStorage

from usage_pipeline.event_log import KeptOpenEventLogStorage, open_instance
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


def logs_not_written_back(home: Path) -> list[Path]:
    return [path for path in home.rglob("*.db-wal") if path.parent.name == "runs"]


def events_of(instance: dg.DagsterInstance, run_id: str) -> list[tuple[str | None, str | None]]:
    return [
        (entry.dagster_event_type.value if entry.dagster_event_type else None, entry.step_key)
        for entry in instance.all_logs(run_id)
    ]


def test_the_files_are_the_same_as_those_of_dagsters_own_storage(home: Path, tmp_path: Path) -> None:
    own_home = prepare_instance_folder(tmp_path / "own")
    with open_instance(home) as kept_open, dg.DagsterInstance.from_config(str(own_home)) as own:
        assert isinstance(kept_open.event_log_storage, KeptOpenEventLogStorage)
        run_id = dg.materialize([calls], instance=kept_open).run_id
        own_run_id = dg.materialize([calls], instance=own).run_id
        written = events_of(kept_open, run_id)
        assert written == events_of(own, own_run_id)

    with dg.DagsterInstance.from_config(str(home)) as reader:
        assert not isinstance(reader.event_log_storage, KeptOpenEventLogStorage)
        assert events_of(reader, run_id) == written
        materialization = reader.get_latest_materialization_event(dg.AssetKey("calls"))
        assert materialization is not None
        assert materialization.run_id == run_id


def test_others_read_and_write_while_the_files_are_open(home: Path) -> None:
    with open_instance(home) as kept_open, dg.DagsterInstance.from_config(str(home)) as other:
        first = dg.materialize([calls], instance=kept_open).run_id
        second = dg.materialize([calls], instance=other).run_id
        third = dg.materialize([calls], instance=kept_open).run_id

        assert len(events_of(other, first)) == len(events_of(kept_open, second)) > 10
        newest = other.get_latest_materialization_event(dg.AssetKey("calls"))
        assert newest is not None
        assert newest.run_id == third


def test_files_are_written_back_when_the_instance_is_closed(home: Path) -> None:
    with open_instance(home) as instance:
        dg.materialize([calls], instance=instance)
        assert logs_not_written_back(home)

    assert not logs_not_written_back(home)


def test_a_failed_run_is_stored_and_written_back(home: Path) -> None:
    with open_instance(home) as instance:
        run_id = dg.materialize([broken], instance=instance, raise_on_error=False).run_id

    assert not logs_not_written_back(home)
    with dg.DagsterInstance.from_config(str(home)) as reader:
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
