"""Writing the report's three files.

Here: from a connection to files on disk. Not here: what they hold (`numbers.py`, `render.py`,
`json_text.py`, `markdown.py`).
"""

import os
from datetime import datetime
from pathlib import Path

import duckdb

from usage_pipeline.config import ReportSettings
from usage_pipeline.report.contents import ReportSummary
from usage_pipeline.report.json_text import report_json
from usage_pipeline.report.markdown import report_markdown
from usage_pipeline.report.numbers import read_report
from usage_pipeline.report.render import report_html


def write_report(
    con: duckdb.DuckDBPyConnection, out_html: Path, out_json: Path, settings: ReportSettings, generated_at: datetime
) -> ReportSummary:
    """Write `report.html`, `report.json` and, beside the page, `report.md`; returns the verdict.

    All are made of the published tables. Each file is replaced in one step, so a reader sees the old one or the new
    one, whole. `generated_at` is UTC without a zone.

    Raises:
        duckdb.Error: a table or column is missing from the published file; nothing was written.
        OSError: a file could not be written; the old one is untouched.
    """
    report = read_report(con, settings, generated_at)
    texts = (
        (out_html, report_html(report)),
        (out_json, report_json(report)),
        (out_html.with_suffix(".md"), report_markdown(report)),
    )
    for path, text in texts:
        _replace(path, text)
    return report.summary


def _replace(path: Path, text: str) -> None:
    path.parent.mkdir(parents=True, exist_ok=True)
    # A fixed name: what a killed run left behind is overwritten by the next one.
    unfinished = path.with_name(f".{path.name}.unfinished")
    try:
        with unfinished.open("w", encoding="utf-8", newline="\n") as file:
            file.write(text)
            file.flush()
            os.fsync(file.fileno())
        unfinished.replace(path)
    finally:
        unfinished.unlink(missing_ok=True)
