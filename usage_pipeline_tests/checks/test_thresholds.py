"""What the checks of use against limits tell apart."""

from decimal import Decimal
from typing import Any

import duckdb
import pytest

from usage_pipeline.checks.rules import Rule, evaluate
from usage_pipeline.checks.thresholds import threshold_rules
from usage_pipeline.config_alerts import AlertSettings
from usage_pipeline_tests.checks.healthy import GEO_POOL, PRODUCTION
from usage_pipeline_tests.marts.factory import NOVA

UTILIZATION, THROTTLES, DAILY, BUDGETS, END_OF_LIFE, DELIVERED = range(6)


def rule(place: int, **alerts: Any) -> Rule:
    return threshold_rules(AlertSettings.model_validate(alerts))[place]


def rows(con: duckdb.DuckDBPyConnection, checked: Rule) -> list[dict[str, Any]]:
    return evaluate(con, checked).rows


def use_at(con: duckdb.DuckDBPyConnection, minutes: int, utilization: float, quota: str = "tpm") -> None:
    """Let the pool have `minutes` at a utilisation, on 14 November at 02:05."""
    con.execute(
        f"""
        update marts.quota_usage_minutely
        set {quota}_utilization = $utilization, tokens_per_minute = 190000, resolution_seconds = 60 * $minutes
        where pool_id = $pool and ts = '2026-11-14 02:05'
        """,
        {"minutes": minutes, "utilization": utilization, "pool": GEO_POOL},
    )


@pytest.mark.parametrize(
    ("minutes", "utilization", "severity"),
    [(5, 0.81, "WARN"), (4, 0.99, None), (60, 0.8, None), (5, 1.01, "ERROR"), (60, 1.0, "WARN")],
)
def test_a_pool_is_close_above_the_share_for_as_many_minutes_as_configured(
    con: duckdb.DuckDBPyConnection, minutes: int, utilization: float, severity: str | None
) -> None:
    use_at(con, minutes, utilization)

    assert [row["severity"] for row in rows(con, rule(UTILIZATION))] == ([severity] if severity else [])


def test_a_close_pool_is_told_with_its_worst_minute_its_first_profile_and_what_to_ask_for(
    con: duckdb.DuckDBPyConnection,
) -> None:
    use_at(con, 7, 0.95)

    (row,) = rows(con, rule(UTILIZATION))

    assert {name: row[name] for name in ("pool_id", "quota", "account_name", "quota_code", "minutes_above")} == {
        "pool_id": GEO_POOL,
        "quota": "tpm",
        "account_name": PRODUCTION["account_name"],
        "quota_code": "L-F4DDD3EB",
        "minutes_above": 7,
    }
    assert (row["value"], row["threshold"], row["unit"]) == (0.95, 0.8, "share")
    # 190,000 tokens a minute are 80 % of it.
    assert row["desired_value"] == 237_500
    assert row["top_profile"] is not None
    assert 0 < row["top_profile_share"] <= 1
    assert row["summary"] == (
        "95 % of the tokens-per-minute quota was used at the worst minute, 2026-11-14 02:05 UTC; 7 minutes of two days "
        "were above 80 %."
    )


def test_both_quotas_of_a_pool_are_findings_of_their_own(con: duckdb.DuckDBPyConnection) -> None:
    use_at(con, 7, 0.95)
    use_at(con, 7, 0.9, quota="rpm")

    assert [row["quota"] for row in rows(con, rule(UTILIZATION))] == ["rpm", "tpm"]


def test_a_day_before_the_two_newest_is_past(con: duckdb.DuckDBPyConnection) -> None:
    con.execute(
        "update marts.quota_usage_minutely set tpm_utilization = 2, throttles = 99 where usage_date = '2026-11-13'"
    )

    assert rows(con, rule(UTILIZATION, thresholds={"utilization_minutes": 1})) == []
    assert rows(con, rule(THROTTLES)) == []


def test_an_unknown_limit_is_never_close(con: duckdb.DuckDBPyConnection) -> None:
    con.execute(
        "update marts.quota_usage_minutely set tpm_limit = null, tpm_utilization = null, rpm_utilization = null"
    )

    assert rows(con, rule(UTILIZATION, thresholds={"utilization_minutes": 1})) == []


@pytest.mark.parametrize(
    ("throttles", "invocations", "severity"),
    [(10, 0, None), (11, 10_000, "WARN"), (11, 1_000, "ERROR")],
)
def test_throttles_are_told_above_the_number_and_are_an_error_above_one_in_a_hundred(
    con: duckdb.DuckDBPyConnection, throttles: int, invocations: int, severity: str | None
) -> None:
    con.execute("delete from marts.quota_usage_minutely where pool_id <> $1 or ts <> '2026-11-14 02:05'", [GEO_POOL])
    con.execute(f"update marts.quota_usage_minutely set throttles = {throttles}, invocations = {invocations}")

    found = rows(con, rule(THROTTLES))

    assert [row["severity"] for row in found] == ([severity] if severity else [])
    assert [row["value"] for row in found] == ([throttles] if severity else [])


@pytest.mark.parametrize(
    ("cause", "words", "quota_code"),
    [
        ("tpm", "mostly by the tokens-per-minute quota", "L-F4DDD3EB"),
        ("reservation", "mostly by the max_tokens that calls in flight reserved", "L-F4DDD3EB"),
        ("rpm", "mostly by the requests-per-minute quota", "L-4A6BFAB1"),
        ("not_explained", "mostly for a reason that no quota explains", None),
    ],
)
def test_throttles_are_told_with_their_likeliest_cause_and_its_quota(
    con: duckdb.DuckDBPyConnection, cause: str, words: str, quota_code: str | None
) -> None:
    con.execute(
        f"""
        delete from marts.quota_usage_minutely where pool_id <> '{GEO_POOL}' or ts <> '2026-11-14 02:05';
        update marts.quota_usage_minutely set throttles = 30, invocations = 970;
        create temp table example as from marts.throttle_causes_daily limit 1;
        delete from marts.throttle_causes_daily;
        insert into marts.throttle_causes_daily
        select example.* replace (
            '{GEO_POOL}' as pool_id, date '2026-11-14' as usage_date, kind as cause, n as throttles
        )
        from example, (values ('{cause}', 20), ('tpd', 10)) as found (kind, n)
        """
    )

    (row,) = rows(con, rule(THROTTLES))

    assert row["summary"] == f"30 of 1000 requests were throttled on 2026-11-14, {words}."
    assert (row["likeliest_cause"], row["quota_code"]) == (cause, quota_code)


@pytest.mark.parametrize(
    ("peak", "covered", "severity"),
    [
        (500, 720, None),
        (501, 720, "WARN"),
        (1000, 720, "ERROR"),
        (999, 1440, None),
        (999, 359, None),
        (251, 360, "WARN"),
    ],
)
def test_a_daily_quota_is_projected_over_the_day_from_six_hours_on(
    con: duckdb.DuckDBPyConnection, peak: int, covered: int, severity: str | None
) -> None:
    con.execute(
        f"""
        update marts.quota_headroom
        set limit_value = 1000, peak = {peak}, covered_minutes = {covered}
        where pool_id = '{GEO_POOL}' and quota = 'tpd' and usage_date = '2026-11-15'
        """
    )

    assert [row["severity"] for row in rows(con, rule(DAILY))] == ([severity] if severity else [])


@pytest.fixture
def costs(con: duckdb.DuckDBPyConnection) -> duckdb.DuckDBPyConnection:
    """Costs of 10 dollars on each of three days, and 100 a month before, of one application with a tag."""
    con.execute(
        """
        update marts.usage_daily set cost_usd = 0;
        create temp table template as from marts.usage_daily where profile_id = 'searchsearch' limit 1;
        delete from marts.usage_daily where profile_id = 'searchsearch';
        insert into marts.usage_daily
        select template.* replace (
            day as usage_date, cost as cost_usd, 'search' as application, map {'team': 'blue'} as tags
        )
        from template, (
            values (date '2026-10-31', 100), (date '2026-11-13', 10), (date '2026-11-14', 10), (date '2026-11-15', 10)
        ) as spent (day, cost)
        """
    )
    return con


@pytest.mark.parametrize(
    ("budget", "found"),
    [
        ({"usd": 30}, [("ERROR", Decimal(30))]),
        ({"usd": 31}, [("WARN", Decimal(30))]),
        ({"usd": 38}, []),
        ({"usd": 38, "warn_at": 0.5}, [("WARN", Decimal(30))]),
        ({"usd": 10, "per": "day"}, [("ERROR", Decimal(10)), ("ERROR", Decimal(10))]),
        ({"usd": 13, "per": "day"}, []),
        ({"usd": 30, "application": "search"}, [("ERROR", Decimal(30))]),
        ({"usd": 1, "application": "other"}, []),
        ({"usd": 30, "tag": "team=blue"}, [("ERROR", Decimal(30))]),
        ({"usd": 1, "tag": "team=red"}, []),
        ({"usd": 30, "account": "production"}, [("ERROR", Decimal(30))]),
        ({"usd": 30, "account": "111122223333"}, [("ERROR", Decimal(30))]),
        ({"usd": 1, "account": "research"}, []),
    ],
)
def test_a_budget_is_held_against_its_own_costs_and_time(
    costs: duckdb.DuckDBPyConnection, budget: dict[str, Any], found: list[tuple[str, Decimal]]
) -> None:
    checked = rule(BUDGETS, budgets=[{"name": "b", **budget}])

    assert [(row["severity"], row["value"]) for row in rows(costs, checked)] == found


def test_a_budget_says_how_much_of_it_is_spent(costs: duckdb.DuckDBPyConnection) -> None:
    (row,) = rows(costs, rule(BUDGETS, budgets=[{"name": "it's", "usd": "31.50"}]))

    assert (row["threshold"], row["unit"]) == (Decimal("31.50"), "USD")
    assert row["summary"] == "Budget it's: 95 % of $31.50 is spent in the month from 2026-11-01."


@pytest.mark.parametrize(
    ("end", "calls", "severity"),
    [
        ("2027-02-13", 3, "WARN"),
        ("2027-02-14", 3, None),
        ("2026-11-29", 3, "ERROR"),
        ("2026-11-01", 3, "ERROR"),
        ("2026-11-29", 0, None),
    ],
)
def test_a_models_end_is_told_in_time_while_it_is_used(
    con: duckdb.DuckDBPyConnection, end: str, calls: int, severity: str | None
) -> None:
    con.execute(
        "update marts.model_lifecycle set end_of_life_at = $1, calls_30_days = $2 where model_id = $3",
        [end, calls, NOVA],
    )

    assert [row["severity"] for row in rows(con, rule(END_OF_LIFE))] == ([severity] if severity else [])


def delivery(con: duckdb.DuckDBPyConnection, channel: str, notice: int, *, taken: bool) -> None:
    con.execute(
        """
        insert into ops.alert_deliveries values
            ($1, 'f', '2026-11-14', $2, 0, 'open', 1, '2026-11-14', '2026-11-14', $3, $4)
        """,
        [channel, notice, "2026-11-14" if taken else None, None if taken else "no answer"],
    )


def test_a_message_that_a_later_one_replaced_is_no_longer_missing(con: duckdb.DuckDBPyConnection) -> None:
    checked = rule(DELIVERED, channels=[{"name": "chat", "url_env": "X"}])
    delivery(con, "chat", 1, taken=False)
    assert [(row["channel"], row["value"], row["error"]) for row in rows(con, checked)] == [("chat", 1, "no answer")]

    delivery(con, "chat", 2, taken=True)

    assert rows(con, checked) == []


def test_a_channel_that_is_no_longer_configured_is_not_missed(con: duckdb.DuckDBPyConnection) -> None:
    delivery(con, "chat", 1, taken=False)

    assert rows(con, rule(DELIVERED)) == []


def test_pools_of_scopes_that_are_no_longer_configured_are_left_out(con: duckdb.DuckDBPyConnection) -> None:
    use_at(con, 7, 0.95)
    con.execute("update raw.scopes set is_configured = false where region = 'us-east-1'")

    assert rows(con, rule(UTILIZATION)) == []
