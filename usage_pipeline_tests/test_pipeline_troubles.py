"""Whole days of which something goes wrong: AWS is slow, denies or cannot be reached, or the run is killed."""

import os
import subprocess
import sys
from pathlib import Path

import duckdb
import pytest
from typer.testing import CliRunner

from usage_pipeline.cli import app
from usage_pipeline.config import Settings
from usage_pipeline.runs import RunOutcome
from usage_pipeline.sandbox import RunningSandbox
from usage_pipeline_tests.pipeline_runs import (
    CONFIGURATION,
    FIRST_DAY,
    MEASURES,
    METRICS,
    TODAY,
    assert_same_contents,
    have_great_expectations_here,
    lineage_found_once,
    rows_that_differ,
    run,
    write_settings,
)

REPOSITORY = Path(__file__).parents[1]

UNREACHABLE_ACCOUNT = """\
  - name: unreachable
    role_arn: arn:aws:iam::999999999999:role/usage-pipeline-reader
    external_id: sandbox
    regions: [us-east-1]
"""

STATUS = "account_id, region, source, partition_date, status, error_text, row_count, covered_until"
"""What `ops.source_status` says of a reading but when and by which run."""

# First what needs no whole run to compare with, or only at its end: another process may be making it.


@pytest.fixture(scope="module")
def troubled_run(
    _organisation: RunningSandbox, tmp_path_factory: pytest.TempPathFactory
) -> tuple[Settings, RunOutcome]:
    """Today, with one scope whose metrics are denied, and a third account that cannot be reached at all."""
    settings = write_settings(
        tmp_path_factory.mktemp("troubled") / "run",
        CONFIGURATION.replace("warehouse:", f"{UNREACHABLE_ACCOUNT}warehouse:"),
    )
    _organisation.set_faults(["denied:cloudwatch:444455556666:eu-west-1", "denied:sts:999999999999:us-east-1"])
    outcome = run(settings, _organisation, TODAY, TODAY)
    _organisation.set_faults([])
    return settings, outcome


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


def test_a_killed_run_is_made_good_by_the_next(
    organisation: RunningSandbox, tmp_path: Path, request: pytest.FixtureRequest
) -> None:
    settings = write_settings(tmp_path)
    configuration = str(tmp_path / "usage_pipeline.yaml")
    command = [sys.executable, "-m", "usage_pipeline_tests.killed_runs", configuration, str(FIRST_DAY)]
    # macOS's own look-up of a proxy does not bear a fork.
    environment = {**os.environ, **organisation.environment, "no_proxy": "*"}

    killed = subprocess.run(command, env=environment, cwd=REPOSITORY, stderr=subprocess.PIPE, text=True, check=False)
    assert killed.returncode == 0, killed.stderr

    have_great_expectations_here()
    arguments = ["run", "--from", str(FIRST_DAY), "--to", str(TODAY), "--config", configuration]
    with lineage_found_once():
        last = CliRunner().invoke(app, arguments, env=dict(organisation.environment))

    assert last.exit_code == 2, "an ERROR check is planned to fail in the sandbox"
    assert "ended before it was over" in last.output
    assert str(settings.report_html) in last.output
    whole: Settings = request.getfixturevalue("whole_run")[0]
    assert_same_contents(settings.warehouse_file, whole.warehouse_file)
    assert_same_contents(settings.published_file, whole.published_file)


def test_passing_troubles_of_aws_change_nothing(
    whole_run: tuple[Settings, RunOutcome], organisation: RunningSandbox, tmp_path: Path
) -> None:
    whole, _ = whole_run
    settings = write_settings(tmp_path)
    organisation.set_faults(["partial_data:3", "throttled:cloudwatch:5"])

    assert run(settings, organisation, only=METRICS).succeeded

    with duckdb.connect(str(settings.warehouse_file), read_only=True) as con:
        con.execute(f"attach '{whole.warehouse_file}' as whole (read_only)")
        for query in (
            "from {}raw.cloudwatch_metrics",
            "from {}raw.max_tokens_metric",
            "from {}ops.cloudwatch_series",
            f"select {STATUS} from {{}}ops.source_status where source in ('cloudwatch_metrics', 'max_tokens_metric')",
        ):
            assert rows_that_differ(con, query.format(""), query.format("whole.")) == []
        assert con.execute("select count(*) > 50_000 from raw.cloudwatch_metrics").fetchone() == (True,)


def test_a_denied_scope_leaves_the_others_whole_and_fails_its_check(
    whole_run: tuple[Settings, RunOutcome], troubled_run: tuple[Settings, RunOutcome]
) -> None:
    whole, _ = whole_run
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
            where region <> 'eu-west-1' and usage_date = '{TODAY}'
            """,
        )
        covered = con.execute(
            "select count(*) from marts.usage_statistics where region = 'eu-west-1' and total = 0"
        ).fetchone()
    assert "every_scope_answered_for_cloudwatch_metrics" in failed
    assert statuses == [("eu-west-1", "denied", True, None)]
    assert others == []
    assert covered == (0,), "a scope that could not be read must not look like a scope without use"
