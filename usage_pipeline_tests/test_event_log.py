from pathlib import Path

import pytest
from sqlalchemy import Engine, create_engine, text
from sqlalchemy.pool import NullPool

from usage_pipeline.event_log import sqlite_files_kept_open


def opened(file: Path) -> Engine:
    """An engine as Dagster makes it: each connection opens and closes the file."""
    return create_engine(f"sqlite:///{file}", poolclass=NullPool)


@pytest.fixture
def file(tmp_path: Path) -> Path:
    """A database in Dagster's journal mode."""
    path = tmp_path / "events.db"
    with opened(path).begin() as con:
        con.execute(text("pragma journal_mode = wal"))
        con.execute(text("create table events (id integer)"))
    return path


def write(file: Path) -> int:
    """Store one event; returns how this connection waits for the disk: 1 is normal, 2 is full."""
    with opened(file).begin() as con:
        con.execute(text("insert into events values (1)"))
        return con.execute(text("pragma synchronous")).scalar_one()


def count(file: Path) -> int:
    with opened(file).connect() as con:
        return con.execute(text("select count(*) from events")).scalar_one()


def test_a_file_stays_open_between_events_and_is_written_back_at_the_end(file: Path) -> None:
    log = file.with_name("events.db-wal")

    with sqlite_files_kept_open():
        assert [write(file), write(file)] == [1, 1]
        assert log.exists()
        assert count(file) == 2

    assert not log.exists()
    assert count(file) == 2


def test_afterwards_files_are_opened_and_closed_as_before(file: Path) -> None:
    with sqlite_files_kept_open():
        write(file)

    assert write(file) == 2
    assert not file.with_name("events.db-wal").exists()


def test_files_are_written_back_when_the_run_raises(file: Path) -> None:
    def broken_run() -> None:
        write(file)
        raise RuntimeError("broken")

    with pytest.raises(RuntimeError, match="broken"), sqlite_files_kept_open():
        broken_run()

    assert not file.with_name("events.db-wal").exists()
    assert count(file) == 1


def test_databases_in_memory_are_let_be() -> None:
    with sqlite_files_kept_open(), create_engine("sqlite://").connect() as con:
        assert con.execute(text("select 1")).scalar_one() == 1
