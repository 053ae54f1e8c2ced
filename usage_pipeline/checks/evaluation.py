"""Evaluating many rules at once, and only once in a run, although several steps of the run need the results.

Not here: what a rule is (`rules.py`) and its Dagster form (`asset_checks.py`).
"""

import threading
from collections.abc import Sequence

import duckdb

from usage_pipeline.checks.expectations import expectations_that_hold
from usage_pipeline.checks.rules import Rule, RuleResult, evaluate
from usage_pipeline.checks.validation import ExpectationError, Validate, validate_here


def evaluate_all(
    con: duckdb.DuckDBPyConnection, rules: Sequence[Rule], validate: Validate = validate_here
) -> list[RuleResult]:
    """How each rule came out, in the order of the rules; expectations are evaluated table by table, others meanwhile.

    Raises:
        duckdb.Error: see `evaluate`.
        ExpectationError: an expectation could not be evaluated, or Great Expectations refuses a table in which no row
            contradicts it.
    """
    expectations_held = expectations_that_hold(con, [rule.expectation for rule in rules if rule.expectation], validate)
    # While Great Expectations works, in a process of its own, the other rules are asked in SQL.
    others = [None if rule.expectation else evaluate(con, rule) for rule in rules]
    held = expectations_held()
    return [
        result if result is not None else _expectation_result(con, rule, rule.name in held)
        for rule, result in zip(rules, others, strict=True)
    ]


def _expectation_result(con: duckdb.DuckDBPyConnection, rule: Rule, holds: bool) -> RuleResult:
    """The result of an expectation. One that does not hold has rows that contradict it."""
    if holds:
        return RuleResult(rule, True, rule.severity, 0, [])
    result = evaluate(con, rule)
    if result.passed:
        raise ExpectationError(
            f"{rule.table}: Great Expectations says that {rule.name} does not hold, but no row contradicts it in SQL. "
            "Please report this."
        )
    return result


class RuleResults:
    """The results of the newest run, by rule; a rule is evaluated when a step first asks for it.

    One object serves one process. The steps of a run that ask are all behind the tables that the rules read, so the
    first answer holds for the others. `validate` asks Great Expectations.
    """

    def __init__(self, validate: Validate = validate_here) -> None:
        self._validate = validate
        self._lock = threading.Lock()
        self._run_id = ""
        self._results: dict[tuple[str, str], RuleResult] = {}

    def of_run(self, con: duckdb.DuckDBPyConnection, run_id: str, rules: Sequence[Rule]) -> list[RuleResult]:
        """How each rule came out in the run, in the order of the rules. Raises what `evaluate` raises."""
        with self._lock:
            if run_id != self._run_id:
                self._run_id, self._results = run_id, {}
            missing = [rule for rule in rules if (rule.table, rule.name) not in self._results]
            for result in evaluate_all(con, missing, self._validate):
                self._results[result.rule.table, result.rule.name] = result
            return [self._results[rule.table, rule.name] for rule in rules]
