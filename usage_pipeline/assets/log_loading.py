"""From listed log objects to stored rows: get, parse and store, so many rows at a time.

Here: the order of steps, and what may wait on disk. Not here: each step (`aws/log_fetching.py`,
`log_files/files.py`, `log_storage.py`), Dagster.
"""

import contextlib
import datetime as dt
import itertools
import os
import shutil
from collections import Counter
from collections.abc import Callable, Generator, Iterable, Iterator, Sequence
from dataclasses import dataclass, field
from pathlib import Path

import duckdb

from usage_pipeline.assets.log_storage import LoggedTable, ReadLog, StoredLoad, store_load
from usage_pipeline.aws.errors import Shortfall, cut
from usage_pipeline.aws.log_fetching import FetchedLog, FetchRequest, ReusedFiles, fetch_logs
from usage_pipeline.aws.log_listing import ListedLog
from usage_pipeline.log_files.parts import FileResult, LogFile
from usage_pipeline.warehouse import ScopeKey

ROWS_AT_ONCE = 2_000_000
"""Rows that are stored in one transaction: enough that one INSERT is the rule, few enough for 1.5 GB of memory."""

SMALL_LOAD_BYTES = 8_000_000
"""A load up to this size, compressed, is parsed in this process: starting others would take longer."""

MOST_PROCESSES = 8


ParseFiles = Callable[[Iterable[LogFile], Path, int], Iterator[FileResult]]
"""Parses files into Parquet parts of a folder with so many processes, as `log_files.files.parse_files` does."""


@dataclass(frozen=True)
class LogKind:
    """One kind of log objects: the table that their rows go to, and how they are parsed."""

    logged: LoggedTable
    parse: ParseFiles


@dataclass
class LoadSummary:
    """What a load did so far."""

    row_count: int = 0
    """Rows that are new, or better than the stored copy."""
    days: set[dt.date] = field(default_factory=set[dt.date])
    """UTC days that gained or changed rows."""
    object_count: int = 0
    record_count: int = 0
    """Readable records in the objects, copies included."""
    quarantined_count: int = 0
    api_calls: Counter[ScopeKey] = field(default_factory=Counter[ScopeKey])
    wanted: Counter[tuple[ScopeKey, dt.date]] = field(default_factory=Counter[tuple[ScopeKey, dt.date]])
    missing: Counter[tuple[ScopeKey, dt.date]] = field(default_factory=Counter[tuple[ScopeKey, dt.date]])
    """Objects, by scope and day of the folder, that were to be read, and those that could not be."""
    reasons: dict[tuple[ScopeKey, dt.date], Shortfall] = field(
        default_factory=dict[tuple[ScopeKey, dt.date], Shortfall]
    )
    """Why the first of the missing ones could not be read."""

    def shortfall(self, scope: ScopeKey, day: dt.date) -> Shortfall | None:
        """Why the day's folders were not read whole; None when they were."""
        if (reason := self.reasons.get((scope, day))) is None:
            return None
        text = f"{self.missing[scope, day]} of {self.wanted[scope, day]} log objects: {reason.text}"
        return Shortfall(reason.status, cut(text))


@contextlib.contextmanager
def unread_logs(data_folder: Path) -> Generator[Path]:
    """An empty folder for log objects until they are parsed, which only the owner can read, because of the prompts.

    It has a fixed name, so that what a killed run left goes with the next. The pool `warehouse` lets in one run.
    """
    folder = data_folder / "unread_logs"
    shutil.rmtree(folder, ignore_errors=True)
    folder.mkdir(mode=0o700, parents=True)
    try:
        yield folder
    finally:
        shutil.rmtree(folder)


def load_logs(
    con: duckdb.DuckDBPyConnection, kind: LogKind, wanted: Sequence[tuple[ScopeKey, ListedLog]], folder: Path
) -> LoadSummary:
    """Get, parse and store the objects; what was stored before an error stays stored, and in the ledger.

    An object that cannot be had is told in the summary and left for the next run. `folder` is for temporary files; it
    must exist and be empty, and is to be removed afterwards.

    Raises:
        OSError: the disk is full, for example.
        WorkerEndedError: a worker process was killed.
    """
    return _Load(con, kind, folder, wanted).run()


class _Load:
    def __init__(
        self,
        con: duckdb.DuckDBPyConnection,
        kind: LogKind,
        folder: Path,
        wanted: Sequence[tuple[ScopeKey, ListedLog]],
    ) -> None:
        self._con = con
        self._kind = kind
        self._folder = folder
        self._files = ReusedFiles(folder)
        self._wanted = wanted
        size = sum(listed.log.size_bytes for _, listed in wanted)
        self._processes = 1 if size <= SMALL_LOAD_BYTES else min(os.cpu_count() or 1, MOST_PROCESSES)
        self._scopes: dict[Path, ScopeKey] = {}
        self._fetched: dict[str, FetchedLog] = {}
        self._rows_waiting = 0
        self._summary = LoadSummary()

    def run(self) -> LoadSummary:
        for scope, listed in self._wanted:
            self._summary.wanted[scope, listed.log.folder_date] += 1
        fetched = fetch_logs(self._requests())
        try:
            # DuckDB keeps pieces of files that it has read, by their path: each load has a folder of its own.
            for number in itertools.count():
                if not self._store_some(fetched, self._folder / f"parts-{number}"):
                    break
        finally:
            fetched.close()
        return self._summary

    def _requests(self) -> Generator[FetchRequest]:
        for scope, listed in self._wanted:
            path = self._files.take()
            self._scopes[path] = scope
            yield FetchRequest(listed.source, listed.log, path)

    def _store_some(self, fetched: Generator[FetchedLog], parts: Path) -> bool:
        """Parse and store about `ROWS_AT_ONCE` rows; False when there was nothing left."""
        self._rows_waiting = 0
        read: list[ReadLog] = []
        for result in self._kind.parse(self._log_files(fetched), parts, self._processes):
            answer = self._fetched.pop(result.path)
            read.append(ReadLog(self._scopes[answer.request.path], answer.log, result))
            self._rows_waiting += result.record_count
            self._files.give_back(answer.request.path)
        if read:
            self._add(read, store_load(self._con, self._kind.logged, sorted(parts.glob("*.parquet")), read))
        shutil.rmtree(parts)
        return bool(read)

    def _log_files(self, fetched: Iterable[FetchedLog]) -> Generator[LogFile]:
        """Fetched files until enough rows wait to be stored."""
        for answer in fetched:
            path = answer.request.path
            self._summary.api_calls[self._scopes[path]] += answer.api_calls
            if answer.shortfall:
                day = (self._scopes[path], answer.request.log.folder_date)
                self._summary.missing[day] += 1
                self._summary.reasons.setdefault(day, answer.shortfall)
                self._files.give_back(path)
                continue
            self._fetched[str(path)] = answer
            yield LogFile(str(path), answer.request.log.key)
            if self._rows_waiting >= ROWS_AT_ONCE:
                return

    def _add(self, read: Sequence[ReadLog], stored: StoredLoad) -> None:
        self._summary.row_count += stored.row_count
        self._summary.days |= stored.days
        self._summary.object_count += len(read)
        self._summary.record_count += sum(entry.result.record_count for entry in read)
        self._summary.quarantined_count += sum(entry.result.quarantined_count for entry in read)
