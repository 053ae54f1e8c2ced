"""Sums and latencies of logged calls by hour, day and month, and what a call takes of its quota."""

from datetime import date, datetime, timedelta

import numpy as np
import pytest

from usage_pipeline.raw_tables import BURNDOWN_RATES
from usage_pipeline_tests.marts.factory import ACCOUNT, NOVA, SONNET, Store, arns, at

GEO_SONNET = f"us.{SONNET}"
INITIAL = "initial_reservation_tokens, initial_reservation_source"


@pytest.fixture
def store() -> Store:
    return new_store()


def new_store() -> Store:
    store = Store("marts.invocations")
    store.burndown("*", 1)
    store.burndown("anthropic.*", 5)
    store.model_limit("anthropic.*", 64_000)
    store.model(NOVA)
    store.model(SONNET, on_demand=False)
    store.system_profile(GEO_SONNET, arns(SONNET, "us-east-1", "us-west-2"))
    return store


# Latency


def test_time_per_output_token_leaves_out_the_first_where_it_is_known(store: Store) -> None:
    calls: list[dict[str, float | int | str]] = [
        {"latency_ms": 1100.0, "ttft_ms": 100.0, "output_tokens": 11},
        {"latency_ms": 1100.0, "output_tokens": 11},
        {"latency_ms": 300.0, "ttft_ms": 100.0, "output_tokens": 1},
        {"latency_ms": 300.0, "ttft_ms": 100.0, "output_tokens": 0},
        {"ttft_ms": 100.0, "output_tokens": 5},
        {"latency_ms": 900.0, "output_tokens": 9, "error_code": "ModelErrorException"},
    ]
    for second, call in enumerate(calls):
        store.call(NOVA, at("14T10:00") + timedelta(seconds=second), input_tokens=1, **call)
    store.build("marts.usage_monthly")
    assert store.rows("select tpot_ms, tpot_basis from marts.invocations order by ts") == [
        (100, "after_first_token"),
        (100, "whole_call"),
        (300, "whole_call"),
        (None, None),
        (None, None),
        (None, None),
    ]
    columns = "tpot_samples, tpot_whole_call_samples, tpot_ms_min, tpot_ms_max, latency_samples, latency_ms_max"
    for table in ("usage_hourly", "usage_daily", "usage_monthly"):
        assert store.row(f"select {columns} from marts.{table}") == (3, 2, 100, 300, 4, 1100)


def test_a_call_without_latency_is_in_no_average(store: Store) -> None:
    store.call(NOVA, at("14T10:00"), latency_ms=800.0)
    store.call(NOVA, at("14T10:00"))
    store.build("marts.usage_hourly")
    columns = "calls, latency_samples, latency_ms_avg, latency_ms_min"
    assert store.row(f"select {columns} from marts.usage_hourly") == (2, 1, 800, 800)


def test_percentiles_of_every_span_are_over_its_calls(store: Store) -> None:
    random = np.random.default_rng(7)
    latencies = random.lognormal(7, 0.8, 300).round(1)
    for number, latency in enumerate(latencies):
        ts = datetime(2026, 10, 30) + timedelta(minutes=11 * number)
        store.call(NOVA, ts, latency_ms=float(latency), output_tokens=10)
    store.build("marts.usage_monthly")
    for table, period in (("usage_hourly", "hour"), ("usage_daily", "day"), ("usage_monthly", "month")):
        column = {"hour": "ts", "day": "usage_date", "month": "usage_month"}[period]
        columns = "latency_ms_avg, latency_ms_p50, latency_ms_p90, latency_ms_p99, tpot_ms_p90, latency_samples"
        for start, *found in store.rows(f"select {column}, {columns} from marts.{table}"):
            values = store.rows(
                f"select latency_ms from marts.invocations where date_trunc('{period}', ts) = ?::timestamp", start
            )
            expected = np.array(values).ravel()
            p50, p90, p99 = np.percentile(expected, [50, 90, 99])
            assert found == pytest.approx([expected.mean(), p50, p90, p99, p90 / 10, len(expected)], rel=1e-9)


# Sums


def test_hours_days_and_months_have_the_same_totals(store: Store) -> None:
    for number in range(200):
        ts = datetime(2026, 10, 28) + timedelta(minutes=173 * number)
        arn = f"arn:aws:iam::{ACCOUNT}:user/user-{number % 3}"
        tokens = {"input_tokens": number, "output_tokens": 2 * number, "cache_read_tokens": 3 * number}
        model = NOVA if number % 2 else GEO_SONNET
        store.call(model, ts, principal_arn=arn, error_code="X" if number % 10 == 0 else None, **tokens)
    store.build("marts.usage_monthly")
    sums = (
        "sum(calls), sum(errors), sum(input_tokens), sum(output_tokens), sum(cache_read_tokens), sum(consumed_tokens)"
    )
    calls = store.row(
        "select count(*), count(error_code), sum(input_tokens), sum(output_tokens), sum(cache_read_tokens), "
        "sum(consumed_tokens) from marts.invocations"
    )
    for table in ("usage_hourly", "usage_daily", "usage_monthly"):
        assert store.row(f"select {sums} from marts.{table}") == calls
    assert store.rows("select distinct usage_month from marts.usage_monthly order by 1") == [
        (date(2026, 10, 1),),
        (date(2026, 11, 1),),
    ]


def test_a_late_call_restates_its_own_hour_day_and_month(store: Store) -> None:
    for ts in (datetime(2026, 10, 3, 5), datetime(2026, 10, 31, 5), datetime(2026, 11, 2, 5)):
        store.call(NOVA, ts, input_tokens=1)
    store.build("marts.usage_monthly")
    store.call(NOVA, datetime(2026, 10, 31, 5), input_tokens=1)
    store.call(NOVA, datetime(2026, 10, 31, 5), input_tokens=10)
    built = {model.table_name: model for model in store.build("marts.usage_monthly")}
    assert built["marts.usage_daily"].days == ((date(2026, 10, 31), date(2026, 10, 31)),)
    assert built["marts.usage_monthly"].days == ((date(2026, 10, 1), date(2026, 10, 1)),)
    assert store.rows("select usage_month, calls, input_tokens from marts.usage_monthly order by 1") == [
        (date(2026, 10, 1), 3, 12),
        (date(2026, 11, 1), 1, 1),
    ]


def test_a_month_whose_calls_are_gone_is_taken_away(store: Store) -> None:
    store.call(NOVA, at("14T10:00"))
    store.build("marts.usage_monthly")
    store.con.execute("delete from raw.invocations")
    store.con.execute("update ops.day_changes set change = change + 1000 where table_name = 'raw.invocations'")
    store.build("marts.usage_monthly")
    for table in ("invocations", "usage_hourly", "usage_daily", "usage_monthly"):
        assert store.rows(f"from marts.{table}") == []


# Quota


def test_a_call_consumes_output_times_the_rate_and_reserves_max_tokens(store: Store) -> None:
    tokens = {"input_tokens": 1000, "cache_write_tokens": 500, "cache_read_tokens": 2000, "output_tokens": 800}
    store.call(GEO_SONNET, at("14T10:00"), max_tokens=4096, **tokens)
    store.call(GEO_SONNET, at("14T10:01"), **tokens)
    store.call(NOVA, at("14T10:02"), **tokens)
    store.call(NOVA, at("14T10:03"), error_code="ThrottlingException", max_tokens=10)
    store.call(NOVA, at("14T10:04"))
    store.build()
    columns = "consumed_tokens, reserved_tokens, reserved_source"
    assert store.rows(f"select {columns} from marts.invocations order by ts") == [
        (5500, 5596, "logs"),
        (5500, 65_500, "model_default"),
        (2300, None, "unknown"),
        (0, None, None),
        (None, None, "unknown"),
    ]


def test_a_changed_burndown_rate_restates_what_stored_calls_consumed(store: Store) -> None:
    store.call(GEO_SONNET, at("13T10:00"), input_tokens=0, output_tokens=10)
    store.build("marts.usage_daily")
    assert store.one("select consumed_tokens from marts.usage_daily") == 50
    store.forget(BURNDOWN_RATES)
    store.burndown("*", 15)
    store.build("marts.usage_daily")
    assert store.one("select consumed_tokens from marts.usage_daily") == 150


def test_a_profile_that_is_listed_later_restates_its_pool_and_cost(store: Store) -> None:
    store.price(SONNET, "input", "3", endpoint_type="geo")
    store.call("searchsearch", at("13T10:00"), input_tokens=1_000_000)
    store.build("marts.usage_daily")
    assert store.row("select pool_id, cost_usd, tags from marts.usage_daily") == (None, None, {})
    store.system_profile(GEO_SONNET, arns(SONNET, "us-east-1", "us-west-2"))
    store.application_profile("searchsearch", arns(SONNET, "us-east-1", "us-west-2"), tags={"team": "search"})
    store.build("marts.usage_daily")
    columns = "pool_id, model_id, endpoint_type, profile_kind, tags, cost_usd"
    pool = f"{ACCOUNT}/us-east-1/geo/{SONNET}"
    row = (pool, SONNET, "geo", "application", {"team": "search"}, 3)
    assert store.row(f"select {columns} from marts.usage_daily") == row


ENDPOINTS: list[tuple[str, str | None]] = [
    (SONNET, f"on_demand/{SONNET}"),
    (GEO_SONNET, f"geo/{SONNET}"),
    (f"global.{SONNET}", f"global/{SONNET}"),
    ("searchsearch", f"geo/{SONNET}"),
    (
        f"arn:aws:bedrock:us-east-1:{ACCOUNT}:provisioned-model/abcdefabcdef",
        "provisioned/provisioned-model/abcdefabcdef",
    ),
    (f"arn:aws:bedrock:us-east-1:{ACCOUNT}:imported-model/abcdef", "imported/imported-model/abcdef"),
    (f"arn:aws:bedrock:us-east-1:{ACCOUNT}:custom-model-deployment/tuned", f"custom_deployment/{NOVA}"),
    (f"arn:aws:bedrock:us-east-1:{ACCOUNT}:default-prompt-router/x:1", None),
]
"""A ModelId, and the end of its pool's id or nothing."""


@pytest.fixture(scope="module")
def logged_only() -> Store:
    """One call with each ModelId, and none in CloudWatch."""
    store = new_store()
    store.application_profile("searchsearch", arns(SONNET, "us-east-1", "us-west-2"))
    store.custom_deployment(f"arn:aws:bedrock:us-east-1:{ACCOUNT}:custom-model-deployment/tuned", NOVA)
    for model_id, _ in ENDPOINTS:
        store.call(model_id, at("14T10:00"), logged_model_id=f"{model_id} as the caller wrote it", input_tokens=1)
    store.build("marts.invocations", "marts.unresolved_profiles")
    return store


@pytest.mark.parametrize(("model_id", "endpoint"), ENDPOINTS)
def test_a_model_id_that_only_logs_have_belongs_to_its_pool_or_is_listed(
    logged_only: Store, model_id: str, endpoint: str | None
) -> None:
    pool_id = f"{ACCOUNT}/us-east-1/{endpoint}" if endpoint else None
    row = "select pool_id, profile_id from marts.invocations where logged_model_id = ?"
    assert logged_only.row(row, f"{model_id} as the caller wrote it") == (pool_id, model_id)
    unresolved = {row[0] for row in logged_only.rows("select profile_id from marts.unresolved_profiles")}
    assert (model_id in unresolved) == (endpoint is None)


# What a minute reserves


RESERVED: list[tuple[list[int | None], tuple[int, int] | None, tuple[int, str]]] = [
    ([100, 200], None, (1300, "logs")),
    ([100, None], None, (65_100, "mixed")),
    ([None, None], None, (129_000, "model_default")),
    ([None, None], (700, 2), (1700, "metric")),
    ([100, None], (700, 2), (1700, "metric")),
    ([100, 200], (700, 2), (1300, "logs")),
    # A call is missing, so the logs do not tell.
    ([100], (700, 1), (65_700, "mixed")),
    ([100], None, (129_000, "model_default")),
]
"""`max_tokens` of a minute's logged calls, their sum and number as published, and what the minute reserves."""


@pytest.fixture(scope="module")
def reserving_minutes() -> Store:
    """A minute of two calls for each of these, ten minutes apart."""
    store = new_store()
    for number, (logged, published, _) in enumerate(RESERVED):
        minute = at("14T10:00") + timedelta(minutes=10 * number)
        store.usage(GEO_SONNET, minute, invocations=2, input_tokens=1000)
        for max_tokens in logged:
            store.call(GEO_SONNET, minute + timedelta(seconds=30), max_tokens=max_tokens)
        store.call(GEO_SONNET, minute, error_code="ThrottlingException", max_tokens=9)
        if published:
            store.published_max_tokens(GEO_SONNET, minute, *published)
    store.build("marts.usage_minutely")
    return store


@pytest.mark.parametrize("number", range(len(RESERVED)))
def test_a_minute_reserves_by_the_logs_when_they_have_every_call(reserving_minutes: Store, number: int) -> None:
    minute = at("14T10:00") + timedelta(minutes=10 * number)
    row = reserving_minutes.row(f"select {INITIAL} from marts.usage_minutely where ts = ?", minute)
    assert row == RESERVED[number][2]


def test_a_coarse_period_reserves_by_the_logs_of_all_its_minutes(store: Store) -> None:
    store.usage(GEO_SONNET, at("14T10:00"), period=300, invocations=2, input_tokens=1000)
    store.call(GEO_SONNET, at("14T10:00"), max_tokens=100)
    store.call(GEO_SONNET, at("14T10:04"), max_tokens=200)
    store.build("marts.usage_minutely")
    assert store.row(f"select {INITIAL} from marts.usage_minutely") == (1300, "logs")
