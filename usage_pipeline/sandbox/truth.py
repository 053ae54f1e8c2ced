"""The truth beside a sandbox: its requests, and what a perfect analysis of its CloudWatch metrics would find.

Here: the tables of truth.duckdb. They are computed from the requests alone, never from the metrics, so that a test can
compare both ways. Not here: making the requests (`traffic.py`).
"""

from pathlib import Path
from typing import Any

import duckdb
import numpy as np
import pyarrow as pa

from usage_pipeline.sandbox.account_data import AccountData
from usage_pipeline.sandbox.limiter import CAUSES
from usage_pipeline.sandbox.organisation import Caller, Profile, models, pool_limits
from usage_pipeline.sandbox.traffic import ERRORS, SESSIONS, Requests, principal_arn

_USAGE_MINUTELY = """
    create table usage_minutely as
    select
        account_id,
        region,
        endpoint_type,
        model_id,
        pool_id,
        profile_id,
        date_trunc('minute', ts)::timestamp as ts,
        count(*) filter (where is_accepted) as invocations,
        count(*) filter (where error_code = 'ThrottlingException') as throttles,
        count(*) filter (where error_code in ('ValidationException', 'ModelTimeoutException')) as client_errors,
        count(*) filter (where error_code = 'InternalServerException') as server_errors,
        sum(input_tokens)::bigint as input_tokens,
        sum(output_tokens)::bigint as output_tokens,
        sum(cache_read_tokens)::bigint as cache_read_tokens,
        sum(cache_write_5m_tokens + cache_write_1h_tokens)::bigint as cache_write_tokens,
        sum(consumed_tokens)::bigint as consumed_tokens,
        sum(reserved_tokens)::bigint as reserved_tokens,
        sum(latency_ms)::bigint as latency_ms_total,
        count(latency_ms) as latency_samples,
        sum(ttft_ms)::bigint as ttft_ms_total,
        count(ttft_ms) as ttft_samples
    from requests
    group by all
    order by account_id, region, profile_id, ts
"""

_THROTTLE_CAUSES = """
    create table throttle_causes as
    select
        pool_id,
        date_trunc('minute', ts)::timestamp as ts,
        throttle_cause as cause,
        count(*) as throttles
    from requests
    where throttle_cause is not null
    group by all
    order by all
"""

# pyarrow has no types; its arrays and tables are Any here.
_Tags = pa.map_(pa.string(), pa.string())


def write_truth(path: Path, data: AccountData) -> None:
    """Write requests, usage_minutely, throttle_causes, pools and profiles; replaces the file.

    They lie in the main schema: as the file is named truth.duckdb, `truth.requests` finds them in a connection to it
    and where it is attached as `truth`.
    """
    path.unlink(missing_ok=True)
    with duckdb.connect(str(path)) as connection:
        for name, rows in (
            ("requests", _requests_table(data.requests)),
            ("pools", _pools_table(data)),
            ("profiles", _profiles_table(data)),
        ):
            connection.register("rows", rows)
            connection.execute(f"create table {name} as select * from rows")
            connection.unregister("rows")
        connection.execute(_USAGE_MINUTELY)
        connection.execute(_THROTTLE_CAUSES)


def _requests_table(requests: Requests) -> Any:
    """One row per request or throttled attempt; NULL where a failed call has no value."""
    tokens = {
        "input_tokens": requests.input_tokens,
        "output_tokens": requests.output_tokens,
        "cache_read_tokens": requests.cache_read,
        "cache_write_5m_tokens": requests.cache_write_5m,
        "cache_write_1h_tokens": requests.cache_write_1h,
        "consumed_tokens": requests.consumed,
        "reserved_tokens": requests.reserved,
    }
    principals = [principal_arn(caller, session) for caller in requests.callers for session in range(SESSIONS)]
    principal = requests.caller.astype(np.int64) * SESSIONS + requests.session
    errors = [code or None for code in ERRORS]
    causes = [cause if number else None for number, cause in enumerate(CAUSES)]
    columns: dict[str, Any] = {
        "request_id": _uuids(requests.ids),
        "ts": pa.array(requests.ts, pa.timestamp("ms")),
        **{name: _of_callers(requests, values) for name, values in _caller_columns(requests.callers).items()},
        "principal_arn": _chosen(principals, principal),
        "request_metadata": pa.array(
            [list(caller.request_metadata.items()) for caller in requests.callers], _Tags
        ).take(pa.array(requests.caller)),
        "max_tokens": _null_where(requests.max_tokens, requests.max_tokens == 0),
        **{name: pa.array(values, pa.int64()) for name, values in tokens.items()},
        "latency_ms": _null_where(requests.latency_ms, requests.latency_ms == 0),
        "ttft_ms": _null_where(requests.ttft_ms, requests.ttft_ms == 0),
        "error_code": _chosen(errors, requests.error),
        "is_accepted": pa.array(requests.accepted),
        "attempt": pa.array(requests.attempt, pa.int8()),
        "retry_of": _uuids(requests.ids).take(pa.array(requests.retry_of, mask=requests.retry_of < 0)),
        "throttle_cause": _chosen(causes, requests.cause),
    }
    return pa.table(columns)


def _caller_columns(callers: tuple[Caller, ...]) -> dict[str, list[str | None]]:
    return {
        "account_id": [caller.account_id for caller in callers],
        "region": [caller.region for caller in callers],
        "endpoint_type": [caller.called.endpoint_type for caller in callers],
        "model_id": [caller.called.model_id for caller in callers],
        "pool_id": [caller.pool_id for caller in callers],
        "profile_id": [caller.called.model_ref for caller in callers],
        "profile_kind": [caller.called.kind for caller in callers],
        "application": [caller.application for caller in callers],
        "operation": [caller.operation for caller in callers],
        "service_tier": [caller.service_tier or None for caller in callers],
    }


def _of_callers(requests: Requests, values: list[str | None]) -> Any:
    return _chosen(values, requests.caller)


def _chosen(values: list[Any], numbers: Any) -> Any:
    return pa.array(values, pa.string()).take(pa.array(numbers))


def _null_where(values: Any, missing: Any) -> Any:
    return pa.array(values, pa.int64(), mask=missing)


def _uuids(ids: Any) -> Any:
    """The 16 bytes of each id as lower-case text with dashes."""
    digits = np.frombuffer(b"0123456789abcdef", np.uint8)
    text = np.full((len(ids), 36), ord("-"), np.uint8)
    places = [place for place in range(36) if place not in (8, 13, 18, 23)]
    text[:, places[0::2]] = digits[ids >> 4]
    text[:, places[1::2]] = digits[ids & 15]
    offsets = np.arange(0, 36 * len(ids) + 1, 36, dtype=np.int32)
    return pa.Array.from_buffers(pa.string(), len(ids), [None, pa.py_buffer(offsets), pa.py_buffer(text)])


def _pools_table(data: AccountData) -> Any:
    """One row per pool that a caller or an application profile belongs to, with what AWS really limits."""
    callers = {caller.pool_id for caller in data.organisation.callers}
    idle = {_pool_of(profile) for profile in data.organisation.application_profiles}
    return pa.Table.from_pylist([_pool_row(pool_id) for pool_id in sorted(callers | idle)])


def _pool_row(pool_id: str) -> dict[str, Any]:
    account_id, region, endpoint_type, model_id = pool_id.split("/", 3)
    model, limits = models().get(model_id), pool_limits(pool_id)
    return {
        "pool_id": pool_id,
        "account_id": account_id,
        "region": region,
        "endpoint_type": endpoint_type,
        "model_id": model_id,
        "burndown_rate": float(model.burndown) if model else 1.0,
        "max_output_tokens": (model.max_output_tokens or None) if model else None,
        "tpm_quota_code": limits.tpm_code,
        "tpm_limit": limits.tpm_limit,
        "rpm_quota_code": limits.rpm_code,
        "rpm_limit": limits.rpm_limit,
        "tpd_quota_code": limits.tpd_code,
        "tpd_limit": limits.tpd_limit,
        "mapping_status": "mapped" if limits.tpm_code or limits.rpm_code else "no_quota",
    }


def _profiles_table(data: AccountData) -> Any:
    """One row per ModelId that was called or could be: callers' base models and system profiles, all others."""
    rows = {
        (caller.account_id, caller.region, caller.called.model_ref): _profile_row(
            caller.called.kind, caller.called.model_ref, caller.pool_id, None, ()
        )
        for caller in data.organisation.callers
    }
    for profile in data.organisation.application_profiles:
        rows[profile.account_id, profile.region, profile.profile_id] = _profile_row(
            "application", profile.profile_id, _pool_of(profile), profile.name, profile.tags
        )
    schema = pa.schema([(name, pa.string()) for name in ("profile_id", "kind", "pool_id", "name")] + [("tags", _Tags)])
    return pa.Table.from_pylist([rows[key] for key in sorted(rows)], schema)


def _profile_row(
    kind: str, profile_id: str, pool_id: str, name: str | None, tags: tuple[tuple[str, str], ...]
) -> dict[str, Any]:
    return {"profile_id": profile_id, "kind": kind, "pool_id": pool_id, "name": name, "tags": list(tags)}


def _pool_of(profile: Profile) -> str:
    return f"{profile.account_id}/{profile.region}/{profile.endpoint_type}/{profile.model_id}"
