"""Cells of an activity report to values. An empty cell is no value; one that is not what its column holds is an error.

Not here: which column holds what (`activity_rows.py`).
"""

import datetime as dt
import re
from decimal import Decimal

from usage_pipeline.log_files.coercion import LARGEST_COUNT
from usage_pipeline.q_developer.identities import identifier
from usage_pipeline.q_developer.times import utc_time

CREDIT_PLACES = Decimal("0.000001")
"""Credits are kept to six places; Kiro writes two."""

_CREDIT_DIGITS = 12
"""Before the point: what `DECIMAL(18, 6)` can hold."""

_COUNT = re.compile(r"\d{1,19}(?:\.0*)?", re.ASCII)
_AMOUNT = re.compile(r"\d{1,12}(?:\.\d{0,30})?(?:[eE][+-]?\d{1,2})?", re.ASCII)

_LONGEST_NAME = 320
"""An e-mail address has at most 320 characters; every other name is shorter."""

_DATE = re.compile(
    r"(?:(?P<month>\d{2})[-/](?P<day>\d{2})[-/](?P<year>\d{4})|(?P<iso>\d{4}-\d{2}-\d{2})(?P<time>[T ].+)?)", re.ASCII
)

_TRUTH = {"true": True, "false": False}


class UnreadableCellError(ValueError):
    """The cell does not hold what its column should. The message is empty: a cell's text is not to be told."""


def date(cell: str) -> dt.date:
    """A day, written `MM-DD-YYYY` as in Amazon Q Developer's reports or in ISO as in Kiro's; of a time, its UTC day.

    Raises:
        UnreadableCellError: no day.
    """
    found = _DATE.fullmatch(cell)
    if found is None:
        raise UnreadableCellError
    if found["time"]:
        time = utc_time(cell)
        if time is None:
            raise UnreadableCellError
        return time.date()
    try:
        return dt.date.fromisoformat(found["iso"] or f"{found['year']}-{found['month']}-{found['day']}")
    except ValueError:
        pass
    raise UnreadableCellError


def user(cell: str) -> str:
    """A user's id as written.

    Raises:
        UnreadableCellError: nothing that can be an id.
    """
    known = identifier(cell)
    if known is None:
        raise UnreadableCellError
    return known


def count(cell: str) -> int:
    """A whole number from 0 on, also written `12.0`.

    Raises:
        UnreadableCellError: anything else.
    """
    if not _COUNT.fullmatch(cell) or (number := int(cell.partition(".")[0])) > LARGEST_COUNT:
        raise UnreadableCellError
    return number


def credits(cell: str) -> Decimal:
    """An amount of credits from 0 on.

    Raises:
        UnreadableCellError: anything else, or an amount of a million millions.
    """
    if not _AMOUNT.fullmatch(cell):
        raise UnreadableCellError
    amount = Decimal(cell)
    if amount.adjusted() >= _CREDIT_DIGITS:
        raise UnreadableCellError
    rounded = amount.quantize(CREDIT_PLACES)
    if rounded.adjusted() >= _CREDIT_DIGITS:
        raise UnreadableCellError
    return rounded


def truth(cell: str) -> bool:
    """`true` or `false`, in any case of letters.

    Raises:
        UnreadableCellError: anything else.
    """
    if (value := _TRUTH.get(cell.lower())) is None:
        raise UnreadableCellError
    return value


def name(cell: str) -> str:
    """A short printable text.

    Raises:
        UnreadableCellError: a long one, or one with control characters.
    """
    if len(cell) > _LONGEST_NAME or not cell.isprintable():
        raise UnreadableCellError
    return cell
