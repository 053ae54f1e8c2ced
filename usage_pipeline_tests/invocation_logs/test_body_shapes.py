"""What is read of each body shape of each API and provider. Totals are 255 in and 113 out throughout."""

from typing import Any

import pytest

from usage_pipeline.invocation_logs.parsing import parse_object
from usage_pipeline_tests.invocation_logs.log_text import KEY, bodies, gzipped, line, record

FACTS = (
    "max_tokens",
    "stop_reason",
    "latency_ms",
    "ttft_ms",
    "cache_write_5m_tokens",
    "cache_write_1h_tokens",
    "service_tier",
)


def row(value: dict[str, Any]) -> dict[str, Any]:
    parsed = parse_object(gzipped([line(value)]), KEY)
    assert parsed.quarantined == ()
    assert parsed.is_complete
    (only,) = parsed.rows.to_pylist()
    return only


def facts(request: Any, answer: Any) -> dict[str, Any]:
    """What the bodies say, without what they do not."""
    found = row(bodies(request, answer))
    assert (found["input_tokens"], found["output_tokens"]) == (255, 113)
    return {name: found[name] for name in FACTS if found[name] is not None}


TEXT = {"role": "assistant", "content": [{"text": "Hi"}]}
CONVERSE_ANSWER = {
    "output": {"message": TEXT},
    "stopReason": "end_turn",
    "metrics": {"latencyMs": 3114},
    "usage": {
        "inputTokens": 9,
        "outputTokens": 9,
        "totalTokens": 18,
        "cacheDetails": [{"ttl": "1h", "inputTokens": 384}],
    },
    "serviceTier": {"type": "flex"},
}
CONVERSE_FACTS = {
    "max_tokens": 1024,
    "stop_reason": "end_turn",
    "latency_ms": 3114.0,
    "cache_write_5m_tokens": 0,
    "cache_write_1h_tokens": 384,
    "service_tier": "flex",
}
CONVERSE_REQUEST = {"messages": [{"role": "user"}], "inferenceConfig": {"maxTokens": 1024, "temperature": 0.2}}
NESTED_ANSWER = {"output": {**CONVERSE_ANSWER, "message": TEXT}}
del NESTED_ANSWER["output"]["output"]

CLAUDE_REQUEST = {"anthropic_version": "bedrock-2023-05-31", "max_tokens": 4096, "messages": []}
CLAUDE_ANSWER = {
    "id": "msg_bdrk_01",
    "type": "message",
    "content": [{"type": "text", "text": "..."}],
    "stop_reason": "tool_use",
    "stop_sequence": None,
    "usage": {
        "input_tokens": 9,
        "output_tokens": 9,
        "cache_creation": {"ephemeral_5m_input_tokens": 6000, "ephemeral_1h_input_tokens": 2000},
        "service_tier": "standard",
    },
}
CLAUDE_STREAM = [
    {
        "type": "message_start",
        "message": {
            "content": [],
            "stop_reason": None,
            "usage": {
                "output_tokens": 1,
                "cache_creation": {"ephemeral_5m_input_tokens": 10, "ephemeral_1h_input_tokens": 0},
                "service_tier": "priority",
            },
        },
    },
    {"type": "content_block_start", "index": 0, "content_block": {"type": "text", "text": ""}},
    {"type": "ping"},
    {"type": "content_block_delta", "index": 0, "delta": {"type": "text_delta", "text": "..."}},
    {"type": "content_block_stop", "index": 0},
    {"type": "message_delta", "delta": {"stop_reason": "pause_turn"}, "usage": {"output_tokens": 50}},
    {"type": "message_delta", "delta": {"stop_reason": "end_turn"}, "usage": {"output_tokens": 167}},
    {
        "type": "message_stop",
        "amazon-bedrock-invocationMetrics": {
            "inputTokenCount": 9,
            "outputTokenCount": 9,
            "invocationLatency": 8123,
            "firstByteLatency": 2440,
        },
    },
]
METRICS = {"amazon-bedrock-invocationMetrics": {"invocationLatency": 800, "firstByteLatency": 200.5}}
TIMES = {"latency_ms": 800.0, "ttft_ms": 200.5}
CHAT = {"messages": [{"role": "user", "content": "Hi"}]}


@pytest.mark.parametrize(
    ("request_body", "answer", "expected"),
    [
        pytest.param(CONVERSE_REQUEST, CONVERSE_ANSWER, CONVERSE_FACTS, id="converse"),
        pytest.param(CONVERSE_REQUEST, NESTED_ANSWER, CONVERSE_FACTS, id="converse nested under output"),
        pytest.param(
            {**CONVERSE_REQUEST, "serviceTier": {"type": "priority"}},
            {"output": {"message": TEXT}, "stopReason": "guardrail_intervened"},
            {"max_tokens": 1024, "stop_reason": "guardrail_intervened", "service_tier": "priority"},
            id="converse: the tier asked for, where the answer has none",
        ),
        pytest.param(
            CLAUDE_REQUEST,
            CLAUDE_ANSWER,
            {
                "max_tokens": 4096,
                "stop_reason": "tool_use",
                "cache_write_5m_tokens": 6000,
                "cache_write_1h_tokens": 2000,
                "service_tier": "default",
            },
            id="anthropic",
        ),
        pytest.param(
            CLAUDE_REQUEST,
            CLAUDE_STREAM,
            {
                "max_tokens": 4096,
                "stop_reason": "end_turn",
                "latency_ms": 8123.0,
                "ttft_ms": 2440.0,
                "cache_write_5m_tokens": 10,
                "cache_write_1h_tokens": 0,
                "service_tier": "priority",
            },
            id="anthropic stream: the last message_delta wins",
        ),
        pytest.param(
            {"prompt": "\n\nHuman: Hi", "max_tokens_to_sample": 300},
            {"completion": "Hi", "stop_reason": "stop_sequence", "stop": "\n\nHuman:"},
            {"max_tokens": 300, "stop_reason": "stop_sequence"},
            id="anthropic text",
        ),
        pytest.param(
            {"schemaVersion": "messages-v1", "messages": [], "inferenceConfig": {"maxTokens": 500, "topK": 20}},
            {"output": {"message": TEXT}, "stopReason": "max_tokens", "usage": {"inputTokens": 9, "outputTokens": 9}},
            {"max_tokens": 500, "stop_reason": "max_tokens"},
            id="nova",
        ),
        pytest.param(
            {"messages": [], "inferenceConfig": {"max_new_tokens": 400}},
            [
                {"messageStart": {"role": "assistant"}},
                {"contentBlockDelta": {"delta": {"text": "Hi"}, "contentBlockIndex": 0}},
                {"contentBlockStop": {"contentBlockIndex": 0}},
                {"messageStop": {"stopReason": "end_turn"}},
                {"metadata": {"usage": {"inputTokens": 9, "outputTokens": 9}, "metrics": {}}, **METRICS},
            ],
            {"max_tokens": 400, "stop_reason": "end_turn", **TIMES},
            id="nova stream",
        ),
        pytest.param(
            CONVERSE_REQUEST,
            [
                {"messageStart": {"role": "assistant"}},
                {"messageStop": {"stopReason": "end_turn"}},
                {
                    "metadata": {
                        "usage": {"cacheDetails": [{"ttl": "5m", "inputTokens": 7}, {"ttl": "1h", "inputTokens": 3}]},
                        "metrics": {"latencyMs": 55},
                        "serviceTier": {"type": "default"},
                    }
                },
            ],
            {
                "max_tokens": 1024,
                "stop_reason": "end_turn",
                "latency_ms": 55.0,
                "cache_write_5m_tokens": 7,
                "cache_write_1h_tokens": 3,
                "service_tier": "default",
            },
            id="converse stream as events",
        ),
        pytest.param(
            {"inputText": "Hi", "textGenerationConfig": {"maxTokenCount": 512, "temperature": 0}},
            {
                "inputTextTokenCount": 9,
                "results": [{"tokenCount": 9, "outputText": "Hi", "completionReason": "FINISH"}],
            },
            {"max_tokens": 512, "stop_reason": "FINISH"},
            id="titan text",
        ),
        pytest.param(
            {"inputText": "Hi", "textGenerationConfig": {"maxTokenCount": 512}},
            [
                {"outputText": "H", "index": 0, "completionReason": None},
                {"outputText": "i", "index": 0, "completionReason": "LENGTH", **METRICS},
            ],
            {"max_tokens": 512, "stop_reason": "LENGTH", **TIMES},
            id="titan text stream",
        ),
        pytest.param(
            {"prompt": "Hi", "max_gen_len": 256},
            {"generation": "Hi", "prompt_token_count": 9, "generation_token_count": 9, "stop_reason": "stop"},
            {"max_tokens": 256, "stop_reason": "stop"},
            id="llama",
        ),
        pytest.param(
            {"prompt": "Hi", "max_gen_len": 256},
            [{"generation": "Hi", "stop_reason": None}, {"generation": "", "stop_reason": "length", **METRICS}],
            {"max_tokens": 256, "stop_reason": "length", **TIMES},
            id="llama stream",
        ),
        pytest.param(
            {"prompt": "<s>[INST]Hi[/INST]", "max_tokens": 50},
            {"outputs": [{"text": "Hi", "stop_reason": "stop"}]},
            {"max_tokens": 50, "stop_reason": "stop"},
            id="mistral text",
        ),
        pytest.param(
            {**CHAT, "max_tokens": 51},
            {
                "choices": [
                    {"index": 0, "message": {"role": "assistant", "content": "Hi"}, "stop_reason": "model_length"}
                ]
            },
            {"max_tokens": 51, "stop_reason": "model_length"},
            id="mistral chat",
        ),
        pytest.param(
            {"prompt": "Hi", "max_tokens": 52},
            {"generations": [{"finish_reason": "COMPLETE", "text": "Hi"}], "prompt": "Hi"},
            {"max_tokens": 52, "stop_reason": "COMPLETE"},
            id="cohere command",
        ),
        pytest.param(
            {"message": "Hi", "chat_history": [], "max_tokens": 53},
            {"text": "Hi", "finish_reason": "MAX_TOKENS", "generation_id": "g", "chat_history": []},
            {"max_tokens": 53, "stop_reason": "MAX_TOKENS"},
            id="cohere chat",
        ),
        pytest.param(
            {**CHAT, "max_tokens": 54},
            [
                {"type": "message-start", "delta": {"message": {"role": "assistant", "content": []}}},
                {"type": "content-delta", "delta": {"message": {"content": {"text": "Hi"}}}},
                {"type": "message-end", "delta": {"finish_reason": "COMPLETE", "usage": {"tokens": {}}}, **METRICS},
            ],
            {"max_tokens": 54, "stop_reason": "COMPLETE", **TIMES},
            id="cohere chat stream",
        ),
        pytest.param(
            {"prompt": "Hi", "maxTokens": 55},
            {"completions": [{"data": {"text": "Hi"}, "finishReason": {"reason": "endoftext"}}]},
            {"max_tokens": 55, "stop_reason": "endoftext"},
            id="ai21 jurassic",
        ),
        pytest.param(
            {**CHAT, "max_tokens": 56},
            {"choices": [{"message": {"content": "Hi"}, "finish_reason": "stop"}], "usage": {"total_tokens": 9}},
            {"max_tokens": 56, "stop_reason": "stop"},
            id="ai21 jamba",
        ),
        pytest.param(
            {"prompt": "Hi", "max_tokens": 57},
            {"choices": [{"text": "Hi", "stop_reason": "length"}]},
            {"max_tokens": 57, "stop_reason": "length"},
            id="deepseek",
        ),
        pytest.param(
            {**CHAT, "max_tokens": 58, "service_tier": "flex"},
            {"choices": [{"message": {"content": "Hi", "tool_calls": []}, "finish_reason": "tool_calls"}]},
            {"max_tokens": 58, "stop_reason": "tool_calls", "service_tier": "flex"},
            id="qwen",
        ),
        pytest.param(
            {**CHAT, "max_completion_tokens": 59, "service_tier": "auto"},
            {
                "choices": [{"message": {"content": "Hi"}, "finish_reason": "content_filter"}],
                "service_tier": "priority",
            },
            {"max_tokens": 59, "stop_reason": "content_filter", "service_tier": "priority"},
            id="openai chat completions",
        ),
        pytest.param(
            {**CHAT, "max_completion_tokens": 59},
            [
                {"choices": [{"index": 0, "delta": {"content": "Hi"}, "finish_reason": None}]},
                {"choices": [{"index": 0, "delta": {}, "finish_reason": "stop"}]},
                {"choices": [], "usage": {"prompt_tokens": 9}, **METRICS},
            ],
            {"max_tokens": 59, "stop_reason": "stop", **TIMES},
            id="openai chat completions stream",
        ),
        pytest.param(
            {"input": "Hi", "max_output_tokens": 60},
            {
                "object": "response",
                "status": "incomplete",
                "incomplete_details": {"reason": "max_output_tokens"},
                "output": [{"type": "message", "content": [{"type": "output_text", "text": "Hi"}]}],
                "service_tier": "default",
                "metadata": {},
            },
            {"max_tokens": 60, "stop_reason": "max_output_tokens", "service_tier": "default"},
            id="openai responses",
        ),
        pytest.param(
            {"input": "Hi", "max_output_tokens": 60},
            [
                {"type": "response.created", "response": {"status": "in_progress", "output": []}},
                {"type": "response.output_text.delta", "delta": "Hi"},
                {"type": "response.completed", "response": {"service_tier": "flex", "incomplete_details": None}},
            ],
            {"max_tokens": 60, "service_tier": "flex"},
            id="openai responses stream",
        ),
        pytest.param(
            {"inputPrompt": "Hi", "maxOutputTokens": 61},
            {"message": "Hi", "finishReason": "stop"},
            {"max_tokens": 61, "stop_reason": "stop"},
            id="twelvelabs",
        ),
        pytest.param(
            {"inputs": "Hi", "parameters": {"max_new_tokens": 62}},
            [{"generated_text": "Hi"}],
            {"max_tokens": 62},
            id="imported model",
        ),
        pytest.param({"max_tokens": 0}, {}, {"max_tokens": 0}, id="zero tokens asked for"),
        pytest.param({}, {}, {}, id="empty bodies"),
        pytest.param(None, None, {}, id="null bodies"),
        pytest.param("Hi", "Hi", {}, id="bodies that are text"),
        pytest.param([1, "Hi"], [], {}, id="bodies that are lists"),
    ],
)
def test_bodies_say_what_only_they_know(request_body: Any, answer: Any, expected: dict[str, Any]) -> None:
    assert facts(request_body, answer) == expected


@pytest.mark.parametrize(
    ("request_body", "answer"),
    [
        ({"inputText": "Hi", "dimensions": 256}, {"embedding": [0.1, -0.2], "inputTextTokenCount": 9}),
        ({"texts": ["Hi"], "input_type": "search_query"}, {"embeddings": [[0.1], [0.2]], "id": "e", "texts": ["Hi"]}),
        ({"query": "q", "documents": ["d"]}, {"results": [{"index": 0, "relevance_score": 0.5}]}),
        ({"inputText": "Hi"}, {"embedding": [0.1], "embeddingsByType": {"float": [0.1]}}),
    ],
)
def test_an_embedding_has_no_output_tokens_and_no_stop_reason(request_body: Any, answer: Any) -> None:
    value = bodies(request_body, answer)
    del value["output"]["outputTokenCount"]
    found = row(value)
    assert (found["input_tokens"], found["output_tokens"]) == (255, None)
    assert [found[name] for name in FACTS] == [None] * len(FACTS)


def test_counts_of_the_record_win_over_those_of_the_body() -> None:
    value = bodies(CONVERSE_REQUEST, {**CONVERSE_ANSWER, "usage": {"inputTokens": 1, "outputTokens": 2}})
    found = row(value)
    assert (found["input_tokens"], found["output_tokens"], found["cache_write_tokens"]) == (255, 113, None)


def test_bodies_in_s3_leave_what_only_they_know_unknown() -> None:
    path = "s3://logs/AWSLogs/111122223333/BedrockModelInvocationLogs/us-east-1/2026/11/01/08/data/r_input.json.gz"
    found = row(
        record(
            input={"inputBodyS3Path": path, "inputTokenCount": 6, "cacheWriteInputTokenCount": 225913},
            output={"outputBodyS3Path": path, "outputTokenCount": 167},
        )
    )
    assert (found["input_tokens"], found["output_tokens"], found["cache_write_tokens"]) == (6, 167, 225913)
    assert [found[name] for name in FACTS] == [None] * len(FACTS)


@pytest.mark.parametrize("empty", [{}, None, ...])
def test_a_failed_request_has_no_counts_rather_than_zeros(empty: Any) -> None:
    found = row(record(input=empty, output=empty, errorCode="ThrottlingException"))
    assert found["error_code"] == "ThrottlingException"
    assert found["input_tokens"] is found["output_tokens"] is found["latency_ms"] is None


@pytest.mark.parametrize(
    ("total", "usage", "expected"),
    [
        # total logged, body's split -> total, 5 minutes, 1 hour
        (
            512,
            {"cacheDetails": [{"ttl": "1h", "inputTokens": 384}, {"ttl": "5m", "inputTokens": 128}]},
            (512, 128, 384),
        ),
        (512, {"cacheDetails": [{"ttl": "1h", "inputTokens": 512}]}, (512, 0, 512)),
        (512, {"cache_creation": {"ephemeral_5m_input_tokens": 512}}, (512, 512, 0)),
        (0, {"cache_creation": {"ephemeral_5m_input_tokens": 0, "ephemeral_1h_input_tokens": 0}}, (0, 0, 0)),
        (None, {"cache_creation": {"ephemeral_5m_input_tokens": 6, "ephemeral_1h_input_tokens": 2}}, (8, 6, 2)),
        # No split, or none that adds up: it is not made up.
        (512, {}, (512, None, None)),
        (512, {"cacheDetails": []}, (512, None, None)),
        (512, {"cacheDetails": None, "cache_creation": None}, (512, None, None)),
        (512, {"cache_creation": {}}, (512, None, None)),
        (512, {"cache_creation_input_tokens": 512}, (512, None, None)),
        (512, {"cacheDetails": [{"ttl": "5m", "inputTokens": 500}]}, (512, None, None)),
        (512, {"cacheDetails": [{"ttl": "30m", "inputTokens": 512}]}, (512, None, None)),
        (
            None,
            {"cacheDetails": [{"ttl": "30m", "inputTokens": 5}, {"ttl": "5m", "inputTokens": 5}]},
            (None, None, None),
        ),
        (None, {"cacheDetails": [{"ttl": "5m", "inputTokens": 2**63 - 1}] * 2}, (None, None, None)),
        (None, {}, (None, None, None)),
    ],
)
def test_cache_writes_are_split_by_lifetime_only_where_the_log_splits_them(
    total: int | None, usage: dict[str, Any], expected: tuple[int | None, ...]
) -> None:
    value = bodies(CLAUDE_REQUEST, {"usage": usage})
    value["input"]["cacheWriteInputTokenCount"] = total
    found = row(value)
    names = ("cache_write_tokens", "cache_write_5m_tokens", "cache_write_1h_tokens")
    assert tuple(found[name] for name in names) == expected


@pytest.mark.parametrize("latency", [0, None, -1, "soon", ..., {"ms": 5}])
def test_an_unknown_latency_is_null_and_never_zero(latency: Any) -> None:
    metrics = {} if latency is ... else {"latencyMs": latency, "firstByteLatency": latency}
    found = row(bodies(CONVERSE_REQUEST, {"metrics": metrics}))
    assert found["latency_ms"] is None
    assert found["ttft_ms"] is None


@pytest.mark.parametrize(
    ("top_level", "expected"),
    [({"type": "reserved"}, "reserved"), ("Priority", "priority"), ("unheard-of", None), (None, None), ({}, None)],
)
def test_a_tier_at_the_top_of_the_record_is_read_without_bodies(top_level: Any, expected: str | None) -> None:
    assert row(record(serviceTier=top_level))["service_tier"] == expected


def test_a_text_in_the_place_of_a_stop_reason_is_not_kept() -> None:
    answer = {"stop_reason": "The answer is 42, because", "choices": [{"finish_reason": "x" * 41}]}
    assert facts({}, answer) == {}
