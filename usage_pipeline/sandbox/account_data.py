"""Everything one sandbox serves, made once at its start. Not here: how it is served (`aws_server.py`)."""

from dataclasses import dataclass

from usage_pipeline.sandbox.log_destinations import Scope
from usage_pipeline.sandbox.log_events import LogGroup, log_groups
from usage_pipeline.sandbox.log_objects import LogStore
from usage_pipeline.sandbox.log_plan import LogPlan, plan_logs
from usage_pipeline.sandbox.log_records import RecordWriter
from usage_pipeline.sandbox.metrics import MetricStore
from usage_pipeline.sandbox.options import SandboxOptions
from usage_pipeline.sandbox.organisation import Organisation
from usage_pipeline.sandbox.principals import RequestPrincipals, principals_of
from usage_pipeline.sandbox.q_developer_files import q_developer_bucket
from usage_pipeline.sandbox.q_developer_use import DayOfUse, days_of_use
from usage_pipeline.sandbox.traffic import Requests, generate_requests


@dataclass(frozen=True)
class AccountData:
    """The organisation, its requests, and the metrics and logs derived from them."""

    options: SandboxOptions
    organisation: Organisation
    requests: Requests
    metrics: MetricStore
    principals: RequestPrincipals
    log_plan: LogPlan
    log_writer: RecordWriter
    log_store: LogStore
    log_groups: dict[Scope, LogGroup]
    q_developer_days: list[DayOfUse]


def build_account_data(options: SandboxOptions) -> AccountData:
    """Make a sandbox's data; equal options give equal data."""
    organisation = Organisation(options.profiles_factor, options.pools)
    requests = generate_requests(options, organisation)
    principals, plan = principals_of(requests), plan_logs(requests, options)
    writer = RecordWriter(requests, plan, principals)
    q_developer_days = days_of_use(options)
    q_developer = q_developer_bucket(q_developer_days, options)
    return AccountData(
        options=options,
        organisation=organisation,
        requests=requests,
        metrics=MetricStore(requests),
        principals=principals,
        log_plan=plan,
        log_writer=writer,
        log_store=LogStore(requests, plan, writer, options, [q_developer]),
        log_groups=log_groups(requests, plan, writer),
        q_developer_days=q_developer_days,
    )
