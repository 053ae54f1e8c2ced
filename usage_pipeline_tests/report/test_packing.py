import json
from pathlib import Path
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from usage_pipeline.report.packing import PackedColumns, packed_text, unpacked, unpacked_text

VECTOR = Path(__file__).with_name("packing_vector.json")
"""A text and what it holds, against which the page's reader is tested too."""


def written(values: dict[str, list[Any]]) -> str:
    packed = PackedColumns()
    header = {
        "note": "ü <&>",
        "columns": {
            "places": packed.places(values["places"]),
            "counts": packed.numbers(values["counts"]),
            "signed": packed.numbers(values["signed"]),
            "latency": packed.numbers(values["latency"]),
            "empty": packed.numbers(values["empty"]),
            "money": packed.exact([None if value is None else int(value) for value in values["money"]]),
        },
    }
    return packed.text(header)


def test_vector_that_the_page_reads_too_is_what_is_written() -> None:
    vector = json.loads(VECTOR.read_text(encoding="utf-8"))
    # zlib itself may differ from system to system.
    assert unpacked_text(written(vector["columns"])) == unpacked_text(vector["text"])


@given(st.binary())
def test_bytes_come_back_from_text_that_a_page_need_not_escape(content: bytes) -> None:
    text = packed_text(content)
    assert unpacked_text(text) == content
    assert not set(text) & set("<>&\"\\'")


def test_vector_is_read_back() -> None:
    vector = json.loads(VECTOR.read_text(encoding="utf-8"))
    header, column = unpacked(vector["text"])
    assert header["note"] == "ü <&>"
    found = {name: column(reference) for name, reference in header["columns"].items()}
    found["money"] = [None if value is None else str(value) for value in found["money"]]
    assert found == vector["columns"]


@given(st.lists(st.none() | st.integers(-(10**12), 10**12)))
def test_whole_numbers_come_back(values: list[int | None]) -> None:
    packed = PackedColumns()
    header, column = unpacked(packed.text({"column": packed.numbers(values)}))
    assert column(header["column"]) == values


@given(st.lists(st.none() | st.integers(0, 10**9).map(lambda step: round(step / 1000, 3))))
def test_thousandths_come_back_to_the_last_digit(values: list[float | None]) -> None:
    packed = PackedColumns()
    header, column = unpacked(packed.text({"column": packed.numbers(values)}))
    assert column(header["column"]) == values


@given(st.lists(st.none() | st.integers(0, 2**80)))
def test_money_of_any_size_comes_back(values: list[int | None]) -> None:
    packed = PackedColumns()
    header, column = unpacked(packed.text({"first": packed.numbers([7]), "column": packed.exact(values)}))
    assert column(header["column"]) == values
    assert column(header["first"]) == [7]


@given(st.sets(st.integers(0, 500)))
def test_places_come_back_in_order(places: set[int]) -> None:
    packed = PackedColumns()
    header, column = unpacked(packed.text({"column": packed.places(sorted(places))}))
    assert column(header["column"]) == sorted(places)


def test_a_value_that_would_lose_digits_is_refused() -> None:
    with pytest.raises(ValueError, match=r"more than three decimals among \[0.12345\]"):
        PackedColumns().numbers([0.12345])
