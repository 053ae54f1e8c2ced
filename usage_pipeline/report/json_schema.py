"""The JSON Schema of `report.json`, made from the types that it is written from.

Here: Python's types as JSON Schema (draft 2020-12), and `python -m usage_pipeline.report.json_schema`, which prints it.
Not here: what the keys mean (`report_schema.md`). The file `report.schema.json` holds what is printed.
"""

import dataclasses
import json
import sys
import types
from datetime import date, datetime
from decimal import Decimal
from typing import Any, Literal, Union, cast, get_args, get_origin, get_type_hints

from usage_pipeline.report.contents import Report

DIALECT = "https://json-schema.org/draft/2020-12/schema"

Schema = dict[str, Any]

_SIMPLE: dict[Any, Schema] = {
    bool: {"type": "boolean"},
    int: {"type": "integer"},
    float: {"type": "number"},
    str: {"type": "string"},
    type(None): {"type": "null"},
    datetime: {"type": "string", "pattern": r"^\d{4}-\d\d-\d\dT\d\d:\d\d:\d\dZ$"},
    date: {"type": "string", "pattern": r"^\d{4}-\d\d-\d\d$"},
    Decimal: {"type": "string", "pattern": r"^-?\d+(\.\d+)?$"},
    Any: {},
}


def report_schema() -> Schema:
    """The schema of a whole report."""
    definitions: dict[str, Schema] = {}
    whole = _of(Report, definitions)
    return {"$schema": DIALECT, "title": "report.json", **whole, "$defs": dict(sorted(definitions.items()))}


def _of(kind: Any, definitions: dict[str, Schema]) -> Schema:
    """The schema of one type; dataclasses go into the definitions."""
    if kind in _SIMPLE:
        return _SIMPLE[kind]
    if dataclasses.is_dataclass(kind):
        return _reference(cast(type, kind), definitions)
    origin, arguments = get_origin(kind), get_args(kind)
    if origin is Literal:
        return {"enum": list(arguments)}
    if origin in (Union, types.UnionType):
        return {"anyOf": [_of(part, definitions) for part in arguments]}
    if origin in (tuple, list):
        return {"type": "array", "items": _of(arguments[0], definitions)}
    if origin is dict:
        return {"type": "object", "additionalProperties": _of(arguments[1], definitions)}
    raise TypeError(f"{kind} is no type that a report uses")


def _reference(kind: type, definitions: dict[str, Schema]) -> Schema:
    name = kind.__name__
    if name not in definitions:
        definitions[name] = {}  # so that a type that holds itself ends
        hints = get_type_hints(kind)
        properties = {
            part.name: _columns(get_args(hints[part.name])[0], definitions)
            if part.metadata.get("by_column")
            else _of(hints[part.name], definitions)
            for part in dataclasses.fields(cast(Any, kind))
        }
        definitions[name] = {"type": "object", "properties": properties, "required": list(properties)}
    return {"$ref": f"#/$defs/{name}"}


def _columns(row: type, definitions: dict[str, Schema]) -> Schema:
    """A table by column: one list for each field of its rows."""
    hints = get_type_hints(row)
    properties = {
        part.name: {"type": "array", "items": _of(hints[part.name], definitions)}
        for part in dataclasses.fields(cast(Any, row))
    }
    return {"type": "object", "properties": properties, "required": list(properties)}


def schema_text() -> str:
    """The schema as the file has it."""
    return json.dumps(report_schema(), indent=1, ensure_ascii=False) + "\n"


if __name__ == "__main__":
    sys.stdout.write(schema_text())
