import datetime as dt
import hashlib

import pyarrow as pa
import pytest

from usage_pipeline.invocation_logs.parsing import parse_object
from usage_pipeline.invocation_logs.rows import INVOCATION_SCHEMA
from usage_pipeline.raw_tables import INVOCATIONS
from usage_pipeline.warehouse import arrow_schema
from usage_pipeline_tests.invocation_logs.log_text import KEY, gzipped, line, record


def test_rows_have_the_columns_of_the_warehouse_in_order() -> None:
    assert arrow_schema(INVOCATIONS).equals(INVOCATION_SCHEMA)


def test_every_field_of_a_record_is_in_its_row() -> None:
    value = record(
        timestamp="2026-11-01T23:59:59Z",
        modelId="arn:aws:bedrock:us-east-1:111122223333:application-inference-profile/abc123def456",
        requestMetadata={"team": "search", "environment": "prod"},
        input={
            "inputBodyJson": {"max_tokens": 4096},
            "inputTokenCount": 1200,
            "cacheReadInputTokenCount": 30,
            "cacheWriteInputTokenCount": 8000,
        },
        output={
            "outputBodyJson": {
                "stopReason": "end_turn",
                "metrics": {"latencyMs": 812.5},
                "amazon-bedrock-invocationMetrics": {"firstByteLatency": 99},
                "usage": {"cacheDetails": [{"ttl": "1h", "inputTokens": 2000}, {"ttl": "5m", "inputTokens": 6000}]},
                "serviceTier": {"type": "default"},
            },
            "outputTokenCount": 350,
            "outputImageCount": 2,
        },
        inferenceRegion="us-west-2",
        errorCode="ModelErrorException",
    )
    assert parse_object(gzipped([line(value)]), KEY).rows.to_pylist() == [
        {
            "usage_date": dt.date(2026, 11, 1),
            "account_id": "111122223333",
            "region": "us-east-1",
            "request_id": "7487ab04-734e-470b-8dfc-000000000001",
            "ts": dt.datetime(2026, 11, 1, 23, 59, 59),
            "operation": "Converse",
            "logged_model_id": "arn:aws:bedrock:us-east-1:111122223333:application-inference-profile/abc123def456",
            "profile_id": "abc123def456",
            "inference_region": "us-west-2",
            "principal_arn": "arn:aws:sts::111122223333:assumed-role/SearchApi/i-0abc",
            "request_metadata": [("team", "search"), ("environment", "prod")],
            "error_code": "ModelErrorException",
            "input_tokens": 1200,
            "output_tokens": 350,
            "cache_read_tokens": 30,
            "cache_write_tokens": 8000,
            "cache_write_5m_tokens": 6000,
            "cache_write_1h_tokens": 2000,
            "output_images": 2,
            "max_tokens": 4096,
            "stop_reason": "end_turn",
            "latency_ms": 812.5,
            "ttft_ms": 99.0,
            "service_tier": "default",
        }
    ]


@pytest.mark.parametrize(
    ("logged", "expected", "day"),
    [
        ("2026-11-01T23:59:59Z", "2026-11-01T23:59:59", "2026-11-01"),
        ("2026-11-01T23:59:59.123456789Z", "2026-11-01T23:59:59.123457", "2026-11-01"),
        ("2026-11-02T08:00:00+09:00", "2026-11-01T23:00:00", "2026-11-01"),
        ("2026-11-01T20:00:00-05:00", "2026-11-02T01:00:00", "2026-11-02"),
        ("2026-11-01T20:00:00", "2026-11-01T20:00:00", "2026-11-01"),
        ("2026-11-01 20:00:00 ", "2026-11-01T20:00:00", "2026-11-01"),
        ("20261101T200000Z", "2026-11-01T20:00:00", "2026-11-01"),
        ("1969-12-31T23:59:59Z", "1969-12-31T23:59:59", "1969-12-31"),
        ("0001-01-02T00:00:00+09:00", "0001-01-01T15:00:00", "0001-01-01"),
        ("9999-12-31T23:59:59Z", "9999-12-31T23:59:59", "9999-12-31"),
    ],
)
def test_times_are_utc_and_the_day_is_that_of_the_request(logged: str, expected: str, day: str) -> None:
    (row,) = parse_object(gzipped([line(record(timestamp=logged))]), KEY).rows.to_pylist()
    assert row["ts"] == dt.datetime.fromisoformat(expected)
    assert row["usage_date"] == dt.date.fromisoformat(day)


def test_times_before_the_first_and_after_the_last_day_do_not_raise() -> None:
    lines = [line(record(timestamp=text)) for text in ("0001-01-01T00:00:00+09:00", "9999-12-31T23:59:59-09:00")]
    assert parse_object(gzipped(lines), KEY).rows.num_rows == 2


def test_rows_without_metadata_keep_null_between_rows_that_have_some() -> None:
    lines = [
        line(record(n, requestMetadata=value)) for n, value in enumerate([{"a": "1"}, {}, None, {"b": "", "c": "3"}])
    ]
    rows = parse_object(gzipped(lines), KEY).rows
    assert rows.column("request_metadata").to_pylist() == [[("a", "1")], None, None, [("b", ""), ("c", "3")]]
    rows.validate(full=True)


def test_account_and_region_come_from_the_key_where_the_record_has_none() -> None:
    value = record(accountId=..., region=None)
    (row,) = parse_object(gzipped([line(value)]), KEY).rows.to_pylist()
    assert (row["account_id"], row["region"]) == ("111122223333", "us-east-1")
    parsed = parse_object(gzipped([line(value)]), "a log group")
    assert [record.reason for record in parsed.quarantined] == ["accountId is missing or unreadable"]


def test_the_account_and_region_of_the_record_win_over_those_of_the_key() -> None:
    value = record(accountId="444455556666", region="ap-northeast-1")
    (row,) = parse_object(gzipped([line(value)]), KEY).rows.to_pylist()
    assert (row["account_id"], row["region"]) == ("444455556666", "ap-northeast-1")


@pytest.mark.parametrize(
    ("fields", "reason"),
    [
        ({"requestId": ...}, "requestId is missing or unreadable"),
        ({"requestId": ""}, "requestId is missing or unreadable"),
        ({"requestId": {"a": 1}}, "requestId is missing or unreadable"),
        ({"modelId": None}, "modelId is missing or unreadable"),
        ({"timestamp": ...}, "timestamp is missing or unreadable"),
        ({"timestamp": "yesterday"}, "timestamp is missing or unreadable"),
        ({"timestamp": 1793491200}, "timestamp is missing or unreadable"),
        ({"schemaType": "KnowledgeBaseLog"}, "schemaType is not ModelInvocationLog"),
        ({"schemaType": "KnowledgeBaseLog", "operation": 7}, "schemaType is not ModelInvocationLog"),
    ],
)
def test_a_record_without_what_a_row_needs_is_set_aside(fields: dict[str, object], reason: str) -> None:
    broken = line(record(2, **fields))
    parsed = parse_object(gzipped([line(record(1)), broken, line(record(3))]), KEY)
    assert parsed.rows.num_rows == 2
    (only,) = parsed.quarantined
    assert (only.line_number, only.reason, only.record_hash) == (2, reason, hashlib.sha256(broken).hexdigest())
    assert parsed.is_complete


def test_an_object_without_records_has_no_rows_but_their_columns() -> None:
    assert parse_object(gzipped([]), KEY).rows.equals(pa.table([[]] * 24, schema=INVOCATION_SCHEMA))
