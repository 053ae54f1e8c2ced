import datetime as dt
import json
from typing import Any

import duckdb
import pytest

from usage_pipeline.checks.rules import MOST_EXAMPLES, Rule, RuleResult, Severity, evaluate


def rule(contradictions: Any, severity: Severity = "ERROR", **parameters: Any) -> Rule:
    return Rule("one_is_less_than_two", "raw.numbers", "One.", contradictions, severity, parameters=parameters)


def outcome(contradictions: Any, severity: Severity = "ERROR", **parameters: Any) -> RuleResult:
    with duckdb.connect() as con:
        return evaluate(con, rule(contradictions, severity, **parameters))


def test_a_query_without_rows_passes() -> None:
    result = outcome("select 1 as number where false")

    assert (result.passed, result.severity, result.failing_rows, result.examples) == (True, "ERROR", 0, [])


def test_every_row_is_a_contradiction_and_the_first_twenty_are_shown_in_order() -> None:
    result = outcome("select range as number from range(1000) order by range desc")

    assert not result.passed
    assert result.failing_rows == 1000
    assert MOST_EXAMPLES == 20
    assert [example["number"] for example in result.examples] == list(range(999, 979, -1))


def test_a_function_may_find_the_rows() -> None:
    result = outcome(lambda con: [{"number": number} for number in range(21)])

    assert (result.passed, result.failing_rows, len(result.examples)) == (False, 21, 20)


def test_a_function_that_finds_nothing_passes() -> None:
    assert outcome(lambda con: []).passed


def test_parameters_are_bound_by_name() -> None:
    result = outcome("select $word as word", word="it's")

    assert result.examples == [{"word": "it's"}]


@pytest.mark.parametrize(
    ("of_rows", "own", "expected"),
    [
        (["WARN", "WARN"], "ERROR", "WARN"),
        (["WARN", "ERROR"], "WARN", "ERROR"),
        (["WARN", None], "ERROR", "ERROR"),
        ([None, None], "WARN", "WARN"),
        (["ERROR"] + ["WARN"] * 30, "WARN", "ERROR"),
    ],
)
def test_the_worst_severity_that_a_row_names_wins(of_rows: list[str | None], own: Severity, expected: str) -> None:
    listed = ", ".join("null" if word is None else f"'{word}'" for word in reversed(of_rows))

    from_query = outcome(f"select unnest([{listed}]::varchar[]) as severity", own)
    from_function = outcome(lambda con: [{"severity": word} for word in of_rows], own)

    assert (from_query.severity, from_function.severity) == (expected, expected)


def test_a_passed_rule_has_its_own_severity() -> None:
    assert outcome("select 'ERROR' as severity where false", "WARN").severity == "WARN"


def test_examples_are_json_with_iso_times_and_plain_text() -> None:
    result = outcome(
        """
        select
            'ハロー </script>' as name,
            timestamp '2026-11-15 10:30:00' as ts,
            date '2026-11-15' as day,
            1.50::decimal(9, 2) as amount,
            null as nothing,
            170141183460469231731687303715884105727 as huge,
        """
    )

    assert json.loads(result.examples_json) == [
        {
            "name": "ハロー </script>",
            "ts": "2026-11-15T10:30:00",
            "day": "2026-11-15",
            "amount": "1.50",
            "nothing": None,
            "huge": 170141183460469231731687303715884105727,
        }
    ]
    assert result.examples[0]["ts"] == dt.datetime(2026, 11, 15, 10, 30)


def test_a_query_over_a_missing_table_raises() -> None:
    with pytest.raises(duckdb.CatalogException, match="numbers"):
        outcome("select * from raw.numbers")


def test_an_error_in_a_function_is_raised() -> None:
    def broken(con: duckdb.DuckDBPyConnection) -> list[dict[str, Any]]:
        raise KeyError("quota")

    with pytest.raises(KeyError):
        outcome(broken)


def test_a_table_is_named_with_its_schema() -> None:
    with pytest.raises(ValueError, match=r"schema\.table"):
        Rule("one_is_less_than_two", "numbers", "One.", "select 1")
