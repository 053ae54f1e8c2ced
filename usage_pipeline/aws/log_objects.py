"""Invocation logs in S3: which objects the hour folders of a UTC day hold.

Here: the layout of the keys (reference/aws.md 2.2, November 2026). Not here: listing and getting (`bucket_objects.py`),
many objects at once (`log_fetching.py`), what is in them (`usage_pipeline/invocation_logs/`).
"""

import re
from collections.abc import Sequence
from concurrent.futures import ThreadPoolExecutor
from datetime import date
from pathlib import Path
from typing import Protocol

from usage_pipeline.aws.bucket_objects import Bucket, LogObject, ObjectSource, roots_of
from usage_pipeline.aws.scopes import Scope
from usage_pipeline.aws.sessions import AccountSession, count_api_call

LOG_NAME = re.compile(r"\d{8}T\d{6,9}Z_[0-9a-f]+\.json(?:\.gz)?")
"""Name of a log object in its hour folder; `data/` beside it has large bodies, which are never read."""

_HOUR_FOLDER = re.compile(r"/\d\d/$")
_LISTING_THREADS = 8
_PAGE_KEYS = 1000


class LogSource(ObjectSource, Protocol):
    """Where one scope's logs lie. Safe to use from many threads."""

    def list_day(self, day: date) -> Sequence[LogObject]:
        """What the UTC day has, by key."""
        ...


class LogBucket:
    """The logs of one scope in an S3 bucket. The bucket may be in another Region than the scope."""

    def __init__(self, session: AccountSession, scope: Scope, bucket: str, key_prefix: str) -> None:
        self._bucket = Bucket(session, bucket, scope.region)
        self._folders = log_folders(scope, key_prefix)

    def list_day(self, day: date) -> list[LogObject]:
        """Log objects in the day's 24 hour folders, by key; neither large bodies nor the permission check.

        Raises:
            ClientError, BotoCoreError, ReadingError: the bucket cannot be listed.
        """
        hours = [
            hour
            for folder in self._folders
            for hour in self._bucket.subfolders(f"{folder}{day:%Y/%m/%d}/")
            if _HOUR_FOLDER.search(hour)
        ]
        with ThreadPoolExecutor(max_workers=_LISTING_THREADS, thread_name_prefix="hours") as pool:
            listed = list(pool.map(self._bucket.objects_in, hours))
        for folder in listed:
            for _ in range(0, max(len(folder), 1), _PAGE_KEYS):
                count_api_call()
        found = [
            LogObject(self._bucket.name, entry.key, entry.etag, entry.size_bytes, day)
            for hour, folder in zip(hours, listed, strict=True)
            for entry in folder
            if LOG_NAME.fullmatch(entry.key[len(hour) :])
        ]
        return sorted(found, key=lambda log: log.key)

    def fetch(self, log: LogObject, path: Path) -> LogObject:
        """Make the file hold one object.

        Raises:
            ClientError, BotoCoreError, ReadingError: the object cannot be read; the file holds anything.
        """
        return self._bucket.fetch(log, path)


def log_folders(scope: Scope, key_prefix: str) -> list[str]:
    """The folders that may hold a scope's logs, the likeliest first."""
    path = f"AWSLogs/{scope.account_id}/BedrockModelInvocationLogs/{scope.region}/"
    return [f"{root}{path}" for root in roots_of(key_prefix)]
