"""A replay of a pool's stored calls: what is asked for, what the published tables say, and both results.

Here: the request, its errors in words, today's and the changed settings, results as plain data. Not here: the limiters
(`planning/replay.py`), the command and its table (`cli_replay.py`).
"""

import datetime as dt
import difflib
from collections.abc import Sequence
from dataclasses import asdict, dataclass, replace
from decimal import Decimal
from fractions import Fraction
from pathlib import Path
from typing import Any

import duckdb
import numpy as np

from usage_pipeline.attached_file import attached
from usage_pipeline.planning.limiter import Limits
from usage_pipeline.planning.replay import Calls, Outcome, Progress, Settings, part_of, replay
from usage_pipeline.planning_calls import NO_CALLS, LoggedCalls, count_calls, logged_calls
from usage_pipeline.planning_inputs import Days

DEFAULT_DAYS = 7
"""Days that are replayed when none are named."""

MOST_TRAFFIC = 100
"""Times today's calls; more would take gigabytes and says nothing of callers that are like today's."""

NEAR_MATCHES = 5
"""Pools that an error names when a pool does not exist."""


class ReplayError(ValueError):
    """What was asked for cannot be replayed; the text says why and what to do."""


@dataclass(frozen=True)
class Changes:
    """What is to be other than today; None leaves it."""

    traffic: float = 1.0
    max_tokens: int | None = None
    quota: int | None = None
    burndown_rate: Fraction | None = None
    endpoint_type: str | None = None


@dataclass(frozen=True)
class PoolSettings:
    """What the published tables say of a pool; limits and rate are None when unknown."""

    pool_id: str
    endpoint_type: str
    tokens: int | None
    requests: int | None
    burndown_rate: Fraction | None


@dataclass(frozen=True)
class Asked:
    """Calls of a pool and the settings that they are to meet. `today` is None when today's quota is unknown."""

    pool_id: str
    days: Days
    calls: LoggedCalls
    today: Settings | None
    changed: Settings


@dataclass(frozen=True)
class Replayed:
    """What both settings made of the calls, each in both shapes of limiter; `today` as above."""

    asked: Asked
    today: tuple[Outcome, ...] | None
    changed: tuple[Outcome, ...]


def replay_published(
    published: Path,
    pool_id: str,
    changes: Changes,
    days: Days | int = DEFAULT_DAYS,
    most_calls: int | None = None,
    progress: Progress | None = None,
) -> Replayed:
    """Replay the pool's calls of the published file: of the days, or of so many newest ones.

    Args:
        published: the file that readers open.
        pool_id: a pool of `marts.quota_pools`.
        changes: what is other than today.
        days: the days, or how many, counted back from the pool's newest answered call.
        most_calls: more calls than these, times the traffic, are refused; None refuses none.
        progress: is told the share that is done.

    Raises:
        ReplayError: the pool, its calls, a limit or a rate is not there, or there are too many calls.
        ValueError: they are too many days for one replay.
    """
    with attached(published) as con:
        con.execute("use published")
        named = newest_days(con, pool_id, days) if isinstance(days, int) else days
        if most_calls is not None:
            counted = count_calls(con, named, pool_id).get(pool_id, NO_CALLS)
            _refuse_too_many(counted.usable, changes.traffic, most_calls, named)
        asked = ask(con, pool_id, changes, named)
    return replayed(asked, progress)


def _refuse_too_many(calls: int, traffic: float, most_calls: int, days: Days) -> None:
    sent = round(calls * max(traffic, 1.0))
    if sent > most_calls:
        times = f", {sent:,} with the traffic that is asked for" if sent > calls else ""
        raise ReplayError(
            f"There are {calls:,} calls from {days.first} to {days.last}{times}; at most {most_calls:,} are replayed "
            "here. Choose fewer days, or run the command, which replays them all."
        )


def ask(con: duckdb.DuckDBPyConnection, pool_id: str, changes: Changes, days: Days) -> Asked:
    """What is to be replayed of the pool on the days.

    Raises:
        ReplayError: the pool, its calls, a limit or a rate is not there.
    """
    pool = pool_settings(con, pool_id)
    changed = _changed(pool, _target(con, pool, changes.endpoint_type), changes)
    calls = logged_calls(con, pool_id, days, count_calls(con, days, pool_id).get(pool_id, NO_CALLS))
    if not len(calls):
        raise ReplayError(_without_calls(pool_id, days, calls.left_out))
    if np.isnan(calls.duration).any():
        raise ReplayError(
            f"No call of {pool_id} from {days.first} to {days.last} has a latency, in its log or in CloudWatch; nobody "
            "knows how long tokens were held. Name other days."
        )
    return Asked(pool_id, days, calls, _settings(pool), changed)


def replayed(asked: Asked, progress: Progress | None = None) -> Replayed:
    """Send the calls through both settings; `progress` is told the share that is done.

    Raises:
        ValueError: they are too many days for one replay.
    """
    logged = asked.calls
    calls = Calls(logged.start, logged.input, logged.cache_write, logged.output, logged.max_tokens, logged.duration)
    tell: Progress = progress or (lambda _: None)
    if asked.today is None:
        return Replayed(asked, None, replay(calls, asked.changed, tell))
    if asked.changed == asked.today:
        today = replay(calls, asked.today, tell)
        return Replayed(asked, today, today)
    today = replay(calls, asked.today, part_of(tell, 0, 2))
    return Replayed(asked, today, replay(calls, asked.changed, part_of(tell, 1, 2)))


def pool_settings(con: duckdb.DuckDBPyConnection, pool_id: str) -> PoolSettings:
    """What limits the pool.

    Raises:
        ReplayError: there is no such pool; names those that are written alike.
    """
    row = con.execute(
        "select pool_id, endpoint_type, tpm_limit, rpm_limit, burndown_rate from marts.quota_pools where pool_id = ?",
        [pool_id],
    ).fetchone()
    if row is None:
        known = [name for (name,) in con.execute("select pool_id from marts.quota_pools order by pool_id").fetchall()]
        raise ReplayError(_unknown_pool(pool_id, known))
    name, endpoint_type, tokens, requests, rate = row
    return PoolSettings(name, endpoint_type, tokens, requests, None if rate is None else Fraction(str(rate)))


def _unknown_pool(pool_id: str, known: Sequence[str]) -> str:
    part = pool_id.strip().lower()
    holding = [name for name in known if part and part in name.lower()]
    alike = difflib.get_close_matches(pool_id, known, n=NEAR_MATCHES, cutoff=0.5)
    near = list(dict.fromkeys([*holding, *alike]))[:NEAR_MATCHES]
    if near:
        return f"There is no pool {pool_id}. Near it are:\n" + "\n".join(f"  {name}" for name in near)
    return (
        f"There is no pool {pool_id}, nor one that is written like it; a pool is "
        "<account>/<Region>/<endpoint type>/<model id>, as in pool_id of marts.quota_pools."
    )


def _target(con: duckdb.DuckDBPyConnection, pool: PoolSettings, endpoint_type: str | None) -> PoolSettings:
    """The pool whose quotas the changed calls meet."""
    if endpoint_type is None or endpoint_type == pool.endpoint_type:
        return pool
    account_id, region, _, model_id = pool.pool_id.split("/", 3)
    other = f"{account_id}/{region}/{endpoint_type}/{model_id}"
    try:
        found = pool_settings(con, other)
    except ReplayError:
        like = con.execute(
            "select endpoint_type from marts.quota_pools where account_id = ? and region = ? and model_id = ?"
            " order by endpoint_type",
            [account_id, region, model_id],
        ).fetchall()
        offered = ", ".join(name for (name,) in like)
        raise ReplayError(f"--endpoint is {endpoint_type}; the model's endpoint types here are {offered}.") from None
    if found.tokens is None:
        raise ReplayError(f"The tokens-per-minute quota of {other} is not known; give it with --quota instead.")
    return found


def newest_days(con: duckdb.DuckDBPyConnection, pool_id: str, count: int = DEFAULT_DAYS) -> Days:
    """The newest days up to the pool's newest answered call.

    Raises:
        ReplayError: there is no such pool, or no call of it.
    """
    pool_settings(con, pool_id)
    newest = con.execute(
        "select max(usage_date) from marts.invocations where pool_id = ? and error_code is null", [pool_id]
    ).fetchone()
    if newest is None or newest[0] is None:
        raise ReplayError(f"No answered call of {pool_id} is logged; a replay needs model invocation logs.")
    return Days(newest[0] - dt.timedelta(days=count - 1), newest[0])


def _without_calls(pool_id: str, days: Days, left_out: int) -> str:
    when = f"from {days.first} to {days.last}"
    if left_out:
        return (
            f"None of the {left_out} answered calls of {pool_id} {when} has token counts and a known max_tokens. "
            "Name other days."
        )
    return f"No answered call of {pool_id} is logged {when}. Name other days."


def _settings(pool: PoolSettings) -> Settings | None:
    if not pool.tokens or pool.burndown_rate is None:
        return None
    return Settings(Limits(pool.tokens, pool.requests), pool.burndown_rate)


def _changed(pool: PoolSettings, target: PoolSettings, changes: Changes) -> Settings:
    tokens = changes.quota if changes.quota is not None else target.tokens
    rate = changes.burndown_rate if changes.burndown_rate is not None else pool.burndown_rate
    if not tokens:
        known = "not known" if tokens is None else "0"
        raise ReplayError(f"The tokens-per-minute quota of {target.pool_id} is {known}; give one with --quota.")
    if rate is None:
        raise ReplayError(f"The burndown rate of {pool.pool_id} is not known; give it with --burndown.")
    settings = Settings(Limits(tokens, target.requests), rate)
    return replace(settings, max_tokens=changes.max_tokens, traffic=changes.traffic)


def as_data(found: Replayed) -> dict[str, Any]:
    """The replay as data for JSON; shares from 0 to 1, waits in seconds."""
    asked, calls = found.asked, found.asked.calls
    return {
        "pool_id": asked.pool_id,
        "first_day": asked.days.first.isoformat(),
        "last_day": asked.days.last.isoformat(),
        "calls": len(calls),
        "calls_left_out": calls.left_out,
        "calls_without_latency": int(np.count_nonzero(~calls.has_latency)),
        "calls_without_max_tokens": int(np.count_nonzero(~calls.has_max_tokens)),
        "today": _results(asked.today, found.today),
        "changed": _results(asked.changed, found.changed),
    }


def _results(settings: Settings | None, outcomes: Sequence[Outcome] | None) -> dict[str, Any] | None:
    if settings is None or outcomes is None:
        return None
    return {
        "tokens_per_minute": settings.limits.tokens,
        "requests_per_minute": settings.limits.requests,
        "burndown_rate": _number(settings.burndown_rate),
        "max_tokens": settings.max_tokens,
        "traffic": settings.traffic,
        "shapes": [asdict(outcome) | {"throttled_share": outcome.throttled_share} for outcome in outcomes],
    }


def _number(rate: Fraction) -> int | float:
    return int(rate) if rate.denominator == 1 else float(rate)


def changes_of(
    traffic: float, max_tokens: int | None, quota: str | None, burndown: str | None, endpoint_type: str | None
) -> Changes:
    """What is to be other than today, from what a person typed; None leaves it.

    Raises:
        ReplayError: a value is not allowed, or two contradict each other.
    """
    if not 0 < traffic <= MOST_TRAFFIC:
        raise ReplayError(
            f"--traffic is {traffic}; it is a factor of today's calls, above 0 and at most {MOST_TRAFFIC}."
        )
    if quota is not None and endpoint_type is not None:
        raise ReplayError("--endpoint takes the quotas of another pool, and --quota names one; give one or the other.")
    return Changes(
        traffic=traffic,
        max_tokens=max_tokens,
        quota=None if quota is None else quota_of(quota),
        burndown_rate=None if burndown is None else rate_of(burndown),
        endpoint_type=endpoint_type,
    )


LARGEST_QUOTA = 10**12
"""Tokens per minute; ten thousand times AWS's largest quota, and every sum still fits into 64 bits."""


def quota_of(text: str) -> int:
    """Tokens per minute such as 2000000, 2,000,000 or 2e6.

    Raises:
        ReplayError: it is none, not above 0, or too large.
    """
    try:
        value = Decimal(text.replace("_", "").replace(",", ""))
        whole = int(value)
    except (ArithmeticError, ValueError):
        value, whole = Decimal(0), 0
    if whole != value or not 0 < whole <= LARGEST_QUOTA:
        raise ReplayError(f"--quota is {text!r}; give whole tokens per minute from 1 to 1e12, such as 2000000 or 2e6.")
    return whole


def rate_of(text: str) -> Fraction:
    """A burndown rate such as 5 or 2.5.

    Raises:
        ReplayError: it is none, not above 0, or finer than thousandths.
    """
    try:
        rate = Fraction(Decimal(text))
    except (ArithmeticError, ValueError):
        rate = Fraction(0)
    if not 0 < rate <= 1000 or rate.denominator > 1000:
        raise ReplayError(f"--burndown is {text!r}; give a number above 0 and up to 1000, such as 5 or 2.5.")
    return rate
