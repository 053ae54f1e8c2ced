"""Bedrock's lists of models, profiles, deployments and tags; the logging configuration and the rest are moto's."""

from collections.abc import Sequence
from datetime import UTC, datetime, time, timedelta
from typing import Any, TypeVar

from moto.bedrock.responses import BedrockResponse
from moto.core.responses import ActionResult

from usage_pipeline.sandbox.account_data import AccountData
from usage_pipeline.sandbox.metric_data import page_of
from usage_pipeline.sandbox.organisation import (
    CREATED_AT,
    DEPLOYED_MODEL,
    DEPLOYMENT_NAME,
    DEPLOYMENT_SCOPE,
    IMPORT_SCOPE,
    IMPORTED_MODEL_NAME,
    Model,
    Profile,
    custom_model_arn,
    deployment_arn,
    foundation_model_arn,
    imported_model_arn,
    models_in,
    system_profiles,
)
from usage_pipeline.sandbox.refusals import AnsweredByMotoError, RefusedRequestError

_DEFAULT_PAGE = 100
_LARGEST_PAGE = 1000
_LEGACY_DAYS, _EXTENDED_ACCESS_DAYS = 365, 90
"""How long before its end of life a model becomes legacy, and begins to cost more."""

_T = TypeVar("_T")


class SandboxBedrockResponse(BedrockResponse):
    """Answers from the simulated organisation."""

    OPERATIONS = (
        "ListFoundationModels",
        "ListInferenceProfiles",
        "GetInferenceProfile",
        "ListTagsForResource",
        "ListCustomModelDeployments",
        "GetCustomModelDeployment",
        "GetCustomModel",
        "ListImportedModels",
        "ListProvisionedModelThroughputs",
    )

    def __init__(self, data: AccountData) -> None:
        super().__init__()
        self.automated_parameter_parsing = True
        self._data = data

    @property
    def _scope(self) -> tuple[str, str]:
        return self.current_account, self.region

    def list_foundation_models(self) -> ActionResult:
        """All models of the Region at once; AWS has no pages here."""
        provider, output = self._get_param("byProvider"), self._get_param("byOutputModality")
        inference_type = self._get_param("byInferenceType")
        summaries = [_model_summary(model, self.region, self._data.options.end) for model in models_in(self.region)]
        wanted = [
            summary
            for summary in summaries
            if provider in (None, summary["providerName"])
            and (output is None or output in summary["outputModalities"])
            and (inference_type is None or inference_type in summary["inferenceTypesSupported"])
        ]
        return ActionResult({"modelSummaries": wanted})

    def list_inference_profiles(self) -> ActionResult:
        """System profiles unless typeEquals says APPLICATION."""
        if self._get_param("typeEquals") == "APPLICATION":
            profiles = self._data.organisation.application_profiles_in(*self._scope)
        else:
            profiles = list(system_profiles(*self._scope).values())
        return self._page("inferenceProfileSummaries", [_profile_summary(profile) for profile in profiles])

    def get_inference_profile(self) -> ActionResult:
        """One profile by its id or ARN."""
        identifier = self._get_param("inferenceProfileIdentifier")
        for profile in self._profiles():
            if identifier in (profile.profile_id, profile.arn):
                return ActionResult(_profile_summary(profile))
        raise _not_found("The provided inference profile identifier is invalid.")

    def list_tags_for_resource(self) -> Any:  # moto's own is typed as text
        """Tags of a profile; custom models and jobs have theirs in moto."""
        arn = self._get_param("resourceARN")
        for profile in self._profiles():
            if arn == profile.arn:
                return ActionResult({"tags": [{"key": key, "value": value} for key, value in profile.tags]})
        raise AnsweredByMotoError

    def list_custom_model_deployments(self) -> ActionResult:
        """The deployment, in the scope that has it."""
        return self._page("modelDeploymentSummaries", [self._deployment()] if self._has_deployment() else [])

    def get_custom_model_deployment(self) -> ActionResult:
        """The deployment by its ARN or id."""
        identifier = self._get_param("customModelDeploymentIdentifier")
        arn = deployment_arn(*self._scope)
        if not self._has_deployment() or identifier not in (arn, arn.rpartition("/")[2]):
            raise _not_found("Could not find the custom model deployment.")
        deployment = self._deployment()
        deployment["modelDeploymentName"] = deployment.pop("customModelDeploymentName")
        return ActionResult(deployment)

    def get_custom_model(self) -> Any:  # moto's own is typed as text
        """The deployed custom model; others are moto's."""
        arn = custom_model_arn(*self._scope)
        if not self._has_deployment() or self._get_param("modelIdentifier") != arn:
            raise AnsweredByMotoError
        return ActionResult(
            {
                "modelArn": arn,
                "modelName": "invoice-fields-2026",
                "baseModelArn": foundation_model_arn(DEPLOYED_MODEL, self.region),
                "customizationType": "FINE_TUNING",
                "creationTime": CREATED_AT,
                "modelStatus": "Active",
            }
        )

    def list_imported_models(self) -> ActionResult:
        """The imported model, in the scope that has it."""
        imported: dict[str, Any] = {
            "modelArn": imported_model_arn(*self._scope),
            "modelName": IMPORTED_MODEL_NAME,
            "creationTime": CREATED_AT,
            "instructSupported": True,
            "modelArchitecture": "llama",
        }
        return self._page("modelSummaries", [imported] if self._scope == IMPORT_SCOPE else [])

    def list_provisioned_model_throughputs(self) -> ActionResult:
        """The organisation has bought none."""
        return ActionResult({"provisionedModelSummaries": []})

    def _profiles(self) -> list[Profile]:
        return [
            *system_profiles(*self._scope).values(),
            *self._data.organisation.application_profiles_in(*self._scope),
        ]

    def _has_deployment(self) -> bool:
        return self._scope == DEPLOYMENT_SCOPE

    def _deployment(self) -> dict[str, Any]:
        return {
            "customModelDeploymentArn": deployment_arn(*self._scope),
            "customModelDeploymentName": DEPLOYMENT_NAME,
            "modelArn": custom_model_arn(*self._scope),
            "createdAt": CREATED_AT,
            "status": "Active",
        }

    def _page(self, key: str, items: Sequence[_T]) -> ActionResult:
        size = min(self._get_int_param("maxResults") or _DEFAULT_PAGE, _LARGEST_PAGE)
        page, token = page_of(items, self._get_param("nextToken"), size)
        return ActionResult({key: page, "nextToken": token})


def _not_found(message: str) -> RefusedRequestError:
    return RefusedRequestError("ResourceNotFoundException", message)


def _model_summary(model: Model, region: str, now: datetime) -> dict[str, Any]:
    inference_types = ["ON_DEMAND"] if region in model.on_demand else []
    if model.geo or model.is_global:
        inference_types.append("INFERENCE_PROFILE")
    return {
        "modelArn": foundation_model_arn(model.model_id, region),
        "modelId": model.model_id,
        "modelName": model.name,
        "providerName": model.provider,
        "inputModalities": list(model.input),
        "outputModalities": list(model.output),
        "responseStreamingSupported": not model.is_embedding,
        "customizationsSupported": [],
        # Models that only come in provisioned form carry a context length in their id.
        "inferenceTypesSupported": inference_types or ["PROVISIONED"],
        "modelLifecycle": _lifecycle(model, now),
    }


def _lifecycle(model: Model, now: datetime) -> dict[str, Any]:
    """The model's status, and its dates where it has an end."""
    if model.end_of_life_in_days is None:
        return {"status": model.lifecycle}
    end = datetime.combine(now.date(), time(), UTC) + timedelta(days=model.end_of_life_in_days)
    return {
        "status": model.lifecycle,
        "legacyTime": end - timedelta(days=_LEGACY_DAYS),
        "publicExtendedAccessTime": end - timedelta(days=_EXTENDED_ACCESS_DAYS),
        "endOfLifeTime": end,
    }


def _profile_summary(profile: Profile) -> dict[str, Any]:
    return {
        "inferenceProfileName": profile.name,
        "description": f"Routes requests to {profile.model_id}.",
        "createdAt": CREATED_AT,
        "updatedAt": CREATED_AT,
        "inferenceProfileArn": profile.arn,
        "models": [{"modelArn": arn} for arn in profile.model_arns],
        "inferenceProfileId": profile.profile_id,
        "status": "ACTIVE",
        "type": "APPLICATION" if profile.kind == "application" else "SYSTEM_DEFINED",
    }
