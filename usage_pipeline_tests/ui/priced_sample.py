"""A published file with priced and unpriced calls and a pool that throttles, and the two pages over it, drawn alone."""

from datetime import date
from pathlib import Path
from typing import Any

from streamlit.testing.v1 import AppTest

from usage_pipeline.raw_tables import SOURCE_STATUS
from usage_pipeline_tests.marts.factory import NOVA, SONNET, Store, arns, at

GEO_SONNET = f"us.{SONNET}"
MILLION = 1_000_000
FIRST_DAY, LAST_DAY = date(2026, 11, 13), date(2026, 11, 14)
POOL = f"111122223333/us-east-1/on_demand/{NOVA}"

CONFIGURATION = "accounts:\n  - {name: production, regions: [us-east-1]}\n"


def write_priced_sample(file: Path) -> None:
    """Nova Lite was 3 dollars a million input tokens and is 2, in us-east-1 1.5, less 10 %; Sonnet has no price.

    Nova's quota is 2,001,000 tokens a minute, and each of its calls holds 1,000,500: two fit at once.
    """
    store = Store()
    store.burndown("*", 5)
    store.model(NOVA, model_name="Nova Lite", provider_name="Amazon")
    store.model(SONNET, model_name="Claude Sonnet 4.5", on_demand=False)
    store.system_profile(GEO_SONNET, arns(SONNET, "us-east-1", "us-west-2"))
    store.price(NOVA, "input", "3", valid_to=at("14"))
    store.price(NOVA, "input", "2", valid_from=at("14"))
    store.price(NOVA, "input", "1.5", region="us-east-1", valid_from=at("14"))
    store.price(NOVA, "output", "8")
    store.override("amazon.nova-*", discount="10", token_kind="input", valid_from=at("14"))
    store.quota(NOVA, "on_demand", "tpm", 2_001_000)
    for time in ("13T10:00:00", "14T10:00:00", "14T10:00:01", "14T10:00:02"):
        store.call(NOVA, at(time), input_tokens=MILLION, output_tokens=10, max_tokens=500, latency_ms=20_000.0)
    store.call(GEO_SONNET, at("14T11:00"), input_tokens=3, output_tokens=1)
    for hour, status, error in ((6, "ok", None), (9, "failed", "https://prices.example: no answer.")):
        reading = {"partition_date": at(f"{hour + 5:02}").date(), "finished_at": at(f"14T{hour:02}:00")}
        store.add(
            SOURCE_STATUS,
            account_name="litellm_json",
            source="model_prices",
            status=status,
            error_text=error,
            **reading,
        )
    store.build()
    store.con.execute(f"attach '{file}' as copied")
    store.con.execute("copy from database memory to copied")
    store.con.execute("detach copied")


def _draw(name: str, file: str, config: str | None, user: str | None, models: tuple[str, ...]) -> None:
    import importlib
    from pathlib import Path

    from usage_pipeline.ui.published_tables import Filters
    from usage_pipeline.ui.reading import published_file
    from usage_pipeline.ui.view import View
    from usage_pipeline_tests.ui import priced_sample

    filters = Filters(priced_sample.FIRST_DAY, priced_sample.LAST_DAY, models=models)
    view = View(published_file(Path(file)), filters, Path(config) if config else None, user)
    importlib.import_module(f"usage_pipeline.ui.pages.{name}").show(view)


def draw(
    page: str, file: Path, config: Path | None = None, user: str | None = None, models: tuple[str, ...] = ()
) -> AppTest:
    """The page after its first look."""
    values: dict[str, Any] = {"name": page, "file": str(file), "config": str(config) if config else None, "user": user}
    return drawn(AppTest.from_function(_draw, kwargs=values | {"models": models}, default_timeout=60))


def drawn(page: AppTest) -> AppTest:
    """The page after another look, which nothing broke."""
    page.run()
    assert [error.value for error in page.exception] == []
    return page


def table(page: AppTest, column: str) -> list[dict[str, Any]]:
    """The rows of the last table that has the column."""
    (*_, found) = [frame.value for frame in page.dataframe if column in frame.value.columns]
    return found.to_dict("records")
