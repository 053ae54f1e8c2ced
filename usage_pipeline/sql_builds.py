"""Building the SQL models: what has changed since each table was last made, and making only that anew.

Here: fingerprints, days to rebuild, one transaction per model. Not here: reading the files (`sql_models.py`), Dagster,
writing raw rows (`warehouse.py`).
"""

import hashlib
import time
from collections.abc import Collection, Generator, Iterable, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from datetime import date, timedelta

import duckdb

from usage_pipeline.raw_tables import DAY_CHANGES, SOURCE_STATUS, SQL_MODEL_BUILDS, STORED_TABLES
from usage_pipeline.sql_models import SqlModel, SqlModelError, column_types

DAY_COLUMN = "usage_date"
"""The column by which a windowed model's rows are replaced: a UTC day."""

DAY_SOURCES = frozenset(
    name for name, table in STORED_TABLES.items() if table.day_column in (DAY_COLUMN, SOURCE_STATUS.day_column)
)
"""Stored tables whose changes `ops.day_changes` counts by UTC day of use; catalogue snapshots are not among them."""


@dataclass(frozen=True)
class BuiltModel:
    """What building one model did."""

    table_name: str
    row_count: int
    """Rows in the table now."""
    seconds: float
    is_rebuilt_whole: bool
    """The whole table was made anew, because it is not windowed or its SQL or a small table it reads changed."""
    days: tuple[tuple[date, date], ...]
    """Ranges of UTC days that were replaced, first and last day inclusive; empty when nothing had changed."""

    @property
    def is_unchanged(self) -> bool:
        """Nothing that the table is made from had changed, so it was left as it was."""
        return not self.is_rebuilt_whole and not self.days


def build(
    con: duckdb.DuckDBPyConnection, models: Sequence[SqlModel], only: Collection[str] | None = None
) -> list[BuiltModel]:
    """Bring the models' tables up to date, each in its own transaction; returns what was done, in build order.

    A windowed model is rebuilt for the days whose raw rows changed since its last build, and for all days when its SQL
    or the content of a small table that it reads changed. Other models are rebuilt when anything that they read
    changed. Because the state is kept in the warehouse, a build after a killed one does what that one left undone.

    Args:
        con: a warehouse with the stored tables in place.
        models: all models, as `load_models` returns them.
        only: `schema.table` names to build; None builds all.

    Raises:
        SqlModelError: a model's SQL fails, or a model that `only` leaves out has never been built.
    """
    builder = _Builder(con, models)
    chosen = [model for model in models if only is None or model.qualified_name in only]
    if len(chosen) == len(models):
        builder.drop_tables_without_a_model()
    return [builder.build(model) for model in chosen]


@dataclass(frozen=True)
class _BuildState:
    """A row of `ops.sql_model_builds`."""

    fingerprint: str
    built_until: int


class _Builder:
    """One call of `build`; nobody else writes to the warehouse meanwhile, so its state is read once."""

    def __init__(self, con: duckdb.DuckDBPyConnection, models: Sequence[SqlModel]):
        self._con = con
        self._models = {model.qualified_name: model for model in models}
        self._contents: dict[str, str] = {}
        self._changes: list[tuple[str, date, int]] = con.execute(
            f"select table_name, usage_date, change from {DAY_CHANGES.qualified_name}"
        ).fetchall()
        self._states = {
            name: _BuildState(fingerprint, built_until)
            for name, fingerprint, built_until in con.execute(
                f"select table_name, fingerprint, built_until from {SQL_MODEL_BUILDS.qualified_name}"
            ).fetchall()
        }
        self._tables: set[str] = {
            f"{schema}.{name}"
            for schema, name in con.execute(
                "select schema_name, table_name from duckdb_tables() where database_name = current_database()"
            ).fetchall()
        }

    def drop_tables_without_a_model(self) -> None:
        """Drop what a model made whose file is gone, so that nobody reads numbers that no longer change."""
        for name in self._states.keys() - self._models.keys():
            self._con.begin()
            self._con.execute(f"drop table if exists {name}")
            self._con.execute(f"delete from {SQL_MODEL_BUILDS.qualified_name} where table_name = ?", [name])
            self._con.commit()

    def build(self, model: SqlModel) -> BuiltModel:
        started = time.perf_counter()
        state = self._states.get(model.qualified_name)
        until = self._readable_until(model)
        fingerprint = self._fingerprint(model, until)
        if state is None or state.fingerprint != fingerprint or model.qualified_name not in self._tables:
            days = self._all_days(model, until) if model.is_windowed else ()
            self._rebuild_whole(model, days, _BuildState(fingerprint, until))
            is_whole = True
        else:
            days = self._changed_days(model, state.built_until, until) if model.is_windowed else ()
            self._rebuild_days(model, days, state, _BuildState(fingerprint, until))
            is_whole = False
        if is_whole or days:
            self._contents.pop(model.qualified_name, None)
        return BuiltModel(
            table_name=model.qualified_name,
            row_count=self._row_count(model),
            seconds=time.perf_counter() - started,
            is_rebuilt_whole=is_whole,
            days=days,
        )

    # What a model is made from

    def _day_sources(self, model: SqlModel) -> set[str]:
        """The stored tables by day that the model reads, itself or through windowed models."""
        found: set[str] = set()
        for name in model.dependencies:
            upstream = self._models.get(name)
            if name in DAY_SOURCES:
                found.add(name)
            elif upstream is not None and upstream.is_windowed:
                found |= self._day_sources(upstream)
        return found

    def _readable_until(self, model: SqlModel) -> int:
        """The newest change in `ops.day_changes` that everything the model reads already holds."""
        until = max((change for _, _, change in self._changes), default=0)
        for name in model.dependencies:
            upstream = self._models.get(name)
            if upstream is not None and upstream.is_windowed:
                until = min(until, self._state_of_upstream(model, name).built_until)
        return until

    def _fingerprint(self, model: SqlModel, until: int) -> str:
        """Hash of all that the model is made from, except raw days, which `ops.day_changes` counts."""
        parts = [model.sql]
        for name in model.dependencies:
            upstream = self._models.get(name)
            if name in DAY_SOURCES:
                continue
            if upstream is not None and upstream.is_windowed:
                parts.append(f"{name} {self._state_of_upstream(model, name).fingerprint}")
            else:
                if upstream is not None:
                    self._state_of_upstream(model, name)
                parts.append(f"{name} {self._content(name)}")
        if not model.is_windowed:
            sources = sorted(self._day_sources(model))
            newest = max((n for table, _, n in self._changes if table in sources and n <= until), default=0)
            parts.append(f"{sources} {newest}")
        return hashlib.sha256("\n".join(parts).encode()).hexdigest()

    def _content(self, table_name: str) -> str:
        """What a small table holds: the newest change of a stored one by day, else count and hashes of the rows."""
        stored = STORED_TABLES.get(table_name)
        if stored is not None and stored.day_column is not None:
            return str(max((n for table, _, n in self._changes if table == table_name), default=0))
        if table_name not in self._contents:
            row = self._con.execute(
                f"select count(*), bit_xor(hash(rows)), sum(hash(rows)::hugeint) from {table_name} as rows"
            ).fetchone()
            columns = list(column_types(self._con, table_name).items())
            self._contents[table_name] = f"{row} {columns}"
        return self._contents[table_name]

    # What was built before

    def _state_of_upstream(self, model: SqlModel, name: str) -> _BuildState:
        state = self._states.get(name)
        if state is None:
            raise SqlModelError(f"{model.path}: reads {name}, which has not been built yet. Build it first.")
        return state

    def _changed_days(self, model: SqlModel, since: int, until: int) -> tuple[tuple[date, date], ...]:
        sources = self._day_sources(model)
        return contiguous_ranges(day for table, day, n in self._changes if table in sources and since < n <= until)

    def _all_days(self, model: SqlModel, until: int) -> tuple[tuple[date, date], ...]:
        days = self._changed_days(model, 0, until)
        return ((days[0][0], days[-1][1]),) if days else ()

    # Writing

    def _rebuild_whole(self, model: SqlModel, days: Sequence[tuple[date, date]], state: _BuildState) -> None:
        with self._model_transaction(model):
            # Without any raw day the table is made empty, by a window that no day lies in.
            first, last = days[0] if days else (date.max, date.min)
            window = {"start_date": first, "end_date": last} if model.is_windowed else None
            self._con.execute(f"create or replace table {model.qualified_name} as\n{model.sql}", window)
            if model.is_windowed and DAY_COLUMN not in column_types(self._con, model.qualified_name):
                raise SqlModelError(
                    f"{model.path}: takes $start_date and has no column {DAY_COLUMN} to replace days by."
                )
            comment = model.description.replace("'", "''")
            self._con.execute(f"comment on table {model.qualified_name} is '{comment}'")
            self._save_state(model, state)

    def _rebuild_days(
        self, model: SqlModel, days: Sequence[tuple[date, date]], before: _BuildState, after: _BuildState
    ) -> None:
        if not days and before == after:
            return
        with self._model_transaction(model):
            for first, last in days:
                window = {"start_date": first, "end_date": last}
                self._con.execute(
                    f"delete from {model.qualified_name} where {DAY_COLUMN} between $start_date and $end_date", window
                )
                self._con.execute(f"insert into {model.qualified_name} by name\n{model.sql}", window)
            self._save_state(model, after)

    @contextmanager
    def _model_transaction(self, model: SqlModel) -> Generator[None]:
        self._con.begin()
        try:
            yield
        except BaseException as error:
            self._con.rollback()
            if isinstance(error, duckdb.Error):
                raise SqlModelError(f"{model.path}: DuckDB could not build {model.qualified_name}: {error}") from error
            raise
        self._con.commit()

    def _save_state(self, model: SqlModel, state: _BuildState) -> None:
        name = SQL_MODEL_BUILDS.qualified_name
        self._con.execute(f"delete from {name} where table_name = ?", [model.qualified_name])
        self._con.execute(
            f"insert into {name} (table_name, fingerprint, built_until) values (?, ?, ?)",
            [model.qualified_name, state.fingerprint, state.built_until],
        )
        self._states[model.qualified_name] = state

    def _row_count(self, model: SqlModel) -> int:
        (count,) = self._con.execute(f"select count(*) from {model.qualified_name}").fetchone() or (0,)
        return count


def contiguous_ranges(days: Iterable[date]) -> tuple[tuple[date, date], ...]:
    """The days as ranges (first, last), both inclusive, as few as possible, in order."""
    ranges: list[tuple[date, date]] = []
    for day in sorted(set(days)):
        if ranges and ranges[-1][1] + timedelta(days=1) == day:
            ranges[-1] = (ranges[-1][0], day)
        else:
            ranges.append((day, day))
    return tuple(ranges)
