"""Asking a model on Bedrock one question that it must answer by a tool.

Here: where it is asked, one Converse request, and what came back. Not here: the question and what the answer is worth
(`quotas/llm_mapper.py`).
"""

from collections.abc import Mapping
from dataclasses import dataclass, replace
from typing import TYPE_CHECKING, Any, cast

from usage_pipeline.aws.errors import ReadingDeniedError, ReadingError, understanding
from usage_pipeline.aws.scopes import ResolvedScopes, Scope
from usage_pipeline.config_quota_mapping import QuotaMappingSettings

if TYPE_CHECKING:
    from types_boto3_bedrock_runtime import BedrockRuntimeClient
    from types_boto3_bedrock_runtime.type_defs import ConverseRequestTypeDef


@dataclass(frozen=True)
class ToolAnswer:
    """The input that the model gave the tool, and the tokens that asking took.

    `tool_input` is None when the model did not call the tool, or not exactly once. It is untrusted text of any shape.
    """

    tool_input: object | None
    input_tokens: int
    output_tokens: int


def place_to_ask(resolved: ResolvedScopes, settings: QuotaMappingSettings) -> Scope:
    """The account and Region in which the configured model is asked.

    Raises:
        ReadingError: the account could not be reached.
    """
    name = settings.llm_account or next(iter(resolved.sessions))
    for account in resolved.unreachable:
        if account.account_name == name:
            failure = ReadingDeniedError if account.status == "denied" else ReadingError
            raise failure(f"The account {name!r} could not be reached to ask with. {account.error_text}")
    scope = next(scope for scope in resolved.scopes if scope.account_name == name)
    return replace(scope, region=settings.llm_region or resolved.sessions[name].home_region)


def ask_by_tool(client: "BedrockRuntimeClient", request: Mapping[str, Any], tool_name: str) -> ToolAnswer:
    """Send a Converse request whose `toolChoice` is the tool.

    Raises:
        ClientError, BotoCoreError: as boto3 does.
        ReadingError: the answer lacks its message or its token counts.
    """
    answer = client.converse(**cast("ConverseRequestTypeDef", request))
    with understanding("Converse"):
        blocks = cast("list[dict[str, Any]]", answer["output"]["message"]["content"])  # pyright: ignore[reportTypedDictNotRequiredAccess]
        usage = answer["usage"]
        # Cached tokens are counted beside the others and were read all the same.
        cached = usage.get("cacheReadInputTokens", 0) + usage.get("cacheWriteInputTokens", 0)
        input_tokens, output_tokens = usage["inputTokens"] + cached, usage["outputTokens"]
    calls = [block["toolUse"] for block in blocks if "toolUse" in block]
    is_called = len(calls) == 1 and calls[0].get("name") == tool_name
    return ToolAnswer(calls[0].get("input") if is_called else None, input_tokens, output_tokens)
