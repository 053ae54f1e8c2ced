"""What went wrong in a reading, as one status and one text that people can act on.

Here: statuses, our own reading errors, and the meaning of AWS's error codes. Not here: running readings
(`source_reading.py`).
"""

import contextlib
from collections.abc import Generator
from dataclasses import dataclass
from typing import Literal

from botocore.exceptions import BotoCoreError, ClientError

ReadStatus = Literal["ok", "empty", "denied", "throttled", "failed"]

LONGEST_ERROR_TEXT = 500
"""Characters of `ops.source_status.error_text`."""

IAM_ACTIONS = {
    "AssumeRole": "sts:AssumeRole",
    "ListRegions": "account:ListRegions",
    "DescribeRegions": "ec2:DescribeRegions",
    "ListMetrics": "cloudwatch:ListMetrics",
    "GetMetricData": "cloudwatch:GetMetricData",
    "ListFoundationModels": "bedrock:ListFoundationModels",
    "ListInferenceProfiles": "bedrock:ListInferenceProfiles",
    "ListTagsForResource": "bedrock:ListTagsForResource",
    "ListCustomModelDeployments": "bedrock:ListCustomModelDeployments",
    "GetCustomModel": "bedrock:GetCustomModel",
    "ListImportedModels": "bedrock:ListImportedModels",
    "GetModelInvocationLoggingConfiguration": "bedrock:GetModelInvocationLoggingConfiguration",
    "ListObjectsV2": "s3:ListBucket",
    "GetObject": "s3:GetObject",
    "FilterLogEvents": "logs:FilterLogEvents",
    "ListServiceQuotas": "servicequotas:ListServiceQuotas",
    "ListAWSDefaultServiceQuotas": "servicequotas:ListAWSDefaultServiceQuotas",
    "GetProducts": "pricing:GetProducts",
    "Converse": "bedrock:InvokeModel",
}
"""The IAM action that allows each operation the ingest uses (AWS's service models, botocore 1.44.5)."""

_DENIED = ("AccessDenied", "Forbidden", "UnauthorizedOperation", "NotAuthorized")
_THROTTLED = ("Throttl", "TooManyRequests", "RequestLimitExceeded", "RequestThrottled", "SlowDown")
_BAD_CREDENTIALS = ("UnrecognizedClientException", "InvalidClientTokenId", "AuthFailure")


class ReadingError(Exception):
    """AWS answered, but not with data that can be used; the text says what was asked and what came."""


class ReadingDeniedError(ReadingError):
    """AWS refused inside an answer that is not an error, such as a Forbidden metric."""


@dataclass(frozen=True)
class Shortfall:
    """Why a reading, or a part of it, has no data."""

    status: Literal["denied", "throttled", "failed"]
    text: str


@contextlib.contextmanager
def understanding(operation: str) -> Generator[None]:
    """Turn a field that AWS's answer lacks into a reading error that names the operation and the field."""
    try:
        yield
    except KeyError as error:
        raise ReadingError(f"{operation}: the answer has an entry without {error}.") from error


AWS_ERRORS = (ClientError, BotoCoreError, ReadingError)
"""What a reading may raise: AWS's answers, botocore's own troubles (network, credentials), and our reading errors."""


def shortfall_of(error: ClientError | BotoCoreError | ReadingError) -> Shortfall:
    """Classify an error and word it: the operation, AWS's code and message, and what would mend it."""
    if isinstance(error, ReadingDeniedError):
        return Shortfall("denied", cut(str(error)))
    if not isinstance(error, ClientError):
        return Shortfall("failed", cut(str(error)))
    answer = error.response.get("Error", {})
    code, message = answer.get("Code", "unknown error"), answer.get("Message", "")
    text = f"{error.operation_name}: {code}: {message}"
    if code.startswith(_DENIED):
        action = IAM_ACTIONS.get(error.operation_name, f"the action {error.operation_name}")
        return Shortfall("denied", f"{cut(text.rstrip('.'), LONGEST_ERROR_TEXT - len(action) - 9)}. Allow {action}.")
    if code.startswith(_THROTTLED):
        return Shortfall("throttled", cut(text))
    if code in _BAD_CREDENTIALS:
        hint = " (AWS also says this when the Region is not enabled in the account.)"
        return Shortfall("failed", cut(text, LONGEST_ERROR_TEXT - len(hint)) + hint)
    return Shortfall("failed", cut(text))


def cut(text: str, longest: int = LONGEST_ERROR_TEXT) -> str:
    """The text in one line of at most `longest` characters."""
    line = " ".join(text.split())
    return line if len(line) <= longest else f"{line[: longest - 1]}…"
