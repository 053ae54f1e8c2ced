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

    `projected` adds the median of up to four earlier same weekdays for each day that is to come or not known, in cents;
    None when such a day has no earlier same weekday. `low` and `high` bound 80 of 100 cases; None with fewer than seven
    days that could be compared with what stood for them.
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
    projected = to_date + sum((cost for cost in expected if cost is not None), Decimal(0))
    errors = [cost - usual for day, cost in sorted(known.items()) if (usual := _usual(known, day)) is not None]
    low, high = _bounds(projected, errors, len(open_days), seed)
    # What is spent is spent, and the middle lies within.
    low = low if low is None else min(max(low, to_date), projected).quantize(_CENT)
    high = high if high is None else max(high, projected).quantize(_CENT)
    return MonthEnd(to_date, projected.quantize(_CENT), low, high, len(open_days))


def _usual(known: Mapping[dt.date, Decimal], day: dt.date) -> Decimal | None:
    """Median cost of the newest earlier days of the same weekday; looks back twice as many weeks as it needs days."""
    earlier = (day - dt.timedelta(weeks=weeks) for weeks in range(1, 2 * SAME_WEEKDAYS + 1))
    costs = [known[each] for each in earlier if each in known][:SAME_WEEKDAYS]
    return median(costs) if costs else None


def _bounds(
    projected: Decimal, errors: list[Decimal], days: int, seed: int
) -> tuple[Decimal, Decimal] | tuple[None, None]:
    """Sums of errors of the past, drawn again in runs of a week, in whole millionths of a dollar."""
    if len(errors) < LEAST_ERRORS:
        return None, None
    if not days:
        return projected, projected
    micros = np.array([int(error / _MICRO) for error in errors], dtype=np.int64)
    runs = -(-days // 7)
    begins = np.random.default_rng(seed).integers(0, len(micros), (DRAWS, runs, 1))
    drawn = micros[(begins + np.arange(7)) % len(micros)].reshape(DRAWS, -1)[:, :days].sum(axis=1)
    low, high = np.percentile(drawn, (LOW, HIGH), method="inverted_cdf")
    return projected + int(low) * _MICRO, projected + int(high) * _MICRO


def budget_burn(to_date: Decimal, budget: Decimal, day: dt.date) -> Decimal:
    """Share of the budget that is used over share of the month that has passed, `day` included; above 1 is too fast."""
    if budget <= 0:
        raise ValueError(f"the budget is {budget}; it must be above 0")
    days = calendar.monthrange(day.year, day.month)[1]
    return (to_date / budget * days / day.day).quantize(Decimal("0.0001"))
