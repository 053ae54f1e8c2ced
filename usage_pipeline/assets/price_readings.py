"""Asks the sources of list prices, and says of each how it went. A source that fails costs no stored price.

Not here: what a source's format means (`prices/`), when it is asked and what follows (`raw_prices.py`).
"""

import datetime as dt
from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from usage_pipeline.assets.readings import ReadingStamp
from usage_pipeline.aws.access import AwsAccess
from usage_pipeline.aws.errors import AWS_ERRORS, ReadingError, ReadStatus, cut, shortfall_of
from usage_pipeline.aws.price_list import PRICING_REGION, list_products
from usage_pipeline.aws.sessions import counted_api_calls
from usage_pipeline.config_prices import PriceSettings
from usage_pipeline.downloads import DownloadError
from usage_pipeline.prices.litellm_json import PriceSourceError, read_litellm_prices
from usage_pipeline.prices.price_files import file_prices, snapshot_prices
from usage_pipeline.prices.price_list import SERVICE_CODES, read_price_list
from usage_pipeline.prices.price_rows import ModelPrice, Origin
from usage_pipeline.prices.product_names import ModelNames

MOST_EXAMPLES = 20
"""Products or keys without a price that the metadata shows for each reason."""


@dataclass(frozen=True)
class PriceReading:
    """How asking one source went. `rows` is None when it could not be read.

    `left_out` are names of what the source has and that gave no price, by reason.
    """

    source: Origin
    status: ReadStatus
    rows: Sequence[ModelPrice] | None
    error_text: str | None = None
    api_calls: int = 0
    left_out: Mapping[str, Sequence[str]] | None = None


def read_base(settings: PriceSettings) -> PriceReading:
    """The user's file, else the snapshot if the configuration has it among the sources, else nothing.

    Raises:
        ReferenceDataError: the file has something that is not allowed.
    """
    if settings.file is not None:
        return _read("file", file_prices(settings.file))
    has_snapshot = any(source.name == "snapshot" for source in settings.sources)
    return _read("snapshot", snapshot_prices() if has_snapshot else [])


def read_litellm(address: str, now: dt.datetime, download: Callable[[str], str]) -> PriceReading:
    """LiteLLM's JSON at the address."""
    try:
        prices = read_litellm_prices(download(address), f"LiteLLM JSON, {now.date()}")
    except (DownloadError, PriceSourceError) as error:
        return PriceReading(
            "litellm_json", "failed", None, cut(f"{address}: {str(error).removeprefix(f'{address}: ')}")
        )
    return _read("litellm_json", prices.rows, left_out=_by_reason((why, key) for key, why in prices.left_out.items()))


def read_aws_price_list(
    aws: AwsAccess, names: ModelNames, thresholds: Mapping[str, int], now: dt.datetime
) -> PriceReading:
    """AWS's Price List, asked with the credentials of the first account that can be reached."""
    with counted_api_calls() as calls:
        try:
            client = _pricing_client(aws)
            products = [product for code in SERVICE_CODES for product in list_products(client, code)]
        except AWS_ERRORS as error:
            shortfall = shortfall_of(error)
            return PriceReading("aws_price_list", shortfall.status, None, shortfall.text, calls.count)
    prices = read_price_list(products, names, thresholds, f"AWS Price List, {now.date()}")
    left_out = _by_reason((product.reason, product.name) for product in prices.unmapped)
    return _read("aws_price_list", prices.rows, calls.count, left_out)


def _pricing_client(aws: AwsAccess) -> Any:
    resolved = aws.resolved
    scope = next((scope for scope in resolved.scopes if scope.aws_partition == "aws"), None)
    if scope is None:
        raise ReadingError("GetProducts: no configured account in the partition aws could be reached to ask with.")
    return resolved.session(scope).client("pricing", PRICING_REGION)


def _read(
    source: Origin,
    rows: Sequence[ModelPrice],
    api_calls: int = 0,
    left_out: Mapping[str, Sequence[str]] | None = None,
) -> PriceReading:
    return PriceReading(source, "ok" if rows else "empty", rows, None, api_calls, left_out)


def _by_reason(pairs: Iterable[tuple[str, str]]) -> dict[str, list[str]]:
    """Names by reason, from pairs of both."""
    by_reason: dict[str, list[str]] = {}
    for reason, name in pairs:
        by_reason.setdefault(reason, []).append(name)
    return by_reason


def status_rows(stamp: ReadingStamp, readings: Sequence[PriceReading]) -> list[dict[str, Any]]:
    """Rows of `ops.source_status`, one for each source, which stands where the account's name does: there is none."""
    return [
        {
            "account_id": None,
            "account_name": reading.source,
            "region": None,
            "source": stamp.source,
            "partition_date": stamp.finished_at.date(),
            "status": reading.status,
            "error_text": reading.error_text,
            "row_count": None if reading.rows is None else len(reading.rows),
            "covered_until": None,
            "resolution_seconds": None,
            "api_calls": reading.api_calls,
            "run_id": stamp.run_id,
            "finished_at": stamp.finished_at,
        }
        for reading in readings
    ]


def readings_table(readings: Sequence[PriceReading]) -> str:
    """The readings as a Markdown table."""
    lines = ["| source | status | rows | calls | error |", "|---|---|--:|--:|---|"]
    lines += [
        f"| {reading.source} | {reading.status} | {'' if reading.rows is None else len(reading.rows)} | "
        f"{reading.api_calls} | {(reading.error_text or '').replace('|', '/')} |"
        for reading in readings
    ]
    return "\n".join(lines)


def left_out_by_source(readings: Sequence[PriceReading]) -> dict[str, dict[str, dict[str, Any]]]:
    """What gave no price, by source and reason: how much, and the first names."""
    return {
        reading.source: {
            reason: {"count": len(names), "examples": list(names[:MOST_EXAMPLES])}
            for reason, names in sorted(reading.left_out.items())
        }
        for reading in readings
        if reading.left_out
    }
