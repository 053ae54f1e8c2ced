from datetime import datetime, timedelta
from typing import Any

import numpy as np
import pytest

from usage_pipeline.sandbox.account_data import AccountData
from usage_pipeline.sandbox.metric_data import (
    MetricDataPage,
    metric_data_page,
    page_of,
    read_request,
)
from usage_pipeline.sandbox.metrics import BEDROCK, Metric, Series, utc_seconds
from usage_pipeline.sandbox.refusals import RefusedRequestError
from usage_pipeline_tests.sandbox.conftest import END

NOW = utc_seconds(END)
SCOPE = ("111122223333", "us-east-1")
ROUTER = "amazon.nova-micro-v1:0"


def query(
    identifier: str = "m1", period: int = 60, statistic: str = "Sum", name: str = "Invocations"
) -> dict[str, Any]:
    metric = {
        "Namespace": BEDROCK,
        "MetricName": name,
        "Dimensions": [{"Name": "ModelId", "Value": ROUTER}],
    }
    return {"Id": identifier, "MetricStat": {"Metric": metric, "Period": period, "Stat": statistic}}


def parameters(*queries: dict[str, Any], **changes: Any) -> dict[str, Any]:
    return {
        "MetricDataQueries": list(queries) or [query()],
        "StartTime": END - timedelta(hours=1),
        "EndTime": END,
        "ScanBy": "TimestampAscending",
        **changes,
    }


def page(data: AccountData, *queries: dict[str, Any], **changes: Any) -> MetricDataPage:
    series = data.metrics.scope(*SCOPE).series
    return metric_data_page(data.metrics, series.get, read_request(parameters(*queries, **changes)))


@pytest.mark.parametrize(
    ("changes", "message"),
    [
        ({"MetricDataQueries": [query(f"m{n}") for n in range(501)]}, "must not have a size greater than 500"),
        ({"MetricDataQueries": []}, "at least one member"),
        ({"MetricDataQueries": [query("m1"), query("m1")]}, "are not unique"),
        ({"MetricDataQueries": [query("1m")]}, "is not matching the pattern"),
        ({"MetricDataQueries": [query(period=90)]}, "must be a multiple of 60"),
        ({"MetricDataQueries": [query(statistic="p101")]}, "parameter Stat is not supported"),
        ({"MetricDataQueries": [{"Id": "e1", "Expression": "SUM(METRICS())"}]}, "exact series only"),
        ({"StartTime": END, "EndTime": END}, "must be less than"),
        ({"StartTime": None}, "StartTime is required"),
        ({"MaxDatapoints": 100_801}, "must be between 1 and 100800"),
    ],
)
def test_wrong_requests_are_refused_as_aws_does(changes: dict[str, Any], message: str):
    with pytest.raises(RefusedRequestError, match=message) as refusal:
        read_request(parameters(**changes))
    assert refusal.value.code == "ValidationError"


def test_five_hundred_queries_are_allowed():
    assert len(read_request(parameters(*(query(f"m{n}") for n in range(500)))).queries) == 500


def test_points_are_those_of_the_exact_series(two_days: AccountData):
    series = two_days.metrics.scope(*SCOPE).series[Metric(BEDROCK, "Invocations", (("ModelId", ROUTER),))]
    recent = series.minutes[series.minutes >= NOW // 60 - 60]
    (result,) = page(two_days).results
    assert result.timestamps == [int(minute) * 60 for minute in np.unique(recent)]
    assert sum(result.values) == len(recent)


def test_another_dimension_set_is_another_series(two_days: AccountData):
    total = query("total")
    total["MetricStat"]["Metric"]["Dimensions"] = []
    wrong = query("wrong")
    wrong["MetricStat"]["Metric"]["Dimensions"] += [{"Name": "ServiceTier", "Value": "default"}]
    of_model, of_account, of_nothing = page(two_days, query(), total, wrong).results
    assert sum(of_account.values) > sum(of_model.values) > 0
    assert (of_nothing.timestamps, of_nothing.is_complete) == ([], True)


def test_newest_point_comes_first_unless_asked_otherwise(two_days: AccountData):
    (ascending,) = page(two_days).results
    (descending,) = page(two_days, ScanBy="TimestampDescending").results
    assert descending.timestamps == ascending.timestamps[::-1]
    assert descending.values == ascending.values[::-1]


def test_a_period_that_holds_the_start_is_answered_whole(two_days: AccountData):
    whole = page(
        two_days,
        query(period=3600),
        StartTime=datetime.fromisoformat("2026-11-15T09:00"),
        EndTime=datetime.fromisoformat("2026-11-15T10:00"),
    )
    part = page(
        two_days,
        query(period=3600),
        StartTime=datetime.fromisoformat("2026-11-15T09:07"),
        EndTime=datetime.fromisoformat("2026-11-15T10:00"),
    )
    assert part.results[0].values == whole.results[0].values != []


@pytest.mark.parametrize(
    ("period", "kept_days"), [(60, 15), (120, 15), (300, 63), (900, 63), (3600, 455), (86400, 455)]
)
def test_finer_points_are_forgotten_sooner(two_days: AccountData, period: int, kept_days: int):
    oldest = NOW - kept_days * 86400
    minutes = np.arange(oldest // 60 - 3 * 1440, oldest // 60 + 3 * 1440)
    series = Series(minutes, np.ones(len(minutes)))
    request = read_request(
        parameters(
            query(period=period), StartTime=datetime.fromisoformat("2025-01-01"), EndTime=END, MaxDatapoints=100_800
        )
    )
    (result,) = metric_data_page(two_days.metrics, lambda _: series, request).results
    assert result.timestamps[0] == -(-oldest // period) * period


def test_periods_below_a_minute_have_no_points(two_days: AccountData):
    assert page(two_days, query(period=1)).results[0].timestamps == []


def test_pages_hold_at_most_the_asked_points_and_lose_none(two_days: AccountData):
    queries = [query("m1"), query("m2", name="InputTokenCount"), query("m3", name="OutputTokenCount")]
    whole = {result.query.id: result.timestamps for result in page(two_days, *queries).results}
    assert sum(map(len, whole.values())) > 90
    gathered: dict[str, list[int]] = {}
    token, pages = None, 0
    while pages == 0 or token:
        answer = page(two_days, *queries, MaxDatapoints=40, NextToken=token)
        assert sum(len(result.timestamps) for result in answer.results) <= 40
        for result in answer.results:
            gathered.setdefault(result.query.id, []).extend(result.timestamps)
        token, pages = answer.next_token, pages + 1
    assert gathered == whole
    assert pages == -(-sum(map(len, whole.values())) // 40)


def test_a_query_that_goes_on_overleaf_is_not_complete_yet(two_days: AccountData):
    first = page(two_days, query(), MaxDatapoints=10)
    assert [result.is_complete for result in first.results] == [False]
    last = page(two_days, query(), MaxDatapoints=10_000, NextToken=first.next_token)
    assert [result.is_complete for result in last.results] == [True]
    assert last.next_token is None


def test_a_token_belongs_to_its_request(two_days: AccountData):
    token = page(two_days, MaxDatapoints=10).next_token
    with pytest.raises(RefusedRequestError) as refusal:
        page(two_days, query("other"), MaxDatapoints=10, NextToken=token)
    assert refusal.value.code == "InvalidNextToken"
    with pytest.raises(RefusedRequestError):
        page(two_days, NextToken="nonsense")


def test_queries_that_return_no_data_are_left_out(two_days: AccountData):
    assert page(two_days, {**query(), "ReturnData": False}).results == []


def test_lists_are_cut_into_pages():
    items = list(range(5))
    first, token = page_of(items, None, 2)
    second, token = page_of(items, token, 2)
    third, end = page_of(items, token, 2)
    assert (first, second, third, end) == ([0, 1], [2, 3], [4], None)
    with pytest.raises(RefusedRequestError):
        page_of(items, "nonsense", 2)
