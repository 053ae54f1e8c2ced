"""What the model invocation logs tell of each request, and when it is delivered.

Here: decisions, made for all requests at once from their ids, so that records and truth agree. Not here: the JSON
(`log_records.py`, `log_bodies.py`), files and events (`log_objects.py`, `log_events.py`).
"""

from collections.abc import Callable
from dataclasses import dataclass
from datetime import UTC
from typing import Any

import numpy as np
import numpy.typing as npt

from usage_pipeline.sandbox.log_bodies import STOP_WORDS, body_kind, reports_cache
from usage_pipeline.sandbox.log_destinations import DESTINATIONS, Scope
from usage_pipeline.sandbox.options import SandboxOptions
from usage_pipeline.sandbox.organisation import Caller
from usage_pipeline.sandbox.traffic import SUCCESS, THROTTLED, Requests

Array = npt.NDArray[Any]

INLINE, IN_S3, LEFT_OUT = range(3)
"""Where a record has a body: in itself, as an object of its own, or nowhere."""

LATE_MS = (15 * 60_000, 60 * 60_000, 3 * 24 * 3_600_000)
"""How late some records are delivered; one request in LATE_ONE_IN for each."""
LATE_ONE_IN = 2000

AGAIN_AFTER_MS = 40 * 60_000
"""A request that is delivered twice is delivered again so much later, into another file; one in AGAIN_ONE_IN."""
AGAIN_ONE_IN = 1500

_SHORTEST_DELAY_MS, _DELAY_RANGE_MS = 15_000, 27_000
_TOO_LARGE_TOKENS = 100_000
"""A prompt of so many tokens, cached ones included, is larger than the 100 KB that a record holds."""
_OUTPUT_IN_S3_ONE_IN = 1500
_LEFT_OUT_ONE_IN = 300
_NESTED_ONE_IN = 50


@dataclass(frozen=True)
class LogPlan:
    """One element per request.

    `delivered_ms` is when its record is written (ms since 1970), `again_ms` when once more; 0 where it is not.
    `input_place` and `output_place` say where the bodies are. `shows_lifetimes`: the body splits cache writes by
    lifetime. `is_nested`: a Converse answer lies one level deeper. `is_truncated`: the answer ended at max_tokens.
    `model_form` is 1 where the caller named the model the less usual way; `variant` is a number for other choices.
    """

    delivered_ms: Array
    again_ms: Array
    input_place: Array
    output_place: Array
    shows_lifetimes: Array
    is_nested: Array
    is_truncated: Array
    model_form: Array
    variant: Array

    @property
    def is_logged(self) -> Array:
        """Whether the request has a record at all."""
        return self.delivered_ms > 0


def plan_logs(requests: Requests, options: SandboxOptions) -> LogPlan:
    """Decide for each request whether, when and how it is logged."""
    callers = requests.callers
    delivered, again = _deliveries(requests, options)
    succeeded = requests.error == SUCCESS
    one_in = _Draws(requests)
    input_place, output_place = _places(requests, one_in)
    writes = requests.cache_write > 0
    is_converse = _of_callers(callers, lambda caller: body_kind(caller) == "converse")[requests.caller]
    always_split = _of_callers(callers, _always_splits)[requests.caller]
    told = writes & ((requests.cache_write_1h > 0) | ~one_in(4, salt=3)) & is_converse
    return LogPlan(
        delivered_ms=delivered,
        again_ms=again,
        input_place=input_place,
        output_place=output_place,
        shows_lifetimes=(told | always_split) & succeeded & (output_place == INLINE),
        is_nested=one_in(_NESTED_ONE_IN, salt=4) & is_converse,
        is_truncated=succeeded & (requests.max_tokens > 0) & (requests.output_tokens >= requests.max_tokens),
        model_form=one_in(4, salt=5).astype(np.int8),
        variant=one_in.number(salt=6).astype(np.uint16),
    )


def _always_splits(caller: Caller) -> bool:
    """Whether the caller's answers split even no writes at all, as Claude's own bodies do."""
    return body_kind(caller) in ("claude", "claude_stream") and reports_cache(caller)


class _Draws:
    """Chances that depend on nothing but the request's id."""

    def __init__(self, requests: Requests) -> None:
        self._first, self._second = np.ascontiguousarray(requests.ids).view(np.uint64).T

    def number(self, salt: int) -> Array:
        """A number for each request, another with each salt."""
        mixed = (self._first ^ (self._second << np.uint64(salt))) * np.uint64(0x9E3779B97F4A7C15)
        return mixed >> np.uint64(33)

    def __call__(self, count: int, salt: int, residue: int = 0) -> Array:
        """True for one request in `count`; residues of the same salt exclude each other."""
        return self.number(salt) % np.uint64(count) == residue


def _of_callers(callers: tuple[Caller, ...], test: Callable[[Caller], bool]) -> Array:
    return np.array([test(caller) for caller in callers])


def _deliveries(requests: Requests, options: SandboxOptions) -> tuple[Array, Array]:
    """When each record is written first, and again; everything that is not late is there before the end."""
    one_in = _Draws(requests)
    end = int(options.end.replace(tzinfo=UTC).timestamp()) * 1000
    natural = requests.ts + _SHORTEST_DELAY_MS + (one_in.number(1) % np.uint64(_DELAY_RANGE_MS)).astype(np.int64)
    delivered = np.minimum(natural, end - 1)
    for residue, late in enumerate(LATE_MS):
        is_late = one_in(LATE_ONE_IN, salt=1, residue=residue) & (requests.ts + late < end)
        delivered = np.where(is_late, requests.ts + late, delivered)
    again = np.where(one_in(AGAIN_ONE_IN, salt=2), delivered + AGAIN_AFTER_MS, 0)
    again = np.where(again < end, again, 0)
    logs_scope = _of_callers(requests.callers, lambda c: (c.account_id, c.region) in DESTINATIONS)[requests.caller]
    is_logged = logs_scope & ((requests.error != THROTTLED) | options.logs_throttles)
    return np.where(is_logged, delivered, 0), np.where(is_logged, again, 0)


def _places(requests: Requests, one_in: _Draws) -> tuple[Array, Array]:
    """Where the bodies are. One that alone tells the price, by lifetime or tier, stays in the record."""
    callers = requests.callers
    to_s3 = _of_callers(callers, lambda c: _has_bucket((c.account_id, c.region)))[requests.caller]
    tells_tier = _of_callers(callers, lambda c: c.service_tier in ("flex", "priority"))[requests.caller]
    is_free = ~tells_tier & (requests.cache_write_1h == 0)
    prompt = requests.input_tokens + requests.cache_read + requests.cache_write
    left_out = one_in(_LEFT_OUT_ONE_IN, salt=7) & is_free
    is_large = (prompt > _TOO_LARGE_TOKENS) & to_s3 & ~tells_tier
    has_words = _of_callers(callers, lambda c: STOP_WORDS[body_kind(c)] is not None)[requests.caller]
    answer_in_s3 = one_in(_OUTPUT_IN_S3_ONE_IN, salt=8) & is_free & to_s3 & has_words & (requests.error == SUCCESS)
    input_place = np.select([left_out, is_large], [LEFT_OUT, IN_S3], INLINE).astype(np.int8)
    output_place = np.select([left_out, answer_in_s3], [LEFT_OUT, IN_S3], INLINE).astype(np.int8)
    return input_place, output_place


def _has_bucket(scope: Scope) -> bool:
    return scope in DESTINATIONS and bool(DESTINATIONS[scope].bucket)


@dataclass(frozen=True)
class Deliveries:
    """The records of one scope in the order in which they are written: the request's row, and when (ms since 1970)."""

    row: Array
    at_ms: Array


def deliveries_of(plan: LogPlan, requests: Requests, scope: Scope) -> Deliveries:
    """Every record that a scope's logs have; a request that is delivered twice is in it twice."""
    in_scope = _of_callers(requests.callers, lambda c: (c.account_id, c.region) == scope)[requests.caller]
    first = np.flatnonzero(in_scope & plan.is_logged)
    second = np.flatnonzero(in_scope & (plan.again_ms > 0))
    rows = np.concatenate([first, second])
    times = np.concatenate([plan.delivered_ms[first], plan.again_ms[second]])
    order = np.argsort(times, kind="stable")
    return Deliveries(rows[order].astype(np.int32), times[order])
