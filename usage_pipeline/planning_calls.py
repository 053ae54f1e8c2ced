"""Logged calls of one pool as arrays, with what their logs leave out filled in and counted.

Here: the query and its result; used by recommendations and by `usage-pipeline replay`. Not here: the formulas
(`planning/`), what CloudWatch counted (`planning_inputs.py`).
"""

from dataclasses import dataclass
from typing import Any

import duckdb
import numpy as np
import numpy.typing as npt

from usage_pipeline.planning.limiter import Booleans, Integers
from usage_pipeline.planning.percentiles import Floats
from usage_pipeline.planning_inputs import Days

CUT_REASONS = ("max_tokens", "length")
"""Stop reasons of an answer that was cut, in lower case: as Converse, Anthropic and Cohere, and as OpenAI have it."""


@dataclass(frozen=True)
class LoggedCalls:
    """Answered calls of one pool in the order of time, with what a replay needs.

    `start` in seconds since the epoch, `duration` in seconds, the others in tokens. `max_tokens` is the model's maximum
    where the call set none. `application` is a position in `applications`. What was filled in is counted: calls without
    max_tokens, calls without latency. `left_out` are answered calls without counts, or whose max_tokens nobody knows.
    A duration is NaN when no call of the pool has one.
    """

    start: Floats
    input: Integers
    cache_write: Integers
    output: Integers
    max_tokens: Integers
    duration: Floats
    is_cut: Booleans
    has_max_tokens: Booleans
    has_latency: Booleans
    application: npt.NDArray[np.int32]
    applications: tuple[str, ...]
    left_out: int

    def __len__(self) -> int:
        return len(self.start)


_ANSWERED = """
    from marts.invocations as calls
    where calls.usage_date between $first and $last and calls.error_code is null
"""

# Ordered by all numbers: calls that are equal in them can change places without changing anything.
_CALLS = f"""
    with answered as (
        select
            *,
            epoch(ts)::double as start,
            coalesce(input_tokens, 0) as input,
            coalesce(cache_write_tokens, 0) as cache_write,
            coalesce(output_tokens, 0) as output,
        {_ANSWERED} and calls.pool_id = $pool and calls.reserved_tokens is not null
    )

    select
        answered.start,
        answered.input,
        answered.cache_write,
        answered.output,
        answered.reserved_tokens - answered.input - answered.cache_write as max_tokens,
        coalesce(answered.latency_ms, minutes.latency_ms_avg)::double / 1000 as duration,
        answered.max_tokens is not null as has_max_tokens,
        answered.latency_ms is not null as has_latency,
        coalesce(lower(answered.stop_reason) in {CUT_REASONS}, false) as is_cut,
        answered.application,
    from answered
    left join marts.quota_usage_minutely as minutes
        on
            minutes.pool_id = $pool
            and answered.usage_date = minutes.usage_date
            and date_trunc('minute', answered.ts) = minutes.ts
    order by all
"""

_TYPES: dict[str, type] = {
    "start": np.float64,
    "input": np.int64,
    "cache_write": np.int64,
    "output": np.int64,
    "max_tokens": np.int64,
    "duration": np.float64,
    "has_max_tokens": np.bool_,
    "has_latency": np.bool_,
    "is_cut": np.bool_,
}
_ROWS_AT_ONCE = 100_000


@dataclass(frozen=True)
class CallCount:
    """Answered calls of a pool, and those of them that `logged_calls` has."""

    answered: int
    usable: int


NO_CALLS = CallCount(0, 0)


def count_calls(con: duckdb.DuckDBPyConnection, days: Days, pool_id: str | None = None) -> dict[str, CallCount]:
    """Calls on the days by pool, of one pool or of all; a pool without an answered call is not in it."""
    rows: list[tuple[str, int, int]] = con.execute(
        f"""
        select calls.pool_id, count(*), count(calls.reserved_tokens)
        {_ANSWERED} and calls.pool_id is not null and ($pool is null or calls.pool_id = $pool)
        group by calls.pool_id
        """,
        {"pool": pool_id, "first": days.first, "last": days.last},
    ).fetchall()
    return {found: CallCount(answered, usable) for found, answered, usable in rows}


def logged_calls(con: duckdb.DuckDBPyConnection, pool_id: str, days: Days, counted: CallCount) -> LoggedCalls:
    """The answered calls of a pool on the days, as many as `count_calls` counted.

    A call without latency gets CloudWatch's average of the pool and minute, else the median of the pool's others.
    """
    asked = {"pool": pool_id, "first": days.first, "last": days.last}
    usable = counted.usable
    columns: dict[str, Any] = {name: np.empty(usable, dtype) for name, dtype in _TYPES.items()}
    application = np.empty(usable, np.int32)
    names: dict[str, int] = {}
    at = 0
    # Ten million calls as one table would be there twice.
    for batch in con.execute(_CALLS, asked).to_arrow_reader(_ROWS_AT_ONCE):
        part = slice(at, at + batch.num_rows)
        for name, column in columns.items():
            column[part] = batch.column(name).to_numpy(zero_copy_only=False)
        coded = batch.column("application").dictionary_encode()
        numbers = [names.setdefault(str(name), len(names)) for name in coded.dictionary.to_pylist()]
        application[part] = np.array(numbers, np.int32)[coded.indices.to_numpy()]
        at += batch.num_rows
    _fill_durations(columns["duration"])
    # A call that reached its own max_tokens was cut, whatever its log says or leaves out.
    columns["is_cut"] |= columns["output"] >= columns["max_tokens"]
    return LoggedCalls(
        **columns, application=application, applications=tuple(names), left_out=counted.answered - usable
    )


def _fill_durations(duration: Floats) -> None:
    known = ~np.isnan(duration)
    if known.any() and not known.all():
        duration[~known] = np.median(duration[known])
