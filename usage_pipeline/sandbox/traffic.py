"""Requests, from one seeded generator: the source of every metric and of every log record.

Here: when each caller calls, how many tokens, how long it takes, what fails. Not here: who calls (`organisation.py`,
`principals.py`), throttling (`limiter.py`), metrics (`metrics.py`), logs (`log_plan.py`).
"""

from collections.abc import Mapping
from dataclasses import dataclass, fields
from datetime import UTC, datetime, timedelta
from functools import cached_property
from typing import Any
from zlib import crc32

import numpy as np
import numpy.typing as npt
import pyarrow as pa

from usage_pipeline.sandbox import limiter
from usage_pipeline.sandbox.options import SandboxOptions
from usage_pipeline.sandbox.organisation import (
    PEAK_POOL,
    PEAK_SHARE,
    THROTTLED_POOLS,
    Caller,
    Organisation,
    models,
)
from usage_pipeline.sandbox.quota_catalogue import pool_limits

Array = npt.NDArray[Any]

MINUTE_MS = 60_000
DAY_MINUTES = 1440
SESSIONS = 6
"""Sessions, instances or people behind one caller's principal."""

RETRIES = 2
"""A throttled attempt is sent again at most this often, as botocore's standard mode does."""

ERRORS = ("", "ThrottlingException", "ValidationException", "ModelTimeoutException", "InternalServerException")
"""Error code by its number; 0 is success."""
SUCCESS, THROTTLED, REJECTED, TIMED_OUT, SERVER_ERROR = range(5)


@dataclass(frozen=True)
class Requests:
    """One element per request in the order of time, also each attempt that was throttled.

    `caller` is a row of `callers`; times in ms since 1970 (UTC) or durations in ms; token counts are 0 where a call
    failed; `max_tokens` is 0 where it is unset; `retry_of` is the row of the first attempt or -1; `cause` is the
    limiter's number of why an attempt was throttled; `ids` has the 16 bytes of each request id.
    """

    callers: tuple[Caller, ...]
    end: datetime
    caller: Array
    session: Array
    ts: Array
    max_tokens: Array
    input_tokens: Array
    output_tokens: Array
    cache_read: Array
    cache_write_5m: Array
    cache_write_1h: Array
    latency_ms: Array
    ttft_ms: Array
    error: Array
    attempt: Array
    retry_of: Array
    cause: Array
    ids: Array

    def __len__(self) -> int:
        return len(self.ts)

    @cached_property
    def cache_write(self) -> Array:
        """Tokens written to the cache, both lifetimes."""
        return self.cache_write_5m + self.cache_write_1h

    @cached_property
    def minute(self) -> Array:
        """Minute of the request's start, counted from 1970."""
        return (self.ts // MINUTE_MS).astype(np.int32)

    @cached_property
    def burndown(self) -> Array:
        """True burndown rate of each request's model."""
        return _true_burndown(self.callers)[self.caller]

    @cached_property
    def consumed(self) -> Array:
        """Quota tokens that each request took in the end; 0 where it failed."""
        return self.input_tokens + self.cache_write + self.output_tokens * self.burndown

    @cached_property
    def reserved(self) -> Array:
        """Quota tokens reserved at the start of each accepted request, with the model's maximum where unset."""
        maximum = np.array([_longest_answer(caller) for caller in self.callers])[self.caller]
        asked = np.where(self.max_tokens > 0, self.max_tokens, maximum)
        return np.where(self.accepted, self.input_tokens + self.cache_write + asked, 0)

    @cached_property
    def accepted(self) -> Array:
        """Whether CloudWatch counts the request as an invocation: neither throttled nor rejected at the door."""
        return (self.error != THROTTLED) & (self.error != REJECTED)


def generate_requests(options: SandboxOptions, organisation: Organisation | None = None) -> Requests:
    """Make the requests of the window. Equal options give equal requests, to the last id."""
    organisation = organisation or Organisation(options.profiles_factor, options.pools)
    callers = organisation.callers
    parts = [_calls(caller, number, options) for number, caller in enumerate(callers)]
    columns = {name: np.concatenate([part[name] for part in parts]) for name in parts[0]}
    _scale_peak_pool(columns, callers)
    _add_latency(columns, callers, options.seed)
    for pool_id in THROTTLED_POOLS:
        columns = _throttle(columns, callers, pool_id, options.seed)
    return _finish(columns, callers, options)


def window_start(options: SandboxOptions) -> datetime:
    """The first minute of the window: midnight, `days` days before the day of `end`."""
    return options.end.replace(hour=0, minute=0, second=0, microsecond=0) - timedelta(days=options.days)


def _minutes(moment: datetime) -> int:
    return int(moment.replace(tzinfo=UTC).timestamp()) // 60


def _random(options_seed: int, *keys: str) -> np.random.Generator:
    return np.random.default_rng([options_seed, *(crc32(key.encode()) for key in keys)])


def _true_burndown(callers: tuple[Caller, ...]) -> Array:
    known = models()
    return np.array([known[c.called.model_id].burndown if c.called.model_id in known else 1 for c in callers])


def _longest_answer(caller: Caller) -> int:
    model = models().get(caller.called.model_id)
    return model.max_output_tokens if model else 0


# Share of a day's calls by hour (UTC), for each shape; the mean of a day is 1.
_HOURS: dict[str, npt.NDArray[np.float64]] = {
    name: np.array(weights, dtype=float) * 24 / sum(weights)
    for name, weights in {
        "always": [6, 5, 5, 5, 5, 6, 7, 8, 10, 11, 11, 11, 11, 12, 12, 13, 12, 11, 10, 9, 9, 8, 7, 6],
        "office": [0, 0, 0, 0, 0, 0, 1, 4, 8, 9, 9, 8, 7, 9, 10, 9, 7, 4, 2, 1, 0, 0, 0, 0],
        "evening": [2, 0, 0, 0, 0, 0, 0, 0, 0, 0, 1, 1, 2, 2, 2, 3, 4, 6, 8, 9, 9, 8, 6, 4],
        "tokyo": [7, 9, 9, 6, 8, 9, 9, 8, 6, 3, 1, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 2],
        "nightly": [0, 6, 9, 9, 5, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0],
    }.items()
}
_WEEKEND = 0.4
_GROWTH_PER_DAY = 0.004
_RETIRED_DAYS = 16
"""A `first_days` caller has been silent for this long: past CloudWatch's two weeks and its 60-s retention."""


def _minute_rates(caller: Caller, options: SandboxOptions, random: np.random.Generator) -> Array:
    """Expected requests of each minute of the window."""
    first = _minutes(window_start(options))
    minutes = np.arange(first, _minutes(options.end))
    of_day = minutes % DAY_MINUTES
    if caller.shape.startswith("daily@"):
        clock, _, length = caller.shape.removeprefix("daily@").partition("+")
        hour, minute = map(int, clock.split(":"))
        begin = hour * 60 + minute
        inside = (of_day >= begin) & (of_day < begin + int(length))
        return np.where(inside, caller.per_day / int(length), 0.0)
    shape = "office" if caller.shape == "first_days" else caller.shape
    weight = _HOURS[shape][of_day // 60]
    if shape == "office":
        weekday = (minutes // DAY_MINUTES + 3) % 7  # 1970-01-01 was a Thursday
        weight = weight * np.where(weekday >= 5, _WEEKEND, 1.0)
    if caller.shape == "first_days":
        weight = weight * (minutes < _minutes(options.end) - _RETIRED_DAYS * DAY_MINUTES)
    grown = 1 + _GROWTH_PER_DAY * (minutes - minutes[-1]) / DAY_MINUTES
    in_active_minute = caller.per_day / (DAY_MINUTES * caller.active_share)
    is_active = random.random(len(minutes)) < caller.active_share * weight
    if caller.active_share >= 1:
        return in_active_minute * weight * grown * random.gamma(6.0, 1 / 6.0, len(minutes))
    return in_active_minute * grown * is_active


def _calls(caller: Caller, number: int, options: SandboxOptions) -> dict[str, Array]:
    """The caller's requests before any limit, in the order of time."""
    random = _random(options.seed, caller.key)
    counts = random.poisson(_minute_rates(caller, options, random))
    first = _minutes(window_start(options))
    minute = np.repeat(np.arange(first, first + len(counts)), counts)
    count = len(minute)
    columns: dict[str, Array] = {
        "caller": np.full(count, number, np.int16),
        "session": random.integers(0, SESSIONS, count).astype(np.int8),
        "ts": np.sort(minute * MINUTE_MS + random.integers(0, MINUTE_MS, count)),
        "max_tokens": np.full(count, caller.max_tokens or 0, np.int64),
        "input_tokens": _lengths(caller.input_tokens, random, count),
        "output_tokens": _lengths(caller.output_tokens, random, count),
        "error": _errors(caller, random, count),
        "attempt": np.ones(count, np.int8),
        "cause": np.zeros(count, np.int8),
    }
    longest = caller.max_tokens or _longest_answer(caller) or 4096
    columns["output_tokens"] = np.minimum(columns["output_tokens"], longest)
    columns |= _cached(caller, columns["input_tokens"], random)
    failed = columns["error"] != SUCCESS
    for name in ("input_tokens", "output_tokens", "cache_read", "cache_write_5m", "cache_write_1h"):
        columns[name] = np.where(failed, 0, columns[name])
    return columns


def _lengths(median: int, random: np.random.Generator, count: int) -> Array:
    if median == 0:
        return np.zeros(count, np.int64)
    return np.maximum(1, random.lognormal(np.log(median), 0.5, count)).astype(np.int64)


def _errors(caller: Caller, random: np.random.Generator, count: int) -> Array:
    kinds = random.choice(np.array([REJECTED, TIMED_OUT, SERVER_ERROR], np.int8), count, p=[0.5, 0.2, 0.3])
    return np.where(random.random(count) < caller.error_share, kinds, SUCCESS).astype(np.int8)


def _cached(caller: Caller, input_tokens: Array, random: np.random.Generator) -> dict[str, Array]:
    """Cache reads and writes: a cached request reads a long prefix, one in five writes it, Claude some for an hour."""
    count = len(input_tokens)
    is_cached = random.random(count) < caller.cached_share
    prefix = np.where(is_cached, random.integers(2, 6, count) * input_tokens, 0)
    writes = random.random(count) < 0.2
    for_an_hour = (random.random(count) < 0.3) & caller.called.is_claude
    return {
        "cache_read": np.where(writes, 0, prefix),
        "cache_write_5m": np.where(writes & ~for_an_hour, prefix, 0),
        "cache_write_1h": np.where(writes & for_an_hour, prefix, 0),
    }


def _scale_peak_pool(columns: dict[str, Array], callers: tuple[Caller, ...]) -> None:
    """Scale the tokens of PEAK_POOL so that its busiest minute takes exactly PEAK_SHARE of its TPM quota."""
    limit = pool_limits(PEAK_POOL).tpm_limit or 0
    rows = np.flatnonzero(np.array([c.pool_id == PEAK_POOL for c in callers])[columns["caller"]])
    if not len(rows):
        return
    burndown = _true_burndown(callers)[columns["caller"][rows]]
    minute = columns["ts"][rows] // MINUTE_MS
    names = ("input_tokens", "output_tokens", "cache_read", "cache_write_5m", "cache_write_1h")

    def use_of_minutes() -> Array:
        tokens = {name: columns[name][rows] for name in names}
        used = tokens["input_tokens"] + tokens["cache_write_5m"] + tokens["cache_write_1h"]
        return np.bincount(minute - minute.min(), used + tokens["output_tokens"] * burndown)

    factor = PEAK_SHARE * limit / use_of_minutes().max()
    for name in names:
        columns[name][rows] = (columns[name][rows] * factor).astype(np.int64)
    limited = columns["max_tokens"][rows]
    columns["output_tokens"][rows] = np.where(
        limited > 0, np.minimum(columns["output_tokens"][rows], limited), columns["output_tokens"][rows]
    )
    used = use_of_minutes()
    busiest = minute.min() + int(used.argmax())
    first = rows[np.flatnonzero((minute == busiest) & (columns["error"][rows] == SUCCESS))[0]]
    columns["input_tokens"][first] += int(PEAK_SHARE * limit) - int(used.max())


def _add_latency(columns: dict[str, Array], callers: tuple[Caller, ...], seed: int) -> None:
    """Time to the first token grows with the input, the rest with the output; a rejected call has no latency."""
    random = _random(seed, "latency")
    count = len(columns["ts"])
    speed = np.array([8 + crc32(c.called.model_id.encode()) % 12 for c in callers])[columns["caller"]]
    streaming = np.array([c.is_streaming for c in callers])[columns["caller"]]
    embedding = np.array([c.output_tokens == 0 for c in callers])[columns["caller"]]
    first = random.lognormal(np.log(550), 0.35, count) + 0.02 * columns["input_tokens"]
    first = np.where(embedding, random.lognormal(np.log(90), 0.3, count), first)
    rest = columns["output_tokens"] * speed * random.lognormal(0, 0.2, count)
    succeeded = columns["error"] == SUCCESS
    columns["latency_ms"] = np.where(succeeded, first + rest, 0).astype(np.int64)
    columns["ttft_ms"] = np.where(succeeded & streaming, first, 0).astype(np.int64)


def _throttle(columns: dict[str, Array], callers: tuple[Caller, ...], pool_id: str, seed: int) -> dict[str, Array]:
    """Send one pool's calls through its limiter; throttled attempts become rows without tokens."""
    in_pool = np.array([c.pool_id == pool_id for c in callers])[columns["caller"]] & (columns["error"] == SUCCESS)
    others = {name: values[~in_pool] for name, values in columns.items()}
    calls = {name: values[in_pool] for name, values in columns.items()}
    order = np.argsort(calls["ts"], kind="stable")
    calls = {name: values[order] for name, values in calls.items()}
    others["call"], calls["call"] = np.full(len(others["ts"]), -1), np.arange(len(calls["ts"]))
    limits = pool_limits(pool_id)
    attempts = limiter.limit(
        _limiter_calls(calls, callers),
        limiter.Limiter(limits.tpm_limit or 0, limits.rpm_limit),
        _random(seed, pool_id).random((len(calls["ts"]), RETRIES)),
    )
    rows = {name: values[attempts.call] for name, values in calls.items()}
    rows["ts"], rows["cause"] = attempts.ts, attempts.cause.astype(np.int8)
    rows["attempt"] = attempts.attempt.astype(np.int8)
    throttled = attempts.cause != limiter.ADMITTED
    rows["error"] = np.where(throttled, THROTTLED, rows["error"]).astype(np.int8)
    for name in _EMPTY_WHEN_THROTTLED:
        rows[name] = np.where(throttled, 0, rows[name])
    return {name: np.concatenate([others[name], rows[name]]) for name in rows}


_EMPTY_WHEN_THROTTLED = (
    "input_tokens",
    "output_tokens",
    "cache_read",
    "cache_write_5m",
    "cache_write_1h",
    "latency_ms",
    "ttft_ms",
)


def _limiter_calls(calls: Mapping[str, Array], callers: tuple[Caller, ...]) -> limiter.Calls:
    taken = calls["input_tokens"] + calls["cache_write_5m"] + calls["cache_write_1h"]
    longest = np.array([_longest_answer(caller) for caller in callers])[calls["caller"]]
    asked = np.where(calls["max_tokens"] > 0, calls["max_tokens"], longest)
    return limiter.Calls(
        ts=calls["ts"],
        reserved=taken + asked,
        settled=taken + calls["output_tokens"] * _true_burndown(callers)[calls["caller"]],
        latency=calls["latency_ms"],
    )


def _finish(columns: dict[str, Array], callers: tuple[Caller, ...], options: SandboxOptions) -> Requests:
    """Order by time, drop what lies after the end, and give each request its id."""
    kept = np.flatnonzero(columns["ts"] < _minutes(options.end) * MINUTE_MS)
    order = kept[np.argsort(columns["ts"][kept], kind="stable")]
    columns = {name: values[order] for name, values in columns.items()}
    calls, attempts = columns.pop("call"), columns["attempt"]
    retry_of = np.full(len(order), -1, np.int32)
    first_rows = np.flatnonzero((calls >= 0) & (attempts == 1))
    row_of_call = np.zeros(calls.max(initial=0) + 1, np.int32)
    row_of_call[calls[first_rows]] = first_rows
    later = attempts > 1
    retry_of[later] = row_of_call[calls[later]]
    ids = np.frombuffer(_random(options.seed, "ids").bytes(16 * len(order)), np.uint8).reshape(-1, 16)
    for name in ("max_tokens", *_EMPTY_WHEN_THROTTLED):
        columns[name] = columns[name].astype(np.int32)
    typed = {field.name: columns[field.name] for field in fields(Requests) if field.name in columns}
    return Requests(callers=callers, end=options.end, retry_of=retry_of, ids=ids, **typed)


def request_ids(ids: Array) -> Any:  # pyarrow's types are partial
    """The 16 bytes of each id as lower-case text with dashes, in an Arrow array."""
    digits = np.frombuffer(b"0123456789abcdef", np.uint8)
    text: Any = np.full((len(ids), 36), ord("-"), np.uint8)
    places = [place for place in range(36) if place not in (8, 13, 18, 23)]
    text[:, places[0::2]] = digits[ids >> 4]
    text[:, places[1::2]] = digits[ids & 15]
    offsets: Any = np.arange(0, 36 * len(ids) + 1, 36, dtype=np.int32)
    return pa.Array.from_buffers(pa.string(), len(ids), [None, pa.py_buffer(offsets), pa.py_buffer(text)])
