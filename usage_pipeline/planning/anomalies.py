"""What stands out: a cost or use far above the same weekdays, a caller far above itself, a profile nobody uses.

Here: robust scores and the rules that decide what is reported. Not here: the history, alerts.
"""

import datetime as dt
from collections.abc import Sequence
from dataclasses import dataclass
from decimal import Decimal
from statistics import median
from typing import Literal

SAME_WEEKDAYS = 8
"""Earlier days of the same weekday that a day is compared with."""
LEAST_WEEKDAYS = 4
"""Fewer say nothing."""
LEAST_SCORE = 3.5
"""Robust z-score above which a value is an outlier (Iglewicz and Hoaglin 1993)."""
LEAST_RISE = Decimal("0.4")
"""Rise above the usual that is worth a look (the cost jump of AWS's Bedrock Ops Lens)."""
LEAST_USD = Decimal(10)
"""Rise in USD below which nobody wants to hear of it."""
USUAL_DAYS = 28
"""Days of its own that a caller is compared with."""
FAR_OVER = Decimal(2)
"""Times its own usual day (AWS's guide on dashboards for generative AI: a role above twice)."""
IDLE_DAYS = 30

_TO_SIGMA = Decimal("1.4826")
"""Median absolute deviation to the standard deviation of a normal distribution."""


@dataclass(frozen=True)
class Anomaly:
    """A value, the usual one, and how many robust standard deviations lie between; None where history never varied."""

    value: Decimal
    expected: Decimal
    score: float | None


def weekday_anomaly(
    value: Decimal, same_weekdays: Sequence[Decimal], least_rise: Decimal = LEAST_USD
) -> Anomaly | None:
    """The anomaly of a day against up to eight earlier same weekdays, the newest first; None when there is none.

    All must hold: score above 3.5, 40 % above the median, and `least_rise` above it in the value's own unit.
    """
    history = list(same_weekdays[:SAME_WEEKDAYS])
    if len(history) < LEAST_WEEKDAYS:
        return None
    found = _compared(value, history)
    rise = value - found.expected
    is_far = found.score is None or found.score > LEAST_SCORE
    return found if is_far and rise > LEAST_RISE * found.expected and rise > least_rise else None


def caller_anomaly(value: Decimal, usual_days: Sequence[Decimal], least_rise: Decimal) -> Anomaly | None:
    """The anomaly of a caller's day against up to 28 earlier days on which it was active, the newest first.

    All must hold: above twice the median, score above 3.5, and `least_rise` above the median in the value's own unit.
    """
    history = list(usual_days[:USUAL_DAYS])
    if len(history) < LEAST_WEEKDAYS:
        return None
    found = _compared(value, history)
    is_far = found.score is None or found.score > LEAST_SCORE
    is_much = value > FAR_OVER * found.expected and value - found.expected > least_rise
    return found if is_far and is_much else None


def _compared(value: Decimal, history: list[Decimal]) -> Anomaly:
    expected = median(history)
    deviation = _TO_SIGMA * median(abs(each - expected) for each in history)
    return Anomaly(value, expected, float((value - expected) / deviation) if deviation else None)


IdleStatus = Literal["used", "new", "idle", "never_used"]


def idle_status(made_on: dt.date | None, last_used: dt.date | None, today: dt.date) -> IdleStatus:
    """Whether a profile that people made can go: idle for 30 days, or never used since it was made 30 days ago.

    A profile of unknown age counts as new.
    """
    if last_used is not None:
        return "idle" if (today - last_used).days >= IDLE_DAYS else "used"
    if made_on is None or (today - made_on).days < IDLE_DAYS:
        return "new"
    return "never_used"
