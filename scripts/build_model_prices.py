"""Writes usage_pipeline/reference/model_prices.csv from LiteLLM's price file. For developers; nothing else runs it.

It needs the packages litellm and genai-prices, which the pipeline does not. Put them into an environment of their own,
and say where its packages are:

    python -m venv prices_env
    prices_env/bin/pip install --no-deps litellm==1.109.1
    prices_env/bin/pip install genai-prices==0.2.3
    .venv/bin/python scripts/build_model_prices.py --packages prices_env/lib/python3.11/site-packages --date 2026-11-20

LiteLLM's JSON gives the prices; genai-prices gives the days on which some of them began, and a few models more. The
rows of the file that is there stay as history: a price that is another now ends on the date given, and the new one
begins. To correct the past, delete the file first.

LiteLLM is MIT-licensed (its price file is outside `enterprise/`), genai-prices too; each row names its source.
"""

import argparse
import datetime as dt
import sys
from collections import Counter, defaultdict
from collections.abc import Iterable, Iterator, Mapping
from decimal import Decimal
from itertools import pairwise
from pathlib import Path
from typing import Any

from usage_pipeline.prices.history import merge_prices
from usage_pipeline.prices.litellm_json import read_litellm_prices
from usage_pipeline.prices.price_files import price_file_text, read_price_file
from usage_pipeline.prices.price_rows import EVERY_REGION, FIRST_MOMENT, ModelPrice
from usage_pipeline.reference import reference_path

LITELLM_FILE = "litellm/model_prices_and_context_window_backup.json"

MOST_BYTES = 1_000_000
"""The file is read in each run and is part of the package."""

GENAI_FIELDS = {
    "input": "input_mtok",
    "output": "output_mtok",
    "cache_read": "cache_read_mtok",
    "cache_write_5m": "cache_write_mtok",
    "cache_write_1h": "cache_write_1h_mtok",
}
"""The field of genai-prices for each kind of token; US dollars per million."""

PROFILE_PREFIXES = {"on_demand": "", "geo": "us.", "global": "global."}
"""What stands before a model id where genai-prices looks a price up."""


def main() -> None:
    """Read the arguments, write the file and say what is in it."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--packages", type=Path, required=True, help="folder with litellm and genai_prices")
    parser.add_argument("--date", type=dt.date.fromisoformat, required=True, help="UTC day on which the prices are new")
    arguments = parser.parse_args()
    out = reference_path("model_prices")
    label = f"LiteLLM {_version(arguments.packages, 'litellm')}, {arguments.date}"
    prices = read_litellm_prices((arguments.packages / LITELLM_FILE).read_text(encoding="utf-8"), label)
    rows = list(_with_genai_prices(prices.rows, arguments.packages))
    stored = read_price_file(out) if out.exists() else []
    merged = merge_prices(stored, rows, dt.datetime.combine(arguments.date, dt.time()))
    text = price_file_text(merged)
    if len(text.encode()) > MOST_BYTES:
        sys.exit(f"The file would have {len(text.encode()):,} bytes; allowed are {MOST_BYTES:,}.")
    out.write_text(text, encoding="utf-8")
    _report(out, stored, merged, prices.left_out)


def _report(out: Path, stored: list[ModelPrice], merged: list[ModelPrice], left_out: Mapping[str, str]) -> None:
    models = {row.model_id for row in merged}
    lines = [
        f"{out}: {len(merged):,} rows of {len(models)} models, {out.stat().st_size:,} bytes.",
        f"{len(set(merged) - set(stored)):,} rows are new or changed.",
        *(f"left out, {reason}: {count} keys" for reason, count in sorted(Counter(left_out.values()).items())),
    ]
    sys.stdout.write("\n".join(lines) + "\n")


def _version(packages: Path, name: str) -> str:
    """The version of an installed package, from the name of its .dist-info folder."""
    found = sorted(packages.glob(f"{name}-*.dist-info"))
    if not found:
        sys.exit(f"{packages} has no {name}; install it there, as --help says.")
    return found[-1].name.removeprefix(f"{name}-").removesuffix(".dist-info")


def _with_genai_prices(rows: Iterable[ModelPrice], packages: Path) -> Iterator[ModelPrice]:
    """The rows, with what genai-prices knows besides: what a model cost before, and models that are not among them.

    What a model cost before is taken where the two agree on today's price.
    """
    sys.path.append(str(packages))
    from genai_prices.data import providers

    label = f"genai-prices {_version(packages, 'genai_prices')}"
    aws = next(provider for provider in providers if provider.id == "aws")
    groups: defaultdict[tuple[str, str, str], list[ModelPrice]] = defaultdict(list)
    for row in rows:
        groups[row.model_id, row.endpoint_type, row.region].append(row)
    named: set[str] = set()
    for (model_id, endpoint_type, _), group in groups.items():
        model = aws.find_model(PROFILE_PREFIXES[endpoint_type] + model_id)
        periods = _periods(model.prices) if model is not None else []
        named |= {model.id} if model is not None else set()
        if len(periods) > 1 and _agree(group, periods[-1][1]):
            yield from _split(group, periods, f"{label}: {model.id}")
        else:
            yield from group
    for model in aws.models:
        if (
            model.id not in named
            and not isinstance(model.prices, list)
            and getattr(model.prices, "input_audio_mtok", None) is None
        ):
            yield from _rows_of(model, f"{label}: {model.id}")


def _rows_of(model: Any, source: str) -> Iterator[ModelPrice]:
    """The rows of a model that LiteLLM does not have; its id says whether the prices are of the global profile."""
    scope, _, rest = model.id.partition(".")
    endpoint_types = {"global": ("global",)}.get(scope, ("on_demand", "geo"))
    for endpoint_type in endpoint_types:
        for kind, field in GENAI_FIELDS.items():
            price = getattr(model.prices, field, None)
            if price is not None:
                yield ModelPrice(
                    model_id=rest if scope in ("global", "regional") else model.id,
                    endpoint_type=endpoint_type,
                    region=EVERY_REGION,
                    service_tier="default",
                    context_band="standard",
                    context_threshold=None,
                    token_kind=kind,
                    usd_per_million=price,
                    valid_from=FIRST_MOMENT,
                    valid_to=None,
                    source=source,
                )


def _periods(prices: Any) -> list[tuple[dt.datetime, Any]]:
    """Start and prices of each period that genai-prices knows; one without a list has no known start."""
    if not isinstance(prices, list):
        return []
    starts = [(getattr(price.constraint, "start_date", None), price.prices) for price in prices]
    return sorted(
        ((dt.datetime.combine(start, dt.time()) if start else FIRST_MOMENT, price) for start, price in starts),
        key=lambda period: period[0],
    )


def _quoted(prices: Any, row: ModelPrice) -> Decimal | None:
    """What genai-prices says for a row's kind and context band; None where it says nothing."""
    price = getattr(prices, GENAI_FIELDS.get(row.token_kind, ""), None)
    tiers = getattr(price, "tiers", None)
    if row.context_band == "long":
        return tiers[0].price if tiers else None
    return price if tiers is None else price.base


def _agree(group: list[ModelPrice], prices: Any) -> bool:
    plain = [row for row in group if row.service_tier == "default" and row.token_kind in GENAI_FIELDS]
    return all(_quoted(prices, row) == row.usd_per_million for row in plain)


def _split(group: list[ModelPrice], periods: list[tuple[dt.datetime, Any]], source: str) -> Iterator[ModelPrice]:
    """The rows of today from the last period's start on, and what the same kinds cost in each period before."""
    today = periods[-1][0]
    for row in group:
        yield row.model_copy(update={"valid_from": today, "source": f"{row.source}; since then by {source}"})
        for (start, prices), (end, _) in pairwise(periods):
            if (price := _quoted(prices, row)) is not None and row.service_tier == "default":
                update = {"usd_per_million": price, "valid_from": start, "valid_to": end, "source": source}
                yield row.model_copy(update=update)


if __name__ == "__main__":
    main()
