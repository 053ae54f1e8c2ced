"""JSON that does not fit its types: what can be read of it is read, the rest is unknown.

Here: JSON read as leniently as Python can, numbers and texts coerced, parts of another kind left out. A type of our own
reads itself with `from_json`. Slow, and only for what typed decoding refuses. No message holds any of the text. Not
here: which fields a record needs.
"""

import datetime as dt
import json
import math
from functools import cache
from typing import Any

import msgspec
from msgspec import inspect

LARGEST_COUNT = 2**63 - 1
"""What a column of counts can hold."""

_LONGEST_NUMBER = 100


class UnusableRecordError(Exception):
    """The bytes are no record that a row could be made of. The message is the reason, without the text."""


class NotJsonError(UnusableRecordError):
    """The bytes are not JSON: perhaps the beginning of a record that was cut off."""


def parsed_json(line: bytes) -> Any:
    """Parse JSON, also with control characters, bytes that are not UTF-8, or a byte order mark.

    Raises:
        UnusableRecordError: not JSON, or beyond what Python reads.
    """
    try:
        return json.loads(line.decode("utf-8-sig", "replace"), strict=False)
    except json.JSONDecodeError as error:
        problem = NotJsonError(f"not JSON from character {error.pos + 1} on")
    except (ValueError, RecursionError):
        problem = UnusableRecordError("JSON with a number too long or nested too deeply to read")
    raise problem  # out here, because json's own error carries the text


def fields_of(value: dict[str, Any], struct: type[msgspec.Struct]) -> dict[str, Any]:
    """Keyword arguments for a struct: the fields whose value, or a part of it, is of the declared type."""
    fields: dict[str, Any] = {}
    for name, encoded_name, kind in _struct_fields(struct):
        if encoded_name in value:
            coerced = _coerced(value[encoded_name], kind)
            if coerced is not None:
                fields[name] = coerced
    return fields


@cache
def _struct_fields(struct: type[msgspec.Struct]) -> tuple[tuple[str, str, inspect.Type], ...]:
    """Name here, name in JSON and type of each field."""
    described = inspect.type_info(struct)
    fields = described.fields if isinstance(described, inspect.StructType) else ()
    return tuple((field.name, field.encode_name, field.type) for field in fields)


def _coerced(value: Any, kind: inspect.Type) -> Any:
    """The value as the type wants it; None where it cannot be."""
    match kind:
        case inspect.UnionType():
            options = [_coerced(value, option) for option in kind.types if not isinstance(option, inspect.NoneType)]
            return next((option for option in options if option is not None), None)
        case inspect.StructType():
            return kind.cls(**fields_of(value, kind.cls)) if isinstance(value, dict) else None
        case inspect.ListType():
            return _items(value, kind.item_type) if isinstance(value, list) else None
        case inspect.DictType():
            return _text_map(value) if isinstance(value, dict) else None
        case inspect.StrType():
            return _text(value)
        case inspect.IntType():
            return count_of(value)
        case inspect.FloatType():
            return _number(value)
        case inspect.DateTimeType():
            return _time(value)
        case inspect.CustomType():
            return kind.cls.from_json(value)
        case _:
            return None


def _items(values: list[Any], kind: inspect.Type) -> list[Any]:
    coerced = (_coerced(value, kind) for value in values)
    return [item for item in coerced if item is not None]


def _text_map(value: dict[str, Any]) -> dict[str, str | None]:
    return {_encodable(key): _text(item) for key, item in value.items()}


def _text(value: Any) -> str | None:
    """Text, also of a number; a lone surrogate, which UTF-8 cannot hold, becomes a question mark."""
    if isinstance(value, str):
        return _encodable(value)
    if isinstance(value, bool) or not isinstance(value, int | float):
        return None
    return json.dumps(value)


def _encodable(text: str) -> str:
    return text.encode("utf-8", "replace").decode()


def count_of(value: Any) -> int | None:
    """A whole number that a column of counts can hold, also of text such as `17` or `17.0`."""
    if isinstance(value, str) and len(value) < _LONGEST_NUMBER and value.strip().isdecimal():
        number = int(value)
    elif isinstance(value, int) and not isinstance(value, bool):
        number = value
    else:
        measured = _number(value)
        number = int(measured) if measured is not None and measured.is_integer() else -1
    return number if 0 <= number <= LARGEST_COUNT else None


def _number(value: Any) -> float | None:
    if isinstance(value, bool) or not isinstance(value, int | float | str):
        return None
    try:
        number = float(value)
    except (ValueError, OverflowError):
        return None
    return number if math.isfinite(number) else None


def _time(value: Any) -> dt.datetime | None:
    """A time with a date; without a zone it is UTC, as everything in the log."""
    if not isinstance(value, str):
        return None
    try:
        return msgspec.convert(value, dt.datetime)
    except msgspec.ValidationError:
        pass
    try:
        return dt.datetime.fromisoformat(value.strip())
    except ValueError:
        return None
