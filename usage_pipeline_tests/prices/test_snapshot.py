"""The prices that ship with the package: small, exact, without contradictions, and what AWS's pages say."""

from collections import defaultdict
from decimal import Decimal

import pytest

from usage_pipeline.prices.history import merge_prices
from usage_pipeline.prices.price_files import price_file_text, snapshot_prices
from usage_pipeline.prices.price_rows import FIRST_MOMENT, ModelPrice
from usage_pipeline.reference import reference_path
from usage_pipeline_tests.prices.factory import SONNET, at
from usage_pipeline_tests.prices.lookup import PriceBook

TODAY = at("2026-11-20T12:00")


@pytest.fixture(scope="module")
def rows() -> list[ModelPrice]:
    return snapshot_prices()


@pytest.fixture(scope="module")
def book(rows: list[ModelPrice]) -> PriceBook:
    return PriceBook(rows)


def usd(**kinds: str) -> dict[str, Decimal]:
    return {kind: Decimal(text) for kind, text in kinds.items()}


def test_the_file_is_small_and_written_as_the_script_writes_it(rows: list[ModelPrice]) -> None:
    text = reference_path("model_prices").read_text(encoding="utf-8")
    assert len(text.encode()) < 1_000_000
    assert text == price_file_text(rows)


def test_it_has_many_models_of_every_provider(rows: list[ModelPrice]) -> None:
    models: defaultdict[str, set[str]] = defaultdict(set)
    for row in rows:
        models[row.model_id.partition(".")[0]].add(row.model_id)
    assert sum(map(len, models.values())) > 150
    assert {"ai21", "amazon", "anthropic", "cohere", "deepseek", "google", "meta", "minimax", "mistral"} < set(models)
    assert {"moonshotai", "nvidia", "openai", "qwen", "stability", "writer", "xai", "zai"} < set(models)


def test_every_model_has_a_price_from_the_first_day_on(rows: list[ModelPrice]) -> None:
    assert {row.model_id for row in rows if row.valid_from == FIRST_MOMENT} == {row.model_id for row in rows}


def test_no_price_has_the_trace_of_a_binary_fraction(rows: list[ModelPrice]) -> None:
    """As in 2.9999999 for 3: prices have few digits that count."""
    assert max(len(row.usd_per_million.normalize().as_tuple().digits) for row in rows) <= 7


def test_a_region_with_a_price_of_its_own_never_borrows_part_of_a_call(rows: list[ModelPrice]) -> None:
    """Where a Region's input price differs from that of `*`, all that `*` has is there for the Region or agrees."""
    today = [row for row in rows if row.holds_at(TODAY)]
    keys = {row.price_key: row for row in today}
    plain = ("default", "standard", "input")
    for row in today:
        if row.region == "*" or row.price_key[3:] != plain:
            continue
        for other in today:
            if other.price_key[:3] == (row.model_id, row.endpoint_type, "*") and other.usd_per_million:
                own = keys.get((row.model_id, row.endpoint_type, row.region, *other.price_key[3:]))
                assert own is not None, (row.region, other.price_key)


def test_another_build_of_the_same_prices_changes_nothing(rows: list[ModelPrice]) -> None:
    assert merge_prices(rows, rows, TODAY) == rows


CLAUDE_45 = usd(input="3.3", output="16.5", cache_read="0.33", cache_write_5m="4.125", cache_write_1h="6.6")


def test_claude_since_4_5_costs_a_tenth_more_in_its_region_and_geo_than_globally(book: PriceBook) -> None:
    assert book.paid(SONNET, "geo") == CLAUDE_45
    assert book.paid(SONNET, "on_demand") == CLAUDE_45
    assert book.paid(SONNET, "global") == usd(
        input="3", output="15", cache_read="0.3", cache_write_5m="3.75", cache_write_1h="6"
    )


def test_the_premium_is_told_by_its_row(rows: list[ModelPrice]) -> None:
    told = [row.model_id for row in rows if "; 10 % above the bare id, the global price" in row.source]
    assert {SONNET, "anthropic.claude-opus-5-5", "amazon.nova-2-lite-v1:0", "openai.gpt-6-sol"} < set(told)
    assert "anthropic.claude-sonnet-4-20250514-v1:0" not in told


def test_claude_4_costs_the_same_through_every_endpoint(book: PriceBook) -> None:
    prices = [
        book.paid("anthropic.claude-sonnet-4-20250514-v1:0", kind)["input"] for kind in ("on_demand", "geo", "global")
    ]
    assert prices == [Decimal(3)] * 3


def test_govcloud_costs_a_fifth_more(book: PriceBook) -> None:
    assert book.paid("anthropic.claude-opus-5-5", "geo", "us-gov-west-1")["output"] == Decimal(24)


def test_the_source_region_decides(book: PriceBook) -> None:
    nova = "amazon.nova-lite-v1:0"
    assert [book.paid(nova, "geo", region)["input"] for region in ("us-east-1", "eu-west-1", "ap-northeast-1")] == [
        Decimal("0.06"),
        Decimal("0.078"),
        Decimal("0.063"),
    ]
    assert book.paid(nova, "on_demand", "eu-west-1") == book.paid(nova, "geo", "eu-west-1")


def test_a_long_request_pays_the_long_price_for_all_of_its_tokens(book: PriceBook) -> None:
    assert book.paid(SONNET, "global", input_tokens=200_000)["input"] == Decimal(3)
    assert book.paid(SONNET, "global", input_tokens=200_001) == usd(
        input="6", output="22.5", cache_read="0.6", cache_write_5m="7.5", cache_write_1h="12"
    )


def test_a_model_with_one_price_for_every_length_has_no_long_one(book: PriceBook) -> None:
    opus = "anthropic.claude-opus-4-6-v1"
    assert book.paid(opus, "global", input_tokens=900_000) == book.paid(opus, "global")


def test_tiers_are_cheaper_or_dearer_than_the_default(book: PriceBook) -> None:
    nova = "amazon.nova-pro-v1:0"
    tiers = ("default", "flex", "batch", "priority")
    assert [book.paid(nova, "on_demand", service_tier=tier)["output"] for tier in tiers] == [
        Decimal("3.2"),
        Decimal("1.6"),
        Decimal("1.6"),
        Decimal("5.6"),
    ]


def test_a_tier_that_the_log_does_not_state_is_the_default(book: PriceBook) -> None:
    assert book.paid(SONNET, "geo", service_tier=None) == book.paid(SONNET, "geo", service_tier="default")


@pytest.mark.parametrize("tier", ["flex", "priority", "reserved"])
def test_a_tier_without_a_price_never_takes_the_default_one(book: PriceBook, tier: str) -> None:
    assert book.paid(SONNET, "geo", service_tier=tier) == {}


def test_an_endpoint_without_a_price_never_takes_another_ones(book: PriceBook) -> None:
    assert book.paid("amazon.nova-lite-v1:0", "global") == {}
    assert book.paid("anthropic.claude-mythos-5", "on_demand") == {}


def test_a_price_cut_is_dated(book: PriceBook) -> None:
    sol = "openai.gpt-5.6-sol"
    before, after = at("2026-08-20T23:59:59"), at("2026-08-21")
    assert [book.paid(sol, "global", moment=moment)["input"] for moment in (before, after)] == [Decimal(5), Decimal(4)]


def test_images_and_embeddings_have_prices(book: PriceBook) -> None:
    assert book.paid("amazon.nova-canvas-v1:0", "on_demand") == usd(image="60000")
    assert book.paid("amazon.titan-embed-text-v2:0", "on_demand") == usd(input="0.02", output="0")


def test_what_is_charged_by_more_than_tokens_has_no_price(book: PriceBook) -> None:
    for model in ("amazon.titan-embed-image-v1", "cohere.rerank-v3-5:0", "amazon.nova-2-sonic-v1:0"):
        assert book.paid(model, "on_demand") == {}


@pytest.mark.parametrize(
    ("kind", "tokens", "cost"),
    [
        ("cache_read", 1_000_000, "0.30"),
        ("cache_write_5m", 1_000_000, "3.75"),
        ("cache_write_1h", 1_000_000, "6.00"),
        ("cache_write_5m", 400_000, "1.50"),
        ("cache_write_1h", 600_000, "3.60"),
    ],
)
def test_the_cache_costs_by_lifetime(book: PriceBook, kind: str, tokens: int, cost: str) -> None:
    assert tokens * book.paid(SONNET, "global")[kind] / 1_000_000 == Decimal(cost)


def test_a_million_short_calls_cost_what_their_tokens_cost(book: PriceBook) -> None:
    micro = book.paid("amazon.nova-micro-v1:0", "on_demand")
    one_call = 10 * micro["input"] / 1_000_000 + 10 * micro["output"] / 1_000_000
    assert 1_000_000 * one_call == Decimal("1.75")
