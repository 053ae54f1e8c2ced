"""What planning and the checks say of the sample warehouse, written out: rows that a run would have made."""

import json
from datetime import date, datetime
from decimal import Decimal
from pathlib import Path
from typing import Any

import duckdb

from usage_pipeline.planning_tables import (
    ANOMALIES,
    CACHE_OPPORTUNITIES,
    COST_FORECASTS,
    ENDPOINT_MOVES,
    MAX_TOKENS_RECOMMENDATIONS,
    QUOTA_FORECASTS,
    QUOTA_RECOMMENDATIONS,
)
from usage_pipeline.raw_tables import FINDINGS
from usage_pipeline_tests.report.cost_sample import HOSTILE_APPLICATION
from usage_pipeline_tests.report.sample import HOSTILE_NAME, LITE_POOL, PIXTRAL_POOL, PRODUCTION, SONNET_POOL, insert

AS_OF = date(2026, 11, 14)
OPENED = datetime.fromisoformat("2026-11-15T06:00")

REQUEST_TEXT = "Please increase the quota.\nThank you."

_NAMED = PRODUCTION | {"account_name": "production"}
_SONNET = _NAMED | {"pool_id": SONNET_POOL, "as_of": AS_OF}


def add_plans(path: Path) -> None:
    """Add the rows to a published file of the sample."""
    with duckdb.connect(str(path)) as con:
        insert(con, QUOTA_RECOMMENDATIONS, _recommendations())
        insert(con, QUOTA_FORECASTS, _forecasts())
        insert(con, MAX_TOKENS_RECOMMENDATIONS, _max_tokens())
        insert(con, ENDPOINT_MOVES, _moves())
        insert(con, CACHE_OPPORTUNITIES, _opportunities())
        insert(con, COST_FORECASTS, [_month()])
        insert(con, ANOMALIES, _anomalies())
        insert(con, FINDINGS, _findings())


def _recommendations() -> list[dict[str, Any]]:
    growth = {"trend_grade": "medium", "daily_growth": 0.02, "daily_growth_low": 0.01, "daily_growth_high": 0.03}
    dated = {
        "reaches_80pct": "reached",
        "reaches_limit": "dated",
        "reaches_limit_on": date(2026, 12, 1),
        "reaches_limit_earliest": date(2026, 11, 25),
        "reaches_limit_latest": date(2026, 12, 20),
    }
    tpm = {
        "quota": "tpm",
        "quota_code": "L-00000001",
        "current_limit": 20_000,
        "recommended": 30_000,
        "recommended_low": 27_000,
        "recommended_high": 33_000,
        "ratio": 1.5,
        "action": "increase",
        "grade": "medium",
        "dominant_term": "use",
        "caveats": ["reservations_unknown"],
        "peak": 19_500.0,
        "peak_high": 21_000.0,
        "request_text": REQUEST_TEXT,
        "evidence_sql": f"select usage_date, peak from marts.quota_headroom where pool_id = '{SONNET_POOL}'",
    }
    rpm = {
        "quota": "rpm",
        "quota_code": "L-00000002",
        "current_limit": 50,
        "recommended": 20,
        "action": "enough",
        "grade": "high",
        "caveats": [],
        "peak": 12.0,
        "reaches_limit": "no_upward_trend",
    }
    lite = _NAMED | {"pool_id": LITE_POOL, "as_of": AS_OF} | dict(tpm, action="lower_max_tokens", request_text=None)
    return [_SONNET | tpm | growth | dated, _SONNET | rpm, lite | {"current_limit": 4_000, "reaches_limit": "later"}]


def _forecasts() -> list[dict[str, Any]]:
    return [
        _SONNET
        | {"quota": "tpm", "usage_date": date(2026, 11, day), "forecast": 20_000.0 + day, "low": 18_000.0, "high": 2e4}
        for day in (15, 16)
    ]


def _max_tokens() -> list[dict[str, Any]]:
    lower = {
        "application": HOSTILE_APPLICATION,
        "requests": 5_000,
        "p999_output": 900,
        "p999_output_low": 850,
        "p999_output_high": 940,
        "grade": "high",
        "evidence_sql": "select count(*) as requests from marts.invocations",
        "max_tokens_p50": 64_000,
        "max_tokens_max": 64_000,
        "recommended": 1_088,
        "status": "lower",
        "truncated_share": 0.0,
        "truncated_share_after": 0.0004,
        "freed_tokens": 4_321.5,
        "more_at_once": 3,
    }
    little = dict(lower, application="search", freed_tokens=10.0)
    return [
        _SONNET | lower,
        _SONNET | little,
        _SONNET | dict(lower, application="x", status="already_right", recommended=None),
    ]


def _moves() -> list[dict[str, Any]]:
    to_global = {
        "to_pool_id": SONNET_POOL.replace("geo", "global"),
        "to_endpoint_type": "global",
        "peak": 19_500.0,
        "to_peak": 500.0,
        "to_limit": 50_000,
        "utilization": 0.4,
        "cost_change": -0.0909,
        "grade": "medium",
        "evidence_sql": "select 19500.0 as peak",
    }
    dearer = to_global | {"to_pool_id": "dearer", "to_endpoint_type": "on_demand", "cost_change": None}
    calm = _NAMED | {"pool_id": PIXTRAL_POOL, "as_of": AS_OF} | to_global
    return [_SONNET | dearer, _SONNET | to_global, calm]


def _opportunities() -> list[dict[str, Any]]:
    """Of seven applications that hardly cache one saves too little, and five are told; another caches well."""
    found = {
        "input_tokens": 10_000_000,
        "cache_read_tokens": 0,
        "cache_write_tokens": 0,
        "hit_ratio": 0.0,
        "break_even_reads": 0.28,
        "repeated_share": 0.1,
        "reads_per_write": 4,
        "possible_quota_tokens": 800_000,
        "grade": "low",
        "evidence_sql": "select 10000000 as input_tokens",
    }
    savings = ["1.5", "9.25", "0.99", "3", "2", "4", "5"]
    rows = [
        _SONNET | found | {"application": f"app-{place}", "possible_usd": Decimal(usd)}
        for place, usd in enumerate(savings)
    ]
    return [*rows, _SONNET | found | {"application": "caches", "hit_ratio": 0.5, "possible_usd": Decimal(99)}]


def _month() -> dict[str, Any]:
    return {
        "usage_month": date(2026, 11, 1),
        "subject_kind": "total",
        "subject": "everything",
        "to_date_usd": Decimal("1.25"),
        "projected_usd": Decimal("40"),
        "low_usd": Decimal("30"),
        "high_usd": Decimal("55.5"),
        "projected_days": 16,
        "unpriced_calls": 1,
        "as_of": AS_OF,
    }


def _anomalies() -> list[dict[str, Any]]:
    return [
        _NAMED
        | {"usage_date": AS_OF, "subject_kind": "pool", "subject": SONNET_POOL, "metric": "consumed_tokens"}
        | {"value": Decimal(9_000_000), "expected": Decimal(2_000_000), "score": 7.25},
        {"usage_date": date(2026, 11, 9), "subject_kind": "caller", "subject": HOSTILE_NAME, "metric": "cost_usd"}
        | {"value": Decimal("250.5"), "expected": Decimal(100), "score": None},
        {"usage_date": date(2026, 11, 7), "subject_kind": "caller", "subject": "too old", "metric": "cost_usd"}
        | {"value": Decimal(900), "expected": Decimal(100), "score": None},
        _NAMED
        | {"usage_date": AS_OF, "subject_kind": "profile", "subject": "idle one", "metric": "idle_days"}
        | {"value": Decimal(31), "expected": Decimal(30), "score": None},
    ]


def _findings() -> list[dict[str, Any]]:
    opened = {
        "first_seen_at": OPENED,
        "opened_at": OPENED,
        "last_seen_at": OPENED,
        "notice": "open",
        "notice_number": 1,
    }
    throttled = {
        "finding_id": "0000000000000001",
        "check_name": "no_pool_is_throttled_too_often",
        "asset": "marts.quota_headroom",
        "subject": json.dumps({"pool_id": SONNET_POOL}),
        "severity": "ERROR",
        "summary": "450 of 450 requests were throttled.",
        "description": "What it means.",
        "value": Decimal(450),
        "threshold": Decimal(10),
        "unit": "throttles per day",
        "evidence": "{}",
        "notice_severity": "ERROR",
    }
    below_default = throttled | {
        "finding_id": "0000000000000002",
        "check_name": "applied_quotas_are_not_below_default",
        "asset": "raw.service_quotas",
        "subject": json.dumps(PRODUCTION | {"quota_code": "L-C0326783"}),
        "severity": "WARN",
        "summary": "Below the default.",
        "value": Decimal(800),
        "threshold": Decimal(2000),
        "unit": "tokens per minute",
        "evidence": json.dumps({"quota_name": f"tokens for {HOSTILE_NAME}", "adjustable": True, "region": "us-east-1"}),
    }
    unanswered = throttled | {
        "finding_id": "0000000000000003",
        "check_name": "every_scope_answered_for_cloudwatch_metrics",
        "subject": json.dumps({"account_name": "research", "region": "eu-west-1"}),
        "summary": "AWS did not answer.",
    }
    over = throttled | {
        "finding_id": "0000000000000004",
        "summary": "It was resolved.",
        "subject": json.dumps({"pool_id": LITE_POOL}),
    }
    return [
        opened | throttled,
        opened | below_default,
        opened | unanswered,
        opened | over | {"resolved_at": OPENED},
    ]
