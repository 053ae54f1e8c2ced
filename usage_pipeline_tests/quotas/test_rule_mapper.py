"""Which quota limits which model, and what is left open rather than guessed."""

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from usage_pipeline.quotas.model_names import FoundationModel, base_model_id
from usage_pipeline.quotas.quota_names import MAPPED_ENDPOINT_TYPES, QUOTA_KINDS
from usage_pipeline.quotas.rule_mapper import Quota, QuotaMapping, map_quotas
from usage_pipeline.reference import QuotaLabel, quota_labels
from usage_pipeline_tests.quotas.catalogue import KnownQuota, known_models, known_quotas, mapped

QUOTAS = known_quotas()
MODELS = known_models()
MAPPINGS = mapped(MODELS, [*QUOTAS])

TPM_AND_RPM_CODES = """
    amazon.nova-micro-v1:0                     on_demand  L-CFA4FA0D  L-E118F160
    amazon.nova-micro-v1:0                     geo        L-DC7FF66C  L-3F110E0F
    amazon.nova-lite-v1:0                      on_demand  L-70423BF8  L-E386A278
    amazon.nova-lite-v1:0                      geo        L-7C42E72A  L-89F8391A
    amazon.nova-pro-v1:0                       on_demand  L-CE33604C  L-F2717A44
    amazon.nova-pro-v1:0                       geo        L-C0326783  L-ED46B8C5
    amazon.nova-premier-v1:0                   geo        L-AA7FE948  L-9AD981E7
    amazon.nova-2-lite-v1:0                    geo        L-C6F5908D  L-F06F1187
    amazon.nova-2-lite-v1:0                    global     L-71C69B70  L-D5F39C2F
    anthropic.claude-3-haiku-20240307-v1:0     on_demand  L-8CE99163  L-2DC80978
    anthropic.claude-3-haiku-20240307-v1:0     geo        L-DCADBC78  L-616A3F5B
    anthropic.claude-3-5-sonnet-20241022-v2:0  on_demand  L-AD41C330  L-79E773B3
    anthropic.claude-3-5-sonnet-20241022-v2:0  geo        L-FF8B4E28  L-1D3E59A3
    anthropic.claude-3-7-sonnet-20250219-v1:0  geo        L-6E888CC2  L-3D8CC480
    anthropic.claude-haiku-4-5-20251001-v1:0   geo        L-58BE175A  L-CCA5DF70
    anthropic.claude-haiku-4-5-20251001-v1:0   global     L-9A11C666  L-E5084BBA
    anthropic.claude-sonnet-4-20250514-v1:0    geo        L-59759B4A  L-559DCC33
    anthropic.claude-sonnet-4-5-20250929-v1:0  geo        L-F4DDD3EB  L-4A6BFAB1
    anthropic.claude-sonnet-4-6                geo        L-15B8E632  L-00FF3314
    anthropic.claude-sonnet-4-6                global     L-7BEE40FB  L-F6E116D7
    anthropic.claude-opus-4-20250514-v1:0      geo        L-29C2B0A3  L-C99C7EF6
    anthropic.claude-opus-4-1-20250805-v1:0    geo        L-BD85BFCD  L-7EC72A47
    anthropic.claude-opus-4-5-20251101-v1:0    geo        L-7007E9C9  L-27989F42
    anthropic.claude-opus-4-5-20251101-v1:0    global     L-3ABF6ACC  L-58424D95
    anthropic.claude-opus-4-6-v1               geo        L-0AD9BBE8  L-11DFF789
    anthropic.claude-opus-4-6-v1               global     L-3DCCFAA4  L-3DD46812
    anthropic.claude-opus-4-7                  geo        L-5DB28B7B  -
    anthropic.claude-opus-4-7                  global     L-34152C1D  -
    anthropic.claude-3-5-haiku-20241022-v1:0   geo        L-4BF37C17  L-252DF594
    anthropic.claude-sonnet-4-20250514-v1:0    global     L-97E41E39  L-C63AA5DA
    anthropic.claude-sonnet-4-5-20250929-v1:0  global     L-27C57EE8  L-DB84CE56
    nvidia.nemotron-nano-12b-v2                on_demand  L-A05A5476  L-30B384EA
    nvidia.nemotron-nano-9b-v2                 on_demand  L-33D3627D  L-AC7B3FB9
"""
"""The main codes; the last five rows are where published registries name another model's code."""

TPD_CODES = """
    anthropic.claude-sonnet-4-5-20250929-v1:0  geo        L-381AD9EE
    anthropic.claude-sonnet-4-5-20250929-v1:0  on_demand  L-381AD9EE
    anthropic.claude-sonnet-4-5-20250929-v1:0  global     L-BC182137
    anthropic.claude-opus-4-5-20251101-v1:0    geo        L-F397ECBF
    anthropic.claude-opus-4-5-20251101-v1:0    global     L-E2985A8E
    amazon.nova-lite-v1:0                      geo        L-45E0AD92
    anthropic.claude-haiku-4-5-20251001-v1:0   geo        -
    anthropic.claude-sonnet-4-6                geo        -
    anthropic.claude-sonnet-4-6                global     L-248E47B7
"""

CODES_THAT_REGISTRIES_CONFUSE = """
    cohere.command-r-plus-v1:0       tpm  L-FEE1DCB6
    cohere.command-r-v1:0            tpm  L-17F95AA4
    amazon.titan-embed-g1-text-02    tpm  L-74B5B793
    amazon.titan-embed-text-v2:0     tpm  L-DE641971
    meta.llama3-1-70b-instruct-v1:0  tpm  L-48E55E59
    mistral.mistral-large-2402-v1:0  tpm  L-01447289
    mistral.mistral-large-2407-v1:0  tpm  L-1C28E1AB
    qwen.qwen3-235b-a22b-2507-v1:0   tpm  L-3875BCCF
    qwen.qwen3-vl-235b-a22b          tpm  L-46063925
    qwen.qwen3-coder-480b-a35b-v1:0  tpm  L-4D0E44C8
    qwen.qwen3-coder-30b-a3b-v1:0    tpm  L-92F81E14
"""
"""On-demand codes that published registries give to a neighbour, or leave out."""


def rows(table: str) -> list[list[str]]:
    return [line.split() for line in table.strip().splitlines()]


def code(mapping: QuotaMapping) -> str:
    return mapping.quota_code or "-"


@pytest.mark.parametrize(("model_id", "endpoint_type", "tpm", "rpm"), rows(TPM_AND_RPM_CODES))
def test_the_main_codes(model_id: str, endpoint_type: str, tpm: str, rpm: str) -> None:
    found = [MAPPINGS[(model_id, endpoint_type, kind)] for kind in ("tpm", "rpm")]
    assert [code(one) for one in found] == [tpm, rpm]


@pytest.mark.parametrize(("model_id", "endpoint_type", "tpd"), rows(TPD_CODES))
def test_the_per_day_codes(model_id: str, endpoint_type: str, tpd: str) -> None:
    assert code(MAPPINGS[(model_id, endpoint_type, "tpd")]) == tpd


@pytest.mark.parametrize(("model_id", "kind", "expected"), rows(CODES_THAT_REGISTRIES_CONFUSE))
def test_the_codes_that_registries_confuse(model_id: str, kind: str, expected: str) -> None:
    assert code(MAPPINGS[(model_id, "on_demand", kind)]) == expected


def test_every_known_quota_goes_to_its_models_and_to_no_other() -> None:
    users: dict[str | None, set[str]] = {quota.quota_code: set() for quota in QUOTAS}
    for one in MAPPINGS.values():
        users.setdefault(one.quota_code, set()).add(base_model_id(one.model_id))
    del users[None]
    assert users == {quota.quota_code: quota.model_ids for quota in QUOTAS}


def test_every_model_endpoint_and_kind_has_one_row_with_a_status_and_a_reason() -> None:
    mappings = map_quotas(MODELS, QUOTAS, labels=quota_labels())
    assert len(mappings) == len(MODELS) * len(MAPPED_ENDPOINT_TYPES) * len(QUOTA_KINDS)
    assert len({(one.model_id, one.endpoint_type, one.quota_kind) for one in mappings}) == len(mappings)
    for one in mappings:
        assert (one.quota_code is not None) == (one.status == "mapped") == (one.method == "rule")
        assert (one.quota_name is not None) == (one.status == "mapped")
        assert one.reason.endswith(".")


def test_a_model_that_aws_gives_no_requests_quota_has_no_quota_and_the_reason_says_so() -> None:
    assert MAPPINGS[("anthropic.claude-opus-4-7", "geo", "rpm")] == QuotaMapping(
        model_id="anthropic.claude-opus-4-7",
        endpoint_type="geo",
        quota_kind="rpm",
        quota_code=None,
        quota_name=None,
        method="none",
        status="no_quota",
        reason="The catalogue names no quota of this model for requests per minute of cross-Region calls within a"
        " geography.",
    )


def test_a_mapped_quota_comes_with_its_name_and_the_evidence() -> None:
    name = "Global cross-region model inference tokens per minute for Anthropic Claude Sonnet 4.5 V1"
    assert MAPPINGS[("anthropic.claude-sonnet-4-5-20250929-v1:0", "global", "tpm")] == QuotaMapping(
        model_id="anthropic.claude-sonnet-4-5-20250929-v1:0",
        endpoint_type="global",
        quota_kind="tpm",
        quota_code="L-27C57EE8",
        quota_name=name,
        method="rule",
        status="mapped",
        reason="The quota is for tokens per minute of global cross-Region calls to Anthropic Claude Sonnet 4.5 V1;"
        " it says the same as the model in provider, family, version and variant.",
    )


def test_a_custom_model_deployment_is_limited_by_the_quota_of_its_base_model() -> None:
    found = [MAPPINGS[("amazon.nova-lite-v1:0:300k", "custom_deployment", kind)] for kind in ("tpm", "rpm", "tpd")]
    assert [code(one) for one in found] == ["L-153ADCCB", "L-7374C882", "L-B706E06A"]


def test_titan_text_embeddings_of_the_first_generation_share_one_quota_under_both_ids() -> None:
    ids = ("amazon.titan-embed-text-v1", "amazon.titan-embed-g1-text-02", "amazon.titan-embed-text-v2:0")
    found = [code(MAPPINGS[(model_id, "on_demand", "tpm")]) for model_id in ids]
    assert found == ["L-74B5B793", "L-74B5B793", "L-DE641971"]


def quota(model_label: str, number: int = 1) -> Quota:
    name = f"Cross-region model inference tokens per minute for {model_label}"
    return Quota(f"L-{number:08X}", name)


def geo_tpm(model: FoundationModel, *quotas: Quota, labels: list[QuotaLabel] | None = None) -> QuotaMapping:
    shipped = quota_labels() if labels is None else labels
    mappings = map_quotas([model], quotas, labels=shipped, endpoint_types=["geo"])
    return next(one for one in mappings if one.quota_kind == "tpm")


FUTURE_MODELS_AND_THEIR_OWN_NAMES = """
    anthropic.claude-sonnet-4-10 | Claude Sonnet 4.10 | Anthropic Claude Sonnet 4.10
    anthropic.claude-sonnet-4-10-20270101-v1:0 | Claude Sonnet 4.10 | Anthropic Claude Sonnet 4.10 V1
    anthropic.claude-haiku-5 | Claude Haiku 5 | Anthropic Claude Haiku 5
    anthropic.claude-haiku-5 | Claude Haiku 5 | Anthropic Claude Haiku 5.0 V1
    anthropic.claude-haiku-5-5 | Claude Haiku 5.5 | Anthropic Claude Haiku 5.5
    anthropic.claude-mythos-6 | Claude Mythos 6 | Anthropic Claude Mythos 6
    anthropic.claude-sonnet-6-20270301-v2:0 | Claude Sonnet 6 v2 | Anthropic Claude Sonnet 6 V2
    amazon.nova-3-lite-v1:0 | Nova 3 Lite | Amazon Nova 3 Lite
    amazon.nova-3-omni-v1:0 | Nova 3 Omni | Amazon Nova 3 Omni V1
    amazon.titan-embed-text-v3:0 | Titan Text Embeddings V3 | Amazon Titan Text Embeddings V3
    meta.llama5-70b-instruct-v1:0 | Llama 5 70B Instruct | Meta Llama 5 70B Instruct
    mistral.mistral-large-2701-v1:0 | Mistral Large (27.01) | Mistral Large 2701
    mistral.mistral-large-4-900b-instruct | Mistral Large 4 | Mistral Large 4
    qwen.qwen4-coder-600b-a40b-v1:0 | Qwen4 Coder 600B A40B | Qwen4 Coder 600B a40b V1
    writer.palmyra-x6-v1:0 | Palmyra X6 | Writer AI Palmyra X6 V1
    openai.gpt-7-sol | GPT-7 Sol | GPT-7 Sol
    moonshotai.kimi-k3.5 | Kimi K3.5 | Moonshot AI Kimi K3.5
    zai.glm-6-flash | GLM 6 Flash | Z.ai GLM-6 Flash
    acme.rocket-2-mini-v1:0 | Rocket 2 Mini | Acme Rocket 2 Mini
    acme.rocket-2-mini-v1:0 | Rocket 2 Mini | Rocket 2 Mini V1
"""

FUTURE_MODELS_AND_THEIR_NEIGHBOURS = """
    anthropic.claude-sonnet-4-10 | Claude Sonnet 4.10 | Anthropic Claude Sonnet 4.1
    anthropic.claude-sonnet-4-1 | Claude Sonnet 4.1 | Anthropic Claude Sonnet 4.10
    anthropic.claude-sonnet-4-10 | Claude Sonnet 4.10 | Anthropic Claude Sonnet 4 V1
    anthropic.claude-sonnet-4-11 | Claude Sonnet 4.11 | Anthropic Claude Sonnet 4.1
    anthropic.claude-sonnet-4-20250514-v1:0 | Claude Sonnet 4 | Anthropic Claude Sonnet 4.2
    anthropic.claude-sonnet-4-20250514-v1:0 | Claude Sonnet 4 | Anthropic Claude Sonnet 4 V2
    anthropic.claude-sonnet-4-20250514-v1:0 | Claude Sonnet 4 | Anthropic Claude Sonnet 4 V10
    anthropic.claude-sonnet-4-20270101-v2:0 | Claude Sonnet 4 v2 | Anthropic Claude Sonnet 4
    anthropic.claude-sonnet-4-20270101-v2:0 | Claude Sonnet 4 | Anthropic Claude Sonnet 4 V1
    anthropic.claude-3-5-sonnet-20241022-v2:0 | Claude 3.5 Sonnet | Anthropic Claude 3.5 Sonnet
    anthropic.claude-3-5-sonnet-20240620-v1:0 | Claude 3.5 Sonnet | Anthropic Claude 3.5 Sonnet V2
    anthropic.claude-haiku-5 | Claude Haiku 5 | Anthropic Claude Haiku 5.5
    anthropic.claude-haiku-5-5 | Claude Haiku 5.5 | Anthropic Claude Haiku 5
    anthropic.claude-haiku-5-5 | Claude Haiku 5.5 | Anthropic Claude Haiku 4.5
    anthropic.claude-haiku-5 | Claude Haiku 5 | Anthropic Claude Sonnet 5
    anthropic.claude-opus-5 | Claude Opus 5 | Anthropic Claude Opus 5.5
    anthropic.claude-opus-5-5 | Claude Opus 5.5 | Anthropic Claude Fable 5.5
    anthropic.claude-fable-5-2 | Claude Fable 5.2 | Anthropic Claude Fable 5
    anthropic.claude-mythos-5 | Claude Mythos 5 | Anthropic Claude Mythos Preview
    anthropic.claude-mythos-5 | Claude Mythos 5 | Anthropic Claude Mythos
    anthropic.claude-sonnet-5 | Claude Sonnet 5 | Anthropic Claude Sonnet 5 1M Context Length
    anthropic.claude-sonnet-5 | Claude Sonnet 5 | Anthropic Claude Sonnet 5 Thinking
    anthropic.claude-sonnet-5 | Claude Sonnet 5 | Anthropic Claude Sonnet
    anthropic.claude-sonnet-5 | Claude Sonnet 5 | Anthropic Claude 5
    anthropic.claude-sonnet-5 | Claude Sonnet 5 | Amazon Claude Sonnet 5
    anthropic.claude-sonnet-5 | Claude Sonnet 5 | Anthropic Claude Sonnet 5 Priority
    anthropic.claude-v2:1 | Claude | Anthropic Claude V2
    anthropic.claude-v2 | Claude | Anthropic Claude V2.1
    anthropic.claude-v2 | Claude | Anthropic Claude Instant
    amazon.nova-lite-v1:0 | Nova Lite | Amazon Nova 2 Lite
    amazon.nova-2-lite-v1:0 | Nova 2 Lite | Amazon Nova Lite
    amazon.nova-2-lite-v1:0 | Nova 2 Lite | Amazon Nova Lite V2
    amazon.nova-lite-v1:0 | Nova Lite | Amazon Nova Lite V2
    amazon.nova-lite-v2:0 | Nova Lite v2 | Amazon Nova 2 Lite
    amazon.nova-lite-v2:0 | Nova Lite v2 | Amazon Nova Lite
    amazon.nova-2-lite-v1:0 | Nova 2 Lite | Amazon Nova 2.5 Lite
    amazon.nova-pro-v1:0 | Nova Pro | Amazon Nova Premier V1
    amazon.nova-2-pro-v1:0 | Nova 2 Pro | Amazon Nova 2 Lite
    amazon.nova-2-5-sonic | Nova 2.5 Sonic | Amazon Nova 2 Sonic
    amazon.nova-sonic-v1:0 | Nova Sonic | Amazon Nova 2 Sonic
    amazon.nova-lite-v1:0 | Nova Lite | Amazon Nova Sonic
    amazon.nova-reel-v1:1 | Nova Reel | Amazon Nova Reel1.2
    amazon.nova-2-multimodal-embeddings-v1:0 | Nova Multimodal Embeddings | Amazon Nova Multimodal Embeddings
    amazon.titan-embed-text-v2:0 | Titan Text Embeddings V2 | Amazon Titan Text Embeddings
    amazon.titan-embed-text-v1 | Titan Embeddings G1 - Text | Amazon Titan Text Embeddings V2
    amazon.titan-embed-g1-text-02 | Titan Text Embeddings v2 | Amazon Titan Text Embeddings V2
    amazon.titan-embed-image-v1 | Titan Multimodal Embeddings G1 | Amazon Titan Multimodal Embeddings G2
    amazon.titan-image-generator-v2:0 | Titan Image Generator G1 v2 | Amazon Titan Image Generator G1
    amazon.titan-tg1-large | Titan Text Large | Amazon Titan Image Generator G1
    meta.llama3-70b-instruct-v1:0 | Llama 3 70B Instruct | Meta Llama 3.1 70B Instruct
    meta.llama3-1-70b-instruct-v1:0 | Llama 3.1 70B Instruct | Meta Llama 3.1 8B Instruct
    meta.llama3-3-70b-instruct-v1:0 | Llama 3.3 70B Instruct | Meta Llama 3.2 70B Instruct
    meta.llama4-scout-17b-instruct-v1:0 | Llama 4 Scout 17B Instruct | Meta Llama 4 Maverick V1
    meta.llama4-scout-109b-instruct-v1:0 | Llama 4 Scout 109B Instruct | Meta Llama 4 Scout V1
    meta.llama4-maverick-17b-instruct-v1:0 | Llama 4 Maverick 17B Instruct | Meta Llama 4 Scout V1
    mistral.mistral-large-2402-v1:0 | Mistral Large (24.02) | Mistral Large 2407
    mistral.mistral-large-2407-v1:0 | Mistral Large (24.07) | Mistral AI Mistral Large
    mistral.mistral-large-3-675b-instruct | Mistral Large 3 | Mistral Large 2407
    mistral.mistral-large-4-900b-instruct | Mistral Large 4 | Mistral Large 3
    mistral.mistral-small-2402-v1:0 | Mistral Small (24.02) | Mistral Large
    mistral.ministral-3-8b-instruct | Ministral 3 8B | Ministral 14B 3.0
    mistral.ministral-4-8b-instruct | Ministral 4 8B | Ministral 8B 3.0
    mistral.voxtral-mini-3b-2507 | Voxtral Mini 3B 2507 | Voxtral Small 1.0
    mistral.voxtral-mini-4b-2701 | Voxtral Mini 4B 2701 | Voxtral Mini 1.0
    mistral.pixtral-large-2601-v1:0 | Pixtral Large (26.01) | Mistral Pixtral Large 25.02 V1
    mistral.devstral-small-2-24b | Devstral Small 2 24B | Mistral Devstral 2 123b
    nvidia.nemotron-nano-12b-v2 | NVIDIA Nemotron Nano 12B v2 VL | NVIDIA Nemotron Nano 2
    nvidia.nemotron-nano-9b-v2 | NVIDIA Nemotron Nano 9B v2 | NVIDIA Nemotron Nano 2 VL
    nvidia.nemotron-nano-12b-v2 | NVIDIA Nemotron Nano 12B v2 VL | NVIDIA Nemotron Nano 2 (9B)
    nvidia.nemotron-nano-9b-v3 | NVIDIA Nemotron Nano 9B v3 | NVIDIA Nemotron Nano 2
    nvidia.nemotron-nano-3-30b | Nemotron Nano 3 30B | NVIDIA Nemotron 3 Super 120B A12B
    writer.palmyra-x4-v1:0 | Palmyra X4 | Writer AI Palmyra X5 V1
    writer.palmyra-x5-v1:0 | Palmyra X5 | Writer Palmyra Vision 7B
    qwen.qwen3-235b-a22b-2507-v1:0 | Qwen3 235B A22B 2507 | Qwen3 Coder 480B a35b V1
    qwen.qwen3-235b-a22b-2507-v1:0 | Qwen3 235B A22B 2507 | Qwen3 VL 235B A22B
    qwen.qwen3-coder-480b-a35b-v1:0 | Qwen3 Coder 480B A35B | Qwen3 Coder 30B a3b V1
    qwen.qwen4-32b-v1:0 | Qwen4 32B | Qwen3 32B V1
    qwen.qwen3-32b-v1:0 | Qwen3 32B (dense) | Qwen3 Coder Next
    openai.gpt-oss-120b-1:0 | gpt-oss-120b | OpenAI GPT OSS 20B
    openai.gpt-oss-120b-1:0 | gpt-oss-120b | GPT OSS Safeguard 120B
    openai.gpt-6-sol | GPT-6 Sol | GPT-6.1 Sol
    openai.gpt-6-sol | GPT-6 Sol | GPT-6 Luna
    openai.gpt-6.10-sol | GPT-6.10 Sol | GPT-6.1 Sol
    deepseek.v3-v1:0 | DeepSeek-V3.1 | DeepSeek V3.2
    deepseek.r2-v1:0 | DeepSeek-R2 | DeepSeek R1 V1
    cohere.command-r-plus-v1:0 | Command R+ | Cohere Command R
    cohere.command-r-v1:0 | Command R | Cohere Command R Plus
    cohere.embed-v5:0 | Embed v5 | Cohere Embed V4
    cohere.embed-english-v4 | Embed English | Cohere Embed English
    cohere.embed-english-v3 | Embed English | Cohere Embed Multilingual
    cohere.rerank-v4-0:0 | Rerank 4 | Cohere Rerank 3.5
    moonshotai.kimi-k2.5 | Kimi K2.5 | Kimi K2 Thinking
    moonshotai.kimi-k3 | Kimi K3 | Moonshot AI Kimi K2.5
    minimax.minimax-m2 | MiniMax M2 | MiniMax M2.5
    minimax.minimax-m2.1 | MiniMax M2.1 | Minimax M2
    zai.glm-4.7 | GLM 4.7 | Z.ai GLM-4.7 Flash
    zai.glm-4.7-flash | GLM 4.7 Flash | Z.ai GLM-4.7
    xai.grok-4.6 | Grok 4.6 | Grok 4.7
    twelvelabs.pegasus-2-0-v1:0 | Pegasus v2.0 | Twelve Labs Pegasus
    twelvelabs.marengo-embed-3-0-v1:0 | Marengo Embed 3.0 | Twelve Labs Marengo
    stability.stable-image-core-v2:0 | Stable Image Core 2 | Stability.ai Stable Image Core
    acme.rocket-2-mini-v1:0 | Rocket 2 Mini | Apex Rocket 2 Mini
    acme.rocket-2-mini-v1:0 | Rocket 2 Mini | Acme Rocket 2
"""


def named(table: str) -> list[list[str]]:
    """Model id, display name and quota label of each line."""
    return [[part.strip() for part in line.split("|")] for line in table.strip().splitlines()]


@pytest.mark.parametrize(("model_id", "model_name", "label"), named(FUTURE_MODELS_AND_THEIR_OWN_NAMES))
def test_a_future_model_gets_the_quota_that_bears_its_name(model_id: str, model_name: str, label: str) -> None:
    mapping = geo_tpm(FoundationModel(model_id, model_name), quota(label))
    assert (mapping.status, mapping.quota_code) == ("mapped", "L-00000001")


@pytest.mark.parametrize(("model_id", "model_name", "label"), named(FUTURE_MODELS_AND_THEIR_NEIGHBOURS))
def test_a_model_never_gets_a_neighbours_quota(model_id: str, model_name: str, label: str) -> None:
    """Alone in the list and with the neighbour's quota alone in the catalogue: nothing else can keep them apart."""
    for model in (FoundationModel(model_id, model_name), FoundationModel(model_id)):
        assert geo_tpm(model, quota(label)).quota_code is None


def test_at_least_sixty_future_names_and_neighbours_are_tried() -> None:
    assert len(named(FUTURE_MODELS_AND_THEIR_NEIGHBOURS)) >= 100
    assert all(part for row in named(FUTURE_MODELS_AND_THEIR_NEIGHBOURS) for part in row)


@pytest.mark.parametrize("model", MODELS, ids=lambda model: model.model_id)
def test_without_its_own_quotas_a_model_gets_none_of_the_others(model: FoundationModel) -> None:
    others = [one for one in QUOTAS if base_model_id(model.model_id) not in one.model_ids]
    for as_known in (model, FoundationModel(model.model_id)):
        for labels in (quota_labels(), []):
            mappings = map_quotas([as_known], others, labels=labels)
            assert [one for one in mappings if one.quota_code is not None] == []


def test_a_vague_name_is_left_open_with_the_candidates_named() -> None:
    mapping = geo_tpm(
        FoundationModel("mistral.magistral-small-2609", "Magistral Small 2609"), quota("Magistral Small 1.2"), labels=[]
    )
    assert (mapping.status, mapping.reason) == (
        "unmapped",
        "No quota says the same as the model in every statement; these may be meant: L-00000001 (Cross-region model"
        " inference tokens per minute for Magistral Small 1.2).",
    )


def test_two_quotas_with_one_meaning_are_left_open() -> None:
    model = FoundationModel("anthropic.claude-3-5-sonnet-20240620-v1:0", "Claude 3.5 Sonnet")
    mapping = geo_tpm(model, quota("Anthropic Claude 3.5 Sonnet", 1), quota("Anthropic Claude 3.5 Sonnet V1", 2))
    assert (mapping.status, mapping.reason.split(":")[0]) == ("unmapped", "2 quotas fit equally well")
    assert "L-00000001" in mapping.reason
    assert "L-00000002" in mapping.reason


def test_a_name_that_does_not_say_its_endpoint_is_left_open() -> None:
    unscoped = Quota("L-00000001", "InvokeModel requests per minute for Amazon Nova Pro")
    mappings = map_quotas([FoundationModel("amazon.nova-pro-v1:0", "Nova Pro")], [unscoped], labels=[])
    open_rows = {(one.endpoint_type, one.quota_kind): one.status for one in mappings if one.status != "no_quota"}
    assert open_rows == {
        ("on_demand", "rpm"): "unmapped",
        ("geo", "rpm"): "unmapped",
        ("global", "rpm"): "unmapped",
    }


def test_ordinary_calls_are_limited_by_the_synchronous_quota_where_there_are_both() -> None:
    model = FoundationModel("twelvelabs.marengo-embed-3-0-v1:0", "Marengo Embed 3.0")
    label = "TwelveLabs Marengo Embed 3.0"
    is_async = Quota("L-00000001", f"On-demand InvokeModel async concurrent requests for {label}")
    plain = Quota("L-00000002", f"On-demand InvokeModel concurrent requests for {label}")

    def concurrency(*quotas: Quota) -> str | None:
        mappings = map_quotas([model], quotas, labels=[], endpoint_types=["on_demand"])
        return next(one.quota_code for one in mappings if one.quota_kind == "concurrency")

    assert [concurrency(is_async, plain), concurrency(is_async)] == ["L-00000002", "L-00000001"]


def test_a_code_that_two_models_claim_is_given_to_neither_and_both_are_named() -> None:
    first, second = "anthropic.claude-sonnet-7-20280101-v1:0", "anthropic.claude-sonnet-7-20280601-v1:0"
    mappings = map_quotas(
        [FoundationModel(first), FoundationModel(second)], [quota("Anthropic Claude Sonnet 7 V1")], labels=[]
    )
    contested = [one for one in mappings if one.endpoint_type == "geo" and one.quota_kind == "tpm"]
    assert [(one.status, one.quota_code, one.method) for one in contested] == [("unmapped", None, "none")] * 2
    assert all(first in one.reason and second in one.reason for one in contested)


def test_two_models_share_a_code_only_when_the_list_of_labels_says_so() -> None:
    models = [FoundationModel("acme.rocket-v1:0"), FoundationModel("acme.rocket-v1:1")]
    shared = [
        QuotaLabel(model_id=model.model_id, quota_label="Acme Rocket", shared=True, source="a test") for model in models
    ]
    not_shared = [row.model_copy(update={"shared": False}) for row in shared]

    def codes(labels: list[QuotaLabel]) -> list[str | None]:
        mappings = map_quotas(models, [quota("Acme Rocket")], labels=labels, endpoint_types=["geo"])
        return [one.quota_code for one in mappings if one.quota_kind == "tpm"]

    assert codes(shared) == ["L-00000001", "L-00000001"]
    assert codes(not_shared) == [None, None]


def test_the_order_of_models_and_quotas_does_not_matter() -> None:
    backwards = map_quotas(MODELS[::-1], QUOTAS[::-1], labels=quota_labels()[::-1])
    assert backwards == map_quotas(MODELS, QUOTAS, labels=quota_labels())


@settings(max_examples=60, deadline=None)
@given(model=st.sampled_from(MODELS), others=st.sets(st.sampled_from(QUOTAS), max_size=120))
def test_quotas_of_other_models_never_change_a_mapping(model: FoundationModel, others: set[KnownQuota]) -> None:
    own = [one for one in QUOTAS if base_model_id(model.model_id) in one.model_ids]
    foreign = [one for one in others if base_model_id(model.model_id) not in one.model_ids]
    alone = map_quotas([model], own, labels=quota_labels())
    together = map_quotas([model], own + foreign, labels=quota_labels())
    codes = [[(one.endpoint_type, one.quota_kind, one.quota_code) for one in found] for found in (alone, together)]
    assert codes[0] == codes[1]


@settings(max_examples=30, deadline=None)
@given(others=st.sets(st.sampled_from(MODELS), max_size=60), model=st.sampled_from(MODELS))
def test_other_models_never_change_a_mapping(model: FoundationModel, others: set[FoundationModel]) -> None:
    mappings = map_quotas({model, *others}, QUOTAS, labels=quota_labels())
    own = {(one.endpoint_type, one.quota_kind): code(one) for one in mappings if one.model_id == model.model_id}
    expected = {key: code(MAPPINGS[(model.model_id, *key)]) for key in own}
    assert own == expected
