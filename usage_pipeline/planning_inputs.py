"""What planning needs of the warehouse, as arrays: minutes on a dense grid, daily peaks of pools.

Here: queries over stored tables and their results as NumPy arrays; unknown is NaN or None. Not here: the formulas
(`planning/`), logged calls (`planning_calls.py`), the rows that are made of them (`assets/planning.py`).
"""

import datetime as dt
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

import duckdb
import numpy as np
import numpy.typing as npt

from usage_pipeline.planning.forecasts import LONGEST_FIT
from usage_pipeline.planning.limiter import Booleans
from usage_pipeline.planning.percentiles import DAY, Floats, dense_minutes

WINDOW_DAYS = 30
"""Whole UTC days that percentiles and recommendations look at."""

COMPLETE = 0.99
"""Share of CloudWatch's calls that the logs must have for reservations to be known, as in `marts.data_completeness`."""

_EPOCH = dt.date(1970, 1, 1)


@dataclass(frozen=True)
class Days:
    """A range of whole UTC days, both inclusive."""

    first: dt.date
    last: dt.date

    def __len__(self) -> int:
        return (self.last - self.first).days + 1

    @property
    def first_minute(self) -> int:
        """Minutes since the epoch."""
        return (self.first - _EPOCH).days * DAY

    @property
    def minutes(self) -> int:
        """Minutes in the range."""
        return len(self) * DAY


@dataclass(frozen=True)
class Pool:
    """A row of `marts.quota_pools`. Limits are None when unknown; `limits`, `codes` and `names` are by quota."""

    pool_id: str
    account_id: str
    account_name: str
    region: str
    model_name: str
    endpoint_type: str
    max_output_tokens: int | None
    limits: Mapping[str, int | None]
    codes: Mapping[str, str | None]
    names: Mapping[str, str | None]

    @property
    def key(self) -> dict[str, Any]:
        """The columns that say which pool a row is about."""
        return {
            "pool_id": self.pool_id,
            "account_id": self.account_id,
            "account_name": self.account_name,
            "region": self.region,
        }


def newest_whole_days(con: duckdb.DuckDBPyConnection, count: int = WINDOW_DAYS) -> Days | None:
    """The newest day that was read to its end for some scope, and the days before it; None when there is none."""
    found = con.execute(
        """
        select max(usage_date) from staging.stg_cloudwatch_coverage
        where covered_until >= (usage_date + 1)::timestamp
        """
    ).fetchone()
    if found is None or found[0] is None:
        return None
    return Days(found[0] - dt.timedelta(days=count - 1), found[0])


def used_pools(con: duckdb.DuckDBPyConnection, days: Days) -> list[Pool]:
    """The pools with use on the days, in order."""
    cursor = con.execute(
        """
        select * from marts.quota_pools
        where pool_id in (
            select pool_id from marts.quota_usage_minutely where usage_date between $first and $last
        )
        order by pool_id
        """,
        {"first": days.first, "last": days.last},
    )
    names = [column[0] for column in cursor.description or []]
    return [_pool(dict(zip(names, row, strict=True))) for row in cursor.fetchall()]


def _pool(row: dict[str, Any]) -> Pool:
    quotas = ("tpm", "rpm", "tpd")
    return Pool(
        pool_id=row["pool_id"],
        account_id=row["account_id"],
        account_name=row["account_name"],
        region=row["region"],
        model_name=row["model_name"],
        endpoint_type=row["endpoint_type"],
        max_output_tokens=row["max_output_tokens"],
        limits={quota: row[f"{quota}_limit"] for quota in quotas},
        codes={quota: row[f"{quota}_quota_code"] for quota in quotas},
        names={quota: row[f"{quota}_quota_name"] for quota in quotas},
    )


def known_minutes(con: duckdb.DuckDBPyConnection, days: Days) -> dict[tuple[str, str], Booleans]:
    """By (account_id, region): which minutes of the days were read minute by minute."""
    known: dict[tuple[str, str], Booleans] = {}
    rows = con.execute(
        """
        select
            account_id,
            region,
            date_diff('minute', $first::timestamp, covered_from),
            date_diff('minute', $first::timestamp, covered_until),
        from staging.stg_cloudwatch_coverage
        where usage_date between $first and $last and resolution_seconds = 60
        """,
        {"first": days.first, "last": days.last},
    ).fetchall()
    for account_id, region, begins, ends in rows:
        known.setdefault((account_id, region), np.zeros(days.minutes, dtype=np.bool_))[begins:ends] = True
    return known


@dataclass(frozen=True)
class PoolMinutes:
    """Dense grids of one pool, one value per minute: 0 where idle, NaN where unknown.

    A day with a period that is coarser than a minute, or with a minute whose consumption is unknown, is unknown.
    """

    tokens: Floats
    requests: Floats

    def of(self, quota: str) -> Floats:
        """What the quota counts."""
        return self.tokens if quota == "tpm" else self.requests


def pool_minutes(con: duckdb.DuckDBPyConnection, pool: Pool, days: Days, known: Booleans) -> PoolMinutes:
    """The grids of one pool."""
    found = con.execute(
        """
        select
            epoch(ts)::bigint // 60 as minute,
            resolution_seconds = 60 as is_minute,
            consumed_tokens is not null as is_known,
            coalesce(consumed_tokens, 0)::double as tokens,
            invocations::double as requests,
        from marts.quota_usage_minutely
        where pool_id = $pool and usage_date between $first and $last
        """,
        {"pool": pool.pool_id, "first": days.first, "last": days.last},
    ).fetchnumpy()
    minute = np.asarray(found["minute"], dtype=np.int64)
    is_minute = np.asarray(found["is_minute"], dtype=np.bool_)
    is_counted = is_minute & np.asarray(found["is_known"], dtype=np.bool_)

    def grid(column: str, is_good: Booleans) -> Floats:
        known_here = known.copy()
        for day in np.unique((minute[~is_good] - days.first_minute) // DAY):
            known_here[day * DAY : (day + 1) * DAY] = False
        keep = known_here[minute - days.first_minute]
        values = np.asarray(found[column], dtype=np.float64)
        return dense_minutes(minute[keep], values[keep], days.first_minute, days.minutes, known_here)

    return PoolMinutes(grid("tokens", is_counted), grid("requests", is_minute))


@dataclass(frozen=True)
class DayUnderWay:
    """A UTC day of which the first minutes were read: consumed tokens of each, None where one of them is not known."""

    day: dt.date
    covered_until: dt.datetime
    so_far: Floats | None


def days_under_way(con: duckdb.DuckDBPyConnection, day: dt.date, pools: list[Pool]) -> dict[str, DayUnderWay]:
    """By pool: the day as far as it was read minute by minute; pools whose scope was not are left out."""
    covered: dict[tuple[str, str], dt.datetime] = {
        (account_id, region): until
        for account_id, region, until in con.execute(
            """
            select account_id, region, covered_until from staging.stg_cloudwatch_coverage
            where usage_date = $day and resolution_seconds = 60 and covered_until < (usage_date + 1)::timestamp
            """,
            {"day": day},
        ).fetchall()
    }
    used: dict[str, list[tuple[int, int | None]]] = {}
    for pool_id, minute, tokens in con.execute(
        """
        select
            pool_id,
            date_diff('minute', usage_date::timestamp, ts),
            if(resolution_seconds = 60, consumed_tokens, null),
        from marts.quota_usage_minutely
        where usage_date = $day
        """,
        {"day": day},
    ).fetchall():
        used.setdefault(pool_id, []).append((minute, tokens))
    found: dict[str, DayUnderWay] = {}
    for pool in pools:
        if (until := covered.get((pool.account_id, pool.region))) is not None:
            so_far = _so_far(day, until, used.get(pool.pool_id, []))
            found[pool.pool_id] = DayUnderWay(day, until, so_far)
    return found


def _so_far(day: dt.date, until: dt.datetime, used: list[tuple[int, int | None]]) -> Floats | None:
    grid = np.zeros(int((until - dt.datetime.combine(day, dt.time())).total_seconds() // 60))
    for minute, tokens in used:
        if tokens is None:
            return None
        if minute < len(grid):
            grid[minute] = tokens
    return grid


@dataclass(frozen=True)
class DailyPeaks:
    """The highest minute (tpd: the total) of each day from the first used one on; NaN where unknown, 0 on idle days."""

    days: Days
    values: Floats


def daily_peaks(con: duckdb.DuckDBPyConnection, last: dt.date) -> dict[tuple[str, str], DailyPeaks]:
    """By (pool_id, quota): peaks of up to 90 whole days up to `last`.

    A day of coarser periods has no highest minute, and a day that was not read to its end no total.
    """
    first = last - dt.timedelta(days=LONGEST_FIT - 1)
    rows = con.execute(
        """
        with whole_days as (
            select
                account_id,
                region,
                usage_date,
            from staging.stg_cloudwatch_coverage
            where usage_date between $first and $last and covered_until >= (usage_date + 1)::timestamp
        ),

        used as (
            select
                pool_id,
                account_id,
                region,
                quota,
                min(usage_date) as first_day,
            from marts.quota_headroom
            where usage_date between $first and $last
            group by pool_id, account_id, region, quota
        )

        select
            used.pool_id,
            used.quota,
            used.first_day,
            whole_days.usage_date,
            case
                when peaks.pool_id is null then 0
                when used.quota = 'tpd' or peaks.resolution_seconds = 60 then peaks.peak
            end as peak,
        from used
        inner join whole_days
            on
                used.account_id = whole_days.account_id
                and used.region = whole_days.region
                and whole_days.usage_date >= used.first_day
        left join marts.quota_headroom as peaks
            on
                used.pool_id = peaks.pool_id
                and used.quota = peaks.quota
                and whole_days.usage_date = peaks.usage_date
        order by all
        """,
        {"first": first, "last": last},
    ).fetchall()
    found: dict[tuple[str, str], DailyPeaks] = {}
    for pool_id, quota, first_day, day, peak in rows:
        days = Days(first_day, last)
        peaks = found.setdefault((pool_id, quota), DailyPeaks(days, np.full(len(days), np.nan)))
        if peak is not None:
            peaks.values[(day - first_day).days] = peak
    return found


def log_completeness(con: duckdb.DuckDBPyConnection, days: Days) -> dict[str, float]:
    """By pool: share of CloudWatch's calls of the days that the logs have; pools without calls are not in it."""
    return dict(
        con.execute(
            """
            select pool_id, sum(logged_calls) / sum(cloudwatch_calls)
            from marts.data_completeness
            where usage_date between $first and $last and pool_id is not null
            group by pool_id
            having sum(cloudwatch_calls) > 0
            """,
            {"first": days.first, "last": days.last},
        ).fetchall()
    )


@dataclass(frozen=True)
class PoolTotals:
    """Sums of CloudWatch's counts of one pool over the days."""

    calls: int
    input_tokens: int
    output_tokens: int
    throttles: int
    throttled_minutes: int


def pool_totals(con: duckdb.DuckDBPyConnection, days: Days) -> dict[str, PoolTotals]:
    """By pool: what CloudWatch counted on the days."""
    rows: list[tuple[str, int, int, int, int, int]] = con.execute(
        """
        select
            pool_id,
            sum(invocations)::bigint,
            sum(input_tokens)::bigint,
            sum(output_tokens)::bigint,
            sum(throttles)::bigint,
            (coalesce(sum(resolution_seconds) filter (where throttles > 0), 0) / 60)::bigint,
        from marts.quota_usage_minutely
        where usage_date between $first and $last
        group by pool_id
        """,
        {"first": days.first, "last": days.last},
    ).fetchall()
    return {pool_id: PoolTotals(*sums) for pool_id, *sums in rows}


def whole_minutes(known: Mapping[tuple[str, str], Booleans], pool: Pool, days: Days) -> npt.NDArray[np.bool_]:
    """The known minutes of the pool's scope; none when it was not read."""
    return known.get((pool.account_id, pool.region), np.zeros(days.minutes, dtype=np.bool_))
