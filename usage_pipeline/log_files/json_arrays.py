"""Objects that are JSON arrays instead of a record per line: their elements one by one, also of a broken array.

Only for arrays that typed decoding refuses; slow, and bounded by what the caller holds in memory.
"""

import json
import re
from collections.abc import Iterator
from dataclasses import dataclass
from typing import Any

_BETWEEN_ELEMENTS = re.compile(r"[\s,\[\]]*")
_DECODER = json.JSONDecoder(strict=False)


@dataclass(frozen=True)
class Element:
    """One element of an array, or a stretch that is not JSON up to the end of its line."""

    line_number: int
    """Line in the text where it begins, from 1."""
    begin: int
    end: int
    """Its place in the text."""
    value: Any
    """Parsed JSON; None when it is not JSON."""
    is_json: bool


def elements(text: str) -> Iterator[Element]:
    """Give what stands between the brackets and commas of one array or several."""
    line_number, begin = 1, 0
    while True:
        start = _end_of_separators(text, begin)
        if start == len(text):
            return
        line_number += text.count("\n", begin, start)
        try:
            value, end = _DECODER.raw_decode(text, start)
            is_json = True
        except (ValueError, RecursionError):
            line_end = text.find("\n", start)
            value, end, is_json = None, len(text) if line_end < 0 else line_end, False
        yield Element(line_number, start, end, value, is_json)
        line_number += text.count("\n", start, end)
        begin = end


def _end_of_separators(text: str, begin: int) -> int:
    match = _BETWEEN_ELEMENTS.match(text, begin)
    return match.end() if match else begin
