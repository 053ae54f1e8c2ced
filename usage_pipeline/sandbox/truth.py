"""The truth beside a sandbox: its requests, and what a perfect analysis of its metrics and logs would find.

Here: the tables of truth.duckdb. They are computed from the requests alone, never from metrics or records, so that a
test can compare both ways. Not here: making the requests (`traffic.py`), the columns of a request
(`truth_requests.py`), prices (`prices.py`), Amazon Q Developer and Kiro (`q_developer_truth.py`).
"""

from pathlib import Path
from typing import Any

import duckdb
import pyarrow as pa

from usage_pipeline.sandbox.account_data import AccountData
from usage_pipeline.sandbox.bill import BILLED
from usage_pipeline.sandbox.organisation import Profile, csv_rows, models
from usage_pipeline.sandbox.prices import costs_of
from usage_pipeline.sandbox.q_developer_files import BUCKET as Q_DEVELOPER_BUCKET
from usage_pipeline.sandbox.q_developer_truth import q_developer_tables
from usage_pipeline.sandbox.quota_catalogue import pool_limits
from usage_pipeline.sandbox.truth_requests import INVOCATIONS, REQUESTS, TAGS, callers_table, facts_table

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

_COSTS = """
    create table costs as
    select
        ts::date as usage_date,
        account_id,
        region,
        pool_id,
        model_id,
        application,
        count(*) as calls,
        count(error_code) as errors,
        sum(input_tokens)::bigint as input_tokens,
        sum(output_tokens)::bigint as output_tokens,
        sum(cache_read_tokens)::bigint as cache_read_tokens,
        sum(cache_write_5m_tokens)::bigint as cache_write_5m_tokens,
        sum(cache_write_1h_tokens)::bigint as cache_write_1h_tokens,
        sum(cost_usd) as cost_usd,
        sum(if(cost_usd is null, null, input_cost))::decimal(38, 0) * 0.000000000001 as input_cost_usd,
        sum(if(cost_usd is null, null, output_cost))::decimal(38, 0) * 0.000000000001 as output_cost_usd,
        sum(if(cost_usd is null, null, cache_read_cost))::decimal(38, 0) * 0.000000000001 as cache_read_cost_usd,
        sum(if(cost_usd is null, null, cache_write_cost))::decimal(38, 0) * 0.000000000001 as cache_write_cost_usd,
        count(*) filter (where cost_usd is null) as unpriced_calls
    from facts
    where is_logged
    group by all
    order by all
"""
"""Costs of the logged requests; a sum is NULL where no call of the group has a price."""


def write_truth(path: Path, data: AccountData) -> None:
    """Write callers, requests, invocations, usage_minutely, throttle_causes, costs, pools, profiles and the rest.

    They lie in the main schema: as the file is named truth.duckdb, `truth.requests` finds them in a connection to it
    and where it is attached as `truth`. Replaces the file.
    """
    path.unlink(missing_ok=True)
    with duckdb.connect(str(path), config={"memory_limit": "200MB", "threads": "1"}) as connection:
        connection.register("facts", facts_table(data, costs_of(data.requests, data.options)))
        for name, rows in (
            ("callers", callers_table(data)),
            ("log_objects", _log_objects_table(data)),
            ("pools", _pools_table(data)),
            ("profiles", _profiles_table(data)),
            ("quota_codes", _quota_codes_table()),
            *q_developer_tables(data).items(),
        ):
            connection.register(f"{name}_rows", rows)
            connection.execute(f"create table {name} as select * from {name}_rows")
        for statement in (REQUESTS, INVOCATIONS, _USAGE_MINUTELY, _THROTTLE_CAUSES, _COSTS, BILLED):
            connection.execute(statement)


def _log_objects_table(data: AccountData) -> Any:
    """One row per object of the log buckets, with the fault that would damage it."""
    kinds = {"input": "input_body", "output": "output_body", "": "records"}
    rows = [
        {
            "account_id": bucket.scope[0],
            "region": bucket.scope[1],
            "bucket": bucket.name,
            "key": made.key,
            "kind": kinds[made.part] if len(made.rows) else "permission_check",
            "modified_at": made.modified_ms,
            "records": 0 if made.part else len(made.rows),
            "damaged_by": next((fault for fault, key in bucket.damaged.items() if key == made.key), None),
        }
        for bucket in data.log_store.buckets.values()
        if bucket.name != Q_DEVELOPER_BUCKET
        for made in bucket.objects.values()
    ]
    schema = pa.schema(
        [
            *[(name, pa.string()) for name in ("account_id", "region", "bucket", "key", "kind")],
            ("modified_at", pa.timestamp("ms")),
            ("records", pa.int64()),
            ("damaged_by", pa.string()),
        ]
    )
    return pa.Table.from_pylist(rows, schema)


def _pools_table(data: AccountData) -> Any:
    """One row per pool that a caller or an application profile belongs to, with what AWS really limits."""
    callers = {caller.pool_id for caller in data.organisation.callers}
    idle = {_pool_of(profile) for profile in data.organisation.application_profiles}
    return pa.Table.from_pylist([_pool_row(pool_id) for pool_id in sorted(callers | idle)])


def _quota_codes_table() -> Any:
    """One row per model, endpoint type and kind of quota that AWS really limits, also of models that nobody calls."""
    return pa.Table.from_pylist(
        [
            {"model_id": row["model_id"], "endpoint_type": row["endpoint_type"], "quota_kind": kind, "quota_code": code}
            for row in csv_rows("pool_quotas.csv")
            for kind in ("tpm", "rpm", "tpd")
            if (code := row[f"{kind}_quota_code"])
        ]
    )


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
    schema = pa.schema([(name, pa.string()) for name in ("profile_id", "kind", "pool_id", "name")] + [("tags", TAGS)])
    return pa.Table.from_pylist([rows[key] for key in sorted(rows)], schema)


def _profile_row(
    kind: str, profile_id: str, pool_id: str, name: str | None, tags: tuple[tuple[str, str], ...]
) -> dict[str, Any]:
    return {"profile_id": profile_id, "kind": kind, "pool_id": pool_id, "name": name, "tags": list(tags)}


def _pool_of(profile: Profile) -> str:
    return f"{profile.account_id}/{profile.region}/{profile.endpoint_type}/{profile.model_id}"
