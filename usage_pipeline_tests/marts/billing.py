"""Usage by day and lines of a bill written short, and marts.billed_cost made from them, for tests.

Not here: expected values.
"""

from datetime import date
from decimal import Decimal
from functools import cache
from typing import Any

import pyarrow as pa

from usage_pipeline import raw_tables as raw
from usage_pipeline.assets.raw_bill import usage_type_rows
from usage_pipeline.checks.bill import BILLED_COST_IS_ATTRIBUTED_WHOLE
from usage_pipeline.checks.rules import evaluate
from usage_pipeline.prices.product_names import ModelNames
from usage_pipeline.quotas.model_names import FoundationModel
from usage_pipeline.sql_models import MODELS_FOLDER, read_model
from usage_pipeline.warehouse import arrow_schema, replace_all
from usage_pipeline_tests.marts.factory import ACCOUNT, ACCOUNT_NAME, DAY, NOVA, REGION, SONNET, Store

MILLION = 1_000_000
NAMES = ModelNames([FoundationModel(NOVA, "Nova Lite", "Amazon"), FoundationModel(SONNET, "Claude Sonnet 4.5")])
INPUT = "USE1-NovaLite-input-tokens"
OUTPUT = "USE1-NovaLite-output-tokens"
BILLED_COST = read_model(MODELS_FOLDER / "marts" / "billed_cost.sql", MODELS_FOLDER)
USAGE_TYPES = read_model(MODELS_FOLDER / "staging" / "stg_billed_usage_types.sql", MODELS_FOLDER)
USD_PER_MILLION = {"input": 1, "output": 4, "cache_read": 1, "cache_write": 1}


@cache
def _built() -> Store:
    store = Store("marts.billed_cost", "marts.bill_reconciliation")
    store.build()
    return store


def store_without_usage() -> Store:
    """A built warehouse, the same each time, without the usage and the bill of the test before.

    `called` writes usage by day into it: building all models for each test takes long.
    """
    for table in ("raw.bill", "marts.billed_cost", "marts.usage_daily"):
        _built().con.execute(f"delete from {table}")
    return _built()


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
