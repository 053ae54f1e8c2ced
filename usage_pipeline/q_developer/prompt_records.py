"""What is decoded of a record of a prompt log: ids and settings as they are, texts as their size only.

Here: the shapes, and one `Prompt` of any of the three kinds of request. Texts have the type `TextSize`, so they are
counted while JSON is decoded and never are part of a record. Not here: objects (`prompt_reading.py`), rows
(`prompt_rows.py`).

Sources of the shapes: AWS's examples of prompt logs, autumn 2026; `modelId` is Kiro's.
"""

import datetime as dt
import re
from typing import Any, Literal, NamedTuple

import msgspec
from msgspec import Struct, field

from usage_pipeline.log_files.coercion import UnusableRecordError
from usage_pipeline.q_developer.identities import identifier, user_id
from usage_pipeline.q_developer.text_sizes import UNKNOWN_SIZE, Counted, TextSize, sum_of
from usage_pipeline.q_developer.times import utc_time

Kind = Literal["chat", "inline", "dev"]

_TRIGGER = re.compile(r"[A-Z][A-Z0-9_]{0,39}")
"""One word, as AWS writes it. Longer text in its place could be part of a prompt."""


class Request(Struct, gc=False):
    """What the three kinds of request share."""

    user_id: str | None = field(name="userId", default=None)
    time_stamp: str | None = field(name="timeStamp", default=None)
    customization_arn: str | None = field(name="customizationArn", default=None)
    model_id: str | None = field(name="modelId", default=None)
    trigger_type: str | None = field(name="chatTriggerType", default=None)
    prompt: TextSize | None = None


class TaskRequest(Request, gc=False):
    """`startTaskAssistCodeGenerationEventRequest`: /dev."""

    conversation_id: str | None = field(name="conversationId", default=None)


class CompletionRequest(Request, gc=False):
    """`generateCompletionsEventRequest`: the code on both sides of the cursor."""

    left_context: TextSize | None = field(name="leftContext", default=None)
    right_context: TextSize | None = field(name="rightContext", default=None)


class MessageMetadata(Struct, gc=False):
    """Which conversation an answer is part of."""

    conversation_id: str | None = field(name="conversationId", default=None)


class Response(Struct, gc=False):
    """What the three kinds of response share."""

    request_id: str | None = field(name="requestId", default=None)


class ChatResponse(Response, gc=False):
    """`generateAssistantResponseEventResponse`."""

    answer: TextSize | None = field(name="assistantResponse", default=None)
    metadata: MessageMetadata | None = field(name="messageMetadata", default=None)
    code_references: list[Counted] | None = field(name="codeReferenceEvents", default=None)
    web_links: list[Counted] | None = field(name="supplementaryWebLinksEvent", default=None)


class CompletionResponse(Response, gc=False):
    """`generateCompletionsEventResponse`: the suggestions, each of them a text."""

    completions: list[TextSize | None] | None = None


class PromptRecord(Struct, gc=False):
    """One record, with the request and the response of one kind."""

    chat_request: Request | None = field(name="generateAssistantResponseEventRequest", default=None)
    chat_response: ChatResponse | None = field(name="generateAssistantResponseEventResponse", default=None)
    inline_request: CompletionRequest | None = field(name="generateCompletionsEventRequest", default=None)
    inline_response: CompletionResponse | None = field(name="generateCompletionsEventResponse", default=None)
    dev_request: TaskRequest | None = field(name="startTaskAssistCodeGenerationEventRequest", default=None)
    dev_response: Response | None = field(name="startTaskAssistCodeGenerationEventResponse", default=None)


class PromptLog(Struct, gc=False):
    """One object."""

    records: list[PromptRecord]


def _size_of(kind: type[TextSize] | type[Counted], value: Any) -> TextSize | Counted:
    """Decodes the types that JSON does not know."""
    return kind.from_json(value)


PROMPT_LOG = msgspec.json.Decoder(PromptLog, dec_hook=_size_of)


class Prompt(NamedTuple):
    """One request: a value per column of `PROMPT_SCHEMA` that the record fills, in order."""

    ts: dt.datetime
    kind: Kind
    request_id: str | None
    record_hash: str | None
    conversation_id: str | None
    user_id: str | None
    logged_user_id: str | None
    trigger_type: str | None
    model_id: str | None
    customization_arn: str | None
    input_tokens: int | None
    output_tokens: int | None
    input_characters: int | None
    output_characters: int | None
    completion_count: int | None
    code_reference_count: int | None
    web_link_count: int | None


class _Exchange(NamedTuple):
    """What one kind of request says in its own places."""

    kind: Kind
    sent: TextSize
    received: TextSize = UNKNOWN_SIZE
    conversation_id: str | None = None
    completion_count: int | None = None
    code_reference_count: int | None = None
    web_link_count: int | None = None


def prompt_of(record: PromptRecord, record_hash: str | None = None) -> Prompt:
    """Make one request of a record; `record_hash` stands in where the record has no request id.

    Raises:
        UnusableRecordError: none of the three requests, or no time.
    """
    if record.chat_request is not None:
        request, response = record.chat_request, record.chat_response
        exchange = _chat(request, record.chat_response)
    elif record.inline_request is not None:
        request, response = record.inline_request, record.inline_response
        exchange = _inline(record.inline_request, record.inline_response)
    elif record.dev_request is not None:
        request, response = record.dev_request, record.dev_response
        conversation = identifier(record.dev_request.conversation_id)
        exchange = _Exchange("dev", request.prompt or UNKNOWN_SIZE, conversation_id=conversation)
    else:
        raise UnusableRecordError("none of the three kinds of request")
    time = utc_time(request.time_stamp) if request.time_stamp is not None else None
    if time is None:
        raise UnusableRecordError("timeStamp is missing or unreadable")
    request_id = identifier(response.request_id) if response is not None else None
    user = identifier(request.user_id)
    return Prompt(
        time,
        exchange.kind,
        request_id,
        record_hash if request_id is None else None,
        exchange.conversation_id,
        user_id(user) if user is not None else None,
        user,
        _trigger(request.trigger_type),
        identifier(request.model_id),
        identifier(request.customization_arn),
        exchange.sent.tokens,
        exchange.received.tokens,
        exchange.sent.characters,
        exchange.received.characters,
        exchange.completion_count,
        exchange.code_reference_count,
        exchange.web_link_count,
    )


def _chat(request: Request, response: ChatResponse | None) -> _Exchange:
    if response is None:
        return _Exchange("chat", request.prompt or UNKNOWN_SIZE)
    metadata = response.metadata
    return _Exchange(
        "chat",
        request.prompt or UNKNOWN_SIZE,
        response.answer or UNKNOWN_SIZE,
        identifier(metadata.conversation_id) if metadata is not None else None,
        code_reference_count=_number_of(response.code_references),
        web_link_count=_number_of(response.web_links),
    )


def _inline(request: CompletionRequest, response: CompletionResponse | None) -> _Exchange:
    sent = sum_of([request.left_context, request.right_context])
    if response is None or response.completions is None:
        return _Exchange("inline", sent)
    return _Exchange("inline", sent, sum_of(response.completions), completion_count=len(response.completions))


def _number_of(parts: list[Counted] | None) -> int | None:
    return None if parts is None else len(parts)


def _trigger(text: str | None) -> str | None:
    return text if text is not None and _TRIGGER.fullmatch(text) else None
