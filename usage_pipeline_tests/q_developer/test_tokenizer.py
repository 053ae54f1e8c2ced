"""Token counts: right, offline, and in a time that grows with the text and no faster."""

import random
import subprocess
import sys
import time

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from usage_pipeline.q_developer import tokenizer
from usage_pipeline.q_developer.tokenizer import ESTIMATING, LONGEST_PIECE_CHARACTERS, TokenCounter, counting

COUNTS = {
    "": 0,
    "Hello, world!": 4,
    "def f(x):\n    return x + 1\n": 11,
    "東京都に行きましょう。": 7,
    "😀👩‍👩‍👧": 9,
    "Übergrößenträger": 5,
    "    \n\n\t": 2,
    "1234567890": 4,
    "a" * 1000: 125,
    " " * 1000: 9,
}
"""Of OpenAI's o200k_base, as tiktoken counts them."""


@pytest.fixture(scope="module")
def counter() -> TokenCounter:
    found = counting()
    assert found is not None, "the extra q-developer is not installed"
    found.count("warm")
    return found


@pytest.mark.parametrize(("text", "tokens"), COUNTS.items(), ids=lambda value: str(value)[:12])
def test_tokens_are_counted_as_the_vocabulary_says(counter: TokenCounter, text: str, tokens: int) -> None:
    assert (counter.source, counter.count(text)) == ("counted", tokens)


def test_what_stands_for_a_special_token_is_text(counter: TokenCounter) -> None:
    assert counter.count("<|endoftext|>") == 7


def test_text_that_utf_8_cannot_hold_is_counted(counter: TokenCounter) -> None:
    assert counter.count("a\ud83db") == counter.count("a?b")
    assert ESTIMATING.count("\ud83d\ud83d") == 1


def test_a_long_text_is_counted_in_pieces_with_a_token_or_two_more_for_each_cut(counter: TokenCounter) -> None:
    text = "Count the tokens of this sentence, then of the next one. " * 5_000
    cuts = len(text) // LONGEST_PIECE_CHARACTERS
    assert cuts == 4
    assert counter.count_piece(text) <= counter.count(text) <= counter.count_piece(text) + 2 * cuts


def test_without_the_package_tokens_are_estimated_and_marked(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setitem(sys.modules, "splintr", None)
    tokenizer.token_counter.cache_clear()
    try:
        estimate = tokenizer.token_counter()
        assert estimate.source == "estimated"
        assert [estimate.count(text) for text in ("", "a", "abcd", "abcde", "東京都に")] == [0, 1, 1, 2, 3]
    finally:
        tokenizer.token_counter.cache_clear()


def test_counting_opens_no_connection() -> None:
    program = (
        "import socket\n"
        "def refuse(*_, **__): raise AssertionError('a connection')\n"
        "socket.socket = socket.create_connection = socket.getaddrinfo = refuse\n"
        "from usage_pipeline.q_developer.tokenizer import token_counter\n"
        "print(token_counter().source, token_counter().count('Hello, world!'))\n"
    )
    ended = subprocess.run([sys.executable, "-c", program], capture_output=True, text=True, check=True)
    assert ended.stdout.split() == ["counted", "4"]


@settings(deadline=None)
@given(st.text(max_size=200))
def test_a_text_has_at_most_a_token_for_each_byte(text: str) -> None:
    count = tokenizer.token_counter().count
    assert count(text) <= len(text.encode())
    assert (count(text) == 0) == (text == "")
    assert ESTIMATING.count(text) <= len(text.encode())


CHARACTERS = [chr(number) for number in (*range(1, 0xD7FF, 97), *range(0xE000, 0x10FFFF, 997))]

NASTY = {
    "one letter": "a" * 1_000_000,
    "spaces": " " * 1_000_000,
    "line ends": "\n" * 1_000_000,
    "two letters": "ab" * 500_000,
    "punctuation": "!" * 1_000_000,
    "accents without letters": "\u0301" * 500_000,
    "emoji": "😀" * 250_000,
    "random unicode": "".join(random.Random(7).choices(CHARACTERS, k=300_000)),
}
"""About a megabyte each."""


@pytest.fixture(scope="module")
def prose_seconds(counter: TokenCounter) -> float:
    """What a megabyte of words takes."""
    return max(cpu_seconds(counter, "The quick brown fox jumps over the lazy dog. " * 22_000), 0.01)


def cpu_seconds(count: TokenCounter, text: str) -> float:
    """The least of three, so that other work on the machine does not count."""
    needed: list[float] = []
    for _ in range(3):
        started = time.process_time()
        count.count(text)
        needed.append(time.process_time() - started)
    return min(needed)


@pytest.mark.parametrize("name", NASTY)
def test_the_nastiest_megabyte_takes_time_in_proportion_to_its_size(
    counter: TokenCounter, name: str, prose_seconds: float
) -> None:
    text = NASTY[name]
    whole = cpu_seconds(counter, text)
    assert whole <= 12 * max(cpu_seconds(counter, text[: len(text) // 4]), 0.001)
    assert whole <= 60 * prose_seconds
