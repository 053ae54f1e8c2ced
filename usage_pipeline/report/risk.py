"""How near a pool is to its quotas, in one word, and the order of pools that follows.

Here: the levels and the order. Not here: utilisation itself (`dbt_like_sql/marts`), colours and words of the page.
"""

from dataclasses import dataclass
from typing import Literal

Risk = Literal["critical", "warning", "unknown", "ok", "idle"]

RISK_ORDER: tuple[Risk, ...] = ("critical", "warning", "unknown", "ok", "idle")
"""Most urgent first."""

FULL = 1.0
"""Utilisation of a quota that is used up."""


@dataclass(frozen=True)
class Exposure:
    """What decides a pool's risk, over the report's days.

    `was_read` says whether any of the scope's use is known. `utilization_peak` is the highest share of any of its
    quotas in any minute, NULL while no limit is known. `minutes_over_limit` also counts use over a limit of 0.
    """

    was_read: bool
    has_traffic: bool
    has_rate_limit: bool
    utilization_peak: float | None
    minutes_over_limit: int
    throttles: int


def risk_of(exposure: Exposure, warning_utilization: float) -> Risk:
    """Name the risk: throttles and a full quota come before everything; what is unknown is never called room."""
    utilization = exposure.utilization_peak or 0.0
    if exposure.throttles > 0 or exposure.minutes_over_limit > 0 or utilization >= FULL:
        return "critical"
    if utilization >= warning_utilization:
        return "warning"
    if not exposure.has_traffic:
        return "idle" if exposure.was_read else "unknown"
    return "ok" if exposure.has_rate_limit else "unknown"


def risk_sort_key(risk: Risk, utilization_peak: float | None, throttles: int | None) -> tuple[int, float, int]:
    """Sort key that puts the pool to look at first on top: level, then utilisation, then throttles."""
    return RISK_ORDER.index(risk), -(utilization_peak or 0.0), -(throttles or 0)
