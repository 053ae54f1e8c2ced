"""Request and answer bodies of a logged call, in the shape of each operation and provider.

Here: JSON texts of bodies, with MARKER in each that holds words. Not here: the record around them
(`log_records.py`), which call has a body (`log_plan.py`). Shapes: the API references of Bedrock and of the providers.
"""

import json
from collections.abc import Callable
from dataclasses import dataclass
from typing import Literal, NamedTuple

from usage_pipeline.sandbox.organisation import Caller, models

MARKER = "marker-of-words-that-nobody-may-keep"
"""Part of every prompt and answer, so that a test can look for it where no prompt or answer may be."""

BodyKind = Literal[
    "converse",
    "claude",
    "claude_stream",
    "nova",
    "titan_embedding",
    "cohere_embedding",
    "mistral",
    "cohere",
    "llama",
    "chat",
]

Bodies = tuple[str, str]
"""JSON of the request and of the answer."""


class Call(NamedTuple):
    """What the bodies of one answered call depend on; times in ms, `max_tokens` 0 where it is unset."""

    prompt: str
    answer: str
    max_tokens: int
    input_tokens: int
    output_tokens: int
    cache_read: int
    cache_write_5m: int
    cache_write_1h: int
    latency_ms: int
    ttft_ms: int
    tier: str
    shows_lifetimes: bool
    is_nested: bool
    is_truncated: bool
    variant: int


def body_kind(caller: Caller) -> BodyKind:
    """The shape of a caller's bodies."""
    if caller.operation.startswith("Converse"):
        return "converse"
    model = models().get(caller.called.model_id)
    maker = caller.called.model_id.partition(".")[0]
    if model and model.is_embedding:
        return "cohere_embedding" if maker == "cohere" else "titan_embedding"
    if maker == "anthropic":
        return "claude_stream" if caller.is_streaming else "claude"
    kinds: dict[str, BodyKind] = {"amazon": "nova", "mistral": "mistral", "cohere": "cohere", "writer": "chat"}
    return kinds.get(maker, "llama")


STOP_WORDS: dict[BodyKind, tuple[str, str] | None] = {
    "converse": ("end_turn", "max_tokens"),
    "claude": ("end_turn", "max_tokens"),
    "claude_stream": ("end_turn", "max_tokens"),
    "nova": ("end_turn", "max_tokens"),
    "mistral": ("stop", "length"),
    "cohere": ("COMPLETE", "MAX_TOKENS"),
    "llama": ("stop", "length"),
    "chat": ("stop", "length"),
    "titan_embedding": None,
    "cohere_embedding": None,
}
"""How an answer says that it ended by itself, and that it ended at max_tokens; None where it says nothing."""

TELLS_LATENCY: frozenset[BodyKind] = frozenset({"converse", "claude_stream"})
TELLS_TTFT: frozenset[BodyKind] = frozenset({"claude_stream"})
"""The kinds whose answers say how long they took, and how long to the first token."""


@dataclass(frozen=True)
class ToldTier:
    """The service tier that a caller's bodies tell, None where they tell none, and which of them does."""

    name: str | None
    by_request: bool = False
    by_answer: bool = False


def told_tier(caller: Caller) -> ToldTier:
    """The service tier that the bodies of a caller's calls tell."""
    kind = body_kind(caller)
    if kind in ("claude", "claude_stream"):
        return ToldTier("default", by_answer=True)
    if caller.service_tier in ("flex", "priority"):
        return ToldTier(caller.service_tier, True, kind == "converse" and caller.service_tier == "priority")
    return ToldTier(None)


def reports_cache(caller: Caller) -> bool:
    """Whether the caller's records carry cache counts; those of models without a prompt cache lack them."""
    model_id = caller.called.model_id
    return model_id.startswith("amazon.nova") or (caller.called.is_claude and "claude-3-haiku" not in model_id)


def reports_output(caller: Caller) -> bool:
    """Whether the caller's records count output tokens; those of embeddings do not."""
    model = models().get(caller.called.model_id)
    return not (model and model.is_embedding)


def bodies_of(kind: BodyKind, call: Call) -> Bodies:
    """The bodies of one answered call."""
    return _SHAPES[kind](call)


def _converse(call: Call) -> Bodies:
    limit = f'"maxTokens":{call.max_tokens},' if call.max_tokens else ""
    tier = f',"serviceTier":{{"type":"{call.tier}"}}' if call.tier in ("flex", "priority") else ""
    request = (
        f'{{"messages":[{{"role":"user","content":[{{"text":{call.prompt}}}]}}],'
        f'"inferenceConfig":{{{limit}"temperature":0.2}}{tier}}}'
    )
    told = (
        f'"stopReason":"{_stop("converse", call)}","metrics":{{"latencyMs":{call.latency_ms}}},'
        f'"usage":{_converse_usage(call)}'
    )
    if call.tier == "priority":
        told += tier
    message = f'"message":{{"role":"assistant","content":[{{"text":{call.answer}}}]}}'
    return request, f'{{"output":{{{message},{told}}}}}' if call.is_nested else f'{{"output":{{{message}}},{told}}}'


def _converse_usage(call: Call) -> str:
    writes = call.cache_write_5m + call.cache_write_1h
    total = call.input_tokens + call.output_tokens + call.cache_read + writes
    usage = f'"inputTokens":{call.input_tokens},"outputTokens":{call.output_tokens},"totalTokens":{total}'
    if call.cache_read + writes:
        usage += f',"cacheReadInputTokens":{call.cache_read},"cacheWriteInputTokens":{writes}'
    return f"{{{usage}{_cache_details(call)}}}"


def _cache_details(call: Call) -> str:
    if not call.shows_lifetimes:
        return ""
    parts = [("1h", call.cache_write_1h), ("5m", call.cache_write_5m)]
    details = ",".join(f'{{"ttl":"{ttl}","inputTokens":{tokens}}}' for ttl, tokens in parts if tokens)
    return f',"cacheDetails":[{details}]'


def _stop(kind: BodyKind, call: Call) -> str:
    words = STOP_WORDS[kind]
    return words[call.is_truncated] if words else ""


def _claude_request(call: Call) -> str:
    return (
        f'{{"anthropic_version":"bedrock-2023-05-31","max_tokens":{call.max_tokens},'
        f'"messages":[{{"role":"user","content":{call.prompt}}}]}}'
    )


def _claude_usage(call: Call, output_tokens: int) -> str:
    writes = call.cache_write_5m + call.cache_write_1h
    cache = (
        f'"cache_creation_input_tokens":{writes},"cache_read_input_tokens":{call.cache_read},"cache_creation":'
        f'{{"ephemeral_5m_input_tokens":{call.cache_write_5m},"ephemeral_1h_input_tokens":{call.cache_write_1h}}},'
    )
    return (
        f'{{"input_tokens":{call.input_tokens},{cache if call.shows_lifetimes else ""}'
        f'"output_tokens":{output_tokens},"service_tier":"standard"}}'
    )


def _claude(call: Call) -> Bodies:
    answer = (
        f'{{"id":"msg_bdrk_{call.variant:05d}","type":"message","role":"assistant","content":[{{"type":"text",'
        f'"text":{call.answer}}}],"stop_reason":"{_stop("claude", call)}","stop_sequence":null,'
        f'"usage":{_claude_usage(call, call.output_tokens)}}}'
    )
    return _claude_request(call), answer


def _claude_stream(call: Call) -> Bodies:
    """The answer is the list of chunks; the first one's output count is provisional."""
    counts = f'"inputTokenCount":{call.input_tokens},"outputTokenCount":{call.output_tokens}'
    times = f'"invocationLatency":{call.latency_ms},"firstByteLatency":{call.ttft_ms}'
    chunks = (
        f'{{"type":"message_start","message":{{"id":"msg_bdrk_{call.variant:05d}","role":"assistant","content":[],'
        f'"usage":{_claude_usage(call, 1)}}}}}',
        '{"type":"content_block_start","index":0,"content_block":{"type":"text","text":""}}',
        f'{{"type":"content_block_delta","index":0,"delta":{{"type":"text_delta","text":{call.answer}}}}}',
        '{"type":"content_block_stop","index":0}',
        f'{{"type":"message_delta","delta":{{"stop_reason":"{_stop("claude_stream", call)}","stop_sequence":null}},'
        f'"usage":{{"output_tokens":{call.output_tokens}}}}}',
        f'{{"type":"message_stop","amazon-bedrock-invocationMetrics":{{{counts},{times}}}}}',
    )
    return _claude_request(call), f"[{','.join(chunks)}]"


def _nova(call: Call) -> Bodies:
    """Older programs spell the limit max_new_tokens."""
    name = "maxTokens" if call.variant % 3 else "max_new_tokens"
    tier = f',"service_tier":"{call.tier}"' if call.tier in ("flex", "priority") else ""
    request = (
        f'{{"schemaVersion":"messages-v1","messages":[{{"role":"user","content":[{{"text":{call.prompt}}}]}}],'
        f'"inferenceConfig":{{"{name}":{call.max_tokens}}}{tier}}}'
    )
    answer = (
        f'{{"output":{{"message":{{"content":[{{"text":{call.answer}}}],"role":"assistant"}}}},'
        f'"stopReason":"{_stop("nova", call)}","usage":{{"inputTokens":{call.input_tokens},'
        f'"outputTokens":{call.output_tokens},"totalTokens":{call.input_tokens + call.output_tokens},'
        f'"cacheReadInputTokenCount":{call.cache_read},"cacheWriteInputTokenCount":{call.cache_write_5m}}}}}'
    )
    return request, answer


def _titan_embedding(call: Call) -> Bodies:
    vector = f'{{"embedding":[0.0125,-0.5,0.{call.variant:05d}],"inputTextTokenCount":{call.input_tokens}}}'
    return f'{{"inputText":{call.prompt},"dimensions":256,"normalize":true}}', vector


def _cohere_embedding(call: Call) -> Bodies:
    request = f'{{"texts":[{call.prompt}],"input_type":"search_document"}}'
    return request, f'{{"embeddings":[[0.0125,-0.5]],"texts":[{call.answer}],"response_type":"embeddings_floats"}}'


def _mistral(call: Call) -> Bodies:
    request = f'{{"prompt":{call.prompt},"max_tokens":{call.max_tokens},"temperature":0.5}}'
    return request, f'{{"outputs":[{{"text":{call.answer},"stop_reason":"{_stop("mistral", call)}"}}]}}'


def _cohere(call: Call) -> Bodies:
    request = f'{{"message":{call.prompt},"chat_history":[],"max_tokens":{call.max_tokens}}}'
    return request, f'{{"text":{call.answer},"finish_reason":"{_stop("cohere", call)}"}}'


def _llama(call: Call) -> Bodies:
    request = f'{{"prompt":{call.prompt},"max_gen_len":{call.max_tokens},"temperature":0.1}}'
    counts = f'"prompt_token_count":{call.input_tokens},"generation_token_count":{call.output_tokens}'
    return request, f'{{"generation":{call.answer},{counts},"stop_reason":"{_stop("llama", call)}"}}'


def _chat(call: Call) -> Bodies:
    request = f'{{"messages":[{{"role":"user","content":{call.prompt}}}],"max_tokens":{call.max_tokens}}}'
    message = f'"message":{{"role":"assistant","content":{call.answer}}}'
    choice = f'{{"index":0,{message},"finish_reason":"{_stop("chat", call)}"}}'
    usage = f'"usage":{{"prompt_tokens":{call.input_tokens},"completion_tokens":{call.output_tokens}}}'
    return request, f'{{"object":"chat.completion","choices":[{choice}],{usage}}}'


_SHAPES: dict[BodyKind, Callable[[Call], Bodies]] = {
    "converse": _converse,
    "claude": _claude,
    "claude_stream": _claude_stream,
    "nova": _nova,
    "titan_embedding": _titan_embedding,
    "cohere_embedding": _cohere_embedding,
    "mistral": _mistral,
    "cohere": _cohere,
    "llama": _llama,
    "chat": _chat,
}


def _texts(kind: str) -> tuple[str, ...]:
    """Short texts as JSON, some with what trips readers: quotes, other scripts, line separators, lone surrogates."""
    plain = [f"{MARKER}: {kind} number {number}. " + "Of words there are many. " * (number % 9) for number in range(24)]
    odd = [
        f'{MARKER}: "quoted", back\\slashed and \t tabbed',
        f"{MARKER}: 見積もりと請求書、それから 🚀",
        f"{MARKER}: a line separator \u2028 and a next line \u0085 inside",
        f'{MARKER}: {{"inputTokenCount":999999,"outputTokenCount":999999}}\n{{"requestId":"not-a-request"}}',
        f"{MARKER}: ' or 1=1 --; </script><b>x",
    ]
    lone_surrogate = json.dumps(f"{MARKER}: an emoji cut in half ")[:-1] + '\\ud83d"'
    return (*(json.dumps(text, ensure_ascii=False) for text in plain + odd), lone_surrogate)


PROMPTS, ANSWERS = _texts("prompt"), _texts("answer")
_WORDS = " and so it goes on, page after page,"
LONG_PROMPTS = tuple(json.dumps(MARKER + _WORDS * count) for count in (250, 600, 1100, 1800, 2500))
"""Texts of 9 to 90 KB, which still fit into a record."""
TOO_LONG = json.dumps(MARKER + _WORDS * 3300)
"""A text of 119 KB, which goes to an object of its own."""
