"""Gets many log objects at once into files, with a bound on how many and how much is under way.

Here: threads, bounds, giving up on a place that keeps failing. Not here: getting one object (`bucket_objects.py`,
`log_events.py`), reading the files (`usage_pipeline/invocation_logs/`,
`usage_pipeline/q_developer/`).
"""

import contextlib
import itertools
import threading
from collections import Counter, deque
from collections.abc import Generator, Iterable
from concurrent.futures import Future, ThreadPoolExecutor
from dataclasses import dataclass
from pathlib import Path
from queue import SimpleQueue

from usage_pipeline.aws.bucket_objects import LARGEST_WHOLE_BYTES, LogObject, ObjectSource
from usage_pipeline.aws.errors import AWS_ERRORS, Shortfall, shortfall_of
from usage_pipeline.aws.sessions import counted_api_calls

OBJECTS_UNDER_WAY = 128
"""At 20 ms for an answer, 128 at once are 6,400 objects a second at most; threads cost half the CPU of asyncio here."""

SMALL_BYTES = 250_000
"""Objects up to this size are not counted: as many as may be under way take 32 MB."""

MEMORY_BYTES = 64_000_000
"""Bytes of larger objects that are held in memory at once; one that is streamed counts as a piece of it."""

DISK_BYTES = 512_000_000
"""Bytes of files that are being made or wait to be taken, as far as more than one is under way."""

FAILURES_BEFORE_GIVING_UP = 20
"""Objects of one place that fail one after the other before the rest of it is left for the next run."""


@dataclass(frozen=True)
class FetchRequest:
    """An object, where it is to be had, and the file that is to hold it."""

    source: ObjectSource
    log: LogObject
    path: Path


@dataclass(frozen=True)
class FetchedLog:
    """How getting one object went: `log` as it was really read; with a shortfall the file holds anything."""

    request: FetchRequest
    log: LogObject
    api_calls: int
    shortfall: Shortfall | None = None


class ReusedFiles:
    """Files of a folder that hold one object after the other: making a new file takes longer than getting an object.

    Safe to use from many threads.
    """

    def __init__(self, folder: Path) -> None:
        self._folder = folder
        self._made = itertools.count()
        self._free: deque[Path] = deque()

    def take(self) -> Path:
        """A file that nothing uses; it may hold an earlier object or not be there yet."""
        try:
            return self._free.pop()
        except IndexError:
            return self._folder / f"{next(self._made)}.log"

    def give_back(self, path: Path) -> None:
        """The file's object is no longer needed."""
        self._free.append(path)


def fetch_logs(requests: Iterable[FetchRequest]) -> Generator[FetchedLog]:
    """Get all objects and give each as soon as it is there, in no order. One object's failure hides no other.

    No more is fetched than `OBJECTS_UNDER_WAY` objects ahead of what is taken, and `requests` are taken no earlier.
    Errors of AWS, of the network and `ReadingError` are told as shortfalls; any other error is raised.
    """
    fetcher = _Fetcher()
    pool = ThreadPoolExecutor(max_workers=OBJECTS_UNDER_WAY, thread_name_prefix="logs")
    done: SimpleQueue[Future[FetchedLog]] = SimpleQueue()
    count, size = 0, 0
    try:
        for request in requests:
            while count >= OBJECTS_UNDER_WAY or (count and size + request.log.size_bytes > DISK_BYTES):
                fetched = done.get().result()
                count, size = count - 1, size - fetched.request.log.size_bytes
                yield fetched
            pool.submit(fetcher.fetch, request).add_done_callback(done.put)
            count, size = count + 1, size + request.log.size_bytes
        for _ in range(count):
            yield done.get().result()
    finally:
        pool.shutdown(cancel_futures=True)


class _Fetcher:
    """Gets one object after the other, from many threads, and remembers which places keep failing."""

    def __init__(self) -> None:
        self._memory = _Room(MEMORY_BYTES)
        self._failures: Counter[int] = Counter()
        self._shortfalls: dict[int, Shortfall] = {}

    def fetch(self, request: FetchRequest) -> FetchedLog:
        place = id(request.source)
        if self._failures[place] >= FAILURES_BEFORE_GIVING_UP:
            return FetchedLog(request, request.log, 0, self._shortfalls[place])
        size = request.log.size_bytes
        room = self._memory.taken(min(size, LARGEST_WHOLE_BYTES)) if size > SMALL_BYTES else contextlib.nullcontext()
        with counted_api_calls() as calls, room:
            try:
                log = request.source.fetch(request.log, request.path)
            except AWS_ERRORS as error:
                shortfall = shortfall_of(error)
                self._shortfalls[place] = shortfall
                self._failures[place] += 1
                return FetchedLog(request, request.log, calls.count, shortfall)
        self._failures[place] = 0
        return FetchedLog(request, log, calls.count)


class _Room:
    """So many bytes that threads may take and give back; who wants more than is free waits."""

    def __init__(self, most: int) -> None:
        self._free = most
        self._changed = threading.Condition()

    @contextlib.contextmanager
    def taken(self, size: int) -> Generator[None]:
        """Hold `size` bytes, which must not be more than all."""
        with self._changed:
            self._changed.wait_for(lambda: self._free >= size)
            self._free -= size
        try:
            yield
        finally:
            with self._changed:
                self._free += size
                self._changed.notify_all()
