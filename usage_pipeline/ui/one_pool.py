"""One pool's quotas, its use over time against them, its throttled minutes, and what is to come.

Here: queries and rows. Not here: drawing (`pages/quotas.py`), formulas (`dbt_like_sql/`).
"""

from datetime import date
from typing import Any

import duckdb

from usage_pipeline.report import queries
from usage_pipeline.report.console_links import service_quota_url
from usage_pipeline.report.table_rows import rows

Row = dict[str, Any]

QUOTA_NAMES = {"tpm": "Tokens per minute", "rpm": "Requests per minute", "tpd": "Tokens per day"}

_RECOMMENDED = """
    select
        quota,
        recommended,
        action,
        grade,
        reaches_limit,
        reaches_limit_on,
        request_text,
    from marts.quota_recommendations
    where pool_id = $pool_id
"""

# The highest minute of each period, so that no peak is lost; of limits, the one at its end.
_OVER_TIME = """
    select
        time_bucket(to_seconds($step_seconds), ts) as period_start,
        max(tokens_per_minute) as tpm,
        max(requests_per_minute) as rpm,
        max(day_tokens_running)::double as tpd,
        max_by(tpm_limit, ts) as tpm_limit,
        max_by(rpm_limit, ts) as rpm_limit,
        max_by(tpd_limit, ts) as tpd_limit,
        sum(throttles)::bigint as throttles,
        max(resolution_seconds) as resolution_seconds,
    from marts.quota_usage_minutely
    where pool_id = $pool_id and usage_date between $first_day and $last_day
    group by period_start
    order by period_start
"""

_THROTTLED_MINUTES = """
    select
        ts,
        throttles,
        invocations,
        cause,
        is_certain,
        is_retry_storm,
        consumed_tokens,
        reserved_tokens,
        tpm_limit,
        rpm_limit,
        list_transform(
            top_consumers,
            who -> concat_ws(' ', coalesce(who.application, who.profile_name), who.role_or_user)
            || coalesce(printf(' %.0f %%', 100 * who.share), '')
        ) as consumers,
        list_transform(
            victims,
            who -> coalesce(who.profile_name, who.profile_id) || coalesce(printf(' %.0f %%', 100 * who.share), '')
        ) as victims,
    from marts.throttle_events
    where pool_id = $pool_id and usage_date between $first_day and $last_day
    order by throttles desc, ts
"""

_FORECAST = """
    select
        usage_date,
        forecast,
        low,
        high,
        limit_value,
    from marts.quota_forecasts
    where pool_id = $pool_id and quota = $quota
    order by usage_date
"""


def read_quotas(con: duckdb.DuckDBPyConnection, pool_id: str, first_day: date, last_day: date) -> list[Row]:
    """One row per quota of the pool: its value, how near use came to it, what is recommended."""
    (pool,) = [row for row in rows(con, queries.POOLS) if row["pool_id"] == pool_id]
    days = {"first_day": first_day, "last_day": last_day}
    peaks = {row["quota"]: row for row in rows(con, queries.QUOTA_PEAKS, days) if row["pool_id"] == pool_id}
    wanted = {row["quota"]: row for row in rows(con, _RECOMMENDED, {"pool_id": pool_id})}
    return [
        {
            "quota": name,
            "limit_value": pool[f"{kind}_limit"],
            "limit_source": pool[f"{kind}_limit_source"],
            "code": pool[f"{kind}_quota_code"],
            "quota_name": pool[f"{kind}_quota_name"],
            "console": _console(pool["region"], pool[f"{kind}_quota_code"]),
        }
        | peaks.get(kind, {})
        | wanted.get(kind, {})
        | {"quota": name, "kind": kind}
        for kind, name in QUOTA_NAMES.items()
    ]


def _console(region: str, code: str | None) -> str | None:
    return None if code is None else service_quota_url(region, code)


def read_over_time(
    con: duckdb.DuckDBPyConnection, pool_id: str, first_day: date, last_day: date, step_seconds: int
) -> list[Row]:
    """The pool's highest minute of each period that has any use."""
    return rows(con, _OVER_TIME, _days(pool_id, first_day, last_day) | {"step_seconds": step_seconds})


def read_throttled_minutes(con: duckdb.DuckDBPyConnection, pool_id: str, first_day: date, last_day: date) -> list[Row]:
    """Minutes in which calls of the pool were throttled, the worst first."""
    found = rows(con, _THROTTLED_MINUTES, _days(pool_id, first_day, last_day))
    return [
        row | {"consumers": "; ".join(row["consumers"] or []), "victims": "; ".join(row["victims"] or [])}
        for row in found
    ]


def read_windows(con: duckdb.DuckDBPyConnection) -> list[str]:
    """Names of the windows that the statistics have, the shortest first."""
    return [row["window_name"] for row in sorted(rows(con, queries.WINDOWS), key=_window_length)]


def _window_length(window: Row) -> Any:
    return window["window_end"] - window["window_start"]


def read_statistics(con: duckdb.DuckDBPyConnection, pool_id: str, window: str) -> list[Row]:
    """The pool's statistics of one window: for the whole pool (`ALL`), then for each profile."""
    found = rows(con, queries.STATISTICS, {"windows": [window]})
    return [row for row in found if row["pool_id"] == pool_id]


def read_forecast(con: duckdb.DuckDBPyConnection, pool_id: str, quota: str) -> list[Row]:
    """The days to come, of one quota."""
    return rows(con, _FORECAST, {"pool_id": pool_id, "quota": quota})


def _days(pool_id: str, first_day: date, last_day: date) -> dict[str, Any]:
    return {"pool_id": pool_id, "first_day": first_day, "last_day": last_day}


def step_seconds(first_day: date, last_day: date) -> int:
    """Seconds between two points of a chart over the days: about a thousand points, so that it stays quick."""
    days = (last_day - first_day).days + 1
    if days <= 1:
        return 60
    return 900 if days <= 10 else 3600
