"""What the checks found, thing by thing and over time, and who was told of it; for alerts and the report.

Here: `ops.alert_deliveries` before the checks and `ops.findings` after them. Not here: how findings follow from results
(`alerts/findings.py`), sending (`alerts/dispatch.py`), which happens after the run and never inside it.
"""

from collections import Counter
from collections.abc import Sequence
from typing import Any

import dagster as dg

from usage_pipeline.alerts.deliveries import stored_deliveries
from usage_pipeline.alerts.findings import next_findings
from usage_pipeline.alerts.stored import delivery_rows, finding_rows, stored_findings
from usage_pipeline.assets.published import CHECK_RESULTS_KEY, FINDINGS_KEY
from usage_pipeline.checks.evaluation import RuleResults
from usage_pipeline.checks.rules import Rule
from usage_pipeline.config import Settings
from usage_pipeline.raw_tables import ALERT_DELIVERIES, FINDINGS
from usage_pipeline.warehouse import WAREHOUSE_POOL, Warehouse, replace_all

ALERT_DELIVERIES_KEY = dg.AssetKey([ALERT_DELIVERIES.schema, ALERT_DELIVERIES.name])


@dg.asset(
    key=ALERT_DELIVERIES_KEY,
    group_name="ops",
    kinds={"duckdb"},
    pool=WAREHOUSE_POOL,
    description=ALERT_DELIVERIES.description,
)
def alert_deliveries(warehouse: Warehouse, settings: dg.ResourceParam[Settings]) -> dg.MaterializeResult[Any]:
    """Copy what the dispatcher noted since the last run."""
    deliveries = stored_deliveries(settings.alerts_file)
    with warehouse.connect() as con:
        replace_all(con, ALERT_DELIVERIES, delivery_rows(deliveries))
    waiting = sum(delivery.delivered_at is None for delivery in deliveries)
    return dg.MaterializeResult(metadata={"dagster/row_count": len(deliveries), "not_delivered": waiting})


def build_findings_asset(rules: Sequence[Rule]) -> dg.AssetsDefinition:
    """The asset of `ops.findings`, from the same results that `ops.check_results` has."""

    @dg.asset(
        key=FINDINGS_KEY,
        deps=[CHECK_RESULTS_KEY, ALERT_DELIVERIES_KEY],
        group_name="ops",
        kinds={"duckdb"},
        pool=WAREHOUSE_POOL,
        description=FINDINGS.description,
    )
    def findings(
        context: dg.AssetExecutionContext,
        warehouse: Warehouse,
        settings: dg.ResourceParam[Settings],
        rule_results: dg.ResourceParam[RuleResults],
    ) -> dg.MaterializeResult[Any]:
        deliveries = stored_deliveries(settings.alerts_file)
        with warehouse.connect() as con:
            results = rule_results.of_run(con, context.run_id, rules)
            found = next_findings(stored_findings(con), results, settings.now(), settings.alerts.worse_factor)
            replace_all(con, FINDINGS, finding_rows(found, deliveries))
        still_open = Counter(finding.severity for finding in found if finding.is_open)
        return dg.MaterializeResult(
            metadata={
                "dagster/row_count": len(found),
                "open_errors": still_open["ERROR"],
                "open_warnings": still_open["WARN"],
            }
        )

    return findings
