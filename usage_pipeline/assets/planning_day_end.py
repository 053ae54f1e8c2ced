"""Rows of `marts.day_end_forecasts`: the tokens of the day that is not over, to its end.

Here: one row per pool. Not here: the projection (`planning/day_end.py`), days to come (`planning_pools.py`).
"""

import datetime as dt

import numpy as np

from usage_pipeline.assets.planning_max_tokens import PoolFacts, Row
from usage_pipeline.planning.day_end import DayProjection, project_day
from usage_pipeline.planning.percentiles import DAY, Floats, Grade, Interval, grade
from usage_pipeline.planning_evidence import day_evidence

WEEKS = 4
"""Earlier days of the same weekday that are looked at."""


def day_end_rows(facts: PoolFacts) -> list[Row]:
    """One row, if the day after the last whole one was begun to be read."""
    today, pool = facts.today, facts.pool
    if today is None:
        return []
    weekdays = _same_weekdays(facts)
    limit = pool.limits["tpd"]
    found = None if today.so_far is None else project_day(today.so_far, weekdays, limit)
    reached = None if found is None or found.reaches_limit_at is None else dt.timedelta(minutes=found.reaches_limit_at)
    return [
        pool.key
        | {
            "usage_date": today.day,
            "covered_until": today.covered_until,
            "status": found.status if found else "unknown_use",
            "used_tokens": None if today.so_far is None else int(today.so_far.sum()),
            "projected_tokens": found.tokens if found else None,
            "low": found.low if found else None,
            "high": found.high if found else None,
            "grade": _grade(found, len(weekdays)) if found else None,
            "limit_value": limit,
            "reaches_limit_at": None if reached is None else dt.datetime.combine(today.day, dt.time()) + reached,
            "weekdays": len(weekdays),
            "evidence_sql": day_evidence(pool.pool_id, today.day),
        }
    ]


def _same_weekdays(facts: PoolFacts) -> Floats:
    """Known days of the last four same weekdays on which the pool was used, a row of minutes each."""
    days = facts.minutes.tokens.reshape(-1, DAY)
    chosen = days[[len(days) - 7 * week for week in range(1, WEEKS + 1) if len(days) >= 7 * week]]
    known = ~np.isnan(chosen).any(axis=1)
    return chosen[known & (np.nan_to_num(chosen).sum(axis=1) > 0)]


def _grade(found: DayProjection, weekdays: int) -> Grade | None:
    """How far the projection can be trusted: the weeks behind it, and how far they lie apart."""
    if found.tokens is None or found.low is None:
        return None
    return "low" if found.high is None else grade(7 * weekdays, found.tokens, Interval(found.low, found.high))
