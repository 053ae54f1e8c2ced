"""The addresses and settings that the page about alerts shows can be used as they are."""

import re
from pathlib import Path

import apprise
import pytest
import yaml

from usage_pipeline.config_alerts import AlertSettings

PAGE = (Path(__file__).parents[2] / "docs" / "alerts.md").read_text(encoding="utf-8")
ADDRESSES = sorted({*re.findall(r"^\|.*\| `(\S+://\S+)` \|$", PAGE, re.MULTILINE), *re.findall(r"_URL='(\S+)'", PAGE)})


def test_the_page_shows_every_kind_of_address() -> None:
    assert {address.partition(":")[0] for address in ADDRESSES} == {
        "slack",
        "workflows",
        "pagerduty",
        "mailtos",
        "jsons",
    }


@pytest.mark.parametrize("address", ADDRESSES)
def test_apprise_knows_the_address(address: str) -> None:
    assert apprise.Apprise.instantiate(address) is not None


def test_the_example_is_a_configuration() -> None:
    (example,) = re.findall(r"```yaml\n(.*?)```", PAGE, re.DOTALL)

    alerts = AlertSettings.model_validate(yaml.safe_load(example)["alerts"])

    assert [channel.name for channel in alerts.channels_for("WARN")] == ["chat"]
    assert [budget.name for budget in alerts.budgets] == ["search", "team blue"]
