"""What is to be told to whom at a moment: new and worse findings, reminders, what is resolved.

Here: pure functions over findings, earlier deliveries and settings. Not here: wording (`messages.py`), sending
(`dispatch.py`).
"""

import dataclasses
import datetime as dt
from collections import defaultdict
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from decimal import Decimal
from typing import Literal
from zoneinfo import ZoneInfo

from usage_pipeline.alerts.deliveries import Delivery, MessageKey, RunEnd
from usage_pipeline.alerts.findings import Finding, as_json, finding_id
from usage_pipeline.config_alerts import AlertSettings, QuietHours

DueNotice = Literal["open", "worse", "resolved", "reminder"]

DRY_RUN = "dry run: "
"""Before a channel's name in the record of a dry run, so that leaving it sends what is still open."""

RUNS_SUCCEED = "every_run_succeeds"
"""Stands where a finding has the name of its check, for runs that failed."""


@dataclass(frozen=True)
class Due:
    """One message that a channel should get now. `attempts` are those that failed before."""

    key: MessageKey
    finding: Finding
    notice: DueNotice
    attempts: int


def recorded_name(channel: str, settings: AlertSettings) -> str:
    """A channel's name in the record of deliveries."""
    return f"{DRY_RUN}{channel}" if settings.dry_run else channel


def due_messages(
    findings: Iterable[Finding], deliveries: Iterable[Delivery], settings: AlertSettings, now: dt.datetime
) -> dict[str, list[Due]]:
    """By channel, what is due at `now` (UTC), the most urgent first; what failed before comes after what is new."""
    history: defaultdict[tuple[str, str], list[Delivery]] = defaultdict(list)
    for delivery in deliveries:
        history[delivery.key.channel, delivery.key.finding_id].append(delivery)
    due: defaultdict[str, list[Due]] = defaultdict(list)
    for finding in findings:
        if is_held(finding, settings.quiet_hours, now):
            continue
        # A resolved finding is told wherever people believe it open, also where it is no longer routed.
        channels = settings.channels_for(finding.severity) if finding.is_open else settings.channels
        for channel in channels:
            name = recorded_name(channel.name, settings)
            if (message := _due(name, finding, history[name, finding.finding_id], settings, now)) is not None:
                due[channel.name].append(message)
    return {channel: sorted(messages, key=_urgency) for channel, messages in due.items()}


def _due(
    channel: str, finding: Finding, told: Sequence[Delivery], settings: AlertSettings, now: dt.datetime
) -> Due | None:
    """The message about a finding that one channel should get; `told` is what it was ever sent about it."""
    if not finding.is_open and not _concerns(finding, told):
        return None
    change = (finding.opened_at, finding.notice_number)
    current = [delivery for delivery in told if (delivery.key.opened_at, delivery.key.notice_number) == change]
    reached = [delivery for delivery in current if delivery.delivered_at is not None]
    reminder = 0
    if reached:
        newest = max(delivery.delivered_at for delivery in reached if delivery.delivered_at is not None)
        if not finding.is_open or now - newest < dt.timedelta(hours=settings.remind_after_hours):
            return None
        reminder = max(delivery.key.reminder for delivery in reached) + 1
    key = MessageKey(channel, finding.finding_id, finding.opened_at, finding.notice_number, reminder)
    attempts = sum(delivery.attempts for delivery in current if delivery.key == key)
    return Due(key, finding, "reminder" if reminder else finding.notice, attempts)


def _concerns(finding: Finding, told: Sequence[Delivery]) -> bool:
    """Whether a channel should hear that the finding is resolved: it heard, or should have heard, that it is open."""
    reached = [delivery for delivery in told if delivery.delivered_at is not None]
    newest = max(reached, key=lambda delivery: (delivery.last_attempt_at, delivery.key.notice_number), default=None)
    was_tried = any(delivery.key.opened_at == finding.opened_at for delivery in told)
    return was_tried or (newest is not None and newest.notice != "resolved")


def moot(findings: Iterable[Finding], deliveries: Iterable[Delivery]) -> list[MessageKey]:
    """Messages that no channel took and that are not sent any more: their finding opened anew, or is not kept."""
    current = {(finding.finding_id, finding.opened_at) for finding in findings}
    return [
        delivery.key
        for delivery in deliveries
        if delivery.delivered_at is None and (delivery.key.finding_id, delivery.key.opened_at) not in current
    ]


def _urgency(due: Due) -> tuple[bool, int, bool, bool, Decimal, str]:
    value = due.finding.value or Decimal(0)
    is_error = due.finding.severity == "ERROR"
    return due.attempts > 0, due.attempts, due.notice == "resolved", not is_error, -value, due.key.finding_id


def is_held(finding: Finding, quiet: QuietHours | None, now: dt.datetime) -> bool:
    """Whether a message about the finding waits for the end of the quiet hours."""
    if quiet is None or (quiet.errors_pass and finding.is_open and finding.severity == "ERROR"):
        return False
    time = now.replace(tzinfo=dt.UTC).astimezone(ZoneInfo(quiet.time_zone)).time()
    if quiet.start < quiet.end:
        return quiet.start <= time < quiet.end
    return time >= quiet.start or time < quiet.end


def with_digest(due: Sequence[Due], limit: int) -> tuple[Sequence[Due], Sequence[Due]]:
    """Those with a message of their own, and those that one more message counts; one left over has its own."""
    return (due, ()) if len(due) <= limit + 1 else (due[:limit], due[limit:])


def run_finding(runs: Iterable[RunEnd]) -> Finding | None:
    """The finding that runs fail, from runs in the order in which they ended; None when none ever failed.

    A run that failed publishes no findings, so this one comes from Dagster's records. Each further failure is told.
    """
    finding: Finding | None = None
    for run in runs:
        if not run.succeeded:
            finding = _failed(run, finding)
        elif finding is not None and finding.is_open:
            finding = dataclasses.replace(
                finding,
                resolved_at=run.ended_at,
                summary=f"Run {run.run_id} succeeded.",
                notice="resolved",
                notice_number=finding.notice_number + 1,
            )
    return finding


def _failed(run: RunEnd, before: Finding | None) -> Finding:
    is_another = before is not None and before.is_open
    in_a_row = before.value + 1 if before is not None and is_another and before.value else Decimal(1)
    opened_at = before.opened_at if before is not None and is_another else run.ended_at
    return Finding(
        finding_id=finding_id(RUNS_SUCCEED, "ops.runs", "{}"),
        check_name=RUNS_SUCCEED,
        asset="ops.runs",
        subject="{}",
        severity="ERROR",
        summary=f"A run failed: {run.reason}",
        description="Nothing new is published while runs fail; what was published before is unchanged.",
        value=in_a_row,
        threshold=None,
        unit="failed runs in a row",
        worst_value=in_a_row,
        evidence=as_json({"run_id": run.run_id, "job": run.job}),
        first_seen_at=before.first_seen_at if before is not None else run.ended_at,
        opened_at=opened_at,
        last_seen_at=run.ended_at,
        resolved_at=None,
        notice="worse" if is_another else "open",
        notice_number=before.notice_number + 1 if before is not None else 1,
        notice_severity="ERROR",
        notice_value=in_a_row,
    )


def by_notice(due: Iterable[Due]) -> Mapping[DueNotice, int]:
    """How many messages of each kind."""
    counts: dict[DueNotice, int] = {}
    for message in due:
        counts[message.notice] = counts.get(message.notice, 0) + 1
    return counts
