import dataclasses
import json
import re
from pathlib import Path
from typing import Any

import pytest
from jsonschema import Draft202012Validator

from usage_pipeline.report import (
    chart_levels,
    chart_series,
    contents,
    cost_contents,
    cost_cube,
    finding_contents,
    json_schema,
    ledger_contents,
    outlook_contents,
    q_developer_contents,
    usage_contents,
)
from usage_pipeline.report.contents import Report
from usage_pipeline.report.json_text import plain, report_json

PACKAGE = Path(contents.__file__).parent

MODULES = (
    *(chart_levels, chart_series, contents, cost_contents, cost_cube),
    *(finding_contents, ledger_contents, outlook_contents, q_developer_contents, usage_contents),
)


NOT_IN_A_REPORT = {chart_levels.Level}


def first_cells(section: str) -> list[str]:
    return [line.split("|")[1] for line in section.splitlines() if line.startswith("| `")]


def is_public_of(module: str, kind: type) -> bool:
    return kind.__module__ == module and not kind.__name__.startswith("_")


def test_page_on_the_schema_describes_every_key() -> None:
    text = (PACKAGE / "report_schema.md").read_text(encoding="utf-8")
    sections = dict(re.findall(r"^## (\w+)\n(.*?)(?=^## |\Z)", text, re.MULTILINE | re.DOTALL))
    described = {name: set(re.findall(r"`(\w+)`", "\n".join(first_cells(body)))) for name, body in sections.items()}
    in_code = {
        kind.__name__: {field.name for field in dataclasses.fields(kind)}
        for module in MODULES
        for kind in vars(module).values()
        if dataclasses.is_dataclass(kind) and isinstance(kind, type) and is_public_of(module.__name__, kind)
        if kind not in NOT_IN_A_REPORT
    }
    assert described == in_code


def test_schema_in_the_package_is_that_of_the_types() -> None:
    # python -m usage_pipeline.report.json_schema > usage_pipeline/report/report.schema.json
    assert (PACKAGE / "report.schema.json").read_text(encoding="utf-8") == json_schema.schema_text()


@pytest.fixture(scope="module")
def validator() -> Draft202012Validator:
    schema = json.loads(json_schema.schema_text())
    Draft202012Validator.check_schema(schema)
    return Draft202012Validator(schema)


def test_report_is_valid(validator: Draft202012Validator, report: Report, logged_report: Report) -> None:
    for found in (report, logged_report):
        assert [error.message for error in validator.iter_errors(json.loads(report_json(found)))] == []


@pytest.mark.parametrize(
    ("place", "wrong"),
    [
        (("generated_at",), "yesterday"),
        (("summary", "pools"), None),
        (("pools", 0, "risk"), "fine"),
        (("pools", 0, "statistics", "p50"), ["many"]),
        (("costs", "total", "cost_usd"), 1.35),
        (("cube", "usage_date"), ["2026-11-15T00:00:00Z"]),
    ],
)
def test_wrong_values_are_not_valid(
    validator: Draft202012Validator, logged_report: Report, place: tuple[str | int, ...], wrong: Any
) -> None:
    numbers = json.loads(report_json(logged_report))
    at = numbers
    for step in place[:-1]:
        at = at[step]
    at[place[-1]] = wrong
    assert not validator.is_valid(numbers)


def test_missing_key_is_not_valid(validator: Draft202012Validator, report: Report) -> None:
    numbers = json.loads(report_json(report))
    del numbers["pools"][0]["quotas"][0]["limit_value"]
    (error,) = validator.iter_errors(numbers)
    assert error.message == "'limit_value' is a required property"


def test_tables_are_written_by_column(report: Report) -> None:
    pool = report.pools[0]
    written = plain(pool)["statistics"]
    assert written["p50"] == [row.p50 for row in pool.statistics]
    assert {len(column) for column in written.values()} == {len(pool.statistics)}


def test_value_without_a_form_in_json_is_refused() -> None:
    with pytest.raises(TypeError, match="complex has no form in JSON"):
        plain(1j)
