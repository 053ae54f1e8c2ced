"""From readings of AWS to rows: of the raw tables, and of `ops.source_status`, which says how each reading went.

Pure functions over values. Not here: calls (`aws/`), writing (`warehouse.py`), Dagster.
"""

import dataclasses
import datetime as dt
from collections.abc import Iterable, Mapping, Sequence, Set
from typing import Any

import pyarrow as pa

from usage_pipeline.aws.errors import Shortfall
from usage_pipeline.aws.scopes import ResolvedScopes, Scope, UnreachableAccount
from usage_pipeline.aws.source_reading import Listing, ScopeReading
from usage_pipeline.config_values import region_partitions
from usage_pipeline.raw_tables import SOURCE_STATUS, StoredTable
from usage_pipeline.warehouse import ScopeKey, arrow_schema


@dataclasses.dataclass(frozen=True)
class Coverage:
    """What is stored of one scope and day: its rows, how far the day was read, and the coarsest period.

    With a `shortfall`, some or all of the day is missing. A `note` says why a day without rows has none.
    """

    row_count: int | None
    covered_until: dt.datetime | None
    resolution_seconds: int | None = None
    shortfall: Shortfall | None = None
    note: str | None = None


@dataclasses.dataclass(frozen=True)
class ReadingStamp:
    """When and by which run a source was read."""

    source: str
    run_id: str
    finished_at: dt.datetime


def scope_key(scope: Scope) -> ScopeKey:
    """(account_id, region)."""
    return scope.account_id, scope.region


def read_until(day: dt.date, now: dt.datetime) -> dt.datetime | None:
    """The end of the day, or of the last whole minute before `now`; None for a day that has no whole minute yet."""
    start = dt.datetime.combine(day, dt.time())
    end = min(start + dt.timedelta(days=1), now.replace(second=0, microsecond=0))
    return end if end > start else None


def snapshot_rows(
    table: StoredTable, readings: Iterable[ScopeReading[Listing[Any]]], snapshot_date: dt.date
) -> pa.Table:
    """What the scopes listed, as rows of a snapshot table; scopes that could not be read have none."""
    rows = [
        {
            "snapshot_date": snapshot_date,
            "account_id": reading.scope.account_id,
            "region": reading.scope.region,
            **_fields(row),
        }
        for reading in readings
        if reading.value is not None
        for row in reading.value.rows
    ]
    return pa.Table.from_pylist(rows, schema=arrow_schema(table))


def _fields(row: Any) -> dict[str, Any]:
    """A frozen row's fields, with mappings as Arrow takes them; `asdict` would copy every tuple."""
    return {
        field.name: list(value.items()) if isinstance(value, Mapping) else value
        for field in dataclasses.fields(row)
        for value in [getattr(row, field.name)]
    }


def status_rows(
    stamp: ReadingStamp,
    days: Sequence[dt.date],
    readings: Iterable[ScopeReading[Any]],
    unreachable: Iterable[UnreachableAccount],
    coverage: Mapping[tuple[str, str, dt.date], Coverage],
) -> pa.Table:
    """Rows of `ops.source_status`: one per scope and day, also for accounts that could not be reached.

    A day that `coverage` has is judged by what is stored of it, any other by the reading as a whole.
    """
    readings = list(readings)
    rows = [_scope_status(stamp, day, reading, coverage) for reading in readings for day in days]
    read_accounts = {reading.scope.account_id for reading in readings}
    rows += [
        _unreachable_status(stamp, day, account, region, read_accounts)
        for account in unreachable
        for region in (account.regions or (None,))
        for day in days
    ]
    return pa.Table.from_pylist(rows, schema=arrow_schema(SOURCE_STATUS))


def account_status_rows(
    stamp: ReadingStamp,
    days: Sequence[dt.date],
    readings: Iterable[ScopeReading[Any]],
    unreachable: Iterable[UnreachableAccount],
    coverage: Mapping[tuple[str, str, dt.date], Coverage],
) -> pa.Table:
    """The same, one per account and day: each reading's answer is the whole account's, so the rows have no Region."""
    rows = status_rows(stamp, days, readings, unreachable, coverage).to_pylist()
    whole = {(row["account_id"], row["account_name"], row["partition_date"]): {**row, "region": None} for row in rows}
    return pa.Table.from_pylist(list(whole.values()), schema=arrow_schema(SOURCE_STATUS))


def _scope_status(
    stamp: ReadingStamp,
    day: dt.date,
    reading: ScopeReading[Any],
    coverage: Mapping[tuple[str, str, dt.date], Coverage],
) -> dict[str, Any]:
    stored = coverage.get((*scope_key(reading.scope), day))
    if stored is None:
        status, error_text = reading.status, reading.error_text
    elif stored.shortfall:
        status, error_text = stored.shortfall.status, stored.shortfall.text
    else:
        status, error_text = ("ok", None) if stored.row_count else ("empty", stored.note)
    return {
        "account_id": reading.scope.account_id,
        "account_name": reading.scope.account_name,
        "region": reading.scope.region,
        "source": stamp.source,
        "partition_date": day,
        "status": status,
        "error_text": error_text,
        "row_count": stored.row_count if stored is not None else None,
        "covered_until": stored.covered_until if stored is not None else None,
        "resolution_seconds": stored.resolution_seconds if stored is not None else None,
        "api_calls": reading.api_calls,
        "run_id": stamp.run_id,
        "finished_at": stamp.finished_at,
    }


def _unreachable_status(
    stamp: ReadingStamp, day: dt.date, account: UnreachableAccount, region: str | None, read_accounts: Set[str]
) -> dict[str, Any]:
    # An account that is named twice is read under its other name; a second row of its id would cover its days twice.
    account_id = None if account.account_id in read_accounts else account.account_id
    return {
        "account_id": account_id,
        "account_name": account.account_name,
        "region": region,
        "source": stamp.source,
        "partition_date": day,
        "status": account.status,
        "error_text": account.error_text,
        "row_count": None,
        "covered_until": None,
        "resolution_seconds": None,
        "api_calls": 0,
        "run_id": stamp.run_id,
        "finished_at": stamp.finished_at,
    }


def scope_rows(resolved: ResolvedScopes, known: Iterable[Mapping[str, Any]]) -> list[dict[str, Any]]:
    """Rows of `raw.scopes`: the scopes of the configuration, and those that it once had.

    An account that could not be reached has the scopes that the configuration names, when its id is known, and keeps
    those that are known of it.
    """
    rows: dict[ScopeKey, dict[str, Any]] = {
        (row["account_id"], row["region"]): {**row, "is_configured": False} for row in known
    }
    for account in resolved.unreachable:
        for row in rows.values():
            if _is_of(row, account) and (not account.regions or row["region"] in account.regions):
                row["is_configured"] = True
        for region in account.regions if account.account_id else ():
            scope = Scope(account.account_id or "", account.account_name, region, region_partitions()[region])
            rows[scope_key(scope)] = _scope_row(scope)
    for scope in resolved.scopes:
        rows[scope_key(scope)] = _scope_row(scope)
    return [rows[key] for key in sorted(rows)]


def _is_of(row: Mapping[str, Any], account: UnreachableAccount) -> bool:
    """Whether a known scope is the account's; its name says so only while its id is not known."""
    if account.account_id:
        return row["account_id"] == account.account_id
    return row["account_name"] == account.account_name


def _scope_row(scope: Scope) -> dict[str, Any]:
    return {**dataclasses.asdict(scope), "is_configured": True}
