import datetime as dt
from collections.abc import Iterator
from typing import Any

import pytest

from usage_pipeline.aws.errors import Shortfall
from usage_pipeline.aws.invocation_logging import LogDelivery
from usage_pipeline.aws.log_listing import (
    OFF_IN_AWS,
    OFF_IN_CONFIGURATION,
    KnownDelivery,
    LogListing,
    deliveries_of_day,
    list_logs,
)
from usage_pipeline.aws.scopes import Scope
from usage_pipeline.aws.sessions import AccountSession
from usage_pipeline.config import AccountSettings
from usage_pipeline_tests.aws.canned_aws import canned_client, error
from usage_pipeline_tests.aws.small_s3 import SmallS3, serving_s3

SCOPE = Scope("111122223333", "production", "us-east-1", "aws")
FOLDER = "AWSLogs/111122223333/BedrockModelInvocationLogs/us-east-1/"
NOW = dt.datetime(2026, 11, 15, 10, 30)


def day(number: int) -> dt.date:
    return dt.date(2026, 11, number)


def to(bucket: str | None, source: Any = "aws", key_prefix: str = "") -> LogDelivery:
    """A delivery to a bucket, or none."""
    return LogDelivery(bucket is not None, bucket, None if bucket is None else key_prefix, None, None, source)


def known(*stretches: tuple[LogDelivery, int, int]) -> list[KnownDelivery]:
    return [KnownDelivery(delivery, day(first), day(last)) for delivery, first, last in stretches]


def at(*names: str | None) -> list[LogDelivery]:
    return [to(name) for name in names]


# deliveries_of_day


@pytest.mark.parametrize("asked", [1, 10, 14, 30])
def test_a_place_that_never_changed_holds_every_day(asked: int) -> None:
    assert deliveries_of_day(known((to("a"), 10, 14)), day(asked)) == at("a")


@pytest.mark.parametrize(
    ("asked", "places"), [(9, ["a"]), (10, ["a", "b"]), (11, ["a", "b"]), (12, ["a", "b"]), (13, ["b"])]
)
def test_around_a_change_both_places_may_hold_a_day(asked: int, places: list[str]) -> None:
    stretches = known((to("a"), 8, 10), (to("b"), 12, 14))

    assert deliveries_of_day(stretches, day(asked)) == at(*places)


def test_a_place_that_came_back_holds_the_days_before_and_after() -> None:
    stretches = known((to("a"), 1, 4), (to("b"), 5, 8), (to("a"), 9, 14))

    assert [deliveries_of_day(stretches, day(asked)) for asked in (3, 6, 8, 9, 20)] == [
        at("a"), at("b"), at("b", "a"), at("b", "a"), at("a")
    ]  # fmt: skip


def test_logging_that_was_turned_on_or_off_is_a_change_too() -> None:
    stretches = known((to(None), 1, 4), (to("a"), 5, 8), (to(None), 9, 14))

    assert deliveries_of_day(stretches, day(2)) == at(None)
    assert deliveries_of_day(stretches, day(5)) == at(None, "a")
    assert deliveries_of_day(stretches, day(12)) == at(None)


def test_the_place_that_the_configuration_names_now_holds_every_day() -> None:
    stretches = known((to("a"), 1, 10), (to("b", "configuration"), 11, 14))

    assert deliveries_of_day(stretches, day(5)) == [to("b", "configuration")]


# list_logs


@pytest.fixture
def s3() -> Iterator[SmallS3]:
    with serving_s3() as bucket:
        yield bucket


def name(number: int, hour: int = 8) -> str:
    return f"{FOLDER}2026/11/{number}/{hour:02d}/202611{number}T{hour:02d}1530123Z_4dbc.json.gz"


def listing(deliveries: list[KnownDelivery], *days: int, logs: Any = None) -> LogListing:
    session = AccountSession(AccountSettings(name="production", regions=("us-east-1",), logs=logs))
    return list_logs(session, SCOPE, deliveries, [day(number) for number in days], NOW)


def test_every_days_objects_are_listed(s3: SmallS3) -> None:
    s3.objects = {name(13): b"a", name(14): b"b", name(15, 9): b"c"}

    found = listing(known((to("logs"), 1, 15)), 14, 15)

    assert [(entry.log.key, entry.log.folder_date) for entry in found.logs] == [
        (name(14), day(14)),
        (name(15, 9), day(15)),
    ]
    assert (found.unread, found.off, found.shortfall) == ({}, {}, None)


def test_a_place_that_aws_and_the_configuration_named_in_turn_is_listed_once(s3: SmallS3) -> None:
    s3.objects = {name(14): b"a"}

    found = listing(known((to("logs", "configuration"), 1, 13), (to("logs"), 14, 15)), 14)

    assert [entry.log.key for entry in found.logs] == [name(14)]


def test_a_place_that_fails_is_told_for_every_day_and_asked_once(s3: SmallS3) -> None:
    s3.errors = {"LIST": (403, "AccessDenied")}

    found = listing(known((to("logs", key_prefix="bedrock"), 1, 15)), 13, 14, 15)

    denied = Shortfall("denied", "s3://logs/bedrock: ListObjectsV2: AccessDenied: no. Allow s3:ListBucket.")
    assert found.unread == dict.fromkeys([day(13), day(14), day(15)], denied)
    assert found.shortfall == denied
    assert len(s3.requests) == 1


def test_a_place_that_is_gone_does_not_hide_the_one_that_followed(s3: SmallS3) -> None:
    s3.objects = {name(14): b"a", name(15): b"b"}

    found = listing(known((to("gone"), 1, 13), (to("logs"), 14, 15)), 14, 15)

    assert [entry.log.key for entry in found.logs] == [name(14), name(15)]
    assert found.unread == {day(14): Shortfall("failed", "s3://gone/: ListObjectsV2: NoSuchBucket: no")}


def test_logging_that_is_off_is_a_state_of_the_day_and_no_shortfall() -> None:
    in_aws = listing(known((to(None), 14, 15)), 14, 15)
    in_configuration = listing(known((to(None, "configuration"), 15, 15)), 15)

    assert (in_aws.logs, in_aws.shortfall, in_aws.off) == ((), None, {day(14): OFF_IN_AWS, day(15): OFF_IN_AWS})
    assert in_configuration.off == {day(15): OFF_IN_CONFIGURATION}


def test_a_log_group_is_read_where_there_is_no_bucket(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(AccountSession, "client", lambda *_: None)

    found = listing(known((LogDelivery(True, None, None, "/bedrock/calls", True, "aws"), 14, 15)), 15)

    assert {entry.log.bucket for entry in found.logs} == {"/bedrock/calls"}
    assert len(found.logs) == 11


def test_a_place_that_is_not_known_is_asked_for(monkeypatch: pytest.MonkeyPatch) -> None:
    client, _ = canned_client("bedrock", {"GetModelInvocationLoggingConfiguration": {}})
    monkeypatch.setattr(AccountSession, "client", lambda *_: client)

    assert listing([], 14).off == {day(14): OFF_IN_AWS}


def test_a_place_that_is_not_known_and_not_told_is_an_error(monkeypatch: pytest.MonkeyPatch) -> None:
    denied = error("GetModelInvocationLoggingConfiguration", "AccessDeniedException")
    client, _ = canned_client("bedrock", {"GetModelInvocationLoggingConfiguration": denied})
    monkeypatch.setattr(AccountSession, "client", lambda *_: client)

    with pytest.raises(type(denied)):
        listing([], 14)
