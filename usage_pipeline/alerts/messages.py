"""What a message says: what, where, which value against which limit, since when, by whom, what to do, where to look.

Here: pure functions from findings to plain text. Texts from AWS are cut, freed of control characters and of words that
call a whole channel; the markup of each service is escaped where the text is sent (`channels.py`). Not here: what is
due (`due.py`).
"""

import json
import re
import unicodedata
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from decimal import Decimal
from typing import Any
from urllib.parse import quote

from usage_pipeline.alerts.advice import next_steps
from usage_pipeline.alerts.due import Due, DueNotice, by_notice
from usage_pipeline.alerts.findings import ROWS_UNIT, Finding
from usage_pipeline.report.anchors import pool_anchor

SHARE_UNIT = "share"
"""Unit of values that are read as per cent."""

USD_UNIT = "USD"

_LONGEST_VALUE = 150
_LONGEST_DESCRIPTION = 600
_MOST_DETAILS = 8
_CALLS_OR_LINKS = re.compile(r"@(?=(?:everyone|here|channel|all)\b)|<(?=[@!#&])|\](?=\()", re.IGNORECASE)
_INVISIBLE = ("Cc", "Cf", "Zl", "Zp", "Cs", "Co")


@dataclass(frozen=True)
class Message:
    """A message as plain text. `headline` names the finding and is the same while it is open and when it is resolved.

    `state` is what changed, in capitals; `body` has no line that repeats either.
    """

    state: str
    headline: str
    body: str
    is_good_news: bool
    is_error: bool

    @property
    def title(self) -> str:
        """One line for a subject."""
        return f"[{self.state}] {self.headline}"


@dataclass(frozen=True)
class Consumer:
    """Someone who used a pool: a profile at its worst minute, or a caller; `share` is of the pool's use, 0 to 1."""

    name: str
    share: float


def clean(text: object, longest: int = _LONGEST_VALUE) -> str:
    """A value on one line, without characters that are not seen, calls to people and hidden links, and cut."""
    shown = "".join(" " if character in "\r\n\t" else character for character in str(text))
    shown = "".join(character for character in shown if unicodedata.category(character) not in _INVISIBLE)
    # A zero-width space keeps the text readable and takes its meaning.
    return cut(_CALLS_OR_LINKS.sub(lambda found: f"{found[0]}\u200b", shown), longest)


def cut(text: str, longest: int) -> str:
    """The text, or its beginning and an ellipsis; never longer than `longest` characters."""
    return text if len(text) <= longest else f"{text[: max(longest - 1, 0)]}…"


def cut_bytes(text: str, longest: int) -> str:
    """The text with at most `longest` bytes in UTF-8."""
    encoded = text.encode()
    return text if len(encoded) <= longest else encoded[: longest - 3].decode(errors="ignore") + "…"


def state_word(notice: DueNotice, finding: Finding) -> str:
    """`ERROR`, `WORSE: ERROR`, `STILL OPEN: WARN` or `RESOLVED`."""
    words = {"worse": f"WORSE: {finding.severity}", "reminder": f"STILL OPEN: {finding.severity}"}
    return "RESOLVED" if notice == "resolved" else words.get(notice, finding.severity)


def shown_value(value: Decimal | None, unit: str | None) -> str:
    """A value with its unit; a share as per cent, money with a dollar sign, `unknown` for None."""
    if value is None:
        return "unknown"
    if unit == SHARE_UNIT:
        return f"{value * 100:,.1f} %"
    if unit == USD_UNIT:
        return f"${value:,.2f}"
    text = f"{value:,.6f}".rstrip("0").rstrip(".")
    return f"{text} {unit}" if unit else text


def finding_message(
    finding: Finding, notice: DueNotice, *, consumers: Sequence[Consumer] = (), report_url: str | None = None
) -> Message:
    """The message about one finding."""
    subject = ", ".join(clean(value) for value in json.loads(finding.subject).values() if value is not None)
    words = finding.check_name.replace("_", " ")
    lines = [clean(finding.summary, 500), *_facts(finding)]
    if consumers:
        used = (f"{clean(consumer.name)} {consumer.share:.0%}" for consumer in consumers)
        lines.append(f"Used most by: {', '.join(used)}")
    if notice != "resolved":
        lines.append(f"What it means: {clean(finding.description, _LONGEST_DESCRIPTION)}")
        lines += [f"To do: {step}" for step in next_steps(finding)]
    if report_url:
        lines.append(f"Report: {report_url}#{quote(report_anchor(finding), safe='/:._-')}")
    return Message(
        state=state_word(notice, finding),
        headline=cut(f"{subject or finding.asset}: {words}", 200),
        body="\n".join(lines),
        is_good_news=notice == "resolved",
        is_error=finding.severity == "ERROR",
    )


def _facts(finding: Finding) -> list[str]:
    lines: list[str] = []
    if finding.value is not None and (finding.unit != ROWS_UNIT or finding.value > 1):
        against = f", limit {shown_value(finding.threshold, finding.unit)}" if finding.threshold is not None else ""
        worst = f", worst {shown_value(finding.worst_value, finding.unit)}" if _got_better(finding) else ""
        lines.append(f"Value: {shown_value(finding.value, finding.unit)}{against}{worst}")
    since = f"Since: {finding.opened_at:%Y-%m-%d %H:%M} UTC"
    lines.append(since if finding.resolved_at is None else f"{since}, until {finding.resolved_at:%Y-%m-%d %H:%M} UTC")
    about: dict[str, Any] = json.loads(finding.subject)
    evidence: dict[str, Any] = json.loads(finding.evidence)
    if details := _details({name: value for name, value in evidence.items() if name not in about}):
        lines.append(f"Details: {details}")
    return lines


def _got_better(finding: Finding) -> bool:
    return finding.worst_value is not None and finding.value is not None and finding.worst_value > finding.value


def _details(evidence: Mapping[str, Any]) -> str:
    plain = {name: value for name, value in evidence.items() if isinstance(value, str | int | float)}
    return "; ".join(f"{name} {clean(value)}" for name, value in list(plain.items())[:_MOST_DETAILS])


def report_anchor(finding: Finding) -> str:
    """Where the report shows the finding: its pool, else the list of checks."""
    pool_id = json.loads(finding.subject).get("pool_id")
    return pool_anchor(str(pool_id)) if pool_id else "checks"


def digest_message(rest: Sequence[Due], report_url: str | None = None) -> Message:
    """One message for many findings: how many of each kind, and the names of the checks."""
    kinds = ", ".join(f"{count} {_WORDS[notice]}" for notice, count in by_notice(rest).items())
    names = sorted({due.finding.check_name.replace("_", " ") for due in rest})
    lines = [f"{len(rest)} more findings: {kinds}.", *(f"- {clean(name)}" for name in names[:20])]
    lines.append("All of them: usage-pipeline alerts list")
    if report_url:
        lines.append(f"Report: {report_url}#checks")
    has_error = any(due.finding.severity == "ERROR" and due.notice != "resolved" for due in rest)
    return Message(
        state="ERROR" if has_error else "WARN",
        headline=f"{len(rest)} more findings",
        body="\n".join(lines),
        is_good_news=all(due.notice == "resolved" for due in rest),
        is_error=has_error,
    )


_WORDS: dict[DueNotice, str] = {
    "open": "new",
    "worse": "worse",
    "reminder": "still open",
    "resolved": "resolved",
}


def trial_message(channel: str) -> Message:
    """What `usage-pipeline alerts test` sends."""
    return Message(
        state="TEST",
        headline="usage-pipeline can reach this channel",
        body=f"Findings will arrive here by the channel {clean(channel)}. Nothing is wrong.",
        is_good_news=True,
        is_error=False,
    )
