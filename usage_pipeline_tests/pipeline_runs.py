"""Running the daily job against a sandbox, and comparing warehouses; for tests of whole days."""

import datetime as dt
import fcntl
import os
import pickle
import shutil
import subprocess
import sys
import urllib.error
import urllib.request
from collections.abc import Generator, Iterator, Mapping, Sequence
from contextlib import contextmanager, nullcontext
from functools import cache
from pathlib import Path
from typing import Any, NamedTuple
from unittest import mock

import dagster as dg
import duckdb
import pandas as pd
import pytest
from dagster._core.events import PIPELINE_EVENTS
from dagster._core.storage.event_log import InMemoryEventLogStorage

from usage_pipeline.assets.planning import PLANNING_KEYS
from usage_pipeline.checks.validation import validate_here
from usage_pipeline.config import CONFIG_VARIABLE, Settings, load_settings
from usage_pipeline.partitions import daily_partitions
from usage_pipeline.runs import RunOutcome, run_days
from usage_pipeline.sandbox import RunningSandbox, SandboxOptions
from usage_pipeline.sandbox.prices import write_prices
from usage_pipeline.schedules import DAILY_JOB

NOW = dt.datetime(2026, 11, 15, 10, 30)
"""The sandbox's clock in tests of whole days."""

ORGANISATION = SandboxOptions(days=2, seed=7, end=NOW)
"""Four scopes with two whole days and ten and a half hours of traffic."""

FIRST_DAY, TODAY = dt.date(2026, 11, 13), dt.date(2026, 11, 15)
DAYS = [FIRST_DAY + dt.timedelta(days=number) for number in range(3)]

CONFIGURATION = """\
accounts:
  - name: production
    role_arn: arn:aws:iam::111122223333:role/usage-pipeline-reader
    external_id: sandbox
    regions: auto
  - name: research
    role_arn: arn:aws:iam::444455556666:role/usage-pipeline-reader
    external_id: sandbox
    regions: [us-east-1, eu-west-1]
warehouse: data/warehouse.duckdb
prices:
  file: prices.csv
as_of: 2026-11-15T10:30:00Z
"""

CHANGES_WITH_EACH_RUN = {
    "ops.source_status": ("run_id", "api_calls", "finished_at"),
    "ops.findings": ("worst_value", "notice_value"),
}
"""Columns that say when and by which run, or what earlier runs saw, and not what is."""

OF_ONE_SANDBOX = {"ops.ingested_objects": ("etag", "size_bytes")}
"""Columns that say which bytes one sandbox packed: `test_invocation_logs.py` holds them against its buckets."""


def write_settings(folder: Path, configuration: str = CONFIGURATION) -> Settings:
    """The settings of a warehouse of its own in the folder."""
    folder.mkdir(parents=True, exist_ok=True)
    write_prices(folder / "prices.csv", ORGANISATION)
    (folder / "usage_pipeline.yaml").write_text(configuration, encoding="utf-8")
    return settings_in(folder)


def write_demo_settings(folder: Path, sandbox_folder: Path, further_account: str = "") -> Settings:
    """The settings that a sandbox wrote, with its prices and its bill, for a warehouse of its own in the folder."""
    shutil.copytree(sandbox_folder, folder, ignore=shutil.ignore_patterns("truth.duckdb*"), dirs_exist_ok=True)
    file = folder / "usage_pipeline.yaml"
    text = file.read_text(encoding="utf-8")
    file.write_text(text.replace("warehouse:", f"{further_account}warehouse:"), encoding="utf-8")
    return settings_in(folder)


def settings_in(folder: Path) -> Settings:
    """The settings that were written into the folder."""
    return load_settings(folder / "usage_pipeline.yaml")


@contextmanager
def pointed_at(sandbox: RunningSandbox) -> Iterator[None]:
    """Let boto3 use the sandbox."""
    with mock.patch.dict("os.environ", sandbox.environment):
        yield


class Unheard:
    """Progress that nobody watches."""

    def begin(self, steps: int) -> None:
        assert steps > 0

    def step(self, name: str, word: str) -> None:
        assert name
        assert word


class _EventsOfRuns(InMemoryEventLogStorage):
    """Keeps when runs began and ended, and forgets what their steps did, which a run itself gives at its end.

    To pack what is told of each table and its columns, and to ask of each what it was made from, takes a quarter of a
    run of few rows.
    """

    def store_event(self, event: dg.EventLogEntry) -> None:
        if event.dagster_event_type in PIPELINE_EVENTS:
            super().store_event(event)

    def get_asset_records(self, asset_keys: Sequence[dg.AssetKey] | None = None) -> Sequence[Any]:
        return []

    @property
    def asset_records_have_last_observation(self) -> bool:
        return True


@cache
def instance_in_memory() -> dg.DagsterInstance:
    """One for all runs that nobody looks for on disk: making its tables takes as long as a run of few assets."""
    with mock.patch("dagster._core.storage.event_log.InMemoryEventLogStorage", _EventsOfRuns):
        return dg.DagsterInstance.ephemeral()


@contextmanager
def commands_run_in_memory() -> Generator[None]:
    """Let commands run on that instance, where nobody looks for what they leave on disk."""
    with mock.patch("usage_pipeline.event_log.open_instance", return_value=nullcontext(instance_in_memory())):
        yield


ONE_SCOPE = """\
accounts:
  - name: research
    role_arn: arn:aws:iam::444455556666:role/usage-pipeline-reader
    external_id: sandbox
    regions: [us-east-1]
as_of: 2026-11-15T10:30:00Z
"""
"""A configuration of one of the sandbox's scopes: enough where the same is asked of every scope."""

UNTIL_MODELS = (
    dg.AssetSelection.all()
    - dg.AssetSelection.assets("ops/check_results").downstream()
    - dg.AssetSelection.assets("raw/enabled_regions", *PLANNING_KEYS)
)
"""What the daily job reads, and what it makes of days before all tables are planned with, checked and published."""

METRICS = dg.AssetSelection.assets("raw/cloudwatch_metrics", "raw/max_tokens_metric").upstream()
"""Reading CloudWatch, and the catalogues that say of what."""

LOGS = dg.AssetSelection.assets("raw/invocations").upstream()
"""Reading what calls were logged, and where."""


def run(settings: Settings, sandbox: RunningSandbox, first: dt.date, last: dt.date) -> RunOutcome:
    """Run the days as a command does, on an instance in memory."""
    have_great_expectations_here()
    with pointed_at(sandbox):
        return run_days(settings, instance_in_memory(), first, last, progress=Unheard())


def have_great_expectations_here() -> None:
    """Import it into this process; otherwise each run of few days starts a process that takes seconds to do so."""
    validate_here("nothing", pd.DataFrame(), [])


@contextmanager
def daily_job_of(assets: dg.AssetSelection) -> Generator[None]:
    """Let the daily job be of these assets, without checks, whoever runs it in this process."""
    selection = assets - dg.AssetSelection.all_asset_checks()
    job = dg.define_asset_job(DAILY_JOB, selection=selection, partitions_def=daily_partitions)
    with (
        mock.patch("usage_pipeline.definitions.build_daily_job", return_value=job),
        mock.patch("usage_pipeline.runs.ValidationProcess"),
    ):
        yield


class WholeRun(NamedTuple):
    """A demo that is over: all days of `ORGANISATION` as one range into an empty warehouse, the truth beside it."""

    settings: Settings
    output: str
    """What the command said."""
    sandbox_answered: bool
    """Whether its simulated AWS was still there when it had ended."""

    @property
    def truth_file(self) -> Path:
        """Where its simulated AWS wrote the truth."""
        return self.settings.data_folder / "truth.duckdb"


def copy_of_whole_run(factory: pytest.TempPathFactory) -> WholeRun:
    """Made by the first test process that asks, copied by each."""
    mine = factory.mktemp("whole") / "run"
    is_worker = "PYTEST_XDIST_WORKER" in os.environ
    shared = (factory.getbasetemp().parent if is_worker else factory.getbasetemp()) / "shared_whole_run"
    shared.mkdir(exist_ok=True)
    with (shared / "lock").open("w") as lock:
        fcntl.flock(lock, fcntl.LOCK_EX)
        said = shared / "said"
        if not said.exists():
            shutil.rmtree(shared / "run", ignore_errors=True)
            said.write_bytes(pickle.dumps(_run_demo(shared / "run")))
        shutil.copytree(shared / "run", mine)
        return WholeRun(settings_in(mine), *pickle.loads(said.read_bytes()))


def _run_demo(folder: Path) -> tuple[str, bool]:
    """What the command said, and whether its simulated AWS answers when it has ended."""
    command = [sys.executable, "-m", "usage_pipeline.cli", "demo", "--out", str(folder)]
    command += ["--days", str(ORGANISATION.days), "--seed", str(ORGANISATION.seed), "--now", f"{NOW:%Y-%m-%dT%H:%M}"]
    environment = {name: value for name, value in os.environ.items() if name not in (CONFIG_VARIABLE, "DAGSTER_HOME")}
    ended = subprocess.run(
        command, env=environment, stdout=subprocess.PIPE, stderr=subprocess.STDOUT, text=True, check=False
    )
    assert ended.returncode == 0, ended.stdout
    endpoint = next(word for word in ended.stdout.split() if word.startswith("http://")).rstrip(";")
    try:
        urllib.request.urlopen(endpoint, timeout=5)
    except urllib.error.HTTPError:
        return ended.stdout, True
    except OSError as error:
        return ended.stdout, "refused" not in str(error)
    return ended.stdout, True


LEFT_OUT = ("ops.runs", "ops.day_changes", "ops.sql_model_builds")
"""Tables that record runs and replacements, and so grow with their number."""


ColumnsByTable = Mapping[str, tuple[str, ...]]


def contents(warehouse: Path, left_columns: ColumnsByTable = CHANGES_WITH_EACH_RUN) -> Mapping[str, tuple[int, int]]:
    """For each table: its row count and a hash of its rows that does not depend on their order."""
    with duckdb.connect(str(warehouse), read_only=True) as con:
        names = con.execute(
            "select table_schema || '.' || table_name from information_schema.tables order by all"
        ).fetchall()
        return {name: _content(con, name, left_columns) for (name,) in names if name not in LEFT_OUT}


def _content(con: duckdb.DuckDBPyConnection, name: str, left_columns: ColumnsByTable) -> tuple[int, int]:
    compared = _compared_columns(con, name, left_columns)
    row = con.execute(
        f"select count(*), coalesce(bit_xor(hash(t)), 0) from (select {compared} from {name}) as t"
    ).fetchone()
    assert row is not None
    return row


def _compared_columns(con: duckdb.DuckDBPyConnection, name: str, left_columns: ColumnsByTable) -> str:
    left_out = left_columns.get(name, ())
    names = [row[0] for row in con.execute(f"describe {name}").fetchall() if row[0] not in left_out]
    return ", ".join(f'"{column}"' for column in names)


def assert_same_contents(ours: Path, theirs: Path) -> None:
    """Fail with the rows in which two warehouses differ that may come from two sandboxes with equal options."""
    left_columns = {**CHANGES_WITH_EACH_RUN, **OF_ONE_SANDBOX}
    our_contents, their_contents = (contents(each, left_columns) for each in (ours, theirs))
    if our_contents == their_contents:
        return
    with duckdb.connect(str(ours), read_only=True) as con:
        con.execute(f"attach '{theirs}' as theirs (read_only)")
        different = [name for name, content in our_contents.items() if their_contents.get(name) != content]
        told = {
            name: rows_that_differ(con, f"select {compared} from {name}", f"select {compared} from theirs.{name}")
            for name in different
            if name in their_contents
            for compared in (_compared_columns(con, name, left_columns),)
        }
    pytest.fail(f"{ours.name} and its counterpart differ in: {told or 'the tables they have'}")


MEASURES = """
    account_id, region, pool_id, profile_id, ts, invocations, throttles, client_errors, server_errors,
    input_tokens, output_tokens, cache_read_tokens, cache_write_tokens, consumed_tokens
"""
"""What a row of usage by profile and minute is compared by."""


def rows_that_differ(con: duckdb.DuckDBPyConnection, ours: str, truth: str) -> list[tuple[object, ...]]:
    """Rows of either query that the other does not have, as often as it does not."""
    return con.execute(
        f"(({ours}) except all ({truth})) union all (({truth}) except all ({ours})) order by all limit 10"
    ).fetchall()
