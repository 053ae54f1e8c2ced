"""What a logged call costs: every kind of token, at the price that held for it, exactly."""

from datetime import datetime, timedelta
from decimal import Decimal

import pytest

from usage_pipeline.raw_tables import INVOCATIONS, MODEL_PRICES, PRICE_OVERRIDES
from usage_pipeline.warehouse import note_changed_days
from usage_pipeline_tests.marts.factory import ACCOUNT, DAY, NOVA, REGION, SONNET, Store, arns, at

GEO_SONNET = f"us.{SONNET}"
MILLION = 1_000_000
PARTS = "input_cost_usd, output_cost_usd, cache_read_cost_usd, cache_write_cost_usd"


def new_store() -> Store:
    store = Store("marts.invocations")
    store.burndown("*", 1)
    store.model(NOVA)
    store.system_profile(GEO_SONNET, arns(SONNET, "us-east-1", "us-west-2"))
    return store


@pytest.fixture
def store() -> Store:
    return new_store()


@pytest.fixture
def sonnet(store: Store) -> Store:
    return with_sonnet_prices(store)


def with_sonnet_prices(store: Store) -> Store:
    """Sonnet 4.5 at 3 dollars for a million input tokens, with the usual ratios."""
    prices = {"input": "3", "output": "15", "cache_read": "0.3", "cache_write_5m": "3.75", "cache_write_1h": "6"}
    for kind, price in prices.items():
        store.price(SONNET, kind, price, endpoint_type="geo")
    return store


def cost(store: Store) -> tuple[Decimal | None, str]:
    """(dollars, status) of the only call."""
    store.build()
    return store.row("select cost_usd, cost_status from marts.invocations")


def test_a_million_tiny_calls_cost_what_their_tokens_cost(store: Store) -> None:
    store.price("amazon.nova-micro-v1:0", "input", "0.035")
    store.price("amazon.nova-micro-v1:0", "output", "0.14")
    store.model("amazon.nova-micro-v1:0")
    store.write()
    store.con.execute(
        f"""
        insert into raw.invocations by name
        select
            '{DAY}'::date as usage_date,
            '{ACCOUNT}' as account_id,
            '{REGION}' as region,
            range::varchar as request_id,
            '{DAY}'::timestamp + to_seconds(range % 86400) as ts,
            'amazon.nova-micro-v1:0' as profile_id,
            10 as input_tokens,
            10 as output_tokens,
        from range(1000000)
        """
    )
    note_changed_days(store.con, INVOCATIONS.qualified_name, [DAY])
    store.build("marts.usage_monthly")

    for table in ("invocations", "usage_hourly", "usage_daily", "usage_monthly"):
        sums = f"select sum(cost_usd), sum(input_cost_usd), sum(output_cost_usd) from marts.{table}"
        assert store.row(sums) == (Decimal("1.75"), Decimal("0.35"), Decimal("1.40"))


TOKENS_AND_DOLLARS: list[tuple[dict[str, int], str]] = [
    ({"cache_read_tokens": MILLION}, "0.30"),
    ({"cache_write_tokens": MILLION, "cache_write_5m_tokens": MILLION, "cache_write_1h_tokens": 0}, "3.75"),
    ({"cache_write_tokens": MILLION, "cache_write_5m_tokens": 0, "cache_write_1h_tokens": MILLION}, "6.00"),
    (
        {"cache_write_tokens": MILLION, "cache_write_5m_tokens": 400_000, "cache_write_1h_tokens": 600_000},
        "5.10",
    ),
    ({"cache_write_tokens": MILLION}, "3.75"),
    ({"input_tokens": MILLION, "output_tokens": MILLION}, "18.00"),
    ({"input_tokens": 1, "output_tokens": 1}, "0.000018"),
]


@pytest.fixture(scope="module")
def store_of_kinds() -> Store:
    """A call of Sonnet 4.5 with each of these kinds of tokens, a minute apart from the next."""
    store = with_sonnet_prices(new_store())
    for number, (tokens, _) in enumerate(TOKENS_AND_DOLLARS):
        store.call(GEO_SONNET, at("14T10:00") + timedelta(minutes=number), **{"input_tokens": 0, **tokens})
    store.build()
    return store


@pytest.mark.parametrize("number", range(len(TOKENS_AND_DOLLARS)))
def test_each_kind_of_token_has_its_price(store_of_kinds: Store, number: int) -> None:
    columns = f"cost_usd, cost_status, {PARTS.replace(',', ' +')}"
    ts = at("14T10:00") + timedelta(minutes=number)
    dollars = Decimal(TOKENS_AND_DOLLARS[number][1])
    assert store_of_kinds.row(f"select {columns} from marts.invocations where ts = ?", ts) == (
        dollars,
        "priced",
        dollars,
    )


def test_cache_writes_without_lifetimes_are_marked(sonnet: Store) -> None:
    sonnet.call(GEO_SONNET, at("14T10:00"), input_tokens=0, cache_write_tokens=7)
    split = {"cache_write_tokens": 5, "cache_write_5m_tokens": 2, "cache_write_1h_tokens": 3}
    sonnet.call(GEO_SONNET, at("14T10:01"), input_tokens=0, **split)
    sonnet.call(GEO_SONNET, at("14T10:02"), input_tokens=0, cache_write_tokens=0)
    sonnet.build("marts.usage_daily")
    columns = "cache_write_split, cache_write_5m_tokens, cache_write_1h_tokens"
    assert sonnet.rows(f"select {columns} from marts.invocations order by ts") == [
        ("assumed", 7, 0),
        ("logged", 2, 3),
        (None, 0, 0),
    ]
    assert sonnet.one("select assumed_cache_write_tokens from marts.usage_daily") == 7


def test_the_parts_of_every_sum_add_up_to_it(sonnet: Store) -> None:
    for number in range(50):
        ts = at("13T00:00") + timedelta(minutes=67 * number)
        kinds = {"input_tokens": 7 * number, "output_tokens": 3 * number, "cache_read_tokens": 11 * number}
        sonnet.call(GEO_SONNET, ts, cache_write_tokens=number, **kinds)
    sonnet.build("marts.usage_monthly")
    for table in ("invocations", "usage_hourly", "usage_daily", "usage_monthly"):
        parts = PARTS.replace(",", " +")
        assert sonnet.one(f"select count(*) from marts.{table} where cost_usd is distinct from {parts}") == 0
    totals = {
        sonnet.one(f"select sum(cost_usd) from marts.{t}") for t in ("invocations", "usage_hourly", "usage_daily")
    }
    assert len(totals) == 1


# The price that holds


def test_calls_around_a_price_change_have_two_prices(store: Store) -> None:
    store.price(NOVA, "input", "2", valid_to=at("14T10:00"))
    store.price(NOVA, "input", "1", valid_from=at("14T10:00"))
    for time in ("14T09:59", "14T10:00", "14T10:01"):
        store.call(NOVA, at(time), input_tokens=MILLION)
    store.build("marts.usage_monthly")
    costs = "select cost_usd from marts.invocations order by ts"
    assert store.rows(costs) == [(2,), (1,), (1,)]
    assert store.rows("select calls, cost_usd from marts.usage_hourly order by ts") == [(1, 2), (2, 2)]
    assert all(model.is_unchanged for model in store.build("marts.usage_monthly"))

    store.forget(MODEL_PRICES)
    store.price(NOVA, "input", "5")
    store.build("marts.usage_monthly")
    assert store.rows(costs) == [(5,), (5,), (5,)]
    assert store.one("select cost_usd from marts.usage_monthly") == 15


def test_a_call_before_the_first_price_has_none(store: Store) -> None:
    store.price(NOVA, "input", "2", valid_from=at("14T10:00"))
    store.call(NOVA, at("14T09:59"), input_tokens=1)
    assert cost(store) == (None, "no_price")


def test_the_regions_own_price_wins_kind_by_kind(store: Store) -> None:
    store.price(NOVA, "input", "2")
    store.price(NOVA, "output", "4")
    store.price(NOVA, "input", "3", region=REGION, valid_from=at("14T10:00"), valid_to=at("14T12:00"))
    for time in ("14T09:00", "14T11:00", "14T12:00"):
        store.call(NOVA, at(time), input_tokens=MILLION, output_tokens=MILLION)
    store.build()
    assert store.rows("select cost_usd from marts.invocations order by ts") == [(6,), (7,), (6,)]


def test_a_price_of_another_endpoint_region_or_tier_never_stands_in(store: Store) -> None:
    store.price(NOVA, "input", "2", endpoint_type="geo")
    store.price(NOVA, "input", "2", region="eu-west-1")
    store.price(NOVA, "input", "2", service_tier="flex")
    store.call(NOVA, at("14T10:00"), input_tokens=1)
    assert cost(store) == (None, "no_price")


def test_geo_and_global_have_prices_of_their_own(store: Store) -> None:
    store.system_profile(f"global.{SONNET}", arns(SONNET, "", "us-east-1"))
    store.price(SONNET, "input", "3.30", endpoint_type="geo")
    store.price(SONNET, "input", "3", endpoint_type="global")
    store.call(GEO_SONNET, at("14T10:00"), input_tokens=MILLION)
    store.call(f"global.{SONNET}", at("14T10:00"), input_tokens=MILLION)
    store.build()
    costs = store.rows("select endpoint_type, cost_usd from marts.invocations order by 1")
    assert costs == [("geo", Decimal("3.30")), ("global", 3)]


def test_tiers_have_prices_of_their_own_and_a_missing_tier_is_default_and_marked(store: Store) -> None:
    for tier, price in (("default", "2"), ("flex", "1"), ("batch", "1"), ("priority", "3.5")):
        store.price(NOVA, "input", price, service_tier=tier)
    for tier in (None, "default", "flex", "batch", "priority", "reserved"):
        store.call(NOVA, at("14T10:00"), input_tokens=MILLION, service_tier=tier)
    store.build("marts.usage_daily")
    columns = "service_tier, service_tier_source, cost_usd"
    assert store.rows(f"select {columns} from marts.invocations order by all") == [
        ("batch", "logged", 1),
        ("default", "assumed", 2),
        ("default", "logged", 2),
        ("flex", "logged", 1),
        ("priority", "logged", Decimal("3.5")),
        ("reserved", "logged", None),
    ]
    columns = "calls, assumed_tier_calls, unpriced_calls, cost_usd"
    assert store.rows(f"select {columns} from marts.usage_daily where service_tier in ('default', 'reserved')") == [
        (2, 1, 0, 4),
        (1, 0, 1, None),
    ]


def test_a_long_request_is_priced_whole_by_the_long_band(sonnet: Store) -> None:
    sonnet.price(SONNET, "input", "6", endpoint_type="geo", context_threshold=200_000)
    sonnet.price(SONNET, "output", "22.5", endpoint_type="geo", context_threshold=200_000)
    tokens = {"input_tokens": 100_000, "output_tokens": 100_000}
    sonnet.call(GEO_SONNET, at("14T10:00"), cache_read_tokens=0, cache_write_tokens=100_000, **tokens)
    sonnet.call(GEO_SONNET, at("14T10:01"), input_tokens=200_001, output_tokens=100_000)
    sonnet.call(GEO_SONNET, at("14T10:02"), cache_read_tokens=100_001, **tokens)
    sonnet.build()
    assert sonnet.rows("select context_band, cost_usd from marts.invocations order by ts") == [
        ("standard", Decimal("2.175")),
        ("long", Decimal("3.450006")),
        # Cached tokens make it long, and the band has no price for them: the default band's never stands in.
        ("long", None),
    ]


# Without a price


def test_what_has_no_price_is_counted_and_never_zero(store: Store) -> None:
    store.price(NOVA, "input", "1")
    store.call(NOVA, at("14T10:00"), input_tokens=MILLION)
    store.call(NOVA, at("14T10:00"), input_tokens=MILLION, output_tokens=1)
    store.call("unknown.model-v1:0", at("14T10:00"), input_tokens=5)
    store.call(NOVA, at("14T10:00"))
    store.build("marts.unresolved_profiles", "marts.usage_daily")
    columns = f"cost_usd, cost_status, {PARTS}"
    assert store.rows(f"select {columns} from marts.invocations order by request_id") == [
        (1, "priced", 1, 0, 0, 0),
        (None, "no_price", None, None, None, None),
        (None, "no_pool", None, None, None, None),
        (None, "no_counts", None, None, None, None),
    ]
    columns = f"profile_id, calls, unpriced_calls, cost_usd, {PARTS}"
    assert store.rows(f"select {columns} from marts.usage_daily order by 1") == [
        (NOVA, 3, 2, 1, 1, 0, 0, 0),
        ("unknown.model-v1:0", 1, 1, None, None, None, None, None),
    ]
    unresolved = "select profile_id, reason from marts.unresolved_profiles"
    assert store.rows(unresolved) == [("unknown.model-v1:0", "No catalogue that was read has this ModelId.")]


def test_a_kind_without_tokens_needs_no_price(store: Store) -> None:
    store.price(NOVA, "input", "1")
    store.call(NOVA, at("14T10:00"), input_tokens=MILLION, output_tokens=0, cache_read_tokens=0)
    assert cost(store) == (1, "priced")


def test_an_error_costs_nothing_and_is_counted_by_its_code(store: Store) -> None:
    store.call(NOVA, at("14T10:00"), error_code="ThrottlingException")
    store.call(NOVA, at("14T10:00"), error_code="ModelTimeoutException", input_tokens=10, latency_ms=60_000.0)
    store.call(NOVA, at("14T10:00"), error_code="ValidationException")
    store.build("marts.usage_daily")
    columns = f"cost_usd, cost_status, {PARTS}, tpot_ms, reserved_tokens"
    assert set(store.rows(f"select {columns} from marts.invocations")) == {(0, "error", 0, 0, 0, 0, None, None)}
    columns = "calls, errors, throttles, unpriced_calls, cost_usd, latency_samples, latency_ms_avg"
    assert store.row(f"select {columns} from marts.usage_daily") == (3, 3, 1, 0, 0, 0, None)


def test_images_count_as_output_and_cost_nothing_unknown(store: Store) -> None:
    store.price(NOVA, "image", "40000")
    store.call(NOVA, at("14T10:00"), output_images=3)
    store.call(NOVA, at("14T10:01"), input_tokens=0)
    store.build()
    columns = "output_images, cost_usd, output_cost_usd, cost_status"
    assert store.rows(f"select {columns} from marts.invocations order by ts") == [
        (3, Decimal("0.12"), Decimal("0.12"), "priced"),
        (None, None, None, "no_counts"),
    ]


# Agreed prices


def test_the_override_that_says_most_about_the_call_wins(store: Store) -> None:
    for kind in ("input", "output"):
        store.price(NOVA, kind, "10")
        store.price(SONNET, kind, "10", endpoint_type="geo")
    store.override("*", discount="10")
    store.override("amazon.*", "4", token_kind="input")
    store.override("amazon.*", "3", endpoint_type="on_demand")
    store.override("amazon.*", "5", endpoint_type="geo")
    for model in (NOVA, GEO_SONNET):
        store.call(model, at("14T10:00"), input_tokens=MILLION, output_tokens=MILLION)
    store.build()
    columns = "model_id, input_cost_usd, output_cost_usd"
    assert store.rows(f"select {columns} from marts.invocations order by 1") == [(NOVA, 3, 3), (SONNET, 9, 9)]


def test_an_override_holds_from_its_first_moment_to_its_end(store: Store) -> None:
    store.price(NOVA, "input", "10")
    store.override(NOVA, discount="12.5", valid_from=at("14T10:00"), valid_to=at("14T11:00"))
    for time in ("14T09:59", "14T10:00", "14T10:59", "14T11:00"):
        store.call(NOVA, at(time), input_tokens=MILLION)
    store.build("marts.invocations", "marts.model_prices")
    costs = store.rows("select cost_usd from marts.invocations order by ts")
    assert costs == [(10,), (Decimal("8.75"),), (Decimal("8.75"),), (10,)]
    columns = "usd_per_million, list_usd_per_million, valid_from, valid_to, source"
    assert store.rows(f"select {columns} from marts.model_prices order by valid_from") == [
        (10, 10, datetime(2023, 9, 28), at("14T10:00"), "list"),
        (
            Decimal("8.75"),
            10,
            at("14T10:00"),
            at("14T11:00"),
            "discount of 12.5 %, entered by finance, off list",
        ),
        (10, 10, at("14T11:00"), None, "list"),
    ]


def test_an_agreed_price_needs_no_list_price_and_a_discount_does(store: Store) -> None:
    store.override("amazon.*", "2", token_kind="input")
    store.override("anthropic.*", discount="20")
    store.call(NOVA, at("14T10:00"), input_tokens=MILLION, service_tier="flex")
    store.call(GEO_SONNET, at("14T10:00"), input_tokens=MILLION)
    store.build()
    columns = "model_id, cost_usd, cost_status"
    assert store.rows(f"select {columns} from marts.invocations order by 1") == [
        (NOVA, 2, "priced"),
        (SONNET, None, "no_price"),
    ]


def test_a_changed_override_restates_stored_calls(store: Store) -> None:
    store.price(NOVA, "input", "10")
    store.call(NOVA, at("13T10:00"), input_tokens=MILLION)
    store.build("marts.usage_monthly")
    store.override(NOVA, discount="50")
    store.build("marts.usage_monthly")
    assert store.one("select cost_usd from marts.usage_monthly") == 5
    store.forget(PRICE_OVERRIDES)
    store.override(NOVA, discount="0")
    store.build("marts.usage_monthly")
    assert store.one("select cost_usd from marts.usage_monthly") == 10


def test_every_key_has_one_price_at_a_time(store: Store) -> None:
    for start, price in ((1, "1"), (5, "2"), (9, "3")):
        store.price(NOVA, "input", price, valid_from=datetime(2026, 11, start), valid_to=datetime(2026, 11, start + 4))
    for start, end in ((3, 6), (4, 11), (2, 20)):
        store.override(
            f"amazon{'*' * start}",
            discount="10",
            valid_from=datetime(2026, 11, start),
            valid_to=datetime(2026, 11, end),
        )
    store.call(NOVA, at("14T10:00"), input_tokens=1)
    store.build("marts.model_prices")
    overlapping = """
        select a.valid_from from marts.model_prices as a
        inner join marts.model_prices as b
            on (a.model_id, a.endpoint_type, a.region, a.service_tier, a.context_band, a.token_kind)
                = (b.model_id, b.endpoint_type, b.region, b.service_tier, b.context_band, b.token_kind)
            and a.valid_from < b.valid_from and (a.valid_to is null or a.valid_to > b.valid_from)
    """
    assert store.rows(overlapping) == []
    assert store.one("select count(*) from marts.model_prices") > 3


def test_the_price_of_a_model_that_nobody_calls_restates_no_call(store: Store) -> None:
    store.price(NOVA, "input", "1")
    store.call(NOVA, at("14T10:00"), input_tokens=1)
    store.build("marts.invocations", "marts.model_prices")
    store.price(SONNET, "input", "9", endpoint_type="geo")
    built = {model.table_name: model for model in store.build("marts.invocations", "marts.model_prices")}
    assert built["marts.invocations"].is_unchanged
    assert not built["marts.model_prices"].is_unchanged
