"""A whole catalogue of models that do not exist yet, close neighbours all: each gets its own quotas and no other's."""

import pytest

from usage_pipeline.quotas.model_names import FoundationModel
from usage_pipeline.quotas.quota_names import EndpointType, QuotaKind
from usage_pipeline.quotas.rule_mapper import Quota, QuotaMapping, map_quotas
from usage_pipeline.reference import quota_labels

FUTURE_MODELS = """
    anthropic.claude-sonnet-6                     | Claude Sonnet 6           | Anthropic Claude Sonnet 6
    anthropic.claude-sonnet-6-20270401-v2:0       | Claude Sonnet 6 v2        | Anthropic Claude Sonnet 6 V2
    anthropic.claude-sonnet-6-1-20270601-v1:0     | Claude Sonnet 6.1         | Anthropic Claude Sonnet 6.1 V1
    anthropic.claude-sonnet-6-10                  | Claude Sonnet 6.10        | Anthropic Claude Sonnet 6.10
    anthropic.claude-sonnet-6-11                  | Claude Sonnet 6.11        | Anthropic Claude Sonnet 6.11
    anthropic.claude-sonnet-16                    | Claude Sonnet 16          | Anthropic Claude Sonnet 16
    anthropic.claude-sonnet-16-1                  | Claude Sonnet 16.1        | Anthropic Claude Sonnet 16.1
    anthropic.claude-haiku-6                      | Claude Haiku 6            | Anthropic Claude Haiku 6
    anthropic.claude-haiku-6-1                    | Claude Haiku 6.1          | Anthropic Claude Haiku 6.1
    anthropic.claude-opus-6                       | Claude Opus 6             | Anthropic Claude Opus 6
    anthropic.claude-opus-6-10                    | Claude Opus 6.10          | Anthropic Claude Opus 6.10
    anthropic.claude-opus-6-1                     | Claude Opus 6.1           | Anthropic Claude Opus 6.1
    anthropic.claude-saga-1                       | Claude Saga 1             | Anthropic Claude Saga 1
    anthropic.claude-saga-1-5                     | Claude Saga 1.5           | Anthropic Claude Saga 1.5
    anthropic.claude-saga-2-mini                  | Claude Saga 2 Mini        | Anthropic Claude Saga 2 Mini
    anthropic.claude-saga-2                       | Claude Saga 2             | Anthropic Claude Saga 2
    amazon.nova-3-micro-v1:0                      | Nova 3 Micro              | Amazon Nova 3 Micro
    amazon.nova-3-lite-v1:0                       | Nova 3 Lite               | Amazon Nova 3 Lite
    amazon.nova-3-lite-v2:0                       | Nova 3 Lite v2            | Amazon Nova 3 Lite V2
    amazon.nova-3-pro-v1:0                        | Nova 3 Pro                | Amazon Nova 3 Pro
    amazon.nova-3-premier-v1:0                    | Nova 3 Premier            | Amazon Nova 3 Premier
    amazon.nova-3-1-pro-v1:0                      | Nova 3.1 Pro              | Amazon Nova 3.1 Pro
    amazon.nova-3-10-pro-v1:0                     | Nova 3.10 Pro             | Amazon Nova 3.10 Pro
    amazon.nova-13-pro-v1:0                       | Nova 13 Pro               | Amazon Nova 13 Pro
    amazon.nova-3-sonic-v1:0                      | Nova 3 Sonic              | Amazon Nova 3 Sonic
    amazon.nova-4-sonic-v1:0                      | Nova 4 Sonic              | Amazon Nova 4 Sonic
    amazon.titan-embed-text-v4:0                  | Titan Text Embeddings V4  | Amazon Titan Text Embeddings V4
    amazon.titan-embed-text-v5:0                  | Titan Text Embeddings V5  | Amazon Titan Text Embeddings V5
    meta.llama5-8b-instruct-v1:0                  | Llama 5 8B Instruct       | Meta Llama 5 8B Instruct
    meta.llama5-80b-instruct-v1:0                 | Llama 5 80B Instruct      | Meta Llama 5 80B Instruct
    meta.llama5-1-8b-instruct-v1:0                | Llama 5.1 8B Instruct     | Meta Llama 5.1 8B Instruct
    meta.llama5-10-8b-instruct-v1:0               | Llama 5.10 8B Instruct    | Meta Llama 5.10 8B Instruct
    meta.llama15-8b-instruct-v1:0                 | Llama 15 8B Instruct      | Meta Llama 15 8B Instruct
    mistral.mistral-large-4-900b-instruct         | Mistral Large 4           | Mistral Large 4 900B
    mistral.mistral-medium-4-90b-instruct         | Mistral Medium 4          | Mistral Medium 4 90B
    mistral.mistral-large-2701-v1:0               | Mistral Large (27.01)     | Mistral Large 2701
    mistral.mistral-large-2711-v1:0               | Mistral Large (27.11)     | Mistral Large 2711
    mistral.ministral-5-8b-instruct               | Ministral 5 8B            | Ministral 8B 5.0
    mistral.ministral-5-18b-instruct              | Ministral 5 18B           | Ministral 18B 5.0
    qwen.qwen5-32b-v1:0                           | Qwen5 32B                 | Qwen5 32B V1
    qwen.qwen5-3-32b-v1:0                         | Qwen5.3 32B               | Qwen5.3 32B V1
    qwen.qwen5-coder-600b-a40b-v1:0               | Qwen5 Coder 600B A40B     | Qwen5 Coder 600B a40b V1
    qwen.qwen5-coder-60b-a4b-v1:0                 | Qwen5 Coder 60B A4B       | Qwen5 Coder 60B a4b V1
    openai.gpt-7-sol                              | GPT-7 Sol                 | GPT-7 Sol
    openai.gpt-7-luna                             | GPT-7 Luna                | GPT-7 Luna
    openai.gpt-7.1-sol                            | GPT-7.1 Sol               | GPT-7.1 Sol
    openai.gpt-7.10-sol                           | GPT-7.10 Sol              | GPT-7.10 Sol
    openai.gpt-oss-2-120b-1:0                     | gpt-oss-2-120b            | OpenAI GPT OSS 2 120B
    openai.gpt-oss-2-20b-1:0                      | gpt-oss-2-20b             | OpenAI GPT OSS 2 20B
    deepseek.v5-v1:0                              | DeepSeek-V5               | DeepSeek V5 V1
    deepseek.v5.1                                 | DeepSeek V5.1             | DeepSeek V5.1
    deepseek.r3-v1:0                              | DeepSeek-R3               | DeepSeek R3 V1
    cohere.embed-v6:0                             | Embed v6                  | Cohere Embed V6
    cohere.rerank-v5-0:0                          | Rerank 5                  | Cohere Rerank 5
    cohere.rerank-v5-5:0                          | Rerank 5.5                | Cohere Rerank 5.5
    writer.palmyra-x7-v1:0                        | Palmyra X7                | Writer AI Palmyra X7 V1
    writer.palmyra-x17-v1:0                       | Palmyra X17               | Writer AI Palmyra X17 V1
    moonshotai.kimi-k4                            | Kimi K4                   | Moonshot AI Kimi K4
    moonshotai.kimi-k4.5                          | Kimi K4.5                 | Moonshot AI Kimi K4.5
    moonshotai.kimi-k4-thinking                   | Kimi K4 Thinking          | Moonshot AI Kimi K4 Thinking
    minimax.minimax-m4                            | MiniMax M4                | MiniMax M4
    minimax.minimax-m4.1                          | MiniMax M4.1              | MiniMax M4.1
    zai.glm-6                                     | GLM 6                     | Z.ai GLM-6
    zai.glm-6-flash                               | GLM 6 Flash               | Z.ai GLM-6 Flash
    xai.grok-7                                    | Grok 7                    | xAI Grok 7
    xai.grok-7.10                                 | Grok 7.10                 | xAI Grok 7.10
    xai.grok-7.1                                  | Grok 7.1                  | xAI Grok 7.1
    acme.rocket-2-v1:0                            | Rocket 2                  | Acme Rocket 2
    acme.rocket-2-mini-v1:0                       | Rocket 2 Mini             | Acme Rocket 2 Mini
    acme.rocket-12-mini-v1:0                      | Rocket 12 Mini            | Acme Rocket 12 Mini
"""
"""Model id, display name, and the label by which quotas name the model."""

LIMITING: tuple[tuple[str, tuple[EndpointType, ...], QuotaKind], ...] = (
    ("On-demand model inference tokens per minute for {}", ("on_demand",), "tpm"),
    ("On-Demand InvokeModel requests per minute for {}", ("on_demand",), "rpm"),
    ("Cross-Region InvokeModel tokens per minute for {}", ("geo",), "tpm"),
    ("cross-region model inference requests per minute for {}", ("geo",), "rpm"),
    ("Global cross-region model inference tokens per minute for {}", ("global",), "tpm"),
    ("GLOBAL CROSS-REGION MODEL INFERENCE REQUESTS PER MINUTE FOR {}", ("global",), "rpm"),
    ("Global Cross-Region, model inference tokens per day for {}", ("global",), "tpd"),
    ("Model invocation max tokens per day for {} (doubled for cross-region calls)", ("on_demand", "geo"), "tpd"),
    ("On-demand model inference concurrent requests for {}", ("on_demand",), "concurrency"),
    (
        "(Model customization) Sum of on demand custom model deployment tokens per minute for {}",
        ("custom_deployment",),
        "tpm",
    ),
    (
        "(Model customization) Sum of on-demand custom model deployment requests per minute for {}",
        ("custom_deployment",),
        "rpm",
    ),
)
"""Wordings of AWS in both spellings of case and commas, and what each limits."""

NEVER_LIMITING = (
    "Cross-region model inference tokens per minute for {} 1M Context Length",
    "Global cross-region model inference tokens per minute for {} 1M Context Length",
    "On-Demand, latency-optimized model inference tokens per minute for {}",
    "On-demand latency-optimized model inference requests per minute for {}",
    "Model invocation max latency-optimized tokens per day for {}",
    "Bedrock Mantle input tokens per minute for {}",
    "Bedrock Mantle output tokens per minute for {}",
    "Records per batch inference job for {}",
    "Model units per provisioned model for {}",
)
"""Quotas of the same model that limit no ordinary call."""

ROWS = [tuple(part.strip() for part in line.split("|")) for line in FUTURE_MODELS.strip().splitlines()]
WORDINGS = [*LIMITING, *((wording, (), None) for wording in NEVER_LIMITING)]


def code_of(model: int, wording: int) -> str:
    return f"L-{model:04X}{wording:04X}"


CATALOGUE = [
    Quota(code_of(model, wording), text.format(label))
    for model, (_, _, label) in enumerate(ROWS)
    for wording, (text, _, _) in enumerate(WORDINGS)
]
EXPECTED = {
    (model_id, endpoint_type, kind): code_of(model, wording)
    for model, (model_id, _, _) in enumerate(ROWS)
    for wording, (_, endpoint_types, kind) in enumerate(LIMITING)
    for endpoint_type in endpoint_types
}


def mapped(models: list[FoundationModel], quotas: list[Quota]) -> dict[tuple[str, str, str], QuotaMapping]:
    found = map_quotas(models, quotas, labels=quota_labels())
    return {(one.model_id, one.endpoint_type, one.quota_kind): one for one in found if one.quota_code is not None}


def test_there_are_sixty_future_models_at_least_and_no_two_are_one() -> None:
    assert len(ROWS) >= 60
    assert len({model_id for model_id, _, _ in ROWS}) == len({label for _, _, label in ROWS}) == len(ROWS)


def test_every_model_gets_exactly_its_own_quotas() -> None:
    found = mapped([FoundationModel(model_id, name) for model_id, name, _ in ROWS], CATALOGUE)

    assert {key: mapping.quota_code for key, mapping in found.items()} == EXPECTED


def test_by_their_ids_alone_models_get_the_same_quotas_or_none() -> None:
    found = mapped([FoundationModel(model_id) for model_id, _, _ in ROWS], CATALOGUE)

    assert {key: mapping.quota_code for key, mapping in found.items()}.items() <= EXPECTED.items()


@pytest.mark.parametrize("row", range(len(ROWS)), ids=[model_id for model_id, _, _ in ROWS])
def test_without_its_own_quotas_a_model_gets_none_and_what_is_open_names_its_candidates(row: int) -> None:
    model_id, name, _ = ROWS[row]
    others = [quota for quota in CATALOGUE if not quota.quota_code.startswith(code_of(row, 0)[:6])]

    for model in (FoundationModel(model_id, name), FoundationModel(model_id)):
        mappings = map_quotas([model], others, labels=quota_labels())

        assert [one for one in mappings if one.quota_code is not None] == []
        assert {bool(one.candidates) for one in mappings if one.status == "unmapped"} <= {True}
        assert {bool(one.candidates) for one in mappings if one.status == "no_quota"} <= {False}
