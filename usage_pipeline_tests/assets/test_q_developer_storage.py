"""Which copy of a prompt or of a user's activity is kept, and which days that restates."""

import datetime as dt
import itertools
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import duckdb
import pyarrow as pa
import pyarrow.parquet as pq
import pytest

from usage_pipeline.assets.log_storage import LoggedTable, store_load
from usage_pipeline.assets.q_developer_reading import ACTIVITY, PROMPTS
from usage_pipeline.warehouse import arrow_schema
from usage_pipeline_tests.empty_warehouse import empty_warehouse

DAY = dt.date(2026, 11, 14)
PLACE = {"usage_date": DAY, "account_id": "111122223333", "region": "eu-central-1", "product": "q_developer"}


@pytest.fixture
def con() -> Iterator[duckdb.DuckDBPyConnection]:
    with empty_warehouse() as con:
        yield con


def store(con: duckdb.DuckDBPyConnection, folder: Path, logged: LoggedTable, *rows: dict[str, Any]) -> int:
    """One load; gives how many days it restated."""
    folder.mkdir(exist_ok=True)
    part = folder / f"{len(list(folder.iterdir()))}.parquet"
    pq.write_table(pa.Table.from_pylist(list(rows), schema=arrow_schema(logged.table)), part)
    return len(store_load(con, logged, [part], []).days)


def activity(sent: int | None, reported: int, **values: Any) -> dict[str, Any]:
    """A user's row of a report that was written at this hour of the next day."""
    reported_at = dt.datetime(2026, 11, 15, reported)
    row = {**PLACE, "report": "by_user_analytic", "user_id": "a", "chat_messages_sent": sent}
    return {**row, "reported_at": reported_at, **values}


def prompt(**values: Any) -> dict[str, Any]:
    return {**PLACE, "ts": dt.datetime(2026, 11, 14, 9), "kind": "chat", **values}


REPORTS = [activity(9, 0), activity(7, 2), activity(None, 1, dev_accepted_lines=3, dev_generated_lines=4)]


@pytest.mark.parametrize("order", list(itertools.permutations(range(3))))
def test_of_two_reports_the_later_counts_whatever_it_says_and_whenever_it_is_read(
    con: duckdb.DuckDBPyConnection, tmp_path: Path, order: tuple[int, ...]
) -> None:
    for number in order:
        store(con, tmp_path / "parts", ACTIVITY.logged, REPORTS[number])

    assert con.execute("select chat_messages_sent from raw.q_developer_activity").fetchall() == [(7,)]


def test_the_same_report_again_restates_nothing(con: duckdb.DuckDBPyConnection, tmp_path: Path) -> None:
    assert store(con, tmp_path / "parts", ACTIVITY.logged, *REPORTS) == 1
    assert store(con, tmp_path / "parts", ACTIVITY.logged, *REPORTS) == 0


def test_each_client_of_a_user_and_each_report_has_its_row(con: duckdb.DuckDBPyConnection, tmp_path: Path) -> None:
    rows = [
        activity(1, 0),
        activity(1, 0, report="user_report", client_type="KIRO_IDE"),
        activity(1, 0, report="user_report", client_type="KIRO_CLI"),
        activity(1, 0, product="kiro"),
    ]

    store(con, tmp_path / "parts", ACTIVITY.logged, *rows, *rows)

    assert con.execute("select count(*) from raw.q_developer_activity").fetchall() == [(4,)]


def test_prompts_without_an_id_are_known_by_their_hash(con: duckdb.DuckDBPyConnection, tmp_path: Path) -> None:
    rows = [prompt(request_id="a"), prompt(record_hash="h1"), prompt(record_hash="h2")]

    assert store(con, tmp_path / "parts", PROMPTS.logged, *rows, *rows) == 1
    assert store(con, tmp_path / "parts", PROMPTS.logged, *rows) == 0

    found = con.execute("select request_id, record_hash from raw.q_developer_prompts order by all").fetchall()
    assert found == [("a", None), (None, "h1"), (None, "h2")]
