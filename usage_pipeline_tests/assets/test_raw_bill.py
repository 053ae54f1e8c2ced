"""The assets of the bill: months that are replaced whole, files that fail, and what usage types are for."""

import csv
import io
from collections.abc import Iterator
from datetime import date
from decimal import Decimal
from pathlib import Path
from typing import Any

import dagster as dg
import pytest

from usage_pipeline.assets.raw_bill import bill_assets, usage_type_rows
from usage_pipeline.checks.bill import EVERY_BILL_FILE_WAS_READ
from usage_pipeline.checks.rules import evaluate
from usage_pipeline.config import load_settings
from usage_pipeline.prices.product_names import ModelNames
from usage_pipeline.quotas.model_names import FoundationModel
from usage_pipeline.warehouse import Warehouse
from usage_pipeline_tests.empty_warehouse import empty_warehouse_resource
from usage_pipeline_tests.pipeline_runs import instance_in_memory

NOVA = "amazon.nova-lite-v1:0"
SONNET = "anthropic.claude-sonnet-4-5-20250929-v1:0"
COLUMNS = (
    "bill_billing_period_start_date",
    "bill_payer_account_id",
    "line_item_usage_account_id",
    "line_item_usage_start_date",
    "line_item_line_item_type",
    "line_item_product_code",
    "line_item_usage_type",
    "line_item_usage_amount",
    "line_item_unblended_cost",
    "product_region_code",
)


def line(
    day: str,
    usd: str,
    usage_type: str = "USE1-NovaLite-input-tokens",
    line_type: str = "Usage",
    payer: str = "000011112222",
) -> tuple[str, ...]:
    product, region = "AmazonBedrock", "us-east-1"
    return (f"{day[:7]}-01", payer, "111122223333", day, line_type, product, usage_type, "1", usd, region)


class Pipeline:
    """A warehouse, its configuration, and a folder with the export."""

    def __init__(self, folder: Path, warehouse: Warehouse, instance: dg.DagsterInstance) -> None:
        self.folder = folder
        self.day = 15
        self.warehouse = warehouse
        self._instance = instance
        (folder / "cur").mkdir()

    def deliver(self, name: str, *lines: tuple[str, ...]) -> None:
        """Write a file of the export, over an older one of that name."""
        text = io.StringIO(newline="")
        csv.writer(text).writerows([COLUMNS, *lines])
        (self.folder / "cur" / name).write_text(text.getvalue(), encoding="utf-8")

    def run(self, bill: str = "bill:\n  files: cur/*.csv\n") -> dict[str, Any]:
        """Materialise both assets, a day later than before; gives the metadata of `raw.bill` as plain values."""
        path = self.folder / "usage_pipeline.yaml"
        head = "accounts:\n  - name: production\n    regions: [us-east-1]\n"
        path.write_text(f"{head}as_of: 2026-11-{self.day}T10:00:00Z\n{bill}", encoding="utf-8")
        self.day += 1
        resources = {"settings": load_settings(path), "warehouse": self.warehouse}
        result = dg.materialize(bill_assets, resources=resources, instance=self._instance)
        (event,) = result.asset_materializations_for_node("raw__bill")
        return {name: value.value for name, value in event.metadata.items()}

    def query(self, sql: str) -> list[tuple[Any, ...]]:
        with self.warehouse.connect() as con:
            return con.execute(sql).fetchall()

    def days(self) -> list[tuple[Any, ...]]:
        return self.query("select usage_date::varchar, sum(billed_usd) from raw.bill group by all order by all")


@pytest.fixture(scope="module")
def instance() -> dg.DagsterInstance:
    """Where the runs of all tests are noted; what an asset does depends on the warehouse alone."""
    return instance_in_memory()


@pytest.fixture
def pipeline(tmp_path: Path, instance: dg.DagsterInstance) -> Iterator[Pipeline]:
    with empty_warehouse_resource() as warehouse:
        yield Pipeline(tmp_path, warehouse, instance)


def test_without_a_setting_nothing_is_read_and_nothing_fails(pipeline: Pipeline) -> None:
    assert pipeline.run("") == {"files": "none are named"}
    assert pipeline.days() == []
    assert pipeline.query("select * from ops.source_status") == []


def test_reading_three_times_changes_nothing(pipeline: Pipeline) -> None:
    pipeline.deliver("bill-1.csv", line("2026-11-13", "1.5"), line("2026-11-14", "2", line_type="Tax"))
    pipeline.deliver("bill-2.csv", line("2026-11-14", "-0.5", line_type="Credit"))
    metadata = pipeline.run()
    assert (metadata["files"], metadata["rows_read"], metadata["months"]) == (2, 3, "2026-11")
    tables = ("raw.bill", "raw.billed_usage_types")
    first = [pipeline.query(f"from {name} order by all") for name in tables]
    assert all(first)
    changes = pipeline.query("select table_name, usage_date, change from ops.day_changes where table_name = 'raw.bill'")
    assert [(day, number) for _, day, number in sorted(changes)] == [(date(2026, 11, 13), 1), (date(2026, 11, 14), 1)]

    for _ in range(2):
        pipeline.run()
    assert [pipeline.query(f"from {name} order by all") for name in tables] == first
    assert pipeline.days() == [("2026-11-13", Decimal("1.5")), ("2026-11-14", Decimal("1.5"))]
    again = pipeline.query("select table_name, usage_date, change from ops.day_changes where table_name = 'raw.bill'")
    assert sorted(again) == sorted(changes)


def test_a_month_is_replaced_whole_and_other_months_and_payers_stay(pipeline: Pipeline) -> None:
    pipeline.deliver("october.csv", line("2026-10-31", "7"))
    pipeline.deliver("november.csv", line("2026-11-01", "1"), line("2026-11-02", "2"))
    pipeline.deliver("other.csv", line("2026-11-01", "100", payer="999900001111"))
    pipeline.run()
    for name in ("october.csv", "other.csv"):
        (pipeline.folder / "cur" / name).unlink()
    pipeline.deliver("november.csv", line("2026-11-02", "3"), line("2026-11-03", "4"))
    pipeline.run()
    assert pipeline.days() == [("2026-10-31", 7), ("2026-11-01", 100), ("2026-11-02", 3), ("2026-11-03", 4)]


def test_only_days_that_really_changed_are_noted(pipeline: Pipeline) -> None:
    pipeline.deliver("bill.csv", line("2026-11-01", "1"), line("2026-11-02", "2"), line("2026-11-03", "3"))
    pipeline.run()
    pipeline.deliver("bill.csv", line("2026-11-01", "1"), line("2026-11-02", "2.5"))
    pipeline.run()
    changed = "select usage_date::varchar from ops.day_changes where table_name = 'raw.bill' and change > 1 order by 1"
    assert pipeline.query(changed) == [("2026-11-02",), ("2026-11-03",)]


def test_files_that_cannot_be_used_fail_the_check_and_take_nothing(pipeline: Pipeline) -> None:
    pipeline.deliver("bill.csv", line("2026-11-01", "1"))
    pipeline.run()
    pipeline.deliver("bill.csv", line("2026-11-01", "one"))
    said = f"{pipeline.folder}/cur/bill.csv: line_item_unblended_cost: read 'one'; allowed: an amount of US dollars."
    assert pipeline.run() == {"error": said}
    assert pipeline.days() == [("2026-11-01", 1)]
    with pipeline.warehouse.connect() as con:
        result = evaluate(con, EVERY_BILL_FILE_WAS_READ)
    assert [(row["setting"], row["status"], row["error_text"]) for row in result.rows] == [
        ("bill.files", "failed", said)
    ]

    pipeline.run("")
    with pipeline.warehouse.connect() as con:
        assert evaluate(con, EVERY_BILL_FILE_WAS_READ).passed
    assert pipeline.days() == [("2026-11-01", 1)]

    pipeline.deliver("bill.csv", line("2026-11-01", "2"))
    pipeline.run()
    with pipeline.warehouse.connect() as con:
        assert evaluate(con, EVERY_BILL_FILE_WAS_READ).passed
    assert pipeline.days() == [("2026-11-01", 2)]


def test_a_usage_type_is_understood_once_the_catalogue_has_its_model(pipeline: Pipeline) -> None:
    pipeline.deliver("bill.csv", line("2026-11-01", "1"))
    pipeline.run()
    columns = "model_words, model_id, reason"
    assert pipeline.query(f"select {columns} from raw.billed_usage_types") == [
        ("NovaLite", None, "no known model has this name")
    ]
    pipeline.query(
        f"insert into raw.foundation_models by name select '{NOVA}' as model_id, 'Nova Lite' as model_name, "
        "'Amazon' as provider_name, date '2026-11-15' as snapshot_date"
    )
    pipeline.run("")
    assert pipeline.query(f"select {columns} from raw.billed_usage_types") == [("NovaLite", NOVA, None)]


NAMES = ModelNames(
    [
        FoundationModel(NOVA, "Nova Lite", "Amazon"),
        FoundationModel("amazon.nova-2-lite-v1:0", "Nova 2 Lite", "Amazon"),
        FoundationModel(SONNET, "Claude Sonnet 4.5", "Anthropic"),
        FoundationModel("openai.gpt-oss-120b-1:0", "gpt-oss-120b", "OpenAI"),
    ]
)


@pytest.mark.parametrize(
    ("usage_type", "product_name", "model_id", "reason"),
    [
        ("USE1-NovaLite-input-tokens", None, NOVA, None),
        ("USE1-NovaLite-input-tokens", "Amazon Bedrock", NOVA, None),
        ("APN1-Nova2.0Lite-input-tokens-cross-region-global", None, "amazon.nova-2-lite-v1:0", None),
        ("USW2-gpt-oss-120b-output-tokens", None, "openai.gpt-oss-120b-1:0", None),
        ("USE1-Claude4.5Sonnet-output-tokens", None, SONNET, None),
        ("USE1-MP:USE1_InputTokenCount-Units", "Claude Sonnet 4.5 (Amazon Bedrock Edition)", SONNET, None),
        (
            "USE1-MP:USE1_InputTokenCount-Units",
            None,
            None,
            "names no model, and the export has no name of the product",
        ),
        ("USE1-Nobody-input-tokens", None, None, "no known model has this name"),
        ("USE1-Guardrail-ContentPolicyUnitsConsumed", None, None, "no price of tokens on demand"),
    ],
)
def test_what_a_usage_type_is_for(
    usage_type: str, product_name: str | None, model_id: str | None, reason: str | None
) -> None:
    (row,) = usage_type_rows([(usage_type, product_name)], NAMES)
    assert (row.get("model_id"), row["reason"]) == (model_id, reason)


def test_a_usage_type_says_endpoint_tier_band_and_kind() -> None:
    usage_type = "USE1-Claude4.5Sonnet-input-tokens-long-context-cross-region-global"
    (row,) = usage_type_rows([(usage_type, None)], NAMES)
    assert row == {
        "usage_type": usage_type,
        "product_name": None,
        "region_code": "USE1",
        "region": "us-east-1",
        "model_words": "Claude4.5Sonnet",
        "model_id": SONNET,
        "endpoint_type": "global",
        "service_tier": "default",
        "context_band": "long",
        "token_kind": "input",
        "reason": None,
    }
