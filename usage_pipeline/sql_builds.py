"""Building the SQL models: what has changed since each table was last made, and making only that anew.

Here: fingerprints, days to rebuild, one transaction per model. Not here: reading the files (`sql_models.py`), Dagster,
writing raw rows (`warehouse.py`).
"""

import hashlib
import time
from collections import Counter
from collections.abc import Collection, Generator, Iterable, Mapping, Sequence
from concurrent.futures import FIRST_COMPLETED, Future, ThreadPoolExecutor, wait
from contextlib import ExitStack, contextmanager
from copy import copy
from dataclasses import dataclass
from datetime import date, timedelta
from graphlib import TopologicalSorter

import duckdb

from usage_pipeline.raw_tables import COLUMN_LINEAGE, DAY_CHANGES, SOURCE_STATUS, SQL_MODEL_BUILDS, STORED_TABLES
from usage_pipeline.sql_models import SqlModel, SqlModelError, Window, column_types

PERIOD_COLUMNS: Mapping[Window, str] = {"day": "usage_date", "month": "usage_month"}
"""The column by which a windowed model's rows are replaced: a UTC day, or the first day of a UTC month."""

MOST_ROWS_AT_ONCE = 3_000_000
"""Stored rows that one statement of a whole rebuild reads, unless a single day has more: it bounds memory."""

DAY_SOURCES = frozenset(
    name
    for name, table in STORED_TABLES.items()
    if table.day_column in (PERIOD_COLUMNS["day"], SOURCE_STATUS.day_column)
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
    """Ranges of UTC days that were replaced, first and last day inclusive; empty when nothing had changed.

    A table by months names the first days of the first and the last month."""

    @property
    def is_unchanged(self) -> bool:
        """Nothing that the table is made from had changed, so it was left as it was."""
        return not self.is_rebuilt_whole and not self.days


def build(
    con: duckdb.DuckDBPyConnection, models: Sequence[SqlModel], only: Collection[str] | None = None, at_once: int = 1
) -> list[BuiltModel]:
    """Bring the models' tables up to date, each in its own transaction; returns what was done, in build order.

    A windowed model is rebuilt for the days whose raw rows changed since its last build, and for all days when its SQL
    or the content of a small table that it reads changed. Other models are rebuilt when anything that they read
    changed. A model without a window over raw rows by day is a view: as a table it would repeat them all. Because the
    state is kept in the warehouse, a build after a killed one does what that one left undone.

    Args:
        con: a warehouse with the stored tables in place.
        models: all models, as `load_models` returns them.
        only: `schema.table` names to build; None builds all.
        at_once: models that are built side by side, where neither reads the other; DuckDB's memory limit is for all.

    Raises:
        SqlModelError: a model's SQL fails, or a model that `only` leaves out has never been built.
    """
    builder = _Builder(con, models)
    chosen = [model for model in models if only is None or model.qualified_name in only]
    if len(chosen) == len(models):
        builder.drop_tables_without_a_model()
    if at_once == 1:
        return [builder.build(model) for model in chosen]
    return _build_side_by_side(builder, chosen, at_once)


def _build_side_by_side(builder: "_Builder", models: Sequence[SqlModel], at_once: int) -> list[BuiltModel]:
    """Build each model as soon as those that it reads are built. After an error no further one is begun."""
    numbers = {model.qualified_name: number for number, model in enumerate(models)}
    order = TopologicalSorter({model.qualified_name: numbers.keys() & model.dependencies for model in models})
    order.prepare()
    done: dict[str, BuiltModel] = {}
    under_way: dict[Future[BuiltModel], tuple[str, _Builder]] = {}
    ready: list[str] = []
    with ExitStack() as stack:
        idle = [stack.enter_context(builder.beside()) for _ in range(at_once)]
        threads = stack.enter_context(ThreadPoolExecutor(at_once))
        while order.is_active():
            ready = sorted([*ready, *order.get_ready()], key=numbers.__getitem__)
            while ready and idle:
                name, free = ready.pop(0), idle.pop()
                under_way[threads.submit(free.build, models[numbers[name]])] = name, free
            for future in wait(under_way, return_when=FIRST_COMPLETED).done:
                name, free = under_way.pop(future)
                done[name] = future.result()
                idle.append(free)
                order.done(name)
    return [done[model.qualified_name] for model in models]


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
        self._kinds: dict[str, str] = dict(
            con.execute(
                """
                select schema_name || '.' || table_name, 'table'
                from duckdb_tables()
                where database_name = current_database()
                union all
                select schema_name || '.' || view_name, 'view'
                from duckdb_views()
                where database_name = current_database() and not internal
                """
            ).fetchall()
        )
        self._rows_by_day: dict[str, dict[date, int]] = {}
        self._views: set[str] = set()
        # Models come in build order, so what a view reads is known before the view.
        for model in models:
            reads_days = any(name in DAY_SOURCES or name in self._views for name in model.dependencies)
            if reads_days and not model.is_windowed:
                self._views.add(model.qualified_name)

    @contextmanager
    def beside(self) -> "Generator[_Builder]":
        """One that shares what this one knows and has a connection of its own, for another thread."""
        other = copy(self)
        with self._con.cursor() as other._con:
            yield other

    def drop_tables_without_a_model(self) -> None:
        """Drop what a model made whose file is gone, so that nobody reads numbers that no longer change."""
        for name in self._states.keys() - self._models.keys():
            self._con.begin()
            self._con.execute(f"drop {self._kinds.get(name, 'table')} if exists {name}")
            for noted in (SQL_MODEL_BUILDS, COLUMN_LINEAGE):
                self._con.execute(f"delete from {noted.qualified_name} where table_name = ?", [name])
            self._con.commit()

    def build(self, model: SqlModel) -> BuiltModel:
        started = time.perf_counter()
        state = self._states.get(model.qualified_name)
        until = self._readable_until(model)
        fingerprint = self._fingerprint(model, until)
        if state is None or state.fingerprint != fingerprint or model.qualified_name not in self._kinds:
            days = self._all_periods(model, until)
            row_count = self._rebuild_whole(model, days, _BuildState(fingerprint, until))
            is_whole = True
        else:
            days = self._changed_periods(model, state.built_until, until)
            self._rebuild_periods(model, days, state, _BuildState(fingerprint, until))
            row_count = self._count(f"select count(*) from {model.qualified_name}")
            is_whole = False
        if is_whole or days:
            self._contents.pop(model.qualified_name, None)
        return BuiltModel(
            table_name=model.qualified_name,
            row_count=row_count,
            seconds=time.perf_counter() - started,
            is_rebuilt_whole=is_whole,
            days=days,
        )

    # What a model is made from

    def _by_day(self, name: str) -> SqlModel | None:
        """The model of that name if its rows follow the raw rows of their day: it is windowed, or a view."""
        model = self._models.get(name)
        return model if model and (model.is_windowed or name in self._views) else None

    def _day_sources(self, model: SqlModel) -> set[str]:
        """The stored tables by day that the model reads, itself or through windowed models and views."""
        found: set[str] = set()
        for name in model.dependencies:
            if name in DAY_SOURCES:
                found.add(name)
            elif upstream := self._by_day(name):
                found |= self._day_sources(upstream)
        return found

    def _readable_until(self, model: SqlModel) -> int:
        """The newest change in `ops.day_changes` that everything the model reads already holds."""
        until = max((change for _, _, change in self._changes), default=0)
        for name in model.dependencies:
            if self._by_day(name):
                until = min(until, self._state_of_upstream(model, name).built_until)
        return until

    def _fingerprint(self, model: SqlModel, until: int) -> str:
        """Hash of all that the model is made from, except raw days, which `ops.day_changes` counts."""
        parts = [model.sql]
        for name in model.dependencies:
            upstream = self._models.get(name)
            if name in DAY_SOURCES:
                continue
            if self._by_day(name):
                parts.append(f"{name} {self._state_of_upstream(model, name).fingerprint}")
            else:
                if upstream is not None:
                    self._state_of_upstream(model, name)
                parts.append(f"{name} {self._content(name)}")
        if not self._by_day(model.qualified_name):
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

    def _changed_periods(self, model: SqlModel, since: int, until: int) -> tuple[tuple[date, date], ...]:
        """Ranges of the days or months of the model in which a raw day changed after `since`."""
        if model.window is None:
            return ()
        return contiguous_ranges(self._periods(model, since, until), model.window)

    def _all_periods(self, model: SqlModel, until: int) -> tuple[tuple[date, date], ...]:
        """The same for all raw days; each range reads no more than MOST_ROWS_AT_ONCE rows where it can be divided."""
        if model.window is None:
            return ()
        weights: Counter[date] = Counter()
        for source in self._day_sources(model):
            for day, rows in self._rows_of_days(source).items():
                weights[start_of_period(day, model.window)] += rows
        ranges: list[tuple[date, date]] = []
        rows_in_last = 0
        for period in sorted(self._periods(model, 0, until)):
            rows_in_last += weights[period]
            if ranges and rows_in_last <= MOST_ROWS_AT_ONCE:
                ranges[-1] = (ranges[-1][0], period)
            else:
                ranges.append((period, period))
                rows_in_last = weights[period]
        return tuple(ranges)

    def _periods(self, model: SqlModel, since: int, until: int) -> set[date]:
        sources = self._day_sources(model)
        window = model.window or "day"
        return {
            start_of_period(day, window) for table, day, n in self._changes if table in sources and since < n <= until
        }

    def _rows_of_days(self, table_name: str) -> Mapping[date, int]:
        """Rows per day of a stored table by day of use; asked once."""
        if table_name not in self._rows_by_day:
            day = STORED_TABLES[table_name].day_column
            self._rows_by_day[table_name] = dict(
                self._con.execute(f"select {day}, count(*) from {table_name} group by {day}").fetchall()
            )
        return self._rows_by_day[table_name]

    # Writing

    def _rebuild_whole(self, model: SqlModel, ranges: Sequence[tuple[date, date]], state: _BuildState) -> int:
        """Returns how many rows the table or view has."""
        name = model.qualified_name
        kind = "view" if name in self._views else "table"
        with self._model_transaction(model):
            if self._kinds.get(name, kind) != kind:
                self._con.execute(f"drop {self._kinds[name]} {name}")
            # Without any raw day the table is made empty, by a window that no day lies in.
            first, *others = ranges or [(date.max, date.min)]
            row_count = self._count(f"create or replace {kind} {name} as\n{model.sql}", window_values(model, first))
            if model.window and PERIOD_COLUMNS[model.window] not in column_types(self._con, name):
                raise SqlModelError(
                    f"{model.path}: is replaced by {model.window}s and has no column {PERIOD_COLUMNS[model.window]} to "
                    "replace them by."
                )
            for period in others:
                row_count += self._count(f"insert into {name} by name\n{model.sql}", window_values(model, period))
            comment = model.description.replace("'", "''")
            self._con.execute(f"comment on {kind} {name} is '{comment}'")
            self._save_state(model, state)
        self._kinds[name] = kind
        return row_count if kind == "table" else self._count(f"select count(*) from {name}")

    def _rebuild_periods(
        self, model: SqlModel, ranges: Sequence[tuple[date, date]], before: _BuildState, after: _BuildState
    ) -> None:
        if not ranges and before == after:
            return
        with self._model_transaction(model):
            for period in ranges:
                self._con.execute(
                    f"delete from {model.qualified_name} where {PERIOD_COLUMNS[model.window or 'day']} between ? and ?",
                    list(period),
                )
                self._con.execute(
                    f"insert into {model.qualified_name} by name\n{model.sql}", window_values(model, period)
                )
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
        if model.qualified_name in self._states:
            statement = f"update {name} set fingerprint = $fingerprint, built_until = $until where table_name = $model"
        else:
            statement = (
                f"insert into {name} (table_name, fingerprint, built_until) values ($model, $fingerprint, $until)"
            )
        self._con.execute(
            statement, {"model": model.qualified_name, "fingerprint": state.fingerprint, "until": state.built_until}
        )
        self._states[model.qualified_name] = state

    def _count(self, statement: str, parameters: Mapping[str, date] | None = None) -> int:
        """What the statement counts: a query, or the rows that it wrote; 0 where it made a view."""
        (count,) = self._con.execute(statement, parameters).fetchone() or (0,)
        return count


def window_values(model: SqlModel, period: tuple[date, date]) -> dict[str, date] | None:
    """The values of the model's parameters for a range of its days (or first days of months); None without any."""
    match model.window:
        case None:
            return None
        case "day":
            return {"start_date": period[0], "end_date": period[1]}
        case "month":
            return {"start_month": period[0], "end_month": period[1]}


def start_of_period(day: date, window: Window) -> date:
    """The day itself, or the first day of its month."""
    return day.replace(day=1) if window == "month" else day


def contiguous_ranges(periods: Iterable[date], window: Window = "day") -> tuple[tuple[date, date], ...]:
    """The days (or first days of months) as ranges (first, last), both inclusive, as few as possible, in order."""
    ranges: list[tuple[date, date]] = []
    for period in sorted(set(periods)):
        if ranges and start_of_period(period - timedelta(days=1), window) == ranges[-1][1]:
            ranges[-1] = (ranges[-1][0], period)
        else:
            ranges.append((period, period))
    return tuple(ranges)
