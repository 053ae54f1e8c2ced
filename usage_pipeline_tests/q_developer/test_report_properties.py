"""What holds for every report."""

import datetime as dt
from decimal import Decimal

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from usage_pipeline.q_developer import report_cells
from usage_pipeline.q_developer.activity_reports import parse_report
from usage_pipeline.q_developer.activity_rows import METRICS
from usage_pipeline.q_developer.report_cells import UnreadableCellError
from usage_pipeline_tests.q_developer.report_text import COLUMNS, KEY, KIRO_HEADER, KIRO_KEY, report

METRIC_NAMES = list(METRICS)
COUNTS = st.dictionaries(st.sampled_from(METRIC_NAMES), st.integers(0, 2**63 - 1), max_size=6)


@settings(max_examples=60, deadline=None)
@given(
    lines=st.lists(COUNTS, min_size=1, max_size=4),
    order=st.permutations(COLUMNS),
    added=st.lists(st.from_regex(r"New_[A-Za-z]{1,8}", fullmatch=True), unique=True, max_size=2),
    lacking=st.sets(st.sampled_from(METRIC_NAMES), max_size=5),
)
def test_columns_may_be_in_any_order_added_or_lacking(
    lines: list[dict[str, int]], order: list[str], added: list[str], lacking: set[str]
) -> None:
    columns = [name for name in (*added, *order) if name not in lacking]
    parsed = parse_report(report(*lines, columns=columns), KEY)
    for row, line in zip(parsed.rows.to_pylist(), lines, strict=True):
        values = {name: row[METRICS[name]] for name in METRIC_NAMES}
        assert values == {name: None if name in lacking else line.get(name) for name in METRIC_NAMES}
    told = {(warning.column, warning.problem) for warning in parsed.warnings if warning.problem != "empty"}
    assert told == {(name, "added") for name in added} | {(name, "missing") for name in lacking}
    assert parsed.quarantined_count == 0


@settings(deadline=None)
@given(st.dates(dt.date(1000, 1, 1)))
def test_a_day_is_the_same_in_every_spelling(day: dt.date) -> None:
    written = (day.strftime("%m-%d-") + f"{day.year:04}", day.strftime("%m/%d/") + f"{day.year:04}", day.isoformat())
    assert [report_cells.date(cell) for cell in written] == [day] * 3


@settings(deadline=None)
@given(st.text(max_size=30))
def test_a_cell_is_a_value_or_an_error_without_text(cell: str) -> None:
    for read in (report_cells.date, report_cells.user, report_cells.count, report_cells.credits, report_cells.truth):
        try:
            read(cell)
        except UnreadableCellError as error:
            assert (str(error), error.__context__) == ("", None)  # noqa: PT017 - either outcome is right


@settings(deadline=None)
@given(st.decimals(0, 999_999_999_999, allow_nan=False, places=6))
def test_credits_are_exact(amount: Decimal) -> None:
    assert report_cells.credits(str(amount)) == amount


@pytest.mark.parametrize(("header", "key"), [(",".join(COLUMNS), KEY), (KIRO_HEADER, KIRO_KEY)])
@settings(max_examples=100, deadline=None)
@given(lines=st.lists(st.text(max_size=80), max_size=4))
def test_no_line_is_an_error(header: str, key: str, lines: list[str]) -> None:
    text = "\n".join([header, *lines])
    parsed = parse_report(text.encode(), key)
    below = [line for line in text.split("\n")[1:] if line.encode().strip()]
    assert parsed.rows.num_rows + parsed.quarantined_count == len(below)


@settings(max_examples=100, deadline=None)
@given(st.binary(max_size=200))
def test_no_bytes_are_an_error(data: bytes) -> None:
    parsed = parse_report(data, KEY)
    assert parsed.rows.num_rows == 0
