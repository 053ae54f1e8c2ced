"""Which quota to ask AWS for, how sure that is, and what asks for it most.

Here: the recommended quota and the step it is rounded to. Not here: `max_tokens` (`max_tokens.py`), the text of the
request (`increase_request.py`), other ways out (`alternatives.py`).
"""

from dataclasses import dataclass
from typing import Literal

from usage_pipeline.planning.forecasts import HIGH, LOW, Trend
from usage_pipeline.planning.percentiles import Grade, Interval, ReturnLevel

LEAD_DAYS = 14
"""Days between the request and the new quota that the recommendation leaves for growth.

AWS's toolkit says one to three business days; an account manager or a review can take two weeks.
"""
TARGET_UTILIZATION = 0.8
"""Share of the quota that the peak may take."""
LEAST_STEP = 1000
"""Token quotas are whole thousands."""

Kind = Literal["tpm", "rpm"]
Term = Literal["use", "reservations", "growth"]
"""use: what calls took. reservations: what running calls hold for `max_tokens`. growth: what comes in the lead time."""
Action = Literal["increase", "lower_max_tokens", "enough", "limit_unknown"]
Caveat = Literal["reservations_unknown", "no_trend"]


@dataclass(frozen=True)
class QuotaUse:
    """What is known of the use of one quota, per minute.

    `p999` and its interval are over all minutes. `hold` is the peak of reservations, 0 for requests, None when no logs
    tell. `return_level` is that of 30 days.
    """

    kind: Kind
    p999: float
    interval: Interval
    grade: Grade
    return_level: ReturnLevel | None
    hold: int | None
    trend: Trend | None


@dataclass(frozen=True)
class QuotaRecommendation:
    """The quota that leaves a fifth free at the peak of two weeks from now.

    `low` and `high` are what it would be at both ends of the intervals of peak and growth. `ratio` is to today's limit,
    None when that is not known. `dominant` is the largest term. An estimate: AWS does not publish its limiter's window.
    """

    recommended: int
    low: int
    high: int
    grade: Grade
    dominant: Term
    ratio: float | None
    action: Action
    caveats: tuple[Caveat, ...]


def recommend_quota(
    use: QuotaUse, limit: int | None, lead_days: int = LEAD_DAYS, target: float = TARGET_UTILIZATION
) -> QuotaRecommendation:
    """Recommend a quota: (use + reservations) × (1 + daily growth × lead days) / target utilisation, rounded up.

    Use is the 30-day return level when the grade is high, else the upper end of the interval of P99.9. Growth is the
    90 % slope of an upward trend, else 0. Where reservations ask for most, a lower `max_tokens` comes first.
    """
    if not 0 < target <= 1:
        raise ValueError(f"target is {target}; the share of the quota that may be used is above 0 and at most 1")
    level = use.return_level.value if use.return_level and use.grade == "high" else use.interval.high
    hold = use.hold or 0
    growth_low, growth_high = _growth(use.trend)

    def quota(peak: float, growth: float) -> int:
        return step_up((peak + hold) * (1 + growth * lead_days) / target, use.kind)

    recommended = quota(level, growth_high)
    terms: dict[Term, float] = {
        "use": level,
        "reservations": hold,
        "growth": (level + hold) * growth_high * lead_days,
    }
    dominant = max(terms, key=lambda term: terms[term])
    return QuotaRecommendation(
        recommended=recommended,
        low=min(quota(use.interval.low, growth_low), recommended),
        high=max(quota(use.interval.high, growth_high), recommended),
        grade=use.grade,
        dominant=dominant,
        ratio=recommended / limit if limit else None,
        action=_action(recommended, limit, dominant),
        caveats=_caveats(use),
    )


def _growth(trend: Trend | None) -> tuple[float, float]:
    if trend is None or not trend.is_upward:
        return 0.0, 0.0
    return trend.daily_growth(LOW), trend.daily_growth(HIGH)


def _action(recommended: int, limit: int | None, dominant: Term) -> Action:
    if limit is None:
        return "limit_unknown"
    if recommended <= limit:
        return "enough"
    return "lower_max_tokens" if dominant == "reservations" else "increase"


def _caveats(use: QuotaUse) -> tuple[Caveat, ...]:
    found: list[Caveat] = []
    if use.kind == "tpm" and use.hold is None:
        found.append("reservations_unknown")
    if use.trend is None:
        found.append("no_trend")
    return tuple(found)


def step_up(value: float, kind: Kind) -> int:
    """Round up to two significant digits, for tokens to a whole thousand at least. AWS publishes no step of its own."""
    least = LEAST_STEP if kind == "tpm" else 1
    whole = max(-(-value // 1), 1)
    step = max(10 ** (len(str(int(whole))) - 2), least)
    return int(-(-whole // step) * step)
