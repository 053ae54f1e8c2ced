"""One small sandbox for all tests of this folder that only read from it."""

from collections.abc import Iterator
from datetime import datetime
from pathlib import Path
from typing import Any, Protocol

import boto3
import pytest

from usage_pipeline.sandbox import RunningSandbox, SandboxOptions, start_in_thread
from usage_pipeline.sandbox.account_data import AccountData, build_account_data
from usage_pipeline.sandbox.moto_setup import ACCESS_KEY_ID, SECRET_ACCESS_KEY
from usage_pipeline.sandbox.organisation import EXTERNAL_ID, ROLE_NAME

END = datetime.fromisoformat("2026-11-15T10:30")
OPTIONS = SandboxOptions(days=2, seed=7, end=END)


class MakeClient(Protocol):
    def __call__(self, service: str, account_id: str = ..., region: str = ...) -> Any: ...


@pytest.fixture(scope="session")
def two_days() -> AccountData:
    return build_account_data(OPTIONS)


@pytest.fixture(scope="session")
def month() -> AccountData:
    return build_account_data(SandboxOptions(days=30, seed=7, end=END))


@pytest.fixture(scope="session")
def sandbox_folder(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return tmp_path_factory.mktemp("sandbox")


@pytest.fixture(scope="session")
def shared_sandbox(sandbox_folder: Path) -> Iterator[RunningSandbox]:
    with start_in_thread(OPTIONS, sandbox_folder) as running:
        yield running


@pytest.fixture
def sandbox(shared_sandbox: RunningSandbox) -> Iterator[RunningSandbox]:
    """The shared sandbox without faults and with its call counts at zero."""
    shared_sandbox.forget_calls()
    yield shared_sandbox
    shared_sandbox.set_faults([])


@pytest.fixture
def make_client(sandbox: RunningSandbox) -> MakeClient:
    """Clients of the sandbox, signed in to an account by its reader role, as the pipeline does."""

    def make(service: str, account_id: str = "111122223333", region: str = "us-east-1") -> Any:
        own = {
            "endpoint_url": sandbox.endpoint_url,
            "region_name": region,
            "aws_access_key_id": ACCESS_KEY_ID,
            "aws_secret_access_key": SECRET_ACCESS_KEY,
        }
        assumed = boto3.client("sts", **own).assume_role(
            RoleArn=f"arn:aws:iam::{account_id}:role/{ROLE_NAME}", RoleSessionName="tests", ExternalId=EXTERNAL_ID
        )["Credentials"]
        sandbox.forget_calls()
        return boto3.client(
            service,
            endpoint_url=sandbox.endpoint_url,
            region_name=region,
            aws_access_key_id=assumed["AccessKeyId"],
            aws_secret_access_key=assumed["SecretAccessKey"],
            aws_session_token=assumed["SessionToken"],
        )

    return make
