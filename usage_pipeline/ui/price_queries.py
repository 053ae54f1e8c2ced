"""What the Pricing page reads of the published file: prices that hold, their history, calls without a price.

Here: queries and their rows. Not here: the file of agreed prices (`prices/override_file.py`), the page.
"""

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import date, timedelta
from typing import Any

import duckdb

from usage_pipeline.checks.costs import EVERY_CALL_HAS_A_PRICE
from usage_pipeline.checks.rules import evaluate
from usage_pipeline.prices.overrides import PriceOverride
from usage_pipeline.prices.price_rows import ENDPOINT_TYPES
from usage_pipeline.raw_tables import MODEL_PRICES
from usage_pipeline.report.table_rows import filled, rows

# A kind's own row of the Region wins over that of every Region, as it does where costs are made.
_IN_FORCE = """
    with uses as (
        select
            model_id,
            endpoint_type,
            region,
            service_tier,
            sum(calls)::bigint as calls,
            sum(cost_usd) as cost_usd,
        from marts.usage_daily
        where
            usage_date between $first_day and $last_day
            and list_contains($endpoint_types, endpoint_type)
            and service_tier <> 'reserved'
        group by model_id, endpoint_type, region, service_tier
    ),

    names as (
        select
            model_id,
            any_value(model_name) as model_name,
        from marts.quota_pools
        group by model_id
    ),

    holding as (
        select
            uses.model_id,
            uses.endpoint_type,
            uses.region,
            uses.service_tier,
            prices.context_band,
            prices.context_threshold,
            prices.token_kind,
            prices.usd_per_million,
            prices.valid_from,
            prices.source,
        from uses
        inner join marts.model_prices as prices
            on
                uses.model_id = prices.model_id
                and uses.endpoint_type = prices.endpoint_type
                and uses.service_tier = prices.service_tier
                and prices.region in (uses.region, '*')
        where prices.valid_from < $until and coalesce(prices.valid_to, 'infinity'::timestamp) >= $until
        qualify
            row_number() over (
                partition by
                    uses.model_id,
                    uses.endpoint_type,
                    uses.region,
                    uses.service_tier,
                    prices.context_band,
                    prices.token_kind
                order by prices.region = '*'
            ) = 1
    )

    select
        uses.model_id,
        coalesce(any_value(names.model_name), uses.model_id) as model_name,
        uses.endpoint_type,
        uses.region,
        uses.service_tier,
        coalesce(holding.context_band, 'standard') as context_band,
        any_value(uses.calls) as calls,
        any_value(uses.cost_usd) as cost_usd,
        max(holding.context_threshold) as context_threshold,
        max(holding.usd_per_million) filter (where holding.token_kind = 'input') as input,
        max(holding.usd_per_million) filter (where holding.token_kind = 'output') as output,
        max(holding.usd_per_million) filter (where holding.token_kind = 'cache_read') as cache_read,
        max(holding.usd_per_million) filter (where holding.token_kind = 'cache_write_5m') as cache_write_5m,
        max(holding.usd_per_million) filter (where holding.token_kind = 'cache_write_1h') as cache_write_1h,
        max(holding.usd_per_million) filter (where holding.token_kind = 'image') as image,
        max(holding.valid_from) as valid_from,
        string_agg(distinct holding.source, '; ' order by holding.source) as source,
    from uses
    left join holding using (model_id, endpoint_type, region, service_tier)
    left join names on uses.model_id = names.model_id
    group by uses.model_id, uses.endpoint_type, uses.region, uses.service_tier, holding.context_band
    order by
        any_value(uses.cost_usd) desc nulls last,
        uses.model_id,
        uses.endpoint_type,
        uses.region,
        uses.service_tier,
        context_band desc
"""

_HISTORY = """
    select
        token_kind,
        context_band,
        region,
        usd_per_million,
        list_usd_per_million,
        valid_from,
        valid_to,
        source,
    from marts.model_prices
    where
        model_id = $model_id
        and endpoint_type = $endpoint_type
        and service_tier = $service_tier
        and region in ($region, '*')
    order by
        list_position(
            ['input', 'output', 'cache_read', 'cache_write_5m', 'cache_write_1h', 'image'], token_kind
        ),
        context_band desc,
        region = '*',
        valid_from desc
"""

_SOURCES = f"""
    select
        account_name as price_source,
        max(finished_at) filter (where status in ('ok', 'empty')) as last_answer,
        arg_max(status, finished_at) as status,
        arg_max(row_count, finished_at) as row_count,
        arg_max(error_text, finished_at) as error_text,
        max(finished_at) as last_asked,
    from ops.source_status
    where source = '{MODEL_PRICES.name}'
    group by account_name
    order by account_name
"""

_COLUMNS_OF_A_FIRST_FILE = [name for name in PriceOverride.model_fields if name not in PriceOverride.optional_columns]


@dataclass(frozen=True)
class PricedUse:
    """What calls of one model, endpoint type, Region, tier and context band cost at the end of a day.

    Prices are US dollars for a million tokens or images, None where there is none. `calls` and `cost_usd` are of all
    bands together, on the days that are shown. `valid_from` is when the newest of the prices began.
    """

    model_id: str
    model_name: str
    endpoint_type: str
    region: str
    service_tier: str
    context_band: str
    calls: int
    cost_usd: Any
    context_threshold: int | None
    input: Any
    output: Any
    cache_read: Any
    cache_write_5m: Any
    cache_write_1h: Any
    image: Any
    valid_from: Any
    source: str | None

    @property
    def key(self) -> tuple[str, str, str, str]:
        """What has a history: model, endpoint type, Region, tier."""
        return self.model_id, self.endpoint_type, self.region, self.service_tier


def read_prices_in_force(con: duckdb.DuckDBPyConnection, first_day: date, last_day: date) -> list[PricedUse]:
    """Prices at the end of the last day, of what was used on the days; the dearest use first."""
    values = {
        "first_day": first_day,
        "last_day": last_day,
        "until": last_day + timedelta(days=1),
        "endpoint_types": list(ENDPOINT_TYPES),
    }
    return [filled(PricedUse, row) for row in rows(con, _IN_FORCE, values)]


def read_history(con: duckdb.DuckDBPyConnection, key: tuple[str, str, str, str]) -> list[dict[str, Any]]:
    """Every price of a use, now and before, with the list price that it stands for; the newest of a kind first."""
    names = ("model_id", "endpoint_type", "region", "service_tier")
    return rows(con, _HISTORY, dict(zip(names, key, strict=True)))


def read_unpriced(con: duckdb.DuckDBPyConnection) -> list[dict[str, Any]]:
    """Calls of the newest 30 days that are in no sum of costs, and why: what the check of every call's price finds."""
    return evaluate(con, EVERY_CALL_HAS_A_PRICE).rows


def read_sources(con: duckdb.DuckDBPyConnection) -> list[dict[str, Any]]:
    """Sources of list prices: when each was asked last and last answered, and how it went."""
    return rows(con, _SOURCES)


def read_taken_in(con: duckdb.DuckDBPyConnection) -> list[tuple[Any, ...]]:
    """The agreed prices that the published costs were made with, as `comparable` has them."""
    columns = ", ".join(f'"{name}"' for name in _COLUMNS_OF_A_FIRST_FILE)
    return con.execute(f"select {columns} from raw.price_overrides").fetchall()


def comparable(row: PriceOverride) -> tuple[Any, ...]:
    """What of a row makes a difference to prices."""
    return tuple(getattr(row, name) for name in _COLUMNS_OF_A_FIRST_FILE)


def not_taken_in(file_rows: Sequence[PriceOverride], taken_in: Sequence[tuple[Any, ...]]) -> tuple[int, int]:
    """Rows of the file that the published costs do not know yet, and rows they know that the file no longer has."""
    in_file, known = {comparable(row) for row in file_rows}, set(taken_in)
    return len(in_file - known), len(known - in_file)
