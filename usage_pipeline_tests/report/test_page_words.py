"""Every word that a reader sees is in labels.json, and nothing else is."""

import json
import re
from pathlib import Path
from typing import Any

import pytest

from usage_pipeline.report import render

FOLDER = Path(render.__file__).with_name("page")
SCRIPTS = sorted(FOLDER.glob("*.js"))
TEMPLATES = sorted(FOLDER.glob("*.j2"))

WORDS = re.compile(r"[A-Za-z]{2,}")

# Attributes of elements whose values a reader sees or hears.
SPOKEN = re.compile(r'\b(?:aria-label|title|placeholder|alt)="([^"]*)"')


def words_of_template(text: str) -> list[str]:
    """Text between tags, and spoken attributes, without what Jinja puts in."""
    text = re.sub(r"\{#.*?#\}", "", text, flags=re.DOTALL)
    text = re.sub(r"\{%.*?%\}|\{\{.*?\}\}", "", text, flags=re.DOTALL)
    spoken = SPOKEN.findall(text)
    between = re.sub(r'[\w-]+="[^"]*"', "", re.sub(r"<[^>]*>", "\n", text))
    return [found for found in (*spoken, *between.split("\n")) if WORDS.search(found)]


# Strings of scripts that are no words: names of elements, keys, formats, selectors.
NO_WORDS = re.compile(
    r"""^(?:
        [\w.:/#-]*                      # a name, a key, a class, a colour
        | \(prefers-[^)]*\)             # media queries
        | [^A-Za-z]*                    # punctuation
        | text/csv;charset=utf-8
        | -?\d+%\ 0px\ -?\d+%\ 0px
        | (?:\\u[0-9a-f]{4})+            # characters by number
        | var\(--\)
    )$""",
    re.VERBOSE,
)

DIGITS = re.compile(r"^\S{60,}$")
"""The digits of packed columns: no word is that long."""

CLASSES = {"chart wide", "dense costs", "code, pre"}
"""Several names in one string: classes of an element, or elements of a selector."""

SELECTOR = re.compile(r"^[\w\s.,:#>*\[\]()=\"'$~|^-]*$")


def strings_of(script: str) -> list[str]:
    """String literals of a script, with holes where a template has expressions; comments are left out."""
    script = re.sub(r"^\s*//.*$|\s// .*$", "", script, flags=re.MULTILINE)
    found = re.findall(r'"((?:[^"\\\n]|\\.)*)"', re.sub(r"`[^`]*`", "", script))
    found += [re.sub(r"\$\{.*?\}+", "", text) for text in re.findall(r"`([^`]*)`", script)]
    return found


def is_shown(text: str) -> bool:
    """Words with a space or a capital are for people; selectors and names are not."""
    if NO_WORDS.match(text.strip()) or DIGITS.match(text) or text in CLASSES:
        return False
    if re.search(r"[\[\]#>]|^\.|\.\w+:", text) and SELECTOR.match(text):
        return False
    return bool(WORDS.search(text))


@pytest.mark.parametrize("path", TEMPLATES, ids=lambda path: path.name)
def test_templates_hold_no_words_of_their_own(path: Path) -> None:
    assert words_of_template(path.read_text(encoding="utf-8")) == []


@pytest.mark.parametrize("path", SCRIPTS, ids=lambda path: path.name)
def test_scripts_hold_no_words_of_their_own(path: Path) -> None:
    assert [text for text in strings_of(path.read_text(encoding="utf-8")) if is_shown(text)] == []


@pytest.mark.parametrize(
    "text", ["Show all rows", "not read", "Total of all", "Copied!", "The quota is unknown.", "tokens per minute:"]
)
def test_words_in_a_script_would_be_seen(text: str) -> None:
    script = f'const made = element("p", {{}}, "{text}");'
    assert text in strings_of(script)
    assert is_shown(text)


def test_words_in_a_template_would_be_seen() -> None:
    assert words_of_template('<p title="Hello there">{{ t.x }} and more</p>') == ["Hello there", " and more"]


def leaves(value: Any, path: str = "") -> dict[str, Any]:
    if isinstance(value, dict):
        return {key: leaf for name, part in value.items() for key, leaf in leaves(part, f"{path}.{name}").items()}
    return {path: value}


def test_sentences_for_one_and_for_many_come_in_pairs() -> None:
    labels = json.loads((FOLDER / "labels.json").read_text(encoding="utf-8"))
    found = leaves(labels)
    ones = {path.rpartition(".")[0] for path in found if path.endswith(".one")}
    manys = {path.rpartition(".")[0] for path in found if path.endswith(".many")}
    assert ones == manys


def test_no_label_is_empty_or_a_placeholder() -> None:
    labels = json.loads((FOLDER / "labels.json").read_text(encoding="utf-8"))
    texts = {path: text for path, text in leaves(labels).items() if isinstance(text, str)}
    assert [path for path, text in texts.items() if not text.strip() and path != ".charts.outlook.unit"] == []
    assert [path for path, text in texts.items() if re.search(r"TODO|FIXME|lorem", text, re.IGNORECASE)] == []
