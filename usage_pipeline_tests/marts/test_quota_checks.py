"""The sixteen quota rules that other analysers get wrong, each with the numbers that are right."""

from datetime import datetime, timedelta

import pytest

from usage_pipeline_tests.marts.factory import (
    DAY,
    NOVA,
    REGION,
    SONNET,
    Store,
    arns,
    at,
    minutes_of,
)

GEO_SONNET = f"us.{SONNET}"
GEO_POOL = f"111122223333/{REGION}/geo/{SONNET}"


@pytest.fixture
def store() -> Store:
    """One geo pool of Claude Sonnet 4.5 with two application profiles made from its system profile."""
    store = Store("marts.quota_usage_minutely")
    store.burndown("*", 1)
    store.burndown("anthropic.*", 5)
    store.model_limit("anthropic.claude-sonnet-4-5*", 64000)
    store.model(SONNET, on_demand=False)
    store.model(NOVA, provider_name="Amazon")
    for profile_id in (GEO_SONNET, "searchsearch", "chatchatchat"):
        add = store.system_profile if profile_id == GEO_SONNET else store.application_profile
        add(profile_id, arns(SONNET, "us-east-1", "us-west-2"))
    return store


def statistic(store: Store, metric: str, window: str, basis: str, columns: str, profile_id: str = "ALL") -> tuple:
    return store.row(
        f"""
        select {columns} from marts.usage_statistics
        where pool_id = ? and profile_id = ? and metric = ? and window_name = ? and basis = ?
        """,
        GEO_POOL,
        profile_id,
        metric,
        window,
        basis,
    )


def test_sums_over_profiles_come_before_percentiles(store: Store) -> None:
    for profile_id in (GEO_SONNET, "searchsearch", "chatchatchat"):
        for ts in minutes_of(DAY, first=600, count=30):
            store.usage(profile_id, ts, invocations=1, input_tokens=100_000)
    store.covered(DAY)
    store.build("marts.usage_statistics")

    assert statistic(store, "tpm", "1day", "active", "p50, p90, average, data_points") == (
        300_000,
        300_000,
        300_000,
        30,
    )
    assert statistic(store, "tpm", "1day", "active", "p50, data_points", "searchsearch") == (100_000, 30)


def test_peaks_of_different_minutes_are_not_added(store: Store) -> None:
    for ts in minutes_of(DAY, first=600, every=2, count=30):
        store.usage("searchsearch", ts, invocations=1, input_tokens=100_000)
        store.usage("chatchatchat", ts + timedelta(minutes=1), invocations=1, input_tokens=100_000)
    store.covered(DAY)
    store.build("marts.usage_statistics")

    assert statistic(store, "tpm", "1day", "active", "max, data_points") == (100_000, 60)
    five_minute_peaks = store.rows(
        "select max(consumed_tokens) from marts.quota_usage_minutely group by time_bucket(interval 5 minutes, ts)"
    )
    assert set(five_minute_peaks) == {(100_000,)}


def test_the_pool_keeps_every_minute_that_its_profile_has(store: Store) -> None:
    days = [DAY - timedelta(days=back) for back in range(7)]
    for day in days:
        store.covered(day)
        for ts in minutes_of(day):
            store.usage("searchsearch", ts, invocations=1)
    store.build("marts.usage_statistics")

    for profile_id in ("searchsearch", "ALL"):
        assert statistic(store, "rpm", "7days", "active", "data_points", profile_id) == (7 * 1440,)
    for buckets, interval in ((7 * 1440, "1 minute"), (7 * 288, "5 minutes")):
        for table in ("usage_minutely", "quota_usage_minutely"):
            counted = f"select count(distinct time_bucket(interval {interval}, ts)) from marts.{table}"
            assert store.one(counted) == buckets


def test_a_throttle_stands_at_its_own_minute(store: Store) -> None:
    for ts in minutes_of(DAY):
        store.usage("searchsearch", ts, invocations=1, input_tokens=10)
    burst = [at("14T21:58"), at("14T21:59"), at("14T22:00")]
    for ts in burst:
        store.usage("searchsearch", ts, invocations=1, input_tokens=10, throttles=50)
    store.covered(DAY)
    store.build()

    throttled = "select ts from marts.{} where throttles > 0 order by ts"
    assert store.rows(throttled.format("usage_minutely")) == [(ts,) for ts in burst]
    assert store.rows(throttled.format("quota_usage_minutely")) == [(ts,) for ts in burst]


def test_a_profile_whose_every_call_was_throttled_shows_its_throttles(store: Store) -> None:
    for ts in minutes_of(DAY, first=600, count=45):
        store.usage("searchsearch", ts, throttles=10)
    store.quota(SONNET, "geo", "tpm", 1_000_000)
    store.covered(DAY)
    store.build("marts.quota_headroom", "marts.usage_statistics")

    assert statistic(store, "throttles", "1day", "active", "total, data_points, p50", "searchsearch") == (450, 45, 10)
    assert statistic(store, "tpm", "1day", "active", "total, max", "searchsearch") == (0, 0)
    headroom = "select throttles, throttled_minutes, peak from marts.quota_headroom where quota = 'tpm'"
    assert store.row(headroom) == (450, 45, 0)


def test_thirty_days_from_our_own_store_are_thirty_days(store: Store) -> None:
    for back in range(30):
        day = DAY - timedelta(days=back)
        store.covered(day)
        for ts in minutes_of(day, every=60):
            store.usage("searchsearch", ts, invocations=1, input_tokens=1_200)
    store.build("marts.usage_statistics")

    columns = "total, covered_minutes, coarse_minutes, window_minutes"
    assert statistic(store, "input_tokens", "30days", "all", columns) == (864_000, 43_200, 0, 43_200)


def test_a_window_that_was_half_read_says_so(store: Store) -> None:
    for back in range(15):
        day = DAY - timedelta(days=back)
        store.covered(day)
        for ts in minutes_of(day, every=60):
            store.usage("searchsearch", ts, invocations=1, input_tokens=1_200)
    store.build("marts.usage_statistics")

    columns = "total, covered_minutes, window_minutes, average"
    assert statistic(store, "input_tokens", "30days", "all", columns) == (432_000, 21_600, 43_200, 20)


def test_both_kinds_of_percentiles_are_given_and_named(store: Store) -> None:
    for ts in minutes_of(DAY, every=60):
        store.usage("searchsearch", ts, invocations=1, input_tokens=100_000)
    store.covered(DAY)
    store.build("marts.usage_statistics")

    columns = "p50, average, data_points, covered_minutes"
    assert statistic(store, "tpm", "1day", "active", columns) == (100_000, 100_000, 24, 1440)
    p50, average, data_points, covered_minutes = statistic(store, "tpm", "1day", "all", columns)
    assert (p50, round(average), data_points, covered_minutes) == (0, 1667, 1440, 1440)


def test_average_latency_is_weighted_by_calls(store: Store) -> None:
    store.usage("searchsearch", at("14T10:00"), invocations=1, latency_ms_sum=10_000, latency_samples=1)
    store.usage("searchsearch", at("14T10:01"), invocations=999, latency_ms_sum=99_900, latency_samples=999)
    store.covered(DAY)
    store.build("marts.latency_hourly", "marts.usage_statistics")

    assert statistic(store, "latency_ms", "1day", "active", "average, total")[0] == pytest.approx(109.9)
    assert store.one("select latency_ms_avg from marts.latency_hourly") == pytest.approx(109.9)


def test_output_tokens_burn_the_quota_at_the_rate_of_their_model(store: Store) -> None:
    counts = {"input_tokens": 1000, "cache_write_tokens": 500, "cache_read_tokens": 2000, "output_tokens": 800}
    store.usage(GEO_SONNET, at("14T10:00"), invocations=2, **counts)
    store.usage(NOVA, at("14T10:00"), invocations=2, **counts)
    store.covered(DAY)
    store.build()

    consumed = "select profile_id, consumed_tokens from marts.usage_minutely order by 2"
    assert store.rows(consumed) == [(NOVA, 2300), (GEO_SONNET, 5500)]


@pytest.mark.parametrize(
    ("published", "reserved_tokens", "source"),
    [
        ((8192, 2), 1000 + 500 + 8192, "metric"),
        ((4096, 1), 1000 + 500 + 4096 + 64000, "mixed"),
        (None, 1000 + 500 + 2 * 64000, "model_default"),
    ],
)
def test_a_request_without_max_tokens_reserves_the_models_maximum(
    store: Store, published: tuple[int, int] | None, reserved_tokens: int, source: str
) -> None:
    ts = at("14T10:00")
    store.usage(
        GEO_SONNET,
        ts,
        invocations=2,
        input_tokens=1000,
        cache_write_tokens=500,
        cache_read_tokens=2000,
        output_tokens=800,
    )
    if published:
        store.published_max_tokens(GEO_SONNET, ts, *published)
    store.covered(DAY)
    store.build()

    reserved = "select initial_reservation_tokens, initial_reservation_source from marts.usage_minutely"
    assert store.row(reserved) == (reserved_tokens, source)


def test_reservation_is_unknown_when_the_models_maximum_is(store: Store) -> None:
    store.usage(NOVA, at("14T10:00"), invocations=1, input_tokens=10)
    store.covered(DAY)
    store.build()

    assert store.row("select initial_reservation_tokens, initial_reservation_source from marts.usage_minutely") == (
        None,
        "unknown",
    )


def test_a_missing_cache_metric_counts_as_zero(store: Store) -> None:
    store.usage(GEO_SONNET, at("14T10:00"), invocations=1, input_tokens=100, output_tokens=10)
    store.covered(DAY)
    store.build()

    row = store.row("select consumed_tokens, cache_write_tokens, cache_read_tokens from marts.usage_minutely")
    assert row == (150, 0, 0)


DOUBLED = "Model invocation max tokens per day for Anthropic Claude Sonnet 4.5 V1 (doubled for cross-region calls)"


def test_tokens_per_day_are_doubled_only_for_geo_and_only_where_the_name_says_so(store: Store) -> None:
    cases = [
        ("geo", "us.", DOUBLED, 2_000),
        ("geo", "us.", "Model invocation max tokens per day for Anthropic Claude Sonnet 4.5 V1", 1_000),
        ("on_demand", "", DOUBLED, 1_000),
        ("global", "global.", "Global cross-region model inference tokens per day for X", 1_000),
        ("global", "global.", DOUBLED, 1_000),
    ]
    for number, (endpoint_type, prefix, name, _) in enumerate(cases):
        model_id = f"anthropic.claude-sonnet-4-5-{number}"
        store.model(model_id)
        store.quota(model_id, endpoint_type, "tpd", 1_000, name=name)
        store.usage(f"{prefix}{model_id}", at("14T10:00"), invocations=1, input_tokens=500)
    store.covered(DAY)
    store.build("marts.quota_headroom", "marts.quota_pools")

    day = "select limit_value, peak, utilization_peak from marts.quota_headroom where pool_id = ? and quota = 'tpd'"
    for number, (endpoint_type, _, name, limit_value) in enumerate(cases):
        pool_id = f"111122223333/{REGION}/{endpoint_type}/anthropic.claude-sonnet-4-5-{number}"
        found = store.one("select tpd_limit from marts.quota_pools where pool_id = ?", pool_id)
        assert (name, found) == (name, limit_value)
        assert store.row(day, pool_id) == (limit_value, 500, 500 / limit_value)


def test_tokens_per_day_are_given_for_utc_days_and_for_any_24_hours(store: Store) -> None:
    yesterday = DAY - timedelta(days=1)
    store.usage(GEO_SONNET, datetime(2026, 11, 13, 20), invocations=1, input_tokens=700)
    store.usage(GEO_SONNET, datetime(2026, 11, 14, 19, 59), invocations=1, input_tokens=400)
    store.usage(GEO_SONNET, datetime(2026, 11, 14, 20), invocations=1, input_tokens=50)
    store.covered(yesterday)
    store.covered(DAY)
    store.build("marts.usage_statistics")

    assert statistic(store, "tpd", "7days", "active", "max, total, data_points, partial_days") == (700, 1150, 2, 0)
    assert statistic(store, "tpd_rolling_24h", "7days", "active", "max") == (1100,)


def test_an_unfinished_day_says_that_it_is_partial(store: Store) -> None:
    store.usage(GEO_SONNET, at("14T09:00"), invocations=1, input_tokens=700)
    store.covered(DAY - timedelta(days=1))
    store.covered(DAY, until=at("14T10:30"))
    store.build("marts.usage_statistics")

    assert statistic(store, "tpd", "1day", "all", "p50, data_points, partial_days") == (700, 1, 1)
    assert statistic(store, "tpd", "7days", "all", "p50, data_points, partial_days") == (350, 2, 1)


def test_every_endpoint_type_has_its_own_limits(store: Store) -> None:
    limits = {"geo": 100, "global": 200}
    for endpoint_type, value in limits.items():
        store.quota(SONNET, endpoint_type, "tpm", value)
    for prefix in ("us", "global"):
        store.usage(f"{prefix}.{SONNET}", at("14T10:00"), invocations=1, input_tokens=50)
    store.covered(DAY)
    store.build()

    utilization = "select pool_id, tpm_utilization from marts.quota_usage_minutely order by pool_id"
    assert store.rows(utilization) == [(GEO_POOL, 0.5), (GEO_POOL.replace("/geo/", "/global/"), 0.25)]


def test_a_shown_limit_is_the_applied_value_then_the_default_then_unknown(store: Store) -> None:
    store.quota(SONNET, "geo", "tpm", 5_000_000, source="applied")
    store.quota(SONNET, "geo", "rpm", 1_000, source="default")
    store.mapping(SONNET, "geo", "tpd", status="unmapped", method="none")
    store.usage(GEO_SONNET, at("14T10:00"), invocations=1, input_tokens=50)
    store.covered(DAY)
    store.build("marts.quota_pools", "marts.quota_usage_minutely")

    columns = (
        "tpm_limit, tpm_limit_source, rpm_limit, rpm_limit_source, tpd_limit, tpd_limit_source, tpd_mapping_status"
    )
    pool = store.row(f"select {columns} from marts.quota_pools where pool_id = ?", GEO_POOL)
    assert pool == (5_000_000, "applied", 1_000, "default", None, None, "unmapped")
    assert store.one("select tpd_utilization from marts.quota_usage_minutely") is None


def test_a_limit_of_zero_is_a_value_that_any_use_is_over(store: Store) -> None:
    store.quota(SONNET, "geo", "tpm", 0)
    store.usage(GEO_SONNET, at("14T10:00"), invocations=1, input_tokens=50)
    store.covered(DAY)
    store.build("marts.quota_headroom")

    headroom = """
        select limit_value, utilization_peak, minutes_over_80pct, minutes_over_limit
        from marts.quota_headroom where quota = 'tpm'
    """
    assert store.row(headroom) == (0, None, 1, 1)


def test_headroom_has_peak_percentiles_breaches_throttles_and_who_it_was(store: Store) -> None:
    store.quota(SONNET, "geo", "tpm", 1000)
    for ts, tokens in zip(minutes_of(DAY, first=600, count=4), (500, 840, 1200, 100), strict=True):
        throttles = 7 if tokens == 1200 else 0
        store.usage("searchsearch", ts, invocations=1, input_tokens=tokens * 3 // 4)
        store.usage("chatchatchat", ts, invocations=1, input_tokens=tokens // 4, throttles=throttles)
    store.covered(DAY)
    store.build("marts.quota_headroom")

    columns = """
        limit_value, peak, utilization_peak, minutes_over_80pct, minutes_over_limit, throttles, throttled_minutes,
        worst_minute, worst_minute_throttles, top_profiles, covered_minutes, p50, p99, p50_active, resolution_seconds
    """
    expected = {
        "limit_value": 1000,
        "peak": 1200,
        "utilization_peak": 1.2,
        "minutes_over_80pct": 2,
        "minutes_over_limit": 1,
        "throttles": 7,
        "throttled_minutes": 1,
        "worst_minute": at("14T10:02"),
        "worst_minute_throttles": 7,
        "top_profiles": [
            {"profile_id": "searchsearch", "profile_name": "searchsearch", "share": 0.75},
            {"profile_id": "chatchatchat", "profile_name": "chatchatchat", "share": 0.25},
        ],
        "covered_minutes": 1440,
        "p50": 0,
        "p99": 0,
        "p50_active": (500 + 840) / 2,
        "resolution_seconds": 60,
    }
    row = store.row(f"select {columns} from marts.quota_headroom where quota = 'tpm'")
    assert dict(zip(expected, row, strict=True)) == expected
