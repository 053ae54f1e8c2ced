"""From the results of the checks to findings: what is wrong with which thing, since when, and what is new about it.

Here: pure functions over check results and the findings of the run before. Not here: storing them
(`assets/findings.py`), telling anyone (`dispatch.py`).
"""

import dataclasses
import datetime as dt
import hashlib
import json
import math
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from decimal import Context, Decimal
from typing import Any, Literal

from usage_pipeline.checks.rules import RuleResult, Severity

Notice = Literal["open", "worse", "resolved"]

ROWS_UNIT = "rows"
"""Unit of a finding whose rows name no value: how many rows contradict the check."""

TOLD_APART = ("severity", "summary", "value", "threshold", "unit")
"""Columns of a contradiction that say something of the finding itself; the others are its evidence."""

_LONGEST_SUMMARY = 500
_SCALE = Decimal("0.000001")
_DIGITS = Context(prec=38)


@dataclass(frozen=True)
class Observation:
    """What one evaluation says of one thing. `value` and `threshold` are in `unit`; None is unknown."""

    check_name: str
    asset: str
    subject: str
    severity: Severity
    summary: str
    description: str
    value: Decimal | None
    threshold: Decimal | None
    unit: str | None
    evidence: str

    @property
    def finding_id(self) -> str:
        """The same for the same check, table and thing in every run."""
        return finding_id(self.check_name, self.asset, self.subject)


@dataclass(frozen=True)
class Finding:
    """One thing that a check says is wrong, or was. Times are UTC without a zone.

    `notice` is the newest change that people should hear of, `notice_number` counts them, and `notice_severity` and
    `notice_value` are the worst of what they say since `opened_at`.
    """

    finding_id: str
    check_name: str
    asset: str
    subject: str
    severity: Severity
    summary: str
    description: str
    value: Decimal | None
    threshold: Decimal | None
    unit: str | None
    worst_value: Decimal | None
    evidence: str
    first_seen_at: dt.datetime
    opened_at: dt.datetime
    last_seen_at: dt.datetime
    resolved_at: dt.datetime | None
    notice: Notice
    notice_number: int
    notice_severity: Severity
    notice_value: Decimal | None

    @property
    def is_open(self) -> bool:
        """Whether it was true at the newest evaluation."""
        return self.resolved_at is None


def finding_id(check_name: str, asset: str, subject: str) -> str:
    """Sixteen hexadecimal digits; `subject` is JSON."""
    return hashlib.sha256("\0".join((check_name, asset, subject)).encode()).hexdigest()[:16]


def observations(result: RuleResult) -> list[Observation]:
    """What a result says, one for each thing; its rows are folded into their worst."""
    by_subject: dict[str, list[dict[str, Any]]] = {}
    for row in result.rows:
        subject = as_json({column: row.get(column) for column in result.rule.subject})
        by_subject.setdefault(subject, []).append(row)
    return [_observation(result, subject, rows) for subject, rows in by_subject.items()]


def _observation(result: RuleResult, subject: str, rows: Sequence[Mapping[str, Any]]) -> Observation:
    rule = result.rule
    worst = max(rows, key=lambda row: (_row_severity(row, result) == "ERROR", _sortable(number(row.get("value")))))
    value, unit = number(worst.get("value")), worst.get("unit")
    if "value" not in worst:
        value, unit = Decimal(len(rows) if rule.subject else result.failing_rows), ROWS_UNIT
    summary = worst.get("summary") or _summary(rule.name, json.loads(subject))
    return Observation(
        check_name=rule.name,
        asset=rule.table,
        subject=subject,
        severity=_row_severity(worst, result),
        summary=str(summary)[:_LONGEST_SUMMARY],
        description=rule.description,
        value=value,
        threshold=number(worst.get("threshold")),
        unit=None if unit is None else str(unit),
        evidence=as_json({name: value for name, value in worst.items() if name not in TOLD_APART}),
    )


def _row_severity(row: Mapping[str, Any], result: RuleResult) -> Severity:
    severity: Severity | None = row.get("severity")
    return severity or result.rule.severity


def _summary(check_name: str, subject: Mapping[str, Any]) -> str:
    about = ", ".join("unknown" if value is None else str(value) for value in subject.values())
    return f"Not true{' for ' + about if about else ''}: {check_name.replace('_', ' ')}."


def number(value: Any) -> Decimal | None:
    """A value as the table keeps it, with six digits after the point; None for what is no number."""
    if value is None or isinstance(value, bool) or not isinstance(value, int | float | Decimal):
        return None
    # The column holds 32 digits before the point.
    if not math.isfinite(value) or abs(value) >= 10**32:
        return None
    return Decimal(str(value)).quantize(_SCALE, context=_DIGITS)


def _sortable(value: Decimal | None) -> Decimal:
    return Decimal("-Infinity") if value is None else value


def as_json(row: Mapping[str, Any]) -> str:
    """A row as JSON in the order of its columns; days and times in ISO 8601, decimals as text, never NaN."""
    return json.dumps({name: _plain(value) for name, value in row.items()}, ensure_ascii=False, allow_nan=False)


def _plain(value: Any) -> Any:
    if isinstance(value, float) and not math.isfinite(value):
        return None
    if value is None or isinstance(value, str | int | float | bool):
        return value
    if isinstance(value, Mapping):
        return {str(name): _plain(inner) for name, inner in value.items()}
    if isinstance(value, list | tuple):
        return [_plain(inner) for inner in value]
    return value.isoformat() if isinstance(value, dt.date | dt.time) else str(value)


def next_findings(
    before: Iterable[Finding], results: Iterable[RuleResult], now: dt.datetime, worse_factor: float
) -> list[Finding]:
    """The findings after an evaluation, oldest first.

    What no row speaks of any more is resolved; where a check found more rows than it lists, that is not known.
    """
    results = list(results)
    listed_in_part = {
        (result.rule.name, result.rule.table) for result in results if result.failing_rows > len(result.rows)
    }
    seen = {found.finding_id: found for result in results if not result.passed for found in observations(result)}
    findings: dict[str, Finding] = {}
    for finding in before:
        found = seen.pop(finding.finding_id, None)
        if found is not None:
            findings[finding.finding_id] = again(finding, found, now, worse_factor)
        elif finding.is_open and (finding.check_name, finding.asset) not in listed_in_part:
            findings[finding.finding_id] = resolved(finding, now)
        else:
            findings[finding.finding_id] = finding
    findings |= {identifier: opened(found, now) for identifier, found in seen.items()}
    return sorted(findings.values(), key=lambda finding: (finding.first_seen_at, finding.finding_id))


def opened(found: Observation, now: dt.datetime) -> Finding:
    """A finding that is seen for the first time."""
    return Finding(
        finding_id=found.finding_id,
        **dataclasses.asdict(found),
        worst_value=found.value,
        first_seen_at=now,
        opened_at=now,
        last_seen_at=now,
        resolved_at=None,
        notice="open",
        notice_number=1,
        notice_severity=found.severity,
        notice_value=found.value,
    )


def again(finding: Finding, found: Observation, now: dt.datetime, worse_factor: float) -> Finding:
    """A finding that is seen again: still open, worse, or open anew."""
    if not finding.is_open:
        fresh = opened(found, now)
        return dataclasses.replace(fresh, first_seen_at=finding.first_seen_at, notice_number=finding.notice_number + 1)
    seen = dataclasses.replace(
        finding,
        **dataclasses.asdict(found),
        worst_value=_larger(finding.worst_value, found.value),
        last_seen_at=now,
    )
    if not is_worse(finding, found, worse_factor):
        return seen
    return dataclasses.replace(
        seen,
        notice="worse",
        notice_number=finding.notice_number + 1,
        notice_severity="ERROR" if "ERROR" in (finding.notice_severity, found.severity) else "WARN",
        notice_value=_larger(finding.notice_value, found.value),
    )


def is_worse(finding: Finding, found: Observation, worse_factor: float) -> bool:
    """Whether severity rose from WARN to ERROR, or the value grew by the factor, since people were last to be told."""
    if finding.notice_severity == "WARN" and found.severity == "ERROR":
        return True
    told = finding.notice_value
    return (
        found.value is not None and told is not None and told > 0 and found.value >= told * Decimal(str(worse_factor))
    )


def resolved(finding: Finding, now: dt.datetime) -> Finding:
    """A finding that is no longer true."""
    return dataclasses.replace(finding, resolved_at=now, notice="resolved", notice_number=finding.notice_number + 1)


def _larger(one: Decimal | None, other: Decimal | None) -> Decimal | None:
    return max((value for value in (one, other) if value is not None), default=None)
