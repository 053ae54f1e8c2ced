"""A finding as a card: what is wrong or could be better, the numbers behind it, and what to do.

Here: the types. Not here: which findings there are (`findings.py` and its neighbours), their words (`labels.json`).
"""

from dataclasses import dataclass
from datetime import date, datetime
from decimal import Decimal
from typing import Literal

from usage_pipeline.report.table_rows import table

Severity = Literal["ERROR", "WARN", "ADVICE"]

SEVERITY_ORDER: tuple[Severity, ...] = ("ERROR", "WARN", "ADVICE")

ActionKind = Literal["link", "command", "text", "advice"]


@dataclass(frozen=True)
class Evidence:
    """One number behind a finding, with its interval where it has one.

    `column` names the column that has the value in the first row of the card's `evidence_sql`; NULL for a value that
    the finding brings along.
    """

    label: str
    value: int | float | Decimal | date | datetime | str | None
    unit: str | None = None
    low: int | float | Decimal | date | None = None
    high: int | float | Decimal | date | None = None
    column: str | None = None


@dataclass(frozen=True)
class Action:
    """What to do: an address of the AWS console, a command, a text to copy, or a sentence."""

    kind: ActionKind
    label: str
    value: str


@dataclass(frozen=True)
class FindingCard:
    """One finding. `effect_value` orders findings of one severity and kind of effect; `effect` says it in words.

    `grade` (high, medium, low) is how sure its numbers are, NULL where they are counts. `evidence_sql` runs on the
    published file as it is, and `rows_sql` shows the rows behind its numbers. `since` is when it was first found, or
    the first day that it is about.
    """

    finding_id: str
    anchor: str
    kind: str
    severity: Severity
    title: str
    description: str | None
    account_id: str | None
    account_name: str | None
    region: str | None
    pool_id: str | None
    pool_anchor: str | None
    subject: str | None
    since: datetime | date | None
    grade: str | None
    effect: str | None
    effect_value: float | None
    effect_unit: str | None
    evidence_sql: str | None
    rows_sql: str | None
    evidence: tuple[Evidence, ...] = table()
    actions: tuple[Action, ...] = ()
