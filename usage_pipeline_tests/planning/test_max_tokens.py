import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from usage_pipeline.planning.max_tokens import Answers, MaxTokensRecommendation, recommend_max_tokens


def answers(output: list[int], max_tokens: int | list[int] = 8192, truncated: int = 0) -> Answers:
    """Calls with 100 tokens of prompt that take 2 s; the first `truncated` ended at max_tokens."""
    count = len(output)
    return Answers(
        prompt=np.full(count, 100),
        output=np.array(output, dtype=np.int64),
        max_tokens=np.full(count, max_tokens) if isinstance(max_tokens, int) else np.array(max_tokens),
        is_truncated=np.arange(count) < truncated,
        duration=np.full(count, 2.0),
    )


def test_a_fifth_more_than_the_longest_of_a_thousand_is_enough() -> None:
    found = recommend_max_tokens(answers([1000] * 2000), span_seconds=1000, limit=100_000)
    assert found == MaxTokensRecommendation(
        status="lower",
        requests=2000,
        usual=8192,
        p999_output=1000,
        truncated_share=0.0,
        recommended=1216,
        cut_share=0.0,
        # 2 calls a second × 2 s × (8,192 - 1,216) tokens.
        freed_tokens=27_904.0,
        # 100,000 / 1,316 instead of / 8,292.
        more_at_once=75 - 12,
    )


def test_short_answers_keep_256_tokens() -> None:
    assert recommend_max_tokens(answers([5] * 1000), 1, None).recommended == 256


def test_one_very_long_answer_in_a_thousand_may_be_cut_and_two_may_not() -> None:
    one = recommend_max_tokens(answers([1000] * 999 + [6000]), 1, None)
    assert (one.recommended, one.cut_share) == (1216, 0.001)
    two = recommend_max_tokens(answers([1000] * 998 + [6000] * 2), 1, None)
    assert (two.recommended, two.cut_share) == (7232, 0.0)


def test_calls_that_already_set_less_free_nothing() -> None:
    mixed = answers([100] * 2000, [8192] * 1500 + [200] * 500)
    assert recommend_max_tokens(mixed, 1000, None).freed_tokens == pytest.approx(1.5 * 2 * (8192 - 256))


@pytest.mark.parametrize(
    ("given_answers", "status"),
    [
        (answers([1000] * 999), "too_few_requests"),
        (answers([]), "too_few_requests"),
        (answers([8192] * 11 + [1000] * 989, truncated=11), "truncated"),
        (answers([8192] * 1000, truncated=1000), "truncated"),
        (answers([1000] * 1000, max_tokens=1216), "already_right"),
        (answers([1000] * 1000, max_tokens=1024), "already_right"),
        # Ten answers in a thousand were cut: how long they would be is not known, so the value must not fall.
        (answers([8192] * 10 + [1000] * 990, truncated=10), "already_right"),
    ],
)
def test_nothing_is_recommended_where_it_would_be_a_guess(given_answers: Answers, status: str) -> None:
    found = recommend_max_tokens(given_answers, 1, 1000)
    assert found.status == status
    assert (found.recommended, found.cut_share, found.freed_tokens, found.more_at_once) == (None,) * 4


def test_without_calls_no_number_is_claimed() -> None:
    found = recommend_max_tokens(answers([]), 1, None)
    assert (found.requests, found.usual, found.p999_output, found.truncated_share) == (0, None, None, None)


@settings(max_examples=50, deadline=None)
@given(
    tail=st.lists(st.integers(0, 8000), max_size=30),
    usual=st.integers(1, 1000),
    truncated=st.integers(0, 30),
    seed=st.integers(0, 9),
)
def test_a_recommendation_never_cuts_more_than_one_in_a_thousand(
    tail: list[int], usual: int, truncated: int, seed: int
) -> None:
    body = np.random.default_rng(seed).integers(0, usual, 1500).tolist()
    found = recommend_max_tokens(answers([8192] * truncated + body + tail, truncated=truncated), 1, None)
    if found.status == "lower":
        assert found.recommended is not None
        assert found.cut_share is not None
        assert found.cut_share <= 0.001
        assert found.recommended % 64 == 0
        assert 256 <= found.recommended < 8192
