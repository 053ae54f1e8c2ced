"""What is decoded of a log record: the fields that a row needs, typed; everything else is skipped, never built.

Here: the shapes of the record, of request bodies and of answer bodies, of every provider. A body's text, messages and
images have no field here, so they never leave the bytes. Not here: which field wins (`body_facts.py`), records that do
not fit these types (`tolerant.py`).

Sources of the shapes: AWS's user guide for model invocation logging, the Converse API, and the providers' request and
response bodies, autumn 2026.
"""

import datetime as dt
from typing import Annotated, Literal

from msgspec import Meta, Struct, field

from usage_pipeline.log_files.coercion import LARGEST_COUNT

Count = Annotated[int, Meta(ge=0, le=LARGEST_COUNT)]
"""Tokens or images."""

Name = Annotated[str, Meta(min_length=1)]


class Skipped(Struct, gc=False):
    """An object of which nothing is read."""


# A part of a body that some providers fill with an object and others with text or a list.
_Other = list[Skipped | str | float | bool | None] | str | float | bool | None


class TokenLimits(Struct, gc=False):
    """`inferenceConfig`, `textGenerationConfig` or `parameters` of a request: where its `max_tokens` may live."""

    max_tokens_converse: Count | None = field(name="maxTokens", default=None)
    max_new_tokens: Count | None = None
    max_token_count: Count | None = field(name="maxTokenCount", default=None)


class Tier(Struct, gc=False):
    """Converse's `serviceTier`."""

    type: str | None = None


class RequestBody(Struct, gc=False):
    """`input.inputBodyJson`."""

    inference_config: TokenLimits | None = field(name="inferenceConfig", default=None)
    max_tokens: Count | None = None
    max_completion_tokens: Count | None = None
    max_output_tokens: Count | None = None
    max_tokens_to_sample: Count | None = None
    max_gen_len: Count | None = None
    max_new_tokens: Count | None = None
    max_tokens_camel: Count | None = field(name="maxTokens", default=None)
    max_output_tokens_camel: Count | None = field(name="maxOutputTokens", default=None)
    text_generation_config: TokenLimits | None = field(name="textGenerationConfig", default=None)
    parameters: TokenLimits | _Other = None
    service_tier: str | None = None
    service_tier_converse: Tier | str | None = field(name="serviceTier", default=None)


class CacheWrite(Struct, gc=False):
    """One entry of Converse's `usage.cacheDetails`."""

    ttl: str | None = None
    input_tokens: Count | None = field(name="inputTokens", default=None)


class CacheCreation(Struct, gc=False):
    """Anthropic's `usage.cache_creation`."""

    five_minutes: Count | None = field(name="ephemeral_5m_input_tokens", default=None)
    one_hour: Count | None = field(name="ephemeral_1h_input_tokens", default=None)


class Usage(Struct, gc=False):
    """`usage` of an answer; its token totals are not read, the record's own counts are."""

    cache_details: list[CacheWrite] | None = field(name="cacheDetails", default=None)
    cache_creation: CacheCreation | None = None
    service_tier: str | None = None


class Timing(Struct, gc=False):
    """Converse's `metrics` or a stream's `amazon-bedrock-invocationMetrics`; milliseconds."""

    latency_converse: float | None = field(name="latencyMs", default=None)
    latency: float | None = field(name="invocationLatency", default=None)
    first_byte: float | None = field(name="firstByteLatency", default=None)


class Ending(Struct, gc=False):
    """One of an answer's alternatives (`choices`, `results`, …) or a reason object: why it ended."""

    stop_reason: str | None = None
    finish_reason: str | None = None
    completion_reason: str | None = field(name="completionReason", default=None)
    finish_reason_camel: "Ending | str | None" = field(name="finishReason", default=None)
    reason: str | None = None


class AnswerPart(Struct, gc=False):
    """A part of an answer that may say something: `output`, `message`, `delta`, `metadata`, …, of any provider."""

    usage: Usage | None = None
    metrics: Timing | None = None
    stop_reason_converse: str | None = field(name="stopReason", default=None)
    stop_reason: str | None = None
    finish_reason: str | None = None
    incomplete_details: Ending | None = None
    service_tier: str | None = None
    service_tier_converse: Tier | str | None = field(name="serviceTier", default=None)


class AnswerBody(AnswerPart, gc=False):
    """`output.outputBodyJson`, or one chunk of a stream."""

    invocation_metrics: Timing | None = field(name="amazon-bedrock-invocationMetrics", default=None)
    completion_reason: str | None = field(name="completionReason", default=None)
    finish_reason_camel: Ending | str | None = field(name="finishReason", default=None)
    choices: list[Ending] | None = None
    results: list[Ending] | None = None
    outputs: list[Ending] | None = None
    generations: list[Ending] | None = None
    completions: list[Ending] | None = None
    output: AnswerPart | _Other = None
    message: AnswerPart | _Other = None
    delta: AnswerPart | _Other = None
    message_stop: AnswerPart | _Other = field(name="messageStop", default=None)
    metadata: AnswerPart | _Other = None
    response: AnswerPart | _Other = None


class Input(Struct, gc=False):
    """`input` of a record; empty for a request that failed."""

    tokens: Count | None = field(name="inputTokenCount", default=None)
    cache_read_tokens: Count | None = field(name="cacheReadInputTokenCount", default=None)
    cache_write_tokens: Count | None = field(name="cacheWriteInputTokenCount", default=None)
    body: RequestBody | _Other = field(name="inputBodyJson", default=None)


class Output(Struct, gc=False):
    """`output` of a record; empty for a request that failed."""

    tokens: Count | None = field(name="outputTokenCount", default=None)
    images: Count | None = field(name="outputImageCount", default=None)
    body: AnswerBody | list[AnswerBody] | str | float | bool | None = field(name="outputBodyJson", default=None)


class Identity(Struct, gc=False):
    """Who called."""

    arn: str | None = None


class LogRecord(Struct, gc=False):
    """One request in a model invocation log. What has no default is what a row cannot be without."""

    timestamp: dt.datetime
    account_id: Name = field(name="accountId")
    region: Name
    request_id: Name = field(name="requestId")
    model_id: Name = field(name="modelId")
    operation: str | None = None
    request_metadata: dict[str, str | None] | None = field(name="requestMetadata", default=None)
    input: Input | None = None
    output: Output | None = None
    identity: Identity | None = None
    inference_region: str | None = field(name="inferenceRegion", default=None)
    error_code: str | None = field(name="errorCode", default=None)
    service_tier: Tier | str | None = field(name="serviceTier", default=None)
    schema_type: Literal["ModelInvocationLog"] | None = field(name="schemaType", default=None)
