"""The SQL models of `dbt_like_sql/`: what each file makes and reads, their order, their columns and lineage.

Not here: building the tables (`sql_builds.py`), the SQL itself, the tables that Python writes, Dagster.
"""

import graphlib
import re
from collections.abc import Collection, Iterable, Mapping
from dataclasses import dataclass
from functools import lru_cache
from pathlib import Path
from typing import Literal

import duckdb
import sqlglot
from sqlglot import exp
from sqlglot.errors import ParseError
from sqlglot.lineage import Node, lineage

from usage_pipeline.raw_tables import STORED_TABLES

MODELS_FOLDER = Path(__file__).resolve().parent.parent / "dbt_like_sql"

MODEL_SCHEMAS = ("staging", "intermediate", "marts")

Window = Literal["day", "month"]

WINDOW_PARAMETERS: Mapping[frozenset[str], Window] = {
    frozenset({"start_date", "end_date"}): "day",
    frozenset({"start_month", "end_month"}): "month",
}
"""Pairs of parameters, both inclusive: UTC days, or first days of UTC months."""


class SqlModelError(ValueError):
    """A SQL model breaks a rule; the text names the file, what was read and what is allowed."""


@dataclass(frozen=True)
class SqlModel:
    """One file of `dbt_like_sql/`: the table `schema.name`, made by one select."""

    schema: str
    name: str
    path: Path
    sql: str
    description: str
    """The first comment of the file; begins with what one row is."""
    dependencies: tuple[str, ...]
    """Every `schema.table` that it reads, in alphabetical order."""
    window: Window | None
    """By what it is replaced: days (`$start_date`, `$end_date`), months (`$start_month`, `$end_month`), or whole."""

    @property
    def qualified_name(self) -> str:
        """`schema.table`, as other models write it."""
        return f"{self.schema}.{self.name}"

    @property
    def is_windowed(self) -> bool:
        """Whether parts of it can be replaced: days or months."""
        return self.window is not None


# ---------------------------------------------------------------------------------------------------------------------
# Reading the files


def load_models(folder: Path = MODELS_FOLDER, stored_tables: Collection[str] = STORED_TABLES) -> tuple[SqlModel, ...]:
    """Read every `<schema>/<table>.sql` of the folder, in an order in which they can be built.

    Raises:
        SqlModelError: a file is not one plain select over known `schema.table` names, has no description, has the
            name of another table, or depends on itself.
    """
    models: dict[str, SqlModel] = {}
    for path in sorted(folder.rglob("*.sql")):
        model = read_model(path, folder)
        other = models.get(model.qualified_name.lower())
        if other is not None or model.qualified_name.lower() in stored_tables:
            made_by = other.path if other else "raw_tables.py"
            raise SqlModelError(f"{path}: {model.qualified_name} is already made by {made_by}. Give it another name.")
        models[model.qualified_name.lower()] = model
    for model in models.values():
        _check_dependencies(model, set(models) | set(stored_tables))
    return _in_build_order(models)


def read_model(path: Path, folder: Path) -> SqlModel:
    """Read one file, without looking at the others.

    Raises:
        SqlModelError: see `load_models`.
    """
    parts = path.relative_to(folder).parts
    if len(parts) != 2 or parts[0] not in MODEL_SCHEMAS:
        raise SqlModelError(f"{path}: models live in {', '.join(f'{s}/' for s in MODEL_SCHEMAS)} and not deeper.")
    return _model_of(path, parts[0], path.read_text(encoding="utf-8"))


@lru_cache(maxsize=512)
def _model_of(path: Path, schema: str, sql: str) -> SqlModel:
    """The same text is parsed once, however often a process builds its definitions."""
    tree = _only_statement(path, sql)
    parameters = {str(parameter.name) for parameter in tree.find_all(exp.Parameter, exp.Placeholder)}
    window = WINDOW_PARAMETERS.get(frozenset(parameters))
    if parameters and window is None:
        names = ", ".join(f"${name}" for name in sorted(parameters))
        raise SqlModelError(
            f"{path}: has the parameters {names}; allowed are $start_date and $end_date together, or $start_month and "
            "$end_month together."
        )
    return SqlModel(
        schema=schema,
        name=path.stem,
        path=path,
        sql=sql,
        description=_description(path, sql),
        dependencies=_dependencies(path, tree),
        window=window,
    )


def _only_statement(path: Path, sql: str) -> exp.Query:
    try:
        statements = [tree for tree in sqlglot.parse(sql, dialect="duckdb") if tree is not None]
    except ParseError as error:
        raise SqlModelError(f"{path}: DuckDB's SQL could not be read: {error}") from error
    # A comment after the last semicolon is a statement of its own to sqlglot.
    statements = [tree for tree in statements if not isinstance(tree, exp.Semicolon)]
    if len(statements) != 1:
        raise SqlModelError(f"{path}: has {len(statements)} statements; a model is exactly one select.")
    tree = statements[0]
    if not isinstance(tree, exp.Query):
        raise SqlModelError(f"{path}: begins with {tree.key}; a model is exactly one select.")
    return tree


def _description(path: Path, sql: str) -> str:
    """The comment lines at the top of the file, as one text; paragraphs stay apart."""
    lines: list[str] = []
    for line in sql.strip().splitlines():
        if not line.startswith("--"):
            break
        lines.append(line.removeprefix("--").strip())
    paragraphs = re.split(r"\n{2,}", "\n".join(lines).strip())
    description = "\n\n".join(" ".join(paragraph.split()) for paragraph in paragraphs)
    if not description.lower().startswith("one row per "):
        raise SqlModelError(f"{path}: the first comment must say what one row is: '-- One row per …'.")
    return description


def _dependencies(path: Path, tree: exp.Query) -> tuple[str, ...]:
    """Every `schema.table` in the statement; a name without a schema must be one of its own CTEs."""
    ctes = {cte.alias.lower() for cte in tree.find_all(exp.CTE)}
    dependencies: set[str] = set()
    for table in tree.find_all(exp.Table):
        if isinstance(table.this, exp.Func):
            continue
        if table.catalog:
            raise SqlModelError(f"{path}: {table.catalog}.{table.db}.{table.name} names a catalog; write schema.table.")
        if table.db:
            dependencies.add(f"{table.db}.{table.name}".lower())
        elif table.name.lower() not in ctes:
            raise SqlModelError(f"{path}: the table {table.name} has no schema; write schema.table.")
    return tuple(sorted(dependencies))


def _check_dependencies(model: SqlModel, known: Collection[str]) -> None:
    unknown = [name for name in model.dependencies if name not in known]
    if unknown:
        raise SqlModelError(
            f"{model.path}: reads {', '.join(unknown)}, which is neither a model nor a table of raw_tables.py."
        )


def _in_build_order(models: Mapping[str, SqlModel]) -> tuple[SqlModel, ...]:
    # Lists, not sets: the order is the same in every process.
    graph = {name: [d for d in model.dependencies if d in models] for name, model in models.items()}
    sorter = graphlib.TopologicalSorter(graph)
    try:
        return tuple(models[name] for name in sorter.static_order())
    except graphlib.CycleError as error:
        circle: list[str] = error.args[1]
        paths = "; ".join(str(models[name].path) for name in dict.fromkeys(circle))
        raise SqlModelError(f"{paths}: these models depend on themselves: {' -> '.join(circle)}.") from error


# ---------------------------------------------------------------------------------------------------------------------
# Columns


def column_types(con: duckdb.DuckDBPyConnection, table_name: str) -> dict[str, str]:
    """DuckDB's type of each column of an existing table, in order."""
    columns = con.sql(f"from {table_name}")
    return dict(zip(columns.columns, map(str, columns.types), strict=True))


def column_lineage(model: SqlModel, types: Mapping[str, Mapping[str, str]]) -> dict[str, tuple[tuple[str, str], ...]]:
    """For each column of the model, the (`schema.table`, column) pairs that its values come from.

    `types` holds `column_types` of the model itself and of every table that it reads.
    """
    schema: dict[str, dict[str, dict[str, str]]] = {}
    for table_name in model.dependencies:
        db, name = table_name.split(".")
        schema.setdefault(db, {})[name] = dict(types[table_name])
    # All columns at once, so that sqlglot resolves the statement once; untrimmed, because it would copy every select.
    nodes = lineage(None, model.sql, schema=schema, dialect="duckdb", trim_selects=False)
    return {column: tuple(sorted(set(_sources(nodes[column])))) for column in types[model.qualified_name]}


def _sources(column: Node) -> Iterable[tuple[str, str]]:
    for node in column.walk():
        if isinstance(node.expression, exp.Table) and node.expression.db:
            table = node.expression
            yield f"{table.db}.{table.name}", exp.to_column(node.name).name
