"""Telling people what is due: read the published findings, send, and note each delivery once it was taken.

At least once: a delivery is noted after the channel took it, in the same SQLite transaction in which it was found due.
Not twice: a second dispatcher waits for that transaction and then sees the note. A channel that fails three times is
left alone until the next look, so that one dead service does not keep the others waiting.

Here: the order of things. Not here: what is due (`due.py`), wording (`messages.py`), services (`channels.py`).
"""

import datetime as dt
import os
import time
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field

from usage_pipeline.alerts.channels import Channel, DeliveryError, open_channel
from usage_pipeline.alerts.deliveries import DeliveryLog, open_delivery_log
from usage_pipeline.alerts.due import Due, due_messages, moot, run_finding, with_digest
from usage_pipeline.alerts.findings import Finding
from usage_pipeline.alerts.messages import Consumer, Message, digest_message, finding_message
from usage_pipeline.alerts.stored import read_consumers, read_findings
from usage_pipeline.config import Settings
from usage_pipeline.config_alerts import ChannelSettings

MOST_FAILURES = 3
"""Failed messages of one channel after which it is left alone until the next look."""

SENSOR_SECONDS = 40
"""Time for sending in one tick: Dagster ends a tick after 60 seconds. What is left is sent in the next."""


@dataclass
class Outcome:
    """What came of one look. `said` are titles of a dry run; `errors` name channel and reason, never an address."""

    delivered: int = 0
    errors: list[str] = field(default_factory=list[str])
    said: list[str] = field(default_factory=list[str])

    @property
    def text(self) -> str:
        """One line for a log."""
        parts = [f"messages delivered: {self.delivered}"] if self.delivered else []
        parts += [f"messages only said (dry run): {len(self.said)}"] if self.said else []
        return "; ".join([*parts, *self.errors])


class _DryRun:
    """Says a message in place of sending it."""

    def __init__(self, name: str, said: list[str]) -> None:
        self._name = name
        self._said = said

    def send(self, message: Message) -> None:
        self._said.append(f"{self._name}: {message.title}")


def dispatch(
    settings: Settings,
    now: dt.datetime,
    *,
    environment: Mapping[str, str] = os.environ,
    seconds: float | None = None,
    clock: Callable[[], float] = time.monotonic,
) -> Outcome:
    """Send everything that is due at `now` (UTC), for at most about `seconds`."""
    outcome = Outcome()
    if not settings.alerts.channels:
        return outcome
    deadline = None if seconds is None else clock() + seconds
    with open_delivery_log(settings.alerts_file) as log:
        failed_runs = run_finding(log.runs())
        findings = [*read_findings(settings.published_file), *([failed_runs] if failed_runs else [])]
        deliveries = log.deliveries()
        log.forget(moot(findings, deliveries))
        due = due_messages(findings, deliveries, settings.alerts, now)
        consumers = read_consumers(
            settings.published_file, [message.finding for some in due.values() for message in some]
        )
        for channel in settings.alerts.channels:
            if messages := due.get(channel.name):
                sender = _Sender(log, settings, channel, now, consumers, environment, outcome)
                sender.send_all(messages, lambda: deadline is not None and clock() >= deadline)
    return outcome


class _Sender:
    """One channel in one look."""

    def __init__(
        self,
        log: DeliveryLog,
        settings: Settings,
        channel: ChannelSettings,
        now: dt.datetime,
        consumers: Mapping[str, Sequence[Consumer]],
        environment: Mapping[str, str],
        outcome: Outcome,
    ) -> None:
        self._log = log
        self._alerts = settings.alerts
        self._name = channel.name
        self._now = now
        self._consumers = consumers
        self._open: Callable[[], Channel] = lambda: (
            _DryRun(channel.name, outcome.said) if settings.alerts.dry_run else open_channel(channel, environment)
        )
        self._channel: Channel | None = None
        self._outcome = outcome

    def send_all(self, due: Sequence[Due], is_over: Callable[[], bool]) -> None:
        single, rest = with_digest(due, self._alerts.digest_limit)
        failures = 0
        for messages in [*([message] for message in single), *([rest] if rest else [])]:
            if failures >= MOST_FAILURES or is_over():
                return
            if (error := self._send(messages)) is not None:
                failures += 1
                if failures == 1:
                    self._outcome.errors.append(f"{self._name}: {error}")

    def _send(self, due: Sequence[Due]) -> str | None:
        """Send one message for one or more findings and note it; returns why it failed."""
        with self._log.alone():
            left = [message for message in due if not self._log.was_delivered(message.key)]
            if not left:
                return None
            error = self._try(left)
            for message in left:
                self._log.note(message.key, message.notice, self._now, error)
        if error is None and not self._alerts.dry_run:
            self._outcome.delivered += 1
        return error

    def _try(self, due: Sequence[Due]) -> str | None:
        try:
            self._channel = self._channel or self._open()
            self._channel.send(self._message(due))
        except DeliveryError as error:
            return str(error)
        return None

    def _message(self, due: Sequence[Due]) -> Message:
        if len(due) > 1:
            return digest_message(due, self._alerts.report_url)
        (message,) = due
        return finding_message(
            message.finding,
            message.notice,
            consumers=self._consumers.get(message.finding.finding_id, ()),
            report_url=self._alerts.report_url,
        )


def open_findings(settings: Settings) -> list[Finding]:
    """Published findings that are open, errors first."""
    found = [finding for finding in read_findings(settings.published_file) if finding.is_open]
    return sorted(found, key=lambda finding: (finding.severity, finding.check_name, finding.subject))
