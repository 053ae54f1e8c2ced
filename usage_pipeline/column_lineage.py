"""Which columns the columns of SQL models come from, kept in `ops.column_lineage`, because finding it takes long.

Not here: how it is found in one statement (`sql_models.py`), how Dagster shows it (`assets/metadata.py`).
"""

import hashlib
from collections.abc import Mapping, Sequence
from importlib.metadata import version
from typing import TypeAlias

import duckdb
import pyarrow as pa

from usage_pipeline.raw_tables import COLUMN_LINEAGE
from usage_pipeline.sql_models import SqlModel, column_lineage
from usage_pipeline.warehouse import arrow_schema, registered, transaction

Lineage: TypeAlias = Mapping[str, tuple[tuple[str, str], ...]]
"""For each column of a model, the (`schema.table`, column) pairs that its values come from, in order."""

ColumnTypes: TypeAlias = Mapping[str, Mapping[str, str]]
"""DuckDB's type of each column, in order, by `schema.table`."""


def all_column_types(con: duckdb.DuckDBPyConnection) -> dict[str, dict[str, str]]:
    """The columns of every table and view of the warehouse."""
    types: dict[str, dict[str, str]] = {}
    for table, column, type_name in con.execute(
        """
        select schema_name || '.' || table_name, column_name, data_type
        from duckdb_columns()
        where database_name = current_database() and not internal
        order by schema_name, table_name, column_index
        """
    ).fetchall():
        types.setdefault(table, {})[column] = type_name
    return types


def lineage_of_models(
    con: duckdb.DuckDBPyConnection, models: Sequence[SqlModel], types: ColumnTypes
) -> dict[str, Lineage]:
    """The lineage of each model, by its `schema.table`; found anew, and kept, where SQL or columns changed."""
    wanted = {model.qualified_name: _fingerprint(model, types) for model in models}
    lineages = _kept(con, wanted, types)
    new = {
        model.qualified_name: column_lineage(model, types) for model in models if model.qualified_name not in lineages
    }
    if new:
        _keep(con, new, wanted)
    return lineages | new


def _fingerprint(model: SqlModel, types: ColumnTypes) -> str:
    columns = [(name, list(types[name].items())) for name in (model.qualified_name, *model.dependencies)]
    return hashlib.sha256(repr((version("sqlglot"), model.sql, columns)).encode()).hexdigest()


def _kept(con: duckdb.DuckDBPyConnection, wanted: Mapping[str, str], types: ColumnTypes) -> dict[str, Lineage]:
    """What is kept of the models whose fingerprints are the wanted ones."""
    kept: dict[str, dict[str, list[tuple[str, str]]]] = {}
    for table, column, source_table, source_column, fingerprint in con.execute(
        f"""
        select table_name, column_name, source_table, source_column, fingerprint
        from {COLUMN_LINEAGE.qualified_name}
        order by all
        """
    ).fetchall():
        if wanted.get(table) == fingerprint:
            sources = kept.setdefault(table, {}).setdefault(column, [])
            if source_table is not None:
                sources.append((source_table, source_column))
    return {table: {column: tuple(found[column]) for column in types[table]} for table, found in kept.items()}


def _keep(con: duckdb.DuckDBPyConnection, new: Mapping[str, Lineage], fingerprints: Mapping[str, str]) -> None:
    rows = [
        {
            "table_name": table,
            "column_name": column,
            "source_table": source_table,
            "source_column": source_column,
            "fingerprint": fingerprints[table],
        }
        for table, lineage in new.items()
        for column, sources in lineage.items()
        for source_table, source_column in sources or ((None, None),)
    ]
    name = COLUMN_LINEAGE.qualified_name
    found = pa.Table.from_pylist(rows, schema=arrow_schema(COLUMN_LINEAGE))
    with registered(con, found_lineage=found), transaction(con):
        con.execute(f"delete from {name} where table_name in (select table_name from found_lineage)")
        con.execute(f"insert into {name} by name select * from found_lineage")
