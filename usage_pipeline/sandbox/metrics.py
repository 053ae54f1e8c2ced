"""CloudWatch series, derived from the requests: every dimension set that AWS publishes, with its statistics.

Here: which requests make which points, periods, retention and percentiles. Not here: requests (`traffic.py`), paging
(`metric_data.py`) and the protocol (`responses_cloudwatch.py`).
"""

import re
from collections.abc import Iterator
from dataclasses import dataclass, field
from datetime import UTC, datetime, timedelta
from functools import cached_property
from typing import Any

import numpy as np
import numpy.typing as npt

from usage_pipeline.sandbox.organisation import models
from usage_pipeline.sandbox.traffic import REJECTED, SERVER_ERROR, SUCCESS, THROTTLED, TIMED_OUT, Requests

Array = npt.NDArray[Any]

BEDROCK = "AWS/Bedrock"
PUBLISHED = "Bedrock/Quotas"
"""Namespace of the MaxTokens metric that applications publish themselves."""

Dimensions = tuple[tuple[str, str], ...]
"""Names and values, in the order of the names."""

RETENTION = ((3600, timedelta(days=455)), (300, timedelta(days=63)), (60, timedelta(days=15)))
"""How long CloudWatch keeps points, by the period that they can be asked at; the coarsest first."""

LISTED_FOR = timedelta(days=14)
"""ListMetrics names a series that had data in this time."""

# ap-northeast-1 publishes both spellings for the same points, so that adding them counts twice.
_CACHE_NAMES = {
    "us-east-1": ("{}InputTokenCount",),
    "ap-northeast-1": ("{}InputTokenCount", "{}InputTokens"),
    "eu-west-1": ("{}InputTokens",),
}

_STATISTICS = ("Sum", "SampleCount", "Average", "Minimum", "Maximum")
_PERCENTILE = re.compile(r"p(\d{1,2}(?:\.\d+)?|100)")


@dataclass(frozen=True)
class Metric:
    """What names one series."""

    namespace: str
    name: str
    dimensions: Dimensions


@dataclass(frozen=True)
class Series:
    """The samples of one series in the order of time: minutes since 1970 and values."""

    minutes: Array
    values: Array

    def points(self, statistic: str, period: int, start: int, end: int) -> tuple[Array, Array]:
        """Times (seconds since 1970) and values of the periods that start in [start, end); an idle period has none.

        `start` and `end` are seconds; periods are aligned to the clock.
        """
        minutes_per_period = period // 60
        first, last = -(-start // period) * minutes_per_period, -(-end // period) * minutes_per_period
        low, high = np.searchsorted(self.minutes, [first, last])
        values = self.values[low:high]
        if not len(values):
            return np.empty(0, np.int64), np.empty(0)
        periods = self.minutes[low:high] // minutes_per_period
        begins = np.flatnonzero(np.r_[True, periods[1:] != periods[:-1]])
        return periods[begins].astype(np.int64) * period, _reduce(values, periods, begins, statistic)

    @property
    def last_minute(self) -> int:
        """The last minute with data."""
        return int(self.minutes[-1])


def is_statistic(text: str) -> bool:
    """Whether the sandbox can compute the statistic."""
    return text in _STATISTICS or _PERCENTILE.fullmatch(text) is not None


def _reduce(values: Array, periods: Array, begins: Array, statistic: str) -> Array:
    counts = np.diff(np.r_[begins, len(values)])
    match statistic:
        case "Sum":
            return np.add.reduceat(values, begins, dtype=np.float64)
        case "SampleCount":
            return counts.astype(np.float64)
        case "Average":
            return np.add.reduceat(values, begins, dtype=np.float64) / counts
        case "Minimum":
            return np.minimum.reduceat(values, begins).astype(np.float64)
        case "Maximum":
            return np.maximum.reduceat(values, begins).astype(np.float64)
        case _:
            return _percentile(values[np.lexsort((values, periods))], begins, counts, float(statistic[1:]))


def _percentile(ordered: Array, begins: Array, counts: Array, percent: float) -> Array:
    """Linear interpolation between the closest ranks; `ordered` is sorted inside each period."""
    rank = (counts - 1) * (percent / 100)
    below = np.floor(rank).astype(np.int64)
    above = np.minimum(below + 1, counts - 1)
    low, high = ordered[begins + below].astype(np.float64), ordered[begins + above].astype(np.float64)
    return low + (high - low) * (rank - below)


@dataclass
class ScopeMetrics:
    """All series of one account and Region."""

    series: dict[Metric, Series] = field(default_factory=dict[Metric, Series])

    def add(self, namespace: str, name: str, dimensions: Dimensions, minutes: Array, values: Array) -> None:
        """Add a series, unless it has no data at all."""
        if len(minutes):
            self.series[Metric(namespace, name, tuple(sorted(dimensions)))] = Series(minutes, values)

    def active_since(self, minute: int) -> list[Metric]:
        """The series with data at or after the minute."""
        return [metric for metric, series in self.series.items() if series.last_minute >= minute]


class MetricStore:
    """The series of every scope, with `end` as CloudWatch's now."""

    def __init__(self, requests: Requests) -> None:
        self.now = requests.end
        self._scopes: dict[tuple[str, str], ScopeMetrics] = {}
        scope_of_caller = [(caller.account_id, caller.region) for caller in requests.callers]
        for scope in dict.fromkeys(scope_of_caller):
            in_scope = np.array([known == scope for known in scope_of_caller])[requests.caller]
            self._scopes[scope] = _scope_metrics(requests, np.flatnonzero(in_scope))

    def scope(self, account_id: str, region: str) -> ScopeMetrics:
        """The series of one scope; empty where nobody uses Bedrock."""
        return self._scopes.get((account_id, region)) or ScopeMetrics()

    @cached_property
    def now_seconds(self) -> int:
        """`now` in seconds since 1970."""
        return int(self.now.replace(tzinfo=UTC).timestamp())

    def oldest(self, period: int) -> int:
        """The oldest second that CloudWatch still has at the period; a finer period is forgotten sooner."""
        kept = next((length for coarse, length in RETENTION if period % coarse == 0), timedelta(0))
        return self.now_seconds - int(kept.total_seconds())


def _scope_metrics(requests: Requests, rows: Array) -> ScopeMetrics:
    metrics = ScopeMetrics()
    refs = [caller.called.model_ref for caller in requests.callers]
    for name, minutes, values in _model_samples(requests, rows, region=""):
        if name in ("Invocations", "InvocationThrottles", "InputTokenCount", "OutputTokenCount"):
            metrics.add(BEDROCK, name, (), minutes, values)
    for ref in dict.fromkeys(refs[number] for number in np.unique(requests.caller[rows])):
        called = np.array([known == ref for known in refs])
        _add_model_metrics(metrics, requests, rows[called[requests.caller[rows]]], ref)
    return metrics


def _add_model_metrics(metrics: ScopeMetrics, requests: Requests, rows: Array, ref: str) -> None:
    caller = requests.callers[int(requests.caller[rows[0]])]
    dimension = ("ModelId", ref)
    for name, minutes, values in _model_samples(requests, rows, caller.region):
        metrics.add(BEDROCK, name, (dimension,), minutes, values)
        if name in ("InputTokenCount", "OutputTokenCount") and ".claude-" in f".{caller.called.model_id}":
            metrics.add(BEDROCK, name, (dimension, ("ContextWindow", "200k")), minutes, values)
    tier = caller.service_tier
    if tier:
        # All priority calls were served as such, but flex ran at the default tier.
        resolved = "default" if tier == "flex" else tier
        dimensions = (dimension, ("ServiceTier", tier), ("ResolvedServiceTier", resolved))
        for name, minutes, values in _model_samples(requests, rows, caller.region):
            if name in ("Invocations", "InputTokenCount", "OutputTokenCount"):
                metrics.add(BEDROCK, name, dimensions, minutes, values)
    publishes = np.array([c.publishes_max_tokens for c in requests.callers])[requests.caller[rows]]
    published = rows[publishes & requests.accepted[rows] & (requests.max_tokens[rows] > 0)]
    metrics.add(PUBLISHED, "MaxTokens", (dimension,), requests.minute[published], requests.max_tokens[published])


def _model_samples(requests: Requests, rows: Array, region: str) -> Iterator[tuple[str, Array, Array]]:
    """Metric name, minutes and values of the requests in `rows`; cache metrics as the Region spells them."""
    error = requests.error[rows]
    callers = requests.callers
    quota_metric = np.array([c.called.endpoint_type in ("on_demand", "geo", "global") for c in callers])
    known = models()
    legacy = np.array([c.called.model_id in known and known[c.called.model_id].lifecycle == "LEGACY" for c in callers])
    succeeded, accepted = rows[error == SUCCESS], rows[requests.accepted[rows]]
    selections: list[tuple[str, Array, Array | None]] = [
        ("Invocations", accepted, None),
        ("InvocationThrottles", rows[error == THROTTLED], None),
        ("InvocationClientErrors", rows[(error == REJECTED) | (error == TIMED_OUT)], None),
        ("InvocationServerErrors", rows[error == SERVER_ERROR], None),
        ("LegacyModelInvocations", accepted[legacy[requests.caller[accepted]]], None),
        ("InputTokenCount", succeeded, requests.input_tokens),
        ("OutputTokenCount", succeeded[requests.output_tokens[succeeded] > 0], requests.output_tokens),
        ("InvocationLatency", succeeded, requests.latency_ms),
        ("TimeToFirstToken", succeeded[requests.ttft_ms[succeeded] > 0], requests.ttft_ms),
        ("EstimatedTPMQuotaUsage", succeeded[quota_metric[requests.caller[succeeded]]], requests.consumed),
    ]
    for pattern in _CACHE_NAMES.get(region, ()):
        for kind, tokens in (("CacheRead", requests.cache_read), ("CacheWrite", requests.cache_write)):
            selections.append((pattern.format(kind), succeeded[tokens[succeeded] > 0], tokens))
    for name, chosen, values in selections:
        ones = np.ones(len(chosen), np.int8)
        yield name, requests.minute[chosen], ones if values is None else values[chosen]


def utc_seconds(moment: datetime) -> int:
    """Seconds since 1970 of a moment with or without a zone; without one it is UTC."""
    return int((moment if moment.tzinfo else moment.replace(tzinfo=UTC)).timestamp())
