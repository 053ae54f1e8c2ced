"""Why a minute was throttled, who used the quota in it, who was turned away, and whether retries made it a storm.

Here: the rules as data, what follows from them for one minute, and the same rules as a SQL expression. Not here: the
minutes. CloudWatch says how many calls were throttled and not by which quota, so a cause is a conclusion.
"""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from fractions import Fraction
from typing import Literal

import numpy as np

from usage_pipeline.planning.limiter import Booleans, Integers

Cause = Literal["rpm", "tpm", "tpd", "reservation", "not_explained"]
Column = Literal[
    "invocations",
    "throttles",
    "consumed_tokens",
    "reserved_tokens",
    "day_tokens_running",
    "invocations_before",
    "throttles_before",
    "consumed_tokens_before",
    "largest_call_tokens",
    "largest_reservation_tokens",
    "rpm_limit",
    "tpm_limit",
    "tpd_limit",
]
"""What is looked at in a minute; `…_before` is the minute before. `reserved_tokens` is the peak of reservations.

`largest_call_tokens` and `largest_reservation_tokens`: the most that one call of the pool consumed and held that day.
"""

Values = Mapping[Column, int | None]
"""One throttled minute of a pool. None is not known; a limit of None limits nothing as far as known."""


@dataclass(frozen=True)
class Condition:
    """The sum of some columns is at least a share of a limit."""

    columns: tuple[Column, ...]
    limit: Column
    share: Fraction = Fraction(1)

    def holds(self, minute: Values) -> bool | None:
        """Whether it holds; None when a value is not known."""
        parts = [minute[column] for column in self.columns]
        limit = minute[self.limit]
        known = [part for part in parts if part is not None]
        if limit is None or len(known) < len(parts):
            return None
        return sum(known) >= self.share * limit

    def sql(self) -> str:
        """The condition in DuckDB's SQL, in whole numbers."""
        left = " + ".join(self.columns)
        left = f"({left})" if len(self.columns) > 1 else left
        if self.share == 1:
            return f"{left} >= {self.limit}"
        return f"{left} * {self.share.denominator} >= {self.limit} * {self.share.numerator}"


@dataclass(frozen=True)
class AnyOf:
    """One of some conditions on the same limit holds."""

    conditions: tuple[Condition, ...]

    @property
    def limit(self) -> Column:
        """The limit that all of them are about."""
        return self.conditions[0].limit

    def holds(self, minute: Values) -> bool | None:
        """Whether one holds; None when none is known to and one of them is not known."""
        found = [condition.holds(minute) for condition in self.conditions]
        if any(found):
            return True
        return None if None in found else False

    def sql(self) -> str:
        """The conditions in DuckDB's SQL."""
        return "(" + " or ".join(condition.sql() for condition in self.conditions) + ")"


@dataclass(frozen=True)
class CauseRule:
    """A cause, what makes it the likely one, and what it needs to be possible at all."""

    cause: Cause
    likely: AnyOf
    possible: AnyOf


NEARLY_FULL = Fraction(95, 100)
"""Share of the TPM quota from which on a minute counts as full; the last calls of a full minute rarely fit exactly.

Two minutes in a row that are nearly full together count as well: the first may have used what the second had left."""
ROOM_FOR_A_CALL = Fraction(1, 2)
"""Share of the TPM quota below which a call that nobody saw fits, so that tokens cannot have been the cause; the pool's
largest call of the day has to fit twice: what was turned away may have been larger than all that was let in."""

_CALL: tuple[Column, ...] = ("largest_call_tokens",)
_RESERVATION: tuple[Column, ...] = ("largest_reservation_tokens",)

RULES: tuple[CauseRule, ...] = (
    CauseRule(
        "rpm",
        likely=AnyOf((Condition(("invocations", "throttles"), "rpm_limit"),)),
        possible=AnyOf(
            (Condition(("invocations", "throttles", "invocations_before", "throttles_before"), "rpm_limit"),)
        ),
    ),
    CauseRule(
        "tpm",
        likely=AnyOf(
            (
                Condition(("consumed_tokens",), "tpm_limit", NEARLY_FULL),
                Condition(("consumed_tokens", "consumed_tokens_before"), "tpm_limit", 2 * NEARLY_FULL),
            )
        ),
        possible=AnyOf(
            (
                Condition(("consumed_tokens", "consumed_tokens_before"), "tpm_limit", ROOM_FOR_A_CALL),
                Condition(("consumed_tokens", "consumed_tokens_before", *2 * _CALL), "tpm_limit"),
            )
        ),
    ),
    CauseRule(
        "tpd",
        likely=AnyOf((Condition(("day_tokens_running",), "tpd_limit"),)),
        possible=AnyOf((Condition(("day_tokens_running",), "tpd_limit", NEARLY_FULL),)),
    ),
    CauseRule(
        "reservation",
        likely=AnyOf((Condition(("consumed_tokens", "reserved_tokens"), "tpm_limit"),)),
        possible=AnyOf(
            (
                Condition(
                    ("consumed_tokens", "consumed_tokens_before", "reserved_tokens"), "tpm_limit", ROOM_FOR_A_CALL
                ),
                Condition(
                    ("consumed_tokens", "consumed_tokens_before", "reserved_tokens", *2 * _RESERVATION),
                    "tpm_limit",
                ),
            )
        ),
    ),
)
"""The first rule that is likely gives the cause.

A minute's totals cannot show a burst across two minutes, so what is possible looks at the minute before as well.
`tpm` is never certain: a minute that is full by what calls took is fuller still by what they held.
"""


@dataclass(frozen=True)
class Verdict:
    """The cause of a throttled minute. It is certain when, by what is known, nothing else could have been."""

    cause: Cause
    is_certain: bool


def cause_of(minute: Values) -> Verdict:
    """The first rule that fits. `not_explained` is the service's side, or a burst that is too short to be seen."""
    for rule in RULES:
        if rule.likely.holds(minute):
            others = (other for other in RULES if other is not rule)
            return Verdict(rule.cause, not any(_may_be(other, minute) for other in others))
    return Verdict("not_explained", is_certain=False)


def _may_be(rule: CauseRule, minute: Values) -> bool:
    """Whether a cause cannot be ruled out: a limit that is known, and use of it that is enough or not known."""
    return minute[rule.possible.limit] is not None and rule.possible.holds(minute) is not False


def cause_sql() -> str:
    """The cause as a SQL expression over the columns."""
    cases = [f"    when {rule.likely.sql()} then '{rule.cause}'" for rule in RULES]
    return "\n".join(["case", *cases, "    else 'not_explained'", "end"])


def certainty_sql() -> str:
    """Whether the cause is certain, as a SQL expression over the columns."""
    cases: list[str] = []
    for rule in RULES:
        excluded = [
            f"({other.possible.limit} is null or not coalesce({other.possible.sql()}, true))"
            for other in RULES
            if other is not rule
        ]
        cases.append(f"    when {rule.likely.sql()} then " + " and ".join(excluded))
    return "\n".join(["case", *cases, "    else false", "end"])


@dataclass(frozen=True)
class Share:
    """One profile or caller and its share of the minute, from 0 to 1."""

    subject: str
    share: float


def shares(amounts: Mapping[str, int]) -> tuple[Share, ...]:
    """Shares of a sum, the largest first; of consumed tokens these are the consumers, of throttles the victims.

    Who was turned away is not who filled the quota: show both.
    """
    total = sum(amounts.values())
    if not total:
        return ()
    found = [Share(subject, amount / total) for subject, amount in amounts.items() if amount]
    return tuple(sorted(found, key=lambda share: (-share.share, share.subject)))


def over_fair_share(consumed: Mapping[str, int], fair_shares: Mapping[str, Fraction], limit: int) -> tuple[Share, ...]:
    """Who took more than the configured share of the quota, by the part of all that was taken beyond it."""
    beyond = {
        subject: int(max(consumed[subject] - fair * limit, Fraction(0)))
        for subject, fair in fair_shares.items()
        if subject in consumed
    }
    return shares(beyond)


STORM_SHARE = Fraction(1, 5)
"""Share of attempts that are throttled above which retries feed themselves."""
STORM_MINUTES = 3
"""Minutes in a row that make a storm."""


def retry_storms(minute: Integers, invocations: Integers, throttles: Integers) -> Booleans:
    """Which minutes are in a retry storm: more than a fifth of the attempts throttled, three minutes in a row or more.

    Minutes are ordered numbers since the epoch; one that is missing had no call and ends a storm.
    """
    attempts = invocations + throttles
    is_bad = throttles * STORM_SHARE.denominator > attempts * STORM_SHARE.numerator
    begins = np.append(True, (np.diff(minute) != 1) | (is_bad[1:] != is_bad[:-1]))[: len(minute)]
    run = np.cumsum(begins) - 1
    return is_bad & (np.bincount(run)[run] >= STORM_MINUTES) if len(run) else is_bad


def distinct_requests(invocations: int, throttles: int, attempts: int) -> tuple[int, int]:
    """Fewest and most requests behind the attempts of a time, when each is tried up to `attempts` times.

    CloudWatch counts attempts; the true number is known to the callers only.
    """
    return invocations + -(-throttles // attempts), invocations + throttles


def shares_of_causes(causes: Sequence[Cause]) -> tuple[Share, ...]:
    """Share of each cause in the throttled minutes, the most frequent first."""
    counts: dict[str, int] = {}
    for cause in causes:
        counts[cause] = counts.get(cause, 0) + 1
    return shares(counts)
