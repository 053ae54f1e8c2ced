"""The truth beside a sandbox: its requests, and what a perfect analysis of its CloudWatch metrics would find.

Here: the tables of truth.duckdb. They are computed from the requests alone, never from the metrics, so that a test can
compare both ways. Not here: making the requests (`traffic.py`).
"""

from pathlib import Path
from typing import Any

import duckdb
import pyarrow as pa

from usage_pipeline.sandbox.account_data import AccountData
from usage_pipeline.sandbox.limiter import CAUSES
from usage_pipeline.sandbox.organisation import Caller, Profile, models
from usage_pipeline.sandbox.principals import RequestPrincipals
from usage_pipeline.sandbox.quota_catalogue import pool_limits
from usage_pipeline.sandbox.traffic import ERRORS, Requests, request_ids

_REQUESTS = """
    create table requests as
    select
        request_id,
        ts,
        callers.* exclude (caller),
        principal_arn,
        facts.* exclude (request_id, ts, caller, principal, error, cause),
        errors.text as error_code,
        causes.text as throttle_cause
    from facts
    join callers using (caller)
    join principals using (principal)
    join errors on errors.number = facts.error
    join causes on causes.number = facts.cause
"""

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

# pyarrow's types are partial; its arrays and tables are Any here.
_Tags = pa.map_(pa.string(), pa.string())
_CALLER = pa.schema(
    [
        ("caller", pa.int16()),
        *[
            (name, pa.string())
            for name in (
                "account_id",
                "region",
                "endpoint_type",
                "model_id",
                "pool_id",
                "profile_id",
                "profile_kind",
                "application",
                "operation",
                "service_tier",
            )
        ],
        ("request_metadata", _Tags),
    ]
)


def write_truth(path: Path, data: AccountData) -> None:
    """Write requests, usage_minutely, throttle_causes, pools and profiles; replaces the file.

    They lie in the main schema: as the file is named truth.duckdb, `truth.requests` finds them in a connection to it
    and where it is attached as `truth`.
    """
    path.unlink(missing_ok=True)
    with duckdb.connect(str(path), config={"memory_limit": "200MB", "threads": "1"}) as connection:
        for name, rows in _lookups(data.requests, data.principals).items():
            connection.register(name, rows)
        connection.execute(_REQUESTS)
        connection.execute(_USAGE_MINUTELY)
        connection.execute(_THROTTLE_CAUSES)
        for name, rows in (("pools", _pools_table(data)), ("profiles", _profiles_table(data))):
            connection.register(f"{name}_rows", rows)
            connection.execute(f"create table {name} as select * from {name}_rows")


def _lookups(requests: Requests, principals: RequestPrincipals) -> dict[str, Any]:
    """The requests as numbers, and the tables that give the numbers their text."""
    callers = requests.callers
    return {
        "facts": _facts_table(requests, principals),
        "callers": pa.Table.from_pylist(
            [_caller_row(number, caller) for number, caller in enumerate(callers)], _CALLER
        ),
        "principals": pa.Table.from_pylist(
            [{"principal": number, "principal_arn": principal.arn} for number, principal in enumerate(principals.known)]
        ),
        "errors": pa.Table.from_pylist([{"number": n, "text": code or None} for n, code in enumerate(ERRORS)]),
        "causes": pa.Table.from_pylist([{"number": n, "text": c if n else None} for n, c in enumerate(CAUSES)]),
    }


def _facts_table(requests: Requests, principals: RequestPrincipals) -> Any:
    """One row per request or throttled attempt; NULL where it has no such value."""
    ids = request_ids(requests.ids)
    columns: dict[str, Any] = {
        "request_id": ids,
        "ts": pa.array(requests.ts, pa.timestamp("ms")),
        "caller": requests.caller,
        "principal": principals.number,
        "error": requests.error,
        "cause": requests.cause,
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
    }
    return pa.table(columns)


def _caller_row(number: int, caller: Caller) -> dict[str, Any]:
    return {
        "caller": number,
        "account_id": caller.account_id,
        "region": caller.region,
        "endpoint_type": caller.called.endpoint_type,
        "model_id": caller.called.model_id,
        "pool_id": caller.pool_id,
        "profile_id": caller.called.model_ref,
        "profile_kind": caller.called.kind,
        "application": caller.application,
        "operation": caller.operation,
        "service_tier": caller.service_tier or None,
        "request_metadata": list(caller.request_metadata.items()),
    }


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
