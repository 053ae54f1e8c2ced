"""Dagster's servers as a user has them: alerts through a restart, two runs launched at once, what the UI shows.

The daemon delivers findings, is stopped, and begins anew as a part of `usage-pipeline dev`. Runs are launched through
the GraphQL endpoint that the UI itself uses. Not here: the sensor without a server (`alerts/test_sensors.py`).
"""

import dataclasses
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
from collections.abc import Callable, Generator, Iterator, Mapping, Sequence
from concurrent.futures import ThreadPoolExecutor
from contextlib import ExitStack, contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import duckdb
import pytest
import yaml

from usage_pipeline.config import CONFIG_VARIABLE, Settings
from usage_pipeline.instance_folder import prepare_instance_folder
from usage_pipeline.sandbox import RunningSandbox
from usage_pipeline_tests.alerts.factory import finding, publish_findings
from usage_pipeline_tests.alerts.webhook import webhook
from usage_pipeline_tests.pipeline_runs import ONE_SCOPE, TODAY, write_settings

LONGEST_WAIT_SECONDS = 240

ALERTS = {"channels": [{"name": "chat", "url_env": "CHAT_URL"}], "interval_seconds": 5}

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


def wait_until(what: str, condition: Callable[[], bool], pause: float = 1) -> None:
    deadline = time.monotonic() + LONGEST_WAIT_SECONDS
    while not condition():
        assert time.monotonic() < deadline, f"waited {LONGEST_WAIT_SECONDS} s for {what}"
        time.sleep(pause)


@contextmanager
def server(command: Sequence[str], environment: Mapping[str, str], log_file: Path) -> Generator[None]:
    """A program of Python that serves until it is interrupted as by Ctrl-C."""
    with log_file.open("wb") as log:
        process = subprocess.Popen(
            [sys.executable, "-m", *command],
            env={name: value for name, value in os.environ.items() if name != "DAGSTER_HOME"} | dict(environment),
            stdout=log,
            stderr=log,
            start_new_session=True,
            cwd=log_file.parent,
        )
        try:
            yield
        finally:
            os.killpg(process.pid, signal.SIGINT)
            try:
                process.wait(timeout=60)
            except subprocess.TimeoutExpired:
                os.killpg(process.pid, signal.SIGKILL)


@contextmanager
def dev(configuration: Path, environment: Mapping[str, str], log_file: Path) -> Generator[DagsterUi]:
    """`usage-pipeline dev`, when its UI answers."""
    with socket.socket() as free:
        free.bind(("127.0.0.1", 0))
        port = free.getsockname()[1]
    command = ["usage_pipeline.cli", "dev", "--port", str(port), "--config", str(configuration)]
    with server(command, environment, log_file):
        ui = DagsterUi(port)
        wait_until("Dagster's UI", ui.is_ready)
        yield ui


@dataclass
class Served:
    """`usage-pipeline dev` in a folder where a daemon ran before, and what both told."""

    settings: Settings
    ui: DagsterUi
    titles: list[str]
    """Titles of the messages about the findings that were published before any run."""
    refused: int
    """Messages that the web hook did not take at first."""
    logs: list[Path]


@pytest.fixture(scope="module")
def served(tmp_path_factory: pytest.TempPathFactory, _organisation: RunningSandbox) -> Iterator[Served]:
    folder = tmp_path_factory.mktemp("served")
    settings = write_settings(folder, ONE_SCOPE + yaml.safe_dump({"alerts": ALERTS}))
    logs = [folder / "daemon.log", folder / "dev.log"]
    with ExitStack() as stack:
        hook = stack.enter_context(webhook(failures=2))
        environment = {**_organisation.environment, "CHAT_URL": hook.address}
        configuration = folder / "usage_pipeline.yaml"
        findings = [finding(number=number) for number in range(4)]
        publish_findings(settings.published_file, findings)
        at_home = {
            "DAGSTER_HOME": str(prepare_instance_folder(settings.dagster_home)),
            CONFIG_VARIABLE: str(configuration),
        }
        with server(["dagster._daemon", "run", "-m", "usage_pipeline.definitions"], environment | at_home, logs[0]):
            wait_until("four messages", lambda: len(hook.messages) == 4, 0.2)

        gone = dataclasses.replace(findings[0], resolved_at=findings[0].opened_at, notice="resolved", notice_number=2)
        publish_findings(settings.published_file, [gone, *findings[1:]])
        ui = stack.enter_context(dev(configuration, environment, logs[1]))
        wait_until("the message that a finding is resolved", lambda: len(hook.messages) >= 5, 0.2)
        # What runs find is told too.
        titles = list(hook.titles)
        settings.published_file.unlink()
        yield Served(settings, ui, titles, hook.refused, logs)


def test_the_real_daemon_delivers_each_finding_once_through_failures_and_a_restart(served: Served) -> None:
    assert served.refused == 2
    assert len(set(served.titles)) == len(served.titles) == 5
    assert served.titles[-1].startswith("[RESOLVED]")
    for log in served.logs:
        assert "SECRET" not in log.read_text(encoding="utf-8")


def test_two_runs_launched_at_once_from_the_ui_both_succeed_and_show_what_they_did(
    served: Served,
) -> None:
    ui, settings = served.ui, served.settings
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
