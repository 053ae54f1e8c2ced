"""The rules that block stand between the tables and what is published."""

import json
from collections.abc import Sequence
from pathlib import Path

import dagster as dg
import duckdb
import pytest

from usage_pipeline.assets.findings import alert_deliveries, build_findings_asset
from usage_pipeline.assets.published import build_check_results_asset, published_usage
from usage_pipeline.checks import ALL_RULES
from usage_pipeline.checks.evaluation import RuleResults
from usage_pipeline.checks.rules import Rule
from usage_pipeline.config import Settings, load_settings
from usage_pipeline.warehouse import Warehouse
from usage_pipeline_tests.checks.faults import FAULTS
from usage_pipeline_tests.checks.healthy import GEO_POOL
from usage_pipeline_tests.pipeline_runs import instance_in_memory


@pytest.fixture
def settings(tmp_path: Path) -> Settings:
    path = tmp_path / "usage_pipeline.yaml"
    path.write_text("accounts:\n  - name: production\nwarehouse: warehouse.duckdb\n", encoding="utf-8")
    return load_settings(path)


def publish(warehouse: Warehouse, settings: Settings, rules: Sequence[Rule] = ALL_RULES) -> dg.ExecuteInProcessResult:
    # As `run` does, so that not every step opens and prepares the file.
    with warehouse.kept_open():
        return dg.materialize(
            [
                alert_deliveries,
                build_check_results_asset([], rules),
                build_findings_asset(rules),
                published_usage,
            ],
            resources={"warehouse": warehouse, "settings": settings, "rule_results": RuleResults()},
            instance=instance_in_memory(),
            raise_on_error=False,
        )


def with_fault(warehouse: Warehouse, rule_name: str) -> None:
    with warehouse.connect() as con:
        con.execute(FAULTS[rule_name])


def stored_results(file: Path) -> list[tuple[str, str, bool, str, int]]:
    with duckdb.connect(str(file), read_only=True) as con:
        return con.execute(
            "select check_name, asset, passed, severity, failing_rows from ops.check_results order by check_name"
        ).fetchall()


def test_every_result_is_stored_and_published(warehouse: Warehouse, settings: Settings) -> None:
    with_fault(warehouse, "every_burndown_rate_is_known")

    assert publish(warehouse, settings).success

    expected = {rule.name: (rule.name, rule.table, True, rule.severity, 0) for rule in ALL_RULES}
    expected["every_burndown_rate_is_known"] = ("every_burndown_rate_is_known", "marts.quota_pools", False, "ERROR", 1)
    assert stored_results(settings.published_file) == [expected[name] for name in sorted(expected)]
    with duckdb.connect(str(settings.published_file), read_only=True) as con:
        found = con.execute("select description, examples from ops.check_results where not passed").fetchone()
    assert found is not None
    assert found[0].startswith("AWS documents the burndown rate")
    assert [example["pools"] for example in json.loads(found[1])] == [GEO_POOL]


@pytest.mark.parametrize("rule", [rule for rule in ALL_RULES if rule.blocking], ids=lambda rule: rule.name)
def test_tables_that_lost_or_doubled_something_are_not_published(
    warehouse: Warehouse, settings: Settings, rule: Rule
) -> None:
    settings.published_file.parent.mkdir(parents=True)
    settings.published_file.write_bytes(b"what was published before")
    with_fault(warehouse, rule.name)

    result = publish(warehouse, settings, [rule])

    assert not result.success
    assert settings.published_file.read_bytes() == b"what was published before"
    assert [(name, passed) for name, _, passed, _, _ in stored_results(settings.warehouse_file)] == [(rule.name, False)]
