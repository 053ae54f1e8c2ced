"""Reading SQL models, refusing wrong ones, and building only what changed."""

import shutil
import subprocess
import sys
from collections.abc import Iterator, Mapping
from datetime import date, datetime, timedelta
from pathlib import Path

import duckdb
import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from usage_pipeline.raw_tables import SERVICE_QUOTAS, STORED_TABLES
from usage_pipeline.sql_builds import BuiltModel, build, contiguous_ranges, window_values
from usage_pipeline.sql_models import SqlModel, SqlModelError, column_lineage, column_types, load_models
from usage_pipeline.warehouse import Warehouse, prepare_tables
from usage_pipeline_tests.marts.factory import DAY, MODELS, NOVA, SONNET, Store, arns, at
from usage_pipeline_tests.marts.kept_store import KeptStore

MARTS = (
    "latency_hourly",
    "quota_headroom",
    "quota_pools",
    "quota_usage_minutely",
    "unresolved_profiles",
    "usage_minutely",
    "usage_statistics",
)


# Reading


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    return tmp_path / "models"


def write(folder: Path, table: str, sql: str) -> Path:
    path = folder / f"{table.replace('.', '/')}.sql"
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_text(sql, encoding="utf-8")
    return path


def names(models: tuple[SqlModel, ...]) -> list[str]:
    return [model.qualified_name for model in models]


def test_models_come_in_an_order_in_which_they_can_be_built(folder: Path) -> None:
    write(folder, "marts.a", "-- One row per b.\nselect b from staging.b")
    write(folder, "staging.b", "-- One row per scope.\nselect region as b from raw.scopes")
    assert names(load_models(folder)) == ["staging.b", "marts.a"]


def test_the_first_comment_is_the_description(folder: Path) -> None:
    write(folder, "staging.b", "-- One row per scope\n-- that was read.\n--\n-- More.\n\n-- no\nselect 1 as b -- no\n")
    (model,) = load_models(folder)
    assert model.description == "One row per scope that was read.\n\nMore."


def test_a_cte_may_have_the_name_of_a_table(folder: Path) -> None:
    write(folder, "staging.b", "-- One row per scope.\nselect region as b from raw.scopes")
    sql = """
        -- One row per b.
        with b as (select b from staging.b), scopes as (select b from b)
        select b from scopes
    """
    write(folder, "marts.a", "\n".join(line.strip() for line in sql.strip().splitlines()))
    assert [model.dependencies for model in load_models(folder)] == [("raw.scopes",), ("staging.b",)]


def test_tables_inside_a_pivot_are_dependencies(folder: Path) -> None:
    for name, sql in (
        ("standard", "select * from raw.scopes pivot (count(*) for aws_partition in ('aws'))"),
        ("simplified", "from (pivot raw.scopes on aws_partition in ('aws') using count(*))"),
    ):
        write(folder, f"marts.{name}", f"-- One row per account.\n{sql}")
    assert {model.dependencies for model in load_models(folder)} == {("raw.scopes",)}


def test_table_functions_are_not_tables(folder: Path) -> None:
    write(folder, "marts.a", "-- One row per number.\nselect n from range(3) as numbers (n), unnest([1]) as u (m)")
    assert load_models(folder)[0].dependencies == ()


def test_a_model_with_both_dates_is_windowed(folder: Path) -> None:
    write(
        folder,
        "marts.a",
        "-- One row per day.\nselect usage_date from raw.cloudwatch_metrics "
        "where usage_date between $start_date and $end_date",
    )
    assert load_models(folder)[0].is_windowed


@pytest.mark.parametrize(
    ("sql", "message"),
    [
        ("-- One row per x.\nselect 1 as x from raw.nothing", "raw.nothing"),
        ("-- One row per x.\nselect 1 as x from marts.nothing", "neither a model nor a table"),
        ("-- One row per x.\nselect 1 as x from scopes", "the table scopes has no schema"),
        ("-- One row per x.\nselect 1 as x from 'some.csv'", "has no schema"),
        ("-- One row per x.\nselect 1 as x from other.raw.scopes", "names a catalog"),
        ("-- One row per x.\nselect 1 as x from marts.wrong", "marts.wrong -> marts.wrong"),
        ("-- One row per x.\nselect 1 as x;\nselect 2 as x", "has 2 statements"),
        ("-- One row per x.\n", "has 0 statements"),
        ("-- One row per x.\ncreate table x as select 1", "exactly one select"),
        ("-- One row per x.\nselect from where", "could not be read"),
        ("select 1 as x", "must say what one row is"),
        ("-- Some numbers.\nselect 1 as x", "must say what one row is"),
        ("-- One row per x.\nselect $start_date as x", "$start_date and $end_date together"),
        ("-- One row per x.\nselect $limit as x", "has the parameters $limit"),
    ],
)
def test_a_wrong_model_is_refused_by_file_name(folder: Path, sql: str, message: str) -> None:
    path = write(folder, "marts.wrong", sql)
    with pytest.raises(SqlModelError) as refused:
        load_models(folder)
    assert str(path) in str(refused.value)
    assert message in str(refused.value)


def test_a_circle_is_refused_with_its_files(folder: Path) -> None:
    first = write(folder, "marts.a", "-- One row per x.\nselect x from marts.b")
    second = write(folder, "marts.b", "-- One row per x.\nselect x from marts.a")
    with pytest.raises(SqlModelError, match="depend on themselves") as refused:
        load_models(folder)
    assert str(first) in str(refused.value)
    assert str(second) in str(refused.value)


def test_two_files_for_one_table_are_refused(folder: Path) -> None:
    write(folder, "marts.a", "-- One row per x.\nselect 1 as x")
    second = write(folder, "marts.A", "-- One row per x.\nselect 2 as x")
    if len(list(folder.rglob("*.sql"))) == 1:
        pytest.skip("this file system does not tell a.sql from A.sql")
    with pytest.raises(SqlModelError, match="already made by"):
        load_models(folder)
    second.unlink()


@pytest.mark.parametrize("table", ["raw.scopes", "marts.deeper.a", "reports.a"])
def test_a_file_in_another_folder_is_refused(folder: Path, table: str) -> None:
    path = write(folder, table, "-- One row per x.\nselect 1 as x")
    with pytest.raises(SqlModelError, match="models live in staging/, intermediate/, marts/") as refused:
        load_models(folder)
    assert str(path) in str(refused.value)


# Our own models


@pytest.fixture(scope="module")
def built_empty() -> Iterator[Store]:
    """All models over no use; tests only read it."""
    store = Store()
    store.build()
    yield store
    store.con.close()


def test_the_projects_models_load_and_keep_their_layers() -> None:
    models = {model.qualified_name: model for model in load_models()}
    assert {f"marts.{name}" for name in MARTS} <= models.keys()
    for model in models.values():
        schemas = {name.split(".")[0] for name in model.dependencies}
        if model.schema == "staging":
            assert len(model.dependencies) == 1, f"{model.path} joins"
            assert schemas <= {"raw", "ops"}
        else:
            assert schemas.isdisjoint({"raw", "ops"}), f"{model.path} reads past staging"


def test_every_mart_names_the_account_and_region_of_a_row(built_empty: Store) -> None:
    for name in MARTS:
        assert {"account_id", "account_name", "region"} <= column_types(built_empty.con, f"marts.{name}").keys()


def test_models_are_built_empty_before_any_use_is_stored(built_empty: Store) -> None:
    for name in MARTS:
        assert built_empty.one(f"select count(*) from marts.{name}") == 0


def test_descriptions_become_table_comments(built_empty: Store) -> None:
    comment = "select comment from duckdb_tables() where table_name = 'quota_headroom'"
    assert built_empty.one(comment).startswith("One row per pool, quota (tpm, rpm, tpd) and UTC day")


def test_columns_know_where_they_come_from(built_empty: Store) -> None:
    models = {model.qualified_name: model for model in load_models()}
    types = {name: column_types(built_empty.con, name) for name in [*models, *STORED_TABLES]}

    consumed = column_lineage(models["marts.usage_minutely"], types)["consumed_tokens"]
    assert set(consumed) == {
        ("staging.stg_cloudwatch_periods", "input_tokens"),
        ("staging.stg_cloudwatch_periods", "cache_write_tokens"),
        ("staging.stg_cloudwatch_periods", "output_tokens"),
        ("intermediate.int_profiles_rated", "rate"),
    }
    for model in models.values():
        lineage = column_lineage(model, types)
        assert lineage.keys() == types[model.qualified_name].keys()
        for sources in lineage.values():
            for table, column in sources:
                assert column in types[table], f"{model.qualified_name} reads {table}.{column}"


# Building


@pytest.mark.parametrize(
    ("days", "ranges"),
    [
        ([], ()),
        ([3, 1, 2, 2], ((1, 3),)),
        ([1, 3, 4], ((1, 1), (3, 4))),
    ],
)
def test_days_become_as_few_ranges_as_possible(days: list[int], ranges: tuple[tuple[int, int], ...]) -> None:
    expected = tuple((date(2026, 11, first), date(2026, 11, last)) for first, last in ranges)
    assert contiguous_ranges(date(2026, 11, day) for day in days) == expected


def used_store(days: int = 3) -> Store:
    """Days of use of one geo pool and one base model, with limits and rates."""
    store = Store()
    store.burndown("*", 1)
    store.burndown("anthropic.*", 5)
    store.model(SONNET, on_demand=False)
    store.model(NOVA)
    store.system_profile(f"us.{SONNET}", arns(SONNET, "us-east-1", "us-west-2"))
    store.application_profile("searchsearch", arns(SONNET, "us-east-1", "us-west-2"), tags={"team": "search"})
    store.quota(SONNET, "geo", "tpm", 1_000)
    for back in range(days):
        add_day(store, DAY - timedelta(days=back))
    return store


def add_day(store: Store, day: date, tokens: int = 100) -> None:
    store.covered(day)
    for hour, profile_id in enumerate((f"us.{SONNET}", "searchsearch", NOVA)):
        ts = datetime(day.year, day.month, day.day, 10 + hour, 7)
        store.usage(profile_id, ts, invocations=2, input_tokens=tokens, output_tokens=10, latency_ms_sum=123.4)
        store.usage(profile_id, ts, latency_samples=2)


@pytest.fixture(scope="module")
def kept_used(tmp_path_factory: pytest.TempPathFactory) -> KeptStore:
    """All models over three days of use."""
    store = used_store()
    store.build()
    return KeptStore(store, tmp_path_factory.mktemp("used") / "kept.duckdb")


@pytest.fixture(scope="module")
def kept_unused(tmp_path_factory: pytest.TempPathFactory) -> KeptStore:
    """All models over the same catalogues and no use."""
    store = used_store(days=0)
    store.build()
    return KeptStore(store, tmp_path_factory.mktemp("unused") / "kept.duckdb")


def contents(store: Store) -> dict[str, list[tuple]]:
    """Every row of every model's table."""
    return {name: sorted(store.rows(f"from {name}"), key=repr) for name in names(MODELS)}


def by_name(built: list[BuiltModel]) -> dict[str, BuiltModel]:
    return {model.table_name: model for model in built}


def test_building_twice_changes_nothing(kept_used: KeptStore) -> None:
    store = kept_used.copy()
    before = contents(store)
    assert all(model.is_unchanged for model in store.build())
    assert contents(store) == before


def test_reading_the_same_day_again_rebuilds_nothing(kept_used: KeptStore) -> None:
    store = kept_used.copy()
    add_day(store, DAY)
    assert all(model.is_unchanged for model in store.build())


def test_a_changed_day_rebuilds_that_day_only(kept_used: KeptStore) -> None:
    store = kept_used.copy()
    changed = DAY - timedelta(days=1)
    before = store.rows("from marts.usage_minutely where usage_date <> ?", changed)
    add_day(store, changed, tokens=300)
    built = by_name(store.build())

    for table in ("staging.stg_cloudwatch_periods", "marts.usage_minutely", "marts.quota_headroom"):
        assert (built[table].days, built[table].is_rebuilt_whole) == (((changed, changed),), False)
    assert store.rows("from marts.usage_minutely where usage_date <> ?", changed) == before
    assert store.one("select max(input_tokens) from marts.usage_minutely where usage_date = ?", changed) == 300


def test_a_day_that_was_lost_to_a_correction_is_taken_away() -> None:
    store = used_store(days=1)
    store.build()
    store.usage(NOVA, at("14T12:07"), invocations=1)
    store.build()
    nova = "select invocations, input_tokens from marts.usage_minutely where profile_id = ?"
    assert store.rows(nova, NOVA) == [(1, 0)]


def test_a_changed_burndown_rate_restates_every_day(kept_used: KeptStore) -> None:
    store = kept_used.copy()
    consumed = "select distinct consumed_tokens from marts.usage_minutely where profile_id = 'searchsearch'"
    assert store.rows(consumed) == [(150,)]

    store.burndown(SONNET, 10)
    built = by_name(store.build())
    assert store.rows(consumed) == [(200,)]
    assert built["marts.usage_minutely"].is_rebuilt_whole
    assert built["staging.stg_cloudwatch_periods"].is_unchanged


def test_a_changed_quota_value_restates_the_days_from_then_on(kept_used: KeptStore) -> None:
    store = kept_used.copy()
    limits = "select distinct usage_date, tpm_limit from marts.quota_usage_minutely where tpm_limit is not null"
    days = [DAY - timedelta(days=back) for back in (2, 1, 0)]
    # The first value that was read also stands for the days before.
    assert store.rows(f"{limits} order by all") == [(day, 1_000) for day in days]

    store.forget(SERVICE_QUOTAS)
    for value, valid_from, valid_to in ((1_000, at("10T09:00"), at("13T00:00")), (2_000, at("13T00:00"), None)):
        store.quota(SONNET, "geo", "tpm", value, valid_from=valid_from, valid_to=valid_to, mapped=False)
    built = by_name(store.build())
    assert store.rows(f"{limits} order by all") == [(days[0], 1_000), (days[1], 2_000), (days[2], 2_000)]
    assert built["marts.quota_usage_minutely"].is_rebuilt_whole
    assert built["marts.usage_minutely"].is_unchanged


def test_a_new_catalogue_that_says_the_same_rebuilds_no_day(kept_used: KeptStore) -> None:
    store = kept_used.copy()
    tomorrow = DAY + timedelta(days=1)
    store.model(SONNET, on_demand=False, snapshot=tomorrow)
    store.model(NOVA, snapshot=tomorrow)
    store.system_profile(f"us.{SONNET}", arns(SONNET, "us-east-1", "us-west-2"), snapshot=tomorrow)
    routed = arns(SONNET, "us-east-1", "us-west-2")
    store.application_profile("searchsearch", routed, tags={"team": "search"}, snapshot=tomorrow)
    built = by_name(store.build())
    for table in ("usage_minutely", "quota_usage_minutely", "quota_headroom", "usage_statistics"):
        assert built[f"marts.{table}"].is_unchanged
    assert not built["marts.quota_pools"].is_unchanged


def test_what_nobody_uses_restates_no_day(kept_used: KeptStore) -> None:
    store = kept_used.copy()
    unused = "anthropic.claude-new-v1:0"
    tomorrow = DAY + timedelta(days=1)
    store.model(unused, snapshot=tomorrow)
    store.application_profile("newnewnewnew", arns(unused, "us-east-1"), snapshot=tomorrow)
    store.quota(unused, "on_demand", "tpm", 9)
    store.burndown(unused, 7)
    built = by_name(store.build())
    for table in ("usage_minutely", "quota_usage_minutely", "quota_headroom"):
        assert built[f"marts.{table}"].is_unchanged
    pool = "select tpm_limit, burndown_rate from marts.quota_pools where model_id = ?"
    assert store.rows(pool, unused) == [(9, 7)]


def test_changed_sql_rebuilds_the_model_and_what_reads_it(folder: Path) -> None:
    windowed = (
        "-- One row per day.\nselect distinct usage_date, {} as n from {} "
        "where usage_date between $start_date and $end_date"
    )
    write(folder, "staging.first", windowed.format("1", "raw.cloudwatch_metrics"))
    write(folder, "marts.second", windowed.format("n", "staging.first"))
    write(folder, "marts.other", "-- One row per scope.\nselect region from raw.scopes")
    store = used_store()
    store.build_from(folder)

    write(folder, "staging.first", windowed.format("2", "raw.cloudwatch_metrics"))
    built = by_name(store.build_from(folder))
    assert [built[name].is_rebuilt_whole for name in ("staging.first", "marts.second", "marts.other")] == [
        True,
        True,
        False,
    ]
    assert store.rows("select distinct n from marts.second") == [(2,)]


def test_the_table_of_a_deleted_model_goes(folder: Path) -> None:
    path = write(folder, "marts.old", "-- One row per scope.\nselect region from raw.scopes")
    write(folder, "marts.kept", "-- One row per scope.\nselect region from raw.scopes")
    store = Store()
    store.build_from(folder)
    path.unlink()
    store.build_from(folder)
    tables = {
        name for (name,) in store.rows("select 'marts.' || table_name from duckdb_tables() where schema_name = 'marts'")
    }
    assert tables - set(STORED_TABLES) == {"marts.kept"}


def test_a_windowed_model_needs_a_day_column(folder: Path) -> None:
    path = write(folder, "marts.a", "-- One row per window.\nselect $start_date as first, $end_date as last")
    store = Store()
    with pytest.raises(SqlModelError, match="has no column usage_date") as refused:
        store.build_from(folder)
    assert str(path) in str(refused.value)


def test_a_model_that_fails_leaves_its_table_as_it_was(folder: Path) -> None:
    write(folder, "marts.a", "-- One row per scope.\nselect region from raw.scopes")
    store = Store()
    store.build_from(folder)
    path = write(folder, "marts.a", "-- One row per scope.\nselect error('no') as region from raw.scopes")
    with pytest.raises(SqlModelError, match="could not build") as refused:
        store.build_from(folder)
    assert str(path) in str(refused.value)
    assert store.rows("from marts.a") == [("us-east-1",)]


def test_one_model_can_be_built_alone_once_what_it_reads_is_built() -> None:
    store = used_store()
    with pytest.raises(SqlModelError, match="has not been built yet"):
        store.build_only({"marts.usage_minutely"})
    store.build()
    add_day(store, DAY, tokens=700)
    # What it reads does not hold the change yet, so neither may it; the next whole build repairs both.
    assert [model.days for model in store.build_only({"marts.usage_minutely"})] == [()]
    store.build()
    assert store.one("select max(input_tokens) from marts.usage_minutely") == 700


Load = tuple[int, int, bool]
"""How many days ago, the tokens of that day, and whether the models are built after it is loaded."""

loads = st.lists(st.tuples(st.integers(0, 4), st.sampled_from([100, 250, 400]), st.booleans()), max_size=6)


@st.composite
def histories_that_end_alike(draw: st.DrawFn) -> tuple[list[Load], list[Load]]:
    """Any loads, and other loads of the same days in another order that leave the same tokens."""
    first = draw(loads.filter(bool))
    left = {back: tokens for back, tokens, _ in first}
    corrected = [load for load in draw(loads) if load[0] in left]
    last = [(back, tokens, draw(st.booleans())) for back, tokens in draw(st.permutations(list(left.items())))]
    return first, [*corrected, *last]


# Two histories for each build at once, which takes as long as both: eight in all.
@settings(max_examples=4, deadline=None, suppress_health_check=[HealthCheck.too_slow])
@given(histories_that_end_alike())
def test_days_loaded_in_any_order_give_what_one_build_gives(
    kept_unused: KeptStore, histories: tuple[list[Load], list[Load]]
) -> None:
    at_once = used_store(days=0)
    for back, tokens in {back: tokens for back, tokens, _ in histories[0]}.items():
        add_day(at_once, DAY - timedelta(days=back), tokens)
    at_once.build()
    expected = contents(at_once)

    for history in histories:
        stepwise = kept_unused.copy()
        for back, tokens, is_built in history:
            add_day(stepwise, DAY - timedelta(days=back), tokens)
            stepwise.build() if is_built else stepwise.write()
        stepwise.build()
        assert contents(stepwise) == expected


KILLED_BUILDS = """
import os, signal, sys
import duckdb
from usage_pipeline import sql_builds
from usage_pipeline.sql_models import load_models

models = load_models()
original = sql_builds._Builder.build

def build_until_killed(path, models_before_the_kill):
    built = []

    def build_some(self, model):
        if len(built) == models_before_the_kill:
            os.kill(os.getpid(), signal.SIGKILL)
        built.append(original(self, model))
        return built[-1]

    sql_builds._Builder.build = build_some
    # The tables are there, so nothing of `Warehouse` is needed, which takes longer to import than all else here.
    with duckdb.connect(path) as con:
        sql_builds.build(con, models)

# Each in a fork of one process, because importing what a build needs takes longer than the build.
for path, count in zip(sys.argv[1::2], sys.argv[2::2]):
    pid = os.fork()
    if pid == 0:
        try:
            build_until_killed(path, int(count))
        finally:
            os._exit(0)
    if os.waitstatus_to_exitcode(os.waitpid(pid, 0)[1]) != -signal.SIGKILL:
        sys.exit(f"the build in {path} was not killed after {count} models")
"""

MODELS_BEFORE_THE_KILL = (3, 17, 24)


@pytest.fixture(scope="module")
def killed_builds(tmp_path_factory: pytest.TempPathFactory) -> Mapping[int, Path]:
    """Warehouses with three days of use whose first build was killed, by the number of models built before."""
    folder = tmp_path_factory.mktemp("killed")
    store = used_store()
    store.write()
    KeptStore(store, folder / "unbuilt.duckdb")
    paths = {
        count: Path(shutil.copy(folder / "unbuilt.duckdb", folder / f"{count}.duckdb"))
        for count in MODELS_BEFORE_THE_KILL
    }
    arguments = [str(part) for count, path in paths.items() for part in (path, count)]
    killed = subprocess.run([sys.executable, "-c", KILLED_BUILDS, *arguments], check=False, capture_output=True)
    assert killed.returncode == 0, killed.stderr.decode()
    return paths


@pytest.mark.parametrize("models_before_the_kill", MODELS_BEFORE_THE_KILL)
def test_a_killed_build_is_finished_by_the_next_one(
    killed_builds: Mapping[int, Path], kept_used: KeptStore, models_before_the_kill: int
) -> None:
    with Warehouse(database=str(killed_builds[models_before_the_kill])).connect() as con:
        built = build(con, MODELS)
        assert sum(model.is_unchanged for model in built) == models_before_the_kill
        for name, rows in contents(kept_used.copy()).items():
            assert sorted(con.execute(f"from {name}").fetchall(), key=repr) == rows


def test_models_are_plain_sql_for_any_duckdb_client() -> None:
    con = duckdb.connect(":memory:")
    prepare_tables(con)
    for model in load_models():
        con.execute(f"create table {model.qualified_name} as {model.sql}", window_values(model, (DAY, DAY)))


def test_no_model_needs_what_ducklake_lacks() -> None:
    for model in load_models():
        text = model.sql.lower()
        for word in ("primary key", "create index", "enum("):
            assert word not in text
    for table in STORED_TABLES.values():
        assert "primary key" not in table.create_statement.lower()
