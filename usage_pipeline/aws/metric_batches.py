"""Cuts a planned reading into GetMetricData calls that fill their pages.

Here: pure arithmetic of queries, points and pages. Not here: sending calls (`cloudwatch.py`), choosing the time
(`read_plan.py`).
"""

import math
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from datetime import datetime, timedelta

from usage_pipeline.aws.metric_catalogue import HOUR_SECONDS, MetricNamespace
from usage_pipeline.aws.read_plan import ACCOUNT_TOTAL, SeriesRead, is_listed

MAX_QUERIES = 500
"""Queries of one GetMetricData call (CloudWatch quotas, 2026)."""

PAGE_POINTS = 100_800
"""Points of one GetMetricData answer; more come with a NextToken (CloudWatch quotas, 2026)."""

MAX_CALL_PAGES = 50
"""Pages that one call may need. A call is held in memory until it is complete: 80 MB for fifty full pages."""


@dataclass(frozen=True)
class SeriesQuery:
    """One series to ask for. `model_id` is empty for the account's total."""

    model_id: str
    metric_name: str
    statistic: str
    period_seconds: int

    @property
    def is_total(self) -> bool:
        """Whether it is the series without dimensions."""
        return self.model_id == ACCOUNT_TOTAL


@dataclass(frozen=True)
class MetricCall:
    """One GetMetricData call with all its pages; `end` is exclusive."""

    start: datetime
    end: datetime
    queries: tuple[SeriesQuery, ...]


def calls_of(read: SeriesRead, namespace: MetricNamespace, listed: frozenset[str], now: datetime) -> list[MetricCall]:
    """The calls that a planned read needs. `listed` are the names of metrics that ListMetrics gave."""
    names = listed if is_listed(read.start, now) else None
    asked = [(statistic, model_id) for statistic in namespace.series_statistics(names) for model_id in read.model_ids]
    asked = [(statistic, model_id) for statistic, model_id in asked if model_id != ACCOUNT_TOTAL]
    if ACCOUNT_TOTAL in read.model_ids:
        asked += [(statistic, ACCOUNT_TOTAL) for statistic in namespace.total_statistics]
    queries = [
        SeriesQuery(model_id, statistic.metric_name, statistic.statistic, statistic.fixed_period or read.period_seconds)
        for statistic, model_id in asked
    ]
    # An hour must be asked from its start. It was not stored before: its end lies after the start of the read.
    hour_start = read.start.replace(minute=0, second=0)
    if hour_start == read.start:
        return list(_cut(queries, read.start, read.end))
    hourly = [query for query in queries if query.period_seconds == HOUR_SECONDS]
    finer = [query for query in queries if query.period_seconds != HOUR_SECONDS]
    return [*_cut(finer, read.start, read.end), *_cut(hourly, hour_start, read.end)]


def _cut(queries: Sequence[SeriesQuery], start: datetime, end: datetime) -> Iterator[MetricCall]:
    """Cut queries, given in order of density, into calls; what is left of a period is filled up with the next one."""
    waiting = sorted(queries, key=lambda query: query.period_seconds)
    while waiting:
        size = best_call_size(points_of(waiting[0].period_seconds, start, end))
        same_period = sum(query.period_seconds == waiting[0].period_seconds for query in waiting[:size])
        if same_period < size:
            size = MAX_QUERIES
        yield MetricCall(start, end, tuple(waiting[:size]))
        waiting = waiting[size:]


def points_of(period_seconds: int, start: datetime, end: datetime) -> int:
    """The most points one series can have from `start` to `end`."""
    return max(1, math.ceil((end - start) / timedelta(seconds=period_seconds)))


def best_call_size(points: int) -> int:
    """How many queries of so many points to put into one call, so that the last page is as full as can be.

    For a day of minutes it is 490: exactly seven pages, where 500 would need eight.
    """
    most = max(1, min(MAX_QUERIES, MAX_CALL_PAGES * PAGE_POINTS // points))
    return max(range(1, most + 1), key=lambda count: (count / math.ceil(count * points / PAGE_POINTS), count))
