"""Bedrock's catalogue in one Region: foundation models, inference profiles, custom deployments, imported models.

Here: calls to Bedrock's control plane, as rows that match `raw_tables.py`. Not here: what a profile routes to means
(`dbt_like_sql/intermediate`), quotas (`service_quotas.py`).
"""

from collections.abc import Callable, Mapping, Sequence
from concurrent.futures import ThreadPoolExecutor
from contextvars import copy_context
from dataclasses import dataclass, replace
from datetime import UTC, datetime
from functools import partial
from typing import TYPE_CHECKING, TypeVar

from botocore.exceptions import BotoCoreError, ClientError

from usage_pipeline.aws.errors import Shortfall, cut, shortfall_of, understanding
from usage_pipeline.aws.source_reading import Listing

if TYPE_CHECKING:
    from types_boto3_bedrock import BedrockClient
    from types_boto3_bedrock.literals import InferenceProfileTypeType

_DETAIL_THREADS = 4
"""Requests for details (tags, base models) under way at once in one Region."""

_PAGE = 100

_Detail = TypeVar("_Detail")


@dataclass(frozen=True)
class FoundationModel:
    """One row of `raw.foundation_models`, without the day and the scope."""

    model_id: str
    model_arn: str
    model_name: str | None
    provider_name: str | None
    input_modalities: tuple[str, ...]
    output_modalities: tuple[str, ...]
    inference_types: tuple[str, ...]
    lifecycle_status: str | None
    legacy_at: datetime | None
    extended_access_at: datetime | None
    end_of_life_at: datetime | None


@dataclass(frozen=True)
class InferenceProfile:
    """One row of `raw.inference_profiles`, without the day and the scope. `tags` is None when they were not given."""

    profile_id: str
    profile_arn: str
    profile_name: str
    profile_type: str
    status: str
    model_arns: tuple[str, ...]
    tags: Mapping[str, str] | None
    created_at: datetime | None
    updated_at: datetime | None


@dataclass(frozen=True)
class CustomDeployment:
    """One row of `raw.custom_deployments`, without the day and the scope."""

    deployment_arn: str
    deployment_name: str
    model_arn: str
    base_model_arn: str | None
    status: str
    created_at: datetime | None


@dataclass(frozen=True)
class ImportedModel:
    """One row of `raw.imported_models`, without the day and the scope."""

    model_arn: str
    model_name: str
    model_architecture: str | None
    instruct_supported: bool | None
    created_at: datetime | None


def list_foundation_models(client: "BedrockClient") -> Listing[FoundationModel]:
    """Every foundation model that the Region offers; AWS gives them in one answer."""
    with understanding("ListFoundationModels"):
        return Listing(
            tuple(
                FoundationModel(
                    model_id=model["modelId"],
                    model_arn=model["modelArn"],
                    model_name=model.get("modelName"),
                    provider_name=model.get("providerName"),
                    input_modalities=tuple(model.get("inputModalities", ())),
                    output_modalities=tuple(model.get("outputModalities", ())),
                    inference_types=tuple(model.get("inferenceTypesSupported", ())),
                    lifecycle_status=model.get("modelLifecycle", {}).get("status"),
                    legacy_at=_utc(model.get("modelLifecycle", {}).get("legacyTime")),
                    extended_access_at=_utc(model.get("modelLifecycle", {}).get("publicExtendedAccessTime")),
                    end_of_life_at=_utc(model.get("modelLifecycle", {}).get("endOfLifeTime")),
                )
                for model in client.list_foundation_models()["modelSummaries"]
            )
        )


def list_inference_profiles(client: "BedrockClient") -> Listing[InferenceProfile]:
    """Every system-defined and application inference profile, application profiles with their tags.

    Tags that AWS does not give leave the profile with `tags` None and are told in the listing's shortfall.
    """
    # AWS does not say which type it lists when none is named, so each is named.
    system = _profiles(client, "SYSTEM_DEFINED")
    application = _profiles(client, "APPLICATION")
    arns = [profile.profile_arn for profile in application]
    tags, shortfall = _details(arns, partial(_tags, client), "application inference profiles")
    tagged = [replace(profile, tags=tags.get(profile.profile_arn)) for profile in application]
    return Listing((*system, *tagged), shortfall)


def list_custom_deployments(client: "BedrockClient") -> Listing[CustomDeployment]:
    """Every on-demand deployment of a custom model, with the foundation model it was made from.

    A base model that AWS does not give is None and is told in the listing's shortfall.
    """
    with understanding("ListCustomModelDeployments"):
        pages = client.get_paginator("list_custom_model_deployments").paginate(PaginationConfig={"PageSize": _PAGE})
        found = [
            CustomDeployment(
                deployment_arn=deployment["customModelDeploymentArn"],
                deployment_name=deployment["customModelDeploymentName"],
                model_arn=deployment["modelArn"],
                base_model_arn=None,
                status=deployment["status"],
                created_at=_utc(deployment.get("createdAt")),
            )
            for page in pages
            for deployment in page.get("modelDeploymentSummaries", ())
        ]
    models = sorted({deployment.model_arn for deployment in found})
    bases, shortfall = _details(models, partial(_base_model, client), "custom models")
    return Listing(
        tuple(replace(deployment, base_model_arn=bases.get(deployment.model_arn)) for deployment in found), shortfall
    )


def list_imported_models(client: "BedrockClient") -> Listing[ImportedModel]:
    """Every imported model of the account in the Region."""
    with understanding("ListImportedModels"):
        pages = client.get_paginator("list_imported_models").paginate(PaginationConfig={"PageSize": _PAGE})
        return Listing(
            tuple(
                ImportedModel(
                    model_arn=model["modelArn"],
                    model_name=model["modelName"],
                    model_architecture=model.get("modelArchitecture"),
                    instruct_supported=model.get("instructSupported"),
                    created_at=_utc(model.get("creationTime")),
                )
                for page in pages
                for model in page.get("modelSummaries", ())
            )
        )


def _profiles(client: "BedrockClient", profile_type: "InferenceProfileTypeType") -> list[InferenceProfile]:
    """Every profile of one type; system-defined profiles cannot have tags, those of application profiles come later."""
    with understanding("ListInferenceProfiles"):
        pages = client.get_paginator("list_inference_profiles").paginate(
            typeEquals=profile_type, PaginationConfig={"PageSize": _PAGE}
        )
        return [
            InferenceProfile(
                profile_id=profile["inferenceProfileId"],
                profile_arn=profile["inferenceProfileArn"],
                profile_name=profile["inferenceProfileName"],
                profile_type=profile["type"],
                status=profile["status"],
                model_arns=tuple(model["modelArn"] for model in profile["models"] if "modelArn" in model),
                tags={} if profile_type == "SYSTEM_DEFINED" else None,
                created_at=_utc(profile.get("createdAt")),
                updated_at=_utc(profile.get("updatedAt")),
            )
            for page in pages
            for profile in page.get("inferenceProfileSummaries", ())
        ]


def _tags(client: "BedrockClient", arn: str) -> dict[str, str]:
    with understanding("ListTagsForResource"):
        return {tag["key"]: tag["value"] for tag in client.list_tags_for_resource(resourceARN=arn).get("tags", ())}


def _base_model(client: "BedrockClient", arn: str) -> str | None:
    return client.get_custom_model(modelIdentifier=arn).get("baseModelArn")


def _details(
    arns: Sequence[str], ask: Callable[[str], _Detail], things: str
) -> tuple[dict[str, _Detail], Shortfall | None]:
    """Ask for one detail of each ARN, a few at a time; those that AWS does not give are left out and told."""

    def attempt(arn: str) -> _Detail | Shortfall | None:
        try:
            return ask(arn)
        except ClientError as error:
            if error.response.get("Error", {}).get("Code") == "ResourceNotFoundException":
                return None  # deleted since it was listed
            return shortfall_of(error)
        except BotoCoreError as error:
            return shortfall_of(error)

    with ThreadPoolExecutor(max_workers=_DETAIL_THREADS) as pool:
        # Each request runs in a copy of this thread's context, so that it is counted.
        answers = [future.result() for future in [pool.submit(copy_context().run, attempt, arn) for arn in arns]]
    found: dict[str, _Detail] = {}
    missing: list[Shortfall] = []
    for arn, answer in zip(arns, answers, strict=True):
        if isinstance(answer, Shortfall):
            missing.append(answer)
        elif answer is not None:
            found[arn] = answer
    if not missing:
        return found, None
    text = f"{len(missing)} of {len(arns)} {things}: {missing[0].text}"
    return found, Shortfall(missing[0].status, cut(text))


def _utc(moment: datetime | None) -> datetime | None:
    """A moment of AWS's answer in UTC, without a zone."""
    return None if moment is None else moment.astimezone(UTC).replace(tzinfo=None)
