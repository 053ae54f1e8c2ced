"""A wrong mapping is caught, wherever it came from."""

from dataclasses import dataclass, replace

import pytest

from usage_pipeline.quotas.mapping_checks import SharedCode, disagreements, proofs_against, shared_codes
from usage_pipeline.quotas.model_names import FoundationModel
from usage_pipeline.quotas.rule_mapper import map_quotas
from usage_pipeline.reference import quota_labels
from usage_pipeline_tests.quotas.catalogue import known_models, known_quotas

LABELS = quota_labels()


@dataclass(frozen=True)
class Row:
    """A stored mapping, as an override or a language model could have made it."""

    model_id: str = "anthropic.claude-sonnet-4-5-20250929-v1:0"
    endpoint_type: str = "global"
    quota_kind: str = "tpm"
    quota_code: str | None = "L-27C57EE8"
    quota_name: str | None = "Global cross-region model inference tokens per minute for Anthropic Claude Sonnet 4.5 V1"


SONNET = FoundationModel("anthropic.claude-sonnet-4-5-20250929-v1:0", "Claude Sonnet 4.5", "Anthropic")
GLOBAL_TPM = "Global cross-region model inference tokens per minute for"


def test_a_right_mapping_has_no_disagreement() -> None:
    assert disagreements(Row(), f"{GLOBAL_TPM} Anthropic Claude Sonnet 4.5 V1", SONNET, labels=LABELS) == []


@pytest.mark.parametrize(
    ("quota_name", "expected"),
    [
        (
            f"{GLOBAL_TPM} Anthropic Claude Sonnet 4.6",
            ["The quota's name says version 4.6, the model anthropic.claude-sonnet-4-5-20250929-v1:0 has 4.5."],
        ),
        (
            f"{GLOBAL_TPM} Anthropic Claude Haiku 4.5",
            [
                "The quota's name says family claude haiku, the model anthropic.claude-sonnet-4-5-20250929-v1:0 has"
                " claude sonnet."
            ],
        ),
        (
            f"{GLOBAL_TPM} Anthropic Claude Sonnet 4.5 V2",
            ["The quota's name says API version V2, the model anthropic.claude-sonnet-4-5-20250929-v1:0 has V1."],
        ),
        (
            f"{GLOBAL_TPM} Anthropic Claude Sonnet 4.5 V1 1M Context Length",
            ["The quota's name limits long-context requests only."],
        ),
        (
            "Cross-region model inference requests per minute for Anthropic Claude Sonnet 4.5 V1",
            [
                "The quota's name is about geo, the mapping about global.",
                "The quota's name is about rpm, the mapping about tpm.",
            ],
        ),
        (
            "Batch inference job size (in GB) for Claude Sonnet 4.5",
            ["“Batch inference job size (in GB) for Claude Sonnet 4.5” is not the inference quota of one model."],
        ),
    ],
)
def test_each_disagreement_is_a_sentence(quota_name: str, expected: list[str]) -> None:
    assert disagreements(Row(), quota_name, SONNET, labels=LABELS) == expected


@pytest.mark.parametrize(
    ("quota_name", "expected"),
    [
        (f"{GLOBAL_TPM} Anthropic Claude Sonnet 4.5 V1", []),
        (f"{GLOBAL_TPM} Claude Sonnet", []),
        ("InvokeModel tokens per minute for Anthropic Claude Sonnet 4.5 V1", []),
        (
            "InvokeModel requests per minute for Anthropic Claude Sonnet 4.5 V1",
            ["The quota's name is about rpm, the mapping about tpm."],
        ),
        (
            "Cross-region model inference tokens per minute for Claude Sonnet 4.5",
            ["The quota's name is about geo, the mapping about global."],
        ),
        (
            f"{GLOBAL_TPM} Claude Sonnet 4.6",
            ["The quota's name says version 4.6, the model anthropic.claude-sonnet-4-5-20250929-v1:0 has 4.5."],
        ),
        (
            f"{GLOBAL_TPM} Anthropic Claude Sonnet 1M Context Length",
            ["The quota's name limits long-context requests only."],
        ),
        (
            "Records per batch inference job",
            ["“Records per batch inference job” is not the inference quota of one model."],
        ),
    ],
)
def test_of_what_people_and_models_map_only_proofs_count(quota_name: str, expected: list[str]) -> None:
    assert proofs_against(Row(), quota_name, SONNET, labels=LABELS) == expected


def test_a_per_day_quota_agrees_with_geo_and_on_demand_and_not_with_global() -> None:
    name = "Model invocation max tokens per day for Anthropic Claude Sonnet 4.5 V1 (doubled for cross-region calls)"
    per_day = [Row(endpoint_type=endpoint, quota_kind="tpd") for endpoint in ("geo", "on_demand", "global")]
    found = [len(disagreements(row, name, SONNET, labels=LABELS)) for row in per_day]
    assert found == [0, 0, 1]


def test_a_listed_label_is_no_disagreement() -> None:
    row = Row("nvidia.nemotron-nano-12b-v2", "on_demand", "tpm", "L-A05A5476")
    model = FoundationModel("nvidia.nemotron-nano-12b-v2")
    on_demand = "On-demand model inference tokens per minute for NVIDIA Nemotron Nano 2"
    assert disagreements(row, f"{on_demand} VL", model, labels=LABELS) == []
    assert disagreements(row, on_demand, model, labels=LABELS) != []


def test_every_mapping_of_the_known_catalogue_passes_both_checks() -> None:
    models = {model.model_id: model for model in known_models()}
    mappings = map_quotas(models.values(), known_quotas(), labels=LABELS)
    found = [
        disagreements(one, one.quota_name, models[one.model_id], labels=LABELS) for one in mappings if one.quota_name
    ]
    assert [one for one in found if one] == []
    assert shared_codes(mappings, labels=LABELS) == []


def test_a_code_of_two_models_is_found() -> None:
    older = Row(model_id="anthropic.claude-sonnet-4-20250514-v1:0")
    other = Row(quota_code="L-00000002", quota_name="another quota")
    assert shared_codes([older, Row(), other], labels=LABELS) == [
        SharedCode(
            "L-27C57EE8",
            "Global cross-region model inference tokens per minute for Anthropic Claude Sonnet 4.5 V1",
            ("anthropic.claude-sonnet-4-20250514-v1:0", "anthropic.claude-sonnet-4-5-20250929-v1:0"),
        )
    ]


def test_listed_models_and_variants_of_one_model_may_share() -> None:
    titan = "On-demand model inference tokens per minute for Amazon Titan Text Embeddings"
    first = Row("amazon.titan-embed-text-v1", "on_demand", "tpm", "L-74B5B793", titan)
    second = replace(first, model_id="amazon.titan-embed-g1-text-02")
    third = replace(first, model_id="amazon.titan-embed-text-v2:0")
    lite = Row("amazon.nova-lite-v1:0", quota_code="L-153ADCCB", quota_name="any name")
    variant = replace(lite, model_id="amazon.nova-lite-v1:0:300k")
    assert shared_codes([first, second, lite, variant], labels=LABELS) == []
    assert [one.quota_code for one in shared_codes([first, second, third], labels=LABELS)] == ["L-74B5B793"]
