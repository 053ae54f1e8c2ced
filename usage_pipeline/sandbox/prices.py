"""The sandbox's own prices, and what each request costs by them.

Here: `prices.csv` beside this module (invented, plausible), its change inside the window, exact costs. Not here: the
truth's tables (`truth.py`).
"""

import csv
from collections import defaultdict
from collections.abc import Iterator
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from decimal import Decimal
from pathlib import Path
from typing import Any

import numpy as np
import numpy.typing as npt

from usage_pipeline.sandbox.options import SandboxOptions
from usage_pipeline.sandbox.organisation import Caller, csv_rows
from usage_pipeline.sandbox.traffic import SUCCESS, Requests

Array = npt.NDArray[Any]

PRICES_FILE = "prices.csv"

_CHANGE = "{price_change}"
_CHANGES_AT = timedelta(hours=-24 + 9, minutes=20)
"""When a price changes, counted from the midnight before `end`: in the middle of an hour with much traffic."""

_DEFAULT_TIER = "default"
_NO_PRICE = -1
_FOREVER = 2**62


def price_change(options: SandboxOptions) -> datetime:
    """The moment at which one model becomes cheaper, UTC."""
    return options.end.replace(hour=0, minute=0) + _CHANGES_AT


def write_prices(path: Path, options: SandboxOptions) -> None:
    """Write the price table of this sandbox, a CSV with the columns of raw.model_prices; replaces the file."""
    rows = list(price_rows(options))
    with path.open("w", encoding="utf-8", newline="") as file:
        writer = csv.DictWriter(file, rows[0].keys(), lineterminator="\n")
        writer.writeheader()
        writer.writerows(rows)


def price_rows(options: SandboxOptions) -> Iterator[dict[str, str]]:
    """The rows of the price table, with the moment of the change filled in."""
    moment = f"{price_change(options):%Y-%m-%dT%H:%M:%SZ}"
    for row in csv_rows(PRICES_FILE):
        yield {name: value.replace(_CHANGE, moment) for name, value in row.items()}


@dataclass(frozen=True)
class Costs:
    """One element per request, in 10^-12 US dollars by kind of token; `is_priced` where every kind has a price.

    All are 0 where the request failed or has no price.
    """

    input: Array
    output: Array
    cache_read: Array
    cache_write: Array
    is_priced: Array

    @property
    def total(self) -> Array:
        """The sum of all kinds."""
        return self.input + self.output + self.cache_read + self.cache_write


# (model, endpoint type, Region, tier, band, kind) to its prices: from, to (ms since 1970), 10^-12 dollars a token.
_Key = tuple[str, str, str, str, str, str]
_Table = dict[_Key, list[tuple[int, int, int]]]


def costs_of(requests: Requests, options: SandboxOptions) -> Costs:
    """What each request costs at the price of its moment."""
    table, thresholds = _price_table(options)
    tokens = {
        "input": requests.input_tokens,
        "output": requests.output_tokens,
        "cache_read": requests.cache_read,
        "cache_write_5m": requests.cache_write_5m,
        "cache_write_1h": requests.cache_write_1h,
    }
    costs = {kind: np.zeros(len(requests), np.int64) for kind in tokens}
    is_priced = np.ones(len(requests), bool)
    prompt = requests.input_tokens.astype(np.int64) + requests.cache_read + requests.cache_write
    order = np.argsort(requests.caller, kind="stable")
    ends = np.searchsorted(requests.caller[order], np.arange(len(requests.callers)), side="right")
    for caller, rows in zip(requests.callers, np.split(order, ends[:-1]), strict=True):
        answered = rows[requests.error[rows] == SUCCESS]
        threshold = thresholds.get(_model_key(caller))
        is_long = prompt[answered] > threshold if threshold else np.zeros(len(answered), bool)
        for band, part in (("standard", answered[~is_long]), ("long", answered[is_long])):
            for kind, counts in tokens.items():
                price = _prices_at(table, caller, band, kind, requests.ts[part])
                costs[kind][part] = np.where(price == _NO_PRICE, 0, counts[part] * price)
                is_priced[part] &= (price != _NO_PRICE) | (counts[part] == 0)
    known = {kind: np.where(is_priced, cost, 0) for kind, cost in costs.items()}
    return Costs(
        input=known["input"],
        output=known["output"],
        cache_read=known["cache_read"],
        cache_write=known["cache_write_5m"] + known["cache_write_1h"],
        is_priced=is_priced,
    )


def _model_key(caller: Caller) -> tuple[str, str, str]:
    return caller.called.model_id, caller.called.endpoint_type, caller.service_tier or _DEFAULT_TIER


def _price_table(options: SandboxOptions) -> tuple[_Table, dict[tuple[str, str, str], int]]:
    """Prices by key, and the prompt's length above which a model, endpoint type and tier has long prices."""
    table: _Table = defaultdict(list)
    thresholds: dict[tuple[str, str, str], int] = {}
    for row in price_rows(options):
        model, endpoint, tier = row["model_id"], row["endpoint_type"], row["service_tier"]
        key = (model, endpoint, row["region"], tier, row["context_band"], row["token_kind"])
        price = int(Decimal(row["usd_per_million"]).scaleb(6))
        table[key].append((_milliseconds(row["valid_from"]), _milliseconds(row["valid_to"]), price))
        if row["context_band"] == "long":
            thresholds[model, endpoint, tier] = int(row["context_threshold"])
    return table, thresholds


def _milliseconds(text: str) -> int:
    return int(datetime.fromisoformat(text).replace(tzinfo=UTC).timestamp()) * 1000 if text else _FOREVER


def _prices_at(table: _Table, caller: Caller, band: str, kind: str, ts: Array) -> Array:
    """The price at each moment; a row for the caller's Region goes before one for every Region."""
    model, endpoint, tier = _model_key(caller)
    price = np.full(len(ts), _NO_PRICE, np.int64)
    for region in ("*", caller.region):
        for start, end, found in table.get((model, endpoint, region, tier, band, kind), ()):
            price[(ts >= start) & (ts < end)] = found
    return price
