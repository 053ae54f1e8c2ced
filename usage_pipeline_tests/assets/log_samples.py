"""Log records and objects as tests need them, with defaults for what a test does not care about.

Here: values in. Not here: expected rows.
"""

import datetime as dt
import gzip
import json
from collections.abc import Mapping, Sequence
from dataclasses import replace
from pathlib import Path
from typing import Any

import duckdb
import pyarrow as pa
import pyarrow.parquet as pq

from usage_pipeline.aws.bucket_objects import LogObject
from usage_pipeline.aws.errors import ReadingError
from usage_pipeline.aws.log_listing import ListedLog
from usage_pipeline.invocation_logs.rows import INVOCATION_SCHEMA
from usage_pipeline.warehouse import ScopeKey

SCOPE: ScopeKey = ("111122223333", "us-east-1")
DAY = dt.date(2026, 11, 14)
MARKER = "marker-text-that-must-never-be-kept"


def moment(text: str) -> dt.datetime:
    """`14T08:15` is 08:15 UTC on 14 November 2026."""
    return dt.datetime.fromisoformat(f"2026-11-{text}")


def request(request_id: str, at: str = "14T08:15", **values: Any) -> dict[str, Any]:
    """One row of `raw.invocations`."""
    row: dict[str, Any] = dict.fromkeys(INVOCATION_SCHEMA.names)
    ts = moment(at)
    row |= {"usage_date": ts.date(), "account_id": SCOPE[0], "region": SCOPE[1], "request_id": request_id, "ts": ts}
    return row | {"operation": "Converse", "input_tokens": 10, "output_tokens": 5} | values


def write_part(folder: Path, rows: Sequence[Mapping[str, Any]]) -> Path:
    """The rows as a part, as the parser writes them."""
    folder.mkdir(parents=True, exist_ok=True)
    path = folder / f"part-{len(list(folder.iterdir()))}.parquet"
    pq.write_table(pa.Table.from_pylist([dict(row) for row in rows], schema=INVOCATION_SCHEMA), path)
    return path


def record(request_id: str, at: str = "14T08:15", **values: Any) -> bytes:
    """One line of a log, with a body that holds the marker."""
    line = {
        "timestamp": f"{moment(at):%Y-%m-%dT%H:%M:%SZ}",
        "accountId": SCOPE[0],
        "region": SCOPE[1],
        "requestId": request_id,
        "operation": "Converse",
        "modelId": "amazon.nova-lite-v1:0",
        "input": {
            "inputContentType": "application/json",
            "inputBodyJson": {"messages": [{"role": "user", "content": [{"text": MARKER}]}]},
            "inputTokenCount": 10,
        },
        "output": {
            "outputContentType": "application/json",
            "outputBodyJson": {"output": {"message": {"role": "assistant", "content": [{"text": MARKER}]}}},
            "outputTokenCount": 5,
        },
        "identity": {"arn": "arn:aws:sts::111122223333:assumed-role/Search-BedrockRole/i-0abc"},
        "schemaType": "ModelInvocationLog",
        "schemaVersion": "1.0",
        **values,
    }
    return json.dumps(line).encode() + b"\n"


class FakeLogs:
    """A place of logs whose objects a test puts there; what fails, fails."""

    def __init__(self) -> None:
        self._contents: dict[str, bytes] = {}
        self.failing: dict[str, Exception] = {}
        self.fetched: list[str] = []

    def put(self, name: str, *records: bytes, folder: dt.date = DAY, is_plain: bool = False) -> None:
        """An object in the folder of a day; with another content than before, it has another ETag."""
        content = b"".join(records)
        self.put_bytes(name, content if is_plain else gzip.compress(content, mtime=0), folder)

    def put_bytes(self, name: str, content: bytes, folder: dt.date = DAY) -> None:
        self._contents[self.key(name, folder)] = content

    @staticmethod
    def key(name: str, folder: dt.date = DAY) -> str:
        return f"AWSLogs/{SCOPE[0]}/BedrockModelInvocationLogs/{SCOPE[1]}/{folder:%Y/%m/%d}/08/{name}.json.gz"

    def list_day(self, day: dt.date) -> list[LogObject]:
        return [
            LogObject("logs", key, str(hash(content)), len(content), day)
            for key, content in sorted(self._contents.items())
            if f"/{day:%Y/%m/%d}/" in key
        ]

    def fetch(self, log: LogObject, path: Path) -> LogObject:
        if log.key in self.failing:
            raise self.failing[log.key]
        self.fetched.append(log.key)
        path.write_bytes(self._contents[log.key])
        return replace(log)

    def listed(self, *days: dt.date) -> list[tuple[ScopeKey, ListedLog]]:
        """All objects of the days, as a run lists them."""
        return [(SCOPE, ListedLog(self, log)) for day in days or (DAY,) for log in self.list_day(day)]

    def fail(self, name: str, folder: dt.date = DAY) -> None:
        self.failing[self.key(name, folder)] = ReadingError("GetObject: the network is gone")


def stored_columns(con: duckdb.DuckDBPyConnection, columns: str = "request_id, output_tokens") -> list[tuple[Any, ...]]:
    return con.execute(f"select {columns} from raw.invocations order by all").fetchall()
