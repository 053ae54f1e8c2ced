"""What only bodies say about a request: the `max_tokens` asked for, why it ended, how long it took, cache lifetimes.

Here: which field of which body wins. Not here: the shapes (`records.py`), totals of tokens: those are always the
record's own counts.
"""

import re
from collections.abc import Sequence
from functools import lru_cache
from typing import NamedTuple

from usage_pipeline.invocation_logs.records import (
    AnswerBody,
    AnswerPart,
    CacheWrite,
    Ending,
    LogRecord,
    RequestBody,
    Tier,
    Timing,
    TokenLimits,
    Usage,
)

_STOP_REASON = re.compile(r"[A-Za-z][A-Za-z_]{0,39}")
"""One word, as every provider writes it. Longer text in the place of a reason could be part of an answer."""

_SERVICE_TIERS = {
    "default": "default",
    "standard": "default",  # Anthropic's word for it
    "flex": "flex",
    "priority": "priority",
    "batch": "batch",
    "reserved": "reserved",
}


class BodyFacts(NamedTuple):
    """One value per column of `raw.invocations` that bodies fill; None where they do not say."""

    max_tokens: int | None = None
    stop_reason: str | None = None
    latency_ms: float | None = None
    ttft_ms: float | None = None
    cache_write_5m_tokens: int | None = None
    cache_write_1h_tokens: int | None = None
    service_tier: str | None = None


NO_FACTS = BodyFacts()
"""What a record without bodies says."""

_NOTHING = AnswerBody()
_TEXT_ONLY = AnswerBody(delta=AnswerPart())
"""What is left of the most frequent chunk of a stream."""

_NO_PART = AnswerPart()


def body_facts(record: LogRecord) -> BodyFacts:
    """Collect what the bodies of one record say. Unknown is None, also a latency of 0."""
    request = record.input.body if record.input is not None else None
    answer = record.output.body if record.output is not None else None
    if request is None and answer is None and record.service_tier is None:
        return NO_FACTS
    findings = _Findings()
    if type(answer) is AnswerBody:
        findings.read(answer)
    elif type(answer) is list:
        for chunk in answer:
            if chunk not in (_TEXT_ONLY, _NOTHING):
                findings.read(chunk)
    tier = findings.service_tier or _tier(record.service_tier)
    max_tokens = None
    if type(request) is RequestBody:
        max_tokens = _max_tokens(request)
        tier = tier or _tier(request.service_tier) or _tier(request.service_tier_converse)
    return BodyFacts(
        max_tokens,
        findings.stop_reason,
        findings.latency_ms,
        findings.ttft_ms,
        findings.cache_write_5m_tokens,
        findings.cache_write_1h_tokens,
        tier,
    )


def _max_tokens(body: RequestBody) -> int | None:
    """The limit in the place of each API and provider; a request has one of them."""
    for settings in (body.inference_config, body.text_generation_config, body.parameters):
        if type(settings) is TokenLimits:
            limit = _first(settings.max_tokens_converse, settings.max_new_tokens, settings.max_token_count)
            if limit is not None:
                return limit
    if body.max_tokens is not None:
        return body.max_tokens
    return _first(
        body.max_completion_tokens,
        body.max_output_tokens,
        body.max_tokens_to_sample,
        body.max_gen_len,
        body.max_new_tokens,
        body.max_tokens_camel,
        body.max_output_tokens_camel,
    )


def _first(*limits: int | None) -> int | None:
    return next((limit for limit in limits if limit is not None), None)


def _tier(value: Tier | str | None) -> str | None:
    if value is None:
        return None
    name = value.type if isinstance(value, Tier) else value
    return _SERVICE_TIERS.get(name.lower()) if name else None


@lru_cache(maxsize=256)
def _known_reason(text: str | None) -> str | None:
    return text if text is not None and _STOP_REASON.fullmatch(text) else None


class _Findings:
    """What the parts of an answer said so far; a later part overrides an earlier one, as in a stream.

    Every request passes here, so fields are looked at one by one instead of in loops over them.
    """

    __slots__ = (
        "cache_write_1h_tokens",
        "cache_write_5m_tokens",
        "latency_ms",
        "service_tier",
        "stop_reason",
        "ttft_ms",
    )

    def __init__(self) -> None:
        self.stop_reason: str | None = None
        self.latency_ms: float | None = None
        self.ttft_ms: float | None = None
        self.cache_write_5m_tokens: int | None = None
        self.cache_write_1h_tokens: int | None = None
        self.service_tier: str | None = None

    def read(self, answer: AnswerBody) -> None:
        """Take what an answer and its parts, or a chunk and its parts, say."""
        self._read_part(answer)
        if answer.invocation_metrics is not None:
            self._read_timing(answer.invocation_metrics)
        if self.stop_reason is None:
            self.stop_reason = _known_reason(_reason_elsewhere(answer))
        parts = (answer.output, answer.message, answer.delta, answer.message_stop, answer.metadata, answer.response)
        for part in parts:
            if type(part) is AnswerPart and part != _NO_PART:
                self._read_part(part)

    def _read_part(self, part: AnswerPart) -> None:
        if part.usage is not None:
            self._read_usage(part.usage)
        if part.metrics is not None:
            self._read_timing(part.metrics)
        reason = part.stop_reason_converse or part.stop_reason or part.finish_reason
        if reason is None and part.incomplete_details is not None:
            reason = part.incomplete_details.reason
        if reason is not None:
            self.stop_reason = _known_reason(reason) or self.stop_reason
        if part.service_tier is not None or part.service_tier_converse is not None:
            self.service_tier = _tier(part.service_tier) or _tier(part.service_tier_converse) or self.service_tier

    def _read_timing(self, timing: Timing) -> None:
        # No request takes 0 ms: that is a duration which was not measured.
        latency = timing.latency if timing.latency_converse is None else timing.latency_converse
        if latency is not None and latency > 0:
            self.latency_ms = latency
        if timing.first_byte is not None and timing.first_byte > 0:
            self.ttft_ms = timing.first_byte

    def _read_usage(self, usage: Usage) -> None:
        if usage.service_tier is not None:
            self.service_tier = _tier(usage.service_tier) or self.service_tier
        created = usage.cache_creation
        if created is not None and (created.five_minutes is not None or created.one_hour is not None):
            self.cache_write_5m_tokens = created.five_minutes or 0
            self.cache_write_1h_tokens = created.one_hour or 0
        if usage.cache_details:
            self._read_cache_details(usage.cache_details)

    def _read_cache_details(self, details: Sequence[CacheWrite]) -> None:
        """Sum by lifetime; a lifetime that has no column means that the split is not known."""
        five_minutes = one_hour = 0
        for detail in details:
            if detail.ttl == "5m" and detail.input_tokens is not None:
                five_minutes += detail.input_tokens
            elif detail.ttl == "1h" and detail.input_tokens is not None:
                one_hour += detail.input_tokens
            else:
                return
        self.cache_write_5m_tokens, self.cache_write_1h_tokens = five_minutes, one_hour


def _reason_elsewhere(answer: AnswerBody) -> str | None:
    """The reason in the place of providers that put it elsewhere than most."""
    if answer.completion_reason is not None:
        return answer.completion_reason
    if answer.finish_reason_camel is not None:
        return _reason_text(answer.finish_reason_camel)
    for alternatives in (answer.choices, answer.results, answer.outputs, answer.generations, answer.completions):
        if alternatives:
            reason = next((reason for reason in map(_ending, alternatives) if reason is not None), None)
            if reason is not None:
                return reason
    return None


def _ending(alternative: Ending) -> str | None:
    return (
        alternative.stop_reason
        or alternative.finish_reason
        or alternative.completion_reason
        or _reason_text(alternative.finish_reason_camel)
    )


def _reason_text(value: Ending | str | None) -> str | None:
    return value.reason if isinstance(value, Ending) else value
