"""Findings, results, settings and published files as tests of alerts need them."""

import dataclasses
import datetime as dt
from collections.abc import Iterable
from decimal import Decimal
from pathlib import Path
from typing import Any

import duckdb

from usage_pipeline.alerts.findings import Finding, as_json, finding_id
from usage_pipeline.alerts.stored import finding_rows
from usage_pipeline.checks.rules import Rule, RuleResult
from usage_pipeline.config import Settings, load_settings
from usage_pipeline.config_alerts import AlertSettings
from usage_pipeline.raw_tables import FINDINGS

OPENED = dt.datetime(2026, 11, 15, 10, 30)
POOL = "111122223333/us-east-1/geo/anthropic.claude-sonnet-4-5-20250929-v1:0"


def finding(name: str = "no_pool_is_throttled_too_often", number: int = 1, **changes: Any) -> Finding:
    """An open finding about the `number`-th pool."""
    subject = as_json(changes.pop("subject", {"pool_id": f"{POOL}/{number}"}))
    base = Finding(
        finding_id=finding_id(name, "marts.quota_headroom", subject),
        check_name=name,
        asset="marts.quota_headroom",
        subject=subject,
        severity="ERROR",
        summary="40 of 1000 requests were throttled.",
        description="No pool is throttled. Look at the worst minute.",
        value=Decimal(40),
        threshold=Decimal(10),
        unit="throttles per day",
        worst_value=Decimal(40),
        evidence=as_json(changes.pop("evidence", {"region": "us-east-1"})),
        first_seen_at=OPENED,
        opened_at=OPENED,
        last_seen_at=OPENED,
        resolved_at=None,
        notice="open",
        notice_number=1,
        notice_severity="ERROR",
        notice_value=Decimal(40),
    )
    return dataclasses.replace(base, **changes)


def result(
    *found: tuple[str, float], subject: tuple[str, ...] = ("pool_id",), failing_rows: int | None = None
) -> RuleResult:
    """What a check finds whose contradictions are pairs of a pool and a value."""
    rule = Rule("no_pool_is_hot", "marts.quota_pools", "No pool is hot.", "", severity="WARN", subject=subject)
    rows: list[dict[str, Any]] = [{"pool_id": pool_id, "value": value} for pool_id, value in found]
    return RuleResult(rule, not rows, "WARN", len(rows) if failing_rows is None else failing_rows, rows)


def alert_settings(**values: Any) -> AlertSettings:
    """Settings with one channel, whose address is in CHAT_URL."""
    return AlertSettings.model_validate({"channels": [{"name": "chat", "url_env": "CHAT_URL"}], **values})


def settings_in(folder: Path, **alerts: Any) -> Settings:
    """The settings of a warehouse of its own."""
    path = folder / "usage_pipeline.yaml"
    path.write_text("accounts:\n  - {name: production, regions: [us-east-1]}\n", encoding="utf-8")
    return load_settings(path).model_copy(update={"alerts": alert_settings(**alerts)})


def publish_findings(file: Path, findings: Iterable[Finding]) -> None:
    """Put the findings, and tables about pools without rows, where readers look."""
    file.parent.mkdir(parents=True, exist_ok=True)
    unfinished = file.with_suffix(".unfinished")
    with duckdb.connect(str(unfinished)) as con:
        con.execute(f"create schema ops; {FINDINGS.create_statement}; create schema marts")
        con.execute(
            "create table marts.usage_daily "
            "(pool_id varchar, usage_date date, role_or_user varchar, consumed_tokens bigint)"
        )
        con.execute(
            "create table marts.quota_headroom (pool_id varchar, quota varchar, usage_date date, "
            "top_profiles struct(profile_id varchar, profile_name varchar, share double)[])"
        )
        con.register("stored", finding_rows(findings, []))
        con.execute(f"insert into {FINDINGS.qualified_name} by name from stored")
    unfinished.replace(file)
