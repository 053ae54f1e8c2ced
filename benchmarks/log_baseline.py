"""The public baseline: the same rows of the same logs with nothing but `gzip` and `json`, one record after another.

Written as one would without thinking of speed, and as careful as the parser: a value of an odd type is unknown, a line
that is not JSON is set aside with its number and hash, a cache split that does not add up is not believed. Not here:
truncated and damaged objects, arrays, which the comparison does not need.
"""

import datetime as dt
import gzip
import hashlib
import json
from collections.abc import Iterator
from pathlib import Path
from typing import Any

from usage_pipeline.invocation_logs.model_ids import profile_id

MAX_TOKENS_PLACES = (
    ("inferenceConfig", "maxTokens"),
    ("inferenceConfig", "max_new_tokens"),
    ("textGenerationConfig", "maxTokenCount"),
    ("parameters", "max_new_tokens"),
    ("max_tokens",),
    ("max_completion_tokens",),
    ("max_output_tokens",),
    ("max_tokens_to_sample",),
    ("max_gen_len",),
    ("max_new_tokens",),
    ("maxTokens",),
    ("maxOutputTokens",),
)
INNER_PARTS = ("output", "message", "delta", "messageStop", "metadata", "response")
STOP_REASONS = ("stopReason", "stop_reason", "finish_reason", "completionReason", "finishReason", "reason")
REASON_OBJECTS = ("incomplete_details", "finishReason")
ALTERNATIVES = ("choices", "results", "outputs", "generations", "completions")
TIERS = {"default": "default", "standard": "default", "flex": "flex", "priority": "priority", "reserved": "reserved"}


def rows(path: Path, set_aside: list[tuple[int, str]]) -> Iterator[list[Any]]:
    """Rows of one gzip file, in the order of the columns of `raw.invocations`."""
    with gzip.open(path, "rb") as lines:
        for number, line in enumerate(lines, 1):
            try:
                yield row(json.loads(line))
            except (ValueError, KeyError):
                set_aside.append((number, hashlib.sha256(line).hexdigest()))


def row(record: dict[str, Any]) -> list[Any]:
    """The row of one record."""
    asked, answered = part(record.get("input")), part(record.get("output"))
    said = answer_facts(answered.get("outputBodyJson"))
    total, (short, long) = count(asked.get("cacheWriteInputTokenCount")), said["split"]
    if short is not None and total is None:
        total = short + long
    elif short is not None and total != short + long:
        short = long = None
    time = dt.datetime.fromisoformat(record["timestamp"])
    if time.tzinfo is not None:
        time = time.astimezone(dt.UTC).replace(tzinfo=None)
    metadata = part(record.get("requestMetadata"))
    request = part(asked.get("inputBodyJson"))
    return [
        time.date(),
        record["accountId"],
        record["region"],
        record["requestId"],
        time,
        text(record.get("operation")),
        record["modelId"],
        profile_id(record["modelId"]),
        text(record.get("inferenceRegion")),
        text(part(record.get("identity")).get("arn")),
        [(key, text(value)) for key, value in metadata.items()] or None,
        text(record.get("errorCode")),
        count(asked.get("inputTokenCount")),
        count(answered.get("outputTokenCount")),
        count(asked.get("cacheReadInputTokenCount")),
        total,
        short,
        long,
        count(answered.get("outputImageCount")),
        max_tokens(request),
        said["stop_reason"],
        said["latency"],
        said["ttft"],
        said["tier"] or tier(record) or tier(request),
    ]


def answer_facts(body: Any) -> dict[str, Any]:
    """What an answer says: of an object, or of the chunks of a stream, of which the last wins."""
    facts: dict[str, Any] = {"stop_reason": None, "latency": None, "ttft": None, "split": (None, None), "tier": None}
    for whole in body if isinstance(body, list) else [body]:
        for piece in (whole, *(part(whole).get(name) for name in INNER_PARTS)):
            if isinstance(piece, dict):
                add_facts(facts, piece)
    return facts


def add_facts(facts: dict[str, Any], piece: dict[str, Any]) -> None:
    """Add what one part says."""
    usage = part(piece.get("usage"))
    facts["tier"] = tier(piece) or tier(usage) or facts["tier"]
    facts["split"] = cache_split(usage) or facts["split"]
    facts["stop_reason"] = stop_reason(piece) or facts["stop_reason"]
    for timing in (part(piece.get("metrics")), part(piece.get("amazon-bedrock-invocationMetrics"))):
        facts["latency"] = number(timing.get("latencyMs", timing.get("invocationLatency"))) or facts["latency"]
        facts["ttft"] = number(timing.get("firstByteLatency")) or facts["ttft"]


def cache_split(usage: dict[str, Any]) -> tuple[int, int] | None:
    """Cache writes for five minutes and for an hour, where the usage splits them."""
    created = part(usage.get("cache_creation"))
    if created:
        return count(created.get("ephemeral_5m_input_tokens")) or 0, count(
            created.get("ephemeral_1h_input_tokens")
        ) or 0
    split = {"5m": 0, "1h": 0}
    details = usage.get("cacheDetails")
    for detail in details if isinstance(details, list) else ():
        split[detail["ttl"]] += detail["inputTokens"]
    return (split["5m"], split["1h"]) if details else None


def stop_reason(piece: dict[str, Any]) -> str | None:
    """Why the answer ended, in the place of each provider."""
    for name in STOP_REASONS:
        if text(piece.get(name)):
            return piece[name]
    for name in REASON_OBJECTS:
        if reason := text(part(piece.get(name)).get("reason")):
            return reason
    for name in ALTERNATIVES:
        alternatives = piece.get(name)
        for alternative in alternatives if isinstance(alternatives, list) else ():
            if isinstance(alternative, dict) and (reason := stop_reason(alternative)):
                return reason
    return None


def max_tokens(request: dict[str, Any]) -> int | None:
    """The limit in the place of each provider."""
    if request:
        for place in MAX_TOKENS_PLACES:
            value: Any = request
            for name in place:
                value = part(value).get(name)
            if count(value) is not None:
                return value
    return None


def tier(holder: dict[str, Any]) -> str | None:
    """The service tier."""
    value = holder.get("service_tier") or part(holder.get("serviceTier")).get("type")
    return TIERS.get(value) if isinstance(value, str) else None


def part(value: Any) -> dict[str, Any]:
    """An object, or an empty one in the place of anything else."""
    return value if isinstance(value, dict) else {}


def count(value: Any) -> int | None:
    """Tokens, or None in the place of anything else."""
    return value if isinstance(value, int) and not isinstance(value, bool) and 0 <= value < 2**63 else None


def number(value: Any) -> float | None:
    """Milliseconds, or None in the place of anything else."""
    return float(value) if isinstance(value, int | float) and value > 0 else None


def text(value: Any) -> str | None:
    """Text, or None in the place of anything else."""
    return value if isinstance(value, str) else None
