"""The commands about alerts, and telling people at a run's end."""

from pathlib import Path

import pytest
from typer.testing import CliRunner

from usage_pipeline.cli import app
from usage_pipeline.cli_alerts import notify_channels
from usage_pipeline.config import load_settings
from usage_pipeline.runs import FailedStep, RunOutcome
from usage_pipeline_tests.alerts.factory import finding, publish_findings
from usage_pipeline_tests.alerts.webhook import webhook

runner = CliRunner()

CHANNELS = """\
accounts: [{name: a, regions: [us-east-1]}]
alerts:
  channels: [{name: chat, url_env: CHAT_URL}, {name: ops, url_env: OPS_URL}]
"""
SECRET = "TOKEN-THAT-IS-SECRET"
PUBLISHED = Path("data/published/usage.duckdb")


@pytest.fixture(autouse=True)
def _configured(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(tmp_path)
    for name in ("USAGE_PIPELINE_CONFIG", "CHAT_URL", "OPS_URL"):
        monkeypatch.delenv(name, raising=False)
    Path("usage_pipeline.yaml").write_text(CHANNELS, encoding="utf-8")


def lines(*command: str) -> tuple[int, list[str]]:
    result = runner.invoke(app, ["alerts", *command])
    assert SECRET not in result.output
    return result.exit_code, result.output.splitlines()


def test_each_channel_is_tried_and_what_came_of_it_is_said(monkeypatch: pytest.MonkeyPatch) -> None:
    with webhook() as hook:
        monkeypatch.setenv("CHAT_URL", hook.address)
        exit_code, said = lines("test")

    assert exit_code == 1
    assert said == [
        "chat: delivered",
        "ops: not delivered: the environment variable OPS_URL is not set; it must hold the channel's address",
    ]
    assert hook.titles == ["[TEST] usage-pipeline can reach this channel"]


def test_one_channel_can_be_tried_alone_also_in_a_dry_run(monkeypatch: pytest.MonkeyPatch) -> None:
    Path("usage_pipeline.yaml").write_text(CHANNELS + "  dry_run: true\n", encoding="utf-8")
    with webhook() as hook:
        monkeypatch.setenv("CHAT_URL", hook.address)
        outcome = lines("test", "--channel", "chat")

    assert outcome == (0, ["chat: delivered"])
    assert len(hook.messages) == 1


def test_a_channel_that_is_not_configured_is_told() -> None:
    assert lines("test", "--channel", "caht") == (1, ["There is no channel 'caht'; the configuration has: chat, ops."])
    Path("usage_pipeline.yaml").write_text("accounts: [{name: a, regions: [us-east-1]}]\n", encoding="utf-8")
    no_channel = "No channel is configured: name one under alerts.channels (docs/alerts.md)."
    assert lines("test") == (1, [no_channel])


def test_open_findings_are_listed_and_an_error_among_them_is_exit_code_2() -> None:
    publish_findings(PUBLISHED, [finding(number=1), finding(number=2, severity="WARN")])

    exit_code, said = lines("list")

    assert exit_code == 2
    assert [line.split()[1] for line in said if "2026-11-15" in line] == ["ERROR", "WARN"]
    assert said[-1].startswith("2 open findings, 1 of them errors, in ops.findings of ")


@pytest.mark.parametrize("severity", ["WARN", None])
def test_warnings_alone_or_nothing_are_exit_code_0(severity: str | None) -> None:
    publish_findings(PUBLISHED, [finding(severity=severity)] if severity else [])

    assert lines("list")[0] == 0


def test_before_the_first_run_there_is_nothing_to_list() -> None:
    exit_code, said = lines("list")

    assert exit_code == 1
    assert said[0].endswith("run `usage-pipeline run` first.")


def test_a_run_tells_its_failure_and_what_could_not_be_told_is_exit_code_2(
    monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    settings = load_settings()
    failed = RunOutcome("run-1", False, (FailedStep("raw__invocations", "disk full"),), ())
    with webhook() as hook:
        monkeypatch.setenv("CHAT_URL", hook.address)
        exit_code = notify_channels(settings, failed)
        monkeypatch.setenv("OPS_URL", hook.address)
        again = notify_channels(settings, failed)
        nothing_new = notify_channels(settings, failed)

    assert (exit_code, again, nothing_new) == (2, 0, 0)
    assert hook.titles == ["[ERROR] ops.runs: every run succeeds"] * 2
    assert hook.messages[0]["message"].startswith("A run failed: raw__invocations: disk full")
    captured = capsys.readouterr()
    assert "not delivered: ops: the environment variable OPS_URL is not set" in captured.err
    assert captured.out.splitlines()[-1] == "alerts       nothing new to tell"
    assert SECRET not in captured.out + captured.err


def test_the_command_tells_at_the_end_when_it_is_asked_to(monkeypatch: pytest.MonkeyPatch) -> None:
    failed = RunOutcome("run-1", False, (FailedStep("raw__invocations", "disk full"),), ())
    monkeypatch.setattr("usage_pipeline.runs.run_days", lambda *_: failed)
    with webhook() as hook:
        monkeypatch.setenv("CHAT_URL", hook.address)
        monkeypatch.setenv("OPS_URL", hook.address)
        quiet = runner.invoke(app, ["run", "--date", "2026-11-14"])
        told_before = len(hook.messages)
        told = runner.invoke(app, ["run", "--date", "2026-11-14", "--notify"])

    assert (quiet.exit_code, told.exit_code) == (1, 1)
    assert (told_before, len(hook.messages)) == (0, 2)
    assert "alerts       messages delivered: 2" in told.output
