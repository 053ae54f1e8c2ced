"""The report: one HTML file, its numbers as JSON and its summary as Markdown, from the published tables.

Not here: what it shows and how (`report/`).
"""

import dataclasses
from typing import Any

import dagster as dg
import duckdb

from usage_pipeline.assets.published import PUBLISHED_KEY
from usage_pipeline.config import Settings
from usage_pipeline.report.write import write_report

REPORT_KEY = dg.AssetKey(["published", "report"])


@dg.asset(
    key=REPORT_KEY,
    deps=[PUBLISHED_KEY],
    group_name="published",
    kinds={"html"},
    description="One self-contained HTML page, its numbers as JSON, and a summary, drawn from the published tables.",
)
def report(settings: dg.ResourceParam[Settings]) -> dg.MaterializeResult[Any]:
    """Read the published file, which no writer locks, and replace the files."""
    with duckdb.connect(str(settings.published_file), read_only=True) as con:
        # A hundred small queries: of two threads one waits for the other, for a fifth more of CPU time.
        con.execute("set threads = 1")
        summary = write_report(con, settings.report_html, settings.report_json, settings.report, settings.now())
    numbers = {
        name: value if isinstance(value, int | float | str) or value is None else str(value)
        for name, value in dataclasses.asdict(summary).items()
    }
    return dg.MaterializeResult(
        metadata={
            "path": dg.MetadataValue.path(settings.report_html),
            "numbers_path": dg.MetadataValue.path(settings.report_json),
            "summary_path": dg.MetadataValue.path(settings.report_markdown),
            "size_megabytes": round(settings.report_html.stat().st_size / 1e6, 2),
            **numbers,
        }
    )
