"""The published tables as the dashboard's queries see them: only rows that the filters leave.

Here: the filters as values, and the SQL that narrows every table of `marts` under its own name, so that the report's
queries work unchanged. What a person typed or chose is bound, never part of a statement. Not here: widgets
(`filters.py`), caching (`reading.py`).
"""

from collections.abc import Generator
from contextlib import contextmanager
from dataclasses import dataclass
from datetime import date
from typing import Any

import duckdb

from usage_pipeline.sql_models import MODELS_FOLDER

_SEARCHED = ("marts", "ops", "raw", "staging", "intermediate")

_BY_CALLER = ("usage_hourly", "usage_daily")
"""Tables in which a caller's sessions are added up; for some ARNs alone they are made again, by their own SQL."""

# A price of every Region (`*`) holds in each of them; a row without a Region stands for all of its account.
_BY_COLUMN = {
    "account_id": ("accounts", "list_contains(getvariable('accounts'), account_id)"),
    "region": ("regions", "(list_contains(getvariable('regions'), region) or coalesce(region, '*') = '*')"),
    "model_id": ("models", "list_contains(getvariable('models'), model_id)"),
    "endpoint_type": ("endpoint_types", "list_contains(getvariable('endpoint_types'), endpoint_type)"),
}

_BY_POOL = "pool_id in (select pool_id from published.marts.quota_pools where {condition})"

_OF_CALLER = "(contains(principal_arn, getvariable('caller')) or contains(role_or_user, getvariable('caller')))"
_OF_CALLERS_NAME = "contains(role_or_user, getvariable('caller'))"


@dataclass(frozen=True)
class Filters:
    """What a person wants to see: UTC days, both inclusive; an empty choice leaves everything.

    `models` are base model ids; `tags` are (key, value) of profiles, of which one value of each key must fit; `caller`
    is a text that a caller's ARN or name has in it, to the letter.
    """

    first_day: date
    last_day: date
    accounts: tuple[str, ...] = ()
    regions: tuple[str, ...] = ()
    models: tuple[str, ...] = ()
    endpoint_types: tuple[str, ...] = ()
    tags: tuple[tuple[str, str], ...] = ()
    caller: str = ""

    @property
    def days(self) -> dict[str, date]:
        """As the report's queries name them."""
        return {"first_day": self.first_day, "last_day": self.last_day}

    @property
    def are_set(self) -> bool:
        """Whether anything but the days is chosen."""
        return bool(self.accounts or self.regions or self.models or self.endpoint_types or self.narrow_logs_only)

    @property
    def narrow_logs_only(self) -> bool:
        """Whether a filter is set that quotas, which all callers and tags share, do not follow."""
        return bool(self.tags or self.caller)


@contextmanager
def opened(path: str, filters: Filters | None = None) -> Generator[duckdb.DuckDBPyConnection]:
    """The published file, read-only, in which `marts.*` hold only what the filters leave; without filters, all.

    The connection is its own small database beside the file, so a file that was replaced is seen by the next one.

    Raises:
        duckdb.Error: the file is no DuckDB file, or lacks a table that the filters need.
    """
    with duckdb.connect(":memory:") as con:
        # DuckDB binds no file name; a quote in it is doubled as in any SQL text.
        con.execute(f"attach '{path.replace(chr(39), chr(39) * 2)}' as published (read_only)")
        con.execute("create schema memory.marts")
        here = ",".join(f"published.{schema}" for schema in _schemas(con))
        con.execute(f"set search_path = 'memory.marts,{here}'")
        if filters is not None:
            _narrow(con, filters)
        yield con


def _schemas(con: duckdb.DuckDBPyConnection) -> list[str]:
    found = con.execute("select schema_name from duckdb_schemas() where database_name = 'published'").fetchall()
    return [schema for schema in _SEARCHED if (schema,) in found]


def _narrow(con: duckdb.DuckDBPyConnection, filters: Filters) -> None:
    """Make a view of each table of `marts` that has rows to leave out."""
    chosen = _chosen(filters)
    for name, value in chosen.items():
        con.execute(f"set variable {name} = ?", [value])
    for table, columns in _columns_of_marts(con).items():
        conditions = _conditions(columns, chosen)
        if conditions:
            con.execute(
                f"create view memory.marts.{table} as "
                f"select * from published.marts.{table} where {' and '.join(conditions)}"
            )
    if filters.caller:
        for table in _BY_CALLER:
            _add_up_again(con, table, filters)


def _chosen(filters: Filters) -> dict[str, Any]:
    """Values of the filters that are set, by the name of their variable."""
    tags: dict[str, list[str]] = {}
    for key, value in filters.tags:
        tags.setdefault(key, []).append(value)
    values: dict[str, Any] = {
        "accounts": list(filters.accounts),
        "regions": list(filters.regions),
        "models": list(filters.models),
        "endpoint_types": list(filters.endpoint_types),
        "caller": filters.caller,
    }
    for number, (key, allowed) in enumerate(tags.items()):
        values |= {f"tag_key_{number}": key, f"tag_values_{number}": allowed}
    return {name: value for name, value in values.items() if value or name.startswith("tag_")}


def _columns_of_marts(con: duckdb.DuckDBPyConnection) -> dict[str, set[str]]:
    found = con.execute(
        "select table_name, column_name from duckdb_columns() where database_name = 'published' "
        "and schema_name = 'marts'"
    ).fetchall()
    columns: dict[str, set[str]] = {}
    for table, column in found:
        columns.setdefault(table, set()).add(column)
    return columns


def _conditions(columns: set[str], chosen: dict[str, Any]) -> list[str]:
    conditions: list[str] = []
    for column, (variable, condition) in _BY_COLUMN.items():
        if variable not in chosen:
            continue
        if column in columns:
            conditions.append(condition)
        elif "pool_id" in columns and column in ("model_id", "endpoint_type"):
            conditions.append(_BY_POOL.format(condition=condition))
    if "tags" in columns:
        numbers = [name.removeprefix("tag_key_") for name in chosen if name.startswith("tag_key_")]
        conditions += [
            f"list_contains(getvariable('tag_values_{number}'), tags[getvariable('tag_key_{number}')])"
            for number in numbers
        ]
    if "caller" in chosen and "role_or_user" in columns:
        conditions.append(_OF_CALLER if "principal_arn" in columns else _OF_CALLERS_NAME)
    return conditions


def _add_up_again(con: duckdb.DuckDBPyConnection, table: str, filters: Filters) -> None:
    """Make the table of the calls that are left, by the SQL that made the published one."""
    sql = (MODELS_FOLDER / "marts" / f"{table}.sql").read_text(encoding="utf-8")
    con.execute(f"drop view if exists memory.marts.{table}")
    con.execute(
        f"create table memory.marts.{table} as {sql}",
        {"start_date": filters.first_day, "end_date": filters.last_day},
    )
