"""A plain reader of invocation logs for these tests: gzip, json, and the fields by the book."""

import gzip
import json
from collections.abc import Iterator
from typing import Any

from usage_pipeline.sandbox.account_data import AccountData
from usage_pipeline.sandbox.log_events import MOST_EVENTS, EventSearch, LogGroup
from usage_pipeline.sandbox.log_objects import LogBucket, LogObject

Record = dict[str, Any]

PRODUCTION_LOGS, RESEARCH_LOGS = "production-bedrock-logs", "research-bedrock-logs"
TOKYO = ("111122223333", "ap-northeast-1")


def records_in(content: bytes) -> list[Record]:
    """The records of a file."""
    lines = gzip.decompress(content).decode().split("\n")
    assert lines.pop() == ""
    return [json.loads(line) for line in lines]


def files_of(bucket: LogBucket) -> list[LogObject]:
    """The objects with records, in the order of their keys."""
    return [made for made in bucket.objects.values() if len(made.rows) and not made.part]


def s3_records(data: AccountData, bucket_name: str) -> Iterator[tuple[str, Record]]:
    """Key and record, for all records of a bucket."""
    bucket = data.log_store.buckets[bucket_name]
    for made in files_of(bucket):
        for record in records_in(data.log_store.content(bucket, made.key)):
            yield made.key, record


def events_of(group: LogGroup) -> list[dict[str, Any]]:
    """All events of a log group, over all pages."""
    events: list[dict[str, Any]] = []
    token: str | None = None
    while True:
        page = group.search(EventSearch(group.name, 0, 2**53, MOST_EVENTS, token))
        events += page.events
        token = page.next_token
        if token is None:
            return events


def all_records(data: AccountData, but: str | None = None) -> Iterator[Record]:
    """Every record of the organisation, those that were delivered twice twice; without those of one bucket, if told."""
    for name in data.log_store.buckets:
        if name != but:
            yield from (record for _, record in s3_records(data, name))
    for group in data.log_groups.values():
        yield from (json.loads(event["message"]) for event in events_of(group))


def answer_of(record: Record) -> Any:
    """The part of an answer that holds usage, metrics and the reason of its end: an object or a list of chunks."""
    body = record["output"].get("outputBodyJson")
    if isinstance(body, dict) and "stopReason" in body.get("output", {}):
        return body["output"]
    return body


def facts_of(record: Record) -> dict[str, Any]:
    """What a record says about the numbers of its call; None where it does not say."""
    sent, got = record["input"], record["output"]
    return {
        "request_id": record["requestId"],
        "principal_arn": record["identity"]["arn"],
        "error_code": record.get("errorCode"),
        "input_tokens": sent.get("inputTokenCount"),
        "output_tokens": got.get("outputTokenCount"),
        "cache_read_tokens": sent.get("cacheReadInputTokenCount"),
        "cache_write_tokens": sent.get("cacheWriteInputTokenCount"),
        **_lifetimes(answer_of(record)),
        "max_tokens": _max_tokens(sent.get("inputBodyJson")),
        **_times(answer_of(record)),
        "service_tier": _tier(sent.get("inputBodyJson"), answer_of(record)),
    }


def _usage(answer: Any) -> dict[str, Any]:
    if isinstance(answer, list):
        return answer[0]["message"]["usage"]
    return (answer or {}).get("usage") or {}


def _lifetimes(answer: Any) -> dict[str, int | None]:
    usage = _usage(answer)
    if "cacheDetails" in usage:
        split = {detail["ttl"]: detail["inputTokens"] for detail in usage["cacheDetails"]}
        return {"cache_write_5m_tokens": split.get("5m", 0), "cache_write_1h_tokens": split.get("1h", 0)}
    created = usage.get("cache_creation", {})
    return {
        "cache_write_5m_tokens": created.get("ephemeral_5m_input_tokens"),
        "cache_write_1h_tokens": created.get("ephemeral_1h_input_tokens"),
    }


def _max_tokens(body: Any) -> int | None:
    places = {**(body or {}), **(body or {}).get("inferenceConfig", {})}
    names = ("maxTokens", "max_new_tokens", "max_tokens", "max_gen_len")
    return next((places[name] for name in names if name in places), None)


def _times(answer: Any) -> dict[str, int | None]:
    if isinstance(answer, list):
        metrics = answer[-1]["amazon-bedrock-invocationMetrics"]
        return {"latency_ms": metrics["invocationLatency"], "ttft_ms": metrics["firstByteLatency"]}
    return {"latency_ms": (answer or {}).get("metrics", {}).get("latencyMs"), "ttft_ms": None}


def _tier(body: Any, answer: Any) -> str | None:
    if _usage(answer).get("service_tier") == "standard":
        return "default"
    asked = (body or {}).get("service_tier") or (body or {}).get("serviceTier", {}).get("type")
    got = answer.get("serviceTier", {}).get("type") if isinstance(answer, dict) else None
    assert got in (None, asked) or body is None
    return asked or got
