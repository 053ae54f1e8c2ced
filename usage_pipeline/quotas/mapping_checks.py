"""Holds a mapping, wherever it came from, against the quota's name and against the other mappings.

Here: pure functions over values. Not here: reading tables and reporting (`checks/`).
"""

from collections import defaultdict
from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from typing import Protocol

from usage_pipeline.quotas.agreement import Agreement, Difference, agreement, differences
from usage_pipeline.quotas.model_names import NamedModel, model_identities
from usage_pipeline.quotas.quota_names import QuotaName, parse_quota_name
from usage_pipeline.quotas.rule_mapper import listed_labels, may_share
from usage_pipeline.reference import QuotaLabel


class StoredMapping(Protocol):
    """A row of raw.quota_mappings."""

    @property
    def model_id(self) -> str:
        """Foundation model id."""
        ...

    @property
    def endpoint_type(self) -> str:
        """Such as on_demand, geo or global."""
        ...

    @property
    def quota_kind(self) -> str:
        """Such as tpm, rpm, tpd or concurrency."""
        ...

    @property
    def quota_code(self) -> str | None:
        """None unless mapped."""
        ...

    @property
    def quota_name(self) -> str | None:
        """None unless mapped."""
        ...


@dataclass(frozen=True)
class SharedCode:
    """One quota code that several models use although it is not listed as shared."""

    quota_code: str
    quota_name: str
    model_ids: tuple[str, ...]


def disagreements(
    mapping: StoredMapping, quota_name: str, model: NamedModel, *, labels: Sequence[QuotaLabel]
) -> list[str]:
    """What the quota's own name contradicts in a mapping, one sentence each; empty when they agree.

    `quota_name` is the name that the Region's catalogue gives the mapped code today.
    """
    name = parse_quota_name(quota_name)
    if name is None:
        return [f"“{quota_name}” is not the inference quota of one model."]
    found = _endpoint_disagreements(mapping, name) + _kind_disagreements(mapping, name)
    if name.model in listed_labels(model.model_id, labels):
        return found
    per_identity = [differences(name.model, identity) for identity in model_identities(model)]
    return found + [_sentence(difference, model) for difference in min(per_identity, key=len)]


def proofs_against(
    mapping: StoredMapping, quota_name: str, model: NamedModel, *, labels: Sequence[QuotaLabel]
) -> list[str]:
    """What in the quota's name proves that the mapping is wrong, one sentence each.

    For mappings that a person or a language model made: what a name merely leaves out, they may know.
    """
    name = parse_quota_name(quota_name)
    if name is None:
        return [f"“{quota_name}” is not the inference quota of one model."]
    found = _kind_disagreements(mapping, name)
    if name.endpoint_types:
        found = _endpoint_disagreements(mapping, name) + found
    if name.model in listed_labels(model.model_id, labels):
        return found
    identities = model_identities(model)
    if any(agreement(name.model, identity) is not Agreement.OTHER_MODEL for identity in identities):
        return found
    nearest = min((differences(name.model, identity) for identity in identities), key=len)
    return found + [_sentence(difference, model) for difference in nearest if difference.proves_another_model]


def shared_codes(mappings: Iterable[StoredMapping], *, labels: Sequence[QuotaLabel]) -> list[SharedCode]:
    """Codes that two or more models of one account and Region use and may not share, ordered by code."""
    models: dict[str, set[str]] = defaultdict(set)
    names: dict[str, str] = {}
    for mapping in mappings:
        if mapping.quota_code is not None:
            models[mapping.quota_code].add(mapping.model_id)
            names[mapping.quota_code] = mapping.quota_name or ""
    return [
        SharedCode(code, names[code], tuple(sorted(model_ids)))
        for code, model_ids in sorted(models.items())
        if not may_share(model_ids, names[code], labels)
    ]


def _sentence(difference: Difference, model: NamedModel) -> str:
    return (
        f"The quota's name says {difference.statement} {difference.label_says}, the model"
        f" {model.model_id} has {difference.model_says}."
    )


def _endpoint_disagreements(mapping: StoredMapping, name: QuotaName) -> list[str]:
    """Where the name speaks of another endpoint than the mapping, or of none."""
    if mapping.endpoint_type in name.endpoint_types:
        return []
    limited = ", ".join(name.endpoint_types) or "an endpoint that it does not name"
    return [f"The quota's name is about {limited}, the mapping about {mapping.endpoint_type}."]


def _kind_disagreements(mapping: StoredMapping, name: QuotaName) -> list[str]:
    """Where the name speaks of another kind of quota or of a special case."""
    found: list[str] = []
    if mapping.quota_kind != name.kind:
        found.append(f"The quota's name is about {name.kind}, the mapping about {mapping.quota_kind}.")
    if name.long_context:
        found.append("The quota's name limits long-context requests only.")
    if name.latency_optimized:
        found.append("The quota's name limits latency-optimized requests only.")
    return found
