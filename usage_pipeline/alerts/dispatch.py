"""Telling people what is due: read the published findings, send, and note each delivery once it was taken.

At least once: a delivery is noted after the channel took it, in the same SQLite transaction in which it was found due.
Not twice: a second dispatcher waits for that transaction and then sees the note. A channel that fails three times is
left alone until the next look, so that one dead service does not keep the others waiting.

Here: the order of things. Not here: what is due (`due.py`), wording (`messages.py`), services (`channels.py`).
"""

import datetime as dt
import math
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


@dataclass(frozen=True)
class _Look:
    """What all channels share in one look."""

    log: DeliveryLog
    settings: Settings
    now: dt.datetime
    environment: Mapping[str, str]
    consumers: Mapping[str, Sequence[Consumer]]
    outcome: Outcome

    def open(self, channel: ChannelSettings) -> Channel:
        """The channel; in a dry run something that only says."""
        if self.settings.alerts.dry_run:
            return _DryRun(channel.name, self.outcome.said)
        return open_channel(channel, self.environment)

    def message(self, due: Sequence[Due]) -> Message:
        """The message about one finding, or the one that counts several."""
        report_url = self.settings.alerts.report_url
        if len(due) > 1:
            return digest_message(due, report_url)
        (single,) = due
        consumers = self.consumers.get(single.finding.finding_id, ())
        return finding_message(single.finding, single.notice, consumers=consumers, report_url=report_url)


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
    deadline = math.inf if seconds is None else clock() + seconds
    with open_delivery_log(settings.alerts_file) as log:
        failed_runs = run_finding(log.runs())
        findings = [*read_findings(settings.published_file), *([failed_runs] if failed_runs else [])]
        deliveries = log.deliveries()
        log.forget(moot(findings, deliveries))
        due = due_messages(findings, deliveries, settings.alerts, now)
        told = [message.finding for messages in due.values() for message in messages]
        consumers = read_consumers(settings.published_file, told)
        look = _Look(log, settings, now, environment, consumers, outcome)
        for channel in settings.alerts.channels:
            _send_all(look, channel, due.get(channel.name, []), lambda: clock() >= deadline)
    return outcome


def _send_all(look: _Look, channel: ChannelSettings, due: Sequence[Due], is_over: Callable[[], bool]) -> None:
    """Send one channel what is due to it, until it is over or the channel failed too often."""
    single, rest = with_digest(due, look.settings.alerts.digest_limit)
    sender = _Sender(look, channel)
    failures = 0
    for messages in [*([message] for message in single), *([rest] if rest else [])]:
        if failures >= MOST_FAILURES or is_over():
            return
        if (error := sender.send(messages)) is not None:
            failures += 1
            if failures == 1:
                look.outcome.errors.append(f"{channel.name}: {error}")


class _Sender:
    """One channel in one look, opened for its first message."""

    def __init__(self, look: _Look, channel: ChannelSettings) -> None:
        self._look = look
        self._settings = channel
        self._channel: Channel | None = None

    def send(self, due: Sequence[Due]) -> str | None:
        """Send one message for one or more findings and note it; returns why it failed."""
        log = self._look.log
        with log.alone():
            left = [message for message in due if not log.was_delivered(message.key)]
            if not left:
                return None
            error = self._try(self._look.message(left))
            for message in left:
                log.note(message.key, message.notice, self._look.now, error)
        if error is None and not self._look.settings.alerts.dry_run:
            self._look.outcome.delivered += 1
        return error

    def _try(self, message: Message) -> str | None:
        try:
            self._channel = self._channel or self._look.open(self._settings)
            self._channel.send(message)
        except DeliveryError as error:
            return str(error)
        return None


def open_findings(settings: Settings) -> list[Finding]:
    """Published findings that are open, errors first."""
    found = [finding for finding in read_findings(settings.published_file) if finding.is_open]
    return sorted(found, key=lambda finding: (finding.severity, finding.check_name, finding.subject))
