"""Finds the model that a product of AWS's Price List is named after.

Here: spellings of models in products. Not here: what names mean (`quotas/model_names.py`), and the rest of a product
(`price_list.py`).
"""

import re
from collections.abc import Iterable

from usage_pipeline.quotas.agreement import Agreement, agreement
from usage_pipeline.quotas.model_names import (
    ModelIdentity,
    NamedModel,
    base_model_id,
    model_identities,
    parse_model_label,
)

_EDITION = " (Amazon Bedrock Edition)"
_WORDS_WRITTEN_TOGETHER = re.compile(r"(?<=[a-z])(?=[A-Z0-9])|(?<=\d)(?=[A-Z][a-z])")
_ID_VERSION = re.compile(r"(-v\d+)?(:\d+)?$")


class ModelNames:
    """The foundation models that products may be named after."""

    def __init__(self, models: Iterable[NamedModel]) -> None:
        self._identities: dict[str, tuple[ModelIdentity, ...]] = {
            base_model_id(model.model_id): model_identities(model) for model in models
        }
        self._found: dict[tuple[str, str | None], tuple[str, ...]] = {}

    def of_product(self, names: Iterable[str], provider: str | None) -> tuple[str, ...]:
        """Ids of the models that the first telling name of a product means; several when it does not tell them apart.

        Empty when no name is a model's, or when two names of the product mean different models.
        """
        meanings = [found for name in names if name and (found := self._of_name(name, provider))]
        common = set(meanings[0]) if meanings else set[str]()
        for found in meanings[1:]:
            common &= set(found)
        return tuple(sorted(common))

    def _of_name(self, name: str, provider: str | None) -> tuple[str, ...]:
        key = (name, provider)
        if key not in self._found:
            self._found[key] = tuple(self._search(name.removesuffix(_EDITION), provider))
        return self._found[key]

    def _search(self, name: str, provider: str | None) -> list[str]:
        as_ids = [model_id for model_id in self._identities if _ID_VERSION.sub("", model_id) == name.lower()]
        if as_ids:
            return as_ids
        if not re.search(r"[ -]", name):
            # Claude4.5Sonnet, NovaLite
            name = _WORDS_WRITTEN_TOGETHER.sub(" ", name)
        labels = [parse_model_label(name)]
        if provider and labels[0].provider is None:
            labels.append(parse_model_label(f"{provider} {name}"))
        return [
            model_id
            for model_id, identities in self._identities.items()
            if any(agreement(labels[-1], identity) is Agreement.AGREES for identity in identities)
        ]
