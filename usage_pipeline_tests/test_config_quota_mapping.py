"""The settings about quota codes that rules leave open."""

from pathlib import Path

import pytest

from usage_pipeline.config import ConfigurationError, load_settings

ACCOUNTS = """\
accounts:
  - name: production
    regions: [us-east-1]
"""


def write(folder: Path, text: str) -> Path:
    path = folder / "usage_pipeline.yaml"
    path.write_text(ACCOUNTS + text, encoding="utf-8")
    return path


def test_nothing_is_asked_and_nothing_overridden_by_default(tmp_path: Path) -> None:
    settings = load_settings(write(tmp_path, "")).quota_mapping_settings

    assert (settings.llm_model, settings.llm_region, settings.llm_account, settings.overrides_file) == (None,) * 4


def test_a_file_of_overrides_lies_under_the_configuration(tmp_path: Path) -> None:
    (tmp_path / "quota_overrides.csv").touch()
    text = (
        "quota_mapping: {llm_model: amazon.nova-pro-v1:0, llm_account: production, overrides_file: quota_overrides.csv}"
    )

    settings = load_settings(write(tmp_path, text)).quota_mapping_settings

    assert settings.llm_model == "amazon.nova-pro-v1:0"
    assert settings.overrides_file == tmp_path / "quota_overrides.csv"


def test_a_variable_can_name_the_model(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("USAGE_PIPELINE_QUOTA_MAPPING__LLM_MODEL", "amazon.nova-lite-v1:0")

    assert load_settings(write(tmp_path, "")).quota_mapping.llm_model == "amazon.nova-lite-v1:0"


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        (
            "quota_mapping:\n  llm_account: research\n",
            "FILE, line 4: quota_mapping: llm_account: read 'research'; allowed: the name of a configured account:"
            " production.",
        ),
        (
            "quota_mapping:\n  overrides_file: gone.csv\n",
            "FILE, line 5: quota_mapping.overrides_file: read 'FOLDER/gone.csv', where there is no file; allowed: the"
            " path of a CSV file.",
        ),
        (
            "quota_mapping:\n  llm: amazon.nova-pro-v1:0\n",
            "FILE, line 5: there is no setting 'llm'; Allowed here: llm_model, llm_region, llm_account,"
            " overrides_file.",
        ),
        (
            "quota_mapping:\n  llm_region: us-esat-1\n",
            "FILE, line 5: quota_mapping.llm_region: read 'us-esat-1', which is no Region of AWS or AWS GovCloud; did"
            " you mean 'us-east-1' or 'us-west-1'? Allowed: Region codes such as us-east-1 (a Region newer than the"
            " installed boto3 needs a newer boto3), or `regions: auto` for every Region that is enabled.",
        ),
        (
            "quota_mapping: amazon.nova-pro-v1:0\n",
            "FILE, line 4: quota_mapping: read 'amazon.nova-pro-v1:0'; allowed: `key: value` lines.",
        ),
    ],
)
def test_a_wrong_setting_is_told_with_place_value_and_what_is_allowed(tmp_path: Path, text: str, expected: str) -> None:
    with pytest.raises(ConfigurationError) as caught:
        load_settings(write(tmp_path, text))
    said = [problem.replace(str(tmp_path / "usage_pipeline.yaml"), "FILE") for problem in caught.value.problems]
    assert [problem.replace(str(tmp_path), "FOLDER") for problem in said] == [expected]
