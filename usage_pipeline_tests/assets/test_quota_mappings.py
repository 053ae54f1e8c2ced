import pytest

from usage_pipeline.assets.quota_mappings import mapping_rows
from usage_pipeline_tests.marts.factory import NOVA, SONNET, Store, arns, at

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
