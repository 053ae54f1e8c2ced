"""What a replay made of a pool's calls, in words: for the command and for the dashboard, so that both say the same.

Here: lines of the table, sentences, the command that does it again. Not here: the replay (`replays.py`).
"""

import shlex
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from fractions import Fraction
from pathlib import Path
from typing import Any, Literal

from usage_pipeline.planning.replay import Outcome, Settings
from usage_pipeline.planning_inputs import Days
from usage_pipeline.replays import Changes, Replayed

ESTIMATES = (
    "Estimates: AWS does not publish how its limiter measures a minute; it may lie between both shapes, or beside."
)


SETTINGS_LINES = 5
"""Lines of the table that say under which settings calls were sent; the others say what came of it."""


@dataclass(frozen=True)
class ResultColumn:
    """One column of the table: what one shape of limiter made of the calls under today's or the changed settings."""

    label: Literal["today", "changed"]
    settings: Settings
    outcome: Outcome


def columns_of(found: Replayed) -> list[ResultColumn]:
    """Today's and the changed settings, each for both shapes; without today's when its quota is not known."""
    columns: list[ResultColumn] = []
    if found.asked.today is not None:
        columns += [ResultColumn("today", found.asked.today, outcome) for outcome in found.today or ()]
    return columns + [ResultColumn("changed", found.asked.changed, outcome) for outcome in found.changed]


def lines_of(columns: Sequence[ResultColumn]) -> list[tuple[str, list[str]]]:
    """The table's lines: a name, and a value for each column."""
    settings = [column.settings for column in columns]
    outcomes = [column.outcome for column in columns]
    return [
        ("tokens per minute", [f"{each.limits.tokens:,}" for each in settings]),
        ("requests per minute", [_count(each.limits.requests) for each in settings]),
        ("burndown rate", [f"{float(each.burndown_rate):g}" for each in settings]),
        ("max_tokens", ["as called" if each.max_tokens is None else f"{each.max_tokens:,}" for each in settings]),
        ("traffic", [f"x {each.traffic:g}" for each in settings]),
        ("requests", [f"{each.requests:,}" for each in outcomes]),
        ("throttled requests", [_with_share(each) for each in outcomes]),
        ("attempts", [f"{each.attempts:,}" for each in outcomes]),
        ("lost requests", [f"{each.lost_requests:,}" for each in outcomes]),
        ("minutes with throttles", [f"{each.throttled_minutes:,}" for each in outcomes]),
        ("wait P99", [_seconds(each.wait_p99) for each in outcomes]),
        ("longest wait", [_seconds(each.wait_max) for each in outcomes]),
        ("answers that are cut", [f"{each.cut_answers:,}" for each in outcomes]),
    ]


def filled_in_text(data: Mapping[str, Any]) -> str:
    """What logs left out, of the data that `as_data` gives."""
    return (
        f"Filled in: the latency of {data['calls_without_latency']:,} calls, max_tokens of "
        f"{data['calls_without_max_tokens']:,}. Left out: {data['calls_left_out']:,} calls without counts."
    )


def command_of(pool_id: str, changes: Changes, days: Days, config: Path | None) -> str:
    """The command line that does the same replay, for a shell of Linux or macOS."""
    words = ["usage-pipeline", "replay", "--pool", pool_id]
    if changes.traffic != 1.0:
        words += ["--traffic", repr(changes.traffic)]
    if changes.max_tokens is not None:
        words += ["--max-tokens", str(changes.max_tokens)]
    if changes.quota is not None:
        words += ["--quota", str(changes.quota)]
    if changes.burndown_rate is not None:
        words += ["--burndown", _plain(changes.burndown_rate)]
    if changes.endpoint_type is not None:
        words += ["--endpoint", changes.endpoint_type]
    words += ["--from", days.first.isoformat(), "--to", days.last.isoformat()]
    if config is not None:
        words += ["--config", str(config)]
    return shlex.join(words)


def _plain(rate: Fraction) -> str:
    return str(rate.numerator) if rate.denominator == 1 else repr(float(rate))


def _count(value: int | None) -> str:
    return "not known" if value is None else f"{value:,}"


def _seconds(value: float | None) -> str:
    return "none served" if value is None else f"{value:.1f} s"


def _with_share(outcome: Outcome) -> str:
    share = outcome.throttled_share
    return f"{outcome.throttled_requests:,}" + ("" if share is None else f" ({share:.2%})")
