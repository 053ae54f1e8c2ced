"""Numbers by which use of Amazon Q Developer and Kiro is judged: limits, prices, and tokens of a unit of activity.

Both tables in one step, so that they cost next to nothing where neither product is used. Not here: the dated files and
their validation (`reference/`), what may be configured (`config_q_developer.py`).
"""

import datetime as dt
from collections.abc import Iterator, Mapping, Sequence
from typing import Any

import dagster as dg
import pyarrow as pa

from usage_pipeline import reference
from usage_pipeline.assets.metadata import stored_table_schema
from usage_pipeline.config import Settings
from usage_pipeline.config_q_developer import QDeveloperTermSettings
from usage_pipeline.q_developer_tables import Q_DEVELOPER_TERMS, Q_DEVELOPER_TOKEN_ESTIMATES
from usage_pipeline.raw_tables import StoredTable
from usage_pipeline.warehouse import WAREHOUSE_POOL, Warehouse, arrow_schema, replace_all

FIRST_DAY = dt.date(2024, 4, 30)
"""When Amazon Q Developer became available to all: terms without a day hold from then on."""


def _spec(table: StoredTable) -> dg.AssetSpec:
    return dg.AssetSpec(
        key=dg.AssetKey([table.schema, table.name]),
        group_name="raw",
        kinds={"csv", "duckdb"},
        description=f"{table.description}\n\nFrom `usage_pipeline/reference/{table.name}.csv`.",
        metadata={"dagster/column_schema": stored_table_schema(table)},
    )


@dg.multi_asset(
    name="raw_q_developer_terms",
    specs=[_spec(Q_DEVELOPER_TERMS), _spec(Q_DEVELOPER_TOKEN_ESTIMATES)],
    pool=WAREHOUSE_POOL,
)
def raw_q_developer_terms(
    warehouse: Warehouse, settings: dg.ResourceParam[Settings]
) -> Iterator[dg.MaterializeResult[Any]]:
    """Write down the numbers as they are now; a changed one judges stored use anew."""
    rows = {
        Q_DEVELOPER_TERMS: term_rows(reference.q_developer_terms(), settings.q_developer_terms),
        Q_DEVELOPER_TOKEN_ESTIMATES: [row.model_dump() for row in reference.q_developer_token_estimates()],
    }
    with warehouse.connect() as con:
        for table, values in rows.items():
            replace_all(con, table, pa.Table.from_pylist(values, schema=arrow_schema(table)))
    for table, values in rows.items():
        yield dg.MaterializeResult(
            asset_key=dg.AssetKey([table.schema, table.name]), metadata={"dagster/row_count": len(values)}
        )


def term_rows(
    dated: Sequence[reference.QDeveloperTerm], configured: Sequence[QDeveloperTermSettings]
) -> list[Mapping[str, Any]]:
    """Rows of `raw.q_developer_terms`."""
    return [
        *({**row.model_dump(), "account_name": "*", "is_configured": False} for row in dated),
        *(
            {
                **term.model_dump(exclude={"account"}),
                "account_name": term.account,
                "valid_from": term.valid_from or FIRST_DAY,
                "is_configured": True,
                "source": "configuration",
            }
            for term in configured
        ),
    ]
