"""The size of a text instead of the text: what decoding makes of every prompt, answer and piece of code.

Not here: which fields are such texts (`prompt_records.py`).
"""

from typing import Any

from usage_pipeline.q_developer import tokenizer


class TextSize:
    """Tokens and characters of a text that was there; both None for something that is no text."""

    __slots__ = ("characters", "tokens")

    def __init__(self, tokens: int | None, characters: int | None) -> None:
        self.tokens = tokens
        self.characters = characters

    @classmethod
    def from_json(cls, value: Any) -> "TextSize":
        """Count and forget."""
        if not isinstance(value, str):
            return UNKNOWN_SIZE
        return cls(tokenizer.token_counter().count(value), len(value))


UNKNOWN_SIZE = TextSize(None, None)


class Counted:
    """Something of which only the number matters, such as a reference to licensed code."""

    __slots__ = ()

    @classmethod
    def from_json(cls, _: Any) -> "Counted":
        """Forget it."""
        return _COUNTED


_COUNTED = Counted()


def sum_of(sizes: list[TextSize | None]) -> TextSize:
    """The size of texts together: unknown when that of one of them is."""
    tokens = characters = 0
    for size in sizes:
        if size is None or size.tokens is None or size.characters is None:
            return UNKNOWN_SIZE
        tokens += size.tokens
        characters += size.characters
    return TextSize(tokens, characters)
