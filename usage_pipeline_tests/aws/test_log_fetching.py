import datetime as dt
import threading
from collections.abc import Callable
from pathlib import Path

import pytest

from usage_pipeline.aws import log_fetching
from usage_pipeline.aws.bucket_objects import LogObject
from usage_pipeline.aws.errors import ReadingDeniedError, ReadingError, Shortfall
from usage_pipeline.aws.log_fetching import FAILURES_BEFORE_GIVING_UP, FetchedLog, FetchRequest, ReusedFiles, fetch_logs
from usage_pipeline.aws.sessions import count_api_call

DAY = dt.date(2026, 11, 14)


class Place:
    """A place whose objects are their own names; `before` runs in the thread that gets one."""

    def __init__(self, before: Callable[[LogObject], None] = lambda _: None) -> None:
        self._before = before
        self.begun: list[str] = []

    def list_day(self, day: dt.date) -> list[LogObject]:
        return []

    def fetch(self, log: LogObject, path: Path) -> LogObject:
        self.begun.append(log.key)
        count_api_call()
        path.write_text(log.key)
        self._before(log)
        return log


def requests(place: Place, folder: Path, count: int, size: int = 100) -> list[FetchRequest]:
    return [
        FetchRequest(place, LogObject("logs", str(number), "e", size, DAY), folder / str(number))
        for number in range(count)
    ]


def keys(fetched: list[FetchedLog]) -> list[str]:
    return sorted((answer.log.key for answer in fetched), key=int)


def test_all_objects_are_got_with_what_they_took(tmp_path: Path) -> None:
    fetched = list(fetch_logs(requests(Place(), tmp_path, 500)))

    assert keys(fetched) == [str(number) for number in range(500)]
    assert {(answer.api_calls, answer.shortfall) for answer in fetched} == {(1, None)}
    assert {path.read_text() for path in tmp_path.iterdir()} == set(keys(fetched))


def test_no_more_is_fetched_than_a_bound_ahead_of_what_is_taken(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(log_fetching, "OBJECTS_UNDER_WAY", 8)
    place = Place()
    stream = fetch_logs(requests(place, tmp_path, 100))

    for taken in range(1, 50):
        next(stream)
        assert len(place.begun) <= taken + 8
    stream.close()
    assert len(place.begun) < 60


def test_no_more_bytes_of_files_are_under_way_than_a_bound(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(log_fetching, "DISK_BYTES", 1000)
    place = Place()
    stream = fetch_logs(requests(place, tmp_path, 20, size=400))

    next(stream)
    assert len(place.begun) <= 3
    assert len(list(stream)) == 19


def test_one_object_larger_than_the_bound_is_got_alone(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(log_fetching, "DISK_BYTES", 1000)

    assert len(list(fetch_logs(requests(Place(), tmp_path, 3, size=5000)))) == 3


def test_no_more_bytes_are_in_memory_than_a_bound(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(log_fetching, "MEMORY_BYTES", 2_500_000)
    inside, most = 0, 0
    lock = threading.Lock()

    def count(_: LogObject) -> None:
        nonlocal inside, most
        with lock:
            inside += 1
            most = max(most, inside)
        threading.Event().wait(0.002)
        with lock:
            inside -= 1

    assert len(list(fetch_logs(requests(Place(count), tmp_path, 40, size=1_000_000)))) == 40
    assert most == 2


def test_a_failing_object_is_told_and_hides_no_other(tmp_path: Path) -> None:
    def fail(log: LogObject) -> None:
        if log.key == "3":
            raise ReadingDeniedError("GetObject: no")

    fetched = list(fetch_logs(requests(Place(fail), tmp_path, 5)))

    assert [(answer.log.key, answer.shortfall) for answer in fetched if answer.shortfall] == [
        ("3", Shortfall("denied", "GetObject: no"))
    ]
    assert {answer.log.key for answer in fetched if not answer.shortfall} == {"0", "1", "2", "4"}


def test_files_that_are_given_back_hold_the_next_objects(tmp_path: Path) -> None:
    files = ReusedFiles(tmp_path)
    first, second = files.take(), files.take()
    files.give_back(first)

    assert first != second
    assert (files.take(), files.take() in (first, second)) == (first, False)


def test_a_place_that_keeps_failing_is_given_up_and_others_are_not(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(log_fetching, "OBJECTS_UNDER_WAY", 1)

    def fail(log: LogObject) -> None:
        raise ReadingError("GetObject: the network is gone")

    bad, good = Place(fail), Place()
    (tmp_path / "bad").mkdir()
    (tmp_path / "good").mkdir()

    fetched = list(fetch_logs([*requests(bad, tmp_path / "bad", 100), *requests(good, tmp_path / "good", 5)]))

    assert len(bad.begun) == FAILURES_BEFORE_GIVING_UP
    assert [answer.shortfall for answer in fetched[:100]] == [
        Shortfall("failed", "GetObject: the network is gone")
    ] * 100
    assert [answer.shortfall for answer in fetched[100:]] == [None] * 5


def test_single_failures_among_many_objects_do_not_give_a_place_up(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(log_fetching, "OBJECTS_UNDER_WAY", 1)

    def fail(log: LogObject) -> None:
        if int(log.key) % 2:
            raise ReadingError("GetObject: gone")

    place = Place(fail)
    assert len(list(fetch_logs(requests(place, tmp_path, 100)))) == len(place.begun) == 100


def test_a_fault_of_the_program_is_raised(tmp_path: Path) -> None:
    def fail(log: LogObject) -> None:
        raise ZeroDivisionError

    with pytest.raises(ZeroDivisionError):
        list(fetch_logs(requests(Place(fail), tmp_path, 5)))
