import datetime as dt
import gzip
import random
from collections.abc import Iterator
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import Any

import duckdb
import pytest

from usage_pipeline.assets import log_loading
from usage_pipeline.assets.invocation_storage import LOGGED_REQUESTS
from usage_pipeline.assets.log_loading import LoadSummary, load_logs
from usage_pipeline.assets.log_storage import read_objects
from usage_pipeline.assets.raw_invocations import INVOCATION_LOGS
from usage_pipeline.aws import log_fetching
from usage_pipeline.aws.errors import Shortfall
from usage_pipeline.warehouse import prepare_tables
from usage_pipeline_tests.assets.log_samples import DAY, MARKER, SCOPE, FakeLogs, record, stored_columns
from usage_pipeline_tests.empty_warehouse import empty_warehouse

NEXT_DAY = dt.date(2026, 11, 15)
IN_THREE_DAYS = dt.date(2026, 11, 17)
LOOK_BACK = (DAY, NEXT_DAY, dt.date(2026, 11, 16), IN_THREE_DAYS)


@pytest.fixture
def con() -> Iterator[duckdb.DuckDBPyConnection]:
    with empty_warehouse() as con:
        yield con


@pytest.fixture
def logs() -> FakeLogs:
    return FakeLogs()


def load(con: duckdb.DuckDBPyConnection, logs: FakeLogs, folder: Path, *days: dt.date) -> LoadSummary:
    """One run over the days: what the ledger does not have."""
    known = read_objects(con, LOGGED_REQUESTS, days or (DAY,))
    wanted = [
        (scope, listed)
        for scope, listed in logs.listed(*days)
        if (*scope, listed.log.bucket, listed.log.key, listed.log.etag) not in known
    ]
    with TemporaryDirectory(dir=folder.parent) as temporary:
        return load_logs(con, INVOCATION_LOGS, wanted, Path(temporary))


def in_order(tmp_path: Path, logs: FakeLogs) -> list[tuple[Any, ...]]:
    """The table that one load of everything into an empty warehouse makes."""
    with empty_warehouse() as other:
        load(other, logs, tmp_path / "in-order", *LOOK_BACK)
        return stored_columns(other, "*")


def test_objects_become_requests_and_notes(con: duckdb.DuckDBPyConnection, logs: FakeLogs, tmp_path: Path) -> None:
    logs.put("a", record("r1"), record("r2"))
    logs.put("b", record("r3"), is_plain=True)

    summary = load(con, logs, tmp_path)

    assert stored_columns(con) == [("r1", 5), ("r2", 5), ("r3", 5)]
    assert (summary.row_count, summary.object_count, summary.record_count) == (3, 2, 3)
    assert summary.days == {DAY}
    assert con.execute("select key, record_count, is_complete from ops.ingested_objects order by key").fetchall() == [
        (FakeLogs.key("a"), 2, True),
        (FakeLogs.key("b"), 1, True),
    ]


def test_an_object_that_was_read_is_not_fetched_again(
    con: duckdb.DuckDBPyConnection, logs: FakeLogs, tmp_path: Path
) -> None:
    logs.put("a", record("r1"))
    load(con, logs, tmp_path)
    logs.put("b", record("r2"))
    logs.fetched.clear()

    assert load(con, logs, tmp_path).object_count == 1

    assert logs.fetched == [FakeLogs.key("b")]
    assert stored_columns(con) == [("r1", 5), ("r2", 5)]


def test_a_changed_object_is_read_again_and_nothing_is_lost(
    con: duckdb.DuckDBPyConnection, logs: FakeLogs, tmp_path: Path
) -> None:
    logs.put("a", record("r1"), record("r2"))
    load(con, logs, tmp_path)
    logs.put("a", record("r2"), record("r3"))

    assert load(con, logs, tmp_path).row_count == 1

    assert stored_columns(con) == [("r1", 5), ("r2", 5), ("r3", 5)]
    assert con.execute("select key, record_count from ops.ingested_objects").fetchall() == [(FakeLogs.key("a"), 2)]


@pytest.mark.parametrize(
    ("at", "folder"),
    [("14T23:50", NEXT_DAY), ("14T23:05", NEXT_DAY), ("14T08:15", IN_THREE_DAYS)],
    ids=["15 minutes", "60 minutes", "3 days"],
)
def test_a_late_record_ends_in_the_same_table_as_in_order_delivery(
    con: duckdb.DuckDBPyConnection, logs: FakeLogs, tmp_path: Path, at: str, folder: dt.date
) -> None:
    logs.put("a", record("r1", "14T08:00"), folder=DAY)
    logs.put("b", record("r2", "15T08:00"), folder=NEXT_DAY)
    load(con, logs, tmp_path, *LOOK_BACK)
    before = con.execute("select usage_date, change from ops.day_changes").fetchall()

    logs.put("late", record("late", at), folder=folder)
    assert load(con, logs, tmp_path, *LOOK_BACK).days == {DAY}

    assert stored_columns(con, "*") == in_order(tmp_path, logs)
    after = con.execute("select usage_date, change from ops.day_changes").fetchall()
    assert {day for day, _ in set(after) - set(before)} == {DAY}, "a late record restates its own day"


@pytest.mark.parametrize("seed", range(4))
def test_overlapping_objects_read_in_any_order_end_in_one_table(
    con: duckdb.DuckDBPyConnection, logs: FakeLogs, tmp_path: Path, seed: int
) -> None:
    chance = random.Random(seed)
    records = [record(f"r{number}", f"14T{number % 24:02d}:00") for number in range(60)]
    objects = [(str(number), chance.sample(records, 25), chance.choice(LOOK_BACK)) for number in range(12)]
    objects.append(("rest", records, DAY))
    chance.shuffle(objects)
    for name, content, folder in objects:
        logs.put(name, *content, folder=folder)
        if chance.random() < 0.5:
            load(con, logs, tmp_path, *LOOK_BACK)
    load(con, logs, tmp_path, *LOOK_BACK)

    assert stored_columns(con, "*") == in_order(tmp_path, logs)
    assert len(stored_columns(con)) == 60


def test_of_damaged_objects_what_is_readable_is_kept_and_the_rest_is_noted(
    con: duckdb.DuckDBPyConnection, logs: FakeLogs, tmp_path: Path
) -> None:
    whole = gzip.compress(b"".join(record(f"r{number}") for number in range(200)), mtime=0)
    logs.put_bytes("cut", whole[: len(whole) // 2])
    logs.put("bad-line", record("x1"), b'{"requestId": "' + MARKER.encode() + b"\n", record("x2"))
    logs.put_bytes("empty", b"")

    summary = load(con, logs, tmp_path)

    notes = con.execute(
        """
        select split_part(key, '/', -1), record_count > 0, quarantined_count, is_complete
        from ops.ingested_objects order by key
        """
    ).fetchall()
    assert notes == [
        ("bad-line.json.gz", True, 1, True),
        ("cut.json.gz", True, 1, False),
        ("empty.json.gz", False, 1, False),
    ]
    assert summary.quarantined_count == 3
    assert [row for row in stored_columns(con) if row[0] in ("x1", "x2")] == [("x1", 5), ("x2", 5)]
    lines = con.execute("select split_part(key, '/', -1), line_number from ops.quarantined_records order by 1")
    assert ("bad-line.json.gz", 2) in lines.fetchall()


def test_a_mended_copy_of_a_damaged_object_gives_the_rest(
    con: duckdb.DuckDBPyConnection, logs: FakeLogs, tmp_path: Path
) -> None:
    whole = gzip.compress(b"".join(record(f"r{number}") for number in range(200)), mtime=0)
    logs.put_bytes("a", whole[: len(whole) // 2])
    load(con, logs, tmp_path)
    assert 0 < len(stored_columns(con)) < 200

    logs.put_bytes("a", whole)
    load(con, logs, tmp_path)

    assert len(stored_columns(con)) == 200
    assert con.execute("select is_complete from ops.ingested_objects").fetchall() == [(True,)]
    assert con.execute("select count(*) from ops.quarantined_records").fetchone() == (0,)


def test_an_object_that_cannot_be_had_is_told_and_left_for_the_next_run(
    con: duckdb.DuckDBPyConnection, logs: FakeLogs, tmp_path: Path
) -> None:
    logs.put("a", record("r1"))
    logs.put("b", record("r2"))
    logs.put("c", record("r3", "15T00:10"), folder=NEXT_DAY)
    logs.fail("b")

    summary = load(con, logs, tmp_path, DAY, NEXT_DAY)

    assert stored_columns(con) == [("r1", 5), ("r3", 5)]
    assert summary.shortfall(SCOPE, DAY) == Shortfall("failed", "1 of 2 log objects: GetObject: the network is gone")
    assert summary.shortfall(SCOPE, NEXT_DAY) is None

    logs.failing.clear()
    assert load(con, logs, tmp_path, DAY, NEXT_DAY).shortfall(SCOPE, DAY) is None
    assert stored_columns(con) == [("r1", 5), ("r2", 5), ("r3", 5)]


def test_a_load_of_many_rows_is_stored_some_at_a_time(
    con: duckdb.DuckDBPyConnection, logs: FakeLogs, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(log_loading, "ROWS_AT_ONCE", 10)
    for number in range(30):
        logs.put(f"{number:02d}", record(f"r{number}a"), record(f"r{number}b"), record("r0a"))

    summary = load(con, logs, tmp_path)

    assert len(stored_columns(con)) == 60
    assert summary.object_count == 30
    assert changes_of(con) > 1


def changes_of(con: duckdb.DuckDBPyConnection) -> int:
    row = con.execute("select max(change) from ops.day_changes").fetchone()
    assert row is not None
    return row[0]


def test_worker_processes_make_the_same_table(
    con: duckdb.DuckDBPyConnection, logs: FakeLogs, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    for number in range(50):
        logs.put(str(number), *(record(f"r{number}-{line}") for line in range(20)), record("shared"))
    expected = in_order(tmp_path, logs)
    monkeypatch.setattr(log_loading, "SMALL_LOAD_BYTES", 0)
    monkeypatch.setattr(log_loading, "MOST_PROCESSES", 2)

    load(con, logs, tmp_path / "workers")

    assert stored_columns(con, "*") == expected
    assert len(expected) == 1001


def test_what_was_stored_before_an_error_stays_and_the_next_run_does_the_rest(
    con: duckdb.DuckDBPyConnection, logs: FakeLogs, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(log_loading, "ROWS_AT_ONCE", 10)
    monkeypatch.setattr(log_fetching, "OBJECTS_UNDER_WAY", 8)
    for number in range(60):
        logs.put(f"{number:03d}", record(f"r{number}"))
    logs.failing[FakeLogs.key("050")] = MemoryError("as a kill would")

    with pytest.raises(MemoryError):
        load_logs(con, INVOCATION_LOGS, logs.listed(), made(tmp_path / "killed"))
    before = len(stored_columns(con))
    assert 10 <= before <= 50
    assert len(read_objects(con, LOGGED_REQUESTS, [DAY])) == before

    logs.failing.clear()
    logs.fetched.clear()
    load(con, logs, tmp_path / "next")

    assert len(stored_columns(con)) == 60
    assert len(logs.fetched) == 60 - before
    assert stored_columns(con, "*") == in_order(tmp_path, logs)


def made(folder: Path) -> Path:
    folder.mkdir()
    return folder


def test_no_text_of_a_body_reaches_the_warehouse(logs: FakeLogs, tmp_path: Path) -> None:
    for number in range(5):
        logs.put(str(number), record(f"r{number}"), b'{"input": "' + MARKER.encode() + b'"\n')
    file = tmp_path / "warehouse.duckdb"
    with duckdb.connect(str(file)) as con:
        prepare_tables(con)
        load(con, logs, tmp_path / "load")
        assert len(stored_columns(con)) == 5
        con.execute("checkpoint")

    assert MARKER.encode() not in file.read_bytes()
