"""Logged calls, their tokens and cost, by whatever they are divided by.

Here: queries over `marts.usage_daily` and `marts.usage_hourly`, and their rows. Not here: formulas (`dbt_like_sql/`),
drawing (`pages/`). Costs are those of the calls that have a price, NULL when none has.
"""

from collections.abc import Sequence
from datetime import date
from typing import Any

import duckdb

from usage_pipeline.report.table_rows import rows

Row = dict[str, Any]

NOT_SET = "(not set)"
"""Stands for calls of a profile that lacks the tag."""

MOST_HOURLY_DAYS = 3
"""Days up to which use over time has a row for each hour."""

_NAMES = {
    "model": "coalesce(any_model_name, daily.model_id, daily.profile_id)",
    "application": "application",
    "caller": "role_or_user",
    "account": "account_name",
    "region": "region",
    "endpoint": "endpoint_type",
    "profile": "coalesce(profile_name, profile_id)",
    "tier": "service_tier",
}

_IDS = {
    "model": "coalesce(daily.model_id, daily.profile_id)",
    "caller": "account_id || '/' || role_or_user",
    "account": "account_id",
    "profile": "account_id || '/' || region || '/' || profile_id",
}
"""What tells two of equal names apart; without one, the name does."""

_TAG = f"""
    case
        when daily.tags is null and profile_kind not in ('base', 'system') then null
        when coalesce(not map_contains(daily.tags, $tag_key), true) then '{NOT_SET}'
        else daily.tags[$tag_key]
    end
"""

_SUMS = """
        sum(calls)::bigint as calls,
        sum(errors)::bigint as errors,
        sum(throttles)::bigint as throttles,
        sum(input_tokens)::bigint as input_tokens,
        sum(output_tokens)::bigint as output_tokens,
        sum(cache_read_tokens)::bigint as cache_read_tokens,
        sum(cache_write_tokens)::bigint as cache_write_tokens,
        sum(input_tokens + output_tokens + cache_read_tokens + cache_write_tokens)::bigint as tokens,
        sum(input_cost_usd) as input_cost_usd,
        sum(output_cost_usd) as output_cost_usd,
        sum(cache_read_cost_usd) as cache_read_cost_usd,
        sum(cache_write_cost_usd) as cache_write_cost_usd,
        sum(cost_usd) as cost_usd,
        sum(unpriced_calls)::bigint as unpriced_calls,
        sum(latency_ms_sum)::double / nullif(sum(latency_samples), 0) as latency_ms_avg,
        sum(tpot_ms_sum)::double / nullif(sum(tpot_samples), 0) as tpot_ms_avg,
"""

_FROM = """
    with named as (
        select
            model_id,
            min(model_name) as any_model_name,
        from marts.quota_pools
        group by model_id
    ),

    divided as (
        select
            daily.*,
            any_model_name,
            {name} as name,
            {id} as id,
        from marts.{table} as daily
        left join named using (model_id)
        where usage_date between $first_day and $last_day
    )
"""

_GROUPS = """
    select
        id,
        any_value(name) as name,
        if(count(distinct account_id) = 1, any_value(account_name), null) as account_name,
        if(min(principal_type) = max(principal_type), min(principal_type), 'mixed') as principal_type,
        {sums}
    from divided
    group by id
    order by cost_usd desc nulls last, calls desc, id
"""

_OVER_TIME = """
    select
        {period} as period_start,
        id,
        any_value(name) as name,
        sum(calls)::bigint as calls,
        sum(input_tokens + output_tokens + cache_read_tokens + cache_write_tokens)::bigint as tokens,
        sum(cost_usd) as cost_usd,
    from divided
    group by period_start, id
    order by period_start, id
"""

_TOTAL = f"""
    select {_SUMS}
    from marts.usage_daily
    where usage_date between $first_day and $last_day
"""

_INCOMPLETE = """
    select distinct
        completeness.account_id,
        completeness.region,
        pools.model_id,
    from marts.data_completeness as completeness
    left join marts.quota_pools as pools using (pool_id)
    where completeness.usage_date between $first_day and $last_day and completeness.status <> 'complete'
"""

_TAG_KEYS = """
    select distinct unnest(map_keys(tags)) as tag_key
    from marts.usage_daily
    where usage_date between $first_day and $last_day
    order by tag_key
"""


def _divided(subject: str, table: str = "usage_daily") -> str:
    """The beginning of a query whose rows have a `name` and an `id`; `tag:<key>` divides by that tag."""
    if subject.startswith("tag:"):
        return _FROM.format(name=_TAG, id=_TAG, table=table)
    return _FROM.format(name=_NAMES[subject], id=_IDS.get(subject, _NAMES[subject]), table=table)


def _parameters(subject: str, first_day: date, last_day: date) -> dict[str, Any]:
    tag = {"tag_key": subject.removeprefix("tag:")} if subject.startswith("tag:") else {}
    return {"first_day": first_day, "last_day": last_day, **tag}


def read_tag_keys(con: duckdb.DuckDBPyConnection, first_day: date, last_day: date) -> list[str]:
    """Keys of tags that any profile with calls has."""
    return [row["tag_key"] for row in rows(con, _TAG_KEYS, {"first_day": first_day, "last_day": last_day})]


def read_total(con: duckdb.DuckDBPyConnection, first_day: date, last_day: date) -> Row:
    """Sums over all calls; `is_at_least` says that the cost is a lower bound. `calls` is NULL without any."""
    days = {"first_day": first_day, "last_day": last_day}
    (total,) = rows(con, _TOTAL, days)
    return total | {"is_at_least": bool(total["unpriced_calls"] or rows(con, _INCOMPLETE, days))}


def read_groups(con: duckdb.DuckDBPyConnection, subject: str, first_day: date, last_day: date) -> list[Row]:
    """One row per model, application, caller … the dearest first, with its share of the whole known cost.

    `is_at_least`: some of its calls have no price, or logs are missing in which more of it may be.
    """
    days = {"first_day": first_day, "last_day": last_day}
    query = _divided(subject) + _GROUPS.format(sums=_SUMS)
    found = rows(con, query, _parameters(subject, first_day, last_day))
    incomplete = rows(con, _INCOMPLETE, days)
    whole = sum(row["cost_usd"] for row in found if row["cost_usd"] is not None)
    for row in found:
        cost = row["cost_usd"]
        row["share"] = None if cost is None or not whole else float(cost / whole)
        row["is_at_least"] = bool(row["unpriced_calls"]) or _may_lack(subject, row["id"], incomplete)
    return found


def _may_lack(subject: str, identity: str | None, incomplete: Sequence[Row]) -> bool:
    """Whether calls that were not logged may belong to it: to a model its own, to a caller those of anybody."""
    column = {"model": "model_id", "account": "account_id", "region": "region"}.get(subject)
    if column is None:
        return bool(incomplete)
    return any(row[column] is None or row[column] == identity for row in incomplete)


def read_over_time(con: duckdb.DuckDBPyConnection, subject: str, first_day: date, last_day: date) -> list[Row]:
    """One row per UTC day, of few days per hour, and model, application or caller, as the subject says."""
    is_short = (last_day - first_day).days < MOST_HOURLY_DAYS
    table, period = ("usage_hourly", "ts") if is_short else ("usage_daily", "usage_date")
    query = _divided(subject, table) + _OVER_TIME.format(period=period)
    return rows(con, query, _parameters(subject, first_day, last_day))
