from datetime import datetime

import numpy as np
import pytest

from usage_pipeline.sandbox.account_data import AccountData
from usage_pipeline.sandbox.metrics import BEDROCK, PUBLISHED, Metric, Series, utc_seconds
from usage_pipeline.sandbox.organisation import SCOPES
from usage_pipeline.sandbox.traffic import SUCCESS, THROTTLED

NINE = utc_seconds(datetime.fromisoformat("2026-11-15T09:00"))
MINUTE, HOUR = 60, 3600
ROUTER = "amazon.nova-micro-v1:0"
# Two samples at 09:00, one at 09:02, one at 10:00.
SERIES = Series(np.array([0, 0, 2, 60]) + NINE // 60, np.array([10, 30, 5, 7]))


def points(statistic: str, period: int, start: int = NINE, end: int = NINE + 2 * HOUR) -> list[tuple[int, float]]:
    timestamps, values = SERIES.points(statistic, period, start, end)
    return [(int(ts) - NINE, float(value)) for ts, value in zip(timestamps, values, strict=True)]


@pytest.mark.parametrize(
    ("statistic", "expected"),
    [
        ("Sum", [(0, 40.0), (120, 5.0), (3600, 7.0)]),
        ("SampleCount", [(0, 2.0), (120, 1.0), (3600, 1.0)]),
        ("Average", [(0, 20.0), (120, 5.0), (3600, 7.0)]),
        ("Minimum", [(0, 10.0), (120, 5.0), (3600, 7.0)]),
        ("Maximum", [(0, 30.0), (120, 5.0), (3600, 7.0)]),
        ("p50", [(0, 20.0), (120, 5.0), (3600, 7.0)]),
        ("p90", [(0, 28.0), (120, 5.0), (3600, 7.0)]),
        ("p100", [(0, 30.0), (120, 5.0), (3600, 7.0)]),
    ],
)
def test_statistics_of_a_minute(statistic: str, expected: list[tuple[int, float]]):
    assert points(statistic, MINUTE) == expected


def test_longer_periods_lie_on_the_clock():
    assert points("Sum", 300) == [(0, 45.0), (3600, 7.0)]
    assert points("Sum", HOUR) == [(0, 45.0), (3600, 7.0)]
    assert points("Sum", 24 * HOUR, start=NINE - 9 * HOUR) == [(-9 * HOUR, 52.0)]


def test_start_is_inclusive_and_end_is_exclusive():
    assert points("Sum", MINUTE, start=NINE, end=NINE + 120) == [(0, 40.0)]
    assert points("Sum", MINUTE, start=NINE + 60, end=NINE + 121) == [(120, 5.0)]


def test_percentiles_agree_with_numpy(two_days: AccountData):
    series = two_days.metrics.scope(*SCOPES[0]).series[Metric(BEDROCK, "InvocationLatency", (("ModelId", ROUTER),))]
    start = two_days.metrics.now_seconds // HOUR * HOUR - HOUR
    _, values = series.points("p99", HOUR, start, start + HOUR)
    inside = (series.minutes * 60 >= start) & (series.minutes * 60 < start + HOUR)
    assert values.tolist() == [pytest.approx(np.percentile(series.values[inside], 99))]


def test_account_total_is_the_sum_of_all_models(two_days: AccountData):
    for scope in SCOPES:
        series = two_days.metrics.scope(*scope).series
        for name in ("Invocations", "InputTokenCount", "OutputTokenCount"):
            per_model = [s for m, s in series.items() if m.name == name and [d for d, _ in m.dimensions] == ["ModelId"]]
            assert series[Metric(BEDROCK, name, ())].values.sum() == sum(s.values.sum() for s in per_model)


def test_every_dimension_set_that_aws_publishes_is_there(two_days: AccountData):
    series = two_days.metrics.scope(*SCOPES[0]).series
    sets = {tuple(name for name, _ in metric.dimensions) for metric in series if metric.namespace == BEDROCK}
    assert sets == {(), ("ModelId",), ("ContextWindow", "ModelId"), ("ModelId", "ResolvedServiceTier", "ServiceTier")}
    tiers = {dict(m.dimensions).get("ServiceTier") for m in series} - {None}
    assert tiers == {"default", "priority", "flex"}


@pytest.mark.parametrize(
    ("scope", "names"),
    [
        (SCOPES[0], {"CacheReadInputTokenCount", "CacheWriteInputTokenCount"}),
        (SCOPES[3], {"CacheReadInputTokens", "CacheWriteInputTokens"}),
        (
            SCOPES[1],
            {
                "CacheReadInputTokenCount",
                "CacheWriteInputTokenCount",
                "CacheReadInputTokens",
                "CacheWriteInputTokens",
            },
        ),
    ],
)
def test_each_region_spells_cache_metrics_its_own_way(two_days: AccountData, scope: tuple[str, str], names: set[str]):
    assert {m.name for m in two_days.metrics.scope(*scope).series if m.name.startswith("Cache")} == names


def test_both_spellings_have_the_same_points(two_days: AccountData):
    series = two_days.metrics.scope(*SCOPES[1]).series
    for metric, new in series.items():
        if metric.name == "CacheReadInputTokenCount":
            old = series[Metric(BEDROCK, "CacheReadInputTokens", metric.dimensions)]
            np.testing.assert_array_equal(old.values, new.values)


def test_throttled_calls_are_no_invocations(two_days: AccountData):
    requests = two_days.requests
    pool = np.array([c.called.model_ref == "k3v9x2m7q1ta" for c in requests.callers])[requests.caller]
    series = two_days.metrics.scope(*SCOPES[0]).series
    dimensions = (("ModelId", "k3v9x2m7q1ta"),)
    throttles = series[Metric(BEDROCK, "InvocationThrottles", dimensions)].values.sum()
    invocations = series[Metric(BEDROCK, "Invocations", dimensions)].values.sum()
    assert throttles == (pool & (requests.error == THROTTLED)).sum() > 0
    assert invocations == (pool & requests.accepted).sum()


def test_estimated_quota_usage_shows_the_unknown_burndown(two_days: AccountData):
    series = two_days.metrics.scope(*SCOPES[0]).series
    dimensions = (("ModelId", "us.anthropic.claude-sonnet-5-5"),)

    def total(name: str) -> int:
        return int(series[Metric(BEDROCK, name, dimensions)].values.sum())

    assert total("EstimatedTPMQuotaUsage") == total("InputTokenCount") + 10 * total("OutputTokenCount")


def test_deployments_and_imports_have_no_estimated_quota_usage(two_days: AccountData):
    for scope in SCOPES:
        for metric in two_days.metrics.scope(*scope).series:
            assert metric.name != "EstimatedTPMQuotaUsage" or not dict(metric.dimensions)["ModelId"].startswith("arn:")


def test_some_applications_publish_max_tokens_and_some_do_not(two_days: AccountData):
    requests = two_days.requests
    publishing = {c.called.model_ref for c in requests.callers if c.publishes_max_tokens}
    published = {
        dict(metric.dimensions)["ModelId"]
        for scope in SCOPES
        for metric in two_days.metrics.scope(*scope).series
        if metric.namespace == PUBLISHED
    }
    assert published == publishing
    series = two_days.metrics.scope(*SCOPES[0]).series
    dimensions = (("ModelId", "k3v9x2m7q1ta"),)
    samples = len(series[Metric(PUBLISHED, "MaxTokens", dimensions)].values)
    assert 0 < samples < len(series[Metric(BEDROCK, "Invocations", dimensions)].values)


def test_legacy_models_are_counted_as_such(two_days: AccountData):
    series = two_days.metrics.scope(*SCOPES[2]).series
    legacy = {dict(m.dimensions)["ModelId"] for m in series if m.name == "LegacyModelInvocations"}
    assert legacy == {"anthropic.claude-3-haiku-20240307-v1:0"}


def test_embeddings_have_no_output_tokens(two_days: AccountData):
    requests = two_days.requests
    titan = np.array([c.called.model_id.startswith("amazon.titan-embed") for c in requests.callers])[requests.caller]
    assert (titan & (requests.error == SUCCESS)).sum() > 100
    names = {m.name for m in two_days.metrics.scope(*SCOPES[0]).series if "titan-embed" in str(m.dimensions)}
    assert "InputTokenCount" in names
    assert "OutputTokenCount" not in names


# What the pipeline stores: see the plan of statistics in usage_pipeline/aws.
_SUMS_AND_COUNTS = ("InvocationLatency", "TimeToFirstToken", "MaxTokens")
_PERCENTILES = ("InvocationLatency", "TimeToFirstToken", "InputTokenCount", "OutputTokenCount")
_TOTALS = ("Invocations", "InputTokenCount", "OutputTokenCount")


def _stored_points(data: AccountData, metric: Metric, series: Series) -> int:
    store = data.metrics

    def count(statistic: str, period: int, start: int, end: int) -> int:
        return len(series.points(statistic, period, start, end)[0])

    hourly = store.oldest(HOUR), store.now_seconds
    if not metric.dimensions:
        return count("Sum", HOUR, *hourly) if metric.name in _TOTALS else 0
    if len(metric.dimensions) > 1:
        return 0
    statistics = ("Sum", "SampleCount") if metric.name in _SUMS_AND_COUNTS else ("Sum",)
    fine = sum(count(s, MINUTE, store.oldest(MINUTE), store.now_seconds) for s in statistics)
    coarse = sum(count(s, 300, store.oldest(300), store.oldest(MINUTE)) for s in statistics)
    percentiles = ("p50", "p90", "p99") if metric.name in _PERCENTILES else ()
    return fine + coarse + sum(count(p, HOUR, *hourly) for p in percentiles)


def test_a_month_stays_within_the_points_that_a_demo_can_afford(month: AccountData):
    points = sum(
        _stored_points(month, metric, series)
        for scope in SCOPES
        for metric, series in month.metrics.scope(*scope).series.items()
    )
    assert 500_000 < points < 900_000
