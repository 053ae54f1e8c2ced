import math
from collections.abc import Mapping
from datetime import date, datetime
from typing import Any

import duckdb
import pytest
from hypothesis import example, given, settings
from hypothesis import strategies as st

from usage_pipeline.report.contents import Pool, Report
from usage_pipeline.report.usage_details import UsageDetails, covered_minutes, read_performance, read_usage_details
from usage_pipeline_tests.report.sample import COVERED_UNTIL, HOSTILE_PROFILE, LITE_POOL, SONNET_POOL

POOL = "111122223333/us-east-1/geo/m"
DAY = date(2026, 11, 15)
DAYS = {"first_day": date(2026, 11, 14), "last_day": DAY}
SPAN = (datetime.fromisoformat("2026-11-14"), datetime.fromisoformat("2026-11-16"))


@pytest.fixture
def con() -> duckdb.DuckDBPyConnection:
    """Only the columns that details are made of."""
    con = duckdb.connect()
    con.execute("""
        create schema marts;
        create table marts.throttle_causes_daily (
            pool_id varchar, usage_date date, cause varchar, throttled_minutes bigint, certain_minutes bigint,
            throttles bigint, minutes_share double, throttles_share double
        );
        create table marts.throttle_events (
            pool_id varchar, usage_date date, ts timestamp, resolution_seconds integer, throttles bigint,
            invocations bigint, cause varchar, is_certain boolean, is_retry_storm boolean, consumed_tokens bigint,
            reserved_tokens bigint, tpm_limit bigint, rpm_limit bigint, tpd_limit bigint,
            top_consumers struct(
                profile_id varchar, profile_name varchar, application varchar, role_or_user varchar,
                invocations bigint, tokens bigint
            )[],
            victims struct(profile_id varchar, profile_name varchar, throttles bigint)[]
        );
        create table marts.reservations_minutely (
            pool_id varchar, usage_date date, ts timestamp, initial_reservation_tokens bigint, settled_tokens bigint,
            reserved_tokens bigint, source varchar
        );
        create table marts.invocations (
            pool_id varchar, application varchar, usage_date date, error_code varchar, latency_ms double,
            ttft_ms double, tpot_ms double
        );
        create table marts.quota_usage_minutely (
            pool_id varchar, ts timestamp, resolution_seconds integer, consumed_tokens bigint,
            tokens_per_minute double, invocations bigint, requests_per_minute double, throttles bigint
        );
        create table marts.usage_minutely (
            pool_id varchar, usage_date date, profile_id varchar, consumed_tokens bigint, invocations bigint,
            throttles bigint
        );
    """)
    return con


def put(con: duckdb.DuckDBPyConnection, table: str, rows: list[dict[str, Any]]) -> None:
    for row in rows:
        values = {"pool_id": POOL} | row
        marks = ", ".join("?" for _ in values)
        con.execute(f"insert into {table} ({', '.join(values)}) values ({marks})", list(values.values()))


def details(con: duckdb.DuckDBPyConnection, covered: Mapping[Any, Any] | None = None) -> UsageDetails:
    return read_usage_details(con, DAYS, SPAN, covered or {})


def throttled(minute: str, throttles: int, *, is_storm: bool = False, **more: Any) -> dict[str, Any]:
    return {
        "usage_date": DAY,
        "ts": f"2026-11-15T{minute}",
        "resolution_seconds": 60,
        "throttles": throttles,
        "invocations": 10,
        "cause": "tpm",
        "is_certain": False,
        "is_retry_storm": is_storm,
    } | more


def test_fifty_worst_minutes_are_listed_and_all_are_counted(con: duckdb.DuckDBPyConnection) -> None:
    put(con, "marts.throttle_events", [throttled(f"10:{minute:02}", minute + 1) for minute in range(55)])
    found = details(con).throttling[POOL]
    assert (found.minutes, found.throttles, len(found.events)) == (55, 55 * 56 // 2, 50)
    assert [event.throttles for event in found.events[:3]] == [55, 54, 53]


def test_storms_that_follow_each_other_are_one(con: duckdb.DuckDBPyConnection) -> None:
    minutes = ["10:00", "10:01", "10:02", "11:30", "11:31", "11:32"]
    put(con, "marts.throttle_events", [throttled(minute, 5, is_storm=True) for minute in minutes])
    put(con, "marts.throttle_events", [throttled("10:03", 1)])
    storms = details(con).throttling[POOL].storms
    assert [(str(storm.start), str(storm.end), storm.minutes, storm.throttles) for storm in storms] == [
        ("2026-11-15 10:00:00", "2026-11-15 10:03:00", 3, 15),
        ("2026-11-15 11:30:00", "2026-11-15 11:33:00", 3, 15),
    ]


def test_consumers_are_added_up_over_minutes_and_unknown_tokens_stay_unknown(con: duckdb.DuckDBPyConnection) -> None:
    def use(profile: str, role: str | None, tokens: int | None) -> dict[str, Any]:
        return {
            "profile_id": profile,
            "profile_name": profile.upper(),
            "application": None,
            "role_or_user": role,
            "invocations": 1,
            "tokens": tokens,
        }

    minutes = [
        throttled("10:00", 5, top_consumers=[use("a", "x", 100), use("b", None, 7)]),
        throttled("10:01", 5, top_consumers=[use("a", "x", 50), use("b", None, None)]),
        throttled("10:02", 5, top_consumers=[use("a", "y", 120)]),
    ]
    put(con, "marts.throttle_events", minutes)
    found = details(con).throttling[POOL].consumers
    assert [(row.profile_id, row.role_or_user, row.minutes, row.tokens, row.invocations) for row in found] == [
        ("a", "x", 2, 150, 2),
        ("a", "y", 1, 120, 1),
        ("b", None, 2, None, 2),
    ]


def test_only_ten_victims_are_listed_worst_first(con: duckdb.DuckDBPyConnection) -> None:
    victims = [{"profile_id": f"p{n}", "profile_name": f"P{n}", "throttles": n} for n in range(1, 13)]
    put(con, "marts.throttle_events", [throttled("10:00", 78, victims=victims)])
    found = details(con).throttling[POOL].victims
    assert [(row.profile_name, row.throttles) for row in found] == [(f"P{n}", n) for n in range(12, 2, -1)]


def test_pool_without_throttles_has_no_throttling(con: duckdb.DuckDBPyConnection) -> None:
    assert details(con).throttling == {}


def test_reservation_is_held_against_what_was_consumed(con: duckdb.DuckDBPyConnection) -> None:
    minutes = [
        ("10:00", 1000, 300, 1200, "logs"),
        ("10:01", 100, 400, 900, "logs"),  # the burndown rate made more of it than was held
        ("10:02", None, 50, None, None),
        ("10:03", 200, 200, 1200, "estimated"),
    ]
    put(
        con,
        "marts.reservations_minutely",
        [
            {"usage_date": DAY, "ts": f"2026-11-15T{minute}"}
            | {"initial_reservation_tokens": initial, "settled_tokens": settled}
            | {"reserved_tokens": reserved, "source": source}
            for minute, initial, settled, reserved, source in minutes
        ],
    )
    found = details(con).reservations[POOL]
    assert (found.minutes, found.estimated_minutes) == (3, 1)
    assert (found.initial_reservation_tokens, found.settled_tokens, found.for_nothing_tokens) == (1300, 900, 700)
    assert found.for_nothing_share == pytest.approx(700 / 1300)
    assert (found.reserved_peak, str(found.reserved_peak_at)) == (1200, "2026-11-15 10:00:00")


def call(application: str, latency: float | None, day: date = DAY, **more: Any) -> dict[str, Any]:
    return {"application": application, "usage_date": day, "latency_ms": latency} | more


def test_performance_is_of_pools_applications_and_days(con: duckdb.DuckDBPyConnection) -> None:
    put(
        con,
        "marts.invocations",
        [
            call("a", 100, ttft_ms=10.0, tpot_ms=1.0),
            call("a", 300),
            call("b", 200, date(2026, 11, 14)),
            call("b", 9_999, error_code="ThrottlingException"),
            call("b", None),
        ],
    )
    found = details(con)
    rows = [(row.application, row.metric, row.calls, row.average, row.min, row.max) for row in found.performance[POOL]]
    assert rows == [
        (None, "latency_ms", 3, 200, 100, 300),
        (None, "tpot_ms", 1, 1, 1, 1),
        (None, "ttft_ms", 1, 10, 10, 10),
        ("a", "latency_ms", 2, 200, 100, 300),
        ("a", "tpot_ms", 1, 1, 1, 1),
        ("a", "ttft_ms", 1, 10, 10, 10),
        ("b", "latency_ms", 1, 200, 200, 200),
    ]
    by_day = [(str(row.usage_date), row.metric, row.calls) for row in found.performance_days[POOL]]
    assert by_day == [
        ("2026-11-14", "latency_ms", 1),
        ("2026-11-15", "latency_ms", 2),
        ("2026-11-15", "tpot_ms", 1),
        ("2026-11-15", "ttft_ms", 1),
    ]


EMPTY = duckdb.connect()
EMPTY.execute("create schema marts")


@settings(max_examples=25, deadline=None)
@example([1.0, 1 / 3])
@given(st.lists(st.floats(0.01, 600_000), min_size=1, max_size=60))
def test_percentiles_are_within_one_percent_of_a_time_that_occurred(times: list[float]) -> None:
    EMPTY.execute(
        """
        create or replace table marts.invocations as
        select
            'p/q/r/s' as pool_id,
            'a' as application,
            date '2026-11-15' as usage_date,
            null::varchar as error_code,
            unnest($times::double[]) as latency_ms,
            null::double as ttft_ms,
            null::double as tpot_ms
        """,
        {"times": times},
    )
    row = read_performance(EMPTY, DAYS)[0]["p/q/r/s"][0]
    ordered = sorted(times)
    for share, found in ((0.5, row.p50), (0.9, row.p90), (0.99, row.p99)):
        assert found == pytest.approx(ordered[math.ceil(share * len(ordered) - 1e-9) - 1], rel=0.0101, abs=0.0006)
    assert (row.calls, row.min, row.max) == (len(times), min(times), max(times))


def minute(ts: str, tokens: int | None, requests: int, throttles: int = 0, resolution: int = 60) -> dict[str, Any]:
    return {
        "ts": ts,
        "resolution_seconds": resolution,
        "consumed_tokens": tokens,
        "tokens_per_minute": None if tokens is None else tokens * 60 / resolution,
        "invocations": requests,
        "requests_per_minute": requests * 60 / resolution,
        "throttles": throttles,
    }


def test_hours_of_the_week_hold_sums_and_highest_minutes(con: duckdb.DuckDBPyConnection) -> None:
    put(
        con,
        "marts.quota_usage_minutely",
        [
            minute("2026-11-14T09:00", 100, 1),  # Saturday
            minute("2026-11-15T09:01", 300, 2, throttles=4),  # Sunday
            minute("2026-11-15T09:30", 3_000, 20, resolution=300),
            minute("2026-11-15T10:00", None, 1),
        ],
    )
    covered = {("111122223333", "us-east-1"): [(SPAN[0], datetime.fromisoformat("2026-11-15T10:30"))]}
    heat = details(con, covered).heat[POOL]
    saturday, sunday = 24 * 5 + 9, 24 * 6 + 9
    assert [
        (heat.tokens[place], heat.tpm_max[place], heat.requests[place], heat.rpm_max[place])
        for place in (saturday, sunday)
    ] == [
        (100, 100, 1, 1),
        (3_300, 600, 22, 4),
    ]
    assert (heat.minutes_active[sunday], heat.throttles[sunday], heat.minutes_covered[sunday]) == (6, 4, 60)
    assert (heat.tokens[sunday + 1], heat.minutes_covered[sunday + 1]) == (None, 30)
    assert (heat.tokens[24 * 5], heat.minutes_covered[24 * 5]) == (0, 60)
    assert (heat.tokens[0], heat.minutes_covered[0]) == (None, None)


@pytest.mark.parametrize(
    ("stretch", "minutes"),
    [
        (("2026-11-16T00:00", "2026-11-16T01:30"), {0: 60, 1: 30}),
        (("2026-11-15T23:50", "2026-11-16T00:10"), {167: 10, 0: 10}),
        (("2026-11-01T00:00", "2026-11-15T23:00"), {}),
        (("2026-11-23T00:15", "2026-11-24T00:00"), {0: 15}),
    ],
)
def test_covered_minutes_are_by_hour_of_the_week(stretch: tuple[str, str], minutes: dict[int, int]) -> None:
    start, end = datetime.fromisoformat("2026-11-15T23:00"), datetime.fromisoformat("2026-11-23T00:30")
    begins, ends = (datetime.fromisoformat(time) for time in stretch)
    found = covered_minutes([(begins, ends)], start, end)
    assert {place: count for place, count in enumerate(found) if count} == minutes


# ---------------------------------------------------------------------------------------------------------------------
# On the sample


def pool_of(report: Report, pool_id: str) -> Pool:
    return next(pool for pool in report.pools if pool.pool_id == pool_id)


def test_throttles_of_the_sample_are_the_tables(report: Report) -> None:
    found = pool_of(report, SONNET_POOL).throttling
    assert found is not None
    assert [(str(event.ts), event.throttles) for event in found.events] == [("2026-11-15 08:15:00", 450)]
    assert [(victim.profile_id, victim.throttles) for victim in found.victims] == [(HOSTILE_PROFILE, 450)]


def test_days_of_profiles_add_up_to_the_pool(report: Report) -> None:
    for pool in report.pools:
        if pool.has_traffic:
            assert sum(day.consumed_tokens or 0 for day in pool.profile_days) == pool.consumed_tokens


def test_longest_window_has_what_the_pool_has(report: Report) -> None:
    for pool in report.pools:
        if pool.has_traffic:
            found = pool.windows["30days"]
            assert (found.risk, found.utilization_peak, found.utilization_quota, found.headroom) == (
                *(pool.risk, pool.utilization_peak, pool.utilization_quota, pool.headroom),
            )
            assert (found.throttles, found.throttled_minutes, found.consumed_tokens) == (
                *(pool.throttles, pool.throttled_minutes, pool.consumed_tokens),
            )


def test_shorter_window_looks_at_its_own_days(report: Report) -> None:
    lite = pool_of(report, LITE_POOL).windows
    assert (lite["1day"].consumed_tokens, lite["30days"].consumed_tokens) == (97_650, 3 * 97_650)
    days = report.window_days["7days"]
    assert (str(days.first_day), str(days.last_day)) == ("2026-11-09", "2026-11-15")
    assert COVERED_UNTIL.date() == days.last_day
