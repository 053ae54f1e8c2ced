"""Where each scope's model invocation logs go. Not here: which requests are logged (`log_plan.py`)."""

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

from usage_pipeline.sandbox.organisation import account_id_of

Scope = tuple[str, str]
"""Account id and Region."""

LOG_STREAM = "aws/bedrock/modelinvocations"
"""The one stream that Bedrock writes to in a log group."""


@dataclass(frozen=True)
class LogDestination:
    """A bucket with a key prefix, which may be empty, or a log group; the other is empty."""

    bucket: str = ""
    key_prefix: str = ""
    log_group: str = ""


DESTINATIONS: Mapping[Scope, LogDestination] = {
    (account_id_of("production"), "us-east-1"): LogDestination(bucket="production-bedrock-logs", key_prefix="bedrock"),
    (account_id_of("production"), "ap-northeast-1"): LogDestination(log_group="/bedrock/invocations"),
    (account_id_of("research"), "us-east-1"): LogDestination(bucket="research-bedrock-logs"),
}
"""Logging is off in every other scope."""


def logging_configuration(scope: Scope) -> dict[str, Any]:
    """The scope's `loggingConfig`, as Bedrock answers it; empty where logging is off."""
    destination = DESTINATIONS.get(scope)
    if destination is None:
        return {}
    delivered = {f"{kind}DataDeliveryEnabled": True for kind in ("text", "image", "embedding", "video", "audio")}
    if destination.bucket:
        return {"s3Config": {"bucketName": destination.bucket, "keyPrefix": destination.key_prefix}, **delivered}
    role = f"arn:aws:iam::{scope[0]}:role/bedrock-log-writer"
    return {"cloudWatchConfig": {"logGroupName": destination.log_group, "roleArn": role}, **delivered}
