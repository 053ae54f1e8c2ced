"""The log groups of the invocation logs: which events they hold, and pages of them, made when they are asked for.

Here: FilterLogEvents' rules for one request. Not here: records (`log_records.py`), the protocol (`responses_logs.py`).
An event has the time of its request; a late record comes later, at its ingestion time.
"""

import json
from base64 import urlsafe_b64decode, urlsafe_b64encode
from binascii import Error as BadBase64
from dataclasses import dataclass
from typing import Any
from zlib import crc32

import numpy as np

from usage_pipeline.sandbox.log_destinations import DESTINATIONS, LOG_STREAM, Scope
from usage_pipeline.sandbox.log_plan import LogPlan, deliveries_of
from usage_pipeline.sandbox.log_records import RecordWriter
from usage_pipeline.sandbox.refusals import RefusedRequestError
from usage_pipeline.sandbox.traffic import Requests

MOST_EVENTS = 10_000
MOST_PAGE_BYTES = 1_048_576
SEARCHED_MS = 3_600_000
"""One call searches at most so much of the log, so a page can be empty and still have a next one, as in AWS."""

_AT_ONCE = 256


@dataclass(frozen=True)
class EventSearch:
    """One FilterLogEvents request; `start_ms` and `end_ms` since 1970, both inclusive, as AWS has it."""

    log_group: str
    start_ms: int
    end_ms: int
    limit: int
    token: str | None

    @property
    def fingerprint(self) -> int:
        """Tells whether a token belongs to this request."""
        return crc32(repr((self.log_group, self.start_ms, self.end_ms)).encode())


@dataclass(frozen=True)
class EventPage:
    """One answer in the form of CloudWatch Logs; `next_token` is None on the last page."""

    events: list[dict[str, Any]]
    next_token: str | None


class LogGroup:
    """The events of one scope's log group, in the order of their times."""

    def __init__(self, name: str, scope: Scope, requests: Requests, plan: LogPlan, writer: RecordWriter) -> None:
        self.name = name
        self.scope = scope
        self._writer = writer
        deliveries = deliveries_of(plan, requests, scope)
        times = requests.ts[deliveries.row]
        order = np.argsort(times, kind="stable")
        self._row, self._ts, self._ingested = deliveries.row[order], times[order], deliveries.at_ms[order]

    def search(self, search: EventSearch) -> EventPage:
        """One page of events.

        Raises:
            RefusedRequestError: the token is none of this request's.
        """
        place, since = self._position(search)
        until = min(since + SEARCHED_MS, search.end_ms + 1)
        end = int(np.searchsorted(self._ts, until))
        events: list[dict[str, Any]] = []
        size = 0
        while place < end:
            for event in self._events(place, min(place + _AT_ONCE, end)):
                size += len(event["message"].encode("utf-8", "surrogatepass"))
                if len(events) == search.limit or (events and size > MOST_PAGE_BYTES):
                    return EventPage(events, _token(search, place, since))
                events.append(event)
                place += 1
        # Nothing is written after the last event, so nothing is left to search there.
        is_last = until > search.end_ms or end == len(self._ts)
        return EventPage(events, None if is_last else _token(search, end, until))

    def _events(self, begin: int, end: int) -> list[dict[str, Any]]:
        part = slice(begin, end)
        return [
            {
                "logStreamName": LOG_STREAM,
                "timestamp": ts,
                "message": line,
                "ingestionTime": ingested,
                "eventId": f"{ts:020d}{ingested:018d}{row:018d}",
            }
            for ts, ingested, row, line in zip(
                self._ts[part].tolist(),
                self._ingested[part].tolist(),
                self._row[part].tolist(),
                self._writer.lines(self._row[part]),
                strict=True,
            )
        ]

    def _position(self, search: EventSearch) -> tuple[int, int]:
        if search.token is None:
            first = int(self._ts[0]) if len(self._ts) else search.start_ms
            return int(np.searchsorted(self._ts, search.start_ms)), max(search.start_ms, first)
        try:
            fingerprint, place, since = json.loads(urlsafe_b64decode(search.token))
        except (BadBase64, ValueError) as error:
            raise _wrong_token() from error
        if fingerprint != search.fingerprint:
            raise _wrong_token()
        return int(place), int(since)


def _token(search: EventSearch, place: int, since: int) -> str:
    return urlsafe_b64encode(json.dumps([search.fingerprint, place, since]).encode()).decode()


def _wrong_token() -> RefusedRequestError:
    return RefusedRequestError("InvalidParameterException", "The specified nextToken is invalid.")


def log_groups(requests: Requests, plan: LogPlan, writer: RecordWriter) -> dict[Scope, LogGroup]:
    """The log group of each scope that has one."""
    return {
        scope: LogGroup(destination.log_group, scope, requests, plan, writer)
        for scope, destination in DESTINATIONS.items()
        if destination.log_group
    }
