"""The warehouse: one writer at a time, rows that replace exactly what they must, a published copy that never tears."""

import shutil
import subprocess
import sys
import time
from datetime import date, datetime, timedelta
from pathlib import Path
from typing import Any

import duckdb
import pyarrow as pa
import pytest
from dagster_duckdb import DuckDBResource

from usage_pipeline.raw_tables import (
    CLOUDWATCH_METRICS,
    CLOUDWATCH_SERIES,
    DAY_CHANGES,
    IMPORTED_MODELS,
    RUNS,
    SCOPES,
    SOURCE_STATUS,
    STORED_TABLES,
    StoredTable,
)
from usage_pipeline.warehouse import (
    SeriesWindow,
    Warehouse,
    WarehouseBusyError,
    WarehouseSchemaError,
    arrow_schema,
    open_when_free,
    prepare_tables,
    publish,
    record_series,
    record_source_status,
    replace_all,
    replace_days,
    replace_series,
    upsert,
)
from usage_pipeline_tests.empty_warehouse import empty_warehouse

DAY = date(2026, 11, 14)
EARLIER = date(2026, 11, 13)
TEN = datetime(2026, 11, 14, 10)
HERE = ("111122223333", "us-east-1")
THERE = ("444455556666", "us-east-1")


@pytest.fixture
def con() -> duckdb.DuckDBPyConnection:
    con = duckdb.connect(":memory:")
    prepare_tables(con)
    return con


@pytest.fixture
def warehouse(tmp_path: Path) -> Warehouse:
    return Warehouse(database=str(tmp_path / "data" / "warehouse.duckdb"))


def rows_of(table: StoredTable, *rows: dict[str, Any]) -> pa.Table:
    return pa.Table.from_pylist(list(rows), schema=arrow_schema(table))


def point(
    model_id: str | None = "a", ts: datetime = TEN, value: float = 1.0, scope: tuple[str, str] = HERE
) -> dict[str, Any]:
    return {
        "usage_date": ts.date(),
        "account_id": scope[0],
        "region": scope[1],
        "namespace": "AWS/Bedrock",
        "dimension_set": "ModelId" if model_id else "none",
        "model_id": model_id,
        "metric_name": "Invocations",
        "statistic": "Sum",
        "ts": ts,
        "period_seconds": 60,
        "value": value,
    }


def points(*rows: dict[str, Any]) -> pa.Table:
    return rows_of(CLOUDWATCH_METRICS, *rows)


def whole_day(*model_ids: str | None, day: date = DAY, scope: tuple[str, str] = HERE) -> SeriesWindow:
    midnight = datetime(day.year, day.month, day.day)
    return SeriesWindow(*scope, tuple(model_ids), midnight, midnight + timedelta(days=1))


def stored(con: duckdb.DuckDBPyConnection, columns: str = "model_id, ts, value") -> list[tuple[Any, ...]]:
    return con.execute(f"select {columns} from raw.cloudwatch_metrics order by all").fetchall()


def changes(con: duckdb.DuckDBPyConnection) -> dict[tuple[str, date], int]:
    return {(table, day): n for table, day, n in con.execute(f"from {DAY_CHANGES.qualified_name}").fetchall()}


# Opening


def test_it_is_a_duckdb_resource_with_every_stored_table(warehouse: Warehouse) -> None:
    assert isinstance(warehouse, DuckDBResource)
    with warehouse.connect() as con:
        for table in STORED_TABLES.values():
            assert con.execute(f"select count(*) from {table.qualified_name}").fetchone() == (0,)
    with warehouse.get_connection() as con:
        schemas = {row[0] for row in con.execute("select schema_name from information_schema.schemata").fetchall()}
    assert {"raw", "staging", "intermediate", "marts", "ops"} <= schemas


def test_tables_and_columns_say_what_they_hold(con: duckdb.DuckDBPyConnection) -> None:
    comment = "select comment from duckdb_columns() where table_name = 'scopes' and column_name = 'region'"
    assert con.execute(comment).fetchone() == ("source Region: where callers send their requests",)


def test_the_empty_warehouse_of_other_tests_has_the_same_tables(con: duckdb.DuckDBPyConnection) -> None:
    columns = """
        select schema_name, table_name, column_name, column_index, data_type, is_nullable, column_default
        from duckdb_columns() where not internal order by all
    """
    constraints = "select table_name, constraint_type, constraint_text from duckdb_constraints() order by all"
    with empty_warehouse() as quick:
        for asked in (columns, constraints):
            assert quick.execute(asked).fetchall() == con.execute(asked).fetchall()


def test_the_connection_is_closed_when_the_work_fails(warehouse: Warehouse) -> None:
    with pytest.raises(RuntimeError, match="stop"), warehouse.connect() as con:
        raise RuntimeError("stop")
    with pytest.raises(duckdb.ConnectionException):
        con.execute("select 1")


def test_a_bare_connection_in_the_same_process_does_not_clash(warehouse: Warehouse) -> None:
    with warehouse.connect() as con, duckdb.connect(warehouse.database) as bare:
        con.execute("create table marts.seen as select 1 as x")
        assert bare.execute("from marts.seen").fetchall() == [(1,)]


HOLD_THE_FILE = """
import sys, duckdb
con = duckdb.connect(sys.argv[1])
print("open", flush=True)
sys.stdin.readline()
con.close()
"""


def hold(path: Path) -> subprocess.Popen[str]:
    """Another process that has the file open until a line is written to it."""
    process = subprocess.Popen(
        [sys.executable, "-c", HOLD_THE_FILE, str(path)], stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True
    )
    assert process.stdout is not None
    assert process.stdout.readline() == "open\n"
    return process


def test_it_waits_with_growing_pauses_and_opens_when_the_other_process_is_done(tmp_path: Path) -> None:
    path = tmp_path / "warehouse.duckdb"
    other = hold(path)
    pauses: list[float] = []

    def pause(seconds: float) -> None:
        pauses.append(seconds)
        if len(pauses) == 6:
            other.communicate("done\n")

    open_when_free(str(path), sleep=pause).close()
    assert len(pauses) == 6
    assert pauses[-1] > 3 * pauses[0]


def test_it_gives_up_with_the_file_its_holder_and_what_to_do(tmp_path: Path) -> None:
    path = tmp_path / "warehouse.duckdb"
    other = hold(path)
    pauses: list[float] = []
    with pytest.raises(WarehouseBusyError) as refused:
        open_when_free(str(path), wait_seconds=90, sleep=pauses.append)
    other.communicate("done\n")

    assert sum(pauses) == pytest.approx(90)
    assert max(pauses) <= 5 * 1.25
    for words in (str(path), f"PID {other.pid}", "waited 90 s", "open the published copy"):
        assert words in str(refused.value)


# Schemas


def test_a_column_that_is_new_is_added_to_what_is_stored(con: duckdb.DuckDBPyConnection) -> None:
    replace_all(con, SCOPES, rows_of(SCOPES, {"account_id": HERE[0], "region": HERE[1], "account_name": "production"}))
    con.execute("alter table raw.scopes drop column is_configured")
    prepare_tables(con)
    assert con.execute("select account_name, is_configured from raw.scopes").fetchall() == [("production", None)]


def test_a_column_of_another_type_is_refused_by_name(con: duckdb.DuckDBPyConnection) -> None:
    con.execute("alter table raw.service_quotas alter limit_value type varchar")
    with pytest.raises(WarehouseSchemaError, match=r"raw\.service_quotas\.limit_value .* is varchar.* writes double"):
        prepare_tables(con)


def test_every_stored_table_takes_arrow_rows(con: duckdb.DuckDBPyConnection) -> None:
    for table in STORED_TABLES.values():
        assert replace_all(con, table, arrow_schema(table).empty_table()) == 0


def test_missing_and_unknown_columns_are_named(con: duckdb.DuckDBPyConnection) -> None:
    with pytest.raises(ValueError, match=r"raw\.scopes: missing columns \['account_name'.*unknown columns \['name'\]"):
        replace_all(con, SCOPES, pa.table({"account_id": ["1"], "region": ["r"], "name": ["x"]}))


# Replacing


def listed(day: date, name: str, scope: tuple[str, str] = HERE) -> dict[str, Any]:
    return {
        "snapshot_date": day,
        "account_id": scope[0],
        "region": scope[1],
        "model_arn": "arn:aws:bedrock:us-east-1:111122223333:imported-model/a",
        "model_name": name,
    }


def test_days_are_replaced_for_the_scopes_that_were_read_and_no_other(con: duckdb.DuckDBPyConnection) -> None:
    scopes = {HERE, THERE}
    first = rows_of(IMPORTED_MODELS, listed(EARLIER, "a"), listed(DAY, "b"), listed(DAY, "c", THERE))
    assert replace_days(con, IMPORTED_MODELS, first, {EARLIER, DAY}, scopes) == 3
    # The other account could not be read this time: its row of the same day stays.
    assert replace_days(con, IMPORTED_MODELS, rows_of(IMPORTED_MODELS, listed(DAY, "new")), {DAY}, {HERE}) == 1
    kept = "select snapshot_date, account_id, model_name from raw.imported_models order by all"
    assert con.execute(kept).fetchall() == [(EARLIER, HERE[0], "a"), (DAY, HERE[0], "new"), (DAY, THERE[0], "c")]


def test_a_scope_that_answered_with_nothing_loses_its_old_rows(con: duckdb.DuckDBPyConnection) -> None:
    replace_days(con, IMPORTED_MODELS, rows_of(IMPORTED_MODELS, listed(DAY, "a")), {DAY}, {HERE})
    assert replace_days(con, IMPORTED_MODELS, rows_of(IMPORTED_MODELS), {DAY}, {HERE}) == 0
    assert con.execute("select count(*) from raw.imported_models").fetchone() == (0,)


@pytest.mark.parametrize("row", [listed(EARLIER, "b"), listed(DAY, "b", THERE)])
def test_a_row_outside_what_is_replaced_changes_nothing(con: duckdb.DuckDBPyConnection, row: dict[str, Any]) -> None:
    replace_days(con, IMPORTED_MODELS, rows_of(IMPORTED_MODELS, listed(DAY, "a")), {DAY}, {HERE})
    with pytest.raises(ValueError, match="1 of 2 lie outside"):
        replace_days(con, IMPORTED_MODELS, rows_of(IMPORTED_MODELS, listed(DAY, "c"), row), {DAY}, {HERE})
    assert con.execute("select model_name from raw.imported_models").fetchall() == [("a",)]


def test_a_table_without_days_is_not_replaced_by_days(con: duckdb.DuckDBPyConnection) -> None:
    with pytest.raises(ValueError, match="use replace_all"):
        replace_days(con, SCOPES, rows_of(SCOPES), {DAY}, {HERE})


def test_series_are_replaced_from_start_to_before_end_for_their_model_ids(con: duckdb.DuckDBPyConnection) -> None:
    eleven = TEN + timedelta(hours=1)
    all_day = [whole_day("a", "b", None), whole_day("a", scope=THERE)]
    replace_series(
        con,
        CLOUDWATCH_METRICS,
        points(point("a", TEN), point("a", eleven), point("b", TEN), point(None, TEN), point("a", TEN, scope=THERE)),
        all_day,
    )
    replace_series(con, CLOUDWATCH_METRICS, points(point("a", TEN, 7)), [SeriesWindow(*HERE, ("a",), TEN, eleven)])
    assert stored(con, "account_id, model_id, ts, value") == [
        (HERE[0], "a", TEN, 7),
        (HERE[0], "a", eleven, 1),
        (HERE[0], "b", TEN, 1),
        (HERE[0], None, TEN, 1),
        (THERE[0], "a", TEN, 1),
    ]


def test_the_accounts_total_is_a_series_of_its_own(con: duckdb.DuckDBPyConnection) -> None:
    replace_series(con, CLOUDWATCH_METRICS, points(point("a"), point(None)), [whole_day("a", None)])
    replace_series(con, CLOUDWATCH_METRICS, points(point(None, value=5)), [whole_day(None)])
    assert stored(con) == [("a", TEN, 1), (None, TEN, 5)]


def test_a_point_outside_every_window_changes_nothing(con: duckdb.DuckDBPyConnection) -> None:
    with pytest.raises(ValueError, match="1 of 2 lie outside"):
        replace_series(con, CLOUDWATCH_METRICS, points(point("a"), point("b")), [whole_day("a")])
    assert stored(con) == []


def test_no_window_replaces_nothing(con: duckdb.DuckDBPyConnection) -> None:
    assert replace_series(con, CLOUDWATCH_METRICS, points(), []) == 0


def test_only_days_whose_rows_changed_get_a_new_number(con: duckdb.DuckDBPyConnection) -> None:
    table = "raw.cloudwatch_metrics"
    yesterday = TEN - timedelta(days=1)
    both = [whole_day("a"), whole_day("a", day=EARLIER)]
    replace_series(con, CLOUDWATCH_METRICS, points(point(), point(ts=yesterday)), both)
    assert changes(con) == {(table, EARLIER): 1, (table, DAY): 1}

    replace_series(con, CLOUDWATCH_METRICS, points(point(), point(ts=yesterday)), both)
    assert changes(con) == {(table, EARLIER): 1, (table, DAY): 1}

    replace_series(con, CLOUDWATCH_METRICS, points(point(), point(ts=yesterday, value=2)), both)
    assert changes(con) == {(table, EARLIER): 2, (table, DAY): 1}

    replace_series(con, CLOUDWATCH_METRICS, points(point(ts=yesterday, value=2)), both)
    assert changes(con) == {(table, EARLIER): 2, (table, DAY): 3}


def test_upsert_replaces_by_key_and_treats_null_as_a_value(con: duckdb.DuckDBPyConnection) -> None:
    rows = rows_of(RUNS, {"run_id": "one"}, {"run_id": None, "partition_from": EARLIER})
    upsert(con, RUNS, rows, ("run_id",))
    upsert(con, RUNS, rows_of(RUNS, {"run_id": None, "partition_from": DAY}, {"run_id": "two"}), ("run_id",))
    found = con.execute("select run_id, partition_from from ops.runs order by all").fetchall()
    assert found == [("one", None), ("two", None), (None, DAY)]


def test_series_are_noted_once_per_day_and_model_id(con: duckdb.DuckDBPyConnection) -> None:
    row = {
        "account_id": HERE[0],
        "region": HERE[1],
        "usage_date": DAY,
        "namespace": "AWS/Bedrock",
        "model_id": "",
        "covered_until": TEN,
        "is_final": False,
    }
    record_series(con, rows_of(CLOUDWATCH_SERIES, row))
    record_series(con, rows_of(CLOUDWATCH_SERIES, row | {"is_final": True}))
    assert con.execute("select is_final from ops.cloudwatch_series").fetchall() == [(True,)]


# How reading went


def status(**values: Any) -> pa.Table:
    row = {
        "account_id": HERE[0],
        "account_name": "production",
        "region": HERE[1],
        "source": "cloudwatch_metrics",
        "partition_date": DAY,
        "status": "ok",
        "covered_until": TEN,
        "resolution_seconds": 60,
        "run_id": "run-1",
    }
    return rows_of(SOURCE_STATUS, row | values)


def test_status_is_one_row_per_scope_source_and_day(con: duckdb.DuckDBPyConnection) -> None:
    record_source_status(con, status())
    record_source_status(con, status(run_id="run-2"))
    record_source_status(con, status(source="service_quotas"))
    record_source_status(con, status(partition_date=EARLIER))
    found = con.execute("select source, partition_date, run_id from ops.source_status order by all").fetchall()
    assert found == [
        ("cloudwatch_metrics", EARLIER, "run-1"),
        ("cloudwatch_metrics", DAY, "run-2"),
        ("service_quotas", DAY, "run-1"),
    ]


def test_a_failed_reading_keeps_what_was_covered_before(con: duckdb.DuckDBPyConnection) -> None:
    record_source_status(con, status())
    record_source_status(con, status(status="denied", error_text="no", covered_until=None, resolution_seconds=None))
    columns = "status, error_text, covered_until, resolution_seconds"
    assert con.execute(f"select {columns} from ops.source_status").fetchall() == [("denied", "no", TEN, 60)]


def test_an_account_that_could_not_be_reached_is_replaced_by_its_regions(con: duckdb.DuckDBPyConnection) -> None:
    record_source_status(con, status(account_id=None, region=None, status="denied", covered_until=None))
    record_source_status(con, status(region="us-east-1"))
    record_source_status(con, status(region="eu-west-1"))
    found = con.execute("select account_id, region, status from ops.source_status order by all").fetchall()
    assert found == [(HERE[0], "eu-west-1", "ok"), (HERE[0], "us-east-1", "ok")]


def test_status_counts_as_changed_only_by_what_was_covered(con: duckdb.DuckDBPyConnection) -> None:
    record_source_status(con, status())
    record_source_status(con, status(run_id="run-2", api_calls=99))
    assert changes(con) == {("ops.source_status", DAY): 1}
    record_source_status(con, status(covered_until=TEN + timedelta(hours=1)))
    assert changes(con) == {("ops.source_status", DAY): 2}


# Publishing


def fill(warehouse: Warehouse, value: int) -> None:
    with warehouse.connect() as con:
        con.execute("create or replace table marts.numbers as select ? as x", [value])


def published_value(path: Path) -> int:
    with duckdb.connect(str(path), read_only=True) as con:
        (value,) = con.execute("from marts.numbers").fetchone() or (None,)
    return value


READ_THE_FILE = """
import sys, duckdb
con = duckdb.connect(sys.argv[1], read_only=True)
print(con.execute("from marts.numbers").fetchone()[0], flush=True)
sys.stdin.readline()
print(con.execute("from marts.numbers").fetchone()[0], flush=True)
"""


def test_an_open_reader_keeps_its_copy_and_the_next_one_sees_the_new(warehouse: Warehouse, tmp_path: Path) -> None:
    published = tmp_path / "published" / "usage.duckdb"
    fill(warehouse, 1)
    assert publish(warehouse, published) == published.stat().st_size
    reader = subprocess.Popen(
        [sys.executable, "-c", READ_THE_FILE, str(published)], stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True
    )
    assert reader.stdout is not None
    assert reader.stdout.readline() == "1\n"

    fill(warehouse, 2)
    publish(warehouse, published)
    assert reader.communicate("again\n")[0] == "1\n"
    assert published_value(published) == 2


def test_the_published_copy_keeps_comments(warehouse: Warehouse, tmp_path: Path) -> None:
    published = tmp_path / "usage.duckdb"
    fill(warehouse, 1)
    publish(warehouse, published)
    with duckdb.connect(str(published), read_only=True) as con:
        comment = con.execute("select comment from duckdb_tables() where table_name = 'scopes'").fetchone()
    assert comment == (SCOPES.description,)


def test_a_copy_that_fails_leaves_the_old_file_and_nothing_else(warehouse: Warehouse, tmp_path: Path) -> None:
    published = tmp_path / "published" / "usage.duckdb"
    fill(warehouse, 1)
    publish(warehouse, published)
    fill(warehouse, 2)

    def half_a_copy(source: Path, target: Path) -> None:
        shutil.copyfile(source, target)
        with target.open("r+b") as file:
            file.truncate(target.stat().st_size // 2)
        raise OSError("no space left on device")

    with pytest.raises(OSError, match="no space left"):
        publish(warehouse, published, copy=half_a_copy)
    assert published_value(published) == 1
    assert [path.name for path in published.parent.iterdir()] == ["usage.duckdb"]


KILLED_COPY = """
import os, signal, sys
from pathlib import Path
from usage_pipeline.warehouse import Warehouse, publish

def killed(source, target):
    target.write_bytes(source.read_bytes()[:1000])
    os.kill(os.getpid(), signal.SIGKILL)

publish(Warehouse(database=sys.argv[1]), Path(sys.argv[2]), copy=killed)
"""


def test_a_run_killed_while_copying_leaves_the_old_file_and_the_next_run_repairs(
    warehouse: Warehouse, tmp_path: Path
) -> None:
    published = tmp_path / "published" / "usage.duckdb"
    fill(warehouse, 1)
    publish(warehouse, published)
    fill(warehouse, 2)
    subprocess.run([sys.executable, "-c", KILLED_COPY, warehouse.database, str(published)], check=False)
    assert published_value(published) == 1

    publish(warehouse, published)
    assert published_value(published) == 2
    assert [path.name for path in published.parent.iterdir()] == ["usage.duckdb"]


def test_nobody_writes_while_the_file_is_copied(warehouse: Warehouse, tmp_path: Path) -> None:
    fill(warehouse, 1)
    attempts: list[str] = []

    def copy(source: Path, target: Path) -> None:
        writer = subprocess.run(
            [sys.executable, "-c", "import sys, duckdb; duckdb.connect(sys.argv[1])", str(source)],
            check=False,
            capture_output=True,
            text=True,
        )
        attempts.append(writer.stderr)
        shutil.copyfile(source, target)

    publish(warehouse, tmp_path / "usage.duckdb", copy=copy)
    assert "Could not set lock" in attempts[0]
    assert published_value(tmp_path / "usage.duckdb") == 1


def test_changes_that_are_not_yet_in_the_main_file_are_published_too(warehouse: Warehouse, tmp_path: Path) -> None:
    with warehouse.connect() as con:
        con.execute("set checkpoint_threshold = '1GB'")
        con.execute("create table marts.numbers as select 3 as x")
        publish(warehouse, tmp_path / "usage.duckdb")
    assert published_value(tmp_path / "usage.duckdb") == 3


def test_a_file_that_is_kept_open_is_opened_again_without_being_written_back(tmp_path: Path) -> None:
    warehouse = Warehouse(database=str(tmp_path / "warehouse.duckdb"))
    written_ahead = tmp_path / "warehouse.duckdb.wal"
    with warehouse.kept_open():
        with warehouse.connect() as con:
            con.execute("create table raw.counted as select 7 as calls")
            con.execute("create table raw.large as select hash(range)::varchar as text from range(1000000)")
            con.execute("update raw.large set text = 'changed' || text")
        # By default DuckDB writes back 16 MB.
        assert written_ahead.stat().st_size > 17_000_000
        with warehouse.connect() as con:
            assert con.execute("select calls from raw.counted").fetchall() == [(7,)]
        publish(warehouse, tmp_path / "published" / "usage.duckdb")
    assert not written_ahead.exists()
    with duckdb.connect(str(tmp_path / "published" / "usage.duckdb"), read_only=True) as con:
        assert con.execute("select calls from raw.counted").fetchall() == [(7,)]


def test_changes_are_written_back_while_others_read(warehouse: Warehouse) -> None:
    written_ahead = Path(f"{warehouse.database}.wal")
    with warehouse.kept_open(), warehouse.connect() as con:
        con.execute("create table raw.counted as select range as calls from range(300000)")
        assert written_ahead.stat().st_size > 0
        warehouse.write_back_meanwhile()
        assert con.execute("select count(*) from raw.counted").fetchall() == [(300_000,)]
        deadline = time.monotonic() + 30
        while written_ahead.exists() and time.monotonic() < deadline:
            time.sleep(0.01)
        assert not written_ahead.exists()
        con.execute("insert into raw.counted values (7)")
        assert con.execute("select count(*) from raw.counted").fetchall() == [(300_001,)]


def test_what_cannot_be_written_back_yet_is_published_all_the_same(warehouse: Warehouse, tmp_path: Path) -> None:
    with warehouse.kept_open():
        with warehouse.connect() as con:
            con.begin()
            con.execute("create table marts.numbers as select 7 as x")
            warehouse.write_back_meanwhile()
            con.commit()
        publish(warehouse, tmp_path / "published.duckdb")
    assert published_value(tmp_path / "published.duckdb") == 7


def test_a_file_that_is_not_kept_open_is_written_back_already(warehouse: Warehouse) -> None:
    with warehouse.connect() as con:
        con.execute("create table raw.counted as select 7 as calls")
    warehouse.write_back_meanwhile()
    assert not Path(f"{warehouse.database}.wal").exists()


def test_tables_of_a_file_that_is_kept_open_are_prepared_once(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    prepared: list[str] = []
    monkeypatch.setattr("usage_pipeline.warehouse.prepare_tables", lambda _: prepared.append("once more"))
    warehouse = Warehouse(database=str(tmp_path / "warehouse.duckdb"))
    other = Warehouse(database=str(tmp_path / "other.duckdb"))

    with warehouse.kept_open():
        for each in (warehouse, warehouse, Warehouse(database=warehouse.database)):
            with each.connect():
                pass
        assert len(prepared) == 1
        with other.connect():
            pass
        with other.connect():
            pass
        assert len(prepared) == 3
    with warehouse.connect():
        pass
    assert len(prepared) == 4


def test_a_file_that_is_kept_open_leaves_a_core_to_a_second_thread_that_asks(tmp_path: Path) -> None:
    threads: dict[int, int] = {}
    for cores in (1, 2, 8):
        warehouse = Warehouse(database=str(tmp_path / "warehouse.duckdb"), connection_config={"threads": cores})
        with warehouse.kept_open():
            assert warehouse.is_kept_open
            with warehouse.connect() as con:
                threads[cores] = con.execute("select current_setting('threads')").fetchall()[0][0]
        assert not warehouse.is_kept_open
    assert threads == {1: 1, 2: 1, 8: 7}
