"""Turns a wrong configuration into sentences: where it is, what was read, what is allowed.

Here: reading YAML with the line of every key, and wording pydantic's errors. Not here: which settings exist
(`config.py`).
"""

import difflib
from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any, cast

import yaml
from pydantic_core import ErrorDetails

Location = tuple[str | int, ...]
"""Keys and list positions from the top of the file to one value."""

_LONGEST_QUOTE = 80

_ALLOWED = {
    "tuple_type": "a list",
    "dict_type": "`key: value` lines",
    "model_type": "`key: value` lines",
    "model_attributes_type": "`key: value` lines",
    "string_type": "text (put it in quotes)",
    "path_type": "a path",
    "int_parsing": "a whole number",
    "int_from_float": "a whole number",
    "float_parsing": "a number",
}
"""What is allowed, for errors whose own words speak of Python."""


class ConfigurationError(Exception):
    """The configuration cannot be used; `problems` has one readable sentence for each thing to mend."""

    def __init__(self, problems: Sequence[str]) -> None:
        self.problems = tuple(problems)
        super().__init__("\n".join(self.problems))


@dataclass(frozen=True)
class YamlFile:
    """What a YAML file says, and on which line (from 1) each value starts."""

    path: Path
    data: dict[str, object]
    lines: Mapping[Location, int]

    def place(self, location: Location) -> str:
        """`file, line 7`: the line of the value, or of the nearest thing around it that the file has."""
        known = next(location[:end] for end in range(len(location), -1, -1) if location[:end] in self.lines)
        return f"{self.path}, line {self.lines[known]}"


@dataclass(frozen=True)
class KnownKeys:
    """The keys that each part of the configuration may have.

    A part's location leaves list positions out; a last step `*` stands for any key.
    """

    by_part: Mapping[tuple[str, ...], Sequence[str]]

    def of(self, location: Location) -> Sequence[str]:
        """Keys allowed at the location."""
        part = tuple(step for step in location if isinstance(step, str))
        return self.by_part.get(part) or self.by_part.get((*part[:-1], "*"), ())


def read_yaml(path: Path) -> YamlFile:
    """Read a YAML file whose top is a mapping.

    Raises:
        ConfigurationError: unreadable file, YAML syntax, a key written twice, or a top that is no mapping.
    """
    try:
        text = path.read_text(encoding="utf-8")
    except (OSError, UnicodeDecodeError) as error:
        raise ConfigurationError([f"{path} cannot be read as UTF-8 text: {error}"]) from error
    loader = yaml.SafeLoader(text)
    try:
        node = loader.get_single_node()
        lines = {} if node is None else dict(_lines(node, (), path, ()))
        data = None if node is None else loader.construct_document(node)
    except yaml.MarkedYAMLError as error:
        raise ConfigurationError([_syntax_problem(path, error)]) from error
    except yaml.YAMLError as error:
        raise ConfigurationError([f"{path} is not YAML: {error}"]) from error
    finally:
        loader.dispose()
    if not isinstance(data, dict):
        raise ConfigurationError([f"{path}, line 1: read {quote(data)}, but the file must hold `key: value` lines."])
    return YamlFile(path, {str(key): value for key, value in cast("dict[object, object]", data).items()}, lines)


def _syntax_problem(path: Path, error: yaml.MarkedYAMLError) -> str:
    mark = error.problem_mark or error.context_mark
    line = "" if mark is None else f", line {mark.line + 1}, column {mark.column + 1}"
    said = ", ".join(part for part in (error.context, error.problem) if part)
    return f"{path}{line}: not valid YAML: {said}."


def _lines(
    node: yaml.Node, location: Location, path: Path, parents: tuple[yaml.Node, ...]
) -> Iterator[tuple[Location, int]]:
    """Give the line of every value under a node; a key's own line counts, also for a block below it."""
    if node in parents:
        raise ConfigurationError([f"{path}, line {node.start_mark.line + 1}: an alias (`*name`) that contains itself."])
    if not location:
        yield location, node.start_mark.line + 1
    if isinstance(node, yaml.SequenceNode):
        for position, item in enumerate(node.value):
            yield (*location, position), item.start_mark.line + 1
            yield from _lines(item, (*location, position), path, (*parents, node))
    elif isinstance(node, yaml.MappingNode):
        seen: dict[str, int] = {}
        for key, value in node.value:
            name, line = str(key.value), key.start_mark.line + 1
            if name in seen:
                first = f"the first is on line {seen[name]}"
                raise ConfigurationError([f"{path}, line {line}: the key {name!r} is written twice; {first}."])
            seen[name] = line
            yield (*location, name), line
            yield from _lines(value, (*location, name), path, (*parents, node))


def quote(value: object) -> str:
    """The value as it is shown in a sentence: short, and nothing for an empty one."""
    if value is None:
        return "nothing"
    text = repr(str(value) if isinstance(value, Path) else value)
    return text if len(text) <= _LONGEST_QUOTE else f"{text[: _LONGEST_QUOTE - 1]}…"


def meant(word: str, known: Iterable[str], likeness: float = 0.6) -> str:
    """`did you mean 'x'? ` for the known words nearest to `word`; empty when none is as like as `likeness` (0–1)."""
    nearest = difflib.get_close_matches(word, list(known), n=3, cutoff=likeness)
    # Two words can be equally near: us-esat-1 to us-east-1 and us-west-1.
    ratio = {other: difflib.SequenceMatcher(None, other, word).ratio() for other in nearest}
    best = sorted(other for other in nearest if ratio[other] == max(ratio.values()))
    return f"did you mean {' or '.join(map(repr, best))}? " if best else ""


def unknown_key_sentence(key: str, known: Sequence[str]) -> str:
    """What to say of a key that does not exist."""
    return f"there is no setting {key!r}; {meant(key, known)}Allowed here: {', '.join(known)}."


def field_name(location: Location) -> str:
    """`accounts[0].regions[1]` for a location."""
    text = "".join(f"[{step}]" if isinstance(step, int) else f".{step}" for step in location)
    return text.removeprefix(".") or "the file"


def problem_text(error: ErrorDetails, location: Location, known: KnownKeys) -> str:
    """Word one of pydantic's errors, without its place. `location` is already free of pydantic's own steps."""
    kind = error["type"]
    if kind == "extra_forbidden":
        return unknown_key_sentence(str(location[-1]), known.of(location[:-1]))
    if kind == "missing":
        return f"{field_name(location)} is missing; it is required."
    context: Mapping[str, Any] = error.get("ctx", {})
    if kind == "value_error":
        # Our own validators say what they read themselves.
        return f"{field_name(location)}: {context['error']}"
    allowed = _ALLOWED.get(kind) or error["msg"].removeprefix("Input should be ").removeprefix("String should have ")
    return f"{field_name(location)}: read {quote(error['input'])}; allowed: {allowed}."
