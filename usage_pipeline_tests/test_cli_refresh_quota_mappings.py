"""Mapping quotas on request, with a language model, from the command to the published table and the truth."""

from dataclasses import replace
from decimal import Decimal
from pathlib import Path

import duckdb
import pytest
from typer.testing import CliRunner

from usage_pipeline.checks.quota_mappings import QUOTA_MAPPING_RULES
from usage_pipeline.cli import app
from usage_pipeline.config import Settings
from usage_pipeline.quota_mapping_changes import AnswerSaid, MappedQuota, MappingSaid, MappingsHeld
from usage_pipeline.runs import RunOutcome
from usage_pipeline.sandbox import RunningSandbox
from usage_pipeline_tests.pipeline_runs import commands_run_in_memory, have_great_expectations_here, write_settings

runner = CliRunner()
MAPPER = "us.anthropic.claude-haiku-4-5-20251001-v1:0"


def said(text: str) -> str:
    """Text without the terminal's line breaks and the lines of tables."""
    return " ".join(text.replace("│", " ").split())


@pytest.fixture(autouse=True)
def _empty_folder(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(tmp_path)
    monkeypatch.delenv("USAGE_PIPELINE_CONFIG", raising=False)
    monkeypatch.delenv("DAGSTER_HOME", raising=False)
    # Most of a short run's time are checks, and this command is about these.
    monkeypatch.setattr("usage_pipeline.definitions.all_rules", lambda _: QUOTA_MAPPING_RULES)


@pytest.fixture
def settings(tmp_path: Path) -> Settings:
    return write_settings(tmp_path)


def refresh(organisation: RunningSandbox, *options: str) -> str:
    organisation.forget_calls()
    have_great_expectations_here()
    with commands_run_in_memory():
        result = runner.invoke(app, ["refresh", "quota-mappings", *options], env=dict(organisation.environment))
    assert result.exit_code == 0, result.output
    return said(result.output)


def asked(organisation: RunningSandbox) -> int:
    return organisation.call_counts.get("bedrock-runtime.Converse", 0)


def test_a_named_model_maps_truly_what_rules_leave_open_once(
    organisation: RunningSandbox, settings: Settings, truth_file: Path
) -> None:
    output = refresh(organisation, "--llm-model", MAPPER, "--region", "us-east-1")

    assert asked(organisation) == 3
    assert "(12 by llm, " in output
    assert "2 are open." in output
    assert f"{MAPPER} answered 3 questions, " in output
    with duckdb.connect(str(settings.published_file), read_only=True) as con:
        con.execute(f"attach '{truth_file}' as truth (read_only)")
        chosen = con.execute(
            """
            select count(*), count_if(true_codes.quota_code = mappings.quota_code)
            from raw.quota_mappings as mappings
            left join truth.quota_codes as true_codes using (model_id, endpoint_type, quota_kind)
            where mappings.method = 'llm'
            """
        ).fetchone()
        pools = con.execute(
            "select mapping_method, mapping_status, tpm_quota_code from marts.quota_pools where model_id like 'zai.%'"
        ).fetchall()
    assert chosen == (12, 12)
    assert pools == [("llm", "mapped", "L-6A3D91F0")] * 2


GLM = MappedQuota("production", "us-east-1", "zai.glm-5v-106b-a12b", "geo", "tpm")
OPEN, MAPPED = MappingSaid(None, "none", "unmapped"), MappingSaid("L-6A3D91F0", "llm", "mapped")


def answer(status: str, cost_usd: str | None, question: str = "q1", mapper: str = MAPPER) -> AnswerSaid:
    cost = None if cost_usd is None else Decimal(cost_usd)
    return AnswerSaid(question, "L-6A3D91F1", status, "[b]It limits requests.[/b]", mapper, 900, 100, cost)


def shown(monkeypatch: pytest.MonkeyPatch, before: MappingsHeld, after: MappingsHeld, *options: str) -> str:
    """What the command says when the job finds `before` and leaves `after`."""
    done = RunOutcome("run-1", True, (), ())
    monkeypatch.setattr("usage_pipeline.cli_refresh._looked_before_and_after", lambda *_: (before, after, None, done))
    result = runner.invoke(app, ["refresh", "quota-mappings", *options])
    assert result.exit_code == 0, result.output
    return said(result.output)


def test_changed_mappings_and_refused_answers_are_shown(monkeypatch: pytest.MonkeyPatch, settings: Settings) -> None:
    other = replace(GLM, quota_kind="rpm")
    before = MappingsHeld({GLM: OPEN, other: OPEN}, {})
    after = MappingsHeld(
        {GLM: MAPPED, other: OPEN}, {GLM: answer("accepted", "0.0012"), other: answer("refused", "0.0012")}
    )

    output = shown(monkeypatch, before, after, "--llm-model", MAPPER)

    assert "Mapped 1 quotas (1 by llm); 1 are open." in output
    assert f"{MAPPER} answered 1 question, 1,000 tokens for US$0.001200 at list prices." in output
    assert "production us-east-1 zai.glm-5v-106b-a12b geo tpm unmapped L-6A3D91F0 llm" in output
    assert "zai.glm-5v-106b-a12b geo rpm L-6A3D91F1 [b]It limits requests.[/b]" in output


@pytest.mark.parametrize(
    ("after", "options", "expected"),
    [
        ({}, [], "No language model was asked: quota_mapping.llm_model is not set, and --llm-model was not given."),
        ({}, ["--llm-model", MAPPER], f"Nothing new was answered by {MAPPER}."),
        (
            {GLM: answer("accepted", None), replace(GLM, region="eu-west-1"): answer("accepted", None)},
            ["--llm-model", MAPPER],
            f"{MAPPER} answered 1 question, 1,000 tokens at a price that is not known.",
        ),
        (
            {GLM: answer("accepted", "0.001"), replace(GLM, quota_kind="rpm"): answer("accepted", "0.002", "q2")},
            ["--llm-model", MAPPER],
            f"{MAPPER} answered 2 questions, 2,000 tokens for US$0.003000 at list prices.",
        ),
    ],
)
def test_what_asking_took_is_said(
    monkeypatch: pytest.MonkeyPatch,
    settings: Settings,
    after: dict[MappedQuota, AnswerSaid],
    options: list[str],
    expected: str,
) -> None:
    assert expected in shown(monkeypatch, MappingsHeld({}, {}), MappingsHeld({GLM: OPEN}, after), *options)


@pytest.mark.parametrize(
    ("options", "expected"),
    [
        (
            ["--region", "us-esat-1"],
            "--region: read 'us-esat-1', which is no Region of AWS or AWS GovCloud; did you mean",
        ),
        (["--llm-model", ""], "--llm-model: read nothing; allowed: a model id or inference profile."),
    ],
)
def test_a_wrong_option_stops_before_anything_is_asked(
    organisation: RunningSandbox, settings: Settings, options: list[str], expected: str
) -> None:
    result = runner.invoke(app, ["refresh", "quota-mappings", *options], env=dict(organisation.environment))

    assert result.exit_code == 1
    assert said(result.output).startswith(expected)
    assert organisation.call_counts == {}
