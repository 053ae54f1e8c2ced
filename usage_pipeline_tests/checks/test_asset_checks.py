from collections.abc import Sequence
from typing import Any

import dagster as dg
import duckdb

from usage_pipeline.checks import ALL_RULES
from usage_pipeline.checks.asset_checks import asset_key, build_quality_checks, check_result
from usage_pipeline.checks.evaluation import RuleResults
from usage_pipeline.checks.rules import Rule, evaluate
from usage_pipeline.warehouse import Warehouse
from usage_pipeline_tests.checks.faults import FAULTS
from usage_pipeline_tests.pipeline_runs import instance_in_memory


def run_checks(
    warehouse: Warehouse, rules: Sequence[Rule] = ALL_RULES, *, raise_on_error: bool = True
) -> dg.ExecuteInProcessResult:
    job = dg.define_asset_job("checks", selection=dg.AssetSelection.all_asset_checks())
    definitions = dg.Definitions(
        asset_checks=[build_quality_checks(rules)],
        jobs=[job],
        resources={"warehouse": warehouse, "rule_results": RuleResults()},
    )
    return definitions.resolve_job_def("checks").execute_in_process(
        instance=instance_in_memory(), raise_on_error=raise_on_error
    )


def test_a_result_says_first_how_many_rows_contradict_and_writes_every_value_as_text() -> None:
    rule = Rule(
        "days_are_over",
        "raw.days",
        "Days are over.",
        "select unnest([date '2026-11-14', null]) as day, 'nan'::double as share, 'WARN' as severity",
    )

    with duckdb.connect() as con:
        result = check_result(evaluate(con, rule), on=dg.AssetKey(["raw", "days"]))

    assert (result.passed, result.check_name, result.asset_key) == (False, "days_are_over", asset_key("raw.days"))
    assert (result.severity, result.description) == (dg.AssetCheckSeverity.WARN, "Days are over.")
    assert list(result.metadata) == ["failing_rows", "examples"]
    assert result.metadata["failing_rows"].value == 2
    assert result.metadata["examples"].value == [
        {"day": "2026-11-14", "share": "nan", "severity": "WARN"},
        {"day": None, "share": "nan", "severity": "WARN"},
    ]


def test_every_rule_that_does_not_block_is_evaluated_in_one_step(warehouse: Warehouse) -> None:
    with warehouse.connect() as con:
        con.execute(FAULTS["no_day_was_left_out"])
        con.execute(FAULTS["every_burndown_rate_is_known"])

    result = run_checks(warehouse)

    evaluations = result.get_asset_check_evaluations()
    failed: dict[str, Any] = {check.check_name: check.severity.value for check in evaluations if not check.passed}
    assert result.success
    assert sorted(check.check_name for check in evaluations) == sorted(
        rule.name for rule in ALL_RULES if not rule.blocking
    )
    assert failed == {"no_day_was_left_out": "WARN", "every_burndown_rate_is_known": "ERROR"}


def test_a_check_that_cannot_run_fails_the_run_and_is_not_passed(warehouse: Warehouse) -> None:
    with warehouse.connect() as con:
        con.execute("drop table marts.quota_pools")

    rules = [rule for rule in ALL_RULES if rule.table in ("marts.quota_pools", "raw.scopes")]
    result = run_checks(warehouse, rules, raise_on_error=False)

    assert not result.success
    assert "every_burndown_rate_is_known" not in {check.check_name for check in result.get_asset_check_evaluations()}
