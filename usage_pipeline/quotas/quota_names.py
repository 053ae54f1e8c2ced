"""Reads AWS's name of a Bedrock quota: which endpoint, which kind of limit, which model, which special case.

Here: the wordings that AWS uses. Not here: what the model's label means (`model_names.py`) and which model it fits
(`rule_mapper.py`).
"""

import re
from dataclasses import dataclass, field
from functools import lru_cache
from typing import Literal

from usage_pipeline.quotas.model_names import ModelIdentity, parse_model_label

EndpointType = Literal["on_demand", "geo", "global", "custom_deployment", "mantle"]
QuotaKind = Literal["tpm", "rpm", "tpd", "concurrency"]

QUOTA_KINDS: tuple[QuotaKind, ...] = ("tpm", "rpm", "tpd", "concurrency")
MAPPED_ENDPOINT_TYPES: tuple[EndpointType, ...] = ("on_demand", "geo", "global", "custom_deployment")
"""Endpoint types whose quotas limit traffic that AWS/Bedrock metrics count; mantle has its own metrics."""

_SCOPES: dict[str, EndpointType] = {"global cross-region": "global", "cross-region": "geo", "on-demand": "on_demand"}
_KINDS: dict[str, QuotaKind] = {
    "tokens per minute": "tpm",
    "requests per minute": "rpm",
    "tokens per day": "tpd",
    "concurrent requests": "concurrency",
    "async concurrent requests": "concurrency",
}

_INFERENCE = re.compile(
    r"(?P<latency_first>latency-optimized )?(?:(?P<scope>global cross-region|cross-region|on-demand) )?"
    r"(?P<latency>latency-optimized )?"
    r"(?:model inference|invokemodel\w*) (?P<metric>tokens per (?:minute|day)|requests per minute|"
    r"(?:async )?concurrent requests) for (?P<label>.+)",
    re.IGNORECASE,
)
_PER_DAY = re.compile(
    r"model invocation max (?P<latency>latency-optimized )?tokens per day for (?P<label>.+)", re.IGNORECASE
)
_CUSTOM_DEPLOYMENT = re.compile(
    r"(?:\(model customization\) )?sum of on-demand custom model deployment "
    r"(?P<metric>tokens per (?:minute|day)|requests per minute) for (?P<label>.+)",
    re.IGNORECASE,
)
_MANTLE = re.compile(
    r"\[?bedrock[ -]mantle(?: endpoint)?\]? (?P<direction>input|output) tokens per minute for (?P<label>.+)",
    re.IGNORECASE,
)
_DOUBLED = re.compile(r" ?\(doubled for cross-region calls\)", re.IGNORECASE)
_LONG_CONTEXT = re.compile(
    r" (?:with )?\(?(?:\d+[km]|long)[ -]context(?:[ -](?:length|window))?\)?(?= |$)", re.IGNORECASE
)


@dataclass(frozen=True)
class QuotaName:
    """What the name of one model-inference quota says. Two spellings of one name are equal.

    `endpoint_type` is None where the name does not say it. `mantle_direction` is input or output for the mantle
    endpoint, which has one quota for each. `model_label` is the model as the quota writes it.
    """

    endpoint_type: EndpointType | None
    kind: QuotaKind
    model: ModelIdentity
    long_context: bool = False
    latency_optimized: bool = False
    is_async: bool = False
    per_day_of_model: bool = False
    doubled_for_cross_region: bool = False
    mantle_direction: Literal["input", "output"] | None = None
    model_label: str = field(default="", compare=False)

    @property
    def endpoint_types(self) -> tuple[EndpointType, ...]:
        """The endpoint types that the quota limits; none where the name leaves it open.

        One per-day quota of a model limits its on-demand and its geo cross-Region calls, never its global ones.
        """
        if self.per_day_of_model:
            return ("on_demand", "geo")
        return () if self.endpoint_type is None else (self.endpoint_type,)

    @property
    def limits_ordinary_requests(self) -> bool:
        """False for quotas that limit only long-context or latency-optimized requests or the mantle endpoint."""
        return not (self.long_context or self.latency_optimized or self.mantle_direction)


@lru_cache(maxsize=8192)
def parse_quota_name(quota_name: str) -> QuotaName | None:
    """What a quota's name says, or None when it is not the inference quota of one model (batch, guardrails, …)."""
    text = _one_spelling(quota_name)
    doubled = _DOUBLED.search(text) is not None
    text = _DOUBLED.sub("", text)
    long_context = _LONG_CONTEXT.search(text) is not None
    text = _LONG_CONTEXT.sub("", text)
    for pattern in (_INFERENCE, _PER_DAY, _CUSTOM_DEPLOYMENT, _MANTLE):
        found = pattern.fullmatch(text)
        if found:
            return _quota_name(pattern, found.groupdict(), long_context, doubled)
    return None


def _quota_name(pattern: re.Pattern[str], found: dict[str, str | None], long_context: bool, doubled: bool) -> QuotaName:
    label = found["label"] or ""
    scope = (found.get("scope") or "").lower()
    metric = (found.get("metric") or "").lower()
    direction = (found.get("direction") or "").lower()
    endpoint_type: EndpointType | None = _SCOPES.get(scope)
    if pattern is _CUSTOM_DEPLOYMENT:
        endpoint_type = "custom_deployment"
    elif pattern is _MANTLE:
        endpoint_type = "mantle"
    return QuotaName(
        endpoint_type=endpoint_type,
        kind="tpd" if pattern is _PER_DAY else _KINDS.get(metric, "tpm"),
        model=parse_model_label(label),
        long_context=long_context,
        latency_optimized=bool(found.get("latency") or found.get("latency_first")),
        is_async=metric.startswith("async"),
        per_day_of_model=pattern is _PER_DAY,
        doubled_for_cross_region=doubled,
        mantle_direction="input" if direction == "input" else "output" if direction == "output" else None,
        model_label=label,
    )


def _one_spelling(quota_name: str) -> str:
    """One space between words, no commas, and the hyphens of `cross-region`, `on-demand` and `latency-optimized`."""
    text = " ".join(quota_name.replace(",", " ").split())
    text = re.sub(r"(?i)\bcross[ -]region\b", "cross-region", text)
    text = re.sub(r"(?i)\bon[ -]demand\b", "on-demand", text)
    return re.sub(r"(?i)\blatency[ -]optimi[sz]ed\b", "latency-optimized", text)
