"""Findings as rows of `ops.findings`, and what the published tables say of who used a pool.

Here: reading and making rows. Readers open the published file, look and close it. Not here: what a finding is
(`findings.py`).
"""

import dataclasses
import json
from collections.abc import Iterable, Mapping, Sequence
from pathlib import Path
from typing import Any

import duckdb
import pyarrow as pa

from usage_pipeline.alerts.deliveries import Delivery
from usage_pipeline.alerts.findings import Finding
from usage_pipeline.alerts.messages import Consumer
from usage_pipeline.raw_tables import ALERT_DELIVERIES, FINDINGS
from usage_pipeline.warehouse import arrow_schema

_FIELDS = tuple(field.name for field in dataclasses.fields(Finding))

CALLERS_OF_A_POOL = """
    select
        coalesce(role_or_user, 'unknown caller') as name,
        sum(consumed_tokens)::double / nullif(sum(sum(consumed_tokens)) over (), 0) as share,
    from marts.usage_daily
    where pool_id = $pool_id and usage_date = (select max(usage_date) from marts.usage_daily where pool_id = $pool_id)
    group by role_or_user
    having sum(consumed_tokens) > 0
    order by share desc, name
    limit 3
"""
"""Up to three callers of a pool on its newest logged day, with their share of what was consumed."""

PROFILES_OF_A_POOL = """
    select
        coalesce(profile.profile_name, profile.profile_id) as name,
        profile.share as share,
    from (
        select unnest(top_profiles) as profile,
        from marts.quota_headroom
        where
            pool_id = $pool_id
            and quota = 'tpm'
            and usage_date = (select max(usage_date) from marts.quota_headroom where pool_id = $pool_id)
    )
    order by profile.share desc, name
    limit 3
"""
"""The same for profiles, where invocation logs say nothing: at the worst minute of the newest day with use."""


def stored_findings(con: duckdb.DuckDBPyConnection) -> list[Finding]:
    """Every row of `ops.findings`."""
    rows = con.execute(f"select {', '.join(_FIELDS)} from {FINDINGS.qualified_name} order by all").fetchall()
    return [Finding(*row) for row in rows]


def read_findings(published: Path) -> list[Finding]:
    """Findings that readers see; none before the first run."""
    if not published.exists():
        return []
    with duckdb.connect(str(published), read_only=True) as con:
        is_there = con.execute(
            "select 1 from duckdb_tables() where schema_name = $schema and table_name = $name",
            {"schema": FINDINGS.schema, "name": FINDINGS.name},
        ).fetchone()
        return stored_findings(con) if is_there else []


def read_consumers(published: Path, findings: Sequence[Finding]) -> dict[str, list[Consumer]]:
    """By finding, who used its pool most; findings about something else than a pool are not there."""
    pools = {finding.finding_id: json.loads(finding.subject).get("pool_id") for finding in findings}
    pools = {identifier: pool_id for identifier, pool_id in pools.items() if pool_id}
    if not pools:
        return {}
    with duckdb.connect(str(published), read_only=True) as con:
        return {identifier: _consumers(con, pool_id) for identifier, pool_id in pools.items()}


def _consumers(con: duckdb.DuckDBPyConnection, pool_id: str) -> list[Consumer]:
    for query in (CALLERS_OF_A_POOL, PROFILES_OF_A_POOL):
        if rows := con.execute(query, {"pool_id": pool_id}).fetchall():
            return [Consumer(name, share) for name, share in rows if share is not None]
    return []


def finding_rows(findings: Iterable[Finding], deliveries: Iterable[Delivery]) -> pa.Table:
    """Rows of `ops.findings`: each with how its newest notice was delivered."""
    told: dict[tuple[str, Any], list[Delivery]] = {}
    for delivery in deliveries:
        told.setdefault((delivery.key.finding_id, delivery.key.opened_at), []).append(delivery)
    rows = [
        {**dataclasses.asdict(finding), **_told(told.get((finding.finding_id, finding.opened_at), []))}
        for finding in findings
    ]
    return pa.Table.from_pylist(rows, schema=arrow_schema(FINDINGS))


def _told(deliveries: Sequence[Delivery]) -> Mapping[str, Any]:
    if not deliveries:
        return {"notified_at": None, "notified_state": None, "delivery_error": None, "attempts": 0}
    reached = [delivery for delivery in deliveries if delivery.delivered_at is not None]
    newest = max(reached, key=lambda delivery: str(delivery.delivered_at)) if reached else None
    errors = [f"{delivery.key.channel}: {delivery.error}" for delivery in deliveries if delivery.error]
    return {
        "notified_at": newest.delivered_at if newest else None,
        "notified_state": newest.notice if newest else None,
        "delivery_error": "; ".join(errors) or None,
        "attempts": sum(delivery.attempts for delivery in deliveries),
    }


def delivery_rows(deliveries: Iterable[Delivery]) -> pa.Table:
    """Rows of `ops.alert_deliveries`."""
    rows = [{**dataclasses.asdict(delivery.key), **_without_key(delivery)} for delivery in deliveries]
    return pa.Table.from_pylist(rows, schema=arrow_schema(ALERT_DELIVERIES))


def _without_key(delivery: Delivery) -> dict[str, Any]:
    return {name: value for name, value in dataclasses.asdict(delivery).items() if name != "key"}
