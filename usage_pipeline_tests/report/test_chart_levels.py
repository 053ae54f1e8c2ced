from datetime import datetime, timedelta

import duckdb
import pytest

from usage_pipeline.report import chart_levels
from usage_pipeline.report.chart_levels import ChartWindow, affordable_levels

END = datetime.fromisoformat("2026-11-15")


@pytest.fixture(scope="module")
def con() -> duckdb.DuckDBPyConnection:
    """Two pools with use in every minute of ten days: one by three profiles, one by a single profile."""
    con = duckdb.connect()
    con.execute("""
        create schema marts;

        create table marts.usage_minutely as
        select pool_id, profile_id, ts
        from
            (values ('shared', 'a'), ('shared', 'b'), ('shared', 'c'), ('single', 'a')) as users (pool_id, profile_id),
            range(timestamp '2026-11-05', timestamp '2026-11-15', interval 1 minute) as minutes (ts);

        create table marts.quota_usage_minutely as
        select distinct pool_id, ts from marts.usage_minutely;
    """)
    return con


WINDOWS = [
    ChartWindow("1day", END - timedelta(days=1), END, 60),
    ChartWindow("7days", END - timedelta(days=7), END, 300),
    ChartWindow("14days", END - timedelta(days=14), END, 900),
]

# Points of pools: 5,760 of minutes; 4,032 + 1,920 at 5 and 15 minutes, 1,344 + 480 at 15 minutes and an hour.
# Of profiles that share a pool: 8,640 of minutes, 6,048 at 5 minutes in 7 days, 2,880 at 15 minutes in 10 days.
PLENTY = 1_000_000


@pytest.mark.parametrize(
    ("most_points", "most_profile_points", "expected"),
    [
        (PLENTY, PLENTY, [(60, 60, True), (300, 300, True), (900, 900, True)]),
        # What profiles add gives way alone.
        (PLENTY, 7_000, [(60, 300, True), (300, 300, True), (900, 900, True)]),
        (PLENTY, 2_200, [(60, 300, True), (300, 900, True), (900, 3600, True)]),
        (PLENTY, 160, [(60, 3600, True), (300, 21_600, True), (900, 21_600, True)]),
        (PLENTY, 1, [(60, 86_400, True), (300, 86_400, True), (900, 86_400, True)]),
        # Profiles do not make their pools coarser.
        (7_000, 1, [(60, 86_400, True), (300, 86_400, True), (900, 86_400, True)]),
        # Pools give way by themselves, and their profiles are never finer.
        (5_000, PLENTY, [(60, 60, False), (900, 900, True), (3600, 3600, True)]),
        (1_000, 2_200, [(60, 300, False), (3600, 3600, True)]),
        (1, 1, [(60, 86_400, False), (3600, 86_400, True)]),
    ],
)
def test_levels_have_no_more_points_than_a_page_can_have(
    con: duckdb.DuckDBPyConnection,
    monkeypatch: pytest.MonkeyPatch,
    most_points: int,
    most_profile_points: int,
    expected: list[tuple[int, int, bool]],
) -> None:
    monkeypatch.setattr(chart_levels, "MOST_POINTS", most_points)
    monkeypatch.setattr(chart_levels, "MOST_PROFILE_POINTS", most_profile_points)
    levels = affordable_levels(con, WINDOWS)
    assert [(level.step_seconds, level.profile_step_seconds, level.is_whole) for level in levels] == expected


def test_equal_use_gives_equal_levels(con: duckdb.DuckDBPyConnection, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(chart_levels, "MOST_PROFILE_POINTS", 2_200)
    assert affordable_levels(con, WINDOWS) == affordable_levels(con, list(reversed(WINDOWS)))
