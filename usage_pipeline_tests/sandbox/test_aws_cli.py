"""The AWS CLI works against the sandbox with nothing but the environment that it gives."""

import json
import os
import subprocess
import sys
from pathlib import Path
from typing import Any

import pytest

from usage_pipeline.sandbox import RunningSandbox
from usage_pipeline_tests.sandbox.log_reading import records_in

AWS = Path(sys.executable).with_name("aws")
pytestmark = pytest.mark.skipif(not AWS.exists(), reason=f"the AWS CLI is not installed beside {sys.executable}")


def aws(sandbox: RunningSandbox, folder: Path, *arguments: str) -> Any:
    environment = {
        **{name: value for name, value in os.environ.items() if not name.startswith("AWS_")},
        **sandbox.environment,
        "AWS_CONFIG_FILE": str(folder / "no-config"),
        "AWS_SHARED_CREDENTIALS_FILE": str(folder / "no-credentials"),
    }
    done = subprocess.run([AWS, *arguments], env=environment, capture_output=True, text=True, check=True)
    return json.loads(done.stdout) if done.stdout.startswith("{") else done.stdout


def test_get_caller_identity(sandbox: RunningSandbox, tmp_path: Path):
    assert aws(sandbox, tmp_path, "sts", "get-caller-identity")["Account"] == "111122223333"


def test_list_inference_profiles(sandbox: RunningSandbox, tmp_path: Path):
    answer = aws(sandbox, tmp_path, "bedrock", "list-inference-profiles", "--type-equals", "APPLICATION")
    assert "</script><b>x" in {profile["inferenceProfileName"] for profile in answer["inferenceProfileSummaries"]}


def test_list_service_quotas_in_pages(sandbox: RunningSandbox, tmp_path: Path):
    arguments = ("service-quotas", "list-service-quotas", "--service-code", "bedrock", "--page-size", "60")
    assert len(aws(sandbox, tmp_path, *arguments)["Quotas"]) == 245
    assert sandbox.call_counts == {"service-quotas.ListServiceQuotas": 5}


def test_get_metric_data(sandbox: RunningSandbox, tmp_path: Path):
    metric = {
        "Namespace": "AWS/Bedrock",
        "MetricName": "Invocations",
        "Dimensions": [{"Name": "ModelId", "Value": "amazon.nova-micro-v1:0"}],
    }
    query = {"Id": "calls", "MetricStat": {"Metric": metric, "Period": 300, "Stat": "Sum"}}
    window = ("--start-time", "2026-11-15T09:00:00Z", "--end-time", "2026-11-15T10:00:00Z")
    answer = aws(
        sandbox, tmp_path, "cloudwatch", "get-metric-data", "--metric-data-queries", json.dumps([query]), *window
    )
    (result,) = answer["MetricDataResults"]
    assert (result["Id"], result["StatusCode"], len(result["Timestamps"])) == ("calls", "Complete", 12)
    assert sum(result["Values"]) > 100


def test_s3_ls_and_cp(sandbox: RunningSandbox, tmp_path: Path):
    folder = "s3://production-bedrock-logs/bedrock/AWSLogs/111122223333/BedrockModelInvocationLogs/us-east-1/"
    assert "production-bedrock-logs" in aws(sandbox, tmp_path, "s3", "ls")
    lines = aws(sandbox, tmp_path, "s3", "ls", f"{folder}2026/11/14/07/").splitlines()
    assert lines[0].strip() == "PRE data/"
    date, _, size, name = lines[1].split()
    assert (date, name[:11], int(size) > 1000) == ("2026-11-14", "20261114T07", True)
    assert aws(sandbox, tmp_path, "s3", "ls", folder).splitlines()[0].split() == ["PRE", "2026/"]
    aws(sandbox, tmp_path, "s3", "cp", "--quiet", f"{folder}2026/11/14/07/{name}", str(tmp_path / name))
    assert len(records_in((tmp_path / name).read_bytes())) > 10


def test_filter_log_events_over_pages(sandbox: RunningSandbox, tmp_path: Path):
    answer = aws(
        sandbox,
        tmp_path,
        *("logs", "filter-log-events", "--log-group-name", "/bedrock/invocations", "--region", "ap-northeast-1"),
        *("--page-size", "200", "--max-items", "500"),
    )
    assert len(answer["events"]) == 500
    assert sandbox.call_counts["logs.FilterLogEvents"] >= 3
    assert json.loads(answer["events"][0]["message"])["schemaType"] == "ModelInvocationLog"
