from typing import Any

import pytest

from usage_pipeline.aws.errors import ReadingError, shortfall_of
from usage_pipeline.aws.invocation_logging import LogDelivery, read_log_delivery
from usage_pipeline.config_logs import LogPlaceSettings
from usage_pipeline_tests.aws.canned_aws import canned_client, error

OPERATION = "GetModelInvocationLoggingConfiguration"
ROLE = "arn:aws:iam::111122223333:role/logs"
OFF = LogDelivery(False, None, None, None, None, "aws")


def asked(answer: dict[str, Any] | Exception) -> LogDelivery:
    client, _ = canned_client("bedrock", {OPERATION: answer})
    (row,) = read_log_delivery(client, None).rows
    return row


def test_a_bucket_with_its_prefix() -> None:
    config = {
        "s3Config": {"bucketName": "my-logs", "keyPrefix": "bedrock"},
        "textDataDeliveryEnabled": True,
        "imageDataDeliveryEnabled": False,
    }
    assert asked({"loggingConfig": config}) == LogDelivery(True, "my-logs", "bedrock", None, True, "aws")


def test_a_bucket_without_a_prefix_whose_log_has_no_bodies() -> None:
    config = {"s3Config": {"bucketName": "my-logs"}, "textDataDeliveryEnabled": False}
    assert asked({"loggingConfig": config}) == LogDelivery(True, "my-logs", "", None, False, "aws")


def test_a_log_group_whose_large_bodies_go_to_a_bucket_has_no_log_in_that_bucket() -> None:
    group = {
        "logGroupName": "/bedrock/calls",
        "roleArn": ROLE,
        "largeDataDeliveryS3Config": {"bucketName": "large", "keyPrefix": "x"},
    }
    answer = {"loggingConfig": {"cloudWatchConfig": group, "textDataDeliveryEnabled": True}}
    assert asked(answer) == LogDelivery(True, None, None, "/bedrock/calls", True, "aws")


def test_both_destinations_are_told() -> None:
    config = {
        "s3Config": {"bucketName": "my-logs"},
        "cloudWatchConfig": {"logGroupName": "calls", "roleArn": ROLE},
        "textDataDeliveryEnabled": True,
    }
    assert asked({"loggingConfig": config}) == LogDelivery(True, "my-logs", "", "calls", True, "aws")


@pytest.mark.parametrize("answer", [{}, {"loggingConfig": {}}, {"loggingConfig": {"textDataDeliveryEnabled": True}}])
def test_off_is_a_row_and_no_error(answer: dict[str, Any]) -> None:
    assert asked(answer) == OFF


def test_a_denied_question_names_what_to_allow() -> None:
    denied = error(OPERATION, "AccessDeniedException")
    with pytest.raises(type(denied)) as caught:
        asked(denied)
    assert shortfall_of(caught.value).text.endswith("Allow bedrock:GetModelInvocationLoggingConfiguration.")


def test_an_answer_without_the_buckets_name_is_told() -> None:
    with pytest.raises(ReadingError, match=r"GetModelInvocationLoggingConfiguration: .*'bucketName'"):
        asked({"loggingConfig": {"s3Config": {"keyPrefix": "x"}}})


@pytest.mark.parametrize(
    ("configured", "expected"),
    [
        ("off", LogDelivery(False, None, None, None, None, "configuration")),
        (
            LogPlaceSettings(bucket="central", prefix="eu"),
            LogDelivery(True, "central", "eu", None, None, "configuration"),
        ),
        (LogPlaceSettings(log_group="calls"), LogDelivery(True, None, None, "calls", None, "configuration")),
    ],
)
def test_a_configured_place_is_taken_without_a_call(configured: Any, expected: LogDelivery) -> None:
    client, calls = canned_client("bedrock", {})

    assert read_log_delivery(client, configured).rows == (expected,)
    assert calls == []
