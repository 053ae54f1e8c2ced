"""What AWS bills the simulated organisation: a cost and usage report as Data Exports writes it, from the truth.

It charges every request that has a price, logged or not, so it agrees with costs that are computed from whole logs,
but for what is planned: a discount on one model that nobody has told the pipeline, a usage type of another product, and
a tax. Both lifetimes of cache writes are one usage type. Not here: what a request costs (`prices.py`).
"""

import csv
import gzip
import io
import re
from collections import defaultdict
from collections.abc import Iterable, Iterator
from datetime import date
from decimal import Decimal
from pathlib import Path

import duckdb

from usage_pipeline.sandbox.organisation import ACCOUNTS, models

BILL_FOLDER = "bill"
BILL_FILES = f"{BILL_FOLDER}/BILLING_PERIOD=*/*.csv.gz"
"""The files of the bill in the sandbox's folder, as `bill.files` names them."""

DISCOUNTED_MODEL = "anthropic.claude-sonnet-4-5-20250929-v1:0"
DISCOUNT = Decimal("0.09")
"""What AWS takes off the list price of that model."""

GUARDRAIL = "USE1-Guardrail-ContentPolicyUnitsConsumed"
"""A usage type of Bedrock that is for no tokens."""

LINES_IN_A_FILE = 5000

BILLED = """
    create table billed as
    with kinds as (
        select
            ts::date as usage_date,
            account_id,
            region,
            model_id,
            endpoint_type,
            coalesce(service_tier, 'default') as service_tier,
            if(profile_kind = 'application', profile_id, null) as profile_id,
            unnest(['input', 'output', 'cache_read', 'cache_write']) as token_kind,
            unnest([input_cost, output_cost, cache_read_cost, cache_write_cost]) as picodollars,
            unnest([
                input_tokens, output_tokens, cache_read_tokens, cache_write_5m_tokens + cache_write_1h_tokens
            ]::bigint[]) as tokens,
        from facts
        where error_code is null and cost_usd is not null
    )

    select
        * exclude (picodollars, tokens),
        sum(tokens)::bigint as tokens,
        sum(picodollars)::decimal(38, 0) * 0.000000000001 as billed_usd,
    from kinds
    where tokens > 0
    group by all
    order by all
"""
"""Truth.billed: a row per day, account, Region, model, endpoint type, tier, application profile and kind of token."""

_COLUMNS: tuple[str, ...] = (
    "identity_line_item_id",
    "bill_billing_period_start_date",
    "bill_payer_account_id",
    "line_item_usage_account_id",
    "line_item_usage_start_date",
    "line_item_line_item_type",
    "line_item_product_code",
    "line_item_usage_type",
    "line_item_resource_id",
    "line_item_usage_amount",
    "line_item_currency_code",
    "line_item_unblended_cost",
    "pricing_unit",
    "product",
    "product_region_code",
    "product_servicecode",
)
_REGION_CODES = {"us-east-1": "USE1", "eu-west-1": "EUW1", "ap-northeast-1": "APN1"}
_SOLD_IN_MARKETPLACE = ("Anthropic", "Cohere", "Writer")
_WORDS = {
    "input": "InputTokenCount",
    "output": "OutputTokenCount",
    "cache_read": "CacheReadInputTokenCount",
    "cache_write": "CacheWriteInputTokenCount",
}
_SEGMENTS = {
    "input": "input-tokens",
    "output": "output-tokens",
    "cache_read": "cache-read-input-token-count",
    "cache_write": "cache-write-input-token-count",
}

_Line = dict[str, str]


def write_bill(folder: Path, truth: Path) -> None:
    """Write the export's files under the folder, a folder for each month, from the table `billed` of the truth.

    Files of an earlier sandbox in the same place go, because each of them would count.
    """
    for old in folder.glob(BILL_FILES):
        old.unlink()
    with duckdb.connect(str(truth), read_only=True) as con:
        cursor = con.execute("select * from billed order by all")
        names = [column[0] for column in cursor.description or []]
        rows = [dict(zip(names, row, strict=True)) for row in cursor.fetchall()]
    by_month: defaultdict[str, list[_Line]] = defaultdict(list)
    for line in _lines(rows):
        by_month[line["bill_billing_period_start_date"][:7]].append(line)
    for month, lines in by_month.items():
        path = folder / BILL_FOLDER / f"BILLING_PERIOD={month}"
        path.mkdir(parents=True, exist_ok=True)
        for number, first in enumerate(range(0, len(lines), LINES_IN_A_FILE), 1):
            _write_file(path / f"bill-{number:05d}.csv.gz", lines[first : first + LINES_IN_A_FILE])


def _write_file(path: Path, lines: Iterable[_Line]) -> None:
    text = io.StringIO(newline="")
    writer = csv.DictWriter(text, _COLUMNS, restval="")
    writer.writeheader()
    writer.writerows(lines)
    path.write_bytes(gzip.compress(text.getvalue().encode(), compresslevel=1, mtime=0))


def _lines(rows: Iterable[dict[str, object]]) -> Iterator[_Line]:
    """The lines of use, discounts, and what is planned beside them, each with its number as id."""
    made = [line for row in rows for line in _lines_of_use(row)]
    made += [line for day in sorted({line["line_item_usage_start_date"] for line in made}) for line in _others(day)]
    for number, line in enumerate(made, 1):
        yield {"identity_line_item_id": f"line-{number:08d}", **line}


def _lines_of_use(row: dict[str, object]) -> Iterator[_Line]:
    model_id, region, account_id = str(row["model_id"]), str(row["region"]), str(row["account_id"])
    usd = Decimal(str(row["billed_usd"]))
    line = _line(f"{row['usage_date']}T00:00:00.000Z", account_id, _usage_type(row), usd)
    if row["profile_id"]:
        resource = f"application-inference-profile/{row['profile_id']}"
        line["line_item_resource_id"] = f"arn:aws:bedrock:{region}:{account_id}:{resource}"
    model = models()[model_id]
    if model.provider in _SOLD_IN_MARKETPLACE:
        line["line_item_product_code"] = line["product_servicecode"] = "AmazonBedrockFoundationModels"
        line["product"] = f'{{"product_name": "{model.name} (Amazon Bedrock Edition)"}}'
    line |= {
        "line_item_usage_amount": _written(Decimal(str(row["tokens"])) / 1000),
        "pricing_unit": "1K tokens",
        "product_region_code": region,
    }
    yield line
    if model_id == DISCOUNTED_MODEL:
        taken_off = {"line_item_line_item_type": "EdpDiscount", "line_item_unblended_cost": _written(-usd * DISCOUNT)}
        yield {**line, **taken_off}


def _others(day: str) -> Iterator[_Line]:
    account_id = next(iter(ACCOUNTS))
    yield {**_line(day, account_id, GUARDRAIL, Decimal("0.75")), "product_region_code": "us-east-1"}
    yield {**_line(day, account_id, "", Decimal("2.5")), "line_item_line_item_type": "Tax"}
    other = {"line_item_product_code": "AmazonEC2", "product_servicecode": "AmazonEC2", "product": "{}"}
    yield {**_line(day, account_id, "BoxUsage:m7i.large", Decimal("2.4192")), **other}


def _line(start: str, account_id: str, usage_type: str, usd: Decimal) -> _Line:
    month = date.fromisoformat(start[:10]).replace(day=1)
    return {
        "bill_billing_period_start_date": f"{month}T00:00:00.000Z",
        "bill_payer_account_id": next(iter(ACCOUNTS)),
        "line_item_usage_account_id": account_id,
        "line_item_usage_start_date": start,
        "line_item_line_item_type": "Usage",
        "line_item_product_code": "AmazonBedrock",
        "line_item_usage_type": usage_type,
        "line_item_currency_code": "USD",
        "line_item_unblended_cost": _written(usd),
        "product": '{"product_name": "Amazon Bedrock"}',
        "product_servicecode": "AmazonBedrock",
    }


def _usage_type(row: dict[str, object]) -> str:
    """The usage type of a row of `billed`. Geo profiles of models on demand are billed like their Region."""
    code, kind, tier = _REGION_CODES[str(row["region"])], str(row["token_kind"]), str(row["service_tier"])
    model = models()[str(row["model_id"])]
    is_global = row["endpoint_type"] == "global"
    if model.provider in _SOLD_IN_MARKETPLACE:
        if tier == "default":
            return f"{code}-MP:{code}_{_WORDS[kind]}{'_Global' if is_global else ''}-Units"
        return f"{code}-MP:{code}_{kind}_tokens{'_global' if is_global else ''}_{tier}-Units"
    words = re.sub(r"[^A-Za-z0-9.]+", "-", model.name).strip("-")
    tier_words = "" if tier == "default" else f"-{tier}"
    scope = f"-cross-region-{row['endpoint_type']}" if is_global or _has_geo_price(row) else ""
    return f"{code}-{words}-{_SEGMENTS[kind]}{tier_words}{scope}"


def _has_geo_price(row: dict[str, object]) -> bool:
    """Whether AWS bills geo profiles of the model apart: those of models that are on demand nowhere."""
    return row["endpoint_type"] == "geo" and not models()[str(row["model_id"])].on_demand


def _written(amount: Decimal) -> str:
    """With ten digits after the point, as AWS writes amounts."""
    return format(amount.quantize(Decimal("0.0000000001")), "f")
