import datetime as dt
import itertools
import random
from collections.abc import Iterator, Sequence
from pathlib import Path
from typing import Any

import duckdb
import pyarrow as pa
import pytest

from usage_pipeline.assets.invocation_storage import LOGGED_REQUESTS, known_deliveries
from usage_pipeline.assets.log_storage import ReadLog, read_objects, store_load, stored_rows
from usage_pipeline.aws.bucket_objects import LogObject
from usage_pipeline.aws.invocation_logging import LogDelivery
from usage_pipeline.aws.log_listing import KnownDelivery
from usage_pipeline.log_files.parts import FileResult
from usage_pipeline.log_files.quarantine import QuarantinedRecord
from usage_pipeline.raw_tables import LOG_DELIVERY
from usage_pipeline.warehouse import arrow_schema, replace_all
from usage_pipeline_tests.assets.log_samples import DAY, SCOPE, moment, request, stored_columns, write_part
from usage_pipeline_tests.empty_warehouse import empty_warehouse

NEXT_DAY = dt.date(2026, 11, 15)


@pytest.fixture
def con() -> Iterator[duckdb.DuckDBPyConnection]:
    with empty_warehouse() as con:
        yield con


def read_log(
    key: str = "a.json.gz",
    etag: str = "e1",
    quarantined: Sequence[QuarantinedRecord] = (),
    is_complete: bool = True,
    scope: tuple[str, str] = SCOPE,
) -> ReadLog:
    result = FileResult("path", key, 2, len(quarantined), tuple(quarantined), is_complete)
    return ReadLog(scope, LogObject("logs", key, etag, 100, DAY), result)


def store(con: duckdb.DuckDBPyConnection, folder: Path, *rows: dict[str, Any]) -> tuple[int, set[dt.date]]:
    stored = store_load(con, LOGGED_REQUESTS, [write_part(folder, rows)], [read_log()])
    return stored.row_count, set(stored.days)


def changes(con: duckdb.DuckDBPyConnection) -> dict[dt.date, int]:
    rows = con.execute("select usage_date, change from ops.day_changes where table_name = 'raw.invocations'").fetchall()
    return dict(rows)


# raw.invocations


def test_new_requests_are_stored_with_all_their_columns(con: duckdb.DuckDBPyConnection, tmp_path: Path) -> None:
    full = request("a", request_metadata={"team": "search"}, latency_ms=812.5, max_tokens=4096, stop_reason="end_turn")

    assert store(con, tmp_path, full, request("b")) == (2, {DAY})

    assert con.execute("from raw.invocations order by request_id limit 1").fetchall() == [
        tuple(full[name] for name in full)
    ]


def test_a_request_that_was_logged_twice_has_one_row(con: duckdb.DuckDBPyConnection, tmp_path: Path) -> None:
    assert store(con, tmp_path, request("a"), request("b"), request("a")) == (2, {DAY})

    assert stored_columns(con) == [("a", 5), ("b", 5)]


def test_the_same_load_again_changes_nothing_and_restates_no_day(
    con: duckdb.DuckDBPyConnection, tmp_path: Path
) -> None:
    store(con, tmp_path, request("a"), request("b"))
    before = changes(con)

    assert store(con, tmp_path, request("b"), request("a"), request("a")) == (0, set())

    assert stored_columns(con) == [("a", 5), ("b", 5)]
    assert changes(con) == before


def test_a_late_request_goes_to_its_own_day_and_restates_that_day_only(
    con: duckdb.DuckDBPyConnection, tmp_path: Path
) -> None:
    store(con, tmp_path, request("a", "14T08:15"), request("b", "15T09:00"))
    before = changes(con)

    assert store(con, tmp_path, request("late", "14T23:59"), request("b", "15T09:00")) == (1, {DAY})

    assert stored_columns(con, "usage_date, request_id") == [(DAY, "a"), (DAY, "late"), (NEXT_DAY, "b")]
    assert changes(con)[DAY] > before[DAY]
    assert changes(con)[NEXT_DAY] == before[NEXT_DAY]


def test_request_ids_are_unique_in_an_account_and_region_only(con: duckdb.DuckDBPyConnection, tmp_path: Path) -> None:
    rows = [request("a"), request("a", region="eu-west-1"), request("a", account_id="444455556666")]

    assert store(con, tmp_path, *rows) == (3, {DAY})
    assert stored_rows(con, LOGGED_REQUESTS, [DAY, NEXT_DAY]) == {
        ("111122223333", "us-east-1", DAY): 1,
        ("111122223333", "eu-west-1", DAY): 1,
        ("444455556666", "us-east-1", DAY): 1,
    }


def test_of_two_copies_the_one_that_says_more_is_kept_and_restates_its_day(
    con: duckdb.DuckDBPyConnection, tmp_path: Path
) -> None:
    store(con, tmp_path, request("a"), request("b"))
    before = changes(con)

    assert store(con, tmp_path, request("a", max_tokens=4096)) == (1, {DAY})
    assert store(con, tmp_path, request("a", max_tokens=None)) == (0, set())

    assert stored_columns(con, "request_id, max_tokens") == [("a", 4096), ("b", None)]
    assert changes(con)[DAY] > before[DAY]


COPIES = [
    request("a"),
    request("a", output_tokens=7),
    request("a", output_tokens=None, latency_ms=12.0),
    request("a", request_metadata={"k": "1"}),
    request("a", request_metadata={"k": "2"}),
    request("a", error_code="ThrottlingException", input_tokens=None, output_tokens=None),
]


@pytest.mark.parametrize("order", list(itertools.permutations(range(6), 6))[::97])
def test_copies_that_differ_end_in_the_same_row_in_any_order(
    con: duckdb.DuckDBPyConnection, tmp_path: Path, order: tuple[int, ...]
) -> None:
    for number in order:
        store(con, tmp_path, COPIES[number])

    assert stored_columns(con, "output_tokens, latency_ms, request_metadata") == [(5, None, {"k": "2"})]


@pytest.mark.parametrize("seed", range(5))
def test_any_division_into_loads_ends_in_the_same_table(
    con: duckdb.DuckDBPyConnection, tmp_path: Path, seed: int
) -> None:
    chance = random.Random(seed)
    rows = [
        request(f"r{number % 40}", f"1{number % 3 + 3}T08:00", output_tokens=chance.choice([None, 1, 2]))
        for number in range(120)
    ]
    with empty_warehouse() as other:
        store(other, tmp_path / "whole", *rows)
        expected = stored_columns(other, "*")

    chance.shuffle(rows)
    while rows:
        size = chance.randint(1, 30)
        taken, rows = rows[:size], rows[size:]
        store(con, tmp_path / "pieces", *taken, *chance.sample(taken, len(taken) // 2))

    assert stored_columns(con, "*") == expected
    assert len(expected) == len({row[:4] for row in expected})


def test_objects_without_a_record_are_noted_too(con: duckdb.DuckDBPyConnection) -> None:
    assert store_load(con, LOGGED_REQUESTS, [], [read_log()]).row_count == 0

    assert read_objects(con, LOGGED_REQUESTS, [DAY]) == {(*SCOPE, "logs", "a.json.gz", "e1")}


def test_a_load_that_breaks_stores_nothing(con: duckdb.DuckDBPyConnection, tmp_path: Path) -> None:
    store(con, tmp_path, request("a"))
    broken = tmp_path / "broken.parquet"
    broken.write_bytes(b"no parquet")

    with pytest.raises(duckdb.Error):
        store_load(con, LOGGED_REQUESTS, [write_part(tmp_path, [request("b")]), broken], [read_log("b.json.gz")])

    assert stored_columns(con) == [("a", 5)]
    assert read_objects(con, LOGGED_REQUESTS, [DAY]) == {(*SCOPE, "logs", "a.json.gz", "e1")}
    assert store(con, tmp_path, request("b")) == (1, {DAY})


# the ledger and the quarantine


def test_what_could_not_be_read_is_noted_without_its_text(con: duckdb.DuckDBPyConnection) -> None:
    records = [QuarantinedRecord(26, "not JSON", "abc"), QuarantinedRecord(None, "the gzip stream ends early", "def")]

    store_load(con, LOGGED_REQUESTS, [], [read_log(quarantined=records, is_complete=False)])

    assert con.execute("from ops.ingested_objects").fetchall() == [
        ("invocations", *SCOPE, "logs", "a.json.gz", "e1", 100, DAY, 2, 2, False)
    ]
    assert con.execute("from ops.quarantined_records order by line_number").fetchall() == [
        ("invocations", *SCOPE, "logs", "a.json.gz", DAY, 26, "not JSON", "abc"),
        ("invocations", *SCOPE, "logs", "a.json.gz", DAY, None, "the gzip stream ends early", "def"),
    ]


def test_an_object_that_was_mended_leaves_no_old_note(con: duckdb.DuckDBPyConnection) -> None:
    damaged = read_log(quarantined=[QuarantinedRecord(None, "damaged", "abc")], is_complete=False)
    other = read_log("b.json.gz", quarantined=[QuarantinedRecord(1, "not JSON", "abc")])
    store_load(con, LOGGED_REQUESTS, [], [damaged, other])

    store_load(con, LOGGED_REQUESTS, [], [read_log(etag="e2")])

    assert con.execute("select key, etag, is_complete from ops.ingested_objects order by key").fetchall() == [
        ("a.json.gz", "e2", True),
        ("b.json.gz", "e1", True),
    ]
    assert con.execute("select key from ops.quarantined_records").fetchall() == [("b.json.gz",)]


def test_log_groups_of_two_accounts_with_one_name_have_notes_of_their_own(con: duckdb.DuckDBPyConnection) -> None:
    other = ("444455556666", "us-east-1")
    store_load(con, LOGGED_REQUESTS, [], [read_log()])
    store_load(con, LOGGED_REQUESTS, [], [read_log(scope=other)])

    assert read_objects(con, LOGGED_REQUESTS, [DAY]) == {
        (*SCOPE, "logs", "a.json.gz", "e1"),
        (*other, "logs", "a.json.gz", "e1"),
    }
    assert read_objects(con, LOGGED_REQUESTS, [NEXT_DAY]) == set()


# raw.log_delivery


def snapshots(con: duckdb.DuckDBPyConnection, *rows: tuple[str, str | None, str]) -> None:
    """(day, bucket or None for off, source)."""
    values = [
        {
            "snapshot_date": moment(f"{day}T00:00").date(),
            "account_id": SCOPE[0],
            "region": SCOPE[1],
            "is_on": bucket is not None,
            "bucket": bucket,
            "key_prefix": None if bucket is None else "",
            "log_group": None,
            "text_is_delivered": None,
            "source": source,
        }
        for day, bucket, source in rows
    ]
    replace_all(con, LOG_DELIVERY, pa.Table.from_pylist(values, schema=arrow_schema(LOG_DELIVERY)))


def test_where_logs_went_is_told_in_stretches_of_time(con: duckdb.DuckDBPyConnection) -> None:
    snapshots(con, ("01", "a", "aws"), ("02", "a", "aws"), ("03", "b", "aws"), ("05", None, "aws"), ("07", "a", "aws"))

    def of(bucket: str | None, first: int, last: int) -> KnownDelivery:
        delivery = LogDelivery(bucket is not None, bucket, None if bucket is None else "", None, None, "aws")
        return KnownDelivery(delivery, dt.date(2026, 11, first), dt.date(2026, 11, last))

    assert known_deliveries(con) == {SCOPE: [of("a", 1, 2), of("b", 3, 3), of(None, 5, 5), of("a", 7, 7)]}
