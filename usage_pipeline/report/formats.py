"""How numbers and times are written on the page.

Here: one number in, its text out. Not here: which numbers (`numbers.py`), the words around them
(`page/labels.json`).
"""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import date, datetime, timedelta
from decimal import ROUND_HALF_UP, Decimal
from typing import Any

from usage_pipeline.report.contents import Pool

THIN_SPACE = "\u202f"
MINUS = "\u2212"


def number(value: float | int | None, unknown: str) -> str:
    """Digits in groups of three; fractions only where they matter."""
    if value is None:
        return unknown
    size = abs(value)
    if isinstance(value, int) or size >= 100 or float(value).is_integer():
        text = f"{value:,.0f}"
    else:
        text = f"{value:,.2f}" if size >= 1 else f"{value:.3f}"
        text = text.rstrip("0").rstrip(".")
    return text.replace("-", MINUS)


def percent(share: float | None, unknown: str) -> str:
    """A share of 1 as a percentage with one decimal below 100."""
    if share is None:
        return unknown
    value = 100 * share
    digits = 0 if abs(value) >= 100 or float(f"{value:.1f}").is_integer() else 1
    text = f"{value:.{digits}f}"
    return ("0" if text == "-0" else text).replace("-", MINUS) + THIN_SPACE + "%"


CENT = Decimal("0.01")


def money(amount: Decimal | None, unknown: str) -> str:
    """US dollars to the cent; what is less than a cent is said to be, and is not rounded to nothing."""
    if amount is None:
        return unknown
    if 0 < amount < CENT:
        return "< 0.01"
    return f"{amount.quantize(CENT, ROUND_HALF_UP):,}"


def price(amount: Decimal | None, missing: str) -> str:
    """A price to its last digit, two decimals at least."""
    if amount is None:
        return missing
    dollars, _, part = f"{amount:,f}".partition(".")
    return f"{dollars}.{part.rstrip('0').ljust(2, '0')}"


def moment(value: datetime | date | None, unknown: str) -> str:
    """A UTC minute or day."""
    if value is None:
        return unknown
    return value.strftime("%Y-%m-%d %H:%M") if isinstance(value, datetime) else value.isoformat()


def iso_time(value: datetime) -> str:
    """A UTC time without a zone as ISO 8601 with a Z, without a fraction."""
    return value.strftime("%Y-%m-%dT%H:%M:%SZ")


def counted(text: Mapping[str, str], n: int, **values: Any) -> str:
    """`text` has a sentence for `one` and one for `many`, with {n} in it."""
    return text["one" if n == 1 else "many"].format(n=f"{n:,}", **values)


def level(utilization: float | None, warning: float) -> str:
    """The CSS class of a utilisation: full, near, some, or unknown."""
    if utilization is None:
        return "unknown"
    if utilization >= 1:
        return "full"
    return "near" if utilization >= warning else "some"


@dataclass(frozen=True)
class Bar:
    """One UTC day of a pool's small chart: `height` is 0 to 1 of it, `x` counts days from the first."""

    x: int
    height: float
    level: str


HIGHEST_BAR = 1.25
"""Utilisation at the top of the small chart; what is above is cut."""

LOWEST_BAR = 0.04
"""Any use can be seen: one pixel of the small chart."""


def bars(pool: Pool, first_day: date, last_day: date, warning: float) -> Sequence[Bar]:
    """The highest utilisation of any of the pool's quotas, by UTC day; days without use or limit have no bar."""
    by_day: dict[date, float] = {}
    for quota in pool.quotas:
        for day in quota.days:
            if day.utilization_peak is not None:
                by_day[day.usage_date] = max(by_day.get(day.usage_date, 0.0), day.utilization_peak)
    days = ((first_day + timedelta(days=x), x) for x in range((last_day - first_day).days + 1))
    return [
        Bar(x, min(by_day[day], HIGHEST_BAR) / HIGHEST_BAR, level(by_day[day], warning))
        for day, x in days
        if day in by_day
    ]
