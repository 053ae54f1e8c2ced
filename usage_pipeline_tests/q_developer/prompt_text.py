"""Prompt log records and objects for tests, written out as AWS writes them."""

import gzip
import json
from typing import Any

KEY = (
    "logs/AWSLogs/111122223333/QDeveloperLogs/GenerateAssistantResponse/eu-central-1/2026/11/14/08/"
    "111122223333_GenerateAssistantResponse_202611140803_3tbIeIrGJNDFbfVx.json.gz"
)
USER = "d-92675051d5.b8f1f340-9081-70ad-5fc5-0f37151937a6"
TIME = "2026-11-14T08:03:56.313070Z"


def chat(
    number: int = 1, prompt: Any = "How are you?", answer: Any = "Hello, world!", **request: Any
) -> dict[str, Any]:
    """`request` replaces or adds fields of the request; a value of ... removes."""
    return {
        "generateAssistantResponseEventRequest": _fields(
            {
                "prompt": prompt,
                "chatTriggerType": "MANUAL",
                "customizationArn": None,
                "userId": USER,
                "timeStamp": TIME,
            },
            request,
        ),
        "generateAssistantResponseEventResponse": {
            "assistantResponse": answer,
            "followupPrompts": "Tell me more.",
            "messageMetadata": {"conversationId": f"conversation-{number}", "utteranceId": None},
            "codeReferenceEvents": [],
            "supplementaryWebLinksEvent": [{"uri": "https://x.test", "title": "x", "snippet": "y"}],
            "requestId": f"chat-{number}",
        },
    }


def inline(number: int = 1, completions: Any = ("x + 1", "x"), **request: Any) -> dict[str, Any]:
    """An inline suggestion; the completions are strings, as AWS logs them."""
    return {
        "generateCompletionsEventRequest": _fields(
            {
                "leftContext": "def f(x):\n    return x + 1\n",
                "rightContext": "",
                "fileName": "main.py",
                "customizationArn": None,
                "userId": USER,
                "timeStamp": "2026-11-14T08:05:05.230565389Z",
            },
            request,
        ),
        "generateCompletionsEventResponse": {
            "completions": list(completions) if isinstance(completions, tuple) else completions,
            "requestId": f"inline-{number}",
        },
    }


def task(number: int = 1, prompt: Any = "Hello, world!", **request: Any) -> dict[str, Any]:
    """A task of /dev; its response has nothing but the id."""
    return {
        "startTaskAssistCodeGenerationEventRequest": _fields(
            {
                "prompt": prompt,
                "chatTriggerType": "MANUAL",
                "conversationId": f"task-{number}",
                "customizationArn": None,
                "userId": USER,
                "timeStamp": TIME,
            },
            request,
        ),
        "startTaskAssistCodeGenerationEventResponse": {"requestId": f"dev-{number}"},
    }


def _fields(fields: dict[str, Any], changes: dict[str, Any]) -> dict[str, Any]:
    return {name: value for name, value in {**fields, **changes}.items() if value is not ...}


def document(*records: Any) -> bytes:
    """One object's JSON."""
    return json.dumps({"records": list(records)}, ensure_ascii=False).encode()


def gzipped(*records: Any) -> bytes:
    """An object as AWS writes it."""
    return gzip.compress(document(*records), 1)
