"""S3 through obstore, which gets thousands of small objects a second where boto3 gets hundreds.

Here: opening a bucket as an account, and obstore's errors as botocore's. Not here: which keys are read
(`bucket_objects.py`).
"""

import contextlib
import re
from collections.abc import Generator
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import TYPE_CHECKING

from botocore.exceptions import ClientError
from obstore.exceptions import BaseError, PermissionDeniedError
from obstore.store import S3Store

from usage_pipeline.aws.errors import ReadingDeniedError, ReadingError
from usage_pipeline.aws.sessions import AccountSession

if TYPE_CHECKING:
    from obstore.store import ClientConfig, S3Credential

# obstore asks again five minutes before this is over; botocore hands out credentials with ten minutes left at least.
_CREDENTIALS_LIFETIME = timedelta(minutes=10)

_ANSWER = re.compile(r"<Code>(?P<code>[^<]*)</Code>(?:.*?<Message>(?P<message>[^<]*)</Message>)?", re.DOTALL)
_REASON = re.compile(r"(?s)(?:.* - )?(?P<reason>.+?)\s*\n\nDebug source:")


def open_bucket(session: AccountSession, bucket: str, region: str) -> S3Store:
    """The bucket as the account sees it, at the address that boto3 would use. Makes no call.

    Raises:
        BotoCoreError: there are no credentials.
    """
    credentials = session.credentials()

    def provide() -> "S3Credential":
        frozen = credentials.get_frozen_credentials()
        return {
            "access_key_id": str(frozen.access_key),
            "secret_access_key": str(frozen.secret_key),
            "token": frozen.token,
            "expires_at": datetime.now(UTC) + _CREDENTIALS_LIFETIME,
        }

    endpoint = session.client("s3", region).meta.endpoint_url
    options: ClientConfig = {
        "allow_http": endpoint.startswith("http://"),
        "connect_timeout": "10s",
        # For a whole object; the default of 30 s ends a large one on a slow line.
        "timeout": "10min",
        "read_timeout": "60s",
    }
    if bundle := session.certificate_bundle:
        options["root_certificate"] = Path(bundle).read_bytes()
    return S3Store(
        bucket,
        aws_endpoint_url_s3=endpoint,
        region=region,
        virtual_hosted_style_request=False,
        client_options=options,
        retry_config={"max_retries": 8, "retry_timeout": timedelta(minutes=2)},
        credential_provider=provide,
    )


@contextlib.contextmanager
def botocore_errors(operation: str) -> Generator[None]:
    """Raise what S3 answered to obstore as botocore would: a ClientError of the operation, else a ReadingError."""
    try:
        yield
    except (BaseError, FileNotFoundError) as error:
        raise _translated(str(error), operation, isinstance(error, PermissionDeniedError)) from error


def _translated(text: str, operation: str, is_denied: bool) -> ClientError | ReadingError:
    if answer := _ANSWER.search(text):
        return ClientError({"Error": {"Code": answer["code"], "Message": answer["message"] or ""}}, operation)
    reason = _REASON.match(text)
    kind = ReadingDeniedError if is_denied else ReadingError
    return kind(f"{operation}: {reason['reason'] if reason else text}")
