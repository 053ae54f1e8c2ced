"""Runs one reading over many scopes at once, and says of each how it went.

Here: threads, statuses, counting. Not here: what is read (`bedrock.py`, `service_quotas.py`, `cloudwatch.py`), or
how an error is worded (`errors.py`).
"""

from collections.abc import Callable, Sequence, Sized
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass, field
from typing import Generic, Protocol, TypeVar, runtime_checkable

from usage_pipeline.aws.errors import AWS_ERRORS, ReadStatus, Shortfall, shortfall_of
from usage_pipeline.aws.scopes import Scope
from usage_pipeline.aws.sessions import counted_api_calls

Row = TypeVar("Row")
Value = TypeVar("Value", bound="Reading")


@runtime_checkable
class Reading(Sized, Protocol):
    """What a reading gives: its length is the number of rows; `shortfall` says which part AWS did not give."""

    @property
    def shortfall(self) -> Shortfall | None:
        """Why a part is missing; None when all of it came."""
        ...


@dataclass(frozen=True)
class Listing(Generic[Row]):
    """Rows of one source and scope, and why a part of them is incomplete."""

    rows: tuple[Row, ...]
    shortfall: Shortfall | None = None

    def __len__(self) -> int:
        return len(self.rows)


@dataclass(frozen=True)
class ScopeReading(Generic[Value]):
    """How reading one scope went.

    `value` is None when nothing could be read. With a value, `denied`, `throttled` or `failed` means that a part is
    missing, which `error_text` names; the part that came is good.
    """

    scope: Scope
    status: ReadStatus
    value: Value | None = field(repr=False)
    row_count: int | None
    api_calls: int
    error_text: str | None


def read_scopes(scopes: Sequence[Scope], read: Callable[[Scope], Value], max_workers: int) -> list[ScopeReading[Value]]:
    """Run `read` for every scope, at most `max_workers` at a time; the answers are in the order of `scopes`.

    Errors of AWS, of the network and `ReadingError` end one scope's reading only. Any other error is a fault in this
    program and is raised.
    """
    if not scopes:
        return []
    with ThreadPoolExecutor(max_workers=max_workers, thread_name_prefix="scope") as pool:
        return [future.result() for future in [pool.submit(_read_scope, scope, read) for scope in scopes]]


def _read_scope(scope: Scope, read: Callable[[Scope], Value]) -> ScopeReading[Value]:
    with counted_api_calls() as calls:
        try:
            value = read(scope)
        except AWS_ERRORS as error:
            shortfall = shortfall_of(error)
            return ScopeReading(scope, shortfall.status, None, None, calls.count, shortfall.text)
    shortfall = value.shortfall
    if shortfall:
        return ScopeReading(scope, shortfall.status, value, len(value), calls.count, shortfall.text)
    return ScopeReading(scope, "ok" if len(value) else "empty", value, len(value), calls.count, None)
