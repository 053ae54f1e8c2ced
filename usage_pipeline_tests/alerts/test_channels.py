"""Sending to services: limits, markup, failures, and addresses that are never shown."""

import email
import json
import logging
from typing import Any

import boto3
import pytest

from usage_pipeline.alerts.channels import AppriseAddress, DeliveryError, open_channel, sns_subject
from usage_pipeline.alerts.messages import Message
from usage_pipeline.config_alerts import ChannelSettings
from usage_pipeline.sandbox import RunningSandbox
from usage_pipeline_tests.alerts.webhook import webhook
from usage_pipeline_tests.pipeline_runs import pointed_at

MESSAGE = Message("ERROR", "pool <b>&</b> <!channel>: hot", "One line.\nAnother.", is_good_news=False, is_error=True)
CHAT = ChannelSettings(name="chat", url_env="CHAT_URL")
SECRET = "TOKEN-THAT-IS-SECRET"


def failure(environment: dict[str, str], settings: ChannelSettings = CHAT) -> str:
    with pytest.raises(DeliveryError) as caught:
        open_channel(settings, environment).send(MESSAGE)
    assert caught.value.__cause__ is None
    return str(caught.value)


def test_a_webhook_gets_title_body_and_kind() -> None:
    with webhook() as hook:
        open_channel(CHAT, {"CHAT_URL": hook.address}).send(MESSAGE)

    assert hook.messages[0]["title"] == MESSAGE.title
    assert hook.messages[0]["message"] == MESSAGE.body
    assert hook.messages[0]["type"] == "failure"


def test_a_refused_message_says_the_status_and_never_the_address(caplog: pytest.LogCaptureFixture) -> None:
    caplog.set_level(logging.DEBUG)
    with webhook(failures=1) as hook:
        said = failure({"CHAT_URL": hook.address})

    assert said == "the service answered with HTTP status 500"
    assert SECRET not in caplog.text


def test_a_service_that_cannot_be_reached_is_told_without_its_address(
    caplog: pytest.LogCaptureFixture, capfd: pytest.CaptureFixture[str]
) -> None:
    caplog.set_level(logging.DEBUG)
    with webhook() as hook:
        address = hook.address

    said = failure({"CHAT_URL": address})

    assert said == "the service did not answer, or refused it"
    shown = "".join(capfd.readouterr())
    assert SECRET not in caplog.text + shown


@pytest.mark.parametrize(
    ("environment", "sentence"),
    [
        ({}, "the environment variable CHAT_URL is not set; it must hold the channel's address"),
        ({"CHAT_URL": " "}, "the environment variable CHAT_URL is not set; it must hold the channel's address"),
        (
            {"CHAT_URL": f"bogus://{SECRET}"},
            "what the environment variable CHAT_URL holds is no address that Apprise knows; see docs/alerts.md",
        ),
    ],
)
def test_a_wrong_address_is_told_by_its_variable(
    environment: dict[str, str], sentence: str, caplog: pytest.LogCaptureFixture
) -> None:
    caplog.set_level(logging.DEBUG)

    assert failure(environment) == sentence
    assert SECRET not in caplog.text


class _Answer:
    status_code = 200
    content = b"ok"
    text = "ok"


@pytest.mark.parametrize(
    ("address", "plugin", "found"),
    [
        (
            "slack://T1JJ3T3L2/A1BRTD4JD/TIiajkdnlazkcOXrIdevi7FQ",
            "slack",
            "pool &lt;b&gt;&amp;&lt;/b&gt; &lt;!channel&gt;: hot",
        ),
        ("workflows://host.example:443/abcd1234/sig1234567890", "workflows", "application/vnd.microsoft.card.adaptive"),
        (
            "pagerduty://ABCDEFGHIJKLMNOPQRSTUVWXYZ123456@APIKEYAPIKEYAPIKEYAPI",
            "pagerduty",
            '"event_action": "trigger"',
        ),
    ],
)
def test_each_service_gets_its_own_markup(
    address: str, plugin: str, found: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    posted: list[str] = []

    def post(*_: str, **request: Any) -> _Answer:
        posted.append(str(request.get("data") or json.dumps(request.get("json"))))
        return _Answer()

    monkeypatch.setattr(f"apprise.plugins.{plugin}.requests.post", post)
    monkeypatch.setattr(
        f"apprise.plugins.{plugin}.requests.request", lambda method, *given, **named: post(*given, **named)
    )

    AppriseAddress(address, "CHAT_URL").send(MESSAGE)

    assert found in posted[0]


def test_a_long_message_is_cut_to_what_the_service_takes() -> None:
    long = Message("ERROR", "h" * 300, "b" * 100_000, is_good_news=False, is_error=True)

    with webhook() as hook:
        open_channel(CHAT, {"CHAT_URL": hook.address}).send(long)

    (taken,) = hook.messages
    assert (len(taken["title"]), taken["title"][-1], taken["message"][-1]) == (250, "…", "…")
    assert len(taken["title"]) + len(taken["message"]) <= 32_768


def test_pagerduty_finds_the_incident_again_by_the_first_line(monkeypatch: pytest.MonkeyPatch) -> None:
    posted: list[dict[str, Any]] = []
    monkeypatch.setattr(
        "apprise.plugins.pagerduty.requests.post",
        lambda url, **request: posted.append(json.loads(request["data"])) or _Answer(),
    )
    monkeypatch.setattr("apprise.plugins.pagerduty.NotifyPagerDuty.request_rate_per_sec", 0)
    address = "pagerduty://ABCDEFGHIJKLMNOPQRSTUVWXYZ123456@APIKEYAPIKEYAPIKEYAPI?action=map"
    channel = AppriseAddress(address, "PAGER_URL")

    channel.send(MESSAGE)
    channel.send(Message("RESOLVED", MESSAGE.headline, "Other words.", is_good_news=True, is_error=True))

    assert [event["event_action"] for event in posted] == ["trigger", "resolve"]
    assert len({event["dedup_key"] for event in posted}) == 1


@pytest.mark.parametrize(
    ("headline", "subject"),
    [("short", "[ERROR] short"), ("größer\n", "[ERROR] gr??er?"), ("x" * 200, "[ERROR] " + "x" * 89 + "...")],
)
def test_an_sns_subject_is_ascii_and_at_most_100_characters(headline: str, subject: str) -> None:
    assert sns_subject(Message("ERROR", headline, "", is_good_news=False, is_error=True)) == subject


def test_sns_takes_messages_up_to_its_limit_and_a_missing_topic_is_told(organisation: RunningSandbox) -> None:
    with pointed_at(organisation):
        sns = boto3.client("sns", region_name="eu-west-1")
        sqs = boto3.client("sqs", region_name="eu-west-1")
        topic = sns.create_topic(Name="bedrock-alerts")["TopicArn"]
        queue = sqs.create_queue(QueueName="heard")["QueueUrl"]
        arn = sqs.get_queue_attributes(QueueUrl=queue, AttributeNames=["QueueArn"])["Attributes"]["QueueArn"]
        sns.subscribe(TopicArn=topic, Protocol="sqs", Endpoint=arn)
        long = Message("ERROR", MESSAGE.headline, "ü" * 200_000, is_good_news=False, is_error=True)

        open_channel(ChannelSettings(name="topic", sns_topic_arn=topic), {}).send(long)
        said = failure({}, ChannelSettings(name="topic", sns_topic_arn=topic + "-gone"))

        heard = json.loads(sqs.receive_message(QueueUrl=queue)["Messages"][0]["Body"])
        sqs.delete_queue(QueueUrl=queue)
        sns.delete_topic(TopicArn=topic)
    assert heard["Subject"] == "[ERROR] pool <b>&</b> <!channel>: hot"
    assert 262_000 < len(heard["Message"].encode()) <= 262_144
    assert said.startswith("SNS: NotFound")


@pytest.mark.parametrize(
    ("setting", "kind", "shown"),
    [
        ("", "text/plain", "<script>x</script> & more\nAnother line"),
        ("&format=html", "text/html", "&lt;script&gt;x&lt;/script&gt; &amp; more<br"),
    ],
)
def test_an_email_is_plain_text_or_html_with_everything_escaped(
    setting: str, kind: str, shown: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    sent: list[str] = []

    class Server:
        def __init__(self, *_: Any, **__: Any) -> None:
            """Nothing is opened."""

        def __getattr__(self, name: str) -> Any:
            return lambda *_, **__: None

        def sendmail(self, sender: str, to: list[str], text: str) -> dict[str, Any]:
            sent.append(text)
            return {}

    monkeypatch.setattr("smtplib.SMTP", Server)
    monkeypatch.setattr("smtplib.SMTP_SSL", Server)
    message = Message("ERROR", "pool", "<script>x</script> & more\nAnother line", is_good_news=False, is_error=True)
    address = f"mailtos://user:password@smtp.example.org?from=a@example.org&to=b@example.org{setting}"

    AppriseAddress(address, "MAIL_URL").send(message)

    parts = [part for part in email.message_from_string(sent[0]).walk() if not part.is_multipart()]
    bodies = {part.get_content_type(): part.get_payload(decode=True).decode() for part in parts}
    assert shown in bodies[kind].replace("&nbsp;", " ").replace("\r", "")
    assert "<script" not in bodies.get("text/html", "")
