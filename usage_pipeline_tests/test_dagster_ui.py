"""Dagster's UI as a new user has it: `usage-pipeline dev`, two runs launched at once, what it shows.

Runs are launched through the GraphQL endpoint that the UI itself uses.
"""

import datetime as dt
import json
import os
import signal
import socket
import subprocess
import sys
import time
import urllib.error
import urllib.request
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from typing import Any

import duckdb
import pytest

from usage_pipeline.config import Settings
from usage_pipeline.sandbox import RunningSandbox
from usage_pipeline_tests.pipeline_runs import ONE_SCOPE, TODAY, write_settings

LONGEST_WAIT_SECONDS = 240

LAUNCH = """
mutation ($params: ExecutionParams!) {
  launchRun(executionParams: $params) {
    __typename
    ... on LaunchRunSuccess { run { runId } }
    ... on PythonError { message }
    ... on RunConfigValidationInvalid { errors { message } }
  }
}
"""

RUN_STATUSES = "query ($ids: [String!]!) { runsOrError(filter: {runIds: $ids}) { ... on Runs { results { status } } } }"

ASSET = """
query ($key: AssetKeyInput!) {
  assetNodeOrError(assetKey: $key) {
    ... on AssetNode {
      assetMaterializations(limit: 1) {
        runId
        metadataEntries {
          __typename
          label
          ... on IntMetadataEntry { intValue }
          ... on TableSchemaMetadataEntry { schema { columns { name type } } }
          ... on TableColumnLineageMetadataEntry { lineage { columnName columnDeps { columnName assetKey { path } } } }
        }
      }
    }
  }
}
"""


CHECK = """
query ($key: AssetKeyInput!, $name: String!) {
  assetCheckExecutions(assetKey: $key, checkName: $name, limit: 1) { status }
}
"""


class DagsterUi:
    """A running Dagster UI, asked as its own pages ask it."""

    def __init__(self, port: int) -> None:
        self.url = f"http://127.0.0.1:{port}/graphql"

    def ask(self, query: str, **variables: object) -> Any:
        body = json.dumps({"query": query, "variables": variables}).encode()
        request = urllib.request.Request(self.url, body, {"Content-Type": "application/json"})
        with urllib.request.urlopen(request, timeout=60) as answer:
            read = json.load(answer)
        assert "errors" not in read, read
        return read["data"]

    def is_ready(self) -> bool:
        query = "{ repositoriesOrError { ... on RepositoryConnection { nodes { name location { name } } } } }"
        try:
            return bool(self.ask(query)["repositoriesOrError"].get("nodes"))
        except (urllib.error.URLError, ConnectionError, TimeoutError):
            return False

    def launch(self, day: dt.date, *assets: str) -> str:
        """Run the daily job for a day: all of it, or some assets without checks. Returns the run's id."""
        selector: dict[str, object] = {
            "repositoryLocationName": "usage_pipeline.definitions",
            "repositoryName": "__repository__",
            "jobName": "daily",
        }
        if assets:
            selector |= {
                "assetSelection": [{"path": asset.split(".")} for asset in assets],
                "assetCheckSelection": [],
            }
        params = {
            "selector": selector,
            "runConfigData": {},
            "executionMetadata": {"tags": [{"key": "dagster/partition", "value": day.isoformat()}]},
        }
        launched = self.ask(LAUNCH, params=params)["launchRun"]
        assert launched["__typename"] == "LaunchRunSuccess", launched
        return launched["run"]["runId"]

    def statuses(self, run_ids: list[str]) -> list[str]:
        return [run["status"] for run in self.ask(RUN_STATUSES, ids=run_ids)["runsOrError"]["results"]]

    def check(self, name: str, *path: str) -> str:
        """Status of a check's newest execution, whichever of the runs it belongs to."""
        return self.ask(CHECK, key={"path": list(path)}, name=name)["assetCheckExecutions"][0]["status"]

    def asset(self, *path: str) -> Any:
        return self.ask(ASSET, key={"path": list(path)})["assetNodeOrError"]


def wait_until(what: str, condition: Any) -> None:
    deadline = time.monotonic() + LONGEST_WAIT_SECONDS
    while not condition():
        assert time.monotonic() < deadline, f"waited {LONGEST_WAIT_SECONDS} s for {what}"
        time.sleep(1)


@pytest.fixture
def settings(tmp_path: Path) -> Settings:
    return write_settings(tmp_path, ONE_SCOPE)


@pytest.fixture
def ui(settings: Settings, tmp_path: Path, organisation: RunningSandbox) -> Iterator[DagsterUi]:
    with socket.socket() as free:
        free.bind(("127.0.0.1", 0))
        port = free.getsockname()[1]
    command = [sys.executable, "-m", "usage_pipeline.cli", "dev", "--port", str(port)]
    command += ["--config", str(tmp_path / "usage_pipeline.yaml")]
    environment = {**os.environ, **organisation.environment}
    environment.pop("DAGSTER_HOME", None)
    log = (tmp_path / "dev.log").open("wb")
    process = subprocess.Popen(command, env=environment, stdout=log, stderr=log, start_new_session=True)
    try:
        ui = DagsterUi(port)
        wait_until("Dagster's UI", ui.is_ready)
        yield ui
    finally:
        os.killpg(process.pid, signal.SIGINT)
        try:
            process.wait(timeout=60)
        except subprocess.TimeoutExpired:
            os.killpg(process.pid, signal.SIGKILL)
        log.close()


def test_two_runs_launched_at_once_from_the_ui_both_succeed_and_show_what_they_did(
    ui: DagsterUi, settings: Settings
) -> None:
    # One of everything, and one that reads and writes the same day meanwhile.
    beside = ["raw.cloudwatch_metrics", "staging.stg_cloudwatch_periods", "staging.stg_cloudwatch_percentiles"]
    with ThreadPoolExecutor() as threads:
        launched = [threads.submit(ui.launch, TODAY, *assets) for assets in ([], beside)]
        run_ids = [launch.result() for launch in launched]

    reader: list[duckdb.DuckDBPyConnection] = []

    def all_ended() -> bool:
        # A reader that opens the published file while runs go on disturbs them as little as they disturb it.
        if not reader and settings.published_file.exists():
            reader.append(duckdb.connect(str(settings.published_file), read_only=True))
        return all(status in ("SUCCESS", "FAILURE", "CANCELED") for status in ui.statuses(run_ids))

    wait_until("both runs", all_ended)

    assert ui.statuses(run_ids) == ["SUCCESS", "SUCCESS"]
    assert reader[0].execute("select count(*) > 0 from marts.usage_minutely").fetchone() == (True,)
    asset = ui.asset("marts", "quota_usage_minutely")
    entries = {entry["label"]: entry for entry in asset["assetMaterializations"][0]["metadataEntries"]}
    with duckdb.connect(str(settings.warehouse_file), read_only=True) as con:
        rows = con.execute("select count(*) from marts.quota_usage_minutely").fetchone()
        described = con.execute("describe marts.quota_usage_minutely").fetchall()
    types = {name: type_name for name, type_name, *_ in described}
    assert (entries["dagster/row_count"]["intValue"],) == rows
    shown = entries["dagster/column_schema"]["schema"]["columns"]
    assert {column["name"]: column["type"] for column in shown} == types
    lineage = {entry["columnName"]: entry["columnDeps"] for entry in entries["dagster/column_lineage"]["lineage"]}
    assert ["marts", "usage_minutely"] in [dep["assetKey"]["path"] for dep in lineage["consumed_tokens"]]
    assert ui.check("every_burndown_rate_is_known", "marts", "quota_pools") == "FAILED"
    assert ui.check("consumed_tokens_agree_with_aws", "marts", "quota_usage_minutely") == "SUCCEEDED"
