"""What tokens cost: list prices with their history, and agreed prices and discounts.

Not here: how sources are read (`price_readings.py`), what is kept and what changes (`prices/refresh.py`), costs of
requests (`dbt_like_sql/`).
"""

import datetime as dt
from collections.abc import Mapping, Sequence
from typing import Any

import dagster as dg
import duckdb
import pyarrow as pa

from usage_pipeline.assets.metadata import stored_table_schema
from usage_pipeline.assets.price_readings import (
    PriceReading,
    left_out_by_source,
    read_aws_price_list,
    read_base,
    read_litellm,
    readings_table,
    status_rows,
)
from usage_pipeline.assets.readings import ReadingStamp
from usage_pipeline.aws.access import AwsAccess
from usage_pipeline.config import Settings
from usage_pipeline.config_prices import PriceSource
from usage_pipeline.downloads import download_text
from usage_pipeline.prices.price_files import read_price_overrides
from usage_pipeline.prices.price_rows import ModelPrice, NetworkSource
from usage_pipeline.prices.product_names import ModelNames
from usage_pipeline.prices.refresh import NETWORK_SOURCES, is_due, kept_prices, refreshed_prices
from usage_pipeline.quotas.model_names import FoundationModel
from usage_pipeline.raw_tables import FOUNDATION_MODELS, MODEL_PRICES, PRICE_OVERRIDES, SOURCE_STATUS, StoredTable
from usage_pipeline.warehouse import WAREHOUSE_POOL, Warehouse, arrow_schema, record_source_status, replace_all

_MODEL_NAMES = """
    select
        model_id,
        max_by(model_name, snapshot_date) as model_name,
        max_by(provider_name, snapshot_date) as provider_name,
    from raw.foundation_models
    group by model_id
    order by model_id
"""

_LAST_ANSWERS = """
    select account_name, max(finished_at)
    from ops.source_status
    where source = $source and status in ('ok', 'empty')
    group by account_name
"""


@dg.asset(
    key=[MODEL_PRICES.schema, MODEL_PRICES.name],
    # The Price List has no model ids: its names are held against those of the catalogue.
    deps=[dg.AssetKey([FOUNDATION_MODELS.schema, FOUNDATION_MODELS.name])],
    group_name="raw",
    kinds={"csv", "duckdb"},
    pool=WAREHOUSE_POOL,
    description=f"{MODEL_PRICES.description}\n\nFrom the sources under `prices` in the configuration; a source on the "
    "network is asked at most once a week.",
    metadata={"dagster/column_schema": stored_table_schema(MODEL_PRICES)},
)
def raw_model_prices(
    context: dg.AssetExecutionContext,
    warehouse: Warehouse,
    aws: dg.ResourceParam[AwsAccess],
    settings: dg.ResourceParam[Settings],
) -> dg.MaterializeResult[Any]:
    """Read the base, ask the sources that are due, and store what is known now."""
    now, sources = settings.now(), settings.price_settings.sources
    base = read_base(settings.price_settings)
    with warehouse.connect() as con:
        stored, names, last_answers = stored_prices(con), model_names(con), _last_answers(con)
    networks = _network_sources(sources)
    known = kept_prices(stored, base.rows or [], networks, now)
    # Asked without the warehouse open: an answer may take minutes, and others wait for the file.
    readings = [
        _ask(source, aws, names, known, now)
        for source in sources
        if source.name in NETWORK_SOURCES and is_due(last_answers.get(source.name), now)
    ]
    answers = {reading.source: reading.rows for reading in readings if reading.rows is not None}
    prices = refreshed_prices(known, {name: answers[name] for name in networks if name in answers}, networks, now)
    stamp = ReadingStamp(MODEL_PRICES.name, context.run_id, now)
    with warehouse.connect() as con:
        replace_all(con, MODEL_PRICES, _table(MODEL_PRICES, [price.model_dump() for price in prices]))
        record_source_status(con, _table(SOURCE_STATUS, status_rows(stamp, [base, *readings])))
    return dg.MaterializeResult(metadata=_metadata(stored, prices, [base, *readings]))


@dg.asset(
    key=[PRICE_OVERRIDES.schema, PRICE_OVERRIDES.name],
    group_name="raw",
    kinds={"csv", "duckdb"},
    pool=WAREHOUSE_POOL,
    description=f"{PRICE_OVERRIDES.description}\n\nFrom `prices.overrides` of the configuration, else from "
    "`price_overrides.csv` beside it; `usage_pipeline/reference/price_overrides.example.csv` shows how to write one.",
    metadata={"dagster/column_schema": stored_table_schema(PRICE_OVERRIDES)},
)
def raw_price_overrides(warehouse: Warehouse, settings: dg.ResourceParam[Settings]) -> dg.MaterializeResult[Any]:
    """Read the file of overrides; without one there are none."""
    path = settings.price_settings.overrides
    overrides = [] if path is None else read_price_overrides(path)
    with warehouse.connect() as con:
        replace_all(con, PRICE_OVERRIDES, _table(PRICE_OVERRIDES, [override.model_dump() for override in overrides]))
    return dg.MaterializeResult(
        metadata={"dagster/row_count": len(overrides), "file": "none" if path is None else path.name}
    )


price_assets = [raw_model_prices, raw_price_overrides]


def stored_prices(con: duckdb.DuckDBPyConnection) -> list[ModelPrice]:
    """The rows of `raw.model_prices`."""
    rows = con.execute(f"select * from {MODEL_PRICES.qualified_name}").to_arrow_table().to_pylist()
    return [ModelPrice.model_validate(row) for row in rows]


def model_names(con: duckdb.DuckDBPyConnection) -> ModelNames:
    """The names of every model that any account's catalogue has or had."""
    return ModelNames(FoundationModel(*row) for row in con.execute(_MODEL_NAMES).fetchall())


def _last_answers(con: duckdb.DuckDBPyConnection) -> dict[str, dt.datetime]:
    return dict(con.execute(_LAST_ANSWERS, {"source": MODEL_PRICES.name}).fetchall())


def _network_sources(sources: Sequence[PriceSource]) -> list[NetworkSource]:
    return [name for source in sources for name in NETWORK_SOURCES if name == source.name]


def _ask(
    source: PriceSource, aws: AwsAccess, names: ModelNames, known: Sequence[ModelPrice], now: dt.datetime
) -> PriceReading:
    if source.address is not None:
        return read_litellm(source.address, now, download_text)
    thresholds = {row.model_id: row.context_threshold for row in known if row.context_threshold and row.holds_at(now)}
    return read_aws_price_list(aws, names, thresholds, now)


def _table(table: StoredTable, rows: Sequence[Mapping[str, Any]]) -> pa.Table:
    return pa.Table.from_pylist(list(rows), schema=arrow_schema(table))


def _metadata(
    stored: Sequence[ModelPrice], prices: Sequence[ModelPrice], readings: Sequence[PriceReading]
) -> dict[str, Any]:
    return {
        "dagster/row_count": len(prices),
        "models": len({price.model_id for price in prices}),
        "changed_rows": len(set(prices) - set(stored)),
        "sources": dg.MetadataValue.md(readings_table(readings)),
        "left_out": dg.MetadataValue.json(left_out_by_source(readings)),
    }
