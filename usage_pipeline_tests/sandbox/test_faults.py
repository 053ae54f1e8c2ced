import json
import time
from datetime import timedelta
from typing import Any
from urllib.error import HTTPError
from urllib.request import Request, urlopen

import boto3
import pytest
from botocore.config import Config
from botocore.exceptions import ClientError

from usage_pipeline.sandbox import RunningSandbox
from usage_pipeline.sandbox.faults import FaultSwitches, UnknownFaultError
from usage_pipeline.sandbox.moto_setup import ACCESS_KEY_ID, SECRET_ACCESS_KEY
from usage_pipeline_tests.sandbox.conftest import END

PRODUCTION = "111122223333"


def client(sandbox: RunningSandbox, service: str, region: str = "us-east-1", attempts: int = 1) -> Any:
    return boto3.client(
        service,
        endpoint_url=sandbox.endpoint_url,
        region_name=region,
        aws_access_key_id=ACCESS_KEY_ID,
        aws_secret_access_key=SECRET_ACCESS_KEY,
        config=Config(retries={"total_max_attempts": attempts, "mode": "standard"}),
    )


def code_of(call: Any) -> str:
    with pytest.raises(ClientError) as refusal:
        call()
    return refusal.value.response["Error"]["Code"]


@pytest.mark.parametrize(
    "text",
    [
        "denied:bedrock",
        "denied::1:us-east-1",
        "throttled",
        "throttled:bedrock:often",
        "slow:bedrock",
        "partial_data:x",
        "truncated_log:3",
        "malformed_log_line:x",
        "earthquake",
        "",
    ],
)
def test_a_fault_of_no_known_form_is_refused(text: str):
    switches = FaultSwitches(["slow:bedrock:5"])
    with pytest.raises(UnknownFaultError, match="allowed: denied:<service>:<account>:<region>"):
        switches.switch_to(["partial_data", text])
    assert switches.texts == ("slow:bedrock:5",)


def test_denied_scope_leaves_the_others_whole(sandbox: RunningSandbox):
    sandbox.set_faults([f"denied:bedrock:{PRODUCTION}:ap-northeast-1"])
    tokyo, virginia = client(sandbox, "bedrock", "ap-northeast-1"), client(sandbox, "bedrock")
    assert code_of(tokyo.list_foundation_models) == "AccessDeniedException"
    assert len(virginia.list_foundation_models()["modelSummaries"]) > 30
    assert code_of(tokyo.list_imported_models) == "AccessDeniedException"
    sandbox.set_faults([])
    assert len(tokyo.list_foundation_models()["modelSummaries"]) > 20


@pytest.mark.parametrize(
    ("service", "operation", "code"),
    [
        ("cloudwatch", "list_metrics", "AccessDenied"),
        ("service-quotas", "list_services", "AccessDeniedException"),
        ("account", "list_regions", "AccessDeniedException"),
        ("sts", "get_caller_identity", "AccessDenied"),
        ("ec2", "describe_regions", "AccessDeniedException"),
        ("s3", "list_buckets", "AccessDenied"),
        ("logs", "describe_log_groups", "AccessDeniedException"),
    ],
)
def test_any_service_can_be_denied_everywhere(sandbox: RunningSandbox, service: str, operation: str, code: str):
    sandbox.set_faults([f"denied:{service}:*:*"])
    assert code_of(getattr(client(sandbox, service), operation)) == code


def test_the_logs_of_one_scope_can_be_denied(sandbox: RunningSandbox):
    sandbox.set_faults([f"denied:s3:{PRODUCTION}:us-east-1", f"denied:logs:{PRODUCTION}:ap-northeast-1"])
    s3, logs = client(sandbox, "s3"), client(sandbox, "logs", "ap-northeast-1")
    assert code_of(lambda: s3.list_objects_v2(Bucket="production-bedrock-logs")) == "AccessDenied"
    assert code_of(lambda: s3.get_object(Bucket="production-bedrock-logs", Key="a")) == "AccessDenied"
    assert code_of(lambda: logs.filter_log_events(logGroupName="/bedrock/invocations")) == "AccessDeniedException"
    sandbox.set_faults([])
    assert s3.list_objects_v2(Bucket="production-bedrock-logs", MaxKeys=1)["KeyCount"] == 1
    assert logs.filter_log_events(logGroupName="/bedrock/invocations", limit=1)["events"]


def test_one_account_can_be_closed_to_callers_from_another(sandbox: RunningSandbox):
    sandbox.set_faults(["denied:sts:444455556666:*"])
    sts = client(sandbox, "sts")

    def assume(account_id: str) -> Any:
        role = f"arn:aws:iam::{account_id}:role/usage-pipeline-reader"
        return sts.assume_role(RoleArn=role, RoleSessionName="tests", ExternalId="sandbox")

    assert code_of(lambda: assume("444455556666")) == "AccessDenied"
    assert PRODUCTION in assume(PRODUCTION)["AssumedRoleUser"]["Arn"]


def test_throttled_calls_are_counted_down(sandbox: RunningSandbox):
    sandbox.set_faults(["throttled:cloudwatch:2"])
    cloudwatch = client(sandbox, "cloudwatch")
    assert code_of(cloudwatch.list_metrics) == "ThrottlingException"
    assert code_of(cloudwatch.list_metrics) == "ThrottlingException"
    assert len(cloudwatch.list_metrics()["Metrics"]) > 100


def test_a_client_that_retries_gets_through(sandbox: RunningSandbox):
    sandbox.set_faults(["throttled:bedrock:1"])
    bedrock = client(sandbox, "bedrock", attempts=3)
    assert len(bedrock.list_foundation_models()["modelSummaries"]) > 30
    assert sandbox.call_counts == {"bedrock.ListFoundationModels": 2}


def test_throttled_without_a_number_lasts(sandbox: RunningSandbox):
    sandbox.set_faults(["throttled:service-quotas"])
    quotas = client(sandbox, "service-quotas")
    for _ in range(3):
        assert code_of(lambda: quotas.list_service_quotas(ServiceCode="bedrock")) == "ThrottlingException"


def test_slow_service_waits_before_it_answers(sandbox: RunningSandbox):
    sandbox.set_faults(["slow:sts:150"])
    started = time.monotonic()
    client(sandbox, "sts").get_caller_identity()
    assert time.monotonic() - started >= 0.15


def test_partial_data_lacks_points_until_it_is_asked_again(sandbox: RunningSandbox):
    sandbox.set_faults(["partial_data:1"])
    metric = {
        "Namespace": "AWS/Bedrock",
        "MetricName": "Invocations",
        "Dimensions": [{"Name": "ModelId", "Value": "amazon.nova-micro-v1:0"}],
    }
    request = {
        "MetricDataQueries": [{"Id": "m1", "MetricStat": {"Metric": metric, "Period": 60, "Stat": "Sum"}}],
        "StartTime": END - timedelta(hours=1),
        "EndTime": END,
    }
    cloudwatch = client(sandbox, "cloudwatch")
    partial, whole = cloudwatch.get_metric_data(**request), cloudwatch.get_metric_data(**request)
    assert partial["MetricDataResults"][0]["StatusCode"] == "PartialData"
    assert partial["Messages"][0]["Code"] == "PartialData"
    assert "NextToken" not in partial
    assert whole["MetricDataResults"][0]["StatusCode"] == "Complete"
    count = len(whole["MetricDataResults"][0]["Values"])
    assert len(partial["MetricDataResults"][0]["Values"]) == count // 2


def test_faults_can_be_switched_over_http(sandbox: RunningSandbox):
    url = f"{sandbox.endpoint_url}/_sandbox/faults"
    put = Request(url, json.dumps(["slow:sts:1"]).encode(), method="PUT")
    with urlopen(put) as answer:
        assert json.load(answer) == ["slow:sts:1"]
    with pytest.raises(HTTPError) as error:
        urlopen(Request(url, b'["earthquake"]', method="PUT"))
    assert "There is no fault 'earthquake'" in json.load(error.value)["message"]
    with urlopen(url) as answer:
        assert json.load(answer) == ["slow:sts:1"]
