"""Logged calls of one pool as arrays, with what their logs leave out filled in and counted.

Here: the query and its result; used by recommendations and by `usage-pipeline replay`. Not here: the formulas
(`planning/`), what CloudWatch counted (`planning_inputs.py`).
"""

from dataclasses import dataclass
from typing import Any

import duckdb
import numpy as np

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
    application: Integers
    applications: tuple[str, ...]
    left_out: int

    def __len__(self) -> int:
        return len(self.start)


_CALLS = """
    select
        epoch(calls.ts)::double as start,
        coalesce(calls.input_tokens, 0) as input,
        coalesce(calls.cache_write_tokens, 0) as cache_write,
        coalesce(calls.output_tokens, 0) as output,
        calls.reserved_tokens - input - cache_write as max_tokens,
        coalesce(calls.latency_ms, minutes.latency_ms_avg)::double / 1000 as duration,
        calls.stop_reason is not null and lower(calls.stop_reason) in ($cut_reasons) as is_cut,
        calls.max_tokens is not null as has_max_tokens,
        calls.latency_ms is not null as has_latency,
        calls.application,
    from marts.invocations as calls
    left join marts.quota_usage_minutely as minutes
        on
            calls.pool_id = minutes.pool_id
            and calls.usage_date = minutes.usage_date
            and date_trunc('minute', calls.ts) = minutes.ts
    where
        calls.pool_id = $pool
        and calls.usage_date between $first and $last
        and calls.error_code is null
    order by calls.ts, calls.request_id
""".replace("$cut_reasons", ", ".join(f"'{reason}'" for reason in CUT_REASONS))


def logged_calls(con: duckdb.DuckDBPyConnection, pool_id: str, days: Days) -> LoggedCalls:
    """The answered calls of a pool on the days.

    A call without latency gets CloudWatch's average of the pool and minute, else the median of the pool's others.
    """
    table = con.execute(_CALLS, {"pool": pool_id, "first": days.first, "last": days.last}).to_arrow_table()
    usable = table.filter(table["max_tokens"].is_valid())
    names = usable["application"].combine_chunks().dictionary_encode()
    columns: dict[str, Any] = {
        name: usable[name].to_numpy() for name in usable.column_names if name not in ("application", "duration")
    }
    duration = np.asarray(usable["duration"].to_numpy(), dtype=np.float64)
    known = ~np.isnan(duration)
    if known.any():
        duration = np.where(known, duration, np.median(duration[known]))
    # A call that reached its own max_tokens was cut, whatever its log says or leaves out.
    columns["is_cut"] = columns["is_cut"] | (columns["output"] >= columns["max_tokens"])
    return LoggedCalls(
        **columns,
        duration=duration,
        application=np.asarray(names.indices.to_numpy(), dtype=np.int64),
        applications=tuple(str(name) for name in names.dictionary.to_pylist()),
        left_out=table.num_rows - usable.num_rows,
    )
