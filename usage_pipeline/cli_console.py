"""What every command of `usage-pipeline` shares: consoles, errors, the configuration, running jobs and programs.

Not here: the commands (`cli.py`, `cli_*.py`), the jobs (`schedules.py`).
"""

import os
import signal
import subprocess
from collections.abc import Generator
from contextlib import contextmanager
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, NoReturn

import typer
from rich.console import Console

from usage_pipeline.config import CONFIG_VARIABLE, ConfigurationError, Settings, load_settings
from usage_pipeline.instance_folder import prepare_instance_folder

if TYPE_CHECKING:
    import dagster as dg

    from usage_pipeline.runs import RunOutcome

CHECKS_FAILED = 2
"""Exit code of a run that was done and in which a data check of severity ERROR failed."""

out = Console()
err = Console(stderr=True)


def warn(message: str, style: str | None = None) -> None:
    """Say something beside the output, unwrapped, so that it can be searched and copied."""
    err.print(message, style=style, markup=False, highlight=False, soft_wrap=True)


def say(message: str) -> None:
    """Say something in the output, unwrapped and without markup."""
    out.print(message, markup=False, highlight=False, soft_wrap=True)


def stop(message: str) -> NoReturn:
    """End the command with a sentence and exit code 1."""
    warn(message, style="red")
    raise typer.Exit(1)


def settings_or_stop(config: Path | None = None) -> Settings:
    """The configuration of the file, or of its usual place; ends the command when it cannot be used."""
    if config is not None:
        os.environ[CONFIG_VARIABLE] = str(config)
    try:
        return load_settings()
    except ConfigurationError as error:
        stop(str(error))


ConfigOption = Annotated[
    Path | None,
    typer.Option("--config", metavar="FILE", help="Configuration file [default: ./usage_pipeline.yaml]."),
]


class ProgressBar:
    """Shows a run as one line: what is run, the step that runs, how many are done."""

    def __init__(self, label: str) -> None:
        from rich.progress import BarColumn, MofNCompleteColumn, Progress, SpinnerColumn, TextColumn, TimeElapsedColumn

        self._label = label
        text = TextColumn("{task.description}", markup=False)
        self.bar = Progress(SpinnerColumn(), text, BarColumn(), MofNCompleteColumn(), TimeElapsedColumn(), console=err)
        self._task = self.bar.add_task(label, total=None)

    def begin(self, steps: int) -> None:
        """The run has so many steps."""
        self.bar.update(self._task, total=steps)

    def step(self, name: str, word: str) -> None:
        """A step is `started`, or over."""
        if word == "started":
            self.bar.update(self._task, description=f"{self._label}: {name.replace('__', '.')}")
        else:
            self.bar.update(self._task, description=self._label, advance=1)


@contextmanager
def ready_to_run(settings: Settings, label: str) -> "Generator[tuple[dg.DagsterInstance, ProgressBar]]":
    """The Dagster instance and a progress bar, alone in the data folder; runs that a killed command left are ended."""
    from usage_pipeline.event_log import open_instance
    from usage_pipeline.runs import alone_in, put_away_killed_runs

    home = Path(os.environ.get("DAGSTER_HOME") or settings.dagster_home)
    prepare_instance_folder(home)
    settings.data_folder.mkdir(parents=True, exist_ok=True)

    def waiting() -> None:
        warn("Another run is writing this warehouse; waiting for it to end.")

    with alone_in(settings.data_folder, waiting), open_instance(home) as instance:
        for run_id in put_away_killed_runs(instance):
            warn(f"Put away run {run_id}, which was ended before it was over.")
        progress = ProgressBar(label)
        with progress.bar:
            yield instance, progress


def say_outcome(settings: Settings, outcome: "RunOutcome") -> int:
    """Say which checks and steps failed and where the output is. Returns the exit code."""
    for evaluation in outcome.failed_checks:
        rows = evaluation.metadata.get("failing_rows")
        count = f" ({rows.value} rows)" if rows is not None else ""
        name = f"{'.'.join(evaluation.asset_key.path)}: {evaluation.check_name.replace('_', ' ')}"
        warn(f"{evaluation.severity.value:5} not true for {name}{count}")
    if not outcome.succeeded:
        for failed in outcome.failed_steps:
            warn(f"{failed.name.replace('__', '.')}: {failed.error}", style="red")
        reason = "" if outcome.failed_steps else " A blocking check failed, so nothing was published."
        warn(
            f"The run failed.{reason} What was read is kept, and what was published before is unchanged. "
            f"See run {outcome.run_id} in Dagster: usage-pipeline dev",
            style="red",
        )
        return 1
    for label, path in (
        ("report", settings.report_html),
        ("its numbers", settings.report_json),
        ("summary", settings.report_markdown),
        ("tables", settings.published_file),
    ):
        say(f"{label:12} {path}")
    return CHECKS_FAILED if outcome.failed_errors else 0


def run_until_stopped(command: list[str]) -> int:
    """Run a command until it ends or we are stopped; Ctrl-C and SIGTERM both let it end what it started."""
    signal.signal(signal.SIGTERM, signal.default_int_handler)
    # A script's background command ignores Ctrl-C, and so would all that it starts.
    signal.signal(signal.SIGINT, signal.default_int_handler)
    with subprocess.Popen(command) as process:  # noqa: S603  (our own interpreter)
        try:
            return process.wait()
        except KeyboardInterrupt:
            process.send_signal(signal.SIGINT)
            process.wait()
            return 0
