"""What GetMetricData and ListMetrics answer: validation, retention, order and pages, without the protocol.

Here: AWS's rules for one request. Not here: series and statistics (`metrics.py`), JSON and XML
(`responses_cloudwatch.py`).
"""

import json
import re
from base64 import urlsafe_b64decode, urlsafe_b64encode
from binascii import Error as BadBase64
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime
from typing import Any, TypeVar
from zlib import crc32

from usage_pipeline.sandbox.metrics import Dimensions, Metric, MetricStore, Series, is_statistic, utc_seconds
from usage_pipeline.sandbox.refusals import RefusedRequestError

MOST_QUERIES = 500
MOST_DATAPOINTS = 100_800
METRICS_PER_PAGE = 500

_ID = re.compile(r"[a-z][a-zA-Z0-9_]*")
_T = TypeVar("_T")


@dataclass(frozen=True)
class MetricQuery:
    """One query by exact series. `period` in seconds."""

    id: str
    metric: Metric
    statistic: str
    period: int
    label: str
    returns_data: bool


@dataclass(frozen=True)
class MetricDataRequest:
    """One GetMetricData request; `start` and `end` in seconds since 1970, `token` continues an earlier answer."""

    queries: tuple[MetricQuery, ...]
    start: int
    end: int
    ascending: bool
    most_datapoints: int
    token: str | None

    @property
    def fingerprint(self) -> int:
        """Tells whether a token belongs to this request."""
        return crc32(repr((self.queries, self.start, self.end, self.ascending)).encode())


@dataclass(frozen=True)
class MetricDataResult:
    """Points of one query on one page; times in seconds since 1970."""

    query: MetricQuery
    timestamps: list[int]
    values: list[float]
    is_complete: bool


@dataclass(frozen=True)
class MetricDataPage:
    """One answer; `next_token` is None on the last page."""

    results: list[MetricDataResult]
    next_token: str | None


def read_request(parameters: Mapping[str, Any]) -> MetricDataRequest:
    """Check GetMetricData's parameters as AWS does.

    Raises:
        RefusedRequestError: ValidationError with AWS's reason.
    """
    raw: Sequence[Mapping[str, Any]] = parameters.get("MetricDataQueries") or ()
    if len(raw) > MOST_QUERIES:
        raise _invalid(f"The collection MetricDataQueries must not have a size greater than {MOST_QUERIES}.")
    if not raw:
        raise _invalid("The parameter MetricDataQueries must have at least one member.")
    queries = tuple(_query(query) for query in raw)
    if len({query.id for query in queries}) < len(queries):
        raise _invalid("The values for parameter id in MetricDataQueries are not unique.")
    start, end = (_moment(parameters, name) for name in ("StartTime", "EndTime"))
    if start >= end:
        raise _invalid("The parameter StartTime must be less than the parameter EndTime.")
    most = int(parameters.get("MaxDatapoints") or MOST_DATAPOINTS)
    if not 1 <= most <= MOST_DATAPOINTS:
        raise _invalid(f"The parameter MaxDatapoints must be between 1 and {MOST_DATAPOINTS}.")
    return MetricDataRequest(
        queries=queries,
        start=start,
        end=end,
        ascending=parameters.get("ScanBy") == "TimestampAscending",
        most_datapoints=most,
        token=parameters.get("NextToken"),
    )


def _invalid(message: str) -> RefusedRequestError:
    return RefusedRequestError("ValidationError", message)


def _moment(parameters: Mapping[str, Any], name: str) -> int:
    moment = parameters.get(name)
    if not isinstance(moment, datetime):
        raise _invalid(f"The parameter {name} is required.")
    return utc_seconds(moment)


def _query(query: Mapping[str, Any]) -> MetricQuery:
    identifier = str(query.get("Id") or "")
    if not _ID.fullmatch(identifier):
        raise _invalid(
            f"The value {identifier!r} for parameter MetricDataQueries.member.Id is not matching the pattern."
        )
    stat: Mapping[str, Any] | None = query.get("MetricStat")
    if stat is None:
        raise _invalid("The sandbox answers exact series only: MetricStat, no Expression.")
    period = int(stat.get("Period") or 0)
    if period < 1 or (period % 60 and period not in (1, 5, 10, 20, 30)):
        raise _invalid(f"The value {period} for parameter Period must be a multiple of 60.")
    statistic = str(stat.get("Stat"))
    if not is_statistic(statistic):
        raise _invalid(f"The value {statistic} for parameter Stat is not supported.")
    metric: Mapping[str, Any] = stat["Metric"]
    name = str(metric.get("MetricName"))
    return MetricQuery(
        id=identifier,
        metric=Metric(str(metric.get("Namespace")), name, dimensions_of(metric.get("Dimensions") or ())),
        statistic=statistic,
        period=period,
        label=str(query.get("Label") or name),
        returns_data=query.get("ReturnData") is not False,
    )


def dimensions_of(raw: Sequence[Mapping[str, Any]]) -> Dimensions:
    """Dimensions in the order of their names."""
    return tuple(sorted((str(dimension["Name"]), str(dimension.get("Value") or "")) for dimension in raw))


def metric_data_page(
    store: MetricStore, series_of: Callable[[Metric], Series | None], request: MetricDataRequest
) -> MetricDataPage:
    """One page of points: queries in their order, at most `most_datapoints` points, one query may go on overleaf."""
    number, offset = _position(request)
    queries = [query for query in request.queries if query.returns_data]
    left = request.most_datapoints
    results: list[MetricDataResult] = []
    while number < len(queries):
        if left == 0:
            return MetricDataPage(results, _token(request, number, offset))
        timestamps, values = _points(store, series_of(queries[number].metric), queries[number], request)
        is_complete = len(timestamps) - offset <= left
        part = slice(offset, offset + left)
        results.append(MetricDataResult(queries[number], timestamps[part], values[part], is_complete))
        if not is_complete:
            return MetricDataPage(results, _token(request, number, offset + left))
        left -= len(timestamps) - offset
        number, offset = number + 1, 0
    return MetricDataPage(results, None)


def _points(
    store: MetricStore, series: Series | None, query: MetricQuery, request: MetricDataRequest
) -> tuple[list[int], list[float]]:
    if series is None or query.period < 60:  # Bedrock publishes one-minute metrics; finer points never existed
        return [], []
    # AWS rounds StartTime down by its age; periods lie on the clock, so the period that holds StartTime is whole.
    start = request.start // query.period * query.period
    oldest = store.oldest(query.period)
    timestamps, values = series.points(query.statistic, query.period, max(start, oldest), request.end)
    step = 1 if request.ascending else -1
    return timestamps[::step].tolist(), values[::step].tolist()


def _token(request: MetricDataRequest, number: int, offset: int) -> str:
    return urlsafe_b64encode(json.dumps([request.fingerprint, number, offset]).encode()).decode()


def _position(request: MetricDataRequest) -> tuple[int, int]:
    if not request.token:
        return 0, 0
    try:
        fingerprint, number, offset = json.loads(urlsafe_b64decode(request.token))
    except (BadBase64, ValueError) as error:
        raise RefusedRequestError("InvalidNextToken", "The next token specified is invalid.") from error
    if fingerprint != request.fingerprint:
        raise RefusedRequestError("InvalidNextToken", "The next token belongs to another request.")
    return int(number), int(offset)


def page_of(items: Sequence[_T], token: str | None, size: int) -> tuple[list[_T], str | None]:
    """One page of a list, and the token of the next one.

    Raises:
        RefusedRequestError: the token is none that this function gave.
    """
    try:
        offset = int(urlsafe_b64decode(token)) if token else 0
    except (BadBase64, ValueError) as error:
        raise RefusedRequestError("InvalidNextToken", "The next token specified is invalid.") from error
    end = offset + size
    return list(items[offset:end]), urlsafe_b64encode(str(end).encode()).decode() if end < len(items) else None
