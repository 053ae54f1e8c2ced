import base64
import dataclasses
import hashlib
import json
import re
from html.parser import HTMLParser
from pathlib import Path
from typing import Any

from usage_pipeline.config import ReportSettings
from usage_pipeline.report import contents, render
from usage_pipeline.report.contents import Report, ReportSummary
from usage_pipeline.report.json_text import report_json
from usage_pipeline.report.packing import unpacked, unpacked_text
from usage_pipeline.report.render import report_html
from usage_pipeline_tests.report.sample import HOSTILE_NAME, HOSTILE_TAG, SONNET_POOL

PACKAGE = Path(contents.__file__).parent
CHART_LIBRARY = Path(__file__).parents[2] / "scripts" / "chart_library"
PAGE = PACKAGE / "page"
PAGE_SCRIPTS = sorted(PAGE.glob("*.js"))


class Elements(HTMLParser):
    """Every tag with its attributes, and the text of each script."""

    def __init__(self, text: str) -> None:
        super().__init__()
        self.tags: list[tuple[str, dict[str, str | None]]] = []
        self.scripts: list[str] = []
        self._in_script = False
        self.feed(text)

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        self.tags.append((tag, dict(attrs)))
        self._in_script = tag == "script"
        if self._in_script:
            self.scripts.append("")

    def handle_endtag(self, tag: str) -> None:
        self._in_script = False

    def handle_data(self, data: str) -> None:
        if self._in_script:
            self.scripts[-1] += data


def test_page_begins_as_html(page: str) -> None:
    assert page.startswith("<!doctype html>\n<html lang=")


def test_page_refers_to_nothing_outside_itself(page: str) -> None:
    loading = {"src", "srcset", "data", "poster", "action", "background", "ping"}
    tags = Elements(page).tags
    assert [(tag, attrs) for tag, attrs in tags if loading & set(attrs)] == []
    links = [attrs["href"] for tag, attrs in tags if tag == "link"]
    assert links == ["data:,"]
    assert "@import" not in page
    assert [path.name for path in PAGE.glob("*.css") if "url(" in path.read_text()] == []


def test_only_the_pages_own_script_and_the_chart_library_may_run(page: str) -> None:
    elements = Elements(page)
    policy = next(attrs["content"] or "" for tag, attrs in elements.tags if "http-equiv" in attrs)
    attributes = [attrs for tag, attrs in elements.tags if tag == "script"]
    (run,) = (script for script, attrs in zip(elements.scripts, attributes, strict=True) if attrs.get("type") is None)
    packed = re.search(r'id="chart-library">"([^"]*)"<', page)
    assert packed
    library = unpacked_text(packed[1])
    assert library == (PACKAGE / "vendor" / "echarts.min.js").read_bytes()
    allowed = [base64.b64encode(hashlib.sha256(script).digest()).decode() for script in (library, run.encode())]
    assert policy == (
        f"default-src 'none'; script-src 'sha256-{allowed[0]}' 'sha256-{allowed[1]}'; style-src 'unsafe-inline'; "
        "img-src data:; base-uri 'none'; form-action 'none'"
    )


def test_every_script_and_style_of_the_folder_is_in_the_page() -> None:
    assert sorted(PAGE_SCRIPTS) == sorted(PAGE.joinpath(name) for name in render.PAGE_SCRIPTS)
    assert sorted(PAGE.glob("*.css")) == sorted(PAGE.joinpath(name) for name in render.PAGE_STYLES)


def test_hostile_names_are_text(page: str) -> None:
    assert HOSTILE_NAME not in page
    assert HOSTILE_TAG not in page
    assert "&lt;/script&gt;&lt;b&gt;x" in page
    assert [tag for tag, attrs in Elements(page).tags if tag == "img" or "onerror" in attrs] == []


def test_data_in_scripts_cannot_end_them(page: str) -> None:
    elements = Elements(page)
    data = [
        script
        for script, (_, attrs) in zip(
            elements.scripts, ((tag, attrs) for tag, attrs in elements.tags if tag == "script"), strict=True
        )
        if attrs.get("type") == "application/json"
    ]
    assert len(data) > 2
    assert [script for script in data if re.search("[<>&\u2028\u2029]", script)] == []
    facts = json.loads(unpacked_text(json.loads(data[1])))
    assert HOSTILE_NAME in [profile["profile_name"] for pool in facts.values() for profile in pool["profiles"]]


def test_line_separators_of_javascript_are_escaped(report: Report) -> None:
    named = dataclasses.replace(report.scopes[0], region="a\u2028b\u2029c & d")
    text = report_html(dataclasses.replace(report, scopes=(named,)))
    (data,) = re.findall(r'id="page-data">([^<]*)<', text)
    assert "a\\u2028b\\u2029c \\u0026 d" in data


def test_packed_tables_are_the_numbers_of_the_json(page: str, numbers: dict[str, Any]) -> None:
    (packed,) = re.findall(r'id="tables-data">"([^<]*)"<', page)
    tables = json.loads(unpacked_text(packed))
    pool = next(pool for pool in numbers["pools"] if pool["pool_id"] == SONNET_POOL)
    assert tables[pool["anchor"]]["statistics"] == pool["statistics"]
    assert tables[pool["anchor"]]["contributions"] == pool["contributions"]


def test_packed_charts_are_the_numbers_of_the_json(page: str, numbers: dict[str, Any]) -> None:
    packed = dict(re.findall(r'data-series="([^"]*)">"([^<]*)"<', page))
    for pool in (pool for pool in numbers["pools"] if pool["has_traffic"]):
        header, column = unpacked(packed[pool["anchor"]])
        for level, in_json in zip(header["levels"], pool["series"]["levels"], strict=True):
            assert level["windows"] == in_json["windows"]
            assert column(level["pool"]["at"]) == in_json["pool"]["at"]
            assert column(level["pool"]["rpm"]) == in_json["pool"]["rpm"]


def test_equal_reports_give_equal_bytes(report: Report) -> None:
    assert report_html(report) == report_html(report)
    assert report_json(report) == report_json(report)


def test_empty_warehouse_gives_a_page_that_says_so(report: Report) -> None:
    nothing = ReportSummary(0, dict.fromkeys(report.summary.pools_by_risk, 0), 0, 0, 0, 0, 0, 0, None)
    empty = Report(1, report.generated_at, ReportSettings().utilization_warning, None, None, nothing, (), (), ())
    text = report_html(empty)
    assert "No use has been read yet." in text
    assert "unknown UTC" in text


def test_chart_library_is_the_version_that_its_readme_names() -> None:
    readme = (PACKAGE / "vendor" / "README.md").read_text()
    library = (PACKAGE / "vendor" / "echarts.min.js").read_bytes()
    (named,) = re.findall(r"\| 6\.1\.0 \| `([0-9a-f]{64})` \|", readme)
    assert hashlib.sha256(library).hexdigest() == named
    assert b'"6.1.0"' in library
    assert json.loads((CHART_LIBRARY / "package.json").read_text())["dependencies"] == {"echarts": "6.1.0"}


CHARTS_OF_THE_LIBRARY = {
    *("bar", "boxplot", "candlestick", "custom", "funnel", "gauge", "graph", "heatmap", "line"),
    *("lines", "parallel", "pie", "radar", "sankey", "scatter", "sunburst", "tree", "treemap"),
}


def test_chart_library_is_built_with_the_charts_that_the_page_draws() -> None:
    script = "".join(path.read_text() for path in PAGE_SCRIPTS)
    drawn = CHARTS_OF_THE_LIBRARY & set(re.findall(r'\btype: "(\w+)"', script))
    built = re.findall(r"\b(\w+)Chart\b", (CHART_LIBRARY / "charts.js").read_text())
    assert {name.lower() for name in built} == drawn


def test_chart_library_keeps_its_licence() -> None:
    vendor = PACKAGE / "vendor"
    assert "Apache License" in (vendor / "LICENSE").read_text()
    assert "Apache ECharts" in (vendor / "NOTICE").read_text()
    assert "Baidu" in (vendor / "licenses" / "LICENSE-zrender").read_text()


def test_scripts_hold_nothing_that_ends_a_script_element() -> None:
    for path in (PACKAGE / "vendor" / "echarts.min.js", *PAGE_SCRIPTS):
        text = path.read_text()
        assert "</script" not in text.lower()
        assert "<!--" not in text


def test_page_script_never_makes_html_of_text() -> None:
    script = "".join(path.read_text() for path in PAGE_SCRIPTS)
    assert re.findall(r"innerHTML|outerHTML|insertAdjacentHTML|document\.write|eval\(|new Function", script) == []


def test_every_label_of_the_page_exists(page: str) -> None:
    # Jinja stops at a missing label; the script would write "undefined".
    labels = json.loads((PAGE / "labels.json").read_text())
    script = "".join(path.read_text() for path in PAGE_SCRIPTS)
    for path in set(re.findall(r"\bwords((?:\.\w+)+)", script)):
        found: Any = labels
        for step in path.strip(".").split("."):
            if isinstance(found, list | str):
                break  # what follows is the script's
            assert step in found, path
            found = found[step]
