"""Statistics over windows: against numpy, and what they say about time that was not read."""

from datetime import datetime, timedelta

import numpy as np
import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from usage_pipeline_tests.marts.factory import ACCOUNT, DAY, NOVA, Store, arns, at

QUANTILES = (0.5, 0.9, 0.95, 0.99, 0.999)


def nova_store() -> Store:
    store = Store("marts.usage_statistics")
    store.burndown("*", 1)
    store.model(NOVA)
    return store


def statistic(
    store: Store,
    metric: str,
    window: str,
    basis: str,
    columns: str,
    profile_id: str = NOVA,
    account_id: str = ACCOUNT,
) -> tuple:
    return store.row(
        f"""
        select {columns} from marts.usage_statistics
        where account_id = ? and profile_id = ? and metric = ? and window_name = ? and basis = ?
        """,
        account_id,
        profile_id,
        metric,
        window,
        basis,
    )


# Minutes of one hour with use: few, about half, nearly all; some of them without a single token.
busy_minutes = st.dictionaries(st.integers(0, 59), st.integers(0, 10_000), min_size=1, max_size=60)


ACCOUNTS = [f"{number:012d}" for number in range(3)]
"""Each has minutes of its own in one store: building the model takes as long for one as for three."""


@settings(max_examples=6, deadline=None, suppress_health_check=[HealthCheck.too_slow])
@given(st.tuples(*[busy_minutes] * len(ACCOUNTS)), st.integers(30, 60))
def test_percentiles_are_those_of_numpy(minutes_of_accounts: tuple[dict[int, int], ...], covered_minutes: int) -> None:
    store = nova_store()
    start = at("14T10:00")
    end = start + timedelta(minutes=covered_minutes)
    for account_id, minutes in zip(ACCOUNTS, minutes_of_accounts, strict=True):
        store.scope(account_id, account_id)
        store.model(NOVA, account_id=account_id)
        store.covered(DAY, until=end, account_id=account_id, account_name=account_id)
        for minute, tokens in minutes.items():
            if minute < covered_minutes:
                ts = start + timedelta(minutes=minute)
                store.usage(NOVA, ts, account_id=account_id, invocations=1, input_tokens=tokens)
    store.build()

    window_start = end - timedelta(hours=1)
    columns = "p50, p90, p95, p99, p999, max, average, total, data_points"
    for account_id, minutes in zip(ACCOUNTS, minutes_of_accounts, strict=True):
        moments = {start + timedelta(minutes=minute): tokens for minute, tokens in minutes.items()}
        active = [tokens for moment, tokens in moments.items() if window_start <= moment < end]
        every = active + [0] * (60 - len(active))
        if not active:
            continue
        for basis, values in (("active", active), ("all", every)):
            expected = [*np.quantile(values, QUANTILES), max(values), np.mean(values), sum(active), len(values)]
            found = statistic(store, "tpm", "1hour", basis, columns, account_id=account_id)
            assert found == pytest.approx(expected)


def test_windows_end_where_the_newest_reading_ends() -> None:
    store = nova_store()
    store.usage(NOVA, at("14T09:30"), invocations=7)
    store.usage(NOVA, at("14T10:29"), invocations=5)
    store.covered(DAY, until=at("14T10:30"))
    store.build()
    columns = "window_start, window_end, total"
    assert statistic(store, "rpm", "1hour", "all", columns) == (at("14T09:30"), at("14T10:30"), 12)
    assert statistic(store, "rpm", "1day", "all", columns) == (at("13T10:30"), at("14T10:30"), 12)


def test_a_period_before_the_window_is_not_in_it() -> None:
    store = nova_store()
    store.usage(NOVA, at("14T09:29"), invocations=7)
    store.usage(NOVA, at("14T10:29"), invocations=5)
    store.covered(DAY, until=at("14T10:30"))
    store.build()
    assert statistic(store, "rpm", "1hour", "all", "total, max") == (5, 5)


def test_minutes_read_coarsely_are_counted_apart_and_only_in_the_total() -> None:
    store = nova_store()
    yesterday = DAY - timedelta(days=1)
    store.covered(yesterday, resolution=300)
    store.covered(DAY)
    store.usage(NOVA, at("13T10:00"), period=300, invocations=5, input_tokens=5_000)
    store.usage(NOVA, at("14T10:00"), invocations=1, input_tokens=100)
    store.build()

    columns = "total, max, data_points, covered_minutes, coarse_minutes, average"
    assert statistic(store, "input_tokens", "7days", "active", columns) == (5_100, 100, 1, 1440, 1440, 100)
    assert statistic(store, "input_tokens", "7days", "all", columns) == (5_100, 100, 1440, 1440, 1440, 5_100 / 2880)


def test_a_scope_that_was_not_read_is_not_idle() -> None:
    store = nova_store()
    store.covered(DAY)
    store.scope("444455556666", "research")
    store.model(NOVA, account_id="444455556666")
    store.covered(DAY, account_id="444455556666", account_name="research", status="denied", until=at("14T06:00"))
    for account_id in ("111122223333", "444455556666"):
        store.usage(NOVA, at("14T05:00"), invocations=1, account_id=account_id)
    store.build()
    covered = """
        select account_name, covered_minutes, data_points from marts.usage_statistics
        where profile_id = 'ALL' and metric = 'rpm' and window_name = '1day' and basis = 'all' order by 1
    """
    assert store.rows(covered) == [("production", 1440, 1440), ("research", 360, 360)]


def test_an_idle_profile_that_people_made_has_zeros_and_an_unused_one_of_awss_has_no_rows() -> None:
    store = nova_store()
    store.application_profile("idleidleidle", arns(NOVA, "us-east-1"), tags={"team": "pilot"})
    store.system_profile(f"us.{NOVA}", arns(NOVA, "us-east-1", "us-west-2"))
    store.covered(DAY)
    store.build()

    columns = "p50, max, total, average, data_points"
    assert statistic(store, "tpm", "1day", "all", columns, "idleidleidle") == (0, 0, 0, 0, 1440)
    assert statistic(store, "tpm", "1day", "active", columns, "idleidleidle") == (None, None, 0, None, 0)
    assert store.rows("select distinct profile_id from marts.usage_statistics order by 1") == [
        ("ALL",),
        ("idleidleidle",),
    ]


def test_throttled_minutes_count_as_active() -> None:
    store = nova_store()
    store.usage(NOVA, at("14T10:00"), invocations=1, input_tokens=100)
    store.usage(NOVA, at("14T10:01"), throttles=9)
    store.covered(DAY)
    store.build()
    assert statistic(store, "tpm", "1day", "active", "p50, data_points") == (50, 2)
    assert statistic(store, "throttles", "1day", "active", "p50, max, total") == (4.5, 9, 9)


def test_every_window_metric_and_basis_has_one_row() -> None:
    store = nova_store()
    store.usage(NOVA, at("14T10:00"), invocations=1, input_tokens=100, latency_ms_sum=10, latency_samples=1)
    store.covered(DAY)
    store.build()
    rows = store.rows("select metric, basis, window_name from marts.usage_statistics where profile_id = 'ALL'")
    assert len(rows) == len(set(rows))
    both = {metric for metric, basis, _ in rows if basis == "all"}
    assert both == {
        "aws_estimated_tokens",
        "cache_read_tokens",
        "cache_write_tokens",
        "client_errors",
        "initial_reservation_tokens",
        "input_tokens",
        "invocations",
        "output_tokens",
        "rpm",
        "server_errors",
        "throttles",
        "tpd",
        "tpm",
    }
    assert {metric for metric, _, _ in rows} - both == {"latency_ms", "reserved_tokens", "ttft_ms", "tpd_rolling_24h"}
    # No day begins in the last hour, so tokens per day have no row there.
    assert {window for metric, _, window in rows if metric == "tpd"} == {"1day", "7days", "14days", "30days"}


def test_a_window_that_ends_at_midnight_ends_with_the_day_before() -> None:
    store = nova_store()
    for back in range(2):
        day = DAY - timedelta(days=back)
        store.covered(day)
        store.usage(NOVA, datetime(day.year, day.month, day.day), invocations=1, input_tokens=100 * (back + 1))
    store.build()
    assert statistic(store, "tpd", "1day", "all", "max, data_points, partial_days") == (100, 1, 0)


def test_a_metric_that_aws_never_gave_is_unknown_not_zero() -> None:
    store = nova_store()
    store.usage(NOVA, at("14T10:00"), invocations=1, input_tokens=100)
    store.usage(NOVA, at("14T10:01"), throttles=1)
    store.covered(DAY)
    store.build()
    columns = "total, average, unknown_periods, data_points"
    assert statistic(store, "aws_estimated_tokens", "1day", "all", columns) == (None, None, 1, 1439)
    assert statistic(store, "initial_reservation_tokens", "1day", "all", columns) == (None, None, 1, 1439)
    # Without logs nobody knows what the call held, nor whether it still ran in the minute of the throttle.
    assert statistic(store, "reserved_tokens", "1day", "active", columns) == (None, None, 2, 0)
