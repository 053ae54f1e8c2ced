"""The command line: what it refuses and says, and where it leaves its output."""

import datetime as dt
import shlex
import subprocess
import sys
from pathlib import Path

import pytest
from typer.testing import CliRunner

from usage_pipeline.cli import DEMO_DUCKDB_MB, app, beside_the_sandbox
from usage_pipeline.config import load_settings
from usage_pipeline.sandbox import RunningSandbox
from usage_pipeline_tests.pipeline_runs import (
    ONE_SCOPE,
    WholeRun,
    commands_run_in_memory,
    contents,
    have_great_expectations_here,
    write_settings,
)

runner = CliRunner()


def said(text: str) -> str:
    """Text without the terminal's line breaks."""
    return " ".join(text.split())


@pytest.fixture(autouse=True)
def _empty_folder(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(tmp_path)
    monkeypatch.delenv("USAGE_PIPELINE_CONFIG", raising=False)
    monkeypatch.delenv("DAGSTER_HOME", raising=False)


@pytest.mark.parametrize("command", [["run"], ["doctor"], ["dev"]])
def test_without_a_configuration_a_command_stops_with_one_sentence(command: list[str]) -> None:
    result = runner.invoke(app, command)

    assert result.exit_code == 1
    assert said(result.output) == (
        "There is no configuration at usage_pipeline.yaml: write one with `usage-pipeline init`, or see everything "
        "work on a simulated account with `usage-pipeline demo`."
    )


def test_init_writes_a_configuration_that_loads() -> None:
    result = runner.invoke(app, ["init"])

    assert result.exit_code == 0
    assert "Wrote usage_pipeline.yaml." in said(result.output)
    assert load_settings(Path("usage_pipeline.yaml")).accounts[0].name == "production"


def test_init_leaves_an_existing_file_as_it_is() -> None:
    Path("usage_pipeline.yaml").write_text("mine", encoding="utf-8")

    result = runner.invoke(app, ["init"])

    assert result.exit_code == 1
    assert "exists already and was left as it is" in said(result.output)
    assert Path("usage_pipeline.yaml").read_text(encoding="utf-8") == "mine"


@pytest.mark.parametrize(
    ("days", "sentence"),
    [
        (["--date", "2026-11-14", "--from", "2026-11-13"], "--date names one day, --from and --to a range"),
        (["--to", "2026-11-14"], "--to needs --from"),
        (["--from", "2026-11-14", "--to", "2026-11-13"], "--from 2026-11-14 is after --to 2026-11-13."),
        (["--date", "2026-11-16"], "2026-11-16 is in the future; today is 2026-11-15 (UTC)."),
        (["--date", "2023-09-27"], "2023-09-27 is before 2023-09-28, when Amazon Bedrock became available."),
    ],
)
def test_days_that_cannot_be_run_are_refused(days: list[str], sentence: str, tmp_path: Path) -> None:
    write_settings(tmp_path)

    result = runner.invoke(app, ["run", *days])

    assert result.exit_code == 1
    assert sentence in said(result.output)
    assert not (tmp_path / "data").exists()


def test_a_mistyped_day_is_a_usage_error(tmp_path: Path) -> None:
    write_settings(tmp_path)

    result = runner.invoke(app, ["run", "--date", "14.11.2026"])

    assert result.exit_code == 2
    assert "'14.11.2026' does not match" in said(result.output)


def test_a_run_that_cannot_read_its_warehouse_says_why_and_loses_nothing(
    organisation: RunningSandbox, tmp_path: Path
) -> None:
    write_settings(tmp_path, ONE_SCOPE)
    (tmp_path / "data").mkdir()
    (tmp_path / "data" / "warehouse.duckdb").write_text("not a DuckDB file", encoding="utf-8")

    result = runner.invoke(app, ["run", "--date", "2026-11-14"], env=dict(organisation.environment))

    assert result.exit_code == 1
    assert "not a valid DuckDB database file" in said(result.output)
    assert (tmp_path / "data" / "warehouse.duckdb").read_text(encoding="utf-8") == "not a DuckDB file"


def test_doctor_says_that_everything_is_allowed(organisation: RunningSandbox, tmp_path: Path) -> None:
    write_settings(tmp_path)

    result = runner.invoke(app, ["doctor"], env=dict(organisation.environment))

    assert result.exit_code == 0, result.output
    assert "Everything that a run needs is allowed." in said(result.output)
    assert "bedrock-runtime.Converse" not in organisation.call_counts


def test_doctor_names_the_action_that_is_not_allowed(organisation: RunningSandbox, tmp_path: Path) -> None:
    write_settings(tmp_path, ONE_SCOPE)
    organisation.set_faults(["denied:service-quotas:444455556666:us-east-1"])

    result = runner.invoke(app, ["doctor"], env=dict(organisation.environment))

    assert result.exit_code == 1
    assert "research us-east-1: servicequotas:ListServiceQuotas is denied" in said(result.output)
    assert "Allow it; deploy/iam has the whole policy." in said(result.output)


def test_doctor_tries_the_model_that_maps_quotas_when_one_is_named(
    organisation: RunningSandbox, tmp_path: Path
) -> None:
    write_settings(tmp_path, ONE_SCOPE + "quota_mapping: {llm_model: amazon.nova-pro-v1:0, llm_region: us-east-1}\n")
    organisation.set_faults(["denied:bedrock-runtime:*:*"])

    result = runner.invoke(app, ["doctor"], env=dict(organisation.environment))

    assert result.exit_code == 1
    assert "research us-east-1: bedrock:InvokeModel is denied: Converse: AccessDeniedException" in said(result.output)
    assert organisation.call_counts["bedrock-runtime.Converse"] == 1


def test_doctor_warns_of_a_dagster_home_without_the_pool_limit(organisation: RunningSandbox, tmp_path: Path) -> None:
    write_settings(tmp_path, ONE_SCOPE)
    home = tmp_path / "home"
    home.mkdir()
    (home / "dagster.yaml").write_text("telemetry: {enabled: false}\n", encoding="utf-8")

    result = runner.invoke(app, ["doctor"], env={**organisation.environment, "DAGSTER_HOME": str(home)})

    assert result.exit_code == 1
    assert "Set `concurrency: {pools: {default_limit: 1, granularity: op}}`." in said(result.output)


def test_demo_leaves_a_warehouse_alone_that_no_demo_made(tmp_path: Path) -> None:
    (tmp_path / "mine").mkdir()
    (tmp_path / "mine" / "warehouse.duckdb").write_text("mine", encoding="utf-8")

    result = runner.invoke(app, ["demo", "--out", str(tmp_path / "mine")])

    assert result.exit_code == 1
    assert "holds a warehouse that no demo made" in said(result.output)
    assert (tmp_path / "mine" / "warehouse.duckdb").read_text(encoding="utf-8") == "mine"


def test_sandbox_serve_says_when_it_is_ready_and_which_environment_to_set(tmp_path: Path) -> None:
    command = [sys.executable, "-m", "usage_pipeline.cli", "sandbox", "serve", "--days", "1", "--until-stdin-closes"]
    with subprocess.Popen(
        [*command, "--out", str(tmp_path)], stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True
    ) as process:
        assert process.stdout is not None
        assert process.stdin is not None
        ready = process.stdout.readline()
        exported = dict(pair.split("=", 1) for pair in shlex.split(process.stdout.readline().removeprefix("export ")))
        process.stdin.close()
        ended = process.wait(timeout=30)

    assert ready.startswith("Ready at http://127.0.0.1:")
    assert exported["AWS_ENDPOINT_URL"] in ready
    settings = load_settings(Path(exported["USAGE_PIPELINE_CONFIG"]))
    assert settings.accounts[0].name == "production"
    assert dt.timedelta() <= dt.datetime.now(dt.UTC).replace(tzinfo=None) - settings.now() < dt.timedelta(minutes=5)
    assert ended == 0


def test_an_unknown_fault_is_refused_before_anything_is_written(tmp_path: Path) -> None:
    finders = list(sys.meta_path)

    result = runner.invoke(app, ["sandbox", "serve", "--days", "1", "--out", str(tmp_path), "--fault", "broken"])

    assert result.exit_code == 1
    assert "broken" in said(result.output)
    assert not list(tmp_path.iterdir())
    assert sys.meta_path == finders, "what the server does without is there again when it has ended"


def test_first_run_reads_thirty_days_and_later_ones_look_back(tmp_path: Path) -> None:
    from usage_pipeline.cli import _days_to_run

    settings = write_settings(tmp_path)
    assert _days_to_run(settings, None, None, None) == (dt.date(2026, 10, 16), dt.date(2026, 11, 15))

    settings.data_folder.mkdir()
    settings.warehouse_file.touch()
    assert _days_to_run(settings, None, None, None) == (dt.date(2026, 11, 12), dt.date(2026, 11, 15))


def test_restating_without_a_warehouse_is_refused(tmp_path: Path) -> None:
    write_settings(tmp_path)

    result = runner.invoke(app, ["run", "--restate"])

    assert result.exit_code == 1
    assert "There is nothing to restate" in said(result.output)


def test_a_background_command_of_a_script_ends_what_it_started_when_it_is_ended() -> None:
    started = "import time; print('started', flush=True); time.sleep(60)"
    command = f"""
import signal, sys
signal.signal(signal.SIGINT, signal.SIG_IGN)
from usage_pipeline.cli_console import run_until_stopped
sys.exit(run_until_stopped([sys.executable, "-c", {started!r}]))
"""
    with subprocess.Popen(
        [sys.executable, "-c", command], stdout=subprocess.PIPE, stderr=subprocess.DEVNULL
    ) as process:
        assert process.stdout is not None
        assert process.stdout.readline() == b"started\n"
        process.terminate()

        assert process.wait(timeout=20) == 0


# Last, because another process may be making the whole run.


def test_restating_ends_by_naming_its_output_and_what_failed_changes_nothing_and_asks_aws_nothing(
    whole_run: WholeRun, organisation: RunningSandbox
) -> None:
    settings = whole_run.settings
    folder = settings.data_folder
    before, published = contents(settings.warehouse_file), contents(settings.published_file)
    have_great_expectations_here()
    command = ["run", "--restate", "--config", str(folder / "usage_pipeline.yaml")]

    with commands_run_in_memory():
        result = runner.invoke(app, command, env=dict(organisation.environment))

    assert result.exit_code == 2, "an ERROR check is planned to fail in the sandbox"
    output = said(result.output)
    assert "ERROR not true for marts.quota_pools: every pool with traffic has a limit" in output
    assert f"report {folder / 'report.html'}" in output
    assert f"tables {folder / 'published' / 'usage.duckdb'}" in output
    assert organisation.call_counts == {}
    assert contents(settings.warehouse_file) == before
    assert contents(settings.published_file) == published


def test_the_demo_leaves_memory_to_its_sandbox_unless_somebody_chose_it(tmp_path: Path) -> None:
    file = tmp_path / "usage_pipeline.yaml"
    file.write_text("accounts:\n- name: a\n", encoding="utf-8")
    assert beside_the_sandbox(load_settings(file)).duckdb_memory_mb == DEMO_DUCKDB_MB
    file.write_text("accounts:\n- name: a\nduckdb_memory_mb: 2000\n", encoding="utf-8")
    settings = load_settings(file)
    assert beside_the_sandbox(settings) is settings
