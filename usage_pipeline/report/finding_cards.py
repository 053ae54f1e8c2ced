"""Making a card: words from the labels, numbers from the query that the card shows.

Here: what all kinds of findings share. Not here: which findings there are (`findings.py`). A card's numbers are read by
its own `evidence_sql`, so that whoever runs it sees the same.
"""

import hashlib
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import date, datetime
from typing import Any

import duckdb

from usage_pipeline.report.console_links import service_quota_url
from usage_pipeline.report.contents import Pool
from usage_pipeline.report.finding_contents import Action, Evidence, FindingCard, Severity
from usage_pipeline.report.labels import labels
from usage_pipeline.report.table_rows import rows, whole

Row = Mapping[str, Any]

LONGEST_NAME = 200
"""Characters of a text from AWS in a title."""


@dataclass(frozen=True)
class Known:
    """What findings are made of: the published tables, and pools by id."""

    con: duckdb.DuckDBPyConnection
    pools: Mapping[str, Pool]


@dataclass(frozen=True)
class Number:
    """One number of a card: its label, and the columns of the query's first row that have it and its interval."""

    column: str
    label: str
    unit: str | None = None
    low: str | None = None
    high: str | None = None


def texts() -> dict[str, Any]:
    """The words of findings."""
    return labels()["findings"]


def unit_text(unit: str | None) -> str | None:
    """The unit as it is written."""
    return None if unit is None else texts()["units"].get(unit, unit)


def sql_text(value: str) -> str:
    """A text as a literal of SQL."""
    return "'" + value.replace("'", "''") + "'"


def short(text: str | None) -> str:
    """A text from AWS on one line and cut."""
    line = " ".join((text or labels()["unknown"]).split())
    return line if len(line) <= LONGEST_NAME else line[: LONGEST_NAME - 1] + "…"


def pool_name(pool: Pool) -> str:
    """Model, endpoint type, account and Region."""
    return texts()["pool"].format(
        model=short(pool.model_name),
        endpoint=labels()["endpoint"].get(pool.endpoint_type, pool.endpoint_type),
        account=short(pool.account_name),
        region=short(pool.region),
    )


def first_row(con: duckdb.DuckDBPyConnection, sql: str) -> Row:
    """What the query of a card says."""
    return next(iter(rows(con, sql)), {})


def evidence(row: Row, numbers: Sequence[Number]) -> tuple[Evidence, ...]:
    """The numbers that the row knows."""
    return tuple(
        Evidence(
            label=texts()["evidence"][number.label],
            value=_plain(row[number.column]),
            unit=unit_text(number.unit),
            low=_plain(row[number.low]) if number.low else None,
            high=_plain(row[number.high]) if number.high else None,
            column=number.column,
        )
        for number in numbers
        if row.get(number.column) is not None
    )


def _plain(value: Any) -> Any:
    return whole(value) if isinstance(value, float) else value


def card(
    kind: str,
    subject: str,
    severity: Severity,
    title: str,
    *,
    pool: Pool | None = None,
    since: datetime | date | None = None,
    **parts: Any,
) -> FindingCard:
    """A card of a pool or of another subject; its id is the same in every report."""
    identity = hashlib.sha256(f"{kind}\0{subject}".encode()).hexdigest()[:16]
    given: dict[str, Any] = {
        "description": None,
        "account_id": pool.account_id if pool else None,
        "account_name": pool.account_name if pool else None,
        "region": pool.region if pool else None,
        "grade": None,
        "effect": None,
        "effect_value": None,
        "effect_unit": None,
        "evidence_sql": None,
        "rows_sql": None,
    }
    return FindingCard(
        finding_id=identity,
        anchor=f"finding/{identity}",
        kind=kind,
        severity=severity,
        title=title,
        pool_id=pool.pool_id if pool else None,
        pool_anchor=pool.anchor if pool and pool.has_traffic else None,
        subject=subject,
        since=since,
        **(given | parts),
    )


def console_action(region: str, quota_code: str | None) -> list[Action]:
    """A link to the quota, where it is known."""
    if not quota_code:
        return []
    return [Action("link", texts()["actions"]["console"], service_quota_url(region, quota_code))]


def advice(text: str) -> Action:
    """A sentence that says what to do."""
    return Action("advice", texts()["actions"]["todo"], text)
