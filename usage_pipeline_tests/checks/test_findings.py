"""Findings in the warehouse, run after run: they open, stay, are resolved, and say how they were delivered."""

import datetime as dt
import json
from pathlib import Path
from typing import Any

import dagster as dg

from usage_pipeline.alerts.deliveries import MessageKey, open_delivery_log
from usage_pipeline.assets.findings import alert_deliveries, build_findings_asset
from usage_pipeline.assets.published import build_check_results_asset
from usage_pipeline.checks.evaluation import RuleResults
from usage_pipeline.config import Settings
from usage_pipeline.warehouse import Warehouse
from usage_pipeline_tests.checks.every_rule import EVERY_RULE, settings_with_alerts
from usage_pipeline_tests.checks.faults import FAULTS
from usage_pipeline_tests.checks.healthy import GEO_POOL, NOW
from usage_pipeline_tests.pipeline_runs import instance_in_memory

RULES = [rule for rule in EVERY_RULE if rule.name in ("no_pool_is_throttled_too_often", "every_alert_was_delivered")]


def run(warehouse: Warehouse, settings: Settings, day: int) -> dict[str, Any]:
    """One run `day` days after the first; returns the finding's row."""
    now = settings.model_copy(update={"as_of": NOW + dt.timedelta(days=day)})
    done = dg.materialize(
        [alert_deliveries, build_check_results_asset([alert_deliveries.key], RULES), build_findings_asset(RULES)],
        resources={"warehouse": warehouse, "settings": now, "rule_results": RuleResults()},
        instance=instance_in_memory(),
    )
    assert done.success
    with warehouse.connect() as con:
        found = con.execute(
            "select * from ops.findings where check_name = 'no_pool_is_throttled_too_often'"
        ).to_arrow_table()
    (row,) = found.to_pylist()
    return row


def test_a_finding_opens_is_told_stays_and_is_resolved(warehouse: Warehouse) -> None:
    settings = settings_with_alerts()
    settings._folder = Path(warehouse.database).parent
    with warehouse.connect() as con:
        con.execute(FAULTS["no_pool_is_throttled_too_often"])

    opened = run(warehouse, settings, day=0)
    with open_delivery_log(settings.alerts_file) as log:
        log.note(MessageKey("chat", opened["finding_id"], NOW, 1, 0), "open", NOW, "no answer")
    refused = run(warehouse, settings, day=1)
    with warehouse.connect() as con:
        missed = con.execute("select passed from ops.check_results where check_name = 'every_alert_was_delivered'")
        assert missed.fetchone() == (False,)
        con.execute("update marts.quota_usage_minutely set throttles = 0")
    with open_delivery_log(settings.alerts_file) as log:
        log.note(MessageKey("chat", opened["finding_id"], NOW, 1, 0), "open", NOW, None)
    resolved = run(warehouse, settings, day=2)

    assert json.loads(opened["subject"]) == {"pool_id": GEO_POOL}
    assert (opened["notice"], opened["opened_at"], opened["attempts"]) == ("open", NOW, 0)
    assert (float(opened["value"]), float(opened["threshold"]), opened["unit"]) == (13, 10, "throttles per day")
    assert (refused["opened_at"], refused["last_seen_at"]) == (NOW, NOW + dt.timedelta(days=1))
    assert (refused["delivery_error"], refused["notified_at"], refused["attempts"]) == ("chat: no answer", None, 1)
    assert (resolved["notice"], resolved["resolved_at"]) == ("resolved", NOW + dt.timedelta(days=2))
    assert (resolved["notified_state"], resolved["delivery_error"], resolved["attempts"]) == ("open", None, 2)
