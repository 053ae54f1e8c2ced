"""Which objects of prompt logs and activity reports a place has for some days."""

import datetime as dt
from collections.abc import Iterator

import pytest

from usage_pipeline.aws.errors import Shortfall
from usage_pipeline.aws.q_developer_objects import PlaceListing, list_place
from usage_pipeline.aws.scopes import Scope
from usage_pipeline.aws.sessions import AccountSession, counted_api_calls
from usage_pipeline.config import AccountSettings
from usage_pipeline.config_q_developer import BucketPlaceSettings
from usage_pipeline.q_developer.object_keys import Content
from usage_pipeline_tests.aws.small_s3 import SmallS3, serving_s3

SCOPE = Scope("111122223333", "production", "us-east-1", "aws")
DAYS = [dt.date(2026, 11, 13), dt.date(2026, 11, 14)]
ROOT = "AWSLogs/111122223333"
CHATS = f"{ROOT}/QDeveloperLogs/GenerateAssistantResponse/eu-central-1"


@pytest.fixture
def s3() -> Iterator[SmallS3]:
    with serving_s3() as bucket:
        yield bucket


def listing(content: Content = "prompts", prefix: str = "") -> PlaceListing:
    session = AccountSession(AccountSettings(name="production", regions=("us-east-1",)))
    return list_place(session, SCOPE, BucketPlaceSettings(bucket="logs", prefix=prefix), content, DAYS)


def keys(found: PlaceListing) -> list[str]:
    return [listed.log.key for _, listed in found.logs]


def test_every_product_kind_and_region_is_found_on_the_days_alone(s3: SmallS3) -> None:
    wanted = [
        f"{CHATS}/2026/11/13/00/a.json.gz",
        f"{CHATS}/2026/11/14/23/b.json.gz",
        f"{ROOT}/QDeveloperLogs/StartTaskAssistCodeGeneration/us-east-1/2026/11/14/09/c.json.gz",
        f"{ROOT}/KiroLogs/GenerateAssistantResponse/ap-south-1/2026/11/14/09/d.json.gz",
    ]
    others = [
        f"{CHATS}/2026/11/12/23/early.json.gz",
        f"{CHATS}/2026/11/15/00/late.json.gz",
        f"{CHATS}/2026/11/14/23/notes.txt",
        f"{ROOT}/QDeveloperLogs/by_user_analytic/us-east-1/2026/11/14/00/report.csv",
        f"{ROOT}/KiroLogs/0123456789abcdef",
        "AWSLogs/444455556666/QDeveloperLogs/GenerateAssistantResponse/eu-central-1/2026/11/14/09/other.json.gz",
    ]
    s3.objects = dict.fromkeys([*wanted, *others], b"x")

    found = listing()

    assert (keys(found), found.shortfall, found.note) == (wanted, None, None)
    assert [(key.product, key.region, key.day.day) for key, _ in found.logs] == [
        ("q_developer", "eu-central-1", 13),
        ("q_developer", "eu-central-1", 14),
        ("q_developer", "us-east-1", 14),
        ("kiro", "ap-south-1", 14),
    ]
    assert keys(listing("activity")) == [others[3]]


def test_a_list_ends_with_the_last_day_and_counts_its_requests(s3: SmallS3) -> None:
    days = [f"{CHATS}/2026/11/{day}/09/{n}.json.gz" for day in (13, 14, 15, 16) for n in range(3)]
    s3.objects = dict.fromkeys(days, b"x")

    with counted_api_calls() as calls:
        assert len(listing()) == 6

    # Both products, the kind, and of the small S3's pages of three keys the first three; the fourth is not asked for.
    assert calls.count == len(s3.requests) == 6


@pytest.mark.parametrize(("prefix", "root"), [("q/", "q/"), ("q/", "q//"), ("a/b", "a/b/"), ("/", "")])
def test_a_prefix_is_found_however_aws_joined_it(s3: SmallS3, prefix: str, root: str) -> None:
    s3.objects = {f"{root}{CHATS}/2026/11/14/09/a.json.gz": b"x"}

    assert keys(listing(prefix=prefix)) == list(s3.objects)


def test_a_place_that_has_nothing_of_the_account_says_so(s3: SmallS3) -> None:
    s3.objects = {"elsewhere/a.json.gz": b"x"}

    assert listing(prefix="q").note == (
        "s3://logs/q has none of account 111122223333: switch them on in the console of Amazon Q Developer or Kiro, or "
        "name the place where they go."
    )


def test_a_list_that_is_denied_is_told_with_its_place(s3: SmallS3) -> None:
    s3.errors = {"LIST": (403, "AccessDenied")}

    found = listing(prefix="q")

    text = "s3://logs/q: ListObjectsV2: AccessDenied: no. Allow s3:ListBucket."
    assert (len(found), found.shortfall) == (0, Shortfall("denied", text))
