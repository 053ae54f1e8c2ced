from collections.abc import Callable
from typing import Any

import pytest
from botocore.exceptions import EndpointConnectionError

from usage_pipeline.aws.scopes import ResolvedScopes, Scope, UnreachableAccount, resolve_scopes
from usage_pipeline.aws.sessions import AccountSession
from usage_pipeline.config import Settings
from usage_pipeline_tests.aws.canned_aws import canned_client, error, pages

Answers = dict[str, Any]
FIRST, SECOND = "111122223333", "444455556666"


def identity(account_id: str, partition: str = "aws") -> Answers:
    arn = f"arn:{partition}:sts::{account_id}:assumed-role/r/s"
    return {"GetCallerIdentity": {"Account": account_id, "Arn": arn, "UserId": "x"}}


@pytest.fixture
def resolve(monkeypatch: pytest.MonkeyPatch) -> Callable[[dict[str, Answers], list[dict[str, Any]]], ResolvedScopes]:
    """Resolve accounts whose STS, Account and EC2 answers are given by account name."""

    def run(answers: dict[str, Answers], accounts: list[dict[str, Any]]) -> ResolvedScopes:
        def client(self: AccountSession, service: str, region: str) -> Any:
            return canned_client(service, answers[self.account.name])[0]

        monkeypatch.setattr(AccountSession, "client", client)
        return resolve_scopes(Settings(accounts=accounts))  # type: ignore[arg-type]

    return run


def test_every_account_and_region_is_a_scope_in_the_configurations_order(resolve: Any) -> None:
    resolved = resolve(
        {"production": identity(FIRST), "research": identity(SECOND)},
        [
            {"name": "production", "regions": ["us-east-1", "ap-northeast-1"]},
            {"name": "research", "regions": ["us-east-1"]},
        ],
    )
    assert resolved.scopes == (
        Scope(FIRST, "production", "us-east-1", "aws"),
        Scope(FIRST, "production", "ap-northeast-1", "aws"),
        Scope(SECOND, "research", "us-east-1", "aws"),
    )
    assert resolved.unreachable == ()
    assert resolved.session(resolved.scopes[2]).account.name == "research"


def test_an_unreachable_account_hides_no_other(resolve: Any) -> None:
    denied = error("AssumeRole", "AccessDenied", "not authorized to perform: sts:AssumeRole")
    resolved = resolve(
        {"production": {"GetCallerIdentity": denied}, "research": identity(SECOND)},
        [
            {"name": "production", "role_arn": f"arn:aws:iam::{FIRST}:role/r", "regions": ["us-east-1"]},
            {"name": "research", "regions": ["us-east-1"]},
        ],
    )
    assert resolved.scopes == (Scope(SECOND, "research", "us-east-1", "aws"),)
    assert resolved.unreachable == (
        UnreachableAccount(
            "production",
            FIRST,
            ("us-east-1",),
            "denied",
            "AssumeRole: AccessDenied: not authorized to perform: sts:AssumeRole. Allow sts:AssumeRole.",
        ),
    )


def test_an_account_without_network_is_failed_and_its_id_is_unknown(resolve: Any) -> None:
    resolved = resolve(
        {"a": {"GetCallerIdentity": EndpointConnectionError(endpoint_url="https://sts.example")}},
        [{"name": "a", "regions": ["us-east-1"]}],
    )
    assert resolved.unreachable == (
        UnreachableAccount(
            "a", None, ("us-east-1",), "failed", 'Could not connect to the endpoint URL: "https://sts.example"'
        ),
    )


def regions(*names: str) -> list[dict[str, str]]:
    return [{"RegionName": name, "RegionOptStatus": "ENABLED"} for name in names]


def test_auto_reads_enabled_regions_that_have_bedrock(resolve: Any) -> None:
    listed = pages("Regions", regions("us-west-2", "us-east-1", "ap-east-1", "eu-west-1"), 3, "NextToken")
    resolved = resolve({"a": {**identity(FIRST), "ListRegions": listed}}, [{"name": "a"}])
    # Bedrock is not offered in ap-east-1 (botocore 1.44.5).
    assert [scope.region for scope in resolved.scopes] == ["eu-west-1", "us-east-1", "us-west-2"]


def test_auto_asks_ec2_where_account_management_is_denied(resolve: Any) -> None:
    answers = {
        **identity(FIRST),
        "ListRegions": error("ListRegions", "AccessDeniedException"),
        "DescribeRegions": {"Regions": [{"RegionName": "us-east-1"}, {"RegionName": "ap-east-1"}]},
    }
    assert [scope.region for scope in resolve({"a": answers}, [{"name": "a"}]).scopes] == ["us-east-1"]


def test_auto_without_either_permission_says_which_to_allow(resolve: Any) -> None:
    answers = {
        **identity(FIRST),
        "ListRegions": error("ListRegions", "AccessDeniedException"),
        "DescribeRegions": error("DescribeRegions", "UnauthorizedOperation"),
    }
    (unreachable,) = resolve({"a": answers}, [{"name": "a"}]).unreachable
    assert unreachable.status == "denied"
    assert unreachable.error_text.startswith(
        "`regions: auto` needs account:ListRegions or ec2:DescribeRegions: allow one of them, or list the Regions."
    )


def test_auto_in_govcloud_reads_govcloud_regions(resolve: Any) -> None:
    answers = {
        **identity(FIRST, "aws-us-gov"),
        "ListRegions": {"Regions": regions("us-gov-west-1", "us-gov-east-1")},
    }
    assert resolve({"a": answers}, [{"name": "a"}]).scopes == (
        Scope(FIRST, "a", "us-gov-east-1", "aws-us-gov"),
        Scope(FIRST, "a", "us-gov-west-1", "aws-us-gov"),
    )


def test_credentials_of_another_partition_are_told(resolve: Any) -> None:
    resolved = resolve({"a": identity(FIRST, "aws-us-gov")}, [{"name": "a", "regions": ["us-east-1"]}])
    assert [unreachable.error_text for unreachable in resolved.unreachable] == [
        "The credentials are of partition aws-us-gov, but us-east-1 is not one of its Regions."
    ]


def test_an_account_that_is_configured_twice_is_read_once_and_told(resolve: Any) -> None:
    resolved = resolve(
        {"a": identity(FIRST), "b": identity(FIRST)},
        [{"name": "a", "regions": ["us-east-1"]}, {"name": "b", "regions": ["us-east-1"]}],
    )
    assert resolved.scopes == (Scope(FIRST, "a", "us-east-1", "aws"),)
    assert [unreachable.error_text for unreachable in resolved.unreachable] == [
        "The credentials of 'b' are of account 111122223333, as those of 'a': name each account once, with all its "
        "Regions."
    ]
