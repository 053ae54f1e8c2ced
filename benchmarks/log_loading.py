"""One load of log files into a new warehouse, in a process of its own: `python -m benchmarks.log_loading DESIGN …`.

Here: our way and the public baseline, both from bytes to committed rows of `raw.invocations`, timed from the first byte
to the commit. Not here: which are compared and what the limits are (`log_parsing.py`).
"""

import argparse
import json
import tempfile
import time
from collections.abc import Callable, Sequence
from pathlib import Path

import duckdb
import pyarrow as pa

from benchmarks import log_baseline
from usage_pipeline.log_files.files import parse_files
from usage_pipeline.log_files.parts import LogFile
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
    """One process: gzip, json.loads, a list per row, an Arrow table per file, one INSERT."""
    schema = arrow_schema(INVOCATIONS)
    tables: list[pa.Table] = []
    set_aside: list[tuple[int, str]] = []
    for path in paths:
        columns = zip(*log_baseline.rows(path, set_aside), strict=True)
        arrays = [pa.array(column, kind) for column, kind in zip(columns, schema.types, strict=True)]
        tables.append(pa.table(arrays, schema=schema))
    assert not set_aside
    con.register("read_rows", pa.concat_tables(tables))
    with transaction(con):
        con.execute(f"insert into {INVOCATIONS.qualified_name} by name select * from read_rows")
    con.unregister("read_rows")


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
