"""Running a command as a whole process tree: its wall time, its CPU time and its memory; and showing figures."""

import os
import subprocess
import sys
import threading
import time
from collections.abc import Mapping, Sequence
from dataclasses import dataclass

import psutil
from rich.console import Console
from rich.table import Table

SAMPLE_SECONDS = 0.05

AS_USUAL = {"PYTHONDONTWRITEBYTECODE": ""}
"""Python compiles modules once, also where the environment (of a container, say) asks it not to keep them."""


@dataclass(frozen=True)
class Figure:
    """What one command cost: wall seconds, CPU seconds of all its processes, and the most memory they had at once."""

    wall_seconds: float
    cpu_seconds: float
    peak_megabytes: float


def usage_pipeline(*arguments: str) -> list[str]:
    """`usage-pipeline …` with this interpreter."""
    return [sys.executable, "-m", "usage_pipeline.cli", *arguments]


def measure(command: Sequence[str], environment: Mapping[str, str] | None = None) -> Figure:
    """Run the command to its end, sampling the memory of it and its children.

    Raises:
        subprocess.CalledProcessError: it ended with another code than 0 or 2 (2: a data check failed, as planned).
    """
    before = os.times()
    started = time.perf_counter()
    with subprocess.Popen(
        command,
        env={**os.environ, **AS_USUAL, **(environment or {})},
        stdout=subprocess.DEVNULL,
        stderr=subprocess.PIPE,
    ) as process:
        samples: list[float] = []
        sampler = threading.Thread(target=_sample, args=(process, samples), daemon=True)
        sampler.start()
        _, errors = process.communicate()
        sampler.join()
    wall = time.perf_counter() - started
    if process.returncode not in (0, 2):
        raise subprocess.CalledProcessError(process.returncode, list(command), stderr=errors)
    after = os.times()
    cpu = after.children_user - before.children_user + after.children_system - before.children_system
    return Figure(wall, cpu, max(samples, default=0.0))


def _sample(process: "subprocess.Popen[bytes]", samples: list[float]) -> None:
    tree = psutil.Process(process.pid)
    while process.poll() is None:
        total = 0
        try:
            members = [tree, *tree.children(recursive=True)]
        except psutil.NoSuchProcess:
            return
        for member in members:
            try:
                total += member.memory_info().rss
            except psutil.NoSuchProcess:
                continue
        samples.append(total / 1_000_000)
        time.sleep(SAMPLE_SECONDS)


def median(figures: Sequence[Figure]) -> Figure:
    """The run with the median wall time."""
    return sorted(figures, key=lambda figure: figure.wall_seconds)[len(figures) // 2]


@dataclass(frozen=True)
class Result:
    """One figure beside its limit; `ratio` below 1 is within."""

    name: str
    figure: float
    limit: float
    unit: str

    @property
    def ratio(self) -> float:
        """Figure over limit."""
        return self.figure / self.limit


def show(results: Sequence[Result], title: str) -> None:
    """Print each figure beside its limit."""
    table = Table("what", "median", "limit", "ratio", title=title)
    for result in results:
        table.add_row(result.name, _told(result.figure, result), _told(result.limit, result), f"{result.ratio:.2f}")
    Console().print(table)


def _told(value: float, result: Result) -> str:
    return f"{value:,.0f} {result.unit}" if value >= 100 else f"{value:.3g} {result.unit}"
