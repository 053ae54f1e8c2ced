"""What other agreed prices would make of the cost is what the next run makes of it."""

from datetime import date, datetime
from decimal import Decimal
from pathlib import Path

import dagster as dg
import duckdb
import pytest

from usage_pipeline.assets.raw_prices import raw_price_overrides
from usage_pipeline.config import load_settings
from usage_pipeline.price_effects import ModelEffect, PriceEffect, between, effect_of
from usage_pipeline.prices.override_edits import HEADER, Adding, Editor
from usage_pipeline.prices.override_file import read_override_file, save_edits
from usage_pipeline.prices.overrides import PriceOverride
from usage_pipeline.raw_tables import PRICE_OVERRIDES
from usage_pipeline.sql_builds import build
from usage_pipeline.sql_models import load_models
from usage_pipeline.warehouse import Warehouse
from usage_pipeline_tests.marts.factory import NOVA, SONNET, Store, arns, at
from usage_pipeline_tests.pipeline_runs import instance_in_memory

GEO_SONNET = f"us.{SONNET}"
MILLION = 1_000_000
BEN = Editor("Ben Okoro", datetime(2026, 11, 21, 9, 30))


def override(pattern: str, usd: str | None = None, percent: str | None = None, start: str = "01") -> PriceOverride:
    return PriceOverride(
        model_pattern=pattern,
        endpoint_type="*",
        token_kind="*",
        usd_per_million=Decimal(usd) if usd else None,
        discount_percent=Decimal(percent) if percent else None,
        valid_from=at(start),
        valid_to=None,
        entered_by="Ben Okoro",
    )


def small_store() -> Store:
    """Two days of Nova Lite at 2 dollars a million, two calls of Sonnet, whose price nobody knows, and an old call."""
    store = Store("marts.usage_daily", "intermediate.int_price_uses")
    store.burndown("*", 1)
    store.model(NOVA)
    store.system_profile(GEO_SONNET, arns(SONNET, "us-east-1", "us-west-2"))
    store.price(NOVA, "input", "2")
    for time in ("13T10:00", "14T10:00"):
        store.call(NOVA, at(time), input_tokens=MILLION)
        store.call(GEO_SONNET, at(time), input_tokens=3, output_tokens=1)
    store.call(NOVA, at("14T11:00"), error_code="ThrottlingException")
    store.call(NOVA, datetime(2026, 10, 1), input_tokens=MILLION)
    return store


@pytest.fixture(scope="module")
def file(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The published file without any agreed price."""
    store = small_store()
    store.build()
    return published(store, tmp_path_factory.mktemp("published"))


def published(store: Store, folder: Path) -> Path:
    """The store as a file that readers open."""
    file = folder / "it's published.duckdb"
    store.con.execute(f"attach '{str(file).replace(chr(39), chr(39) * 2)}' as copied")
    store.con.execute("copy from database memory to copied")
    store.con.execute("detach copied")
    return file


def test_an_agreed_price_from_a_day_on_changes_the_calls_from_then_on(file: Path) -> None:
    effect = effect_of(file, [override("amazon.*", "0.123456", start="14")])
    assert effect == PriceEffect(
        first_day=date(2026, 10, 16),
        last_day=date(2026, 11, 14),
        models=(ModelEffect(NOVA, "on_demand", 3, Decimal(4), Decimal("2.123456"), 0, 0),),
        total_before_usd=Decimal(4),
        total_after_usd=Decimal("2.123456"),
        unpriced_before=2,
        unpriced_after=2,
    )


def test_a_price_for_calls_without_one_takes_them_into_the_cost(file: Path) -> None:
    effect = effect_of(file, [override("anthropic.*", "1000000", start="14")])
    assert effect is not None
    assert effect.models == (ModelEffect(SONNET, "geo", 2, None, Decimal(4), 2, 1),)
    assert (effect.total_before_usd, effect.total_after_usd) == (4, 8)
    assert (effect.unpriced_before, effect.unpriced_after) == (2, 1)


@pytest.mark.parametrize("overrides", [[], [override("nobody.calls.this", "1")], [override("*", percent="0.000001")]])
def test_what_makes_no_difference_is_not_listed(file: Path, overrides: list[PriceOverride]) -> None:
    effect = effect_of(file, overrides)
    assert effect is not None
    assert (effect.models, effect.total_after_usd) == ((), effect.total_before_usd)


def test_an_override_that_is_removed_gives_the_list_price_back(tmp_path: Path) -> None:
    store = small_store()
    store.override("*", discount="50")
    store.build()
    effect = effect_of(published(store, tmp_path), [])
    assert effect is not None
    assert (effect.total_before_usd, effect.total_after_usd) == (2, 4)


def test_from_one_file_to_another_is_what_a_run_between_them_would_have_left_to_change(
    file: Path, tmp_path: Path
) -> None:
    sonnet, nova, all_models = override(SONNET, "7"), override("amazon.nova-*", percent="25"), override("*", "3")
    for earlier, later in (([sonnet], [nova]), ([all_models], [nova])):
        store = small_store()
        for row in earlier:
            store.add(PRICE_OVERRIDES, **row.model_dump())
        store.build()
        folder = tmp_path / str(len(list(tmp_path.iterdir())))
        folder.mkdir()
        first, second = effect_of(file, earlier), effect_of(file, later)
        assert first is not None
        assert second is not None
        assert between(first, second) == effect_of(published(store, folder), later)


def test_a_file_without_a_logged_call_has_no_effect(tmp_path: Path) -> None:
    store = Store("marts.usage_daily", "intermediate.int_price_uses")
    store.build()
    assert effect_of(published(store, tmp_path), [override("*", "1")]) is None


def test_the_effect_that_is_shown_is_what_the_next_run_makes_of_one_edit_without_reading_a_log(tmp_path: Path) -> None:
    store = small_store()
    store.override("amazon.*", discount="10", token_kind="output")
    store.build()
    file = tmp_path / "price_overrides.csv"
    file.write_text(f"{HEADER}amazon.*,*,output,,10,2023-09-28,,finance,,\n", encoding="utf-8")
    (tmp_path / "usage_pipeline.yaml").write_text(
        "accounts:\n  - {name: production, regions: [us-east-1]}\nwarehouse: w.duckdb\n", encoding="utf-8"
    )
    settings = load_settings(tmp_path / "usage_pipeline.yaml")
    published(store, tmp_path).rename(settings.warehouse_file)

    edits = [Adding(override("amazon.nova-*", percent="12.5", start="14")), Adding(override(SONNET, "2.5"))]
    saved = save_edits(read_override_file(file), edits, BEN)
    effect = effect_of(settings.warehouse_file, [row for _, row in saved.rows])

    warehouse = Warehouse(database=str(settings.warehouse_file))
    resources = {"warehouse": warehouse, "settings": settings}
    dg.materialize([raw_price_overrides], resources=resources, instance=instance_in_memory())
    with duckdb.connect(str(settings.warehouse_file)) as con:
        before = con.execute("select sum(cost_usd) from marts.usage_daily where usage_date > '2026-10-15'").fetchone()
        build(con, load_models())
        after = con.execute("select sum(cost_usd) from marts.usage_daily where usage_date > '2026-10-15'").fetchone()
        entered = con.execute(
            "select changed_by, changed_at from raw.price_overrides where model_pattern = 'amazon.nova-*'"
        ).fetchone()
    assert effect is not None
    assert (before, after) == ((effect.total_before_usd,), (effect.total_after_usd,))
    assert after == (Decimal("3.75002"),)
    assert entered == ("Ben Okoro", BEN.at)
