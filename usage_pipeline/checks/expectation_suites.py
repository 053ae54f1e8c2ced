"""What `expectations.yaml` may say: one suite of expectations for each table, read and validated.

Here: the shape of the file and its errors. Not here: the expectations themselves (`expectations.yaml`), their queries
(`expectation_sql.py`), how they are evaluated (`expectations.py`).
"""

import re
from collections import Counter
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Annotated, Any, Literal

import yaml
from pydantic import BaseModel, ConfigDict, Field, ValidationError, model_validator

SUITES_FILE = Path(__file__).with_name("expectations.yaml")

Name = Annotated[str, Field(pattern=r"^[a-z]+(_[a-z]+){3,}$")]
"""A statement of four words or more."""

Sentence = Annotated[str, Field(pattern=r"^[A-Z][^\n]*\.$")]

Columns = Annotated[tuple[str, ...], Field(min_length=1)]


class ExpectationsFileError(ValueError):
    """The file of expectations breaks a rule; the text names file, table and key, what was read, what is allowed."""


class _Read(BaseModel):
    model_config = ConfigDict(frozen=True, extra="forbid")


class _Statement(_Read):
    name: Name
    says: Sentence
    severity: Literal["critical", "warning"] = "critical"
    blocking: bool = False
    where: str | None = None
    """SQL condition of the rows that it is about."""


class RowCount(_Statement):
    """The table has a row when the query says that it must."""

    type: Literal["expect_table_row_count_to_be_between"]
    when: str


class UniqueKey(_Statement):
    """No two rows agree in all columns, and none lacks one of them, unless the column is nullable."""

    type: Literal["expect_compound_columns_to_be_unique"]
    columns: Columns
    nullable: tuple[str, ...] = ()


class NotNull(_Statement):
    """Every row has a value in each column."""

    type: Literal["expect_column_values_to_not_be_null"]
    columns: Columns


class Between(_Statement):
    """Every value of each column lies between two numbers, both inclusive."""

    type: Literal["expect_column_values_to_be_between"]
    columns: Columns
    min_value: float | None = None
    max_value: float | None = None

    @model_validator(mode="after")
    def _has_a_bound(self) -> "Between":
        if self.min_value is None and self.max_value is None:
            raise ValueError("give min_value, max_value or both")
        return self


class InSet(_Statement):
    """Every value of each column is one of the set."""

    type: Literal["expect_column_values_to_be_in_set"]
    columns: Columns
    value_set: Annotated[tuple[str, ...], Field(min_length=1)] | Annotated[tuple[int, ...], Field(min_length=1)]


class MatchesRegex(_Statement):
    """Every text of each column fits the regular expression from its first to its last character."""

    type: Literal["expect_column_values_to_match_regex"]
    columns: Columns
    regex: str

    @model_validator(mode="after")
    def _is_a_regex_without_groups(self) -> "MatchesRegex":
        # pandas warns of a group that nobody reads.
        try:
            groups = re.compile(self.regex).groups
        except re.error as error:
            raise ValueError(f"regex {self.regex!r} is none: {error}") from None
        if groups:
            raise ValueError(f"regex {self.regex!r} has a group: write (?:…)")
        return self


class PairInOrder(_Statement):
    """In every row that has both, the first column is greater than the second, or equal where that is allowed."""

    type: Literal["expect_column_pair_values_a_to_be_greater_than_b"]
    columns: Annotated[tuple[str, ...], Field(min_length=2, max_length=2)]
    or_equal: bool = False


class Newest(_Statement):
    """The highest value of the column is not below what the query gives; a query that gives NULL asks for nothing."""

    type: Literal["expect_column_max_to_be_between"]
    columns: Annotated[tuple[str, ...], Field(min_length=1, max_length=1)]
    at_least: str


Statement = Annotated[
    RowCount | UniqueKey | NotNull | Between | InSet | MatchesRegex | PairInOrder | Newest, Field(discriminator="type")
]


class _Size(_Read):
    """A size class: how large its tables grow, and therefore who evaluates them."""

    evaluated_by: Literal["great_expectations", "sql"]
    because: Sentence


class _Due(_Read):
    """When a table must have rows: a query that gives true, and the same in words after 'when'."""

    query: str
    says: str


class _Reading(_Read):
    """How far a table must reach: a query for the least value, and the same in words."""

    query: str
    says: str


class _Table(_Read):
    """The suite of one table as it is written; the first four keys stand for the expectations that most tables have."""

    subject: Annotated[str, Field(pattern=r"^[a-z]+(_[a-z]+)*$")]
    size: str
    key: tuple[str, ...] = ()
    nullable: tuple[str, ...] = ()
    key_blocks: bool = False
    key_is_checked_by: str | None = None
    due: str | None = None
    newest: Mapping[str, str] = Field(default_factory=dict)
    only: str | None = None
    expectations: tuple[Statement, ...] = ()

    @model_validator(mode="after")
    def _has_one_key(self) -> "_Table":
        if not self.key:
            raise ValueError("give the table's key, also where key_is_checked_by names the rule that checks it")
        if unknown := set(self.nullable) - set(self.key):
            raise ValueError(f"nullable names {', '.join(sorted(unknown))}, which is not in the key")
        if self.nullable and len(self.key) == 1:
            raise ValueError("a key of one column has no NULL: nothing else tells the row apart")
        if len(self.newest) > 1:
            raise ValueError("newest takes one column and its reading")
        return self


class _File(_Read):
    sizes: Mapping[str, _Size]
    row_filters: Mapping[str, str]
    due: Mapping[str, _Due]
    readings: Mapping[str, _Reading]
    tables: Mapping[Annotated[str, Field(pattern=r"^(raw|intermediate|marts)\.[a-z0-9_]+$")], _Table]


@dataclass(frozen=True)
class Suite:
    """All expectations of one table."""

    table: str
    key: tuple[str, ...]
    """Columns that tell its rows apart: what an offending row is named by."""
    evaluated_by: Literal["great_expectations", "sql"]
    only: str | None
    """SQL condition of the rows that are looked at; None for all."""
    key_is_checked_by: str | None
    """The rule that already finds rows with equal keys, where the suite has no expectation for it."""
    statements: tuple[Statement, ...]


@dataclass(frozen=True)
class TableExpectation:
    """One statement of one table's suite."""

    suite: Suite
    statement: Statement


def load_suites(path: Path = SUITES_FILE) -> tuple[Suite, ...]:
    """Read and validate the file; suites come in its order.

    Raises:
        ExpectationsFileError: the file is not valid.
    """
    try:
        content = _content_of(path.read_text(encoding="utf-8"))
    except yaml.YAMLError as error:
        raise ExpectationsFileError(f"{path.name}: {' '.join(str(error).split())}.") from None
    try:
        file = _File.model_validate(content)
    except ValidationError as error:
        raise ExpectationsFileError(_text(path, error)) from None
    suites = tuple(_suite(path, file, name, table) for name, table in file.tables.items())
    counts = Counter(statement.name for suite in suites for statement in suite.statements)
    if twice := sorted(name for name, count in counts.items() if count > 1):
        raise ExpectationsFileError(f"{path.name}: {', '.join(twice)} stands for two expectations; names are unique.")
    return suites


def _content_of(text: str) -> Any:
    """The content of a YAML text; of two equal keys in one mapping PyYAML would take the second without a word.

    Raises:
        yaml.YAMLError: the text is not YAML, or has a key twice.
    """
    # The compiled loader, where there is one, takes a tenth of the time.
    loader: Any = getattr(yaml, "CSafeLoader", yaml.SafeLoader)(text)
    node = loader.get_single_node()
    _refuse_doubled_keys(node)
    return loader.construct_document(node)


def _refuse_doubled_keys(node: yaml.Node) -> None:
    if isinstance(node, yaml.MappingNode):
        counts = Counter(str(key.value) for key, _ in node.value)
        if twice := [key for key, count in counts.items() if count > 1]:
            raise yaml.MarkedYAMLError(
                problem=f"{twice[0]} is written twice in one mapping", problem_mark=node.start_mark
            )
        for _, value in node.value:
            _refuse_doubled_keys(value)
    elif isinstance(node, yaml.SequenceNode):
        for value in node.value:
            _refuse_doubled_keys(value)


def _text(path: Path, error: ValidationError) -> str:
    """The first thing that is wrong, where it is, and what was read."""
    first = error.errors()[0]
    place = ".".join(str(part) for part in first["loc"])
    return f"{path.name}: {place}: {first['msg']}; read {first['input']!r}."


def _suite(path: Path, file: _File, name: str, table: _Table) -> Suite:
    for key, value, allowed in (
        ("size", table.size, file.sizes),
        ("due", table.due, file.due),
        ("only", table.only, file.row_filters),
        *(("newest", reading, file.readings) for reading in table.newest.values()),
    ):
        if value is not None and value not in allowed:
            raise ExpectationsFileError(
                f"{path.name}: tables.{name}.{key} is {value!r}; allowed are {', '.join(allowed)}."
            )
    if table.newest and table.only and file.sizes[table.size].evaluated_by != "sql":
        raise ExpectationsFileError(
            f"{path.name}: tables.{name}.newest: a frame of some rows does not say how far the table reaches. "
            "Take only or newest away, or give the table a size that is evaluated by sql."
        )
    return Suite(
        table=name,
        key=table.key,
        evaluated_by=file.sizes[table.size].evaluated_by,
        only=file.row_filters[table.only].format(table=name) if table.only else None,
        key_is_checked_by=table.key_is_checked_by,
        statements=(*_usual_statements(file, name, table), *table.expectations),
    )


def _usual_statements(file: _File, name: str, table: _Table) -> list[Statement]:
    """What the short keys of a table stand for."""
    usual: list[Statement] = []
    if table.due:
        due = file.due[table.due]
        usual.append(
            RowCount(
                name=f"{table.subject}_are_not_missing",
                type="expect_table_row_count_to_be_between",
                when=due.query,
                says=f"The table {name} has rows when {due.says}. Run the newest day again; if it stays so, report it.",
            )
        )
    if not table.key_is_checked_by:
        usual.append(
            UniqueKey(
                name=f"{table.subject}_have_unique_keys",
                type="expect_compound_columns_to_be_unique",
                columns=table.key,
                nullable=table.nullable,
                blocking=table.key_blocks,
                says=(
                    f"No two rows of {name} have the same {', '.join(table.key)}, and none lacks one that it needs. "
                    + ("Nothing was published; please report it." if table.key_blocks else "Please report it.")
                ),
            )
        )
    for column, reading in table.newest.items():
        found = file.readings[reading]
        usual.append(
            Newest(
                name=f"{table.subject}_reach_the_newest_day",
                type="expect_column_max_to_be_between",
                columns=(column,),
                at_least=found.query,
                says=f"The table {name} reaches {found.says}. If it does not, run the newest day again.",
            )
        )
    return usual
