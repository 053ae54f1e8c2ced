import datetime as dt
from decimal import Decimal

import pytest

from usage_pipeline.planning.anomalies import Anomaly, caller_anomaly, idle_status, weekday_anomaly

TODAY = dt.date(2026, 6, 30)


def usd(*values: int | str) -> list[Decimal]:
    return [Decimal(value) for value in values]


def test_a_day_far_above_its_weekdays_is_reported_with_its_score() -> None:
    found = weekday_anomaly(Decimal(200), usd(100, 102, 98, 101, 99, 100, 103, 97))
    assert found is not None
    assert (found.value, found.expected) == (Decimal(200), Decimal(100))
    # Median absolute deviation 1.5.
    assert found.score == pytest.approx(100 / (1.4826 * 1.5))


@pytest.mark.parametrize(
    ("value", "history"),
    [
        # Score: deviation 20, so 3.5 × 1.4826 × 20 = 103.8 above 100.
        ("203", usd(80, 120, 80, 120, 80, 120, 80, 120)),
        # Rise of 40 % exactly.
        ("140", usd(100, 101, 99, 100, 101, 99, 100, 100)),
        # Rise of 10 USD exactly.
        ("20", usd(10, 10, 10, 10, 10, 10, 10, 10)),
        # A fall.
        ("0", usd(100, 101, 99, 100, 101, 99, 100, 100)),
        # Too little history.
        ("1000", usd(1, 1, 1)),
    ],
)
def test_a_day_must_stand_out_in_every_way(value: str, history: list[Decimal]) -> None:
    assert weekday_anomaly(Decimal(value), history) is None


def test_just_beyond_every_bound_is_reported() -> None:
    assert weekday_anomaly(Decimal(204), usd(80, 120, 80, 120, 80, 120, 80, 120)) is not None
    assert weekday_anomaly(Decimal(141), usd(100, 101, 99, 100, 101, 99, 100, 100)) is not None
    assert weekday_anomaly(Decimal(1000), usd(1, 1, 1, 1)) is not None


def test_history_that_never_varied_has_no_score() -> None:
    assert weekday_anomaly(Decimal("20.01"), usd(*[10] * 8)) == Anomaly(Decimal("20.01"), Decimal(10), None)


def test_only_the_newest_eight_weekdays_count() -> None:
    assert weekday_anomaly(Decimal(100), usd(*[10] * 8, *[1000] * 50)) is not None


def test_a_caller_is_compared_with_itself() -> None:
    usual = usd(*[100, 110, 90] * 5)
    assert caller_anomaly(Decimal(201), usual, least_rise=Decimal(50)) is not None
    assert caller_anomaly(Decimal(200), usual, least_rise=Decimal(50)) is None
    assert caller_anomaly(Decimal(201), usual, least_rise=Decimal(101)) is None
    assert caller_anomaly(Decimal(201), usd(*[10, 110, 190, 100] * 5), least_rise=Decimal(50)) is None
    assert caller_anomaly(Decimal(201), usual[:3], least_rise=Decimal(50)) is None


@pytest.mark.parametrize(
    ("made_on", "last_used", "expected"),
    [
        (None, TODAY - dt.timedelta(days=29), "used"),
        (None, TODAY - dt.timedelta(days=30), "idle"),
        (TODAY - dt.timedelta(days=29), None, "new"),
        (TODAY - dt.timedelta(days=30), None, "never_used"),
        (None, None, "new"),
    ],
)
def test_a_profile_is_idle_after_thirty_days(made_on: dt.date | None, last_used: dt.date | None, expected: str) -> None:
    assert idle_status(made_on, last_used, TODAY) == expected
