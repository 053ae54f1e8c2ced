"""Many activity reports to one Parquet part, with what is not in their rows: when each was written, what it lacked.

Not here: reading one report (`activity_reports.py`), other log files (`log_files/`).
"""

import datetime as dt
import re
from collections import Counter
from collections.abc import Iterable, Iterator
from pathlib import Path
from typing import Any

import pyarrow as pa
import pyarrow.parquet as pq

from usage_pipeline.log_files.parts import FileResult, LogFile
from usage_pipeline.q_developer.activity_reports import ParsedReport, parse_report
from usage_pipeline.q_developer.activity_rows import ACTIVITY_SCHEMA
from usage_pipeline.q_developer.object_keys import recognise

REPORTED_SCHEMA = pa.schema(
    [
        *ACTIVITY_SCHEMA,
        pa.field("messages_by_model", pa.map_(pa.string(), pa.int64())),
        pa.field("reported_at", pa.timestamp("us")),
        pa.field("missing_columns", pa.list_(pa.string())),
        pa.field("added_columns", pa.list_(pa.string())),
    ]
)
"""The columns of `raw.q_developer_activity`."""

_WRITTEN_AT = re.compile(r"_(\d{12})(?!\d)")
_LONGEST_COLUMN_NAME = 100


class ReportFiles:
    """Reads files of activity reports. `warnings` counts, by what is said, the files that are not as expected."""

    def __init__(self) -> None:
        self.warnings: Counter[str] = Counter()

    def parse(self, files: Iterable[LogFile], out_folder: Path, processes: int = 1) -> Iterator[FileResult]:
        """Parse reports into `out_folder/part-0.parquet`, with one result per file; bad content never raises.

        All is done here, however many processes may be used: a report has at most 1,000 rows.

        Raises:
            OSError: a file cannot be read, or the part cannot be written.
        """
        del processes
        out_folder.mkdir(parents=True, exist_ok=True)
        tables: list[pa.Table] = []
        for file in files:
            report = parse_report(Path(file.path).read_bytes(), file.key)
            self.warnings.update(str(warning) for warning in report.warnings)
            tables.append(_reported_rows(report, file.key))
            yield FileResult(
                path=file.path,
                key=file.key,
                record_count=report.rows.num_rows,
                quarantined_count=report.quarantined_count,
                quarantined=report.quarantined,
                is_complete=report.is_complete,
            )
        rows = pa.concat_tables([REPORTED_SCHEMA.empty_table(), *tables])
        if rows.num_rows:
            pq.write_table(rows, out_folder / "part-0.parquet", compression="lz4")


def _reported_rows(report: ParsedReport, key: str) -> pa.Table:
    messages = _messages_by_model(report)
    columns = {
        problem: sorted(
            warning.column[:_LONGEST_COLUMN_NAME] for warning in report.warnings if warning.problem == problem
        )
        for problem in ("missing", "added")
    }
    count = report.rows.num_rows
    added: dict[str, list[Any]] = {
        "messages_by_model": [messages.get(row) for row in _clients(report.rows)],
        "reported_at": [written_at(key)] * count,
        "missing_columns": [columns["missing"]] * count,
        "added_columns": [columns["added"]] * count,
    }
    arrays = [pa.array(values, REPORTED_SCHEMA.field(name).type) for name, values in added.items()]
    return pa.Table.from_arrays([*report.rows.columns, *arrays], schema=REPORTED_SCHEMA)


def _messages_by_model(report: ParsedReport) -> dict[tuple[Any, ...], list[tuple[str, int]]]:
    """Of a line that is there twice, the models are once."""
    found: dict[tuple[Any, ...], dict[str, int]] = {}
    said = zip(_clients(report.model_rows), report.model_rows.select(("model", "messages")).to_pylist(), strict=True)
    for client, row in said:
        found.setdefault(client, {})[row["model"]] = row["messages"]
    return {client: list(models.items()) for client, models in found.items()}


def _clients(rows: pa.Table) -> Iterator[tuple[Any, ...]]:
    """Day, user and client of each row."""
    names = ("usage_date", "logged_user_id", "client_type")
    return zip(*(rows.column(name).to_pylist() for name in names), strict=True)


def written_at(key: str) -> dt.datetime | None:
    """When a report was written, UTC: from its name, else the hour of its folder; None when neither says it."""
    for digits in _WRITTEN_AT.findall(key.rpartition("/")[2]):
        try:
            return dt.datetime.strptime(digits, "%Y%m%d%H%M")  # noqa: DTZ007  (UTC without a zone)
        except ValueError:
            continue
    found = recognise(key)
    return None if found is None else dt.datetime.combine(found.day, dt.time(found.hour))
