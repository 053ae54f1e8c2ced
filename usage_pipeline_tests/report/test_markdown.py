import dataclasses
from datetime import date
from decimal import Decimal
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from usage_pipeline.report import markdown
from usage_pipeline.report.contents import Report
from usage_pipeline.report.labels import labels
from usage_pipeline.report.markdown import MOST_POOLS, escaped, report_markdown
from usage_pipeline.report.outlook_contents import CostChange, MonthCost
from usage_pipeline_tests.report.sample import HOSTILE_NAME


def test_first_lines_are_the_verdict(report: Report) -> None:
    lines = report_markdown(report).splitlines()
    assert lines[0] == "# Bedrock usage and quota headroom: data up to 2026-11-15 10:27 UTC"
    assert lines[2] == (
        "**1 pool is over its quota or was throttled** · 1 pool is above 80\u202f% of a quota · "
        "450 throttled requests · 1 account and Region could not be read whole · 1 data check failed"
    )
    assert lines[3] == "Days 2026-10-17 to 2026-11-15 (UTC)."


def test_pools_have_risk_use_and_throttles(report: Report) -> None:
    rows = [line for line in report_markdown(report).splitlines() if line.startswith("| Claude")]
    assert rows == [
        "| Claude Sonnet 4.5, geo cross-Region, production us-east-1 | over quota or throttled | 110\u202f% | "
        "−10\u202f% | 450 | unknown |"
    ]


def test_only_the_most_urgent_pools_are_told(report: Report) -> None:
    many = dataclasses.replace(report, pools=(report.pools[0],) * (MOST_POOLS + 3))
    text = report_markdown(many)
    assert text.count("| Claude Sonnet 4.5") == MOST_POOLS
    assert "\n\n3 more in the report.\n" in text


def test_names_from_aws_stay_text(report: Report) -> None:
    name = f"{HOSTILE_NAME} [click](https://evil.example) @channel **bold**\n# heading"
    pool = dataclasses.replace(report.pools[0], model_name=name)
    text = report_markdown(dataclasses.replace(report, pools=(pool,)))
    assert (
        "| &lt;/script&gt;&lt;b&gt;x \\[click\\]\\(https\\://evil.example\\) \\@channel \\*\\*bold\\*\\* \\# heading, "
        in text
    )


@given(st.text())
def test_escaped_text_is_one_line_without_markup(text: str) -> None:
    found = escaped(text)
    assert "\n" not in found
    assert "<" not in found
    assert "|" not in found.replace("\\|", "")
    assert "@" not in found.replace("\\@", "")


@pytest.mark.parametrize(
    ("before", "change", "line"),
    [
        (Decimal("8"), 0.25, "- 2026-11-09 to 2026-11-15: 10.00 USD (+25.0 % against the 7 days before)"),
        (None, None, "- 2026-11-09 to 2026-11-15: 10.00 USD (the 7 days before are not known)"),
    ],
)
def test_cost_says_its_change(logged_report: Report, before: Decimal | None, change: float | None, line: str) -> None:
    days = (date(2026, 11, 9), date(2026, 11, 15), date(2026, 11, 2), date(2026, 11, 8))
    found = CostChange("7days", days[0], days[1], Decimal(10), False, days[2], days[3], before, change)
    assert line in report_markdown(dataclasses.replace(logged_report, cost_changes=(found,))).splitlines()


def test_cost_of_the_month_has_its_interval(logged_report: Report) -> None:
    month = MonthCost(
        date(2026, 11, 1), Decimal(5), Decimal(10), Decimal(9), Decimal("11.5"), "low", 15, 0, date(2026, 11, 15)
    )
    text = report_markdown(dataclasses.replace(logged_report, month=month))
    assert "- 2026-11 so far 5.00 USD, at its end 10.00 USD (9.00 to 11.50)\n" in text


def test_report_without_anything_says_little(report: Report) -> None:
    empty = dataclasses.replace(report, pools=(), findings=(), windows=(), first_day=None, last_day=None)
    assert [line for line in report_markdown(empty).splitlines() if line.startswith("##")] == []


def test_every_text_is_used() -> None:
    code = Path(markdown.__file__).read_text(encoding="utf-8")
    assert [name for name in labels()["markdown"] if f'"{name}"' not in code and f"['{name}']" not in code] == []
