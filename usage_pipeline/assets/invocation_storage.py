"""Storing what log objects held: new requests, the ledger of objects, and records that could not be read.

Here: SQL over `raw.invocations`, `ops.ingested_objects` and `ops.quarantined_records`. Not here: finding, getting and
parsing objects (`aws/`, `invocation_logs/`), the order of steps (`invocation_loading.py`), Dagster.
"""

import datetime as dt
from collections.abc import Collection, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import duckdb
import pyarrow as pa

from usage_pipeline.aws.bucket_objects import LogObject
from usage_pipeline.aws.invocation_logging import LogDelivery
from usage_pipeline.aws.log_listing import KnownDelivery
from usage_pipeline.invocation_logs.parts import FileResult
from usage_pipeline.raw_tables import (
    INGESTED_OBJECTS,
    INVOCATIONS,
    LOG_DELIVERY,
    QUARANTINED_RECORDS,
    SOURCE_STATUS,
    StoredTable,
)
from usage_pipeline.warehouse import ScopeKey, arrow_schema, note_changed_days, transaction

SOURCE = INVOCATIONS.name
"""The source's name in the ledger, the quarantine and `ops.source_status`."""

ObjectKey = tuple[str, str, str, str, str]
"""Account, Region, bucket, key and ETag of an object; log groups of two accounts may have one name."""


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


def known_deliveries(con: duckdb.DuckDBPyConnection) -> dict[ScopeKey, list[KnownDelivery]]:
    """Where each scope's logs went, in order of time, as the snapshots of `raw.log_delivery` have it."""
    rows = con.execute(
        f"""
        with numbered as (
            select
                *,
                row_number() over (partition by account_id, region order by snapshot_date)
                - row_number() over (
                    partition by account_id, region, is_on, bucket, key_prefix, log_group, source
                    order by snapshot_date
                ) as stretch,
            from {LOG_DELIVERY.qualified_name}
        )

        select
            account_id,
            region,
            min(snapshot_date) as first_seen,
            max(snapshot_date) as last_seen,
            is_on,
            bucket,
            key_prefix,
            log_group,
            source,
        from numbered
        group by account_id, region, is_on, bucket, key_prefix, log_group, source, stretch
        order by account_id, region, first_seen
        """
    ).fetchall()
    found: dict[ScopeKey, list[KnownDelivery]] = {}
    for account_id, region, first_seen, last_seen, is_on, bucket, key_prefix, log_group, source in rows:
        delivery = LogDelivery(is_on, bucket, key_prefix, log_group, None, source)
        found.setdefault((account_id, region), []).append(KnownDelivery(delivery, first_seen, last_seen))
    return found


def read_objects(con: duckdb.DuckDBPyConnection, days: Sequence[dt.date]) -> set[ObjectKey]:
    """The objects in folders of these days that were read already."""
    rows = con.execute(
        f"""
        select account_id, region, bucket, key, etag
        from {INGESTED_OBJECTS.qualified_name}
        where source = $source and list_contains($days::date[], folder_date)
        """,
        {"source": SOURCE, "days": list(days)},
    ).fetchall()
    return {(account_id, region, bucket, key, etag) for account_id, region, bucket, key, etag in rows}


def stored_requests(con: duckdb.DuckDBPyConnection, days: Sequence[dt.date]) -> dict[tuple[str, str, dt.date], int]:
    """Requests of each account, Region and UTC day that are stored now."""
    rows = con.execute(
        f"""
        select account_id, region, usage_date, count(*)
        from {INVOCATIONS.qualified_name}
        where list_contains($days::date[], usage_date)
        group by account_id, region, usage_date
        """,
        {"days": list(days)},
    ).fetchall()
    return {(account_id, region, day): count for account_id, region, day, count in rows}


def recount_requests(con: duckdb.DuckDBPyConnection, source: str, days: Collection[dt.date]) -> None:
    """Correct what `ops.source_status` says of days that were read earlier and have gained late requests."""
    con.execute(
        f"""
        update {SOURCE_STATUS.qualified_name} as noted
        set
            row_count = stored.requests,
            status = if(noted.status = 'empty' and noted.covered_until is not null, 'ok', noted.status),
        from (
            select account_id, region, usage_date, count(*) as requests
            from {INVOCATIONS.qualified_name}
            where list_contains($days::date[], usage_date)
            group by account_id, region, usage_date
        ) as stored
        where noted.source = $source
            and noted.account_id = stored.account_id
            and noted.region = stored.region
            and noted.partition_date = stored.usage_date
        """,
        {"days": list(days), "source": source},
    )


def store_load(con: duckdb.DuckDBPyConnection, parts: Sequence[Path], read: Sequence[ReadLog]) -> StoredLoad:
    """Add the requests of the parts to `raw.invocations` and note which objects they came from, in one transaction.

    A request that is there twice, in the parts or in the table, has one row in the end: the copy with the most
    columns that are not NULL; of equals the one whose values are greatest, column by column. So the table does not
    depend on the order in which objects are read. Days that gained or changed rows are noted in `ops.day_changes`.
    """
    with transaction(con):
        stored = _add_requests(con, parts) if parts else StoredLoad(0, frozenset())
        note_changed_days(con, INVOCATIONS.qualified_name, stored.days)
        _replace_notes(con, INGESTED_OBJECTS, _ledger_rows(read), read)
        _replace_notes(con, QUARANTINED_RECORDS, _quarantine_rows(read), read)
    return stored


_KEYS = "usage_date, account_id, region, request_id"

# A hash that two requests share by chance only makes both go the long way.
_KEY_HASH = f"hash({_KEYS})"

_INFORMATION = " + ".join(f'("{column.name}" is not null)::integer' for column in INVOCATIONS.columns)
_GREATEST_VALUES = ", ".join(f'"{column.name}" desc nulls last' for column in INVOCATIONS.columns)


def _add_requests(con: duckdb.DuckDBPyConnection, parts: Sequence[Path]) -> StoredLoad:
    """Most requests are new and alone, and go straight in; only those that have a copy are compared."""
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
        select {_KEY_HASH} as key_hash from incoming group by all having count(*) > 1
        union
        select {_KEY_HASH} from {INVOCATIONS.qualified_name}
        where {on_days} and {_KEY_HASH} in (select {_KEY_HASH} from incoming)
        """
    )
    gained = con.execute(
        f"""
        select usage_date, count(*) from incoming
        where {_KEY_HASH} not in (from contested)
        group by usage_date
        """
    ).fetchall()
    con.execute(
        f"""
        insert into {INVOCATIONS.qualified_name} by name
        select * from incoming where {_KEY_HASH} not in (from contested)
        """
    )
    gained += _settle_contested(con, on_days)
    con.execute("drop table contested")
    con.execute("drop view incoming")
    return StoredLoad(sum(count for _, count in gained), frozenset(day for day, _ in gained))


def _settle_contested(con: duckdb.DuckDBPyConnection, on_days: str) -> list[tuple[dt.date, int]]:
    """Keep the best copy of each contested request; returns how many rows each day gained or had replaced."""
    con.execute(
        f"""
        create or replace temp table winners as
        select * from (
            select *, false as is_stored from incoming where {_KEY_HASH} in (from contested)
            union all by name
            select *, true as is_stored from {INVOCATIONS.qualified_name}
            where {on_days} and {_KEY_HASH} in (from contested)
        )
        qualify row_number() over (
            partition by {_KEYS}
            order by {_INFORMATION} desc, {_GREATEST_VALUES}, is_stored desc
        ) = 1
        """
    )
    con.execute("delete from winners where is_stored")
    gained = con.execute("select usage_date, count(*) from winners group by usage_date").fetchall()
    if gained:
        con.execute(
            f"""
            delete from {INVOCATIONS.qualified_name}
            where {on_days} and ({_KEYS}) in (select ({_KEYS}) from winners)
            """
        )
        con.execute(f"insert into {INVOCATIONS.qualified_name} by name select * exclude (is_stored) from winners")
    con.execute("drop table winners")
    return gained


def _replace_notes(
    con: duckdb.DuckDBPyConnection, table: StoredTable, rows: pa.Table, read: Collection[ReadLog]
) -> None:
    """Replace what was noted of the objects, whichever content they had then."""
    names = ("source", "account_id", "region", "bucket", "key")
    values = [(SOURCE, *entry.scope, entry.log.bucket, entry.log.key) for entry in read]
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


def _ledger_rows(read: Collection[ReadLog]) -> pa.Table:
    rows = [
        {
            **_place(entry),
            "etag": entry.log.etag,
            "size_bytes": entry.log.size_bytes,
            "record_count": entry.result.record_count,
            "quarantined_count": entry.result.quarantined_count,
            "is_complete": entry.result.is_complete,
        }
        for entry in read
    ]
    return pa.Table.from_pylist(rows, schema=arrow_schema(INGESTED_OBJECTS))


def _quarantine_rows(read: Collection[ReadLog]) -> pa.Table:
    rows = [
        {
            **_place(entry),
            "line_number": record.line_number,
            "reason": record.reason,
            "record_hash": record.record_hash,
        }
        for entry in read
        for record in entry.result.quarantined
    ]
    return pa.Table.from_pylist(rows, schema=arrow_schema(QUARANTINED_RECORDS))


def _place(entry: ReadLog) -> dict[str, Any]:
    account_id, region = entry.scope
    return {
        "source": SOURCE,
        "account_id": account_id,
        "region": region,
        "bucket": entry.log.bucket,
        "key": entry.log.key,
        "folder_date": entry.log.folder_date,
    }
