"""What each wording of a quota name means."""

from dataclasses import replace

import pytest
from hypothesis import given
from hypothesis import strategies as st

from usage_pipeline.quotas.quota_names import parse_quota_name
from usage_pipeline_tests.quotas.catalogue import KnownQuota, known_quotas

KNOWN = known_quotas()


def test_every_known_name_states_its_endpoint_and_kind() -> None:
    names = {quota.quota_code: parse_quota_name(quota.quota_name) for quota in KNOWN}
    stated = {code: name and (name.endpoint_types, name.kind) for code, name in names.items()}
    assert stated == {quota.quota_code: (quota.endpoint_types, quota.quota_kind) for quota in KNOWN}


@pytest.mark.parametrize(
    ("quota_name", "endpoint_type", "kind", "label"),
    [
        (
            "On-demand model inference tokens per minute for Anthropic Claude Sonnet 4.6",
            "on_demand",
            "tpm",
            "Anthropic Claude Sonnet 4.6",
        ),
        (
            "Cross-Region model inference requests per minute for Anthropic Claude 3.5 Sonnet V2",
            "geo",
            "rpm",
            "Anthropic Claude 3.5 Sonnet V2",
        ),
        (
            "Global cross-region model inference tokens per day for Anthropic Claude Opus 4.5",
            "global",
            "tpd",
            "Anthropic Claude Opus 4.5",
        ),
        ("Cross-Region InvokeModel tokens per minute for Amazon Nova Pro", "geo", "tpm", "Amazon Nova Pro"),
        ("Global Cross-Region InvokeModel requests per minute for GPT-6 Sol", "global", "rpm", "GPT-6 Sol"),
        ("On-demand InvokeModel tokens per minute for Amazon Nova Pro", "on_demand", "tpm", "Amazon Nova Pro"),
        ("On demand InvokeModel tokens per minute for Amazon Nova Pro", "on_demand", "tpm", "Amazon Nova Pro"),
        ("InvokeModel requests per minute for Amazon Nova Pro", None, "rpm", "Amazon Nova Pro"),
        (
            "On-demand InvokeModel concurrent requests for Amazon Nova Sonic",
            "on_demand",
            "concurrency",
            "Amazon Nova Sonic",
        ),
        ("On-demand model inference concurrent requests for Luma Ray V2", "on_demand", "concurrency", "Luma Ray V2"),
        (
            "(Model customization) Sum of on demand custom model deployment tokens per day for Amazon Nova Lite",
            "custom_deployment",
            "tpd",
            "Amazon Nova Lite",
        ),
        ("Bedrock Mantle input tokens per minute for Claude Opus 4.7", "mantle", "tpm", "Claude Opus 4.7"),
        ("[bedrock-mantle endpoint] Output tokens per minute for Claude Opus 4.8", "mantle", "tpm", "Claude Opus 4.8"),
    ],
)
def test_every_wording_is_read(quota_name: str, endpoint_type: str | None, kind: str, label: str) -> None:
    name = parse_quota_name(quota_name)
    assert name is not None
    assert (name.endpoint_type, name.kind, name.model_label) == (endpoint_type, kind, label)


def test_one_per_day_quota_limits_on_demand_and_geo_calls_and_never_global_ones() -> None:
    name = parse_quota_name("Model invocation max tokens per day for Amazon Nova Lite (doubled for cross-region calls)")
    assert name is not None
    assert (name.endpoint_type, name.endpoint_types) == (None, ("on_demand", "geo"))


def test_a_limit_is_doubled_only_where_the_name_says_so() -> None:
    names = [
        parse_quota_name("Model invocation max tokens per day for Claude 9 (doubled for cross-region calls)"),
        parse_quota_name("Model invocation max tokens per day for Claude 9"),
        parse_quota_name("Global cross-region model inference tokens per day for Claude 9"),
    ]
    assert [name is not None and name.doubled_for_cross_region for name in names] == [True, False, False]


@pytest.mark.parametrize(
    "quota_name",
    [
        "Cross-region model inference tokens per minute for Anthropic Claude Sonnet 4.5 V1 1M Context Length",
        "Model invocation max tokens per day for Anthropic Claude Sonnet 4.5 V1 1M Context Length "
        "(doubled for cross-region calls)",
        "Cross-region model inference tokens per minute for Anthropic Claude Sonnet 4.5 V1 (1M context)",
        "Cross-Region InvokeModel tokens per minute for Anthropic Claude Sonnet 4.5 V1 with 1M Context Length",
        "Cross-region model inference tokens per minute for Anthropic Claude Sonnet 4.5 1M Context Length V1",
        "Cross-region model inference tokens per minute for Anthropic Claude Sonnet 4.5 V1, 200K Context Window",
        "Global cross-region model inference tokens per day for Anthropic Claude Sonnet 4.5 V1 2M Context Length",
        "Model invocation max tokens per day for Anthropic Claude Sonnet 4.5 V1 (Doubled for cross-region calls) "
        "1M Context Length",
    ],
)
def test_long_context_is_a_quota_of_its_own_and_no_part_of_the_model(quota_name: str) -> None:
    name = parse_quota_name(quota_name)
    ordinary = parse_quota_name("Cross-region model inference tokens per minute for Anthropic Claude Sonnet 4.5 V1")
    assert name is not None
    assert ordinary is not None
    assert (name.long_context, name.limits_ordinary_requests, name.model) == (True, False, ordinary.model)


@pytest.mark.parametrize(
    "quota_name",
    [
        "On-Demand, latency-optimized model inference tokens per minute for Amazon Nova Pro V1",
        "On-demand latency-optimized model inference tokens per minute for Amazon Nova Pro V1",
        "Model invocation max latency-optimized tokens per day for Amazon Nova Pro V1",
        "Latency-optimized on-demand model inference tokens per minute for Amazon Nova Pro V1",
        "Cross-Region latency optimised InvokeModel requests per minute for Amazon Nova Pro V1",
    ],
)
def test_latency_optimized_is_a_quota_of_its_own(quota_name: str) -> None:
    name = parse_quota_name(quota_name)
    assert name is not None
    assert (name.latency_optimized, name.limits_ordinary_requests) == (True, False)


def test_asynchronous_calls_are_told_apart() -> None:
    name = parse_quota_name("On-demand InvokeModel async concurrent requests for TwelveLabs Marengo Embed 3.0")
    assert name is not None
    assert (name.is_async, name.kind) == (True, "concurrency")


def test_mantle_quotas_say_their_direction_and_never_limit_runtime_calls() -> None:
    name = parse_quota_name("Bedrock Mantle output tokens per minute for Claude Opus 4.7")
    assert name is not None
    assert (name.mantle_direction, name.limits_ordinary_requests) == ("output", False)


@pytest.mark.parametrize(
    "quota_name",
    [
        "Batch inference job size (in GB) for Claude Sonnet 4",
        "Records per batch inference job for Nova Lite V1",
        "Minimum number of records per batch inference job for Nova Lite V1",
        "Sum of in-progress and submitted batch inference jobs using a base model for DeepSeek v3",
        "Model units per provisioned model for Amazon Titan Text Embeddings V2",
        "(Guardrails) On-demand ApplyGuardrail requests per second",
        "Cross-Model Max Tokens Per Day",
        "Imported models per account",
        "On-demand model inference requests per day for Amazon Nova Lite",
        "",
    ],
)
def test_quotas_that_are_not_about_inference_with_one_model_are_left_out(quota_name: str) -> None:
    assert parse_quota_name(quota_name) is None


@given(
    quota=st.sampled_from(KNOWN),
    cases=st.lists(st.booleans(), min_size=200, max_size=200),
    gaps=st.lists(st.sampled_from([" ", "  ", ", ", " ,", "\t"]), min_size=30, max_size=30),
)
def test_case_commas_and_spaces_do_not_change_what_a_name_says(
    quota: KnownQuota, cases: list[bool], gaps: list[str]
) -> None:
    letters = zip(quota.quota_name, cases, strict=False)
    cased = "".join(letter.upper() if upper else letter.lower() for letter, upper in letters)
    words = cased.split(" ")
    written = words[0] + "".join(gap + word for gap, word in zip(gaps, words[1:], strict=False))
    name, as_written = parse_quota_name(quota.quota_name), parse_quota_name(written)
    assert name is not None
    assert as_written is not None
    assert replace(as_written, model_label="") == replace(name, model_label="")
