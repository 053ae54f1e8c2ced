"""How many tokens a text has: counted with a vocabulary that is part of an installed package, or else estimated.

No network, ever. Neither is the model's own count: Anthropic publishes no tokenizer of its present models, and the logs
of Amazon Q Developer name no model; `docs/q_developer.md` says how far off a count can be.
"""

from collections.abc import Callable
from dataclasses import dataclass
from functools import cache
from typing import Literal

TokenSource = Literal["counted", "estimated"]

VOCABULARY = "o200k_base"
"""OpenAI's vocabulary of 2024, with 200,019 tokens. The public comparisons with Claude's counts are made with it."""

BYTES_PER_TOKEN = 4
"""«On average, in practice, each token corresponds to about 4 bytes»: README of OpenAI's tiktoken, 2026."""

LONGEST_PIECE_CHARACTERS = 65_536
"""A longer text is counted in pieces, so that memory is bounded; each cut adds a token or two."""


@dataclass(frozen=True)
class TokenCounter:
    """Counts the tokens of texts."""

    source: TokenSource
    """`counted` with `VOCABULARY`, or `estimated` from the text's length in bytes."""
    count_piece: Callable[[str], int]
    """Tokens of one text of ordinary length that UTF-8 can hold."""

    def count(self, text: str) -> int:
        """Tokens of a text of any length; what stands for special tokens, such as `<|endoftext|>`, is text as well."""
        if len(text) > LONGEST_PIECE_CHARACTERS:
            begins = range(0, len(text), LONGEST_PIECE_CHARACTERS)
            return sum(self.count(text[begin : begin + LONGEST_PIECE_CHARACTERS]) for begin in begins)
        try:
            return self.count_piece(text)
        except UnicodeEncodeError:
            pass  # and not from in here: the error holds the text
        return self.count_piece(text.encode("utf-8", "replace").decode())


@cache
def token_counter() -> TokenCounter:
    """The counter of this installation: it counts when the extra `q-developer` is installed, otherwise it estimates."""
    return counting() or ESTIMATING


def counting() -> TokenCounter | None:
    """A counter with `VOCABULARY`; None when the package that carries it is not installed. Takes about 40 MB."""
    try:
        from splintr import Tokenizer
    except ImportError:
        return None
    encode = Tokenizer.from_pretrained(VOCABULARY).encode_ordinary
    return TokenCounter("counted", lambda text: len(encode(text)))


def estimated_tokens(text: str) -> int:
    """Tokens by the text's length in UTF-8, rounded up, so that no text but the empty one has none."""
    return -(-len(text.encode()) // BYTES_PER_TOKEN)


ESTIMATING = TokenCounter("estimated", estimated_tokens)
"""What is left without a vocabulary."""
