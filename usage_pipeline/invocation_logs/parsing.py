"""One log object to rows and quarantined records: the whole way for content that is in memory.

Not here: many objects in worker processes (`log_files/files.py`).
"""

from collections.abc import Iterator
from dataclasses import dataclass
from io import BytesIO
from typing import BinaryIO

import pyarrow as pa

from usage_pipeline.invocation_logs.reading import read_records
from usage_pipeline.invocation_logs.records import LogRecord
from usage_pipeline.invocation_logs.rows import INVOCATION_SCHEMA, invocation_rows
from usage_pipeline.log_files.formats import FileFormat
from usage_pipeline.log_files.quarantine import Quarantine, QuarantinedRecord

RECORDS_AT_ONCE = 4_096
"""Records after which they are turned into an Arrow table; most objects hold fewer."""


@dataclass(frozen=True)
class ParsedObject:
    """What one log object held."""

    rows: pa.Table
    """One row per readable record, in the object's order, with `INVOCATION_SCHEMA`; duplicates are kept."""
    quarantined: tuple[QuarantinedRecord, ...]
    """The unreadable records, the first 1,000 of them."""
    quarantined_count: int
    """All of the unreadable records."""
    is_complete: bool
    """False when the object ends early, is damaged or has 0 bytes; then a quarantined record says why."""


def parse_object(data: bytes, key: str) -> ParsedObject:
    """Parse one object: gzip or not, a record per line or one JSON array. Bad content never raises.

    `key` is the object's key, whose account and Region stand in for records that do not name theirs. Records of
    CloudWatch Logs are parsed as well: join the messages with line ends, and give the log group's name.
    """
    quarantine = Quarantine()
    tables = list(row_tables(BytesIO(data), key, quarantine))
    return ParsedObject(
        rows=pa.concat_tables(tables) if tables else INVOCATION_SCHEMA.empty_table(),
        quarantined=tuple(quarantine.records),
        quarantined_count=quarantine.count,
        is_complete=quarantine.is_complete,
    )


def row_tables(source: BinaryIO, key: str, quarantine: Quarantine) -> Iterator[pa.Table]:
    """Give an object's rows some thousand at a time, so that memory does not grow with the object."""
    waiting: list[LogRecord] = []
    for records in read_records(source, key, quarantine):
        waiting += records
        if len(waiting) >= RECORDS_AT_ONCE:
            yield invocation_rows(waiting)
            waiting = []
    if waiting:
        yield invocation_rows(waiting)


FILE_FORMAT = FileFormat(INVOCATION_SCHEMA, row_tables, unique_columns=frozenset({"request_id"}))
