"""The validator itself, and every operation of ours against it."""

from collections.abc import Callable
from datetime import timedelta
from typing import Any

import botocore.session
import pytest

from usage_pipeline.quotas.llm_mapper import Question, converse_request
from usage_pipeline.quotas.model_names import FoundationModel
from usage_pipeline.quotas.rule_mapper import Quota
from usage_pipeline_tests.sandbox.answers import AnswerChecker, problems_of
from usage_pipeline_tests.sandbox.conftest import END, MakeClient

PROFILE_ARN = "arn:aws:bedrock:us-east-1:111122223333:application-inference-profile/k3v9x2m7q1ta"
DEPLOYMENT_ARN = "arn:aws:bedrock:us-east-1:111122223333:custom-model-deployment/dep4x7k2m9q1"
CUSTOM_MODEL_ARN = "arn:aws:bedrock:us-east-1:111122223333:custom-model/amazon.nova-lite-v1:0:300k/cm7h2n5p8r3t"
ROUTER_SERIES = {
    "Namespace": "AWS/Bedrock",
    "MetricName": "Invocations",
    "Dimensions": [{"Name": "ModelId", "Value": "amazon.nova-micro-v1:0"}],
}
METRIC_DATA: dict[str, Any] = {
    "MetricDataQueries": [{"Id": "m1", "MetricStat": {"Metric": ROUTER_SERIES, "Period": 60, "Stat": "p90"}}],
    "StartTime": END - timedelta(hours=2),
    "EndTime": END,
    "MaxDatapoints": 50,
}

OPEN_QUOTAS = Question(
    FoundationModel("zai.glm-5v-106b-a12b", "GLM-5V 106B A12B", "Z.AI"),
    "geo",
    {"tpm": (Quota("L-6A3D91F0", "Cross-region model inference tokens per minute for Z.ai GLM 5V"),)},
)

Call = Callable[[Any], Any]

CALLS_IN_BOTH_ACCOUNTS: list[tuple[str, Call]] = [
    ("bedrock", lambda c: c.list_foundation_models()),
    ("bedrock", lambda c: c.list_inference_profiles(typeEquals="SYSTEM_DEFINED", maxResults=5)),
    ("bedrock", lambda c: c.list_inference_profiles(typeEquals="APPLICATION")),
    ("bedrock", lambda c: c.get_inference_profile(inferenceProfileIdentifier="us.amazon.nova-lite-v1:0")),
    ("bedrock", lambda c: c.list_custom_model_deployments()),
    ("bedrock", lambda c: c.list_imported_models()),
    ("bedrock", lambda c: c.list_provisioned_model_throughputs()),
    ("bedrock-runtime", lambda c: c.converse(**converse_request(OPEN_QUOTAS, "amazon.nova-pro-v1:0"))),
    ("service-quotas", lambda c: c.list_service_quotas(ServiceCode="bedrock")),
    ("service-quotas", lambda c: c.list_aws_default_service_quotas(ServiceCode="bedrock")),
    ("service-quotas", lambda c: c.get_service_quota(ServiceCode="bedrock", QuotaCode="L-F4DDD3EB")),
    ("service-quotas", lambda c: c.get_aws_default_service_quota(ServiceCode="bedrock", QuotaCode="L-59759B4A")),
    ("account", lambda c: c.list_regions()),
    ("cloudwatch", lambda c: c.list_metrics(Namespace="AWS/Bedrock")),
    ("cloudwatch", lambda c: c.get_metric_data(**METRIC_DATA)),
]
CALLS_ABOUT_PRODUCTION: list[tuple[str, Call]] = [
    ("bedrock", lambda c: c.get_inference_profile(inferenceProfileIdentifier=PROFILE_ARN)),
    ("bedrock", lambda c: c.list_tags_for_resource(resourceARN=PROFILE_ARN)),
    ("bedrock", lambda c: c.get_custom_model_deployment(customModelDeploymentIdentifier=DEPLOYMENT_ARN)),
    ("bedrock", lambda c: c.get_custom_model(modelIdentifier=CUSTOM_MODEL_ARN)),
]


def problems_of_answer(client: Any, call: Call) -> list[str]:
    checker = AnswerChecker(client)
    call(client)
    assert checker.answers == 1
    return checker.problems


@pytest.mark.parametrize(("service", "call"), CALLS_IN_BOTH_ACCOUNTS + CALLS_ABOUT_PRODUCTION)
def test_answer_is_as_the_service_model_says(make_client: MakeClient, service: str, call: Call):
    assert problems_of_answer(make_client(service), call) == []


@pytest.mark.parametrize(("service", "call"), CALLS_IN_BOTH_ACCOUNTS)
def test_answer_of_the_other_account_too(make_client: MakeClient, service: str, call: Call):
    assert problems_of_answer(make_client(service, "444455556666"), call) == []


@pytest.mark.parametrize(("service", "call"), CALLS_ABOUT_PRODUCTION)
def test_an_account_does_not_see_what_another_owns(make_client: MakeClient, service: str, call: Call):
    client = make_client(service, "444455556666")
    with pytest.raises(client.exceptions.ResourceNotFoundException):
        call(client)


def test_a_wrong_answer_is_found():
    model = botocore.session.get_session().get_service_model("bedrock")
    shape = model.operation_model("ListInferenceProfiles").output_shape
    assert shape is not None
    profile = {
        "inferenceProfileName": 3,
        "inferenceProfileId": "x",
        "inferenceProfileArn": "y",
        "models": [],
        "status": "SLEEPING",
        "colour": "red",
    }
    assert problems_of({"inferenceProfileSummaries": [profile]}, shape, "answer") == [
        "answer.inferenceProfileSummaries[]: type is missing",
        "answer.inferenceProfileSummaries[]: colour is not in the model",
        "answer.inferenceProfileSummaries[].inferenceProfileName: 3 is no string",
        "answer.inferenceProfileSummaries[].status: 'SLEEPING' is none of ['ACTIVE']",
    ]
