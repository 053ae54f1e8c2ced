"""A person decides before a rule, a rule before a language model."""

from typing import Any

import pytest

from usage_pipeline.quotas.model_names import FoundationModel
from usage_pipeline.quotas.overrides import QuotaIndexRow, ScopedQuotaIndexRow
from usage_pipeline.quotas.precedence import Answer, Catalogue, Decision, MappingKey, decide, overrides_of_scope
from usage_pipeline.quotas.rule_mapper import Quota, map_quotas
from usage_pipeline.reference import QuotaLabel

MAGISTRAL = FoundationModel("mistral.magistral-small-2609", "Magistral Small 2609", "Mistral AI")
NEWER = FoundationModel("mistral.magistral-small-2611", "Magistral Small 2611", "Mistral AI")
NOVA = FoundationModel("amazon.nova-lite-v1:0", "Nova Lite", "Amazon")
FIRST = Quota("L-0000000A", "On-demand model inference tokens per minute for Magistral Small 1.4")
SECOND = Quota("L-0000000B", "On-demand model inference tokens per minute for Magistral Small 1.5")
NOVA_TPM = Quota("L-70423BF8", "On-demand model inference tokens per minute for Amazon Nova Lite")
MAPPER = "amazon.nova-pro-v1:0"

OPEN: MappingKey = (MAGISTRAL.model_id, "on_demand", "tpm")
BY_RULE: MappingKey = (NOVA.model_id, "on_demand", "tpm")


def decisions(
    *,
    answers: dict[MappingKey, Answer] | None = None,
    overrides: dict[MappingKey, QuotaIndexRow] | None = None,
    models: tuple[FoundationModel, ...] = (MAGISTRAL, NOVA),
    labels: list[QuotaLabel] | None = None,
) -> dict[MappingKey, Decision]:
    quotas = [FIRST, SECOND, NOVA_TPM]
    catalogue = Catalogue(
        {model.model_id: model for model in models}, {quota.quota_code: quota.quota_name for quota in quotas}
    )
    mappings = map_quotas(models, quotas, labels=labels or [], endpoint_types=["on_demand"])
    decided = decide(mappings, catalogue, answers=answers or {}, overrides=overrides or {}, labels=labels or [])
    assert len({one.key for one in decided}) == len(decided)
    return {one.key: one for one in decided}


def override(key: MappingKey, code: str | None, **values: Any) -> QuotaIndexRow:
    row = dict(zip(("model", "endpoint", "quota_type"), key, strict=True))
    row |= {"quota_code": code or "", "quota_name": "", "method": "", **values}
    return (ScopedQuotaIndexRow if "account" in values else QuotaIndexRow).model_validate(row)


def told(decision: Decision) -> tuple[str | None, str, str, str | None]:
    return decision.quota_code, decision.method, decision.status, decision.mapper_model_id


def test_an_answer_fills_what_rules_leave_open() -> None:
    decided = decisions(answers={OPEN: Answer("L-0000000B", MAPPER)})

    assert decided[OPEN] == Decision(
        *OPEN,
        quota_code="L-0000000B",
        quota_name=SECOND.quota_name,
        method="llm",
        status="mapped",
        reason="amazon.nova-pro-v1:0 chose it, from 2 quotas that the rules left open; its name contradicts nothing"
        " that is known.",
        mapper_model_id=MAPPER,
    )


def test_an_answer_never_replaces_a_rule() -> None:
    decided = decisions(answers={BY_RULE: Answer("L-0000000A", MAPPER)})

    assert told(decided[BY_RULE]) == ("L-70423BF8", "rule", "mapped", None)


@pytest.mark.parametrize(
    ("code", "reason"),
    [
        ("none", "amazon.nova-pro-v1:0 says that it is none of them."),
        ("L-70423BF8", "An answer was refused: 'L-70423BF8' is none of the candidates of this account and Region."),
        ("L-FFFFFFFF", "An answer was refused: 'L-FFFFFFFF' is none of the candidates of this account and Region."),
    ],
)
def test_an_answer_that_maps_nothing_leaves_the_quota_open_and_the_reason_says_why(code: str, reason: str) -> None:
    decided = decisions(answers={OPEN: Answer(code, MAPPER)})

    assert told(decided[OPEN]) == (None, "none", "unmapped", None)
    assert decided[OPEN].reason.startswith("No quota says the same as the model in every statement")
    assert decided[OPEN].reason.endswith(reason)


@pytest.mark.parametrize("key", [OPEN, BY_RULE])
def test_a_person_decides_before_rule_and_answer(key: MappingKey) -> None:
    decided = decisions(answers={OPEN: Answer("L-0000000B", MAPPER)}, overrides={key: override(key, "L-0000000A")})

    assert told(decided[key]) == ("L-0000000A", "override", "mapped", None)
    assert decided[key].quota_name == FIRST.quota_name


def test_a_person_can_say_that_there_is_no_quota() -> None:
    decided = decisions(overrides={BY_RULE: override(BY_RULE, None)})

    assert told(decided[BY_RULE]) == (None, "override", "no_quota", None)


def test_a_person_can_map_what_the_catalogue_does_not_offer() -> None:
    key = ("acme.rocket-v1:0", "geo", "rpm")

    decided = decisions(overrides={key: override(key, "L-0000000F", quota_name="as AWS support wrote")})

    assert told(decided[key]) == ("L-0000000F", "override", "mapped", None)
    assert decided[key].quota_name == "as AWS support wrote"


def test_a_code_chosen_for_two_models_is_given_to_neither() -> None:
    other: MappingKey = (NEWER.model_id, "on_demand", "tpm")
    answers = {OPEN: Answer("L-0000000A", MAPPER), other: Answer("L-0000000A", MAPPER)}

    decided = decisions(answers=answers, models=(MAGISTRAL, NEWER))

    assert [told(decided[key]) for key in (OPEN, other)] == [(None, "none", "unmapped", None)] * 2
    assert decided[OPEN].reason == (
        "amazon.nova-pro-v1:0 chose L-0000000A, and one quota is not given to several models:"
        " mistral.magistral-small-2609, mistral.magistral-small-2611."
    )


def test_a_code_that_a_person_gave_away_is_taken_back_from_the_model_s_choice_only() -> None:
    other: MappingKey = (NEWER.model_id, "on_demand", "tpm")

    decided = decisions(
        answers={OPEN: Answer("L-0000000A", MAPPER)},
        overrides={other: override(other, "L-0000000A")},
        models=(MAGISTRAL, NEWER),
    )

    assert told(decided[OPEN]) == (None, "none", "unmapped", None)
    assert told(decided[other]) == ("L-0000000A", "override", "mapped", None)


def test_the_override_that_names_most_of_the_scope_wins() -> None:
    rows = [
        override(OPEN, "L-0000000D", account="111122223333", region="us-east-1"),
        override(OPEN, "L-0000000C", account="111122223333", region=""),
        override(OPEN, "L-0000000B", account="", region="us-east-1"),
        override(OPEN, "L-0000000A"),
    ]

    def code(account_id: str, region: str) -> str | None:
        return overrides_of_scope(rows, account_id, region, {OPEN}, {OPEN})[OPEN].quota_code

    assert [
        code("111122223333", "us-east-1"),
        code("111122223333", "eu-west-1"),
        code("444455556666", "us-east-1"),
        code("444455556666", "eu-west-1"),
    ] == ["L-0000000D", "L-0000000C", "L-0000000B", "L-0000000A"]


def test_an_override_for_every_scope_holds_where_the_model_is_offered() -> None:
    rows = [override(OPEN, "L-0000000A")]

    assert overrides_of_scope(rows, "111122223333", "us-east-1", {OPEN}, {OPEN}) == {OPEN: rows[0]}
    assert overrides_of_scope(rows, "111122223333", "eu-west-1", set(), {OPEN}) == {}


def test_an_override_for_a_model_that_nobody_offers_shows_everywhere() -> None:
    rows = [override(("misspelt", "geo", "tpm"), "L-0000000A")]

    assert list(overrides_of_scope(rows, "111122223333", "eu-west-1", {OPEN}, {OPEN})) == [("misspelt", "geo", "tpm")]
