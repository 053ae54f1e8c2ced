"""Text from elsewhere does nothing: in Markdown, in a spreadsheet."""

import csv
import io
from datetime import date, datetime
from decimal import Decimal

import pytest
from hypothesis import given
from hypothesis import strategies as st
from markdown_it import MarkdownIt

from usage_pipeline.ui.csv_text import csv_text
from usage_pipeline.ui.plain import plain
from usage_pipeline.ui.tables import Column, as_rows

MARKDOWN = MarkdownIt("commonmark", {"html": True, "linkify": False}).enable(["table", "strikethrough"])


@given(st.text(alphabet=st.sampled_from("ab \\`*_{}[]()#+-.!|~<>$:&\"'^=/\n1"), max_size=40))
def test_plain_text_is_only_text_to_markdown(text: str) -> None:
    shown = " ".join(text.split())
    tokens = MARKDOWN.parse(plain(text))
    inline = [child for token in tokens for child in token.children or []]
    assert {token.type for token in tokens} <= {"paragraph_open", "inline", "paragraph_close"}
    assert {child.type for child in inline} <= {"text"}
    assert "".join(child.content for child in inline) == shown


@pytest.mark.parametrize("text", ["=1+1", "+1", "-1", "@x", "\t=1", "\r=1", "＝1", "</script><b>x"])
def test_no_text_begins_a_formula(text: str) -> None:
    (header, row) = csv.reader(io.StringIO(csv_text(["a"], [{"a": text}])))
    assert header == ["a"]
    assert row == ["'" + text if text[0] != "<" else text]


def test_numbers_are_exact_and_what_is_unknown_is_empty() -> None:
    row = {
        "money": Decimal("-0.000000000012"),
        "share": 0.1,
        "calls": 5,
        "nothing": None,
        "at": datetime(2026, 11, 15, 10, 0),
        "day": date(2026, 11, 15),
        "yes": True,
        "who": ["=a", "b"],
    }
    (_, line) = csv.reader(io.StringIO(csv_text(list(row), [row])))
    assert line == ["-0.000000000012", "0.1", "5", "", "2026-11-15T10:00:00Z", "2026-11-15", "true", '["=a", "b"]']


@given(st.lists(st.dictionaries(st.sampled_from(["a", "b"]), st.text(max_size=12)), max_size=5))
def test_every_cell_comes_back(rows: list[dict[str, str]]) -> None:
    read = list(csv.DictReader(io.StringIO(csv_text(["a", "b"], rows), newline="")))
    assert [{key: cell.removeprefix("'") for key, cell in row.items()} for row in read] == [
        {key: row.get(key, "").removeprefix("'") for key in ("a", "b")} for row in rows
    ]


def test_dataclasses_and_mappings_are_rows_alike() -> None:
    assert as_rows([Column("a", "A"), {"key": "b"}])[1] == {"key": "b"}
    assert as_rows([Column("a", "A")])[0]["label"] == "A"
