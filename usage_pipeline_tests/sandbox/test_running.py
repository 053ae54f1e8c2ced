import builtins
import socket
import subprocess
import sys
import threading
from datetime import datetime
from pathlib import Path
from typing import Any

import boto3
import pytest

from usage_pipeline.bill_files import read_bill
from usage_pipeline.config import load_settings
from usage_pipeline.sandbox import RunningSandbox, SandboxNotInstalledError, SandboxOptions, serve, start_in_thread
from usage_pipeline.sandbox.faults import UnknownFaultError
from usage_pipeline_tests.sandbox.conftest import END

ONE_DAY = SandboxOptions(days=1, end=END)


def test_importing_the_package_does_not_import_moto():
    code = "import sys, usage_pipeline.sandbox; sys.exit(any(name.split('.')[0] == 'moto' for name in sys.modules))"
    subprocess.run([sys.executable, "-c", code], check=True)


def test_configuration_of_the_sandbox_loads(shared_sandbox: RunningSandbox, sandbox_folder: Path):
    settings = load_settings(sandbox_folder / "usage_pipeline.yaml")
    production, research = settings.accounts
    assert (production.name, production.regions) == ("production", "auto")
    assert (research.name, research.regions) == ("research", ("us-east-1", "eu-west-1"))
    assert production.role_arn == "arn:aws:iam::111122223333:role/usage-pipeline-reader"
    assert (production.external_id, research.external_id) == ("sandbox", "sandbox")
    assert settings.warehouse_file == sandbox_folder.resolve() / "warehouse.duckdb"
    assert settings.now() == END
    assert settings.price_settings.file == sandbox_folder.resolve() / "prices.csv"
    assert (sandbox_folder / "truth.duckdb").exists()
    assert settings.bill_settings.files is not None
    assert [path.name for path in read_bill(settings.bill_settings.files).paths] == ["bill-00001.csv.gz"]


def test_environment_is_all_that_boto3_needs(shared_sandbox: RunningSandbox, monkeypatch: pytest.MonkeyPatch):
    for name in ("AWS_PROFILE", "AWS_SESSION_TOKEN"):
        monkeypatch.delenv(name, raising=False)
    for name, value in shared_sandbox.environment.items():
        monkeypatch.setenv(name, value)
    assert len(boto3.Session().client("bedrock").list_foundation_models()["modelSummaries"]) > 30


def test_serve_ends_when_it_is_stopped(tmp_path: Path, capfd: pytest.CaptureFixture[str]):
    ready: list[str] = []

    def use_and_stop(running: RunningSandbox) -> None:
        ready.append(running.endpoint_url)
        threading.Thread(target=running.stop).start()

    serve(ONE_DAY, out=tmp_path / "made" / "here", on_ready=use_and_stop)
    assert ready[0].startswith("http://127.0.0.1:")
    assert (tmp_path / "made" / "here" / "usage_pipeline.yaml").exists()
    assert capfd.readouterr() == ("", "")


def test_a_port_that_is_taken_is_an_error(tmp_path: Path):
    with socket.create_server(("127.0.0.1", 0)) as taken:
        port = taken.getsockname()[1]
        with pytest.raises(OSError, match="in use"):
            serve(ONE_DAY, port=port, out=tmp_path, on_ready=lambda _: None)


def test_stop_frees_the_port(tmp_path: Path):
    with start_in_thread(ONE_DAY, tmp_path) as running:
        port = int(running.endpoint_url.rpartition(":")[2])
        running.stop()
    with socket.create_server(("127.0.0.1", port)):
        pass


def test_a_wrong_fault_is_refused():
    with pytest.raises(UnknownFaultError, match="'earthquake'; allowed: denied:<service>"):
        SandboxOptions(days=1, end=END, faults=("earthquake",))


def test_no_days_are_refused():
    with pytest.raises(ValueError, match="days is 0; allowed: 1 or more"):
        SandboxOptions(days=0, end=END)


def test_no_pools_are_refused():
    with pytest.raises(ValueError, match="pools is 0; allowed: 1 or more"):
        SandboxOptions(pools=0, end=END)


def test_the_clock_is_now_unless_it_is_given():
    end = SandboxOptions().end
    assert (end.second, end.microsecond, end.tzinfo) == (0, 0, None)
    assert end > datetime.fromisoformat("2026-01-01")


def test_missing_extra_is_one_clear_sentence(tmp_path: Path, monkeypatch: pytest.MonkeyPatch):
    real_import = builtins.__import__

    def without_moto(name: str, *arguments: Any, **options: Any) -> Any:
        if name.split(".")[0] == "moto":
            raise ImportError(name)
        return real_import(name, *arguments, **options)

    monkeypatch.delitem(sys.modules, "usage_pipeline.sandbox.aws_server", raising=False)
    monkeypatch.setattr(builtins, "__import__", without_moto)
    with pytest.raises(SandboxNotInstalledError) as error:
        serve(ONE_DAY, out=tmp_path, on_ready=lambda _: None)
    assert str(error.value) == (
        "The sandbox needs packages that are not installed: pip install 'usage-pipeline[sandbox]'"
    )
