"""How much of what CloudWatch counted the logs hold."""

from datetime import date, timedelta

import pytest

from usage_pipeline_tests.marts.factory import DAY, NOVA, Store, at

COLUMNS = "cloudwatch_calls, logged_calls, ratio, status"


@pytest.fixture
def store() -> Store:
    store = Store("marts.data_completeness")
    store.burndown("*", 1)
    store.model(NOVA)
    return store


def counted(store: Store, calls: int, day: int = 14) -> None:
    store.usage(NOVA, at(f"{day}T10:00"), invocations=calls, input_tokens=100 * calls, output_tokens=10 * calls)


def logged(store: Store, calls: int, day: int = 14) -> None:
    for second in range(calls):
        store.call(NOVA, at(f"{day}T10:00") + timedelta(seconds=second), input_tokens=100, output_tokens=10)


@pytest.mark.parametrize(
    ("calls_in_logs", "ratio", "status"), [(100, 1, "complete"), (99, 0.99, "complete"), (98, 0.98, "incomplete")]
)
def test_less_than_99_percent_is_incomplete(store: Store, calls_in_logs: int, ratio: float, status: str) -> None:
    counted(store, 100)
    logged(store, calls_in_logs)
    store.build()
    assert store.row(f"select {COLUMNS} from marts.data_completeness") == (100, calls_in_logs, ratio, status)


def test_the_lower_of_calls_and_tokens_counts(store: Store) -> None:
    counted(store, 2)
    store.call(NOVA, at("14T10:00"), input_tokens=100, output_tokens=10)
    store.call(NOVA, at("14T10:01"), input_tokens=1, output_tokens=0)
    store.build()
    columns = "calls_ratio, tokens_ratio, ratio, cloudwatch_tokens, logged_tokens, logged_input_tokens, status"
    row = store.row(f"select {columns} from marts.data_completeness")
    assert row == (1, 111 / 220, 111 / 220, 220, 111, 101, "incomplete")


def test_refused_calls_are_in_neither_count_and_failed_ones_in_both(store: Store) -> None:
    counted(store, 2)
    logged(store, 1)
    for error in ("ThrottlingException", "ValidationException", "AccessDeniedException", "ModelTimeoutException"):
        store.call(NOVA, at("14T10:00"), error_code=error)
    store.build()
    assert store.row("select logged_calls, logged_refusals, calls_ratio from marts.data_completeness") == (2, 3, 1)


def test_logging_that_is_off_is_a_state_of_its_own(store: Store) -> None:
    for day in (11, 12, 13, 14):
        counted(store, 1, day)
    store.logging(False, snapshot=date(2026, 11, 12))
    store.logging(True, snapshot=date(2026, 11, 14))
    store.build()
    assert store.rows("select usage_date, status from marts.data_completeness order by 1") == [
        (date(2026, 11, 11), "logging_off"),
        (date(2026, 11, 12), "logging_off"),
        (date(2026, 11, 13), "logging_off"),
        (DAY, "no_logs"),
    ]


def test_logs_that_are_there_count_also_when_logging_is_off_now(store: Store) -> None:
    counted(store, 2)
    logged(store, 1)
    store.logging(False)
    store.build()
    assert store.row(f"select {COLUMNS} from marts.data_completeness") == (2, 1, 0.5, "incomplete")


def test_without_knowing_about_logging_there_are_just_no_logs(store: Store) -> None:
    counted(store, 2)
    store.build()
    assert store.row(f"select {COLUMNS} from marts.data_completeness") == (2, 0, 0, "no_logs")


def test_calls_that_cloudwatch_does_not_have_are_complete_with_a_ratio_that_is_unknown(store: Store) -> None:
    logged(store, 3)
    store.build()
    assert store.row(f"select {COLUMNS} from marts.data_completeness") == (0, 3, None, "complete")


def test_what_was_only_throttled_has_nothing_to_compare(store: Store) -> None:
    store.usage(NOVA, at("14T10:00"), throttles=5)
    store.call(NOVA, at("14T10:00"), error_code="ThrottlingException")
    store.build()
    assert store.rows("from marts.data_completeness") == []


def test_a_call_at_midnight_belongs_to_the_new_day_on_both_sides(store: Store) -> None:
    for ts in (at("13T23:59:59"), at("14T00:00:00")):
        store.usage(NOVA, ts.replace(second=0), invocations=1, input_tokens=5)
        store.call(NOVA, ts, input_tokens=5)
    store.build()
    rows = store.rows("select usage_date, ratio, status from marts.data_completeness order by 1")
    assert rows == [(date(2026, 11, 13), 1, "complete"), (DAY, 1, "complete")]
