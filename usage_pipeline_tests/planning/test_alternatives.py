from decimal import Decimal

import pytest
from hypothesis import given
from hypothesis import strategies as st

from usage_pipeline.planning.alternatives import (
    CachePrices,
    CacheSaving,
    CacheUse,
    EndpointMove,
    EndpointPool,
    ProvisionedComparison,
    break_even_reads,
    cache_opportunity,
    cache_saving,
    compare_provisioned,
    endpoint_moves,
)

CLAUDE = CachePrices(Decimal(3), Decimal("0.3"), Decimal("3.75"), Decimal(6))
UNPRICED = CachePrices(None, None, None, None)


def test_reads_save_and_writes_cost() -> None:
    found = cache_saving(CacheUse(1_000_000, 2_000_000, 800_000, 200_000), CLAUDE)
    # 2 M × 2.70 - 0.8 M × 0.75 - 0.2 M × 3.00
    assert found == CacheSaving(Decimal("4.20"), 2_000_000, Decimal("0.5"))


def test_a_cache_that_is_never_read_costs() -> None:
    assert cache_saving(CacheUse(0, 0, 1_000_000, 0), CLAUDE).usd == Decimal("-0.75")


def test_without_a_price_tokens_are_known_and_dollars_are_not() -> None:
    assert cache_saving(CacheUse(10, 30, 0, 0), UNPRICED) == CacheSaving(None, 30, Decimal("0.75"))
    no_long_writes = CachePrices(Decimal(3), Decimal("0.3"), Decimal("3.75"), None)
    assert cache_saving(CacheUse(10, 30, 0, 1), no_long_writes).usd is None
    assert cache_saving(CacheUse(0, 1_000_000, 0, 0), no_long_writes).usd == Decimal("2.7")


def test_no_tokens_have_no_hit_ratio() -> None:
    assert cache_saving(CacheUse(0, 0, 0, 0), CLAUDE) == CacheSaving(Decimal(0), 0, None)


def test_break_even_is_the_extra_of_a_write_over_the_saving_of_a_read() -> None:
    assert break_even_reads(CLAUDE) == Decimal("0.75") / Decimal("2.7")
    assert break_even_reads(CachePrices(Decimal(1), Decimal("0.25"), Decimal(1), None)) == 0
    assert break_even_reads(CachePrices(Decimal(1), Decimal(1), Decimal(1), None)) is None
    assert break_even_reads(UNPRICED) is None


def test_opportunity_writes_once_and_reads_the_rest() -> None:
    found = cache_opportunity(10_000_000, Decimal("0.5"), 4, CLAUDE)
    # 5 M repeated: 1 M written, 4 M read.
    assert found == CacheSaving(Decimal("10.05"), 4_000_000, Decimal("0.4"))


@given(st.integers(0, 10**12), st.decimals(0, 1, places=3), st.integers(1, 1000))
def test_opportunity_never_saves_more_tokens_than_are_repeated(tokens: int, share: Decimal, reads: int) -> None:
    assert 0 <= cache_opportunity(tokens, share, reads, CLAUDE).quota_tokens <= tokens * share


def test_impossible_opportunities_are_refused() -> None:
    with pytest.raises(ValueError, match=r"repeated_share is 1.5; it is a share of the input from 0 to 1"):
        cache_opportunity(1, Decimal("1.5"), 1, CLAUDE)
    with pytest.raises(ValueError, match="reads_per_write is 0"):
        cache_opportunity(1, Decimal(1), 0, CLAUDE)


def pool(endpoint_type: str, limit: int | None, peak: float, price: str | None) -> EndpointPool:
    return EndpointPool(endpoint_type, limit, peak, None if price is None else Decimal(price))


def test_an_endpoint_must_hold_both_peaks_and_the_cheapest_comes_first() -> None:
    found = endpoint_moves(
        pool("on_demand", 100, 95, "3.30"),
        [
            pool("geo", 200, 60, "3.30"),
            pool("global", 1000, 5, "3.00"),
            pool("elsewhere", 1000, 5, None),
            pool("full", 200, 70, "1"),
            pool("unlimited?", None, 0, "1"),
            pool("on_demand", 1000, 0, "1"),
        ],
        target=0.8,
    )
    assert [move.endpoint_type for move in found] == ["global", "geo", "elsewhere"]
    assert found[0] == EndpointMove("global", 0.1, Decimal("3.00") / Decimal("3.30") - 1)
    assert found[2].cost_change is None


def test_provisioned_throughput_is_bought_for_the_peak() -> None:
    found = compare_provisioned(250_000, 2_000_000_000, Decimal(4), 100_000, Decimal("21.18"))
    assert found == ProvisionedComparison(
        units=3,
        provisioned_usd=Decimal("46384.20"),
        on_demand_usd=Decimal("8000.00"),
        break_even_utilization=Decimal("21.18") / Decimal(24),
    )


def test_nothing_is_compared_without_prices_and_throughput() -> None:
    assert compare_provisioned(1, 1, None, 1, Decimal(1)) is None
    assert compare_provisioned(1, 1, Decimal(1), None, Decimal(1)) is None
    assert compare_provisioned(1, 1, Decimal(1), 1, None) is None
