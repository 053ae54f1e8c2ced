"""Whole days of which something goes wrong: AWS is slow, denies or cannot be reached, or the run is killed."""

import os
import signal
import subprocess
import sys
import time
from pathlib import Path

import dagster as dg
import duckdb
import pytest

from usage_pipeline.config import Settings
from usage_pipeline.runs import RunOutcome, prepare_instance_folder
from usage_pipeline.sandbox import RunningSandbox
from usage_pipeline_tests.pipeline_runs import (
    CONFIGURATION,
    FIRST_DAY,
    MEASURES,
    TODAY,
    assert_same_contents,
    rows_that_differ,
    run_in_memory,
    write_settings,
)

# First what needs no whole run to compare with, or only at its end: another process may be making it.


def test_an_account_that_cannot_be_reached_hides_no_other(organisation: RunningSandbox, tmp_path: Path) -> None:
    settings = write_settings(tmp_path, CONFIGURATION.replace("444455556666:role", "999999999999:role"))
    organisation.set_faults(["denied:sts:999999999999:us-east-1"])

    outcome = run_in_memory(settings, organisation, TODAY, TODAY)

    assert outcome.succeeded
    with duckdb.connect(str(settings.published_file), read_only=True) as con:
        statuses = con.execute(
            "select distinct account_name, status from ops.source_status where source = 'service_quotas' order by all"
        ).fetchall()
    assert statuses[0] == ("production", "ok")
    assert statuses[1][0] == "research"
    assert statuses[1][1] in ("denied", "failed")


def test_a_killed_run_is_made_good_by_the_next(
    organisation: RunningSandbox, tmp_path: Path, request: pytest.FixtureRequest
) -> None:
    settings = write_settings(tmp_path)
    command = [sys.executable, "-m", "usage_pipeline.cli", "run", "--from", str(FIRST_DAY), "--to", str(TODAY)]
    command += ["--config", str(tmp_path / "usage_pipeline.yaml")]
    environment = {**os.environ, **organisation.environment}
    for step in ("raw__cloudwatch_metrics", "raw__invocations", "sql_models"):
        with subprocess.Popen(command, env=environment, stderr=subprocess.DEVNULL) as process:
            wait_for_step(settings, process, step)
            process.send_signal(signal.SIGKILL)

    last = subprocess.run(command, env=environment, stderr=subprocess.PIPE, text=True, check=False)

    assert last.returncode in (0, 2), last.stderr
    assert "ended before it was over" in last.stderr
    whole: Settings = request.getfixturevalue("whole_run")[0]
    assert_same_contents(settings.warehouse_file, whole.warehouse_file)
    assert_same_contents(settings.published_file, whole.published_file)


def test_passing_troubles_of_aws_change_nothing(
    whole_run: tuple[Settings, RunOutcome], organisation: RunningSandbox, tmp_path: Path
) -> None:
    whole, _ = whole_run
    settings = write_settings(tmp_path)
    organisation.set_faults(["partial_data:3", "throttled:cloudwatch:5"])

    assert run_in_memory(settings, organisation).succeeded

    assert_same_contents(settings.warehouse_file, whole.warehouse_file)


def test_a_denied_scope_leaves_the_others_whole_and_fails_its_check(
    whole_run: tuple[Settings, RunOutcome], organisation: RunningSandbox, tmp_path: Path
) -> None:
    whole, _ = whole_run
    settings = write_settings(tmp_path)
    organisation.set_faults(["denied:cloudwatch:444455556666:eu-west-1"])

    outcome = run_in_memory(settings, organisation)

    assert outcome.succeeded
    failed = {check.check_name: check for check in outcome.failed_checks}
    assert "every_scope_answered_for_cloudwatch_metrics" in failed
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
            f"select {MEASURES} from whole.marts.usage_minutely where region <> 'eu-west-1'",
        )
        covered = con.execute(
            "select count(*) from marts.usage_statistics where region = 'eu-west-1' and total = 0"
        ).fetchone()
    assert statuses == [("eu-west-1", "denied", True, None)]
    assert others == []
    assert covered == (0,), "a scope that could not be read must not look like a scope without use"


def wait_for_step(settings: Settings, process: subprocess.Popen[bytes], step: str) -> None:
    """Wait until the newest run of another process has begun the step."""
    home = prepare_instance_folder(settings.dagster_home)
    with dg.DagsterInstance.from_config(str(home)) as instance:
        earlier = {run.run_id for run in instance.get_runs()}
        while process.poll() is None:
            for run in instance.get_runs(limit=1):
                begun = instance.all_logs(run.run_id, of_type=dg.DagsterEventType.STEP_START)
                if run.run_id not in earlier and step in {event.step_key for event in begun}:
                    return
            time.sleep(0.2)
    raise AssertionError(f"the run ended with {process.returncode} before {step} began")
