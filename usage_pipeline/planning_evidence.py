"""Queries to paste into DuckDB that show, from the published tables, the numbers that a recommendation rests on.

Here: their text. Not here: the recommendations (`assets/planning_….py`), what a report shows of them (`report/`).
"""

import datetime as dt

from usage_pipeline.planning.alternatives import READS_PER_WRITE, REPEATED_SHARE, CachePrices
from usage_pipeline.planning.percentiles import PER_MILLE
from usage_pipeline.planning_calls import CUT_REASONS
from usage_pipeline.planning_inputs import Days

_MINUTE_VALUES = {"tpm": "consumed_tokens", "rpm": "invocations"}


def quota_evidence(pool_id: str, quota: str, days: Days, data_points: int = 0) -> str:
    """The days behind a recommended quota; `window_peak` is its `peak`, counted anew.

    For tokens and requests per minute that is the P99.9 of the known minutes, of which there are `data_points`: the
    rank-th highest, or 0 where fewer had use. For tokens per day it is the highest day.
    """
    where = f"pool_id = {_quoted(pool_id)} and {_between(days)}"
    if quota in _MINUTE_VALUES:
        value = _MINUTE_VALUES[quota]
        above = data_points + -data_points * PER_MILLE["p999"] // 1000
        peak = (
            f"coalesce((select {value} from marts.quota_usage_minutely where {where} and resolution_seconds = 60 "
            f"order by {value} desc nulls last limit 1 offset {above}), 0)"
        )
    else:
        peak = "max(peak) over ()"
    return (
        "select usage_date, limit_value, peak, p50, p99, utilization_peak, throttles, worst_minute, "
        f"{peak} as window_peak from marts.quota_headroom where {where} and quota = '{quota}' order by usage_date"
    )


def max_tokens_evidence(pool_id: str, application: str, recommended: int | None, days: Days) -> str:
    """The calls behind a recommended `max_tokens`: its columns of the same names, counted anew."""
    held = "reserved_tokens - coalesce(input_tokens, 0) - coalesce(cache_write_tokens, 0)"
    output = "coalesce(output_tokens, 0)"
    after = f"avg(if(is_cut or output > {recommended}, 1, 0))" if recommended is not None else "null"
    return (
        "select count(*) as requests, quantile_disc(output, 0.999) filter (where not is_cut) as p999_output, "
        "quantile_disc(max_tokens, 0.5) as max_tokens_p50, max(max_tokens) as max_tokens_max, "
        f"avg(if(is_cut, 1, 0)) as truncated_share, {after} as truncated_share_after "
        f"from (select {output} as output, {held} as max_tokens, "
        f"coalesce(lower(stop_reason) in {CUT_REASONS}, false) or {output} >= {held} as is_cut "
        f"from marts.invocations where pool_id = {_quoted(pool_id)} and application = {_quoted(application)} "
        f"and {_between(days)} and error_code is null and reserved_tokens is not null)"
    )


def day_evidence(pool_id: str, day: dt.date) -> str:
    """The day so far, and the same weekdays of the four weeks before it, hour by hour."""
    weekdays = ", ".join(f"date '{day - dt.timedelta(weeks=weeks)}'" for weeks in range(5))
    return (
        "select usage_date, date_trunc('hour', ts) as hour, sum(consumed_tokens)::bigint as tokens, "
        "max(day_tokens_running) as tokens_so_far from marts.quota_usage_minutely "
        f"where pool_id = {_quoted(pool_id)} and usage_date in ({weekdays}) group by all order by hour"
    )


def endpoint_evidence(pool_id: str, to_pool_id: str) -> str:
    """Both peaks and the limit behind a move to another endpoint type: the columns of the same names."""
    return (
        "select here.peak, coalesce(there.peak, 0) as to_peak, pools.tpm_limit as to_limit, "
        "(here.peak + coalesce(there.peak, 0)) / pools.tpm_limit as utilization "
        "from marts.quota_recommendations as here "
        f"inner join marts.quota_pools as pools on pools.pool_id = {_quoted(to_pool_id)} "
        "left join marts.quota_recommendations as there on there.pool_id = pools.pool_id and there.quota = here.quota "
        f"where here.pool_id = {_quoted(pool_id)} and here.quota = 'tpm'"
    )


def cache_evidence(pool_id: str, application: str, prices: CachePrices, days: Days) -> str:
    """The tokens behind a saving by caching, and the saving, at the prices per million that held."""
    read = f"({prices.input} - {prices.cache_read})"
    write_5m = f"({prices.cache_write_5m} - {prices.input})"
    write_1h = f"({prices.cache_write_1h} - {prices.input})" if prices.cache_write_1h is not None else "null"
    return (
        "with tokens as (select sum(input_tokens)::bigint as input_tokens, "
        "sum(cache_read_tokens)::bigint as cache_read_tokens, sum(cache_write_tokens)::bigint as cache_write_tokens, "
        "sum(cache_write_1h_tokens)::bigint as long_tokens from marts.usage_daily "
        f"where pool_id = {_quoted(pool_id)} and application = {_quoted(application)} and {_between(days)}), "
        f"prefixes as (select *, floor(input_tokens * {REPEATED_SHARE})::bigint as repeated, "
        f"(repeated + {READS_PER_WRITE}) // {READS_PER_WRITE + 1} as written from tokens) "
        "select input_tokens, cache_read_tokens, cache_write_tokens, "
        f"(cache_read_tokens * {read} - (cache_write_tokens - long_tokens) * {write_5m} "
        f"- if(long_tokens = 0, 0, long_tokens * {write_1h})) / 1e6 as saved_usd, "
        f"((repeated - written) * {read} - written * {write_5m}) / 1e6 as possible_usd, "
        "repeated - written as possible_quota_tokens from prefixes"
    )


def _between(days: Days) -> str:
    return f"usage_date between '{days.first}' and '{days.last}'"


def _quoted(text: str) -> str:
    return "'" + text.replace("'", "''") + "'"
