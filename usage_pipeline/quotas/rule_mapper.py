"""Finds by rule the quota code that limits each model, endpoint type and kind of quota of one account and Region.

Here: the choice, and the sentence that explains it. A code is given only when one quota, and no other, says the same as
the model in every statement, and no other model claims it. Not here: parsing names, overrides, language models.
"""

from collections import defaultdict
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, field, replace
from typing import Literal, Protocol

from usage_pipeline.quotas.agreement import Agreement, agreement
from usage_pipeline.quotas.model_names import (
    ModelIdentity,
    NamedModel,
    base_model_id,
    model_identities,
    parse_model_label,
)
from usage_pipeline.quotas.quota_names import (
    MAPPED_ENDPOINT_TYPES,
    QUOTA_KINDS,
    EndpointType,
    QuotaKind,
    QuotaName,
    parse_quota_name,
)
from usage_pipeline.reference import QuotaLabel

KIND_WORDS: dict[QuotaKind, str] = {
    "tpm": "tokens per minute",
    "rpm": "requests per minute",
    "tpd": "tokens per day",
    "concurrency": "concurrent requests",
}
ENDPOINT_WORDS: dict[EndpointType, str] = {
    "on_demand": "on-demand calls",
    "geo": "cross-Region calls within a geography",
    "global": "global cross-Region calls",
    "custom_deployment": "custom model deployments",
    "mantle": "the mantle endpoint",
}
NAMED_CANDIDATES = 5
"""How many candidate quotas a reason names before it only counts the rest."""


class NamedQuota(Protocol):
    """A quota of one account and Region's catalogue."""

    @property
    def quota_code(self) -> str:
        """Such as L-F4DDD3EB."""
        ...

    @property
    def quota_name(self) -> str:
        """AWS's name of the quota."""
        ...


@dataclass(frozen=True)
class Quota:
    """A quota by its code and AWS's name."""

    quota_code: str
    quota_name: str


@dataclass(frozen=True)
class QuotaMapping:
    """Which quota limits one model's traffic to one endpoint type in one kind, and why we say so.

    `quota_code` and `quota_name` are None unless `status` is mapped. no_quota: the catalogue names no such quota of the
    model. unmapped: quotas that may be the model's exist, but none or several say the same as the model; these are its
    `candidates`, by code.
    """

    model_id: str
    endpoint_type: EndpointType
    quota_kind: QuotaKind
    quota_code: str | None
    quota_name: str | None
    method: Literal["rule", "none"]
    status: Literal["mapped", "no_quota", "unmapped"]
    reason: str
    candidates: tuple[Quota, ...] = field(default=(), repr=False)


@dataclass(frozen=True)
class _Candidate:
    code: str
    text: str
    name: QuotaName


def map_quotas(
    models: Iterable[NamedModel],
    quotas: Iterable[NamedQuota],
    *,
    labels: Sequence[QuotaLabel],
    endpoint_types: Sequence[EndpointType] = MAPPED_ENDPOINT_TYPES,
) -> list[QuotaMapping]:
    """One mapping per model, endpoint type and kind, for all models and quotas of one account and Region.

    `labels` are the names that follow from no rule (`reference.quota_labels()`). Rows are ordered by model id.
    """
    by_id = {model.model_id: model for model in models}
    by_code = {quota.quota_code: quota.quota_name for quota in quotas}
    parsed = ((code, text, parse_quota_name(text)) for code, text in sorted(by_code.items()))
    candidates = [_Candidate(code, text, name) for code, text, name in parsed if name is not None]
    candidates = [candidate for candidate in candidates if candidate.name.limits_ordinary_requests]
    fits = {model_id: _Fits.of(model, candidates, labels) for model_id, model in by_id.items()}
    claims = _claims(fits, labels)
    mappings = [
        _choose(model_id, endpoint_type, kind, fits[model_id], claims)
        for model_id in sorted(by_id)
        for endpoint_type in endpoint_types
        for kind in QUOTA_KINDS
    ]
    return _without_contested_codes(mappings, labels)


def may_share(model_ids: Iterable[str], quota_name: str, labels: Sequence[QuotaLabel]) -> bool:
    """Whether the models may use one quota: they are variants of one model, or listed as sharing this quota."""
    base_ids = {base_model_id(model_id) for model_id in model_ids}
    name = parse_quota_name(quota_name)
    if len(base_ids) < 2 or name is None:
        return len(base_ids) < 2
    shared = {row.model_id for row in labels if row.shared and parse_model_label(row.quota_label) == name.model}
    return base_ids <= shared


@dataclass(frozen=True)
class _Fits:
    """The candidates that fit one model, by how well; `listed` ones fit by the list of labels only."""

    exact: frozenset[_Candidate]
    listed: frozenset[_Candidate]
    unclear: frozenset[_Candidate]

    @classmethod
    def of(cls, model: NamedModel, candidates: Sequence[_Candidate], labels: Sequence[QuotaLabel]) -> "_Fits":
        identities = model_identities(model)
        listed = listed_labels(model.model_id, labels)
        stated = {candidate.name.model for candidate in candidates}
        group_of = {label: _group(label, identities, listed) for label in stated}
        groups: dict[str, set[_Candidate]] = defaultdict(set)
        for candidate in candidates:
            if group := group_of[candidate.name.model]:
                groups[group].add(candidate)
        return cls(*(frozenset(groups[group]) for group in ("exact", "listed", "unclear")))


def listed_labels(model_id: str, labels: Sequence[QuotaLabel]) -> frozenset[ModelIdentity]:
    """The identities by which the list of labels says that quotas name a model."""
    base_id = base_model_id(model_id)
    return frozenset(parse_model_label(row.quota_label) for row in labels if row.model_id == base_id)


def _group(
    label: ModelIdentity, identities: Sequence[ModelIdentity], listed: frozenset[ModelIdentity]
) -> Literal["exact", "listed", "unclear"] | None:
    best = max(agreement(label, identity) for identity in identities)
    if best is Agreement.AGREES:
        return "exact"
    if label in listed:
        return "listed"
    return "unclear" if best is Agreement.UNCLEAR else None


def _claims(fits: Mapping[str, _Fits], labels: Sequence[QuotaLabel]) -> dict[ModelIdentity, set[str]]:
    """The models to which each label surely belongs, by their base ids; listed ones also where they are not offered."""
    claims: dict[ModelIdentity, set[str]] = defaultdict(set)
    for row in labels:
        claims[parse_model_label(row.quota_label)].add(row.model_id)
    for model_id, found in fits.items():
        for candidate in found.exact | found.listed:
            claims[candidate.name.model].add(base_model_id(model_id))
    return claims


def _choose(
    model_id: str,
    endpoint_type: EndpointType,
    kind: QuotaKind,
    fits: _Fits,
    claims: Mapping[ModelIdentity, set[str]],
) -> QuotaMapping:
    """The mapping of one model, endpoint type and kind before other models' claims to the same code are looked at."""
    for group, evidence in (
        (fits.exact, "it says the same as the model in provider, family, version and variant"),
        (fits.listed, "the reference list quota_labels names the model so"),
    ):
        fitting = _of(group, endpoint_type, kind)
        # A model with both has one quota for each way to call it; the metrics count ordinary calls.
        fitting = [one for one in fitting if not one.name.is_async] or fitting
        if len(fitting) == 1:
            reason = f"The quota is for {_asked(endpoint_type, kind)} to {fitting[0].name.model_label}; {evidence}."
            return _mapped(model_id, endpoint_type, kind, fitting[0], reason)
        if fitting:
            reason = f"{len(fitting)} quotas fit equally well: {_named(fitting)}."
            return _open(model_id, endpoint_type, kind, "unmapped", reason, fitting)
    own = {base_model_id(model_id)}
    unclear = [one for one in _of(fits.unclear, endpoint_type, kind) if claims.get(one.name.model, set()) <= own]
    if endpoint_type != "custom_deployment":
        unclear += [one for one in fits.exact | fits.listed if one.name.kind == kind and not one.name.endpoint_types]
    if unclear:
        reason = f"No quota says the same as the model in every statement; these may be meant: {_named(unclear)}."
        return _open(model_id, endpoint_type, kind, "unmapped", reason, unclear)
    reason = f"The catalogue names no quota of this model for {_asked(endpoint_type, kind)}."
    return _open(model_id, endpoint_type, kind, "no_quota", reason)


def _of(group: Iterable[_Candidate], endpoint_type: EndpointType, kind: QuotaKind) -> list[_Candidate]:
    return [one for one in group if one.name.kind == kind and endpoint_type in one.name.endpoint_types]


def _without_contested_codes(mappings: Sequence[QuotaMapping], labels: Sequence[QuotaLabel]) -> list[QuotaMapping]:
    """The mappings, but a code that several models claim and may not share is given to none of them."""
    users: dict[str, set[str]] = defaultdict(set)
    for mapping in mappings:
        if mapping.quota_code is not None:
            users[mapping.quota_code].add(mapping.model_id)
    return [_checked(mapping, users, labels) for mapping in mappings]


def _checked(mapping: QuotaMapping, users: Mapping[str, set[str]], labels: Sequence[QuotaLabel]) -> QuotaMapping:
    if mapping.quota_code is None or mapping.quota_name is None:
        return mapping
    claimants = users[mapping.quota_code]
    if may_share(claimants, mapping.quota_name, labels):
        return mapping
    reason = (
        f"Several models fit {mapping.quota_code} ({mapping.quota_name}) equally well, and one quota is not given to"
        f" two: {', '.join(sorted(claimants))}."
    )
    contested = (Quota(mapping.quota_code, mapping.quota_name),)
    return replace(
        mapping,
        quota_code=None,
        quota_name=None,
        method="none",
        status="unmapped",
        reason=reason,
        candidates=contested,
    )


def _mapped(
    model_id: str, endpoint_type: EndpointType, kind: QuotaKind, candidate: _Candidate, reason: str
) -> QuotaMapping:
    return QuotaMapping(model_id, endpoint_type, kind, candidate.code, candidate.text, "rule", "mapped", reason)


def _open(
    model_id: str,
    endpoint_type: EndpointType,
    kind: QuotaKind,
    status: Literal["no_quota", "unmapped"],
    reason: str,
    candidates: Iterable[_Candidate] = (),
) -> QuotaMapping:
    ordered = sorted({Quota(one.code, one.text) for one in candidates}, key=lambda quota: quota.quota_code)
    return QuotaMapping(model_id, endpoint_type, kind, None, None, "none", status, reason, tuple(ordered))


def _asked(endpoint_type: EndpointType, kind: QuotaKind) -> str:
    return f"{KIND_WORDS[kind]} of {ENDPOINT_WORDS[endpoint_type]}"


def _named(candidates: Iterable[_Candidate]) -> str:
    ordered = sorted(candidates, key=lambda candidate: candidate.code)
    shown = ", ".join(f"{candidate.code} ({candidate.text})" for candidate in ordered[:NAMED_CANDIDATES])
    rest = len(ordered) - NAMED_CANDIDATES
    return f"{shown} and {rest} more" if rest > 0 else shown
