"""Dated facts that AWS publishes in prose, kept as CSV files beside this module, and how they are read and checked.

Here: the row of each file, and errors that name the file, line, column and what is allowed. Not here: what follows from
the facts; SQL and `quotas/` decide that.
"""

import csv
import io
from collections.abc import Sequence
from datetime import date
from decimal import Decimal
from itertools import pairwise
from pathlib import Path
from typing import Annotated, ClassVar, Literal, TypeVar

from pydantic import BaseModel, BeforeValidator, ConfigDict, Field, ValidationError

REFERENCE_FOLDER = Path(__file__).parent


class ReferenceDataError(ValueError):
    """A reference file says something that is not allowed. The text names the file, line, column and what is."""


def none_if_empty(value: object) -> object:
    """For validators: an empty field of a CSV file is no value."""
    return None if value == "" else value


Text = Annotated[str, Field(min_length=1, description="a text that is not empty")]
Day = Annotated[date, Field(description="a UTC day written as YYYY-MM-DD")]
LastDay = Annotated[
    date | None,
    BeforeValidator(none_if_empty),
    Field(description="a UTC day written as YYYY-MM-DD, or nothing while the row holds"),
]


Tokens = Annotated[int, Field(ge=0, description="a whole number of tokens, 0 or more")]


class ReferenceRow(BaseModel):
    """One row of a reference file; its fields are the file's columns, in order."""

    model_config = ConfigDict(frozen=True, extra="forbid")

    optional_columns: ClassVar[tuple[str, ...]] = ()
    """The last columns, when a file may leave all of them out; their values are None then."""

    def key(self) -> tuple[str, ...]:
        """What may occur once in the file."""
        return tuple(str(value) for value in self.model_dump().values())


class BurndownRate(ReferenceRow):
    """Quota tokens that one output token of the models of a pattern takes, while the row is valid."""

    model_pattern: Text
    rate: Annotated[float, Field(gt=0, le=1000, description="quota tokens per output token, above 0")]
    valid_from: Day
    valid_to: LastDay
    basis: Annotated[Literal["documented", "assumed"], Field(description="documented or assumed")]
    source: Text

    def key(self) -> tuple[str, ...]:
        """A pattern has one rate from a day on."""
        return (self.model_pattern, self.valid_from.isoformat())


class ModelLimit(ReferenceRow):
    """The most output tokens that one request to the models of a pattern can ask for."""

    model_pattern: Text
    max_output_tokens: Tokens
    source: Text

    def key(self) -> tuple[str, ...]:
        """A pattern has one limit."""
        return (self.model_pattern,)


class EndpointPrefix(ReferenceRow):
    """A prefix of system inference profile ids and the kind of endpoint behind it."""

    prefix: Annotated[str, Field(pattern=r"^[a-z]+(-[a-z]+)*$", description="small letters and hyphens, no dot")]
    endpoint_type: Annotated[Literal["geo", "global"], Field(description="geo or global")]
    source: Text

    def key(self) -> tuple[str, ...]:
        """A prefix means one kind of endpoint."""
        return (self.prefix,)


class QuotaLabel(ReferenceRow):
    """A name that AWS's quotas use for a model and that does not follow from the model's id or display name.

    `shared` says that AWS limits several models by this one quota, so that its code may be used by each of them.
    """

    model_id: Text
    quota_label: Text
    shared: Annotated[bool, Field(description="true or false")]
    source: Text

    def key(self) -> tuple[str, ...]:
        """A name of a model is listed once."""
        return (self.model_id, self.quota_label.casefold())


class TokenEstimate(ReferenceRow):
    """Tokens that one unit of a metric of activity stands for, where no prompt log says how many they were."""

    metric: Annotated[
        Literal[
            "chat_messages_sent",
            "total_messages",
            "inline_suggestions_count",
            "dev_generation_event_count",
            "test_generation_event_count",
            "doc_generation_event_count",
        ],
        Field(description="a metric from which tokens are estimated"),
    ]
    input_low: Tokens
    input_mean: Tokens
    input_high: Tokens
    output_low: Tokens
    output_mean: Tokens
    output_high: Tokens
    valid_from: Day
    valid_to: LastDay
    source: Text

    def key(self) -> tuple[str, ...]:
        """A metric has one estimate from a day on."""
        return (self.metric, self.valid_from.isoformat())


QDeveloperTermName = Literal[
    "dev_runs_per_month",
    "transformation_lines_per_month",
    "credits_per_month",
    "usd_per_seat",
    "seats",
    "input_usd_per_million",
    "output_usd_per_million",
    "context_window_tokens",
    "context_warning_share",
    "limit_caution_share",
    "limit_warning_share",
    "spike_factor",
    "spike_least_interactions",
]


class QDeveloperTerm(ReferenceRow):
    """A limit, price or other number by which use of Amazon Q Developer and Kiro is judged, while the row is valid.

    `subscription_tier` is a glob over the tier in capitals; the longest that matches wins.
    """

    term: Annotated[QDeveloperTermName, Field(description="the name of a term")]
    product: Annotated[Literal["q_developer", "kiro", "*"], Field(description="q_developer, kiro or *")]
    subscription_tier: Text
    value: Annotated[
        Decimal, Field(ge=0, max_digits=18, decimal_places=6, description="a number, 0 or more, of up to six decimals")
    ]
    valid_from: Day
    valid_to: LastDay
    source: Text

    def key(self) -> tuple[str, ...]:
        """A term of a product and tier has one value from a day on."""
        return (self.term, self.product, self.subscription_tier, self.valid_from.isoformat())


REFERENCE_FILES = (
    "burndown_rates",
    "model_limits",
    "endpoint_prefixes",
    "quota_labels",
    "model_prices",
    "q_developer_token_estimates",
    "q_developer_terms",
)
"""Every file beside this module, without `.csv`. The rows of model_prices are in `prices/price_rows.py`."""

Row = TypeVar("Row", bound=ReferenceRow)


def reference_path(name: str) -> Path:
    """Where a reference file is, by its name without `.csv`."""
    if name not in REFERENCE_FILES:
        raise ReferenceDataError(f"There is no reference file {name!r}. There are: {', '.join(REFERENCE_FILES)}.")
    return REFERENCE_FOLDER / f"{name}.csv"


def read_rows(path: Path, row_type: type[Row]) -> list[Row]:
    """The rows of a reference file, each checked. Raises ReferenceDataError on the first that is not allowed."""
    return [row for _, row in numbered_rows(path, row_type)]


def numbered_rows(path: Path, row_type: type[Row]) -> list[tuple[int, Row]]:
    """The same rows, each with the line of the file that it ends on."""
    try:
        # Excel writes a byte order mark before the first column's name.
        with path.open(encoding="utf-8-sig", newline="") as file:
            text = file.read()
    except (OSError, UnicodeDecodeError) as error:
        raise _unreadable(path.name, error) from error
    return numbered_rows_of(text, path.name, row_type)


def numbered_rows_of(text: str, name: str, row_type: type[Row]) -> list[tuple[int, Row]]:
    """The same of a file's text, with the line ends of the file; `name` is what errors call the file."""
    rows = _checked_rows(text, name, row_type)
    first_lines: dict[tuple[str, ...], int] = {}
    for line, row in rows:
        if row.key() in first_lines:
            raise ReferenceDataError(
                f"{name}, line {line}: {' | '.join(row.key())} was given on line {first_lines[row.key()]} already."
            )
        first_lines[row.key()] = line
    return rows


def _checked_rows(text: str, name: str, row_type: type[Row]) -> list[tuple[int, Row]]:
    try:
        reader = csv.reader(io.StringIO(text, newline=""))
        columns = _columns(name, next(reader, []), row_type)
        return [
            (reader.line_num, _row(name, reader.line_num, columns, values, row_type)) for values in reader if values
        ]
    except csv.Error as error:
        raise _unreadable(name, error) from error


def _unreadable(name: str, error: Exception) -> ReferenceDataError:
    return ReferenceDataError(f"{name} cannot be read as a CSV file in UTF-8: {error}.")


def burndown_rates() -> list[BurndownRate]:
    """Quota tokens per output token, by model pattern and day. Raises ReferenceDataError also when two rows overlap."""
    path = reference_path("burndown_rates")
    rates = read_rows(path, BurndownRate)
    refuse_overlaps(path, rates)
    return rates


def model_limits() -> list[ModelLimit]:
    """Most output tokens of one request, by model pattern."""
    return read_rows(reference_path("model_limits"), ModelLimit)


def endpoint_prefixes() -> list[EndpointPrefix]:
    """Prefixes of system inference profile ids."""
    return read_rows(reference_path("endpoint_prefixes"), EndpointPrefix)


def quota_labels() -> list[QuotaLabel]:
    """Names that quotas use for models and that do not follow from the models' own names."""
    return read_rows(reference_path("quota_labels"), QuotaLabel)


def q_developer_token_estimates() -> list[TokenEstimate]:
    """Tokens by unit of activity."""
    return read_rows(reference_path("q_developer_token_estimates"), TokenEstimate)


def q_developer_terms() -> list[QDeveloperTerm]:
    """Limits, prices and other numbers of Amazon Q Developer and Kiro."""
    return read_rows(reference_path("q_developer_terms"), QDeveloperTerm)


def refuse_overlaps(path: Path, rates: Sequence[BurndownRate]) -> None:
    """Raise ReferenceDataError when two rows give the same pattern a rate for the same day, or a row ends too early."""
    for rate in rates:
        if rate.valid_to is not None and rate.valid_to < rate.valid_from:
            raise ReferenceDataError(
                f"{path.name}, pattern {rate.model_pattern}: valid_to {rate.valid_to} is before valid_from"
                f" {rate.valid_from}."
            )
    ordered = sorted(rates, key=BurndownRate.key)
    for earlier, later in pairwise(ordered):
        if earlier.model_pattern != later.model_pattern:
            continue
        if earlier.valid_to is None or earlier.valid_to >= later.valid_from:
            raise ReferenceDataError(
                f"{path.name}, pattern {later.model_pattern}: the row from {earlier.valid_from} must end (valid_to)"
                f" before the row from {later.valid_from} starts."
            )


def _columns(name: str, header: list[str], row_type: type[ReferenceRow]) -> list[str]:
    """The columns of a file, which are the row's, or those without the optional ones."""
    allowed, optional = list(row_type.model_fields), row_type.optional_columns
    if header not in (allowed, allowed[: len(allowed) - len(optional)]):
        without = f" ({', '.join(optional)} may be left out)" if optional else ""
        raise ReferenceDataError(
            f"{name}, line 1: read the columns {', '.join(header) or '(none)'}; allowed are {', '.join(allowed)},"
            f" in this order{without}."
        )
    return header


def _row(name: str, line: int, columns: list[str], values: list[str], row_type: type[Row]) -> Row:
    if len(values) != len(columns):
        raise ReferenceDataError(
            f"{name}, line {line}: read {len(values)} values; allowed are {len(columns)}: {', '.join(columns)}."
        )
    read = {column: value.strip() for column, value in zip(columns, values, strict=True)}
    try:
        return row_type.model_validate(read)
    except ValidationError as error:
        column = str(error.errors()[0]["loc"][0])
        allowed = row_type.model_fields[column].description
        raise ReferenceDataError(
            f"{name}, line {line}, column {column}: read {read[column]!r}; allowed is {allowed}."
        ) from error
