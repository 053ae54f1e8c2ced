"""Whole days that are not one clean run: one by one, killed, and AWS denies, cannot be reached or answers in part."""

import datetime as dt
import os
import shutil
import subprocess
import sys
from collections.abc import Generator
from contextlib import contextmanager
from pathlib import Path
from typing import Any, NamedTuple
from unittest import mock

import duckdb
import pytest
from botocore.client import BaseClient
from typer.testing import CliRunner, Result

from usage_pipeline.cli import app
from usage_pipeline.config import Settings
from usage_pipeline.runs import RunOutcome
from usage_pipeline.sandbox import RunningSandbox
from usage_pipeline_tests.pipeline_runs import (
    DAYS,
    FIRST_DAY,
    MEASURES,
    TODAY,
    UNTIL_MODELS,
    WholeRun,
    assert_same_contents,
    daily_job_of,
    have_great_expectations_here,
    rows_that_differ,
    run,
    write_demo_settings,
)

REPOSITORY = Path(__file__).parents[1]

UNREACHABLE_ACCOUNT = """\
  - name: unreachable
    role_arn: arn:aws:iam::999999999999:role/usage-pipeline-reader
    external_id: sandbox
    regions: [us-east-1]
"""

DENIED = ("444455556666", "eu-west-1")
"""Account and Region whose metrics are denied at first."""

# First what needs no whole run to compare with, or only at its end: another process may be making it.


@pytest.fixture(scope="module")
def troubled_run(
    _organisation: RunningSandbox, truth_file: Path, tmp_path_factory: pytest.TempPathFactory
) -> tuple[Settings, RunOutcome]:
    """A first day, with one scope whose metrics are denied, and a third account that cannot be reached at all."""
    settings = write_demo_settings(tmp_path_factory.mktemp("troubled"), truth_file.parent, UNREACHABLE_ACCOUNT)
    _organisation.set_faults([f"denied:cloudwatch:{':'.join(DENIED)}", "denied:sts:999999999999:us-east-1"])
    outcome = run(settings, _organisation, FIRST_DAY, FIRST_DAY)
    _organisation.set_faults([])
    return settings, outcome


class DaysOneByOne(NamedTuple):
    """A warehouse of days run one by one, and what was said and asked."""

    settings: Settings
    after_kills: Result
    """Of the command that runs the second day, whose runs before were all killed."""
    at_last: Result
    """Of the command that runs today, and both days before once more."""
    asked_at_last: set[tuple[str, dt.date]]
    """Regions and days of whose metrics the last command asked."""


@pytest.fixture(scope="module")
def days_one_by_one(
    _organisation: RunningSandbox,
    truth_file: Path,
    troubled_run: tuple[Settings, RunOutcome],
    tmp_path_factory: pytest.TempPathFactory,
) -> DaysOneByOne:
    """After the troubled day: killed runs of a second one, that day, and a last run over all with today.

    What was denied is allowed by now. The account that cannot be reached is no longer configured, and what would be
    told of it as history is deleted, with all findings. At last AWS is busy and answers in part. Only the last run
    makes what follows from all tables. The second day is over: what is once noted as read is never asked for again.
    """
    folder = tmp_path_factory.mktemp("days")
    shutil.copytree(troubled_run[0].data_folder, folder, dirs_exist_ok=True)
    settings = write_demo_settings(folder, truth_file.parent)
    with duckdb.connect(str(settings.warehouse_file)) as con:
        con.execute(
            """
            delete from ops.source_status where account_name = 'unreachable';
            delete from raw.scopes where account_name = 'unreachable';
            delete from ops.findings;
            """
        )
    configuration = str(folder / "usage_pipeline.yaml")
    first, second, today = DAYS

    kill = [sys.executable, "-m", "usage_pipeline_tests.killed_runs", configuration, str(second)]
    # macOS's own look-up of a proxy does not bear a fork.
    environment = {**os.environ, **_organisation.environment, "no_proxy": "*"}
    killed = subprocess.run(kill, env=environment, cwd=REPOSITORY, stderr=subprocess.PIPE, text=True, check=False)
    assert killed.returncode == 0, killed.stderr

    command, environment = ["run", "--config", configuration], dict(_organisation.environment)
    with daily_job_of(UNTIL_MODELS):
        after_kills = CliRunner().invoke(app, [*command, "--date", str(second)], env=environment)
    have_great_expectations_here()
    _organisation.set_faults(["partial_data:3", "throttled:cloudwatch:5"])
    with metrics_asked() as asked:
        at_last = CliRunner().invoke(app, [*command, "--from", str(first), "--to", str(today)], env=environment)
    _organisation.set_faults([])
    return DaysOneByOne(settings, after_kills, at_last, asked)


@contextmanager
def metrics_asked() -> Generator[set[tuple[str, dt.date]]]:
    """Regions and days of whose metrics CloudWatch is asked meanwhile, by this process."""
    asked: set[tuple[str, dt.date]] = set()
    call = BaseClient._make_api_call

    def noting(client: Any, operation: str, arguments: Any) -> Any:
        if operation == "GetMetricData":
            asked.add((client.meta.region_name, arguments["StartTime"].date()))
        return call(client, operation, arguments)

    with mock.patch.object(BaseClient, "_make_api_call", noting):
        yield asked


def test_an_account_that_cannot_be_reached_hides_no_other(troubled_run: tuple[Settings, RunOutcome]) -> None:
    settings, outcome = troubled_run

    assert outcome.succeeded
    with duckdb.connect(str(settings.warehouse_file), read_only=True) as con:
        statuses = con.execute(
            "select distinct account_name, status from ops.source_status where source = 'service_quotas' order by all"
        ).fetchall()
        accounts = con.execute("select distinct account_id from marts.usage_minutely order by all").fetchall()
    assert statuses[0] == ("production", "ok")
    assert statuses[1] == ("research", "ok")
    assert statuses[2][0] == "unreachable"
    assert statuses[2][1] in ("denied", "failed")
    assert accounts == [("111122223333",), ("444455556666",)]


def test_a_run_after_killed_ones_says_that_they_were_not_over(days_one_by_one: DaysOneByOne) -> None:
    settings, after_kills, at_last, _ = days_one_by_one

    assert after_kills.exit_code == 0, after_kills.output
    assert "ended before it was over" in after_kills.output
    assert at_last.exit_code == 2, "an ERROR check is planned to fail in the sandbox"
    assert "ended before it was over" not in at_last.output
    assert str(settings.report_html) in at_last.output


def test_of_a_day_that_is_over_only_what_was_denied_is_asked_again(days_one_by_one: DaysOneByOne) -> None:
    asked = days_one_by_one.asked_at_last

    assert {(region, day) for region, day in asked if day < TODAY} == {(DENIED[1], FIRST_DAY)}
    assert {region for region, day in asked if day == TODAY} == {"us-east-1", "ap-northeast-1", "eu-west-1"}


def test_days_one_by_one_and_their_troubles_end_in_the_same_tables_as_one_range(
    days_one_by_one: DaysOneByOne, whole_run: WholeRun
) -> None:
    settings, whole = days_one_by_one.settings, whole_run.settings

    assert_same_contents(settings.warehouse_file, whole.warehouse_file)
    assert_same_contents(settings.published_file, whole.published_file)
    with duckdb.connect(str(settings.warehouse_file), read_only=True) as con:
        assert con.execute("select count(*) > 50_000 from raw.cloudwatch_metrics").fetchone() == (True,)


def test_a_denied_scope_leaves_the_others_whole_and_fails_its_check(
    whole_run: WholeRun, troubled_run: tuple[Settings, RunOutcome]
) -> None:
    whole = whole_run.settings
    settings, outcome = troubled_run

    assert outcome.succeeded
    failed = {check.check_name for check in outcome.failed_checks}
    with duckdb.connect(str(settings.published_file), read_only=True) as con:
        con.execute(f"attach '{whole.published_file}' as whole (read_only)")
        statuses = con.execute(
            """
            select distinct region, status, error_text like '%Allow cloudwatch:%', row_count from ops.source_status
            where source = 'cloudwatch_metrics' and account_id = '444455556666' and region = 'eu-west-1'
            """
        ).fetchall()
        others = rows_that_differ(
            con,
            f"select {MEASURES} from marts.usage_minutely",
            f"""
            select {MEASURES} from whole.marts.usage_minutely
            where region <> 'eu-west-1' and usage_date = '{FIRST_DAY}'
            """,
        )
        covered = con.execute(
            "select count(*) from marts.usage_statistics where region = 'eu-west-1' and total = 0"
        ).fetchone()
    assert "every_scope_answered_for_cloudwatch_metrics" in failed
    assert statuses == [("eu-west-1", "denied", True, None)]
    assert others == []
    assert covered == (0,), "a scope that could not be read must not look like a scope without use"
