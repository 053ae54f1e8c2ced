"""The DuckDB warehouse: opening it, writing the tables of `raw_tables.py` into it, publishing a copy for readers.

Here: connections, locks, schemas, replacing and upserting rows, the published copy. Not here: what the tables mean
(`raw_tables.py`), SQL models (`sql_models.py`), reading from AWS (`aws/`).
"""

import os
import random
import re
import shutil
import time
from collections.abc import Callable, Collection, Generator, Mapping, Sequence
from concurrent.futures import ThreadPoolExecutor
from contextlib import ExitStack, contextmanager, suppress
from dataclasses import dataclass
from datetime import date, datetime
from pathlib import Path
from typing import Any

import duckdb
import pyarrow as pa
from dagster_duckdb import DuckDBResource
from pydantic import Field

from usage_pipeline.config import Settings
from usage_pipeline.raw_tables import CLOUDWATCH_SERIES, DAY_CHANGES, SOURCE_STATUS, STORED_TABLES, StoredTable
from usage_pipeline.warehouse_migrations import bring_up_to_date

WAREHOUSE_POOL = "warehouse"
"""Dagster pool of every asset and check that opens the warehouse; the instance limits it to one at a time."""

SCHEMAS = ("raw", "staging", "intermediate", "marts", "ops")

KEPT_AFTER_A_STATEMENT = "8MB"

WRITTEN_AHEAD = "256MB"
"""Changes that wait in the file beside the warehouse while it is kept open; a day of the demo makes 50 MB (2026-11)."""

FIRST_PAUSE_SECONDS = 0.05
LONGEST_PAUSE_SECONDS = 5.0

ScopeKey = tuple[str, str]
"""(account_id, region)."""

SERIES_KEYS = ("account_id", "region", "usage_date", "namespace", "model_id")


class WarehouseBusyError(RuntimeError):
    """Another process kept the warehouse file for longer than we wait."""


class WarehouseSchemaError(RuntimeError):
    """A stored table has a column of another type than `raw_tables.py` says."""


@dataclass
class _KeptOpen:
    """A file that this process keeps open: whether its tables have this version's columns, and a thread beside it."""

    beside: ThreadPoolExecutor
    is_prepared: bool = False


_kept_open: dict[str, _KeptOpen] = {}


class Warehouse(DuckDBResource):
    """The DuckDB file that the pipeline writes; one process at a time, others wait for it."""

    lock_wait_seconds: float = Field(
        default=600.0,
        description="How long to wait while another process has the warehouse file open, in seconds.",
    )
    memory_mb: int = Field(
        default=700,
        description="Megabytes that DuckDB takes before it puts what it works on into a file beside the warehouse.",
    )

    @classmethod
    def of(cls, settings: Settings) -> "Warehouse":
        """The warehouse of a configuration."""
        return cls(database=str(settings.warehouse_file), memory_mb=settings.duckdb_memory_mb)

    @contextmanager
    def connect(self) -> Generator[duckdb.DuckDBPyConnection]:
        """Open the warehouse with all schemas and stored tables in place, and close it whatever happens.

        Raises:
            WarehouseBusyError: another process had the file for all of `lock_wait_seconds`.
            WarehouseSchemaError: a stored table does not fit `raw_tables.py`.
        """
        con = open_when_free(self.database, self.connection_config, self.lock_wait_seconds)
        try:
            # Not in the configuration: DuckDB refuses two connections of one process whose configurations differ.
            con.execute(f"set memory_limit = '{self.memory_mb}MB'")
            # What one statement freed goes back to the system; by default 128 MB for each thread stay with DuckDB.
            con.execute(f"set allocator_flush_threshold = '{KEPT_AFTER_A_STATEMENT}'")
            con.execute(f"set allocator_bulk_deallocation_flush_threshold = '{KEPT_AFTER_A_STATEMENT}'")
            kept = _kept_open.get(self.database)
            if kept is None or not kept.is_prepared:
                prepare_tables(con)
            if kept is not None:
                kept.is_prepared = True
            yield con
        finally:
            con.close()
            # Arrow keeps what its tables took for the next ones; the step that follows may be DuckDB's.
            pa.default_memory_pool().release_unused()

    @contextmanager
    def kept_open(self) -> Generator[None]:
        """Keep the file open in this process, so that each `connect` need not load, prepare and write it back.

        Other processes wait for the file meanwhile. If it cannot be had at once, nothing is kept open: whoever connects
        waits for it, or says what is wrong with it.
        """
        with ExitStack() as stack:
            with suppress(duckdb.Error, WarehouseBusyError):
                con = stack.enter_context(open_when_free(self.database, self.connection_config, wait_seconds=0))
                # Two threads of this process ask, and each of them works too. Small queries that are divided among more
                # threads than there are cores take a third more work.
                (threads,) = con.execute("select current_setting('threads')").fetchone() or (1,)
                con.execute(f"set threads = {max(1, threads - 1)}")
                # The models are written back together, the rest with publishing; before, each time would compress
                # again what changed in the same tables.
                con.execute(f"set checkpoint_threshold = '{WRITTEN_AHEAD}'")
                _kept_open[self.database] = _KeptOpen(stack.enter_context(ThreadPoolExecutor(max_workers=1)))
                stack.callback(_kept_open.pop, self.database)
            yield

    @property
    def is_kept_open(self) -> bool:
        """Whether this process keeps the file open."""
        return self.database in _kept_open

    def write_back_meanwhile(self) -> None:
        """Begin to write what changed into a file that is kept open, so that publishing has less left to do.

        Others read meanwhile; a statement that writes waits. A file that is not kept open is written back already.
        """
        if kept := _kept_open.get(self.database):
            kept.beside.submit(self._write_back)

    def _write_back(self) -> None:
        # What is wrong with the file or its disk stops the publishing, which says so.
        with suppress(duckdb.Error), open_when_free(self.database, self.connection_config) as con:
            con.execute("checkpoint")

    def write_back(self, con: duckdb.DuckDBPyConnection) -> None:
        """Write everything that changed into the file itself."""
        if kept := _kept_open.get(self.database):
            # DuckDB refuses to write back twice at once; the thread has one thing to do after the other.
            kept.beside.submit(con.execute, "checkpoint").result()
        else:
            con.execute("checkpoint")

    @contextmanager
    def get_connection(self) -> Generator[duckdb.DuckDBPyConnection]:
        """The same as `connect`, under the name that `DuckDBResource` has for it."""
        with self.connect() as con:
            yield con


def open_when_free(
    database: str,
    config: Mapping[str, Any] | None = None,
    wait_seconds: float = 600.0,
    sleep: Callable[[float], None] = time.sleep,
) -> duckdb.DuckDBPyConnection:
    """Open a DuckDB file for writing; while another process has it, pause ever longer and try again.

    Raises:
        WarehouseBusyError: the file was not free within `wait_seconds`; names the file and the process that has it.
    """
    if not database.startswith(":memory:"):
        Path(database).parent.mkdir(parents=True, exist_ok=True)
    waited, pause = 0.0, FIRST_PAUSE_SECONDS
    while True:
        try:
            return duckdb.connect(database, config=dict(config or {}))
        except duckdb.IOException as error:
            if "lock" not in str(error).lower():
                raise
            if waited >= wait_seconds:
                raise WarehouseBusyError(_busy_text(database, waited, str(error))) from error
        # Jitter keeps two waiting processes from asking at the same moments for ever.
        step = min(pause * random.uniform(0.75, 1.25), wait_seconds - waited)  # noqa: S311 - not a secret
        sleep(step)
        waited += step
        pause = min(pause * 1.6, LONGEST_PAUSE_SECONDS)


def _busy_text(database: str, waited: float, error: str) -> str:
    holder = re.search(r"lock is held in (.*?\(PID \d+\))", error)
    by_whom = f" by {holder[1]}" if holder else ""
    return (
        f"The warehouse {database} is in use{by_whom}; waited {waited:.0f} s for it. "
        "Wait until that process ends or end it, then run again. "
        "To read while the pipeline runs, open the published copy instead of the warehouse."
    )


def prepare_tables(con: duckdb.DuckDBPyConnection) -> None:
    """Create missing schemas and stored tables, and bring those of an earlier version to this version's columns.

    Raises:
        WarehouseSchemaError: an existing column has another type; names table, column and both types.
    """
    con.execute(";".join(f"create schema if not exists {schema}" for schema in SCHEMAS))
    present = _present_columns(con)
    if bring_up_to_date(con, present, _create):
        present = _present_columns(con)
    # Alone, each of the several hundred comments would wait for the disk.
    with transaction(con):
        for table in STORED_TABLES.values():
            columns = present.get(table.qualified_name)
            if columns is None:
                _create(con, table)
            else:
                _fit_columns(con, table, columns)


def _present_columns(con: duckdb.DuckDBPyConnection) -> dict[str, dict[str, str]]:
    """Column types of every stored table that exists, by `schema.table` and column."""
    present: dict[str, dict[str, str]] = {}
    rows = con.execute(
        """
        select schema_name || '.' || table_name, column_name, data_type
        from duckdb_columns()
        where database_name = current_database() and schema_name in ('raw', 'ops', 'marts')
        """
    ).fetchall()
    for table, column, data_type in rows:
        present.setdefault(table, {})[column] = data_type
    return present


def _create(con: duckdb.DuckDBPyConnection, table: StoredTable) -> None:
    comments = [f"comment on table {table.qualified_name} is {_quoted(table.description)}"]
    comments += [
        f'comment on column {table.qualified_name}."{column.name}" is {_quoted(column.description)}'
        for column in table.columns
    ]
    con.execute(";".join([table.create_statement, *comments]))


def _fit_columns(con: duckdb.DuckDBPyConnection, table: StoredTable, present: Mapping[str, str]) -> None:
    for column in table.columns:
        stored_type = present.get(column.name)
        if stored_type is None:
            con.execute(f'alter table {table.qualified_name} add column "{column.name}" {column.type}')
        elif _type_name(stored_type) != _type_name(column.type):
            raise WarehouseSchemaError(
                f"{table.qualified_name}.{column.name} in the warehouse is {stored_type.lower()}, "
                f"but this version of usage-pipeline writes {column.type}. "
                "Open the warehouse with the version that made it, or move the file away and run again."
            )


def _type_name(text: str) -> str:
    return re.sub(r"\s+", "", text).lower()


def _quoted(text: str) -> str:
    return "'" + text.replace("'", "''") + "'"


@contextmanager
def transaction(con: duckdb.DuckDBPyConnection) -> Generator[None]:
    """Everything inside happens, or nothing of it."""
    con.begin()
    try:
        yield
    except BaseException:
        con.rollback()
        raise
    con.commit()


_ARROW_TYPES: dict[str, pa.DataType] = {
    "varchar": pa.string(),
    "double": pa.float64(),
    "integer": pa.int32(),
    "bigint": pa.int64(),
    "boolean": pa.bool_(),
    "decimal(38,6)": pa.decimal128(38, 6),
    "decimal(18,6)": pa.decimal128(18, 6),
    "decimal(9,6)": pa.decimal128(9, 6),
    "decimal(38,12)": pa.decimal128(38, 12),
    "date": pa.date32(),
    "timestamp": pa.timestamp("us"),
    "varchar[]": pa.list_(pa.string()),
    "map(varchar,varchar)": pa.map_(pa.string(), pa.string()),
    "map(varchar,bigint)": pa.map_(pa.string(), pa.int64()),
}


def arrow_schema(table: StoredTable) -> pa.Schema:
    """The Arrow schema whose tables `replace_days`, `replace_series`, `replace_all` and `upsert` take."""
    return pa.schema([(column.name, _ARROW_TYPES[_type_name(column.type)]) for column in table.columns])


def _fitted(table: StoredTable, rows: pa.Table) -> pa.Table:
    """The rows with the table's columns, in its order and types.

    Raises:
        ValueError: columns are missing or not the table's; names them.
    """
    schema = arrow_schema(table)
    missing = set(schema.names) - set(rows.column_names)
    unknown = set(rows.column_names) - set(schema.names)
    if missing or unknown:
        raise ValueError(
            f"Rows for {table.qualified_name}: missing columns {sorted(missing)}, unknown columns {sorted(unknown)}."
        )
    return rows.select(schema.names).cast(schema)


@contextmanager
def registered(con: duckdb.DuckDBPyConnection, **tables: pa.Table) -> Generator[None]:
    """Make Arrow tables readable in SQL under their keyword names."""
    for name, table in tables.items():
        con.register(name, table)
    try:
        yield
    finally:
        for name in tables:
            con.unregister(name)


def replace_all(con: duckdb.DuckDBPyConnection, table: StoredTable, rows: pa.Table) -> int:
    """Replace the whole table, in one transaction; returns how many rows it has now."""
    with registered(con, incoming_rows=_fitted(table, rows)), transaction(con):
        con.execute(f"delete from {table.qualified_name}")
        con.execute(f"insert into {table.qualified_name} by name select * from incoming_rows")
    return rows.num_rows


def replace_days(
    con: duckdb.DuckDBPyConnection,
    table: StoredTable,
    rows: pa.Table,
    days: Collection[date],
    scopes: Collection[ScopeKey],
) -> int:
    """Replace the rows of the given days and (account_id, region) pairs, in one transaction.

    Other scopes' rows of the same days stay, so a scope that could not be read loses nothing. Days whose rows really
    changed are noted in `ops.day_changes`. Returns the number of rows written.

    Raises:
        ValueError: a row lies outside the days and scopes, or the columns are not the table's. Nothing is changed.
    """
    day_column = _day_column(table)
    replaced = {
        "replaced_days": pa.table({"day": pa.array(sorted(days), pa.date32())}),
        "replaced_scopes": _scopes_table(scopes),
    }
    condition = (
        f"{day_column} in (select day from replaced_days)"
        " and (account_id, region) in (select (account_id, region) from replaced_scopes)"
    )
    with registered(con, **replaced):
        return _swap(con, table, rows, condition)


@dataclass(frozen=True)
class SeriesWindow:
    """A stretch of time of some ModelIds of one scope: what one reading of CloudWatch replaces."""

    account_id: str
    region: str
    model_ids: tuple[str | None, ...]
    """ModelIds as CloudWatch spells them; None is the account's total."""
    start: datetime
    """First moment, naive UTC, inclusive."""
    end: datetime
    """Naive UTC, exclusive."""


def replace_series(
    con: duckdb.DuckDBPyConnection, table: StoredTable, rows: pa.Table, windows: Sequence[SeriesWindow]
) -> int:
    """Replace the metric points that lie in the windows, all in one transaction.

    Points of other ModelIds, scopes and times stay. Days whose points really changed are noted in `ops.day_changes`.
    Returns the number of rows written.

    Raises:
        ValueError: a point lies outside every window, or the columns are not the table's. Nothing is changed.
    """
    read = [(w.account_id, w.region, model_id, w.start, w.end) for w in windows for model_id in w.model_ids]
    columns = list(zip(*read, strict=True)) or [[], [], [], [], []]
    types = (pa.string(), pa.string(), pa.string(), pa.timestamp("us"), pa.timestamp("us"))
    names = ("account_id", "region", "model_id", "start_ts", "end_ts")
    replaced = pa.table({n: pa.array(c, t) for n, c, t in zip(names, columns, types, strict=True)})
    day_column = _day_column(table)
    # The plain range of days lets DuckDB skip most of the table before it looks at single series.
    condition = f"""{day_column} >= (select min(start_ts)::date from replaced_series)
        and {day_column} <= (select max(end_ts)::date from replaced_series)
        and exists (
        from replaced_series as series
        where series.account_id = points.account_id
            and series.region = points.region
            and series.model_id is not distinct from points.model_id
            and points.ts >= series.start_ts
            and points.ts < series.end_ts
    )"""
    with registered(con, replaced_series=replaced):
        return _swap(con, table, rows, condition)


def _day_column(table: StoredTable) -> str:
    if table.day_column is None:
        raise ValueError(f"{table.qualified_name} has no day column; use replace_all.")
    return table.day_column


def _scopes_table(scopes: Collection[ScopeKey]) -> pa.Table:
    pairs = sorted(scopes)
    return pa.table(
        {
            "account_id": pa.array([account for account, _ in pairs], pa.string()),
            "region": pa.array([region for _, region in pairs], pa.string()),
        }
    )


def _swap(con: duckdb.DuckDBPyConnection, table: StoredTable, rows: pa.Table, condition: str) -> int:
    """Delete what fits the condition (over the alias `points`), insert the rows, note the days that changed."""
    incoming = _fitted(table, rows)
    with registered(con, incoming_rows=incoming), transaction(con):
        fitting = con.execute(f"select count(*) from incoming_rows as points where {condition}").fetchone()
        if fitting != (incoming.num_rows,):
            raise ValueError(
                f"Rows for {table.qualified_name}: {incoming.num_rows - (fitting or (0,))[0]} of {incoming.num_rows} "
                "lie outside the days, scopes or series that they are to replace."
            )
        stored = f"from {table.qualified_name} as points where {condition}"
        before = _contents_by_day(con, stored, _day_column(table))
        con.execute(f"delete {stored}")
        con.execute(f"insert into {table.qualified_name} by name select * from incoming_rows")
        after = _contents_by_day(con, stored, _day_column(table))
        note_changed_days(con, table.qualified_name, _differing_days(before, after))
    return incoming.num_rows


DayContents = dict[date, tuple[int, ...]]


def _contents_by_day(con: duckdb.DuckDBPyConnection, query: str, day_column: str) -> DayContents:
    """Row count and hashes of each day's rows of a query; the order of rows does not matter."""
    rows = con.execute(
        f"""
        select {day_column}, count(*), bit_xor(hash(rows)), sum(hash(rows)::hugeint)
        from ({query}) as rows
        group by {day_column}
        """
    ).fetchall()
    return {day: tuple(content) for day, *content in rows}


def _differing_days(before: DayContents, after: DayContents) -> set[date]:
    return {day for day in before.keys() | after.keys() if before.get(day) != after.get(day)}


def note_changed_days(con: duckdb.DuckDBPyConnection, table_name: str, days: Collection[date]) -> None:
    """Give the days of a raw table the next change number, so that SQL models rebuild them."""
    if not days:
        return
    newest = con.execute(f"select coalesce(max(change), 0) from {DAY_CHANGES.qualified_name}").fetchone()
    number = (newest or (0,))[0] + 1
    for day in sorted(days):
        con.execute(
            f"delete from {DAY_CHANGES.qualified_name} where table_name = ? and usage_date = ?", [table_name, day]
        )
        con.execute(f"insert into {DAY_CHANGES.qualified_name} values (?, ?, ?)", [table_name, day, number])


def upsert(con: duckdb.DuckDBPyConnection, table: StoredTable, rows: pa.Table, keys: Sequence[str]) -> int:
    """Replace the rows that have the same key values (NULL equals NULL) and add the others, in one transaction."""
    same_keys = " and ".join(f'stored."{key}" is not distinct from incoming."{key}"' for key in keys)
    with registered(con, incoming_rows=_fitted(table, rows)), transaction(con):
        con.execute(
            f"delete from {table.qualified_name} as stored"
            f" where exists (from incoming_rows as incoming where {same_keys})"
        )
        con.execute(f"insert into {table.qualified_name} by name select * from incoming_rows")
    return rows.num_rows


def record_series(con: duckdb.DuckDBPyConnection, rows: pa.Table) -> int:
    """Note in `ops.cloudwatch_series` what was asked, one row per scope, day, namespace and ModelId."""
    return upsert(con, CLOUDWATCH_SERIES, rows, SERIES_KEYS)


_SAME_READING = """
    stored.source = incoming.source
    and stored.partition_date = incoming.partition_date
    and (stored.account_id = incoming.account_id or stored.account_name = incoming.account_name)
    and (stored.region is not distinct from incoming.region or stored.region is null)
"""


def record_source_status(con: duckdb.DuckDBPyConnection, rows: pa.Table) -> int:
    """Note in `ops.source_status` how the latest reading of each scope, source and day went.

    A reading that failed keeps `covered_until` and `resolution_seconds` of an earlier one, because those rows are
    still stored. A row of an account that could not be reached (no Region) goes when one of its Regions answers.
    """
    name = SOURCE_STATUS.qualified_name
    with registered(con, incoming_rows=_fitted(SOURCE_STATUS, rows)), transaction(con):
        earlier = f"from {name} as stored where {_SAME_READING} and stored.covered_until is not null"
        kept = con.execute(
            f"""
            select incoming.* replace (
                coalesce(incoming.covered_until, (select max(stored.covered_until) {earlier})) as covered_until,
                case
                    when incoming.covered_until is null then (select max(stored.resolution_seconds) {earlier})
                    else incoming.resolution_seconds
                end as resolution_seconds,
            )
            from incoming_rows as incoming
            """
        ).to_arrow_table()
        before = _reading_contents(con)
        con.execute(f"delete from {name} as stored where exists (from incoming_rows as incoming where {_SAME_READING})")
        with registered(con, kept_rows=kept):
            con.execute(f"insert into {name} by name select * from kept_rows")
        note_changed_days(con, name, _differing_days(before, _reading_contents(con)))
    return rows.num_rows


def _reading_contents(con: duckdb.DuckDBPyConnection) -> DayContents:
    """Per day, what SQL models read of the status; the run and its duration are no reason to rebuild anything."""
    return _contents_by_day(
        con,
        f"""
        select partition_date, account_id, region, source, covered_until, resolution_seconds
        from {SOURCE_STATUS.qualified_name}
        where partition_date in (select partition_date from incoming_rows)
        """,
        "partition_date",
    )


def publish(warehouse: Warehouse, published_path: Path, copy: Callable[[Path, Path], object] = shutil.copyfile) -> int:
    """Put a copy of the warehouse where readers look, in one step that no open reader notices; returns its bytes.

    The published file is either the old one or the new one, whole, also when the process is killed. Nobody can write
    to the warehouse while it is copied.

    Raises:
        WarehouseBusyError: another process had the warehouse for all of `lock_wait_seconds`.
        OSError: the copy failed; the old published file is untouched.
    """
    published_path.parent.mkdir(parents=True, exist_ok=True)
    # A fixed name: what a killed run left behind is overwritten by the next one.
    unfinished = published_path.with_name(f".{published_path.name}.unfinished")
    with warehouse.connect() as con:
        warehouse.write_back(con)
        try:
            copy(Path(warehouse.database), unfinished)
            _flush_to_disk(unfinished)
            size = unfinished.stat().st_size
            unfinished.replace(published_path)
        finally:
            unfinished.unlink(missing_ok=True)
    return size


def _flush_to_disk(path: Path) -> None:
    with path.open("rb") as file:
        os.fsync(file.fileno())
