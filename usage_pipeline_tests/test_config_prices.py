"""The settings about prices: what may be named, and what is said of what may not."""

import os
from pathlib import Path

import pytest

from usage_pipeline.config import ConfigurationError, load_settings
from usage_pipeline.config_prices import PriceSource

ONE_ACCOUNT = "accounts:\n  - name: production\n    regions: [us-east-1]\n"


@pytest.fixture(autouse=True)
def no_settings_in_the_environment(monkeypatch: pytest.MonkeyPatch) -> None:
    for variable in list(os.environ):
        if variable.startswith("USAGE_PIPELINE_"):
            monkeypatch.delenv(variable)


def write(folder: Path, prices: str) -> Path:
    path = folder / "usage_pipeline.yaml"
    path.write_text(f"{ONE_ACCOUNT}{prices}", encoding="utf-8")
    return path


def test_without_settings_the_snapshot_is_the_only_source_and_nothing_is_overridden(tmp_path: Path) -> None:
    prices = load_settings(write(tmp_path, "")).price_settings
    assert (prices.file, prices.overrides) == (None, None)
    assert prices.sources == (PriceSource(name="snapshot"),)


def test_a_file_of_overrides_beside_the_configuration_is_taken(tmp_path: Path) -> None:
    (tmp_path / "price_overrides.csv").touch()
    assert load_settings(write(tmp_path, "")).price_settings.overrides == tmp_path / "price_overrides.csv"


def test_paths_are_relative_to_the_configuration(tmp_path: Path) -> None:
    (tmp_path / "finance").mkdir()
    for name in ("list.csv", "agreed.csv"):
        (tmp_path / "finance" / name).touch()
    text = "prices:\n  file: finance/list.csv\n  overrides: finance/agreed.csv\n"
    prices = load_settings(write(tmp_path, text)).price_settings
    assert prices.file == tmp_path / "finance/list.csv"
    assert prices.overrides == tmp_path / "finance/agreed.csv"


def test_sources_are_words_and_an_address(tmp_path: Path) -> None:
    text = "prices:\n  sources: [snapshot, litellm_json: https://prices.example/litellm.json, aws_price_list]\n"
    assert load_settings(write(tmp_path, text)).price_settings.sources == (
        PriceSource(name="snapshot"),
        PriceSource(name="litellm_json", address="https://prices.example/litellm.json"),
        PriceSource(name="aws_price_list"),
    )


def test_a_variable_names_the_sources(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("USAGE_PIPELINE_PRICES__SOURCES", '["aws_price_list"]')
    assert load_settings(write(tmp_path, "")).price_settings.sources == (PriceSource(name="aws_price_list"),)


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        (
            "prices:\n  fil: x.csv\n",
            "FILE, line 5: there is no setting 'fil'; did you mean 'file'? Allowed here: file, sources, overrides.",
        ),
        (
            "prices:\n  file: missing.csv\n",
            "FILE, line 5: prices.file: read 'FOLDER/missing.csv', where there is no file; allowed: the path of a CSV "
            "file.",
        ),
        (
            "prices:\n  overrides: missing.csv\n",
            "FILE, line 5: prices.overrides: read 'FOLDER/missing.csv', where there is no file; allowed: the path of a "
            "CSV file.",
        ),
        (
            "prices:\n  sources:\n    - snapshot\n    - litellm\n",
            "FILE, line 7: prices.sources[1]: read 'litellm'; allowed: snapshot, aws_price_list, or litellm_json with "
            "its address (litellm_json: https://…).",
        ),
        (
            "prices:\n  sources: [litellm_json]\n",
            "FILE, line 5: prices.sources[0]: read 'litellm_json'; allowed: snapshot, aws_price_list, or litellm_json "
            "with its address (litellm_json: https://…).",
        ),
        (
            "prices:\n  sources: [{litellm_json: 'file:///etc/passwd'}]\n",
            "FILE, line 5: prices.sources[0]: read 'file:///etc/passwd'; allowed: an address that begins with "
            "https://.",
        ),
        (
            "prices:\n  sources: [snapshot, snapshot]\n",
            "FILE, line 5: prices.sources: read snapshot, snapshot; allowed: each source once.",
        ),
    ],
)
def test_a_wrong_setting_is_told_with_place_value_and_what_is_allowed(tmp_path: Path, text: str, expected: str) -> None:
    with pytest.raises(ConfigurationError) as caught:
        load_settings(write(tmp_path, text))
    said = [problem.replace(str(tmp_path / "usage_pipeline.yaml"), "FILE") for problem in caught.value.problems]
    assert [problem.replace(str(tmp_path), "FOLDER") for problem in said] == [expected]
