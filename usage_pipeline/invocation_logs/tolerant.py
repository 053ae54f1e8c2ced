"""Records that do not fit their types: what can be read of them is read, the rest of the record is unknown.

Here: what a row cannot be without, and the reason why a record is unusable. Slow, and only for lines that typed
decoding refuses. Not here: how JSON is read leniently (`log_files/coercion.py`).
"""

from typing import Any

from usage_pipeline.invocation_logs.records import LogRecord
from usage_pipeline.log_files.coercion import UnusableRecordError, fields_of, parsed_json

RECORD_SCHEMA_TYPE = "ModelInvocationLog"


def read_leniently(line: bytes, account_id: str | None, region: str | None) -> LogRecord:
    """Read one line; `account_id` and `region` stand in where the record has none.

    Raises:
        UnusableRecordError: not JSON, or as `record_from` says.
    """
    return record_from(parsed_json(line), account_id, region)


def record_from(value: Any, account_id: str | None, region: str | None) -> LogRecord:
    """Make a record of parsed JSON, as `read_leniently` does.

    Raises:
        UnusableRecordError: not an object, a record of another log, or without what a row needs.
    """
    if not isinstance(value, dict):
        raise UnusableRecordError("not a JSON object")
    if value.get("schemaType") not in (None, RECORD_SCHEMA_TYPE):
        raise UnusableRecordError(f"schemaType is not {RECORD_SCHEMA_TYPE}")
    fields = fields_of(value, LogRecord)
    fields["account_id"] = fields.get("account_id") or account_id
    fields["region"] = fields.get("region") or region
    for name, spelling in _REQUIRED.items():
        if not fields.get(name):
            raise UnusableRecordError(f"{spelling} is missing or unreadable")
    return LogRecord(**fields)


_REQUIRED = {
    "timestamp": "timestamp",
    "account_id": "accountId",
    "region": "region",
    "request_id": "requestId",
    "model_id": "modelId",
}
