"""Storing what log objects held: new rows, the ledger of objects, and records that could not be read.

Here: SQL over a raw table, `ops.ingested_objects` and `ops.quarantined_records`. Not here: finding, getting and parsing
objects (`aws/`, `invocation_logs/`, `q_developer/`), the order of steps (`log_loading.py`), Dagster.
"""

import datetime as dt
from collections.abc import Collection, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import duckdb
import pyarrow as pa

from usage_pipeline.aws.bucket_objects import LogObject
from usage_pipeline.log_files.parts import FileResult
from usage_pipeline.raw_tables import INGESTED_OBJECTS, QUARANTINED_RECORDS, SOURCE_STATUS, StoredTable
from usage_pipeline.warehouse import ScopeKey, arrow_schema, note_changed_days, transaction

ObjectKey = tuple[str, str, str, str, str]
"""Account, Region, bucket, key and ETag of an object; log groups of two accounts may have one name."""


@dataclass(frozen=True)
class LoggedTable:
    """A raw table that is filled from log objects. Rows that agree in `keys`, the UTC day first, are copies of one.

    Of copies, the one with the latest `written_at` column counts, where there is such a column.
    """

    table: StoredTable
    keys: tuple[str, ...]
    written_at: str | None = None

    @property
    def source(self) -> str:
        """Its name in the ledger, the quarantine and `ops.source_status`."""
        return self.table.name


@dataclass(frozen=True)
class ReadLog:
    """One object that was read: whose log it is, the object as it was fetched, and how its parsing went."""

    scope: ScopeKey
    log: LogObject
    result: FileResult


@dataclass(frozen=True)
class StoredLoad:
    """What one transaction stored: rows that are new or better than a stored copy, and the UTC days they belong to."""

    row_count: int
    days: frozenset[dt.date]


def read_objects(con: duckdb.DuckDBPyConnection, logged: LoggedTable, days: Sequence[dt.date]) -> set[ObjectKey]:
    """The objects in folders of these days that were read already."""
    rows = con.execute(
        f"""
        select account_id, region, bucket, key, etag
        from {INGESTED_OBJECTS.qualified_name}
        where source = $source and list_contains($days::date[], folder_date)
        """,
        {"source": logged.source, "days": list(days)},
    ).fetchall()
    return {(account_id, region, bucket, key, etag) for account_id, region, bucket, key, etag in rows}


def stored_rows(
    con: duckdb.DuckDBPyConnection, logged: LoggedTable, days: Sequence[dt.date]
) -> dict[tuple[str, str, dt.date], int]:
    """Rows of each account, Region and UTC day that are stored now."""
    rows = con.execute(
        f"""
        select account_id, region, usage_date, count(*)
        from {logged.table.qualified_name}
        where list_contains($days::date[], usage_date)
        group by account_id, region, usage_date
        """,
        {"days": list(days)},
    ).fetchall()
    return {(account_id, region, day): count for account_id, region, day, count in rows}


def recount_rows(con: duckdb.DuckDBPyConnection, logged: LoggedTable, days: Collection[dt.date]) -> None:
    """Correct what `ops.source_status` says of days that were read earlier and have gained late rows.

    A status without a Region counts the rows of all Regions of its account.
    """
    con.execute(
        f"""
        update {SOURCE_STATUS.qualified_name} as noted
        set
            row_count = stored.row_count,
            status = if(noted.status = 'empty' and noted.covered_until is not null, 'ok', noted.status),
        from (
            select account_id, region, usage_date, count(*) as row_count
            from {logged.table.qualified_name}
            where list_contains($days::date[], usage_date)
            group by grouping sets ((account_id, region, usage_date), (account_id, usage_date))
        ) as stored
        where noted.source = $source
            and noted.account_id = stored.account_id
            and noted.region is not distinct from stored.region
            and noted.partition_date = stored.usage_date
        """,
        {"days": list(days), "source": logged.source},
    )


def store_load(
    con: duckdb.DuckDBPyConnection, logged: LoggedTable, parts: Sequence[Path], read: Sequence[ReadLog]
) -> StoredLoad:
    """Add the rows of the parts to the table and note which objects they came from, in one transaction.

    A row that is there twice, in the parts or in the table, is there once in the end: the copy that was written last,
    if that is known; of equals the one with the most columns that are not NULL; of equals the one whose values are
    greatest, column by column. So the table does not depend on the order in which objects are read. Days that gained or
    changed rows are noted in `ops.day_changes`.
    """
    with transaction(con):
        stored = _Incoming(con, logged).add(parts) if parts else StoredLoad(0, frozenset())
        note_changed_days(con, logged.table.qualified_name, stored.days)
        _replace_notes(con, INGESTED_OBJECTS, _ledger_rows(logged.source, read), logged.source, read)
        _replace_notes(con, QUARANTINED_RECORDS, _quarantine_rows(logged.source, read), logged.source, read)
    return stored


class _Incoming:
    """Rows on their way into one table."""

    def __init__(self, con: duckdb.DuckDBPyConnection, logged: LoggedTable) -> None:
        self._con = con
        self._table = logged.table.qualified_name
        self._keys = logged.keys
        # A hash that two rows share by chance only makes both go the long way.
        self._key_hash = f"hash({', '.join(logged.keys)})"
        columns = [column.name for column in logged.table.columns]
        information = " + ".join(f'("{name}" is not null)::integer' for name in columns)
        best = [*([f"{logged.written_at} desc nulls last"] if logged.written_at else []), f"{information} desc"]
        self._best_first = ", ".join([*best, *(f'"{name}" desc nulls last' for name in columns)])

    def add(self, parts: Sequence[Path]) -> StoredLoad:
        """Most rows are new and alone, and go straight in; only those that have a copy are compared."""
        con, table, key_hash = self._con, self._table, self._key_hash
        con.execute(
            "create or replace temp view incoming as select * from read_parquet(["
            + ", ".join("'" + str(part).replace("'", "''") + "'" for part in parts)
            + "])"
        )
        days = [day for (day,) in con.execute("select distinct usage_date from incoming").fetchall()]
        if not days:
            return StoredLoad(0, frozenset())
        # Written out, because DuckDB skips the other days' rows only for constants.
        on_days = "usage_date in (" + ", ".join(f"date '{day}'" for day in days) + ")"
        con.execute(
            f"""
            create or replace temp table contested as
            select {key_hash} as key_hash from incoming group by all having count(*) > 1
            union
            select {key_hash} from {table}
            where {on_days} and {key_hash} in (select {key_hash} from incoming)
            """
        )
        gained = con.execute(
            f"""
            select usage_date, count(*) from incoming
            where {key_hash} not in (from contested)
            group by usage_date
            """
        ).fetchall()
        con.execute(
            f"""
            insert into {table} by name
            select * from incoming where {key_hash} not in (from contested)
            """
        )
        gained += self._settle_contested(on_days)
        con.execute("drop table contested")
        con.execute("drop view incoming")
        return StoredLoad(sum(count for _, count in gained), frozenset(day for day, _ in gained))

    def _settle_contested(self, on_days: str) -> list[tuple[dt.date, int]]:
        """Keep the best copy of each contested row; returns how many rows each day gained or had replaced."""
        con, table = self._con, self._table
        con.execute(
            f"""
            create or replace temp table winners as
            select * from (
                select *, false as is_stored from incoming where {self._key_hash} in (from contested)
                union all by name
                select *, true as is_stored from {table}
                where {on_days} and {self._key_hash} in (from contested)
            )
            qualify row_number() over (
                partition by {", ".join(self._keys)}
                order by {self._best_first}, is_stored desc
            ) = 1
            """
        )
        con.execute("delete from winners where is_stored")
        gained = con.execute("select usage_date, count(*) from winners group by usage_date").fetchall()
        if gained:
            # A key may be NULL where the source does not give it.
            same_keys = " and ".join(f"stored.{key} is not distinct from winners.{key}" for key in self._keys)
            con.execute(f"delete from {table} as stored where {on_days} and exists (from winners where {same_keys})")
            con.execute(f"insert into {table} by name select * exclude (is_stored) from winners")
        con.execute("drop table winners")
        return gained


def _replace_notes(
    con: duckdb.DuckDBPyConnection, table: StoredTable, rows: pa.Table, source: str, read: Collection[ReadLog]
) -> None:
    """Replace what was noted of the objects, whichever content they had then."""
    names = ("source", "account_id", "region", "bucket", "key")
    values = [(source, *entry.scope, entry.log.bucket, entry.log.key) for entry in read]
    objects = pa.table(
        {name: [value[n] for value in values] for n, name in enumerate(names)},
        pa.schema([(name, pa.string()) for name in names]),
    )
    con.register("noted_objects", objects)
    con.register("incoming_notes", rows)
    con.execute(
        f"""
        delete from {table.qualified_name}
        where ({", ".join(names)}) in (select ({", ".join(names)}) from noted_objects)
        """
    )
    con.execute(f"insert into {table.qualified_name} by name select * from incoming_notes")
    con.unregister("noted_objects")
    con.unregister("incoming_notes")


def _ledger_rows(source: str, read: Collection[ReadLog]) -> pa.Table:
    rows = [
        {
            **_place(source, entry),
            "etag": entry.log.etag,
            "size_bytes": entry.log.size_bytes,
            "record_count": entry.result.record_count,
            "quarantined_count": entry.result.quarantined_count,
            "is_complete": entry.result.is_complete,
        }
        for entry in read
    ]
    return pa.Table.from_pylist(rows, schema=arrow_schema(INGESTED_OBJECTS))


def _quarantine_rows(source: str, read: Collection[ReadLog]) -> pa.Table:
    rows = [
        {
            **_place(source, entry),
            "line_number": record.line_number,
            "reason": record.reason,
            "record_hash": record.record_hash,
        }
        for entry in read
        for record in entry.result.quarantined
    ]
    return pa.Table.from_pylist(rows, schema=arrow_schema(QUARANTINED_RECORDS))


def _place(source: str, entry: ReadLog) -> dict[str, Any]:
    account_id, region = entry.scope
    return {
        "source": source,
        "account_id": account_id,
        "region": region,
        "bucket": entry.log.bucket,
        "key": entry.log.key,
        "folder_date": entry.log.folder_date,
    }
