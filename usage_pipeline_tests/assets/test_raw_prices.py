"""The assets of prices: history over refreshes, sources that fail, and files that are changed. No network."""

import datetime as dt
import json
from collections.abc import Iterator
from decimal import Decimal
from functools import cache
from pathlib import Path
from typing import Any

import dagster as dg
import pytest

from usage_pipeline.assets import price_readings, raw_prices
from usage_pipeline.assets.raw_prices import price_assets
from usage_pipeline.aws.access import AwsAccess
from usage_pipeline.aws.scopes import ResolvedScopes, Scope
from usage_pipeline.aws.sessions import AccountSession
from usage_pipeline.config import Settings, load_settings
from usage_pipeline.downloads import DownloadError
from usage_pipeline.prices.price_files import snapshot_prices
from usage_pipeline.prices.price_rows import ModelPrice
from usage_pipeline.reference import ReferenceDataError
from usage_pipeline.warehouse import Warehouse
from usage_pipeline_tests.aws.canned_aws import connect_answers, error
from usage_pipeline_tests.empty_warehouse import empty_warehouse_resource
from usage_pipeline_tests.pipeline_runs import instance_in_memory

NOVA = "amazon.nova-lite-v1:0"
HEADER = (
    "model_id,endpoint_type,region,service_tier,context_band,context_threshold,token_kind,usd_per_million,valid_from,"
    "valid_to,source\n"
)
OVERRIDES = "model_pattern,endpoint_type,token_kind,usd_per_million,discount_percent,valid_from,valid_to,entered_by\n"


class Pipeline:
    """A warehouse, its configuration, and what the web and AWS would answer."""

    def __init__(
        self, folder: Path, warehouse: Warehouse, instance: dg.DagsterInstance, monkeypatch: pytest.MonkeyPatch
    ) -> None:
        self.folder = folder
        self.warehouse = warehouse
        self._instance = instance
        self.downloads: list[str] = []
        self.page: str | Exception = DownloadError("nothing is served.")
        self.products: list[str] | Exception = []
        self.calls: list[tuple[str, dict[str, Any]]] = []
        monkeypatch.setattr(raw_prices, "download_text", self._download)
        monkeypatch.setenv("AWS_ACCESS_KEY_ID", "test")
        monkeypatch.setenv("AWS_SECRET_ACCESS_KEY", "test")

    def run(self, now: str, prices: str = "") -> dict[str, Any]:
        """Materialise both assets at the time; gives the metadata of `raw.model_prices` as plain values."""
        settings = self._settings(now, prices)
        result = dg.materialize(
            price_assets, resources=self._resources(settings), instance=self._instance, raise_on_error=True
        )
        (event,) = result.asset_materializations_for_node("raw__model_prices")
        return {name: value.value for name, value in event.metadata.items()}

    def query(self, sql: str) -> list[tuple[Any, ...]]:
        with self.warehouse.connect() as con:
            return con.execute(sql).fetchall()

    def nova(self) -> list[tuple[Any, ...]]:
        """(US dollars, start, end) of Nova Lite's input tokens through a geo profile, in every Region."""
        return self.query(
            f"""
            select usd_per_million, valid_from, valid_to
            from raw.model_prices
            where
                model_id = '{NOVA}' and endpoint_type = 'geo' and region = '*' and token_kind = 'input'
                and service_tier = 'default' and context_band = 'standard'
            order by valid_from
            """
        )

    def statuses(self) -> list[tuple[Any, ...]]:
        return self.query(
            """
            select account_name, partition_date::varchar, status, error_text
            from ops.source_status
            where source = 'model_prices'
            order by partition_date, account_name
            """
        )

    def write(self, name: str, text: str) -> None:
        (self.folder / name).write_text(text, encoding="utf-8")

    def _download(self, address: str) -> str:
        self.downloads.append(address)
        if isinstance(self.page, Exception):
            raise self.page
        return self.page

    def _settings(self, now: str, prices: str) -> Settings:
        self.write(
            "usage_pipeline.yaml",
            f"accounts:\n  - name: production\n    regions: [us-east-1]\nas_of: {now}\n{prices}",
        )
        return load_settings(self.folder / "usage_pipeline.yaml")

    def _resources(self, settings: Settings) -> dict[str, object]:
        session = AccountSession(settings.accounts[0])
        client = session.client("pricing", "us-east-1")
        products = self.products
        answer = products if isinstance(products, Exception) else {"PriceList": products}
        self.calls = connect_answers(client, {"GetProducts": answer})
        aws = AwsAccess(settings)
        scope = Scope("111122223333", "production", "us-east-1", "aws")
        aws._resolved = ResolvedScopes((scope,), (), {scope.account_name: session})
        return {"settings": settings, "aws": aws, "warehouse": self.warehouse}


@pytest.fixture(scope="module")
def instance() -> dg.DagsterInstance:
    """Where the runs of all tests are noted; what an asset does depends on the warehouse alone."""
    return instance_in_memory()


@cache
def snapshot_of_nova() -> list[ModelPrice]:
    """What the package's snapshot says of one model, as if it said no more."""
    return [price for price in snapshot_prices() if price.model_id == NOVA]


@pytest.fixture
def pipeline(tmp_path: Path, instance: dg.DagsterInstance, monkeypatch: pytest.MonkeyPatch) -> Iterator[Pipeline]:
    monkeypatch.setattr(price_readings, "snapshot_prices", snapshot_of_nova)
    with empty_warehouse_resource() as warehouse:
        yield Pipeline(tmp_path, warehouse, instance, monkeypatch)


@pytest.fixture
def with_whole_snapshot(pipeline: Pipeline, monkeypatch: pytest.MonkeyPatch) -> Pipeline:
    """With all five thousand prices of the package."""
    monkeypatch.setattr(price_readings, "snapshot_prices", snapshot_prices)
    return pipeline


def row(usd: str, start: str = "2023-09-28", end: str = "") -> str:
    return f"{NOVA},geo,*,default,standard,,input,{usd},{start},{end},a contract\n"


def at(text: str) -> dt.datetime:
    return dt.datetime.fromisoformat(text)


BEGIN = at("2023-09-28")
LITELLM = "prices:\n  sources: [snapshot, litellm_json: https://prices.example/litellm.json]\n"
AWS = "prices:\n  sources: [snapshot, aws_price_list]\n"


def litellm(usd_per_token: float) -> str:
    entry = {"litellm_provider": "bedrock", "input_cost_per_token": usd_per_token}
    return json.dumps({f"us.{NOVA}": entry, NOVA: entry})


def listed(usd: str, usage_type: str = "USE1-NovaLite-input-tokens") -> str:
    return json.dumps(
        {
            "serviceCode": "AmazonBedrock",
            "product": {"sku": "ABC", "attributes": {"usagetype": usage_type, "regionCode": "us-east-1"}},
            "terms": {
                "OnDemand": {"T": {"priceDimensions": {"T.D": {"unit": "1K tokens", "pricePerUnit": {"USD": usd}}}}}
            },
        }
    )


def test_without_settings_the_snapshot_is_stored(with_whole_snapshot: Pipeline) -> None:
    pipeline = with_whole_snapshot
    metadata = pipeline.run("2026-11-20T10:00:00Z")
    assert pipeline.nova() == [(Decimal("0.06"), BEGIN, None)]
    assert metadata["dagster/row_count"] == pipeline.query("select count(*) from raw.model_prices")[0][0] > 5000
    assert pipeline.statuses() == [("snapshot", "2026-11-20", "ok", None)]
    assert pipeline.query("from raw.price_overrides") == []


def test_a_second_run_changes_nothing(with_whole_snapshot: Pipeline) -> None:
    pipeline = with_whole_snapshot
    pipeline.run("2026-11-20T10:00:00Z")
    before = pipeline.query("from raw.model_prices")
    assert pipeline.run("2026-11-21T10:00:00Z")["changed_rows"] == 0
    assert pipeline.query("from raw.model_prices") == before


def test_a_users_file_replaces_the_snapshot(pipeline: Pipeline) -> None:
    pipeline.run("2026-11-19T10:00:00Z")
    pipeline.write("ours.csv", HEADER + row("0.05"))
    pipeline.run("2026-11-20T10:00:00Z", "prices:\n  file: ours.csv\n")
    assert pipeline.query("select usd_per_million, source from raw.model_prices") == [
        (Decimal("0.05"), "file ours.csv: a contract")
    ]
    assert pipeline.statuses()[-1] == ("file", "2026-11-20", "ok", None)


def test_a_dated_change_in_a_file_gives_two_prices_and_a_correction_changes_the_past(pipeline: Pipeline) -> None:
    settings = "prices:\n  file: ours.csv\n"
    pipeline.write("ours.csv", HEADER + row("0.05", end="2026-11-15T10:00:00Z") + row("0.04", "2026-11-15T10:00:00Z"))
    pipeline.run("2026-11-20T10:00:00Z", settings)
    change = at("2026-11-15T10:00:00")
    assert pipeline.nova() == [(Decimal("0.05"), BEGIN, change), (Decimal("0.04"), change, None)]

    pipeline.write("ours.csv", HEADER + row("0.07"))
    pipeline.run("2026-11-20T11:00:00Z", settings)
    assert pipeline.nova() == [(Decimal("0.07"), BEGIN, None)]


def test_a_wrong_file_stops_the_asset_and_leaves_what_is_stored(pipeline: Pipeline) -> None:
    pipeline.run("2026-11-19T10:00:00Z")
    pipeline.write("ours.csv", HEADER + row("dear"))
    with pytest.raises(ReferenceDataError, match=r"^ours.csv, line 2, column usd_per_million: read 'dear'; allowed is"):
        pipeline.run("2026-11-20T10:00:00Z", "prices:\n  file: ours.csv\n")
    assert pipeline.nova() == [(Decimal("0.06"), BEGIN, None)]


def test_another_price_of_a_source_closes_the_row_at_the_refresh(pipeline: Pipeline) -> None:
    pipeline.page = litellm(5e-08)
    metadata = pipeline.run("2026-11-20T10:00:00Z", LITELLM)
    assert pipeline.downloads == ["https://prices.example/litellm.json"]
    refresh = at("2026-11-20T10:00:00")
    assert pipeline.nova() == [(Decimal("0.06"), BEGIN, refresh), (Decimal("0.05"), refresh, None)]
    assert pipeline.statuses() == [
        ("litellm_json", "2026-11-20", "ok", None),
        ("snapshot", "2026-11-20", "ok", None),
    ]
    assert "| litellm_json | ok |" in metadata["sources"]


def test_a_source_is_asked_once_a_week_and_keeps_its_price_between(pipeline: Pipeline) -> None:
    pipeline.page = litellm(5e-08)
    for day in ("2026-11-20", "2026-11-21", "2026-11-26"):
        pipeline.run(f"{day}T10:00:00Z", LITELLM)
    assert len(pipeline.downloads) == 1

    pipeline.page = litellm(4e-08)
    pipeline.run("2026-11-27T10:00:00Z", LITELLM)
    assert len(pipeline.downloads) == 2
    assert [(usd, start.isoformat()) for usd, start, _ in pipeline.nova()] == [
        (Decimal("0.06"), "2023-09-28T00:00:00"),
        (Decimal("0.05"), "2026-11-20T10:00:00"),
        (Decimal("0.04"), "2026-11-27T10:00:00"),
    ]


def test_a_source_that_fails_costs_no_price_says_so_and_is_asked_in_the_next_run(pipeline: Pipeline) -> None:
    pipeline.page = litellm(5e-08)
    pipeline.run("2026-11-20T10:00:00Z", LITELLM)
    before = pipeline.query("from raw.model_prices")

    for page, day in ((DownloadError("status 503."), "2026-11-27"), ("<html>", "2026-11-28")):
        pipeline.page = page
        pipeline.run(f"{day}T10:00:00Z", LITELLM)
        assert pipeline.query("from raw.model_prices") == before
    assert [status for status in pipeline.statuses() if status[0] == "litellm_json"] == [
        ("litellm_json", "2026-11-20", "ok", None),
        ("litellm_json", "2026-11-27", "failed", "https://prices.example/litellm.json: status 503."),
        (
            "litellm_json",
            "2026-11-28",
            "failed",
            "https://prices.example/litellm.json: Not JSON: Expecting value: line 1 column 1 (char 0).",
        ),
    ]


def test_a_second_failure_on_one_day_replaces_the_first(pipeline: Pipeline) -> None:
    for hour in ("10", "11"):
        pipeline.run(f"2026-11-20T{hour}:00:00Z", LITELLM)
    assert [name for name, *_ in pipeline.statuses()] == ["litellm_json", "snapshot"]


def test_a_source_that_is_switched_off_ends(pipeline: Pipeline) -> None:
    pipeline.page = litellm(5e-08)
    pipeline.run("2026-11-20T10:00:00Z", LITELLM)
    pipeline.run("2026-11-21T10:00:00Z")
    assert [(usd, start.isoformat()) for usd, start, _ in pipeline.nova()] == [
        (Decimal("0.06"), "2023-09-28T00:00:00"),
        (Decimal("0.05"), "2026-11-20T10:00:00"),
        (Decimal("0.06"), "2026-11-21T10:00:00"),
    ]


@pytest.fixture
def with_catalogue(pipeline: Pipeline) -> Pipeline:
    """A warehouse that knows the names of models, as the catalogue's asset leaves it."""
    pipeline.run("2026-11-19T10:00:00Z")
    with pipeline.warehouse.connect() as con:
        con.execute(
            f"""
            insert into raw.foundation_models by name
            select date '2026-11-19' as snapshot_date, '{NOVA}' as model_id, 'Nova Lite' as model_name,
                'Amazon' as provider_name
            """
        )
    return pipeline


def test_the_price_list_is_asked_for_each_service_and_gives_the_price_of_its_region(with_catalogue: Pipeline) -> None:
    with_catalogue.products = [listed("0.00005"), listed("0.1", "USE1-Guardrail-Units")]
    metadata = with_catalogue.run("2026-11-20T10:00:00Z", AWS)
    assert [asked["ServiceCode"] for _, asked in with_catalogue.calls] == [
        "AmazonBedrock",
        "AmazonBedrockService",
        "AmazonBedrockFoundationModels",
    ]
    assert with_catalogue.query(
        f"""
        select region, usd_per_million, valid_from, source
        from raw.model_prices
        where
            model_id = '{NOVA}' and endpoint_type = 'on_demand' and token_kind = 'input' and service_tier = 'default'
            and region in ('*', 'us-east-1')
        order by region
        """
    ) == [
        ("*", Decimal("0.06"), BEGIN, f"LiteLLM 1.109.1, 2026-11-20: {NOVA}"),
        (
            "us-east-1",
            Decimal("0.05"),
            at("2026-11-20T10:00:00"),
            "AWS Price List, 2026-11-20: USE1-NovaLite-input-tokens (ABC)",
        ),
    ]
    assert metadata["left_out"]["aws_price_list"] == {
        "no price of tokens on demand": {"count": 3, "examples": ["USE1-Guardrail-Units"] * 3}
    }


def test_a_refused_price_list_says_what_to_allow(with_catalogue: Pipeline) -> None:
    before = with_catalogue.query("from raw.model_prices")
    with_catalogue.products = error("GetProducts", "AccessDeniedException")
    with_catalogue.run("2026-11-20T10:00:00Z", AWS)
    assert with_catalogue.query("from raw.model_prices") == before
    assert with_catalogue.statuses()[1:] == [
        (
            "aws_price_list",
            "2026-11-20",
            "denied",
            "GetProducts: AccessDeniedException: no. Allow pricing:GetProducts.",
        ),
        ("snapshot", "2026-11-20", "ok", None),
    ]


def test_overrides_are_stored_and_go_with_their_file(pipeline: Pipeline) -> None:
    pipeline.write("price_overrides.csv", f"{OVERRIDES}amazon.*,*,*,,12.5,2026-01-01,2027-01-01,Ana\n")
    pipeline.run("2026-11-20T10:00:00Z")
    assert pipeline.query("from raw.price_overrides") == [
        ("amazon.*", "*", "*", None, Decimal("12.5"), at("2026-01-01"), at("2027-01-01"), "Ana", None, None)
    ]
    (pipeline.folder / "price_overrides.csv").unlink()
    pipeline.run("2026-11-21T10:00:00Z")
    assert pipeline.query("from raw.price_overrides") == []


def test_wrong_overrides_stop_the_asset_and_leave_what_is_stored(pipeline: Pipeline) -> None:
    pipeline.write("price_overrides.csv", f"{OVERRIDES}amazon.*,*,*,,12.5,2026-01-01,,Ana\n")
    pipeline.run("2026-11-20T10:00:00Z")
    pipeline.write("price_overrides.csv", f"{OVERRIDES}amazon.*,*,*,1,12.5,2026-01-01,,Ana\n")
    with pytest.raises(
        ReferenceDataError, match=r"^price_overrides.csv, line 2, column discount_percent: read '12.5';"
    ):
        pipeline.run("2026-11-21T10:00:00Z")
    assert len(pipeline.query("from raw.price_overrides")) == 1
