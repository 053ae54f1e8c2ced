import datetime as dt
import functools
import os
import subprocess
import sys
import tomllib
from collections.abc import Iterator
from pathlib import Path

import dagster as dg
import pytest
import yaml

from usage_pipeline.config import load_settings
from usage_pipeline.definitions import build_definitions, definitions
from usage_pipeline.partitions import daily_partitions
from usage_pipeline.schedules import (
    DAILY_JOB,
    REFRESH_MODELS_JOB,
    REFRESH_QUOTAS_JOB,
    REFRESH_REGIONS_JOB,
    RESTATE_JOB,
)
from usage_pipeline.warehouse import WAREHOUSE_POOL
from usage_pipeline_tests.checks.every_rule import EVERY_RULE

PROJECT = Path(__file__).parents[1]
CONFIGURATION = PROJECT / "usage_pipeline_tests" / "usage_pipeline.yaml"

PARTITIONED = [
    "raw/cloudwatch_metrics",
    "raw/custom_deployments",
    "raw/foundation_models",
    "raw/imported_models",
    "raw/inference_profiles",
    "raw/invocations",
    "raw/log_delivery",
    "raw/max_tokens_metric",
    "raw/q_developer_activity",
    "raw/q_developer_prompts",
    "raw/service_quotas",
]
"""What AWS is asked for by UTC day."""

# A new asset or SQL model belongs in this list; one that goes is a change for those who query it.
ASSETS = [
    "intermediate/int_application_profiles_resolved",
    "intermediate/int_applications",
    "intermediate/int_burndown_rates",
    "intermediate/int_callers",
    "intermediate/int_calls",
    "intermediate/int_calls_in_flight",
    "intermediate/int_logged_days",
    "intermediate/int_logged_periods",
    "intermediate/int_models",
    "intermediate/int_price_uses",
    "intermediate/int_prices",
    "intermediate/int_prices_used",
    "intermediate/int_profile_days_summed",
    "intermediate/int_profiles",
    "intermediate/int_profiles_listed",
    "intermediate/int_profiles_rated",
    "intermediate/int_q_developer_active_days",
    "intermediate/int_q_developer_terms",
    "intermediate/int_quota_limits",
    "intermediate/int_quota_limits_used",
    "marts/anomalies",
    "marts/bill_reconciliation",
    "marts/billed_cost",
    "marts/cache_opportunities",
    "marts/cost_forecasts",
    "marts/data_completeness",
    "marts/day_end_forecasts",
    "marts/endpoint_moves",
    "marts/forecast_backtests",
    "marts/invocations",
    "marts/latency_hourly",
    "marts/max_tokens_recommendations",
    "marts/model_lifecycle",
    "marts/model_prices",
    "marts/percentile_confidence",
    "marts/q_developer_conversations",
    "marts/q_developer_hourly",
    "marts/q_developer_limits",
    "marts/q_developer_spikes",
    "marts/q_developer_trends",
    "marts/q_developer_usage",
    "marts/q_developer_value",
    "marts/quota_forecasts",
    "marts/quota_headroom",
    "marts/quota_pools",
    "marts/quota_recommendations",
    "marts/quota_usage_minutely",
    "marts/reservations_minutely",
    "marts/throttle_causes_daily",
    "marts/throttle_events",
    "marts/unresolved_profiles",
    "marts/usage_daily",
    "marts/usage_hourly",
    "marts/usage_minutely",
    "marts/usage_monthly",
    "marts/usage_statistics",
    "ops/alert_deliveries",
    "ops/check_results",
    "ops/findings",
    "published/report",
    "published/usage",
    "raw/application_rules",
    "raw/bill",
    "raw/billed_usage_types",
    "raw/burndown_rates",
    "raw/cloudwatch_metrics",
    "raw/custom_deployments",
    "raw/enabled_regions",
    "raw/endpoint_prefixes",
    "raw/foundation_models",
    "raw/imported_models",
    "raw/inference_profiles",
    "raw/invocations",
    "raw/llm_quota_mappings",
    "raw/log_delivery",
    "raw/max_tokens_metric",
    "raw/model_limits",
    "raw/model_prices",
    "raw/price_overrides",
    "raw/q_developer_activity",
    "raw/q_developer_prompts",
    "raw/q_developer_terms",
    "raw/q_developer_token_estimates",
    "raw/quota_mappings",
    "raw/quota_overrides",
    "raw/scopes",
    "raw/service_quotas",
    "staging/stg_application_rules",
    "staging/stg_bill",
    "staging/stg_billed_usage_types",
    "staging/stg_burndown_rates",
    "staging/stg_cloudwatch_coverage",
    "staging/stg_cloudwatch_percentiles",
    "staging/stg_cloudwatch_periods",
    "staging/stg_custom_deployments",
    "staging/stg_endpoint_prefixes",
    "staging/stg_foundation_models",
    "staging/stg_imported_models",
    "staging/stg_inference_profiles",
    "staging/stg_invocations",
    "staging/stg_log_delivery",
    "staging/stg_max_tokens",
    "staging/stg_model_limits",
    "staging/stg_model_prices",
    "staging/stg_price_overrides",
    "staging/stg_q_developer_activity",
    "staging/stg_q_developer_coverage",
    "staging/stg_q_developer_prompts",
    "staging/stg_q_developer_terms",
    "staging/stg_q_developer_token_estimates",
    "staging/stg_quota_mappings",
    "staging/stg_scopes",
    "staging/stg_service_quotas",
]

WITHOUT_WAREHOUSE = {"published/report"}
"""Assets that read the published file only."""


@pytest.fixture(scope="module")
def loaded() -> dg.Definitions:
    return build_definitions(load_settings(CONFIGURATION))


def nodes(loaded: dg.Definitions) -> dict[str, dg.AssetSpec]:
    return {spec.key.to_user_string(): spec for spec in loaded.resolve_all_asset_specs()}


def asset_definitions(loaded: dg.Definitions) -> list[dg.AssetsDefinition]:
    return [asset for asset in loaded.assets or () if isinstance(asset, dg.AssetsDefinition)]


def in_fresh_interpreter(code: str, folder: Path) -> str:
    """What the code prints in a new Python that has no configuration."""
    environment = {name: value for name, value in os.environ.items() if not name.startswith("USAGE_PIPELINE_")}
    done = subprocess.run(
        [sys.executable, "-c", code],
        cwd=folder,
        env={**environment, "PYTHONPATH": str(PROJECT)},
        capture_output=True,
        text=True,
        check=False,
        timeout=60,
    )
    assert done.returncode == 0, done.stderr
    return done.stdout


def test_the_import_is_light_and_touches_nothing(tmp_path: Path) -> None:
    code = """
import socket, sys
import duckdb

def refuse(*arguments, **named):
    raise AssertionError("opened at import")

duckdb.connect = socket.socket.connect = refuse
import usage_pipeline.definitions

heavy = ("great_expectations", "scipy", "moto", "flask", "streamlit", "usage_pipeline.sandbox")
print([name for name in heavy if name in sys.modules])
"""

    assert in_fresh_interpreter(code, tmp_path) == "[]\n"
    assert list(tmp_path.iterdir()) == []


def test_commands_that_run_nothing_and_the_dashboard_begin_without_dagster(tmp_path: Path) -> None:
    code = """
import sys
import usage_pipeline.cli
import usage_pipeline.ui.app

print([name for name in ("dagster", "great_expectations") if name in sys.modules])
"""

    assert in_fresh_interpreter(code, tmp_path) == "[]\n"


def test_every_asset_is_here_and_nothing_else(loaded: dg.Definitions) -> None:
    assert sorted(nodes(loaded)) == ASSETS


def test_every_dependency_is_made_by_the_pipeline(loaded: dg.Definitions) -> None:
    made = {key.to_user_string() for asset in asset_definitions(loaded) for key in asset.keys}
    needed = {dep.asset_key.to_user_string() for spec in nodes(loaded).values() for dep in spec.deps}

    assert needed - made == set()


def test_every_rule_is_one_check_on_an_asset_that_the_pipeline_makes(loaded: dg.Definitions) -> None:
    made = {key for asset in asset_definitions(loaded) for key in asset.keys}
    checks = [
        spec
        for definition in (*(loaded.assets or ()), *(loaded.asset_checks or ()))
        if isinstance(definition, dg.AssetsDefinition)
        for spec in definition.check_specs
    ]

    assert {spec.asset_key for spec in checks} - made == set()
    assert sorted(spec.name for spec in checks) == sorted(rule.name for rule in EVERY_RULE)
    assert {spec.name for spec in checks if spec.blocking} == {rule.name for rule in EVERY_RULE if rule.blocking}
    for spec in checks:
        table = "ops/check_results" if spec.blocking else _table_of(spec.name).replace(".", "/")
        assert spec.asset_key.to_user_string() == table


def _table_of(rule_name: str) -> str:
    (table,) = (rule.table for rule in EVERY_RULE if rule.name == rule_name)
    return table


def test_results_are_stored_after_every_table_that_a_rule_is_about(loaded: dg.Definitions) -> None:
    graph = loaded.get_repository_def().asset_graph
    before = graph.get_ancestor_asset_keys(dg.AssetKey(["ops", "check_results"]))

    about = {rule.table for rule in EVERY_RULE}
    assert about - {".".join(key.path) for key in before} == set()


def test_everything_that_opens_the_warehouse_waits_in_its_pool(loaded: dg.Definitions) -> None:
    outside = {
        key.to_user_string()
        for asset in asset_definitions(loaded)
        if asset.op.pool != WAREHOUSE_POOL
        for key in asset.keys
    }
    checks = [check.op.pool for check in loaded.asset_checks or () if isinstance(check, dg.AssetsDefinition)]

    assert outside == WITHOUT_WAREHOUSE
    assert checks == [WAREHOUSE_POOL]


def test_days_are_one_partitions_definition_and_a_range_is_one_run(loaded: dg.Definitions) -> None:
    partitioned = [asset for asset in asset_definitions(loaded) if asset.partitions_def is not None]

    assert sorted(key.to_user_string() for asset in partitioned for key in asset.keys) == PARTITIONED
    assert all(asset.partitions_def is daily_partitions for asset in partitioned)
    assert {asset.backfill_policy for asset in partitioned} == {dg.BackfillPolicy.single_run()}
    assert loaded.resolve_job_def(DAILY_JOB).partitions_def == daily_partitions


ASKED_ON_REQUEST = {"raw/enabled_regions"}
"""Assets that the daily job leaves out."""


def test_the_daily_job_makes_every_asset_and_evaluates_every_rule(loaded: dg.Definitions) -> None:
    layer = loaded.resolve_job_def(DAILY_JOB).asset_layer

    made = {key.to_user_string() for key in layer.executable_asset_keys}
    assert made == set(ASSETS) - ASKED_ON_REQUEST
    evaluated = {rule.name for rule in EVERY_RULE if rule.table.replace(".", "/") not in ASKED_ON_REQUEST}
    assert sorted(key.name for key in layer.asset_graph.asset_check_keys) == sorted(evaluated)


def test_today_is_a_partition_and_the_first_day_is_bedrocks() -> None:
    now = dt.datetime(2026, 11, 15, 10, 30, tzinfo=dt.UTC)

    keys = daily_partitions.get_partition_keys(current_time=now)

    assert (keys[0], keys[-1]) == ("2023-09-28", "2026-11-15")


@pytest.mark.parametrize(("lookback_days", "first"), [(1, "2026-01-04"), (3, "2026-01-02"), (10, "2025-12-26")])
def test_the_schedule_asks_for_one_run_over_the_lookback_and_today(lookback_days: int, first: str) -> None:
    settings = load_settings(CONFIGURATION).model_copy(update={"lookback_days": lookback_days})
    repository = build_definitions(settings).get_repository_def()
    schedule = repository.get_schedule_def("daily_at_0615_utc")
    context = dg.build_schedule_context(
        scheduled_execution_time=dt.datetime(2026, 1, 5, 6, 15, tzinfo=dt.UTC), repository_def=repository
    )

    (request,) = schedule.evaluate_tick(context).run_requests or ()

    assert (schedule.job_name, schedule.cron_schedule, schedule.execution_timezone) == ("daily", "15 6 * * *", "UTC")
    assert schedule.default_status == dg.DefaultScheduleStatus.RUNNING
    assert request.run_key == "2026-01-05T06:15:00+00:00"
    assert request.partition_key is None
    assert {name: value for name, value in request.tags.items() if "partition" in name} == {
        "dagster/asset_partition_range_start": first,
        "dagster/asset_partition_range_end": "2026-01-05",
    }


def asked_of_aws(loaded: dg.Definitions, job: str) -> set[str]:
    """The assets of the job that ask AWS."""
    asking = {key for key, spec in nodes(loaded).items() if "aws" in spec.kinds}
    return asking & {key.to_user_string() for key in loaded.resolve_job_def(job).asset_layer.executable_asset_keys}


@pytest.mark.parametrize(
    ("job", "asked"),
    [
        (REFRESH_QUOTAS_JOB, {"raw/scopes", "raw/service_quotas"}),
        (REFRESH_REGIONS_JOB, {"raw/scopes", "raw/enabled_regions"}),
        (
            REFRESH_MODELS_JOB,
            {
                "raw/scopes",
                "raw/foundation_models",
                "raw/inference_profiles",
                "raw/custom_deployments",
                "raw/imported_models",
            },
        ),
    ],
)
def test_a_refreshing_job_asks_for_its_catalogue_and_makes_what_follows(
    loaded: dg.Definitions, job: str, asked: set[str]
) -> None:
    made = {key.to_user_string() for key in loaded.resolve_job_def(job).asset_layer.executable_asset_keys}
    restated = {key.to_user_string() for key in loaded.resolve_job_def(RESTATE_JOB).asset_layer.executable_asset_keys}

    assert asked_of_aws(loaded, job) == asked
    assert made == restated | asked
    assert {"raw/quota_mappings", "marts/quota_headroom", "ops/check_results", "published/report"} <= made


@pytest.fixture(scope="module")
def _instance(tmp_path_factory: pytest.TempPathFactory) -> Iterator[dg.DagsterInstance]:
    with dg.DagsterInstance.local_temp(str(tmp_path_factory.mktemp("instance"))) as instance:
        yield instance


@pytest.fixture
def instance(_instance: dg.DagsterInstance) -> Iterator[dg.DagsterInstance]:
    """One on disk, as a tick opens it by its folder; of runs it has those that the test adds."""
    yield _instance
    for run in _instance.get_runs():
        _instance.delete_run(run.run_id)


@functools.cache
def quota_schedule(hours: int) -> tuple[dg.RepositoryDefinition, dg.ScheduleDefinition]:
    settings = load_settings(CONFIGURATION).model_copy(update={"quota_refresh_hours": hours})
    repository = build_definitions(settings).get_repository_def()
    return repository, repository.get_schedule_def("quotas_every_few_hours")


@pytest.mark.parametrize(
    ("hours", "cron"), [(3, "45 0,3,6,9,12,15,18,21 * * *"), (10, "45 0,10,20 * * *"), (24, "45 0 * * *")]
)
def test_quotas_are_read_every_few_hours_for_the_day_of_the_tick(
    hours: int, cron: str, instance: dg.DagsterInstance
) -> None:
    repository, schedule = quota_schedule(hours)
    tick = dt.datetime(2026, 1, 5, 9, 45, tzinfo=dt.UTC)

    with dg.build_schedule_context(instance, scheduled_execution_time=tick, repository_def=repository) as context:
        (request,) = schedule.evaluate_tick(context).run_requests or ()

    assert (schedule.job_name, schedule.cron_schedule, schedule.execution_timezone) == (REFRESH_QUOTAS_JOB, cron, "UTC")
    assert schedule.default_status == dg.DefaultScheduleStatus.RUNNING
    assert (request.run_key, request.partition_key) == ("2026-01-05T09:45:00+00:00", "2026-01-05")


@pytest.mark.parametrize(
    ("status", "hours_after_its_start", "is_left_out"),
    [
        (dg.DagsterRunStatus.STARTED, 1, True),
        (dg.DagsterRunStatus.NOT_STARTED, 1, True),
        (dg.DagsterRunStatus.SUCCESS, 1, False),
        (dg.DagsterRunStatus.FAILURE, 1, False),
        # It was killed: no run takes that long.
        (dg.DagsterRunStatus.STARTED, 7, False),
    ],
)
def test_quotas_are_left_out_while_another_run_is_under_way(
    status: dg.DagsterRunStatus, hours_after_its_start: int, is_left_out: bool, instance: dg.DagsterInstance
) -> None:
    repository, schedule = quota_schedule(3)
    tick = dt.datetime.now(dt.UTC) + dt.timedelta(hours=hours_after_its_start)

    run = instance.add_run(dg.DagsterRun(job_name=DAILY_JOB, status=status))
    with dg.build_schedule_context(instance, scheduled_execution_time=tick, repository_def=repository) as context:
        evaluated = schedule.evaluate_tick(context)

    sentence = f"Run {run.run_id} of daily is under way; quotas are read at the next tick."
    assert evaluated.skip_message == (sentence if is_left_out else None)
    assert len(evaluated.run_requests or ()) == (0 if is_left_out else 1)


def test_quotas_have_no_schedule_when_it_is_off() -> None:
    settings = load_settings(CONFIGURATION).model_copy(update={"quota_refresh_hours": "off"})

    repository = build_definitions(settings).get_repository_def()

    assert [schedule.name for schedule in repository.schedule_defs] == ["daily_at_0615_utc"]
    assert repository.has_job(REFRESH_QUOTAS_JOB)


def test_without_a_configuration_one_sentence_says_what_to_do(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(tmp_path)
    monkeypatch.delenv("USAGE_PIPELINE_CONFIG", raising=False)

    with pytest.raises(dg.DagsterInvalidDefinitionError) as caught:
        definitions()

    assert str(caught.value) == (
        "There is no configuration at usage_pipeline.yaml: write one with `usage-pipeline init`, or see everything "
        "work on a simulated account with `usage-pipeline demo`."
    )
    assert caught.value.__cause__ is None


def test_dagster_finds_the_definitions_by_the_workspace_file_alone() -> None:
    workspace = yaml.safe_load((PROJECT / "workspace.yaml").read_text(encoding="utf-8"))
    tools = tomllib.loads((PROJECT / "pyproject.toml").read_text(encoding="utf-8"))["tool"]

    assert workspace == {
        "load_from": [
            {"python_module": {"module_name": "usage_pipeline.definitions", "location_name": "usage_pipeline"}}
        ]
    }
    # A block [tool.dagster] would win over the workspace file without a word.
    assert "dagster" not in tools
    assert tools["dg"]["project"]["code_location_target_module"] == "usage_pipeline.definitions"
