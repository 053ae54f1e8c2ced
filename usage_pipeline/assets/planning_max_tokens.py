"""What planning knows of one pool, and the rows of `marts.max_tokens_recommendations` that follow from its calls.

Here: one row per application. Not here: the formula (`planning/max_tokens.py`), quotas (`planning_pools.py`).
"""

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

import numpy as np

from usage_pipeline.planning.max_tokens import Answers, MaxTokensRecommendation, recommend_max_tokens
from usage_pipeline.planning.percentiles import Floats, grade, interval_of
from usage_pipeline.planning_calls import LoggedCalls
from usage_pipeline.planning_evidence import max_tokens_evidence
from usage_pipeline.planning_inputs import DailyPeaks, Days, DayUnderWay, Pool, PoolMinutes, PoolTotals

Row = dict[str, Any]

SECONDS_PER_DAY = 86_400
DRAWS = 200
"""Draws behind the interval of answers; there are many applications."""


@dataclass(frozen=True)
class PoolFacts:
    """What is known of one pool. `peaks` is by quota; `completeness` is None where CloudWatch counted no call.

    `today` is the day after the last of `days`, None where nothing of it was read.
    """

    pool: Pool
    days: Days
    minutes: PoolMinutes
    peaks: Mapping[str, DailyPeaks]
    calls: LoggedCalls
    totals: PoolTotals
    completeness: float | None
    today: DayUnderWay | None


REASONS = {
    "already_right": "The usual max_tokens is not above what the answers need.",
    "truncated": "More than 1 % of the answers end at max_tokens, so nobody knows how long they would have been.",
    "too_few_requests": "Fewer than 1,000 requests say nothing of the longest answer in a thousand.",
}
"""Why no `max_tokens` is recommended, by status."""


def max_tokens_rows(facts: PoolFacts) -> list[Row]:
    """One row per application that got answers of text; embeddings have no `max_tokens`."""
    calls = facts.calls
    rows: list[Row] = []
    for number, application in sorted(enumerate(calls.applications), key=lambda each: each[1]):
        at = np.flatnonzero(calls.application == number)
        if not calls.output[at].any():
            continue
        answers = Answers(
            prompt=calls.input[at] + calls.cache_write[at],
            output=calls.output[at],
            max_tokens=calls.max_tokens[at],
            is_truncated=calls.is_cut[at],
            duration=calls.duration[at],
        )
        found = recommend_max_tokens(answers, _logged_seconds(facts), facts.pool.limits["tpm"])
        rows.append(
            facts.pool.key
            | {
                "application": application,
                "requests_without_max_tokens": int(np.count_nonzero(~calls.has_max_tokens[at])),
                "requests_without_latency": int(np.count_nonzero(~calls.has_latency[at])),
                "max_tokens_max": int(answers.max_tokens.max()),
                "as_of": facts.days.last,
            }
            | _max_tokens_columns(found, answers)
            | _confidence_columns(found, answers, calls.start[at])
            | {"evidence_sql": max_tokens_evidence(facts.pool.pool_id, application, found.recommended, facts.days)}
        )
    return rows


def _max_tokens_columns(found: MaxTokensRecommendation, answers: Answers) -> Row:
    after = None
    if found.recommended is not None:
        after = float(np.mean(answers.is_truncated | (answers.output > found.recommended)))
    freed = found.freed_tokens
    return {
        "requests": found.requests,
        "p999_output": found.p999_output,
        "max_tokens_p50": found.usual,
        "recommended": found.recommended,
        "status": found.status,
        "reason": REASONS.get(found.status),
        "truncated_share": found.truncated_share,
        "truncated_share_after": after,
        "freed_tokens": None if freed is None or np.isnan(freed) else freed,
        "more_at_once": found.more_at_once,
    }


def _confidence_columns(found: MaxTokensRecommendation, answers: Answers, start: Floats) -> Row:
    """The interval of the P99.9 of answers that were not cut, from whole days drawn again, and its grade."""
    complete = ~answers.is_truncated
    day = (start[complete] // SECONDS_PER_DAY).astype(np.int64)
    outputs = answers.output[complete].astype(np.float64)
    interval = interval_of(outputs, day - day.min(), "p999", draws=DRAWS) if len(day) else None
    if interval is None or found.p999_output is None:
        return {"p999_output_low": None, "p999_output_high": None, "grade": None}
    return {
        "p999_output_low": int(interval.low),
        "p999_output_high": int(interval.high),
        "grade": grade(len(np.unique(day)), found.p999_output, interval),
    }


def _logged_seconds(facts: PoolFacts) -> float:
    """Time from the first day with a logged call of the pool to the end of the window."""
    first_day = int(facts.calls.start.min() // SECONDS_PER_DAY) * SECONDS_PER_DAY
    return float((facts.days.first_minute + facts.days.minutes) * 60 - first_day)
