import itertools
from datetime import time
from decimal import Decimal
from pathlib import Path

import pytest

from usage_pipeline.config import COMMENTED_EXAMPLE, ConfigurationError, Settings, load_settings

SECRET = "slack://T1JJ3T3L2/A1BRTD4JD/TIiajkdnlazkcOXrIdevi7FQ"


def loaded(folder: Path, alerts: str) -> Settings:
    """Settings of a file that ends with the lines below `alerts:`."""
    path = folder / "usage_pipeline.yaml"
    path.write_text(f"accounts:\n  - name: a\n    regions: [us-east-1]\nalerts:{alerts}", encoding="utf-8")
    return load_settings(path)


def problem(folder: Path, alerts: str) -> str:
    with pytest.raises(ConfigurationError) as caught:
        loaded(folder, alerts)
    (sentence,) = caught.value.problems
    return sentence.removeprefix(f"{folder / 'usage_pipeline.yaml'}, ")


def test_channels_routing_quiet_hours_and_budgets_are_read(tmp_path: Path) -> None:
    alerts = loaded(
        tmp_path,
        """
  channels:
    - {name: chat, url_env: CHAT_URL}
    - {name: topic, sns_topic_arn: "arn:aws-us-gov:sns:us-gov-west-1:111122223333:bedrock"}
  routing: {WARN: [chat]}
  quiet_hours: {from: 22:00, to: "07:30", time_zone: Europe/Berlin, errors_pass: true}
  budgets:
    - {name: search, tag: team=search, usd: 12.50, per: day}
""",
    ).alerts

    assert [channel.name for channel in alerts.channels_for("ERROR")] == ["chat", "topic"]
    assert [channel.name for channel in alerts.channels_for("WARN")] == ["chat"]
    assert alerts.quiet_hours is not None
    # YAML 1.1 reads 22:00 as a number.
    assert (alerts.quiet_hours.start, alerts.quiet_hours.end) == (time(22), time(7, 30))
    assert alerts.budgets[0].usd == Decimal("12.50")


def test_without_the_key_nobody_is_told(tmp_path: Path) -> None:
    assert loaded(tmp_path, " {}\n").alerts.channels_for("ERROR") == ()


@pytest.mark.parametrize(
    "alerts",
    [
        f" {SECRET}\n",
        f"\n  channels: {SECRET}\n",
        f"\n  channels: [{SECRET}]\n",
        f"\n  channels: [{{name: chat, url_env: '{SECRET}'}}]\n",
        f"\n  channels: [{{name: chat, sns_topic_arn: '{SECRET}'}}]\n",
        f"\n  channels: [{{name: chat, url_env: X, url: '{SECRET}'}}]\n",
    ],
)
def test_an_address_in_the_file_is_refused_and_never_repeated(tmp_path: Path, alerts: str) -> None:
    assert "slack" not in problem(tmp_path, alerts)


@pytest.mark.parametrize(
    ("alerts", "sentence"),
    [
        (
            "\n  channels: [{name: chat}]\n",
            "line 5: alerts.channels[0]: read neither url_env nor sns_topic_arn; allowed: one of them.",
        ),
        (
            "\n  channels: [{name: a, url_env: A}, {name: a, url_env: B}]\n",
            "line 5: alerts.channels: two channels have the name 'a'; allowed: each name once.",
        ),
        (
            "\n  channels: [{name: a, url_env: A}]\n  routing: {ERROR: [b]}\n",
            "line 6: alerts.routing: ERROR names 'b'; allowed: names of channels: a.",
        ),
        (
            "\n  quiet_hours: {from: '22:00', to: '25:00'}\n",
            "line 5: alerts.quiet_hours.to: read '25:00'; allowed: a time of day such as 22:00.",
        ),
        (
            "\n  quiet_hours: {from: '22:00', to: '22:00'}\n",
            "line 5: alerts.quiet_hours.to: read 22:00, the same as from; allowed: another time.",
        ),
        (
            "\n  quiet_hours: {from: '22:00', to: '07:00', time_zone: Mars/Base}\n",
            "line 5: alerts.quiet_hours.time_zone: read 'Mars/Base'; allowed: a name such as Europe/Berlin or UTC.",
        ),
        (
            "\n  budgets: [{name: b, usd: 1, tag: team}]\n",
            "line 5: alerts.budgets[0].tag: read 'team'; allowed: key=value, such as team=search.",
        ),
        (
            "\n  report_url: report.html\n",
            "line 5: alerts.report_url: read 'report.html'; allowed: where report.html can be opened, such as "
            "https://…/report.html.",
        ),
        (
            "\n  channels: [{name: a, sns_topic_arn: 'arn:aws:sqs:us-east-1:111122223333:a'}]\n",
            "line 5: alerts.channels[0].sns_topic_arn: read 'arn:aws:sqs:us-east-1:111122223333:a'; allowed: a topic's "
            "ARN such as arn:aws:sns:us-east-1:111122223333:alerts.",
        ),
    ],
)
def test_a_wrong_value_is_told_with_its_place_and_what_is_allowed(tmp_path: Path, alerts: str, sentence: str) -> None:
    assert problem(tmp_path, alerts) == sentence


def test_the_example_in_the_commented_configuration_can_be_used(tmp_path: Path) -> None:
    lines = COMMENTED_EXAMPLE.splitlines()
    first = next(number for number, line in enumerate(lines) if line.startswith("# alerts:"))
    block = list(itertools.takewhile(lambda line: line.startswith("#"), lines[first:]))
    path = tmp_path / "usage_pipeline.yaml"
    path.write_text(COMMENTED_EXAMPLE + "\n".join(line.removeprefix("# ") for line in block), encoding="utf-8")

    alerts = load_settings(path).alerts

    assert [channel.name for channel in alerts.channels] == ["chat", "topic"]
    assert alerts.budgets[0].usd == Decimal(500)
