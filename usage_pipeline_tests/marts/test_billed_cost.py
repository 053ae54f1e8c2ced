"""AWS's bill divided among callers: every line whole, to the last digit, and held against computed costs."""

from datetime import date
from decimal import Decimal
from fractions import Fraction
from typing import Any

import pyarrow as pa
import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from usage_pipeline import raw_tables as raw
from usage_pipeline.assets.raw_bill import usage_type_rows
from usage_pipeline.checks.bill import (
    BILLED_COST_IS_ATTRIBUTED_WHOLE,
    COMPUTED_COST_AGREES_WITH_THE_BILL,
    EVERY_BILL_FILE_WAS_READ,
)
from usage_pipeline.checks.rules import evaluate
from usage_pipeline.prices.product_names import ModelNames
from usage_pipeline.quotas.model_names import FoundationModel
from usage_pipeline.sql_models import MODELS_FOLDER, read_model
from usage_pipeline.warehouse import arrow_schema, replace_all
from usage_pipeline_tests.marts.factory import ACCOUNT, ACCOUNT_NAME, DAY, NOVA, REGION, SONNET, Store, at

MILLION = 1_000_000
NAMES = ModelNames([FoundationModel(NOVA, "Nova Lite", "Amazon"), FoundationModel(SONNET, "Claude Sonnet 4.5")])
INPUT = "USE1-NovaLite-input-tokens"
OUTPUT = "USE1-NovaLite-output-tokens"
EDITION = "Claude Sonnet 4.5 (Amazon Bedrock Edition)"
BILLED_COST = read_model(MODELS_FOLDER / "marts" / "billed_cost.sql", MODELS_FOLDER)
USAGE_TYPES = read_model(MODELS_FOLDER / "staging" / "stg_billed_usage_types.sql", MODELS_FOLDER)
PROFILE_ARN = f"arn:aws:bedrock:us-east-1:{ACCOUNT}:application-inference-profile/searchsearch"


USD_PER_MILLION = {"input": 1, "output": 4, "cache_read": 1, "cache_write": 1}


@pytest.fixture(scope="module")
def _built() -> Store:
    store = Store()
    store.build()
    return store


@pytest.fixture
def store(_built: Store) -> Store:
    """A built warehouse without usage; `called` writes usage by day, because building all for each test takes long."""
    for table in ("raw.bill", "marts.billed_cost", "marts.usage_daily"):
        _built.con.execute(f"delete from {table}")
    return _built


def called(
    store: Store, role: str, tokens: int = 0, model_id: str = NOVA, *, costs: str = "known", **values: Any
) -> None:
    """A day's usage of a role, which is its application too; `tokens` are input. `costs`: known, unknown or nothing."""
    prefix, _, rest = model_id.partition(".")
    endpoint_type = {"us": "geo", "global": "global"}.get(prefix, "on_demand")
    row: dict[str, Any] = {
        "usage_date": DAY,
        "account_id": ACCOUNT,
        "account_name": ACCOUNT_NAME,
        "region": REGION,
        "model_id": NOVA if model_id == "searchsearch" else model_id if endpoint_type == "on_demand" else rest,
        "endpoint_type": endpoint_type,
        "profile_id": model_id,
        "application": role,
        "role_or_user": role,
        "service_tier": "default",
        "unpriced_calls": int(costs == "unknown"),
        "output_images": 0,
        "input_tokens": tokens,
        **{f"{kind}_tokens": 0 for kind in ("output", "cache_read", "cache_write")},
        **values,
    }
    for kind, usd in USD_PER_MILLION.items():
        cost = None if costs == "unknown" else Decimal(row[f"{kind}_tokens"] * usd * (costs == "known")) / MILLION
        row.setdefault(f"{kind}_cost_usd", cost)
    columns = ", ".join(f"${name} as {name}" for name in row)
    store.con.execute(f"insert into marts.usage_daily by name select {columns}", row)


def billed(store: Store, usd: str, usage_type: str | None = INPUT, **values: Any) -> None:
    """A line of the bill of 14 November."""
    line = {
        "billing_month": date(2026, 11, 1),
        "usage_date": DAY,
        "account_id": ACCOUNT,
        "region": REGION,
        "product_code": "AmazonBedrock",
        "usage_type": usage_type,
        "line_type": "Usage",
        "billed_usd": Decimal(usd),
        **values,
    }
    store.add(raw.BILL, **line)


def read_usage_types(store: Store) -> None:
    """Write the waiting rows, and what each usage type of the bill is for."""
    store.write()
    found = store.rows("select distinct usage_type, product_name from raw.bill where usage_type is not null")
    rows = pa.Table.from_pylist(usage_type_rows(found, NAMES), schema=arrow_schema(raw.BILLED_USAGE_TYPES))
    replace_all(store.con, raw.BILLED_USAGE_TYPES, rows)


def divide(store: Store) -> None:
    """Make marts.billed_cost for 13 to 16 November from the bill and the usage by day."""
    read_usage_types(store)
    store.con.execute(f"create or replace table staging.stg_billed_usage_types as {USAGE_TYPES.sql}")
    days = {"start_date": date(2026, 11, 13), "end_date": date(2026, 11, 16)}
    store.con.execute(f"create or replace table marts.billed_cost as {BILLED_COST.sql}", days)


def parts(store: Store) -> list[tuple[Any, ...]]:
    """(application, dollars) of every part, after a check that they are the bill."""
    divide(store)
    assert evaluate(store.con, BILLED_COST_IS_ATTRIBUTED_WHOLE).passed
    return store.rows("select application, billed_usd from marts.billed_cost order by application, billed_usd")


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


# Holding it against computed costs


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
    rules = (EVERY_BILL_FILE_WAS_READ, BILLED_COST_IS_ATTRIBUTED_WHOLE, COMPUTED_COST_AGREES_WITH_THE_BILL)
    assert all(evaluate(store.con, rule).passed for rule in rules)


# From stored calls, with all models


def test_calls_are_billed_to_their_callers_and_a_changed_bill_restates_its_days_only() -> None:
    store = Store()
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
