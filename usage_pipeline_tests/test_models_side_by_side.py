"""Models that are built side by side give what they give one after the other."""

import threading
from collections.abc import Iterator
from pathlib import Path

import duckdb
import pytest

from usage_pipeline import sql_builds
from usage_pipeline.sql_builds import BuiltModel, build
from usage_pipeline.sql_models import SqlModel, SqlModelError, load_models
from usage_pipeline.warehouse import prepare_tables
from usage_pipeline_tests.marts.factory import DAY, MODELS, Store
from usage_pipeline_tests.test_sql_models import add_day, contents, used_store, write


@pytest.fixture
def con() -> Iterator[duckdb.DuckDBPyConnection]:
    with duckdb.connect(":memory:") as con:
        prepare_tables(con)
        yield con


def built_side_by_side(store: Store) -> list[BuiltModel]:
    store.write()
    return build(store.con, MODELS, at_once=3)


def what_was_done(built: list[BuiltModel]) -> list[tuple]:
    return [(each.table_name, each.row_count, each.is_rebuilt_whole, each.days) for each in built]


def test_tables_and_what_was_done_are_the_same() -> None:
    alone, together = used_store(), used_store()

    assert what_was_done(built_side_by_side(together)) == what_was_done(alone.build())
    assert contents(together) == contents(alone)
    for store in (alone, together):
        add_day(store, DAY, tokens=250)
    changed = built_side_by_side(together)
    assert what_was_done(changed) == what_was_done(alone.build())
    assert any(each.days == ((DAY, DAY),) for each in changed)
    assert contents(together) == contents(alone)
    assert all(each.is_unchanged for each in build(together.con, MODELS, at_once=3))


def folder_of(tmp_path: Path, **models: str) -> tuple[SqlModel, ...]:
    for name, sql in models.items():
        write(tmp_path / "models", f"marts.{name}", f"-- One row per x.\n{sql}")
    return load_models(tmp_path / "models")


def test_models_that_do_not_read_each_other_are_built_at_the_same_time(
    con: duckdb.DuckDBPyConnection, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    models = folder_of(tmp_path, a="select 1 as x", b="select 2 as x")
    both_are_here, build_one = threading.Barrier(2, timeout=60), sql_builds._Builder.build

    def build_with_the_other(self: sql_builds._Builder, model: SqlModel) -> BuiltModel:
        both_are_here.wait()
        return build_one(self, model)

    monkeypatch.setattr(sql_builds._Builder, "build", build_with_the_other)
    build(con, models, at_once=2)

    assert con.execute("select a.x, b.x from marts.a, marts.b").fetchall() == [(1, 2)]


def test_after_an_error_nothing_that_reads_the_model_is_built_and_the_next_build_goes_on(
    con: duckdb.DuckDBPyConnection, tmp_path: Path
) -> None:
    divided = "select error('no such luck') as x from marts.a"
    models = folder_of(tmp_path, a="select 1 as x", b=divided, c="select x from marts.b", d="select x from marts.a")

    with pytest.raises(SqlModelError, match=r"b\.sql: DuckDB could not build marts\.b: .*no such luck"):
        build(con, models, at_once=2)
    ours = "select table_name from duckdb_tables() where table_name in ('a', 'b', 'c', 'd')"
    made = {name for (name,) in con.execute(ours).fetchall()}
    assert {"a"} <= made <= {"a", "d"}

    mended = folder_of(tmp_path, b="select x + 1 as x from marts.a")
    built = {each.table_name: each for each in build(con, mended, at_once=2)}
    assert built["marts.a"].is_unchanged
    assert con.execute("select c.x, d.x from marts.c, marts.d").fetchall() == [(2, 1)]
