import subprocess
import sys
from collections import Counter
from collections.abc import Iterator
from pathlib import Path

import msgspec
import pyarrow as pa
import pyarrow.parquet as pq
import pytest

from usage_pipeline.invocation_logs.parsing import parse_object
from usage_pipeline.invocation_logs.rows import INVOCATION_SCHEMA
from usage_pipeline.log_files import files as files_module
from usage_pipeline.log_files import parts as parts_module
from usage_pipeline.log_files.files import WorkerEndedError, parse_files
from usage_pipeline.log_files.parts import FileResult, LogFile
from usage_pipeline.log_files.quarantine import QuarantinedRecord
from usage_pipeline_tests.invocation_logs.log_text import KEY, good_lines, gzipped, line, record

LINES = good_lines(300)


@pytest.fixture
def files(tmp_path: Path) -> list[LogFile]:
    """Thirty files of ten records each."""
    written: list[LogFile] = []
    for number in range(30):
        path = tmp_path / f"{number}.json.gz"
        path.write_bytes(gzipped(LINES[number * 10 : number * 10 + 10]))
        written.append(LogFile(str(path), f"key-{number}"))
    return written


def stored_ids(folder: Path) -> list[str]:
    tables = [pq.read_table(part) for part in folder.glob("*.parquet")]
    assert all(table.schema.equals(INVOCATION_SCHEMA) for table in tables)
    return [str(value) for table in tables for value in table.column("request_id").to_pylist()]


@pytest.mark.parametrize("processes", [1, 2, 3])
def test_every_file_has_one_result_and_every_record_one_row(
    tmp_path: Path, files: list[LogFile], processes: int
) -> None:
    results = list(parse_files(files, tmp_path / "parts", processes))
    assert sorted(result.key for result in results) == sorted(file.key for file in files)
    assert {result.path for result in results} == {file.path for file in files}
    assert all((r.record_count, r.quarantined_count, r.is_complete) == (10, 0, True) for r in results)
    assert Counter(stored_ids(tmp_path / "parts")) == Counter(f"request-{n}" for n in range(300))


def test_parts_hold_the_rows_of_parse_object(tmp_path: Path) -> None:
    path = tmp_path / "whole.json.gz"
    path.write_bytes(gzipped([*LINES, line(record(1, requestMetadata={"team": "search"}))]))
    list(parse_files([LogFile(str(path), KEY)], tmp_path / "parts"))
    assert pq.read_table(tmp_path / "parts" / "part-0.parquet").equals(parse_object(path.read_bytes(), KEY).rows)


@pytest.mark.parametrize("processes", [1, 2])
def test_a_result_says_what_was_set_aside_and_whether_the_file_is_whole(tmp_path: Path, processes: int) -> None:
    (tmp_path / "cut").write_bytes(gzipped(LINES)[:-9])
    (tmp_path / "empty").write_bytes(b"")
    (tmp_path / "text").write_bytes(b"{}\n")
    wanted = [LogFile(str(tmp_path / name), name) for name in ("cut", "empty", "text")]
    results = {result.key: result for result in parse_files(wanted, tmp_path / "parts", processes)}
    assert (results["cut"].is_complete, results["empty"].is_complete, results["text"].is_complete) == (
        False,
        False,
        True,
    )
    assert [r.quarantined_count for r in results.values()] == [1, 1, 1]
    assert results["text"].quarantined == (
        QuarantinedRecord(
            1,
            "timestamp is missing or unreadable",
            "44136fa355b3678a1146ad16f7e8649e94fb4fc21fe77e8310c060f61caaff8a",
        ),
    )


@pytest.mark.parametrize("processes", [1, 2])
def test_no_rows_make_no_part(tmp_path: Path, processes: int) -> None:
    (tmp_path / "empty").write_bytes(gzipped([]))
    (result,) = parse_files([LogFile(str(tmp_path / "empty"), "k")], tmp_path / "parts", processes)
    assert result.record_count == 0
    assert list((tmp_path / "parts").iterdir()) == []
    assert list(parse_files([], tmp_path / "parts", processes)) == []


@pytest.mark.parametrize("processes", [1, 2])
def test_files_may_still_be_coming_and_may_go_when_their_result_is_there(
    tmp_path: Path, files: list[LogFile], processes: int
) -> None:
    def arriving() -> Iterator[LogFile]:
        for file in files:
            path = Path(f"{file.path}.fetched")
            path.write_bytes(Path(file.path).read_bytes())
            yield LogFile(str(path), file.key)

    for result in parse_files(arriving(), tmp_path / "parts", processes):
        Path(result.path).unlink()
    assert len(stored_ids(tmp_path / "parts")) == 300


def test_rows_are_written_in_groups_so_that_memory_does_not_grow(
    tmp_path: Path, files: list[LogFile], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(parts_module, "ROWS_PER_GROUP", 100)
    list(parse_files(files, tmp_path / "parts"))
    metadata = pq.ParquetFile(tmp_path / "parts" / "part-0.parquet").metadata
    assert [metadata.row_group(n).num_rows for n in range(metadata.num_row_groups)] == [100, 100, 100]


def test_many_small_files_are_gathered_while_they_wait(
    tmp_path: Path, files: list[LogFile], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(parts_module, "TABLES_AT_ONCE", 7)
    list(parse_files(files, tmp_path / "parts"))
    assert stored_ids(tmp_path / "parts") == [f"request-{n}" for n in range(300)]


@pytest.mark.parametrize("processes", [1, 2])
def test_an_unknown_format_is_an_error_that_names_those_there_are(tmp_path: Path, processes: int) -> None:
    with pytest.raises(ValueError, match="named 'trails'; there are: model_invocations, q_developer_prompts"):
        list(parse_files([], tmp_path / "parts", processes, "trails"))


@pytest.mark.parametrize(("processes", "error"), [(1, FileNotFoundError), (2, FileNotFoundError)])
def test_a_missing_file_is_an_error(tmp_path: Path, processes: int, error: type[Exception]) -> None:
    with pytest.raises(error):
        list(parse_files([LogFile(str(tmp_path / "none"), "k")], tmp_path / "parts", processes))


def test_a_worker_that_ends_is_an_error_that_names_the_file(
    tmp_path: Path, files: list[LogFile], capfd: pytest.CaptureFixture[str]
) -> None:
    (tmp_path / "folder").mkdir()
    with pytest.raises(WorkerEndedError, match="ended with code 1 at the-folder; its error is above"):
        list(parse_files([*files, LogFile(str(tmp_path / "folder"), "the-folder")], tmp_path / "parts", 2))
    assert "IsADirectoryError" in capfd.readouterr().err


def test_an_error_of_the_source_of_files_is_passed_on(tmp_path: Path, files: list[LogFile]) -> None:
    def breaking() -> Iterator[LogFile]:
        yield from files
        raise ConnectionError("S3 is gone")

    with pytest.raises(ConnectionError, match="S3 is gone"):
        list(parse_files(breaking(), tmp_path / "parts", 2))


def test_a_reader_that_stops_early_leaves_no_process(
    tmp_path: Path, files: list[LogFile], monkeypatch: pytest.MonkeyPatch
) -> None:
    started: list[subprocess.Popen[bytes]] = []

    class Noted(subprocess.Popen):  # type: ignore[type-arg]  # generic only for type checkers
        def __init__(self, *arguments: object, **options: object) -> None:
            super().__init__(*arguments, **options)
            started.append(self)

    monkeypatch.setattr(files_module.subprocess, "Popen", Noted)
    results = parse_files(files, tmp_path / "parts", 2)
    assert isinstance(next(results), FileResult)
    results.close()
    assert started
    assert all(process.poll() is not None for process in started)


def test_a_worker_imports_nothing_that_takes_long(tmp_path: Path, files: list[LogFile]) -> None:
    worker = subprocess.run(
        [
            sys.executable,
            "-X",
            "importtime",
            "-m",
            "usage_pipeline.log_files.worker",
            "model_invocations",
            str(tmp_path / "part"),
        ],
        input=msgspec.json.encode(files) + b"\n",
        capture_output=True,
        check=True,
    )
    assert len(worker.stdout.splitlines()) == 30
    imported = {line.rpartition(b"|")[2].strip().decode() for line in worker.stderr.splitlines()}
    assert "usage_pipeline.invocation_logs.rows" in imported
    heavy = {"dagster", "duckdb", "boto3", "botocore", "pandas.core", "numpy._core", "obstore", "pydantic"}
    assert not imported & heavy


def test_results_of_a_million_files_would_be_small(tmp_path: Path) -> None:
    path = tmp_path / "rubbish"
    path.write_bytes(b"x\n" * 100_000)
    (result,) = parse_files([LogFile(str(path), "k")], tmp_path / "parts")
    assert (result.quarantined_count, len(result.quarantined)) == (100_000, 1_000)


def test_one_object_is_turned_into_rows_some_thousand_at_a_time(tmp_path: Path) -> None:
    parsed = parse_object(gzipped(good_lines(10_000)), KEY)
    assert parsed.rows.num_rows == 10_000
    assert max(chunk.num_chunks for chunk in parsed.rows.columns) > 1
    assert isinstance(parsed.rows, pa.Table)
