"""The truth about Amazon Q Developer and Kiro: who is who, each request, and what reports say, as rows.

Here: the tables q_developer_… of truth.duckdb, with the columns of the raw tables. They are computed from what
happened, never from the objects. Not here: what happened (`q_developer_use.py`).
"""

import re
from collections.abc import Mapping
from decimal import Decimal
from typing import Any

import pyarrow as pa

from usage_pipeline.sandbox.account_data import AccountData
from usage_pipeline.sandbox.q_developer_files import BUCKET, KIRO_MODEL
from usage_pipeline.sandbox.q_developer_reports import ADDED_COLUMN, METRICS, Report, reports_of
from usage_pipeline.sandbox.q_developer_use import (
    ACCOUNT_ID,
    IDENTITY_STORE,
    MARKER_TOKENS,
    PEOPLE,
    REGIONS,
    Exchange,
    exchanges_of,
)

_CREDITS = ("credits_used", "overage_cap", "overage_credits_used")

_PROMPT_SCHEMA = pa.schema(
    [
        ("usage_date", pa.date32()),
        ("ts", pa.timestamp("us")),
        *[(name, pa.string()) for name in ("account_id", "region", "product", "kind", "request_id", "record_hash")],
        *[(name, pa.string()) for name in ("conversation_id", "user_id", "logged_user_id", "trigger_type", "model_id")],
        ("customization_arn", pa.string()),
        *[(name, pa.int64()) for name in ("input_tokens", "output_tokens", "input_characters", "output_characters")],
        *[(name, pa.int64()) for name in ("completion_count", "code_reference_count", "web_link_count")],
    ]
)


def _column(name: str) -> str:
    """Our name of one of AWS's columns: `Chat_AICodeLines` is chat_ai_code_lines."""
    parts = re.sub(r"(?<=[a-z])(?=[A-Z])|(?<=[A-Z])(?=[A-Z][a-z])", "_", name)
    return re.sub(r"__+", "_", parts).lower()


_ACTIVITY_SCHEMA = pa.schema(
    [
        ("usage_date", pa.date32()),
        *[(name, pa.string()) for name in ("account_id", "region", "product", "report", "user_id", "logged_user_id")],
        *[(_column(name), pa.int64()) for name in METRICS],
        *[(name, pa.string()) for name in ("client_type", "subscription_tier", "profile_id", "user_email")],
        *[(name, pa.int64()) for name in ("chat_conversations", "total_messages")],
        *[(name, pa.decimal128(18, 6)) for name in ("credits_used", "overage_credits_used", "overage_cap")],
        ("usage_limit", pa.decimal128(18, 6)),
        *[(name, pa.bool_()) for name in ("overage_enabled", "new_user")],
        ("messages_by_model", pa.map_(pa.string(), pa.int64())),
        ("reported_at", pa.timestamp("us")),
        *[(name, pa.list_(pa.string())) for name in ("missing_columns", "added_columns")],
    ]
)


def q_developer_tables(data: AccountData) -> dict[str, Any]:
    """The tables by name: people, prompts, activity, and the objects that a fault would damage."""
    days, end = data.q_developer_days, data.options.end
    prompts = [_prompt_row(exchange) for exchange in exchanges_of(days)]
    activity = [_activity_row(report, row) for report in reports_of(days, end) for row in report.rows]
    bucket = data.log_store.buckets[BUCKET]
    people = [
        {
            "user_id": person.user_id,
            "logged_user_id": f"{IDENTITY_STORE}.{person.user_id}",
            "name": person.name,
            "role": person.role,
            "product": person.product,
        }
        for person in PEOPLE
    ]
    objects = [
        {
            "bucket": BUCKET,
            "key": made.key,
            "content": made.part,
            "records": len(made.rows),
            "damaged_by": next((fault for fault, key in bucket.damaged.items() if key == made.key), None),
        }
        for made in bucket.objects.values()
    ]
    texts = [(name, pa.string()) for name in ("bucket", "key", "content", "damaged_by")]
    return {
        "q_developer_people": pa.Table.from_pylist(people),
        "q_developer_prompts": pa.Table.from_pylist(prompts, _PROMPT_SCHEMA),
        "q_developer_activity": pa.Table.from_pylist(activity, _ACTIVITY_SCHEMA),
        "q_developer_objects": pa.Table.from_pylist(objects, pa.schema([*texts, ("records", pa.int64())])),
    }


def _prompt_row(exchange: Exchange) -> dict[str, Any]:
    """A request; tokens are those of o200k_base."""
    person, is_chat = exchange.person, exchange.kind == "chat"
    return {
        "usage_date": exchange.ts.date(),
        "ts": exchange.ts,
        "account_id": ACCOUNT_ID,
        "region": REGIONS[person.product],
        "product": person.product,
        "kind": exchange.kind,
        "request_id": exchange.request_id,
        "conversation_id": exchange.conversation_id,
        "user_id": person.user_id,
        "logged_user_id": person.logged_user_id,
        "trigger_type": None if exchange.kind == "inline" else "MANUAL",
        "model_id": KIRO_MODEL if person.product == "kiro" else None,
        "input_tokens": MARKER_TOKENS + sum(exchange.sent),
        "output_tokens": sum(exchange.received) if exchange.received else None,
        "input_characters": sum(map(len, exchange.sent_texts)),
        "output_characters": sum(map(len, exchange.received_texts)) if exchange.received else None,
        "completion_count": len(exchange.received) if exchange.kind == "inline" else None,
        "code_reference_count": 0 if is_chat else None,
        "web_link_count": 0 if is_chat else None,
    }


def _activity_row(report: Report, row: Mapping[str, Any]) -> dict[str, Any]:
    shared = {
        "usage_date": report.day,
        "account_id": ACCOUNT_ID,
        "region": REGIONS[report.product],
        "product": report.product,
        "report": report.kind,
        "user_id": row["UserId"],
        "logged_user_id": row["UserId"],
        "reported_at": report.written_at,
        "missing_columns": sorted(set(METRICS) - set(report.columns)) if report.kind == "by_user_analytic" else [],
        "added_columns": [ADDED_COLUMN] if ADDED_COLUMN in report.columns else [],
    }
    if report.kind == "by_user_analytic":
        return {**shared, **{_column(name): row[name] for name in METRICS if name in report.columns}}
    said = {_column(name): value for name, value in row.items() if not name.endswith("_messages")}
    return {
        **shared,
        **{name: value for name, value in said.items() if name in _ACTIVITY_SCHEMA.names and name not in shared},
        **{name: Decimal(said[name]) for name in _CREDITS},
        "profile_id": row["ProfileId"],
        "overage_enabled": row["Overage_Enabled"] == "true",
        "new_user": row["New_User"] == "true",
        "messages_by_model": [(model, row[f"{model}_messages"]) for model in report.models],
    }
