"""AWS's bill, where the configuration names its files, and what each of its usage types is for.

Not here: reading the files (`bill_files.py`), the grammar of usage types (`prices/usage_types.py`), dividing the bill
among callers (`dbt_like_sql/marts/billed_cost.sql`).
"""

import datetime as dt
from collections.abc import Iterable
from typing import Any

import dagster as dg
import pyarrow as pa

from usage_pipeline.assets.bill_storage import replace_months
from usage_pipeline.assets.metadata import stored_table_schema
from usage_pipeline.assets.raw_prices import model_names
from usage_pipeline.aws.errors import cut
from usage_pipeline.bill_files import BillError, BillFiles, read_bill
from usage_pipeline.config import Settings
from usage_pipeline.prices.product_names import ModelNames
from usage_pipeline.prices.usage_types import UnreadUsageTypeError, read_usage_type
from usage_pipeline.raw_tables import BILL, BILLED_USAGE_TYPES, FOUNDATION_MODELS, SOURCE_STATUS
from usage_pipeline.warehouse import WAREHOUSE_POOL, Warehouse, arrow_schema, record_source_status, replace_all

_USAGE_TYPES = """
    select distinct usage_type, product_name
    from raw.bill
    where usage_type is not null
    order by all
"""


@dg.asset(
    key=[BILL.schema, BILL.name],
    group_name="raw",
    kinds={"csv", "duckdb"},
    pool=WAREHOUSE_POOL,
    description=f"{BILL.description}\n\nFrom the files that `bill.files` of the configuration names; without it, the "
    "table stays as it is. A month is replaced whole, whatever it had before.",
    metadata={"dagster/column_schema": stored_table_schema(BILL)},
)
def raw_bill(
    context: dg.AssetExecutionContext, warehouse: Warehouse, settings: dg.ResourceParam[Settings]
) -> dg.MaterializeResult[Any]:
    """Read the export's files, if any are named, and store their months; a file that cannot be used takes nothing."""
    files = settings.bill_settings.files
    if files is None:
        # An earlier failure is of files that nobody names any more.
        with warehouse.connect() as con:
            con.execute(f"delete from {SOURCE_STATUS.qualified_name} where source = ?", [BILL.name])
        return dg.MaterializeResult(metadata={"files": "none are named"})
    read, error_text = _read(files)
    with warehouse.connect() as con:
        if read is not None:
            replace_months(con, read.rows)
        status = _status_row(context.run_id, settings.now(), read, error_text)
        record_source_status(con, pa.Table.from_pylist([status], schema=arrow_schema(SOURCE_STATUS)))
    return dg.MaterializeResult(metadata=_metadata(read, error_text))


@dg.asset(
    key=[BILLED_USAGE_TYPES.schema, BILLED_USAGE_TYPES.name],
    # A usage type has no model id: its words are held against the names of the catalogue.
    deps=[raw_bill, dg.AssetKey([FOUNDATION_MODELS.schema, FOUNDATION_MODELS.name])],
    group_name="raw",
    kinds={"duckdb"},
    pool=WAREHOUSE_POOL,
    description=BILLED_USAGE_TYPES.description,
    metadata={"dagster/column_schema": stored_table_schema(BILLED_USAGE_TYPES)},
)
def raw_billed_usage_types(warehouse: Warehouse) -> dg.MaterializeResult[Any]:
    """Read every usage type of the stored bill anew: a model that is new in the catalogue may be the one meant."""
    with warehouse.connect() as con:
        rows = usage_type_rows(con.execute(_USAGE_TYPES).fetchall(), model_names(con))
        table = pa.Table.from_pylist(rows, schema=arrow_schema(BILLED_USAGE_TYPES))
        replace_all(con, BILLED_USAGE_TYPES, table)
    unread = [row["usage_type"] for row in rows if row["reason"]]
    return dg.MaterializeResult(metadata={"dagster/row_count": len(rows), "not_understood": len(unread)})


bill_assets = [raw_bill, raw_billed_usage_types]


def usage_type_rows(usage_types: Iterable[tuple[str, str | None]], names: ModelNames) -> list[dict[str, str | None]]:
    """Rows of raw.billed_usage_types from (usage type, product name) pairs."""
    return [_usage_type_row(usage_type, product_name, names) for usage_type, product_name in usage_types]


def _usage_type_row(usage_type: str, product_name: str | None, names: ModelNames) -> dict[str, str | None]:
    row: dict[str, str | None] = {"usage_type": usage_type, "product_name": product_name}
    try:
        found = read_usage_type(usage_type)
    except UnreadUsageTypeError as error:
        return {**row, "reason": str(error)}
    words = found.model_words or product_name
    model_ids = names.of_product([words or ""], None)
    return {
        **row,
        "region_code": found.region_code,
        "region": found.region,
        "model_words": words,
        "model_id": model_ids[0] if len(model_ids) == 1 else None,
        "endpoint_type": found.scope,
        "service_tier": found.service_tier,
        "context_band": found.context_band,
        "token_kind": found.token_kind,
        "reason": _why_no_model(words, model_ids),
    }


def _why_no_model(words: str | None, model_ids: tuple[str, ...]) -> str | None:
    if len(model_ids) == 1:
        return None
    if words is None:
        return "names no model, and the export has no name of the product"
    return "fits more than one model" if model_ids else "no known model has this name"


def _read(files: str) -> tuple[BillFiles | None, str | None]:
    """What the files say, or why they cannot be used: then what was stored before stays."""
    try:
        return read_bill(files), None
    except BillError as error:
        return None, str(error)


def _status_row(
    run_id: str, finished_at: dt.datetime, read: BillFiles | None, error_text: str | None
) -> dict[str, Any]:
    """The row of `ops.source_status`; the files stand where the account's name does, for there is none."""
    row_count = None if read is None else read.rows.num_rows
    return {
        "account_name": "bill.files",
        "source": BILL.name,
        "partition_date": finished_at.date(),
        "status": "failed" if read is None else "ok" if row_count else "empty",
        "error_text": None if error_text is None else cut(error_text),
        "row_count": row_count,
        "api_calls": 0,
        "run_id": run_id,
        "finished_at": finished_at,
    }


def _metadata(read: BillFiles | None, error_text: str | None) -> dict[str, Any]:
    if read is None:
        return {"error": error_text or ""}
    months = sorted(f"{month:%Y-%m}" for month in read.rows.column("billing_month").unique().to_pylist())
    return {
        "files": len(read.paths),
        "rows_read": read.rows.num_rows,
        "months": ", ".join(months) or "none has a line of Bedrock",
    }
