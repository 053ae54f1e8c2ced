"""Runs that are killed while they write: each in a fork of one process, because importing what a run needs takes long.

Run as `python -m usage_pipeline_tests.killed_runs CONFIGURATION DAY`; it fails unless each run is killed.
"""

import gc
import os
import pkgutil
import signal
import sys
from contextlib import AbstractContextManager
from pathlib import Path
from typing import Any
from unittest import mock

import pandas  # noqa: F401  (imported late by others, and once for all forks here)
from dagster import AssetSelection

from usage_pipeline.cli import app
from usage_pipeline.config import load_settings
from usage_pipeline.definitions import build_definitions
from usage_pipeline.event_log import open_instance
from usage_pipeline.instance_folder import prepare_instance_folder
from usage_pipeline.schedules import DAILY_JOB
from usage_pipeline_tests.pipeline_runs import LOGS, METRICS, UNTIL_MODELS, daily_job_of

PLACES = (
    # Points of a range are replaced, and not yet noted in the ledger.
    ("usage_pipeline.assets.metric_storage.record_series", 3, METRICS),
    # In the middle of a transaction that stores what log objects held.
    ("usage_pipeline.assets.log_storage._replace_notes", 1, LOGS),
    # In the middle of a transaction that builds a table, when others are built already.
    ("usage_pipeline.sql_builds._Builder._save_state", 30, UNTIL_MODELS),
)
"""Functions that a run calls while it writes, at which call it dies, and what the run is of to come there."""


def kill_at(name: str, calls: int) -> AbstractContextManager[Any]:
    """Let this process kill itself when the function is called for the so-manieth time."""
    real, counted = pkgutil.resolve_name(name), iter(range(1, calls))

    def dying(*arguments: Any) -> Any:
        if next(counted, None) is None:
            os.kill(os.getpid(), signal.SIGKILL)
        return real(*arguments)

    return mock.patch(name, dying)


def import_what_runs_import_late(configuration: Path) -> None:
    """Make what a run begins with, once before all forks: Dagster imports much of itself only then."""
    settings = load_settings(configuration)
    with open_instance(prepare_instance_folder(settings.dagster_home)):
        build_definitions(settings).resolve_job_def(DAILY_JOB)


def exit_code_of_a_run(place: str, calls: int, assets: AssetSelection, arguments: list[str]) -> int:
    """How a run in a fork of this process ended; a killed one is a negative signal number, as of a subprocess."""
    pid = os.fork()
    if pid == 0:
        try:
            with kill_at(place, calls), daily_job_of(assets):
                app(arguments)
        finally:
            os._exit(0)
    return os.waitstatus_to_exitcode(os.waitpid(pid, 0)[1])


if __name__ == "__main__":
    # No process here lives long enough to need a search for garbage.
    gc.disable()
    configuration, day = sys.argv[1:]
    import_what_runs_import_late(Path(configuration))
    command = ["run", "--date", day, "--config", configuration]
    codes = {place: exit_code_of_a_run(place, calls, assets, command) for place, calls, assets in PLACES}
    if set(codes.values()) != {-signal.SIGKILL}:
        sys.exit(f"not every run was killed where it should be: {codes}")
