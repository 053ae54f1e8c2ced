import datetime as dt
import gzip
import threading
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from typing import Any

import pytest
from botocore.exceptions import ClientError

from usage_pipeline.aws.bucket_objects import LogObject
from usage_pipeline.aws.errors import ReadingError, shortfall_of
from usage_pipeline.aws.log_events import HOURS_AT_ONCE, LogGroup
from usage_pipeline.aws.scopes import Scope
from usage_pipeline.aws.sessions import AccountSession
from usage_pipeline.config import AccountSettings
from usage_pipeline_tests.aws.canned_aws import canned_client, epoch, error, pages

SCOPE = Scope("111122223333", "production", "us-east-1", "aws")
DAY = dt.date(2026, 11, 14)
NOW = dt.datetime(2026, 11, 15, 10, 30)
HOUR = "2026-11-14T08:00:00Z/2026-11-14T09:00:00Z"


def group(
    monkeypatch: pytest.MonkeyPatch, answer: Any = None, now: dt.datetime = NOW
) -> tuple[LogGroup, list[tuple[str, dict[str, Any]]]]:
    client, calls = canned_client("logs", {"FilterLogEvents": answer or {}})
    monkeypatch.setattr(AccountSession, "client", lambda *_: client)
    return LogGroup(AccountSession(AccountSettings(name="production")), SCOPE, "/bedrock/calls", now), calls


def event(message: str) -> dict[str, Any]:
    return {"message": message, "timestamp": 1, "ingestionTime": 2, "eventId": "3", "logStreamName": "s"}


def hour(etag: str = "as of 2026-11-15T10:30:00Z") -> LogObject:
    return LogObject("/bedrock/calls", HOUR, etag, 0, DAY)


def lines_of(path: Path) -> list[str]:
    return gzip.decompress(path.read_bytes()).decode().splitlines(keepends=True)


def test_a_day_has_the_hours_that_have_begun(monkeypatch: pytest.MonkeyPatch) -> None:
    logs, calls = group(monkeypatch)

    assert [log.key for log in logs.list_day(dt.date(2026, 11, 15))][-1] == "2026-11-15T10:00:00Z/2026-11-15T11:00:00Z"
    assert len(logs.list_day(DAY)) == 24
    assert logs.list_day(DAY)[8] == hour()
    assert logs.list_day(dt.date(2026, 11, 16)) == []
    assert calls == []


@pytest.mark.parametrize(
    ("now", "etag"),
    [
        ("2026-11-17T08:59", "as of 2026-11-17T08:59:00Z"),
        ("2026-11-17T09:00", "settled"),
        ("2027-11-17T09:00", "settled"),
    ],
)
def test_an_hour_is_read_anew_by_each_run_until_three_days_after_its_end(
    monkeypatch: pytest.MonkeyPatch, now: str, etag: str
) -> None:
    logs, _ = group(monkeypatch, now=dt.datetime.fromisoformat(now))

    assert logs.list_day(DAY)[8].etag == etag


def test_events_of_all_pages_become_lines(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    events = [event(f'{{"requestId": "{number}"}}') for number in range(5)]
    logs, calls = group(monkeypatch, pages("events", events, 2))

    read = logs.fetch(hour(), tmp_path / "log")

    assert lines_of(tmp_path / "log") == [f'{{"requestId": "{number}"}}\n' for number in range(5)]
    assert read.size_bytes == 5 * len('{"requestId": "0"}\n')
    assert len(calls) == 3
    assert calls[0][1] == {
        "logGroupName": "/bedrock/calls",
        "logStreamNamePrefix": "aws/bedrock/modelinvocations",
        "startTime": epoch("2026-11-14T08:00") * 1000,
        "endTime": epoch("2026-11-14T09:00") * 1000 - 1,
    }


def test_an_empty_page_is_not_the_end(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    def answer(asked: dict[str, Any]) -> dict[str, Any]:
        return {"events": [event("{}")]} if "nextToken" in asked else {"events": [], "nextToken": "more"}

    logs, _ = group(monkeypatch, answer)
    logs.fetch(hour(), tmp_path / "log")

    assert lines_of(tmp_path / "log") == ["{}\n"]


def test_a_message_of_several_lines_is_one_record(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    logs, _ = group(monkeypatch, {"events": [event('{\n  "a": 1\n}')]})
    logs.fetch(hour(), tmp_path / "log")

    assert lines_of(tmp_path / "log") == ['{   "a": 1 }\n']


def test_an_hour_without_events_is_a_file_without_lines(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    logs, _ = group(monkeypatch, {"events": []})
    logs.fetch(hour(), tmp_path / "log")

    assert lines_of(tmp_path / "log") == []


def test_a_denied_log_group_names_the_action_to_allow(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    logs, _ = group(monkeypatch, error("FilterLogEvents", "AccessDeniedException"))
    with pytest.raises(ClientError) as caught:
        logs.fetch(hour(), tmp_path / "log")
    assert shortfall_of(caught.value).text.endswith("Allow logs:FilterLogEvents.")


def test_an_event_without_a_message_is_told(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    logs, _ = group(monkeypatch, {"events": [{"eventId": "1"}]})
    with pytest.raises(ReadingError, match="FilterLogEvents"):
        logs.fetch(hour(), tmp_path / "log")


def test_few_hours_of_a_log_group_are_read_at_once(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    inside, most = 0, 0
    lock = threading.Lock()

    def answer(_: dict[str, Any]) -> dict[str, Any]:
        nonlocal inside, most
        with lock:
            inside += 1
            most = max(most, inside)
        threading.Event().wait(0.005)
        with lock:
            inside -= 1
        return {"events": []}

    logs, _ = group(monkeypatch, answer)
    with ThreadPoolExecutor(24) as pool:
        list(pool.map(lambda number: logs.fetch(hour(), tmp_path / str(number)), range(24)))

    assert most == HOURS_AT_ONCE
