"""Which object is which, by its key."""

import datetime as dt

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from usage_pipeline.q_developer.object_keys import ObjectKey, day_folder, log_type_prefixes, recognise

ACCOUNT = "111122223333"
DAY = dt.date(2026, 11, 14)

KEYS = {
    f"prompts/AWSLogs/{ACCOUNT}/QDeveloperLogs/GenerateAssistantResponse/us-east-1/2026/11/14/08/zip.gz/log.json": (
        ObjectKey("prompts", "q_developer", "GenerateAssistantResponse", ACCOUNT, "us-east-1", DAY, 8)
    ),
    f"AWSLogs/{ACCOUNT}/QDeveloperLogs/GenerateCompletions/eu-central-1/2026/11/14/23/x.json.gz": (
        ObjectKey("prompts", "q_developer", "GenerateCompletions", ACCOUNT, "eu-central-1", DAY, 23)
    ),
    f"a/b/AWSLogs/{ACCOUNT}/QDeveloperLogs/StartTaskAssistCodeGeneration/us-gov-west-1/2026/11/14/00/x.gz": (
        ObjectKey("prompts", "q_developer", "StartTaskAssistCodeGeneration", ACCOUNT, "us-gov-west-1", DAY, 0)
    ),
    f"k/AWSLogs/{ACCOUNT}/KiroLogs/GenerateAssistantResponse/ap-northeast-2/2026/11/14/08/{ACCOUNT}_G_2_r.json.gz": (
        ObjectKey("prompts", "kiro", "GenerateAssistantResponse", ACCOUNT, "ap-northeast-2", DAY, 8)
    ),
    f"r/AWSLogs/{ACCOUNT}/QDeveloperLogs/by_user_analytic/us-east-1/2026/11/14/00/{ACCOUNT}_part_2.csv": (
        ObjectKey("activity", "q_developer", "by_user_analytic", ACCOUNT, "us-east-1", DAY, 0)
    ),
    f"AWSLogs/{ACCOUNT}/KiroLogs/user_report/us-east-1/2026/11/14/00/KIRO_IDE_{ACCOUNT}_user_report_1.csv": (
        ObjectKey("activity", "kiro", "user_report", ACCOUNT, "us-east-1", DAY, 0)
    ),
    f"AWSLogs/{ACCOUNT}/KiroLogs/by_user_analytic/us-east-1/2026/11/14/00/x.csv.gz": (
        ObjectKey("activity", "kiro", "by_user_analytic", ACCOUNT, "us-east-1", DAY, 0)
    ),
}


@pytest.mark.parametrize(("key", "expected"), KEYS.items())
def test_every_layout_is_recognised_in_any_region_below_any_prefix(key: str, expected: ObjectKey) -> None:
    assert recognise(key) == expected


@pytest.mark.parametrize(
    "key",
    [
        "",
        f"AWSLogs/{ACCOUNT}/KiroLogs/26404955-bf00-40d3-b713-43d18edf0638",
        f"AWSLogs/{ACCOUNT}/BedrockModelInvocationLogs/us-east-1/2026/11/14/08/x.json.gz",
        f"AWSLogs/{ACCOUNT}/QDeveloperLogs/GenerateCompletions/us-east-1/2026/11/14/08/",
        f"AWSLogs/{ACCOUNT}/QDeveloperLogs/GenerateCompletions/us-east-1/2026/11/14/08/x.csv",
        f"AWSLogs/{ACCOUNT}/QDeveloperLogs/by_user_analytic/us-east-1/2026/11/14/00/x.json.gz",
        f"AWSLogs/{ACCOUNT}/QDeveloperLogs/by_user_analytic/us-east-1/2026/02/30/00/x.csv",
        f"AWSLogs/{ACCOUNT}/QDeveloperLogs/by_user_analytic/us-east-1/2026/11/14/24/x.csv",
        f"AWSLogs/{ACCOUNT}/QDeveloperLogs/by_user_analytic/US EAST/2026/11/14/00/x.csv",
        f"notAWSLogs/{ACCOUNT}/QDeveloperLogs/by_user_analytic/us-east-1/2026/11/14/00/x.csv",
        "AWSLogs/12345/QDeveloperLogs/by_user_analytic/us-east-1/2026/11/14/00/x.csv",
        f"AWSLogs/{ACCOUNT}/QDeveloperLogs/by_user_analytic/us-east-1/٢٠٢٦/11/14/00/x.csv",
    ],
)
def test_any_other_object_is_none_of_them(key: str) -> None:
    assert recognise(key) is None


def test_the_folders_to_list_are_those_that_aws_writes() -> None:
    assert log_type_prefixes("/q/logs/", ACCOUNT, "prompts") == [
        f"q/logs/AWSLogs/{ACCOUNT}/QDeveloperLogs/GenerateAssistantResponse/",
        f"q/logs/AWSLogs/{ACCOUNT}/QDeveloperLogs/GenerateCompletions/",
        f"q/logs/AWSLogs/{ACCOUNT}/QDeveloperLogs/StartTaskAssistCodeGeneration/",
        f"q/logs/AWSLogs/{ACCOUNT}/KiroLogs/GenerateAssistantResponse/",
        f"q/logs/AWSLogs/{ACCOUNT}/KiroLogs/GenerateCompletions/",
        f"q/logs/AWSLogs/{ACCOUNT}/KiroLogs/StartTaskAssistCodeGeneration/",
    ]
    assert log_type_prefixes("", ACCOUNT, "activity") == [
        f"AWSLogs/{ACCOUNT}/QDeveloperLogs/by_user_analytic/",
        f"AWSLogs/{ACCOUNT}/KiroLogs/by_user_analytic/",
        f"AWSLogs/{ACCOUNT}/KiroLogs/user_report/",
    ]


@settings(deadline=None)
@given(
    prefix=st.sampled_from(["", "q", "q/logs", "AWSLogs"]),
    region=st.sampled_from(["us-east-1", "eu-west-3", "me-central-1", "us-gov-east-1"]),
    day=st.dates(dt.date(2000, 1, 1)),
    hour=st.integers(0, 23),
)
def test_an_object_in_a_listed_folder_is_recognised(prefix: str, region: str, day: dt.date, hour: int) -> None:
    for content, ending in (("prompts", ".json.gz"), ("activity", ".csv")):
        for folder in log_type_prefixes(prefix, ACCOUNT, content):
            found = recognise(f"{day_folder(folder, region, day)}{hour:02}/x{ending}")
            assert found is not None
            assert (found.content, found.account_id, found.region) == (content, ACCOUNT, region)
            assert (found.day, found.hour) == (day, hour)
            assert f"/{found.log_type}/" in folder
