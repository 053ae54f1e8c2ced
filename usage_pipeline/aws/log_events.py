"""Invocation logs in CloudWatch Logs, for Regions whose logs do not go to S3: one hour of a log group is one object.

Here: which hours a day has, and reading one into a file of lines. Not here: many hours at once (`log_fetching.py`),
what is in them (`usage_pipeline/invocation_logs/`).
"""

import threading
from dataclasses import replace
from datetime import UTC, date, datetime, time, timedelta
from pathlib import Path

from isal import igzip

from usage_pipeline.aws.bucket_objects import LogObject
from usage_pipeline.aws.errors import understanding
from usage_pipeline.aws.scopes import Scope
from usage_pipeline.aws.sessions import AccountSession

LOG_STREAM = "aws/bedrock/modelinvocations"
"""The log stream of every configured group (reference/aws.md 2.3, November 2026)."""

SETTLED_AFTER = timedelta(days=3)
"""An hour that was read so long after its end is not read again; records may come this late."""

HOURS_AT_ONCE = 4
"""Hours of one log group that are read at the same time; AWS allows 5 to 25 requests a second, by Region."""

_HOUR = timedelta(hours=1)


class LogGroup:
    """The logs of one scope in a CloudWatch Logs group, as known at one moment."""

    def __init__(self, session: AccountSession, scope: Scope, log_group: str, now: datetime) -> None:
        """`now` is UTC without a zone."""
        self._client = session.client("logs", scope.region)
        self._log_group = log_group
        self._now = now
        self._turns = threading.Semaphore(HOURS_AT_ONCE)

    def list_day(self, day: date) -> list[LogObject]:
        """The hours of the UTC day that have begun. Makes no call.

        AWS has no ETag for an hour: it is `settled` once no more records are awaited, before that the moment of the
        reading, so that each run reads it again.
        """
        midnight = datetime.combine(day, time())
        starts = [midnight + number * _HOUR for number in range(24)]
        return [
            LogObject(self._log_group, f"{_iso(start)}/{_iso(start + _HOUR)}", self._state(start), 0, day)
            for start in starts
            if start < self._now
        ]

    def fetch(self, log: LogObject, path: Path) -> LogObject:
        """Make the file hold the events of one hour, gzipped, one a line, written page by page.

        Raises:
            ClientError, BotoCoreError, ReadingError: the log group cannot be read; the file is not whole.
        """
        start, end = (datetime.fromisoformat(moment) for moment in log.key.split("/"))
        pages = self._client.get_paginator("filter_log_events").paginate(
            logGroupName=self._log_group,
            logStreamNamePrefix=LOG_STREAM,
            startTime=_epoch_ms(start),
            # Inclusive, as AWS has it.
            endTime=_epoch_ms(end) - 1,
        )
        size = 0
        with self._turns, igzip.open(path, "wb", compresslevel=1) as file, understanding("FilterLogEvents"):
            for page in pages:
                for event in page.get("events", ()):
                    # A line break inside JSON is white space: in a text it is written as an escape.
                    line = event["message"].replace("\n", " ").encode("utf-8", "surrogatepass") + b"\n"
                    size += file.write(line)
        return replace(log, size_bytes=size)

    def _state(self, start: datetime) -> str:
        return "settled" if self._now >= start + _HOUR + SETTLED_AFTER else f"as of {_iso(self._now)}"


def _iso(moment: datetime) -> str:
    return f"{moment:%Y-%m-%dT%H:%M:%SZ}"


def _epoch_ms(moment: datetime) -> int:
    return int(moment.astimezone(UTC).timestamp() * 1000)
