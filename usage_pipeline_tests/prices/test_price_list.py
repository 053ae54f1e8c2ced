"""Products of the Price List in AWS's documented grammar: what is understood, and what is counted, not guessed."""

import json
from decimal import Decimal
from typing import Any

import pytest

from usage_pipeline.prices.price_list import ListPrices, read_price_list
from usage_pipeline.prices.product_names import ModelNames
from usage_pipeline.quotas.model_names import FoundationModel
from usage_pipeline_tests.prices.factory import NOVA, SONNET

NAMES = ModelNames(
    [
        FoundationModel(NOVA, "Nova Lite", "Amazon"),
        FoundationModel(f"{NOVA}:300k", "Nova Lite", "Amazon"),
        FoundationModel("amazon.nova-2-lite-v1:0", "Nova 2 Lite", "Amazon"),
        FoundationModel("amazon.nova-pro-v1:0", "Nova Pro", "Amazon"),
        FoundationModel(SONNET, "Claude Sonnet 4.5", "Anthropic"),
        FoundationModel("anthropic.claude-sonnet-4-6", "Claude Sonnet 4.6", "Anthropic"),
        FoundationModel("moonshotai.kimi-k2-thinking", "Kimi K2 Thinking", "Moonshot AI"),
        FoundationModel("openai.gpt-oss-120b-1:0", "gpt-oss-120b", "OpenAI"),
        FoundationModel("cohere.command-r-plus-v1:0", "Command R+", "Cohere"),
    ]
)
MARKETPLACE = "AmazonBedrockFoundationModels"


def product(
    usage_type: str,
    usd: str = "0.00006",
    unit: str = "1K tokens",
    service: str = "AmazonBedrock",
    description: str = "",
    **attributes: Any,
) -> str:
    """A product as GetProducts gives it."""
    given = {"usagetype": usage_type, "regionCode": "us-east-1", "servicecode": service, **attributes}
    dimension = {"unit": unit, "pricePerUnit": {"USD": usd}, "description": description, "endRange": "Inf"}
    return json.dumps(
        {
            "serviceCode": service,
            "product": {"sku": f"SKU-{usage_type}", "attributes": given},
            "terms": {"OnDemand": {"T": {"priceDimensions": {"T.6YS6EN2CT7": dimension}}}},
        }
    )


def sold(name: str, words: str, usd: str = "3.3") -> str:
    """A product of the marketplace service, which says in words what it prices."""
    return product(
        f"USE1-MP:USE1_{words}",
        usd,
        "Units",
        MARKETPLACE,
        f"AWS Marketplace software usage|us-east-1|{words}",
        servicename=f"{name} (Amazon Bedrock Edition)",
    )


def read(*products: str) -> ListPrices:
    return read_price_list(products, NAMES, {SONNET: 200_000}, "AWS Price List, 2026-11-15")


def priced(prices: ListPrices) -> dict[tuple[str, ...], str]:
    return {row.price_key: format(row.usd_per_million.normalize(), "f") for row in prices.rows}


def unmapped(prices: ListPrices) -> list[str]:
    return [product.reason for product in prices.unmapped]


@pytest.mark.parametrize(
    ("suffix", "key"),
    [
        ("input-tokens", ("default", "standard", "input")),
        ("output-tokens", ("default", "standard", "output")),
        ("input-tokens-standard", ("default", "standard", "input")),
        ("input-tokens-batch", ("batch", "standard", "input")),
        ("output-tokens-flex", ("flex", "standard", "output")),
        ("output-tokens-priority", ("priority", "standard", "output")),
        ("cache-read-input-token-count", ("default", "standard", "cache_read")),
        ("cache-write-input-token-count", ("default", "standard", "cache_write_5m")),
    ],
)
def test_a_usage_type_without_a_scope_prices_the_region_through_both_endpoints(suffix: str, key: tuple) -> None:
    prices = read(product(f"USE1-NovaLite-{suffix}"))
    assert priced(prices) == {
        (NOVA, "on_demand", "us-east-1", *key): "0.06",
        (NOVA, "geo", "us-east-1", *key): "0.06",
    }
    assert prices.rows[0].source == (f"AWS Price List, 2026-11-15: USE1-NovaLite-{suffix} (SKU-USE1-NovaLite-{suffix})")


@pytest.mark.parametrize(
    ("suffix", "endpoint_type", "tier", "kind"),
    [
        ("input-tokens-cross-region-global", "global", "default", "input"),
        ("input-tokens-cross-region-geo", "geo", "default", "input"),
        ("input-tokens-flex-cross-region-global", "global", "flex", "input"),
        ("output-tokens-cross-region-global-batch", "global", "batch", "output"),
        ("cache-read-input-token-count-cross-region-geo", "geo", "default", "cache_read"),
    ],
)
def test_a_usage_type_with_a_scope_prices_that_endpoint(suffix: str, endpoint_type: str, tier: str, kind: str) -> None:
    prices = read(product(f"APN1-Nova2.0Lite-{suffix}", regionCode="ap-northeast-1"))
    key = ("amazon.nova-2-lite-v1:0", endpoint_type, "ap-northeast-1", tier, "standard", kind)
    assert priced(prices) == {key: "0.06"}


def test_a_price_of_the_geo_endpoint_wins_over_that_of_its_region() -> None:
    prices = read(
        product("USE1-NovaLite-input-tokens", "0.00006"),
        product("USE1-NovaLite-input-tokens-cross-region-geo", "0.00007"),
    )
    assert {key[1]: usd for key, usd in priced(prices).items()} == {"on_demand": "0.06", "geo": "0.07"}
    assert prices.unmapped == ()


def test_long_requests_take_their_threshold_from_what_is_known() -> None:
    prices = read(product("USE1-Claude4.5Sonnet-input-tokens-long-context-cross-region-global", "0.006"))
    assert [(row.context_band, row.context_threshold) for row in prices.rows] == [("long", 200_000)]
    assert unmapped(read(product("USE1-NovaLite-input-tokens-long-context-cross-region-geo"))) == [
        "the length of long requests is not known"
    ]


@pytest.mark.parametrize(
    ("words", "endpoint_types", "tier", "kind"),
    [
        ("Million Input Tokens Regional", ("geo", "on_demand"), "default", "input"),
        ("Million Response Tokens Global", ("global",), "default", "output"),
        ("Million Input Tokens Batch Global", ("global",), "batch", "input"),
        ("Million Cache Read Input Tokens Regional CRIS", ("geo",), "default", "cache_read"),
        ("Million Cache Write Tokens Global", ("global",), "default", "cache_write_5m"),
        ("Million Cache Write 1h Tokens Global", ("global",), "default", "cache_write_1h"),
        ("Million Cache Write 1 Hour Tokens Global", ("global",), "default", "cache_write_1h"),
    ],
)
def test_words_of_the_marketplace_service_are_read(
    words: str, endpoint_types: tuple[str, ...], tier: str, kind: str
) -> None:
    prices = read(sold("Claude Sonnet 4.5", words))
    assert sorted(priced(prices)) == [
        (SONNET, endpoint_type, "us-east-1", tier, "standard", kind) for endpoint_type in endpoint_types
    ]
    assert set(priced(prices).values()) == {"3.3"}


@pytest.mark.parametrize(
    "words",
    [
        "Million Input Tokens Latency Optimized",
        "Reserved Million Input Tokens 1 Month",
        "Provisioned Throughput Model Unit Hours",
        "Images Generated",
        "Million Search Units",
        "Million Cache Tokens Global",
    ],
)
def test_words_that_are_not_all_understood_price_nothing(words: str) -> None:
    assert unmapped(read(sold("Claude Sonnet 4.5", words))) == ["no price of tokens on demand"]


@pytest.mark.parametrize(
    ("attributes", "model_id"),
    [
        ({"usage_type": "USE1-NovaLite-input-tokens"}, NOVA),
        ({"usage_type": "USE1-NL-input-tokens", "model": "Nova Lite", "provider": "Amazon"}, NOVA),
        ({"usage_type": "USE1-Nova2.0Lite-input-tokens"}, "amazon.nova-2-lite-v1:0"),
        ({"usage_type": "USE1-Claude4.5Sonnet-input-tokens"}, SONNET),
        ({"usage_type": "USE1-gpt-oss-120b-input-tokens", "provider": "OpenAI"}, "openai.gpt-oss-120b-1:0"),
        ({"usage_type": "USE1-moonshotai.kimi-k2-thinking-input-tokens"}, "moonshotai.kimi-k2-thinking"),
    ],
)
def test_models_are_found_by_the_spellings_of_products(attributes: dict[str, str], model_id: str) -> None:
    assert {row.model_id for row in read(product(**attributes)).rows} == {model_id}


@pytest.mark.parametrize(
    ("text", "reason"),
    [
        (product("USE1-Nova-input-tokens"), "no known model has this name"),
        (product("USE1-Claude4.7Sonnet-input-tokens"), "no known model has this name"),
        (product("USE1-NovaLite-input-tokens", model="Nova Pro"), "no known model has this name"),
        (product("USE1-NovaLite-input-tokens", provider="Anthropic"), "no known model has this name"),
        (product("USE1-Guardrail-ContentPolicyUnitsConsumed"), "no price of tokens on demand"),
        (product("USE1-NovaLite-reserved-1-month-input-tokens-per-minute"), "no price of tokens on demand"),
        (product("USE1-NovaLite-input-tokens-flex-cross-region-geo-batch"), "more than one tier"),
        (product("USE1-NovaLite-mantle-input-tokens-standard"), "another endpoint: bedrock-mantle"),
        (product("USE1-NovaLite-input-image-count", unit="image"), "no price of tokens on demand"),
        (product("USE1-NovaLite-input-tokens", unit="Hrs"), "unit Hrs"),
        (product("USE1-NovaLite-input-tokens", unit="Units"), "unit Units"),
        (product("USE1-NovaLite-input-tokens", usd="0.0000000000"), "no price above zero"),
        (product("USE1-NovaLite-input-tokens", usd="call us"), "no price in US dollars"),
        (product("USE1-NovaLite-input-tokens", regionCode="everywhere"), "no Region"),
        ("{}", "no Region"),
        ("not JSON", "no Region"),
        ("[]", "no Region"),
        ('{"product": null, "terms": []}', "no Region"),
        ('{"product": {"attributes": {"regionCode": "us-east-1"}}, "terms": null}', "not one single price"),
    ],
)
def test_what_is_not_understood_is_counted_with_the_reason(text: str, reason: str) -> None:
    prices = read(text)
    assert prices.rows == ()
    assert unmapped(prices) == [reason]


def test_a_product_with_steps_of_quantity_is_not_one_price() -> None:
    steps = json.loads(product("USE1-NovaLite-input-tokens"))
    dimensions = steps["terms"]["OnDemand"]["T"]["priceDimensions"]
    dimensions["T.second"] = dict(dimensions["T.6YS6EN2CT7"])
    assert unmapped(read(json.dumps(steps))) == ["not one single price"]


def test_two_products_that_contradict_each_other_price_nothing() -> None:
    prices = read(
        product("USE1-NovaLite-input-tokens", "0.00006"),
        product("USE1-NovaLite-input-tokens-standard", "0.00007"),
        product("USE1-NovaPro-input-tokens", "0.0008"),
    )
    assert {row.model_id for row in prices.rows} == {"amazon.nova-pro-v1:0"}
    assert sorted((found.name, found.reason) for found in prices.unmapped) == [
        ("USE1-NovaLite-input-tokens", "several prices for the same"),
        ("USE1-NovaLite-input-tokens-standard", "several prices for the same"),
    ]


def test_two_products_that_agree_are_one_price() -> None:
    prices = read(product("USE1-NovaLite-input-tokens"), product("USE1-NovaLite-input-tokens-standard"))
    assert [row.usd_per_million for row in prices.rows] == [Decimal("0.06")] * 2
