"""LiteLLM's keys and fields become the right model, endpoint, Region, tier, band and kind, exact to the last digit."""

import json
from decimal import Decimal
from typing import Any

import pytest

from usage_pipeline.prices.litellm_json import LitellmPrices, PriceSourceError, read_litellm_prices
from usage_pipeline.prices.price_rows import FIRST_MOMENT, ModelPrice


def read(entries: dict[str, dict[str, Any]], label: str = "LiteLLM 1.0, 2026-11-20") -> LitellmPrices:
    """Entries of provider bedrock with their prices per token."""
    return read_litellm_prices(
        json.dumps({key: {"litellm_provider": "bedrock", **entries[key]} for key in entries}), label
    )


def usd(prices: LitellmPrices, **which: str) -> dict[tuple[str, ...], str]:
    """Prices of the rows that are as `which` says, by the remaining parts of the key."""
    parts = ("model_id", "endpoint_type", "region", "service_tier", "context_band", "token_kind")
    return {
        tuple(getattr(row, part) for part in parts if part not in which): format(row.usd_per_million.normalize(), "f")
        for row in prices.rows
        if all(getattr(row, part) == value for part, value in which.items())
    }


PLAIN = {"service_tier": "default", "context_band": "standard"}


def test_a_bare_id_is_the_price_on_demand_in_every_region() -> None:
    prices = read({"acme.a-v1:0": {"input_cost_per_token": 3e-06}})
    assert prices.rows[0] == ModelPrice(
        model_id="acme.a-v1:0",
        endpoint_type="on_demand",
        region="*",
        service_tier="default",
        context_band="standard",
        context_threshold=None,
        token_kind="input",
        usd_per_million=Decimal(3),
        valid_from=FIRST_MOMENT,
        valid_to=None,
        source="LiteLLM 1.0, 2026-11-20: acme.a-v1:0",
    )


@pytest.mark.parametrize(
    ("per_token", "per_million"),
    [
        ("2.9999999E-6", "3.000000"),
        ("3e-06", "3.000000"),
        ("8.75e-09", "0.008750"),
        ("0.0000000000015", "0.000002"),
        ("1.65e-07", "0.165000"),
        ("0.14", "140000.000000"),
    ],
)
def test_prices_are_read_from_the_digits_and_not_from_binary_fractions(per_token: str, per_million: str) -> None:
    text = f'{{"acme.a": {{"litellm_provider": "bedrock", "input_cost_per_token": {per_token}}}}}'
    assert str(read_litellm_prices(text, "x").rows[0].usd_per_million) == per_million


def test_every_kind_of_token_tier_and_band_is_read() -> None:
    entry = {
        "input_cost_per_token": 1e-06,
        "output_cost_per_token": 5e-06,
        "cache_read_input_token_cost": 1e-07,
        "cache_creation_input_token_cost": 1.25e-06,
        "cache_creation_input_token_cost_above_1hr": 2e-06,
        "input_cost_per_token_flex": 5e-07,
        "input_cost_per_token_priority": 1.75e-06,
        "input_cost_per_token_batches": 5e-07,
        "input_cost_per_token_above_200k_tokens": 2e-06,
        "cache_creation_input_token_cost_above_1hr_above_200k_tokens": 4e-06,
        "input_cost_per_token_ultrafast": 9e-06,
        "search_context_cost_per_query": {"search_context_size_low": 0.01},
        "max_input_tokens": 200000,
    }
    found = usd(read({"acme.a": entry}), model_id="acme.a", endpoint_type="on_demand", region="*")
    assert found == {
        ("default", "standard", "input"): "1",
        ("default", "standard", "output"): "5",
        ("default", "standard", "cache_read"): "0.1",
        ("default", "standard", "cache_write_5m"): "1.25",
        ("default", "standard", "cache_write_1h"): "2",
        ("flex", "standard", "input"): "0.5",
        ("priority", "standard", "input"): "1.75",
        ("batch", "standard", "input"): "0.5",
        ("default", "long", "input"): "2",
        ("default", "long", "cache_write_1h"): "4",
        # At the tier's own ratios:
        ("flex", "standard", "cache_read"): "0.05",
        ("flex", "standard", "cache_write_5m"): "0.625",
        ("flex", "standard", "cache_write_1h"): "1",
        ("priority", "standard", "cache_read"): "0.175",
        ("priority", "standard", "cache_write_5m"): "2.1875",
        ("priority", "standard", "cache_write_1h"): "3.5",
        ("batch", "standard", "cache_read"): "0.05",
        ("batch", "standard", "cache_write_5m"): "0.625",
        ("batch", "standard", "cache_write_1h"): "1",
        ("flex", "long", "input"): "1",
        ("flex", "long", "cache_write_1h"): "2",
        ("priority", "long", "input"): "3.5",
        ("priority", "long", "cache_write_1h"): "7",
        ("batch", "long", "input"): "1",
        ("batch", "long", "cache_write_1h"): "2",
    }


def test_a_derived_price_says_so() -> None:
    entry = {"input_cost_per_token": 2e-06, "cache_read_input_token_cost": 2e-07, "input_cost_per_token_flex": 1e-06}
    derived = [row.source for row in read({"acme.a": entry}).rows if row.token_kind == "cache_read"]
    assert "LiteLLM 1.0, 2026-11-20: acme.a; as the tier's input" in derived


def test_only_long_rows_have_the_threshold() -> None:
    entry = {"input_cost_per_token": 1e-06, "input_cost_per_token_above_272k_tokens": 2e-06}
    rows = read({"acme.a": entry}).rows
    assert {(row.context_band, row.context_threshold) for row in rows} == {("standard", None), ("long", 272_000)}


def test_prefixes_are_endpoint_types_and_their_source_regions() -> None:
    prices = read(
        {
            "acme.a": {"input_cost_per_token": 1e-06},
            "us.acme.a": {"input_cost_per_token": 1e-06},
            "eu.acme.a": {"input_cost_per_token": 1.3e-06},
            "apac.acme.a": {"input_cost_per_token": 1.1e-06},
            "jp.acme.a": {"input_cost_per_token": 1.2e-06},
            "bedrock/sa-east-1/acme.a": {"input_cost_per_token": 1.5e-06},
        }
    )
    for endpoint_type in ("on_demand", "geo"):
        found = usd(prices, endpoint_type=endpoint_type, model_id="acme.a", token_kind="input", **PLAIN)
        assert {region: found[region,] for region in ("*", "us-east-1", "eu-west-3", "sa-east-1")} == {
            "*": "1",
            "us-east-1": "1",
            "eu-west-3": "1.3",
            "sa-east-1": "1.5",
        }
        # The narrow geo of a Region wins over the wide one.
        assert (found["ap-northeast-1",], found["ap-northeast-2",]) == ("1.2", "1.1")
    assert usd(prices, endpoint_type="global") == {}


def test_a_model_whose_bare_id_has_the_global_price_costs_more_in_its_region() -> None:
    name = "anthropic.claude-sonnet-4-5-20250929-v1:0"
    prices = read(
        {
            name: {"input_cost_per_token": 3e-06, "input_cost_per_token_batches": 1.5e-06},
            f"us.{name}": {"input_cost_per_token": 3.3e-06},
            f"global.{name}": {"input_cost_per_token": 3e-06},
            f"us-gov.{name}": {"input_cost_per_token": 3.6e-06},
        }
    )
    found = usd(prices, model_id=name, token_kind="input", context_band="standard")
    assert {key: found[key] for key in found if key[1] in ("*", "us-gov-west-1")} == {
        ("on_demand", "*", "default"): "3.3",
        ("on_demand", "*", "batch"): "1.65",
        ("on_demand", "us-gov-west-1", "default"): "3.6",
        ("on_demand", "us-gov-west-1", "batch"): "1.8",
        ("geo", "*", "default"): "3.3",
        ("geo", "*", "batch"): "1.65",
        ("geo", "us-gov-west-1", "default"): "3.6",
        ("geo", "us-gov-west-1", "batch"): "1.8",
        ("global", "*", "default"): "3",
        ("global", "*", "batch"): "1.5",
    }
    sources = {row.source for row in prices.rows if (row.endpoint_type, row.region) == ("on_demand", "*")}
    assert f"LiteLLM 1.0, 2026-11-20: us.{name}; 10 % above the bare id, the global price" in sources


def test_a_model_without_a_premium_costs_the_same_everywhere() -> None:
    entry = {"input_cost_per_token": 3e-06}
    prices = read(dict.fromkeys(("acme.a", "us.acme.a", "global.acme.a"), entry))
    assert set(usd(prices, model_id="acme.a", token_kind="input", **PLAIN).values()) == {"3"}


def test_a_model_without_named_profiles_costs_in_a_geo_what_it_costs_in_its_region() -> None:
    prices = read({"amazon.nova-premier-v1:0": {"input_cost_per_token": 2.5e-06}})
    geo = [row for row in prices.rows if row.endpoint_type == "geo"]
    assert [(row.region, row.source) for row in geo] == [
        ("*", "LiteLLM 1.0, 2026-11-20: amazon.nova-premier-v1:0; a geo profile costs the same")
    ]


def test_a_model_that_answers_only_through_profiles_has_no_price_on_demand() -> None:
    entry = {"input_cost_per_token": 3e-06}
    prices = read({"us.acme.a": entry, "global.acme.a": entry})
    assert {row.endpoint_type for row in prices.rows} == {"geo", "global"}


def test_a_govcloud_profile_is_no_profile_elsewhere() -> None:
    prices = read({"acme.a": {"input_cost_per_token": 1e-06}, "us-gov.acme.a": {"input_cost_per_token": 1.2e-06}})
    assert usd(prices, token_kind="input", model_id="acme.a", **PLAIN) == {
        ("on_demand", "*"): "1",
        ("on_demand", "us-gov-east-1"): "1.2",
        ("on_demand", "us-gov-west-1"): "1.2",
        ("geo", "us-gov-east-1"): "1.2",
        ("geo", "us-gov-west-1"): "1.2",
    }


def test_a_region_with_a_price_of_its_own_has_all_kinds_and_tiers_at_its_own_level() -> None:
    prices = read(
        {
            "acme.a": {
                "input_cost_per_token": 1e-06,
                "output_cost_per_token": 4e-06,
                "output_cost_per_token_flex": 2e-06,
            },
            "bedrock/eu-west-1/acme.a": {"input_cost_per_token": 1.3e-06, "output_cost_per_token": 5e-06},
        }
    )
    found = usd(prices, endpoint_type="on_demand", model_id="acme.a", region="eu-west-1")
    assert found == {
        ("default", "standard", "input"): "1.3",
        ("default", "standard", "output"): "5",
        ("flex", "standard", "output"): "2.5",
    }


def test_mantle_prices_count_where_the_runtime_has_none() -> None:
    prices = read(
        {
            "acme.a": {"input_cost_per_token": 1e-06},
            "bedrock_mantle/acme.a": {"input_cost_per_token": 9e-06, "litellm_provider": "bedrock_mantle"},
            "bedrock_mantle/acme.b": {"input_cost_per_token": 2e-06, "litellm_provider": "bedrock_mantle"},
        }
    )
    assert usd(prices, endpoint_type="on_demand", region="*", token_kind="input", **PLAIN) == {
        ("acme.a",): "1",
        ("acme.b",): "2",
    }


def test_nova_writes_to_the_cache_at_the_input_price() -> None:
    entry = {"input_cost_per_token": 6e-08, "cache_read_input_token_cost": 1.5e-08}
    prices = read({"amazon.nova-lite-v1:0": entry, "acme.a": entry})
    written = usd(prices, endpoint_type="on_demand", token_kind="cache_write_5m", region="*", **PLAIN)
    assert written == {("amazon.nova-lite-v1:0",): "0.06"}


def test_images_are_priced_by_the_million() -> None:
    prices = read({"stability.s-v1:1": {"output_cost_per_image": 0.14, "input_cost_per_image": 0.0}})
    assert usd(prices, endpoint_type="on_demand", region="*", **PLAIN) == {("stability.s-v1:1", "image"): "140000"}


def test_an_embedding_costs_nothing_for_output() -> None:
    entry = {"input_cost_per_token": 2e-08, "output_cost_per_token": 0.0}
    assert usd(read({"acme.e": entry}), model_id="acme.e", endpoint_type="on_demand", region="*", **PLAIN) == {
        ("input",): "0.02",
        ("output",): "0",
    }


@pytest.mark.parametrize(
    ("key", "entry", "reason"),
    [
        ("bedrock/us-east-1/1-month-commitment/acme.a", {"input_cost_per_second": 0.01}, "provisioned throughput"),
        ("bedrock/claude_platform/claude-opus-5", {"input_cost_per_token": 1e-06}, "another service"),
        ("1024-x-1024/50-steps/acme.a", {"output_cost_per_image": 0.04}, "price of one size or route"),
        ("bedrock/invoke/acme.a", {"input_cost_per_token": 1e-06}, "price of one size or route"),
        ("claude-sonnet-4-5", {"input_cost_per_token": 1e-06}, "not spelled like a model id"),
        ("acme.a@20251001", {"input_cost_per_token": 1e-06}, "not spelled like a model id"),
        (
            "acme.rerank",
            {"input_cost_per_query": 0.002, "input_cost_per_token": 0.0},
            "input_cost_per_query: not counted in logs",
        ),
        (
            "acme.embed-image",
            {"input_cost_per_image": 6e-05, "input_cost_per_token": 8e-07},
            "input_cost_per_image: not counted in logs",
        ),
        ("acme.nothing", {"max_tokens": 4096}, "no price"),
        (
            "acme.two",
            {
                "input_cost_per_token": 1e-06,
                "input_cost_per_token_above_100k_tokens": 2e-06,
                "input_cost_per_token_above_200k_tokens": 3e-06,
            },
            "more than one threshold",
        ),
    ],
)
def test_what_has_no_price_by_tokens_or_images_is_left_out_with_the_reason(
    key: str, entry: dict[str, Any], reason: str
) -> None:
    prices = read({"acme.other": {"input_cost_per_token": 1e-06}, key: entry})
    assert {row.model_id for row in prices.rows} == {"acme.other"}
    assert prices.left_out == {key: reason}


def test_other_providers_are_not_looked_at() -> None:
    other = {"gpt-4": {"litellm_provider": "openai", "input_cost_per_token": 1}, "sample_spec": "text"}
    text = json.dumps({**other, "acme.a": {"litellm_provider": "bedrock_converse", "input_cost_per_token": 1e-06}})
    prices = read_litellm_prices(text, "x")
    assert {row.model_id for row in prices.rows} == {"acme.a"}
    assert prices.left_out == {}


@pytest.mark.parametrize(
    ("text", "message"),
    [
        ("<html>", "Not JSON: "),
        ("[]", "Read JSON that is no object of models."),
        ("{}", "The file has no price of a Bedrock model."),
    ],
)
def test_a_file_without_prices_is_refused(text: str, message: str) -> None:
    with pytest.raises(PriceSourceError, match=message):
        read_litellm_prices(text, "x")
