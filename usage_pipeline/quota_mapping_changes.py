"""What the warehouse holds of quota mappings and of a language model's answers, and what asking brought.

Here: queries, for the command that maps quotas anew. Not here: mapping (`assets/quota_mappings.py`), showing it
(`cli_refresh.py`), how two looks are compared (`catalogue_changes.py`).
"""

from collections.abc import Sequence
from dataclasses import dataclass
from decimal import Decimal

import duckdb


@dataclass(frozen=True, order=True)
class MappedQuota:
    """One kind of quota of a model's endpoint type in one account and Region."""

    account_name: str
    region: str
    model_id: str
    endpoint_type: str
    quota_kind: str


@dataclass(frozen=True)
class MappingSaid:
    """The code that limits it, None where none is known or there is none, and who said so."""

    quota_code: str | None
    method: str
    status: str


@dataclass(frozen=True)
class AnswerSaid:
    """A language model's newest answer; tokens and cost are its whole question's."""

    candidate_hash: str
    answered_code: str | None
    status: str
    reason: str
    mapper_model_id: str
    input_tokens: int
    output_tokens: int
    cost_usd: Decimal | None


@dataclass(frozen=True)
class MappingsHeld:
    """All mappings and all answers, at one moment."""

    mappings: dict[MappedQuota, MappingSaid]
    answers: dict[MappedQuota, AnswerSaid]


@dataclass(frozen=True)
class AskingCost:
    """What questions took; `cost_usd` is None when the price of one is not known."""

    questions: int
    tokens: int
    cost_usd: Decimal | None


_HELD = """
    select
        coalesce(scopes.account_name, held.account_id) as account_name,
        held.region,
        held.model_id,
        held.endpoint_type,
        held.quota_kind,
        {columns},
    from {table} as held
    left join raw.scopes as scopes using (account_id, region)
    order by all
"""
_MAPPING_COLUMNS = "held.quota_code, held.method, held.status"
_ANSWER_COLUMNS = (
    "held.candidate_hash, held.answered_code, held.status, held.reason, held.mapper_model_id, held.input_tokens, "
    "held.output_tokens, held.cost_usd"
)


def mappings_held(con: duckdb.DuckDBPyConnection) -> MappingsHeld:
    """What is mapped and answered now."""
    mappings = con.execute(_HELD.format(columns=_MAPPING_COLUMNS, table="raw.quota_mappings")).fetchall()
    answers = con.execute(_HELD.format(columns=_ANSWER_COLUMNS, table="raw.llm_quota_mappings")).fetchall()
    return MappingsHeld(
        {MappedQuota(*row[:5]): MappingSaid(*row[5:]) for row in mappings},
        {MappedQuota(*row[:5]): AnswerSaid(*row[5:]) for row in answers},
    )


def cost_of(answers: Sequence[AnswerSaid]) -> AskingCost:
    """What the questions behind the answers took together; one question has an answer for each kind and Region."""
    by_question = {answer.candidate_hash: answer for answer in answers}.values()
    costs = [answer.cost_usd for answer in by_question if answer.cost_usd is not None]
    tokens = sum(answer.input_tokens + answer.output_tokens for answer in by_question)
    is_known = len(costs) == len(by_question)
    return AskingCost(len(by_question), tokens, sum(costs, Decimal(0)) if is_known else None)
