"""The published file is opened once for the readings of a look, and is soon closed."""

import subprocess
import sys
import time
from pathlib import Path
from threading import Barrier, Thread

import duckdb
import pytest

from usage_pipeline.ui import open_files
from usage_pipeline.ui.open_files import MOST_KEPT, OpenFiles
from usage_pipeline.ui.published_tables import Filters
from usage_pipeline.ui.reading import PublishedFile, published_file
from usage_pipeline_tests.ui.drawing import sample_filters

CALLS = "select coalesce(sum(calls), 0)::bigint from marts.usage_daily"


@pytest.fixture
def opens(monkeypatch: pytest.MonkeyPatch) -> list[Filters | None]:
    """The filters of each time that the file was opened."""
    found: list[Filters | None] = []
    really = open_files.opened

    def noted(path: str, filters: Filters | None = None):
        found.append(filters)
        return really(path, filters)

    monkeypatch.setattr(open_files, "opened", noted)
    return found


@pytest.fixture
def file(published: Path) -> PublishedFile:
    return published_file(published)


def calls(files: OpenFiles, file: PublishedFile, filters: Filters | None = None) -> object:
    with files.connection(file, filters) as con:
        return con.execute(CALLS).fetchall()[0][0]


def test_each_filter_is_opened_once_and_shows_its_own_rows(file: PublishedFile, opens: list[Filters | None]) -> None:
    files, alice = OpenFiles(), sample_filters(caller="search")
    found = [calls(files, file, filters) for filters in (None, alice, None, alice, None)]
    assert found == [16, 3, 16, 3, 16]
    assert opens == [None, alice]
    files.close()


def test_two_readings_at_once_have_connections_of_their_own(file: PublishedFile, opens: list[Filters | None]) -> None:
    files, both, found = OpenFiles(), Barrier(2, timeout=20), []

    def reading() -> None:
        with files.connection(file, None) as con:
            both.wait()
            found.append((id(con), con.execute(CALLS).fetchall()))

    threads = [Thread(target=reading) for _ in range(2)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert len({connection for connection, _ in found}) == len(opens) == 2
    assert [rows for _, rows in found] == [[(16,)]] * 2
    files.close()


def test_a_file_in_its_place_is_opened_anew(published: Path, tmp_path: Path) -> None:
    files, path = OpenFiles(), tmp_path / "usage.duckdb"
    path.write_bytes(published.read_bytes())
    assert calls(files, published_file(path)) == 16
    newer = tmp_path / "newer.duckdb"
    newer.write_bytes(published.read_bytes())
    with duckdb.connect(str(newer)) as con:
        con.execute("delete from marts.usage_daily")
    newer.replace(path)
    assert calls(files, published_file(path)) == 0
    files.close()


def test_no_more_than_a_few_wait_and_soon_none(file: PublishedFile, opens: list[Filters | None]) -> None:
    files = OpenFiles(seconds=0.01)
    connections: list[duckdb.DuckDBPyConnection] = []
    for number in range(MOST_KEPT + 1):
        with files.connection(file, sample_filters(caller=f"{number}")) as con:
            connections.append(con)
    deadline = time.monotonic() + 20
    while any(map(is_open, connections)):
        assert time.monotonic() < deadline, "a connection stays open"
    assert len(opens) == MOST_KEPT + 1


def test_the_oldest_is_closed_for_a_newer_one(file: PublishedFile) -> None:
    files = OpenFiles()
    connections: list[duckdb.DuckDBPyConnection] = []
    for number in range(MOST_KEPT + 1):
        with files.connection(file, sample_filters(caller=f"{number}")) as con:
            connections.append(con)
    assert [is_open(con) for con in connections] == [False] + [True] * MOST_KEPT
    files.close()
    assert not any(map(is_open, connections))


AS_PYTHON_ENDS = """
import time
from contextlib import ExitStack
from pathlib import Path
from unittest import mock
import duckdb
from usage_pipeline.ui import open_files

con, closing = duckdb.connect(":memory:"), ExitStack()
con.execute("set enable_progress_bar = false")
closing.callback(print, "closed")
# As long as closing a large file can take.
closing.callback(con.execute, "select count(*) from range(20000) as a, range(10000) as b where a.range + b.range = 7")
files = open_files.OpenFiles(seconds=0)
with mock.patch.object(open_files, "_open", lambda *_: open_files._Kept(None, None, con, closing)):
    with files.connection(None, None):
        pass
time.sleep(0.05)
"""


def test_python_does_not_end_while_a_connection_is_closed() -> None:
    ended = subprocess.run([sys.executable, "-c", AS_PYTHON_ENDS], capture_output=True, text=True, check=False)
    assert (ended.returncode, ended.stdout, ended.stderr) == (0, "closed\n", "")


def test_after_its_end_nothing_is_kept(file: PublishedFile) -> None:
    files = OpenFiles()
    with files.connection(file, None) as con:
        files.end()
        assert is_open(con)
    assert not is_open(con)


def test_after_an_error_it_is_closed(file: PublishedFile) -> None:
    files = OpenFiles()
    with pytest.raises(duckdb.CatalogException), files.connection(file, None) as con:
        con.execute("from marts.no_such_table")
    assert not is_open(con)


def is_open(con: duckdb.DuckDBPyConnection) -> bool:
    try:
        con.execute("select 1")
    except duckdb.ConnectionException:
        return False
    return True
