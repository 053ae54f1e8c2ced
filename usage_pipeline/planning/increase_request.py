"""The text of a quota increase request, with the numbers that AWS asks for.

Here: words and layout. Not here: the numbers. AWS Support asks for steady and peak requests and tokens per minute and
the tokens of an average request (as of 2026-06), and prefers accounts that use the quota they have.
"""

from dataclasses import dataclass
from typing import Literal

from usage_pipeline.planning.recommendations import QuotaRecommendation

LONGEST_NAME = 120
"""Characters of a name that comes from AWS."""


@dataclass(frozen=True)
class Load:
    """Load per minute: steady is the median of minutes with traffic, peak the P99.9 of all minutes."""

    steady: float | None
    peak: float | None
    maximum: float | None


@dataclass(frozen=True)
class RequestFacts:
    """What the request says of one pool over the last `days` days. None is not known, and its line says so.

    `limit` is per minute, of tokens or of requests as `limited` says.
    """

    model_name: str
    endpoint_type: str
    region: str
    account_id: str
    quota_name: str
    quota_code: str
    limited: Literal["tpm", "rpm"]
    limit: int | None
    days: int
    tokens: Load
    requests: Load
    mean_input: float | None
    p99_input: float | None
    mean_output: float | None
    p99_output: float | None
    throttles: int | None
    throttled_minutes: int | None


def increase_request(facts: RequestFacts, recommendation: QuotaRecommendation) -> str:
    """Text to paste into the request. Plain text: names are cut, and line breaks in them taken out."""
    limited = facts.tokens if facts.limited == "tpm" else facts.requests
    peak_use = _share(limited.maximum, facts.limit)
    return "\n".join(
        [
            f"Please increase {_name(facts.quota_name)} ({_name(facts.quota_code)})",
            f"in account {_name(facts.account_id)}, Region {_name(facts.region)},",
            f"from {_number(facts.limit)} to {_number(recommendation.recommended)}.",
            "",
            f"Model: {_name(facts.model_name)}; endpoint type: {_name(facts.endpoint_type)}",
            f"Measured over the last {facts.days} days, per minute:",
            f"- Tokens: {_load(facts.tokens)}",
            f"- Requests: {_load(facts.requests)}",
            f"- Input tokens per request: mean {_number(facts.mean_input)}, P99 {_number(facts.p99_input)}",
            f"- Output tokens per request: mean {_number(facts.mean_output)}, P99 {_number(facts.p99_output)}",
            f"- Share of the existing quota used at the maximum: {peak_use}",
            f"- Throttled requests: {_number(facts.throttles)} in {_number(facts.throttled_minutes)} minutes",
        ]
    )


def _load(load: Load) -> str:
    return (
        f"steady {_number(load.steady)} (median of active minutes), peak {_number(load.peak)} (P99.9), "
        f"maximum {_number(load.maximum)}"
    )


def _number(value: float | None) -> str:
    return "not known" if value is None else f"{round(value):,}"


def _share(value: float | None, limit: int | None) -> str:
    return "not known" if value is None or not limit else f"{value / limit:.0%}"


def _name(text: str) -> str:
    words = " ".join("".join(letter if letter.isprintable() else " " for letter in text).split())
    return words if len(words) <= LONGEST_NAME else words[: LONGEST_NAME - 1] + "…"
