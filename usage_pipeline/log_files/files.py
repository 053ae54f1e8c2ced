"""Many log files to Parquet parts, in worker processes: no faster way than Python processes is needed.

Here: dividing files among workers and collecting results. Not here: parsing (`parts.py`, `formats.py`), loading the
parts into the warehouse.
"""

import os
import subprocess
import sys
import threading
from collections.abc import Iterable, Iterator, Sequence
from pathlib import Path
from queue import SimpleQueue

import msgspec

from usage_pipeline.log_files.formats import MODEL_INVOCATIONS, file_format
from usage_pipeline.log_files.parts import FileResult, LogFile, PartWriter

GROUP_BYTES = 1_000_000
GROUP_FILES = 32
"""A worker is given small files in groups of at most this size, so that asking it costs little per file."""


class WorkerEndedError(RuntimeError):
    """A worker process ended before it had parsed its files; the parts are not whole."""


def parse_files(
    files: Iterable[LogFile], out_folder: Path, processes: int = 1, format_name: str = MODEL_INVOCATIONS
) -> Iterator[FileResult]:
    """Parse log files into `out_folder/*.parquet` and give one result per file, in the order in which they finish.

    `format_name` is one of `formats.py`; all of the files are of it. The parts are whole when the iterator is
    exhausted, and hold rows of the format's schema with duplicates; where no file had a row there is no part. `files`
    is taken as workers become free, so files may still be being fetched; a file may be deleted as soon as its result
    is there. Memory does not grow with the number of files. With `processes=1` the work is done here; a worker process
    takes about 0.2 s to start.

    Raises:
        ValueError: there is no such format.
        OSError: a file cannot be read, or a part cannot be written (with `processes=1`).
        WorkerEndedError: the same in a worker, or the worker was killed.
    """
    wanted = file_format(format_name)
    out_folder.mkdir(parents=True, exist_ok=True)
    if processes > 1:
        yield from _Workers(files, out_folder, processes, format_name).results()
        return
    with PartWriter(out_folder / "part-0.parquet", wanted) as part:
        for file in files:
            yield part.add(file)


class _Workers:
    """Worker processes, each fed by a thread of its own."""

    def __init__(self, files: Iterable[LogFile], out_folder: Path, processes: int, format_name: str) -> None:
        self._files = iter(files)
        self._files_lock = threading.Lock()
        self._out_folder = out_folder
        self._format_name = format_name
        self._running: list[subprocess.Popen[bytes]] = []
        self._is_stopped = False
        self._messages: SimpleQueue[FileResult | BaseException | None] = SimpleQueue()
        self._threads = [threading.Thread(target=self._feed, args=(number,)) for number in range(processes)]

    def results(self) -> Iterator[FileResult]:
        for thread in self._threads:
            thread.start()
        try:
            unfinished = len(self._threads)
            while unfinished:
                message = self._messages.get()
                if message is None:
                    unfinished -= 1
                elif isinstance(message, BaseException):
                    raise message
                else:
                    yield message
        except BaseException:
            self._stop()
            raise
        finally:
            for thread in self._threads:
                thread.join()

    def _stop(self) -> None:
        self._is_stopped = True
        for process in self._running:
            process.kill()

    def _feed(self, number: int) -> None:
        """Keep one worker busy; the process starts with its first files. Ends with None, or with what went wrong."""
        try:
            if group := self._next_group():
                with _started(self._format_name, self._out_folder / f"part-{number}.parquet") as process:
                    self._running.append(process)
                    while group:
                        for result in _parsed(process, group):
                            self._messages.put(result)
                        group = self._next_group()
                    _finish(process)
        except BaseException as error:  # noqa: BLE001 - handed to the thread that asked, which raises it
            self._messages.put(error)
        self._messages.put(None)

    def _next_group(self) -> list[LogFile]:
        group: list[LogFile] = []
        size = 0
        with self._files_lock:
            while not self._is_stopped and len(group) < GROUP_FILES and size < GROUP_BYTES:
                file = next(self._files, None)
                if file is None:
                    break
                group.append(file)
                size += Path(file.path).stat().st_size
        return group


def _started(format_name: str, part: Path) -> "subprocess.Popen[bytes]":
    # The worker finds this package where this process did, however that was.
    environment = {**os.environ, "PYTHONPATH": os.pathsep.join(filter(None, sys.path))}
    command = [sys.executable, "-m", "usage_pipeline.log_files.worker", format_name, str(part)]
    return subprocess.Popen(  # noqa: S603 - our own module, run by this interpreter
        command, env=environment, stdin=subprocess.PIPE, stdout=subprocess.PIPE
    )


def _parsed(process: "subprocess.Popen[bytes]", group: Sequence[LogFile]) -> Iterator[FileResult]:
    if process.stdin is None or process.stdout is None:
        raise WorkerEndedError("A worker was started without pipes.")
    try:
        process.stdin.write(msgspec.json.encode(group) + b"\n")
        process.stdin.flush()
    except BrokenPipeError:
        raise _ended(process, group) from None
    for file in group:
        line = process.stdout.readline()
        if not line:
            raise _ended(process, [file])
        yield msgspec.json.decode(line, type=FileResult)


def _finish(process: "subprocess.Popen[bytes]") -> None:
    if process.stdin is not None:
        process.stdin.close()
    if process.wait() != 0:
        raise _ended(process, [])


def _ended(process: "subprocess.Popen[bytes]", group: Sequence[LogFile]) -> WorkerEndedError:
    at = f" at {group[0].key}" if group else ""
    return WorkerEndedError(
        f"A worker that parses log files ended with code {process.wait()}{at}; its error is above, on stderr. "
        "Nothing was loaded. Code -9 means that the system had no memory left: use fewer processes."
    )
