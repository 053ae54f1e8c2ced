"""The settings about the bill: what may be named, and what is said of what may not."""

import os
from pathlib import Path

import pytest

from usage_pipeline.config import ConfigurationError, load_settings

ONE_ACCOUNT = "accounts:\n  - name: production\n    regions: [us-east-1]\n"


@pytest.fixture(autouse=True)
def no_settings_in_the_environment(monkeypatch: pytest.MonkeyPatch) -> None:
    for variable in list(os.environ):
        if variable.startswith("USAGE_PIPELINE_"):
            monkeypatch.delenv(variable)


def write(folder: Path, bill: str) -> Path:
    path = folder / "usage_pipeline.yaml"
    path.write_text(f"{ONE_ACCOUNT}{bill}", encoding="utf-8")
    return path


def test_without_the_setting_there_is_no_bill(tmp_path: Path) -> None:
    assert load_settings(write(tmp_path, "")).bill_settings.files is None


def test_a_relative_path_lies_beside_the_configuration_and_needs_no_file_yet(tmp_path: Path) -> None:
    settings = load_settings(write(tmp_path, "bill:\n  files: cur/*.csv.gz\n"))
    assert settings.bill_settings.files == str(tmp_path / "cur/*.csv.gz")


def test_a_variable_names_the_files(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("USAGE_PIPELINE_BILL__FILES", "/exports/*.parquet")
    assert load_settings(write(tmp_path, "")).bill_settings.files == "/exports/*.parquet"


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        (
            "bill:\n  file: x.csv\n",
            "FILE, line 5: there is no setting 'file'; did you mean 'files'? Allowed here: files.",
        ),
        (
            "bill:\n  files: ''\n",
            "FILE, line 5: bill.files: read ''; allowed: the path of export files, with * for what differs.",
        ),
        (
            "bill:\n  files: s3://bucket/cur/*.csv.gz\n",
            "FILE, line 5: bill.files: read 's3://bucket/cur/*.csv.gz'; allowed: files on this machine. Copy the "
            "export first, for example with `aws s3 sync --delete`.",
        ),
        ("bill: cur/*.csv\n", "FILE, line 4: bill: read 'cur/*.csv'; allowed: `key: value` lines."),
    ],
)
def test_a_wrong_setting_is_told_with_place_value_and_what_is_allowed(tmp_path: Path, text: str, expected: str) -> None:
    with pytest.raises(ConfigurationError) as caught:
        load_settings(write(tmp_path, text))
    assert [p.replace(str(tmp_path / "usage_pipeline.yaml"), "FILE") for p in caught.value.problems] == [expected]
