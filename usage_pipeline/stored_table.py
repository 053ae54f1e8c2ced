"""What a table is that Python writes: its name, its columns with types and meanings, by what it is replaced.

Here: the shape. Not here: the tables themselves (`raw_tables.py`, `planning_tables.py`), connections (`warehouse.py`).
"""

from dataclasses import dataclass


@dataclass(frozen=True)
class Column:
    """One column: its DuckDB type and what a value is, with its unit."""

    name: str
    type: str
    description: str


@dataclass(frozen=True)
class StoredTable:
    """One table that Python writes.

    `day_column` names the UTC day by which rows are replaced; None when the whole table is replaced at once.
    """

    schema: str
    name: str
    description: str
    columns: tuple[Column, ...]
    day_column: str | None = None

    @property
    def qualified_name(self) -> str:
        """`schema.table`, as written in every SQL model."""
        return f"{self.schema}.{self.name}"

    @property
    def create_statement(self) -> str:
        """`create table if not exists …` with the columns in order; no keys or indexes, so DuckLake accepts it."""
        columns = ",\n    ".join(f'"{column.name}" {column.type}' for column in self.columns)
        return f"create table if not exists {self.qualified_name} (\n    {columns}\n)"


def columns_of(text: str) -> tuple[Column, ...]:
    """Read `name | type | description` lines."""
    lines = (line.strip() for line in text.strip().splitlines())
    return tuple(Column(*(part.strip() for part in line.split("|", 2))) for line in lines if line)
