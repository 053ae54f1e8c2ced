"""Models that are views, that are replaced by months, and whole rebuilds in parts."""

from datetime import date, datetime, timedelta
from pathlib import Path

import pytest

from usage_pipeline import sql_builds
from usage_pipeline.raw_tables import APPLICATION_RULES, STORED_TABLES
from usage_pipeline.sql_builds import BuiltModel, contiguous_ranges
from usage_pipeline.sql_models import SqlModelError, load_models
from usage_pipeline_tests.marts.factory import DAY, NOVA, Store, at

CALLS_BY_DAY = """\
-- One row per day.
select usage_date, count(*) as calls, any_value(names) as names from staging.calls
where usage_date between $start_date and $end_date group by usage_date
"""

CALLS_BY_MONTH = """\
-- One row per month.
select date_trunc('month', usage_date)::date as usage_month, sum(calls)::bigint as calls from marts.days
where usage_date >= $start_month and usage_date < $end_month + interval 1 month group by 1
"""

ALL_CALLS = "-- One row per call.\nselect usage_date, request_id, '{name}' as names from raw.invocations"


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    folder = tmp_path / "models"
    write(folder, "staging.calls", ALL_CALLS.format(name="calls"))
    write(folder, "marts.days", CALLS_BY_DAY)
    write(folder, "marts.months", CALLS_BY_MONTH)
    return folder


def write(folder: Path, table: str, sql: str) -> Path:
    path = folder / f"{table.replace('.', '/')}.sql"
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_text(sql, encoding="utf-8")
    return path


def built(store: Store, folder: Path) -> dict[str, BuiltModel]:
    return {model.table_name: model for model in store.build_from(folder)}


def kinds(store: Store) -> dict[str, str]:
    """Whether each model is a table or a view; tables that Python writes are left out."""
    made = store.rows(
        "select table_schema || '.' || table_name, table_type from information_schema.tables "
        "where table_schema in ('staging', 'marts')"
    )
    return {name: kind for name, kind in made if name not in STORED_TABLES}


def called(store: Store, *days: date) -> None:
    for day in days:
        store.call(NOVA, datetime(day.year, day.month, day.day, 10))


# Views


def test_a_model_without_a_window_over_rows_by_day_is_a_view(folder: Path) -> None:
    store = Store()
    built(store, folder)
    assert kinds(store) == {"staging.calls": "VIEW", "marts.days": "BASE TABLE", "marts.months": "BASE TABLE"}


def test_a_changed_day_is_rebuilt_through_a_view(folder: Path) -> None:
    store = Store()
    called(store, DAY, DAY - timedelta(days=1))
    built(store, folder)
    called(store, DAY, DAY)
    rebuilt = built(store, folder)
    assert (rebuilt["staging.calls"].is_unchanged, rebuilt["marts.days"].days) == (True, ((DAY, DAY),))
    assert store.rows("select usage_date, calls from marts.days order by 1") == [(DAY - timedelta(days=1), 1), (DAY, 2)]
    assert all(model.is_unchanged for model in built(store, folder).values())


def test_a_changed_view_restates_what_reads_it(folder: Path) -> None:
    store = Store()
    called(store, DAY)
    built(store, folder)
    write(folder, "staging.calls", ALL_CALLS.format(name="renamed"))
    assert built(store, folder)["marts.days"].is_rebuilt_whole
    assert store.one("select names from marts.days") == "renamed"


def test_a_small_table_behind_a_view_restates_what_reads_the_view(folder: Path) -> None:
    write(
        folder,
        "staging.calls",
        "-- One row per call.\nselect usage_date, rules.application as names from raw.invocations "
        "cross join raw.application_rules as rules",
    )
    store = Store()
    store.application_rule("role", "x", "before")
    called(store, DAY)
    built(store, folder)
    store.forget(APPLICATION_RULES)
    store.application_rule("role", "x", "after")
    built(store, folder)
    assert store.one("select names from marts.days") == "after"


def test_a_view_may_become_a_table_and_a_table_a_view(folder: Path) -> None:
    window = " where usage_date between $start_date and $end_date"
    store = Store()
    called(store, DAY)
    for sql, kind in ((window, "BASE TABLE"), ("", "VIEW"), (window, "BASE TABLE")):
        write(folder, "staging.calls", ALL_CALLS.format(name="calls") + sql)
        built(store, folder)
        assert kinds(store)["staging.calls"] == kind
        assert store.rows("select calls from marts.days") == [(1,)]


def test_the_view_of_a_deleted_model_goes(folder: Path) -> None:
    store = Store()
    built(store, folder)
    for table in ("staging/calls", "marts/days", "marts/months"):
        (folder / f"{table}.sql").unlink()
    built(store, folder)
    assert kinds(store) == {}


# Months


def test_a_changed_day_replaces_its_month_and_no_other(folder: Path) -> None:
    october, november = date(2026, 10, 1), date(2026, 11, 1)
    store = Store()
    called(store, october, date(2026, 10, 31), november)
    built(store, folder)
    called(store, date(2026, 10, 9))
    assert built(store, folder)["marts.months"].days == ((october, october),)
    assert store.rows("from marts.months order by 1") == [(october, 3), (november, 1)]


def test_a_model_by_months_needs_a_month_column(folder: Path) -> None:
    path = write(folder, "marts.months", "-- One row per month.\nselect $start_month as first, $end_month as last")
    with pytest.raises(SqlModelError, match="has no column usage_month") as refused:
        built(Store(), folder)
    assert str(path) in str(refused.value)


def test_days_and_months_are_no_pair(folder: Path) -> None:
    write(folder, "marts.months", "-- One row per month.\nselect $start_date as first, $end_month as last")
    with pytest.raises(SqlModelError, match=r"\$start_month and \$end_month together"):
        load_models(folder)


def test_months_become_as_few_ranges_as_possible() -> None:
    months = [date(2026, 1, 1), date(2025, 12, 1), date(2026, 3, 1), date(2025, 11, 1)]
    assert contiguous_ranges(months, "month") == (
        (date(2025, 11, 1), date(2026, 1, 1)),
        (date(2026, 3, 1), date(2026, 3, 1)),
    )


# Whole rebuilds


TABLES_OF_CALLS = (
    "marts.invocations",
    "marts.usage_hourly",
    "marts.usage_daily",
    "marts.usage_monthly",
    "marts.usage_minutely",
    "marts.quota_headroom",
    "marts.data_completeness",
)


def store_of_five_months() -> Store:
    store = Store(*TABLES_OF_CALLS)
    store.burndown("*", 1)
    store.model(NOVA)
    store.price(NOVA, "input", "1")
    for number in range(6):
        ts = at("01T10:00") - timedelta(days=22 * number)
        for second in range(number % 3 + 1):
            store.call(NOVA, ts + timedelta(seconds=second), input_tokens=100 * number, latency_ms=10.0 * number)
        store.usage(NOVA, ts, invocations=number % 3 + 1, input_tokens=100 * number)
    return store


@pytest.fixture(scope="module")
def at_once() -> Store:
    """Built in one part."""
    store = store_of_five_months()
    store.build()
    return store


@pytest.mark.parametrize("most_rows", [1, 3, 1000])
def test_a_rebuild_in_parts_gives_the_same_tables(
    at_once: Store, most_rows: int, monkeypatch: pytest.MonkeyPatch
) -> None:
    in_parts = store_of_five_months()
    monkeypatch.setattr(sql_builds, "MOST_ROWS_AT_ONCE", most_rows)
    parts = {model.table_name: model for model in in_parts.build()}
    for table in TABLES_OF_CALLS:
        found = in_parts.rows(f"from {table} order by all")
        assert found == at_once.rows(f"from {table} order by all")
        assert parts[table].row_count == len(found)
    if most_rows == 1:
        assert len(parts["marts.invocations"].days) == 6
        assert len(parts["marts.usage_monthly"].days) == 5
