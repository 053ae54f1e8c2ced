"""Usage per minute: what a row holds, at every resolution, by profile and by pool."""

from datetime import datetime, timedelta

import pytest

from usage_pipeline_tests.marts.factory import DAY, NOVA, REGION, SONNET, Store, arns, at, minutes_of

GEO_SONNET = f"us.{SONNET}"


@pytest.fixture
def store() -> Store:
    store = Store("marts.usage_minutely")
    store.burndown("*", 1)
    store.model(NOVA)
    store.system_profile(GEO_SONNET, arns(SONNET, "us-east-1", "us-west-2"))
    store.application_profile("searchsearch", arns(SONNET, "us-east-1", "us-west-2"), tags={"team": "search"})
    return store


def test_a_row_holds_every_metric_of_the_minute(store: Store) -> None:
    metrics = {
        "invocations": 4,
        "throttles": 3,
        "client_errors": 2,
        "server_errors": 1,
        "input_tokens": 100,
        "output_tokens": 50,
        "cache_read_tokens": 20,
        "cache_write_tokens": 10,
        "aws_estimated_tokens": 160,
    }
    latency = {"latency_ms_sum": 900.5, "latency_samples": 4, "ttft_ms_sum": 100, "ttft_samples": 2}
    store.usage("searchsearch", at("14T10:00"), **metrics, **latency)
    store.covered(DAY)
    store.build("marts.quota_usage_minutely")

    columns = ", ".join(metrics)
    for table in ("usage_minutely", "quota_usage_minutely"):
        assert store.row(f"select {columns} from marts.{table}") == tuple(metrics.values())
        averages = f"select latency_ms_avg, ttft_ms_avg from marts.{table}"
        assert store.row(averages) == (pytest.approx(900.5 / 4), 50)
    who = "select account_name, region, profile_kind, tags, resolution_seconds, usage_date from marts.usage_minutely"
    assert store.row(who) == ("production", REGION, "application", {"team": "search"}, 60, DAY)


def test_counts_without_a_point_are_zero_and_the_estimate_is_null(store: Store) -> None:
    store.usage(NOVA, at("14T10:00"), invocations=1)
    store.build()
    columns = "throttles, client_errors, input_tokens, cache_read_tokens, aws_estimated_tokens, latency_ms_avg"
    assert store.row(f"select {columns} from marts.usage_minutely") == (0, 0, 0, 0, None, None)


def test_the_newer_name_of_a_cache_metric_counts_and_the_two_are_never_added(store: Store) -> None:
    store.usage(NOVA, at("14T10:00"), invocations=1, cache_write_tokens=10, older_cache_write_tokens=10)
    store.usage(NOVA, at("14T10:01"), invocations=1, older_cache_write_tokens=7, older_cache_read_tokens=3)
    store.build()
    columns = "cache_write_tokens, cache_read_tokens, consumed_tokens"
    assert store.rows(f"select {columns} from marts.usage_minutely order by ts") == [(10, 0, 10), (7, 3, 7)]


def test_a_minute_without_anything_has_no_row(store: Store) -> None:
    store.usage(NOVA, at("14T10:00"), invocations=0, throttles=0)
    store.build()
    assert store.rows("from marts.usage_minutely") == []


def test_account_totals_and_percentiles_are_not_usage(store: Store) -> None:
    store.usage(None, at("14T10:00"), period=3600, invocations=100)
    store.usage(NOVA, at("14T10:00"), period=3600, latency_ms_p50=100)
    store.usage(NOVA, at("14T10:07"), invocations=1, input_tokens=3)
    store.build()
    usage = "select profile_id, ts, resolution_seconds, invocations from marts.usage_minutely"
    assert store.rows(usage) == [(NOVA, at("14T10:07"), 60, 1)]


def test_latency_percentiles_stand_beside_the_hours_average(store: Store) -> None:
    store.usage(NOVA, at("14T10:00"), period=3600, latency_ms_p50=100, latency_ms_p90=250, latency_ms_p99=900)
    for minute, (calls, latency) in enumerate(((1, 900), (3, 300))):
        ts = at("14T10:00") + timedelta(minutes=minute)
        store.usage(NOVA, ts, invocations=calls, latency_ms_sum=latency, latency_samples=calls)
    store.build("marts.latency_hourly")
    columns = "ts, invocations, latency_ms_avg, latency_ms_p50, latency_ms_p90, latency_ms_p99, ttft_ms_p50"
    assert store.rows(f"select {columns} from marts.latency_hourly") == [(at("14T10:00"), 4, 300, 100, 250, 900, None)]


@pytest.mark.parametrize("period", [300, 3600])
def test_a_coarse_period_stays_one_row_and_is_compared_as_a_mean(store: Store, period: int) -> None:
    store.quota(SONNET, "geo", "tpm", 1_000)
    store.quota(SONNET, "geo", "rpm", 10)
    minutes = period // 60
    store.usage(GEO_SONNET, at("14T10:00"), period=period, invocations=5 * minutes, input_tokens=900 * minutes)
    store.covered(DAY, resolution=period)
    store.build("marts.quota_headroom")

    columns = "resolution_seconds, consumed_tokens, tpm_utilization, rpm_utilization"
    assert store.row(f"select {columns} from marts.quota_usage_minutely") == (period, 900 * minutes, 0.9, 0.5)
    columns = "peak, p99, minutes_over_80pct, resolution_seconds"
    assert store.row(f"select {columns} from marts.quota_headroom where quota = 'tpm'") == (900, None, minutes, period)


def test_an_hour_with_mixed_resolutions_has_the_coarsest_for_the_pool(store: Store) -> None:
    for ts in minutes_of(DAY, first=600, count=10):
        store.usage("searchsearch", ts, invocations=1, input_tokens=10)
    store.usage(GEO_SONNET, at("14T10:05"), period=300, invocations=5, input_tokens=500)
    store.usage("searchsearch", at("14T11:00"), invocations=1, input_tokens=10)
    store.build("marts.quota_usage_minutely")

    columns = "ts, resolution_seconds, invocations, consumed_tokens"
    assert store.rows(f"select {columns} from marts.quota_usage_minutely order by ts") == [
        (at("14T10:00"), 300, 5, 50),
        (at("14T10:05"), 300, 10, 550),
        (at("14T11:00"), 60, 1, 10),
    ]


def test_the_running_total_of_a_day_begins_at_utc_midnight(store: Store) -> None:
    store.quota(SONNET, "geo", "tpd", 100, name="Model invocation max tokens per day for X")
    for ts, tokens in ((at("13T23:59"), 70), (at("14T00:00"), 10), (at("14T00:05"), 30)):
        store.usage("searchsearch", ts, invocations=1, input_tokens=tokens)
    store.build("marts.quota_usage_minutely")
    columns = "ts, day_tokens_running, tpd_limit, tpd_utilization"
    assert store.rows(f"select {columns} from marts.quota_usage_minutely order by ts") == [
        (at("13T23:59"), 70, 100, 0.7),
        (at("14T00:00"), 10, 100, 0.1),
        (at("14T00:05"), 40, 100, 0.4),
    ]


def test_tokens_per_day_count_the_minutes_after_the_limit_was_reached(store: Store) -> None:
    store.quota(SONNET, "geo", "tpd", 100, name="Model invocation max tokens per day for X")
    for ts, tokens in ((at("14T10:00"), 50), (at("14T12:00"), 40), (at("14T18:00"), 20)):
        store.usage("searchsearch", ts, invocations=1, input_tokens=tokens)
    store.covered(DAY, until=at("14T20:00"))
    store.build("marts.quota_headroom")
    columns = "peak, utilization_peak, minutes_over_80pct, minutes_over_limit, worst_minute, p50"
    day = store.row(f"select {columns} from marts.quota_headroom where quota = 'tpd'")
    assert day == (110, 1.1, 8 * 60, 2 * 60, at("14T18:00"), None)


def test_a_pools_estimate_is_null_when_one_profile_has_none(store: Store) -> None:
    store.usage("searchsearch", at("14T10:00"), invocations=1, input_tokens=10, aws_estimated_tokens=10)
    store.usage(GEO_SONNET, at("14T10:00"), invocations=1, input_tokens=10)
    store.usage("searchsearch", at("14T10:01"), invocations=1, input_tokens=10, aws_estimated_tokens=10)
    store.usage(GEO_SONNET, at("14T10:01"), throttles=5)
    store.build("marts.quota_usage_minutely")
    estimates = "select aws_estimated_tokens from marts.quota_usage_minutely order by ts"
    assert store.rows(estimates) == [(None,), (10,)]


def test_a_throttled_minute_without_calls_reserves_nothing(store: Store) -> None:
    store.usage(NOVA, at("14T10:00"), throttles=5)
    store.build()
    columns = "invocations, throttles, consumed_tokens, initial_reservation_tokens, initial_reservation_source"
    assert store.row(f"select {columns} from marts.usage_minutely") == (0, 5, 0, 0, None)


def test_consumed_tokens_are_rounded_once(store: Store) -> None:
    store.burndown("amazon.*", 1.4)
    store.usage(NOVA, at("14T10:00"), invocations=1, input_tokens=1, output_tokens=1)
    store.usage(NOVA, at("14T10:01"), invocations=1, input_tokens=1, output_tokens=4)
    store.build()
    assert store.rows("select consumed_tokens from marts.usage_minutely order by ts") == [(2,), (7,)]


def test_the_first_limit_that_was_read_stands_for_all_time_before_and_a_gap_is_unknown(store: Store) -> None:
    for start, end, value, source in (
        ("10T09:00", "12T09:00", 100, "default"),
        ("12T09:00", "12T15:00", 100, "applied"),
        # AWS did not list it for a day.
        ("13T15:00", "14T10:30", 100, "applied"),
        ("14T10:30", None, 200, "applied"),
    ):
        valid_to = at(end) if end else None
        store.quota(SONNET, "geo", "tpm", value, source=source, valid_from=at(start), valid_to=valid_to, mapped=not end)
    store.build("marts.quota_pools")
    columns = "valid_from, valid_to, limit_value, limit_source"
    assert store.rows(f"select {columns} from intermediate.int_quota_limits order by 1") == [
        (datetime(1970, 1, 1), at("12T09:00"), 100, "default"),
        (at("12T09:00"), at("12T15:00"), 100, "applied"),
        (at("13T15:00"), at("14T10:30"), 100, "applied"),
        (at("14T10:30"), None, 200, "applied"),
    ]
    assert store.row("select tpm_limit, limit_as_of from marts.quota_pools where endpoint_type = 'geo'") == (200, DAY)


def test_what_changes_beside_the_value_divides_no_period(store: Store) -> None:
    for start, end in (("10T09:00", "12T09:00"), ("12T09:00", "13T09:00"), ("13T09:00", None)):
        store.quota(SONNET, "geo", "tpm", 100, valid_from=at(start), valid_to=at(end) if end else None, mapped=not end)
    store.build("intermediate.int_quota_limits")
    assert store.rows("select valid_from, valid_to, limit_value from intermediate.int_quota_limits") == [
        (datetime(1970, 1, 1), None, 100)
    ]


def test_a_quota_that_aws_no_longer_lists_is_unknown_from_then_on(store: Store) -> None:
    store.quota(SONNET, "geo", "tpm", 100, valid_from=at("10T09:00"), valid_to=at("14T10:00"))
    for minute in ("14T09:59", "14T10:00"):
        store.usage(f"us.{SONNET}", at(minute), invocations=1, input_tokens=50)
    store.covered(DAY)
    store.build("marts.quota_headroom")
    minutes = "select ts, tpm_limit, tpm_utilization from marts.quota_usage_minutely order by ts"
    assert store.rows(minutes) == [(at("14T09:59"), 100, 0.5), (at("14T10:00"), None, None)]
    assert store.one("select limit_value from marts.quota_headroom where quota = 'tpm'") is None


def test_use_is_held_against_the_limit_of_its_minute_when_it_changes_within_the_day(store: Store) -> None:
    for start, end, value in (("10T09:00", "14T10:00", 1_000), ("14T10:00", None, 10_000)):
        valid_to = at(end) if end else None
        store.quota(SONNET, "geo", "tpm", value, valid_from=at(start), valid_to=valid_to, mapped=not end)
        store.quota(SONNET, "geo", "tpd", 2 * value, valid_from=at(start), valid_to=valid_to, mapped=not end)
    for minute, tokens in (("14T09:58", 900), ("14T09:59", 1_200), ("14T10:00", 1_200), ("14T10:01", 3_000)):
        store.usage(f"us.{SONNET}", at(minute), invocations=1, input_tokens=tokens)
    store.covered(DAY)
    store.build("marts.quota_headroom")

    assert store.rows("select ts, tpm_limit, tpm_utilization from marts.quota_usage_minutely order by ts") == [
        (at("14T09:58"), 1_000, 0.9),
        (at("14T09:59"), 1_000, 1.2),
        (at("14T10:00"), 10_000, 0.12),
        (at("14T10:01"), 10_000, 0.3),
    ]
    columns = "limit_value, peak, worst_minute, utilization_peak, minutes_over_80pct, minutes_over_limit"
    tpm = f"select {columns} from marts.quota_headroom where quota = 'tpm'"
    assert store.row(tpm) == (10_000, 3_000, at("14T10:01"), 1.2, 2, 1)
    # The running total was 2,100 of 2,000 for one minute; after that it is far from 20,000.
    tpd = f"select {columns} from marts.quota_headroom where quota = 'tpd'"
    assert store.row(tpd) == (20_000, 6_300, at("14T10:01"), 1.05, 1, 1)


def test_headroom_of_a_day_that_is_not_over_has_the_limit_at_the_end_of_what_was_read(store: Store) -> None:
    for start, end, value in (("10T09:00", "14T10:00", 1_000), ("14T10:00", None, 10_000)):
        valid_to = at(end) if end else None
        store.quota(SONNET, "geo", "tpm", value, valid_from=at(start), valid_to=valid_to, mapped=not end)
    store.usage(f"us.{SONNET}", at("14T09:58"), invocations=1, input_tokens=900)
    store.covered(DAY, until=at("14T10:00"))
    store.build("marts.quota_headroom")
    limit = "select limit_value from marts.quota_headroom where quota = 'tpm'"
    assert store.one(limit) == 1_000

    store.covered(DAY, until=at("14T10:01"))
    store.build("marts.quota_headroom")
    assert store.one(limit) == 10_000
