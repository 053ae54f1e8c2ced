import threading
from concurrent.futures import ThreadPoolExecutor
from contextvars import copy_context
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import pytest
from botocore.awsrequest import AWSResponse
from botocore.exceptions import NoCredentialsError, ProfileNotFound

from usage_pipeline.aws.sessions import AccountSession, counted_api_calls, epoch_seconds
from usage_pipeline.config import AccountSettings
from usage_pipeline_tests.aws.canned_aws import connect_bodies

SECOND = 1_790_000_040
ROLE = "arn:aws:iam::111122223333:role/usage-pipeline-reader"


@pytest.fixture(autouse=True)
def only_the_test_credentials(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    for variable in ("AWS_PROFILE", "AWS_REGION", "AWS_DEFAULT_REGION", "AWS_SESSION_TOKEN", "AWS_ENDPOINT_URL"):
        monkeypatch.delenv(variable, raising=False)
    monkeypatch.setenv("AWS_ACCESS_KEY_ID", "test")
    monkeypatch.setenv("AWS_SECRET_ACCESS_KEY", "test")
    monkeypatch.setenv("AWS_EC2_METADATA_DISABLED", "true")
    monkeypatch.setenv("AWS_CONFIG_FILE", str(tmp_path / "config"))
    monkeypatch.setenv("AWS_SHARED_CREDENTIALS_FILE", str(tmp_path / "credentials"))


def test_cloudwatch_gives_timestamps_as_numbers_and_other_services_as_datetimes() -> None:
    session = AccountSession(AccountSettings(name="a"))
    cloudwatch = session.client("cloudwatch", "us-east-1")
    result = {"Id": "q0", "Timestamps": [SECOND, SECOND + 60.0], "Values": [1.0, 2.0], "StatusCode": "Complete"}
    connect_bodies(cloudwatch, {"GetMetricData": {"MetricDataResults": [result]}})
    answer: Any = cloudwatch.get_metric_data(
        MetricDataQueries=[], StartTime=datetime(2026, 9, 21, tzinfo=UTC), EndTime=datetime(2026, 9, 22, tzinfo=UTC)
    )
    assert answer["MetricDataResults"][0]["Timestamps"] == [SECOND, SECOND + 60.0]

    bedrock = session.client("bedrock", "us-east-1")
    model = {"modelArn": "arn", "modelName": "n", "creationTime": "2026-09-21T14:14:00Z"}
    connect_bodies(bedrock, {"ListImportedModels": {"modelSummaries": [model]}})
    assert bedrock.list_imported_models()["modelSummaries"][0]["creationTime"] == datetime(
        2026, 9, 21, 14, 14, tzinfo=UTC
    )


@pytest.mark.parametrize("sent", [SECOND, float(SECOND), "2026-09-21T14:14:00Z", "1790000040"])
def test_a_timestamp_is_understood_whichever_protocol_it_came_by(sent: float | str) -> None:
    assert epoch_seconds(sent) == SECOND


def test_requests_are_counted_in_the_block_and_in_threads_that_copy_its_context() -> None:
    client = AccountSession(AccountSettings(name="a")).client("bedrock", "us-east-1")
    connect_bodies(client, {"ListFoundationModels": {"modelSummaries": []}})
    client.list_foundation_models()
    with counted_api_calls() as calls:
        client.list_foundation_models()
        with ThreadPoolExecutor(max_workers=2) as pool:
            pool.submit(copy_context().run, client.list_foundation_models).result()
            pool.submit(client.list_foundation_models).result()
    client.list_foundation_models()
    assert calls.count == 2


def test_a_client_is_made_once_also_for_many_threads() -> None:
    session = AccountSession(AccountSettings(name="a"))
    together = threading.Barrier(8)

    def make(_: int) -> int:
        together.wait()
        return id(session.client("bedrock", "us-east-1"))

    with ThreadPoolExecutor(max_workers=8) as pool:
        assert len(set(pool.map(make, range(8)))) == 1


def test_clients_are_patient_with_throttling() -> None:
    client = AccountSession(AccountSettings(name="a")).client("bedrock", "us-east-1")
    assert client.meta.config.retries == {"mode": "adaptive", "total_max_attempts": 10}


def test_a_role_is_assumed_with_its_external_id_and_once_for_all_clients(monkeypatch: pytest.MonkeyPatch) -> None:
    assumed: list[str] = []
    signed_by: list[str] = []
    credentials = "<AccessKeyId>ASSUMED</AccessKeyId><SecretAccessKey>s</SecretAccessKey><SessionToken>t</SessionToken>"
    body = (
        f"<AssumeRoleResponse><AssumeRoleResult><Credentials>{credentials}"
        "<Expiration>2099-01-01T00:00:00Z</Expiration></Credentials></AssumeRoleResult></AssumeRoleResponse>"
    )

    def respond(self: Any, request: Any) -> AWSResponse:
        if "sts" in request.url:
            assumed.append(str(request.body))
            content = body.encode()
        else:
            signed_by.append(str(request.headers["Authorization"]))
            content = b"{}"
        response = AWSResponse(request.url, 200, {}, None)
        response._content = content
        return response

    monkeypatch.setattr("botocore.httpsession.URLLib3Session.send", respond)
    session = AccountSession(
        AccountSettings(name="a", role_arn=ROLE, external_id="sandbox", regions=("ap-northeast-1",))
    )
    with counted_api_calls() as calls:
        session.client("bedrock", "ap-northeast-1").list_foundation_models()
        session.client("service-quotas", "ap-northeast-1").list_service_quotas(ServiceCode="bedrock")
        session.client("cloudwatch", "ap-northeast-1").list_metrics()
    assert len(assumed) == 1
    assert "ExternalId=sandbox" in assumed[0]
    assert "RoleSessionName=usage-pipeline" in assumed[0]
    assert all("Credential=ASSUMED/" in header for header in signed_by)
    assert len(signed_by) == 3
    assert calls.count == 4


def test_a_missing_profile_and_missing_credentials_are_botocore_errors(monkeypatch: pytest.MonkeyPatch) -> None:
    with pytest.raises(ProfileNotFound):
        AccountSession(AccountSettings(name="a", profile="nobody")).client("bedrock", "us-east-1")
    monkeypatch.delenv("AWS_ACCESS_KEY_ID")
    monkeypatch.delenv("AWS_SECRET_ACCESS_KEY")
    with pytest.raises(NoCredentialsError):
        AccountSession(AccountSettings(name="a")).client("bedrock", "us-east-1")


@pytest.mark.parametrize(
    ("settings", "region_variable", "expected"),
    [
        ({"regions": ["eu-west-1", "us-east-1"]}, "us-west-2", "eu-west-1"),
        ({}, "us-west-2", "us-west-2"),
        ({}, "cn-north-1", "us-east-1"),
        ({}, None, "us-east-1"),
        ({"role_arn": "arn:aws-us-gov:iam::111122223333:role/r"}, "us-west-2", "us-gov-west-1"),
        ({"role_arn": "arn:aws-us-gov:iam::111122223333:role/r"}, "us-gov-east-1", "us-gov-east-1"),
    ],
)
def test_questions_about_the_account_are_asked_in_a_region_of_its_partition(
    monkeypatch: pytest.MonkeyPatch, settings: dict[str, Any], region_variable: str | None, expected: str
) -> None:
    if region_variable:
        monkeypatch.setenv("AWS_DEFAULT_REGION", region_variable)
    assert AccountSession(AccountSettings(name="a", **settings)).home_region == expected
