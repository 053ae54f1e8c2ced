"""What an account's place of prompt logs or activity reports of Amazon Q Developer and Kiro has for some days.

Here: finding the Regions and listing the days' objects. Not here: the layout of the keys
(`q_developer/object_keys.py`), getting the objects (`log_fetching.py`), what is in them (`q_developer/`).
"""

import datetime as dt
from collections.abc import Iterator, Sequence
from dataclasses import dataclass

from usage_pipeline.aws.bucket_objects import Bucket, LogObject, roots_of
from usage_pipeline.aws.errors import AWS_ERRORS, Shortfall, cut, shortfall_of
from usage_pipeline.aws.log_listing import ListedLog
from usage_pipeline.aws.scopes import Scope
from usage_pipeline.aws.sessions import AccountSession
from usage_pipeline.config_q_developer import BucketPlaceSettings
from usage_pipeline.q_developer.object_keys import Content, ObjectKey, log_type_prefixes, recognise


@dataclass(frozen=True)
class PlaceListing:
    """The objects of the days' folders, each with what its key says. With a shortfall some or all are missing.

    `note` says so when the place has no folder of the account at all.
    """

    logs: tuple[tuple[ObjectKey, ListedLog], ...]
    shortfall: Shortfall | None = None
    note: str | None = None

    def __len__(self) -> int:
        return len(self.logs)


def list_place(
    session: AccountSession, scope: Scope, place: BucketPlaceSettings, content: Content, days: Sequence[dt.date]
) -> PlaceListing:
    """List what the folders of the days hold, in every Region. `scope` says which account, and where S3 is asked first.

    Raises no error of AWS: what was listed before it is read all the same.
    """
    bucket = Bucket(session, place.bucket, scope.region)
    logs: list[tuple[ObjectKey, ListedLog]] = []
    note: str | None = (
        f"s3://{place.bucket}/{place.prefix} has none of account {scope.account_id}: switch them on in the console of "
        "Amazon Q Developer or Kiro, or name the place where they go."
    )
    try:
        for region_folder in _region_folders(bucket, place, scope.account_id, content):
            note = None
            logs += _objects_of_days(bucket, region_folder, days)
    except AWS_ERRORS as error:
        shortfall = shortfall_of(error)
        text = cut(f"s3://{place.bucket}/{place.prefix}: {shortfall.text}")
        return PlaceListing(tuple(logs), Shortfall(shortfall.status, text))
    return PlaceListing(tuple(logs), note=note)


def log_type_folders(place: BucketPlaceSettings, account_id: str, content: Content) -> list[str]:
    """The folders of the account below which there is one for each Region, wherever AWS may have put them."""
    return [
        f"{root}{folder}" for root in roots_of(place.prefix) for folder in log_type_prefixes("", account_id, content)
    ]


def _region_folders(bucket: Bucket, place: BucketPlaceSettings, account_id: str, content: Content) -> Iterator[str]:
    """Asks for the products first: most accounts have one of both."""
    wanted = log_type_folders(place, account_id, content)
    products = dict.fromkeys(folder[: folder.rstrip("/").rindex("/") + 1] for folder in wanted)
    for product in products:
        for log_type in bucket.subfolders(product):
            if log_type in wanted:
                yield from bucket.subfolders(log_type)


def _objects_of_days(
    bucket: Bucket, region_folder: str, days: Sequence[dt.date]
) -> Iterator[tuple[ObjectKey, ListedLog]]:
    """One list from the first day to the last, because a page may hold many days."""
    wanted, last = set(days), max(days)
    for entry in bucket.objects_after(region_folder, f"{region_folder}{min(days):%Y/%m/%d}/"):
        if entry.key[len(region_folder) :] > f"{last:%Y/%m/%d}0":  # `0` comes after `/`
            return
        key = recognise(entry.key)
        if key is not None and key.day in wanted:
            log = LogObject(bucket.name, entry.key, entry.etag, entry.size_bytes, key.day)
            yield key, ListedLog(bucket, log)
