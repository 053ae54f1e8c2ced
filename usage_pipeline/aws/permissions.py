"""Tries once every call that the ingest makes, so that `usage-pipeline doctor` can say what to allow.

Here: one cheap call per API and its outcome. Not here: the text of policies (`deploy/`), printing (`cli.py`).
"""

from collections.abc import Callable
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from typing import TYPE_CHECKING, Literal

from botocore.exceptions import BotoCoreError, ClientError

from usage_pipeline.aws.errors import IAM_ACTIONS, shortfall_of
from usage_pipeline.aws.metric_catalogue import BEDROCK
from usage_pipeline.aws.scopes import Scope
from usage_pipeline.aws.sessions import HOME_REGIONS, AccountSession

if TYPE_CHECKING:
    from types_boto3_cloudwatch.type_defs import MetricDataQueryTypeDef

_MADE_UP = ("ListTagsForResource", "GetCustomModel")
"""Operations that are asked for a resource that does not exist, because there may be none."""

_NOT_FOUND = ("ResourceNotFoundException", "ValidationException")
"""What AWS then says to someone who may ask."""

_Call = tuple[str, str, Callable[[], object]]
"""Operation, what it is needed for, and the call."""


@dataclass(frozen=True)
class Permission:
    """One IAM action in one scope: `ok`, `denied` (allow it), or `failed` for any other trouble, which `text` says."""

    scope: Scope
    action: str
    needed_for: str
    status: Literal["ok", "denied", "failed"]
    text: str | None


def probe(session: AccountSession, scope: Scope, now: datetime) -> list[Permission]:
    """Make one call per API that the ingest uses in the scope; `now` is UTC without a zone. Changes nothing in AWS."""
    calls = [*_metric_calls(session, scope, now), *_bedrock_calls(session, scope), *_account_calls(session, scope)]
    return [_attempt(scope, *call) for call in calls]


def _metric_calls(session: AccountSession, scope: Scope, now: datetime) -> list[_Call]:
    client = session.client("cloudwatch", scope.region)
    end = now.replace(second=0, microsecond=0, tzinfo=UTC)
    query: MetricDataQueryTypeDef = {
        "Id": "q0",
        "MetricStat": {
            "Metric": {"Namespace": BEDROCK.name, "MetricName": "Invocations"},
            "Period": 60,
            "Stat": "Sum",
        },
    }
    start = end - timedelta(minutes=1)
    return [
        ("ListMetrics", "which models were used", lambda: client.list_metrics(Namespace=BEDROCK.name)),
        (
            "GetMetricData",
            "usage by the minute",
            lambda: client.get_metric_data(MetricDataQueries=[query], StartTime=start, EndTime=end),
        ),
    ]


def _bedrock_calls(session: AccountSession, scope: Scope) -> list[_Call]:
    client = session.client("bedrock", scope.region)
    arn = f"arn:{scope.aws_partition}:bedrock:{scope.region}:{scope.account_id}"
    profile = f"{arn}:application-inference-profile/000000000000"
    custom_model = f"{arn}:custom-model/amazon.nova-lite-v1:0/000000000000"
    return [
        ("ListFoundationModels", "names of models", client.list_foundation_models),
        (
            "ListInferenceProfiles",
            "profiles and the models they route to",
            lambda: client.list_inference_profiles(maxResults=1),
        ),
        ("ListTagsForResource", "profiles' tags", lambda: client.list_tags_for_resource(resourceARN=profile)),
        (
            "ListCustomModelDeployments",
            "deployments of custom models",
            lambda: client.list_custom_model_deployments(maxResults=1),
        ),
        (
            "GetCustomModel",
            "what a custom model was made from",
            lambda: client.get_custom_model(modelIdentifier=custom_model),
        ),
        ("ListImportedModels", "imported models", lambda: client.list_imported_models(maxResults=1)),
    ]


def _account_calls(session: AccountSession, scope: Scope) -> list[_Call]:
    quotas = session.client("service-quotas", scope.region)
    calls: list[_Call] = [
        (
            "ListServiceQuotas",
            "quotas with a value of their own",
            lambda: quotas.list_service_quotas(ServiceCode="bedrock", MaxResults=1),
        ),
        (
            "ListAWSDefaultServiceQuotas",
            "AWS's default quotas",
            lambda: quotas.list_aws_default_service_quotas(ServiceCode="bedrock", MaxResults=1),
        ),
    ]
    if session.account.regions == "auto":
        account = session.client("account", HOME_REGIONS[scope.aws_partition])
        calls.append(("ListRegions", "`regions: auto`", lambda: account.list_regions(MaxResults=1)))
    return calls


def _attempt(scope: Scope, operation: str, needed_for: str, call: Callable[[], object]) -> Permission:
    action = IAM_ACTIONS[operation]
    try:
        call()
    except (ClientError, BotoCoreError) as error:
        code = error.response.get("Error", {}).get("Code") if isinstance(error, ClientError) else None
        if operation in _MADE_UP and code in _NOT_FOUND:
            return Permission(scope, action, needed_for, "ok", None)
        shortfall = shortfall_of(error)
        status = "denied" if shortfall.status == "denied" else "failed"
        return Permission(scope, action, needed_for, status, shortfall.text)
    return Permission(scope, action, needed_for, "ok", None)
