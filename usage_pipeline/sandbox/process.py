"""The sandbox as a process of its own: serving it until it is stopped, and starting one for `demo` and `dev`.

A process and not a thread, so that serving uses another core than the pipeline. Not here: what is served
(`aws_server.py`) and made up (`traffic.py`).
"""

import datetime as dt
import os
import shlex
import signal
import subprocess
import sys
import threading
from collections.abc import Generator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from importlib.abc import MetaPathFinder
from pathlib import Path
from types import ModuleType
from typing import TYPE_CHECKING

from usage_pipeline.config import CONFIG_VARIABLE

if TYPE_CHECKING:
    from usage_pipeline.sandbox import RunningSandbox

_READY = "Ready at "
_DEMO_OUTPUTS = ("warehouse.duckdb", "warehouse.duckdb.wal", "truth.duckdb", "report.html", "report.json", "report.md")


class SandboxEndedError(RuntimeError):
    """The sandbox's process ended before it was ready; it has said why on standard error."""


class _WithoutPandas(MetaPathFinder):
    """pandas is not there: pyarrow asks for it only to know its types, and it takes 40 MB as long as we serve."""

    def find_spec(self, fullname: str, path: Sequence[str] | None, target: ModuleType | None = None) -> None:
        if fullname == "pandas":
            raise ImportError("The sandbox's own process does without pandas.")


@dataclass(frozen=True)
class SandboxProcess:
    """A sandbox that runs in another process: its address, and the environment that points AWS programs at it."""

    endpoint_url: str
    environment: Mapping[str, str]


def prepare_demo_folder(folder: Path) -> str | None:
    """Clear an earlier demo's results from the folder. Returns why not, when it holds something else."""
    if (folder / "warehouse.duckdb").exists() and not (folder / "truth.duckdb").exists():
        return (
            f"{folder} holds a warehouse that no demo made, so it was left as it is; name another folder: "
            "usage-pipeline demo --out DIR"
        )
    folder.mkdir(parents=True, exist_ok=True)
    for name in _DEMO_OUTPUTS:
        (folder / name).unlink(missing_ok=True)
    (folder / "published" / "usage.duckdb").unlink(missing_ok=True)
    return None


def serve_until_stopped(
    folder: Path,
    *,
    port: int,
    days: int,
    seed: int,
    now: dt.datetime | None,
    faults: Sequence[str],
    until_stdin_closes: bool,
) -> str | None:
    """Serve until Ctrl-C, SIGTERM or, when asked, the end of standard input. Returns why it could not.

    Prints one line when it is ready and one line with the environment, as a shell takes it.
    """
    from usage_pipeline.sandbox import SandboxNotInstalledError, SandboxOptions, serve
    from usage_pipeline.sandbox.options import this_minute

    def say_ready(running: "RunningSandbox") -> None:
        environment = {**running.environment, CONFIG_VARIABLE: str((folder / "usage_pipeline.yaml").resolve())}
        pairs = " ".join(f"{name}={shlex.quote(value)}" for name, value in environment.items())
        print(f"{_READY}{running.endpoint_url}; set this environment:\nexport {pairs}", flush=True)  # noqa: T201  (the command's output)
        if until_stdin_closes:
            threading.Thread(target=_stop_at_end_of_input, args=(running,), daemon=True).start()

    # SIGTERM ends the command as Ctrl-C does, so that what was begun is closed.
    signal.signal(signal.SIGTERM, signal.default_int_handler)
    without_pandas = _WithoutPandas()
    sys.meta_path.insert(0, without_pandas)
    try:
        options = SandboxOptions(days=days, seed=seed, end=now or this_minute(), faults=tuple(faults))
        serve(options, port=port, out=folder, on_ready=say_ready)
    except KeyboardInterrupt:
        return None
    except (ValueError, SandboxNotInstalledError) as error:
        return str(error)
    except OSError as error:
        return f"The sandbox could not be served on port {port}: {error.strerror}; name another with --port."
    finally:
        sys.meta_path.remove(without_pandas)
    return None


def _stop_at_end_of_input(running: "RunningSandbox") -> None:
    sys.stdin.read()
    running.stop()


@contextmanager
def sandbox_process(folder: Path, *, days: int, seed: int, now: dt.datetime | None = None) -> Generator[SandboxProcess]:
    """Start `usage-pipeline sandbox serve` and wait until it is ready; it ends with the block, or with this process.

    Raises:
        SandboxEndedError: the sandbox ended before it was ready; its own words are on standard error.
    """
    command = [sys.executable, "-m", "usage_pipeline.cli", "sandbox", "serve", "--until-stdin-closes"]
    command += ["--out", str(folder), "--days", str(days), "--seed", str(seed)]
    command += ["--now", f"{now:%Y-%m-%dT%H:%M}"] if now else []
    # glibc gives each serving thread a heap of its own, which together cost 100 MB more than one (2026-11).
    environment = {**os.environ, "MALLOC_ARENA_MAX": "1"}
    with subprocess.Popen(  # noqa: S603  (our own interpreter)
        command, env=environment, stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True
    ) as process:
        try:
            yield _wait_until_ready(process)
        finally:
            if process.stdin:
                process.stdin.close()
            process.terminate()


def _wait_until_ready(process: "subprocess.Popen[str]") -> SandboxProcess:
    output = process.stdout or ()
    for line in output:
        if line.startswith(_READY):
            pairs = shlex.split(next(iter(output)).removeprefix("export "))
            environment = dict(pair.split("=", 1) for pair in pairs)
            return SandboxProcess(environment["AWS_ENDPOINT_URL"], environment)
    raise SandboxEndedError("The simulated AWS ended before it was ready.")
