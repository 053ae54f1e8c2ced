"""What only bodies say about a request: the `max_tokens` asked for, why it ended, how long it took, cache lifetimes.

Here: which field of which body wins. Not here: the shapes (`records.py`), totals of tokens: those are always the
record's own counts.
"""

import re
from typing import NamedTuple

from usage_pipeline.invocation_logs.records import AnswerBody, Ending, LogRecord, RequestBody, Tier, TokenLimits, Usage

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

_NOTHING = AnswerBody()
_TEXT_ONLY = AnswerBody(delta=AnswerBody())
"""What is left of a chunk that carries only text, as most chunks of a stream do."""


def body_facts(record: LogRecord) -> BodyFacts:
    """Collect what the bodies of one record say. Unknown is None, also a latency of 0."""
    request = record.input.body if record.input else None
    answer = record.output.body if record.output else None
    if request is None and answer is None and record.service_tier is None:
        return NO_FACTS
    findings = _Findings()
    if type(answer) is AnswerBody:
        findings.read(answer)
    elif type(answer) is list:
        for chunk in answer:
            if chunk not in (_TEXT_ONLY, _NOTHING):
                findings.read(chunk)
    is_read = type(request) is RequestBody
    return BodyFacts(
        max_tokens=_max_tokens(request) if is_read else None,
        stop_reason=findings.stop_reason,
        latency_ms=findings.latency_ms,
        ttft_ms=findings.ttft_ms,
        cache_write_5m_tokens=findings.cache_write_5m_tokens,
        cache_write_1h_tokens=findings.cache_write_1h_tokens,
        service_tier=findings.service_tier
        or _tier(record.service_tier)
        or (_tier(request.service_tier) or _tier(request.service_tier_converse) if is_read else None),
    )


def _max_tokens(body: RequestBody) -> int | None:
    """The limit in the place of each API and provider; a request has one of them."""
    settings = (body.inference_config, body.text_generation_config, body.parameters)
    nested = [
        limit
        for part in settings
        if type(part) is TokenLimits
        for limit in (part.max_tokens_converse, part.max_new_tokens, part.max_token_count)
    ]
    places = (
        *nested,
        body.max_tokens,
        body.max_completion_tokens,
        body.max_output_tokens,
        body.max_tokens_to_sample,
        body.max_gen_len,
        body.max_new_tokens,
        body.max_tokens_camel,
        body.max_output_tokens_camel,
    )
    return next((limit for limit in places if limit is not None), None)


def _tier(value: Tier | str | None) -> str | None:
    name = value.type if isinstance(value, Tier) else value
    return _SERVICE_TIERS.get(name.lower()) if name else None


class _Findings:
    """What the parts of an answer said so far; a later part overrides an earlier one, as in a stream."""

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

    def read(self, part: AnswerBody) -> None:
        """Take what this part and the parts in it say."""
        if part.usage is not None:
            self._read_usage(part.usage)
        for timing in (part.metrics, part.invocation_metrics):
            if timing is not None:
                self.latency_ms = _known(timing.latency_converse) or _known(timing.latency) or self.latency_ms
                self.ttft_ms = _known(timing.first_byte) or self.ttft_ms
        reason = _stop_reason(part)
        if reason is not None and _STOP_REASON.fullmatch(reason):
            self.stop_reason = reason
        self.service_tier = _tier(part.service_tier) or _tier(part.service_tier_converse) or self.service_tier
        inner_parts = (part.output, part.message, part.delta, part.message_stop, part.metadata, part.response)
        for inner in inner_parts:
            if type(inner) is AnswerBody:
                self.read(inner)

    def _read_usage(self, usage: Usage) -> None:
        self.service_tier = _tier(usage.service_tier) or self.service_tier
        if usage.cache_creation is not None:
            created = usage.cache_creation
            if created.five_minutes is not None or created.one_hour is not None:
                self.cache_write_5m_tokens = created.five_minutes or 0
                self.cache_write_1h_tokens = created.one_hour or 0
        elif usage.cache_details:
            written = {"5m": 0, "1h": 0}
            for detail in usage.cache_details:
                if detail.ttl not in written or detail.input_tokens is None:
                    return
                written[detail.ttl] += detail.input_tokens
            self.cache_write_5m_tokens, self.cache_write_1h_tokens = written["5m"], written["1h"]


def _known(milliseconds: float | None) -> float | None:
    """No request takes 0 ms, so 0 is a duration that was not measured."""
    return milliseconds if milliseconds is not None and milliseconds > 0 else None


def _stop_reason(part: AnswerBody) -> str | None:
    reason = part.stop_reason_converse or part.stop_reason or part.finish_reason or part.completion_reason
    if reason is not None:
        return reason
    if part.incomplete_details is not None:
        return part.incomplete_details.reason
    for alternatives in (part.choices, part.results, part.outputs, part.generations, part.completions):
        for alternative in alternatives or ():
            reason = _ending(alternative)
            if reason is not None:
                return reason
    return None


def _ending(alternative: Ending) -> str | None:
    camel = alternative.finish_reason_camel
    return (
        alternative.stop_reason
        or alternative.finish_reason
        or alternative.completion_reason
        or (camel.reason if isinstance(camel, Ending) else camel)
    )
