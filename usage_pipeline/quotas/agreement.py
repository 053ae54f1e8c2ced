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
    if _provider(label, model) is not None:
        # Decided for most pairs of a catalogue, without a look at their other statements.
        return Agreement.OTHER_MODEL
    found = differences(label, model)
    if any(difference.proves_another_model for difference in found):
        return Agreement.OTHER_MODEL
    return Agreement.UNCLEAR if found else Agreement.AGREES


def differences(label: ModelIdentity, model: ModelIdentity) -> list[Difference]:
    """Every statement in which a quota's label and a model differ; empty when they name the same model.

    A label may leave out the provider, the word instruct and the full release date of the id.
    """
    label_words, model_words = label.words - model.provider_words, model.words
    each_has_its_own = bool(label_words - model_words) and bool(model_words - label_words)
    family = label.family - model.provider_words
    found = [
        _provider(label, model),
        _words("family", family, model.family, proof=each_has_its_own or not family & model.family),
        _version(label, model),
        _api_version(label, model),
        _words("variant", label_words - family, model_words - model.family, proof=each_has_its_own),
        _words("size", label.sizes, model.sizes, proof=bool(label.sizes - model.sizes and model.sizes - label.sizes)),
        _release(label, model),
    ]
    return [difference for difference in found if difference is not None]


def _provider(label: ModelIdentity, model: ModelIdentity) -> Difference | None:
    if label.provider is None or label.provider == model.provider:
        return None
    return Difference("provider", label.provider, model.provider or "none", proves_another_model=True)


def _words(statement: str, label: frozenset[str], model: frozenset[str], *, proof: bool) -> Difference | None:
    """Words that only one side has. They are proof when each side has words of its own."""
    return None if label == model else Difference(statement, _listed(label), _listed(model), proof)


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
    # A label without V may be vague; one that says V2 is not about a model that is V1 or has no V.
    proves = label.api_version is not None
    return Difference("API version", _v(label.api_version), _v(model.api_version), proves)


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
