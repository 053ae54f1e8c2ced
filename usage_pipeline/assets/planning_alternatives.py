"""Rows of `marts.endpoint_moves` and `marts.cache_opportunities`: room and money that need no larger quota.

Here: what is known of pools, tokens and prices, and the rows that are made of it. Not here: the formulas
(`planning/alternatives.py`).
"""

from collections.abc import Iterator, Mapping, Set
from dataclasses import dataclass
from decimal import Decimal
from typing import Any

import duckdb

from usage_pipeline.planning.alternatives import (
    READS_PER_WRITE,
    REPEATED_SHARE,
    CachePrices,
    CacheUse,
    EndpointMove,
    EndpointPool,
    break_even_reads,
    cache_opportunity,
    cache_saving,
    endpoint_moves,
)
from usage_pipeline.planning.recommendations import TARGET_UTILIZATION
from usage_pipeline.planning_evidence import cache_evidence, endpoint_evidence
from usage_pipeline.planning_inputs import Days, Pool

Row = dict[str, Any]
Prices = Mapping[tuple[str, str, str], Mapping[str, Decimal]]
"""By (model id, endpoint type, Region or `*`): USD per million tokens by kind."""

_DIGITS = Decimal(1).scaleb(-12)

KINDS = ("input", "output", "cache_read", "cache_write_5m", "cache_write_1h")


@dataclass(frozen=True)
class _Endpoint:
    """A pool with calls or without. `peaks` is P99.9 of all minutes by quota; one that is not known is not in it."""

    pool_id: str
    scope: tuple[str, str]
    model_id: str
    endpoint_type: str
    limits: Mapping[str, int | None]
    peaks: Mapping[str, float]

    def compared(self, quota: str, usd_per_million: Decimal | None = None) -> EndpointPool | None:
        """What is compared of it; None when its peak is not known."""
        if quota not in self.peaks:
            return None
        return EndpointPool(self.endpoint_type, self.limits[quota], self.peaks[quota], usd_per_million)


def todays_prices(con: duckdb.DuckDBPyConnection) -> Prices:
    """Prices of the default tier that hold now, of inputs of usual length."""
    found: dict[tuple[str, str, str], dict[str, Decimal]] = {}
    for model_id, endpoint_type, region, kind, usd in con.execute(
        """
        select model_id, endpoint_type, region, token_kind, usd_per_million
        from marts.model_prices
        where service_tier = 'default' and context_band = 'standard' and valid_to is null
        """
    ).fetchall():
        found.setdefault((model_id, endpoint_type, region), {})[kind] = usd
    return found


def _price(prices: Prices, model_id: str, endpoint_type: str, region: str, kind: str) -> Decimal | None:
    """The Region's own price comes first."""
    keys = ((model_id, endpoint_type, each) for each in (region, "*"))
    return next((prices[key][kind] for key in keys if kind in prices.get(key, {})), None)


# Other endpoint types


def endpoint_move_rows(
    con: duckdb.DuckDBPyConnection, days: Days, pools: list[Pool], recommended: list[Row]
) -> list[Row]:
    """One row per used pool and endpoint type of the same model that would hold the peaks of both."""
    prices, used = todays_prices(con), _tokens_of_pools(con, days)
    peaks = {(row["pool_id"], row["quota"]): row for row in recommended}
    keys = {pool.pool_id: pool.key for pool in pools}
    endpoints = _endpoints(con, keys.keys(), peaks)
    rows: list[Row] = []
    for here in endpoints:
        if here.pool_id not in keys or "tpm" not in here.peaks:
            continue
        others = {
            other.endpoint_type: other
            for other in endpoints
            if (other.scope, other.model_id) == (here.scope, here.model_id) and other is not here
        }
        for move in _moves(here, others, prices, used.get(here.pool_id, {})):
            rows.append(keys[here.pool_id] | _move_columns(here, others[move.endpoint_type], move, peaks, days))
    return rows


def _endpoints(con: duckdb.DuckDBPyConnection, used: Set[str], peaks: Mapping[tuple[str, str], Row]) -> list[_Endpoint]:
    """All pools of on-demand, geo and global endpoints. One without calls has a peak of 0."""
    found: list[_Endpoint] = []
    for pool_id, account_id, region, model_id, endpoint_type, tpm_limit, rpm_limit in con.execute(
        """
        select pool_id, account_id, region, model_id, endpoint_type, tpm_limit, rpm_limit
        from marts.quota_pools
        where endpoint_type in ('on_demand', 'geo', 'global')
        order by pool_id
        """
    ).fetchall():
        known = {quota: peaks[pool_id, quota]["peak"] for quota in ("tpm", "rpm") if (pool_id, quota) in peaks}
        found.append(
            _Endpoint(
                pool_id=pool_id,
                scope=(account_id, region),
                model_id=model_id,
                endpoint_type=endpoint_type,
                limits={"tpm": tpm_limit, "rpm": rpm_limit},
                peaks=known if pool_id in used else {"tpm": 0.0, "rpm": 0.0},
            )
        )
    return found


def _moves(
    here: _Endpoint, others: Mapping[str, _Endpoint], prices: Prices, tokens: Mapping[str, int]
) -> Iterator[EndpointMove]:
    """Moves within the tokens per minute, and within the requests per minute where these have a limit."""

    def mean_price(endpoint_type: str) -> Decimal | None:
        return _mean_price(prices, here, endpoint_type, tokens)

    pool = here.compared("tpm", mean_price(here.endpoint_type))
    known = [other.compared("tpm", mean_price(name)) for name, other in others.items()]
    if pool is None:
        return
    for move in endpoint_moves(pool, [other for other in known if other], TARGET_UTILIZATION):
        requests = requests_together(here, others[move.endpoint_type])
        if requests is None or requests <= TARGET_UTILIZATION:
            yield move


def requests_together(here: _Endpoint, there: _Endpoint) -> float | None:
    """Both peaks of requests per minute over the limit there; None where that has no known limit."""
    limit = there.limits["rpm"]
    if not limit or "rpm" not in here.peaks or "rpm" not in there.peaks:
        return None
    return (here.peaks["rpm"] + there.peaks["rpm"]) / limit


def _mean_price(prices: Prices, here: _Endpoint, endpoint_type: str, tokens: Mapping[str, int]) -> Decimal | None:
    """USD per million of the pool's own tokens at another endpoint type; None when one kind has no price."""
    total = sum(tokens.values())
    cost = Decimal(0)
    for kind, count in tokens.items():
        price = _price(prices, here.model_id, endpoint_type, here.scope[1], kind)
        if count and price is None:
            return None
        cost += count * (price or 0)
    return cost / total if total else None


def _tokens_of_pools(con: duckdb.DuckDBPyConnection, days: Days) -> dict[str, dict[str, int]]:
    """Logged tokens of the days by pool and kind; cache writes of unknown lifetime count as five minutes."""
    rows = con.execute(
        """
        select
            pool_id,
            sum(input_tokens)::bigint,
            sum(output_tokens)::bigint,
            sum(cache_read_tokens)::bigint,
            (sum(cache_write_tokens) - sum(cache_write_1h_tokens))::bigint,
            sum(cache_write_1h_tokens)::bigint,
        from marts.usage_daily
        where usage_date between $first and $last and pool_id is not null
        group by pool_id
        """,
        {"first": days.first, "last": days.last},
    ).fetchall()
    return {pool_id: dict(zip(KINDS, tokens, strict=True)) for pool_id, *tokens in rows}


def _move_columns(
    here: _Endpoint, there: _Endpoint, move: EndpointMove, peaks: Mapping[tuple[str, str], Row], days: Days
) -> Row:
    return {
        "to_pool_id": there.pool_id,
        "to_endpoint_type": there.endpoint_type,
        "peak": here.peaks["tpm"],
        "to_peak": there.peaks["tpm"],
        "to_limit": there.limits["tpm"],
        "utilization": move.utilization,
        "rpm_utilization": requests_together(here, there),
        "cost_change": None if move.cost_change is None else float(move.cost_change),
        "grade": peaks[here.pool_id, "tpm"]["grade"],
        "evidence_sql": endpoint_evidence(here.pool_id, there.pool_id),
        "as_of": days.last,
    }


# Caching


def cache_rows(con: duckdb.DuckDBPyConnection, days: Days) -> list[Row]:
    """One row per pool and application with logged input where the model's cache has prices."""
    prices = todays_prices(con)
    columns = ("pool_id", "account_id", "account_name", "region", "application", "model_id", "endpoint_type")
    found: list[Row] = []
    for *names, tokens, reads, writes_5m, writes_1h in con.execute(
        """
        select
            pool_id,
            account_id,
            account_name,
            region,
            application,
            model_id,
            endpoint_type,
            sum(input_tokens)::bigint,
            sum(cache_read_tokens)::bigint,
            (sum(cache_write_tokens) - sum(cache_write_1h_tokens))::bigint,
            sum(cache_write_1h_tokens)::bigint,
        from marts.usage_daily
        where usage_date between $first and $last and pool_id is not null
        group by all
        having sum(input_tokens) > 0
        order by all
        """,
        {"first": days.first, "last": days.last},
    ).fetchall():
        key: Row = dict(zip(columns, names, strict=True))
        model_id, endpoint_type = key.pop("model_id"), key.pop("endpoint_type")
        cache = CachePrices(
            *(
                _price(prices, model_id, endpoint_type, key["region"], kind)
                for kind in ("input", "cache_read", "cache_write_5m", "cache_write_1h")
            )
        )
        if cache.input is not None and cache.cache_read is not None and cache.cache_write_5m is not None:
            found.append(key | _cache_columns(key, CacheUse(tokens, reads, writes_5m, writes_1h), cache, days))
    return found


def _cache_columns(key: Row, use: CacheUse, prices: CachePrices, days: Days) -> Row:
    saved, possible = cache_saving(use, prices), cache_opportunity(use.input, REPEATED_SHARE, READS_PER_WRITE, prices)
    return {
        "input_tokens": use.input,
        "cache_read_tokens": use.cache_read,
        "cache_write_tokens": use.cache_write_5m + use.cache_write_1h,
        "hit_ratio": None if saved.hit_ratio is None else float(saved.hit_ratio),
        "saved_usd": _exact(saved.usd),
        "break_even_reads": _number(break_even_reads(prices)),
        "repeated_share": float(REPEATED_SHARE),
        "reads_per_write": READS_PER_WRITE,
        "possible_usd": _exact(possible.usd),
        "possible_quota_tokens": possible.quota_tokens,
        # Nobody knows how much of the input repeats.
        "grade": "low",
        "evidence_sql": cache_evidence(key["pool_id"], key["application"], prices, days),
        "as_of": days.last,
    }


def _exact(usd: Decimal | None) -> Decimal | None:
    return None if usd is None else usd.quantize(_DIGITS)


def _number(value: Decimal | None) -> float | None:
    return None if value is None else float(value)
