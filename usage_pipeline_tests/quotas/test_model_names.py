"""What each spelling of a model's name means."""

import pytest

from usage_pipeline.quotas.model_names import (
    FoundationModel,
    ModelIdentity,
    base_model_id,
    model_identities,
    parse_model_id,
    parse_model_label,
)


def identity(text: str) -> ModelIdentity:
    """`provider | family words | version | V | variants | date`, with nothing for what is not stated."""
    provider, family, version, v_number, variants, date = (part.strip() for part in text.split("|"))
    return ModelIdentity(
        provider=provider or None,
        family=frozenset(family.split()),
        version=tuple(int(number) for number in version.split(".")) if version else (),
        api_version=int(v_number) if v_number else None,
        variants=frozenset(variants.split()),
        date=date or None,
    )


@pytest.mark.parametrize(
    ("model_id", "expected"),
    [
        ("anthropic.claude-sonnet-4-5-20250929-v1:0", "anthropic | claude sonnet | 4.5 | 1 | | 20250929"),
        ("anthropic.claude-sonnet-4-20250514-v1:0", "anthropic | claude sonnet | 4 | 1 | | 20250514"),
        ("anthropic.claude-3-5-haiku-20241022-v1:0", "anthropic | claude haiku | 3.5 | 1 | | 20241022"),
        ("anthropic.claude-3-5-sonnet-20241022-v2:0", "anthropic | claude sonnet | 3.5 | 2 | | 20241022"),
        ("anthropic.claude-opus-4-6-v1", "anthropic | claude opus | 4.6 | 1 | | "),
        ("anthropic.claude-opus-4-7", "anthropic | claude opus | 4.7 | | | "),
        ("anthropic.claude-opus-4-10", "anthropic | claude opus | 4.10 | | | "),
        ("anthropic.claude-sonnet-5", "anthropic | claude sonnet | 5 | | | "),
        ("anthropic.claude-opus-5-5", "anthropic | claude opus | 5.5 | | | "),
        ("anthropic.claude-v2", "anthropic | claude | | 2 | | "),
        ("anthropic.claude-v2:1", "anthropic | claude | 2.1 | | | "),
        ("amazon.nova-lite-v1:0", "amazon | nova | | 1 | lite | "),
        ("amazon.nova-lite-v1:0:300k", "amazon | nova | | 1 | lite | "),
        ("amazon.nova-2-lite-v1:0", "amazon | nova | 2 | 1 | lite | "),
        ("amazon.nova-2-5-sonic", "amazon | nova sonic | 2.5 | | | "),
        ("amazon.nova-reel-v1:0", "amazon | nova reel | | 1 | | "),
        ("amazon.nova-reel-v1:1", "amazon | nova reel | 1.1 | | | "),
        ("amazon.titan-embed-text-v2:0", "amazon | titan | | 2 | embed text | "),
        ("amazon.titan-embed-g1-text-02", "amazon | titan g1 | 2 | | embed text | "),
        ("amazon.titan-embed-image-v1", "amazon | titan | | 1 | embed image | "),
        ("meta.llama3-70b-instruct-v1:0", "meta | llama | 3 | 1 | 70b instruct | "),
        ("meta.llama3-1-70b-instruct-v1:0", "meta | llama | 3.1 | 1 | 70b instruct | "),
        ("meta.llama4-scout-17b-instruct-v1:0", "meta | llama | 4 | 1 | scout 17b instruct | "),
        ("mistral.mistral-large-2407-v1:0", "mistral | | | 1 | large | 2407"),
        ("mistral.mistral-7b-instruct-v0:2", "mistral | | 0.2 | | 7b instruct | "),
        ("mistral.mixtral-8x7b-instruct-v0:1", "mistral | mixtral | 0.1 | | 8x7b instruct | "),
        ("mistral.ministral-3-14b-instruct", "mistral | ministral | 3 | | 14b instruct | "),
        ("cohere.embed-v4:0", "cohere | | | 4 | embed | "),
        ("cohere.embed-multilingual-v3", "cohere | | | 3 | embed multilingual | "),
        ("cohere.rerank-v3-5:0", "cohere | rerank | 3.5 | | | "),
        ("cohere.command-r-plus-v1:0", "cohere | command r | | 1 | plus | "),
        ("nvidia.nemotron-nano-12b-v2", "nvidia | nemotron | | 2 | nano 12b | "),
        ("nvidia.nemotron-nano-3-30b", "nvidia | nemotron | 3 | | nano 30b | "),
        ("writer.palmyra-x5-v1:0", "writer | palmyra x5 | | 1 | | "),
        ("writer.palmyra-vision-7b", "writer | palmyra | | | vision 7b | "),
        ("deepseek.r1-v1:0", "deepseek | r1 | | 1 | | "),
        ("deepseek.v3-v1:0", "deepseek | | 3 | 1 | | "),
        ("deepseek.v3.2", "deepseek | | 3.2 | | | "),
        ("openai.gpt-oss-120b-1:0", "openai | gpt | | 1 | oss 120b | "),
        ("openai.gpt-5.6-luna", "openai | gpt luna | 5.6 | | | "),
        ("qwen.qwen3-coder-480b-a35b-v1:0", "qwen | | 3 | 1 | coder 480b a35b | "),
        ("qwen.qwen3-235b-a22b-2507-v1:0", "qwen | | 3 | 1 | 235b a22b | 2507"),
        ("moonshotai.kimi-k2.5", "moonshot | kimi k2.5 | | | | "),
        ("moonshot.kimi-k2-thinking", "moonshot | kimi k2 | | | thinking | "),
        ("minimax.minimax-m2.1", "minimax | m2.1 | | | | "),
        ("zai.glm-4.7-flash", "zai | glm | 4.7 | | flash | "),
        ("twelvelabs.marengo-embed-2-7-v1:0", "twelvelabs | marengo | 2.7 | 1 | embed | "),
        ("luma.ray-v2:0", "luma | ray | | 2 | | "),
        ("acme.rocket-2-mini-v1:0", "acme | rocket | 2 | 1 | mini | "),
    ],
)
def test_model_ids(model_id: str, expected: str) -> None:
    assert parse_model_id(model_id) == identity(expected)


@pytest.mark.parametrize(
    ("label", "expected"),
    [
        ("Anthropic Claude Sonnet 4.5 V1", "anthropic | claude sonnet | 4.5 | 1 | | "),
        ("Anthropic Claude 3.7 Sonnet V1", "anthropic | claude sonnet | 3.7 | 1 | | "),
        ("Anthropic Claude Haiku 4.5", "anthropic | claude haiku | 4.5 | | | "),
        ("Anthropic Claude Opus 4.10", "anthropic | claude opus | 4.10 | | | "),
        ("Anthropic Claude V2.1", "anthropic | claude | 2.1 | | | "),
        ("Amazon Nova 2 Multimodal Embeddings V1", "amazon | nova | 2 | 1 | multimodal embed | "),
        ("Amazon Nova Reel1.0", "amazon | nova reel | 1 | | | "),
        ("Amazon Titan Text Embeddings V2", "amazon | titan | | 2 | text embed | "),
        ("Amazon Titan Multimodal Embeddings G1", "amazon | titan g1 | | | multimodal embed | "),
        ("Meta Llama 3.1 70B Instruct", "meta | llama | 3.1 | | 70b instruct | "),
        ("Mistral AI Mistral Large", "mistral | | | | large | "),
        ("Mistral Large 2407", "mistral | | | | large | 2407"),
        ("Mistral Pixtral Large 25.02 V1", "mistral | pixtral | | 1 | large | 2502"),
        ("Mistral AI Mixtral 8X7BB Instruct", "mistral | mixtral | | | 8x7b instruct | "),
        ("Ministral 14B 3.0", " | ministral | 3 | | 14b | "),
        ("Qwen3 235B a22b 2507 V1", "qwen | | 3 | 1 | 235b a22b | 2507"),
        ("DeepSeek V3 V1", "deepseek | | 3 | 1 | | "),
        ("DeepSeek-V3.1", "deepseek | | 3.1 | | | "),
        ("TwelveLabs Marengo Embed 3.0", "twelvelabs | marengo | 3 | | embed | "),
        ("Twelve Labs Marengo Embed V2.7", "twelvelabs | marengo | 2.7 | | embed | "),
        ("Z.ai GLM-4.7 Flash", "zai | glm | 4.7 | | flash | "),
        ("Stability.ai Stable Diffusion 3.5 Large", "stability | stable diffusion | 3.5 | | large | "),
        ("AI21 Labs Jamba 1.5 Mini", "ai21 | jamba | 1.5 | | mini | "),
        ("Moonshot AI Kimi K2.5", "moonshot | kimi k2.5 | | | | "),
        ("Gemma 3 12B IT", " | gemma | 3 | | 12b instruct | "),
        ("Command R+", " | command r | | | plus | "),
        ("NVIDIA Nemotron Nano 12B v2 VL BF16", "nvidia | nemotron | | 2 | nano 12b vl | "),
    ],
)
def test_labels_and_display_names(label: str, expected: str) -> None:
    assert parse_model_label(label) == identity(expected)


def test_a_context_length_at_the_end_of_an_id_is_no_model_of_its_own() -> None:
    assert [base_model_id(model_id) for model_id in ("amazon.nova-lite-v1:0:300k", "amazon.nova-premier-v1:0:mm")] == [
        "amazon.nova-lite-v1:0",
        "amazon.nova-premier-v1:0",
    ]
    assert base_model_id("anthropic.claude-v2:1") == "anthropic.claude-v2:1"


@pytest.mark.parametrize(
    ("model", "trusted"),
    [
        (FoundationModel("amazon.titan-embed-image-v1", "Titan Multimodal Embeddings G1", "Amazon"), True),
        (FoundationModel("anthropic.claude-3-5-sonnet-20241022-v2:0", "Claude 3.5 Sonnet v2", "Anthropic"), True),
        (FoundationModel("mistral.mistral-large-2407-v1:0", "Mistral Large (24.07)", "Mistral AI"), True),
        (FoundationModel("nvidia.nemotron-nano-12b-v2", "NVIDIA Nemotron Nano 12B v2 VL BF16", "NVIDIA"), True),
        # Vaguer than the id, or about another model:
        (FoundationModel("amazon.titan-embed-g1-text-02", "Titan Text Embeddings v2", "Amazon"), False),
        (FoundationModel("anthropic.claude-3-5-sonnet-20241022-v2:0", "Claude 3.5 Sonnet", "Anthropic"), False),
        (FoundationModel("anthropic.claude-v2:1", "Claude", "Anthropic"), False),
        (FoundationModel("deepseek.v3-v1:0", "DeepSeek-V3.1", "DeepSeek"), False),
        (FoundationModel("mistral.mistral-large-2407-v1:0", "Mistral Large", "Mistral AI"), False),
        (FoundationModel("amazon.nova-2-multimodal-embeddings-v1:0", "Nova Multimodal Embeddings", "Amazon"), False),
        (FoundationModel("amazon.nova-lite-v1:0"), False),
    ],
)
def test_a_display_name_counts_only_when_it_says_as_much_as_the_id(model: FoundationModel, trusted: bool) -> None:
    assert (len(model_identities(model)) == 2) is trusted
