"""The rules as Dagster asset checks: one check per rule, grouped so that a run pays for few steps.

Nothing is caught here: a rule that cannot run fails the run, because a broken check is not a passed check.
"""

from collections.abc import Iterator, Sequence

import dagster as dg

from usage_pipeline.checks import ALL_RULES
from usage_pipeline.checks.rules import Rule, RuleResult, evaluate
from usage_pipeline.warehouse import WAREHOUSE_POOL, Warehouse


def asset_key(table: str) -> dg.AssetKey:
    """The asset of `schema.table`."""
    return dg.AssetKey(table.split("."))


def check_result(result: RuleResult) -> dg.AssetCheckResult:
    """What Dagster stores and shows of a result; the number that matters comes first."""
    return dg.AssetCheckResult(
        asset_key=asset_key(result.rule.table),
        check_name=result.rule.name,
        passed=result.passed,
        severity=dg.AssetCheckSeverity(result.severity),
        description=result.rule.description,
        metadata={
            "failing_rows": result.failing_rows,
            "examples": dg.MetadataValue.json(_json_safe(result)),
        },
    )


def _json_safe(result: RuleResult) -> list[dict[str, str | None]]:
    """Examples with every value as text: Dagster's metadata store refuses dates and NaN."""
    return [{key: None if value is None else str(value) for key, value in row.items()} for row in result.examples]


def build_checks(group: str, rules: Sequence[Rule]) -> dg.AssetChecksDefinition:
    """One step that evaluates the selected rules of a group."""
    by_key = {dg.AssetCheckKey(asset_key(rule.table), rule.name): rule for rule in rules}
    specs = [
        dg.AssetCheckSpec(key.name, asset=key.asset_key, description=rule.description, blocking=rule.blocking)
        for key, rule in by_key.items()
    ]

    @dg.multi_asset_check(name=group, specs=specs, can_subset=True, pool=WAREHOUSE_POOL)
    def evaluate_rules(
        context: dg.AssetCheckExecutionContext, warehouse: Warehouse
    ) -> Iterator[dg.AssetCheckResult]:
        with warehouse.connect() as con:
            for key in sorted(context.selected_asset_check_keys, key=lambda key: key.to_user_string()):
                yield check_result(evaluate(con, by_key[key]))

    return evaluate_rules


def build_all_checks() -> list[dg.AssetChecksDefinition]:
    """Every rule of the project; blocking rules apart, so that they end before anything is published."""
    blocking = [rule for rule in ALL_RULES if rule.blocking]
    others = [rule for rule in ALL_RULES if not rule.blocking]
    return [build_checks("integrity_checks", blocking), build_checks("quality_checks", others)]
