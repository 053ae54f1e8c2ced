"""Values of the configuration that have rules of their own: Regions, role ARNs, moments.

Here: what such a value may be, and the sentence for one that is not. Not here: the settings that hold them
(`config.py`).
"""

import re
from datetime import UTC, date, datetime
from functools import cache

from botocore.loaders import Loader

from usage_pipeline.config_problems import meant, quote

SUPPORTED_PARTITIONS = ("aws", "aws-us-gov")

_ROLE_ARN = re.compile(r"arn:(?P<partition>aws|aws-us-gov):iam::\d{12}:role/[\w+=,.@/-]{1,512}")


@cache
def region_partitions() -> dict[str, str]:
    """The AWS partition of every Region that the installed botocore knows, in the partitions we support."""
    partitions = Loader().load_data("partitions")["partitions"]
    return {
        region: partition["id"]
        for partition in partitions
        if partition["id"] in SUPPORTED_PARTITIONS
        for region in partition["regions"]
        if not region.endswith("-global")
    }


def checked_region(region: str) -> str:
    """The Region code, if botocore knows it."""
    known = region_partitions()
    if region not in known:
        raise ValueError(
            f"read {quote(region)}, which is no Region of AWS or AWS GovCloud; {meant(region, known)}"
            "Allowed: Region codes such as us-east-1 (a Region newer than the installed boto3 needs a newer boto3), "
            "or `regions: auto` for every Region that is enabled."
        )
    return region


def checked_role_arn(arn: str) -> str:
    """The ARN, if it is an IAM role's."""
    if not _ROLE_ARN.fullmatch(arn):
        raise ValueError(
            f"read {quote(arn)}, which is no role ARN; allowed: arn:aws:iam::<12 digits>:role/<name> "
            "(or arn:aws-us-gov:…)."
        )
    return arn


def role_partition(arn: str) -> str:
    """`aws` or `aws-us-gov`: the partition of a role ARN."""
    return arn.split(":")[1]


def auto_word(word: str) -> str:
    """The one word that may stand for a list of Regions."""
    if word != "auto":
        raise ValueError(f"read {quote(word)}; allowed: auto, or a list such as [us-east-1, eu-west-1].")
    return word


def checked_refresh_hours(value: object) -> object:
    """Whole hours of a day, 1 to 24, as a number or text; or `off`, which YAML reads as false when it is not quoted."""
    if value is False or (isinstance(value, str) and value.strip().lower() == "off"):
        return "off"
    try:
        hours = None if isinstance(value, bool | float) else int(str(value))
    except ValueError:
        hours = None
    if hours is None or not 1 <= hours <= 24:
        raise ValueError(f"read {quote(value)}; allowed: whole hours from 1 to 24, or off.")
    return hours


def checked_moment(value: object) -> datetime | None:
    """A UTC moment without a zone, from YAML's own dates and times or from text."""
    try:
        if isinstance(value, str):
            value = datetime.fromisoformat(value.strip())
        if isinstance(value, date) and not isinstance(value, datetime):
            value = datetime.fromisoformat(value.isoformat())
    except ValueError:
        value = quote(value)
    if value is None or isinstance(value, datetime):
        return value.astimezone(UTC).replace(tzinfo=None) if value and value.tzinfo else value
    raise ValueError(f"read {value}; allowed: a UTC time such as 2026-11-15T10:30:00Z.")
