"""Dagster's own SQLite files during a run that a command executes: kept open, so that an event takes milliseconds.

Dagster opens and closes a file several times for each event. The last connection that closes writes everything back
from the write-ahead log and waits for the disk, which took most of a run's time. With one connection held, none is the
last; `synchronous = normal` waits for the disk only then. After a power cut the newest events may be missing; files
stay whole, and the days of such a run are read again anyway. Other storages, such as Postgres, are left as they are.
"""

import sqlite3
from collections.abc import Generator
from contextlib import closing, contextmanager
from typing import Any

from sqlalchemy import event
from sqlalchemy.engine import Engine


@contextmanager
def sqlite_files_kept_open() -> Generator[None]:
    """While inside, every SQLite file that SQLAlchemy opens stays open."""
    held: dict[str, sqlite3.Connection] = {}

    def keep_open(connection: Any, _: object) -> None:
        if not isinstance(connection, sqlite3.Connection):
            return
        connection.execute("pragma synchronous = normal")
        path = connection.execute("pragma database_list").fetchone()[2]
        if path and path not in held:
            # Events come from several threads; this connection reads once and is then only held.
            held[path] = sqlite3.connect(path, check_same_thread=False)
            held[path].execute("select count(*) from sqlite_master").fetchall()

    event.listen(Engine, "connect", keep_open)
    try:
        yield
    finally:
        event.remove(Engine, "connect", keep_open)
        for connection in held.values():
            with closing(connection):
                pass
