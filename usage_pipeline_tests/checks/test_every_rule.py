"""What holds for every rule. A new rule needs a fault in `faults.py`, or these tests fail."""

import json
import re
from collections import Counter
from contextlib import suppress

import duckdb
import pytest

from usage_pipeline.checks.rules import Rule, RuleResult, evaluate
from usage_pipeline.raw_tables import STORED_TABLES
from usage_pipeline.sql_models import load_models
from usage_pipeline_tests.checks.every_rule import EVERY_RULE
from usage_pipeline_tests.checks.faults import FAULTS

every_rule = pytest.mark.parametrize("rule", EVERY_RULE, ids=lambda rule: rule.name)


def test_every_rule_has_a_fault_that_it_must_find() -> None:
    assert set(FAULTS) == {rule.name for rule in EVERY_RULE}


def test_a_healthy_warehouse_passes(con: duckdb.DuckDBPyConnection) -> None:
    results = [evaluate(con, rule) for rule in EVERY_RULE]

    assert results == [RuleResult(rule, True, rule.severity, 0, []) for rule in EVERY_RULE]


@every_rule
def test_its_fault_fails_it_and_names_the_subject_of_the_finding(con: duckdb.DuckDBPyConnection, rule: Rule) -> None:
    con.execute(FAULTS[rule.name])
    result = evaluate(con, rule)

    assert not result.passed
    assert result.severity == rule.severity
    assert result.failing_rows == len(result.examples) > 0
    assert len(json.loads(result.examples_json)) == len(result.examples)
    assert all(set(rule.subject) <= set(row) for row in result.rows)
    assert [row for row in result.rows for column in rule.subject if row[column] is None] == []


def test_without_its_tables_it_raises_and_does_not_pass() -> None:
    answered: list[RuleResult] = []
    with duckdb.connect() as no_tables:
        for rule in EVERY_RULE:
            with suppress(duckdb.CatalogException):
                answered.append(evaluate(no_tables, rule))

    assert answered == []


def test_names_are_unique() -> None:
    assert [name for name, count in Counter(rule.name for rule in EVERY_RULE).items() if count > 1] == []


def test_a_name_is_a_statement_in_words_and_a_description_is_sentences() -> None:
    words = re.compile(r"[a-z]+(_[a-z]+){3,}")
    sentences = re.compile(r"[A-Z](?!.*  ).*\.", re.DOTALL)

    assert [rule.name for rule in EVERY_RULE if not words.fullmatch(rule.name)] == []
    assert [rule.name for rule in EVERY_RULE if not sentences.fullmatch(rule.description)] == []


def test_every_rule_is_about_a_table_that_the_pipeline_makes() -> None:
    made = {*STORED_TABLES, *(model.qualified_name for model in load_models())}

    assert [rule.name for rule in EVERY_RULE if rule.table not in made] == []


def test_only_rules_of_integrity_block() -> None:
    assert [rule.name for rule in EVERY_RULE if rule.blocking] == [
        "metric_points_are_unique",
        "periods_do_not_overlap",
        "profiles_add_up_to_pools",
        "usage_adds_up_to_the_metrics",
        "marts_add_up_to_raw",
        "months_add_up_to_their_days",
        "cost_parts_add_up",
        "quota_pools_have_unique_keys",
        "pool_periods_have_unique_keys",
        "days_of_use_have_unique_keys",
    ]
