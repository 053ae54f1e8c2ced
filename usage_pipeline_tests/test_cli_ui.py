"""The command `usage-pipeline ui`: what it refuses, what it says, and how it starts Streamlit."""

import importlib.util
from pathlib import Path

import pytest
from typer.testing import CliRunner

from usage_pipeline import cli_ui
from usage_pipeline.cli import app
from usage_pipeline.cli_ui import is_loopback, streamlit_command
from usage_pipeline.config import CONFIG_VARIABLE
from usage_pipeline.ui.options import PASSWORD_VARIABLE, Options, from_arguments
from usage_pipeline.ui.passwords import is_password

runner = CliRunner()

CONFIGURATION = "accounts:\n  - {name: production}\nreport: {utilization_warning: 0.7}\n"


def said(text: str) -> str:
    """Text without the terminal's line breaks."""
    return " ".join(text.split())


@pytest.fixture(autouse=True)
def _empty_folder(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(tmp_path)
    monkeypatch.setenv("HOME", str(tmp_path))
    # Set rather than deleted: --config sets it too, and only what was set is put back.
    monkeypatch.setenv(CONFIG_VARIABLE, "")
    monkeypatch.delenv(PASSWORD_VARIABLE, raising=False)


@pytest.fixture
def started(monkeypatch: pytest.MonkeyPatch) -> list[list[str]]:
    """Command lines that would have been run."""
    commands: list[list[str]] = []

    def note(command: list[str]) -> int:
        commands.append(command)
        return 0

    monkeypatch.setattr(cli_ui, "run_until_stopped", note)
    return commands


@pytest.fixture
def file(tmp_path: Path) -> Path:
    path = tmp_path / "data" / "published" / "usage.duckdb"
    path.parent.mkdir(parents=True)
    path.write_bytes(b"")
    return path


def options_of(command: list[str]) -> Options:
    return from_arguments(command[command.index("--") + 1 :])


def test_it_listens_to_this_machine_alone_and_sends_nothing_home(started: list[list[str]], file: Path) -> None:
    result = runner.invoke(app, ["ui", "--file", "data/published/usage.duckdb"])

    assert result.exit_code == 0
    assert said(result.output) == f"Dashboard at http://127.0.0.1:8501; stop with Ctrl-C. from {file}"
    (command,) = started
    assert command[1:4] == ["-m", "streamlit", "run"]
    flags = dict(zip(command[5 : command.index("--") : 2], command[6 : command.index("--") : 2], strict=True))
    assert flags["--server.address"] == "127.0.0.1"
    assert flags["--browser.gatherUsageStats"] == "false"
    assert flags["--client.showErrorDetails"] == "none"
    assert options_of(command) == Options(file)


def test_the_configuration_says_which_file_and_when_a_pool_is_close(started: list[list[str]], file: Path) -> None:
    Path("usage_pipeline.yaml").write_text(CONFIGURATION, encoding="utf-8")
    assert runner.invoke(app, ["ui", "--port", "8600"]).exit_code == 0
    assert options_of(started[0]) == Options(file, Path.cwd() / "usage_pipeline.yaml", "none", (), 0.7)

    named = Path("other.yaml")
    named.write_text(CONFIGURATION, encoding="utf-8")
    assert runner.invoke(app, ["ui", "--file", str(file), "--config", "other.yaml"]).exit_code == 0
    assert options_of(started[1]).config == named.resolve()


@pytest.mark.parametrize(
    ("arguments", "sentence"),
    [
        (
            ["--file", "none.duckdb"],
            "none.duckdb does not exist. Run `usage-pipeline run` first, or `usage-pipeline demo`",
        ),
        (["--login", "maybe"], "--login is maybe; allowed: none, password, oidc."),
        (["--login", "password"], "make it with `usage-pipeline ui --hash-password`."),
        (["--login", "oidc"], "--login oidc needs .streamlit/secrets.toml with an [auth] section"),
        (["--allow", "@corp.example"], "give it with --login oidc."),
        (["--login", "oidc", "--allow", "corp.example"], "--allow is corp.example; allowed: an address"),
        (["--host", "0.0.0.0"], "--host 0.0.0.0 lets other machines look, and no login is set"),
    ],
)
def test_what_it_refuses(arguments: list[str], sentence: str, started: list[list[str]], file: Path) -> None:
    result = runner.invoke(app, ["ui", "--file", str(file), *arguments])

    assert result.exit_code == 1
    assert sentence in said(result.output)
    assert started == []


def test_without_a_configuration_or_a_file_it_says_what_to_do() -> None:
    result = runner.invoke(app, ["ui"])
    assert result.exit_code == 1
    assert "write one with `usage-pipeline init`" in said(result.output)


def test_without_the_extra_it_says_how_to_install_it(monkeypatch: pytest.MonkeyPatch, file: Path) -> None:
    find = importlib.util.find_spec
    monkeypatch.setattr(importlib.util, "find_spec", lambda name: None if name == "streamlit" else find(name))
    result = runner.invoke(app, ["ui", "--file", str(file)])
    assert result.exit_code == 1
    assert "pip install 'usage-pipeline[ui]'" in said(result.output)


def test_other_machines_may_look_where_that_is_said(
    started: list[list[str]], file: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    result = runner.invoke(app, ["ui", "--file", str(file), "--host", "0.0.0.0", "--login", "none"])
    assert result.exit_code == 0
    assert "Everyone who reaches 0.0.0.0 can look: there is no login." in said(result.output)

    made = runner.invoke(app, ["ui", "--hash-password"], input="open sesame\nopen sesame\n")
    name, kept = made.stdout.strip().removeprefix("export ").replace("'", "").split("=", 1)
    assert name == PASSWORD_VARIABLE
    assert is_password("open sesame", kept)
    monkeypatch.setenv(PASSWORD_VARIABLE, kept)
    assert runner.invoke(app, ["ui", "--file", str(file), "--host", "0.0.0.0"]).exit_code == 0
    assert [options_of(command).login for command in started] == ["none", "password"]


def test_a_password_in_place_of_its_hash_is_refused_and_not_shown(
    file: Path, started: list[list[str]], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv(PASSWORD_VARIABLE, "open sesame")
    result = runner.invoke(app, ["ui", "--file", str(file)])
    assert result.exit_code == 1
    assert f"environment variable {PASSWORD_VARIABLE}: it is not a hash" in said(result.output)
    assert "sesame" not in result.output
    assert started == []


@pytest.mark.parametrize(
    ("host", "expected"),
    [
        ("127.0.0.1", True),
        ("127.8.8.8", True),
        ("::1", True),
        ("localhost", True),
        ("0.0.0.0", False),
        ("::", False),
        ("10.0.0.1", False),
        ("dashboard.corp.example", False),
    ],
)
def test_hosts_that_only_this_machine_reaches(host: str, expected: bool) -> None:
    assert is_loopback(host) is expected


def test_an_address_of_the_sixth_version_stands_in_brackets(started: list[list[str]], file: Path) -> None:
    assert "http://[::1]:8501;" in runner.invoke(app, ["ui", "--file", str(file), "--host", "::1"]).output
    assert "--server.address" in streamlit_command(Options(file), "::1", 8501)
