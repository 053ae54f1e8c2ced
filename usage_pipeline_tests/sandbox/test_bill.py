"""The simulated bill: it charges what the truth says, and the pipeline finds in it what was planned, nothing else."""

from collections.abc import Iterator
from decimal import Decimal
from pathlib import Path

import duckdb
import pyarrow as pa
import pytest

from usage_pipeline import raw_tables as raw
from usage_pipeline.assets.bill_storage import replace_months
from usage_pipeline.assets.raw_bill import usage_type_rows
from usage_pipeline.assets.raw_prices import model_names
from usage_pipeline.bill_files import read_bill
from usage_pipeline.checks.bill import BILLED_COST_IS_ATTRIBUTED_WHOLE, COMPUTED_COST_AGREES_WITH_THE_BILL
from usage_pipeline.checks.rules import evaluate
from usage_pipeline.sandbox import RunningSandbox
from usage_pipeline.sandbox.account_data import AccountData
from usage_pipeline.sandbox.bill import BILL_FILES, DISCOUNTED_MODEL, GUARDRAIL
from usage_pipeline.sandbox.organisation import ACCOUNTS, SCOPES, models, system_profiles
from usage_pipeline.sandbox.prices import price_rows
from usage_pipeline.warehouse import arrow_schema, note_changed_days, replace_all
from usage_pipeline_tests.marts.factory import Store

CENT = "0.01"
LOGGED = "(account_id, region) in (select distinct account_id, region from truth.requests where is_logged)"
WITHOUT_DISCOUNT = f"model_id <> '{DISCOUNTED_MODEL}'"


@pytest.fixture(scope="module")
def folder(shared_sandbox: RunningSandbox, sandbox_folder: Path) -> Path:
    """The truth and the bill of two days and a half."""
    return sandbox_folder


@pytest.fixture(scope="module")
def con(folder: Path, two_days: AccountData) -> Iterator[duckdb.DuckDBPyConnection]:
    """A warehouse with all models, made from a perfect reading of the logs, and from the bill's files."""
    store = Store()
    store.forget(raw.SCOPES)
    for account_id, region in SCOPES:
        store.scope(account_id, ACCOUNTS[account_id], region)
    _catalogues(store, two_days)
    store.write()
    con = store.con
    con.execute(f"attach '{folder}/truth.duckdb' as truth (read_only)")
    con.execute("insert into raw.invocations by name select * from truth.invocations")
    days = {day for (day,) in con.execute("select distinct usage_date from raw.invocations").fetchall()}
    note_changed_days(con, "raw.invocations", days)
    replace_months(con, read_bill(str(folder / BILL_FILES)).rows)
    pairs = con.execute(
        "select distinct usage_type, product_name from raw.bill where usage_type is not null"
    ).fetchall()
    types = usage_type_rows(pairs, model_names(con))
    replace_all(con, raw.BILLED_USAGE_TYPES, pa.Table.from_pylist(types, schema=arrow_schema(raw.BILLED_USAGE_TYPES)))
    store.build()
    with con:
        yield con


def _catalogues(store: Store, two_days: AccountData) -> None:
    store.burndown("*", 1)
    store.application_rule("role", "(.*)-BedrockRole")
    for prefix in ("eu", "jp", "apac"):
        store.endpoint_prefix(prefix, "geo")
    for account_id, region in SCOPES:
        scope = {"account_id": account_id, "region": region}
        for model in models().values():
            store.model(model.model_id, model_name=model.name, provider_name=model.provider, **scope)
        for profile in system_profiles(account_id, region).values():
            store.system_profile(profile.profile_id, list(profile.model_arns), **scope)
    for profile in two_days.organisation.application_profiles:
        scope = {"account_id": profile.account_id, "region": profile.region}
        store.application_profile(profile.profile_id, list(profile.model_arns), tags=dict(profile.tags), **scope)
    for row in price_rows(two_days.options):
        store.con.execute(
            "insert into raw.model_prices by name select " + ", ".join(f"nullif(?, '') as {name}" for name in row),
            list(row.values()),
        )


def test_the_export_charges_every_request_that_has_a_price(con: duckdb.DuckDBPyConnection) -> None:
    difference = con.execute(
        f"""
        select
            (select sum(billed_usd) from raw.bill where line_type = 'Usage' and usage_type <> '{GUARDRAIL}')
            - (select sum(cost_usd) from truth.requests)
        """
    ).fetchone()
    # Each line is rounded to ten digits.
    assert difference is not None
    assert abs(difference[0]) < Decimal("0.0000001")


def test_the_parts_of_the_bill_are_the_bill(con: duckdb.DuckDBPyConnection) -> None:
    assert evaluate(con, BILLED_COST_IS_ATTRIBUTED_WHOLE).passed
    sums = "select (select sum(billed_usd) from raw.bill), (select sum(billed_usd) from marts.billed_cost)"
    billed, divided = con.execute(sums).fetchone() or (None, 0)
    assert billed == divided > 100


def test_computed_costs_are_the_bill_to_the_cent_but_for_the_discount(con: duckdb.DuckDBPyConnection) -> None:
    # Logs leave out some tiers and lifetimes of cache writes; what they state is priced as AWS does.
    stated = "token_kind in ('input', 'output') and model_id in (select model_id from truth.billed group by 1 "
    stated += "having bool_and(service_tier = 'default'))"
    rows = con.execute(
        f"""
        select model_id, status, difference_usd
        from marts.bill_reconciliation
        where {LOGGED} and {stated} and {WITHOUT_DISCOUNT} and not (status = 'agrees' and abs(difference_usd) < {CENT})
        """
    ).fetchall()
    assert rows == []
    (compared,) = con.execute(f"select count(*) from marts.bill_reconciliation where {LOGGED} and {stated}").fetchone()
    assert compared > 50


def test_the_discount_is_found_as_such(con: duckdb.DuckDBPyConnection) -> None:
    rows = con.execute(
        f"""
        select distinct status, round(ratio, 3)
        from marts.bill_reconciliation
        where {LOGGED} and model_id = '{DISCOUNTED_MODEL}' and token_kind in ('input', 'output')
        """
    ).fetchall()
    assert rows == [("differs", 1.099)]
    warned = {row["model_id"] for row in evaluate(con, COMPUTED_COST_AGREES_WITH_THE_BILL).rows}
    assert warned == {DISCOUNTED_MODEL}


def test_callers_pay_what_their_calls_cost(con: duckdb.DuckDBPyConnection) -> None:
    rows = con.execute(
        f"""
        with billed as (
            select model_id, application, sum(billed_usd) as usd
            from marts.billed_cost
            where is_compared and token_kind = 'output' and divided_by = 'cost' and {WITHOUT_DISCOUNT}
            group by all
        ),
        owed as (
            select model_id, application, sum(output_cost_usd) as usd
            from truth.costs
            where {WITHOUT_DISCOUNT}
            group by all
        )
        select model_id, application, billed.usd, owed.usd
        from billed
        inner join owed using (model_id, application)
        where abs(billed.usd - owed.usd) > {CENT}
        """
    ).fetchall()
    assert rows == []
    (applications,) = con.execute(
        "select count(distinct application) from marts.billed_cost where divided_by = 'cost'"
    ).fetchone()
    assert applications > 5


def test_what_is_for_no_logged_call_stays_unattributed(con: duckdb.DuckDBPyConnection) -> None:
    rows = con.execute(
        f"""
        select distinct usage_type, line_type
        from marts.billed_cost
        where divided_by is null and {LOGGED.replace("account_id, region", "account_id, coalesce(region, 'us-east-1')")}
        order by all
        """
    ).fetchall()
    assert (GUARDRAIL, "Usage") in rows
    assert (None, "Tax") in rows
    not_logged = f"select count(*), count(divided_by) from marts.billed_cost where not {LOGGED} and region is not null"
    lines, divided = con.execute(not_logged).fetchone()
    assert lines > 10
    assert divided == 0
