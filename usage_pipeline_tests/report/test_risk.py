import pytest

from usage_pipeline.report.risk import Exposure, Risk, risk_of, risk_sort_key

WARNING = 0.8


def exposure(
    *,
    was_read: bool = True,
    has_traffic: bool = True,
    has_rate_limit: bool = True,
    utilization_peak: float | None = 0.1,
    minutes_over_limit: int = 0,
    throttles: int = 0,
) -> Exposure:
    return Exposure(was_read, has_traffic, has_rate_limit, utilization_peak, minutes_over_limit, throttles)


@pytest.mark.parametrize(
    ("found", "expected"),
    [
        (exposure(throttles=1), "critical"),
        (exposure(utilization_peak=1.0), "critical"),
        (exposure(utilization_peak=None, minutes_over_limit=1), "critical"),
        (exposure(utilization_peak=0.8), "warning"),
        (exposure(utilization_peak=0.79), "ok"),
        (exposure(utilization_peak=None, has_rate_limit=False), "unknown"),
        (exposure(utilization_peak=0.2, has_rate_limit=False), "unknown"),
        (exposure(utilization_peak=0.9, has_rate_limit=False), "warning"),
        (exposure(utilization_peak=None, has_rate_limit=False, throttles=3), "critical"),
        (exposure(utilization_peak=None, has_traffic=False), "idle"),
        (exposure(utilization_peak=None, has_traffic=False, was_read=False), "unknown"),
    ],
)
def test_risk_is_named_by_the_worst_that_is_known(found: Exposure, expected: Risk) -> None:
    assert risk_of(found, WARNING) == expected


def test_pools_are_ordered_by_level_then_use_then_throttles() -> None:
    keys = [
        risk_sort_key("critical", 1.2, 0),
        risk_sort_key("critical", 0.5, 9),
        risk_sort_key("critical", 0.5, 2),
        risk_sort_key("warning", 0.9, 0),
        risk_sort_key("unknown", None, None),
        risk_sort_key("ok", 0.7, 0),
        risk_sort_key("idle", None, 0),
    ]
    assert keys == sorted(keys)
