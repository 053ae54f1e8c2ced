"""Where model invocation logs of one account and Region go: what the configuration says, else what Bedrock says.

Here: one row that matches `raw.log_delivery`. Not here: reading the logs (`log_objects.py`, `log_events.py`).
"""

from dataclasses import dataclass
from typing import TYPE_CHECKING, Literal

from usage_pipeline.aws.errors import understanding
from usage_pipeline.aws.source_reading import Listing
from usage_pipeline.config_logs import LogPlaceSettings

if TYPE_CHECKING:
    from types_boto3_bedrock import BedrockClient


@dataclass(frozen=True)
class LogDelivery:
    """One row of `raw.log_delivery`, without the day and the scope."""

    is_on: bool
    bucket: str | None
    key_prefix: str | None
    log_group: str | None
    text_is_delivered: bool | None
    source: Literal["aws", "configuration"]


def read_log_delivery(
    client: "BedrockClient", configured: LogPlaceSettings | Literal["off"] | None
) -> Listing[LogDelivery]:
    """The place of the Region's logs, one row; logging that is off is a row too. Asks AWS only without `configured`."""
    if configured == "off":
        return Listing((LogDelivery(False, None, None, None, None, "configuration"),))
    if configured is not None:
        key_prefix = None if configured.bucket is None else configured.prefix
        return Listing((LogDelivery(True, configured.bucket, key_prefix, configured.log_group, None, "configuration"),))
    with understanding("GetModelInvocationLoggingConfiguration"):
        # The member is missing when logging was never on, and empty or without a destination when it was turned off.
        config = client.get_model_invocation_logging_configuration().get("loggingConfig", {})
        s3 = config.get("s3Config")
        group = config.get("cloudWatchConfig")
        return Listing(
            (
                LogDelivery(
                    is_on=bool(s3 or group),
                    bucket=s3["bucketName"] if s3 else None,
                    key_prefix=s3.get("keyPrefix", "") if s3 else None,
                    log_group=group["logGroupName"] if group else None,
                    text_is_delivered=config.get("textDataDeliveryEnabled", False) if s3 or group else None,
                    source="aws",
                ),
            )
        )
