"""Checks of forecasts and of unusual spending, at the edges of their rules."""

import duckdb
import pytest

from usage_pipeline.checks.planning import FORECASTS_COVER_WHAT_CAME, THERE_IS_NO_UNUSUAL_SPENDING
from usage_pipeline.checks.rules import evaluate


def forecast(con: duckdb.DuckDBPyConnection, quota: str, inside: int, outside: int) -> None:
    """So many forecasts that held and that did not."""
    con.execute(
        """
        insert into marts.forecast_backtests by name
        select 'pool' as pool_id, $quota as quota, number < $inside as is_inside
        from range($inside + $outside) as forecasts (number)
        """,
        {"quota": quota, "inside": inside, "outside": outside},
    )


@pytest.mark.parametrize(
    ("inside", "outside", "passes"), [(12, 8, True), (11, 9, False), (0, 19, True), (0, 20, False), (80, 20, True)]
)
def test_sixty_percent_of_twenty_forecasts_must_hold(
    con: duckdb.DuckDBPyConnection, inside: int, outside: int, passes: bool
) -> None:
    forecast(con, "tpm", inside, outside)

    assert evaluate(con, FORECASTS_COVER_WHAT_CAME).passed is passes


def test_each_kind_of_quota_is_judged_by_itself(con: duckdb.DuckDBPyConnection) -> None:
    forecast(con, "tpm", 1000, 0)
    forecast(con, "rpm", 5, 20)

    (row,) = evaluate(con, FORECASTS_COVER_WHAT_CAME).rows

    assert (row["quota"], row["forecasts"], row["inside"]) == ("rpm", 25, 5)
    assert (row["value"], row["threshold"], row["unit"]) == (0.2, 0.6, "share")
    assert row["summary"] == "20 % of 25 forecasts of the quota rpm held; of 80 % intervals 80 % should."


@pytest.mark.parametrize(
    ("day", "metric", "passes"),
    [
        ("2026-11-14", "cost_usd", False),
        ("2026-11-13", "cost_usd", False),
        ("2026-11-12", "cost_usd", True),
        ("2026-11-14", "consumed_tokens", True),
        ("2026-11-14", "idle_days", True),
    ],
)
def test_costs_of_the_two_newest_whole_days_are_told(
    con: duckdb.DuckDBPyConnection, day: str, metric: str, passes: bool
) -> None:
    con.execute(
        """
        insert into marts.anomalies by name
        select
            $day::date as usage_date,
            'caller' as subject_kind,
            'Batch' as subject,
            $metric as metric,
            60 as value,
            3 as expected,
        """,
        {"day": day, "metric": metric},
    )

    result = evaluate(con, THERE_IS_NO_UNUSUAL_SPENDING)

    assert (result.passed, result.severity) == (passes, "WARN")
    assert passes or result.rows[0]["summary"] == f"Cost 60.00 USD on {day}, where 3.00 USD are usual."
