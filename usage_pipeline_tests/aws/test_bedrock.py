from dataclasses import fields
from datetime import UTC, datetime
from typing import Any

import pytest

from usage_pipeline.aws.bedrock import (
    CustomDeployment,
    FoundationModel,
    ImportedModel,
    InferenceProfile,
    list_custom_deployments,
    list_foundation_models,
    list_imported_models,
    list_inference_profiles,
)
from usage_pipeline.aws.errors import ReadingError, Shortfall
from usage_pipeline.aws.service_quotas import ServiceQuota, list_service_quotas
from usage_pipeline.raw_tables import (
    CUSTOM_DEPLOYMENTS,
    FOUNDATION_MODELS,
    IMPORTED_MODELS,
    INFERENCE_PROFILES,
    SERVICE_QUOTAS,
    StoredTable,
)
from usage_pipeline_tests.aws.canned_aws import canned_client, error, pages

SENT = datetime(2026, 11, 1, 12, 0, tzinfo=UTC)
STORED = datetime.fromisoformat("2026-11-01T12:00")
ARN = "arn:aws:bedrock:us-east-1:111122223333"
NOVA = "arn:aws:bedrock:us-east-1::foundation-model/amazon.nova-lite-v1:0"


@pytest.mark.parametrize(
    ("row", "table"),
    [
        (FoundationModel, FOUNDATION_MODELS),
        (InferenceProfile, INFERENCE_PROFILES),
        (CustomDeployment, CUSTOM_DEPLOYMENTS),
        (ImportedModel, IMPORTED_MODELS),
        (ServiceQuota, SERVICE_QUOTAS),
    ],
)
def test_a_row_has_the_columns_of_its_table_beside_time_and_scope(row: type, table: StoredTable) -> None:
    when_and_where = {"snapshot_date", "account_id", "region", "valid_from", "valid_to"}
    assert [field.name for field in fields(row)] == [
        column.name for column in table.columns if column.name not in when_and_where
    ]


def test_foundation_models_keep_what_aws_leaves_out_as_unknown() -> None:
    full = {
        "modelArn": NOVA,
        "modelId": "amazon.nova-lite-v1:0",
        "modelName": "Nova Lite",
        "providerName": "Amazon",
        "inputModalities": ["TEXT", "IMAGE"],
        "outputModalities": ["TEXT"],
        "inferenceTypesSupported": ["ON_DEMAND", "INFERENCE_PROFILE"],
        "modelLifecycle": {
            "status": "LEGACY",
            "legacyTime": SENT,
            "publicExtendedAccessTime": SENT,
            "endOfLifeTime": SENT,
        },
    }
    client, _ = canned_client(
        "bedrock", {"ListFoundationModels": {"modelSummaries": [full, {"modelArn": "arn:x", "modelId": "x"}]}}
    )
    assert list_foundation_models(client).rows == (
        FoundationModel(
            "amazon.nova-lite-v1:0",
            NOVA,
            "Nova Lite",
            "Amazon",
            ("TEXT", "IMAGE"),
            ("TEXT",),
            ("ON_DEMAND", "INFERENCE_PROFILE"),
            "LEGACY",
            STORED,
            STORED,
            STORED,
        ),
        FoundationModel("x", "arn:x", None, None, (), (), (), None, None, None, None),
    )


def test_an_answer_without_a_field_we_need_is_a_reading_error() -> None:
    client, _ = canned_client("bedrock", {"ListFoundationModels": {"modelSummaries": [{"modelArn": "arn:x"}]}})
    with pytest.raises(ReadingError, match="ListFoundationModels: the answer has an entry without 'modelId'"):
        list_foundation_models(client)


def profile(profile_id: str, profile_type: str, name: str = "a name") -> dict[str, Any]:
    kind = "application-inference-profile" if profile_type == "APPLICATION" else "inference-profile"
    return {
        "inferenceProfileName": name,
        "inferenceProfileArn": f"{ARN}:{kind}/{profile_id}",
        "inferenceProfileId": profile_id,
        "models": [{"modelArn": NOVA}, {"modelArn": NOVA.replace("us-east-1", "us-west-2")}],
        "status": "ACTIVE",
        "type": profile_type,
        "createdAt": SENT,
    }


def profiles_client(tags: Any, count: int = 3) -> tuple[Any, list]:
    listed = {
        "SYSTEM_DEFINED": pages(
            "inferenceProfileSummaries", [profile("us.amazon.nova-lite-v1:0", "SYSTEM_DEFINED")], 2
        ),
        "APPLICATION": pages(
            "inferenceProfileSummaries", [profile(f"abc{number}", "APPLICATION") for number in range(count)], 2
        ),
    }
    return canned_client(
        "bedrock",
        {"ListInferenceProfiles": lambda asked: listed[asked["typeEquals"]](asked), "ListTagsForResource": tags},
    )


def test_profiles_of_both_types_are_read_page_by_page_with_tags_of_application_profiles() -> None:
    client, calls = profiles_client(lambda asked: {"tags": [{"key": "team", "value": asked["resourceARN"][-4:]}]})
    listing = list_inference_profiles(client)
    assert listing.shortfall is None
    assert [(row.profile_id, row.profile_type, row.tags) for row in listing.rows] == [
        ("us.amazon.nova-lite-v1:0", "SYSTEM_DEFINED", {}),
        ("abc0", "APPLICATION", {"team": "abc0"}),
        ("abc1", "APPLICATION", {"team": "abc1"}),
        ("abc2", "APPLICATION", {"team": "abc2"}),
    ]
    assert listing.rows[1] == InferenceProfile(
        "abc0",
        f"{ARN}:application-inference-profile/abc0",
        "a name",
        "APPLICATION",
        "ACTIVE",
        (NOVA, NOVA.replace("us-east-1", "us-west-2")),
        {"team": "abc0"},
        STORED,
        None,
    )
    assert sorted(name for name, _ in calls) == ["ListInferenceProfiles"] * 3 + ["ListTagsForResource"] * 3


def test_denied_tags_leave_the_profile_and_are_told() -> None:
    def tags(asked: dict[str, Any]) -> dict[str, Any]:
        if asked["resourceARN"].endswith("abc1"):
            raise error("ListTagsForResource", "AccessDeniedException", "not authorized")
        return {"tags": []}

    client, _ = profiles_client(tags)
    listing = list_inference_profiles(client)
    assert [row.tags for row in listing.rows] == [{}, {}, None, {}]
    assert listing.shortfall == Shortfall(
        "denied",
        "1 of 3 application inference profiles: ListTagsForResource: AccessDeniedException: not authorized. Allow "
        "bedrock:ListTagsForResource.",
    )


def test_a_profile_that_was_deleted_meanwhile_is_no_trouble() -> None:
    client, _ = profiles_client(error("ListTagsForResource", "ResourceNotFoundException"), count=1)
    listing = list_inference_profiles(client)
    assert listing.rows[1].tags is None
    assert listing.shortfall is None


def deployment(number: int) -> dict[str, Any]:
    return {
        "customModelDeploymentArn": f"{ARN}:custom-model-deployment/d{number}",
        "customModelDeploymentName": f"deployment {number}",
        "modelArn": f"{ARN}:custom-model/m",
        "createdAt": SENT,
        "status": "Active",
    }


def test_deployments_know_the_model_they_were_made_from_which_is_asked_once() -> None:
    client, calls = canned_client(
        "bedrock",
        {
            "ListCustomModelDeployments": pages("modelDeploymentSummaries", [deployment(1), deployment(2)], 1),
            "GetCustomModel": {"baseModelArn": NOVA},
        },
    )
    assert list_custom_deployments(client).rows == tuple(
        CustomDeployment(
            f"{ARN}:custom-model-deployment/d{number}",
            f"deployment {number}",
            f"{ARN}:custom-model/m",
            NOVA,
            "Active",
            STORED,
        )
        for number in (1, 2)
    )
    assert [name for name, _ in calls].count("GetCustomModel") == 1


def test_a_base_model_that_may_not_be_read_is_unknown_and_told() -> None:
    client, _ = canned_client(
        "bedrock",
        {
            "ListCustomModelDeployments": {"modelDeploymentSummaries": [deployment(1)]},
            "GetCustomModel": error("GetCustomModel", "AccessDeniedException"),
        },
    )
    listing = list_custom_deployments(client)
    assert listing.rows[0].base_model_arn is None
    assert listing.shortfall is not None
    assert listing.shortfall.status == "denied"


def test_imported_models_are_read_page_by_page() -> None:
    models = [
        {
            "modelArn": f"{ARN}:imported-model/i{number}",
            "modelName": "mine",
            "creationTime": SENT,
            "instructSupported": True,
            "modelArchitecture": "llama",
        }
        for number in range(3)
    ]
    client, calls = canned_client("bedrock", {"ListImportedModels": pages("modelSummaries", models, 2)})
    assert list_imported_models(client).rows == tuple(
        ImportedModel(f"{ARN}:imported-model/i{number}", "mine", "llama", True, STORED) for number in range(3)
    )
    assert len(calls) == 2


def quota(code: str, value: float | None, name: str = "a quota") -> dict[str, Any]:
    entry = {"QuotaCode": code, "QuotaName": name, "QuotaArn": f"arn:{code}", "Unit": "None", "Adjustable": True}
    return entry if value is None else {**entry, "Value": value}


def test_an_applied_quota_wins_over_the_default_and_zero_is_a_value() -> None:
    client, calls = canned_client(
        "service-quotas",
        {
            "ListAWSDefaultServiceQuotas": pages("Quotas", [quota("L-1", 10), quota("L-2", 20), quota("L-3", 30)], 2,
                                                 "NextToken"),
            "ListServiceQuotas": pages("Quotas", [quota("L-2", 0), quota("L-3", None), quota("L-4", 4)], 1,
                                       "NextToken"),
        },
    )  # fmt: skip
    rows = list_service_quotas(client).rows
    assert [(row.quota_code, row.limit_value, row.limit_source, row.default_value) for row in rows] == [
        ("L-1", 10, "default", 10),
        ("L-2", 0, "applied", 20),
        ("L-3", 30, "default", 30),
        ("L-4", 4, "applied", None),
    ]
    assert rows[0] == ServiceQuota("L-1", "a quota", 10, "default", 10, "None", True, "arn:L-1")
    assert len(calls) == 5
