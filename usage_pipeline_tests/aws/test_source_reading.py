import threading
from typing import Any

import pytest
from botocore.exceptions import EndpointConnectionError, ReadTimeoutError

from usage_pipeline.aws.errors import ReadingDeniedError, ReadingError, Shortfall, shortfall_of
from usage_pipeline.aws.scopes import Scope
from usage_pipeline.aws.sessions import AccountSession
from usage_pipeline.aws.source_reading import Listing, ScopeReading, read_scopes
from usage_pipeline.config import AccountSettings
from usage_pipeline_tests.aws.canned_aws import connect_bodies, error

EAST = Scope("111122223333", "production", "us-east-1", "aws")
TOKYO = Scope("111122223333", "production", "ap-northeast-1", "aws")


@pytest.mark.parametrize(
    ("raised", "status", "text"),
    [
        (
            error("ListServiceQuotas", "AccessDeniedException", "User x is not authorized"),
            "denied",
            "ListServiceQuotas: AccessDeniedException: User x is not authorized. Allow "
            "servicequotas:ListServiceQuotas.",
        ),
        (
            error("GetMetricData", "AccessDenied"),
            "denied",
            "GetMetricData: AccessDenied: no. Allow cloudwatch:GetMetricData.",
        ),
        (
            error("DescribeRegions", "UnauthorizedOperation"),
            "denied",
            "DescribeRegions: UnauthorizedOperation: no. Allow ec2:DescribeRegions.",
        ),
        (error("Other", "Forbidden"), "denied", "Other: Forbidden: no. Allow the action Other."),
        (ReadingDeniedError("forbidden series"), "denied", "forbidden series"),
        (error("GetMetricData", "Throttling"), "throttled", "GetMetricData: Throttling: no"),
        (error("GetMetricData", "ThrottlingException"), "throttled", "GetMetricData: ThrottlingException: no"),
        (
            error("ListServiceQuotas", "TooManyRequestsException"),
            "throttled",
            "ListServiceQuotas: TooManyRequestsException: no",
        ),
        (error("DescribeRegions", "RequestLimitExceeded"), "throttled", "DescribeRegions: RequestLimitExceeded: no"),
        (error("GetMetricData", "InternalFailure"), "failed", "GetMetricData: InternalFailure: no"),
        (
            error("ListMetrics", "UnrecognizedClientException", "The security token is invalid."),
            "failed",
            "ListMetrics: UnrecognizedClientException: The security token is invalid. (AWS also says this when the "
            "Region is not enabled in the account.)",
        ),
        (
            EndpointConnectionError(endpoint_url="https://x"),
            "failed",
            'Could not connect to the endpoint URL: "https://x"',
        ),
        (ReadTimeoutError(endpoint_url="https://x"), "failed", 'Read timeout on endpoint URL: "https://x"'),
        (ReadingError("partial"), "failed", "partial"),
    ],
)
def test_an_error_has_one_status_and_one_text(raised: Any, status: str, text: str) -> None:
    assert shortfall_of(raised) == Shortfall(status, text)  # type: ignore[arg-type]


@pytest.mark.parametrize("code", ["AccessDenied", "Throttling", "InternalFailure", "InvalidClientTokenId"])
def test_a_text_is_one_line_of_at_most_five_hundred_characters(code: str) -> None:
    text = shortfall_of(error("ListServiceQuotas", code, "long\n" * 300)).text
    assert len(text) == 500
    assert "\n" not in text
    if code == "AccessDenied":
        assert text.endswith("…. Allow servicequotas:ListServiceQuotas.")


def test_one_scopes_failure_hides_no_other_and_answers_are_in_order() -> None:
    def read(scope: Scope) -> Listing[str]:
        if scope == EAST:
            raise error("ListImportedModels", "AccessDeniedException")
        return Listing(("a", "b"))

    assert read_scopes([EAST, TOKYO], read, max_workers=2) == [
        ScopeReading(
            EAST,
            "denied",
            None,
            None,
            0,
            "ListImportedModels: AccessDeniedException: no. Allow bedrock:ListImportedModels.",
        ),
        ScopeReading(TOKYO, "ok", Listing(("a", "b")), 2, 0, None),
    ]


def test_nothing_there_is_empty_and_not_a_failure() -> None:
    assert read_scopes([EAST], lambda _: Listing(()), 1) == [ScopeReading(EAST, "empty", Listing(()), 0, 0, None)]


def test_a_part_that_is_missing_keeps_the_rest() -> None:
    part = Listing(("a",), Shortfall("denied", "tags"))
    assert read_scopes([EAST], lambda _: part, 1) == [ScopeReading(EAST, "denied", part, 1, 0, "tags")]


def test_a_fault_of_this_program_is_raised() -> None:
    def read(scope: Scope) -> Listing[str]:
        raise ZeroDivisionError

    with pytest.raises(ZeroDivisionError):
        read_scopes([EAST, TOKYO], read, 2)


def test_requests_are_counted_by_scope(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("AWS_ACCESS_KEY_ID", "test")
    monkeypatch.setenv("AWS_SECRET_ACCESS_KEY", "test")
    client = AccountSession(AccountSettings(name="a")).client("bedrock", "us-east-1")
    connect_bodies(client, {"ListFoundationModels": {"modelSummaries": []}})
    together = threading.Barrier(2)

    def read(scope: Scope) -> Listing[str]:
        together.wait()
        for _ in range(3 if scope == EAST else 1):
            client.list_foundation_models()
        return Listing(())

    assert [reading.api_calls for reading in read_scopes([EAST, TOKYO], read, 2)] == [3, 1]


def test_a_refused_request_is_counted_too(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("AWS_ACCESS_KEY_ID", "test")
    monkeypatch.setenv("AWS_SECRET_ACCESS_KEY", "test")
    client = AccountSession(AccountSettings(name="a")).client("service-quotas", "us-east-1")
    connect_bodies(client, {"ListServiceQuotas": {"__type": "AccessDeniedException", "message": "no"}}, status=400)

    def read(scope: Scope) -> Listing[str]:
        client.list_service_quotas(ServiceCode="bedrock")
        return Listing(())

    (reading,) = read_scopes([EAST], read, 1)
    assert (reading.status, reading.api_calls) == ("denied", 1)
