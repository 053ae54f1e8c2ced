"""One load of log files into a new warehouse, in a process of its own: `python -m benchmarks.log_loading DESIGN …`.

Here: our way and the public baseline, both from bytes to committed rows of `raw.invocations`, timed from the first byte
to the commit. Not here: which are compared and what the limits are (`log_parsing.py`).
"""

import argparse
import datetime as dt
import gzip
import json
import tempfile
import time
from collections.abc import Callable, Sequence
from pathlib import Path
from typing import Any

import duckdb
import pyarrow as pa

from usage_pipeline.invocation_logs.files import parse_files
from usage_pipeline.invocation_logs.model_ids import profile_id
from usage_pipeline.invocation_logs.parts import LogFile
from usage_pipeline.raw_tables import INVOCATIONS
from usage_pipeline.warehouse import Warehouse, arrow_schema, transaction

PROCESSES = 2


def ours(con: duckdb.DuckDBPyConnection, paths: Sequence[Path]) -> None:
    """Two worker processes write Parquet parts, one INSERT reads them."""
    with tempfile.TemporaryDirectory() as folder:
        files = (LogFile(str(path), path.name) for path in paths)
        for result in parse_files(files, Path(folder), PROCESSES):
            assert (result.is_complete, result.quarantined_count) == (True, 0)
        with transaction(con):
            con.execute(
                f"insert into {INVOCATIONS.qualified_name} by name select * from read_parquet($parts)",
                {"parts": [str(part) for part in Path(folder).iterdir()]},
            )


def stdlib(con: duckdb.DuckDBPyConnection, paths: Sequence[Path]) -> None:
    """What one writes without thinking of speed: gzip, json.loads, a list per row, Arrow, one INSERT."""
    schema = arrow_schema(INVOCATIONS)
    tables: list[pa.Table] = []
    for path in paths:
        with gzip.open(path, "rb") as lines:
            rows = [stdlib_row(json.loads(line)) for line in lines]
        columns = zip(*rows, strict=True)
        tables.append(
            pa.table([pa.array(c, kind) for c, kind in zip(columns, schema.types, strict=True)], schema=schema)
        )
    con.register("read_rows", pa.concat_tables(tables))
    with transaction(con):
        con.execute(f"insert into {INVOCATIONS.qualified_name} by name select * from read_rows")
    con.unregister("read_rows")


def stdlib_row(record: dict[str, Any]) -> list[Any]:
    """The row of a record as `log_data.py` makes them; knows far fewer shapes than the parser does."""
    asked, answered = record["input"], record["output"]
    request, answer = asked.get("inputBodyJson") or {}, answered.get("outputBodyJson") or {}
    stop_reason = latency = ttft = None
    created: dict[str, Any] = {}
    for part in answer if isinstance(answer, list) else [answer]:
        usage = part.get("usage") or part.get("message", {}).get("usage") or {}
        metrics = part.get("metrics") or part.get("amazon-bedrock-invocationMetrics") or {}
        details = {f"ephemeral_{d['ttl']}_input_tokens": d["inputTokens"] for d in usage.get("cacheDetails", ())}
        created = usage.get("cache_creation") or details or created
        stop_reason = part.get("stopReason") or part.get("stop_reason") or stop_reason
        stop_reason = part.get("delta", {}).get("stop_reason") or stop_reason
        latency = metrics.get("latencyMs") or metrics.get("invocationLatency") or latency
        ttft = metrics.get("firstByteLatency") or ttft
    when = dt.datetime.fromisoformat(record["timestamp"]).replace(tzinfo=None)
    metadata = record.get("requestMetadata")
    return [
        when.date(),
        record["accountId"],
        record["region"],
        record["requestId"],
        when,
        record["operation"],
        record["modelId"],
        profile_id(record["modelId"]),
        record.get("inferenceRegion"),
        record["identity"]["arn"],
        list(metadata.items()) if metadata else None,
        record.get("errorCode"),
        asked.get("inputTokenCount"),
        answered.get("outputTokenCount"),
        asked.get("cacheReadInputTokenCount"),
        asked.get("cacheWriteInputTokenCount"),
        created.get("ephemeral_5m_input_tokens"),
        created.get("ephemeral_1h_input_tokens"),
        answered.get("outputImageCount"),
        request.get("inferenceConfig", {}).get("maxTokens") or request.get("max_tokens"),
        stop_reason,
        latency,
        ttft,
        None,
    ]


DESIGNS: dict[str, Callable[[duckdb.DuckDBPyConnection, Sequence[Path]], None]] = {"ours": ours, "stdlib": stdlib}


def main() -> None:
    """Load the files and write the seconds it took, and what the table holds then, as JSON."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("design", choices=DESIGNS)
    parser.add_argument("answer", type=Path, help="file for the seconds and the table's contents")
    parser.add_argument("folder", type=Path, help="folder of the log files")
    parser.add_argument("count", type=int, help="how many of the files")
    arguments = parser.parse_args()
    paths = sorted(arguments.folder.iterdir())[: arguments.count]
    with (
        tempfile.TemporaryDirectory() as folder,
        Warehouse(database=str(Path(folder) / "warehouse.duckdb")).connect() as con,
    ):
        started = time.perf_counter()
        DESIGNS[arguments.design](con, paths)
        seconds = time.perf_counter() - started
        contents = con.execute(
            f"select count(*), sum(hash(rows)::hugeint)::varchar from {INVOCATIONS.qualified_name} as rows"
        ).fetchone()
    arguments.answer.write_text(json.dumps({"seconds": seconds, "contents": contents}))


if __name__ == "__main__":
    main()
