"""Log records and objects for tests, written out as AWS writes them."""

import gzip
import json
from collections.abc import Iterable
from typing import Any

KEY = "logs/AWSLogs/111122223333/BedrockModelInvocationLogs/us-east-1/2026/11/01/08/20261101T081600000Z_0a1b.json.gz"


def record(number: int = 1, **fields: Any) -> dict[str, Any]:
    """A Converse record without bodies; `fields` replace or add, a value of ... removes."""
    whole = {
        "timestamp": "2026-11-01T08:15:30Z",
        "accountId": "111122223333",
        "region": "us-east-1",
        "requestId": f"7487ab04-734e-470b-8dfc-{number:012d}",
        "operation": "Converse",
        "modelId": "us.anthropic.claude-sonnet-4-5-20250929-v1:0",
        "input": {"inputContentType": "application/json", "inputTokenCount": 255},
        "output": {"outputContentType": "application/json", "outputTokenCount": 113},
        "identity": {"arn": "arn:aws:sts::111122223333:assumed-role/SearchApi/i-0abc"},
        "schemaType": "ModelInvocationLog",
        "schemaVersion": "1.0",
        **fields,
    }
    return {name: value for name, value in whole.items() if value is not ...}


def bodies(request: Any, answer: Any, **fields: Any) -> dict[str, Any]:
    """A record with these two bodies."""
    return record(
        input={"inputContentType": "application/json", "inputBodyJson": request, "inputTokenCount": 255},
        output={"outputContentType": "application/json", "outputBodyJson": answer, "outputTokenCount": 113},
        **fields,
    )


def line(value: Any) -> bytes:
    """JSON without a line end."""
    return json.dumps(value, ensure_ascii=False).encode()


def good_lines(count: int) -> list[bytes]:
    """Records with bodies, object and list in turn."""
    request = {"max_tokens": 100, "messages": [{"role": "user", "content": 'Bonjour \n"toi"'}]}
    answers: list[Any] = [
        {"content": [{"type": "text", "text": "Salut"}], "stop_reason": "end_turn"},
        [{"type": "content_block_delta", "delta": {"type": "text_delta", "text": "Salut"}}],
    ]
    return [line({**bodies(request, answers[n % 2]), "requestId": f"request-{n}"}) for n in range(count)]


def joined(lines: Iterable[bytes]) -> bytes:
    """Lines with their ends."""
    return b"".join(text + b"\n" for text in lines)


def gzipped(lines: Iterable[bytes]) -> bytes:
    """An object as AWS writes it."""
    return gzip.compress(joined(lines), mtime=0)
