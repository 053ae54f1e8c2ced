from collections import Counter
from datetime import datetime

import pytest

from usage_pipeline.aws.metric_batches import best_call_size, calls_of
from usage_pipeline.aws.metric_catalogue import BEDROCK, MAX_TOKENS, METRICS
from usage_pipeline.aws.read_plan import ACCOUNT_TOTAL, SeriesRead

NOW = datetime.fromisoformat("2026-11-15T10:30")
COMMON = frozenset(metric.name for metric in METRICS if not metric.rare)


def read(models: tuple[str, ...], start: str, end: str, period: int = 60) -> SeriesRead:
    return SeriesRead(models, period, datetime.fromisoformat(start), datetime.fromisoformat(end), ())


@pytest.mark.parametrize(
    ("points", "expected"),
    [
        (1440, 490),  # seven full pages; 500 queries would begin an eighth
        (288, 350),  # one full page
        (24, 500),
        (1, 500),
        (4320, 490),
        (21600, 224),  # 48 full pages, within the fifty that a call may need
        (9_000_000, 1),
    ],
)
def test_a_call_has_as_many_queries_as_fill_its_pages(points: int, expected: int) -> None:
    assert best_call_size(points) == expected


def test_a_model_is_asked_for_every_common_metric_and_statistic_once() -> None:
    (call,) = calls_of(read(("m",), "2026-11-14", "2026-11-15"), BEDROCK, COMMON, NOW)
    asked = [(query.metric_name, query.statistic, query.period_seconds) for query in call.queries]
    assert Counter(asked).most_common(1)[0][1] == 1
    assert sorted(asked) == sorted(
        [
            *((name, "Sum", 60) for name in COMMON),
            *((name, "SampleCount", 60) for name in ("InvocationLatency", "TimeToFirstToken")),
            *(
                (name, statistic, 3600)
                for name in ("InvocationLatency", "TimeToFirstToken", "InputTokenCount", "OutputTokenCount")
                for statistic in ("p50", "p90", "p99")
            ),
        ]
    )


def test_a_rare_metric_is_asked_where_list_metrics_names_it() -> None:
    listed = COMMON | {"CacheReadInputTokens"}
    (call,) = calls_of(read(("m",), "2026-11-14", "2026-11-15"), BEDROCK, listed, NOW)
    assert {query.metric_name for query in call.queries} == listed


def test_every_metric_is_asked_for_days_that_list_metrics_has_forgotten() -> None:
    calls = calls_of(read(("m",), "2026-10-01", "2026-11-15", 300), BEDROCK, frozenset(), NOW)
    assert {query.metric_name for call in calls for query in call.queries} == {metric.name for metric in METRICS}


def test_the_totals_of_the_account_are_asked_by_the_hour_and_without_models() -> None:
    (call,) = calls_of(read((ACCOUNT_TOTAL,), "2026-11-14", "2026-11-15"), BEDROCK, COMMON, NOW)
    assert {(query.model_id, query.statistic, query.period_seconds) for query in call.queries} == {("", "Sum", 3600)}
    assert len(call.queries) == 9


def test_hours_are_asked_from_their_start_when_a_read_starts_within_one() -> None:
    calls = calls_of(read(("m",), "2026-10-20T10:30", "2026-10-21", 300), BEDROCK, COMMON, NOW)
    assert [(call.start.isoformat(), {query.period_seconds for query in call.queries}) for call in calls] == [
        ("2026-10-20T10:30:00", {300}),
        ("2026-10-20T10:00:00", {3600}),
    ]


def test_no_call_has_more_than_five_hundred_queries_and_none_is_lost() -> None:
    models = tuple(f"model-{number}" for number in range(123))
    calls = calls_of(read(models, "2026-11-14", "2026-11-15"), BEDROCK, COMMON, NOW)
    assert max(len(call.queries) for call in calls) <= 500
    asked = [query for call in calls for query in call.queries]
    assert len(asked) == len(set(asked)) == 123 * 25


def test_max_tokens_is_asked_as_sum_and_count() -> None:
    (call,) = calls_of(read(("m",), "2026-11-14", "2026-11-15"), MAX_TOKENS, frozenset({"MaxTokens"}), NOW)
    assert [(query.metric_name, query.statistic, query.period_seconds) for query in call.queries] == [
        ("MaxTokens", "Sum", 60),
        ("MaxTokens", "SampleCount", 60),
    ]


def test_another_catalogue_has_another_query_set() -> None:
    assert BEDROCK.query_set != MAX_TOKENS.query_set
    assert BEDROCK.query_set == BEDROCK.query_set
