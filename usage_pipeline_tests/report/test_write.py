import json
from pathlib import Path

import duckdb
import pytest

from usage_pipeline.config import ReportSettings
from usage_pipeline.report.contents import Report, ReportSummary
from usage_pipeline.report.write import write_report
from usage_pipeline_tests.report.sample import GENERATED_AT


def test_all_files_are_written_and_the_verdict_returned(
    written: tuple[Path, Path, ReportSummary], report: Report
) -> None:
    html, numbers, summary = written
    assert summary == report.summary
    assert html.read_text(encoding="utf-8").endswith("</html>\n")
    assert json.loads(numbers.read_text(encoding="utf-8"))["generated_at"] == "2026-11-15T10:30:00Z"
    assert sorted(path.name for path in html.parent.iterdir()) == ["report.html", "report.json", "report.md"]


def test_equal_input_gives_equal_files(sample_file: Path, tmp_path: Path) -> None:
    contents: list[bytes] = []
    for folder in ("one", "two"):
        out = tmp_path / folder
        with duckdb.connect(str(sample_file), read_only=True) as con:
            write_report(con, out / "report.html", out / "report.json", ReportSettings(), GENERATED_AT)
        contents.append(b"".join(path.read_bytes() for path in sorted(out.iterdir())))
    assert contents[0] == contents[1]


def test_old_report_stays_when_the_new_one_cannot_be_read(tmp_path: Path) -> None:
    html, numbers = tmp_path / "report.html", tmp_path / "report.json"
    html.write_text("yesterday")
    with duckdb.connect() as con, pytest.raises(duckdb.CatalogException, match="usage_statistics"):
        write_report(con, html, numbers, ReportSettings(), GENERATED_AT)
    assert html.read_text() == "yesterday"
    assert [path.name for path in tmp_path.iterdir()] == ["report.html"]
