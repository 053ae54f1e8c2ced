"""Logged calls by day, pool, profile, application, caller and tier: what every cost table and chart is added up from.

Here: reading the rows, and merging the cheapest where there are very many. Not here: sums by one dimension
(`costs.py`), how rows become bytes (`page_data.py`).
"""

from dataclasses import dataclass
from datetime import date
from decimal import Decimal
from typing import Any

import duckdb

from usage_pipeline.report.table_rows import filled, rows

MOST_ROWS = 20_000
"""Rows of the cube; the cheapest beyond them are merged by day and pool, so that a report stays one that is mailed."""

_SUMS = (
    *("calls", "errors", "unpriced_calls"),
    *("input_tokens", "output_tokens", "cache_read_tokens", "cache_write_tokens"),
    *("input_cost_usd", "output_cost_usd", "cache_read_cost_usd", "cache_write_cost_usd"),
    *("latency_samples", "latency_ms_sum", "tpot_samples", "tpot_ms_sum"),
)

_POOL = ("pool_id", "account_id", "account_name", "region", "model_id", "endpoint_type")

_PARTS = ("profile_id", "profile_name", "profile_kind", "application", "role_or_user", "principal_type", "service_tier")

_KEYS = ", ".join(("usage_date", *_POOL, *_PARTS))
_SUMMED = ", ".join(f"sum({name}) as {name}" for name in _SUMS)

_ROWS = f"""
    with calls as (
        select {_KEYS}, any_value(tags order by usage_date) as tags, {_SUMMED}, sum(cost_usd) as cost_usd
        from marts.usage_daily
        where usage_date between $first_day and $last_day
        group by {_KEYS}
    ),

    days_of_pools as (
        select count(*) as days_of_pools
        from (select distinct usage_date, {", ".join(_POOL)} from calls)
    ),

    placed as (
        select
            *,
            count(*) over () > $most_rows as is_long,
            row_number() over (order by cost_usd desc nulls last, calls desc, {_KEYS}) as place,
        from calls
    ),

    chosen as (
        select
            *,
            is_long and place > greatest($most_rows - days_of_pools, 0) as is_merged,
        from placed
        cross join days_of_pools
    )

    select {_KEYS}, tags, false as is_merged, 1 as merged_rows, {", ".join(_SUMS)}
    from chosen
    where not is_merged
    union all by name
    select usage_date, {", ".join(_POOL)}, true as is_merged, count(*) as merged_rows, {_SUMMED}
    from chosen
    where is_merged
    group by usage_date, {", ".join(_POOL)}
    order by usage_date, {", ".join(_POOL)}, is_merged, {", ".join(_PARTS)}
"""

_INCOMPLETE = """
    select distinct
        completeness.usage_date,
        completeness.account_id,
        completeness.account_name,
        completeness.region,
        completeness.pool_id,
        pools.model_id,
        pools.endpoint_type,
    from marts.data_completeness as completeness
    left join marts.quota_pools as pools using (pool_id)
    where completeness.usage_date between $first_day and $last_day and completeness.status <> 'complete'
    order by all
"""


@dataclass(frozen=True)
class CubeRow:
    """Logged calls of one UTC day, pool, profile, application, caller and service tier.

    `is_merged`: several such rows of the day and pool in one, `merged_rows` of them; then profile, application, caller
    and tier are NULL. Money is exact, NULL when no call of the row has a price. `tags` is NULL when not known.
    """

    usage_date: date
    pool_id: str | None
    account_id: str
    account_name: str
    region: str
    model_id: str | None
    endpoint_type: str | None
    profile_id: str | None
    profile_name: str | None
    profile_kind: str | None
    tags: dict[str, str] | None
    application: str | None
    role_or_user: str | None
    principal_type: str | None
    service_tier: str | None
    is_merged: bool
    merged_rows: int
    calls: int
    errors: int
    unpriced_calls: int
    input_tokens: int
    output_tokens: int
    cache_read_tokens: int
    cache_write_tokens: int
    input_cost_usd: Decimal | None
    output_cost_usd: Decimal | None
    cache_read_cost_usd: Decimal | None
    cache_write_cost_usd: Decimal | None
    latency_samples: int
    latency_ms_sum: Decimal
    tpot_samples: int
    tpot_ms_sum: Decimal


@dataclass(frozen=True)
class IncompleteDay:
    """A UTC day and pool whose logs lack calls that CloudWatch counted; numbers that hold it are lower bounds."""

    usage_date: date
    account_id: str
    account_name: str
    region: str
    pool_id: str | None
    model_id: str | None
    endpoint_type: str | None


_COUNTS = frozenset(name for name in _SUMS if not name.endswith(("_usd", "_ms_sum")))


def read_cube(
    con: duckdb.DuckDBPyConnection, first_day: date, last_day: date, most_rows: int = MOST_ROWS
) -> tuple[CubeRow, ...]:
    """The rows of the UTC days, both inclusive. However many are merged, every sum over a day or pool is exact."""
    found = rows(con, _ROWS, {"first_day": first_day, "last_day": last_day, "most_rows": most_rows})
    return tuple(filled(CubeRow, _counted(row)) for row in found)


def _counted(row: dict[str, Any]) -> dict[str, Any]:
    """Sums of whole numbers as such, nothing as 0; sums of money stay unknown without a price."""
    return {name: int(value or 0) if name in _COUNTS else value for name, value in row.items()}


def read_incomplete_days(con: duckdb.DuckDBPyConnection, first_day: date, last_day: date) -> tuple[IncompleteDay, ...]:
    """Days and pools of which the logs hold less than CloudWatch counted."""
    found = rows(con, _INCOMPLETE, {"first_day": first_day, "last_day": last_day})
    return tuple(filled(IncompleteDay, row) for row in found)
