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
