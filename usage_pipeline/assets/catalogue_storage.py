"""Storing today's snapshot of a catalogue, without losing what an earlier reading of the day had.

Not here: reading it (`aws/bedrock.py`, `aws/service_quotas.py`), Dagster.
"""

import datetime as dt
from collections.abc import Sequence
from typing import Any

import duckdb
import pyarrow as pa

from usage_pipeline.assets.readings import scope_key, snapshot_rows
from usage_pipeline.aws.source_reading import Listing, ScopeReading
from usage_pipeline.raw_tables import CUSTOM_DEPLOYMENTS, INFERENCE_PROFILES, StoredTable
from usage_pipeline.warehouse import replace_days

_DETAILS = {
    INFERENCE_PROFILES: ("profile_arn", "tags"),
    CUSTOM_DEPLOYMENTS: ("deployment_arn", "base_model_arn"),
}
"""For each catalogue with a detail that takes a request of its own: the column that names the thing, and the detail."""


def store_snapshot(
    con: duckdb.DuckDBPyConnection, table: StoredTable, readings: Sequence[ScopeReading[Listing[Any]]], day: dt.date
) -> int:
    """Replace the day's snapshot of every scope that answered. Returns the rows stored.

    A detail that AWS did not give (NULL) keeps its value of an earlier reading of the day; snapshots of other days
    stay, and SQL takes a NULL detail from them.
    """
    rows = snapshot_rows(table, readings, day)
    if table in _DETAILS:
        rows = _with_known_detail(con, table, rows)
    return replace_days(
        con, table, rows, [day], [scope_key(reading.scope) for reading in readings if reading.value is not None]
    )


def _with_known_detail(con: duckdb.DuckDBPyConnection, table: StoredTable, rows: pa.Table) -> pa.Table:
    name, detail = _DETAILS[table]
    query = f"""
        select listed.* replace (coalesce(listed.{detail}, stored.{detail}) as {detail})
        from listed
        left join {table.qualified_name} as stored using (snapshot_date, account_id, region, {name})
    """
    return con.from_arrow(rows).query("listed", query).to_arrow_table()
