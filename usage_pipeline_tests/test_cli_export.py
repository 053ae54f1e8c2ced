"""What is exported, and that the quota index decides the same when it is read back."""

import csv
import shutil
from pathlib import Path
from typing import Any

import duckdb
import pyarrow as pa
import pytest
from typer.testing import CliRunner

from usage_pipeline.assets.quota_mappings import mapping_rows, override_row
from usage_pipeline.cli import app
from usage_pipeline.quotas.overrides import read_overrides
from usage_pipeline.raw_tables import LLM_QUOTA_MAPPINGS, QUOTA_MAPPINGS, QUOTA_OVERRIDES, StoredTable
from usage_pipeline.sandbox.organisation import SCOPES, models_in
from usage_pipeline.sandbox.quota_catalogue import quotas_in
from usage_pipeline.warehouse import arrow_schema, replace_all
from usage_pipeline_tests.marts.factory import Store, at

runner = CliRunner()
NOW = at("15T10:30")
OPEN_MODEL = "zai.glm-5v-106b-a12b"
CONFIGURATION = "accounts: [{name: production, regions: [us-east-1]}]\n"


def said(text: str) -> str:
    return " ".join(text.split())


def put(con: duckdb.DuckDBPyConnection, table: StoredTable, rows: list[dict[str, Any]]) -> None:
    replace_all(con, table, pa.Table.from_pylist(rows, schema=arrow_schema(table)))


def mapped(con: duckdb.DuckDBPyConnection) -> dict[tuple[str, ...], tuple[Any, ...]]:
    """Code and status of every mapping, by its key."""
    return {
        (row["account_id"], row["region"], row["model_id"], row["endpoint_type"], row["quota_kind"]): (
            row["quota_code"],
            row["status"],
        )
        for row in mapping_rows(con, NOW)
    }


def in_scope(con: duckdb.DuckDBPyConnection) -> None:
    """The sandbox's models and quotas of all scopes; a model's answer for one, a person's word on another."""
    for account_id, region in SCOPES:
        con.executemany(
            """
            insert into raw.foundation_models (snapshot_date, account_id, region, model_id, model_name, provider_name)
            values ('2026-11-15', ?, ?, ?, ?, ?)
            """,
            [(account_id, region, model.model_id, model.name, model.provider) for model in models_in(region)],
        )
        con.executemany(
            "insert into raw.service_quotas (account_id, region, quota_code, quota_name) values (?, ?, ?, ?)",
            [(account_id, region, quota.code, quota.name) for quota in quotas_in(region)],
        )
    answer = dict(zip(("account_id", "region"), SCOPES[0], strict=True))
    answer |= {"model_id": OPEN_MODEL, "endpoint_type": "geo", "quota_kind": "tpm", "answered_code": "L-6A3D91F0"}
    answer |= {"status": "accepted", "mapper_model_id": "amazon.nova-pro-v1:0"}
    put(con, LLM_QUOTA_MAPPINGS, [{name: answer.get(name) for name in arrow_schema(LLM_QUOTA_MAPPINGS).names}])
    absent = {"model_id": "amazon.nova-pro-v1:0", "endpoint_type": "geo", "quota_kind": "rpm"}
    put(con, QUOTA_OVERRIDES, [{name: absent.get(name) for name in arrow_schema(QUOTA_OVERRIDES).names}])
    put(con, QUOTA_MAPPINGS, mapping_rows(con, NOW))


@pytest.fixture(scope="module")
def published_once(tmp_path_factory: pytest.TempPathFactory) -> Path:
    file = tmp_path_factory.mktemp("published") / "usage.duckdb"
    store = Store()
    store.write()
    in_scope(store.con)
    store.con.execute(f"attach '{file}' as copied")
    store.con.execute("copy from database memory to copied")
    store.con.execute("detach copied")
    return file


@pytest.fixture
def published(published_once: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """The published file of a configuration in the working folder."""
    monkeypatch.chdir(tmp_path)
    monkeypatch.delenv("USAGE_PIPELINE_CONFIG", raising=False)
    Path("usage_pipeline.yaml").write_text(CONFIGURATION, encoding="utf-8")
    file = tmp_path / "data" / "published" / "usage.duckdb"
    file.parent.mkdir(parents=True)
    shutil.copyfile(published_once, file)
    return file


def test_the_quota_index_read_back_as_overrides_gives_the_same_mapping(published: Path) -> None:
    result = runner.invoke(app, ["export", "quota-index", "--out", "quota_overrides.csv"])

    assert result.exit_code == 0, result.output
    with duckdb.connect(str(published)) as con:
        before = mapped(con)
        overrides = read_overrides(Path("quota_overrides.csv"))
        put(con, QUOTA_OVERRIDES, [override_row(row) for row in overrides])
        put(con, LLM_QUOTA_MAPPINGS, [])
        assert mapped(con) == before
        by_method = {row["method"] for row in mapping_rows(con, NOW) if row["status"] == "mapped"}
    assert {status for _, status in before.values()} == {"mapped", "no_quota", "unmapped"}
    assert by_method == {"override"}


def test_the_index_has_who_decided_and_what_is_still_open(published: Path) -> None:
    result = runner.invoke(app, ["export", "quota-index", "--out", "index.csv"])

    with Path("index.csv").open(encoding="utf-8", newline="") as file:
        rows = list(csv.DictReader(file))
    assert list(rows[0]) == [
        *("model", "endpoint", "quota_type", "quota_code", "quota_name", "method"),
        *("account", "region"),
    ]
    # Of the open model only one scope was asked about, so each scope has a row of its own.
    assert [
        (row["quota_type"], row["quota_code"], row["method"], row["account"])
        for row in rows
        if row["model"] == OPEN_MODEL
    ] == [
        ("rpm", "", "unmapped", ""),
        ("tpm", "L-6A3D91F0", "llm", "111122223333"),
        ("tpm", "", "unmapped", "444455556666"),
    ]
    assert [row["method"] for row in rows if row["model"] == "amazon.nova-pro-v1:0" and not row["quota_code"]] == [
        "override"
    ]
    still_open = sum(row["method"] == "unmapped" for row in rows)
    assert said(result.output) == f"Wrote {len(rows)} rows, {still_open} of them still open, to index.csv"


def test_without_a_file_the_index_goes_to_the_terminal(published: Path) -> None:
    runner.invoke(app, ["export", "quota-index", "--out", "index.csv"])

    result = runner.invoke(app, ["export", "quota-index"])

    assert result.exit_code == 0
    assert result.output == Path("index.csv").read_text(encoding="utf-8")


def test_a_file_that_is_there_is_left_as_it_is(published: Path) -> None:
    Path("quota_overrides.csv").write_text("mine", encoding="utf-8")

    result = runner.invoke(app, ["export", "quota-index", "--out", "quota_overrides.csv"])

    assert result.exit_code == 1
    assert said(result.output) == (
        "quota_overrides.csv exists already and was left as it is, for it may hold your decisions; name another file."
    )
    assert Path("quota_overrides.csv").read_text(encoding="utf-8") == "mine"


def test_a_file_that_cannot_be_written_is_told(published: Path) -> None:
    result = runner.invoke(app, ["export", "quota-index", "--out", "gone/index.csv"])

    assert result.exit_code == 1
    assert said(result.output) == "gone/index.csv could not be written: No such file or directory"


def test_before_anything_is_published_there_is_nothing_to_export(published: Path) -> None:
    published.unlink()

    result = runner.invoke(app, ["export", "quota-index"])

    assert result.exit_code == 1
    assert "does not exist. Run `usage-pipeline run` first." in said(result.output)
