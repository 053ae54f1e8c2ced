"""Sending one message to one channel: an Apprise address or an SNS topic.

Here: limits of each service, and what is said of a failure. An address holds a secret, so neither it nor a library's
own words about it reach a log or an error. Not here: what is sent when (`dispatch.py`).
"""

import logging
import re
from collections.abc import Callable, Generator, Mapping
from contextlib import contextmanager
from typing import Any, Protocol

from usage_pipeline.alerts.messages import Message, clean, cut, cut_bytes
from usage_pipeline.config_alerts import ChannelSettings

SNS_SUBJECT_CHARACTERS = 100
"""SNS refuses longer subjects, and any character that is not ASCII (API reference, November 2026)."""

SNS_BODY_BYTES = 262_144
"""SNS refuses larger messages (API reference, November 2026)."""

_SENDER = "usage-pipeline"
_SPEAK_OF_ADDRESSES = ("apprise", "urllib3", "requests")
_STATUS = re.compile(r"error=(\d{3})\b")


class DeliveryError(Exception):
    """The channel did not take a message; the text says why without the address."""


class Channel(Protocol):
    """Somewhere to send to."""

    def send(self, message: Message) -> None:
        """Send, or raise DeliveryError."""
        ...


def open_channel(settings: ChannelSettings, environment: Mapping[str, str]) -> Channel:
    """The channel, ready to send.

    Raises:
        DeliveryError: the variable is not set, or holds no address that Apprise knows.
    """
    if settings.sns_topic_arn is not None:
        return SnsTopic(settings.sns_topic_arn)
    variable = settings.url_env or ""
    if not (address := environment.get(variable, "").strip()):
        raise DeliveryError(f"the environment variable {variable} is not set; it must hold the channel's address")
    return AppriseAddress(address, variable)


class AppriseAddress:
    """One address of one of Apprise's services."""

    def __init__(self, address: str, variable: str) -> None:
        import apprise  # a tenth of a second that only a sender pays

        # Without images, which chat programs would fetch from Apprise's own site.
        asset = apprise.AppriseAsset(app_id=_SENDER, app_desc=_SENDER, app_url="", image_url_mask="", image_url_logo="")
        with _unheard():
            service: Any = apprise.Apprise.instantiate(address, asset=asset, suppress_exceptions=True)
        if service is None:
            raise DeliveryError(
                f"what the environment variable {variable} holds is no address that Apprise knows; see docs/alerts.md"
            )
        self._service = service
        self._text = apprise.NotifyFormat.TEXT
        kinds = apprise.NotifyType
        self._kind: Callable[[Message], Any] = lambda message: (
            kinds.SUCCESS if message.is_good_news else kinds.FAILURE if message.is_error else kinds.WARNING
        )
        self._apprise = apprise.Apprise()
        self._apprise.add(service)

    def send(self, message: Message) -> None:
        """Send. Declared as plain text, so that Apprise escapes what its service would read as markup."""
        title, body = self._fitted(message)
        with _unheard() as said:
            taken = self._apprise.notify(
                body=body, title=title, notify_type=self._kind(message), body_format=self._text
            )
        if not taken:
            status = next((found[1] for line in said if (found := _STATUS.search(line))), None)
            answer = f"answered with HTTP status {status}" if status else "did not answer, or refused it"
            raise DeliveryError(f"the service {answer}")

    def _fitted(self, message: Message) -> tuple[str, str]:
        longest_title, longest_body = int(self._service.title_maxlen), int(self._service.body_maxlen)
        if longest_title > 0:
            # Services that count the title in leave that much less for the body.
            title = cut(message.title, longest_title)
            return title, cut(message.body, longest_body - len(title) - 1)
        # Without a title the first line is the headline alone, by which PagerDuty (?action=map) finds its incident.
        return "", cut(f"{message.headline}\n{message.state}\n{message.body}", longest_body)


class SnsTopic:
    """One SNS topic, signed in to with boto3's default credential chain, in the topic's own Region."""

    def __init__(self, arn: str) -> None:
        self._arn = arn

    def send(self, message: Message) -> None:
        """Publish."""
        import boto3
        from botocore.config import Config
        from botocore.exceptions import BotoCoreError, ClientError

        settings = Config(connect_timeout=5, read_timeout=10, retries={"mode": "standard", "total_max_attempts": 2})
        try:
            client: Any = boto3.client("sns", region_name=self._arn.split(":")[3], config=settings)
            client.publish(
                TopicArn=self._arn,
                Subject=sns_subject(message),
                Message=cut_bytes(f"{message.title}\n\n{message.body}", SNS_BODY_BYTES),
            )
        except ClientError as error:
            told = error.response.get("Error", {})
            raise DeliveryError(clean(f"SNS: {told.get('Code')}: {told.get('Message')}", 300)) from None
        except BotoCoreError as error:
            raise DeliveryError(clean(f"SNS: {error}", 300)) from None


def sns_subject(message: Message) -> str:
    """The title in printable ASCII, at most 100 characters."""
    ascii_only = "".join(character if " " <= character <= "~" else "?" for character in message.title)
    return ascii_only if len(ascii_only) <= SNS_SUBJECT_CHARACTERS else f"{ascii_only[: SNS_SUBJECT_CHARACTERS - 3]}..."


class _Lines(logging.Handler):
    """Keeps what a library says, for the HTTP status in it."""

    def __init__(self) -> None:
        super().__init__()
        self.lines: list[str] = []

    def emit(self, record: logging.LogRecord) -> None:
        self.lines.append(record.getMessage())


@contextmanager
def _unheard() -> Generator[list[str]]:
    """Keep from every log what libraries say of an address; gives their lines."""
    handler = _Lines()
    loggers = [logging.getLogger(name) for name in _SPEAK_OF_ADDRESSES]
    before = [(logger, logger.propagate, logger.handlers[:]) for logger in loggers]
    for logger in loggers:
        logger.propagate, logger.handlers = False, [handler]
    try:
        yield handler.lines
    finally:
        for logger, propagate, handlers in before:
            logger.propagate, logger.handlers = propagate, handlers
