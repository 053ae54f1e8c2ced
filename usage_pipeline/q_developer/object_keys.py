"""What an S3 key says of an object: prompt log or activity report, of which product, account, Region and hour.

Any Region and any prefix. Not here: what is in the objects.

Sources of the layouts: AWS's user guides for Amazon Q Developer's prompt logging and user activity report, Kiro's for
its own, and keys of real exports, autumn 2026.
"""

import datetime as dt
import re
from dataclasses import dataclass
from typing import Literal

Content = Literal["prompts", "activity"]
Product = Literal["q_developer", "kiro"]

_PRODUCTS: dict[str, Product] = {"QDeveloperLogs": "q_developer", "KiroLogs": "kiro"}
"""Product by the folder that AWS writes."""

_CONTENTS: dict[str, Content] = {
    "GenerateAssistantResponse": "prompts",
    "GenerateCompletions": "prompts",
    "StartTaskAssistCodeGeneration": "prompts",
    "by_user_analytic": "activity",
    "user_report": "activity",
}
"""What is below each log type's folder."""

_ENDINGS: dict[Content, tuple[str, ...]] = {"prompts": (".json", ".gz"), "activity": (".csv", ".csv.gz")}

_ORIGIN = (
    r"(?:^|/)AWSLogs/(?P<account>\d{12})"
    rf"/(?P<folder>{'|'.join(_PRODUCTS)})"
    rf"/(?P<log_type>{'|'.join(_CONTENTS)})"
    r"/(?P<region>[a-z]{2,}(?:-[a-z]+)+-\d+)"
    r"/(?P<year>\d{4})/(?P<month>\d{1,2})/(?P<day>\d{1,2})/(?P<hour>\d{1,2})/(?P<name>.+)"
)
_KEY = re.compile(_ORIGIN, re.ASCII | re.DOTALL)


@dataclass(frozen=True)
class ObjectKey:
    """One object that can be read."""

    content: Content
    product: Product
    log_type: str
    """`GenerateAssistantResponse`, `GenerateCompletions`, `StartTaskAssistCodeGeneration`, `by_user_analytic` or
    `user_report`."""
    account_id: str
    region: str
    day: dt.date
    """UTC day of the folder, on which the object was written: rows may be of the day before."""
    hour: int
    """UTC hour of the folder."""


def recognise(key: str) -> ObjectKey | None:
    """Say what an object is; None for every other one, such as the empty ones that AWS writes to try its rights."""
    found = _KEY.search(key)
    if found is None:
        return None
    content = _CONTENTS[found["log_type"]]
    if not found["name"].endswith(_ENDINGS[content]):
        return None
    try:
        written = dt.datetime(int(found["year"]), int(found["month"]), int(found["day"]), int(found["hour"]))  # noqa: DTZ001
    except ValueError:
        return None
    return ObjectKey(
        content=content,
        product=_PRODUCTS[found["folder"]],
        log_type=found["log_type"],
        account_id=found["account"],
        region=found["region"],
        day=written.date(),
        hour=written.hour,
    )


def log_type_prefixes(prefix: str, account_id: str, content: Content) -> list[str]:
    """The folders of an account whose sub-folders are Regions; `prefix` is what precedes `AWSLogs/`, or empty."""
    root = f"{prefix.strip('/')}/" if prefix.strip("/") else ""
    log_types = [log_type for log_type, held in _CONTENTS.items() if held == content]
    return [
        f"{root}AWSLogs/{account_id}/{folder}/{log_type}/"
        for folder, product in _PRODUCTS.items()
        for log_type in log_types
        if (product, log_type) != ("q_developer", "user_report")  # Kiro's alone
    ]


def day_folder(log_type_prefix: str, region: str, day: dt.date) -> str:
    """The folder of one day below one of `log_type_prefixes`."""
    return f"{log_type_prefix}{region}/{day:%Y/%m/%d}/"
