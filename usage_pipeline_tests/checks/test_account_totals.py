from typing import Any

import duckdb
import pytest

from usage_pipeline import raw_tables as raw
from usage_pipeline.checks.reconciliation import MODEL_IDS_ADD_UP_TO_THE_ACCOUNT
from usage_pipeline.checks.rules import evaluate
from usage_pipeline_tests.marts.factory import DAY, NOVA, Store, at

HOURLY = {"invocations": 5, "input_tokens": 500, "output_tokens": 50}


def account(*, covered_until: str = "15T00:00", is_final: bool = True) -> Store:
    """A scope whose account total of 14 November was read until a moment."""
    store = Store("marts.usage_minutely")
    store.model(NOVA, provider_name="Amazon")
    store.burndown("*", 1)
    store.add(
        raw.CLOUDWATCH_SERIES,
        account_id="111122223333",
        region="us-east-1",
        usage_date=DAY,
        namespace="AWS/Bedrock",
        model_id="",
        resolution_seconds=60,
        covered_until=at(covered_until),
        is_final=is_final,
        query_set="q",
    )
    store.covered(DAY, at(covered_until))
    return store


def sums_that_differ(store: Store) -> list[tuple[Any, ...]]:
    """(hour, calls of the account, calls of its ModelIds) of each contradiction."""
    store.build()
    examples = evaluate(store.con, MODEL_IDS_ADD_UP_TO_THE_ACCOUNT).examples
    return [(example["hour"], example["account_invocations"], example["model_id_invocations"]) for example in examples]


def passes(con: duckdb.DuckDBPyConnection) -> bool:
    return evaluate(con, MODEL_IDS_ADD_UP_TO_THE_ACCOUNT).passed


def test_five_minute_periods_add_up_to_the_hours_total() -> None:
    store = account()
    store.usage(None, at("14T06:00"), period=3600, **HOURLY)
    for minute in range(0, 25, 5):
        store.usage(NOVA, at(f"14T06:{minute:02}"), period=300, invocations=1, input_tokens=100, output_tokens=10)

    assert sums_that_differ(store) == []


def test_an_hour_period_adds_up_to_the_hours_total() -> None:
    store = account()
    store.usage(None, at("14T06:00"), period=3600, **HOURLY)
    store.usage(NOVA, at("14T06:00"), period=3600, **HOURLY)

    assert sums_that_differ(store) == []


def test_a_model_id_that_was_not_read_makes_the_sum_too_low() -> None:
    store = account()
    store.usage(None, at("14T06:00"), period=3600, **HOURLY)
    store.usage(NOVA, at("14T06:10"), invocations=4, input_tokens=500, output_tokens=50)

    assert sums_that_differ(store) == [(at("14T06:00"), 5, 4)]


def test_a_scope_whose_model_ids_were_denied_has_sums_of_zero() -> None:
    store = account()
    store.usage(None, at("14T06:00"), period=3600, **HOURLY)

    assert sums_that_differ(store) == [(at("14T06:00"), 5, 0)]


def test_a_model_id_that_is_counted_twice_makes_the_sum_too_high() -> None:
    store = account()
    store.usage(None, at("14T06:00"), period=3600, **HOURLY)
    store.usage(NOVA, at("14T06:10"), **HOURLY)
    store.usage("unknown.model", at("14T06:10"), **HOURLY)

    assert sums_that_differ(store) == [(at("14T06:00"), 5, 10)]


@pytest.mark.parametrize("metric", list(HOURLY))
def test_calls_input_and_output_are_each_compared(metric: str) -> None:
    store = account()
    store.usage(None, at("14T06:00"), period=3600, **HOURLY)
    store.usage(NOVA, at("14T06:10"), **{**HOURLY, metric: 6})

    assert len(sums_that_differ(store)) == 1


def test_a_metric_for_which_cloudwatch_has_no_total_proves_nothing() -> None:
    store = account()
    store.usage(None, at("14T06:00"), period=3600, input_tokens=500)
    store.usage(NOVA, at("14T06:10"), **HOURLY)

    assert sums_that_differ(store) == []


def test_the_running_hour_has_no_total_and_is_not_compared() -> None:
    store = account(covered_until="14T10:30", is_final=False)
    store.usage(NOVA, at("14T10:10"), **HOURLY)

    assert sums_that_differ(store) == []


def test_an_hour_is_compared_three_hours_after_its_end() -> None:
    store = account(covered_until="14T10:00", is_final=False)
    for hour in ("05", "06", "07", "09"):
        store.usage(None, at(f"14T{hour}:00"), period=3600, **HOURLY)

    assert sums_that_differ(store) == [(at("14T05:00"), 5, 0), (at("14T06:00"), 5, 0)]


def test_every_hour_of_a_day_is_compared_once_the_day_is_final() -> None:
    store = account()
    store.usage(None, at("14T23:00"), period=3600, **HOURLY)

    assert sums_that_differ(store) == [(at("14T23:00"), 5, 0)]


def test_hours_of_more_than_thirty_days_ago_are_not_compared(con: duckdb.DuckDBPyConnection) -> None:
    con.execute("delete from marts.usage_minutely where usage_date = '2026-11-13'")
    assert not passes(con)

    con.execute("update ops.cloudwatch_series set usage_date = '2026-12-13' where usage_date = '2026-11-15'")
    assert passes(con)


def test_hours_of_a_scope_that_is_no_longer_read_are_not_compared(con: duckdb.DuckDBPyConnection) -> None:
    con.execute("delete from marts.usage_minutely where region = 'eu-west-1'")
    con.execute("update raw.scopes set is_configured = false where region = 'eu-west-1'")

    assert passes(con)
