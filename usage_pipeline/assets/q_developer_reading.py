"""Reads prompts or activity of Amazon Q Developer and Kiro from the accounts' places into a raw table.

Here: which folders a day needs, which objects are new, how the reading of each account went. Not here: listing and
getting (`aws/`), parsing (`q_developer/`), storing (`log_loading.py`, `log_storage.py`), Dagster's assets
(`raw_q_developer.py`).
"""

import dataclasses
import datetime as dt
import functools
from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import duckdb
import pyarrow as pa

from usage_pipeline.assets.log_loading import LoadSummary, LogKind, load_logs
from usage_pipeline.assets.log_storage import LoggedTable, read_objects, recount_rows, stored_rows
from usage_pipeline.assets.metadata import reading_metadata
from usage_pipeline.assets.readings import Coverage, ReadingStamp, account_status_rows, read_until, scope_key
from usage_pipeline.aws.access import AwsAccess
from usage_pipeline.aws.log_listing import ListedLog
from usage_pipeline.aws.q_developer_objects import PlaceListing, list_place
from usage_pipeline.aws.scopes import UnreachableAccount
from usage_pipeline.aws.source_reading import ScopeReading
from usage_pipeline.config import Settings
from usage_pipeline.config_q_developer import BucketPlaceSettings, QDeveloperSettings
from usage_pipeline.log_files.files import parse_files
from usage_pipeline.log_files.formats import Q_DEVELOPER_PROMPTS as PROMPT_FORMAT
from usage_pipeline.q_developer.object_keys import Content
from usage_pipeline.q_developer.report_files import ReportFiles
from usage_pipeline.q_developer.tokenizer import token_counter
from usage_pipeline.q_developer_tables import Q_DEVELOPER_ACTIVITY, Q_DEVELOPER_PROMPTS
from usage_pipeline.raw_tables import SOURCE_STATUS
from usage_pipeline.warehouse import ScopeKey, arrow_schema, record_source_status, upsert

REPORTS_ARE_THERE_AFTER = dt.timedelta(hours=3)
"""AWS writes a day's reports at 00:00 UTC of the next day, Kiro's at 02:00 (reference/aws.md 6, November 2026)."""

_MOST_WARNINGS = 20


@dataclass(frozen=True)
class RunStamp:
    """One run: its id, the UTC days that it reads, and the moment it takes as now (UTC without a zone)."""

    run_id: str
    days: tuple[dt.date, ...]
    now: dt.datetime


@dataclass(frozen=True)
class Source:
    """Prompts or activity: the table, the setting that names the places, and where rows of a day may lie.

    `latest_folder` counts the days from a day to the last folder that it needs. Prompts that come later are found by
    the runs of later days; a report is written when its day is over.
    """

    logged: LoggedTable
    content: Content
    setting: str
    latest_folder: int

    def places(self, settings: Settings) -> dict[str, BucketPlaceSettings]:
        """The named places by the account's name."""
        named = {account.name: self._place(account.q_developer) for account in settings.accounts}
        return {name: place for name, place in named.items() if place is not None}

    def _place(self, named: QDeveloperSettings | None) -> BucketPlaceSettings | None:
        if named is None:
            return None
        return named.prompt_logs if self.content == "prompts" else named.activity_reports

    def folders(self, days: Iterable[dt.date]) -> list[dt.date]:
        """The days of the folders that the days need."""
        return sorted({day + dt.timedelta(days=n) for day in days for n in range(self.latest_folder + 1)})

    def covered_until(self, day: dt.date, now: dt.datetime) -> dt.datetime | None:
        """How far a day is known when its folders were read; by reports it is known as a whole or not at all."""
        if self.content == "prompts":
            return read_until(day, now)
        end = dt.datetime.combine(day + dt.timedelta(days=1), dt.time())
        return end if now >= end + REPORTS_ARE_THERE_AFTER else None


PROMPTS = Source(
    LoggedTable(Q_DEVELOPER_PROMPTS, ("usage_date", "account_id", "region", "request_id", "record_hash")),
    "prompts",
    "prompt_logs",
    latest_folder=0,
)
ACTIVITY = Source(
    LoggedTable(
        Q_DEVELOPER_ACTIVITY,
        ("usage_date", "account_id", "region", "product", "report", "user_id", "client_type"),
        written_at="reported_at",
    ),
    "activity",
    "activity_reports",
    latest_folder=1,
)
SOURCES = (PROMPTS, ACTIVITY)


@dataclass(frozen=True)
class SourceListing:
    """What the places of all accounts that name one have; accounts that could not be reached are apart."""

    readings: list[ScopeReading[PlaceListing]]
    unreachable: list[UnreachableAccount]


def list_source(source: Source, aws: AwsAccess, settings: Settings, run: RunStamp) -> SourceListing:
    """List the days' objects in every account that names a place. Asks AWS."""
    places, folders = source.places(settings), source.folders(run.days)
    readings = aws.read_accounts(
        lambda session, scope: list_place(session, scope, places[scope.account_name], source.content, folders),
        names=places,
    )
    unreachable = [account for account in aws.resolved.unreachable if account.account_name in places]
    return SourceListing(readings, unreachable)


def note_unnamed_accounts(con: duckdb.DuckDBPyConnection, source: Source, settings: Settings, run: RunStamp) -> None:
    """Say of accounts without a place that they are not read; what failed while they had one no longer matters."""
    unnamed = [account.name for account in settings.accounts if account.name not in source.places(settings)]
    if not unnamed:
        return
    con.execute(
        f"""
        delete from {SOURCE_STATUS.qualified_name}
        where source = $source and status not in ('ok', 'empty') and list_contains($names::varchar[], account_name)
        """,
        {"source": source.logged.source, "names": unnamed},
    )
    rows = [
        {
            "account_name": name,
            "source": source.logged.source,
            "partition_date": day,
            "status": "empty",
            "error_text": f"The configuration names no place: accounts[].q_developer.{source.setting}.",
            "api_calls": 0,
            "run_id": run.run_id,
            "finished_at": run.now,
        }
        for name in unnamed
        for day in run.days
    ]
    upsert(
        con,
        SOURCE_STATUS,
        pa.Table.from_pylist(rows, schema=arrow_schema(SOURCE_STATUS)),
        ("account_name", "region", "source", "partition_date"),
    )


def load_source(
    con: duckdb.DuckDBPyConnection, source: Source, listing: SourceListing, run: RunStamp, folder: Path
) -> dict[str, Any]:
    """Store what is new in the listed objects, and how the reading of each account went; returns Dagster's metadata."""
    reports = ReportFiles()
    parse = functools.partial(parse_files, format_name=PROMPT_FORMAT) if source is PROMPTS else reports.parse
    loaded = load_logs(con, LogKind(source.logged, parse), _unread(con, source, listing, run), folder)
    token_counter.cache_clear()  # its vocabulary takes 30 MB, which the steps that follow may need
    readings = [_after_load(reading, loaded) for reading in listing.readings]
    coverage = _coverage(con, source, readings, loaded, run)
    stamp = ReadingStamp(source.logged.source, run.run_id, run.now)
    record_source_status(con, account_status_rows(stamp, run.days, readings, listing.unreachable, coverage))
    recount_rows(con, source.logged, loaded.days)
    warnings = [f"{count} files: {text}" for text, count in reports.warnings.most_common(_MOST_WARNINGS)]
    return {
        **reading_metadata(source.logged.table, loaded.row_count, readings),
        "objects_read": loaded.object_count,
        "records_read": loaded.record_count,
        "records_quarantined": loaded.quarantined_count,
        "days_changed": len(loaded.days),
        **({"warnings": "\n".join(warnings)} if warnings else {}),
    }


def _unread(
    con: duckdb.DuckDBPyConnection, source: Source, listing: SourceListing, run: RunStamp
) -> list[tuple[ScopeKey, ListedLog]]:
    already_read = read_objects(con, source.logged, source.folders(run.days))
    found = [
        ((key.account_id, key.region), listed)
        for reading in listing.readings
        if reading.value is not None
        for key, listed in reading.value.logs
    ]
    return [
        (scope, listed)
        for scope, listed in found
        if (*scope, listed.log.bucket, listed.log.key, listed.log.etag) not in already_read
    ]


def _after_load(reading: ScopeReading[PlaceListing], loaded: LoadSummary) -> ScopeReading[PlaceListing]:
    """The reading of an account's list with the requests that getting its objects took."""
    account_id = reading.scope.account_id
    calls = sum(count for (owner, _), count in loaded.api_calls.items() if owner == account_id)
    return dataclasses.replace(reading, api_calls=reading.api_calls + calls)


def _coverage(
    con: duckdb.DuckDBPyConnection,
    source: Source,
    readings: Sequence[ScopeReading[PlaceListing]],
    loaded: LoadSummary,
    run: RunStamp,
) -> dict[tuple[str, str, dt.date], Coverage]:
    """What is stored now of each day of each account whose place was listed, and what is missing of it."""
    counts = stored_rows(con, source.logged, run.days)
    coverage: dict[tuple[str, str, dt.date], Coverage] = {}
    for reading in readings:
        if (listing := reading.value) is None:
            continue
        account_id = reading.scope.account_id
        regions = {key.region for key, _ in listing.logs}
        for day in run.days:
            rows = sum(count for (owner, _, of_day), count in counts.items() if (owner, of_day) == (account_id, day))
            unread = [
                shortfall
                for region in sorted(regions)
                for folder in source.folders([day])
                if (shortfall := loaded.shortfall((account_id, region), folder))
            ]
            key = (*scope_key(reading.scope), day)
            if shortfall := listing.shortfall or next(iter(unread), None):
                coverage[key] = Coverage(rows or None, None, shortfall=shortfall)
            else:
                coverage[key] = Coverage(rows, source.covered_until(day, run.now), note=listing.note)
    return coverage
