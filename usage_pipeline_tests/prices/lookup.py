"""The lookup order of the prices' docstring as one query, so that tests ask the shipped file what a request pays."""

import datetime as dt
from collections.abc import Sequence
from decimal import Decimal

import duckdb
import pyarrow as pa

from usage_pipeline.prices.price_rows import ModelPrice
from usage_pipeline.raw_tables import MODEL_PRICES
from usage_pipeline.warehouse import arrow_schema

_PRICES_OF_A_REQUEST = """
    with chosen as (
        select *
        from prices
        where
            model_id = $model_id
            and endpoint_type = $endpoint_type
            and service_tier = coalesce($service_tier, 'default')
            and region in ($region, '*')
            and valid_from <= $moment
            and (valid_to is null or $moment < valid_to)
        qualify row_number() over (partition by context_band, token_kind order by region = '*') = 1
    ),

    band as (
        select if(bool_or(context_band = 'long' and $input_tokens > context_threshold), 'long', 'standard') as band
        from chosen
    )

    select token_kind, usd_per_million
    from chosen
    where context_band = (select band from band)
"""


class PriceBook:
    """Prices that can be asked what a request pays for a million of each kind."""

    def __init__(self, rows: Sequence[ModelPrice]) -> None:
        table = pa.Table.from_pylist([row.model_dump() for row in rows], schema=arrow_schema(MODEL_PRICES))
        self._con = duckdb.connect()
        self._con.register("loaded", table)
        self._con.execute("create table prices as from loaded")

    def paid(
        self,
        model_id: str,
        endpoint_type: str,
        region: str = "us-east-1",
        service_tier: str | None = None,
        input_tokens: int = 1000,
        moment: dt.datetime = dt.datetime(2026, 11, 20, 12),
    ) -> dict[str, Decimal]:
        values = {
            "model_id": model_id,
            "endpoint_type": endpoint_type,
            "region": region,
            "service_tier": service_tier,
            "input_tokens": input_tokens,
            "moment": moment,
        }
        return dict(self._con.execute(_PRICES_OF_A_REQUEST, values).fetchall())
