"""Columns of numbers as bytes, small enough for a page that is mailed and simple enough for a page to read.

Here: the format and its writer. Not here: what is packed (`page_data.py`), the reader (`packed_columns.js`).

Text is base 85 of zlib: the digits of RFC 1924, which four bytes take five of, but `,` `.` `:` for `<` `>` `&`. A page
would have to escape those three, and base64 takes a fifteenth more.

Columns are such a text of: a little-endian 32-bit length, a JSON header of that many bytes, the columns. The header is
any JSON object; `{"at": offset, "form": form}` in it stands for the column that begins there. `varint` is LEB128: seven
bits a byte, lowest first, the high bit says that more follow.

* `places`: varint pairs, then that many (varint missing, varint present): ascending whole numbers, those present.
* `numbers`, `exact`: varint count, `places` of the values that are known, one byte w, then the known values in planes:
  the lowest byte of each, then the second byte of each, up to the w-th. Bytes of like weight lie together because zlib
  finds more to shorten that way: a tenth less than varints of differences do. `exact` values are read as BigInt.

Keys beside `form` are undone in this order: `"scale": k` value / k; `"signed": true` zigzag, before that division;
`"below": name` the column of that name less the value; `"after": name` the value before it in the same UTC day, or 0,
plus the column of that name, plus the value.
"""

import base64
import json
import sys
import zlib
from array import array
from collections.abc import Callable, Iterable, Mapping, Sequence
from typing import Any

Number = float | int
Reference = dict[str, Any]
"""What stands for a column in the header."""

SCALES = (1, 10, 1000)
"""Steps per unit that a column can have; the first that keeps all of its values is taken."""

COMPRESSION = 6
"""Of zlib; 9 makes a page of 1 MB 1 % smaller and takes half as long again."""

_WORD_BYTES = 8

_TO_PAGE, _FROM_PAGE = bytes.maketrans(b"<>&", b",.:"), bytes.maketrans(b",.:", b"<>&")


def packed_text(content: bytes, compression: int = COMPRESSION) -> str:
    """The bytes, compressed, as text that a page can have anywhere."""
    return base64.b85encode(zlib.compress(content, compression)).translate(_TO_PAGE).decode("ascii")


def unpacked_text(text: str) -> bytes:
    """The bytes again, as the page's script reads them."""
    return zlib.decompress(base64.b85decode(text.encode("ascii").translate(_FROM_PAGE)))


class PackedColumns:
    """Columns that are written one after the other, and the text that holds them."""

    def __init__(self) -> None:
        self._body = bytearray()

    def places(self, indices: Iterable[int]) -> Reference:
        """Ascending whole numbers, such as the periods that have a value."""
        return self._column("places", _runs(indices))

    def numbers(self, values: Sequence[Number | None], **keys: Any) -> Reference:
        """Numbers with at most three decimals; None is null.

        Raises:
            ValueError: a value has more decimals.
        """
        known = [value for value in values if value is not None]
        scale = _scale(known)
        steps = [round(value * scale) for value in known] if scale != 1 else [int(value) for value in known]
        if min(steps, default=0) < 0:
            keys = {"signed": True} | keys
            steps = [2 * step if step >= 0 else -2 * step - 1 for step in steps]
        if scale != 1:
            keys = {"scale": scale} | keys
        return self._column("numbers", _known_places(values) + _planes(steps)) | keys

    def exact(self, values: Sequence[int | None]) -> Reference:
        """Whole numbers from 0 on of any size, such as money in its smallest part."""
        known = [value for value in values if value is not None]
        return self._column("exact", _known_places(values) + _planes(known))

    def text(self, header: Mapping[str, Any]) -> str:
        """The columns and the header that names them."""
        head = json.dumps(header, ensure_ascii=False, separators=(",", ":")).encode()
        return packed_text(len(head).to_bytes(4, "little") + head + bytes(self._body))

    def _column(self, form: str, content: bytes) -> Reference:
        reference = {"at": len(self._body), "form": form}
        self._body += content
        return reference


def _known_places(values: Sequence[Number | None]) -> bytes:
    if values and None not in values:
        return _varint(len(values)) + _varint(1) + _varint(0) + _varint(len(values))
    return _varint(len(values)) + _runs(place for place, value in enumerate(values) if value is not None)


def _runs(indices: Iterable[int]) -> bytes:
    lengths: list[int] = []
    end = 0
    for index in indices:
        if lengths and index == end:
            lengths[-1] += 1
        else:
            lengths += (index - end, 1)
        end = index + 1
    return _varint(len(lengths) // 2) + b"".join(map(_varint, lengths))


def _varint(value: int) -> bytes:
    found = bytearray()
    while value > 0x7F:
        found.append(value & 0x7F | 0x80)
        value >>= 7
    found.append(value)
    return bytes(found)


def _planes(values: Sequence[int]) -> bytes:
    """The width in bytes, then the lowest byte of each value, the second byte of each, and so on."""
    width = (max(values, default=0).bit_length() + 7) // 8
    if width > _WORD_BYTES:
        words = b"".join(value.to_bytes(width, "little") for value in values)
        return bytes([width]) + b"".join(words[place::width] for place in range(width))
    column = array("Q", values)
    if sys.byteorder == "big":
        column.byteswap()
    words = column.tobytes()
    return bytes([width]) + b"".join(words[place::_WORD_BYTES] for place in range(width))


_INTEGERS = frozenset((int,))


def _scale(known: Sequence[Number]) -> int:
    if _INTEGERS.issuperset(map(type, known)):
        return 1
    for scale in SCALES:
        if all(isinstance(value, int) or (round(value * scale) / scale == value) for value in known):
            return scale
    raise ValueError(f"a column has a value with more than three decimals among {known[:3]} …; round it before")


# ---------------------------------------------------------------------------------------------------------------------
# The same backwards, as the page does it


def unpacked(text: str) -> tuple[dict[str, Any], Callable[[Reference], list[Any]]]:
    """The header, and a function that reads the column of a reference; `below` and `after` are left to the reader."""
    data = unpacked_text(text)
    start = 4 + int.from_bytes(data[:4], "little")
    return json.loads(data[4:start]), lambda reference: _read(data, start + reference["at"], reference)


def _read(data: bytes, at: int, reference: Reference) -> list[Any]:
    if reference["form"] == "places":
        return _read_runs(data, at)[0]
    count, at = _read_varint(data, at)
    places, at = _read_runs(data, at)
    width, first = data[at], at + 1
    values: list[Any] = [None] * count
    for number, place in enumerate(places):
        step = sum(data[first + plane * len(places) + number] << 8 * plane for plane in range(width))
        if reference.get("signed"):
            step = -(step + 1) // 2 if step % 2 else step // 2
        scale = reference.get("scale", 1)
        values[place] = step if scale == 1 else step / scale
    return values


def _read_runs(data: bytes, at: int) -> tuple[list[int], int]:
    pairs, at = _read_varint(data, at)
    places: list[int] = []
    end = 0
    for _ in range(pairs):
        missing, at = _read_varint(data, at)
        present, at = _read_varint(data, at)
        places.extend(range(end + missing, end + missing + present))
        end += missing + present
    return places, at


def _read_varint(data: bytes, at: int) -> tuple[int, int]:
    value = shift = 0
    while True:
        byte = data[at]
        value |= (byte & 0x7F) << shift
        at, shift = at + 1, shift + 7
        if byte < 0x80:
            return value, at
