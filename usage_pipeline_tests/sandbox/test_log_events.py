"""The log group of invocation logs: FilterLogEvents over HTTP, and what its pages hold."""

import json
from datetime import UTC, datetime, timedelta
from typing import Any

import pytest
from botocore.exceptions import ClientError

from usage_pipeline.sandbox import RunningSandbox, log_events
from usage_pipeline.sandbox.log_destinations import DESTINATIONS
from usage_pipeline.sandbox.log_events import EventSearch
from usage_pipeline_tests.sandbox.answers import AnswerChecker
from usage_pipeline_tests.sandbox.conftest import END, MakeClient
from usage_pipeline_tests.sandbox.log_reading import TOKYO, events_of

GROUP = "/bedrock/invocations"
STREAM = "aws/bedrock/modelinvocations"


def milliseconds(moment: datetime) -> int:
    return int(moment.replace(tzinfo=UTC).timestamp() * 1000)


@pytest.fixture
def logs(make_client: MakeClient) -> Any:
    return make_client("logs", *TOKYO)


def test_pages_are_the_whole_in_the_order_of_time(logs: Any, sandbox: RunningSandbox):
    pages = list(
        logs.get_paginator("filter_log_events").paginate(logGroupName=GROUP, PaginationConfig={"PageSize": 25})
    )
    events = [event for page in pages for event in page["events"]]
    assert len(pages) > 10
    assert max(len(page["events"]) for page in pages) == 25
    assert [event["timestamp"] for event in events] == sorted(event["timestamp"] for event in events)
    whole = events_of(sandbox.data.log_groups[TOKYO])
    assert [event["eventId"] for event in events] == [event["eventId"] for event in whole]
    assert len({event["eventId"] for event in events}) == len(events)
    assert {event["logStreamName"] for event in events} == {STREAM}


def test_an_event_is_a_record_at_the_time_of_its_request(logs: Any):
    (event,) = logs.filter_log_events(logGroupName=GROUP, limit=1)["events"]
    record = json.loads(event["message"])
    moment = datetime.fromtimestamp(event["timestamp"] // 1000, UTC)
    assert record["timestamp"] == f"{moment:%Y-%m-%dT%H:%M:%SZ}"
    assert (record["accountId"], record["region"]) == TOKYO
    assert 15_000 <= event["ingestionTime"] - event["timestamp"] < 60_000


def test_both_ends_of_a_window_belong_to_it(logs: Any, sandbox: RunningSandbox):
    times = [event["timestamp"] for event in events_of(sandbox.data.log_groups[TOKYO])]
    asked = logs.filter_log_events(logGroupName=GROUP, startTime=times[10], endTime=times[20])["events"]
    assert [event["timestamp"] for event in asked] == times[10:21]


def test_hours_add_up_to_the_whole(logs: Any, sandbox: RunningSandbox):
    start = milliseconds(END.replace(hour=0, minute=0) - timedelta(days=2))
    hour = 3_600_000
    counted = 0
    for number in range(60):
        begin = start + number * hour
        pages = logs.get_paginator("filter_log_events").paginate(
            logGroupName=GROUP, startTime=begin, endTime=begin + hour - 1, logStreamNamePrefix=STREAM
        )
        counted += sum(len(page["events"]) for page in pages)
    assert counted == len(events_of(sandbox.data.log_groups[TOKYO]))


def test_a_page_can_be_empty_and_have_a_next_one(logs: Any):
    pages = list(logs.get_paginator("filter_log_events").paginate(logGroupName=GROUP))
    assert any(page["events"] == [] and page["nextToken"] for page in pages)
    assert "nextToken" not in pages[-1]


def test_no_page_is_larger_than_a_megabyte(sandbox: RunningSandbox, monkeypatch: pytest.MonkeyPatch):
    monkeypatch.setattr(log_events, "SEARCHED_MS", 30 * 86_400_000)
    page = sandbox.data.log_groups[TOKYO].search(EventSearch(GROUP, 0, 2**53, 10_000, None))
    size = sum(len(event["message"].encode()) for event in page.events)
    assert 1_000_000 < size <= 1_048_576
    assert page.next_token is not None


def test_records_that_came_twice_are_two_events(sandbox: RunningSandbox, month: Any):
    events = events_of(month.log_groups[TOKYO])
    ids = [json.loads(event["message"])["requestId"] for event in events]
    assert len(events) > len(set(ids))
    late = [event["ingestionTime"] - event["timestamp"] for event in events]
    assert max(late) >= 3 * 86_400_000


@pytest.mark.parametrize(
    ("arguments", "code"),
    [
        ({"logGroupName": "/nothing"}, "ResourceNotFoundException"),
        ({"logGroupName": GROUP, "filterPattern": "ERROR"}, "InvalidParameterException"),
        ({"logGroupName": GROUP, "nextToken": "e30="}, "InvalidParameterException"),
        (
            {"logGroupName": GROUP, "logStreamNames": [STREAM], "logStreamNamePrefix": "aws"},
            "InvalidParameterException",
        ),
    ],
)
def test_what_cannot_be_answered_is_refused(logs: Any, arguments: dict[str, Any], code: str):
    with pytest.raises(ClientError) as refusal:
        logs.filter_log_events(**arguments)
    assert refusal.value.response["Error"]["Code"] == code


def test_get_log_events_is_refused_rather_than_empty(logs: Any):
    with pytest.raises(ClientError, match="answers FilterLogEvents"):
        logs.get_log_events(logGroupName=GROUP, logStreamName=STREAM)


def test_the_group_and_its_stream_are_described_and_named_by_arn(logs: Any):
    assert [group["logGroupName"] for group in logs.describe_log_groups()["logGroups"]] == [GROUP]
    (stream,) = logs.describe_log_streams(logGroupName=GROUP)["logStreams"]
    assert stream["logStreamName"] == STREAM
    arn = f"arn:aws:logs:ap-northeast-1:111122223333:log-group:{GROUP}"
    assert len(logs.filter_log_events(logGroupIdentifier=arn, limit=3)["events"]) == 3
    assert logs.filter_log_events(logGroupName=GROUP, logStreamNames=["other"])["events"] == []


def test_another_scope_has_no_such_group(make_client: MakeClient):
    with pytest.raises(ClientError) as refusal:
        make_client("logs", "444455556666").filter_log_events(logGroupName=GROUP)
    assert refusal.value.response["Error"]["Code"] == "ResourceNotFoundException"


def test_answers_fit_the_service_model(logs: Any):
    checker = AnswerChecker(logs)
    logs.filter_log_events(logGroupName=GROUP)
    logs.filter_log_events(logGroupName=GROUP, startTime=milliseconds(END), endTime=milliseconds(END))
    assert (checker.answers, checker.problems) == (2, [])


@pytest.mark.parametrize("account_id", ["111122223333", "444455556666"])
@pytest.mark.parametrize("region", ["us-east-1", "ap-northeast-1", "eu-west-1"])
def test_bedrock_says_where_each_scope_logs(make_client: MakeClient, account_id: str, region: str):
    bedrock = make_client("bedrock", account_id, region)
    checker = AnswerChecker(bedrock)
    config = bedrock.get_model_invocation_logging_configuration().get("loggingConfig", {})
    assert checker.problems == []
    destination = DESTINATIONS.get((account_id, region))
    if destination is None:
        assert config == {}
    elif destination.bucket:
        assert config["s3Config"] == {"bucketName": destination.bucket, "keyPrefix": destination.key_prefix}
        assert "cloudWatchConfig" not in config
    else:
        assert config["cloudWatchConfig"]["logGroupName"] == GROUP
        assert "s3Config" not in config


def test_logging_goes_to_two_buckets_and_one_group():
    assert {scope: (d.bucket, d.key_prefix, d.log_group) for scope, d in DESTINATIONS.items()} == {
        ("111122223333", "us-east-1"): ("production-bedrock-logs", "bedrock", ""),
        ("444455556666", "us-east-1"): ("research-bedrock-logs", "", ""),
        ("111122223333", "ap-northeast-1"): ("", "", GROUP),
    }
