"""Throttles that have no event, and throttles that no quota explains."""

from typing import Any

import duckdb
import pytest

from usage_pipeline.checks.rules import evaluate
from usage_pipeline.checks.throttles import EVERY_THROTTLED_MINUTE_HAS_AN_EVENT, THROTTLES_ARE_EXPLAINED_BY_QUOTAS
from usage_pipeline_tests.checks.healthy import GEO_POOL


def test_the_healthy_throttles_are_put_down_to_their_quota(con: duckdb.DuckDBPyConnection) -> None:
    causes = "select distinct pool_id, cause, throttled_minutes, throttles_share from marts.throttle_causes_daily"
    assert con.execute(causes).fetchall() == [(GEO_POOL, "rpm", 3, 1.0)]


@pytest.mark.parametrize(
    ("change", "throttles", "of_event"),
    [
        ("delete from marts.throttle_events where ts = '2026-11-14 02:05'", 1, None),
        ("update marts.throttle_events set throttles = 2 where ts = '2026-11-14 02:05'", 1, 2),
        ("update marts.quota_usage_minutely set throttles = 0 where ts = '2026-11-14 02:05'", None, 1),
    ],
)
def test_events_and_throttled_minutes_are_the_same(
    con: duckdb.DuckDBPyConnection, change: str, throttles: int | None, of_event: int | None
) -> None:
    con.execute(change)

    (row,) = evaluate(con, EVERY_THROTTLED_MINUTE_HAS_AN_EVENT).rows

    assert (row["pool_id"], str(row["ts"])) == (GEO_POOL, "2026-11-14 02:05:00")
    assert (row["throttles"], row["throttles_of_event"]) == (throttles, of_event)


def not_explained(con: duckdb.DuckDBPyConnection, day: str, share: float) -> list[dict[str, Any]]:
    con.execute(
        """
        update marts.throttle_causes_daily set cause = 'not_explained', throttles = 7, throttles_share = ?
        where usage_date = ?
        """,
        [share, day],
    )
    return evaluate(con, THROTTLES_ARE_EXPLAINED_BY_QUOTAS).rows


def test_half_of_a_days_throttles_may_be_unexplained(con: duckdb.DuckDBPyConnection) -> None:
    assert not_explained(con, "2026-11-14", 0.5) == []
    (row,) = not_explained(con, "2026-11-14", 0.51)

    assert (row["pool_id"], row["throttles_not_explained"], row["value"], row["threshold"]) == (GEO_POOL, 7, 0.51, 0.5)
    assert row["summary"] == "No quota explains 51 % of the throttles on 2026-11-14."
    assert (row["tpm_limit"], row["rpm_limit"], row["tpd_limit"]) == (200_000, 4, None)


def test_only_the_two_newest_days_are_looked_at(con: duckdb.DuckDBPyConnection) -> None:
    assert not_explained(con, "2026-11-13", 1.0) == []


def test_accounts_that_are_no_longer_read_are_left_out(con: duckdb.DuckDBPyConnection) -> None:
    con.execute("update raw.scopes set is_configured = false where account_id = '111122223333'")

    assert not_explained(con, "2026-11-14", 1.0) == []
