"""The buckets of logs: which objects they hold, made when they are asked for.

Here: keys, listing, content, size and ETag. Not here: records (`log_records.py`), objects of Amazon Q Developer
(`q_developer_files.py`), S3's protocol (`responses_s3.py`).
Key layout: user guide of Bedrock, model invocation logging; hour folders go by the time of delivery.
"""

from bisect import bisect_left, bisect_right
from collections import OrderedDict
from collections.abc import Callable, Iterable, Iterator
from dataclasses import dataclass, field
from datetime import datetime, timedelta
from hashlib import md5, sha256
from threading import Lock
from typing import Any, Literal

import numpy as np
from isal import igzip

from usage_pipeline.sandbox.log_destinations import DESTINATIONS, LogDestination, Scope
from usage_pipeline.sandbox.log_plan import IN_S3, Deliveries, LogPlan, deliveries_of
from usage_pipeline.sandbox.log_records import RecordWriter, hour_folder, scope_folder
from usage_pipeline.sandbox.options import SandboxOptions
from usage_pipeline.sandbox.organisation import CREATED_AT
from usage_pipeline.sandbox.traffic import Requests, request_ids

BATCH_MS = 30 * 60_000
"""A file holds what is delivered in half an hour, at most MOST_RECORDS; AWS writes more and smaller ones."""
MOST_RECORDS = 2000

MOST_CACHED_BYTES = 64_000_000
"""Made objects are kept up to this size together: a list needs sizes, and fetching follows. 30 days take 40 MB."""

_TWO_MEMBERS_ONE_IN = 16
_CUT_AT = 0.6

Damage = Literal["truncated_log", "malformed_log_line"]
DAMAGES: dict[Damage, timedelta] = {
    "truncated_log": timedelta(hours=-15),
    "malformed_log_line": timedelta(hours=-13),
}
"""Faults of log objects: each damages DAMAGED_SCOPE's first batch after this time, counted from the midnight before
`end`; the malformed line is the middle one. Each damages a prompt log of Amazon Q Developer as well."""
DAMAGED_SCOPE: Scope = ("111122223333", "us-east-1")


@dataclass(frozen=True)
class LogObject:
    """One object. `rows` are the requests in it; `part` says which body it is: input, output, or none of both.

    An object of another service says with `make` what it holds; its argument is whether a record is malformed.
    """

    key: str
    modified_ms: int
    rows: Any = ()
    part: str = ""
    make: Callable[[bool], bytes] | None = None


@dataclass(frozen=True)
class ObjectIdentity:
    """Size in bytes, and S3's ETag: the MD5 of the content in hexadecimal."""

    size: int
    etag: str


@dataclass
class LogBucket:
    """One bucket of one account and Region: its objects in the order of their keys."""

    name: str
    scope: Scope
    objects: dict[str, LogObject] = field(default_factory=dict[str, LogObject])
    damaged: dict[Damage, str] = field(default_factory=dict[Damage, str])

    def __post_init__(self) -> None:
        self.objects = dict(sorted(self.objects.items()))
        self._keys = list(self.objects)

    def keys_after(self, prefix: str, after: str) -> Iterator[str]:
        """The keys with the prefix that come after a key, in order."""
        first = max(bisect_left(self._keys, prefix), bisect_right(self._keys, after))
        for place in range(first, len(self._keys)):
            if not self._keys[place].startswith(prefix):
                return
            yield self._keys[place]


class LogStore:
    """Every bucket of the organisation's logs. Safe to use from many threads."""

    def __init__(
        self,
        requests: Requests,
        plan: LogPlan,
        writer: RecordWriter,
        options: SandboxOptions,
        others: Iterable[LogBucket] = (),
    ) -> None:
        """`others` are buckets whose objects say themselves what they hold."""
        self._writer = writer
        self._lock = Lock()
        self._identities: dict[tuple[str, str, str], ObjectIdentity] = {}
        self._contents: OrderedDict[tuple[str, str, str], bytes] = OrderedDict()
        self.cached_bytes = 0
        self.buckets = {
            destination.bucket: _bucket(requests, plan, scope, destination, options)
            for scope, destination in DESTINATIONS.items()
            if destination.bucket
        } | {bucket.name: bucket for bucket in others}

    def identity(self, bucket: LogBucket, key: str, faults: Iterable[str] = ()) -> ObjectIdentity:
        """Size and ETag of an object; makes it once."""
        name = (bucket.name, key, _damage(bucket, key, faults))
        if name not in self._identities:
            content = self.content(bucket, key, faults)
            tag = md5(content, usedforsecurity=False).hexdigest()
            self._identities[name] = ObjectIdentity(len(content), tag)
        return self._identities[name]

    def content(self, bucket: LogBucket, key: str, faults: Iterable[str] = ()) -> bytes:
        """The bytes of an object; a fault that is on damages the object that it is planned for."""
        damage = _damage(bucket, key, faults)
        name = (bucket.name, key, damage)
        with self._lock:
            if name in self._contents:
                self._contents.move_to_end(name)
                return self._contents[name]
        content = self._make(bucket.objects[key], damage)
        with self._lock:
            if name not in self._contents:
                self._contents[name] = content
                self.cached_bytes += len(content)
            while self.cached_bytes > MOST_CACHED_BYTES:
                self.cached_bytes -= len(self._contents.popitem(last=False)[1])
        return content

    def _make(self, made: LogObject, damage: str) -> bytes:
        if made.make is not None:
            return _cut_off(made.make(damage == "malformed_log_line"), damage)
        if not len(made.rows):
            return b""
        if made.part:
            return _compressed(self._writer.body_in_s3(int(made.rows[0]), made.part))
        lines = self._writer.lines(made.rows)
        if damage == "malformed_log_line":
            middle = len(lines) // 2
            lines[middle] = lines[middle][: len(lines[middle]) // 2]
        half = len(lines) // 2 if int(made.key[-9], 16) % _TWO_MEMBERS_ONE_IN == 0 else 0
        members = [lines[:half], lines[half:]] if half else [lines]
        content = b"".join(_compressed("\n".join(member) + "\n") for member in members)
        return _cut_off(content, damage)


def _cut_off(content: bytes, damage: str) -> bytes:
    return content[: int(len(content) * _CUT_AT)] if damage == "truncated_log" else content


def _compressed(text: str) -> bytes:
    return igzip.compress(text.encode(), 1, mtime=0)


def _damage(bucket: LogBucket, key: str, faults: Iterable[str]) -> str:
    return next((fault for fault, damaged in bucket.damaged.items() if damaged == key and fault in faults), "")


def _bucket(
    requests: Requests, plan: LogPlan, scope: Scope, destination: LogDestination, options: SandboxOptions
) -> LogBucket:
    deliveries = deliveries_of(plan, requests, scope)
    batches = list(_batches(deliveries, scope, destination, options.seed))
    first = f"{scope_folder(destination, scope)}amazon-bedrock-logs-permission-check"
    check = LogObject(first, int((CREATED_AT - datetime(1970, 1, 1)).total_seconds()) * 1000)  # noqa: DTZ001  (UTC without a zone)
    objects = [check, *batches, *_bodies(requests, plan, deliveries, scope, destination)]
    damaged = _planned_damage(batches, options) if scope == DAMAGED_SCOPE else {}
    return LogBucket(destination.bucket, scope, {made.key: made for made in objects}, damaged)


def _batches(deliveries: Deliveries, scope: Scope, destination: LogDestination, seed: int) -> Iterator[LogObject]:
    """The files of records; a file bears the time of its last record's delivery."""
    slots = deliveries.at_ms // BATCH_MS
    begins = np.flatnonzero(np.r_[True, slots[1:] != slots[:-1]][: len(slots)])
    for begin, end in zip(begins, np.r_[begins[1:], len(slots)], strict=True):
        for start in range(begin, end, MOST_RECORDS):
            stop = min(start + MOST_RECORDS, end)
            written = int(deliveries.at_ms[stop - 1])
            moment = np.datetime_as_string(np.datetime64(written, "ms"))
            stamp = "".join(c for c in str(moment) if c.isalnum())
            unique = sha256(f"{seed}/{scope}/{written}/{start}".encode()).hexdigest()[:16]
            key = f"{hour_folder(destination, scope, written)}{stamp}Z_{unique}.json.gz"
            yield LogObject(key, written, deliveries.row[start:stop])


def _bodies(
    requests: Requests, plan: LogPlan, deliveries: Deliveries, scope: Scope, destination: LogDestination
) -> Iterator[LogObject]:
    """The bodies that lie beside the records, in the hour of their first delivery."""
    for part, places in (("input", plan.input_place), ("output", plan.output_place)):
        rows = np.unique(deliveries.row[(places[deliveries.row] == IN_S3) & (requests.error[deliveries.row] == 0)])
        for row, request_id in zip(rows.tolist(), request_ids(requests.ids[rows]).to_pylist(), strict=True):
            written = int(plan.delivered_ms[row])
            key = f"{hour_folder(destination, scope, written)}data/{request_id}_{part}.json.gz"
            yield LogObject(key, written, np.array([row]), part)


def _planned_damage(batches: list[LogObject], options: SandboxOptions) -> dict[Damage, str]:
    """The key of the batch that each fault damages."""
    midnight = options.end.replace(hour=0, minute=0)
    planned: dict[Damage, str] = {}
    for damage, when in DAMAGES.items():
        moment = int((midnight + when - datetime(1970, 1, 1)).total_seconds()) * 1000  # noqa: DTZ001  (UTC without a zone)
        key = next((batch.key for batch in batches if batch.modified_ms >= moment), None)
        if key:
            planned[damage] = key
    return planned
