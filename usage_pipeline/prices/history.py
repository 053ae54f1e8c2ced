"""Prices over time: what a refresh changes, and what stays as it was.

Pure functions over rows. Not here: which sources are asked and when (`refresh.py`).
"""

from collections import defaultdict
from collections.abc import Iterable, Mapping
from datetime import datetime

from usage_pipeline.prices.price_rows import EVERY_REGION, ModelPrice, PriceKey

_Rows = list[ModelPrice]

_ALWAYS, _FOREVER = datetime.min, datetime.max  # noqa: DTZ901  (tables hold UTC without a zone)
"""Before any price, and the end of a row that is open."""


def merge_prices(stored: Iterable[ModelPrice], fresh: Iterable[ModelPrice], now: datetime) -> list[ModelPrice]:
    """What is known after a refresh at `now` (UTC without a zone), in the order of the keys.

    Before `now` the stored price stays, whatever is fresh; from `now` on the fresh price holds. So another price closes
    the row at `now` and opens the next, the same price leaves the row as it is with its source, and a price that is no
    longer among the fresh ones stays. A key that is new is taken with its own `valid_from`. A Region's new row begins
    where the stored `*` row was not its price, so at `now` as a rule, and is left out when it would repeat `*`.
    Neither input may have overlapping rows of one key; the result has none.
    """
    stored_by_key, fresh_by_key = _by_key(stored), _by_key(fresh)
    merged: dict[PriceKey, _Rows] = {}
    # `*` first: a Region is compared with what `*` says after the refresh.
    for key in sorted(stored_by_key.keys() | fresh_by_key.keys(), key=lambda key: (key[2] != EVERY_REGION, key)):
        mine, theirs = stored_by_key.get(key, []), fresh_by_key.get(key, [])
        paid_before = stored_by_key.get(_everywhere(key), []) if key[2] != EVERY_REGION else []
        past = _over(mine, _uncovered(theirs, paid_before))
        rows = _joined([*_until(now, past), *_since(now, _over(theirs, mine))])
        if not mine and _all_said_by(merged.get(_everywhere(key), []), rows):
            rows = []
        merged[key] = rows
    return [row for key in sorted(merged) for row in merged[key]]


def overlaid(upper: Iterable[ModelPrice], lower: Iterable[ModelPrice]) -> list[ModelPrice]:
    """For each key the upper rows, and the lower ones where no upper row holds; in the order of the keys."""
    upper_by_key, lower_by_key = _by_key(upper), _by_key(lower)
    return [
        row
        for key in sorted(upper_by_key.keys() | lower_by_key.keys())
        for row in _joined(_over(upper_by_key.get(key, []), lower_by_key.get(key, [])))
    ]


def ended(rows: Iterable[ModelPrice], now: datetime) -> list[ModelPrice]:
    """The rows as far as they lie before `now`; an open row ends there."""
    return _until(now, rows)


def _by_key(rows: Iterable[ModelPrice]) -> Mapping[PriceKey, _Rows]:
    by_key: defaultdict[PriceKey, _Rows] = defaultdict(list)
    for row in rows:
        by_key[row.price_key].append(row)
    for group in by_key.values():
        group.sort(key=_start)
    return dict(by_key)


def _everywhere(key: PriceKey) -> PriceKey:
    """The same key for every Region; the key itself, which has no rows yet, when it is that already."""
    return (*key[:2], EVERY_REGION, *key[3:])


def _start(row: ModelPrice) -> datetime:
    return row.valid_from


def _end(row: ModelPrice) -> datetime:
    return row.valid_to or _FOREVER


def _part(row: ModelPrice, start: datetime, end: datetime) -> _Rows:
    """The row within the times, as a list of one or none."""
    start, end = max(row.valid_from, start), min(_end(row), end)
    if start >= end:
        return []
    if start == row.valid_from and end == _end(row):
        return [row]
    return [row.model_copy(update={"valid_from": start, "valid_to": None if end == _FOREVER else end})]


def _until(moment: datetime, rows: Iterable[ModelPrice]) -> _Rows:
    return [part for row in rows for part in _part(row, _ALWAYS, moment)]


def _since(moment: datetime, rows: Iterable[ModelPrice]) -> _Rows:
    return [part for row in rows for part in _part(row, moment, _FOREVER)]


def _over(upper: _Rows, lower: _Rows) -> _Rows:
    """The upper rows of a key, and the lower ones where there is none, by time."""
    return sorted([*upper, *_uncovered(lower, upper)], key=_start)


def _uncovered(rows: _Rows, covering: _Rows) -> _Rows:
    """The parts of the rows at times at which no covering row holds."""
    left = rows
    for cover in covering:
        left = [
            part
            for row in left
            for part in (*_part(row, _ALWAYS, cover.valid_from), *_part(row, _end(cover), _FOREVER))
        ]
    return left


def _joined(rows: _Rows) -> _Rows:
    """The rows with neighbours of one price made one, which keeps the source of the first."""
    joined: _Rows = []
    for row in rows:
        before = joined[-1] if joined else None
        if before and _end(before) == row.valid_from and _price(before) == _price(row):
            joined[-1] = before.model_copy(update={"valid_to": row.valid_to})
        else:
            joined.append(row)
    return joined


def _price(row: ModelPrice) -> tuple[object, ...]:
    return row.usd_per_million, row.context_threshold


def _all_said_by(everywhere: _Rows, rows: _Rows) -> bool:
    """Whether `*` has the same price as each row for all of the row's time."""
    return all(
        any(
            _price(one) == _price(row) and one.valid_from <= row.valid_from and _end(row) <= _end(one)
            for one in everywhere
        )
        for row in rows
    )
