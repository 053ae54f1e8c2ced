"""Reading invocation logs into the warehouse, against the standard library and against gunzip alone.

`python -m benchmarks log_parsing` measures the figures of the README;
`python -m benchmarks.log_parsing --records 12000` is a quick look with a tenth of the data. Ratios are of runs in turn,
so that both sides see the same machine. The `igzip` of Debian's package isal is the fastest gunzip there is; without it
that row is left out.
"""

import argparse
import json
import shutil
import subprocess
import sys
import tempfile
import time
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from statistics import median
from typing import Any

from benchmarks.log_data import LogData, write_logs
from benchmarks.measuring import Result, measure, show

RECORDS = 120_000
"""Records with bodies, about 1 GB of JSON; the other sets are in proportion to it."""

LARGE_FACTOR = 25 / 6
"""500,000 records with bodies beside 120,000."""

WITHOUT_BODIES_FACTOR = 20 / 3
"""800,000 records without bodies beside 120,000."""


def log_parsing(repeat: int, records: int = RECORDS) -> list[Result]:
    """All figures; at the usual size the data takes 2 GB of disk, and three runs of each take ten minutes."""
    results: list[Result] = []
    with tempfile.TemporaryDirectory() as name:
        folder = Path(name)
        data = _made(folder / "bodies", records, with_bodies=True)
        results += _against_others(data, repeat) + _twice_the_files(data, repeat)
        shutil.rmtree(folder / "bodies")
        data = _made(folder / "plain", int(records * WITHOUT_BODIES_FACTOR), with_bodies=False)
        results += _without_bodies(data, repeat)
        shutil.rmtree(folder / "plain")
        data = _made(folder / "large", int(records * LARGE_FACTOR), with_bodies=True)
        results += _against_gzip(data, repeat)
    return results


@dataclass(frozen=True)
class Load:
    """One load: seconds from the first byte to the commit, memory of all processes, and what the table held."""

    seconds: float
    peak_megabytes: float
    contents: Any


def _made(folder: Path, records: int, with_bodies: bool) -> LogData:
    data = write_logs(folder, records, with_bodies)
    bodies = "with" if with_bodies else "without"
    print(f"{records:,} records {bodies} bodies: {data.json_bytes / 1e6:,.0f} MB of JSON in {len(data.paths)} files")
    return data


def _against_others(data: LogData, repeat: int) -> list[Result]:
    """Ours, the standard library and igzip in turn."""
    has_igzip = shutil.which("igzip") is not None
    ours: list[Load] = []
    stdlib: list[Load] = []
    igzip: list[float] = []
    for _ in range(repeat):
        ours.append(_load("ours", data.paths))
        stdlib.append(_load("stdlib", data.paths))
        if has_igzip:
            igzip.append(_gunzip("igzip", data.paths))
    _check_same_contents(ours, stdlib)
    results = [
        Result("logs with bodies: time beside gzip + json.loads (3.5x faster)", _share(ours, stdlib), 1 / 3.5, "x"),
        Result("logs with bodies: memory of all processes", max(load.peak_megabytes for load in ours), 1500, "MB"),
    ]
    if has_igzip:
        share = median(load.seconds for load in ours) / median(igzip)
        results.append(Result("logs with bodies: time beside `igzip -dc` alone", share, 2.2, "x"))
    else:
        print("igzip is not installed (Debian package isal): not compared with it")
    return results


def _twice_the_files(data: LogData, repeat: int) -> list[Result]:
    half = data.paths[: len(data.paths) // 2]
    pairs = [(_load("ours", data.paths), _load("ours", half)) for _ in range(repeat)]
    share = _share([whole for whole, _ in pairs], [half for _, half in pairs])
    return [Result("twice the files: time", share, 2, "x")]


def _without_bodies(data: LogData, repeat: int) -> list[Result]:
    pairs = [(_load("ours", data.paths), _load("stdlib", data.paths)) for _ in range(repeat)]
    ours, stdlib = [load for load, _ in pairs], [load for _, load in pairs]
    _check_same_contents(ours, stdlib)
    return [
        Result("logs without bodies: time beside gzip + json.loads (5x faster)", _share(ours, stdlib), 1 / 5, "x"),
        Result("logs without bodies: memory of all processes", max(load.peak_megabytes for load in ours), 1500, "MB"),
    ]


def _against_gzip(data: LogData, repeat: int) -> list[Result]:
    pairs = [(_load("ours", data.paths), _gunzip("gzip", data.paths)) for _ in range(repeat)]
    share = median(load.seconds for load, _ in pairs) / median(seconds for _, seconds in pairs)
    return [
        Result(f"{data.records:,} with bodies: time beside `gzip -dc` alone", share, 1, "x"),
        Result(f"{data.records:,} with bodies: memory", max(load.peak_megabytes for load, _ in pairs), 1500, "MB"),
    ]


def _load(design: str, paths: Sequence[Path]) -> Load:
    with tempfile.TemporaryDirectory() as folder:
        answer = Path(folder) / "answer.json"
        module = [sys.executable, "-m", "benchmarks.log_loading"]
        figure = measure([*module, design, str(answer), str(paths[0].parent), str(len(paths))])
        found = json.loads(answer.read_text())
    print(f"  {design}, {len(paths)} files: {found['seconds']:.2f} s, {figure.peak_megabytes:,.0f} MB", flush=True)
    return Load(found["seconds"], figure.peak_megabytes, found["contents"])


def _gunzip(program: str, paths: Sequence[Path]) -> float:
    """Seconds of gunzip alone, writing nowhere."""
    started = time.perf_counter()
    subprocess.run([program, "-dc", *map(str, paths)], stdout=subprocess.DEVNULL, check=True)
    seconds = time.perf_counter() - started
    print(f"  {program} -dc, {len(paths)} files: {seconds:.2f} s", flush=True)
    return seconds


def _share(first: Sequence[Load], second: Sequence[Load]) -> float:
    return median(load.seconds for load in first) / median(load.seconds for load in second)


def _check_same_contents(*designs: Sequence[Load]) -> None:
    """A design that reads other rows is not compared."""
    contents = {json.dumps(load.contents) for loads in designs for load in loads}
    if len(contents) != 1:
        raise SystemExit("The designs did not load the same rows; the comparison says nothing.")


def main() -> None:
    """Measure at another size than the README's."""
    parser = argparse.ArgumentParser(prog="python -m benchmarks.log_parsing", description=__doc__)
    parser.add_argument("--records", type=int, default=RECORDS, help=f"records with bodies ({RECORDS})")
    parser.add_argument("--repeat", type=int, default=3, help="runs of each; the median counts (3)")
    arguments = parser.parse_args()
    show(log_parsing(arguments.repeat, arguments.records), f"{arguments.records} records, {arguments.repeat} runs each")


if __name__ == "__main__":
    main()
