"""Which models are offered and used, and when AWS ends them."""

from datetime import date, timedelta

import pytest

from usage_pipeline_tests.marts.factory import DAY, NOVA, SONNET, Store, arns, at

LEGACY_AT, EXTENDED_AT, END_AT = at("01T00:00"), at("10T00:00"), at("30T00:00")
OLD = "anthropic.claude-3-haiku-20240307-v1:0"


@pytest.fixture
def store() -> Store:
    store = Store("marts.model_lifecycle")
    store.burndown("*", 1)
    return store


def lifecycle(store: Store, model_id: str, columns: str) -> tuple[object, ...]:
    store.build()
    return store.row(f"select {columns} from marts.model_lifecycle where model_id = ?", model_id)


def test_a_legacy_model_stands_with_its_dates_and_its_use(store: Store) -> None:
    dates = {"legacy_at": LEGACY_AT, "extended_access_at": EXTENDED_AT, "end_of_life_at": END_AT}
    store.model(OLD, model_name="Claude 3 Haiku", lifecycle_status="LEGACY", **dates)
    store.system_profile(f"us.{OLD}", arns(OLD, "us-east-1", "us-west-2"))
    store.application_profile("searchsearch", arns(OLD, "us-east-1", "us-west-2"))
    store.usage(OLD, at("14T10:00"), invocations=3, throttles=2)
    store.usage(f"us.{OLD}", at("13T10:00"), invocations=4)
    store.usage("searchsearch", at("12T10:00"), invocations=5)

    assert lifecycle(store, OLD, "lifecycle_status, legacy_at, extended_access_at, end_of_life_at") == (
        "LEGACY",
        LEGACY_AT,
        EXTENDED_AT,
        END_AT,
    )
    assert lifecycle(store, OLD, "account_name, model_name, provider, is_offered") == (
        "production",
        "Claude 3 Haiku",
        "Anthropic",
        True,
    )
    assert lifecycle(store, OLD, "calls_30_days, pools, last_used_on") == (
        12,
        [f"111122223333/us-east-1/geo/{OLD}", f"111122223333/us-east-1/on_demand/{OLD}"],
        DAY,
    )


def test_what_aws_does_not_say_is_unknown_and_what_nobody_calls_has_no_calls(store: Store) -> None:
    store.model(NOVA)

    columns = "lifecycle_status, legacy_at, end_of_life_at, calls_30_days, pools, last_used_on"
    assert lifecycle(store, NOVA, columns) == (None, None, None, 0, [], None)


def test_calls_of_thirty_days_end_with_the_newest_day_of_any_account(store: Store) -> None:
    store.model(OLD)
    store.model(NOVA)
    first_of_thirty = DAY - timedelta(days=29)
    for day in (first_of_thirty - timedelta(days=1), first_of_thirty):
        store.usage(OLD, at("14T10:00") - (DAY - day), invocations=1)
    store.usage(NOVA, at("14T10:00"), invocations=7)

    assert lifecycle(store, OLD, "calls_30_days, last_used_on") == (1, first_of_thirty)


def test_a_model_that_is_no_longer_listed_keeps_what_aws_last_said_of_it(store: Store) -> None:
    store.model(OLD, snapshot=date(2026, 11, 13), lifecycle_status="LEGACY", end_of_life_at=END_AT)
    store.model(NOVA, snapshot=date(2026, 11, 13), lifecycle_status="ACTIVE")
    store.model(NOVA, lifecycle_status="LEGACY", end_of_life_at=END_AT)

    assert lifecycle(store, OLD, "is_offered, lifecycle_status, end_of_life_at") == (False, "LEGACY", END_AT)
    assert lifecycle(store, NOVA, "is_offered, lifecycle_status, end_of_life_at") == (True, "LEGACY", END_AT)


def test_a_model_is_told_of_for_each_region_apart(store: Store) -> None:
    store.scope("444455556666", "research", "eu-west-1")
    store.model(SONNET, lifecycle_status="ACTIVE")
    elsewhere = {"account_id": "444455556666", "region": "eu-west-1"}
    store.model(SONNET, lifecycle_status="LEGACY", **elsewhere)
    store.usage(SONNET, at("14T10:00"), invocations=1, **elsewhere)
    store.build()

    rows = "select account_name, lifecycle_status, calls_30_days from marts.model_lifecycle order by account_name"
    assert store.rows(rows) == [("production", "ACTIVE", 0), ("research", "LEGACY", 1)]


def test_a_used_model_that_no_catalogue_has_is_there_and_an_imported_one_is_not(store: Store) -> None:
    store.model(NOVA)
    store.usage("cohere.command-old-v1", at("14T10:00"), invocations=2)
    imported = "arn:aws:bedrock:us-east-1:111122223333:imported-model/abc"
    store.imported_model(imported)
    store.usage(imported, at("14T10:00"), invocations=2)
    store.build()

    rows = "select model_id, is_offered, calls_30_days from marts.model_lifecycle order by model_id"
    assert store.rows(rows) == [(NOVA, True, 0)]
