from datetime import datetime, timedelta

import duckdb
import pytest

from usage_pipeline.report import chart_levels, chart_series
from usage_pipeline.report.chart_levels import ChartWindow
from usage_pipeline.report.chart_series import MarkedMinutes, PoolSeries, read_pool_series

END = datetime.fromisoformat("2026-11-15T10:27")
POOL = "111122223333/us-east-1/on_demand/m"


@pytest.fixture
def con() -> duckdb.DuckDBPyConnection:
    """Only the columns that charts are made of."""
    con = duckdb.connect()
    con.execute("create schema marts")
    con.execute("""
        create table marts.quota_usage_minutely (
            pool_id varchar, usage_date date, ts timestamp, resolution_seconds integer,
            tokens_per_minute double, requests_per_minute double, day_tokens_running bigint,
            initial_reservation_tokens bigint, reserved_tokens bigint,
            throttles bigint, client_errors bigint, server_errors bigint,
            latency_ms_sum decimal(18, 3), latency_samples bigint, ttft_ms_sum decimal(18, 3), ttft_samples bigint,
            tpm_limit bigint, rpm_limit bigint, tpd_limit bigint
        )
    """)
    con.execute("""
        create table marts.usage_minutely (
            pool_id varchar, profile_id varchar, ts timestamp, resolution_seconds integer,
            consumed_tokens bigint, invocations bigint, throttles bigint
        )
    """)
    return con


def use(
    con: duckdb.DuckDBPyConnection,
    ts: str,
    profiles: dict[str, tuple[int, int]],
    *,
    day_total: int = 0,
    throttles: int = 0,
    latency: tuple[int, int] = (0, 0),
    resolution: int = 60,
    tpm_limit: int | None = 100,
    reserved: tuple[int | None, int | None] = (None, None),
) -> None:
    """One period of the pool: tokens and requests by profile; `latency` is (sum of milliseconds, calls), `reserved`
    what calls held at their start, and the most that calls held at once.
    """
    tokens = sum(tokens for tokens, _ in profiles.values())
    requests = sum(requests for _, requests in profiles.values())
    con.execute(
        "insert into marts.quota_usage_minutely "
        "values (?, ?::date, ?, ?, ?, ?, ?, ?, ?, ?, 0, 0, ?, ?, 0, 0, ?, 50, 1000)",
        [
            *(POOL, ts, ts, resolution, tokens * 60 / resolution, requests * 60 / resolution, day_total),
            *(*reserved, throttles, *latency, tpm_limit),
        ],
    )
    for profile_id, (profile_tokens, profile_requests) in profiles.items():
        con.execute(
            "insert into marts.usage_minutely values (?, ?, ?, ?, ?, ?, 0)",
            [POOL, profile_id, ts, resolution, profile_tokens, profile_requests],
        )


def window(length: timedelta, seconds: int, name: str = "w") -> ChartWindow:
    return ChartWindow(name, END - length, END, seconds)


def series(con: duckdb.DuckDBPyConnection, *windows: ChartWindow) -> PoolSeries:
    return read_pool_series(con, windows)[POOL]


def test_rate_of_a_period_is_its_highest_minute_of_the_sum_over_profiles(con: duckdb.DuckDBPyConnection) -> None:
    # Two profiles alternate: the pool never has more than 100 tokens in a minute, though each has a peak of 100.
    for ts, profile in (("10:05", "a"), ("10:06", "b"), ("10:07", "a")):
        use(con, f"2026-11-15T{ts}", {profile: (100, 2)})
    level = series(con, window(timedelta(minutes=27), 300)).levels[0]
    assert (str(level.start), level.step_seconds, level.points) == ("2026-11-15 10:00:00", 300, 6)
    assert (level.pool["at"], level.pool["tpm"], level.pool["rpm"]) == ([1], [100], [2])
    assert {profile: (points["at"], points["tpm"]) for profile, points in level.profiles.items()} == {
        "a": ([1], [100]),
        "b": ([1], [100]),
    }


def test_a_period_has_its_lowest_minute_with_use_beside_its_highest(con: duckdb.DuckDBPyConnection) -> None:
    for ts, tokens in (("10:05", 30), ("10:06", 90), ("10:08", 50), ("10:11", 70)):
        use(con, f"2026-11-15T{ts}", {"a": (tokens, tokens // 10)})
    level = series(con, window(timedelta(minutes=27), 300)).levels[0]
    assert level.pool["at"] == [1, 2]
    assert (level.pool["tpm"], level.pool["tpm_min"]) == ([90, 70], [30, 70])
    assert (level.pool["rpm"], level.pool["rpm_min"]) == ([9, 7], [3, 7])


def test_what_calls_held_is_the_highest_minute_of_both_kinds(con: duckdb.DuckDBPyConnection) -> None:
    use(con, "2026-11-15T10:05", {"a": (1, 1)}, reserved=(300, 200))
    use(con, "2026-11-15T10:06", {"a": (1, 1)}, reserved=(100, 250))
    use(con, "2026-11-15T10:11", {"a": (1, 1)})
    level = series(con, window(timedelta(minutes=27), 300)).levels[0]
    assert (level.pool["initial_reservation"], level.pool["reserved"]) == ([300, None], [250, None])


def test_minutes_reach_back_two_days_where_a_window_does(con: duckdb.DuckDBPyConnection) -> None:
    use(con, "2026-11-13T10:27", {"a": (1, 1)})
    use(con, "2026-11-13T10:26", {"a": (1, 1)})
    hour, week = window(timedelta(hours=1), 60, "1hour"), window(timedelta(days=7), 300, "7days")
    minutes = series(con, hour, week).levels[0]
    assert (str(minutes.start), minutes.points, minutes.pool["at"]) == ("2026-11-13 10:27:00", 2880, [0])


def test_every_minute_of_a_window_has_a_point_at_one_minute(con: duckdb.DuckDBPyConnection) -> None:
    use(con, "2026-11-15T09:27", {"a": (5, 1)})
    use(con, "2026-11-15T10:26", {"a": (7, 1)})
    level = series(con, window(timedelta(hours=1), 60)).levels[0]
    assert level.points == 60
    assert (level.pool["at"], level.pool["tpm"]) == ([0, 59], [5, 7])


def test_counts_are_summed_and_latency_is_weighted_by_calls(con: duckdb.DuckDBPyConnection) -> None:
    # A call of 10 s in one minute and 999 calls of 100 ms in the next.
    use(con, "2026-11-15T10:00", {"a": (1, 1)}, throttles=2, latency=(10_000, 1))
    use(con, "2026-11-15T10:01", {"a": (1, 999)}, throttles=3, latency=(99_900, 999))
    level = series(con, window(timedelta(hours=1), 3600)).levels[0]
    assert (level.pool["at"], level.pool["throttles"], level.pool["latency"]) == ([1], [5], [109.9])


def test_series_that_nothing_fills_is_not_made(con: duckdb.DuckDBPyConnection) -> None:
    use(con, "2026-11-15T10:00", {"a": (1, 1)})
    level = series(con, window(timedelta(hours=1), 60)).levels[0]
    assert set(level.pool) == {"at", "tpm", "rpm", "tpd"}


def test_profile_that_is_alone_is_the_pool(con: duckdb.DuckDBPyConnection) -> None:
    use(con, "2026-11-15T10:00", {"a": (1, 1)})
    assert series(con, window(timedelta(hours=1), 60)).levels[0].profiles == {}


def test_windows_of_one_granularity_share_their_points(con: duckdb.DuckDBPyConnection) -> None:
    use(con, "2026-11-15T10:00", {"a": (1, 1)})
    hour, day = window(timedelta(hours=1), 60, "1hour"), window(timedelta(days=1), 60, "1day")
    month = window(timedelta(days=30), 3600, "30days")
    found = [(level.windows, level.points) for level in series(con, hour, day, month).levels]
    assert found == [(("1hour", "1day"), 2880), (("30days",), 721)]


def test_every_minute_over_a_limit_and_every_throttled_minute_is_marked(con: duckdb.DuckDBPyConnection) -> None:
    use(con, "2026-11-14T08:00", {"a": (101, 1)})
    use(con, "2026-11-14T08:01", {"a": (250, 1)})
    use(con, "2026-11-14T08:02", {"a": (100, 51)}, throttles=9)
    markers = series(con, window(timedelta(days=30), 3600)).markers
    assert {name: ([str(ts) for ts in marked.ts], marked.value) for name, marked in markers.items()} == {
        "tpm": (["2026-11-14 08:00:00", "2026-11-14 08:01:00"], [101, 250]),
        "rpm": (["2026-11-14 08:02:00"], [51]),
        "throttles": (["2026-11-14 08:02:00"], [9]),
    }


def test_day_quota_is_marked_once_a_day_when_it_is_passed(con: duckdb.DuckDBPyConnection) -> None:
    for minute, total in (("08:00", 1000), ("08:01", 1001), ("08:02", 1500)):
        use(con, f"2026-11-14T{minute}", {"a": (1, 1)}, day_total=total)
    markers = series(con, window(timedelta(days=7), 300)).markers
    assert markers["tpd"] == MarkedMinutes((datetime.fromisoformat("2026-11-14T08:01"),), [1001])


def test_change_of_a_quota_is_kept_with_its_minute(con: duckdb.DuckDBPyConnection) -> None:
    for ts, limit in (("12T08:00", None), ("13T08:00", 100), ("14T08:00", 100), ("14T08:01", 200), ("14T08:02", 200)):
        use(con, f"2026-11-{ts}", {"a": (1, 1)}, tpm_limit=limit)
    limits = series(con, window(timedelta(days=7), 300)).limits["tpm"]
    assert [(str(change.since), change.value) for change in limits] == [
        ("2026-11-12 08:00:00", None),
        ("2026-11-13 08:00:00", 100),
        ("2026-11-14 08:01:00", 200),
    ]


def test_periods_that_cloudwatch_kept_coarser_are_not_drawn_finer(con: duckdb.DuckDBPyConnection) -> None:
    use(con, "2026-11-14T08:00", {"a": (6000, 60)}, resolution=3600)
    level = series(con, window(timedelta(days=7), 300)).levels[0]
    assert (level.step_seconds, str(level.coarse_until)) == (3600, "2026-11-14 09:00:00")
    assert (level.pool["tpm"], level.pool["rpm"]) == ([100], [1])


def test_nothing_is_read_outside_the_windows(con: duckdb.DuckDBPyConnection) -> None:
    use(con, "2026-11-15T10:27", {"a": (1, 1)})
    use(con, "2026-11-15T09:26", {"a": (1, 1)})
    assert read_pool_series(con, [window(timedelta(hours=1), 60)]) == {}
    assert read_pool_series(con, []) == {}


def test_coarser_levels_take_the_next_granularity_where_points_are_too_many(
    con: duckdb.DuckDBPyConnection, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(chart_levels, "MOST_POINTS", 90)
    for minute in range(0, 600, 5):
        use(con, f"2026-11-15T{minute // 60:02}:{minute % 60:02}", {"a": (minute, 1)})
    week, month = window(timedelta(days=7), 300, "7days"), window(timedelta(days=30), 900, "30days")
    levels = series(con, week, month).levels
    assert [(level.windows, level.step_seconds, len(level.pool["at"])) for level in levels] == [
        (("7days",), 900, 40),
        (("30days",), 3600, 10),
    ]
    assert levels[1].pool["tpm"][-1] == 595


def test_minutes_keep_rates_and_failures_where_points_are_too_many(
    con: duckdb.DuckDBPyConnection, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(chart_levels, "MOST_POINTS", 3)
    for minute in range(10):
        use(con, f"2026-11-15T10:0{minute}", {"a": (1, 1)}, throttles=1, latency=(5, 1))
    (level,) = series(con, window(timedelta(hours=1), 60)).levels
    assert (level.step_seconds, set(level.pool)) == (60, {"at", "tpm", "rpm", "throttles"})


def test_profiles_take_longer_periods_before_their_pool_does(
    con: duckdb.DuckDBPyConnection, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(chart_levels, "MOST_PROFILE_POINTS", 5)
    for minute, tokens in (("09:58", 10), ("09:59", 70), ("10:01", 40), ("10:04", 30)):
        use(con, f"2026-11-15T{minute}", {"a": (tokens, 2), "b": (1, tokens // 10)}, throttles=1)
    (level,) = series(con, window(timedelta(minutes=30), 60)).levels
    assert (str(level.start), level.step_seconds, level.pool["at"]) == ("2026-11-15 09:57:00", 60, [1, 2, 4, 7])
    assert level.pool["tpm"] == [11, 71, 41, 31]
    # Counts of 5 minutes would not stack up to the pool's.
    assert (str(level.profile_start), level.profile_step_seconds) == ("2026-11-15 09:55:00", 300)
    assert level.profiles == {
        "a": {"at": [0, 1], "tpm": [70, 40], "tpm_min": [10, 30], "rpm": [2, 2], "rpm_min": [2, 2]},
        "b": {"at": [0, 1], "tpm": [1, 1], "tpm_min": [1, 1], "rpm": [7, 4], "rpm_min": [1, 3]},
    }


@pytest.mark.parametrize(("most", "kept"), [(2, [101, 102]), (1, None)])
def test_marks_beyond_a_pools_share_of_values_keep_their_minutes(
    con: duckdb.DuckDBPyConnection, monkeypatch: pytest.MonkeyPatch, most: int, kept: list[int] | None
) -> None:
    monkeypatch.setattr(chart_series, "MOST_MARKED_VALUES", most)
    use(con, "2026-11-15T10:00", {"a": (101, 1)})
    use(con, "2026-11-15T10:02", {"a": (102, 51)})
    markers = series(con, window(timedelta(hours=1), 60)).markers
    assert ([ts.minute for ts in markers["tpm"].ts], markers["tpm"].value) == ([0, 2], kept)
    assert ([ts.minute for ts in markers["rpm"].ts], markers["rpm"].value) == ([2], [51])


def test_levels_of_an_hour_stay_however_many_points_they_have(
    con: duckdb.DuckDBPyConnection, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(chart_levels, "MOST_POINTS", 1)
    for hour in range(9):
        use(con, f"2026-11-15T0{hour}:00", {"a": (1, 1)}, latency=(5, 1))
    (level,) = series(con, window(timedelta(days=30), 900)).levels
    assert (level.step_seconds, "latency" in level.pool) == (3600, True)
