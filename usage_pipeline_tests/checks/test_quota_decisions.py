"""What people and a language model say about quota codes, held against the rules and the configuration."""

from typing import Any

import duckdb
import pytest

from usage_pipeline.checks.quota_decisions import (
    EVERY_OVERRIDE_HOLDS_SOMEWHERE,
    MODEL_THAT_MAPS_QUOTAS_ANSWERED,
    RULES_AND_MODEL_AGREE,
)
from usage_pipeline.checks.rules import Rule, evaluate
from usage_pipeline_tests.marts.factory import NOVA, SONNET

TPM_OF_SONNET = "L-F4DDD3EB"


def found(con: duckdb.DuckDBPyConnection, rule: Rule, *columns: str) -> list[tuple[Any, ...]]:
    return [tuple(example[column] for column in columns) for example in evaluate(con, rule).examples]


# rules_and_model_agree


def answered(con: duckdb.DuckDBPyConnection, code: str, refused_for: str | None = None) -> None:
    """A model's answer about the tokens per minute of Claude Sonnet."""
    con.execute(
        """
        insert into raw.llm_quota_mappings by name
        select
            account_id,
            region,
            model_id,
            endpoint_type,
            quota_kind,
            ? as answered_code,
            if(? is null, 'accepted', 'refused') as status,
            ? as refused_for,
            'as it was refused' as reason,
        from raw.quota_mappings where quota_code = ?
        """,
        [code, refused_for, refused_for, TPM_OF_SONNET],
    )


def test_a_rule_that_now_maps_differently_is_named_with_both_codes(con: duckdb.DuckDBPyConnection) -> None:
    answered(con, "L-8EA73537")

    assert found(con, RULES_AND_MODEL_AGREE, "model_id", "answered_code", "mapped_code", "reason") == [
        (SONNET, "L-8EA73537", TPM_OF_SONNET, f"A rule maps it to {TPM_OF_SONNET} now.")
    ]


def test_an_answer_refused_because_of_a_rule_is_named_with_the_reason(con: duckdb.DuckDBPyConnection) -> None:
    answered(con, "L-8EA73537", "rule")
    con.execute(
        "update raw.quota_mappings set quota_code = null, method = 'none' where quota_code = ?", [TPM_OF_SONNET]
    )

    assert found(con, RULES_AND_MODEL_AGREE, "answered_code", "mapped_code", "reason") == [
        ("L-8EA73537", None, "as it was refused")
    ]


@pytest.mark.parametrize(
    ("code", "refused_for"),
    [(TPM_OF_SONNET, None), ("none", None), ("L-8EA73537", "kind"), ("L-8EA73537", "candidates")],
)
def test_answers_that_agree_say_none_or_were_wrong_in_themselves_are_no_contradiction(
    con: duckdb.DuckDBPyConnection, code: str, refused_for: str | None
) -> None:
    answered(con, code, refused_for)

    assert evaluate(con, RULES_AND_MODEL_AGREE).passed


def test_what_a_person_decided_is_no_contradiction_any_more(con: duckdb.DuckDBPyConnection) -> None:
    answered(con, "L-8EA73537", "rule")
    con.execute("update raw.quota_mappings set method = 'override' where quota_code = ?", [TPM_OF_SONNET])

    assert evaluate(con, RULES_AND_MODEL_AGREE).passed


# model_that_maps_quotas_answered


def test_only_the_newest_asking_counts(con: duckdb.DuckDBPyConnection) -> None:
    rows = [("denied", "2026-11-14 10:30", "14"), ("ok", "2026-11-15 10:30", "15")]
    for status, finished_at, day in rows:
        con.execute(
            """
            insert into ops.source_status (account_name, source, partition_date, status, finished_at)
            values ('production', 'llm_quota_mappings', ?, ?, ?)
            """,
            [f"2026-11-{day}", status, finished_at],
        )

    assert evaluate(con, MODEL_THAT_MAPS_QUOTAS_ANSWERED).passed


# every_quota_override_holds_somewhere


@pytest.mark.parametrize(
    ("account_id", "region", "model_id", "reasons"),
    [
        (None, None, NOVA, []),
        ("444455556666", None, NOVA, []),
        (None, "us-east-1", SONNET, []),
        ("444455556666", "eu-west-1", SONNET, []),
        (None, None, "amazon.nova-light-v1:0", ["No model has this id."]),
        ("999999999999", None, NOVA, ["The configuration reads no such account and Region."]),
        ("444455556666", "us-east-1", NOVA, ["The configuration reads no such account and Region."]),
    ],
)
def test_an_override_of_nothing_is_named_with_the_reason(
    con: duckdb.DuckDBPyConnection, account_id: str | None, region: str | None, model_id: str, reasons: list[str]
) -> None:
    con.execute(
        "insert into raw.quota_overrides (account_id, region, model_id, endpoint_type, quota_kind) "
        "values (?, ?, ?, 'geo', 'tpm')",
        [account_id, region, model_id],
    )

    assert found(con, EVERY_OVERRIDE_HOLDS_SOMEWHERE, "reason") == [(reason,) for reason in reasons]
