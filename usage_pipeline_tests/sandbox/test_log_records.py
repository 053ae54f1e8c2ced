"""The logs are derived from the requests, and the truth of them too, on different ways: they must meet."""

import gzip
import json
import re
from collections import Counter
from datetime import datetime
from pathlib import Path
from typing import Any

import duckdb
import numpy as np
import pyarrow as pa
import pytest

from usage_pipeline.sandbox import MARKER, RunningSandbox, SandboxOptions
from usage_pipeline.sandbox.account_data import AccountData, build_account_data
from usage_pipeline.sandbox.log_records import model_names
from usage_pipeline.sandbox.traffic import THROTTLED
from usage_pipeline_tests.sandbox.conftest import END, OPTIONS
from usage_pipeline_tests.sandbox.log_reading import (
    PRODUCTION_LOGS,
    RESEARCH_LOGS,
    TOKYO,
    Record,
    all_records,
    events_of,
    facts_of,
    files_of,
    s3_records,
)


@pytest.fixture(scope="module")
def production(two_days: AccountData) -> list[tuple[str, Record]]:
    """Key and record of the first account's bucket; it holds most of all records."""
    return list(s3_records(two_days, PRODUCTION_LOGS))


@pytest.fixture(scope="module")
def records(two_days: AccountData, production: list[tuple[str, Record]]) -> list[Record]:
    return [*(record for _, record in production), *all_records(two_days, but=PRODUCTION_LOGS)]


def scalar(connection: duckdb.DuckDBPyConnection, sql: str) -> Any:
    row = connection.execute(sql).fetchone()
    assert row is not None
    return row[0]


def test_every_number_of_every_logged_request_is_the_truths(truth: duckdb.DuckDBPyConnection, records: list[Record]):
    logged = pa.Table.from_pylist([facts_of(record) for record in records])
    columns = ", ".join(logged.column_names)
    truth.register("logged", logged)
    assert scalar(truth, "select count(*) from truth.invocations") > 25_000
    for part in ("from logged except", "from truth.invocations except"):
        other = "truth.invocations" if "logged" in part else "logged"
        row = truth.execute(f"select {columns} {part} select {columns} from {other} limit 1").fetchall()
        assert row == []


def test_every_request_that_is_logged_has_a_record_and_no_other(
    truth: duckdb.DuckDBPyConnection, records: list[Record]
):
    rows = truth.execute(
        "select request_id, 1 + (delivered_again_at is not null)::int from truth.requests where is_logged"
    )
    assert Counter(record["requestId"] for record in records) == dict(rows.fetchall())


def test_records_name_time_scope_operation_and_metadata(truth: duckdb.DuckDBPyConnection, records: list[Record]):
    rows = truth.execute(
        "select request_id, strftime(ts, '%Y-%m-%dT%H:%M:%SZ'), account_id, region, operation, request_metadata, "
        "logged_model_id, inference_region from truth.invocations"
    ).fetchall()
    expected = {row[0]: row[1:] for row in rows}
    for record in records:
        assert expected[record["requestId"]] == (
            record["timestamp"],
            record["accountId"],
            record["region"],
            record["operation"],
            record.get("requestMetadata"),
            record["modelId"],
            record.get("inferenceRegion"),
        )
        assert (record["schemaType"], record["schemaVersion"]) == ("ModelInvocationLog", "1.0")


def test_everything_but_throttles_is_logged_where_logging_is_on(truth: duckdb.DuckDBPyConnection):
    rows = truth.execute(
        """
        select account_id, region, error_code is not distinct from 'ThrottlingException' as throttled, is_logged,
            log_destination
        from truth.requests
        group by all
        order by all
        """
    ).fetchall()
    assert rows == [
        ("111122223333", "ap-northeast-1", False, True, "cloudwatch_logs"),
        ("111122223333", "us-east-1", False, True, "s3"),
        ("111122223333", "us-east-1", True, False, None),
        ("444455556666", "eu-west-1", False, False, None),
        ("444455556666", "us-east-1", False, True, "s3"),
    ]


def test_throttled_attempts_are_logged_only_on_request(two_days: AccountData):
    quiet = two_days.log_plan.is_logged & (two_days.requests.error == THROTTLED)
    assert not quiet.any()
    loud = build_account_data(SandboxOptions(days=2, seed=7, end=END, logs_throttles=True))
    throttled = loud.requests.error == THROTTLED
    assert throttled.sum() > 1000
    assert loud.log_plan.is_logged[throttled].all()
    codes = Counter(record.get("errorCode") for _, record in s3_records(loud, PRODUCTION_LOGS))
    assert codes["ThrottlingException"] >= throttled.sum()
    assert len(loud.requests) == len(two_days.requests)


def test_failed_calls_have_a_code_and_no_counts(records: list[Record]):
    failed = [record for record in records if "errorCode" in record]
    assert {record["errorCode"] for record in failed} == {
        "ValidationException",
        "ModelTimeoutException",
        "InternalServerException",
    }
    assert {json.dumps(record["input"]) for record in failed} == {"{}", '{"inputContentType": "application/json"}'}
    assert all(record["output"] == {} for record in failed)


def test_answers_come_in_every_documented_shape(records: list[Record]):
    def shape(record: Record) -> str:
        body = record["output"].get("outputBodyJson")
        if body is None:
            return "in S3" if "outputBodyS3Path" in record["output"] else "left out"
        if isinstance(body, list):
            return "chunks"
        nested = "nested " if "stopReason" in body.get("output", {}) else ""
        return f"{nested}{record['operation']} {', '.join(sorted(body))}"

    shapes = Counter(shape(record) for record in records if "errorCode" not in record)
    assert set(shapes) == {
        "in S3",
        "left out",
        "chunks",
        "nested Converse output",
        "nested ConverseStream output",
        "Converse metrics, output, stopReason, usage",
        "Converse metrics, output, serviceTier, stopReason, usage",
        "ConverseStream metrics, output, stopReason, usage",
        "InvokeModel content, id, role, stop_reason, stop_sequence, type, usage",
        "InvokeModel output, stopReason, usage",
        "InvokeModel embedding, inputTextTokenCount",
        "InvokeModel outputs",
        "InvokeModel finish_reason, text",
        "InvokeModel generation, generation_token_count, prompt_token_count, stop_reason",
        "InvokeModel choices, object, usage",
    }


def test_models_are_named_by_id_and_by_every_arn(records: list[Record]):
    def form(name: str) -> str:
        return name.split(":", 5)[5].partition("/")[0] if name.startswith("arn:") else "id"

    assert {form(record["modelId"]) for record in records} == {
        "id",
        "foundation-model",
        "inference-profile",
        "application-inference-profile",
        "custom-model-deployment",
        "imported-model",
    }


def test_an_application_profile_is_named_by_its_arn_or_its_bare_id(two_days: AccountData):
    caller = next(c for c in two_days.requests.callers if c.called.kind == "application")
    arn, bare = model_names(caller)
    assert arn == f"arn:aws:bedrock:us-east-1:111122223333:application-inference-profile/{bare}"
    assert bare == caller.called.model_ref


def test_one_role_has_a_thousand_sessions(month: AccountData):
    sessions = {p.session_name for p in month.principals.known if p.role_or_user == "router-BedrockRole"}
    assert len(sessions) > 1000


def test_every_body_with_words_holds_the_marker(records: list[Record]):
    bodies = [
        json.dumps(body)
        for record in records
        for body in (record["input"].get("inputBodyJson"), record["output"].get("outputBodyJson"))
        if body is not None and "embedding" not in body
    ]
    assert len(bodies) > 50_000
    assert all(MARKER in body for body in bodies)


def test_nothing_but_bodies_holds_the_marker(records: list[Record]):
    for record in records:
        record = {**record, "input": {**record["input"]}, "output": {**record["output"]}}
        record["input"].pop("inputBodyJson", None)
        record["output"].pop("outputBodyJson", None)
        assert MARKER not in json.dumps(record)


def test_bodies_are_short_and_a_few_are_long(records: list[Record]):
    lengths = np.array([len(json.dumps(record["input"].get("inputBodyJson"))) for record in records])
    assert 150 < np.median(lengths) < 400
    assert 0.001 < (lengths > 5000).mean() < 0.01
    assert 50_000 < lengths.max() < 102_400


def test_a_body_that_is_too_large_is_an_object_beside_the_records(
    two_days: AccountData, production: list[tuple[str, Record]]
):
    bucket = two_days.log_store.buckets[PRODUCTION_LOGS]
    paths = {
        path
        for _, record in production
        for path in (record["input"].get("inputBodyS3Path"), record["output"].get("outputBodyS3Path"))
        if path
    }
    keys = {key for key in bucket.objects if "/data/" in key}
    assert paths == {f"s3://{PRODUCTION_LOGS}/{key}" for key in keys}
    assert {key.rpartition("_")[2] for key in keys} == {"input.json.gz", "output.json.gz"}
    for key in keys:
        body = gzip.decompress(two_days.log_store.content(bucket, key)).decode()
        assert len(body) > 100_000
        assert MARKER in json.dumps(json.loads(body))


def test_what_the_price_depends_on_is_always_told(truth: duckdb.DuckDBPyConnection):
    both = "from truth.requests as r join truth.invocations as i using (request_id) where r.error_code is null and"
    lost = f"select count(*) {both} r.cache_write_1h_tokens > 0 and i.cache_write_1h_tokens is null"
    assert scalar(truth, lost) == 0
    tiers = truth.execute(
        f"select r.service_tier, i.service_tier {both} r.service_tier in ('flex', 'priority') group by all order by all"
    ).fetchall()
    assert tiers == [("flex", "flex"), ("priority", "priority")]


def test_a_record_that_comes_twice_is_the_same_in_two_files(production: list[tuple[str, Record]]):
    seen: dict[str, list[tuple[str, Record]]] = {}
    for key, record in production:
        seen.setdefault(record["requestId"], []).append((key, record))
    twice = [found for found in seen.values() if len(found) > 1]
    assert len(twice) > 5
    for (first_key, first), (second_key, second) in twice:
        assert first_key != second_key
        assert first == second


@pytest.mark.parametrize("minutes", [15, 60, 3 * 1440])
def test_late_records_lie_in_the_folder_of_their_delivery(month: AccountData, minutes: int):
    plan, requests = month.log_plan, month.requests
    is_late = plan.is_logged & (plan.delivered_ms - requests.ts == minutes * 60_000) & (plan.again_ms == 0)
    found = 0
    for bucket in month.log_store.buckets.values():
        for made in files_of(bucket):
            for row in made.rows[is_late[made.rows]].tolist():
                hour = np.datetime64(int(plan.delivered_ms[row]), "ms").astype("datetime64[h]").item()
                assert f"/{hour:%Y/%m/%d/%H}/{hour:%Y%m%dT%H}" in made.key
                found += 1
    assert found > 100


def test_a_files_name_is_the_time_of_its_last_record(month: AccountData):
    for bucket in month.log_store.buckets.values():
        for made in files_of(bucket):
            stamp = np.datetime_as_string(np.datetime64(made.modified_ms, "ms"))
            assert made.key.rpartition("/")[2].partition("_")[0] == re.sub(r"[-:.]", "", f"{stamp}Z")
            delivered = np.where(month.log_plan.again_ms[made.rows] > 0, 0, month.log_plan.delivered_ms[made.rows])
            assert delivered.max() <= made.modified_ms
            assert len(made.rows) <= 2000


def test_all_that_is_not_late_is_there_before_the_end(two_days: AccountData):
    plan, requests = two_days.log_plan, two_days.requests
    end = int((END - datetime(1970, 1, 1)).total_seconds() * 1000)
    logged = plan.is_logged
    assert (plan.delivered_ms[logged] < end).all()
    assert (plan.delivered_ms[logged] > requests.ts[logged]).all()
    on_time = plan.delivered_ms[logged] - requests.ts[logged] < 60_000
    assert on_time.mean() > 0.995


def test_equal_options_give_equal_logs(two_days: AccountData):
    again = build_account_data(OPTIONS)
    for name, bucket in two_days.log_store.buckets.items():
        other = again.log_store.buckets[name]
        assert list(bucket.objects) == list(other.objects)
        # Backwards, so that what is kept in memory cannot matter.
        for key in reversed(list(bucket.objects)):
            assert two_days.log_store.content(bucket, key) == again.log_store.content(other, key)
    assert events_of(two_days.log_groups[TOKYO]) == events_of(again.log_groups[TOKYO])


def test_only_claude_keeps_a_cache_for_an_hour(two_days: AccountData):
    requests = two_days.requests
    callers = [requests.callers[number] for number in np.unique(requests.caller[requests.cache_write_1h > 0])]
    assert {caller.called.model_id.partition(".")[0] for caller in callers} == {"anthropic"}


def test_the_bucket_without_a_prefix_begins_with_awslogs(two_days: AccountData):
    assert all(
        key.startswith("bedrock/AWSLogs/111122223333/") for key in two_days.log_store.buckets[PRODUCTION_LOGS].objects
    )
    assert all(key.startswith("AWSLogs/444455556666/") for key in two_days.log_store.buckets[RESEARCH_LOGS].objects)


def test_log_objects_of_the_truth_are_those_of_the_buckets(
    truth: duckdb.DuckDBPyConnection, two_days: AccountData, records: list[Record]
):
    rows = truth.execute("select bucket, key, records, damaged_by from truth.log_objects").fetchall()
    others = truth.execute("select bucket, key from truth.q_developer_objects").fetchall()
    assert {row[:2] for row in rows} | set(others) == {
        (bucket.name, key) for bucket in two_days.log_store.buckets.values() for key in bucket.objects
    }
    assert {row[3] for row in rows} == {None, "truncated_log", "malformed_log_line"}
    in_s3 = sum(1 for record in records if record["region"] != "ap-northeast-1")
    assert sum(row[2] for row in rows) == in_s3
    first_files = scalar(
        truth, "select count(*) from truth.requests where log_key not in (select key from truth.log_objects)"
    )
    assert first_files == 0


def test_the_view_of_the_truth_works_where_the_file_is_attached(shared_sandbox: RunningSandbox, truth_file: Path):
    with duckdb.connect() as connection:
        connection.execute(f"attach '{truth_file}' as truth (read_only)")
        assert scalar(connection, "select count(*) from truth.invocations") > 25_000
