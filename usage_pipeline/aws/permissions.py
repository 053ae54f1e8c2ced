"""Tries once every call that the ingest makes, so that `usage-pipeline doctor` can say what to allow.

Here: one cheap call per API and its outcome. Not here: the text of policies (`deploy/`), printing (`cli.py`).
"""

from collections.abc import Callable
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from typing import TYPE_CHECKING, Literal

from botocore.exceptions import ClientError

from usage_pipeline.aws.errors import AWS_ERRORS, IAM_ACTIONS, shortfall_of
from usage_pipeline.aws.invocation_logging import LogDelivery, read_log_delivery
from usage_pipeline.aws.log_events import LOG_STREAM
from usage_pipeline.aws.log_objects import log_folders
from usage_pipeline.aws.metric_catalogue import BEDROCK
from usage_pipeline.aws.q_developer_objects import log_type_folders
from usage_pipeline.aws.scopes import Scope, enabled_bedrock_regions
from usage_pipeline.aws.sessions import AccountSession
from usage_pipeline.config_q_developer import BucketPlaceSettings
from usage_pipeline.q_developer.object_keys import Content

if TYPE_CHECKING:
    from types_boto3_cloudwatch.type_defs import MetricDataQueryTypeDef

_MADE_UP = ("ListTagsForResource", "GetCustomModel", "GetObject")
"""Operations that are asked for a resource that does not exist, because there may be none."""

_NOT_FOUND = ("ResourceNotFoundException", "ValidationException", "NoSuchKey")
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
    return [*(_attempt(scope, *call) for call in calls), *_log_permissions(session, scope, now)]


def probe_mapping_model(session: AccountSession, scope: Scope, model_id: str) -> Permission:
    """Ask the model that maps quotas for one token, in the account and Region where it is asked."""
    client = session.client("bedrock-runtime", scope.region)
    return _attempt(
        scope,
        "Converse",
        "asking the model that maps quotas",
        lambda: client.converse(
            modelId=model_id,
            messages=[{"role": "user", "content": [{"text": "Say yes."}]}],
            inferenceConfig={"maxTokens": 1},
        ),
    )


def probe_q_developer(session: AccountSession, scope: Scope) -> list[Permission]:
    """Try the places of prompt logs and activity reports that the account names; nothing when it names none."""
    named = session.account.q_developer
    if named is None:
        return []
    places: list[tuple[Content, BucketPlaceSettings | None]] = [
        ("prompts", named.prompt_logs),
        ("activity", named.activity_reports),
    ]
    calls = [
        call
        for content, place in places
        if place is not None
        for call in _q_developer_calls(session, scope, place, content)
    ]
    return [_attempt(scope, *call) for call in calls]


def _q_developer_calls(
    session: AccountSession, scope: Scope, place: BucketPlaceSettings, content: Content
) -> list[_Call]:
    what = {"prompts": "prompt logs", "activity": "activity reports"}[content]
    return _bucket_calls(
        session,
        scope,
        place.bucket,
        log_type_folders(place, scope.account_id, content)[0],
        (f"which {what} of Amazon Q Developer there are", f"{what} of Amazon Q Developer"),
    )


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
        # As the ingest asks: ec2:DescribeRegions does where account:ListRegions is not allowed.
        calls.append(("ListRegions", "`regions: auto`", lambda: enabled_bedrock_regions(session, scope.aws_partition)))
    return calls


def _log_permissions(session: AccountSession, scope: Scope, now: datetime) -> list[Permission]:
    """What reading the logs needs, as far as it is known where they go."""
    found: list[LogDelivery] = []
    client = session.client("bedrock", scope.region)
    configured = session.account.log_place(scope.region)
    asking = _attempt(
        scope,
        "GetModelInvocationLoggingConfiguration",
        "where invocation logs go",
        lambda: found.extend(read_log_delivery(client, configured).rows),
    )
    calls = [call for delivery in found for call in _log_calls(session, scope, delivery, now)]
    return [*([asking] if configured is None else []), *(_attempt(scope, *call) for call in calls)]


def _log_calls(session: AccountSession, scope: Scope, delivery: LogDelivery, now: datetime) -> list[_Call]:
    if delivery.bucket is not None:
        folder = log_folders(scope, delivery.key_prefix or "")[0]
        needed_for = ("which log objects there are", "what was called, by whom")
        return _bucket_calls(session, scope, delivery.bucket, folder, needed_for)
    if delivery.log_group is not None:
        logs = session.client("logs", scope.region)
        end = int(now.replace(tzinfo=UTC).timestamp() * 1000)
        window = {"startTime": end - 60_000, "endTime": end, "limit": 1}
        return [
            (
                "FilterLogEvents",
                "what was called, by whom",
                lambda: logs.filter_log_events(
                    logGroupName=delivery.log_group, logStreamNamePrefix=LOG_STREAM, **window
                ),
            )
        ]
    return []


def _bucket_calls(
    session: AccountSession, scope: Scope, bucket: str, folder: str, needed_for: tuple[str, str]
) -> list[_Call]:
    """List a folder, and get an object that is not in it; `needed_for` has a text for each."""
    s3 = session.client("s3", scope.region)
    return [
        ("ListObjectsV2", needed_for[0], lambda: s3.list_objects_v2(Bucket=bucket, Prefix=folder, MaxKeys=1)),
        ("GetObject", needed_for[1], lambda: s3.get_object(Bucket=bucket, Key=f"{folder}permission")),
    ]


def _attempt(scope: Scope, operation: str, needed_for: str, call: Callable[[], object]) -> Permission:
    action = IAM_ACTIONS[operation]
    try:
        call()
    except AWS_ERRORS as error:
        code = error.response.get("Error", {}).get("Code") if isinstance(error, ClientError) else None
        if operation in _MADE_UP and code in _NOT_FOUND:
            return Permission(scope, action, needed_for, "ok", None)
        shortfall = shortfall_of(error)
        status = "denied" if shortfall.status == "denied" else "failed"
        return Permission(scope, action, needed_for, status, shortfall.text)
    return Permission(scope, action, needed_for, "ok", None)
