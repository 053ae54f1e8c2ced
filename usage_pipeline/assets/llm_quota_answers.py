"""Which questions about open quotas are due, and what rows their answers make.

Pure functions over values. Not here: the question and what an answer is worth (`quotas/llm_mapper.py`), calls and
writing (`llm_quota_mappings.py`).
"""

import datetime as dt
from collections import defaultdict
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from decimal import Decimal
from typing import Any

from usage_pipeline.assets.quota_scopes import ScopeMappings
from usage_pipeline.aws.bedrock_runtime import ToolAnswer
from usage_pipeline.quotas.llm_mapper import Question, Refusal, RuleView, open_questions, read_choices, refusal
from usage_pipeline.quotas.model_names import FoundationModel
from usage_pipeline.quotas.overrides import QuotaIndexRow
from usage_pipeline.quotas.precedence import overrides_of_scope
from usage_pipeline.quotas.quota_names import QuotaKind
from usage_pipeline.quotas.rule_mapper import QuotaMapping
from usage_pipeline.reference import QuotaLabel
from usage_pipeline.warehouse import ScopeKey

Row = Mapping[str, Any]
"""A row of `raw.llm_quota_mappings`."""

RowKey = tuple[str, ...]
"""Account id, Region, model id, endpoint type and kind of quota."""

_BELIEVED = "Nothing that is known contradicts it."
_SMALLEST_COST = Decimal(10) ** -12


@dataclass(frozen=True)
class TokenPrices:
    """US dollars per million tokens of the model that is asked; None where no price is known."""

    input_usd: Decimal | None = None
    output_usd: Decimal | None = None

    def cost(self, answer: ToolAnswer) -> Decimal | None:
        """What asking cost at these prices; None when one is not known."""
        if self.input_usd is None or self.output_usd is None:
            return None
        tokens = answer.input_tokens * self.input_usd + answer.output_tokens * self.output_usd
        return (tokens / 1_000_000).quantize(_SMALLEST_COST)


@dataclass(frozen=True)
class OpenQuota:
    """One mapping of an account and Region that rules and people leave open."""

    scope: ScopeKey
    mapping: QuotaMapping

    @property
    def key(self) -> RowKey:
        """The key of its row."""
        one = self.mapping
        return (*self.scope, one.model_id, one.endpoint_type, one.quota_kind)


class OpenQuotas:
    """Everything that is open over all accounts and Regions, and the questions about it."""

    def __init__(
        self,
        by_scope: Mapping[ScopeKey, ScopeMappings],
        overrides: Sequence[QuotaIndexRow],
        labels: Sequence[QuotaLabel],
    ) -> None:
        self._labels = labels
        self._models = {key: model for found in by_scope.values() for key, model in found.catalogue.models.items()}
        self._rules = {
            scope: RuleView.of(found.catalogue.quota_names, found.mappings) for scope, found in by_scope.items()
        }
        anywhere = {key for found in by_scope.values() for key in found.keys}
        self.open = [
            OpenQuota(scope, one)
            for scope, found in by_scope.items()
            for decided in [overrides_of_scope(overrides, *scope, found.keys, anywhere)]
            for one in found.mappings
            if one.candidates and (one.model_id, one.endpoint_type, one.quota_kind) not in decided
        ]
        self.questions = open_questions((quota.mapping for quota in self.open), self._models)

    def asked_by(self, question: Question) -> list[OpenQuota]:
        """What a question is about."""
        about = question.model.model_id, question.endpoint_type
        return [quota for quota in self.open if (quota.mapping.model_id, quota.mapping.endpoint_type) == about]

    def judged(self, quota: OpenQuota, said: Row) -> dict[str, Any]:
        """The row of one open quota from what a model said of it; a code is judged by its own account and Region."""
        refused: Refusal | None
        if said["answered_code"] is None:
            refused = Refusal("format", said["reason"])
        else:
            model = self._models.get(quota.mapping.model_id, FoundationModel(quota.mapping.model_id))
            rules = self._rules[quota.scope]
            refused = refusal(said["answered_code"], quota.mapping, model, rules, self._labels)
        return {
            **said,
            **dict(zip(("account_id", "region", "model_id", "endpoint_type", "quota_kind"), quota.key, strict=True)),
            "status": "refused" if refused else "accepted",
            "refused_for": refused.refused_for if refused else None,
            "reason": refused.reason if refused else _BELIEVED,
        }


def due_questions(open_quotas: OpenQuotas, stored: Iterable[Row], mapper_model_id: str) -> list[Question]:
    """The questions that were never asked so, or whose answer was refused and another model is configured now."""
    answered: defaultdict[tuple[str, str], list[Row]] = defaultdict(list)
    for row in stored:
        answered[row["candidate_hash"], row["quota_kind"]].append(row)

    def is_due(question: Question) -> bool:
        for kind in question.candidates:
            rows = answered[question.candidate_hash, kind]
            if not rows:
                return True
            if any(row["status"] == "refused" and row["mapper_model_id"] != mapper_model_id for row in rows):
                return True
        return False

    return [question for question in open_quotas.questions if is_due(question)]


def said_of(
    question: Question, answer: ToolAnswer, *, mapper_model_id: str, cost_usd: Decimal | None, asked_at: dt.datetime
) -> dict[QuotaKind, Row]:
    """What a model said of each kind, before it is judged. The tokens and the cost are the whole question's."""
    choices = read_choices(question, answer.tool_input)
    said: dict[QuotaKind, Row] = {}
    for kind in question.candidates:
        choice = None if isinstance(choices, Refusal) else choices[kind]
        said[kind] = {
            "candidate_hash": question.candidate_hash,
            "answered_code": choice.quota_code if choice else None,
            "evidence": choice.evidence if choice else None,
            "reason": choices.reason if isinstance(choices, Refusal) else None,
            "mapper_model_id": mapper_model_id,
            "input_tokens": answer.input_tokens,
            "output_tokens": answer.output_tokens,
            "cost_usd": cost_usd,
            "asked_at": asked_at,
        }
    return said


def rows_to_store(
    open_quotas: OpenQuotas, stored: Sequence[Row], new: Mapping[str, Mapping[QuotaKind, Row]]
) -> list[dict[str, Any]]:
    """The rows that answers change; `new` has what was just said, by the question's hash and kind.

    What was said of equal candidates elsewhere holds for another Region too. A refused answer does not replace one
    that still holds.
    """
    by_key = {_key(row): row for row in stored}
    by_question: dict[tuple[str, str], Row] = {}
    for row in sorted(stored, key=lambda row: row["asked_at"]):
        by_question[row["candidate_hash"], row["quota_kind"]] = row
    changed: list[dict[str, Any]] = []
    for question in open_quotas.questions:
        just_said = new.get(question.candidate_hash, {})
        for quota in open_quotas.asked_by(question):
            kind = quota.mapping.quota_kind
            said = just_said.get(kind) or by_question.get((question.candidate_hash, kind))
            if said is None:
                continue
            row, before = open_quotas.judged(quota, said), by_key.get(quota.key)
            if row != before and not (row["status"] == "refused" and _holds(open_quotas, quota, before)):
                changed.append(row)
    return changed


def _holds(open_quotas: OpenQuotas, quota: OpenQuota, before: Row | None) -> bool:
    """Whether an earlier answer, to whatever question, is still believed and maps the quota."""
    if before is None or before["status"] != "accepted" or before["answered_code"] == "none":
        return False
    return open_quotas.judged(quota, before)["status"] == "accepted"


def _key(row: Row) -> RowKey:
    return tuple(row[name] for name in ("account_id", "region", "model_id", "endpoint_type", "quota_kind"))
