"""One Converse request, and what is made of the answer."""

from typing import Any

import pytest

from usage_pipeline.aws.bedrock_runtime import ToolAnswer, ask_by_tool, place_to_ask
from usage_pipeline.aws.errors import ReadingDeniedError, ReadingError
from usage_pipeline.aws.scopes import ResolvedScopes, Scope, UnreachableAccount
from usage_pipeline.aws.sessions import AccountSession
from usage_pipeline.config import AccountSettings
from usage_pipeline.config_quota_mapping import QuotaMappingSettings
from usage_pipeline_tests.aws.canned_aws import canned_client

REQUEST: dict[str, Any] = {
    "modelId": "amazon.nova-pro-v1:0",
    "messages": [{"role": "user", "content": [{"text": "{}"}]}],
    "toolConfig": {
        "tools": [{"toolSpec": {"name": "record", "inputSchema": {"json": {"type": "object"}}}}],
        "toolChoice": {"tool": {"name": "record"}},
    },
}


def call(name: str = "record", given: object = None) -> dict[str, Any]:
    return {"toolUse": {"toolUseId": "t1", "name": name, "input": {"tpm": "x"} if given is None else given}}


def answered(*blocks: dict[str, Any], **usage: int) -> tuple[ToolAnswer, list[Any]]:
    counts = {"inputTokens": 500, "outputTokens": 60, "totalTokens": 560, **usage}
    answer = {"output": {"message": {"role": "assistant", "content": list(blocks)}}, "usage": counts}
    client, calls = canned_client("bedrock-runtime", {"Converse": answer})
    return ask_by_tool(client, REQUEST, "record"), calls


def test_the_request_is_sent_as_it_is_and_the_tools_input_comes_back_with_its_tokens() -> None:
    answer, calls = answered({"text": "Let me see."}, call())

    assert answer == ToolAnswer({"tpm": "x"}, 500, 60)
    assert calls == [("Converse", REQUEST)]


def test_cached_tokens_are_input_tokens_too() -> None:
    answer, _ = answered(call(), cacheReadInputTokens=100, cacheWriteInputTokens=20)

    assert answer.input_tokens == 620


@pytest.mark.parametrize("blocks", [[], [{"text": "L-1"}], [call("other")], [call(), call()]])
def test_without_exactly_one_call_of_the_tool_there_is_no_input(blocks: list[dict[str, Any]]) -> None:
    answer, _ = answered(*blocks)

    assert answer == ToolAnswer(None, 500, 60)


@pytest.mark.parametrize(
    ("answer", "missing"),
    [
        ({"usage": {"inputTokens": 1, "outputTokens": 1}}, "output"),
        ({"output": {"message": {"role": "assistant", "content": []}}}, "usage"),
        ({"output": {"message": {"role": "assistant", "content": []}}, "usage": {"inputTokens": 1}}, "outputTokens"),
    ],
)
def test_an_answer_without_its_parts_is_an_error_that_names_the_part(answer: dict[str, Any], missing: str) -> None:
    client, _ = canned_client("bedrock-runtime", {"Converse": answer})

    with pytest.raises(ReadingError, match=f"Converse: the answer has an entry without '{missing}'"):
        ask_by_tool(client, REQUEST, "record")


PRODUCTION = AccountSettings(name="production", regions=("eu-west-1", "us-east-1"))
RESEARCH = AccountSettings(name="research", regions=("us-west-2",))


def resolved(*unreachable: UnreachableAccount) -> ResolvedScopes:
    away = {account.account_name for account in unreachable}
    scopes = [
        Scope(account_id, account.name, region, "aws")
        for account, account_id in ((PRODUCTION, "111122223333"), (RESEARCH, "444455556666"))
        for region in account.regions
        if account.name not in away
    ]
    sessions = {account.name: AccountSession(account) for account in (PRODUCTION, RESEARCH)}
    return ResolvedScopes(tuple(scopes), unreachable, sessions)


@pytest.mark.parametrize(
    ("values", "expected"),
    [
        ({}, ("111122223333", "eu-west-1")),
        ({"llm_region": "us-east-2"}, ("111122223333", "us-east-2")),
        ({"llm_account": "research"}, ("444455556666", "us-west-2")),
    ],
)
def test_the_first_account_and_its_first_region_are_asked_unless_others_are_named(
    values: dict[str, str], expected: tuple[str, str]
) -> None:
    place = place_to_ask(resolved(), QuotaMappingSettings.model_validate(values))

    assert (place.account_id, place.region) == expected


@pytest.mark.parametrize(("status", "failure"), [("denied", ReadingDeniedError), ("failed", ReadingError)])
def test_an_account_that_cannot_be_reached_is_named(status: Any, failure: type[Exception]) -> None:
    away = UnreachableAccount("production", None, ("eu-west-1",), status, "AssumeRole: no.")

    with pytest.raises(failure, match=r"The account 'production' could not be reached to ask with\. AssumeRole: no\."):
        place_to_ask(resolved(away), QuotaMappingSettings())
