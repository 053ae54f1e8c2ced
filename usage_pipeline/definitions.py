"""The list of everything that Dagster loads, and nothing else."""

import warnings
from collections.abc import Mapping

import dagster as dg

# Single-run backfills have been "beta" in Dagster since 2023; the warning would be the first thing each command prints.
warnings.filterwarnings("ignore", category=dg.BetaWarning)

from usage_pipeline.alerts.sensors import build_alerts_sensor  # noqa: E402
from usage_pipeline.assets.findings import (  # noqa: E402
    ALERT_DELIVERIES_KEY,
    alert_deliveries,
    build_findings_asset,
)
from usage_pipeline.assets.llm_quota_mappings import raw_llm_quota_mappings  # noqa: E402
from usage_pipeline.assets.models import build_model_assets, model_key  # noqa: E402  (after the filter)
from usage_pipeline.assets.planning import PLANNING_KEYS, planning  # noqa: E402
from usage_pipeline.assets.published import build_check_results_asset, published_usage  # noqa: E402
from usage_pipeline.assets.quota_mappings import raw_quota_mappings, raw_quota_overrides  # noqa: E402
from usage_pipeline.assets.raw_bill import bill_assets  # noqa: E402
from usage_pipeline.assets.raw_catalogue import catalogue_assets  # noqa: E402
from usage_pipeline.assets.raw_invocations import invocation_assets  # noqa: E402
from usage_pipeline.assets.raw_metrics import metric_assets  # noqa: E402
from usage_pipeline.assets.raw_prices import price_assets  # noqa: E402
from usage_pipeline.assets.raw_q_developer import raw_q_developer  # noqa: E402
from usage_pipeline.assets.raw_q_developer_terms import raw_q_developer_terms  # noqa: E402
from usage_pipeline.assets.raw_reference import reference_assets  # noqa: E402
from usage_pipeline.assets.raw_regions import raw_enabled_regions  # noqa: E402
from usage_pipeline.assets.report import report  # noqa: E402
from usage_pipeline.aws.access import AwsAccess  # noqa: E402
from usage_pipeline.checks import all_rules  # noqa: E402
from usage_pipeline.checks.asset_checks import build_quality_checks  # noqa: E402
from usage_pipeline.checks.evaluation import RuleResults  # noqa: E402
from usage_pipeline.config import ConfigurationError, Settings, load_settings  # noqa: E402
from usage_pipeline.schedules import (  # noqa: E402
    REFRESH_QUOTAS_JOB,
    build_daily_job,
    build_daily_schedule,
    build_quota_schedule,
    build_refresh_jobs,
    build_restate_job,
)
from usage_pipeline.sql_models import load_models  # noqa: E402
from usage_pipeline.warehouse import Warehouse  # noqa: E402


def build_definitions(
    settings: Settings,
    loggers: Mapping[str, dg.LoggerDefinition] | None = None,
    rule_results: RuleResults | None = None,
    aws: AwsAccess | None = None,
) -> dg.Definitions:
    """Everything, for one configuration. Tests and commands use it as Dagster does."""
    models, rules = load_models(), all_rules(settings)
    raw_assets = [
        *catalogue_assets,
        raw_enabled_regions,
        *metric_assets,
        *invocation_assets,
        *reference_assets,
        *price_assets,
        *bill_assets,
        raw_q_developer,
        raw_q_developer_terms,
        raw_quota_overrides,
        raw_llm_quota_mappings,
        raw_quota_mappings,
    ]
    daily_job = build_daily_job()
    refresh_jobs = {job.name: job for job in build_refresh_jobs()}
    schedules = [build_daily_schedule(daily_job, settings.lookback_days)]
    if settings.quota_refresh_hours != "off":
        schedules.append(build_quota_schedule(refresh_jobs[REFRESH_QUOTAS_JOB], settings.quota_refresh_hours))
    return dg.Definitions(
        assets=[
            *raw_assets,
            build_model_assets(models),
            planning,
            alert_deliveries,
            build_check_results_asset(
                [*(model_key(model) for model in models), *PLANNING_KEYS, ALERT_DELIVERIES_KEY], rules
            ),
            build_findings_asset(rules),
            published_usage,
            report,
        ],
        asset_checks=[build_quality_checks(rules)],
        jobs=[daily_job, build_restate_job(), *refresh_jobs.values()],
        schedules=schedules,
        sensors=[build_alerts_sensor(settings)],
        resources={
            "settings": settings,
            "aws": aws or AwsAccess(settings),
            "rule_results": rule_results or RuleResults(),
            "warehouse": Warehouse.of(settings),
        },
        executor=one_process,
        loggers=loggers,
    )


@dg.executor(name="in_process", config_schema=dg.in_process_executor.config_schema.as_field())
def one_process(context: dg.InitExecutorContext) -> dg.Executor:
    """Executes every step of a run in the process that was launched for it; takes what Dagster's own takes."""
    # What it needs takes half a second to import, and whoever only loads the definitions executes nothing.
    from usage_pipeline.executor import OneProcessExecutor

    return OneProcessExecutor.from_config(context.executor_config)


@dg.definitions
def definitions() -> dg.Definitions:
    """What `dagster dev` and the daemon load. Stops with one sentence when there is no configuration."""
    try:
        settings = load_settings()
    except ConfigurationError as error:
        raise dg.DagsterInvalidDefinitionError(str(error)) from None
    return build_definitions(settings)
