import datetime as dt
from typing import Any

import duckdb
import pytest

from usage_pipeline.checks import ALL_RULES
from usage_pipeline.checks.reconciliation import (
    CONSUMED_TOKENS_AGREE_WITH_AWS,
    EVERY_BURNDOWN_RATE_IS_KNOWN,
    METRIC_POINTS_ARE_UNIQUE,
    PERIODS_DO_NOT_OVERLAP,
    PROFILES_ADD_UP_TO_POOLS,
)
from usage_pipeline.checks.rules import Rule, evaluate
from usage_pipeline_tests.checks.healthy import GEO_POOL, NOVA_POOL
from usage_pipeline_tests.marts.factory import DAY, NOVA, SONNET, Store, arns, at


def found(con: duckdb.DuckDBPyConnection, rule: Rule, *columns: str) -> list[tuple[Any, ...]]:
    return [tuple(example[column] for column in columns) for example in evaluate(con, rule).examples]


def passes(con: duckdb.DuckDBPyConnection, rule: Rule) -> bool:
    return evaluate(con, rule).passed


# metric_points_are_unique


@pytest.mark.parametrize(
    ("column", "other"),
    [
        ("account_id", "'999999999999'"),
        ("region", "'us-east-2'"),
        ("namespace", "'Bedrock/Quotas'"),
        ("dimension_set", "'none'"),
        ("model_id", "null"),
        ("metric_name", "'InvocationThrottles'"),
        ("statistic", "'SampleCount'"),
        ("ts", "ts + interval 1 minute"),
    ],
)
def test_points_that_differ_in_what_they_measure_are_two_points(
    con: duckdb.DuckDBPyConnection, column: str, other: str
) -> None:
    con.execute(
        f"""
        insert into raw.cloudwatch_metrics
        select * replace ({other} as {column}) from raw.cloudwatch_metrics
        where region = 'eu-west-1' and ts = '2026-11-14 02:05' and metric_name = 'Invocations'
        """
    )

    assert passes(con, METRIC_POINTS_ARE_UNIQUE)


def test_one_moment_at_two_periods_is_stored_twice(con: duckdb.DuckDBPyConnection) -> None:
    con.execute(
        """
        insert into raw.cloudwatch_metrics
        select * replace (300 as period_seconds, 7 as value) from raw.cloudwatch_metrics
        where region = 'eu-west-1' and ts = '2026-11-14 02:05' and metric_name = 'Invocations'
        """
    )

    assert found(con, METRIC_POINTS_ARE_UNIQUE, "model_id", "metric_name", "ts", "points") == [
        (NOVA, "Invocations", at("14T02:05"), 2)
    ]


def test_an_account_total_that_is_stored_twice_is_found(con: duckdb.DuckDBPyConnection) -> None:
    con.execute(
        """
        insert into raw.cloudwatch_metrics from raw.cloudwatch_metrics
        where region = 'eu-west-1' and ts = '2026-11-14 02:00' and metric_name = 'Invocations'
        """
    )

    assert found(con, METRIC_POINTS_ARE_UNIQUE, "dimension_set", "model_id", "points") == [("none", None, 2)]


def test_days_that_have_not_changed_for_sixty_two_changes_are_not_searched_again(
    con: duckdb.DuckDBPyConnection,
) -> None:
    twice = """
        insert into raw.cloudwatch_metrics from raw.cloudwatch_metrics
        where region = 'eu-west-1' and ts = '2026-11-13 02:05'
    """
    newer = """
        insert into ops.day_changes
        select 'raw.cloudwatch_metrics', date '2026-11-15' + range::integer, 1000 + range from range({days})
    """
    con.execute(twice)
    con.execute(newer.format(days=59))
    assert not passes(con, METRIC_POINTS_ARE_UNIQUE)

    con.execute("delete from ops.day_changes where usage_date > '2026-11-15'")
    con.execute(newer.format(days=62))
    assert passes(con, METRIC_POINTS_ARE_UNIQUE)


# periods_do_not_overlap


def test_periods_may_touch_and_change_their_length(con: duckdb.DuckDBPyConnection) -> None:
    con.execute(
        """
        update marts.usage_minutely set ts = '2026-11-14 06:54', resolution_seconds = 300
        where profile_id = 'searchsearch' and ts = '2026-11-14 02:05'
        """
    )

    assert passes(con, PERIODS_DO_NOT_OVERLAP)


def test_an_overlap_names_the_period_and_the_next(con: duckdb.DuckDBPyConnection) -> None:
    con.execute(
        """
        update marts.usage_minutely set ts = '2026-11-14 06:00', resolution_seconds = 3600
        where profile_id = 'searchsearch' and ts = '2026-11-14 02:05'
        """
    )

    assert found(con, PERIODS_DO_NOT_OVERLAP, "profile_id", "ts", "resolution_seconds", "next_ts") == [
        ("searchsearch", at("14T06:00"), 3600, at("14T06:59"))
    ]


# profiles_add_up_to_pools


@pytest.mark.parametrize("measure", ["invocations", "throttles", "consumed_tokens"])
def test_each_measure_must_add_up(con: duckdb.DuckDBPyConnection, measure: str) -> None:
    con.execute(f"update marts.quota_usage_minutely set {measure} = {measure} + 1 where ts = '2026-11-14 02:05'")

    assert found(con, PROFILES_ADD_UP_TO_POOLS, "pool_id", "usage_date") == [(GEO_POOL, DAY), (NOVA_POOL, DAY)]


def test_a_pool_without_profiles_and_profiles_without_a_pool_are_found(con: duckdb.DuckDBPyConnection) -> None:
    con.execute("delete from marts.usage_minutely where region = 'eu-west-1' and usage_date = '2026-11-13'")
    con.execute("delete from marts.quota_usage_minutely where region = 'us-east-1' and usage_date = '2026-11-14'")

    assert found(con, PROFILES_ADD_UP_TO_POOLS, "pool_id", "profile_invocations", "pool_invocations") == [
        (GEO_POOL, 9, None),
        (NOVA_POOL, None, 3),
    ]


def test_usage_that_belongs_to_no_pool_is_not_missing_from_one(con: duckdb.DuckDBPyConnection) -> None:
    con.execute("update marts.usage_minutely set pool_id = null where region = 'eu-west-1'")
    con.execute("delete from marts.quota_usage_minutely where region = 'eu-west-1'")

    assert passes(con, PROFILES_ADD_UP_TO_POOLS)


def test_a_rate_that_nobody_knows_does_not_keep_anything_from_being_published() -> None:
    """One profile of the minute wrote no token, so its consumption is known; the other's, and the pool's, is not."""
    store = Store()
    store.model(SONNET, on_demand=False)
    store.system_profile(f"us.{SONNET}", arns(SONNET, "us-east-1", "us-west-2"))
    store.application_profile("searchsearch", arns(SONNET, "us-east-1", "us-west-2"))
    store.usage(f"us.{SONNET}", at("14T10:00"), invocations=1, input_tokens=100)
    store.usage("searchsearch", at("14T10:00"), invocations=1, input_tokens=100, output_tokens=10)
    store.covered(DAY)
    store.build()

    assert store.rows("select consumed_tokens from marts.usage_minutely order by profile_id") == [(None,), (100,)]
    assert [rule.name for rule in ALL_RULES if rule.blocking and not passes(store.con, rule)] == []
    assert found(store.con, EVERY_BURNDOWN_RATE_IS_KNOWN, "burndown_rate", "burndown_source", "severity") == [
        (None, None, "ERROR")
    ]


# every_burndown_rate_is_known


def set_rate(con: duckdb.DuckDBPyConnection, source: str | None, pool_id: str = GEO_POOL) -> None:
    con.execute("update marts.quota_pools set burndown_source = ? where pool_id = ?", [source, pool_id])


@pytest.mark.parametrize(("source", "severity"), [("inferred", "WARN"), ("assumed", "ERROR"), (None, "ERROR")])
def test_an_inferred_rate_warns_and_an_assumed_or_unknown_one_is_an_error(
    con: duckdb.DuckDBPyConnection, source: str | None, severity: str
) -> None:
    set_rate(con, source)

    result = evaluate(con, EVERY_BURNDOWN_RATE_IS_KNOWN)

    assert result.severity == severity
    assert result.examples == [
        {
            "model_id": SONNET,
            "burndown_rate": 5.0,
            "burndown_source": source,
            "pools": GEO_POOL,
            "severity": severity,
        }
    ]


def test_one_assumed_rate_among_inferred_ones_is_an_error(con: duckdb.DuckDBPyConnection) -> None:
    set_rate(con, "inferred")
    set_rate(con, "assumed", NOVA_POOL)

    result = evaluate(con, EVERY_BURNDOWN_RATE_IS_KNOWN)

    assert (result.severity, result.failing_rows) == ("ERROR", 2)


@pytest.mark.parametrize(
    "change",
    [
        pytest.param("delete from marts.quota_usage_minutely where region = 'us-east-1'", id="it was not used"),
        pytest.param("update marts.quota_usage_minutely set output_tokens = 0", id="it wrote no token"),
        pytest.param("update marts.quota_pools set endpoint_type = 'imported'", id="it has no token quota"),
        pytest.param("update raw.scopes set is_configured = false", id="its scope is no longer read"),
    ],
)
def test_a_rate_that_matters_to_no_quota_need_not_be_known(con: duckdb.DuckDBPyConnection, change: str) -> None:
    set_rate(con, "assumed")
    con.execute(change)

    assert passes(con, EVERY_BURNDOWN_RATE_IS_KNOWN)


# consumed_tokens_agree_with_aws


def set_estimate(con: duckdb.DuckDBPyConnection, ours: int | None, aws: int | None, calls: int, ts: str) -> None:
    con.execute(
        """
        update marts.quota_usage_minutely
        set consumed_tokens = ?, aws_estimated_tokens = ?, invocations = ?
        where pool_id = ? and ts = ?
        """,
        [ours, aws, calls, GEO_POOL, at(ts)],
    )


@pytest.mark.parametrize(
    ("ours", "aws", "calls", "agrees"),
    [
        (10_100, 10_000, 1, True),
        (9_900, 10_000, 1, True),
        (10_101, 10_000, 1, False),
        (9_899, 10_000, 1, False),
        (103, 100, 3, True),
        (104, 100, 3, False),
        (5, 0, 1, False),
        (10_000, None, 1, True),
        (None, 10_000, 1, True),
    ],
)
def test_a_minute_agrees_within_one_percent_or_one_token_per_call(
    con: duckdb.DuckDBPyConnection, ours: int | None, aws: int | None, calls: int, agrees: bool
) -> None:
    set_estimate(con, ours, aws, calls, "14T02:05")

    assert passes(con, CONSUMED_TOKENS_AGREE_WITH_AWS) == agrees


def test_the_minutes_of_a_pool_that_differ_are_counted_and_summed(con: duckdb.DuckDBPyConnection) -> None:
    set_estimate(con, 3000, 6000, 3, "13T02:05")
    set_estimate(con, 3000, 6000, 3, "15T06:59")

    assert evaluate(con, CONSUMED_TOKENS_AGREE_WITH_AWS).examples == [
        {
            "pool_id": GEO_POOL,
            "minutes": 2,
            "first_minute": at("13T02:05"),
            "last_minute": at("15T06:59"),
            "consumed_tokens": 6000,
            "aws_estimated_tokens": 12_000,
        }
    ]


def test_a_minute_is_compared_three_hours_after_its_end(con: duckdb.DuckDBPyConnection) -> None:
    set_estimate(con, 3000, 6000, 3, "15T10:29")
    assert passes(con, CONSUMED_TOKENS_AGREE_WITH_AWS)

    con.execute(
        "update ops.source_status set covered_until = ? where covered_until = ?",
        [dt.datetime(2026, 11, 15, 13, 30), dt.datetime(2026, 11, 15, 10, 30)],
    )
    assert found(con, CONSUMED_TOKENS_AGREE_WITH_AWS, "pool_id", "minutes") == [(GEO_POOL, 1)]


@pytest.mark.parametrize(
    "change",
    [
        pytest.param("update marts.quota_usage_minutely set resolution_seconds = 300", id="it is no minute"),
        pytest.param("update raw.scopes set is_configured = false", id="its scope is no longer read"),
        pytest.param(
            "update marts.quota_usage_minutely set usage_date = usage_date - 30 where ts < '2026-11-15'",
            id="it is more than thirty days ago",
        ),
    ],
)
def test_a_minute_is_not_compared_when(con: duckdb.DuckDBPyConnection, change: str) -> None:
    set_estimate(con, 3000, 6000, 3, "14T02:05")
    con.execute(change)

    assert passes(con, CONSUMED_TOKENS_AGREE_WITH_AWS)
