"""The last step before readers: evaluate every check, then publish a copy of the warehouse that no writer ever locks.

Not here: the rules (`checks/`), how a file is copied and replaced (`warehouse.py`).
"""

import datetime as dt
from collections.abc import Iterator, Mapping, Sequence
from typing import Any

import dagster as dg
import pyarrow as pa

from usage_pipeline.checks.asset_checks import asset_key, check_result
from usage_pipeline.checks.evaluation import RuleResults
from usage_pipeline.checks.rules import Rule, RuleResult
from usage_pipeline.config import Settings
from usage_pipeline.raw_tables import CHECK_RESULTS, FINDINGS, RUNS
from usage_pipeline.warehouse import WAREHOUSE_POOL, Warehouse, arrow_schema, publish, replace_all, upsert

CHECK_RESULTS_KEY = dg.AssetKey([CHECK_RESULTS.schema, CHECK_RESULTS.name])
FINDINGS_KEY = dg.AssetKey([FINDINGS.schema, FINDINGS.name])
PUBLISHED_KEY = dg.AssetKey(["published", "usage"])


def check_result_rows(results: list[RuleResult]) -> pa.Table:
    """Rows of `ops.check_results`."""
    return pa.Table.from_pylist(
        [
            {
                "check_name": result.rule.name,
                "asset": result.rule.table,
                "passed": result.passed,
                "severity": result.severity,
                "failing_rows": result.failing_rows,
                "description": result.rule.description,
                "examples": result.examples_json,
            }
            for result in results
        ]
    )


def build_check_results_asset(upstream: Sequence[dg.AssetKey], rules: Sequence[Rule]) -> dg.AssetsDefinition:
    """The asset of `ops.check_results`; its blocking checks keep wrong tables from being published.

    It comes after `upstream` and after each table that a rule is about.
    """
    blocking = [rule for rule in rules if rule.blocking]

    @dg.asset(
        key=CHECK_RESULTS_KEY,
        deps=sorted({*upstream, *(asset_key(rule.table) for rule in rules)}),
        group_name="ops",
        kinds={"duckdb"},
        pool=WAREHOUSE_POOL,
        description=CHECK_RESULTS.description,
        check_specs=[
            dg.AssetCheckSpec(rule.name, asset=CHECK_RESULTS_KEY, description=rule.description, blocking=True)
            for rule in blocking
        ],
    )
    def check_results(
        context: dg.AssetExecutionContext, warehouse: Warehouse, rule_results: dg.ResourceParam[RuleResults]
    ) -> Iterator[dg.MaterializeResult[Any] | dg.AssetCheckResult]:
        with warehouse.connect() as con:
            results = rule_results.of_run(con, context.run_id, rules)
            replace_all(con, CHECK_RESULTS, check_result_rows(results))
        failed = [result for result in results if not result.passed]
        yield dg.MaterializeResult(
            asset_key=CHECK_RESULTS_KEY,
            metadata={
                "dagster/row_count": len(results),
                "failed_checks": len(failed),
                "failed": dg.MetadataValue.md(
                    "\n".join(f"* {result.severity}: {result.rule.table} {result.rule.name}" for result in failed)
                    or "none"
                ),
            },
        )
        for result in results:
            if result.rule.blocking:
                yield check_result(result, on=CHECK_RESULTS_KEY)

    return check_results


@dg.asset(
    key=PUBLISHED_KEY,
    deps=[FINDINGS_KEY],
    group_name="published",
    kinds={"duckdb"},
    pool=WAREHOUSE_POOL,
    description="A copy of the warehouse for readers, replaced in one step; an open reader keeps the copy it opened.",
)
def published_usage(
    context: dg.AssetExecutionContext, warehouse: Warehouse, settings: dg.ResourceParam[Settings]
) -> dg.MaterializeResult[Any]:
    """Note the run, checkpoint, copy, replace."""
    with warehouse.connect() as con:
        upsert(con, RUNS, run_row(context), keys=["run_id"])
    size = publish(warehouse, settings.published_file)
    return dg.MaterializeResult(
        metadata={"path": dg.MetadataValue.path(settings.published_file), "size_megabytes": round(size / 1e6, 2)}
    )


def run_row(context: dg.AssetExecutionContext) -> pa.Table:
    """The row of `ops.runs` for the run that publishes now."""
    first, last = run_days_of(context.run.tags)
    started = context.instance.get_run_stats(context.run_id).start_time
    row = {
        "run_id": context.run_id,
        "partition_from": first,
        "partition_to": last,
        "started_at": dt.datetime.fromtimestamp(started, dt.UTC).replace(tzinfo=None) if started else None,
        "published_at": dt.datetime.now(dt.UTC).replace(tzinfo=None),
    }
    return pa.Table.from_pylist([row], schema=arrow_schema(RUNS))


def run_days_of(tags: Mapping[str, str]) -> tuple[dt.date | None, dt.date | None]:
    """First and last UTC day of a run, from Dagster's tags; None for a run without partitions."""
    one_day = tags.get("dagster/partition")
    first = tags.get("dagster/asset_partition_range_start", one_day)
    last = tags.get("dagster/asset_partition_range_end", one_day)
    return (dt.date.fromisoformat(first) if first else None, dt.date.fromisoformat(last) if last else None)
