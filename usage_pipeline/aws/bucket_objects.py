"""Objects of an S3 bucket as an account may read them: what lies where, and getting one of them.

Here: the bucket's Region, listing, one object to a file. Not here: which keys hold logs (`log_objects.py`,
`q_developer_objects.py`), many objects at once (`log_fetching.py`).
"""

import os
from collections.abc import Generator, Iterable
from dataclasses import dataclass, replace
from datetime import date
from functools import cached_property
from pathlib import Path
from typing import TYPE_CHECKING, Any, Protocol

import obstore
from obstore.store import S3Store

from usage_pipeline.aws.object_store import botocore_errors, open_bucket
from usage_pipeline.aws.sessions import AccountSession, count_api_call

if TYPE_CHECKING:
    from obstore import Bytes, GetResult

LARGEST_WHOLE_BYTES = 4_000_000
"""Objects up to this size are taken in one piece; larger ones are streamed."""

_STREAMED_BYTES = 1_000_000


@dataclass(frozen=True)
class LogObject:
    """One object with logs, or one hour of a CloudWatch Logs group; `etag` changes with its content."""

    bucket: str
    key: str
    etag: str
    size_bytes: int
    folder_date: date


@dataclass(frozen=True)
class ListedObject:
    """What a list says of one object."""

    key: str
    etag: str
    size_bytes: int


class ObjectSource(Protocol):
    """Where objects are to be had. Safe to use from many threads."""

    def fetch(self, log: LogObject, path: Path) -> LogObject:
        """Make the file hold the content; returns the object with the ETag and size that were really read."""
        ...


class Bucket:
    """One bucket, which may be in another Region than the one that is asked first. Safe to use from many threads."""

    def __init__(self, session: AccountSession, name: str, region: str) -> None:
        self.name = name
        self._session = session
        self._first_region = region
        self._region = region

    def subfolders(self, folder: str) -> Generator[str]:
        """The folders in a folder, asked of boto3, which follows a bucket to its Region.

        Raises:
            ClientError, BotoCoreError: the bucket cannot be listed.
        """
        for page in self._pages(Prefix=folder, Delimiter="/"):
            for entry in page.get("CommonPrefixes", ()):
                yield entry.get("Prefix", "")

    def objects_after(self, folder: str, after: str) -> Generator[ListedObject]:
        """The objects below a folder whose keys come after `after`, by key; asks for no more than is taken.

        Raises:
            ClientError, BotoCoreError: the bucket cannot be listed.
        """
        for page in self._pages(Prefix=folder, StartAfter=after):
            yield from map(_listed, page.get("Contents", ()))

    def objects_in(self, folder: str) -> list[ListedObject]:
        """What lies in the folder itself. Its requests are not counted, so that many threads can ask.

        Raises:
            ClientError, BotoCoreError, ReadingError: the bucket cannot be listed.
        """
        if _is_untidy(folder):
            client = self._session.client("s3", self._region)
            pages = client.get_paginator("list_objects_v2").paginate(Bucket=self.name, Prefix=folder, Delimiter="/")
            return [_listed(entry) for page in pages for entry in page.get("Contents", ())]
        with botocore_errors("ListObjectsV2"):
            found = obstore.list_with_delimiter(self._store, folder)["objects"]
        return [ListedObject(entry["path"], (entry["e_tag"] or "").strip('"'), entry["size"]) for entry in found]

    def fetch(self, log: LogObject, path: Path) -> LogObject:
        """Make the file hold one object.

        Raises:
            ClientError, BotoCoreError, ReadingError: the object cannot be read; the file holds anything.
        """
        if _is_untidy(log.key):
            answer = self._session.client("s3", self._region).get_object(Bucket=self.name, Key=log.key)
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
        return open_bucket(self._session, self.name, self._region)

    def _pages(self, **asked: str) -> Generator[Any]:
        client: Any = self._session.client("s3", self._first_region)
        for page in client.get_paginator("list_objects_v2").paginate(Bucket=self.name, **asked):
            headers = page["ResponseMetadata"]["HTTPHeaders"]
            self._region = headers.get("x-amz-bucket-region", self._region)
            yield page


def roots_of(key_prefix: str) -> list[str]:
    """What may come before AWSLogs in the keys, the likeliest first.

    With the prefix `logs/` AWS may write logs/AWSLogs or, as some of its services do, logs//AWSLogs.
    """
    plain = key_prefix.strip("/")
    tidy = f"{plain}/" if plain else ""
    as_given = [key_prefix if key_prefix.endswith("/") else f"{key_prefix}/", f"{key_prefix}/"] if key_prefix else []
    return list(dict.fromkeys((tidy, *as_given)))


def _listed(entry: Any) -> ListedObject:
    return ListedObject(entry.get("Key", ""), entry.get("ETag", "").strip('"'), entry.get("Size", 0))


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


def _is_untidy(key: str) -> bool:
    """Whether a key has an empty part, which obstore refuses and boto3 takes."""
    return key.startswith("/") or "//" in key
