"""Everything one sandbox serves, made once at its start. Not here: how it is served (`aws_server.py`)."""

from dataclasses import dataclass

from usage_pipeline.sandbox.metrics import MetricStore
from usage_pipeline.sandbox.options import SandboxOptions
from usage_pipeline.sandbox.organisation import Organisation
from usage_pipeline.sandbox.traffic import Requests, generate_requests


@dataclass(frozen=True)
class AccountData:
    """The organisation, its requests and the metrics derived from them."""

    options: SandboxOptions
    organisation: Organisation
    requests: Requests
    metrics: MetricStore


def build_account_data(options: SandboxOptions) -> AccountData:
    """Make a sandbox's data; equal options give equal data."""
    organisation = Organisation(options.profiles_factor)
    requests = generate_requests(options, organisation)
    return AccountData(options, organisation, requests, MetricStore(requests))
