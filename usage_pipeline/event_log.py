"""Dagster's own SQLite files, kept open by servers and runs, so that an event takes milliseconds.

Dagster makes an engine for each access to an event log, and opens and closes the file several times for each event.
The last connection that closes writes everything back from the write-ahead log and waits for the disk; a new engine
compiles each statement anew. Together that took a third of a run's time, and seconds for the several hundred events
that are written before a run is launched. Here one engine per file stays, with its connections, and what one event
writes in a file is one transaction, as are events that Dagster gives as one batch.
`synchronous = normal` waits for the disk only when the log is written back. After a power cut the newest
events may be missing; files stay whole, and the days of such a run are read again anyway. The files are Dagster's own
in every respect. Other storages, such as Postgres, are left as they are.
"""

import os
import threading
from collections.abc import Generator, Sequence
from contextlib import ExitStack, contextmanager, suppress
from pathlib import Path
from typing import Any

import dagster as dg
from dagster._core.instance.config import dagster_instance_config
from dagster._core.instance.ref import InstanceRef
from dagster._core.storage.event_log import SqliteEventLogStorage
from sqlalchemy import Connection, Engine, create_engine, event

OWN_STORAGE_KEYS = frozenset({"storage", "run_storage", "event_log_storage", "schedule_storage"})
"""Keys of `dagster.yaml` by which somebody chose a storage; that choice stands."""

PLACE_IN_HOME = ("history", "runs")
"""Where Dagster has an instance's event log (1.13, November 2026)."""

LOCK_PATIENCE_SECONDS = 60

FILES_KEPT_OPEN = 16
"""How many files; each run has one, and a server sees many runs."""

BATCH_VARIABLE, EVENTS_AT_ONCE = "DAGSTER_EVENT_BATCH_SIZE", "100"
"""Dagster gives events as batches only where this variable has a size (1.13, November 2026)."""


class KeptOpenEventLogStorage(SqliteEventLogStorage):
    """Dagster's SQLite event log with one engine for each file that was used last."""

    def __init__(self, base_dir: str, inst_data: Any = None) -> None:
        self._engines: dict[str, Engine] = {}  # what was used last comes last
        self._tables: set[str] = set()
        self._transactions: ExitStack | None = None
        self._under_way: dict[str, Connection] = {}
        super().__init__(base_dir, inst_data)
        self._db_lock = threading.RLock()  # a thread that has it connects again while it stores an event

    @classmethod
    def config_type(cls) -> Any:
        """Where the instance is: the files are where Dagster has them by default, wherever the folder is moved."""
        return {"home": dg.StringSource}

    @classmethod
    def from_config_value(cls, inst_data: Any, config_value: Any) -> "KeptOpenEventLogStorage":
        """The event log of the instance in the folder `home`."""
        return cls(str(Path(config_value["home"], *PLACE_IN_HOME)), inst_data)

    @contextmanager
    def _connect(self, shard: str) -> Generator[Connection]:  # pyright: ignore[reportIncompatibleMethodOverride]
        if shard not in self._engines:
            with super()._connect(shard):  # makes the file and its tables, where they are missing
                pass
        with self._db_lock:
            if self._transactions is None:
                with self._engine(shard).begin() as connection:
                    yield connection
            else:
                if shard not in self._under_way:
                    self._under_way[shard] = self._transactions.enter_context(self._engine(shard).begin())
                yield self._under_way[shard]

    def store_event(self, event: dg.EventLogEntry) -> None:
        """Store an event, in one transaction of each file that tells of it."""
        self.store_event_batch([event])

    def store_event_batch(self, events: Sequence[dg.EventLogEntry]) -> None:
        """Store all of the events or, where it raises, none."""
        with self._one_transaction():
            for event in events:
                super().store_event(event)

    @contextmanager
    def _one_transaction(self) -> Generator[None]:
        """Keep what is written open in each file; commit at the end, or take back after an error."""
        with self._db_lock:
            with ExitStack() as self._transactions:
                try:
                    yield
                finally:
                    written, self._transactions, self._under_way = [*self._under_way], None, {}
            for shard in written:
                # A page that follows a run looks again when its file changes, and only the log beside it has. Somebody
                # may have deleted the run meanwhile.
                with suppress(FileNotFoundError):
                    os.utime(self.path_for_shard(shard))

    def has_table(self, table_name: str) -> bool:
        """Whether the files have the table; one that they have they keep, and Dagster asks at every check."""
        if table_name not in self._tables and super().has_table(table_name):
            self._tables.add(table_name)
        return table_name in self._tables

    def _engine(self, shard: str) -> Engine:
        engine = self._engines.pop(shard, None)
        if engine is None:
            engine = create_engine(
                self.conn_string_for_shard(shard),
                connect_args={"timeout": LOCK_PATIENCE_SECONDS, "check_same_thread": False},
            )
            event.listen(engine, "connect", _wait_less_for_the_disk)
        self._engines[shard] = engine
        at_rest = [name for name in self._engines if name not in self._under_way]
        for name in at_rest[: max(0, len(self._engines) - FILES_KEPT_OPEN)]:
            self._engines.pop(name).dispose()
        return engine

    def wipe(self) -> None:
        """Delete all events, and the files of all runs."""
        self._close()
        super().wipe()

    def dispose(self) -> None:
        """Close the files, which writes them back."""
        super().dispose()
        self._close()

    def _close(self) -> None:
        with self._db_lock:
            for engine in self._engines.values():
                engine.dispose()
            self._engines.clear()


def _wait_less_for_the_disk(connection: Any, _: object) -> None:
    connection.execute("pragma synchronous = normal")


def take_events_in_batches() -> None:
    """Let Dagster give events as batches, unless somebody chose how. Those of a long run take 35 MB more memory."""
    os.environ.setdefault(BATCH_VARIABLE, EVENTS_AT_ONCE)


def open_instance(home: Path) -> dg.DagsterInstance:
    """The Dagster instance of a DAGSTER_HOME; its event log keeps its files open, unless `dagster.yaml` has its own."""
    config, _ = dagster_instance_config(str(home))
    kept_open = {
        "module": KeptOpenEventLogStorage.__module__,
        "class": KeptOpenEventLogStorage.__name__,
        "config": {"home": str(home)},
    }
    chosen = {key: config[key] for key in OWN_STORAGE_KEYS & config.keys()}
    if any(storage.get("class") != kept_open["class"] for storage in chosen.values()):
        return dg.DagsterInstance.from_config(str(home))
    return dg.DagsterInstance.from_ref(InstanceRef.from_dir(str(home), overrides={"event_log_storage": kept_open}))
