"""The quotas of the simulated organisation, and which of them really limit which pool.

Here: facts from quotas.csv, applied_quotas.csv and pool_quotas.csv. Not here: the limiter (`limiter.py`), how Service
Quotas answers (`responses_account.py`).
"""

from dataclasses import dataclass
from functools import cache

from usage_pipeline.sandbox.organisation import account_id_of, csv_rows


@dataclass(frozen=True)
class Quota:
    """One quota code in one Region. `is_applied` is False where AWS lists only a default value."""

    code: str
    name: str
    default_value: float
    adjustable: bool
    regions: tuple[str, ...]
    is_applied: bool


@cache
def quotas() -> dict[str, Quota]:
    """Every Bedrock quota by its code."""
    return {
        row["quota_code"]: Quota(
            code=row["quota_code"],
            name=row["quota_name"],
            default_value=float(row["default_value"]),
            adjustable=row["adjustable"] == "yes",
            regions=tuple(filter(None, row["regions"].split("|"))),
            is_applied=row["applied"] == "yes",
        )
        for row in csv_rows("quotas.csv")
    }


def quotas_in(region: str) -> list[Quota]:
    """The quotas of the Region in the order of their codes."""
    return [quota for quota in quotas().values() if not quota.regions or region in quota.regions]


@cache
def applied_values(account_id: str, region: str) -> dict[str, float]:
    """Applied value by quota code; a code that has only a default is absent."""
    values = {quota.code: quota.default_value for quota in quotas_in(region) if quota.is_applied}
    for row in csv_rows("applied_quotas.csv"):
        if account_id_of(row["account"]) == account_id and row["region"] == region:
            values[row["quota_code"]] = float(row["applied_value"])
    return values


@dataclass(frozen=True)
class PoolLimits:
    """The quota codes and limits of a pool; None where AWS has no such quota. Tokens or requests per period."""

    tpm_code: str | None = None
    tpm_limit: float | None = None
    rpm_code: str | None = None
    rpm_limit: float | None = None
    tpd_code: str | None = None
    tpd_limit: float | None = None


@cache
def _pool_quota_codes() -> dict[tuple[str, str], tuple[str, str, str]]:
    """Codes of TPM, RPM and TPD by model and endpoint type; empty where AWS has no such quota."""
    return {
        (row["model_id"], row["endpoint_type"]): (row["tpm_quota_code"], row["rpm_quota_code"], row["tpd_quota_code"])
        for row in csv_rows("pool_quotas.csv")
    }


def pool_codes(model_id: str, endpoint_type: str) -> tuple[str, str, str]:
    """The true codes of TPM, RPM and TPD of a model and endpoint type; empty where AWS has no such quota."""
    return _pool_quota_codes().get((model_id, endpoint_type), ("", "", ""))


def pool_limits(pool_id: str) -> PoolLimits:
    """The limits that hold for a pool: applied before default, TPD doubled for geo where the quota's name says so."""
    account_id, region, endpoint_type, model_id = pool_id.split("/", 3)
    codes = _pool_quota_codes().get((model_id, endpoint_type))
    if codes is None:
        return PoolLimits()
    applied = applied_values(account_id, region)

    def limit(code: str) -> float | None:
        if not code:
            return None
        quota = quotas()[code]
        doubled = endpoint_type == "geo" and "(doubled for cross-region calls)" in quota.name
        return applied.get(code, quota.default_value) * (2 if doubled else 1)

    tpm, rpm, tpd = codes
    return PoolLimits(tpm or None, limit(tpm), rpm or None, limit(rpm), tpd or None, limit(tpd))
