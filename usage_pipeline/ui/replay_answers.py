"""Replays that the dashboard ran: one at a time, with how far it is, and remembered by their settings.

Here: what is kept of a replay, and when another one must wait. Not here: the replay (`replays.py`), widgets
(`pages/what_if.py`).
"""

import threading
from collections import OrderedDict
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from usage_pipeline.planning.replay import Progress
from usage_pipeline.planning_inputs import Days
from usage_pipeline.replay_texts import ResultColumn, columns_of
from usage_pipeline.replays import Changes, as_data, replay_published
from usage_pipeline.ui.reading import PublishedFile

MOST_CALLS = 2_000_000
"""Calls, times the traffic, that are replayed on a page; under heavy throttling they take up to half a minute."""

MOST_ANSWERS = 50
"""Replays that are remembered, over all who look at the dashboard."""

SMALLEST_STEP = 0.01
"""Share of a replay after which its progress is told again."""


@dataclass(frozen=True)
class Question:
    """Which calls are replayed, and with what settings: equal questions have equal answers."""

    file: PublishedFile
    pool_id: str
    changes: Changes
    newest_days: int
    """UTC days, counted back from the pool's newest answered call."""


@dataclass(frozen=True)
class Answer:
    """What is kept of a replay: numbers, and no calls. `data` is what the command prints with `--json`."""

    data: dict[str, Any]
    columns: tuple[ResultColumn, ...]
    days: Days


class ReplayAnswers:
    """The answers of one dashboard. Two replays at once would take the memory and time of both."""

    def __init__(self) -> None:
        self._answers: OrderedDict[Question, Answer] = OrderedDict()
        self._one_at_a_time = threading.Lock()

    def known(self, question: Question) -> Answer | None:
        """The answer, if the question was asked before."""
        return self._answers.get(question)

    def ask(self, question: Question, progress: Progress, waiting: Callable[[], None]) -> Answer:
        """The answer, after a replay if need be; `waiting` is called once when another replay is under way.

        Raises:
            ReplayError: what is asked for cannot be replayed, or is too much for a page.
            ValueError: they are too many days for one replay.
        """
        if not self._one_at_a_time.acquire(blocking=False):
            waiting()
            self._one_at_a_time.acquire()
        try:
            answer = self.known(question) or _replay(question, progress)
            self._answers[question] = answer
            while len(self._answers) > MOST_ANSWERS:
                self._answers.popitem(last=False)
            return answer
        finally:
            self._one_at_a_time.release()


def _replay(question: Question, progress: Progress) -> Answer:
    found = replay_published(
        Path(question.file.path),
        question.pool_id,
        question.changes,
        question.newest_days,
        MOST_CALLS,
        _in_steps(progress),
    )
    return Answer(as_data(found), tuple(columns_of(found)), found.asked.days)


def _in_steps(progress: Progress) -> Progress:
    """Tells of each hundredth, not of each stretch of calls."""
    told = 0.0

    def tell(share: float) -> None:
        nonlocal told
        if share - told >= SMALLEST_STEP:
            told = share
            progress(min(share, 1.0))

    return tell
