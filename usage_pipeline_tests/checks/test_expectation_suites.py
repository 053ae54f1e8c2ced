"""What the file of expectations may say, and what is said of one that is wrong."""

from pathlib import Path

import pytest
import yaml

from usage_pipeline.checks.expectation_suites import SUITES_FILE, ExpectationsFileError, load_suites

FILE = """
sizes:
  catalogue: {evaluated_by: great_expectations, because: It is small.}
  usage: {evaluated_by: sql, because: It is large.}
row_filters: {recent: "day > (select max(day) from {table}) - 3"}
due: {always: {query: select true, says: the pipeline has run}}
readings: {days: {query: select max(day) from raw.days, says: the newest day}}
tables:
  raw.things:
    subject: things
    size: usage
    key: [account_id, day]
    nullable: [day]
    due: always
    newest: {day: days}
    only: recent
    expectations:
      - name: every_thing_has_a_name
        type: expect_column_values_to_not_be_null
        columns: [name]
        severity: warning
        says: Every thing has a name.
"""


def written(folder: Path, before: str = "", after: str = "") -> Path:
    """The file, with one text replaced by another."""
    assert before in FILE
    path = folder / "expectations.yaml"
    path.write_text(FILE.replace(before, after) if before else FILE, encoding="utf-8")
    return path


def test_short_keys_stand_for_the_usual_expectations(tmp_path: Path) -> None:
    (suite,) = load_suites(written(tmp_path))

    assert (suite.table, suite.key, suite.evaluated_by) == ("raw.things", ("account_id", "day"), "sql")
    assert suite.only == "day > (select max(day) from raw.things) - 3"
    assert [(statement.name, statement.says) for statement in suite.statements] == [
        (
            "things_are_not_missing",
            "The table raw.things has rows when the pipeline has run. Run the newest day again; if it stays so, "
            "report it.",
        ),
        (
            "things_have_unique_keys",
            "No two rows of raw.things have the same account_id, day, and none lacks one that it needs. "
            "Please report it.",
        ),
        (
            "things_reach_the_newest_day",
            "The table raw.things reaches the newest day. If it does not, run the newest day again.",
        ),
        ("every_thing_has_a_name", "Every thing has a name."),
    ]


@pytest.mark.parametrize(
    ("before", "after", "place", "reason"),
    [
        ("size: usage", "size: huge", "tables.raw.things.size", "is 'huge'; allowed are catalogue, usage."),
        ("due: always", "due: never", "tables.raw.things.due", "is 'never'; allowed are always."),
        ("only: recent", "only: old", "tables.raw.things.only", "is 'old'; allowed are recent."),
        ("{day: days}", "{day: weeks}", "tables.raw.things.newest", "is 'weeks'; allowed are days."),
        ("size: usage", "size: catalogue", "tables.raw.things.newest", "Take only or newest away"),
        ("[account_id, day]", "[]", "tables.raw.things", "give the table's key"),
        ("[account_id, day]", "[day]", "tables.raw.things", "a key of one column has no NULL"),
        ("{day: days}", "{day: days, hour: days}", "tables.raw.things", "newest takes one column and its reading"),
        ("nullable: [day]", "nullable: [hour]", "tables.raw.things", "nullable names hour, which is not in the key"),
        ("subject: things", "subjects: things", "tables.raw.things.subject", "Field required"),
        ("raw.things:", "staging.things:", "tables.staging.things", "String should match pattern"),
        ("every_thing_has_a_name", "named", "expectations.0.expect_column_values_to_not_be_null.name", "read 'named'"),
        ("columns: [name]", "columns: []", "expect_column_values_to_not_be_null.columns", "at least 1 item"),
        ("columns: [name]", "column: name", "expect_column_values_to_not_be_null.columns", "Field required"),
        ("severity: warning", "severity: urgent", "severity", "'critical' or 'warning'; read 'urgent'"),
        ("has a name.\n", "has a name\n", "expect_column_values_to_not_be_null.says", "read 'Every thing has a name'"),
        ("expect_column_values_to_not_be_null", "expect_nothing", "tables.raw.things.expectations.0", "expect_nothing"),
        ("to_not_be_null", "to_be_between", "expect_column_values_to_be_between", "give min_value, max_value or both"),
        ("every_thing_has_a_name", "things_have_unique_keys", "expectations.yaml", "stands for two expectations"),
    ],
)
def test_an_error_names_file_table_and_key(tmp_path: Path, before: str, after: str, place: str, reason: str) -> None:
    with pytest.raises(ExpectationsFileError) as caught:
        load_suites(written(tmp_path, before, after))

    text = str(caught.value)
    assert text.startswith("expectations.yaml: ")
    assert place in text
    assert reason in text


@pytest.mark.parametrize(
    ("before", "after", "reason"),
    [
        ("    due: always", "    due: always\n    due: always", "due is written twice in one mapping in .*line 10"),
        ("tables:", "tables: [", "while parsing"),
    ],
)
def test_what_yaml_would_misread_is_refused(tmp_path: Path, before: str, after: str, reason: str) -> None:
    with pytest.raises(ExpectationsFileError, match=rf"^expectations\.yaml: .*{reason}"):
        load_suites(written(tmp_path, before, after))


@pytest.mark.parametrize(("regex", "reason"), [("(a)b", r"has a group: write \(\?:…\)"), ("a(", "is none: ")])
def test_a_regular_expression_has_no_groups(tmp_path: Path, regex: str, reason: str) -> None:
    path = written(
        tmp_path,
        "type: expect_column_values_to_not_be_null",
        f"type: expect_column_values_to_match_regex\n        regex: '{regex}'",
    )

    with pytest.raises(ExpectationsFileError, match=reason):
        load_suites(path)


def test_every_row_filter_and_reading_is_used() -> None:
    content = yaml.safe_load(SUITES_FILE.read_text(encoding="utf-8"))
    tables = content["tables"].values()

    assert {table["size"] for table in tables} == set(content["sizes"])
    assert {table["only"] for table in tables if "only" in table} == set(content["row_filters"])
    assert {table["due"] for table in tables if "due" in table} == set(content["due"])
    assert {name for table in tables for name in table.get("newest", {}).values()} == set(content["readings"])
