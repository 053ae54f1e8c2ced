"""One page of the dashboard over a published file, drawn without its frame."""

from datetime import date
from pathlib import Path
from typing import Any

from streamlit.testing.v1 import AppTest

from usage_pipeline.ui.published_tables import Filters
from usage_pipeline_tests.report.sample import DAYS
from usage_pipeline_tests.ui.priced_sample import drawn

SECONDS = 60
"""How long a page may take on a busy machine."""


def sample_filters(**chosen: Any) -> Filters:
    """The sample's days, and what is chosen."""
    return Filters(DAYS[0], DAYS[-1], **chosen)


def _draw(name: str, file: str, chosen: dict[str, object]) -> None:
    import importlib
    from pathlib import Path

    from usage_pipeline.ui.reading import published_file
    from usage_pipeline.ui.view import View
    from usage_pipeline_tests.ui.drawing import sample_filters

    view = View(published_file(Path(file)), sample_filters(**chosen))
    importlib.import_module(f"usage_pipeline.ui.pages.{name}").show(view)


def draw(page: str, file: Path, **chosen: Any) -> AppTest:
    """The page after its first look."""
    values = {"name": page, "file": str(file), "chosen": chosen}
    return drawn(AppTest.from_function(_draw, kwargs=values, default_timeout=SECONDS))


def tiles(page: AppTest) -> dict[str, str]:
    """The numbers at the top of the page, as they are read."""
    return {tile.label: tile.value.replace("\\", "").replace("\u202f", " ") for tile in page.metric}


def table(page: AppTest, *columns: str) -> list[tuple[Any, ...]]:
    """The columns of the first table that has all of them."""
    frame = next(frame.value for frame in page.dataframe if set(columns) <= set(frame.value.columns))
    rows = frame[list(columns)].astype(object).where(frame[list(columns)].notna(), None)
    return [tuple(row) for row in rows.itertuples(index=False, name=None)]


def day(text: str) -> date:
    """A UTC day of the sample's month."""
    return date.fromisoformat(f"2026-11-{text}")
