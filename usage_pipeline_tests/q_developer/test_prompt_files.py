"""Prompt logs through the machinery that reads log files of every kind."""

import subprocess
import sys
from pathlib import Path

import msgspec
import pyarrow as pa
import pyarrow.parquet as pq
import pytest

from usage_pipeline.log_files.files import parse_files
from usage_pipeline.log_files.formats import Q_DEVELOPER_PROMPTS
from usage_pipeline.log_files.parts import LogFile
from usage_pipeline.q_developer.prompt_logs import parse_prompts
from usage_pipeline.q_developer.prompt_rows import PROMPT_SCHEMA
from usage_pipeline_tests.q_developer.prompt_text import KEY, chat, gzipped, inline, task

OBJECTS = [gzipped(chat(n), inline(n), task(n)) for n in range(40)]


@pytest.fixture
def files(tmp_path: Path) -> list[LogFile]:
    """Forty objects of three records each."""
    written: list[LogFile] = []
    for number, data in enumerate(OBJECTS):
        path = tmp_path / f"{number}.json.gz"
        path.write_bytes(data)
        written.append(LogFile(str(path), KEY))
    return written


@pytest.mark.parametrize("processes", [1, 2])
def test_parts_hold_the_rows_of_every_object(tmp_path: Path, files: list[LogFile], processes: int) -> None:
    results = list(parse_files(files, tmp_path / "parts", processes, Q_DEVELOPER_PROMPTS))
    assert [(one.record_count, one.quarantined_count, one.is_complete) for one in results] == [(3, 0, True)] * 40
    tables = [pq.read_table(part) for part in (tmp_path / "parts").glob("*.parquet")]
    assert all(table.schema.equals(PROMPT_SCHEMA) for table in tables)
    expected = pa.concat_tables([parse_prompts(data, KEY).rows for data in OBJECTS])
    assert pa.concat_tables(tables).sort_by("request_id").to_pylist() == expected.sort_by("request_id").to_pylist()


def test_an_object_without_records_makes_no_part(tmp_path: Path) -> None:
    path = tmp_path / "empty"
    path.write_bytes(gzipped())
    (result,) = parse_files([LogFile(str(path), KEY)], tmp_path / "parts", 1, Q_DEVELOPER_PROMPTS)
    assert (result.record_count, result.is_complete) == (0, True)
    assert list((tmp_path / "parts").iterdir()) == []


def test_a_worker_imports_nothing_that_takes_long(tmp_path: Path, files: list[LogFile]) -> None:
    module = ["usage_pipeline.log_files.worker", Q_DEVELOPER_PROMPTS, str(tmp_path / "part")]
    worker = subprocess.run(
        [sys.executable, "-X", "importtime", "-m", *module],
        input=msgspec.json.encode(files) + b"\n",
        capture_output=True,
        check=True,
    )
    assert len(worker.stdout.splitlines()) == 40
    imported = {line.rpartition(b"|")[2].strip().decode() for line in worker.stderr.splitlines()}
    assert "usage_pipeline.q_developer.prompt_rows" in imported
    heavy = {"dagster", "duckdb", "boto3", "botocore", "pandas.core", "numpy._core", "obstore", "pydantic"}
    assert not imported & {*heavy, "usage_pipeline.invocation_logs"}
