"""Usage types in AWS's grammar: each is read whole, or not at all."""

import pytest
from hypothesis import given
from hypothesis import strategies as st

from usage_pipeline.config_values import region_partitions
from usage_pipeline.prices.usage_types import _REGIONS, UnreadUsageTypeError, UsageType, read_usage_type


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        ("USE1-NovaLite-input-tokens", UsageType("USE1", "NovaLite", "input")),
        ("EU-NovaLite-output-tokens-standard", UsageType("EU", "NovaLite", "output")),
        ("APN1-Nova2.0Lite-input-tokens-batch", UsageType("APN1", "Nova2.0Lite", "input", "batch")),
        ("USW2-gpt-oss-120b-output-tokens-priority", UsageType("USW2", "gpt-oss-120b", "output", "priority")),
        (
            "USE1-NovaPro-input-tokens-flex-cross-region-geo",
            UsageType("USE1", "NovaPro", "input", "flex", scope="geo"),
        ),
        (
            "USE1-Nova2.0Lite-output-tokens-cross-region-global-batch",
            UsageType("USE1", "Nova2.0Lite", "output", "batch", scope="global"),
        ),
        (
            "USE1-Claude4.5Sonnet-input-tokens-long-context-cross-region-global",
            UsageType("USE1", "Claude4.5Sonnet", "input", context_band="long", scope="global"),
        ),
        ("USE1-NovaLite-cache-read-input-token-count", UsageType("USE1", "NovaLite", "cache_read")),
        (
            "USE1-NovaLite-cache-write-input-token-count-long-context-cross-region-geo",
            UsageType("USE1", "NovaLite", "cache_write_5m", context_band="long", scope="geo"),
        ),
        (
            "USW2-Nova2.0Lite-cache-write-input-token-count-flex",
            UsageType("USW2", "Nova2.0Lite", "cache_write_5m", "flex"),
        ),
        (
            "EUW2-NovaPro-cache-read-input-token-count-priority-cross-region-geo",
            UsageType("EUW2", "NovaPro", "cache_read", "priority", scope="geo"),
        ),
        ("USE1-MP:USE1_InputTokenCount-Units", UsageType("USE1", None, "input")),
        ("MP:EUW1_OutputTokenCount-Units", UsageType("EUW1", None, "output")),
        ("USE2-MP:USE2_CacheReadInputTokenCount_Global-Units", UsageType("USE2", None, "cache_read", scope="global")),
        ("USE1-MP:USE1_CacheWriteInputTokenCount_Geo-Units", UsageType("USE1", None, "cache_write_5m", scope="geo")),
        (
            "USE1-MP:USE1_CacheWrite1hInputTokenCount_LCtx_Global-Units",
            UsageType("USE1", None, "cache_write_1h", context_band="long", scope="global"),
        ),
        (
            "APN2-MP:APN2_InputTokenCount_Global_Batch-Units",
            UsageType("APN2", None, "input", "batch", scope="global"),
        ),
        ("USE1-MP:USE1_input_tokens_standard-Units", UsageType("USE1", None, "input")),
        (
            "USE1-MP:USE1_output_tokens_global_batch-Units",
            UsageType("USE1", None, "output", "batch", scope="global"),
        ),
        (
            "USE1-MP:USE1_cache_write_tokens_1h_global_standard-Units",
            UsageType("USE1", None, "cache_write_1h", scope="global"),
        ),
        (
            "USE1-MP:USE1_cache_read_tokens_long_ctx_priority-Units",
            UsageType("USE1", None, "cache_read", "priority", "long"),
        ),
    ],
)
def test_a_usage_type_is_read_whole(text: str, expected: UsageType) -> None:
    assert read_usage_type(text) == expected


@pytest.mark.parametrize(
    ("text", "reason"),
    [
        ("", "no price of tokens on demand"),
        ("USE1-BoxUsage:m7i.large", "no price of tokens on demand"),
        ("USE1-NovaCanvas-T2I-1024-Standard", "no price of tokens on demand"),
        ("USE1-NovaLite-ModelUnits-1Month", "no price of tokens on demand"),
        ("USE1-NovaLite-input-tokens-turbo", "no price of tokens on demand"),
        ("USE1-NovaLite-input-tokens-cross-region", "no price of tokens on demand"),
        ("USE1-MP:USE1_Reserved_1Month_InputTPM_Global-Units", "no price of tokens on demand"),
        ("USE1-MP:USE1_InputTokenCount", "no price of tokens on demand"),
        ("USE1-MP:USE1_input_tokens_1h_standard-Units", "no price of tokens on demand"),
        ("USE1-gpt-oss-120b-mantle-input-tokens", "another endpoint: bedrock-mantle"),
        ("USE1-NovaLite-input-tokens-flex-cross-region-geo-batch", "more than one tier"),
    ],
)
def test_what_is_not_understood_is_not_guessed(text: str, reason: str) -> None:
    with pytest.raises(UnreadUsageTypeError, match=f"^{reason}$"):
        read_usage_type(text)


_CODES = st.from_regex(r"[A-Z]{2,4}[1-9]?", fullmatch=True)
_WORDS = st.from_regex(r"[A-Za-z][A-Za-z0-9.]{0,12}(-[a-z0-9]{1,6}){0,2}", fullmatch=True)
_KINDS = {
    "input-tokens": "input",
    "output-tokens": "output",
    "cache-read-input-token-count": "cache_read",
    "cache-write-input-token-count": "cache_write_5m",
}


@given(code=_CODES, words=_WORDS, kind=st.sampled_from(sorted(_KINDS)), scope=st.sampled_from([None, "geo", "global"]))
def test_what_is_written_in_the_grammar_is_read_back(code: str, words: str, kind: str, scope: str | None) -> None:
    text = f"{code}-{words}-{kind}" + (f"-cross-region-{scope}" if scope else "")
    read = read_usage_type(text)
    assert (read.region_code, read.model_words, read.token_kind, read.scope) == (code, words, _KINDS[kind], scope)


@given(st.text(max_size=80))
def test_any_text_is_read_or_refused_with_a_reason(text: str) -> None:
    try:
        read = read_usage_type(text)
    except UnreadUsageTypeError:
        return
    assert read.region_code in text
    assert read.model_words is None or read.model_words in text


def test_every_known_code_is_of_a_region_of_aws() -> None:
    regions = {code: UsageType(code, None, "input").region for code in ("USE1", "EU", "EUW1", "APS3", "UGW1", "APS1")}
    assert regions == {
        "USE1": "us-east-1",
        "EU": "eu-west-1",
        "EUW1": "eu-west-1",
        "APS3": "ap-south-1",
        "UGW1": "us-gov-west-1",
        "APS1": "ap-southeast-1",
    }
    assert set(_REGIONS.values()) <= set(region_partitions())
    assert UsageType("XYZ9", None, "input").region is None
