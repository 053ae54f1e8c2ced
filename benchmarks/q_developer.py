"""Reading Amazon Q Developer's prompt logs to rows, tokens counted, in two worker processes.

`python -m benchmarks q_developer` measures the figures of the README; `python -m benchmarks.q_developer --records
50000` is a quick look with a tenth of the data. The texts are slices of this project's own documentation and code, so
that words repeat and indentation is as it is in real prompts. CPU seconds are shown as well: wall seconds say little
where other work is running.
"""

import argparse
import random
import sys
import tempfile
import time
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from datetime import datetime, timedelta
from pathlib import Path
from typing import Any
from uuid import UUID

import msgspec
from isal import igzip

from benchmarks.measuring import Figure, Result, measure, show
from benchmarks.measuring import median as median_figure
from usage_pipeline.log_files.files import parse_files
from usage_pipeline.log_files.formats import Q_DEVELOPER_PROMPTS
from usage_pipeline.log_files.parts import LogFile

RECORDS = 500_000
RECORDS_PER_OBJECT = 20
USERS = 2_000
PROCESSES = 2
BEGIN = datetime(2026, 11, 14)  # noqa: DTZ001  (UTC without a zone, as everywhere inside)
KEY = "logs/AWSLogs/111122223333/QDeveloperLogs/GenerateAssistantResponse/us-east-1/2026/11/14/00/{}.json.gz"
ROOT = Path(__file__).parent.parent


def q_developer(repeat: int, records: int = RECORDS) -> list[Result]:
    """At the usual size the data takes 0.5 GB of disk and about a minute to make."""
    with tempfile.TemporaryDirectory() as name:
        folder = Path(name)
        data = write_prompt_logs(folder / "objects", records)
        print(
            f"{data.records:,} records in {data.objects:,} objects: {data.json_bytes / 1e6:,.0f} MB of JSON, "
            f"{data.text_characters / data.records:,.0f} characters of text a record",
            flush=True,
        )
        figures = [_read(folder / "objects", folder / f"parts-{number}") for number in range(repeat)]
    figure = median_figure(figures)
    share = records / RECORDS
    what = f"{records:,} prompt records to rows, tokens counted"
    return [
        Result(what, figure.wall_seconds, 90 * share, "s"),
        Result(f"{what}: CPU of both processes", figure.cpu_seconds, 180 * share, "s"),
        Result(f"{what}: memory of all processes", max(each.peak_megabytes for each in figures), 1000, "MB"),
    ]


def _read(objects: Path, parts: Path) -> Figure:
    figure = measure([sys.executable, "-m", "benchmarks.q_developer", "--read", str(objects), str(parts)])
    print(f"  {figure.wall_seconds:.1f} s, CPU {figure.cpu_seconds:.1f} s, {figure.peak_megabytes:,.0f} MB", flush=True)
    return figure


def read(objects: Path, parts: Path) -> None:
    """Read every object into Parquet parts, as a run does."""
    files = (LogFile(str(path), KEY.format(path.stem)) for path in sorted(objects.iterdir()))
    for result in parse_files(files, parts, PROCESSES, Q_DEVELOPER_PROMPTS):
        assert (result.is_complete, result.quarantined_count) == (True, 0)


@dataclass(frozen=True)
class PromptData:
    """What was made."""

    records: int
    objects: int
    json_bytes: int
    text_characters: int


def write_prompt_logs(folder: Path, records: int, seed: int = 1) -> PromptData:
    """Write the objects into `folder`; the same seed gives the same bytes."""
    folder.mkdir(parents=True)
    maker = PromptMaker(seed)
    objects = json_bytes = 0
    for first in range(0, records, RECORDS_PER_OBJECT):
        made = list(maker.records(min(RECORDS_PER_OBJECT, records - first)))
        content = msgspec.json.encode({"records": made})
        (folder / f"{objects:06d}.json.gz").write_bytes(igzip.compress(content, 2))
        objects += 1
        json_bytes += len(content)
    return PromptData(records, objects, json_bytes, maker.text_characters)


class PromptMaker:
    """Makes records: 40 of 100 chats, 58 inline suggestions, 2 tasks of /dev."""

    def __init__(self, seed: int) -> None:
        self._random = random.Random(seed)
        sources = [*(ROOT / "docs").glob("*.md"), *(ROOT / "usage_pipeline").rglob("*.py")]
        self._pool = "\n".join(path.read_text(encoding="utf-8") for path in sorted(sources))
        self._users = [f"d-9267505abc.{self._id()}" for _ in range(USERS)]
        self._shapes: tuple[Callable[[str], dict[str, Any]], ...] = (self._chat, self._inline, self._task)
        self._time = BEGIN
        self.text_characters = 0

    def records(self, count: int) -> Iterator[dict[str, Any]]:
        """Give so many records, one every 150 ms."""
        for shape in self._random.choices(self._shapes, (40, 58, 2), k=count):
            self._time += timedelta(milliseconds=150)
            yield shape(f"{self._time.isoformat(timespec='microseconds')}Z")

    def _chat(self, time: str) -> dict[str, Any]:
        request = {"prompt": self._text(400, 2_000), "chatTriggerType": "MANUAL", "customizationArn": None}
        response = {
            "assistantResponse": self._text(300, 3_000),
            "followupPrompts": None,
            "messageMetadata": {"conversationId": self._id(), "utteranceId": None},
            "codeReferenceEvents": [],
            "supplementaryWebLinksEvent": [],
            "requestId": self._id(),
        }
        return {
            "generateAssistantResponseEventRequest": request | self._sender(time),
            "generateAssistantResponseEventResponse": response,
        }

    def _inline(self, time: str) -> dict[str, Any]:
        request = {"leftContext": self._text(400, 2_000), "rightContext": self._text(0, 800), "fileName": "main.py"}
        completions = [self._text(20, 200) for _ in range(self._random.randint(1, 3))]
        return {
            "generateCompletionsEventRequest": request | self._sender(time),
            "generateCompletionsEventResponse": {"completions": completions, "requestId": self._id()},
        }

    def _task(self, time: str) -> dict[str, Any]:
        request = {"prompt": self._text(400, 2_000), "chatTriggerType": "MANUAL", "conversationId": self._id()}
        return {
            "startTaskAssistCodeGenerationEventRequest": request | self._sender(time),
            "startTaskAssistCodeGenerationEventResponse": {"requestId": self._id()},
        }

    def _sender(self, time: str) -> dict[str, str]:
        return {"userId": self._random.choice(self._users), "timeStamp": time}

    def _text(self, shortest: int, longest: int) -> str:
        length = self._random.randint(shortest, longest)
        begin = self._random.randrange(len(self._pool) - length)
        self.text_characters += length
        return self._pool[begin : begin + length]

    def _id(self) -> str:
        return str(UUID(int=self._random.getrandbits(128), version=4))


def main() -> None:
    """Measure at another size than the README's, or read objects for a measurement."""
    parser = argparse.ArgumentParser(prog="python -m benchmarks.q_developer", description=__doc__)
    parser.add_argument("--records", type=int, default=RECORDS, help=f"records ({RECORDS})")
    parser.add_argument("--repeat", type=int, default=1, help="runs; the one with the median time counts (1)")
    parser.add_argument("--read", nargs=2, type=Path, metavar=("OBJECTS", "PARTS"), help="read these objects only")
    arguments = parser.parse_args()
    if arguments.read:
        started = time.perf_counter()
        read(*arguments.read)
        print(f"{time.perf_counter() - started:.1f} s")
        return
    show(q_developer(arguments.repeat, arguments.records), f"{arguments.records:,} records, {arguments.repeat} runs")


if __name__ == "__main__":
    main()
