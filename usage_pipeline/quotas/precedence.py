"""Who decides which quota limits a model: a person, else a rule, else a language model that nothing contradicts.

Here: the order, for one account and Region. Not here: the rules (`rule_mapper.py`), the model's answers
(`llm_mapper.py`), people's file (`overrides.py`).
"""

from collections import defaultdict
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, replace
from typing import Literal

from usage_pipeline.quotas.llm_mapper import NONE, RuleView, refusal
from usage_pipeline.quotas.model_names import FoundationModel
from usage_pipeline.quotas.overrides import QuotaIndexRow
from usage_pipeline.quotas.rule_mapper import QuotaMapping, may_share
from usage_pipeline.reference import QuotaLabel

MappingKey = tuple[str, str, str]
"""Model id, endpoint type and kind of quota."""


@dataclass(frozen=True)
class Decision:
    """One row of raw.quota_mappings without its scope and moment: the mapping that holds, and who made it."""

    model_id: str
    endpoint_type: str
    quota_kind: str
    quota_code: str | None
    quota_name: str | None
    method: Literal["override", "rule", "llm", "none"]
    status: Literal["mapped", "no_quota", "unmapped"]
    reason: str
    mapper_model_id: str | None = None

    @property
    def key(self) -> MappingKey:
        """Model id, endpoint type and kind of quota."""
        return self.model_id, self.endpoint_type, self.quota_kind


@dataclass(frozen=True)
class Answer:
    """The code that a language model chose, or `none`, and which model it was."""

    quota_code: str
    mapper_model_id: str


@dataclass(frozen=True)
class Catalogue:
    """One account and Region: its models by id, and the names of its quotas by code."""

    models: Mapping[str, FoundationModel]
    quota_names: Mapping[str, str]


def decide(
    mappings: Sequence[QuotaMapping],
    catalogue: Catalogue,
    *,
    answers: Mapping[MappingKey, Answer],
    overrides: Mapping[MappingKey, QuotaIndexRow],
    labels: Sequence[QuotaLabel],
) -> list[Decision]:
    """The mapping that holds for each that the rules made or left open, and for each that only a person made.

    An answer is judged against today's catalogue and rules again, and a code that it would give to a second model is
    not taken from either; the quota then stays open.
    """
    rules = RuleView.of(catalogue.quota_names, mappings)
    decided = [_decided(one, catalogue, answers, overrides, rules, labels) for one in mappings]
    known = {one.key for one in decided}
    decided += [_by_person(key, row, catalogue) for key, row in sorted(overrides.items()) if key not in known]
    return _without_doubly_chosen(decided, labels)


def overrides_of_scope(
    rows: Iterable[QuotaIndexRow], account_id: str, region: str, known: set[MappingKey], known_anywhere: set[MappingKey]
) -> dict[MappingKey, QuotaIndexRow]:
    """What people decided for one account and Region; the row that names most of both wins, an account before a Region.

    A row that names neither holds where the model is offered; for a model that is offered nowhere it holds everywhere,
    so that a misspelt id shows.
    """
    found: dict[MappingKey, QuotaIndexRow] = {}
    for row in sorted(rows, key=lambda row: (row.scope[0] is not None, row.scope[1] is not None)):
        key = (row.model, row.endpoint, row.quota_type)
        account, only_region = row.scope
        is_elsewhere = account not in (None, account_id) or only_region not in (None, region)
        if is_elsewhere or (row.scope == (None, None) and key not in known and key in known_anywhere):
            continue
        found[key] = row
    return found


def _decided(
    mapping: QuotaMapping,
    catalogue: Catalogue,
    answers: Mapping[MappingKey, Answer],
    overrides: Mapping[MappingKey, QuotaIndexRow],
    rules: RuleView,
    labels: Sequence[QuotaLabel],
) -> Decision:
    key: MappingKey = (mapping.model_id, mapping.endpoint_type, mapping.quota_kind)
    if override := overrides.get(key):
        return _by_person(key, override, catalogue)
    by_rule = Decision(*key, mapping.quota_code, mapping.quota_name, mapping.method, mapping.status, mapping.reason)
    answer = answers.get(key)
    if mapping.status != "unmapped" or answer is None:
        return by_rule
    if answer.quota_code == NONE:
        return replace(by_rule, reason=f"{mapping.reason} {answer.mapper_model_id} says that it is none of them.")
    model = catalogue.models.get(mapping.model_id, FoundationModel(mapping.model_id))
    if refused := refusal(answer.quota_code, mapping, model, rules, labels):
        return replace(by_rule, reason=f"{mapping.reason} An answer was refused: {refused.reason}")
    count = len(mapping.candidates)
    among = f"from {count} quotas that" if count > 1 else "the one quota that"
    return Decision(
        *key,
        answer.quota_code,
        catalogue.quota_names[answer.quota_code],
        "llm",
        "mapped",
        f"{answer.mapper_model_id} chose it, {among} the rules left open; its name contradicts nothing that is known.",
        answer.mapper_model_id,
    )


def _by_person(key: MappingKey, override: QuotaIndexRow, catalogue: Catalogue) -> Decision:
    code = override.quota_code
    if code is None:
        return Decision(*key, None, None, "override", "no_quota", "A person decided that AWS has no such quota.")
    name = catalogue.quota_names.get(code, override.quota_name)
    return Decision(*key, code, name, "override", "mapped", "A person decided it.")


def _without_doubly_chosen(decisions: Sequence[Decision], labels: Sequence[QuotaLabel]) -> list[Decision]:
    """The decisions, but a code that a language model gave to a model is taken back where another model has it too."""
    users: defaultdict[str, set[str]] = defaultdict(set)
    for one in decisions:
        if one.quota_code is not None:
            users[one.quota_code].add(one.model_id)

    def checked(one: Decision) -> Decision:
        if (
            one.method != "llm"
            or one.quota_code is None
            or may_share(users[one.quota_code], one.quota_name or "", labels)
        ):
            return one
        models = ", ".join(sorted(users[one.quota_code]))
        reason = (
            f"{one.mapper_model_id} chose {one.quota_code}, and one quota is not given to several models: {models}."
        )
        return Decision(*one.key, None, None, "none", "unmapped", reason)

    return [checked(one) for one in decisions]
