"""Compares what a quota's label says about a model with what the model's own names say.

Here: which statements differ, and whether a difference proves that two models are meant. Not here: parsing, and the
choice among several quotas (`rule_mapper.py`).
"""

from dataclasses import dataclass
from enum import IntEnum

from usage_pipeline.quotas.model_names import ModelIdentity


class Agreement(IntEnum):
    """How well a label fits a model; a larger value fits better."""

    OTHER_MODEL = 0
    """At least one statement contradicts: surely another model."""
    UNCLEAR = 1
    """One side leaves out what the other states: may be this model or a neighbour."""
    AGREES = 2
    """Every statement is the same."""


@dataclass(frozen=True)
class Difference:
    """One statement in which a label and a model differ; `proves_another_model` when both sides state it."""

    statement: str
    label_says: str
    model_says: str
    proves_another_model: bool


def agreement(label: ModelIdentity, model: ModelIdentity) -> Agreement:
    """How well a quota's label fits one identity of a model."""
    found = differences(label, model)
    if any(difference.proves_another_model for difference in found):
        return Agreement.OTHER_MODEL
    return Agreement.UNCLEAR if found else Agreement.AGREES


def differences(label: ModelIdentity, model: ModelIdentity) -> list[Difference]:
    """Every statement in which a quota's label and a model differ; empty when they name the same model.

    A label may leave out the provider, the word instruct and the full release date of the id.
    """
    found = [
        _provider(label, model),
        _words("family", label.family - model.provider_words, model.family, must_share=True),
        _version(label, model),
        _api_version(label, model),
        _words("variant", _variant_words(label), _variant_words(model), must_share=False),
        _words("size", label.sizes, model.sizes, must_share=False),
        _release(label, model),
    ]
    return [difference for difference in found if difference is not None]


def _provider(label: ModelIdentity, model: ModelIdentity) -> Difference | None:
    if label.provider is None or label.provider == model.provider:
        return None
    return Difference("provider", label.provider, model.provider or "none", proves_another_model=True)


def _variant_words(identity: ModelIdentity) -> frozenset[str]:
    return identity.variants & identity.words


def _words(statement: str, label: frozenset[str], model: frozenset[str], *, must_share: bool) -> Difference | None:
    """Words that only one side has; proof when each side has words of its own, or when none is shared but must be."""
    if label == model:
        return None
    each_has_its_own = bool(label - model) and bool(model - label)
    return Difference(statement, _listed(label), _listed(model), each_has_its_own or (must_share and not label & model))


def _version(label: ModelIdentity, model: ModelIdentity) -> Difference | None:
    if label.version == model.version:
        return None
    # A model without any number came first: a label that says 2 or more means a later generation.
    is_first = not model.version and model.release is None and (model.api_version or 1) == 1
    proves = bool(label.version) and (bool(model.version) or (is_first and label.version[0] > 1))
    return Difference("version", _dotted(label.version), _dotted(model.version), proves)


def _api_version(label: ModelIdentity, model: ModelIdentity) -> Difference | None:
    if (label.api_version or 1) == (model.api_version or 1):
        return None
    both_state_it = label.api_version is not None and model.api_version is not None
    return Difference("API version", _v(label.api_version), _v(model.api_version), both_state_it)


def _release(label: ModelIdentity, model: ModelIdentity) -> Difference | None:
    stated, own = label.date, model.release if label.release else model.date
    if stated == own or (stated is None and model.release is None):
        return None
    return Difference("release date", stated or "none", own or "none", stated is not None and own is not None)


def _listed(words: frozenset[str]) -> str:
    return " ".join(sorted(words)) or "none"


def _dotted(version: tuple[int, ...]) -> str:
    return ".".join(str(number) for number in version) or "none"


def _v(api_version: int | None) -> str:
    return f"V{api_version}" if api_version is not None else "V1 (not stated)"
