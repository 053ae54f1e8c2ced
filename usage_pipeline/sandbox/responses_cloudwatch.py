"""CloudWatch's ListMetrics and GetMetricData over moto's protocol code; everything else is moto's.

Here: parameters in, JSON or XML out. Not here: what the answer is (`metric_data.py`, `metrics.py`).
"""

import json
from datetime import UTC, datetime, timedelta
from typing import Any

import numpy as np
from moto.cloudwatch.models import MetricAggregatedDatum, MetricDatumBase
from moto.cloudwatch.responses import CloudWatchResponse
from moto.core.responses import ActionResult
from moto.core.utils import get_service_model

from usage_pipeline.sandbox.account_data import AccountData
from usage_pipeline.sandbox.faults import FaultSwitches
from usage_pipeline.sandbox.metric_data import (
    METRICS_PER_PAGE,
    MetricDataPage,
    MetricDataResult,
    dimensions_of,
    metric_data_page,
    page_of,
    read_request,
)
from usage_pipeline.sandbox.metrics import LISTED_FOR, Metric, Series, utc_seconds

_PARTIAL_MESSAGE = {"Code": "PartialData", "Value": "The sandbox left out points; ask again."}


class SandboxCloudWatchResponse(CloudWatchResponse):
    """Answers from the sandbox's series, together with what was put with PutMetricData."""

    OPERATIONS = ("ListMetrics", "GetMetricData")

    def __init__(self, data: AccountData, faults: FaultSwitches) -> None:
        super().__init__()
        self._data = data
        self._faults = faults

    def list_metrics(self) -> ActionResult:
        """Series with data in the last two weeks, or three hours with RecentlyActive; 500 a page."""
        age = timedelta(hours=3) if self._get_param("RecentlyActive") == "PT3H" else LISTED_FOR
        since = (self._data.metrics.now_seconds - int(age.total_seconds())) // 60
        found = self._data.metrics.scope(self.current_account, self.region).active_since(since)
        found += [metric for metric, minute in self._put_metrics().items() if minute >= since and metric not in found]
        wanted = [metric for metric in found if self._is_wanted(metric)]
        page, token = page_of(wanted, self._get_param("NextToken"), METRICS_PER_PAGE)
        metrics = [
            {
                "Namespace": metric.namespace,
                "MetricName": metric.name,
                "Dimensions": [{"Name": name, "Value": value} for name, value in metric.dimensions],
            }
            for metric in page
        ]
        return ActionResult({"Metrics": metrics, "NextToken": token})

    def get_metric_data(self) -> Any:
        """One page of points, by exact series."""
        page = metric_data_page(self._data.metrics, self._series, read_request(self._get_params()))
        results = page.results
        is_partial = page.next_token is None and self._faults.takes_partial_data()
        if is_partial:
            results = [_without_half(result) for result in results]
        if self.determine_response_protocol(get_service_model("cloudwatch")) == "json":
            # moto's serialiser takes 10 microseconds a point, json a tenth of one.
            headers = {"Content-Type": "application/x-amz-json-1.0"}
            return 200, headers, _json_body(MetricDataPage(results, page.next_token), is_partial)
        return ActionResult(_answer(MetricDataPage(results, page.next_token), is_partial))

    def _is_wanted(self, metric: Metric) -> bool:
        namespace, name = self._get_param("Namespace"), self._get_param("MetricName")
        filters: list[dict[str, str]] = self._get_params().get("Dimensions") or []
        dimensions = dict(metric.dimensions)
        return (
            namespace in (None, metric.namespace)
            and name in (None, metric.name)
            and all(f["Name"] in dimensions and f.get("Value") in (None, dimensions[f["Name"]]) for f in filters)
        )

    def _series(self, metric: Metric) -> Series | None:
        known = self._data.metrics.scope(self.current_account, self.region).series.get(metric)
        put = [sample for datum in self._put_data() if _metric_of(datum) == metric for sample in _samples(datum)]
        if not put:
            return known
        minutes = np.array([minute for minute, _ in put])
        values = np.array([value for _, value in put])
        if known:
            minutes, values = np.r_[known.minutes, minutes], np.r_[known.values, values]
        order = np.argsort(minutes, kind="stable")
        return Series(minutes[order], values[order])

    def _put_data(self) -> list[MetricDatumBase]:
        return list(self.cloudwatch_backend.metric_data)

    def _put_metrics(self) -> dict[Metric, int]:
        latest: dict[Metric, int] = {}
        for datum in self._put_data():
            metric, minute = _metric_of(datum), utc_seconds(datum.timestamp) // 60
            latest[metric] = max(minute, latest.get(metric, minute))
        return latest


def _metric_of(datum: MetricDatumBase) -> Metric:
    dimensions = dimensions_of([{"Name": d.name, "Value": d.value} for d in datum.dimensions])
    return Metric(datum.namespace, datum.name, dimensions)


def _samples(datum: Any) -> list[tuple[int, float]]:
    """Minute and value of each sample; a StatisticSet becomes samples with its sum, count, minimum and maximum."""
    minute = utc_seconds(datum.timestamp) // 60
    if not isinstance(datum, MetricAggregatedDatum):
        return [(minute, float(datum.value))]
    count = int(datum.sample_count)
    if count <= 2:
        return [(minute, value) for value in (datum.min, datum.max)[:count]]
    between = (datum.sum - datum.min - datum.max) / (count - 2)
    return [(minute, value) for value in (datum.min, *[between] * (count - 2), datum.max)]


def _without_half(result: MetricDataResult) -> MetricDataResult:
    if len(result.values) < 2:
        return result
    half = len(result.values) // 2
    return MetricDataResult(result.query, result.timestamps[:half], result.values[:half], is_complete=False)


def _answer(page: MetricDataPage, is_partial: bool) -> dict[str, Any]:
    return {
        "MetricDataResults": [
            {
                **_heading(result),
                "Timestamps": [datetime.fromtimestamp(second, UTC) for second in result.timestamps],
                "Values": result.values,
            }
            for result in page.results
        ],
        "NextToken": page.next_token,
        "Messages": [_PARTIAL_MESSAGE] if is_partial else [],
    }


def _heading(result: MetricDataResult) -> dict[str, str]:
    status = "Complete" if result.is_complete else "PartialData"
    return {"Id": result.query.id, "Label": result.query.label, "StatusCode": status}


def _json_body(page: MetricDataPage, is_partial: bool) -> str:
    answer: dict[str, Any] = {
        "MetricDataResults": [
            {**_heading(result), "Timestamps": result.timestamps, "Values": result.values} for result in page.results
        ],
        "Messages": [_PARTIAL_MESSAGE] if is_partial else [],
    }
    if page.next_token:
        answer["NextToken"] = page.next_token
    return json.dumps(answer)
