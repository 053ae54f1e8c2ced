"""Rows of `marts.anomalies`: costs and use that stand out from their own past, and application profiles that lie idle.

Here: the histories and the rows that are made of them. Not here: the rules (`planning/anomalies.py`), alerts.
"""

import datetime as dt
from collections.abc import Iterator, Mapping
from decimal import Decimal

import duckdb

from usage_pipeline.assets.planning_costs import LOOK_BACK, Costs, KnownCosts, Row, complete, logged_days
from usage_pipeline.planning.anomalies import (
    IDLE_DAYS,
    LEAST_USD,
    SAME_WEEKDAYS,
    USUAL_DAYS,
    Anomaly,
    caller_anomaly,
    idle_status,
    weekday_anomaly,
)
from usage_pipeline.planning_inputs import DailyPeaks, Days, Pool

LEAST_TOKENS = Decimal(1_000_000)
"""Rise of tokens of a day below which nobody wants to hear of it: 10 USD at 10 USD per million."""

_DIGITS = Decimal(1).scaleb(-12)
_NO_SCOPE: Row = {"account_id": None, "account_name": None, "region": None}


def anomaly_rows(
    con: duckdb.DuckDBPyConnection, days: Days, pools: list[Pool], peaks: Mapping[tuple[str, str], DailyPeaks]
) -> list[Row]:
    """Rows of `marts.anomalies` for the days."""
    known = logged_days(con, days.last).of_all()
    return [
        *_model_anomalies(con, days, known),
        *_caller_anomalies(con, days),
        *_pool_anomalies(days, pools, peaks),
        *idle_profile_rows(con, days.last),
    ]


_USAGE = "marts.usage_daily"
_TAGGED_USAGE = "(select *, unnest(map_entries(tags)) as tag from marts.usage_daily)"

MODEL_SUBJECTS = {
    "application_model": ("application || '/' || model_id", _USAGE),
    "tag_model": ("tag.key || '=' || tag.value || '/' || model_id", _TAGGED_USAGE),
}
"""By kind of subject: its name and where it is, in SQL. A team is a tag."""

MODEL_METRICS = {
    "cost_usd": ("sum(cost_usd)", LEAST_USD),
    "consumed_tokens": ("if(bool_or(consumed_tokens is null), null, sum(consumed_tokens))", LEAST_TOKENS),
}
"""By metric: its value of a day, in SQL, and the least rise that is told."""


def _values_by(
    con: duckdb.DuckDBPyConnection, subject: str, last: dt.date, value: str = "sum(cost_usd)", source: str = _USAGE
) -> dict[str, Costs]:
    """Value by subject and day; both are SQL expressions. Subjects and days without one are left out."""
    rows = con.execute(
        f"""
        select {subject} as subject, usage_date, ({value})::decimal(38, 12)
        from {source}
        where usage_date between $first and $last and {subject} is not null
        group by all
        having {value} is not null
        order by all
        """,
        {"first": last - LOOK_BACK, "last": last},
    ).fetchall()
    found: dict[str, Costs] = {}
    for name, day, amount in rows:
        found.setdefault(name, {})[day] = amount
    return found


def _model_anomalies(con: duckdb.DuckDBPyConnection, days: Days, known: set[dt.date]) -> Iterator[Row]:
    for kind, (name, source) in MODEL_SUBJECTS.items():
        for metric, (value, least_rise) in MODEL_METRICS.items():
            for subject, values in _values_by(con, name, days.last, value, source).items():
                held = KnownCosts(values, _NO_SCOPE)
                complete(held, known)
                for day in _each(days):
                    if day in held.by_day:
                        found = weekday_anomaly(held.by_day[day], _earlier_weekdays(held.by_day, day), least_rise)
                        yield from _row(day, kind, subject, metric, found)


def _caller_anomalies(con: duckdb.DuckDBPyConnection, days: Days) -> Iterator[Row]:
    for subject, costs in _values_by(con, "account_id || '/' || role_or_user", days.last).items():
        active = {day: cost for day, cost in costs.items() if cost > 0}
        for day in _each(days):
            if day in active:
                history = [cost for earlier, cost in sorted(active.items(), reverse=True) if earlier < day]
                found = caller_anomaly(active[day], history[:USUAL_DAYS], LEAST_USD)
                yield from _row(day, "caller", subject, "cost_usd", found)


def _pool_anomalies(days: Days, pools: list[Pool], peaks: Mapping[tuple[str, str], DailyPeaks]) -> Iterator[Row]:
    for pool in pools:
        if (held := peaks.get((pool.pool_id, "tpd"))) is None:
            continue
        totals = {
            held.days.first + dt.timedelta(days=number): Decimal(int(value))
            for number, value in enumerate(held.values.tolist())
            if value == value  # NaN is not known
        }
        scope = {name: value for name, value in pool.key.items() if name != "pool_id"}
        for day in _each(days):
            if day in totals:
                found = weekday_anomaly(totals[day], _earlier_weekdays(totals, day), LEAST_TOKENS)
                yield from _row(day, "pool", pool.pool_id, "consumed_tokens", found, scope)


def _each(days: Days) -> Iterator[dt.date]:
    return (days.first + dt.timedelta(days=number) for number in range(len(days)))


def _earlier_weekdays(values: Costs, day: dt.date) -> list[Decimal]:
    """Values of earlier days of the same weekday, the newest first."""
    earlier = (day - dt.timedelta(weeks=weeks) for weeks in range(1, SAME_WEEKDAYS + 1))
    return [values[each] for each in earlier if each in values]


def _row(
    day: dt.date, kind: str, subject: str, metric: str, found: Anomaly | None, scope: Row = _NO_SCOPE
) -> Iterator[Row]:
    if found is not None:
        yield scope | {
            "usage_date": day,
            "subject_kind": kind,
            "subject": subject,
            "metric": metric,
            "value": found.value,
            "expected": found.expected.quantize(_DIGITS),
            "score": found.score,
        }


_PROFILES = """
    with newest as (
        select
            account_id,
            region,
            max(snapshot_date) as snapshot_date,
        from raw.inference_profiles
        group by account_id, region
    ),

    watched as (
        select
            account_id,
            region,
            min(usage_date) as first_day,
        from staging.stg_cloudwatch_coverage
        group by account_id, region
    ),

    last_use as (
        select
            account_id,
            region,
            profile_id,
            max(usage_date) as usage_date,
        from intermediate.int_profile_days_summed
        where invocations > 0
        group by account_id, region, profile_id
    )

    select
        profiles.account_id,
        coalesce(scopes.account_name, profiles.account_id) as account_name,
        profiles.region,
        profiles.profile_id,
        greatest(profiles.created_at::date, watched.first_day) as unused_since,
        last_use.usage_date as last_used,
    from raw.inference_profiles as profiles
    inner join newest using (account_id, region, snapshot_date)
    inner join watched using (account_id, region)
    left join last_use using (account_id, region, profile_id)
    left join staging.stg_scopes as scopes using (account_id, region)
    where profiles.profile_type = 'APPLICATION' and profiles.created_at is not null
    order by all
"""


def idle_profile_rows(con: duckdb.DuckDBPyConnection, last: dt.date) -> list[Row]:
    """Application profiles that nobody has used for 30 days, as far as anybody watched."""
    rows: list[Row] = []
    for account_id, account_name, region, profile_id, unused_since, last_used in con.execute(_PROFILES).fetchall():
        if idle_status(unused_since, last_used, last) in ("idle", "never_used"):
            rows.append(
                {
                    "usage_date": last,
                    "subject_kind": "profile",
                    "subject": f"{account_id}/{region}/{profile_id}",
                    "metric": "idle_days",
                    "account_id": account_id,
                    "account_name": account_name,
                    "region": region,
                    "value": Decimal((last - (last_used or unused_since)).days),
                    "expected": Decimal(IDLE_DAYS),
                    "score": None,
                }
            )
    return rows
