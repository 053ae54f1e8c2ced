"""Which `max_tokens` is enough for the answers that a caller gets, and how much quota that frees.

Here: the recommendation for one model and caller from its calls, with all that speaks against one. Not here: finding
the calls, the quota itself (`recommendations.py`).
"""

from dataclasses import dataclass
from fractions import Fraction
from typing import Literal

import numpy as np

from usage_pipeline.planning.limiter import Booleans, Integers
from usage_pipeline.planning.percentiles import Floats, nearest_rank

LEAST_REQUESTS = 1000
"""Calls that a P99.9 needs."""
LARGEST_TRUNCATION = Fraction(1, 100)
"""Share of answers that ended at `max_tokens` above which lowering it is never recommended."""
ROOM = Fraction(6, 5)
"""Times the P99.9 of answers, so that one in a thousand is cut at most."""
LEAST, STEP = 256, 64

Status = Literal["lower", "already_right", "truncated", "too_few_requests"]


@dataclass(frozen=True)
class Answers:
    """Calls of one model and caller. Tokens, seconds; `is_truncated` where the answer ended at `max_tokens`.

    `prompt` is input and cache write. `max_tokens` is the model's longest answer where the caller set none.
    """

    prompt: Integers
    output: Integers
    max_tokens: Integers
    is_truncated: Booleans
    duration: Floats


@dataclass(frozen=True)
class MaxTokensRecommendation:
    """Whether to lower `max_tokens`, and to what.

    lower: to `recommended`, which is meant as a cap: calls that set less keep it. already_right: the usual value is not
    above what is needed. truncated: more than 1 % of the answers end at `max_tokens`; their true length is not known.
    too_few_requests: fewer than 1,000. `usual` is the median that calls set, None without calls. Shares are from 0 to
    1. `cut_share` is what the recommended value would have cut of the answers seen. `freed_tokens` is the mean hold
    that goes away; `more_at_once` how many more calls of the mean prompt fit at once into the limit, None when that is
    not known.
    """

    status: Status
    requests: int
    usual: int | None
    p999_output: int | None
    truncated_share: float | None
    recommended: int | None = None
    cut_share: float | None = None
    freed_tokens: float | None = None
    more_at_once: int | None = None


def recommend_max_tokens(answers: Answers, span_seconds: float, limit: int | None) -> MaxTokensRecommendation:
    """Recommend for calls that were made within `span_seconds`, in a pool whose tokens per minute are `limit`."""
    requests = len(answers.output)
    truncated = int(np.count_nonzero(answers.is_truncated))
    complete = answers.output[~answers.is_truncated]
    p999 = _rank(complete, 999)
    usual = _rank(answers.max_tokens, 500)
    found = MaxTokensRecommendation(
        "too_few_requests", requests, usual, p999, truncated / requests if requests else None
    )
    if requests < LEAST_REQUESTS or usual is None:
        return found
    if truncated > requests * LARGEST_TRUNCATION or p999 is None:
        return _with(found, "truncated")
    enough = max(_round_up(p999 * ROOM), LEAST)
    # Answers that were cut are longer than they look, so all of them count here.
    enough = max(enough, _round_up(Fraction(_rank(answers.output, 999) or 0)))
    if enough >= usual:
        return _with(found, "already_right")
    return _lowered(found, answers, enough, span_seconds, limit)


def _with(found: MaxTokensRecommendation, status: Status) -> MaxTokensRecommendation:
    return MaxTokensRecommendation(status, found.requests, found.usual, found.p999_output, found.truncated_share)


def _lowered(
    found: MaxTokensRecommendation, answers: Answers, enough: int, span_seconds: float, limit: int | None
) -> MaxTokensRecommendation:
    saved = np.maximum(answers.max_tokens - enough, 0)
    # Little's law: calls per second × seconds × tokens.
    freed = float((answers.duration * saved).sum()) / span_seconds
    prompt = float(answers.prompt.mean())
    more = None
    if limit is not None and found.usual is not None:
        more = int(limit // (prompt + enough)) - int(limit // (prompt + found.usual))
    return MaxTokensRecommendation(
        status="lower",
        requests=found.requests,
        usual=found.usual,
        p999_output=found.p999_output,
        truncated_share=found.truncated_share,
        recommended=enough,
        cut_share=float(np.count_nonzero(answers.output > enough)) / found.requests,
        freed_tokens=freed,
        more_at_once=more,
    )


def _round_up(tokens: Fraction) -> int:
    return int(-(-tokens // STEP) * STEP)


def _rank(values: Integers, per_mille: int) -> int | None:
    rank = nearest_rank(np.sort(values), per_mille)
    return None if rank is None else int(rank)
