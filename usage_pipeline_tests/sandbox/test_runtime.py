"""Bedrock Runtime's Converse as the model that maps quotas."""

from typing import Any

import pytest
from botocore.exceptions import ClientError

from usage_pipeline.aws.bedrock_runtime import ToolAnswer, ask_by_tool
from usage_pipeline.quotas.llm_mapper import TOOL_NAME, Question, converse_request, open_questions
from usage_pipeline.quotas.model_names import FoundationModel
from usage_pipeline.quotas.quota_names import QuotaKind
from usage_pipeline.quotas.rule_mapper import Quota, map_quotas
from usage_pipeline.reference import quota_labels
from usage_pipeline.sandbox import RunningSandbox
from usage_pipeline.sandbox.organisation import models_in
from usage_pipeline.sandbox.quota_catalogue import pool_codes, quotas_in
from usage_pipeline_tests.sandbox.conftest import MakeClient

MAPPER = "us.anthropic.claude-haiku-4-5-20251001-v1:0"


@pytest.fixture(scope="module")
def questions() -> list[Question]:
    """What the rules leave open in us-east-1."""
    models = [FoundationModel(model.model_id, model.name, model.provider) for model in models_in("us-east-1")]
    catalogue = [Quota(quota.code, quota.name) for quota in quotas_in("us-east-1")]
    mappings = map_quotas(models, catalogue, labels=quota_labels())
    return open_questions(mappings, {model.model_id: model for model in models})


def asked(make_client: MakeClient, question: Question) -> ToolAnswer:
    return ask_by_tool(make_client("bedrock-runtime"), converse_request(question, MAPPER), TOOL_NAME)


def codes(answer: ToolAnswer) -> dict[str, Any]:
    assert isinstance(answer.tool_input, dict)
    return {kind: choice["quota_code"] for kind, choice in answer.tool_input.items()}


def test_rules_leave_the_quotas_of_three_models_open_and_the_truth_knows_them(questions: list[Question]) -> None:
    assert [(one.model.model_id, one.endpoint_type, *one.candidates) for one in questions] == [
        ("cohere.command-a-03-2026-v1:0", "on_demand", "tpm", "rpm"),
        ("mistral.magistral-small-2609-v1:0", "on_demand", "tpm", "rpm"),
        ("zai.glm-5v-106b-a12b", "geo", "tpm", "rpm"),
    ]
    kinds: tuple[QuotaKind, ...] = ("tpm", "rpm", "tpd")
    for one in questions:
        true_codes = dict(zip(kinds, pool_codes(one.model.model_id, one.endpoint_type), strict=True))
        assert true_codes["tpm"] in {quota.quota_code for quota in one.candidates["tpm"]}


def test_the_true_code_is_chosen_where_it_is_a_candidate_else_none(
    make_client: MakeClient, questions: list[Question]
) -> None:
    assert [codes(asked(make_client, question)) for question in questions] == [
        {"tpm": "L-7B20C4D8", "rpm": "none"},
        {"tpm": "L-5E1A70C2", "rpm": "L-5E1A70C3"},
        {"tpm": "L-6A3D91F0", "rpm": "L-6A3D91F1"},
    ]


def test_tokens_grow_with_what_is_asked(make_client: MakeClient, questions: list[Question]) -> None:
    short = Question(questions[0].model, "on_demand", {"rpm": questions[0].candidates["rpm"]})

    small, large = asked(make_client, short), asked(make_client, questions[0])

    assert 0 < small.input_tokens < large.input_tokens
    assert 0 < small.output_tokens < large.output_tokens


@pytest.mark.parametrize(
    ("fault", "expected"),
    [
        ("outside", {"tpm": "L-00000000", "rpm": "L-00000000"}),
        ("metric", {"tpm": "L-6A3D91F1", "rpm": "L-6A3D91F0"}),
    ],
)
def test_it_can_err(
    sandbox: RunningSandbox, make_client: MakeClient, questions: list[Question], fault: str, expected: dict[str, str]
) -> None:
    sandbox.set_faults([f"wrong_answer:{fault}"])

    assert codes(asked(make_client, questions[2])) == expected


def test_it_can_talk_instead_of_calling_its_tool(
    sandbox: RunningSandbox, make_client: MakeClient, questions: list[Question]
) -> None:
    sandbox.set_faults(["wrong_answer:no_tool_call"])

    assert asked(make_client, questions[0]).tool_input is None


def test_it_can_be_denied_apart_from_bedrock_itself(
    sandbox: RunningSandbox, make_client: MakeClient, questions: list[Question]
) -> None:
    sandbox.set_faults(["denied:bedrock-runtime:*:*"])

    with pytest.raises(ClientError, match="bedrock-runtime:Converse"):
        asked(make_client, questions[0])
    assert make_client("bedrock").list_foundation_models()["modelSummaries"]


def test_it_can_be_throttled_for_a_while(
    sandbox: RunningSandbox, make_client: MakeClient, questions: list[Question]
) -> None:
    sandbox.set_faults(["throttled:bedrock-runtime:1"])

    assert codes(asked(make_client, questions[2])) == {"tpm": "L-6A3D91F0", "rpm": "L-6A3D91F1"}
    assert sandbox.call_counts == {"bedrock-runtime.Converse": 2}


@pytest.mark.parametrize(
    "model_id", ["amazon.nova-9-lite-v1:0", "anthropic.claude-opus-4-7", "eu.amazon.nova-pro-v1:0"]
)
def test_a_model_that_the_region_does_not_answer_for_is_refused(make_client: MakeClient, model_id: str) -> None:
    message = {"role": "user", "content": [{"text": "Say yes."}]}

    with pytest.raises(ClientError, match="The provided model identifier is invalid"):
        make_client("bedrock-runtime").converse(modelId=model_id, messages=[message])


def test_without_a_tool_it_says_a_word(make_client: MakeClient) -> None:
    message = {"role": "user", "content": [{"text": "Say yes."}]}

    answer = make_client("bedrock-runtime").converse(modelId="amazon.nova-micro-v1:0", messages=[message])

    assert answer["output"]["message"]["content"] == [{"text": "Yes."}]


def test_a_forced_tool_that_is_not_there_is_refused(make_client: MakeClient, questions: list[Question]) -> None:
    request = converse_request(questions[0], MAPPER)
    request["toolConfig"]["toolChoice"] = {"tool": {"name": "another"}}

    with pytest.raises(ClientError, match="not among the tools"):
        make_client("bedrock-runtime").converse(**request)
