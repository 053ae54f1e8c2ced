"""A small warehouse with one pool of each kind of trouble, built by the project's own SQL models.

Two accounts; production/us-east-1 was read from 2026-11-13 to 2026-11-15T10:27, research/eu-west-1 was denied.
"""

from collections.abc import Iterator
from datetime import date, datetime, timedelta
from pathlib import Path
from typing import Any

import duckdb

from usage_pipeline.q_developer_tables import Q_DEVELOPER_ACTIVITY, Q_DEVELOPER_PROMPTS
from usage_pipeline.raw_tables import (
    BURNDOWN_RATES,
    CHECK_RESULTS,
    CLOUDWATCH_METRICS,
    ENDPOINT_PREFIXES,
    FOUNDATION_MODELS,
    IMPORTED_MODELS,
    INFERENCE_PROFILES,
    INVOCATIONS,
    MODEL_LIMITS,
    QUOTA_MAPPINGS,
    SCOPES,
    SERVICE_QUOTAS,
    SOURCE_STATUS,
    StoredTable,
)
from usage_pipeline.sql_builds import build
from usage_pipeline.sql_models import load_models
from usage_pipeline.warehouse import note_changed_days, prepare_tables

GENERATED_AT = datetime.fromisoformat("2026-11-15T10:30")
COVERED_UNTIL = datetime.fromisoformat("2026-11-15T10:27")
DAYS = (date(2026, 11, 13), date(2026, 11, 14), date(2026, 11, 15))
SNAPSHOT = date(2026, 11, 15)

HOSTILE_NAME = "</script><b>x"
HOSTILE_TAG = '"><img src=x onerror=alert(1)>'

PRODUCTION = {"account_id": "111122223333", "region": "us-east-1"}
RESEARCH = {"account_id": "444455556666", "region": "eu-west-1"}

SONNET = "anthropic.claude-sonnet-4-5-20250929-v1:0"
LITE = "amazon.nova-lite-v1:0"
MICRO = "amazon.nova-micro-v1:0"
PIXTRAL = "mistral.pixtral-large-2502-v1:0"
IMPORTED_ARN = "arn:aws:bedrock:us-east-1:111122223333:imported-model/ab12cd34ef56"

SONNET_POOL = f"111122223333/us-east-1/geo/{SONNET}"
LITE_POOL = f"111122223333/us-east-1/on_demand/{LITE}"
MICRO_POOL = f"111122223333/us-east-1/on_demand/{MICRO}"
PIXTRAL_POOL = f"111122223333/us-east-1/on_demand/{PIXTRAL}"
IMPORTED_POOL = "111122223333/us-east-1/imported/imported-model/ab12cd34ef56"
RESEARCH_POOL = f"444455556666/eu-west-1/on_demand/{LITE}"

SYSTEM_PROFILE = f"us.{SONNET}"
SEARCH_PROFILE = "appsearch001"
HOSTILE_PROFILE = "apphostile01"
AMBIGUOUS_PROFILE = "appambig0001"


Rows = list[dict[str, Any]]


def write_sample(path: Path, logs: dict[StoredTable, Rows] | None = None) -> None:
    """Write the sample warehouse as one DuckDB file; `logs` are rows of tables that the sample itself leaves empty."""
    with duckdb.connect(str(path)) as con:
        prepare_tables(con)
        for table, table_rows in {**_stored_rows(), **(logs or {})}.items():
            insert(con, table, table_rows)
        for table in (CLOUDWATCH_METRICS, SOURCE_STATUS, INVOCATIONS, Q_DEVELOPER_PROMPTS, Q_DEVELOPER_ACTIVITY):
            note_changed_days(con, table.qualified_name, DAYS)
        build(con, load_models())


def insert(con: duckdb.DuckDBPyConnection, table: StoredTable, table_rows: Rows) -> None:
    """Add rows, in one statement and so in one transaction; a column that a row does not name is NULL."""
    names = [column.name for column in table.columns]
    marks = f"({', '.join('?' for _ in names)})"
    con.execute(
        f"insert into {table.qualified_name} values {', '.join(marks for _ in table_rows)}",
        [row.get(name) for row in table_rows for name in names],
    )


def _stored_rows() -> dict[StoredTable, Rows]:
    return {
        SCOPES: [
            PRODUCTION | {"account_name": "production", "aws_partition": "aws", "is_configured": True},
            RESEARCH | {"account_name": "research", "aws_partition": "aws", "is_configured": True},
        ],
        FOUNDATION_MODELS: _foundation_models(),
        INFERENCE_PROFILES: _inference_profiles(),
        IMPORTED_MODELS: [
            PRODUCTION | {"snapshot_date": SNAPSHOT, "model_arn": IMPORTED_ARN, "model_name": "house-llama"},
        ],
        SERVICE_QUOTAS: _service_quotas(),
        QUOTA_MAPPINGS: _quota_mappings(),
        BURNDOWN_RATES: [_burndown("*", 1, "documented"), _burndown("anthropic.*", 5, "documented")],
        MODEL_LIMITS: [{"model_pattern": "anthropic.*", "max_output_tokens": 64000, "source": "test"}],
        ENDPOINT_PREFIXES: [{"prefix": "us", "endpoint_type": "geo", "source": "test"}],
        CLOUDWATCH_METRICS: [point for minute in _minutes() for point in minute],
        SOURCE_STATUS: _source_status(),
        CHECK_RESULTS: _check_results(),
    }


# ---------------------------------------------------------------------------------------------------------------------
# Catalogues


def _foundation_models() -> Rows:
    names = {SONNET: "Claude Sonnet 4.5", LITE: "Nova Lite", MICRO: "Nova Micro", PIXTRAL: "Pixtral Large"}
    providers = {SONNET: "Anthropic", LITE: "Amazon", MICRO: "Amazon", PIXTRAL: "Mistral AI"}
    return [
        scope
        | {
            "snapshot_date": SNAPSHOT,
            "model_id": model_id,
            "model_name": names[model_id],
            "provider_name": providers[model_id],
            "inference_types": ["INFERENCE_PROFILE" if model_id == SONNET else "ON_DEMAND"],
        }
        for scope, model_ids in ((PRODUCTION, names), (RESEARCH, [LITE]))
        for model_id in model_ids
    ]


def _inference_profiles() -> Rows:
    routes = [f"arn:aws:bedrock:{region}::foundation-model/{SONNET}" for region in ("us-east-1", "us-west-2")]
    profile = PRODUCTION | {"snapshot_date": SNAPSHOT, "status": "ACTIVE", "model_arns": routes}
    application = profile | {"profile_type": "APPLICATION"}
    return [
        profile
        | {"profile_id": SYSTEM_PROFILE, "profile_name": "US Claude Sonnet 4.5", "profile_type": "SYSTEM_DEFINED"}
        | {"tags": {}},
        application | {"profile_id": SEARCH_PROFILE, "profile_name": "search", "tags": {"team": "search"}},
        application | {"profile_id": HOSTILE_PROFILE, "profile_name": HOSTILE_NAME, "tags": {"team": HOSTILE_TAG}},
        application | {"profile_id": "appidle00001", "profile_name": "idle one", "tags": None},
        application
        | {"profile_id": AMBIGUOUS_PROFILE, "profile_name": "two models", "tags": {}}
        | {"model_arns": [*routes, f"arn:aws:bedrock:us-east-1::foundation-model/{LITE}"]},
    ]


def _service_quotas() -> Rows:
    quotas = (
        ("L-00000001", "Cross-region model inference tokens per minute for Anthropic Claude Sonnet 4.5 V1", 20_000),
        ("L-00000002", "Cross-region model inference requests per minute for Anthropic Claude Sonnet 4.5 V1", 50),
        (
            "L-00000003",
            "Model invocation max tokens per day for Anthropic Claude Sonnet 4.5 V1 (doubled for cross-region calls)",
            1_000_000,
        ),
        ("L-00000004", "On-demand model inference tokens per minute for Amazon Nova Lite", 4_000),
        ("L-00000006", "On-demand model inference tokens per minute for Amazon Nova Micro", 4_000_000),
    )
    return [
        PRODUCTION
        | {"valid_from": SNAPSHOT, "quota_code": code, "quota_name": name, "limit_value": value}
        | {"limit_source": "applied" if code == "L-00000001" else "default", "adjustable": True}
        for code, name, value in quotas
    ]


def _quota_mappings() -> Rows:
    mapped = (
        (SONNET, "geo", "tpm", "L-00000001"),
        (SONNET, "geo", "rpm", "L-00000002"),
        (SONNET, "geo", "tpd", "L-00000003"),
        (LITE, "on_demand", "tpm", "L-00000004"),
        (MICRO, "on_demand", "tpm", "L-00000006"),
        (PIXTRAL, "on_demand", "tpm", None),
        (PIXTRAL, "on_demand", "rpm", None),
    )
    return [
        PRODUCTION
        | {"model_id": model_id, "endpoint_type": endpoint, "quota_kind": kind, "quota_code": code}
        | {"method": "rule" if code else "none", "status": "mapped" if code else "unmapped", "reason": "test"}
        for model_id, endpoint, kind, code in mapped
    ]


def _burndown(pattern: str, rate: float, basis: str) -> dict[str, Any]:
    return {
        "model_pattern": pattern,
        "rate": rate,
        "valid_from": date(2023, 1, 1),
        "basis": basis,
        "source": "test",
    }


# ---------------------------------------------------------------------------------------------------------------------
# Use


def _minutes() -> Iterator[Rows]:
    """Every minute with use.

    Sonnet's profiles share the minute 2026-11-15T10:00: 2 x (2,000 + 5 x 1,000) + 8,000 = 22,000 of 20,000 tokens. It
    has 450 throttled requests at 08:15 of the hostile profile, with nothing else in that minute.
    """
    ten = datetime.fromisoformat("2026-11-15T10:00")
    for profile in (SYSTEM_PROFILE, SEARCH_PROFILE):
        yield _minute(ten, profile, Invocations=2, InputTokenCount=2000, OutputTokenCount=1000)
    yield _minute(ten, HOSTILE_PROFILE, Invocations=1, InputTokenCount=3000, OutputTokenCount=1000)
    yield _minute(ten.replace(hour=8, minute=15), HOSTILE_PROFILE, InvocationThrottles=450)
    for day in DAYS:
        nine = datetime.combine(day, datetime.min.time()) + timedelta(hours=9)
        for offset in range(30):
            minute = nine + timedelta(minutes=offset)
            yield _minute(minute, SEARCH_PROFILE, Invocations=3, InputTokenCount=1000 + offset, OutputTokenCount=100)
            yield _minute(minute, LITE, Invocations=4, InputTokenCount=3000 + 10 * offset, OutputTokenCount=110)
    yield _minute(ten, PIXTRAL, Invocations=1, InputTokenCount=500, OutputTokenCount=50)
    yield _minute(ten, IMPORTED_ARN, Invocations=1, InputTokenCount=700, OutputTokenCount=70)
    yield _minute(ten, AMBIGUOUS_PROFILE, Invocations=5, InputTokenCount=900, OutputTokenCount=90)


def _minute(ts: datetime, model_id: str, **counts: int) -> Rows:
    """Sums of one minute; every answered call took 800 ms, its first token 200 ms."""
    point = PRODUCTION | {
        "usage_date": ts.date(),
        "namespace": "AWS/Bedrock",
        "dimension_set": "ModelId",
        "model_id": model_id,
        "ts": ts,
        "period_seconds": 60,
    }
    calls = counts.get("Invocations", 0)
    sums = [point | {"metric_name": name, "statistic": "Sum", "value": value} for name, value in counts.items()]
    for name, milliseconds in (("InvocationLatency", 800.0), ("TimeToFirstToken", 200.0)):
        if calls:
            sums.append(point | {"metric_name": name, "statistic": "Sum", "value": milliseconds * calls})
            sums.append(point | {"metric_name": name, "statistic": "SampleCount", "value": calls})
    return sums


# ---------------------------------------------------------------------------------------------------------------------
# How reading and checks went


def _source_status() -> Rows:
    read = [
        PRODUCTION
        | {"account_name": "production", "source": "cloudwatch_metrics", "partition_date": day, "status": "ok"}
        | {
            "covered_until": min(datetime.combine(day + timedelta(days=1), datetime.min.time()), COVERED_UNTIL),
            "resolution_seconds": 60,
        }
        for day in DAYS
    ]
    denied = RESEARCH | {
        "account_name": "research",
        "source": "cloudwatch_metrics",
        "partition_date": DAYS[-1],
        "status": "denied",
        "error_text": "AccessDenied: not authorized to perform: cloudwatch:GetMetricData",
    }
    return [row | {"finished_at": GENERATED_AT} for row in (*read, denied)]


def _check_results() -> Rows:
    return [
        {
            "check_name": "every_scope_answered_for_cloudwatch_metrics",
            "asset": "raw.cloudwatch_metrics",
            "passed": False,
            "severity": "ERROR",
            "failing_rows": 1,
            "description": "AWS answered for cloudwatch_metrics in every account and Region.",
            "examples": '[{"account_name": "research", "region": "eu-west-1", "note": "</script><b>y"}]',
        },
        {
            "check_name": "profiles_add_up_to_pools",
            "asset": "marts.quota_usage_minutely",
            "passed": True,
            "severity": "ERROR",
            "failing_rows": 0,
            "description": "Sums over profiles equal their pool.",
            "examples": "[]",
        },
    ]
