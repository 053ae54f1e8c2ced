"""Many log files to one Parquet part: what a worker process does, also usable within this process.

Not here: dividing files among workers (`files.py`).
"""

from pathlib import Path
from types import TracebackType

import msgspec
import pyarrow as pa
import pyarrow.parquet as pq

from usage_pipeline.log_files.formats import FileFormat
from usage_pipeline.log_files.quarantine import Quarantine, QuarantinedRecord

ROWS_PER_GROUP = 122_880
"""Rows of a Parquet row group: the number that DuckDB reads in one go, and what a worker holds at most."""


TABLES_AT_ONCE = 500
"""Small tables that wait: each has buffers for every column, so 20 rows take the memory of some hundred."""


class LogFile(msgspec.Struct, frozen=True):
    """One log object as it was fetched: where the copy lies, and the key that it has at AWS."""

    path: str
    key: str


class FileResult(msgspec.Struct, frozen=True):
    """How the parsing of one log file went; its rows are in a part."""

    path: str
    key: str
    record_count: int
    """Readable records, which are rows; duplicates are counted."""
    quarantined_count: int
    """Unreadable records."""
    quarantined: tuple[QuarantinedRecord, ...]
    """The unreadable records, the first 1,000 of them."""
    is_complete: bool
    """False when the object ends early, is damaged or has 0 bytes."""


class PartWriter:
    """Writes the rows of log files into one Parquet file, which is there once a row was written and whole on exit."""

    def __init__(self, part: Path, file_format: FileFormat) -> None:
        self._part = part
        self._format = file_format
        self._writer: pq.ParquetWriter | None = None
        self._small: list[pa.Table] = []
        self._waiting: list[pa.Table] = []
        self._waiting_rows = 0

    def __enter__(self) -> "PartWriter":
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, traceback: TracebackType | None
    ) -> None:
        if kind is None:
            self._flush()
        if self._writer is not None:
            self._writer.close()

    def add(self, file: LogFile) -> FileResult:
        """Parse one file into the part. Bad content never raises.

        Raises:
            OSError: the file cannot be read or the part cannot be written.
        """
        quarantine = Quarantine()
        record_count = 0
        with Path(file.path).open("rb") as source:
            for rows in self._format.row_tables(source, file.key, quarantine):
                record_count += rows.num_rows
                self._write(rows)
        return FileResult(
            path=file.path,
            key=file.key,
            record_count=record_count,
            quarantined_count=quarantine.count,
            quarantined=tuple(quarantine.records),
            is_complete=quarantine.is_complete,
        )

    def _write(self, rows: pa.Table) -> None:
        self._small.append(rows)
        if len(self._small) >= TABLES_AT_ONCE:
            self._gather()
        self._waiting_rows += rows.num_rows
        if self._waiting_rows >= ROWS_PER_GROUP:
            self._flush()

    def _gather(self) -> None:
        self._waiting.append(pa.concat_tables(self._small).combine_chunks())
        self._small = []

    def _flush(self) -> None:
        self._waiting += self._small
        self._small = []
        if not self._waiting:
            return
        if self._writer is None:
            self._writer = pq.ParquetWriter(
                self._part,
                self._format.schema,
                compression="lz4",
                use_dictionary=_repeating(self._format),  # pyright: ignore[reportArgumentType] - the stubs know only a boolean
                write_statistics=False,
            )
        self._writer.write_table(pa.concat_tables(self._waiting), row_group_size=self._waiting_rows)
        self._waiting, self._waiting_rows = [], 0


def _repeating(file_format: FileFormat) -> list[str]:
    """The columns of text that are worth a dictionary."""
    schema = file_format.schema
    return [name for name in set(schema.names) - file_format.unique_columns if schema.field(name).type == pa.string()]
