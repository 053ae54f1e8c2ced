"""Which CloudWatch metrics are read, with which statistics.

Here: the metrics of each namespace and why each statistic is stored. Not here: which days to ask for
(`read_plan.py`), calls (`cloudwatch.py`).
"""

import hashlib
from collections.abc import Iterator
from dataclasses import dataclass

HOUR_SECONDS = 3600


@dataclass(frozen=True)
class Metric:
    """One CloudWatch metric of a ModelId.

    `statistics` are read at the finest period that CloudWatch still has; they add up over time. `hourly_statistics`
    are percentiles, which do not add up, so one hour is their only period. A metric that is `rare` is asked for only
    where ListMetrics knows its name, or where the time is too old for ListMetrics to know.
    """

    name: str
    unit: str
    statistics: tuple[str, ...] = ("Sum",)
    hourly_statistics: tuple[str, ...] = ()
    rare: bool = False


@dataclass(frozen=True)
class MetricStatistic:
    """One thing to ask of each series: a metric, a statistic, and its period when that is not the plan's."""

    metric_name: str
    statistic: str
    fixed_period: int | None = None


@dataclass(frozen=True)
class MetricNamespace:
    """The metrics of one CloudWatch namespace: of each ModelId, and of the account and Region as a whole.

    With `only_where_seen`, a ModelId is asked for once ListMetrics has shown it, and not because Bedrock lists it.
    """

    name: str
    metrics: tuple[Metric, ...]
    hourly_totals: tuple[str, ...] = ()
    only_where_seen: bool = False

    def series_statistics(self, listed: frozenset[str] | None) -> tuple[MetricStatistic, ...]:
        """What to ask of a ModelId, densest first. `listed` are the names ListMetrics knows; None asks for all."""
        metrics = [metric for metric in self.metrics if not metric.rare or listed is None or metric.name in listed]
        return tuple(_statistics(metrics))

    @property
    def total_statistics(self) -> tuple[MetricStatistic, ...]:
        """What to ask of the totals without dimensions."""
        return tuple(MetricStatistic(name, "Sum", HOUR_SECONDS) for name in self.hourly_totals)

    @property
    def query_set(self) -> str:
        """Hash of all that is asked; with another hash, a finished day of the ledger is no longer complete."""
        asked = (*self.series_statistics(None), *self.total_statistics)
        text = "\n".join(sorted(f"{item.metric_name}/{item.statistic}/{item.fixed_period}" for item in asked))
        return hashlib.sha256(text.encode()).hexdigest()[:16]


def _statistics(metrics: list[Metric]) -> Iterator[MetricStatistic]:
    for metric in metrics:
        for statistic in metric.statistics:
            yield MetricStatistic(metric.name, statistic)
    for metric in metrics:
        for statistic in metric.hourly_statistics:
            yield MetricStatistic(metric.name, statistic, HOUR_SECONDS)


_MEAN = ("Sum", "SampleCount")
"""Sum and SampleCount give the exact average over any time; a stored Average would not."""

_PERCENTILES = ("p50", "p90", "p99")

# User guide "monitoring-runtime-metrics", 2026, and AWS Labs' tools for the speech metrics. In order of how many
# minutes have a point, so that answers fill whole pages (`cloudwatch.py`).
METRICS = (
    Metric("Invocations", "Count"),
    Metric("InputTokenCount", "Count", hourly_statistics=_PERCENTILES),
    Metric("OutputTokenCount", "Count", hourly_statistics=_PERCENTILES),
    Metric("EstimatedTPMQuotaUsage", "Count"),
    Metric("InvocationLatency", "Milliseconds", _MEAN, _PERCENTILES),
    Metric("TimeToFirstToken", "Milliseconds", _MEAN, _PERCENTILES),
    # AWS renamed both cache metrics; an account has one spelling or the other, and during a change both.
    Metric("CacheReadInputTokenCount", "Count"),
    Metric("CacheWriteInputTokenCount", "Count"),
    Metric("CacheReadInputTokens", "Count", rare=True),
    Metric("CacheWriteInputTokens", "Count", rare=True),
    Metric("InvocationThrottles", "Count"),
    Metric("InvocationClientErrors", "Count"),
    Metric("InvocationServerErrors", "Count"),
    Metric("OutputImageCount", "Count", rare=True),
    Metric("LegacyModelInvocations", "Count", rare=True),
    Metric("InputTextTokenCount", "Count", rare=True),
    Metric("InputSpeechTokenCount", "Count", rare=True),
    Metric("OutputTextTokenCount", "Count", rare=True),
    Metric("OutputSpeechTokenCount", "Count", rare=True),
    Metric("ContentFilteredCount", "Count", rare=True),
)
"""Every metric of AWS/Bedrock that is read by ModelId."""

_LOG_DELIVERY = (
    "ModelInvocationLogsCloudWatchDeliverySuccess",
    "ModelInvocationLogsCloudWatchDeliveryFailure",
    "ModelInvocationLogsS3DeliverySuccess",
    "ModelInvocationLogsS3DeliveryFailure",
    "ModelInvocationLargeDataS3DeliverySuccess",
    "ModelInvocationLargeDataS3DeliveryFailure",
)

BEDROCK = MetricNamespace(
    "AWS/Bedrock",
    METRICS,
    # The totals show whether every ModelId was found; hours are enough for that.
    hourly_totals=("Invocations", "InputTokenCount", "OutputTokenCount", *_LOG_DELIVERY),
)

MAX_TOKENS = MetricNamespace("Bedrock/Quotas", (Metric("MaxTokens", "Count", _MEAN),), only_where_seen=True)
"""What callers publish themselves: the `max_tokens` of each request."""
