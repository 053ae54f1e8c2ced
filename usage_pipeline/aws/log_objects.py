"""Invocation logs in S3: which objects the hour folders of a UTC day hold, and getting one of them.

Here: the layout of the keys (reference/aws.md 2.2, November 2026), listing, one object to a file. Not here: many
objects at once (`log_fetching.py`), what is in them (`usage_pipeline/invocation_logs/`).
"""

import os
import re
from collections.abc import Generator, Iterable, Sequence
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass, replace
from datetime import date
from functools import cached_property
from pathlib import Path
from typing import TYPE_CHECKING, Protocol

import obstore
from obstore.store import S3Store

from usage_pipeline.aws.object_store import botocore_errors, open_bucket
from usage_pipeline.aws.scopes import Scope
from usage_pipeline.aws.sessions import AccountSession, count_api_call

if TYPE_CHECKING:
    from obstore import Bytes, GetResult

LOG_NAME = re.compile(r"\d{8}T\d{6,9}Z_[0-9a-f]+\.json(?:\.gz)?")
"""Name of a log object in its hour folder; `data/` beside it has large bodies, which are never read."""

LARGEST_WHOLE_BYTES = 4_000_000
"""Objects up to this size are taken in one piece; larger ones are streamed."""

_STREAMED_BYTES = 1_000_000
_HOUR_FOLDER = re.compile(r"/\d\d/$")
_LISTING_THREADS = 8
_PAGE_KEYS = 1000


@dataclass(frozen=True)
class LogObject:
    """One object with invocation logs, or one hour of a CloudWatch Logs group; `etag` changes with its content."""

    bucket: str
    key: str
    etag: str
    size_bytes: int
    folder_date: date


class LogSource(Protocol):
    """Where one scope's logs lie. Safe to use from many threads."""

    def list_day(self, day: date) -> Sequence[LogObject]:
        """What the UTC day has, by key."""
        ...

    def fetch(self, log: LogObject, path: Path) -> LogObject:
        """Make the file hold the content; returns the object with the ETag and size that were really read."""
        ...


class LogBucket:
    """The logs of one scope in an S3 bucket. The bucket may be in another Region than the scope."""

    def __init__(self, session: AccountSession, scope: Scope, bucket: str, key_prefix: str) -> None:
        self._session = session
        self._scope = scope
        self._bucket = bucket
        self._folders = log_folders(scope, key_prefix)
        self._region = scope.region

    def list_day(self, day: date) -> list[LogObject]:
        """Log objects in the day's 24 hour folders, by key; neither large bodies nor the permission check.

        Raises:
            ClientError, BotoCoreError, ReadingError: the bucket cannot be listed.
        """
        hours = [hour for folder in self._folders for hour in self._hour_folders(f"{folder}{day:%Y/%m/%d}/")]
        with ThreadPoolExecutor(max_workers=_LISTING_THREADS, thread_name_prefix="hours") as pool:
            listed = list(pool.map(self._list_hour, hours))
        for folder in listed:
            for _ in range(0, max(len(folder), 1), _PAGE_KEYS):
                count_api_call()
        found = [
            LogObject(self._bucket, key, etag.strip('"'), size, day)
            for hour, folder in zip(hours, listed, strict=True)
            for key, etag, size in folder
            if LOG_NAME.fullmatch(key[len(hour) :])
        ]
        return sorted(found, key=lambda log: log.key)

    def fetch(self, log: LogObject, path: Path) -> LogObject:
        """Make the file hold one object.

        Raises:
            ClientError, BotoCoreError, ReadingError: the object cannot be read; the file holds anything.
        """
        if _is_untidy(log.key):
            answer = self._session.client("s3", self._region).get_object(Bucket=self._bucket, Key=log.key)
            _write_pieces(path, answer["Body"].iter_chunks(_STREAMED_BYTES))
            return replace(log, etag=answer["ETag"].strip('"'), size_bytes=answer["ContentLength"])
        count_api_call()
        with botocore_errors("GetObject"):
            result = obstore.get(self._store, log.key)
            meta = result.meta
            content = result.bytes() if meta["size"] <= LARGEST_WHOLE_BYTES else None
        if content is not None:
            _write_whole(path, content)
        else:
            _write_pieces(path, _pieces(result))
        return replace(log, etag=(meta["e_tag"] or log.etag).strip('"'), size_bytes=meta["size"])

    @cached_property
    def _store(self) -> S3Store:
        return open_bucket(self._session, self._bucket, self._region)

    def _hour_folders(self, day_folder: str) -> Generator[str]:
        """The day's folders, asked of boto3, which follows a bucket to its Region."""
        client = self._session.client("s3", self._scope.region)
        pages = client.get_paginator("list_objects_v2").paginate(Bucket=self._bucket, Prefix=day_folder, Delimiter="/")
        for page in pages:
            headers = page["ResponseMetadata"]["HTTPHeaders"]
            self._region = headers.get("x-amz-bucket-region", self._region)
            for folder in page.get("CommonPrefixes", ()):
                if _HOUR_FOLDER.search(name := folder.get("Prefix", "")):
                    yield name

    def _list_hour(self, folder: str) -> list[tuple[str, str, int]]:
        """Key, ETag and size of what lies in the folder itself."""
        if _is_untidy(folder):
            client = self._session.client("s3", self._region)
            pages = client.get_paginator("list_objects_v2").paginate(Bucket=self._bucket, Prefix=folder, Delimiter="/")
            entries = [entry for page in pages for entry in page.get("Contents", ())]
            return [(entry.get("Key", ""), entry.get("ETag", ""), entry.get("Size", 0)) for entry in entries]
        with botocore_errors("ListObjectsV2"):
            listed = obstore.list_with_delimiter(self._store, folder)
        return [(entry["path"], entry["e_tag"] or "", entry["size"]) for entry in listed["objects"]]


def _pieces(result: "GetResult") -> Generator[bytes]:
    with botocore_errors("GetObject"):
        yield from result.stream(min_chunk_size=_STREAMED_BYTES)


def _write_whole(path: Path, content: "Bytes") -> None:
    """Write a small file, over what it held. A Python file object would take longer than getting the content."""
    file = os.open(path, os.O_WRONLY | os.O_CREAT, 0o600)
    try:
        rest = memoryview(content)
        os.ftruncate(file, len(rest))
        while rest:
            rest = rest[os.write(file, rest) :]
    finally:
        os.close(file)


def _write_pieces(path: Path, pieces: Iterable[bytes]) -> None:
    with path.open("wb") as file:
        for piece in pieces:
            file.write(piece)


def log_folders(scope: Scope, key_prefix: str) -> list[str]:
    """The folders that may hold a scope's logs, the likeliest first.

    With the prefix `logs/` AWS may write logs/AWSLogs or, as some of its services do, logs//AWSLogs.
    """
    plain = key_prefix.strip("/")
    tidy = f"{plain}/" if plain else ""
    as_given = [key_prefix if key_prefix.endswith("/") else f"{key_prefix}/", f"{key_prefix}/"] if key_prefix else []
    path = f"AWSLogs/{scope.account_id}/BedrockModelInvocationLogs/{scope.region}/"
    return [f"{root}{path}" for root in dict.fromkeys((tidy, *as_given))]


def _is_untidy(key: str) -> bool:
    """Whether a key has an empty part, which obstore refuses and boto3 takes."""
    return key.startswith("/") or "//" in key
