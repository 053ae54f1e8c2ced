"""Reads AWS's usage types: which Region code, model, endpoint, tier and kind of token a line of a bill or price is for.

A usage type such as `USE1-NovaLite-input-tokens-flex-cross-region-global` is read whole or not at all. Those of models
sold through AWS Marketplace (`USE1-MP:USE1_InputTokenCount_Global-Units`) name no model: the product's name does.
Grammar as seen in price lists and bills of autumn 2026. Not here: which model id the words mean (`product_names.py`).
"""

import re
from dataclasses import dataclass
from typing import Literal

from usage_pipeline.prices.price_rows import ContextBand, ServiceTier, TokenKind

Scope = Literal["geo", "global"]

_SEGMENTED = re.compile(
    r"(?P<region>[A-Z0-9]+)-(?P<words>.+?)-(?:"
    r"(?P<kind>input|output)-tokens(?:-(?P<tier>standard|batch|flex|priority))?"
    r"(?:(?P<long>-long-context)?-cross-region-(?P<scope>global|geo))?(?P<batch>-batch)?"
    r"|(?P<cache_kind>cache-(?:read|write))-input-token-count(?:-(?P<cache_tier>standard|batch|flex|priority))?"
    r"(?P<cache_long>-long-context)?(?:-cross-region-(?P<cache_scope>global|geo))?"
    r")"
)
_MARKETPLACE_WORDS = re.compile(
    r"(?:[A-Z0-9]+-)?MP:(?P<region>[A-Z0-9]+)_"
    r"(?P<kind>InputTokenCount|OutputTokenCount|CacheReadInputTokenCount|CacheWriteInputTokenCount"
    r"|CacheWrite1hInputTokenCount)"
    r"(?P<long>_LCtx)?(?:_(?P<scope>Global|Geo))?(?P<batch>_Batch)?-Units"
)
_MARKETPLACE_UNDERSCORES = re.compile(
    r"(?:[A-Z0-9]+-)?MP:(?P<region>[A-Z0-9]+)_"
    r"(?P<kind>(?:input|output|cache_read|cache_write)_tokens(?:(?<=write_tokens)_1h)?)"
    r"(?P<long>_long_ctx)?(?:_(?P<scope>global|geo))?_(?P<tier>standard|batch|flex|priority)-Units"
)
"""Spelling of the products of Claude 4.7 and later; those before are written in words."""

_KINDS: dict[str, TokenKind] = {
    "input": "input",
    "output": "output",
    "cache-read": "cache_read",
    "cache-write": "cache_write_5m",
    "InputTokenCount": "input",
    "OutputTokenCount": "output",
    "CacheReadInputTokenCount": "cache_read",
    "CacheWriteInputTokenCount": "cache_write_5m",
    "CacheWrite1hInputTokenCount": "cache_write_1h",
    "input_tokens": "input",
    "output_tokens": "output",
    "cache_read_tokens": "cache_read",
    "cache_write_tokens": "cache_write_5m",
    "cache_write_tokens_1h": "cache_write_1h",
}
_TIERS: dict[str | None, ServiceTier] = {
    None: "default",
    "standard": "default",
    "batch": "batch",
    "flex": "flex",
    "priority": "priority",
}
_SCOPES: dict[str, Scope] = {"geo": "geo", "global": "global"}

# fmt: off
_REGIONS = {
    "AFS1": "af-south-1", "APE1": "ap-east-1", "APN1": "ap-northeast-1", "APN2": "ap-northeast-2",
    "APN3": "ap-northeast-3", "APS1": "ap-southeast-1", "APS2": "ap-southeast-2", "APS3": "ap-south-1",
    "APS4": "ap-southeast-3", "APS5": "ap-south-2", "APS6": "ap-southeast-4", "CAN1": "ca-central-1",
    "CAN2": "ca-west-1", "EU": "eu-west-1", "EUC1": "eu-central-1", "EUC2": "eu-central-2", "EUN1": "eu-north-1",
    "EUS1": "eu-south-1", "EUS2": "eu-south-2", "EUW1": "eu-west-1", "EUW2": "eu-west-2", "EUW3": "eu-west-3",
    "ILC1": "il-central-1", "MEC1": "me-central-1", "MES1": "me-south-1", "SAE1": "sa-east-1", "UGE1": "us-gov-east-1",
    "UGW1": "us-gov-west-1", "USE1": "us-east-1", "USE2": "us-east-2", "USW1": "us-west-1", "USW2": "us-west-2",
}
# fmt: on
"""Regions by AWS's billing code, from "Understanding your AWS billing and usage reports for Amazon S3" (2026-11)."""


class UnreadUsageTypeError(Exception):
    """A usage type, or a part of it, means nothing that is known here; the text says why."""


@dataclass(frozen=True)
class UsageType:
    """What a usage type says.

    `region_code` is AWS's billing code, such as USE1. `model_words` name the model, such as NovaLite; None where the
    product's name does. `scope` is None for the Region whatever the endpoint: on demand and, as a rule, geo profiles.
    """

    region_code: str
    model_words: str | None
    token_kind: TokenKind
    service_tier: ServiceTier = "default"
    context_band: ContextBand = "standard"
    scope: Scope | None = None

    @property
    def region(self) -> str | None:
        """The Region of the code; None for a code that is not known here."""
        return _REGIONS.get(self.region_code)


def read_usage_type(text: str) -> UsageType:
    """What the usage type says.

    Raises:
        UnreadUsageTypeError: it is none of tokens on demand, or not all of it is understood.
    """
    for pattern in (_MARKETPLACE_WORDS, _MARKETPLACE_UNDERSCORES):
        if found := pattern.fullmatch(text):
            return _usage_type(found.groupdict(), None)
    found = _SEGMENTED.fullmatch(text)
    if found is None:
        raise UnreadUsageTypeError("no price of tokens on demand")
    if found["words"].endswith("-mantle"):
        raise UnreadUsageTypeError("another endpoint: bedrock-mantle")
    parts = found.groupdict()
    if parts["cache_kind"]:
        parts |= {name: parts[f"cache_{name}"] for name in ("kind", "tier", "long", "scope")}
    return _usage_type(parts, found["words"])


def _usage_type(parts: dict[str, str | None], model_words: str | None) -> UsageType:
    tier, is_batch = _TIERS[parts.get("tier")], bool(parts.get("batch"))
    if is_batch and tier != "default":
        raise UnreadUsageTypeError("more than one tier")
    scope = parts["scope"]
    return UsageType(
        region_code=parts["region"] or "",
        model_words=model_words,
        token_kind=_KINDS[parts["kind"] or ""],
        service_tier="batch" if is_batch else tier,
        context_band="long" if parts["long"] else "standard",
        scope=_SCOPES[scope.lower()] if scope else None,
    )
