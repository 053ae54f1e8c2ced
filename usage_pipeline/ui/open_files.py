"""Connections to the published file that wait a moment for the next reading.

A page reads about ten times in one look, and opening the file takes longer than most readings. Kept only so long, they
hold neither memory nor a file that was replaced. Not here: what a connection shows (`published_tables.py`).
"""

import atexit
import threading
from collections.abc import Generator
from contextlib import ExitStack, contextmanager
from dataclasses import dataclass
from typing import TYPE_CHECKING

import duckdb

from usage_pipeline.ui.published_tables import Filters, opened

if TYPE_CHECKING:
    from usage_pipeline.ui.reading import PublishedFile

KEPT_SECONDS = 3.0
"""How long after the last reading a connection is closed: readings of one look follow each other."""

MOST_KEPT = 4
"""Connections that wait at once: a page reads with and without filters, and two people may look."""


@dataclass(frozen=True)
class _Kept:
    file: "PublishedFile"
    filters: Filters | None
    connection: duckdb.DuckDBPyConnection
    closing: ExitStack


class OpenFiles:
    """Gives each reading a connection of its own, an open one where one waits."""

    def __init__(self, seconds: float = KEPT_SECONDS) -> None:
        self._seconds = seconds
        self._kept: list[_Kept] = []
        self._lock = threading.Lock()
        self._closing = threading.Lock()
        self._timer: threading.Timer | None = None
        self._has_ended = False
        # DuckDB aborts the process if Python ends while another thread closes a connection.
        atexit.register(self.end)

    @contextmanager
    def connection(self, file: "PublishedFile", filters: Filters | None) -> Generator[duckdb.DuckDBPyConnection]:
        """As `published_tables.opened`; after an error it is closed, for nobody knows in what state it is."""
        one = self._taken(file, filters) or _open(file, filters)
        try:
            yield one.connection
        except BaseException:
            one.closing.close()
            raise
        self._keep(one)

    def close(self) -> None:
        """Close all that wait, and come back when none is being closed."""
        with self._closing:
            with self._lock:
                kept, self._kept = self._kept, []
            for one in kept:
                one.closing.close()

    def end(self) -> None:
        """Close all that wait, and from now on each after its reading."""
        with self._lock:
            self._has_ended = True
            if self._timer is not None:
                self._timer.cancel()
        self.close()
        atexit.unregister(self.end)

    def _taken(self, file: "PublishedFile", filters: Filters | None) -> _Kept | None:
        with self._lock:
            for number, one in enumerate(self._kept):
                if (one.file, one.filters) == (file, filters):
                    return self._kept.pop(number)
        return None

    def _keep(self, one: _Kept) -> None:
        with self._lock:
            self._kept.append(one)
            too_many: list[_Kept] = []
            while len(self._kept) > (0 if self._has_ended else MOST_KEPT):
                too_many.append(self._kept.pop(0))
            if self._timer is not None:
                self._timer.cancel()
            if self._kept:
                self._timer = threading.Timer(self._seconds, self.close)
                self._timer.daemon = True
                self._timer.start()
        for other in too_many:
            other.closing.close()


def _open(file: "PublishedFile", filters: Filters | None) -> _Kept:
    with ExitStack() as stack:
        connection = stack.enter_context(opened(file.path, filters))
        return _Kept(file, filters, connection, stack.pop_all())
