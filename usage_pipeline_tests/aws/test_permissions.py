from datetime import datetime
from typing import Any

import pytest

from usage_pipeline.aws.permissions import Permission, probe
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
    "ListServiceQuotas": {},
    "ListAWSDefaultServiceQuotas": {},
    "ListRegions": {},
}


def probed(monkeypatch: pytest.MonkeyPatch, answers: dict[str, Any], regions: Any = ("us-east-1",)) -> list[Permission]:
    monkeypatch.setattr(AccountSession, "client", lambda self, service, region: canned_client(service, answers)[0])
    return probe(AccountSession(AccountSettings(name="production", regions=regions)), EAST, NOW)


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
    ]


def test_listing_regions_is_tried_where_the_configuration_needs_it(monkeypatch: pytest.MonkeyPatch) -> None:
    assert probed(monkeypatch, GRANTED, "auto")[-1] == Permission(
        EAST, "account:ListRegions", "`regions: auto`", "ok", None
    )


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
