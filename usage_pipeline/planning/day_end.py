"""How many tokens a day will have used at its end, and when it reaches the quota per day.

Here: the projection from earlier days of the same weekday. Not here: days to come (`forecasts.py`).
"""

from dataclasses import dataclass
from typing import Literal

import numpy as np
import numpy.typing as npt

Floats = npt.NDArray[np.float64]

LEAST_SHARE = 0.1
"""Share of a usual day's tokens that must be used by now before the rest of the day is projected."""

DayStatus = Literal["no_history", "too_early", "projected"]


@dataclass(frozen=True)
class DayProjection:
    """Tokens of a UTC day to its end, as the last four same weekdays went.

    `reaches_limit_at` is the minute of the day at which the quota per day is used up; None when it is not. too_early:
    on usual days less than a tenth of the tokens were used by now. `low` and `high` are the day's tokens if it goes on
    as one of the weekdays did; `high` is None when one of them had used nothing by now.
    """

    status: DayStatus
    tokens: float | None = None
    reaches_limit_at: int | None = None
    low: float | None = None
    high: float | None = None


def project_day(so_far: Floats, same_weekdays: Floats, limit: float | None) -> DayProjection:
    """Project a day from its first minutes. `same_weekdays` has one row of 1,440 minutes per earlier, whole day."""
    totals = same_weekdays.sum(axis=1)
    usable = same_weekdays[totals > 0]
    if not len(usable):
        return DayProjection("no_history")
    shares = np.cumsum(usable, axis=1) / usable.sum(axis=1, keepdims=True)
    share = np.median(shares, axis=0)
    used = np.cumsum(so_far)
    now = len(so_far) - 1
    if now < 0 or share[now] < LEAST_SHARE:
        return DayProjection("too_early")
    course = np.append(used, used[-1] * share[now + 1 :] / share[now])
    over = np.flatnonzero(course >= limit) if limit is not None else np.empty(0, dtype=np.int64)
    reached = int(over[0]) if len(over) else None
    least, most = float(shares[:, now].min()), float(shares[:, now].max())
    low, high = float(used[-1]) / most, float(used[-1]) / least if least else None
    return DayProjection("projected", float(course[-1]), reached, low, high)
