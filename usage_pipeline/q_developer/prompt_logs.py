"""One prompt log to rows and quarantined records: the whole way.

Not here: many objects in worker processes (`log_files/files.py`).
"""

from collections.abc import Iterator
from dataclasses import dataclass
from io import BytesIO
from typing import BinaryIO

import pyarrow as pa

from usage_pipeline.log_files.formats import FileFormat
from usage_pipeline.log_files.quarantine import Quarantine, QuarantinedRecord
from usage_pipeline.q_developer import tokenizer
from usage_pipeline.q_developer.object_keys import recognise
from usage_pipeline.q_developer.prompt_reading import read_prompts
from usage_pipeline.q_developer.prompt_rows import PROMPT_SCHEMA, prompt_rows


@dataclass(frozen=True)
class ParsedPrompts:
    """What one prompt log held."""

    rows: pa.Table
    """One row per readable record, in the object's order, with `PROMPT_SCHEMA`; duplicates are kept."""
    quarantined: tuple[QuarantinedRecord, ...]
    """The unreadable records, the first 1,000 of them; `line_number` is a record's number in the object, from 1."""
    quarantined_count: int
    """All of the unreadable records."""
    is_complete: bool
    """False when the object ends early, is damaged or has 0 bytes; then a quarantined record says why."""


def parse_prompts(data: bytes, key: str) -> ParsedPrompts:
    """Parse one object, gzip or not. Bad content never raises; no text of a prompt or an answer is kept.

    `key` is the object's key, which alone says account, Region and product; where it does not, they are NULL.
    """
    quarantine = Quarantine()
    tables = list(row_tables(BytesIO(data), key, quarantine))
    return ParsedPrompts(
        rows=pa.concat_tables(tables) if tables else PROMPT_SCHEMA.empty_table(),
        quarantined=tuple(quarantine.records),
        quarantined_count=quarantine.count,
        is_complete=quarantine.is_complete,
    )


def row_tables(source: BinaryIO, key: str, quarantine: Quarantine) -> Iterator[pa.Table]:
    """Give an object's rows, if it has any."""
    if prompts := read_prompts(source, quarantine):
        yield prompt_rows(prompts, recognise(key), tokenizer.token_counter().source)


FILE_FORMAT = FileFormat(PROMPT_SCHEMA, row_tables, unique_columns=frozenset({"request_id", "record_hash"}))
