"""Asks CloudWatch which series exist, and reads planned series as Arrow batches.

Here: ListMetrics, GetMetricData with its pages and partial answers, and the batches' columns. Not here: what to ask
for (`metric_catalogue.py`, `read_plan.py`, `metric_batches.py`), storing (`assets/`).
"""

# pyright: reportUnknownParameterType=false
# pyarrow has no types for RecordBatch.

from collections import Counter
from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from datetime import UTC, datetime
from pathlib import Path
from time import sleep
from typing import TYPE_CHECKING, Any, cast

import numpy as np
import pyarrow as pa
import pyarrow.parquet as pq

from usage_pipeline.aws.errors import ReadingDeniedError, ReadingError, understanding
from usage_pipeline.aws.metric_batches import PAGE_POINTS, MetricCall, SeriesQuery, calls_of
from usage_pipeline.aws.metric_catalogue import MetricNamespace
from usage_pipeline.aws.read_plan import SeriesRead
from usage_pipeline.aws.scopes import Scope

if TYPE_CHECKING:
    from types_boto3_cloudwatch import CloudWatchClient
    from types_boto3_cloudwatch.type_defs import DimensionTypeDef, MetricDataQueryTypeDef, MetricDataResultTypeDef

POINT_SCHEMA = pa.schema(
    [
        ("usage_date", pa.date32()),
        ("account_id", pa.string()),
        ("region", pa.string()),
        ("namespace", pa.string()),
        ("dimension_set", pa.string()),
        ("model_id", pa.string()),
        ("metric_name", pa.string()),
        ("statistic", pa.string()),
        ("ts", pa.timestamp("us")),
        ("period_seconds", pa.int32()),
        ("value", pa.float64()),
    ]
)
"""Columns of `raw.cloudwatch_metrics` and `raw.max_tokens_metric`, in their order."""

MODEL_ID_SET = ("ModelId",)
"""The names of the dimensions of the series that are read; another set is another copy of the same traffic."""

TIMES_ASKED = 4
"""How often a series whose answer stays partial is asked, with 1, 2 and 4 seconds between."""

_SECONDS_A_DAY = 86_400


@dataclass(frozen=True)
class DiscoveredSeries:
    """What ListMetrics shows of one namespace in one Region: series that had data in about the past two weeks.

    `unread_dimension_sets` counts the series of each set of dimension names that is not read; `unread_metrics` are
    metrics by ModelId that the catalogue does not have. Both are for the record: they may be new.
    """

    model_ids: frozenset[str]
    metric_names: frozenset[str]
    unread_dimension_sets: Mapping[tuple[str, ...], int]
    unread_metrics: frozenset[str]


@dataclass
class _Answer:
    """What has come so far of one query."""

    status: str = ""
    times: list[np.ndarray] = field(default_factory=list[np.ndarray])
    values: list[np.ndarray] = field(default_factory=list[np.ndarray])


def discover_series(client: "CloudWatchClient", namespace: MetricNamespace) -> DiscoveredSeries:
    """Ask ListMetrics, and keep sets of dimensions apart: each is a copy of the same traffic."""
    model_ids: set[str] = set()
    names: set[str] = set()
    unread: Counter[tuple[str, ...]] = Counter()
    with understanding("ListMetrics"):
        for page in client.get_paginator("list_metrics").paginate(Namespace=namespace.name):
            for metric in page.get("Metrics", ()):
                dimensions = {item["Name"]: item["Value"] for item in metric.get("Dimensions", ())}
                found = tuple(sorted(dimensions))
                if found == MODEL_ID_SET:
                    model_ids.add(dimensions["ModelId"])
                    names.add(metric.get("MetricName", ""))
                elif found:
                    unread[found] += 1
    known = {metric.name for metric in namespace.metrics}
    return DiscoveredSeries(frozenset(model_ids), frozenset(names & known), dict(unread), frozenset(names - known))


def read_series(
    client: "CloudWatchClient",
    scope: Scope,
    namespace: MetricNamespace,
    read: SeriesRead,
    listed: frozenset[str],
    now: datetime,
) -> Iterator[pa.RecordBatch]:
    """Read one planned range, as batches of POINT_SCHEMA with about a page of points each.

    Only periods that are over at the end of the range are given. The client must be one of `AccountSession`, which
    gives timestamps as numbers.

    Raises:
        ReadingError: AWS kept giving partial answers.
        ReadingDeniedError: AWS refused a metric inside its answer.
    """
    for call in calls_of(read, namespace, listed, now):
        answers = _complete_answers(client, namespace, call)
        yield from _batches(scope, namespace, call, answers)


def write_points(batches: Iterable[pa.RecordBatch], path: Path) -> int:
    """Write batches to a Parquet file as they come, and count their rows; keeps one call's points in memory at most."""
    count = 0
    with pq.ParquetWriter(path, POINT_SCHEMA, compression="zstd") as writer:
        for batch in batches:
            writer.write_batch(batch)
            count += batch.num_rows
    return count


def _complete_answers(
    client: "CloudWatchClient", namespace: MetricNamespace, call: MetricCall
) -> dict[SeriesQuery, _Answer]:
    """Send a call, follow its pages, and ask again for every query whose last word is not Complete."""
    complete: dict[SeriesQuery, _Answer] = {}
    queries = call.queries
    messages = ""
    for attempt in range(TIMES_ASKED):
        if attempt:
            sleep(2.0 ** (attempt - 1))
        answers, messages = _ask(client, namespace, call, queries)
        complete |= {query: answer for query, answer in answers.items() if answer.status == "Complete"}
        if forbidden := [query for query, answer in answers.items() if answer.status == "Forbidden"]:
            raise ReadingDeniedError(
                f"GetMetricData: AWS forbids {len(forbidden)} of {len(queries)} series, such as {_name(forbidden[0])}. "
                "Allow cloudwatch:GetMetricData for every metric."
            )
        queries = tuple(query for query in queries if query not in complete)
        if not queries:
            return complete
    raise ReadingError(
        f"GetMetricData: {len(queries)} series, such as {_name(queries[0])}, were still partial after being asked "
        f"{TIMES_ASKED} times, from {call.start} to {call.end}. {messages}"
    )


def _ask(
    client: "CloudWatchClient", namespace: MetricNamespace, call: MetricCall, queries: tuple[SeriesQuery, ...]
) -> tuple[dict[SeriesQuery, _Answer], str]:
    """Send one call with all its pages; points of one query may be spread over pages and are joined by Id."""
    answers = {f"q{number}": _Answer() for number in range(len(queries))}
    messages: set[str] = set()
    pages = client.get_paginator("get_metric_data").paginate(
        MetricDataQueries=[_query(f"q{number}", namespace, query) for number, query in enumerate(queries)],
        StartTime=call.start.replace(tzinfo=UTC),
        EndTime=call.end.replace(tzinfo=UTC),
        ScanBy="TimestampAscending",
    )
    with understanding("GetMetricData"):
        for page in pages:
            messages.update(message.get("Value", "") for message in page.get("Messages", ()))
            for result in page["MetricDataResults"]:
                _append(answers[result.get("Id", "")], result)
    return {query: answers[f"q{number}"] for number, query in enumerate(queries)}, " ".join(sorted(messages))


def _append(answer: _Answer, result: "MetricDataResultTypeDef") -> None:
    # PartialData on one page only says that the next page has more; the last page's word counts.
    answer.status = result.get("StatusCode", "")
    if times := cast("list[float]", result.get("Timestamps")):
        answer.times.append(np.asarray(times, dtype=np.float64).astype(np.int64))
        answer.values.append(np.asarray(result.get("Values", ()), dtype=np.float64))
        if len(answer.times[-1]) != len(answer.values[-1]):
            raise ReadingError(f"GetMetricData: {result.get('Id')} has not as many values as timestamps.")


def _query(query_id: str, namespace: MetricNamespace, query: SeriesQuery) -> "MetricDataQueryTypeDef":
    # No Unit: a unit that AWS spells differently would give nothing.
    dimensions: list[DimensionTypeDef] = [{"Name": "ModelId", "Value": query.model_id}]
    return {
        "Id": query_id,
        "MetricStat": {
            "Metric": {
                "Namespace": namespace.name,
                "MetricName": query.metric_name,
                "Dimensions": [] if query.is_total else dimensions,
            },
            "Period": query.period_seconds,
            "Stat": query.statistic,
        },
    }


def _batches(
    scope: Scope, namespace: MetricNamespace, call: MetricCall, answers: dict[SeriesQuery, _Answer]
) -> Iterator[pa.RecordBatch]:
    """Turn a call's points into batches of about a page each, letting go of the answers as they are used."""
    end = int(call.end.replace(tzinfo=UTC).timestamp())
    waiting: list[tuple[SeriesQuery, np.ndarray, np.ndarray]] = []
    points = 0
    for query in list(answers):
        answer = answers.pop(query)
        for times, values in zip(answer.times, answer.values, strict=True):
            # A period that was not over at the end of the range would change later.
            is_over = times + query.period_seconds <= end
            waiting.append((query, times[is_over], values[is_over]))
            points += len(waiting[-1][1])
        if points >= PAGE_POINTS:
            yield _batch(scope, namespace, waiting)
            waiting, points = [], 0
    if points:
        yield _batch(scope, namespace, waiting)


def _batch(
    scope: Scope, namespace: MetricNamespace, parts: Sequence[tuple[SeriesQuery, np.ndarray, np.ndarray]]
) -> pa.RecordBatch:
    """One batch from the times (epoch seconds) and values of several series."""
    queries = [query for query, _, _ in parts]
    which = np.repeat(np.arange(len(parts)), [len(times) for _, times, _ in parts])
    ts = np.concatenate([times for _, times, _ in parts])

    def repeated(values: Sequence[object], kind: pa.DataType) -> "pa.Array[Any]":
        return pa.array(values, kind).take(which)

    columns = {
        "usage_date": pa.array((ts // _SECONDS_A_DAY).astype("datetime64[D]")),
        "account_id": repeated([scope.account_id] * len(parts), pa.string()),
        "region": repeated([scope.region] * len(parts), pa.string()),
        "namespace": repeated([namespace.name] * len(parts), pa.string()),
        "dimension_set": repeated(["none" if query.is_total else "ModelId" for query in queries], pa.string()),
        "model_id": repeated([None if query.is_total else query.model_id for query in queries], pa.string()),
        "metric_name": repeated([query.metric_name for query in queries], pa.string()),
        "statistic": repeated([query.statistic for query in queries], pa.string()),
        "ts": pa.array((ts * 1_000_000).astype("datetime64[us]")),
        "period_seconds": repeated([query.period_seconds for query in queries], pa.int32()),
        "value": pa.array(np.concatenate([values for _, _, values in parts])),
    }
    return pa.record_batch([columns[name] for name in POINT_SCHEMA.names], schema=POINT_SCHEMA)


def _name(query: SeriesQuery) -> str:
    return f"{query.statistic} of {query.metric_name} of {query.model_id or 'the account'}"
