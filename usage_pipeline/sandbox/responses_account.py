"""Service Quotas, enabled Regions and roles of the simulated organisation; the rest of these services is moto's."""

from functools import cache
from typing import Any

import boto3
from moto.account.responses import AccountResponse
from moto.core.responses import ActionResult
from moto.servicequotas.responses import ServiceQuotasResponse
from moto.sts.responses import TokenResponse

from usage_pipeline.sandbox.metric_data import page_of
from usage_pipeline.sandbox.organisation import ACCOUNTS, EXTERNAL_ID, SCOPES
from usage_pipeline.sandbox.quota_catalogue import Quota, applied_values, quotas_in
from usage_pipeline.sandbox.refusals import AnsweredByMotoError, RefusedRequestError

_QUOTAS_PER_PAGE = 100
_REGIONS_PER_PAGE = 50


class SandboxServiceQuotasResponse(ServiceQuotasResponse):
    """The quotas of Bedrock; other services have moto's."""

    OPERATIONS = ("ListServiceQuotas", "ListAWSDefaultServiceQuotas", "GetServiceQuota", "GetAWSDefaultServiceQuota")

    def __init__(self) -> None:
        super().__init__()
        self.automated_parameter_parsing = True

    def list_service_quotas(self) -> ActionResult:
        """Quotas that have an applied value; one with only a default is not listed."""
        self._require_bedrock()
        applied = applied_values(self.current_account, self.region)
        code = self._get_param("QuotaCode")
        listed = [
            self._quota(quota, applied[quota.code])
            for quota in quotas_in(self.region)
            if quota.code in applied and code in (None, quota.code)
        ]
        if self._get_param("QuotaAppliedAtLevel") == "RESOURCE":
            listed = []
        return self._page(listed)

    def list_aws_default_service_quotas(self) -> Any:  # moto's own is typed as text
        """Every quota with AWS's default."""
        self._require_bedrock()
        return self._page([self._quota(quota, quota.default_value) for quota in quotas_in(self.region)])

    def get_service_quota(self) -> Any:  # moto's own is typed as text
        """One applied value; missing where AWS has only a default."""
        quota = self._asked_quota()
        applied = applied_values(self.current_account, self.region)
        if quota.code not in applied:
            raise _no_such_quota()
        return ActionResult({"Quota": self._quota(quota, applied[quota.code])})

    def get_aws_default_service_quota(self) -> ActionResult:
        """One default value."""
        quota = self._asked_quota()
        return ActionResult({"Quota": self._quota(quota, quota.default_value)})

    def _require_bedrock(self) -> None:
        if self._get_param("ServiceCode") != "bedrock":
            raise AnsweredByMotoError

    def _asked_quota(self) -> Quota:
        self._require_bedrock()
        code = self._get_param("QuotaCode")
        found = next((quota for quota in quotas_in(self.region) if quota.code == code), None)
        if found is None:
            raise _no_such_quota()
        return found

    def _quota(self, quota: Quota, value: float) -> dict[str, Any]:
        return {
            "ServiceCode": "bedrock",
            "ServiceName": "Amazon Bedrock",
            "QuotaArn": f"arn:aws:servicequotas:{self.region}:{self.current_account}:bedrock/{quota.code}",
            "QuotaCode": quota.code,
            "QuotaName": quota.name,
            "Value": value,
            "Unit": "None",
            "Adjustable": quota.adjustable,
            "GlobalQuota": False,
            "QuotaAppliedAtLevel": "ACCOUNT",
        }

    def _page(self, quotas: list[dict[str, Any]]) -> ActionResult:
        size = min(self._get_int_param("MaxResults") or _QUOTAS_PER_PAGE, _QUOTAS_PER_PAGE)
        page, token = page_of(quotas, self._get_param("NextToken"), size)
        return ActionResult({"Quotas": page, "NextToken": token})


def _no_such_quota() -> RefusedRequestError:
    return RefusedRequestError("NoSuchResourceException", "The specified quota does not exist.")


class SandboxAccountResponse(AccountResponse):
    """Which Regions an account may use."""

    OPERATIONS = ("ListRegions",)

    def __init__(self) -> None:
        super().__init__()
        self.automated_parameter_parsing = True

    def list_regions(self) -> ActionResult:
        """Every commercial Region; only those where the organisation works are enabled."""
        account_id = self._get_param("AccountId") or self.current_account
        wanted = self._get_param("RegionOptStatusContains") or []
        regions = [
            {"RegionName": region, "RegionOptStatus": status}
            for region in _commercial_regions()
            for status in ["ENABLED_BY_DEFAULT" if (account_id, region) in SCOPES else "DISABLED"]
            if not wanted or status in wanted
        ]
        size = min(self._get_int_param("MaxResults") or _REGIONS_PER_PAGE, _REGIONS_PER_PAGE)
        page, token = page_of(regions, self._get_param("NextToken"), size)
        return ActionResult({"Regions": page, "NextToken": token})


@cache
def _commercial_regions() -> tuple[str, ...]:
    return tuple(sorted(boto3.Session().get_available_regions("ec2")))


def account_of_role(role_arn: str) -> str | None:
    """The account id in a role's ARN; None when the text is no ARN."""
    parts = role_arn.split(":")
    return parts[4] if len(parts) > 5 else None


class SandboxTokenResponse(TokenResponse):
    """Roles of the organisation's accounts; their trust policies ask for the external id."""

    OPERATIONS = ("AssumeRole",)

    def assume_role(self) -> ActionResult:
        """Moto's temporary credentials, when the role may be assumed."""
        role_arn = str(self._get_param("RoleArn"))
        if account_of_role(role_arn) not in ACCOUNTS or self._get_param("ExternalId") != EXTERNAL_ID:
            _, arn, _ = self.backend.get_caller_identity(self.get_access_key(), self.region)
            raise RefusedRequestError(
                "AccessDenied", f"User: {arn} is not authorized to perform: sts:AssumeRole on resource: {role_arn}"
            )
        raise AnsweredByMotoError
