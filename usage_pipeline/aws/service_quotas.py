"""Bedrock's quotas in one Region, as Service Quotas gives them.

Here: reading applied and default values and merging them by code. Not here: which quota limits which model
(`usage_pipeline/quotas`), Bedrock itself (`bedrock.py`).
"""

from collections.abc import Iterable
from dataclasses import dataclass
from typing import TYPE_CHECKING, cast

from usage_pipeline.aws.errors import understanding
from usage_pipeline.aws.source_reading import Listing

if TYPE_CHECKING:
    from types_boto3_service_quotas import ServiceQuotasClient
    from types_boto3_service_quotas.type_defs import ServiceQuotaTypeDef

_SERVICE = "bedrock"
_PAGE = 100


@dataclass(frozen=True)
class ServiceQuota:
    """One row of `raw.service_quotas`, without the day and the scope. A value that AWS does not give is None, not 0."""

    quota_code: str
    quota_name: str
    limit_value: float | None
    limit_source: str
    default_value: float | None
    unit: str | None
    adjustable: bool | None
    quota_arn: str | None


def list_service_quotas(client: "ServiceQuotasClient") -> Listing[ServiceQuota]:
    """Every Bedrock quota of the account and Region: the applied value where AWS lists one, else AWS's default.

    AWS lists an applied value only where it has one, so both lists are read (user guide, 2026).
    """
    with understanding("ListAWSDefaultServiceQuotas"):
        default_pages = client.get_paginator("list_aws_default_service_quotas").paginate(
            ServiceCode=_SERVICE, PaginationConfig={"PageSize": _PAGE}
        )
        defaults = _by_code(quota for page in default_pages for quota in page.get("Quotas", ()))
    with understanding("ListServiceQuotas"):
        applied_pages = client.get_paginator("list_service_quotas").paginate(
            ServiceCode=_SERVICE, PaginationConfig={"PageSize": _PAGE}
        )
        applied = _by_code(quota for page in applied_pages for quota in page.get("Quotas", ()))
    return Listing(tuple(_merged(applied.get(code), defaults.get(code)) for code in sorted({*applied, *defaults})))


def _by_code(quotas: Iterable["ServiceQuotaTypeDef"]) -> dict[str, "ServiceQuotaTypeDef"]:
    found: dict[str, ServiceQuotaTypeDef] = {}
    for quota in quotas:
        found.setdefault(cast("dict[str, str]", quota)["QuotaCode"], quota)
    return found


def _merged(applied: "ServiceQuotaTypeDef | None", default: "ServiceQuotaTypeDef | None") -> ServiceQuota:
    """One quota from what the two lists say of its code; at least one of them has it."""
    has_applied_value = applied is not None and applied.get("Value") is not None
    words: ServiceQuotaTypeDef = {**(default or {}), **(applied or {})}
    default_value = (default or {}).get("Value")
    return ServiceQuota(
        quota_code=words.get("QuotaCode", ""),
        quota_name=words.get("QuotaName", ""),
        limit_value=words.get("Value") if has_applied_value else default_value,
        limit_source="applied" if has_applied_value else "default",
        default_value=default_value,
        unit=words.get("Unit"),
        adjustable=words.get("Adjustable"),
        quota_arn=words.get("QuotaArn"),
    )
