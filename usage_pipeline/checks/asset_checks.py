"""The rules as Dagster asset checks: one check per rule, all evaluated in one step.

Here: the checks that do not block. The blocking ones belong to `ops.check_results` (`assets/published.py`), which
stands between the tables and what is published. Nothing is caught: a rule that cannot run fails the run, because a
broken check is not a passed check.
"""

from collections.abc import Iterator, Sequence

import dagster as dg

from usage_pipeline.checks.evaluation import RuleResults
from usage_pipeline.checks.rules import Rule, RuleResult
from usage_pipeline.warehouse import WAREHOUSE_POOL, Warehouse


def asset_key(table: str) -> dg.AssetKey:
    """The asset of `schema.table`."""
    return dg.AssetKey(table.split("."))


def check_result(result: RuleResult, on: dg.AssetKey) -> dg.AssetCheckResult:
    """What Dagster stores and shows of a result; the number that matters comes first."""
    return dg.AssetCheckResult(
        asset_key=on,
        check_name=result.rule.name,
        passed=result.passed,
        severity=dg.AssetCheckSeverity(result.severity),
        description=result.rule.description,
        metadata={
            "failing_rows": result.failing_rows,
            "examples": dg.MetadataValue.json(_as_text(result)),
        },
    )


def _as_text(result: RuleResult) -> list[dict[str, str | None]]:
    """Examples with every value as text: Dagster's metadata store refuses dates and NaN."""
    return [{key: None if value is None else str(value) for key, value in row.items()} for row in result.examples]


def build_quality_checks(rules: Sequence[Rule]) -> dg.AssetChecksDefinition:
    """Every rule that does not block, each on the asset it is about."""
    by_key = {dg.AssetCheckKey(asset_key(rule.table), rule.name): rule for rule in rules if not rule.blocking}
    specs = [
        dg.AssetCheckSpec(key.name, asset=key.asset_key, description=rule.description) for key, rule in by_key.items()
    ]

    @dg.multi_asset_check(name="quality_checks", specs=specs, can_subset=True, pool=WAREHOUSE_POOL)
    def quality_checks(
        context: dg.AssetCheckExecutionContext, warehouse: Warehouse, rule_results: dg.ResourceParam[RuleResults]
    ) -> Iterator[dg.AssetCheckEvaluation]:
        keys = sorted(context.selected_asset_check_keys, key=lambda key: key.to_user_string())
        with warehouse.connect() as con:
            results = rule_results.of_run(con, context.run.run_id, [by_key[key] for key in keys])
        step = context.get_step_execution_context()
        for key, result in zip(keys, results, strict=True):
            # As evaluations, because Dagster would store an output with each result, which no step waits for.
            yield check_result(result, on=key.asset_key).to_asset_check_evaluation(step)

    return quality_checks
