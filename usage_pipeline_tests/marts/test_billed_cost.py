"""AWS's bill divided among callers: every line whole, to the last digit, for the calls that it pays for."""

from datetime import date
from decimal import Decimal
from fractions import Fraction
from typing import Any

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from usage_pipeline.checks.bill import BILLED_COST_IS_ATTRIBUTED_WHOLE
from usage_pipeline.checks.rules import evaluate
from usage_pipeline_tests.marts.billing import (
    INPUT,
    MILLION,
    OUTPUT,
    billed,
    called,
    divide,
    parts,
    store_without_usage,
)
from usage_pipeline_tests.marts.factory import ACCOUNT, ACCOUNT_NAME, DAY, NOVA, REGION, SONNET, Store

EDITION = "Claude Sonnet 4.5 (Amazon Bedrock Edition)"
PROFILE_ARN = f"arn:aws:bedrock:us-east-1:{ACCOUNT}:application-inference-profile/searchsearch"


@pytest.fixture
def store() -> Store:
    return store_without_usage()


# Dividing a line


def test_a_line_is_divided_in_proportion_to_computed_cost(store: Store) -> None:
    called(store, "search", 3 * MILLION)
    called(store, "chat", MILLION)
    billed(store, "3.6")
    assert parts(store) == [("chat", Decimal("0.9")), ("search", Decimal("2.7"))]
    columns = (
        "usage_date, account_id, account_name, region, model_id, endpoint_type, service_tier, token_kind, divided_by"
    )
    assert store.rows(f"select distinct {columns} from marts.billed_cost") == [
        (DAY, ACCOUNT, ACCOUNT_NAME, REGION, NOVA, "on_demand", "default", "input", "cost")
    ]


def test_what_rounding_leaves_goes_to_those_that_lost_most(store: Store) -> None:
    for role, tokens in (("a", 5), ("b", 1), ("c", 1)):
        called(store, role, tokens)
    billed(store, "0.000000000010")
    # Exact shares: 7.142…, 1.428… and 1.428… of the last digit.
    assert parts(store) == [
        ("a", Decimal("0.000000000007")),
        ("b", Decimal("0.000000000002")),
        ("c", Decimal("0.000000000001")),
    ]


def test_what_aws_takes_off_is_divided_too(store: Store) -> None:
    called(store, "search", 2)
    called(store, "chat", 1)
    billed(store, "-0.1", line_type="EdpDiscount")
    assert parts(store) == [("chat", Decimal("-0.033333333333")), ("search", Decimal("-0.066666666667"))]


@pytest.mark.parametrize("costs", ["unknown", "nothing"])
def test_tokens_decide_where_costs_do_not_tell(store: Store, costs: str) -> None:
    called(store, "search", 300, costs=costs)
    called(store, "chat", 100)
    if costs == "nothing":
        store.con.execute("update marts.usage_daily set input_cost_usd = 0")
    billed(store, "0.4")
    assert parts(store) == [("chat", Decimal("0.1")), ("search", Decimal("0.3"))]
    assert store.rows("select distinct divided_by from marts.billed_cost") == [("tokens",)]


def test_each_kind_of_token_is_divided_by_itself(store: Store) -> None:
    called(store, "reader", 1000)
    called(store, "writer", output_tokens=1000)
    billed(store, "1", INPUT)
    billed(store, "2", OUTPUT)
    assert parts(store) == [("reader", 1), ("writer", 2)]


def test_both_lifetimes_of_cache_writes_are_divided_by_what_writes_cost(store: Store) -> None:
    called(store, "brief", cache_write_tokens=200, cache_write_cost_usd=Decimal("0.0002"))
    called(store, "long", cache_write_tokens=100, cache_write_cost_usd=Decimal("0.0002"))
    billed(store, "2", "USE1-NovaLite-cache-write-input-token-count")
    billed(store, "4", "USE1-MP:USE1_CacheWrite1hInputTokenCount-Units", product_name="Nova Lite")
    assert parts(store) == [("brief", 1), ("brief", 2), ("long", 1), ("long", 2)]


# Which calls a line is for


def test_a_plain_line_is_for_calls_on_demand_and_through_geo_profiles(store: Store) -> None:
    for prefix, role in (("", "here"), ("us.", "geo"), ("global.", "global")):
        called(store, role, 100, f"{prefix}{NOVA}")
    billed(store, "2")
    assert parts(store) == [("geo", 1), ("here", 1)]
    assert store.rows("select application, endpoint_type from marts.billed_cost order by 1") == [
        ("geo", "geo"),
        ("here", "on_demand"),
    ]


def test_geo_and_global_lines_are_for_calls_through_such_profiles(store: Store) -> None:
    for prefix, role in (("", "here"), ("us.", "geo"), ("global.", "global")):
        called(store, role, 100, f"{prefix}{NOVA}")
    billed(store, "1")
    billed(store, "2", f"{INPUT}-cross-region-geo")
    billed(store, "3", f"{INPUT}-cross-region-global")
    assert parts(store) == [("geo", 2), ("global", 3), ("here", 1)]


def test_a_tier_is_for_calls_of_that_tier(store: Store) -> None:
    called(store, "patient", 100, service_tier="flex")
    called(store, "hasty", 100)
    billed(store, "1", f"{INPUT}-flex")
    billed(store, "2")
    billed(store, "4", f"{INPUT}-batch")
    assert parts(store) == [("(unattributed)", 4), ("hasty", 2), ("patient", 1)]


def test_a_line_for_an_application_profile_is_for_its_calls_and_the_others_share_the_rest(store: Store) -> None:
    called(store, "search", 100, "searchsearch")
    called(store, "chat", 100)
    billed(store, "1", resource_id=PROFILE_ARN)
    billed(store, "2")
    assert parts(store) == [("chat", 2), ("search", 1)]


def test_without_a_line_of_its_own_an_application_profile_shares_the_common_one(store: Store) -> None:
    called(store, "search", 100, "searchsearch")
    called(store, "chat", 100)
    billed(store, "2", resource_id=f"arn:aws:bedrock:us-east-1::foundation-model/{NOVA}")
    assert parts(store) == [("chat", 1), ("search", 1)]


def test_a_discount_without_resources_is_for_all_calls(store: Store) -> None:
    called(store, "search", 100, "searchsearch")
    called(store, "chat", 100)
    billed(store, "1", resource_id=PROFILE_ARN)
    billed(store, "1")
    billed(store, "-0.2", line_type="EdpDiscount")
    assert parts(store) == [
        ("chat", Decimal("-0.1")),
        ("chat", 1),
        ("search", Decimal("-0.1")),
        ("search", 1),
    ]


@pytest.mark.parametrize(
    ("usage_type", "values"),
    [
        ("USE1-NovaCanvas-T2I-1024-Standard", {}),
        ("USE1-NobodysModel-input-tokens", {}),
        (None, {"line_type": "Tax", "region": None}),
        (INPUT, {"region": "us-west-2"}),
        (INPUT, {"account_id": "999900009999"}),
        (INPUT, {"usage_date": date(2026, 11, 13)}),
        (OUTPUT, {}),
    ],
)
def test_what_fits_no_logged_call_stays_unattributed(
    store: Store, usage_type: str | None, values: dict[str, Any]
) -> None:
    called(store, "search", 100)
    billed(store, "1.25", usage_type, **values)
    assert parts(store) == [("(unattributed)", Decimal("1.25"))]
    assert store.row("select role_or_user, divided_by from marts.billed_cost") == ("(unattributed)", None)


def test_a_model_of_the_marketplace_is_known_by_its_product(store: Store) -> None:
    called(store, "chat", 100, f"us.{SONNET}")
    billed(store, "1", "USE1-MP:USE1_InputTokenCount-Units", product_name=EDITION)
    billed(store, "2", "USE1-MP:USE1_InputTokenCount-Units")
    assert parts(store) == [("(unattributed)", 2), ("chat", 1)]


def test_a_line_without_a_region_is_of_that_of_its_usage_type(store: Store) -> None:
    called(store, "chat", 100)
    billed(store, "1", region=None)
    billed(store, "2", "XYZ9-NovaLite-input-tokens", region=None)
    assert parts(store) == [("(unattributed)", 2), ("chat", 1)]
    assert store.rows("select region from marts.billed_cost order by region") == [(REGION,), (None,)]


@pytest.mark.parametrize(
    "fault",
    [
        "update marts.billed_cost set billed_usd = billed_usd - 0.000000000001 where application = 'chat'",
        "delete from marts.billed_cost where application = 'chat'",
        "delete from marts.billed_cost where line_type = 'Tax'",
        "insert into marts.billed_cost from marts.billed_cost where line_type = 'Tax'",
        "delete from raw.bill where line_type = 'Tax'",
    ],
)
def test_a_part_that_is_wrong_missing_or_too_much_is_found(store: Store, fault: str) -> None:
    called(store, "chat", 100)
    called(store, "search", 100)
    billed(store, "1")
    billed(store, "2", None, line_type="Tax", region=None)
    divide(store)
    assert evaluate(store.con, BILLED_COST_IS_ATTRIBUTED_WHOLE).passed
    store.con.execute(fault)
    assert evaluate(store.con, BILLED_COST_IS_ATTRIBUTED_WHOLE).failing_rows == 1


@settings(max_examples=25, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(
    tokens=st.lists(st.integers(1, 10**12), min_size=1, max_size=6),
    usd=st.decimals(-(10**6), 10**6, places=12),
)
def test_parts_are_the_line_and_near_to_their_share_whatever_the_numbers(
    store: Store, tokens: list[int], usd: Decimal
) -> None:
    store.con.execute("delete from marts.usage_daily")
    for number, count in enumerate(tokens):
        called(store, f"app{number}", count)
    billed(store, str(usd))
    found = [part for _, part in parts(store)]
    assert sum(found) == usd
    for part, count in zip(found, tokens, strict=True):
        assert abs(Fraction(part) - Fraction(usd) * count / sum(tokens)) < Fraction(1, 10**12)
