"""Running the daily job against a sandbox, and comparing warehouses; for tests of whole days."""

import datetime as dt
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from pathlib import Path
from unittest import mock

import dagster as dg
import duckdb

from usage_pipeline.config import Settings, load_settings
from usage_pipeline.runs import RunOutcome, prepare_instance_folder, run_days
from usage_pipeline.sandbox import RunningSandbox, SandboxOptions
from usage_pipeline.sandbox.prices import write_prices

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


def write_settings(folder: Path, configuration: str = CONFIGURATION) -> Settings:
    """The settings of a warehouse of its own in the folder."""
    folder.mkdir(parents=True, exist_ok=True)
    write_prices(folder / "prices.csv", ORGANISATION)
    path = folder / "usage_pipeline.yaml"
    path.write_text(configuration, encoding="utf-8")
    return load_settings(path)


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


def run(settings: Settings, sandbox: RunningSandbox, first: dt.date = FIRST_DAY, last: dt.date = TODAY) -> RunOutcome:
    """Run the days on an on-disk Dagster instance beside the warehouse."""
    home = prepare_instance_folder(settings.dagster_home)
    with pointed_at(sandbox), dg.DagsterInstance.from_config(str(home)) as instance:
        return run_days(settings, instance, first, last, progress=Unheard())


def run_in_memory(
    settings: Settings, sandbox: RunningSandbox, first: dt.date = FIRST_DAY, last: dt.date = TODAY
) -> RunOutcome:
    """Run the days with Dagster's records in memory: half the time, for tests of what a run leaves in the warehouse."""
    with pointed_at(sandbox), dg.DagsterInstance.ephemeral() as instance:
        return run_days(settings, instance, first, last, progress=Unheard())


LEFT_OUT = ("ops.runs", "ops.day_changes", "ops.sql_model_builds")
"""Tables that record runs and replacements, and so grow with their number."""


def contents(warehouse: Path) -> Mapping[str, tuple[int, int]]:
    """For each table: its row count and a hash of its rows that does not depend on their order."""
    with duckdb.connect(str(warehouse), read_only=True) as con:
        names = con.execute(
            "select table_schema || '.' || table_name from information_schema.tables order by all"
        ).fetchall()
        return {name: _content(con, name) for (name,) in names if name not in LEFT_OUT}


def _content(con: duckdb.DuckDBPyConnection, name: str) -> tuple[int, int]:
    left_out = CHANGES_WITH_EACH_RUN.get(name, ())
    columns = [row[0] for row in con.execute(f"describe {name}").fetchall() if row[0] not in left_out]
    row = con.execute(
        f"select count(*), coalesce(bit_xor(hash(t)), 0) from (select {', '.join(columns)} from {name}) as t"
    ).fetchone()
    assert row is not None
    return row
