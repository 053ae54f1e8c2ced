"""One small sandbox for all tests of this folder that only read from it: the organisation of tests of whole days."""

from collections.abc import Iterator
from pathlib import Path
from typing import Any, Protocol

import boto3
import duckdb
import pytest

from usage_pipeline.sandbox import RunningSandbox, SandboxOptions
from usage_pipeline.sandbox.account_data import AccountData, build_account_data
from usage_pipeline.sandbox.moto_setup import ACCESS_KEY_ID, SECRET_ACCESS_KEY
from usage_pipeline.sandbox.organisation import EXTERNAL_ID, ROLE_NAME
from usage_pipeline_tests.pipeline_runs import NOW, ORGANISATION

END = NOW
OPTIONS = ORGANISATION


class MakeClient(Protocol):
    def __call__(self, service: str, account_id: str = ..., region: str = ...) -> Any: ...


@pytest.fixture(scope="session")
def two_days(_organisation: RunningSandbox) -> AccountData:
    """What the organisation that other tests run on was made from; tests only read it."""
    return _organisation.data


@pytest.fixture(scope="session")
def month() -> AccountData:
    return build_account_data(SandboxOptions(days=30, seed=7, end=END))


@pytest.fixture(scope="session")
def sandbox_folder(truth_file: Path) -> Path:
    return truth_file.parent


@pytest.fixture(scope="session")
def shared_sandbox(_organisation: RunningSandbox) -> RunningSandbox:
    return _organisation


@pytest.fixture(scope="module")
def truth(shared_sandbox: RunningSandbox, truth_file: Path) -> Iterator[duckdb.DuckDBPyConnection]:
    """The truth that the shared sandbox wrote."""
    with duckdb.connect(str(truth_file), read_only=True) as connection:
        yield connection


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
