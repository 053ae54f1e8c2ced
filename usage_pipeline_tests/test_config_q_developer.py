"""Where prompt logs and activity reports may lie, and what is said of what may not."""

import os
from pathlib import Path

import pytest

from usage_pipeline.config import ConfigurationError, load_settings
from usage_pipeline.config_q_developer import BucketPlaceSettings, QDeveloperSettings

ONE_ACCOUNT = "accounts:\n  - name: production\n    regions: [us-east-1]\n"


@pytest.fixture(autouse=True)
def no_settings_in_the_environment(monkeypatch: pytest.MonkeyPatch) -> None:
    for variable in list(os.environ):
        if variable.startswith("USAGE_PIPELINE_"):
            monkeypatch.delenv(variable)


def write(folder: Path, q_developer: str) -> Path:
    path = folder / "usage_pipeline.yaml"
    path.write_text(f"{ONE_ACCOUNT}{q_developer}", encoding="utf-8")
    return path


def test_without_the_setting_nothing_is_named(tmp_path: Path) -> None:
    assert load_settings(write(tmp_path, "")).accounts[0].q_developer is None


def test_each_of_both_has_a_place_of_its_own_and_may_be_left_out(tmp_path: Path) -> None:
    text = "    q_developer:\n      activity_reports: {bucket: q-reports, prefix: reports/daily}\n"

    assert load_settings(write(tmp_path, text)).accounts[0].q_developer == QDeveloperSettings(
        prompt_logs=None, activity_reports=BucketPlaceSettings(bucket="q-reports", prefix="reports/daily")
    )


@pytest.mark.parametrize(
    ("value", "expected"),
    [
        (
            "{}",
            "FILE, line 4: accounts[0].q_developer: read neither prompt_logs nor activity_reports; allowed: one of "
            "them or both.",
        ),
        ("on", "FILE, line 4: accounts[0].q_developer: read True; allowed: `key: value` lines."),
        (
            "{prompt_log: {bucket: q-logs}}",
            "FILE, line 4: there is no setting 'prompt_log'; did you mean 'prompt_logs'? Allowed here: prompt_logs, "
            "activity_reports.",
        ),
        (
            "{prompt_logs: {buckett: q-logs}}",
            "FILE, line 4: accounts[0].q_developer.prompt_logs.bucket is missing; it is required.\n"
            "FILE, line 4: there is no setting 'buckett'; did you mean 'bucket'? Allowed here: bucket, prefix.",
        ),
        (
            "{prompt_logs: q-logs}",
            "FILE, line 4: accounts[0].q_developer.prompt_logs: read 'q-logs'; allowed: `key: value` lines.",
        ),
        (
            "{prompt_logs: {bucket: 's3://q-logs'}}",
            "FILE, line 4: accounts[0].q_developer.prompt_logs.bucket: read 's3://q-logs', which is no bucket name; "
            "allowed: the name alone, such as my-bedrock-logs, and what comes before AWSLogs in the keys as prefix.",
        ),
        (
            "{activity_reports: {bucket: q-logs, prefix: x/AWSLogs/111122223333}}",
            "FILE, line 4: accounts[0].q_developer.activity_reports.prefix: read 'x/AWSLogs/111122223333'; allowed: "
            "the part of the keys before AWSLogs.",
        ),
    ],
)
def test_a_wrong_setting_is_told_with_place_value_and_what_is_allowed(
    tmp_path: Path, value: str, expected: str
) -> None:
    with pytest.raises(ConfigurationError) as caught:
        load_settings(write(tmp_path, f"    q_developer: {value}\n"))

    assert str(caught.value).replace(str(tmp_path / "usage_pipeline.yaml"), "FILE") == expected
