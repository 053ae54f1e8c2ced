"""What AWS programs see over HTTP."""

import json
from datetime import UTC, datetime, timedelta
from typing import Any
from urllib.error import HTTPError
from urllib.parse import urlencode
from urllib.request import Request, urlopen

import boto3
import pytest
from botocore.config import Config
from botocore.exceptions import ClientError

from usage_pipeline.sandbox import RunningSandbox, SandboxOptions, running, start_in_thread
from usage_pipeline.sandbox.moto_setup import ACCESS_KEY_ID, SECRET_ACCESS_KEY
from usage_pipeline_tests.sandbox.conftest import END, MakeClient

PRODUCTION, RESEARCH = "111122223333", "444455556666"
ROUTER = [{"Name": "ModelId", "Value": "amazon.nova-micro-v1:0"}]


def own_client(sandbox: RunningSandbox, service: str, **changes: Any) -> Any:
    return boto3.client(
        service,
        endpoint_url=sandbox.endpoint_url,
        region_name="us-east-1",
        aws_access_key_id=ACCESS_KEY_ID,
        aws_secret_access_key=SECRET_ACCESS_KEY,
        **changes,
    )


def router_query(statistic: str = "Sum", period: int = 60) -> dict[str, Any]:
    metric = {"Namespace": "AWS/Bedrock", "MetricName": "Invocations", "Dimensions": ROUTER}
    return {"Id": "m1", "MetricStat": {"Metric": metric, "Period": period, "Stat": statistic}}


def last_hour(**changes: Any) -> dict[str, Any]:
    return {
        "MetricDataQueries": [router_query()],
        "StartTime": END - timedelta(hours=1),
        "EndTime": END,
        **changes,
    }


def test_own_credentials_are_a_user_of_production(sandbox: RunningSandbox):
    identity = own_client(sandbox, "sts").get_caller_identity()
    assert (identity["Account"], identity["Arn"]) == (PRODUCTION, "arn:aws:iam::111122223333:user/sandbox")


def test_assumed_role_switches_the_account(make_client: MakeClient):
    identity = make_client("sts", RESEARCH).get_caller_identity()
    assert identity["Account"] == RESEARCH
    assert identity["Arn"] == "arn:aws:sts::444455556666:assumed-role/usage-pipeline-reader/tests"


@pytest.mark.parametrize(
    "request_",
    [
        {"RoleArn": f"arn:aws:iam::{RESEARCH}:role/usage-pipeline-reader", "ExternalId": "wrong"},
        {"RoleArn": f"arn:aws:iam::{RESEARCH}:role/usage-pipeline-reader"},
        {"RoleArn": "arn:aws:iam::999999999999:role/usage-pipeline-reader", "ExternalId": "sandbox"},
    ],
)
def test_a_role_is_refused_without_its_external_id(sandbox: RunningSandbox, request_: dict[str, str]):
    with pytest.raises(ClientError, match="is not authorized to perform: sts:AssumeRole") as refusal:
        own_client(sandbox, "sts").assume_role(RoleSessionName="tests", **request_)
    assert refusal.value.response["Error"]["Code"] == "AccessDenied"


def test_only_the_organisations_regions_are_enabled(make_client: MakeClient):
    def enabled(account_id: str) -> list[str]:
        pages = make_client("account", account_id).get_paginator("list_regions").paginate(MaxResults=10)
        return [r["RegionName"] for page in pages for r in page["Regions"] if r["RegionOptStatus"] != "DISABLED"]

    assert enabled(PRODUCTION) == ["ap-northeast-1", "us-east-1"]
    assert enabled(RESEARCH) == ["eu-west-1", "us-east-1"]


def test_an_unused_region_is_empty(make_client: MakeClient):
    bedrock = make_client("bedrock", region="us-west-2")
    assert bedrock.list_foundation_models()["modelSummaries"] == []
    assert bedrock.list_inference_profiles()["inferenceProfileSummaries"] == []
    assert make_client("cloudwatch", region="us-west-2").list_metrics()["Metrics"] == []


def test_a_legacy_model_says_when_it_ends(make_client: MakeClient):
    models = {m["modelId"]: m for m in make_client("bedrock").list_foundation_models()["modelSummaries"]}
    lifecycle = models["anthropic.claude-3-haiku-20240307-v1:0"]["modelLifecycle"]
    assert lifecycle["status"] == "LEGACY"
    assert lifecycle["legacyTime"] < lifecycle["publicExtendedAccessTime"] < lifecycle["endOfLifeTime"]
    assert lifecycle["endOfLifeTime"] - END.replace(tzinfo=UTC) < timedelta(days=90)
    assert models["amazon.nova-lite-v1:0"]["modelLifecycle"] == {"status": "ACTIVE"}


def test_profiles_are_listed_by_type_and_in_pages(make_client: MakeClient):
    bedrock = make_client("bedrock")
    pages = list(
        bedrock.get_paginator("list_inference_profiles").paginate(
            typeEquals="APPLICATION", PaginationConfig={"PageSize": 3}
        )
    )
    assert [len(page["inferenceProfileSummaries"]) for page in pages] == [3, 3, 1]
    names = [profile["inferenceProfileName"] for page in pages for profile in page["inferenceProfileSummaries"]]
    assert "</script><b>x" in names
    system = bedrock.list_inference_profiles()["inferenceProfileSummaries"]
    assert {profile["type"] for profile in system} == {"SYSTEM_DEFINED"}


def test_tags_belong_to_application_profiles(make_client: MakeClient):
    bedrock = make_client("bedrock")
    profiles = bedrock.list_inference_profiles(typeEquals="APPLICATION")["inferenceProfileSummaries"]
    tags = {
        profile["inferenceProfileName"]: {
            tag["key"]: tag["value"]
            for tag in bedrock.list_tags_for_resource(resourceARN=profile["inferenceProfileArn"])["tags"]
        }
        for profile in profiles
    }
    assert tags["search-rag"] == {"team": "search", "application": "search", "environment": "prod"}


def test_quotas_come_in_pages_and_applied_ones_are_fewer(make_client: MakeClient):
    quotas = make_client("service-quotas")
    applied = list(quotas.get_paginator("list_service_quotas").paginate(ServiceCode="bedrock"))
    default = list(quotas.get_paginator("list_aws_default_service_quotas").paginate(ServiceCode="bedrock"))
    assert [len(page["Quotas"]) for page in applied] == [100, 100, 45]
    assert [len(page["Quotas"]) for page in default] == [100, 100, 57]
    values = {quota["QuotaCode"]: quota["Value"] for page in applied for quota in page["Quotas"]}
    assert values["L-F4DDD3EB"] == 250_000
    assert "L-59759B4A" not in values


def test_a_default_only_quota_has_no_applied_value(make_client: MakeClient):
    quotas = make_client("service-quotas")
    with pytest.raises(quotas.exceptions.NoSuchResourceException):
        quotas.get_service_quota(ServiceCode="bedrock", QuotaCode="L-59759B4A")
    quota = quotas.get_aws_default_service_quota(ServiceCode="bedrock", QuotaCode="L-59759B4A")["Quota"]
    assert (quota["Value"], quota["Unit"], quota["Adjustable"]) == (200_000, "None", True)


def test_list_metrics_forgets_a_series_after_two_weeks(tmp_path: Any, monkeypatch: pytest.MonkeyPatch):
    # Writing what is only beside the answers would take longer than all else.
    for left_out in ("write_truth", "write_bill"):
        monkeypatch.setattr(running, left_out, lambda *_: None)
    with start_in_thread(SandboxOptions(days=20, end=END), tmp_path) as sandbox:
        credentials = own_client(sandbox, "sts").assume_role(
            RoleArn=f"arn:aws:iam::{RESEARCH}:role/x", RoleSessionName="tests", ExternalId="sandbox"
        )["Credentials"]
        cloudwatch = boto3.client(
            "cloudwatch",
            endpoint_url=sandbox.endpoint_url,
            region_name="us-east-1",
            aws_access_key_id=credentials["AccessKeyId"],
            aws_secret_access_key=credentials["SecretAccessKey"],
        )
        retired = [{"Name": "ModelId", "Value": "r2t6y8u4i1om"}]
        assert cloudwatch.list_metrics(Namespace="AWS/Bedrock", Dimensions=retired)["Metrics"] == []
        query = router_query(period=3600)
        query["MetricStat"]["Metric"]["Dimensions"] = retired
        (result,) = cloudwatch.get_metric_data(
            MetricDataQueries=[query], StartTime=END - timedelta(days=21), EndTime=END
        )["MetricDataResults"]
        assert sum(result["Values"]) > 50
        query["MetricStat"]["Period"] = 60
        (result,) = cloudwatch.get_metric_data(
            MetricDataQueries=[query], StartTime=END - timedelta(days=21), EndTime=END
        )["MetricDataResults"]
        assert result["Values"] == []


def test_list_metrics_filters_and_tells_recent_series(make_client: MakeClient):
    cloudwatch = make_client("cloudwatch")
    of_router = cloudwatch.list_metrics(Namespace="AWS/Bedrock", MetricName="Invocations", Dimensions=ROUTER)["Metrics"]
    assert [[d["Name"] for d in metric["Dimensions"]] for metric in of_router] == [
        ["ModelId"],
        ["ModelId", "ResolvedServiceTier", "ServiceTier"],
    ]

    def models(**recent: str) -> set[str]:
        pages = cloudwatch.get_paginator("list_metrics").paginate(Namespace="AWS/Bedrock", **recent)
        return {
            d["Value"] for page in pages for m in page["Metrics"] for d in m["Dimensions"] if d["Name"] == "ModelId"
        }

    assert "amazon.titan-embed-text-v2:0" in models()
    assert "amazon.titan-embed-text-v2:0" not in models(RecentlyActive="PT3H")


def test_metric_data_over_pages(make_client: MakeClient):
    cloudwatch = make_client("cloudwatch")
    whole = cloudwatch.get_metric_data(**last_hour(ScanBy="TimestampAscending"))["MetricDataResults"][0]
    pages = list(
        cloudwatch.get_paginator("get_metric_data").paginate(**last_hour(ScanBy="TimestampAscending", MaxDatapoints=20))
    )
    assert len(pages) == 3
    assert [r["StatusCode"] for page in pages for r in page["MetricDataResults"]] == ["PartialData"] * 2 + ["Complete"]
    for key in ("Timestamps", "Values"):
        assert [point for page in pages for r in page["MetricDataResults"] for point in r[key]] == whole[key]
    assert whole["Timestamps"][0].timestamp() % 60 == 0


def test_more_than_500_queries_are_refused(make_client: MakeClient):
    queries = [{**router_query(), "Id": f"m{number}"} for number in range(501)]
    with pytest.raises(ClientError, match="must not have a size greater than 500") as refusal:
        make_client("cloudwatch").get_metric_data(**last_hour(MetricDataQueries=queries))
    assert refusal.value.response["Error"]["Code"] == "ValidationError"


def test_metrics_that_are_put_can_be_read_beside_the_sandboxs_own(make_client: MakeClient):
    cloudwatch = make_client("cloudwatch", region="eu-west-1")
    metric = {"Namespace": "Bedrock/Quotas", "MetricName": "MaxTokens", "Dimensions": ROUTER}
    data = [
        {"MetricName": "MaxTokens", "Dimensions": ROUTER, "Timestamp": END - timedelta(minutes=2), "Value": 100},
        {"MetricName": "MaxTokens", "Dimensions": ROUTER, "Timestamp": END - timedelta(minutes=2), "Value": 50},
        {
            "MetricName": "MaxTokens",
            "Dimensions": ROUTER,
            "Timestamp": END - timedelta(minutes=1),
            "StatisticValues": {"SampleCount": 3, "Sum": 60, "Minimum": 10, "Maximum": 30},
        },
    ]
    cloudwatch.put_metric_data(Namespace="Bedrock/Quotas", MetricData=data)
    assert metric in cloudwatch.list_metrics(Namespace="Bedrock/Quotas")["Metrics"]
    statistics = ("Sum", "SampleCount", "Minimum", "Maximum")
    queries = [
        {"Id": f"m{number}", "MetricStat": {"Metric": metric, "Period": 60, "Stat": statistic}}
        for number, statistic in enumerate(statistics)
    ]
    answer = cloudwatch.get_metric_data(**last_hour(MetricDataQueries=queries, ScanBy="TimestampAscending"))
    values = {s: r["Values"] for s, r in zip(statistics, answer["MetricDataResults"], strict=True)}
    assert values == {"Sum": [150, 60], "SampleCount": [2, 3], "Minimum": [50, 10], "Maximum": [100, 30]}


def test_older_programs_may_use_the_query_protocol(sandbox: RunningSandbox):
    member = "MetricDataQueries.member.1"
    form = {
        "Action": "GetMetricData",
        "Version": "2010-08-01",
        "StartTime": "2026-11-15T09:00:00Z",
        "EndTime": "2026-11-15T09:05:00Z",
        f"{member}.Id": "m1",
        f"{member}.MetricStat.Period": "300",
        f"{member}.MetricStat.Stat": "Sum",
        f"{member}.MetricStat.Metric.Namespace": "AWS/Bedrock",
        f"{member}.MetricStat.Metric.MetricName": "Invocations",
        f"{member}.MetricStat.Metric.Dimensions.member.1.Name": "ModelId",
        f"{member}.MetricStat.Metric.Dimensions.member.1.Value": "amazon.nova-micro-v1:0",
    }
    scope = f"{ACCESS_KEY_ID}/20261115/us-east-1/monitoring/aws4_request"
    request = Request(
        sandbox.endpoint_url,
        urlencode(form).encode(),
        {"Authorization": f"AWS4-HMAC-SHA256 Credential={scope}, SignedHeaders=host, Signature=0"},
    )
    with urlopen(request) as answer:
        text = answer.read().decode()
    assert "<Timestamps><member>2026-11-15T09:00:00Z</member></Timestamps>" in text
    assert "<StatusCode>Complete</StatusCode>" in text


def test_moto_answers_what_the_sandbox_does_not(sandbox: RunningSandbox, make_client: MakeClient):
    s3 = own_client(sandbox, "s3", config=Config(s3={"addressing_style": "path"}))
    s3.create_bucket(Bucket="answered-by-moto")
    s3.put_object(Bucket="answered-by-moto", Key="a", Body=b"text")
    assert s3.get_object(Bucket="answered-by-moto", Key="a")["Body"].read() == b"text"
    assert len(own_client(sandbox, "ec2").describe_regions()["Regions"]) > 20
    quotas = make_client("service-quotas").list_aws_default_service_quotas(ServiceCode="vpc")["Quotas"]
    assert {quota["ServiceCode"] for quota in quotas} == {"vpc"}


def test_an_operation_that_nobody_has_is_an_error_as_in_moto(sandbox: RunningSandbox):
    client = own_client(sandbox, "bedrock", config=Config(retries={"max_attempts": 0}))
    with pytest.raises(ClientError) as refusal:
        client.list_guardrails()
    assert refusal.value.response["ResponseMetadata"]["HTTPStatusCode"] == 500


def test_calls_are_counted_by_operation(sandbox: RunningSandbox, make_client: MakeClient):
    make_client("cloudwatch").get_metric_data(**last_hour())
    own_client(sandbox, "sts").get_caller_identity()
    own_client(sandbox, "ec2").describe_regions()
    counts = {"cloudwatch.GetMetricData": 1, "sts.GetCallerIdentity": 1, "ec2.DescribeRegions": 1}
    assert sandbox.call_counts == counts
    with urlopen(f"{sandbox.endpoint_url}/_sandbox/call-counts") as answer:
        assert json.load(answer) == counts
    with urlopen(Request(f"{sandbox.endpoint_url}/_sandbox/call-counts", method="DELETE")):
        assert sandbox.call_counts == {}


def test_unknown_control_path_says_what_there_is(sandbox: RunningSandbox):
    with pytest.raises(HTTPError) as error:
        urlopen(f"{sandbox.endpoint_url}/_sandbox/weather")
    assert error.value.code == 404
    assert "/_sandbox/faults" in error.value.read().decode()


def test_the_clock_stands_still_at_the_end(make_client: MakeClient):
    answer = make_client("cloudwatch").get_metric_data(**last_hour(EndTime=datetime.fromisoformat("2027-01-01")))
    assert max(answer["MetricDataResults"][0]["Timestamps"]).replace(tzinfo=None) < END
