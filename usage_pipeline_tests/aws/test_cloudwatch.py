from datetime import datetime
from pathlib import Path
from typing import Any

import pyarrow.parquet as pq
import pytest

from usage_pipeline.aws.cloudwatch import POINT_SCHEMA, discover_series, read_series, write_points
from usage_pipeline.aws.errors import ReadingDeniedError, ReadingError
from usage_pipeline.aws.metric_catalogue import BEDROCK, Metric, MetricNamespace
from usage_pipeline.aws.metric_reading import MetricRequest, read_metrics
from usage_pipeline.aws.read_plan import KnownModelIds, SeriesRead, plan_reads
from usage_pipeline.aws.scopes import Scope
from usage_pipeline.raw_tables import CLOUDWATCH_METRICS, MAX_TOKENS_METRIC
from usage_pipeline_tests.aws.canned_aws import CannedMetrics, canned_client, epoch, error, pages

SCOPE = Scope("111122223333", "production", "us-east-1", "aws")
NOW = datetime.fromisoformat("2026-11-15T10:30")
TWO = MetricNamespace("AWS/Bedrock", (Metric("Invocations", "Count"), Metric("InputTokenCount", "Count")))
NAMES = frozenset({"Invocations", "InputTokenCount"})
LIST_METRICS: dict[str, Any] = {"Metrics": []}


def read(models: tuple[str, ...], start: str, end: str, period: int = 60) -> SeriesRead:
    return SeriesRead(models, period, datetime.fromisoformat(start), datetime.fromisoformat(end), ())


def rows_of(metrics: CannedMetrics, namespace: MetricNamespace, wanted: SeriesRead) -> list[tuple]:
    client, _ = canned_client("cloudwatch", {"GetMetricData": metrics})
    batches = list(read_series(client, SCOPE, namespace, wanted, NAMES, NOW))
    return [tuple(row.values()) for batch in batches for row in batch.to_pylist()]


def ones(model_id: str | None, metric: str, statistic: str, ts: int) -> float:
    return 1.0


def test_a_batch_has_the_columns_of_both_tables() -> None:
    for table in (CLOUDWATCH_METRICS, MAX_TOKENS_METRIC):
        assert [column.name for column in table.columns] == POINT_SCHEMA.names


def test_points_become_rows_with_their_series() -> None:
    stored = {
        ("m", "Invocations", "Sum", epoch("2026-11-14T23:59")): 3.0,
        ("m", "InputTokenCount", "Sum", epoch("2026-11-15T00:01")): 700.0,
    }
    rows = rows_of(
        CannedMetrics(lambda *point: stored.get(point)), TWO, read(("m",), "2026-11-14T23:00", "2026-11-15T01:00")
    )
    scope = ("111122223333", "us-east-1", "AWS/Bedrock", "ModelId", "m")
    assert rows == [
        (
            datetime.fromisoformat("2026-11-14").date(),
            *scope,
            "Invocations",
            "Sum",
            datetime.fromisoformat("2026-11-14T23:59"),
            60,
            3.0,
        ),
        (
            datetime.fromisoformat("2026-11-15").date(),
            *scope,
            "InputTokenCount",
            "Sum",
            datetime.fromisoformat("2026-11-15T00:01"),
            60,
            700.0,
        ),
    ]


def test_the_total_of_the_account_has_no_model_and_its_own_dimension_set() -> None:
    namespace = MetricNamespace("AWS/Bedrock", (), hourly_totals=("Invocations",))
    metrics = CannedMetrics(lambda model_id, *_: 5.0 if model_id is None else 1.0)
    rows = rows_of(metrics, namespace, read(("",), "2026-11-14T22:00", "2026-11-15T00:00"))
    assert [(row[4], row[5], row[8].isoformat(), row[9], row[10]) for row in rows] == [
        ("none", None, "2026-11-14T22:00:00", 3600, 5.0),
        ("none", None, "2026-11-14T23:00:00", 3600, 5.0),
    ]


def test_an_hour_that_is_not_over_is_left_out() -> None:
    namespace = MetricNamespace("AWS/Bedrock", (), hourly_totals=("Invocations",))
    rows = rows_of(CannedMetrics(ones), namespace, read(("",), "2026-11-15T08:00", "2026-11-15T10:30"))
    assert [row[8].hour for row in rows] == [8, 9]


def test_points_of_one_series_that_come_on_several_pages_are_joined() -> None:
    metrics = CannedMetrics(lambda model_id, metric, statistic, ts: float(ts), page_points=50)
    rows = rows_of(metrics, TWO, read(("m",), "2026-11-14T00:00", "2026-11-14T02:00"))
    assert [row[10] for row in rows if row[6] == "InputTokenCount"] == [
        float(epoch("2026-11-14T00:00") + 60 * minute) for minute in range(120)
    ]
    assert len(rows) == 240


@pytest.fixture
def waits(monkeypatch: pytest.MonkeyPatch) -> list[float]:
    """Seconds that would have been waited."""
    waited: list[float] = []
    monkeypatch.setattr("usage_pipeline.aws.cloudwatch.sleep", waited.append)
    return waited


def test_a_partial_series_is_asked_again_alone_and_its_points_are_not_doubled(waits: list[float]) -> None:
    metrics = CannedMetrics(ones)
    metrics.partial = {"InputTokenCount": 2}
    rows = rows_of(metrics, TWO, read(("m",), "2026-11-14T00:00", "2026-11-14T00:03"))
    assert metrics.queries_sent == [2, 1, 1]
    assert waits == [1, 2]
    assert [row[6] for row in rows] == ["Invocations"] * 3 + ["InputTokenCount"] * 3


def test_a_series_that_stays_partial_fails_the_reading_with_its_name(waits: list[float]) -> None:
    metrics = CannedMetrics(ones)
    metrics.partial = {"InputTokenCount": 9}
    with pytest.raises(ReadingError, match="1 series, such as Sum of InputTokenCount of m, were still partial after"):
        rows_of(metrics, TWO, read(("m",), "2026-11-14T00:00", "2026-11-14T00:03"))
    assert len(metrics.queries_sent) == 4
    assert waits == [1, 2, 4]


def test_a_forbidden_series_is_a_denied_reading() -> None:
    metrics = CannedMetrics(ones)
    metrics.forbidden = {"Invocations"}
    with pytest.raises(ReadingDeniedError, match=r"forbids 1 of 2 series, such as Sum of Invocations of m"):
        rows_of(metrics, TWO, read(("m",), "2026-11-14T00:00", "2026-11-14T00:03"))


def dense_metrics(model_id: str | None, metric: str, statistic: str, ts: int) -> float | None:
    busy = {
        "Invocations", "InputTokenCount", "OutputTokenCount", "EstimatedTPMQuotaUsage", "InvocationLatency",
        "TimeToFirstToken", "CacheReadInputTokenCount", "CacheWriteInputTokenCount", "InvocationThrottles",
        "InvocationClientErrors",
    }  # fmt: skip
    return 1.0 if model_id and metric in busy else None


def test_fifty_profiles_for_a_day_of_twelve_metrics_need_the_nine_pages_that_the_limit_forces() -> None:
    # 50 profiles x 12 statistics (ten metrics, two of them also as SampleCount) x 1,440 minutes = 864,000 points.
    # The limit of 100,800 points a page forces nine; 1.2 times that is 10.8.
    namespace = MetricNamespace(
        "AWS/Bedrock",
        tuple(Metric(name, "Count") for name in (f"Metric{number}" for number in range(12))),
    )
    client, calls = canned_client("cloudwatch", {"GetMetricData": CannedMetrics(ones)})
    wanted = read(tuple(f"profile{number}" for number in range(50)), "2026-11-14", "2026-11-15")
    listed = frozenset(metric.name for metric in namespace.metrics)
    points = sum(batch.num_rows for batch in read_series(client, SCOPE, namespace, wanted, listed, NOW))
    assert points == 864_000
    assert len(calls) == 9


def test_the_whole_catalogue_for_fifty_profiles_keeps_to_the_same_budget() -> None:
    client, calls = canned_client(
        "cloudwatch",
        {"GetMetricData": CannedMetrics(lambda *point: dense_metrics(*point) if point[2] in _ADDED_UP else None)},
    )
    known = KnownModelIds.of({"", *(f"profile{number}" for number in range(50))})
    day = datetime.fromisoformat("2026-11-14").date()
    (wanted,) = plan_reads([day], NOW, known, [], BEDROCK.query_set).reads
    listed = frozenset(metric.name for metric in BEDROCK.metrics if not metric.rare)
    points = sum(batch.num_rows for batch in read_series(client, SCOPE, BEDROCK, wanted, listed, NOW))
    assert points == 864_000
    assert len(calls) <= 10


_ADDED_UP = ("Sum", "SampleCount")


def test_only_series_by_model_id_alone_are_taken_and_other_sets_are_named() -> None:
    def metric(name: str, **dimensions: str) -> dict[str, Any]:
        listed = [{"Name": key, "Value": value} for key, value in dimensions.items()]
        return {"Namespace": "AWS/Bedrock", "MetricName": name, "Dimensions": listed}

    entries = [
        metric("Invocations", ModelId="a"),
        metric("InputTokenCount", ModelId="b"),
        metric("NewMetric", ModelId="a"),
        metric("Invocations"),
        metric("InputTokenCount", ContextWindow="1M", ModelId="a"),
        metric("OutputTokenCount", ModelId="a", ContextWindow="1M"),
        metric("Invocations", ModelId="a", ServiceTier="flex", ResolvedServiceTier="flex"),
    ]
    client, calls = canned_client("cloudwatch", {"ListMetrics": pages("Metrics", entries, 3, "NextToken")})
    found = discover_series(client, BEDROCK)
    assert len(calls) == 3
    assert found.model_ids == {"a", "b"}
    assert found.metric_names == {"Invocations", "InputTokenCount"}
    assert found.unread_metrics == {"NewMetric"}
    assert found.unread_dimension_sets == {
        ("ContextWindow", "ModelId"): 2,
        ("ModelId", "ResolvedServiceTier", "ServiceTier"): 1,
    }


def listing_of(*model_ids: str) -> dict[str, Any]:
    return {
        "Metrics": [
            {
                "Namespace": "AWS/Bedrock",
                "MetricName": "Invocations",
                "Dimensions": [{"Name": "ModelId", "Value": name}],
            }
            for name in model_ids
        ]
    }


def test_a_reading_leaves_files_and_ledger_rows_and_the_next_asks_nothing(tmp_path: Path) -> None:
    day = datetime.fromisoformat("2026-11-14").date()
    client, calls = canned_client("cloudwatch", {"ListMetrics": listing_of("a"), "GetMetricData": CannedMetrics(ones)})
    first = read_metrics(client, SCOPE, TWO, MetricRequest([day], NOW, ever_seen={"b"}), tmp_path)
    (stored,) = first.reads
    assert stored.read.model_ids == ("a", "b")
    assert len(first) == stored.row_count == 2 * 2 * 1440
    table = pq.read_table(stored.file)
    assert table.schema.equals(POINT_SCHEMA)
    assert table.num_rows == stored.row_count
    assert [name for name, _ in calls] == ["ListMetrics", "GetMetricData"]

    again = read_metrics(
        client, SCOPE, TWO, MetricRequest([day], NOW, ledger=stored.read.states, ever_seen={"b"}), tmp_path
    )
    assert again.reads == ()
    assert [name for name, _ in calls[2:]] == ["ListMetrics"]


def test_ranges_that_came_before_an_error_are_kept_and_the_days_of_the_others_are_named(tmp_path: Path) -> None:
    metrics = CannedMetrics(ones)

    def until_november(asked: dict[str, Any]) -> dict[str, Any]:
        if asked["StartTime"].month == 11:
            raise error("GetMetricData", "ThrottlingException", "Rate exceeded")
        return metrics(asked)

    days = [datetime.fromisoformat(day).date() for day in ("2026-10-31", "2026-11-01")]
    client, _ = canned_client("cloudwatch", {"ListMetrics": listing_of("a"), "GetMetricData": until_november})
    reading = read_metrics(client, SCOPE, TWO, MetricRequest(days, NOW), tmp_path)
    assert [stored.read.start.isoformat() for stored in reading.reads] == ["2026-10-31T00:00:00"]
    assert reading.unread_days == (days[1],)
    assert reading.shortfall is not None
    assert (reading.shortfall.status, reading.shortfall.text) == (
        "throttled",
        "GetMetricData: ThrottlingException: Rate exceeded",
    )


def test_an_empty_reading_leaves_a_readable_file(tmp_path: Path) -> None:
    assert write_points([], tmp_path / "none.parquet") == 0
    assert pq.read_table(tmp_path / "none.parquet").num_rows == 0
