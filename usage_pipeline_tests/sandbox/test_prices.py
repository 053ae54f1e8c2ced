"""The sandbox's own prices, and costs computed twice: by the truth with whole numbers, here by SQL with decimals."""

import csv
from collections.abc import Iterator
from datetime import datetime
from decimal import Decimal
from pathlib import Path
from typing import Any

import duckdb
import numpy as np
import pytest

from usage_pipeline.raw_tables import MODEL_PRICES
from usage_pipeline.sandbox import SandboxOptions
from usage_pipeline.sandbox.account_data import AccountData
from usage_pipeline.sandbox.prices import costs_of, price_change, price_rows, write_prices
from usage_pipeline.sandbox.truth import write_truth
from usage_pipeline_tests.sandbox.conftest import END, OPTIONS

# A kind without tokens needs no price; the Region's own row goes before `*`; `long` counts cached tokens too.
COSTS_BY_SQL = """
    with calls as (
        select
            request_id,
            region,
            ts,
            model_id,
            endpoint_type,
            coalesce(service_tier, 'default') as tier,
            error_code,
            input_tokens + cache_read_tokens + cache_write_5m_tokens + cache_write_1h_tokens as prompt,
            unnest(['input', 'output', 'cache_read', 'cache_write_5m', 'cache_write_1h']) as kind,
            unnest([
                input_tokens, output_tokens, cache_read_tokens, cache_write_5m_tokens, cache_write_1h_tokens
            ]) as tokens,
        from truth.requests
    ),
    thresholds as (
        select model_id, endpoint_type, service_tier as tier, min(context_threshold) as threshold
        from prices
        where context_band = 'long'
        group by all
    ),
    priced as (
        select
            c.request_id,
            c.tokens,
            c.error_code,
            max_by(p.usd_per_million, p.region <> '*') as price,
        from calls as c
        left join thresholds using (model_id, endpoint_type, tier)
        left join prices as p
            on
                p.model_id = c.model_id
                and p.endpoint_type = c.endpoint_type
                and p.service_tier = c.tier
                and p.token_kind = c.kind
                and p.region in ('*', c.region)
                and p.context_band = if(coalesce(c.prompt > threshold, false), 'long', 'standard')
                and c.ts >= p.valid_from
                and c.ts < coalesce(p.valid_to, 'infinity')
        where c.tokens > 0 or c.kind = 'input'
        group by c.request_id, c.kind, c.tokens, c.error_code
    )
    select
        request_id,
        case
            when any_value(error_code) is not null then 0
            when count(*) filter (where price is null and tokens > 0) = 0
                then sum(tokens::decimal(18, 0) * price::decimal(12, 6)) * 0.000001
        end as cost_usd,
    from priced
    group by request_id
"""


@pytest.fixture(scope="module")
def truth(two_days: AccountData, tmp_path_factory: pytest.TempPathFactory) -> Iterator[duckdb.DuckDBPyConnection]:
    folder = tmp_path_factory.mktemp("truth")
    write_truth(folder / "truth.duckdb", two_days)
    write_prices(folder / "prices.csv", OPTIONS)
    with duckdb.connect() as connection:
        connection.execute(f"attach '{folder / 'truth.duckdb'}' as truth (read_only)")
        connection.execute(MODEL_PRICES.create_statement.replace("raw.model_prices", "prices"))
        connection.execute(f"copy prices from '{folder / 'prices.csv'}' (header)")
        yield connection


def rows(connection: duckdb.DuckDBPyConnection, sql: str) -> list[tuple[Any, ...]]:
    return connection.execute(sql).fetchall()


def test_the_file_has_exactly_the_columns_of_the_price_table(tmp_path: Path):
    write_prices(tmp_path / "prices.csv", OPTIONS)
    with (tmp_path / "prices.csv").open(newline="") as file:
        found = list(csv.DictReader(file))
    assert list(found[0]) == [column.name for column in MODEL_PRICES.columns]
    assert len(found) > 100
    assert {(row["service_tier"], row["context_band"]) for row in found} == {
        ("default", "standard"),
        ("default", "long"),
        ("flex", "standard"),
        ("priority", "standard"),
    }


def test_the_cost_of_every_request_is_that_of_sql(truth: duckdb.DuckDBPyConnection):
    truth.execute(f"create or replace table by_sql as {COSTS_BY_SQL}")
    different = rows(
        truth,
        "select request_id, r.cost_usd, s.cost_usd from truth.requests as r full join by_sql as s using (request_id) "
        "where r.cost_usd is distinct from s.cost_usd limit 3",
    )
    assert different == []
    assert rows(truth, "select count(*) > 30000 from by_sql where cost_usd > 0") == [(True,)]


def test_costs_of_a_day_are_sums_of_their_requests_and_parts(truth: duckdb.DuckDBPyConnection):
    keys = "usage_date, account_id, region, pool_id, model_id, application"
    from_requests = f"""
        select ts::date as {keys}, count(*), count(error_code), sum(input_tokens), sum(cost_usd),
            count(*) filter (where cost_usd is null)
        from truth.requests where is_logged group by all
    """
    assert rows(truth, f"{from_requests} order by all") == rows(
        truth, f"select {keys}, calls, errors, input_tokens, cost_usd, unpriced_calls from truth.costs order by all"
    )
    uneven = """
        select * from truth.costs
        where cost_usd <> input_cost_usd + output_cost_usd + cache_read_cost_usd + cache_write_cost_usd
    """
    assert rows(truth, uneven) == []
    assert rows(truth, "select sum(cost_usd) from truth.costs") == rows(
        truth, "select sum(cost_usd) from truth.requests where is_logged"
    )


def test_models_without_a_price_cost_nothing_known(truth: duckdb.DuckDBPyConnection):
    unpriced = rows(
        truth,
        "select model_id, endpoint_type, count(cost_usd) from truth.requests where error_code is null "
        "group by all having count(*) > count(cost_usd) order by all",
    )
    assert unpriced == [
        ("amazon.nova-lite-v1:0", "custom_deployment", 0),
        ("cohere.command-r-plus-v1:0", "on_demand", 0),
        ("imported-model/imp8w3z5v1t6", "imported", 0),
    ]
    assert rows(truth, "select sum(cost_usd) from truth.requests where error_code is not null") == [(Decimal(0),)]


def test_a_price_changes_in_the_middle_of_an_hour_with_traffic(truth: duckdb.DuckDBPyConnection):
    change = price_change(OPTIONS)
    assert change == datetime.fromisoformat("2026-11-14T09:20")
    found = rows(
        truth,
        f"""
        select ts >= '{change}', count(*) > 20, min(cost_usd / consumed_tokens) > 0
        from truth.requests
        where model_id like '%sonnet-4-5%' and endpoint_type = 'geo' and region = 'us-east-1' and error_code is null
            and ts between '2026-11-14T09:00' and '2026-11-14T10:00'
        group by all order by all
        """,
    )
    assert found == [(False, True, True), (True, True, True)]


def test_one_call_by_hand():
    """3,000 read, 1,000 in, 200 out, before and after Claude Sonnet 4.5 became cheaper."""
    prices = {
        (row["token_kind"], row["valid_to"] == ""): Decimal(row["usd_per_million"])
        for row in price_rows(OPTIONS)
        if "sonnet-4-5" in row["model_id"] and (row["endpoint_type"], row["context_band"]) == ("geo", "standard")
    }
    tokens = {"cache_read": 3000, "input": 1000, "output": 200}
    before, after = (
        sum(Decimal(count) * prices[kind, is_now] / 1_000_000 for kind, count in tokens.items())
        for is_now in (False, True)
    )
    assert (before, after) == (Decimal("0.009108"), Decimal("0.00759"))


def test_geo_costs_a_tenth_more_than_global_and_tiers_have_their_own():
    prices = {
        tuple(row[name] for name in ("model_id", "endpoint_type", "region", "service_tier", "token_kind")): Decimal(
            row["usd_per_million"]
        )
        for row in price_rows(OPTIONS)
        if row["context_band"] == "standard"
    }
    sonnet, nova = "anthropic.claude-sonnet-5-5", "amazon.nova-pro-v1:0"
    world, geo = prices[sonnet, "global", "*", "default", "input"], prices[sonnet, "geo", "*", "default", "input"]
    assert (geo / world, prices[sonnet, "geo", "*", "priority", "input"] / geo) == (Decimal("1.1"), Decimal("1.75"))
    assert prices[nova, "geo", "*", "flex", "input"] / prices[nova, "geo", "*", "default", "input"] == Decimal("0.5")
    assert prices[sonnet, "geo", "*", "default", "cache_write_1h"] == 2 * geo


@pytest.mark.parametrize("days", [1, 30])
def test_every_option_has_the_change_inside_its_window(days: int):
    options = SandboxOptions(days=days, end=END)
    assert price_change(options) < END


def test_long_prompts_cost_the_long_price(month: AccountData):
    costs, requests = costs_of(month.requests, month.options), month.requests
    is_reader = np.array([c.application == "paper-reader" for c in requests.callers])[requests.caller]
    rows_of_it = np.flatnonzero(is_reader & (requests.error == 0))
    prompt = (requests.input_tokens + requests.cache_read + requests.cache_write)[rows_of_it]
    per_token = costs.input[rows_of_it] // requests.input_tokens[rows_of_it]
    assert set(per_token[prompt > 128_000]) == {11_000_000}
    assert set(per_token[prompt <= 128_000]) == {5_500_000}
