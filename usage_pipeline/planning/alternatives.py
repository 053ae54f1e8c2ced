"""Ways to more room or lower cost without a larger quota: caching, another endpoint type, provisioned throughput.

Here: what each would save, in decimals, and None where a price is not known. Not here: prices themselves.
"""

from dataclasses import dataclass
from decimal import ROUND_CEILING, Decimal

MILLION = Decimal(1_000_000)
HOURS_PER_MONTH = Decimal(730)
"""Hours in a month as AWS's own price pages count them."""
REPEATED_SHARE, READS_PER_WRITE = Decimal("0.1"), 4
"""What a saving by caching assumes: a tenth of the input is the same again, and is read so often once it is written."""
_CENT = Decimal("0.01")


@dataclass(frozen=True)
class CachePrices:
    """USD per million tokens; None is not known."""

    input: Decimal | None
    cache_read: Decimal | None
    cache_write_5m: Decimal | None
    cache_write_1h: Decimal | None


@dataclass(frozen=True)
class CacheUse:
    """Tokens over some time. `input` was not cached."""

    input: int
    cache_read: int
    cache_write_5m: int
    cache_write_1h: int


@dataclass(frozen=True)
class CacheSaving:
    """What caching saved, or would: USD (negative when writes cost more than reads save), and tokens of quota.

    Cache reads do not count towards the quota; cache writes count like input.
    """

    usd: Decimal | None
    quota_tokens: int
    hit_ratio: Decimal | None


def cache_saving(use: CacheUse, prices: CachePrices) -> CacheSaving:
    """What the cache saved compared with sending every token as plain input."""
    whole = use.input + use.cache_read + use.cache_write_5m + use.cache_write_1h
    hit_ratio = Decimal(use.cache_read) / whole if whole else None
    return CacheSaving(_cache_usd(use, prices), use.cache_read, hit_ratio)


def _cache_usd(use: CacheUse, prices: CachePrices) -> Decimal | None:
    if prices.input is None:
        return None
    saved = Decimal(0)
    kinds = (
        (use.cache_read, prices.cache_read),
        (use.cache_write_5m, prices.cache_write_5m),
        (use.cache_write_1h, prices.cache_write_1h),
    )
    for tokens, price in kinds:
        if tokens and price is None:
            return None
        if tokens and price is not None:
            saved += tokens * (prices.input - price)
    return saved / MILLION


def break_even_reads(prices: CachePrices) -> Decimal | None:
    """How often a five-minute cache write must be read to cost less than plain input; None when it never does."""
    if prices.input is None or prices.cache_read is None or prices.cache_write_5m is None:
        return None
    if prices.cache_read >= prices.input:
        return None
    return max((prices.cache_write_5m - prices.input) / (prices.input - prices.cache_read), Decimal(0))


def cache_opportunity(
    input_tokens: int, repeated_share: Decimal, reads_per_write: int, prices: CachePrices
) -> CacheSaving:
    """What caching would save if a share of the plain input were a prefix written once and then read several times."""
    if not 0 <= repeated_share <= 1:
        raise ValueError(f"repeated_share is {repeated_share}; it is a share of the input from 0 to 1")
    if reads_per_write < 1:
        raise ValueError(f"reads_per_write is {reads_per_write}; a prefix that is never read again saves nothing")
    repeated = int(input_tokens * repeated_share)
    written = -(-repeated // (reads_per_write + 1))
    return cache_saving(CacheUse(input_tokens - repeated, repeated - written, written, 0), prices)


@dataclass(frozen=True)
class EndpointPool:
    """The same model behind one endpoint type of a scope: its limit, its own peak, and its mean price as it is used."""

    endpoint_type: str
    limit: int | None
    peak: float
    usd_per_million: Decimal | None


@dataclass(frozen=True)
class EndpointMove:
    """Another endpoint type that would hold both peaks. `cost_change` is a share: -0.09 is 9 % less; None = unknown."""

    endpoint_type: str
    utilization: float
    cost_change: Decimal | None


def endpoint_moves(pool: EndpointPool, others: list[EndpointPool], target: float) -> list[EndpointMove]:
    """Endpoint types that can take the pool's calls within the target utilisation; those that cost least come first.

    Peaks are added as if they came together, which is cautious. Whether data may leave the Region is for people to say.
    """
    moves = [
        EndpointMove(other.endpoint_type, (pool.peak + other.peak) / other.limit, _cost_change(pool, other))
        for other in others
        if other.endpoint_type != pool.endpoint_type and other.limit and pool.peak + other.peak <= target * other.limit
    ]
    return sorted(moves, key=lambda move: (move.cost_change is None, move.cost_change or 0, move.utilization))


def _cost_change(pool: EndpointPool, other: EndpointPool) -> Decimal | None:
    if not pool.usd_per_million or other.usd_per_million is None:
        return None
    return other.usd_per_million / pool.usd_per_million - 1


@dataclass(frozen=True)
class ProvisionedComparison:
    """Provisioned throughput that holds the peak, against what the month costs on demand; USD per month.

    `break_even_utilization` is the share of the bought throughput that must be used for both to cost the same; above 1,
    provisioned throughput never pays.
    """

    units: int
    provisioned_usd: Decimal
    on_demand_usd: Decimal
    break_even_utilization: Decimal


def compare_provisioned(
    peak_tokens_per_minute: float,
    tokens_per_month: int,
    usd_per_million: Decimal | None,
    unit_tokens_per_minute: int | None,
    usd_per_unit_hour: Decimal | None,
) -> ProvisionedComparison | None:
    """Compare where both prices and the throughput of a unit are known; None where one is not."""
    if not usd_per_million or not unit_tokens_per_minute or usd_per_unit_hour is None:
        return None
    peak = Decimal(str(peak_tokens_per_minute)) / unit_tokens_per_minute
    units = max(int(peak.to_integral_value(ROUND_CEILING)), 1)
    provisioned = units * usd_per_unit_hour * HOURS_PER_MONTH
    full_hour = Decimal(unit_tokens_per_minute) * 60 / MILLION * usd_per_million
    return ProvisionedComparison(
        units=units,
        provisioned_usd=provisioned.quantize(_CENT),
        on_demand_usd=(tokens_per_month / MILLION * usd_per_million).quantize(_CENT),
        break_even_utilization=usd_per_unit_hour / full_hour,
    )
