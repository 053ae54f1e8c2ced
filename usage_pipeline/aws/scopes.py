"""Which accounts and Regions are read: the configuration's accounts, each with its account id and its Regions.

Here: `Scope`, and turning the configuration into scopes by asking AWS. Not here: credentials (`sessions.py`), reading
a scope (`source_reading.py`).
"""

from collections.abc import Iterable, Mapping, Sequence
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass
from functools import cache

import botocore.session
from botocore.exceptions import BotoCoreError, ClientError

from usage_pipeline.aws.errors import (
    AWS_ERRORS,
    IAM_ACTIONS,
    ReadingDeniedError,
    ReadingError,
    ReadStatus,
    shortfall_of,
)
from usage_pipeline.aws.sessions import HOME_REGIONS, AccountSession
from usage_pipeline.config import AccountSettings, Settings
from usage_pipeline.config_values import SUPPORTED_PARTITIONS, region_partitions


@dataclass(frozen=True)
class Scope:
    """One account and source Region."""

    account_id: str
    account_name: str
    region: str
    aws_partition: str


@dataclass(frozen=True)
class UnreachableAccount:
    """One configured account that could not be asked who it is, or which Regions it has.

    `regions` are the configured ones (none for `auto`); `account_id` is known when a role's ARN names it.
    """

    account_name: str
    account_id: str | None
    regions: tuple[str, ...]
    status: ReadStatus
    error_text: str


@dataclass(frozen=True)
class ResolvedScopes:
    """What can be read and what cannot, in the configuration's order."""

    scopes: tuple[Scope, ...]
    unreachable: tuple[UnreachableAccount, ...]
    sessions: Mapping[str, AccountSession]

    def session(self, scope: Scope) -> AccountSession:
        """The signed-in session of the scope's account."""
        return self.sessions[scope.account_name]


def resolve_scopes(settings: Settings) -> ResolvedScopes:
    """Ask every configured account who it is and which Regions it has. One unreachable account hides no other."""
    sessions = {account.name: AccountSession(account) for account in settings.accounts}
    with ThreadPoolExecutor(max_workers=settings.max_concurrent_scopes) as pool:
        answers = list(pool.map(_scopes_of, sessions.values()))
    scopes: list[Scope] = []
    unreachable: list[UnreachableAccount] = []
    names: dict[str, str] = {}
    for session, answer in zip(sessions.values(), answers, strict=True):
        if isinstance(answer, UnreachableAccount):
            unreachable.append(answer)
            continue
        account_id = answer[0].account_id
        if (first := names.setdefault(account_id, session.account.name)) != session.account.name:
            text = (
                f"The credentials of {session.account.name!r} are of account {account_id}, as those of {first!r}: name "
                "each account once, with all its Regions."
            )
            unreachable.append(_unreachable(session.account, "failed", text))
        else:
            scopes.extend(answer)
    return ResolvedScopes(tuple(scopes), tuple(unreachable), sessions)


def _scopes_of(session: AccountSession) -> Sequence[Scope] | UnreachableAccount:
    account = session.account
    try:
        identity = session.identity()
        partition = identity.aws_partition
        if partition not in SUPPORTED_PARTITIONS:
            raise ReadingError(
                f"The account is in partition {partition}; supported are {', '.join(SUPPORTED_PARTITIONS)}."
            )
        regions = enabled_bedrock_regions(session, partition) if account.regions == "auto" else account.regions
        if account.regions != "auto" and region_partitions()[regions[0]] != partition:
            raise ReadingError(
                f"The credentials are of partition {partition}, but {regions[0]} is not one of its Regions."
            )
    except AWS_ERRORS as error:
        shortfall = shortfall_of(error)
        return _unreachable(account, shortfall.status, shortfall.text)
    return [Scope(identity.account_id, account.name, region, partition) for region in regions]


def _unreachable(account: AccountSettings, status: ReadStatus, text: str) -> UnreachableAccount:
    regions = () if account.regions == "auto" else account.regions
    account_id = account.role_arn.split(":")[4] if account.role_arn else None
    return UnreachableAccount(account.name, account_id, regions, status, text)


def enabled_bedrock_regions(session: AccountSession, partition: str) -> tuple[str, ...]:
    """Regions that are enabled in the account and have Bedrock, by name.

    Raises:
        ReadingError: AWS names no such Region, or allows neither way to ask.
    """
    if found := sorted(_regions_with_bedrock(partition).intersection(_enabled_regions(session, partition))):
        return tuple(found)
    raise ReadingError(f"`regions: auto` found no enabled Region with Bedrock in account {session.account.name!r}.")


@cache
def _regions_with_bedrock(partition: str) -> frozenset[str]:
    """Regions of a partition in which botocore knows Bedrock; its list takes a tenth of a second to read."""
    return frozenset(botocore.session.Session().get_available_regions("bedrock", partition_name=partition))


def _enabled_regions(session: AccountSession, partition: str) -> Iterable[str]:
    """Ask Account Management, and EC2 where that is not allowed."""
    home = HOME_REGIONS[partition]
    try:
        pages = session.client("account", home).get_paginator("list_regions")
        enabled = pages.paginate(RegionOptStatusContains=["ENABLED", "ENABLED_BY_DEFAULT"])
        return [region["RegionName"] for page in enabled for region in page["Regions"] if "RegionName" in region]
    except (ClientError, BotoCoreError) as error:
        first = shortfall_of(error)
    try:
        regions = session.client("ec2", home).describe_regions()["Regions"]
    except (ClientError, BotoCoreError) as error:
        second = shortfall_of(error)
        failure = ReadingDeniedError if "denied" in (first.status, second.status) else ReadingError
        raise failure(
            f"`regions: auto` needs {IAM_ACTIONS['ListRegions']} or {IAM_ACTIONS['DescribeRegions']}: allow one of "
            f"them, or list the Regions. {first.text} {second.text}"
        ) from error
    return [region["RegionName"] for region in regions if "RegionName" in region]
