"""Computed costs held against AWS's bill: what agrees, what differs, what is warned of."""

from datetime import date
from decimal import Decimal
from typing import Any

import pytest

from usage_pipeline.checks.bill import BILL_RULES, COMPUTED_COST_AGREES_WITH_THE_BILL
from usage_pipeline.checks.rules import evaluate
from usage_pipeline_tests.marts.billing import (
    INPUT,
    MILLION,
    billed,
    called,
    divide,
    read_usage_types,
    store_without_usage,
)
from usage_pipeline_tests.marts.factory import ACCOUNT, DAY, NOVA, REGION, Store, at


@pytest.fixture
def store() -> Store:
    return store_without_usage()


def reconciled(store: Store) -> list[tuple[Any, ...]]:
    divide(store)
    columns = "model_id, endpoint_type, token_kind, computed_usd, billed_usd, difference_usd, ratio, status"
    return store.rows(f"select {columns} from marts.bill_reconciliation order by all")


@pytest.mark.parametrize(
    ("usd", "status"), [("1", "agrees"), ("0.953", "agrees"), ("1.05", "agrees"), ("0.95", "differs"), ("0", "differs")]
)
def test_costs_agree_within_five_percent_of_the_bill(store: Store, usd: str, status: str) -> None:
    called(store, "search", MILLION)
    billed(store, usd)
    ratio = pytest.approx(1 / float(usd)) if float(usd) else None
    difference = 1 - Decimal(usd)
    assert reconciled(store) == [(NOVA, "on_demand", "input", 1, Decimal(usd), difference, ratio, status)]


def test_what_only_one_side_has_is_there(store: Store) -> None:
    called(store, "search", MILLION, f"global.{NOVA}")
    called(store, "chat", MILLION, f"global.{NOVA}", output_tokens=5, output_cost_usd=0)
    called(store, "chat", MILLION, costs="unknown")
    billed(store, "1", f"{INPUT}-cross-region-geo")
    billed(store, "2", "USE1-NovaCanvas-T2I-1024-Standard")
    assert reconciled(store) == [
        (NOVA, "geo", "input", None, 1, None, None, "only_billed"),
        (NOVA, "global", "input", 2, None, None, None, "only_computed"),
        (None, None, None, None, 2, None, None, "only_billed"),
    ]


def test_discounts_count_and_taxes_credits_and_refunds_do_not(store: Store) -> None:
    called(store, "search", MILLION)
    billed(store, "1.1")
    billed(store, "-0.1", line_type="EdpDiscount")
    for line_type in ("Tax", "Credit", "Refund", "Fee"):
        billed(store, "50", line_type=line_type)
    assert reconciled(store) == [(NOVA, "on_demand", "input", 1, 1, 0, 1.0, "agrees")]


def test_days_that_are_not_billed_yet_and_accounts_without_a_bill_are_left_out(store: Store) -> None:
    called(store, "search", MILLION)
    called(store, "search", MILLION, usage_date=date(2026, 11, 15))
    called(store, "search", MILLION, account_id="444455556666")
    billed(store, "1")
    divide(store)
    assert store.rows("select usage_date, account_id from marts.bill_reconciliation") == [(DAY, ACCOUNT)]


def test_without_a_bill_both_tables_are_empty_and_nothing_fails(store: Store) -> None:
    called(store, "search", MILLION)
    divide(store)
    assert store.one("select count(*) from marts.billed_cost") == 0
    assert store.one("select count(*) from marts.bill_reconciliation") == 0
    assert all(evaluate(store.con, rule).passed for rule in BILL_RULES)


# From stored calls, with all models


def test_calls_are_billed_to_their_callers_and_a_changed_bill_restates_its_days_only() -> None:
    store = Store("marts.bill_reconciliation")
    store.burndown("*", 1)
    store.model(NOVA)
    store.price(NOVA, "input", "1")
    store.application_rule("role", "(.*)Role")
    for role, tokens in (("ChatRole", MILLION), ("SearchRole", 2 * MILLION)):
        arn = f"arn:aws:sts::{ACCOUNT}:assumed-role/{role}/session"
        store.call(NOVA, at("14T10:00"), input_tokens=tokens, principal_arn=arn)
    billed(store, "1", usage_date=date(2026, 11, 13))
    billed(store, "3")
    read_usage_types(store)
    store.build()
    columns = "usage_date, application, role_or_user, billed_usd"
    before = (date(2026, 11, 13), "(unattributed)", "(unattributed)", 1)
    assert store.rows(f"select {columns} from marts.billed_cost order by all") == [
        before,
        (DAY, "Chat", "ChatRole", 1),
        (DAY, "Search", "SearchRole", 2),
    ]
    assert store.rows("select usage_date, status from marts.bill_reconciliation order by all") == [
        (date(2026, 11, 13), "only_billed"),
        (DAY, "agrees"),
    ]

    billed(store, "1", usage_date=date(2026, 11, 13))
    billed(store, "1.5")
    built = {model.table_name: model for model in store.build()}
    assert built["marts.billed_cost"].days == ((DAY, DAY),)
    assert store.rows(f"select {columns} from marts.billed_cost order by all") == [
        before,
        (DAY, "Chat", "ChatRole", Decimal("0.5")),
        (DAY, "Search", "SearchRole", 1),
    ]


# The warning


@pytest.mark.parametrize(
    ("tokens", "usd", "newest", "passes"),
    [
        (2 * MILLION, "1.9", 16, False),
        (2 * MILLION, "1.91", 16, True),
        (2 * MILLION, "2.2", 16, False),
        (2 * MILLION, "1", 15, True),
        (MILLION, "0.5", 16, True),
        (10, "1.01", 16, False),
    ],
)
def test_only_settled_days_above_a_dollar_are_warned_of(
    store: Store, tokens: int, usd: str, newest: int, passes: bool
) -> None:
    called(store, "search", tokens)
    called(store, "search", 1, usage_date=date(2026, 11, newest))
    billed(store, usd)
    divide(store)
    result = evaluate(store.con, COMPUTED_COST_AGREES_WITH_THE_BILL)
    assert result.passed == passes
    assert [(row["usage_date"], row["model_id"]) for row in result.rows] == ([] if passes else [(DAY, NOVA)])


def test_a_region_that_logged_nothing_that_day_is_not_warned_of(store: Store) -> None:
    called(store, "search", 1, usage_date=date(2026, 11, 16))
    called(store, "search", MILLION)
    billed(store, "1")
    billed(store, "70", region="eu-west-1")
    billed(store, "60", f"{INPUT}-cross-region-global")
    divide(store)
    result = evaluate(store.con, COMPUTED_COST_AGREES_WITH_THE_BILL)
    assert [(row["region"], row["billed_usd"], row["percent_above_the_bill"]) for row in result.rows] == [
        (REGION, 61, pytest.approx(-98.4))
    ]
