"""What a month will have cost at its end, with an interval, and how fast a budget burns.

Here: the projection from the days so far, in decimals. Not here: costs themselves (`dbt_like_sql/marts`).
"""

import calendar
import datetime as dt
from collections.abc import Mapping
from dataclasses import dataclass
from decimal import Decimal
from statistics import median

import numpy as np

SAME_WEEKDAYS = 4
"""Earlier days of the same weekday whose median stands for a day."""
LEAST_ERRORS = 7
"""Days with a known error that an interval needs."""
DRAWS = 1000
LOW, HIGH = 10, 90
"""Percentiles of the draws that bound the 80 % interval."""

_CENT = Decimal("0.01")
_MICRO = Decimal("0.000001")


@dataclass(frozen=True)
class MonthEnd:
    """Cost of a calendar month in USD. `to_date` is the sum of its days that are known, to the last digit.

    `projected` adds, in cents, the median of up to four earlier same weekdays for each day that is to come or not
    known, and what those medians usually missed such days by, as they do where costs grow; None when such a day has no
    earlier same weekday. `low` and `high` bound 80 of 100 cases. With fewer than seven days that could be compared with
    what stood for them, both are None and nothing is added.
    """

    to_date: Decimal
    projected: Decimal | None
    low: Decimal | None
    high: Decimal | None
    projected_days: int


def month_end_cost(costs: Mapping[dt.date, Decimal], last_day: dt.date, seed: int = 0) -> MonthEnd:
    """Project the month of `last_day`, the newest whole day. A day missing in `costs` is not known; no cost is 0."""
    days = calendar.monthrange(last_day.year, last_day.month)[1]
    month = [last_day.replace(day=day) for day in range(1, days + 1)]
    known = {day: cost for day, cost in costs.items() if day <= last_day}
    to_date = sum((known[day] for day in month if day in known), Decimal(0))
    open_days = [day for day in month if day not in known]
    expected = [_usual(known, day) for day in open_days]
    if any(cost is None for cost in expected):
        return MonthEnd(to_date, None, None, None, len(open_days))
    usual = to_date + sum((cost for cost in expected if cost is not None), Decimal(0))
    errors = [_errors(known, weeks) for weeks in range(1, max(1, -(-len(open_days) // 7)) + 1)]
    if len(errors[0]) < LEAST_ERRORS:
        return MonthEnd(to_date, usual.quantize(_CENT), None, None, len(open_days))
    # What is spent is spent.
    low, middle, high = (max(usual + miss, to_date).quantize(_CENT) for miss in _misses(errors, len(open_days), seed))
    return MonthEnd(to_date, middle, low, high, len(open_days))


def _usual(known: Mapping[dt.date, Decimal], day: dt.date, weeks_ahead: int = 1) -> Decimal | None:
    """Median cost of the newest days of the same weekday that are at least so many weeks earlier.

    Looks at twice as many weeks as it needs days.
    """
    earlier = (day - dt.timedelta(weeks=weeks) for weeks in range(weeks_ahead, weeks_ahead + 2 * SAME_WEEKDAYS))
    costs = [known[each] for each in earlier if each in known][:SAME_WEEKDAYS]
    return median(costs) if costs else None


def _errors(known: Mapping[dt.date, Decimal], weeks_ahead: int) -> list[int]:
    """What `_usual` missed each known day by, had it been asked so many weeks before, in millionths of a dollar."""
    stood_in = ((cost, _usual(known, day, weeks_ahead)) for day, cost in sorted(known.items()))
    return [int((cost - usual) / _MICRO) for cost, usual in stood_in if usual is not None]


def _misses(errors: list[list[int]], days: int, seed: int) -> tuple[Decimal, ...]:
    """Low, median and high sum of what so many days in a row are missed by.

    Each week of them draws a run of days from the errors of forecasts that looked as far ahead, or as far as there are
    enough of.
    """
    rng = np.random.default_rng(seed)
    drawn = np.zeros(DRAWS, dtype=np.int64)
    micros = np.array(errors[0], dtype=np.int64)
    for week, of_week in enumerate(errors):
        if len(of_week) >= LEAST_ERRORS:
            micros = np.array(of_week, dtype=np.int64)
        run = np.arange(max(0, min(7, days - 7 * week)))
        drawn += micros[(rng.integers(0, len(micros), (DRAWS, 1)) + run) % len(micros)].sum(axis=1)
    low, middle, high = np.percentile(drawn, (LOW, 50, HIGH), method="inverted_cdf")
    # The sum of n days, judged by the sums of m days, varies by the chance of both.
    wider = (1 + days / len(errors[0])) ** 0.5
    found = (middle - wider * (middle - low), middle, middle + wider * (high - middle))
    return tuple(round(miss) * _MICRO for miss in found)


def budget_burn(to_date: Decimal, budget: Decimal, day: dt.date) -> Decimal:
    """Share of the budget that is used over share of the month that has passed, `day` included; above 1 is too fast."""
    if budget <= 0:
        raise ValueError(f"the budget is {budget}; it must be above 0")
    days = calendar.monthrange(day.year, day.month)[1]
    return (to_date / budget * days / day.day).quantize(Decimal("0.0001"))
