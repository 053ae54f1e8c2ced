"""Addresses of the AWS console's pages.

Here: where a quota is shown. Not here: whether a link is drawn (`page/`).
"""

from urllib.parse import quote

GOVCLOUD_REGION_PREFIX = "us-gov-"


def service_quota_url(region: str, quota_code: str) -> str:
    """The Service Quotas page of one Bedrock quota, in its own Region and partition."""
    host = "console.amazonaws-us-gov.com" if region.startswith(GOVCLOUD_REGION_PREFIX) else "console.aws.amazon.com"
    page = f"servicequotas/home/services/bedrock/quotas/{quote(quota_code, safe='')}"
    return f"https://{quote(region, safe='')}.{host}/{page}"
