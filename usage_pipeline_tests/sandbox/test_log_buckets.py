"""The log buckets as S3 programs see them over HTTP."""

import gzip
import json
from collections.abc import Mapping
from datetime import UTC, datetime
from hashlib import md5
from typing import Any
from urllib.error import HTTPError
from urllib.request import urlopen
from xml.etree import ElementTree

import obstore
import pytest
from botocore.config import Config
from botocore.exceptions import ClientError
from botocore.model import ListShape, Shape, StructureShape
from obstore.store import S3Store

from usage_pipeline.sandbox import RunningSandbox, log_objects
from usage_pipeline.sandbox.account_data import AccountData
from usage_pipeline.sandbox.log_objects import LogStore
from usage_pipeline_tests.sandbox.conftest import MakeClient
from usage_pipeline_tests.sandbox.log_reading import PRODUCTION_LOGS, RESEARCH_LOGS, files_of, records_in
from usage_pipeline_tests.sandbox.test_aws_server import own_client

RESEARCH = "444455556666"
FOLDER = "bedrock/AWSLogs/111122223333/BedrockModelInvocationLogs/us-east-1/"
DAY = f"{FOLDER}2026/11/14/"
MORNING = f"{DAY}07/"


def keys_of(pages: Any) -> list[str]:
    return [item["Key"] for page in pages for item in page.get("Contents", ())]


def code_of(error: pytest.ExceptionInfo[ClientError]) -> str:
    return error.value.response["Error"]["Code"]


def obstore_of(sandbox: RunningSandbox, bucket: str = PRODUCTION_LOGS) -> S3Store:
    environment = sandbox.environment
    return S3Store(
        bucket,
        endpoint=sandbox.endpoint_url,
        region="us-east-1",
        access_key_id=environment["AWS_ACCESS_KEY_ID"],
        secret_access_key=environment["AWS_SECRET_ACCESS_KEY"],
        virtual_hosted_style_request=False,
        client_options={"allow_http": True},
        retry_config={"max_retries": 0},
    )


@pytest.fixture
def s3(make_client: MakeClient) -> Any:
    return make_client("s3")


@pytest.fixture
def keys(sandbox: RunningSandbox) -> list[str]:
    """The keys of production's log bucket, in order."""
    return list(sandbox.data.log_store.buckets[PRODUCTION_LOGS].objects)


def test_pages_of_a_list_are_the_whole_in_order(s3: Any, sandbox: RunningSandbox, keys: list[str]):
    pages = list(
        s3.get_paginator("list_objects_v2").paginate(Bucket=PRODUCTION_LOGS, PaginationConfig={"PageSize": 40})
    )
    assert keys_of(pages) == keys == sorted(keys)
    assert [page["KeyCount"] for page in pages[:-1]] == [40] * (len(pages) - 1)
    assert [page["IsTruncated"] for page in pages] == [True] * (len(pages) - 1) + [False]
    assert sandbox.call_counts == {"s3.ListObjectsV2": len(pages)}


def test_the_older_list_has_pages_too(s3: Any, keys: list[str]):
    pages = s3.get_paginator("list_objects").paginate(
        Bucket=PRODUCTION_LOGS, Delimiter="/", Prefix=MORNING, PaginationConfig={"PageSize": 1}
    )
    assert keys_of(pages) == [key for key in keys if key.startswith(MORNING) and "/data/" not in key]


def test_a_list_starts_after_a_key_that_need_not_exist(s3: Any, keys: list[str]):
    after = f"{DAY}12/"
    listed = s3.list_objects_v2(Bucket=PRODUCTION_LOGS, StartAfter=after, MaxKeys=5)
    assert keys_of([listed]) == [key for key in keys if key > after][:5]
    exactly = s3.list_objects_v2(Bucket=PRODUCTION_LOGS, StartAfter=keys[3], MaxKeys=1)
    assert keys_of([exactly]) == [keys[4]]


def test_folders_are_common_prefixes_and_count_as_keys(s3: Any):
    hours = s3.list_objects_v2(Bucket=PRODUCTION_LOGS, Prefix=DAY, Delimiter="/")
    assert [p["Prefix"] for p in hours["CommonPrefixes"]] == [f"{DAY}{hour:02}/" for hour in range(24)]
    assert "Contents" not in hours
    pages = list(
        s3.get_paginator("list_objects_v2").paginate(
            Bucket=PRODUCTION_LOGS, Prefix=DAY, Delimiter="/", PaginationConfig={"PageSize": 7}
        )
    )
    assert [len(page["CommonPrefixes"]) for page in pages] == [7, 7, 7, 3]
    morning = s3.list_objects_v2(Bucket=PRODUCTION_LOGS, Prefix=MORNING, Delimiter="/")
    assert [p["Prefix"] for p in morning["CommonPrefixes"]] == [f"{MORNING}data/"]
    assert len(morning["Contents"]) == 2


def test_a_prefix_without_keys_is_an_empty_list(s3: Any):
    listed = s3.list_objects_v2(Bucket=PRODUCTION_LOGS, Prefix=f"{FOLDER}2026/12/")
    assert (listed["KeyCount"], listed["IsTruncated"], "Contents" in listed) == (0, False, False)
    assert "Contents" not in s3.list_objects_v2(Bucket=PRODUCTION_LOGS, MaxKeys=0)


def test_listed_size_and_etag_are_those_of_the_content(s3: Any):
    for item in s3.list_objects_v2(Bucket=PRODUCTION_LOGS, Prefix=MORNING)["Contents"]:
        got = s3.get_object(Bucket=PRODUCTION_LOGS, Key=item["Key"])
        content = got["Body"].read()
        assert item["Size"] == len(content) == got["ContentLength"]
        assert item["ETag"] == got["ETag"] == f'"{md5(content).hexdigest()}"'
        assert item["LastModified"] == got["LastModified"]


def test_head_is_get_without_the_content(s3: Any, keys: list[str]):
    head = s3.head_object(Bucket=PRODUCTION_LOGS, Key=keys[0])
    got = s3.get_object(Bucket=PRODUCTION_LOGS, Key=keys[0])
    for name in ("ContentLength", "ETag", "LastModified", "ContentType"):
        assert head[name] == got[name]


def test_the_permission_check_is_empty(s3: Any, make_client: MakeClient):
    for bucket, folder, of_account in (
        (PRODUCTION_LOGS, FOLDER, s3),
        (
            RESEARCH_LOGS,
            f"AWSLogs/{RESEARCH}/BedrockModelInvocationLogs/us-east-1/",
            make_client("s3", RESEARCH),
        ),
    ):
        got = of_account.get_object(Bucket=bucket, Key=f"{folder}amazon-bedrock-logs-permission-check")
        assert got["Body"].read() == b""
        assert got["LastModified"] == datetime(2026, 1, 12, 9, tzinfo=UTC)


@pytest.mark.parametrize(
    ("asked", "part"),
    [
        ("bytes=10-19", slice(10, 20)),
        ("bytes=100-", slice(100, None)),
        ("bytes=-7", slice(-7, None)),
        ("bytes=0-99999999", slice(0, None)),
    ],
)
def test_a_range_is_a_part_of_the_content(s3: Any, keys: list[str], asked: str, part: slice):
    whole = s3.get_object(Bucket=PRODUCTION_LOGS, Key=keys[0])["Body"].read()
    got = s3.get_object(Bucket=PRODUCTION_LOGS, Key=keys[0], Range=asked)
    assert got["Body"].read() == whole[part]
    assert got["ResponseMetadata"]["HTTPStatusCode"] == 206
    assert got["ContentRange"].endswith(f"/{len(whole)}")


def test_a_range_behind_the_end_is_refused(s3: Any, keys: list[str]):
    with pytest.raises(ClientError) as refusal:
        s3.get_object(Bucket=PRODUCTION_LOGS, Key=keys[0], Range="bytes=99999999-")
    assert code_of(refusal) == "InvalidRange"


def test_a_known_etag_is_not_sent_again(s3: Any, keys: list[str]):
    tag = s3.head_object(Bucket=PRODUCTION_LOGS, Key=keys[0])["ETag"]
    with pytest.raises(ClientError) as same:
        s3.get_object(Bucket=PRODUCTION_LOGS, Key=keys[0], IfNoneMatch=tag)
    assert code_of(same) == "304"
    with pytest.raises(ClientError) as other:
        s3.get_object(Bucket=PRODUCTION_LOGS, Key=keys[0], IfMatch='"0"')
    assert code_of(other) == "PreconditionFailed"


def test_what_is_not_there_is_said(s3: Any):
    with pytest.raises(s3.exceptions.NoSuchKey):
        s3.get_object(Bucket=PRODUCTION_LOGS, Key=f"{FOLDER}nothing")
    with pytest.raises(ClientError) as head:
        s3.head_object(Bucket=PRODUCTION_LOGS, Key=f"{FOLDER}nothing")
    assert code_of(head) == "404"
    with pytest.raises(ClientError) as token:
        s3.list_objects_v2(Bucket=PRODUCTION_LOGS, ContinuationToken="é")
    assert code_of(token) == "InvalidArgument"


def test_a_bucket_belongs_to_one_account_and_cannot_be_written(s3: Any, sandbox: RunningSandbox, keys: list[str]):
    refused = (
        lambda: s3.list_objects_v2(Bucket=RESEARCH_LOGS),
        lambda: s3.put_object(Bucket=PRODUCTION_LOGS, Key="a", Body=b""),
        lambda: s3.delete_object(Bucket=PRODUCTION_LOGS, Key=keys[0]),
    )
    for call in refused:
        with pytest.raises(ClientError) as refusal:
            call()
        assert code_of(refusal) == "AccessDenied"
    with pytest.raises(HTTPError, match="403"):
        urlopen(f"{sandbox.endpoint_url}/{PRODUCTION_LOGS}/{keys[0]}")


def test_a_presigned_address_needs_no_more(sandbox: RunningSandbox, keys: list[str]):
    signer = own_client(sandbox, "s3", config=Config(signature_version="s3v4", s3={"addressing_style": "path"}))
    address = signer.generate_presigned_url("get_object", Params={"Bucket": PRODUCTION_LOGS, "Key": keys[0]})
    with urlopen(address) as answer:
        assert records_in(answer.read())


def test_the_bucket_itself_is_motos(s3: Any):
    assert PRODUCTION_LOGS in {bucket["Name"] for bucket in s3.list_buckets()["Buckets"]}
    assert s3.head_bucket(Bucket=PRODUCTION_LOGS)["ResponseMetadata"]["HTTPStatusCode"] == 200
    assert s3.get_bucket_location(Bucket=PRODUCTION_LOGS)["LocationConstraint"] is None


def test_obstore_lists_and_gets(sandbox: RunningSandbox, keys: list[str]):
    store = obstore_of(sandbox)
    listed = [item for batch in obstore.list(store, prefix="bedrock") for item in batch]
    assert [item["path"] for item in listed] == keys
    for item in listed[:10]:
        got = obstore.get(store, item["path"])
        assert (got.meta["size"], got.meta["e_tag"]) == (item["size"], item["e_tag"])
        assert len(got.bytes()) == item["size"]
    assert obstore.head(store, keys[0])["size"] == listed[0]["size"]
    assert len(obstore.get_range(store, keys[0], start=5, end=25)) == 20
    hours = obstore.list_with_delimiter(store, DAY.rstrip("/"))
    assert len(hours["common_prefixes"]) == 24
    after = [item for batch in obstore.list(store, prefix="bedrock", offset=keys[5]) for item in batch]
    assert [item["path"] for item in after] == keys[6:]


def test_obstore_sees_a_throttle_as_a_busy_server(sandbox: RunningSandbox, keys: list[str]):
    sandbox.set_faults(["throttled:s3:1"])
    store = obstore_of(sandbox)
    with pytest.raises(Exception, match="503"):
        obstore.head(store, keys[0])
    assert obstore.head(store, keys[0])["path"] == keys[0]


def test_a_damaged_file_is_another_file_until_it_is_mended(s3: Any, sandbox: RunningSandbox):
    bucket = sandbox.data.log_store.buckets[PRODUCTION_LOGS]
    truncated, malformed = bucket.damaged["truncated_log"], bucket.damaged["malformed_log_line"]

    def listed() -> Mapping[str, tuple[int, str]]:
        pages = s3.get_paginator("list_objects_v2").paginate(Bucket=PRODUCTION_LOGS, Prefix=FOLDER)
        return {item["Key"]: (item["Size"], item["ETag"]) for page in pages for item in page["Contents"]}

    whole = listed()
    sandbox.set_faults(["truncated_log", "malformed_log_line"])
    damaged = listed()
    assert {key for key in whole if whole[key] != damaged[key]} == {truncated, malformed}
    content = s3.get_object(Bucket=PRODUCTION_LOGS, Key=truncated)["Body"].read()
    assert len(content) == damaged[truncated][0] < whole[truncated][0]
    with pytest.raises(EOFError):
        gzip.decompress(content)
    lines = gzip.decompress(s3.get_object(Bucket=PRODUCTION_LOGS, Key=malformed)["Body"].read()).decode().split("\n")
    broken = [number for number, line in enumerate(lines[:-1]) if not is_json(line)]
    assert broken == [(len(lines) - 1) // 2]
    sandbox.set_faults([])
    assert listed() == whole


def is_json(text: str) -> bool:
    try:
        json.loads(text)
    except ValueError:
        return False
    return True


def test_damage_is_planned_for_yesterday_morning(sandbox: RunningSandbox):
    damaged = sandbox.data.log_store.buckets[PRODUCTION_LOGS].damaged
    assert {fault: key.removeprefix(FOLDER)[:13] for fault, key in damaged.items()} == {
        "truncated_log": "2026/11/14/09",
        "malformed_log_line": "2026/11/14/11",
    }


def test_some_files_are_of_two_gzip_members(sandbox: RunningSandbox):
    store = sandbox.data.log_store
    bucket = store.buckets[PRODUCTION_LOGS]
    member = gzip.compress(b"", 1, mtime=0)[:4]
    counts = [store.content(bucket, made.key).count(member) for made in files_of(bucket)]
    assert 1 <= sum(count > 1 for count in counts) < len(counts) / 4


def test_only_so_much_content_is_kept_in_memory(two_days: AccountData, monkeypatch: pytest.MonkeyPatch):
    monkeypatch.setattr(log_objects, "MOST_CACHED_BYTES", 500_000)
    data = two_days
    store = LogStore(data.requests, data.log_plan, data.log_writer, data.options)
    bucket = store.buckets[PRODUCTION_LOGS]
    sizes = [store.identity(bucket, key).size for key in bucket.objects]
    assert sum(sizes) > 2_000_000
    assert 400_000 < store.cached_bytes <= 500_000
    assert [len(store.content(bucket, key)) for key in bucket.objects] == sizes


def test_lists_have_only_what_the_service_model_knows(s3: Any):
    raw: list[bytes] = []
    s3.meta.events.register("before-parse", lambda response_dict, **_: raw.append(response_dict["body"]))
    model = s3.meta.service_model
    for operation, call in (("ListObjectsV2", s3.list_objects_v2), ("ListObjects", s3.list_objects)):
        call(Bucket=PRODUCTION_LOGS, Prefix=MORNING, Delimiter="/", MaxKeys=1)
        problems = unknown_elements(ElementTree.fromstring(raw.pop()), model.operation_model(operation).output_shape)
        assert problems == []


def unknown_elements(element: ElementTree.Element, shape: Shape) -> list[str]:
    """The names of elements that the shape has no member for."""
    if isinstance(shape, ListShape):
        shape = shape.member
    if not isinstance(shape, StructureShape):
        return []
    members = {member.serialization.get("name", name): member for name, member in shape.members.items()}
    problems: list[str] = []
    for child in element:
        name = child.tag.rpartition("}")[2]
        problems += unknown_elements(child, members[name]) if name in members else [name]
    return problems
