from datetime import timedelta
from pathlib import Path
from typing import Any

import dagster as dg
import pyarrow as pa
import pytest

from usage_pipeline.assets.quota_mappings import mapping_rows, raw_quota_overrides
from usage_pipeline.config import Settings
from usage_pipeline.raw_tables import QUOTA_MAPPINGS, QUOTA_OVERRIDES, SERVICE_QUOTAS
from usage_pipeline.warehouse import Warehouse, arrow_schema, replace_all
from usage_pipeline_tests.marts.factory import NOVA, SONNET, Store, arns, at
from usage_pipeline_tests.pipeline_runs import instance_in_memory

ON_DEMAND_NOVA = "On-demand model inference tokens per minute for Amazon Nova Lite"
DEPLOYED_NOVA = "(Model customization) Sum of on demand custom model deployment tokens per minute for Amazon Nova Lite"
GLOBAL_SONNET = "Global cross-region model inference tokens per minute for Anthropic Claude Sonnet 4.5 V1"
NOW = at("15T10:30")
GEO_SONNET = "Cross-region model inference tokens per minute for Anthropic Claude Sonnet 4.5 V1"


@pytest.fixture
def store() -> Store:
    return Store()


def mapped(store: Store) -> list[tuple[str, str, str, str]]:
    """(model, endpoint type, kind, quota name) of what is mapped."""
    store.write()
    return [
        (row["model_id"], row["endpoint_type"], row["quota_kind"], row["quota_name"])
        for row in mapping_rows(store.con, NOW)
        if row["status"] == "mapped"
    ]


def test_every_model_endpoint_type_and_kind_of_a_scope_has_a_row_with_its_reason(store: Store) -> None:
    store.model(NOVA, model_name="Nova Lite", provider_name="Amazon")
    code = store.quota(NOVA, "on_demand", "tpm", 4_000_000, name=ON_DEMAND_NOVA, mapped=False)
    store.write()

    rows = mapping_rows(store.con, NOW)

    assert len(rows) == 4 * 4
    assert rows[0] == {
        "account_id": "111122223333",
        "region": "us-east-1",
        "model_id": NOVA,
        "endpoint_type": "on_demand",
        "quota_kind": "tpm",
        "quota_code": code,
        "quota_name": ON_DEMAND_NOVA,
        "method": "rule",
        "status": "mapped",
        "reason": rows[0]["reason"],
        "mapper_model_id": None,
        "mapped_at": NOW,
    }
    assert all(row["reason"].endswith(".") for row in rows)
    assert {row["status"] for row in rows[1:]} == {"no_quota"}


def test_a_scope_whose_quotas_were_never_read_has_no_rows(store: Store) -> None:
    store.model(NOVA, provider_name="Amazon")
    store.write()

    assert mapping_rows(store.con, NOW) == []


def test_the_newest_catalogue_of_the_scope_decides(store: Store) -> None:
    store.model(SONNET, model_name="Claude Sonnet 4.5")
    store.quota(SONNET, "geo", "tpm", 1, name=GEO_SONNET, mapped=False, valid_to=at("14T10:30"))
    store.quota(SONNET, "global", "tpm", 1, name=GLOBAL_SONNET, mapped=False)

    assert mapped(store) == [(SONNET, "global", "tpm", GLOBAL_SONNET)]


def test_a_model_that_only_a_profile_names_is_mapped(store: Store) -> None:
    store.system_profile(f"global.{SONNET}", arns(SONNET, "us-east-1", ""))
    store.quota(SONNET, "global", "tpm", 1, name=GLOBAL_SONNET, mapped=False)

    assert mapped(store) == [(SONNET, "global", "tpm", GLOBAL_SONNET)]


def test_a_model_that_only_its_use_names_is_mapped(store: Store) -> None:
    store.usage(f"us.{SONNET}", at("14T10:00"), invocations=1)
    store.quota(SONNET, "geo", "tpm", 1, name=GEO_SONNET, mapped=False)

    assert mapped(store) == [(SONNET, "geo", "tpm", GEO_SONNET)]


def test_the_base_model_of_a_custom_deployment_is_mapped(store: Store) -> None:
    store.custom_deployment("arn:aws:bedrock:us-east-1:111122223333:custom-model-deployment/d", NOVA)
    store.quota(NOVA, "custom_deployment", "tpm", 1, name=DEPLOYED_NOVA, mapped=False)

    assert mapped(store) == [(NOVA, "custom_deployment", "tpm", DEPLOYED_NOVA)]


def test_ids_that_are_no_models_are_not_mapped(store: Store) -> None:
    store.usage("abc123def456", at("14T10:00"), invocations=1)
    store.usage("arn:aws:bedrock:us-east-1:111122223333:imported-model/x.y", at("14T10:00"), invocations=1)
    store.custom_deployment("arn:d", None)
    store.quota(NOVA, "on_demand", "tpm", 1, name=ON_DEMAND_NOVA, mapped=False)
    store.write()

    assert mapping_rows(store.con, NOW) == []


def decide(store: Store, kind: str, code: str | None, **values: str) -> None:
    """A person's word on the on-demand quotas of Nova."""
    row = {"model_id": NOVA, "endpoint_type": "on_demand", "quota_kind": kind, "quota_code": code, **values}
    store.add(QUOTA_OVERRIDES, **row)


def decided(store: Store) -> dict[tuple[str, str], tuple[str | None, str, str]]:
    """Code, method and status by Region and kind, of Nova's on-demand quotas."""
    store.write()
    return {
        (row["region"], row["quota_kind"]): (row["quota_code"], row["method"], row["status"])
        for row in mapping_rows(store.con, NOW)
        if (row["model_id"], row["endpoint_type"]) == (NOVA, "on_demand")
    }


def test_overrides_win_in_the_scopes_for_which_they_hold(store: Store) -> None:
    code = store.quota(NOVA, "on_demand", "tpm", 1, name=ON_DEMAND_NOVA, mapped=False)
    for region in ("us-east-1", "eu-west-1"):
        store.model(NOVA, model_name="Nova Lite", provider_name="Amazon", region=region)
        if region != "us-east-1":
            store.add(
                SERVICE_QUOTAS,
                account_id="111122223333",
                region=region,
                quota_code=code,
                quota_name=ON_DEMAND_NOVA,
                valid_from=NOW,
            )
    decide(store, "tpm", None, region="eu-west-1")
    decide(store, "rpm", "L-0000000A", account_id="111122223333")
    decide(store, "tpd", "L-0000000B", account_id="444455556666")

    found = decided(store)

    assert found["us-east-1", "tpm"] == (code, "rule", "mapped")
    assert found["eu-west-1", "tpm"] == (None, "override", "no_quota")
    assert found["us-east-1", "rpm"] == found["eu-west-1", "rpm"] == ("L-0000000A", "override", "mapped")
    assert found["us-east-1", "tpd"] == (None, "none", "no_quota")


def test_a_mapping_keeps_the_moment_at_which_it_was_first_made_so(store: Store) -> None:
    store.model(NOVA, model_name="Nova Lite", provider_name="Amazon")
    store.quota(NOVA, "on_demand", "tpm", 1, name=ON_DEMAND_NOVA, mapped=False)
    store.write()
    first = mapping_rows(store.con, NOW)
    put(store, first)

    later = NOW + timedelta(days=1)
    assert mapping_rows(store.con, later) == first

    decide(store, "tpm", "L-0000000A")
    store.write()
    changed = mapping_rows(store.con, later)
    assert {(row["quota_kind"], row["method"], row["mapped_at"]) for row in changed if row["mapped_at"] != NOW} == {
        ("tpm", "override", later)
    }
    put(store, changed)

    store.con.execute("delete from raw.quota_overrides")
    back = mapping_rows(store.con, later + timedelta(days=1))
    assert [row["mapped_at"] for row in back if row["status"] == "mapped"] == [later + timedelta(days=1)]


def test_mappings_of_an_earlier_version_without_a_moment_get_one(store: Store) -> None:
    store.model(NOVA, model_name="Nova Lite", provider_name="Amazon")
    store.quota(NOVA, "on_demand", "tpm", 1, name=ON_DEMAND_NOVA)
    store.write()

    assert {row["mapped_at"] for row in mapping_rows(store.con, NOW)} == {NOW}


def put(store: Store, rows: list[dict[str, Any]]) -> None:
    replace_all(store.con, QUOTA_MAPPINGS, pa.Table.from_pylist(rows, schema=arrow_schema(QUOTA_MAPPINGS)))


CONFIGURATION = {"accounts": [{"name": "production", "regions": ["us-east-1"]}], "as_of": NOW.isoformat()}


def read_overrides_by_asset(folder: Path, **options: str) -> tuple[dg.ExecuteInProcessResult, list[tuple[Any, ...]]]:
    settings = Settings.in_folder({**CONFIGURATION, "quota_mapping": options}, folder)
    warehouse = Warehouse(database=str(folder / "warehouse.duckdb"))
    result = dg.materialize(
        [raw_quota_overrides],
        resources={"warehouse": warehouse, "settings": settings},
        instance=instance_in_memory(),
        raise_on_error=False,
    )
    with warehouse.connect() as con:
        return result, con.execute("select * from raw.quota_overrides order by all").fetchall()


def test_the_file_of_overrides_is_read_in_each_run_and_a_wrong_one_loses_nothing(tmp_path: Path) -> None:
    header = "model,endpoint,quota_type,quota_code,quota_name,method,account,region"
    path = tmp_path / "quota_overrides.csv"
    path.write_text(f"{header}\n{NOVA},geo,tpm,L-7C42E72A,Nova,rule,,us-east-1\n{NOVA},geo,rpm,,,override,,\n")
    expected = [
        (None, "us-east-1", NOVA, "geo", "tpm", "L-7C42E72A", "Nova"),
        (None, None, NOVA, "geo", "rpm", None, None),
    ]

    result, rows = read_overrides_by_asset(tmp_path, overrides_file=path.name)

    assert (result.success, rows) == (True, expected)

    path.write_text(f"{header}\n{NOVA},us,tpm,L-7C42E72A,Nova,rule,,\n")
    result, rows = read_overrides_by_asset(tmp_path, overrides_file=path.name)

    assert (result.success, rows) == (False, expected)
    failure = result.failure_data_for_node("raw__quota_overrides")
    assert failure is not None
    assert "quota_overrides.csv, line 2, column endpoint: read 'us'" in str(failure.error)

    assert read_overrides_by_asset(tmp_path)[1] == []
