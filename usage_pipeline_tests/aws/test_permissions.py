from datetime import datetime
from typing import Any

import pytest

from usage_pipeline.aws.permissions import Permission, probe, probe_mapping_model, probe_q_developer
from usage_pipeline.aws.scopes import Scope
from usage_pipeline.aws.sessions import AccountSession
from usage_pipeline.config import AccountSettings
from usage_pipeline_tests.aws.canned_aws import canned_client, error

EAST = Scope("111122223333", "production", "us-east-1", "aws")
NOW = datetime.fromisoformat("2026-11-15T10:30")

GRANTED: dict[str, Any] = {
    "ListMetrics": {},
    "GetMetricData": {},
    "ListFoundationModels": {},
    "ListInferenceProfiles": {},
    "ListTagsForResource": error("ListTagsForResource", "ResourceNotFoundException"),
    "ListCustomModelDeployments": {},
    "GetCustomModel": error("GetCustomModel", "ValidationException"),
    "ListImportedModels": {},
    "GetModelInvocationLoggingConfiguration": {},
    "ListServiceQuotas": {},
    "ListAWSDefaultServiceQuotas": {},
    "ListRegions": {"Regions": [{"RegionName": "us-east-1"}]},
    "DescribeRegions": {"Regions": [{"RegionName": "us-east-1"}]},
}


def probed(
    monkeypatch: pytest.MonkeyPatch, answers: dict[str, Any], regions: Any = ("us-east-1",), logs: Any = None
) -> list[Permission]:
    monkeypatch.setattr(AccountSession, "client", lambda self, service, region: canned_client(service, answers)[0])
    return probe(AccountSession(AccountSettings(name="production", regions=regions, logs=logs)), EAST, NOW)


def of_logs(permissions: list[Permission]) -> list[tuple[str, str]]:
    return [(found.action, found.status) for found in permissions[10:]]


def test_every_action_of_the_ingest_is_tried_once(monkeypatch: pytest.MonkeyPatch) -> None:
    assert [(found.action, found.status) for found in probed(monkeypatch, GRANTED)] == [
        ("cloudwatch:ListMetrics", "ok"),
        ("cloudwatch:GetMetricData", "ok"),
        ("bedrock:ListFoundationModels", "ok"),
        ("bedrock:ListInferenceProfiles", "ok"),
        ("bedrock:ListTagsForResource", "ok"),
        ("bedrock:ListCustomModelDeployments", "ok"),
        ("bedrock:GetCustomModel", "ok"),
        ("bedrock:ListImportedModels", "ok"),
        ("servicequotas:ListServiceQuotas", "ok"),
        ("servicequotas:ListAWSDefaultServiceQuotas", "ok"),
        ("bedrock:GetModelInvocationLoggingConfiguration", "ok"),
    ]


def test_listing_regions_is_tried_where_the_configuration_needs_it(monkeypatch: pytest.MonkeyPatch) -> None:
    assert probed(monkeypatch, GRANTED, "auto")[-2] == Permission(
        EAST, "account:ListRegions", "`regions: auto`", "ok", None
    )


def test_regions_that_only_ec2_may_list_are_enough(monkeypatch: pytest.MonkeyPatch) -> None:
    answers = {**GRANTED, "ListRegions": error("ListRegions", "AccessDeniedException")}

    assert probed(monkeypatch, answers, "auto")[-2].status == "ok"


def test_regions_that_nothing_may_list_are_told(monkeypatch: pytest.MonkeyPatch) -> None:
    refused = {name: error(name, "AccessDeniedException") for name in ("ListRegions", "DescribeRegions")}

    found = probed(monkeypatch, {**GRANTED, **refused}, "auto")[-2]

    assert (found.action, found.status) == ("account:ListRegions", "denied")
    assert "ec2:DescribeRegions" in (found.text or "")


def test_refusals_and_other_troubles_are_told_apart(monkeypatch: pytest.MonkeyPatch) -> None:
    answers = {
        **GRANTED,
        "ListTagsForResource": error("ListTagsForResource", "AccessDeniedException"),
        "ListServiceQuotas": error("ListServiceQuotas", "TooManyRequestsException"),
        "ListImportedModels": error("ListImportedModels", "ValidationException"),
    }
    assert [found for found in probed(monkeypatch, answers) if found.status != "ok"] == [
        Permission(
            EAST,
            "bedrock:ListTagsForResource",
            "profiles' tags",
            "denied",
            "ListTagsForResource: AccessDeniedException: no. Allow bedrock:ListTagsForResource.",
        ),
        Permission(
            EAST,
            "bedrock:ListImportedModels",
            "imported models",
            "failed",
            "ListImportedModels: ValidationException: no",
        ),
        Permission(
            EAST,
            "servicequotas:ListServiceQuotas",
            "quotas with a value of their own",
            "failed",
            "ListServiceQuotas: TooManyRequestsException: no",
        ),
    ]


def test_a_bucket_of_logs_is_listed_and_an_object_that_is_not_there_is_asked_for(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    answers = {
        **GRANTED,
        "GetModelInvocationLoggingConfiguration": {"loggingConfig": {"s3Config": {"bucketName": "my-logs"}}},
        "ListObjectsV2": {},
        "GetObject": error("GetObject", "NoSuchKey"),
    }
    assert of_logs(probed(monkeypatch, answers)) == [
        ("bedrock:GetModelInvocationLoggingConfiguration", "ok"),
        ("s3:ListBucket", "ok"),
        ("s3:GetObject", "ok"),
    ]


def test_a_bucket_that_may_be_listed_but_not_read_is_told(monkeypatch: pytest.MonkeyPatch) -> None:
    answers = {**GRANTED, "ListObjectsV2": {}, "GetObject": error("GetObject", "AccessDenied")}
    assert of_logs(probed(monkeypatch, answers, logs={"bucket": "my-logs", "prefix": "bedrock"})) == [
        ("s3:ListBucket", "ok"),
        ("s3:GetObject", "denied"),
    ]


def test_a_log_group_is_searched(monkeypatch: pytest.MonkeyPatch) -> None:
    answers = {**GRANTED, "FilterLogEvents": error("FilterLogEvents", "AccessDeniedException")}
    assert of_logs(probed(monkeypatch, answers, logs={"log_group": "/bedrock/calls"})) == [
        ("logs:FilterLogEvents", "denied"),
    ]


def test_without_the_right_to_ask_where_logs_go_nothing_more_is_tried(monkeypatch: pytest.MonkeyPatch) -> None:
    operation = "GetModelInvocationLoggingConfiguration"
    answers = {**GRANTED, operation: error(operation, "AccessDeniedException")}
    assert of_logs(probed(monkeypatch, answers)) == [(f"bedrock:{operation}", "denied")]


def test_the_model_that_maps_quotas_is_asked_for_one_token(monkeypatch: pytest.MonkeyPatch) -> None:
    client, calls = canned_client("bedrock-runtime", {"Converse": {}})
    monkeypatch.setattr(AccountSession, "client", lambda self, service, region: {"bedrock-runtime": client}[service])

    found = probe_mapping_model(AccountSession(AccountSettings(name="production")), EAST, "amazon.nova-pro-v1:0")

    assert found == Permission(EAST, "bedrock:InvokeModel", "asking the model that maps quotas", "ok", None)
    ((operation, request),) = calls
    assert (operation, request["modelId"]) == ("Converse", "amazon.nova-pro-v1:0")
    assert request["inferenceConfig"] == {"maxTokens": 1}


def test_logs_that_are_not_read_need_no_right(monkeypatch: pytest.MonkeyPatch) -> None:
    assert of_logs(probed(monkeypatch, GRANTED, logs="off")) == []


def probed_q_developer(
    monkeypatch: pytest.MonkeyPatch, answers: dict[str, Any], places: dict[str, Any] | None
) -> tuple[list[Permission], list[Any]]:
    client, calls = canned_client("s3", answers)
    monkeypatch.setattr(AccountSession, "client", lambda *_: client)
    account = AccountSettings.model_validate({"name": "production", "regions": ["us-east-1"], "q_developer": places})
    return probe_q_developer(AccountSession(account), EAST), calls


def test_where_nothing_of_q_developer_is_named_nothing_is_tried(monkeypatch: pytest.MonkeyPatch) -> None:
    assert probed_q_developer(monkeypatch, {}, None) == ([], [])


def test_each_place_of_q_developer_is_listed_and_read(monkeypatch: pytest.MonkeyPatch) -> None:
    places = {"prompt_logs": {"bucket": "q-logs", "prefix": "prompts"}, "activity_reports": {"bucket": "q-reports"}}
    answers = {"ListObjectsV2": {}, "GetObject": error("GetObject", "AccessDenied")}

    found, calls = probed_q_developer(monkeypatch, answers, places)

    assert [(permission.action, permission.status, permission.needed_for) for permission in found] == [
        ("s3:ListBucket", "ok", "which prompt logs of Amazon Q Developer there are"),
        ("s3:GetObject", "denied", "prompt logs of Amazon Q Developer"),
        ("s3:ListBucket", "ok", "which activity reports of Amazon Q Developer there are"),
        ("s3:GetObject", "denied", "activity reports of Amazon Q Developer"),
    ]
    assert [(call["Bucket"], call.get("Prefix")) for _, call in calls if "Prefix" in call] == [
        ("q-logs", "prompts/AWSLogs/111122223333/QDeveloperLogs/GenerateAssistantResponse/"),
        ("q-reports", "AWSLogs/111122223333/QDeveloperLogs/by_user_analytic/"),
    ]
