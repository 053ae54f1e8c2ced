"""One SQL model over rows that a test writes into the tables it reads.

Here: for models whose inputs take many steps to make from raw rows. Not here: raw rows and whole builds (`factory.py`).
"""

from collections.abc import Mapping, Sequence
from typing import Any

import pyarrow as pa

from usage_pipeline.sql_builds import window_values
from usage_pipeline_tests.marts.factory import DAY, MODELS, Store

Rows = Sequence[Mapping[str, Any]]


class OneModel:
    """A model of `dbt_like_sql/`, and a warehouse with every table that it is made from, empty.

    The models `before` are made from the same inputs first, in that order, and are read by it.
    """

    def __init__(self, name: str, before: Sequence[str] = ()) -> None:
        models = {model.qualified_name: model for model in MODELS}
        self._model = models[name]
        self._before = [models[each] for each in before]
        store = Store(name, *before)
        store.build()
        self._con = store.con

    def over(self, inputs: Mapping[str, Rows], select: str) -> list[tuple[Any, ...]]:
        """What `select` finds in `model`, which is made for DAY of the inputs: rows by table, absent columns NULL."""
        self._con.begin()
        try:
            for table, rows in inputs.items():
                self._con.execute(f"delete from {table}")
                if rows:
                    self._insert(table, rows)
            for each in self._before:
                values = window_values(each, (DAY, DAY))
                self._con.execute(f"insert into {each.qualified_name} by name {each.sql}", values)
            self._con.execute(f"create temp table model as {self._model.sql}", window_values(self._model, (DAY, DAY)))
            return self._con.execute(select).fetchall()
        finally:
            self._con.rollback()

    def _insert(self, table: str, rows: Rows) -> None:
        columns = dict.fromkeys(name for row in rows for name in row)
        found = pa.table({name: [row.get(name) for row in rows] for name in columns})
        self._con.register("inserted", found)
        self._con.execute(f"insert into {table} by name from inserted")
        self._con.unregister("inserted")
