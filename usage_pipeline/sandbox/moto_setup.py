"""What moto is told at the start: the access key, the logging configuration, and the places that logs go to.

Moto's state is shared by all sandboxes of a process, so setting it up again changes nothing or puts it back. Not here:
what is answered before moto is asked (`aws_server.py`).
"""

from typing import Any

from moto.bedrock.models import bedrock_backends
from moto.iam.models import AccessKey, iam_backends
from moto.logs.models import logs_backends
from moto.s3.models import s3_backends

from usage_pipeline.sandbox.log_destinations import DESTINATIONS, LOG_STREAM, LogDestination, logging_configuration
from usage_pipeline.sandbox.organisation import ACCOUNTS, SCOPES
from usage_pipeline.sandbox.q_developer_files import BUCKET
from usage_pipeline.sandbox.q_developer_use import ACCOUNT_ID, REGIONS

ACCESS_KEY_ID = "AKIASANDBOX000000001"
SECRET_ACCESS_KEY = "sandbox"  # noqa: S105  (the server checks no signature)
CREDENTIALS_ACCOUNT = "111122223333"
"""The account that the sandbox's own access key belongs to."""


_Q_DEVELOPER = {(ACCOUNT_ID, REGIONS["q_developer"]): LogDestination(bucket=BUCKET)}


def register_access_key() -> None:
    """Tell moto whose the sandbox's access key is."""
    for account_id in ACCOUNTS:
        _ = iam_backends[account_id]["aws"]
    backend = iam_backends[CREDENTIALS_ACCOUNT]["aws"]
    if ACCESS_KEY_ID not in backend.access_keys:
        user = backend.create_user(region_name="us-east-1", user_name="sandbox")
        key: Any = AccessKey(user_name="sandbox", prefix="AKIA", account_id=CREDENTIALS_ACCOUNT)
        key.access_key_id = ACCESS_KEY_ID
        user.access_keys.append(key)
        backend.access_keys[ACCESS_KEY_ID] = key


def set_up_logging() -> None:
    """Configure invocation logging in every scope; make the buckets and log groups, whose content is ours."""
    for account_id, region in SCOPES:
        bedrock_backends[account_id][region].put_model_invocation_logging_configuration(
            logging_configuration((account_id, region))
        )
    for (account_id, region), destination in {**DESTINATIONS, **_Q_DEVELOPER}.items():
        buckets = s3_backends[account_id]["aws"]
        if destination.bucket and destination.bucket not in buckets.buckets:
            buckets.create_bucket(destination.bucket, region)
        logs = logs_backends[account_id][region]
        if destination.log_group and destination.log_group not in logs.groups:
            logs.create_log_group(destination.log_group, {})
            logs.create_log_stream(destination.log_group, LOG_STREAM)
