"""Invocation logs for the sample warehouse: callers of each kind, a hostile name, calls without a price, missing logs.

The logs of production/us-east-1 begin on 2026-11-15 and hold little of what CloudWatch has; research logs nothing.
"""

from datetime import datetime
from decimal import Decimal
from typing import Any

from usage_pipeline.raw_tables import (
    APPLICATION_RULES,
    INGESTED_OBJECTS,
    INVOCATIONS,
    LOG_DELIVERY,
    MODEL_PRICES,
    QUARANTINED_RECORDS,
    StoredTable,
)
from usage_pipeline_tests.report.sample import (
    HOSTILE_PROFILE,
    LITE,
    PIXTRAL,
    PRODUCTION,
    RESEARCH,
    SEARCH_PROFILE,
    SONNET,
    SYSTEM_PROFILE,
    Rows,
)

TEN = datetime.fromisoformat("2026-11-15T10:00")
PRICED_FROM = datetime.fromisoformat("2026-01-01T00:00")

HOSTILE_APPLICATION = '"><img src=x onerror=alert(1)>'
HOSTILE_ROLE = f"{HOSTILE_APPLICATION}-BedrockRole"

SMALL_APPLICATIONS = tuple(f"small-{number}" for number in range(9))


def log_rows() -> dict[StoredTable, Rows]:
    """Rows of every table that logs fill."""
    return {
        INVOCATIONS: _invocations(),
        MODEL_PRICES: _prices(),
        APPLICATION_RULES: [
            {"position": 1, "subject": "role", "pattern": "(.+)-BedrockRole", "application": None, "key": None}
        ],
        LOG_DELIVERY: [
            scope | {"snapshot_date": TEN.date(), "is_on": scope is PRODUCTION, "source": "aws"}
            for scope in (PRODUCTION, RESEARCH)
        ],
        INGESTED_OBJECTS: [_log_object("one", 12, is_complete=True), _log_object("two", 5, is_complete=False)],
        QUARANTINED_RECORDS: [
            _in_a_folder("two") | {"line_number": line, "reason": "not JSON", "record_hash": str(line)}
            for line in (3, 4, 5)
        ],
    }


def _invocations() -> Rows:
    """Sonnet costs 3, 15, 0.3 and 3.75 dollars a million tokens; Lite 0.06 and 0.24; Pixtral has no price."""
    calls = [
        _call("search-BedrockRole", SEARCH_PROFILE, 2000, 1000, cache_read_tokens=10_000),
        _call("search-BedrockRole", SEARCH_PROFILE, 2000, 1000, cache_write_tokens=4_000),
        _call(HOSTILE_ROLE, HOSTILE_PROFILE, 400_000, 10_000),
        _call("user/people/Alice", SYSTEM_PROFILE, 1, 1),
        _call("user/people/alice", SYSTEM_PROFILE, 100, 100),
        _call("reader-BedrockRole", PIXTRAL, 500, 50),
    ]
    calls.append(_call("search-BedrockRole", SEARCH_PROFILE, None, None) | {"error_code": "ThrottlingException"})
    calls += [_call(f"{name}-BedrockRole", LITE, 100_000, 1) for name in SMALL_APPLICATIONS]
    return [call | {"request_id": f"r{number}"} for number, call in enumerate(calls)]


def _call(
    caller: str, profile_id: str, input_tokens: int | None, output_tokens: int | None, **more: int
) -> dict[str, Any]:
    arn = (
        f"arn:aws:iam::111122223333:{caller}"
        if caller.startswith("user/")
        else f"arn:aws:sts::111122223333:assumed-role/{caller}/session"
    )
    cache = {"cache_read_tokens": 0, "cache_write_tokens": 0} if input_tokens is not None else {}
    return (
        PRODUCTION
        | {"usage_date": TEN.date(), "ts": TEN, "operation": "Converse", "logged_model_id": profile_id}
        | {"profile_id": profile_id, "principal_arn": arn}
        | {"input_tokens": input_tokens, "output_tokens": output_tokens}
        | cache
        | more
    )


def _prices() -> Rows:
    listed = (
        (SONNET, "geo", "us-east-1", {"input": "3", "output": "15", "cache_read": "0.3", "cache_write_5m": "3.75"}),
        (SONNET, "geo", "*", {"input": "99"}),
        (LITE, "on_demand", "*", {"input": "0.06", "output": "0.24"}),
        ("not.called-v1:0", "on_demand", "*", {"input": "7"}),
    )
    ended = {
        "token_kind": "input",
        "usd_per_million": Decimal("0.05"),
        "region": "us-east-1",
        "source": "until the 14th",
    }
    own_for_a_while = (
        {"model_id": LITE, "endpoint_type": "on_demand", "service_tier": "default", "context_band": "standard"}
        | {"valid_from": PRICED_FROM, "valid_to": datetime.fromisoformat("2026-11-14T00:00")}
        | ended
    )
    return [own_for_a_while] + [
        {"model_id": model_id, "endpoint_type": endpoint, "region": region, "service_tier": "default"}
        | {"context_band": "standard", "token_kind": kind, "usd_per_million": Decimal(usd)}
        | {"valid_from": PRICED_FROM, "source": f"list price of {region}"}
        for model_id, endpoint, region, kinds in listed
        for kind, usd in kinds.items()
    ]


def _in_a_folder(key: str) -> dict[str, Any]:
    return PRODUCTION | {"source": "invocations", "bucket": "logs", "key": key, "folder_date": TEN.date()}


def _log_object(key: str, records: int, *, is_complete: bool) -> dict[str, Any]:
    return _in_a_folder(key) | {"etag": key, "size_bytes": 1, "record_count": records, "is_complete": is_complete}
