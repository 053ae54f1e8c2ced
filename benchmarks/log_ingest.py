"""Invocation logs from a bucket: many small objects at 20 ms latency, and a day of a million requests up to the marts.

`python -m benchmarks log_ingest` measures the figures of the README; `python -m benchmarks.log_ingest --records 100000`
is a quick look. Client and server share the machine's cores, so the CPU that each takes is printed beside the figures.
Not here: parsing alone (`log_parsing.py`), the bucket (`loopback_s3.py`).
"""

import argparse
import datetime as dt
import os
import random
import sys
import tempfile
import time
from pathlib import Path
from statistics import median
from unittest import mock

import duckdb

from benchmarks.log_data import ACCOUNT, RECORDS_PER_FILE, write_logs
from benchmarks.loopback_s3 import BUCKET, ServedBucket, served_bucket
from benchmarks.measuring import Result, measure, show, usage_pipeline
from usage_pipeline.aws.log_fetching import FetchRequest, ReusedFiles, fetch_logs
from usage_pipeline.aws.log_objects import LogBucket, log_folders
from usage_pipeline.aws.scopes import Scope
from usage_pipeline.aws.sessions import AccountSession
from usage_pipeline.config import AccountSettings
from usage_pipeline.event_log import open_instance
from usage_pipeline.sandbox import SandboxOptions, start_in_thread

RECORDS = 1_000_000
OBJECTS = 10_000
OBJECT_BYTES = 16_000
LATENCY_MS = 20

DAY = dt.date(2026, 11, 1)
"""The day of `log_data.py`."""

SCOPE = Scope(ACCOUNT, "production", "us-east-1", "aws")
CREDENTIALS = {"AWS_ACCESS_KEY_ID": "benchmark", "AWS_SECRET_ACCESS_KEY": "benchmark"}

CONFIGURATION = """\
accounts:
  - name: production
    role_arn: arn:aws:iam::111122223333:role/usage-pipeline-reader
    external_id: sandbox
    regions: [us-east-1]
    logs: {bucket: logs}
warehouse: warehouse.duckdb
as_of: 2026-11-15T10:30:00Z
"""


def log_ingest(repeat: int, records: int = RECORDS) -> list[Result]:
    """All figures."""
    return [*_small_objects(repeat), *_whole_day(repeat, records)]


def _key(number: int) -> str:
    hour = number % 24
    name = f"{DAY:%Y%m%d}T{hour:02d}{number // 24 % 60:02d}00{number % 1000:03d}Z_{number:016x}.json.gz"
    return f"{log_folders(SCOPE, '')[0]}{DAY:%Y/%m/%d}/{hour:02d}/{name}"


def _small_objects(repeat: int) -> list[Result]:
    """Listing a day and getting its objects into files."""
    chance = random.Random(1)
    seconds: list[float] = []
    with tempfile.TemporaryDirectory() as name:
        bucket = Path(name)
        for number in range(OBJECTS):
            path = bucket / _key(number)
            path.parent.mkdir(parents=True, exist_ok=True)
            path.write_bytes(chance.randbytes(OBJECT_BYTES))
        with served_bucket(bucket, LATENCY_MS) as served, mock.patch.dict("os.environ", CREDENTIALS):
            os.environ["AWS_ENDPOINT_URL_S3"] = served.endpoint_url
            seconds = [_get_all(served) for _ in range(repeat)]
    per_object = 1000 * median(seconds) / OBJECTS
    return [Result(f"{OBJECTS:,} small objects at {LATENCY_MS} ms: time per object (2,500/s)", per_object, 0.4, "ms")]


def _get_all(served: ServedBucket) -> float:
    session = AccountSession(AccountSettings(name="production", regions=("us-east-1",)))
    source = LogBucket(session, SCOPE, BUCKET, "")
    cpu, server_cpu, started = time.process_time(), served.cpu_seconds(), time.perf_counter()
    logs = source.list_day(DAY)
    listed = time.perf_counter() - started
    with tempfile.TemporaryDirectory() as folder:
        files = ReusedFiles(Path(folder))
        for fetched in fetch_logs(FetchRequest(source, log, files.take()) for log in logs):
            assert fetched.shortfall is None
            files.give_back(fetched.request.path)
    seconds = time.perf_counter() - started
    cpu, server_cpu = time.process_time() - cpu, served.cpu_seconds() - server_cpu
    print(
        f"  {len(logs):,} objects, listed in {listed:.2f} s: {len(logs) / seconds:,.0f} objects/s; CPU per object "
        f"{1000 * cpu / len(logs):.3f} ms here, {1000 * server_cpu / len(logs):.3f} ms in the server",
        flush=True,
    )
    assert len(logs) == OBJECTS
    return seconds


def _whole_day(repeat: int, records: int) -> list[Result]:
    """`usage-pipeline run` for one day of many requests, and again for the same day."""
    first: list[dict[str, float]] = []
    second: list[dict[str, float]] = []
    with tempfile.TemporaryDirectory() as name:
        bucket = Path(name) / "bucket"
        _write_bucket(bucket, records)
        for number in range(repeat):
            folder = Path(name) / str(number)
            folder.mkdir()
            (folder / "usage_pipeline.yaml").write_text(CONFIGURATION, encoding="utf-8")
            with served_bucket(bucket) as served, _aws(folder) as environment:
                environment = {**environment, "AWS_ENDPOINT_URL_S3": served.endpoint_url}
                first.append(_run(folder, environment))
                second.append(_run(folder, environment))
            with duckdb.connect(str(folder / "published" / "usage.duckdb"), read_only=True) as con:
                assert con.execute("select count(*) from marts.invocations").fetchone() == (records,)
    what = f"{records:,} requests"
    return [
        Result(f"{what}: from the bucket to the marts", _median(first, "wall"), 60, "s"),
        Result(f"{what}: memory of all processes", max(run["memory"] for run in first), 1500, "MB"),
        Result(f"{what}, the same day again: logs and marts", _median(second, "work"), 3, "s"),
    ]


def _write_bucket(bucket: Path, records: int) -> None:
    data = write_logs(bucket / "made", records, with_bodies=False)
    for number, path in enumerate(data.paths):
        key = bucket / _key(number)
        key.parent.mkdir(parents=True, exist_ok=True)
        path.rename(key)
    (bucket / "made").rmdir()
    size = sum(path.stat().st_size for path in bucket.rglob("*.gz"))
    print(
        f"{records:,} requests of {data.json_bytes / records:,.0f} bytes in {len(data.paths)} objects of "
        f"{RECORDS_PER_FILE:,}: {size / 1e6:,.0f} MB"
    )


class _aws:  # noqa: N801  (used as a function)
    """The simulated organisation for everything but the bucket."""

    def __init__(self, folder: Path) -> None:
        options = SandboxOptions(days=15, end=dt.datetime(2026, 11, 15, 10, 30))  # noqa: DTZ001  (UTC, as inside)
        (folder / "sandbox").mkdir()
        self._running = start_in_thread(options, folder / "sandbox")

    def __enter__(self) -> dict[str, str]:
        return dict(self._running.__enter__().environment)

    def __exit__(self, *error: object) -> None:
        self._running.__exit__(*error)


def _run(folder: Path, environment: dict[str, str]) -> dict[str, float]:
    """Seconds of the command and of its steps, and megabytes."""
    command = usage_pipeline("run", "--date", str(DAY), "--config", str(folder / "usage_pipeline.yaml"))
    figure = measure(command, environment)
    with open_instance(folder / "dagster_home") as instance:
        (run,) = instance.get_runs(limit=1)
        steps = {
            step.step_key: step.end_time - step.start_time
            for step in instance.get_run_step_stats(run.run_id)
            if step.start_time is not None and step.end_time is not None
        }
    logs, marts = steps["raw__invocations"], steps["sql_models"]
    print(
        f"  {figure.wall_seconds:.1f} s, of it logs to rows {logs:.1f} s, rows to marts {marts:.1f} s; CPU "
        f"{figure.cpu_seconds:.1f} s; {figure.peak_megabytes:,.0f} MB",
        flush=True,
    )
    return {"wall": figure.wall_seconds, "memory": figure.peak_megabytes, "work": logs + marts}


def _median(runs: list[dict[str, float]], name: str) -> float:
    return median(run[name] for run in runs)


def main() -> None:
    """Measure at another size than the README's."""
    parser = argparse.ArgumentParser(prog="python -m benchmarks.log_ingest", description=__doc__)
    parser.add_argument("--records", type=int, default=RECORDS, help=f"requests of the day ({RECORDS})")
    parser.add_argument("--repeat", type=int, default=1, help="runs of each; the median counts (1)")
    parser.add_argument("--only", choices=["objects", "day"], help="one half of the figures")
    arguments = parser.parse_args()
    results: list[Result] = []
    if arguments.only != "day":
        results += _small_objects(arguments.repeat)
    if arguments.only != "objects":
        results += _whole_day(arguments.repeat, arguments.records)
    show(results, f"{os.cpu_count()} cores, {arguments.repeat} runs each, Python {sys.version.split()[0]}")


if __name__ == "__main__":
    main()
