"""Model invocation logs made up by a seed: as many records as wanted, with bodies or without, gzip files of 2,000.

The same seed and options give the same bytes. Texts are slices of one pool of invented words, so making a gigabyte
takes seconds; a slice repeats far outside of gzip's window, so files compress as prose does.
"""

import random
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from pathlib import Path
from uuid import UUID

import numpy as np
from isal import igzip

RECORDS_PER_FILE = 2_000
MEDIAN_BODY_BYTES = 6_000
LARGEST_BODY_BYTES = 100_000
BODY_SPREAD = 0.72
"""Sigma of the log-normal body size; makes the mean record about 7.8 KB."""
POOL_CHARACTERS = 4_000_000
CHUNK_CHARACTERS = 60
FIRST_SECOND = 1_793_491_200  # 2026-11-01T00:00:00Z
ACCOUNT = "111122223333"


@dataclass(frozen=True)
class LogData:
    """Files that were made, and how much JSON is in them."""

    paths: tuple[Path, ...]
    records: int
    json_bytes: int


def write_logs(folder: Path, records: int, with_bodies: bool, seed: int = 1) -> LogData:
    """Write the files into `folder`."""
    maker = RecordMaker(with_bodies, seed)
    folder.mkdir(parents=True, exist_ok=True)
    paths: list[Path] = []
    json_bytes = 0
    for first in range(0, records, RECORDS_PER_FILE):
        count = min(RECORDS_PER_FILE, records - first)
        content = "".join(maker.lines(first, count)).encode()
        path = folder / f"{first // RECORDS_PER_FILE:06d}.json.gz"
        with igzip.open(path, "wb", compresslevel=2) as file:
            file.write(content)
        paths.append(path)
        json_bytes += len(content)
    return LogData(tuple(paths), records, json_bytes)


class RecordMaker:
    """Makes log lines; what a request looks like follows the shares that are usual for Bedrock."""

    MODELS = (
        "us.anthropic.claude-sonnet-4-5-20250929-v1:0",
        "global.anthropic.claude-haiku-4-5-20251001-v1:0",
        f"arn:aws:bedrock:us-east-1:{ACCOUNT}:application-inference-profile/abc123def456",
        "amazon.nova-lite-v1:0",
        f"arn:aws:bedrock:us-east-1:{ACCOUNT}:inference-profile/us.amazon.nova-pro-v1:0",
    )

    def __init__(self, with_bodies: bool, seed: int) -> None:
        self._with_bodies = with_bodies
        self._random = random.Random(seed)
        self._numbers = np.random.default_rng(seed)
        self._pool = _text_pool(self._random)
        self._shapes: tuple[tuple[Callable[[str, str, int, int], tuple[str, str, str]], int], ...] = (
            (_converse_stream, 74),
            (_converse, 8),
            (_anthropic, 8),
            (_anthropic_stream, 8),
            (_failed, 2),
        )

    def lines(self, first: int, count: int) -> Iterator[str]:
        """Give lines of the log, each with its line end."""
        shapes = self._random.choices(
            [shape for shape, _ in self._shapes], [share for _, share in self._shapes], k=count
        )
        sizes = np.exp(self._numbers.normal(np.log(MEDIAN_BODY_BYTES), BODY_SPREAD, count))
        sizes = np.minimum(sizes, LARGEST_BODY_BYTES).astype(int).tolist()
        models = self._random.choices(self.MODELS, k=count)
        callers = self._numbers.integers(0, 40, count).tolist()
        tokens = self._numbers.integers(1, 5_000, (count, 3)).tolist()
        for place, shape in enumerate(shapes):
            _, answered, cached = tokens[place]
            prompt, answer = self._texts(sizes[place]) if self._with_bodies else ("", "")
            request, response, operation = shape(prompt, answer, answered, cached)
            yield self._line(
                first + place, models[place], callers[place], (operation, request, response), tokens[place]
            )

    def _texts(self, size: int) -> tuple[str, str]:
        return self._text(size * 3 // 4), self._text(size // 4)

    def _text(self, size: int) -> str:
        start = self._random.randrange(len(self._pool) - LARGEST_BODY_BYTES)
        return self._pool[start : start + size]

    def _line(
        self, number: int, model: str, caller: int, parts: tuple[str, str, str], tokens: tuple[int, int, int]
    ) -> str:
        operation, request, response = parts
        asked, answered, cached = tokens
        minute, second = divmod(number // 10 % 86_400, 60)
        hour, minute = divmod(minute, 60)
        request_body = f',"inputBodyJson":{request}' if self._with_bodies and request else ""
        response_body = f',"outputBodyJson":{response}' if self._with_bodies and response else ""
        counts = f',"inputTokenCount":{asked},"cacheReadInputTokenCount":0,"cacheWriteInputTokenCount":{cached}'
        metadata = '"requestMetadata":{"team":"search","environment":"prod"},' if number % 4 == 0 else ""
        if not request:
            asked_part, answered_part, error = "{}", "{}", ',"errorCode":"ThrottlingException"'
        else:
            asked_part = f'{{"inputContentType":"application/json"{request_body}{counts}}}'
            answered_part = f'{{"outputContentType":"application/json"{response_body},"outputTokenCount":{answered}}}'
            error = ""
        return (
            f'{{"timestamp":"2026-11-01T{hour:02d}:{minute:02d}:{second:02d}Z","accountId":"{ACCOUNT}",'
            f'"region":"us-east-1","requestId":"{UUID(int=self._random.getrandbits(128))}",'
            f'"operation":"{operation}","modelId":"{model}",{metadata}"input":{asked_part},"output":{answered_part},'
            f'"identity":{{"arn":"arn:aws:sts::{ACCOUNT}:assumed-role/App{caller}-BedrockRole/session-{caller}"}},'
            f'"inferenceRegion":"us-west-2"{error},"schemaType":"ModelInvocationLog","schemaVersion":"1.0"}}\n'
        )


def _text_pool(source: random.Random) -> str:
    """Invented prose in which most words are rare, as in real prose."""
    syllables = ["ka", "to", "ri", "men", "sol", "ver", "an", "tis", "qu", "el", "dor", "im", "pa", "ux", "byl", "ost"]
    words = ["".join(source.choices(syllables, k=source.randint(1, 4))) for _ in range(6_000)]
    words += ["café", "東京", "Ω", "naïve"]
    weights = [1 / (rank + 3) for rank in range(len(words))]
    # No escapes in here, because a slice may begin or end at any character; they come with the messages around it.
    return " ".join(source.choices(words, weights, k=POOL_CHARACTERS // 6))


def _converse_stream(prompt: str, answer: str, output_tokens: int, cached: int) -> tuple[str, str, str]:
    request, response, _ = _converse(prompt, answer, output_tokens, cached)
    return request, response, "ConverseStream"


def _converse(prompt: str, answer: str, output_tokens: int, cached: int) -> tuple[str, str, str]:
    request = (
        '{"system":[{"text":"You are \\"helpful\\".\\n"}],"messages":[{"role":"user","content":[{"text":"'
        + prompt
        + '"}]}],"inferenceConfig":{"maxTokens":4096,"temperature":0.2}}'
    )
    response = (
        '{"output":{"message":{"role":"assistant","content":[{"text":"' + answer + '"}]}},"stopReason":"end_turn",'
        f'"metrics":{{"latencyMs":{output_tokens * 9 + 300}}},"usage":{{"inputTokens":1,"outputTokens":{output_tokens},'
        f'"totalTokens":2,"cacheReadInputTokens":0,"cacheWriteInputTokens":{cached},'
        f'"cacheDetails":[{{"ttl":"1h","inputTokens":{cached}}},{{"ttl":"5m","inputTokens":0}}]}}}}'
    )
    return request, response, "Converse"


def _anthropic(prompt: str, answer: str, output_tokens: int, cached: int) -> tuple[str, str, str]:
    request = (
        '{"anthropic_version":"bedrock-2023-05-31","max_tokens":8192,"messages":[{"role":"user","content":"'
        + prompt
        + '"}]}'
    )
    response = (
        '{"id":"msg_bdrk_01","type":"message","role":"assistant","content":[{"type":"text","text":"' + answer + '"}],'
        f'"stop_reason":"end_turn","usage":{{"input_tokens":1,"output_tokens":{output_tokens},'
        f'"cache_read_input_tokens":0,"cache_creation_input_tokens":{cached},'
        f'"cache_creation":{{"ephemeral_5m_input_tokens":{cached},"ephemeral_1h_input_tokens":0}}}}}}'
    )
    return request, response, "InvokeModel"


def _anthropic_stream(prompt: str, answer: str, output_tokens: int, cached: int) -> tuple[str, str, str]:
    request, _, _ = _anthropic(prompt, answer, output_tokens, cached)
    chunks = [
        '{"type":"message_start","message":{"id":"msg_bdrk_02","usage":{"input_tokens":1,"output_tokens":1,'
        f'"cache_creation":{{"ephemeral_5m_input_tokens":{cached},"ephemeral_1h_input_tokens":0}}}}}}}}'
    ]
    chunks += [
        '{"type":"content_block_delta","index":0,"delta":{"type":"text_delta","text":"'
        + answer[start : start + CHUNK_CHARACTERS]
        + '\\n"}}'
        for start in range(0, len(answer), CHUNK_CHARACTERS)
    ]
    chunks += [
        f'{{"type":"message_delta","delta":{{"stop_reason":"end_turn"}},"usage":{{"output_tokens":{output_tokens}}}}}',
        '{"type":"message_stop","amazon-bedrock-invocationMetrics":{"inputTokenCount":1,'
        f'"outputTokenCount":{output_tokens},"invocationLatency":{output_tokens * 9 + 300},"firstByteLatency":300}}}}',
    ]
    return request, f"[{','.join(chunks)}]", "InvokeModelWithResponseStream"


def _failed(_prompt: str, _answer: str, _output_tokens: int, _cached: int) -> tuple[str, str, str]:
    return "", "", "Converse"
