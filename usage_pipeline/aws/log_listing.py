"""What one scope's invocation logs have for the days of a run: each day's places, and the objects in them.

Here: which place holds which day, listing, and what could not be listed. Not here: listing one place
(`log_objects.py`, `log_events.py`), getting the objects (`log_fetching.py`).
"""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from datetime import date, datetime

from usage_pipeline.aws.bucket_objects import LogObject, ObjectSource
from usage_pipeline.aws.errors import AWS_ERRORS, Shortfall, cut, shortfall_of
from usage_pipeline.aws.invocation_logging import LogDelivery, read_log_delivery
from usage_pipeline.aws.log_events import LogGroup
from usage_pipeline.aws.log_objects import LogBucket, LogSource
from usage_pipeline.aws.scopes import Scope
from usage_pipeline.aws.sessions import AccountSession

OFF_IN_AWS = "Model invocation logging is off in this account and Region; turn it on in Bedrock's settings."
OFF_IN_CONFIGURATION = "The configuration has `logs: off` for this account and Region."


@dataclass(frozen=True)
class KnownDelivery:
    """Where logs went for some time, and the first and last day on which AWS or the configuration said so."""

    delivery: LogDelivery
    first_seen: date
    last_seen: date


@dataclass(frozen=True)
class ListedLog:
    """One object and where it is to be had."""

    source: ObjectSource
    log: LogObject


@dataclass(frozen=True)
class LogListing:
    """The objects of one scope's days. `unread` days lack objects; `off` days have no place, and why."""

    logs: tuple[ListedLog, ...]
    unread: Mapping[date, Shortfall]
    off: Mapping[date, str]

    def __len__(self) -> int:
        return len(self.logs)

    @property
    def shortfall(self) -> Shortfall | None:
        """Why the first of the unread days lacks objects."""
        return next(iter(self.unread.values()), None)


def list_logs(
    session: AccountSession, scope: Scope, known: Sequence[KnownDelivery], days: Sequence[date], now: datetime
) -> LogListing:
    """List the days' objects. Where no place is known yet, Bedrock is asked for it.

    `known` is in order of time. A place that fails is not asked again in the same run.

    Raises:
        ClientError, BotoCoreError, ReadingError: no place is known, and Bedrock does not tell.
    """
    if not known:
        client = session.client("bedrock", scope.region)
        (delivery,) = read_log_delivery(client, session.account.log_place(scope.region)).rows
        known = [KnownDelivery(delivery, now.date(), now.date())]
    sources: dict[LogDelivery, LogSource] = {}
    failed: dict[LogDelivery, Shortfall] = {}
    logs: list[ListedLog] = []
    unread: dict[date, Shortfall] = {}
    off: dict[date, str] = {}
    for day in days:
        deliveries = deliveries_of_day(known, day)
        # The same place is listed once, whoever named it.
        places = dict.fromkeys(
            replace(place, text_is_delivered=None, source="aws") for place in deliveries if place.is_on
        )
        if not places:
            off[day] = OFF_IN_CONFIGURATION if deliveries[-1].source == "configuration" else OFF_IN_AWS
        for place in places:
            try:
                if place not in failed:
                    source = sources.setdefault(place, _source(session, scope, place, now))
                    logs += [ListedLog(source, log) for log in source.list_day(day)]
            except AWS_ERRORS as error:
                failed[place] = _with_place(place, shortfall_of(error))
            if place in failed:
                unread[day] = failed[place]
    return LogListing(tuple(logs), unread, off)


def deliveries_of_day(known: Sequence[KnownDelivery], day: date) -> list[LogDelivery]:
    """The places that may hold logs of a day, the newest last; at least one.

    `known` is in order of time. A place held the logs from the day on which another was last seen before it to the day
    on which another was first seen after it. The newest one alone counts when the configuration names it.
    """
    newest = known[-1].delivery
    if newest.source == "configuration":
        return [newest]
    starts = [date.min, *(entry.last_seen for entry in known[:-1])]
    ends = [*(entry.first_seen for entry in known[1:]), date.max]
    held = [entry.delivery for entry, start, end in zip(known, starts, ends, strict=True) if start <= day <= end]
    return list(dict.fromkeys(held))


def _source(session: AccountSession, scope: Scope, place: LogDelivery, now: datetime) -> LogSource:
    if place.bucket is not None:
        return LogBucket(session, scope, place.bucket, place.key_prefix or "")
    return LogGroup(session, scope, place.log_group or "", now)


def _with_place(place: LogDelivery, shortfall: Shortfall) -> Shortfall:
    name = f"s3://{place.bucket}/{place.key_prefix}" if place.bucket is not None else f"log group {place.log_group}"
    return Shortfall(shortfall.status, cut(f"{name}: {shortfall.text}"))
