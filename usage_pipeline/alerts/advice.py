"""What to do about a finding: where the AWS console shows it, and a command that is ready to be pasted.

Here: pure functions. What stands in a command comes from AWS, so it is checked for its form first: nothing else may
reach a shell. Not here: what a check means (its description says that).
"""

import json
import re
from collections.abc import Mapping
from typing import Any

from usage_pipeline.alerts.findings import Finding
from usage_pipeline.report.console_links import service_quota_url

_QUOTA_CODE = re.compile(r"L-[0-9A-F]{8}")
_REGION = re.compile(r"[a-z]{2}(?:-[a-z]+)+-\d")
_DAY = re.compile(r"\d{4}-\d{2}-\d{2}")


def next_steps(finding: Finding) -> list[str]:
    """Sentences, links and commands, the most useful first; none where the description says all there is."""
    row: Mapping[str, Any] = {**json.loads(finding.evidence), **json.loads(finding.subject)}
    if quota := _quota(row):
        return _quota_steps(*quota, desired=_desired_value(finding, row))
    if finding.check_name.startswith("every_scope_answered_for_"):
        return ["usage-pipeline doctor", *_run_days(row.get("first_day"), row.get("last_day"))]
    days = _run_days(row.get("partition_date") or row.get("folder_date") or row.get("usage_date"))
    if days:
        return days
    return [f"usage-pipeline dev, then open run {row['run_id']}"] if row.get("run_id") else []


def _quota(row: Mapping[str, Any]) -> tuple[str, str] | None:
    region, code = str(row.get("region")), str(row.get("quota_code"))
    return (region, code) if _REGION.fullmatch(region) and _QUOTA_CODE.fullmatch(code) else None


def _desired_value(finding: Finding, row: Mapping[str, Any]) -> int | None:
    """The quota to ask for: what the row says, or the limit that the value should not be below."""
    if isinstance(desired := row.get("desired_value"), int):
        return desired
    if row.get("adjustable") is True and finding.threshold is not None:
        return int(finding.threshold)
    return None


def _quota_steps(region: str, code: str, desired: int | None) -> list[str]:
    steps = [f"look at the quota: {service_quota_url(region, code)}"]
    if desired is not None:
        steps.append(increase_command(region, code, desired))
    return steps


def increase_command(region: str, quota_code: str, desired: int) -> str:
    """The command that asks AWS for a larger quota.

    Raises:
        ValueError: the Region or the code has not the form that AWS gives them, so that they may not reach a shell.
    """
    if not _REGION.fullmatch(region) or not _QUOTA_CODE.fullmatch(quota_code):
        raise ValueError(
            f"read Region {region!r} and quota code {quota_code!r}; allowed: such as us-east-1, L-59759B4A"
        )
    return (
        f"aws service-quotas request-service-quota-increase --service-code bedrock --quota-code {quota_code} "
        f"--region {region} --desired-value {desired}"
    )


def is_quota(region: str, quota_code: str | None) -> bool:
    """Whether both have the form that AWS gives them."""
    return _quota({"region": region, "quota_code": quota_code}) is not None


def _run_days(first: Any, last: Any = None) -> list[str]:
    if not _DAY.fullmatch(str(first)):
        return []
    if last is None or last == first or not _DAY.fullmatch(str(last)):
        return [f"usage-pipeline run --date {first}"]
    return [f"usage-pipeline run --from {first} --to {last}"]
