"""Column lineage that is kept in the warehouse."""

from dataclasses import replace

import pytest

from usage_pipeline import column_lineage
from usage_pipeline.column_lineage import Lineage, all_column_types, lineage_of_models
from usage_pipeline.sql_models import SqlModel, column_types, load_models
from usage_pipeline_tests.marts.factory import Store

MODELS = [model for model in load_models() if model.schema == "staging"]


@pytest.fixture
def store() -> Store:
    store = Store()
    store.build()
    return store


def lineage(store: Store, models: list[SqlModel]) -> dict[str, Lineage]:
    return lineage_of_models(store.con, models, all_column_types(store.con))


def test_what_is_kept_is_what_was_found(store: Store, monkeypatch: pytest.MonkeyPatch) -> None:
    found = lineage(store, MODELS)
    monkeypatch.setattr(column_lineage, "column_lineage", lambda *_: pytest.fail("was found again"))

    assert lineage(store, MODELS) == found
    assert {name: list(columns) for name, columns in found.items()} == {
        model.qualified_name: list(column_types(store.con, model.qualified_name)) for model in MODELS
    }
    rows = store.con.execute(
        "select table_name, column_name, list(source_table order by source_table) from ops.column_lineage group by 1, 2"
    ).fetchall()
    assert {(table, column): sources for table, column, sources in rows} == {
        (table, column): sorted(source for source, _ in sources) or [None]
        for table, columns in found.items()
        for column, sources in columns.items()
    }


def test_a_model_whose_sql_changes_is_found_anew(store: Store) -> None:
    before = lineage(store, MODELS)
    model = MODELS[0]
    column = next(column for column, sources in before[model.qualified_name].items() if sources)
    others = [name for name in before[model.qualified_name] if name != column]
    constant = replace(model, sql=f"select {', '.join(others)}, 1 as {column} from ({model.sql.strip().rstrip(';')})")

    after = lineage(store, [constant, *MODELS[1:]])

    assert after[model.qualified_name][column] == ()
    assert after[model.qualified_name].keys() == before[model.qualified_name].keys()
    assert {name: after[name] for name in after if name != model.qualified_name} == {
        name: before[name] for name in before if name != model.qualified_name
    }
    kept = f"select source_table from ops.column_lineage where column_name = '{column}' and table_name = ?"
    assert store.con.execute(kept, [model.qualified_name]).fetchall() == [(None,)]


def test_a_model_that_is_gone_leaves_no_lineage(store: Store) -> None:
    lineage(store, MODELS)
    store.con.execute(
        "update ops.column_lineage set table_name = 'marts.gone' where table_name = ?", [MODELS[0].qualified_name]
    )
    store.con.execute("insert into ops.sql_model_builds values ('marts.gone', 'x', 0)")

    store.build()

    assert store.con.execute("select * from ops.column_lineage where table_name = 'marts.gone'").fetchall() == []
