"""`python -m benchmarks [NAME …]`, such as demo or log_marts: every figure beside its limit.

Not here: how a command is measured (`measuring.py`). The results that were reached are in README.md beside this file.
"""

import argparse
import datetime as dt
import os
import tempfile
from collections.abc import Callable
from pathlib import Path

from benchmarks.log_ingest import log_ingest
from benchmarks.log_marts import log_marts
from benchmarks.log_parsing import log_parsing
from benchmarks.measuring import Figure, Result, measure, median, show, usage_pipeline
from benchmarks.planning import planning
from benchmarks.q_developer import q_developer
from benchmarks.replay import replay
from benchmarks.report import report
from usage_pipeline.sandbox import RunningSandbox, SandboxOptions, start_in_thread
from usage_pipeline.sandbox.organisation import Organisation

NOW = dt.datetime(2026, 11, 15, 10, 30)  # noqa: DTZ001  (UTC without a zone, as everywhere inside)
YESTERDAY = NOW.date() - dt.timedelta(days=1)


def demo(repeat: int) -> list[Result]:
    """`make demo` after installation: at most 60 s and 1.5 GB, the simulated AWS included."""
    figures: list[Figure] = []
    for _ in range(repeat):
        with tempfile.TemporaryDirectory() as folder:
            figures.append(measure(usage_pipeline("demo", "--out", folder)))
    figure = median(figures)
    return [
        Result("demo: 30 days, 4 scopes, from nothing to the report", figure.wall_seconds, 60, "s"),
        Result("demo: memory of all processes", figure.peak_megabytes, 1500, "MB"),
    ]


def next_day(repeat: int) -> list[Result]:
    """One more whole day on top of 29, of 4 scopes: at most 15 s for 20 pools, start-up included, and for all 34."""
    figures: dict[int | None, list[Figure]] = {20: [], None: []}
    for _ in range(repeat):
        for pools, found in figures.items():
            options = SandboxOptions(end=NOW, pools=pools)
            with tempfile.TemporaryDirectory() as name, start_in_thread(options, Path(name)) as sandbox:
                run_days(sandbox, Path(name), YESTERDAY - dt.timedelta(days=29), YESTERDAY - dt.timedelta(days=1))
                found.append(run_days(sandbox, Path(name), YESTERDAY, YESTERDAY))
    return [
        Result(f"one more day of {_pools_called(pools)} pools, start-up included", median(found).wall_seconds, 15, "s")
        for pools, found in figures.items()
    ]


def _pools_called(pools: int | None) -> int:
    return len({caller.pool_id for caller in Organisation(pools=pools).callers})


def profiles(repeat: int) -> list[Result]:
    """Ten times the profiles for the same two days: at most ten times the cost."""
    cost: dict[int, Figure] = {}
    for factor in (1, 10):
        figures: list[Figure] = []
        for _ in range(repeat):
            options = SandboxOptions(days=2, end=NOW, profiles_factor=factor)
            with tempfile.TemporaryDirectory() as name, start_in_thread(options, Path(name)) as sandbox:
                figures.append(run_days(sandbox, Path(name), YESTERDAY - dt.timedelta(days=1), YESTERDAY))
        cost[factor] = median(figures)
    return [
        Result("10x the profiles: wall time", cost[10].wall_seconds / cost[1].wall_seconds, 10, "x"),
        Result("10x the profiles: CPU time", cost[10].cpu_seconds / cost[1].cpu_seconds, 10, "x"),
    ]


def run_days(sandbox: RunningSandbox, folder: Path, first: dt.date, last: dt.date) -> Figure:
    """Measure `usage-pipeline run` against the sandbox."""
    configuration = str(folder / "usage_pipeline.yaml")
    command = usage_pipeline("run", "--from", str(first), "--to", str(last), "--config", configuration)
    return measure(command, sandbox.environment)


BENCHMARKS: dict[str, Callable[[int], list[Result]]] = {
    "demo": demo,
    "next_day": next_day,
    "profiles": profiles,
    "log_parsing": log_parsing,
    "log_ingest": log_ingest,
    "log_marts": log_marts,
    "planning": planning,
    "q_developer": q_developer,
    "replay": replay,
    "report": report,
}


def main() -> None:
    """Run the chosen benchmarks and print the table."""
    parser = argparse.ArgumentParser(prog="python -m benchmarks", description=__doc__)
    parser.add_argument("names", nargs="*", choices=[*BENCHMARKS, []], help="which ones; all without a name")
    parser.add_argument("--repeat", type=int, default=3, help="runs of each; the median counts (3)")
    arguments = parser.parse_args()
    results = [result for name in arguments.names or BENCHMARKS for result in BENCHMARKS[name](arguments.repeat)]
    show(results, f"{os.cpu_count()} cores, {arguments.repeat} runs each")


if __name__ == "__main__":
    main()
