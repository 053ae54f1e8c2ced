"""Signing in to one account, and the clients that all readings use.

Here: credentials (profile, role or default chain), retries, timeouts, counting of requests. Not here: which accounts
and Regions exist (`scopes.py`).
"""

import contextlib
import threading
from collections.abc import Generator
from contextvars import ContextVar
from dataclasses import dataclass
from functools import cache, partial
from typing import TYPE_CHECKING, Any, Literal, overload

import boto3
import botocore.session
from botocore.config import Config
from botocore.credentials import (
    AssumeRoleCredentialFetcher,
    CredentialProvider,
    CredentialResolver,
    Credentials,
    DeferredRefreshableCredentials,
)
from botocore.exceptions import NoCredentialsError
from botocore.loaders import Loader, create_loader
from botocore.utils import parse_timestamp

from usage_pipeline.config import AccountSettings
from usage_pipeline.config_values import region_partitions

if TYPE_CHECKING:
    from types_boto3_account import AccountClient
    from types_boto3_bedrock import BedrockClient
    from types_boto3_bedrock_runtime import BedrockRuntimeClient
    from types_boto3_cloudwatch import CloudWatchClient
    from types_boto3_ec2 import EC2Client
    from types_boto3_s3 import S3Client
    from types_boto3_service_quotas import ServiceQuotasClient
    from types_boto3_sts import STSClient

CLIENT_CONFIG = Config(
    # Adaptive mode slows down before AWS refuses; ten attempts outlast a throttled minute.
    retries={"mode": "adaptive", "total_max_attempts": 10},
    connect_timeout=10,
    read_timeout=60,
    max_pool_connections=16,
    user_agent_extra="usage-pipeline",
)

HOME_REGIONS = {"aws": "us-east-1", "aws-us-gov": "us-gov-west-1"}
"""Region of each partition that answers for the whole account."""

ROLE_SESSION_NAME = "usage-pipeline"


class ApiCalls:
    """Counts requests sent to AWS, every retry and page included."""

    def __init__(self) -> None:
        self._lock = threading.Lock()
        self.count = 0

    def add(self) -> None:
        """Count one request; safe from any thread."""
        with self._lock:
            self.count += 1


_counting: ContextVar[ApiCalls | None] = ContextVar("counting", default=None)


@contextlib.contextmanager
def counted_api_calls() -> Generator[ApiCalls]:
    """Count the requests that this thread sends inside the block (and threads that copy its context)."""
    calls = ApiCalls()
    token = _counting.set(calls)
    try:
        yield calls
    finally:
        _counting.reset(token)


def count_api_call() -> None:
    """Count one request of a client that is not boto3's."""
    if calls := _counting.get():
        calls.add()


def _count_request(**_: object) -> None:
    count_api_call()


def epoch_seconds(value: float | str) -> float:
    """A timestamp of AWS's answer as seconds since 1970, whichever protocol it came by."""
    return value if isinstance(value, int | float) else parse_timestamp(value).timestamp()


@dataclass(frozen=True)
class CallerIdentity:
    """Who AWS says we are."""

    account_id: str
    arn: str

    @property
    def aws_partition(self) -> str:
        """Such as aws or aws-us-gov."""
        return self.arn.split(":")[1]


def _botocore_session(profile: str | None) -> botocore.session.Session:
    """A session that shares the descriptions of AWS's services with all others of this process.

    Each session would read them anew, which takes a second in four scopes.
    """
    session = botocore.session.Session(profile=profile)
    session.register_component("data_loader", _service_descriptions(session.get_config_variable("data_path")))
    return session


@cache
def _service_descriptions(data_path: str | None) -> Loader:
    return create_loader(data_path)


class AccountSession:
    """Signed in to one configured account; makes clients for its Regions. Safe to use from many threads.

    Credentials of a role refresh by themselves. Nothing is asked of AWS before the first call of a client.
    """

    def __init__(self, account: AccountSettings) -> None:
        self.account = account
        self._lock = threading.Lock()
        self._clients: dict[tuple[str, str], Any] = {}
        self._source = _botocore_session(account.profile)
        self._sessions: dict[str, boto3.Session] = {}
        self._provider: _Given | None = None

    @overload
    def client(self, service: Literal["account"], region: str) -> "AccountClient": ...
    @overload
    def client(self, service: Literal["bedrock"], region: str) -> "BedrockClient": ...
    @overload
    def client(self, service: Literal["bedrock-runtime"], region: str) -> "BedrockRuntimeClient": ...
    @overload
    def client(self, service: Literal["cloudwatch"], region: str) -> "CloudWatchClient": ...
    @overload
    def client(self, service: Literal["ec2"], region: str) -> "EC2Client": ...
    @overload
    def client(self, service: Literal["logs"], region: str) -> Any: ...
    @overload
    def client(self, service: Literal["pricing"], region: str) -> Any: ...
    @overload
    def client(self, service: Literal["s3"], region: str) -> "S3Client": ...
    @overload
    def client(self, service: Literal["service-quotas"], region: str) -> "ServiceQuotasClient": ...
    @overload
    def client(self, service: Literal["sts"], region: str) -> "STSClient": ...

    def client(self, service: str, region: str) -> Any:
        """The client for a service in a Region, made once.

        The CloudWatch client gives timestamps as epoch seconds, not as `datetime`: with a hundred thousand points in an
        answer, making them takes most of the time.

        Raises:
            BotoCoreError: the profile does not exist, or there are no credentials to assume the role with.
        """
        with self._lock:
            if (service, region) not in self._clients:
                maker = self._session("numbers" if service == "cloudwatch" else "plain")
                self._clients[service, region] = maker.client(service, region_name=region, config=CLIENT_CONFIG)
            return self._clients[service, region]

    def credentials(self) -> Credentials:
        """The account's credentials, which refresh by themselves, for clients that are not boto3's.

        Raises:
            BotoCoreError: the profile does not exist, or there are no credentials.
        """
        with self._lock:
            found = self._session("plain").get_credentials()
        if found is None:
            raise NoCredentialsError
        return found

    @property
    def certificate_bundle(self) -> str | None:
        """File of the certificates to trust (`AWS_CA_BUNDLE` or `ca_bundle` of the profile); None for the system's."""
        return self._source.get_config_variable("ca_bundle")

    def identity(self) -> CallerIdentity:
        """Ask STS which account this is."""
        answer = self.client("sts", self.home_region).get_caller_identity()
        return CallerIdentity(answer["Account"], answer["Arn"])

    @property
    def home_region(self) -> str:
        """A Region to ask questions of the whole account in: the first configured, else the profile's, else AWS's."""
        if self.account.regions != "auto":
            return self.account.regions[0]
        partition = self.account.aws_partition
        configured = self._source.get_config_variable("region")
        known = region_partitions().get(configured or "")
        if configured and known and partition in (None, known):
            return configured
        return HOME_REGIONS[partition or "aws"]

    def _session(self, kind: Literal["plain", "numbers"]) -> boto3.Session:
        """The session that makes clients; `numbers` keeps timestamps as numbers."""
        if kind not in self._sessions:
            if self._provider is None:
                self._provider = _Given(self._credentials())
            session = _botocore_session(self.account.profile)
            session.register_component("credential_provider", CredentialResolver([self._provider]))
            session.register("before-send", _count_request)
            if kind == "numbers":
                # As the AWS CLI does, which does not want datetimes either.
                session.get_component("response_parser_factory").set_parser_defaults(timestamp_parser=epoch_seconds)
            self._sessions[kind] = boto3.Session(botocore_session=session)
        return self._sessions[kind]

    def _credentials(self) -> Credentials:
        """Credentials of the profile or the default chain, or of the role assumed with them."""
        source = self._source.get_credentials()
        if source is None:
            raise NoCredentialsError
        if not self.account.role_arn:
            return source
        arguments = {"RoleSessionName": ROLE_SESSION_NAME}
        if self.account.external_id:
            arguments["ExternalId"] = self.account.external_id
        self._source.register("before-send", _count_request)
        fetcher = AssumeRoleCredentialFetcher(
            partial(self._source.create_client, region_name=self.home_region, config=CLIENT_CONFIG),
            source,
            self.account.role_arn,
            extra_args=arguments,
        )
        return DeferredRefreshableCredentials(refresh_using=fetcher.fetch_credentials, method="assume-role")


class _Given(CredentialProvider):
    """Provides credentials that are already there, so that several sessions share one refreshing set."""

    METHOD = "given"

    def __init__(self, credentials: Credentials) -> None:
        super().__init__()
        self._credentials = credentials

    def load(self) -> Credentials:
        """The given credentials."""
        return self._credentials
