"""The commands that read one catalogue anew: what they show, and what they leave alone."""

import datetime as dt
from collections.abc import Iterator
from pathlib import Path

import duckdb
import pytest
from typer.testing import CliRunner

from usage_pipeline.assets.catalogue_storage import store_snapshot
from usage_pipeline.assets.quota_storage import store_quotas
from usage_pipeline.aws.access import AwsAccess
from usage_pipeline.aws.bedrock import list_foundation_models
from usage_pipeline.aws.service_quotas import list_service_quotas
from usage_pipeline.checks.quota_mappings import QUOTA_MAPPING_RULES
from usage_pipeline.checks.quota_values import QUOTA_VALUE_RULES
from usage_pipeline.cli import app
from usage_pipeline.cli_console import CHECKS_FAILED
from usage_pipeline.config import Settings
from usage_pipeline.event_log import open_instance
from usage_pipeline.raw_tables import FOUNDATION_MODELS
from usage_pipeline.runs import any_day_was_asked
from usage_pipeline.sandbox import RunningSandbox
from usage_pipeline.warehouse import Warehouse, note_changed_days
from usage_pipeline_tests.pipeline_runs import (
    NOW,
    commands_run_in_memory,
    have_great_expectations_here,
    pointed_at,
    write_settings,
)

runner = CliRunner()

LEGACY = "anthropic.claude-3-haiku-20240307-v1:0"
SCOPES = """
    insert into raw.scopes values
        ('111122223333', 'us-east-1', 'production', 'aws', true),
        ('111122223333', 'ap-northeast-1', 'production', 'aws', true),
        ('444455556666', 'us-east-1', 'research', 'aws', true),
        ('444455556666', 'eu-west-1', 'research', 'aws', true)
"""


def said(text: str) -> str:
    """Text without the terminal's line breaks and the lines of tables."""
    return " ".join(text.replace("│", " ").split())


@pytest.fixture(autouse=True)
def _empty_folder(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(tmp_path)
    monkeypatch.delenv("USAGE_PIPELINE_CONFIG", raising=False)
    monkeypatch.delenv("DAGSTER_HOME", raising=False)
    # Most of a short run's time are checks, and these commands are not about them.
    monkeypatch.setattr("usage_pipeline.definitions.all_rules", lambda _: (*QUOTA_VALUE_RULES, *QUOTA_MAPPING_RULES))


@pytest.fixture
def settings(tmp_path: Path) -> Settings:
    return write_settings(tmp_path)


@pytest.fixture
def _in_memory() -> Iterator[None]:
    with commands_run_in_memory():
        yield


def refresh(organisation: RunningSandbox, what: str) -> str:
    """What the command says; it must have been able to do its work, whether all checks hold or not."""
    organisation.forget_calls()
    have_great_expectations_here()
    result = runner.invoke(app, ["refresh", what], env=dict(organisation.environment))
    assert result.exit_code in (0, CHECKS_FAILED), result.output
    return said(result.output)


def services_called(organisation: RunningSandbox) -> set[str]:
    return {call.partition(".")[0] for call in organisation.call_counts}


def warehouse(settings: Settings) -> Warehouse:
    return Warehouse(database=str(settings.warehouse_file))


def test_refreshed_quotas_show_what_changed_and_who_did_not_answer(
    organisation: RunningSandbox, settings: Settings
) -> None:
    with pointed_at(organisation), warehouse(settings).connect() as con:
        read = AwsAccess(settings).read(
            lambda session, scope: list_service_quotas(session.client("service-quotas", scope.region))
        )
        store_quotas(con, read, NOW - dt.timedelta(hours=3))
        con.execute(SCOPES)
        con.execute(
            """
            update raw.service_quotas set limit_value = 100000
            where quota_code = 'L-F4DDD3EB' and region = 'us-east-1' and account_id = '111122223333';
            delete from raw.service_quotas where quota_code = 'L-7007E9C9' and account_id = '444455556666';
            insert into raw.service_quotas by name
            select * replace ('L-00000000' as quota_code, 7 as limit_value, '[red]old[/red]' as quota_name)
            from raw.service_quotas
            where quota_code = 'L-C0326783' and account_id = '111122223333' and region = 'us-east-1';
            delete from raw.service_quotas where region = 'ap-northeast-1';
            insert into raw.foundation_models by name
            select
                date '2026-11-14' as snapshot_date, '111122223333' as account_id, 'us-east-1' as region,
                'anthropic.claude-sonnet-4-5-20250929-v1:0' as model_id, 'Claude Sonnet 4.5' as model_name,
                'Anthropic' as provider_name, ['INFERENCE_PROFILE'] as inference_types;
            """
        )
    organisation.set_faults(["denied:service-quotas:444455556666:eu-west-1"])

    output = refresh(organisation, "quotas")

    # What was never read before is found, but has not changed.
    assert "quotas in 4 accounts and Regions; 3 changed since the last reading." in output
    sonnet = "Cross-region model inference tokens per minute for Anthropic Claude Sonnet 4.5 V1"
    assert f"production us-east-1 L-F4DDD3EB {sonnet} 100,000 250,000 applied" in output
    opus = "Cross-region model inference tokens per minute for Anthropic Claude Opus 4.5"
    assert f"research us-east-1 L-7007E9C9 {opus} not listed 500,000 applied" in output
    assert "L-00000000 [red]old[/red] 7 no longer listed" in output
    assert "service quotas of research eu-west-1 were not read: ListAWSDefaultServiceQuotas: AccessDenied" in output
    assert "WARN not true for raw.service_quotas: quota values are unchanged (1 rows)" in output
    assert f"report {settings.report_html}" in output
    assert services_called(organisation) == {"sts", "account", "service-quotas"}
    with duckdb.connect(str(settings.published_file), read_only=True) as con:
        changed = "select limit_value, valid_to from raw.service_quotas where quota_code = 'L-F4DDD3EB'"
        mine = f"{changed} and region = 'us-east-1' and account_id = '111122223333' order by valid_from"
        assert con.execute(mine).fetchall() == [(100_000, NOW), (250_000, None)]
        ended = "select count(*) from raw.service_quotas where region = 'eu-west-1' and valid_to is not null"
        assert con.execute(ended).fetchone() == (0,)
    with open_instance(settings.dagster_home) as instance:
        assert [run.job_name for run in instance.get_runs()] == ["refresh_quotas"]


@pytest.mark.usefixtures("_in_memory")
def test_refreshed_regions_show_which_are_enabled_and_which_are_read(
    organisation: RunningSandbox, settings: Settings
) -> None:
    path = settings.warehouse_file.parents[1] / "usage_pipeline.yaml"
    text = path.read_text(encoding="utf-8")
    path.write_text(text.replace("[us-east-1, eu-west-1]", "[eu-west-1, eu-central-1]"), encoding="utf-8")
    with warehouse(settings).connect() as con:
        con.execute(
            """
            insert into raw.enabled_regions values
                ('111122223333', 'production', 'us-east-1', '2026-11-01'),
                ('111122223333', 'production', 'eu-north-1', '2026-11-01'),
                ('444455556666', 'research', 'eu-west-1', '2026-11-01'),
                ('444455556666', 'research', 'us-east-1', '2026-11-01')
            """
        )
    organisation.set_faults(["denied:account:444455556666:us-east-1", "denied:ec2:444455556666:us-east-1"])

    output = refresh(organisation, "regions")

    assert "Found 4 enabled Regions with Bedrock in 2 accounts; 1 of them are not read." in output
    assert "production ap-northeast-1 yes yes new" in output
    assert "production us-east-1 yes yes" in output
    assert "production eu-north-1 gone" in output
    # What is known of an account that does not answer stays.
    assert "research eu-central-1 no yes" in output
    assert "research us-east-1 yes no" in output
    assert "enabled regions of research were not read: " in output
    assert "account:ListRegions" in output
    assert services_called(organisation) <= {"sts", "account", "ec2"}


@pytest.mark.usefixtures("_in_memory")
def test_refreshed_models_show_what_is_new_and_those_in_use_that_aws_ends(
    organisation: RunningSandbox, settings: Settings
) -> None:
    with pointed_at(organisation), warehouse(settings).connect() as con:
        read = AwsAccess(settings).read(
            lambda session, scope: list_foundation_models(session.client("bedrock", scope.region))
        )
        store_snapshot(con, FOUNDATION_MODELS, read, NOW.date() - dt.timedelta(days=1))
        con.execute(SCOPES)
        con.execute(
            f"""
            update raw.foundation_models set model_id = 'amazon.gone-v1:0'
            where model_id = 'amazon.nova-pro-v1:0' and account_id = '111122223333' and region = 'us-east-1';
            insert into raw.cloudwatch_metrics by name
            select
                date '2026-11-14' as usage_date, '444455556666' as account_id, 'us-east-1' as region,
                'AWS/Bedrock' as namespace, 'ModelId' as dimension_set, '{LEGACY}' as model_id,
                unnest(['Invocations', 'InputTokenCount']) as metric_name, 'Sum' as statistic,
                timestamp '2026-11-14 10:00' as ts, 60 as period_seconds, 1234.0 as value;
            """
        )
        note_changed_days(con, "raw.cloudwatch_metrics", [dt.date(2026, 11, 14)])

    output = refresh(organisation, "models")

    assert "2 changed since the last reading; 1 in use have an end." in output
    assert "production us-east-1 amazon.nova-pro-v1:0 new ACTIVE" in output
    assert "production us-east-1 amazon.gone-v1:0 gone" in output
    end = NOW.date() + dt.timedelta(days=60)
    assert f"research us-east-1 {LEGACY} {end - dt.timedelta(days=365)} {end} 1,234 2026-11-14" in output
    assert services_called(organisation) == {"sts", "account", "bedrock"}


def test_a_warehouse_of_catalogues_alone_is_no_reason_to_shorten_the_first_run(settings: Settings) -> None:
    assert not any_day_was_asked(settings)

    with warehouse(settings).connect() as con:
        con.execute("insert into ops.source_status (source, partition_date) values ('service_quotas', '2026-11-15')")
    assert not any_day_was_asked(settings)

    with warehouse(settings).connect() as con:
        con.execute(
            "insert into ops.source_status (source, partition_date) values ('cloudwatch_metrics', '2026-11-15')"
        )
        assert any_day_was_asked(settings), "a warehouse in use is left to the run"
    assert any_day_was_asked(settings)

    settings.warehouse_file.write_text("not a DuckDB file", encoding="utf-8")
    assert any_day_was_asked(settings)


def test_without_a_configuration_it_stops_with_one_sentence() -> None:
    result = runner.invoke(app, ["refresh", "quotas"])

    assert result.exit_code == 1
    assert "There is no configuration at usage_pipeline.yaml" in said(result.output)
