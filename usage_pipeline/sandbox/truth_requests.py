"""The truth about each request: who sent it, what it cost, whether it was logged, and what its record tells.

Here: truth.callers, truth.requests and the view truth.invocations. Not here: the other tables (`truth.py`).
"""

from collections.abc import Callable, Sequence
from typing import Any

import numpy as np
import numpy.typing as npt
import pyarrow as pa

from usage_pipeline.sandbox.account_data import AccountData
from usage_pipeline.sandbox.limiter import CAUSES
from usage_pipeline.sandbox.log_bodies import (
    STOP_WORDS,
    TELLS_LATENCY,
    TELLS_TTFT,
    body_kind,
    reports_cache,
    reports_output,
    told_tier,
)
from usage_pipeline.sandbox.log_destinations import DESTINATIONS
from usage_pipeline.sandbox.log_plan import INLINE
from usage_pipeline.sandbox.log_records import inference_regions, model_names
from usage_pipeline.sandbox.organisation import Caller
from usage_pipeline.sandbox.prices import Costs
from usage_pipeline.sandbox.traffic import ERRORS, request_ids

Array = npt.NDArray[Any]

# pyarrow's types are partial; its arrays and tables are Any here.
TAGS = pa.map_(pa.string(), pa.string())

REQUESTS = """
    create table requests as
    select * exclude (input_cost, output_cost, cache_read_cost, cache_write_cost)
    from facts
"""

INVOCATIONS = """
    create view invocations as
    select
        requests.ts::date as usage_date,
        account_id,
        region,
        request_id,
        date_trunc('second', requests.ts) as ts,
        operation,
        logged_model_id,
        profile_id,
        inference_region,
        principal_arn,
        if(cardinality(request_metadata) > 0, request_metadata, null) as request_metadata,
        error_code,
        if(is_answered, input_tokens, null)::bigint as input_tokens,
        if(is_answered and tells_output, output_tokens, null)::bigint as output_tokens,
        if(is_answered and tells_cache, cache_read_tokens, null)::bigint as cache_read_tokens,
        if(is_answered and tells_cache, cache_write_5m_tokens + cache_write_1h_tokens, null)::bigint
            as cache_write_tokens,
        if(lifetimes_are_told, cache_write_5m_tokens, null)::bigint as cache_write_5m_tokens,
        if(lifetimes_are_told, cache_write_1h_tokens, null)::bigint as cache_write_1h_tokens,
        null::bigint as output_images,
        if(request_is_told, max_tokens, null)::bigint as max_tokens,
        if(answer_is_told, stop_reason, null) as stop_reason,
        if(answer_is_told and tells_latency, latency_ms, null)::double as latency_ms,
        if(answer_is_told and tells_ttft, ttft_ms, null)::double as ttft_ms,
        if(
            (request_is_told and tier_by_request) or (answer_is_told and tier_by_answer), told_service_tier, null
        ) as service_tier
    from (select *, error_code is null as is_answered from requests) as requests
    join callers using (caller)
    where is_logged
"""
"""What a perfect reading of the logs has: the columns of raw.invocations, one row per logged request."""


def callers_table(data: AccountData) -> Any:
    """One row per simulated caller: what its records tell."""
    return pa.Table.from_pylist([_told(number, caller) for number, caller in enumerate(data.requests.callers)])


def _told(number: int, caller: Caller) -> dict[str, Any]:
    kind, tier = body_kind(caller), told_tier(caller)
    return {
        "caller": number,
        "told_service_tier": tier.name,
        "tier_by_request": tier.by_request,
        "tier_by_answer": tier.by_answer,
        "tells_latency": kind in TELLS_LATENCY,
        "tells_ttft": kind in TELLS_TTFT,
        "tells_cache": reports_cache(caller),
        "tells_output": reports_output(caller),
    }


def _caller_columns(data: AccountData) -> dict[str, Any]:
    callers, number = data.requests.callers, data.requests.caller
    rows: Any = pa.array(number)
    metadata = pa.array([list(caller.request_metadata.items()) for caller in callers], TAGS)
    texts = {
        "account_id": [caller.account_id for caller in callers],
        "region": [caller.region for caller in callers],
        "endpoint_type": [caller.called.endpoint_type for caller in callers],
        "model_id": [caller.called.model_id for caller in callers],
        "pool_id": [caller.pool_id for caller in callers],
        "profile_id": [caller.called.model_ref for caller in callers],
        "profile_kind": [caller.called.kind for caller in callers],
        "workload": [caller.application for caller in callers],
        "operation": [caller.operation for caller in callers],
        "service_tier": [caller.service_tier or None for caller in callers],
    }
    columns: dict[str, Any] = {name: _texts(text, number) for name, text in texts.items()}
    return {"caller": number, **columns, "request_metadata": metadata.take(rows)}


def facts_table(data: AccountData, costs: Costs) -> Any:
    """One row per request or throttled attempt; NULL where it has no such value.

    The costs by kind of token are in 10^-12 US dollars, for sums, and not part of truth.requests.
    """
    requests = data.requests
    ids = request_ids(requests.ids)
    columns: dict[str, Any] = {
        "request_id": ids,
        "ts": _moments(requests.ts),
        **_caller_columns(data),
        **_principal_columns(data),
        "error_code": _texts([code or None for code in ERRORS], requests.error),
        "throttle_cause": _texts([None, *CAUSES[1:]], requests.cause),
        "max_tokens": pa.array(requests.max_tokens, mask=requests.max_tokens == 0),
        "input_tokens": requests.input_tokens,
        "output_tokens": requests.output_tokens,
        "cache_read_tokens": requests.cache_read,
        "cache_write_5m_tokens": requests.cache_write_5m,
        "cache_write_1h_tokens": requests.cache_write_1h,
        "consumed_tokens": requests.consumed,
        "reserved_tokens": requests.reserved,
        "latency_ms": pa.array(requests.latency_ms, mask=requests.latency_ms == 0),
        "ttft_ms": pa.array(requests.ttft_ms, mask=requests.ttft_ms == 0),
        "is_accepted": requests.accepted,
        "attempt": requests.attempt,
        "retry_of": ids.take(pa.array(requests.retry_of, mask=requests.retry_of < 0)),
        "cost_usd": _dollars(costs.total, ~costs.is_priced),
        "input_cost": costs.input,
        "output_cost": costs.output,
        "cache_read_cost": costs.cache_read,
        "cache_write_cost": costs.cache_write,
        **_log_columns(data),
    }
    return pa.table(columns)


def _principal_columns(data: AccountData) -> dict[str, Any]:
    known, number = data.principals.known, data.principals.number
    names = ("principal_type", "role_or_user", "session_name", "application")
    return {
        "principal_arn": _texts([principal.arn for principal in known], number),
        **{name: _texts([getattr(principal, name) for principal in known], number) for name in names},
    }


def _log_columns(data: AccountData) -> dict[str, Any]:
    """Whether, where and when the request was logged, and what its record tells."""
    requests, plan = data.requests, data.log_plan
    answered = plan.is_logged & (requests.error == 0)
    keys, key_number = _log_keys(data)
    return {
        "is_logged": plan.is_logged,
        "log_destination": _log_destinations(data),
        "log_key": _texts(keys, key_number),
        "delivered_at": _moments(plan.delivered_ms),
        "delivered_again_at": _moments(plan.again_ms),
        "request_is_told": answered & (plan.input_place == INLINE),
        "answer_is_told": answered & (plan.output_place == INLINE),
        "lifetimes_are_told": answered & plan.shows_lifetimes,
        "logged_model_id": _by_caller(data, model_names, plan.model_form),
        "inference_region": _by_caller(data, inference_regions, plan.variant),
        "stop_reason": _by_caller(data, _stop_words, plan.is_truncated, requests.error == 0),
    }


def _by_caller(
    data: AccountData, texts_of: Callable[[Caller], tuple[str, ...]], choice: Array, mask: Array | None = None
) -> Any:
    """Each request's text out of its caller's texts, chosen by a number; NULL where the caller has none."""
    texts: list[str | None] = []
    first: list[int] = []
    count: list[int] = []
    for caller in data.requests.callers:
        own: Sequence[str | None] = texts_of(caller) or (None,)
        first.append(len(texts))
        count.append(len(own))
        texts += own
    caller = data.requests.caller
    number = np.array(first)[caller] + choice.astype(np.int64) % np.array(count)[caller]
    return _texts([*texts, None], number if mask is None else np.where(mask, number, len(texts)))


def _stop_words(caller: Caller) -> tuple[str, ...]:
    return STOP_WORDS[body_kind(caller)] or ()


def _log_destinations(data: AccountData) -> Any:
    scopes = [(caller.account_id, caller.region) for caller in data.requests.callers]
    number = [0 if scope not in DESTINATIONS else 1 if DESTINATIONS[scope].bucket else 2 for scope in scopes]
    number = np.where(data.log_plan.is_logged, np.array(number)[data.requests.caller], 0)
    return _texts([None, "s3", "cloudwatch_logs"], number)


def _log_keys(data: AccountData) -> tuple[list[str | None], Array]:
    """The keys of the files of records, after a None, and for each request the file that it is in first."""
    keys: list[str | None] = [None]
    number = np.zeros(len(data.requests), np.int32)
    for bucket in data.log_store.buckets.values():
        batches = sorted(
            (o for o in bucket.objects.values() if len(o.rows) and not o.part), key=lambda o: o.modified_ms
        )
        first = len(keys)
        keys += [batch.key for batch in batches]
        for place, batch in reversed(list(enumerate(batches, first))):
            number[batch.rows] = place
    return keys, number


def _moments(milliseconds: Array) -> Any:
    return pa.array(milliseconds, pa.timestamp("ms"), mask=milliseconds == 0)


def _texts(texts: Sequence[str | None], number: Array) -> Any:
    """Text by its number, kept once per text."""
    is_null = np.array([text is None for text in texts])
    known = pa.array([text or "" for text in texts], pa.string())
    indices: Any = pa.array(number.astype(np.int32), mask=is_null[number])
    return pa.DictionaryArray.from_arrays(indices, known)


def _dollars(picodollars: Array, mask: Array) -> Any:
    """10^-12 US dollars as DECIMAL(38, 12), exactly; NULL where the mask is true."""
    halves: Any = np.empty((len(picodollars), 2), np.int64)
    halves[:, 0], halves[:, 1] = picodollars, picodollars >> 63
    validity = pa.array(~mask).buffers()[1]
    buffers = [validity, pa.py_buffer(halves)]
    return pa.Array.from_buffers(pa.decimal128(38, 12), len(picodollars), buffers)
