"""Checks raw answers of the sandbox against botocore's service models."""

import json
from typing import Any

from botocore.model import ListShape, MapShape, OperationModel, Shape, StructureShape

# AWS answers them although botocore 1.44's enums of inference types and modalities lack them.
_REAL_VALUES_MISSING_IN_MODELS = {"INFERENCE_PROFILE", "VIDEO"}

_TYPES: dict[str, tuple[type, ...]] = {
    "string": (str,),
    "boolean": (bool,),
    "integer": (int,),
    "long": (int,),
    "double": (int, float),
    "float": (int, float),
}


class AnswerChecker:
    """Registers with a boto3 client and remembers what is wrong with each answer, and how many it saw."""

    def __init__(self, client: Any) -> None:
        self.problems: list[str] = []
        self.answers = 0
        client.meta.events.register("before-parse", self._check)

    def _check(self, operation_model: OperationModel, response_dict: dict[str, Any], **_: Any) -> None:
        if response_dict["status_code"] >= 300:
            return
        self.answers += 1
        body = json.loads(response_dict["body"])
        output = operation_model.output_shape
        assert output is not None
        self.problems += problems_of(body, output, operation_model.name)


def problems_of(value: Any, shape: Shape, place: str) -> list[str]:
    """Every way in which the JSON value breaks the shape."""
    if getattr(shape, "is_document_type", False):
        return []  # any JSON
    if isinstance(shape, StructureShape):
        return _structure_problems(value, shape, place)
    if isinstance(shape, ListShape):
        if not isinstance(value, list):
            return [f"{place}: not a list"]
        return [p for item in value for p in problems_of(item, shape.member, f"{place}[]")]
    if isinstance(shape, MapShape):
        return [p for key, item in value.items() for p in problems_of(item, shape.value, f"{place}.{key}")]
    allowed = _TYPES.get(shape.type_name, (int, float, str))
    if not isinstance(value, allowed) or (isinstance(value, bool) and bool not in allowed):
        return [f"{place}: {value!r} is no {shape.type_name}"]
    enum = getattr(shape, "enum", None)
    if enum and value not in enum and value not in _REAL_VALUES_MISSING_IN_MODELS:
        return [f"{place}: {value!r} is none of {enum}"]
    return []


def _structure_problems(value: Any, shape: StructureShape, place: str) -> list[str]:
    if not isinstance(value, dict):
        return [f"{place}: not an object"]
    members = {member.serialization.get("name", name): member for name, member in shape.members.items()}
    required = {shape.members[name].serialization.get("name", name) for name in shape.required_members}
    missing = [f"{place}: {name} is missing" for name in sorted(required - set(value))]
    unknown = [f"{place}: {name} is not in the model" for name in sorted(set(value) - set(members))]
    return (
        missing
        + unknown
        + [
            problem
            for name, member in members.items()
            if name in value
            for problem in problems_of(value[name], member, f"{place}.{name}")
        ]
    )
