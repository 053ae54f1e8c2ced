import datetime as dt
from decimal import Decimal

import numpy as np
import pytest

from usage_pipeline.planning.month_end import MonthEnd, budget_burn, month_end_cost


def costs(first: dt.date, *values: str | int) -> dict[dt.date, Decimal]:
    return {first + dt.timedelta(days=number): Decimal(value) for number, value in enumerate(values)}


def test_a_day_to_come_costs_the_median_of_the_last_four_same_weekdays() -> None:
    # Mondays from May 18 to June 15 cost 100, 1, 2, 4 and 50, all other days nothing.
    mondays = {
        dt.date(2026, 5, 25) + dt.timedelta(weeks=week): Decimal(cost) for week, cost in enumerate((1, 2, 4, 50))
    }
    history = costs(dt.date(2026, 5, 1), *[0] * 59) | mondays | {dt.date(2026, 5, 18): Decimal(100)}
    found = month_end_cost(history, dt.date(2026, 6, 28))
    # Left are a Tuesday and Monday 29: of 2, 4, 50 and 0 the median is 3.
    assert found.to_date == Decimal(56)
    assert (found.projected, found.projected_days) == (Decimal("59.00"), 2)


def test_a_day_that_is_not_known_is_projected_and_not_free() -> None:
    history = costs(dt.date(2026, 1, 1), *[10] * 59)
    del history[dt.date(2026, 2, 10)]
    found = month_end_cost(history, dt.date(2026, 2, 28))
    assert found == MonthEnd(Decimal(270), *[Decimal("280.00")] * 3, projected_days=1)


def test_without_an_earlier_same_weekday_nothing_is_projected() -> None:
    assert month_end_cost(costs(dt.date(2026, 6, 1), 5, 5), dt.date(2026, 6, 2)) == MonthEnd(
        Decimal(10), None, None, None, 28
    )


def test_an_interval_needs_seven_days_that_can_be_compared() -> None:
    eight, fourteen = (
        month_end_cost(costs(dt.date(2026, 6, 1), *[5] * days), dt.date(2026, 6, days)) for days in (8, 14)
    )
    assert (eight.projected, eight.low, eight.high) == (Decimal("150.00"), None, None)
    assert (fourteen.projected, fourteen.low, fourteen.high) == (Decimal("150.00"),) * 3


def test_later_days_do_not_count() -> None:
    history = costs(dt.date(2026, 5, 1), *[5] * 61)
    assert month_end_cost(history, dt.date(2026, 6, 10)).projected_days == 20


def test_sums_keep_every_digit() -> None:
    assert month_end_cost(costs(dt.date(2026, 6, 1), "0.0000000001", "0.2"), dt.date(2026, 6, 2)).to_date == Decimal(
        "0.2000000001"
    )


def test_the_interval_holds_the_end_of_most_months() -> None:
    held = 0
    first = dt.date(2026, 3, 1)
    for seed in range(60):
        rng = np.random.default_rng(seed)
        values = [f"{cost:.4f}" for cost in 100 * rng.lognormal(0, 0.3, 122)]
        history = costs(first, *values)
        truth = sum((cost for day, cost in history.items() if day.month == 6), Decimal(0))
        found = month_end_cost(history, dt.date(2026, 6, 10))
        assert found.low is not None
        assert found.high is not None
        assert found.to_date <= found.low <= found.high
        held += found.low <= truth <= found.high
    assert 0.7 <= held / 60 <= 0.9


def test_growing_costs_are_not_projected_too_low() -> None:
    history = costs(dt.date(2026, 3, 1), *[100 + day for day in range(122)])
    truth = sum((cost for day, cost in history.items() if day.month == 6), Decimal(0))
    found = month_end_cost(history, dt.date(2026, 6, 10))
    # Medians of days that are weeks old are 500 dollars short for the 20 days to come; what they missed makes it 25.
    assert found.projected is not None
    assert found.high is not None
    assert truth - 30 <= found.projected <= truth <= found.high


def test_budget_burn_compares_the_share_used_with_the_share_of_the_month() -> None:
    assert budget_burn(Decimal(500), Decimal(1000), dt.date(2026, 6, 10)) == Decimal("1.5000")


def test_a_budget_of_nothing_is_refused() -> None:
    with pytest.raises(ValueError, match="the budget is 0; it must be above 0"):
        budget_burn(Decimal(1), Decimal(0), dt.date(2026, 6, 10))
