"""Metadata that every table's asset carries, under Dagster's own keys: columns, row count, where the table is."""

from collections.abc import Mapping, Sequence
from typing import Any

import dagster as dg

from usage_pipeline.aws.source_reading import ScopeReading
from usage_pipeline.raw_tables import StoredTable


def stored_table_schema(table: StoredTable) -> dg.TableSchema:
    """Columns of a table that Python writes, with types and descriptions."""
    return dg.TableSchema(
        columns=[dg.TableColumn(column.name, column.type, column.description) for column in table.columns]
    )


def table_schema(types: Mapping[str, str]) -> dg.TableSchema:
    """Columns of a built table, with DuckDB's types."""
    return dg.TableSchema(columns=[dg.TableColumn(name, type_name) for name, type_name in types.items()])


def table_lineage(sources: Mapping[str, tuple[tuple[str, str], ...]]) -> dg.TableColumnLineage:
    """For each column, the columns of other tables that it is made from."""
    return dg.TableColumnLineage(
        {
            column: [
                dg.TableColumnDep(asset_key=dg.AssetKey(table.split(".")), column_name=name) for table, name in parts
            ]
            for column, parts in sources.items()
        }
    )


def reading_metadata(
    table: StoredTable, row_count: int, readings: Sequence[ScopeReading[Any]]
) -> dict[str, dg.MetadataValue | int | str]:
    """What a reading of AWS landed, and how it went in each scope."""
    lines = ["| account | Region | status | rows | calls | error |", "|---|---|---|--:|--:|---|"]
    lines += [
        f"| {reading.scope.account_name} | {reading.scope.region} | {reading.status} | "
        f"{'' if reading.row_count is None else reading.row_count} | {reading.api_calls} | "
        f"{(reading.error_text or '').replace('|', '/')} |"
        for reading in readings
    ]
    return {
        "dagster/row_count": row_count,
        "dagster/relation_identifier": table.qualified_name,
        "api_calls": sum(reading.api_calls for reading in readings),
        "scopes": dg.MetadataValue.md("\n".join(lines)),
    }
