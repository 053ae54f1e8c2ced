import datetime as dt
import hashlib
from collections.abc import Iterator
from pathlib import Path

import pytest
from botocore.exceptions import ClientError

from usage_pipeline.aws import bucket_objects
from usage_pipeline.aws.bucket_objects import LogObject
from usage_pipeline.aws.errors import AWS_ERRORS, ReadingError, Shortfall, shortfall_of
from usage_pipeline.aws.log_objects import LOG_NAME, LogBucket, log_folders
from usage_pipeline.aws.scopes import Scope
from usage_pipeline.aws.sessions import AccountSession, counted_api_calls
from usage_pipeline.config import AccountSettings
from usage_pipeline_tests.aws.small_s3 import SmallS3, serving_s3

SCOPE = Scope("111122223333", "production", "us-east-1", "aws")
DAY = dt.date(2026, 11, 14)
FOLDER = "AWSLogs/111122223333/BedrockModelInvocationLogs/us-east-1/"
NAME = "20261114T081530123Z_4dbc03d57ffa1c7d.json.gz"


@pytest.fixture
def s3() -> Iterator[SmallS3]:
    with serving_s3() as bucket:
        yield bucket


def bucket(key_prefix: str = "", name: str = "logs") -> LogBucket:
    session = AccountSession(AccountSettings(name="production", regions=("us-east-1",)))
    return LogBucket(session, SCOPE, name, key_prefix)


def listed(logs: LogBucket, day: dt.date = DAY) -> list[str]:
    return [log.key for log in logs.list_day(day)]


def shortfall(logs: LogBucket, fetch: LogObject | None = None, path: Path = Path()) -> Shortfall:
    with pytest.raises(AWS_ERRORS) as caught:
        logs.fetch(fetch, path) if fetch else logs.list_day(DAY)
    return shortfall_of(caught.value)  # type: ignore[arg-type]


def log(key: str) -> LogObject:
    return LogObject("logs", key, "old", 1, DAY)


# listing


def test_the_hour_folders_of_a_day_are_listed_with_etag_and_size(s3: SmallS3) -> None:
    s3.objects = {
        f"{FOLDER}2026/11/14/00/20261114T000001000Z_aa.json.gz": b"a",
        f"{FOLDER}2026/11/14/23/20261114T235959999Z_bb.json": b"bb",
        f"{FOLDER}2026/11/13/23/20261113T235959999Z_cc.json.gz": b"c",
        f"{FOLDER}2026/11/15/00/20261115T000001000Z_dd.json.gz": b"d",
    }

    assert bucket().list_day(DAY) == [
        LogObject("logs", f"{FOLDER}2026/11/14/00/20261114T000001000Z_aa.json.gz", md5(b"a"), 1, DAY),
        LogObject("logs", f"{FOLDER}2026/11/14/23/20261114T235959999Z_bb.json", md5(b"bb"), 2, DAY),
    ]


def md5(content: bytes) -> str:
    return hashlib.md5(content).hexdigest()


def test_large_bodies_are_not_even_listed_and_other_objects_are_left_out(s3: SmallS3) -> None:
    hour = f"{FOLDER}2026/11/14/08/"
    s3.objects = dict.fromkeys(
        [
            f"{hour}{NAME}",
            f"{hour}data/f3ae32b1_input.json.gz",
            f"{hour}data/f3ae32b1_output.json.gz",
            f"{hour}notes.txt",
            f"{FOLDER}2026/11/14/amazon-bedrock-logs-permission-check",
            f"{FOLDER}amazon-bedrock-logs-permission-check",
        ],
        b"x",
    )

    assert listed(bucket()) == [f"{hour}{NAME}"]
    assert s3.requests == [f"LIST {FOLDER}2026/11/14/", f"LIST {hour}"]


def test_every_page_is_read_and_every_request_counted(s3: SmallS3) -> None:
    keys = [f"{FOLDER}2026/11/14/{n % 5:02d}/20261114T0{n % 5}{n:02d}00000Z_{n:04x}.json.gz" for n in range(40)]
    s3.objects = dict.fromkeys(keys, b"x")

    with counted_api_calls() as calls:
        assert listed(bucket()) == sorted(keys)
    # Two pages of folders; of obstore's pages, which are 1,000 keys long at AWS, one for each hour is counted.
    assert calls.count == 2 + 5


def test_a_day_without_logs_takes_one_request(s3: SmallS3) -> None:
    assert listed(bucket("bedrock")) == []
    assert s3.requests == [f"LIST bedrock/{FOLDER}2026/11/14/"]


@pytest.mark.parametrize("name", ["20241018T074319996Z_4dbc03d57ffa1c7d.json.gz", "20241018T074319Z_0a.json"])
def test_names_of_log_objects(name: str) -> None:
    assert LOG_NAME.fullmatch(name)


@pytest.mark.parametrize("name", ["f3ae32b1_input.json.gz", "amazon-bedrock-logs-permission-check", f"{NAME}.tmp", ""])
def test_names_of_other_objects(name: str) -> None:
    assert not LOG_NAME.fullmatch(name)


@pytest.mark.parametrize(
    ("key_prefix", "folders"),
    [
        ("", [FOLDER]),
        ("bedrock", [f"bedrock/{FOLDER}"]),
        ("logs/bedrock", [f"logs/bedrock/{FOLDER}"]),
        ("bedrock/", [f"bedrock/{FOLDER}", f"bedrock//{FOLDER}"]),
        ("/", [FOLDER, f"/{FOLDER}", f"//{FOLDER}"]),
        ("/bedrock", [f"bedrock/{FOLDER}", f"/bedrock/{FOLDER}"]),
    ],
)
def test_a_prefix_with_a_slash_at_an_end_may_lead_to_an_empty_folder(key_prefix: str, folders: list[str]) -> None:
    assert log_folders(SCOPE, key_prefix) == folders


@pytest.mark.parametrize("root", ["bedrock/", "bedrock//"])
def test_logs_are_found_and_read_under_either_of_them(s3: SmallS3, root: str, tmp_path: Path) -> None:
    key = f"{root}{FOLDER}2026/11/14/08/{NAME}"
    s3.objects = {key: b"content"}
    logs = bucket("bedrock/")

    (found,) = logs.list_day(DAY)

    assert found == LogObject("logs", key, md5(b"content"), 7, DAY)
    assert logs.fetch(found, tmp_path / "log") == found
    assert (tmp_path / "log").read_bytes() == b"content"


@pytest.mark.parametrize("prefix", ["a b", "50%", "a#b", "~x", "a+b=c"])
def test_a_prefix_may_have_any_character(s3: SmallS3, prefix: str, tmp_path: Path) -> None:
    key = f"{prefix}/{FOLDER}2026/11/14/08/{NAME}"
    s3.objects = {key: b"content"}
    logs = bucket(prefix)

    (found,) = logs.list_day(DAY)
    logs.fetch(found, tmp_path / "log")

    assert found.key == key
    assert (tmp_path / "log").read_bytes() == b"content"


# getting


def test_an_object_is_written_to_a_file_with_the_etag_that_was_really_read(s3: SmallS3, tmp_path: Path) -> None:
    s3.objects = {"k.json.gz": b"new content"}

    with counted_api_calls() as calls:
        assert bucket().fetch(log("k.json.gz"), tmp_path / "log") == LogObject(
            "logs", "k.json.gz", md5(b"new content"), 11, DAY
        )

    assert (tmp_path / "log").read_bytes() == b"new content"
    assert calls.count == 1


def test_a_file_that_held_a_longer_object_holds_the_new_one_only(s3: SmallS3, tmp_path: Path) -> None:
    s3.objects = {"k": b"short"}
    (tmp_path / "log").write_bytes(b"a much longer content")

    bucket().fetch(log("k"), tmp_path / "log")

    assert (tmp_path / "log").read_bytes() == b"short"


def test_a_large_object_is_streamed(s3: SmallS3, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(bucket_objects, "LARGEST_WHOLE_BYTES", 1000)
    content = bytes(range(256)) * 20_000
    s3.objects = {"k": content}

    assert bucket().fetch(log("k"), tmp_path / "log").size_bytes == len(content)
    assert (tmp_path / "log").read_bytes() == content


def test_both_clients_sign_in_as_the_account(s3: SmallS3, tmp_path: Path) -> None:
    s3.objects = {f"{FOLDER}2026/11/14/08/{NAME}": b"x"}
    logs = bucket()

    logs.fetch(logs.list_day(DAY)[0], tmp_path / "log")

    assert s3.tokens == {"a-session"}


def test_a_bucket_of_another_region_is_read_there(s3: SmallS3, tmp_path: Path) -> None:
    s3.objects = {f"{FOLDER}2026/11/14/08/{NAME}": b"x"}
    s3.region = "eu-west-1"
    logs = bucket()

    logs.fetch(logs.list_day(DAY)[0], tmp_path / "log")

    # boto3 asks in the scope's Region, and is told the bucket's.
    assert s3.signed_for == ["us-east-1", "eu-west-1", "eu-west-1"]


# errors


@pytest.mark.parametrize(
    ("status", "code", "expected"),
    [
        (403, "AccessDenied", Shortfall("denied", "GetObject: AccessDenied: no. Allow s3:GetObject.")),
        (403, "InvalidObjectState", Shortfall("failed", "GetObject: InvalidObjectState: no")),
        (404, "NoSuchKey", Shortfall("failed", "GetObject: NoSuchKey: no")),
        (400, "SlowDown", Shortfall("throttled", "GetObject: SlowDown: no")),
        (400, "KMS.DisabledException", Shortfall("failed", "GetObject: KMS.DisabledException: no")),
    ],
)
def test_errors_of_an_object_are_those_of_boto3(
    s3: SmallS3, tmp_path: Path, status: int, code: str, expected: Shortfall
) -> None:
    s3.errors = {"k": (status, code)}

    assert shortfall(bucket(), log("k"), tmp_path / "log") == expected


def test_a_denied_list_names_the_action_to_allow(s3: SmallS3) -> None:
    s3.errors = {"LIST": (403, "AccessDenied")}

    assert shortfall(bucket()) == Shortfall("denied", "ListObjectsV2: AccessDenied: no. Allow s3:ListBucket.")


def test_a_bucket_that_does_not_exist_is_told(s3: SmallS3) -> None:
    assert shortfall(bucket(name="gone")) == Shortfall("failed", "ListObjectsV2: NoSuchBucket: no")


def test_a_list_that_is_denied_in_the_middle_is_told(s3: SmallS3, monkeypatch: pytest.MonkeyPatch) -> None:
    hour = f"{FOLDER}2026/11/14/08/"
    logs = bucket()
    monkeypatch.setattr(bucket_objects.Bucket, "subfolders", lambda *_: [hour])
    s3.errors = {"LIST": (403, "AccessDenied")}

    assert shortfall(logs) == Shortfall("denied", "ListObjectsV2: AccessDenied: no. Allow s3:ListBucket.")


def test_an_answer_that_is_not_s3s_is_a_reading_error(s3: SmallS3, tmp_path: Path) -> None:
    s3.errors = {"k": (301, "x")}

    with pytest.raises(ReadingError, match=r"^GetObject: Received redirect without LOCATION"):
        bucket().fetch(log("k"), tmp_path / "log")


def test_the_chain_of_an_error_is_a_client_error(s3: SmallS3, tmp_path: Path) -> None:
    s3.errors = {"k": (403, "AccessDenied")}

    with pytest.raises(ClientError) as caught:
        bucket().fetch(log("k"), tmp_path / "log")
    assert caught.value.operation_name == "GetObject"
