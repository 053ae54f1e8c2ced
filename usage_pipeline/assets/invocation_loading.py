"""From listed log objects to stored requests: get, parse and store, so many rows at a time.

Here: the order of steps, and what may wait on disk. Not here: each step (`aws/log_fetching.py`,
`invocation_logs/files.py`, `invocation_storage.py`), Dagster.
"""

import datetime as dt
import os
import shutil
from collections import Counter
from collections.abc import Generator, Iterable, Sequence
from dataclasses import dataclass, field
from pathlib import Path

import duckdb

from usage_pipeline.assets.invocation_storage import ReadLog, StoredLoad, store_load
from usage_pipeline.aws.errors import Shortfall, cut
from usage_pipeline.aws.log_fetching import FetchedLog, FetchRequest, fetch_logs
from usage_pipeline.aws.log_listing import ListedLog
from usage_pipeline.invocation_logs.files import parse_files
from usage_pipeline.invocation_logs.parts import LogFile
from usage_pipeline.warehouse import ScopeKey

ROWS_AT_ONCE = 2_000_000
"""Rows that are stored in one transaction: enough that one INSERT is the rule, few enough for 1.5 GB of memory."""

SMALL_LOAD_BYTES = 8_000_000
"""A load up to this size, compressed, is parsed in this process: starting others would take longer."""

MOST_PROCESSES = 8


@dataclass
class LoadSummary:
    """What a load did so far."""

    row_count: int = 0
    """Requests that are new, or better than the stored copy."""
    days: set[dt.date] = field(default_factory=set[dt.date])
    """UTC days that gained or changed requests."""
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


def load_logs(
    con: duckdb.DuckDBPyConnection, wanted: Sequence[tuple[ScopeKey, ListedLog]], folder: Path
) -> LoadSummary:
    """Get, parse and store the objects; what was stored before an error stays stored, and in the ledger.

    An object that cannot be had is told in the summary and left for the next run. `folder` is for temporary files; it
    must exist and be empty.

    Raises:
        OSError: the disk is full, for example.
        WorkerEndedError: a worker process was killed.
    """
    return _Load(con, folder, wanted).run()


class _Load:
    def __init__(
        self, con: duckdb.DuckDBPyConnection, folder: Path, wanted: Sequence[tuple[ScopeKey, ListedLog]]
    ) -> None:
        self._con = con
        self._folder = folder
        self._scopes = {str(folder / f"{number}.log"): scope for number, (scope, _) in enumerate(wanted)}
        self._requests = [
            FetchRequest(listed.source, listed.log, folder / f"{number}.log")
            for number, (_, listed) in enumerate(wanted)
        ]
        size = sum(request.log.size_bytes for request in self._requests)
        self._processes = 1 if size <= SMALL_LOAD_BYTES else min(os.cpu_count() or 1, MOST_PROCESSES)
        self._fetched: dict[str, FetchedLog] = {}
        self._rows_waiting = 0
        self._summary = LoadSummary()

    def run(self) -> LoadSummary:
        for path, request in zip(self._scopes, self._requests, strict=True):
            self._summary.wanted[self._scopes[path], request.log.folder_date] += 1
        fetched = fetch_logs(self._requests)
        try:
            while self._store_some(fetched):
                pass
        finally:
            fetched.close()
        return self._summary

    def _store_some(self, fetched: Generator[FetchedLog]) -> bool:
        """Parse and store about `ROWS_AT_ONCE` rows; False when there was nothing left."""
        parts = self._folder / "parts"
        self._rows_waiting = 0
        read: list[ReadLog] = []
        for result in parse_files(self._files(fetched), parts, self._processes):
            Path(result.path).unlink()
            read.append(ReadLog(self._scopes[result.path], self._fetched.pop(result.path).log, result))
            self._rows_waiting += result.record_count
        if read:
            self._add(read, store_load(self._con, sorted(parts.glob("*.parquet")), read))
        shutil.rmtree(parts)
        return bool(read)

    def _files(self, fetched: Iterable[FetchedLog]) -> Generator[LogFile]:
        """Fetched files until enough rows wait to be stored."""
        for answer in fetched:
            path = str(answer.request.path)
            self._summary.api_calls[self._scopes[path]] += answer.api_calls
            if answer.shortfall:
                day = (self._scopes[path], answer.request.log.folder_date)
                self._summary.missing[day] += 1
                self._summary.reasons.setdefault(day, answer.shortfall)
                continue
            self._fetched[path] = answer
            yield LogFile(path, answer.request.log.key)
            if self._rows_waiting >= ROWS_AT_ONCE:
                return

    def _add(self, read: Sequence[ReadLog], stored: StoredLoad) -> None:
        self._summary.row_count += stored.row_count
        self._summary.days |= stored.days
        self._summary.object_count += len(read)
        self._summary.record_count += sum(entry.result.record_count for entry in read)
        self._summary.quarantined_count += sum(entry.result.quarantined_count for entry in read)
