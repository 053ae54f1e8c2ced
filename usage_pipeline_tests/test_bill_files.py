"""Files of a cost and usage report: every line of Bedrock counts once, and what cannot be used is told."""

import csv
import gzip
import io
import json
from collections.abc import Mapping, Sequence
from datetime import date
from decimal import Decimal
from pathlib import Path
from typing import Any

import duckdb
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from usage_pipeline.bill_files import NEEDED_COLUMNS, BillError, read_bill

LINE = {
    "bill_billing_period_start_date": "2026-11-01T00:00:00.000Z",
    "bill_payer_account_id": "000011112222",
    "line_item_usage_account_id": "012345678901",
    "line_item_usage_start_date": "2026-11-14T05:00:00.000Z",
    "line_item_line_item_type": "Usage",
    "line_item_product_code": "AmazonBedrock",
    "line_item_usage_type": "USE1-NovaLite-input-tokens",
    "line_item_usage_amount": "1000",
    "line_item_unblended_cost": "0.06",
    "product_region_code": "us-east-1",
}
EDITION = json.dumps({"product_name": "Claude Sonnet 4.5 (Amazon Bedrock Edition)", "region": "us-east-1"})


def write_csv(path: Path, lines: Sequence[Mapping[str, str]], columns: Sequence[str] | None = None) -> Path:
    path.parent.mkdir(parents=True, exist_ok=True)
    text = io.StringIO(newline="")
    writer = csv.DictWriter(text, columns or list(lines[0]), extrasaction="ignore")
    writer.writeheader()
    writer.writerows(lines)
    content = text.getvalue().encode()
    path.write_bytes(gzip.compress(content) if path.name.endswith(".gz") else content)
    return path


def read(folder: Path) -> list[dict[str, Any]]:
    return read_bill(str(folder / "**" / "*.*")).rows.to_pylist()


def usd(folder: Path) -> list[Decimal]:
    return [row["billed_usd"] for row in read(folder)]


# What is read


def test_lines_of_the_same_day_and_use_are_added_up(tmp_path: Path) -> None:
    hours = [{**LINE, "line_item_usage_start_date": f"2026-11-14T{hour:02d}:00:00.000Z"} for hour in range(24)]
    write_csv(tmp_path / "bill.csv", hours)
    assert read(tmp_path) == [
        {
            "billing_month": date(2026, 11, 1),
            "payer_account_id": "000011112222",
            "usage_date": date(2026, 11, 14),
            "account_id": "012345678901",
            "region": "us-east-1",
            "product_code": "AmazonBedrock",
            "product_name": None,
            "usage_type": "USE1-NovaLite-input-tokens",
            "resource_id": None,
            "line_type": "Usage",
            "unit": None,
            "usage_amount": Decimal(24000),
            "billed_usd": Decimal("1.44"),
        }
    ]


@pytest.mark.parametrize(
    "other",
    [
        {"bill_billing_period_start_date": "2026-12-01T00:00:00.000Z"},
        {"bill_payer_account_id": "999900001111"},
        {"line_item_usage_start_date": "2026-11-15T00:00:00.000Z"},
        {"line_item_usage_account_id": "444455556666"},
        {"product_region_code": "eu-west-1"},
        {"line_item_product_code": "AmazonBedrockService"},
        {"line_item_usage_type": "USE1-NovaLite-output-tokens"},
        {"line_item_resource_id": "arn:aws:bedrock:us-east-1:012345678901:application-inference-profile/abc"},
        {"line_item_line_item_type": "EdpDiscount"},
        {"pricing_unit": "1M tokens"},
        {"product": EDITION},
    ],
    ids=lambda other: next(iter(other)),
)
def test_lines_that_differ_in_one_of_these_stay_apart(tmp_path: Path, other: dict[str, str]) -> None:
    both = {**LINE, "line_item_resource_id": "", "pricing_unit": "1K tokens", "product": "{}"}
    write_csv(tmp_path / "bill.csv", [both, {**both, **other}])
    assert usd(tmp_path) == [Decimal("0.06"), Decimal("0.06")]


@pytest.mark.parametrize(
    ("values", "is_bedrock"),
    [
        ({"line_item_product_code": "AmazonBedrockFoundationModels"}, True),
        ({"line_item_product_code": "AmazonBedrockAgentCore"}, True),
        ({"line_item_product_code": "4abc9", "product_servicecode": "AmazonBedrockService"}, True),
        ({"line_item_product_code": "4abc9", "product": EDITION}, True),
        ({"line_item_product_code": "4abc9", "product": "{}"}, False),
        ({"line_item_product_code": "AmazonEC2", "product": "no JSON"}, False),
        ({"line_item_product_code": "AmazonEC2", "line_item_unblended_cost": "what?"}, False),
    ],
)
def test_only_lines_of_bedrock_count(tmp_path: Path, values: dict[str, str], is_bedrock: bool) -> None:
    write_csv(tmp_path / "bill.csv", [{**LINE, **values}])
    assert len(read(tmp_path)) == is_bedrock


def test_every_chunk_counts_whatever_its_format_and_columns(tmp_path: Path) -> None:
    folder = tmp_path / "BILLING_PERIOD=2026-11"
    write_csv(folder / "bill-00001.csv.gz", [LINE, LINE])
    write_csv(folder / "bill-00002.csv.gz", [LINE])
    write_csv(folder / "bill-00003.csv", [{"extra": 'a "b",\nc', **LINE}], ["extra", *reversed(LINE)])
    values = ", ".join(f"'{value}' as {name}" for name, value in LINE.items() if not name.endswith(("_cost", "_date")))
    duckdb.sql(
        f"""
        copy (
            select
                {values},
                timestamp '2026-11-01' as bill_billing_period_start_date,
                timestamptz '2026-11-14 23:30:00+00' as line_item_usage_start_date,
                0.06::double as line_item_unblended_cost,
                map {{'product_name': 'Amazon Bedrock'}} as product,
        ) to '{folder}/bill-00004.snappy.parquet'
        """
    )
    found = read(tmp_path)
    assert sum(row["billed_usd"] for row in found) == Decimal("0.30")
    assert {row["usage_date"] for row in found} == {date(2026, 11, 14)}
    assert {row["product_name"] for row in found} == {None, "Amazon Bedrock"}


@pytest.mark.parametrize(
    ("written", "expected"),
    [("1.2E-7", "0.00000012"), ("0.0000000001", "0.0000000001"), ("-3.5", "-3.5"), ("123456789.123", "123456789.123")],
)
def test_amounts_are_read_exactly(tmp_path: Path, written: str, expected: str) -> None:
    write_csv(tmp_path / "bill.csv", [{**LINE, "line_item_unblended_cost": written}])
    assert usd(tmp_path) == [Decimal(expected)]


@settings(max_examples=20, deadline=None)
@given(amounts=st.lists(st.decimals(-(10**6), 10**6, places=10), min_size=1, max_size=20), chunks=st.integers(1, 4))
def test_the_sum_of_all_rows_is_the_sum_of_all_lines(
    tmp_path_factory: pytest.TempPathFactory, amounts: list[Decimal], chunks: int
) -> None:
    folder = tmp_path_factory.mktemp("bill")
    for chunk in range(chunks):
        lines = [{**LINE, "line_item_unblended_cost": str(amount)} for amount in amounts[chunk::chunks]]
        write_csv(folder / f"{chunk}.csv", lines, list(LINE))
    assert sum(usd(folder)) == sum(amounts)


def test_a_region_that_only_the_resource_names_is_taken_from_it(tmp_path: Path) -> None:
    arn = "arn:aws:bedrock:eu-west-1:012345678901:application-inference-profile/abc"
    write_csv(tmp_path / "bill.csv", [{**LINE, "product_region_code": "", "line_item_resource_id": arn}])
    assert [(row["region"], row["resource_id"]) for row in read(tmp_path)] == [("eu-west-1", arn)]


def test_a_tax_has_no_region_usage_type_or_amount(tmp_path: Path) -> None:
    nothing = dict.fromkeys(("product_region_code", "line_item_usage_type", "line_item_usage_amount"), "")
    write_csv(tmp_path / "bill.csv", [{**LINE, **nothing, "line_item_line_item_type": "Tax"}])
    (row,) = read(tmp_path)
    assert (row["region"], row["usage_type"], row["usage_amount"], row["line_type"]) == (None, None, None, "Tax")


# What cannot be used


def refused(folder: Path, pattern: str = "**/*.*") -> str:
    with pytest.raises(BillError) as caught:
        read_bill(str(folder / pattern))
    return str(caught.value).replace(str(folder), "FOLDER")


def test_files_that_are_not_there_or_no_export_are_told(tmp_path: Path) -> None:
    assert refused(tmp_path, "*.csv") == (
        "FOLDER/*.csv: no file fits; allowed: files of the export, with * for what differs."
    )
    (tmp_path / "manifest.json").write_text("{}", encoding="utf-8")
    assert refused(tmp_path) == (
        "FOLDER/manifest.json: is no file of an export; allowed: names that end with .csv, .csv.gz or .parquet."
    )


@pytest.mark.parametrize("name", ["bill.csv.gz", "bill.parquet"])
def test_a_damaged_file_is_told(tmp_path: Path, name: str) -> None:
    (tmp_path / name).write_bytes(b"no such thing")
    assert refused(tmp_path).startswith(f"FOLDER/{name}: cannot be read: ")


def test_a_file_that_ends_early_is_told_and_nothing_of_it_counts(tmp_path: Path) -> None:
    path = write_csv(tmp_path / "bill.csv.gz", [{**LINE, "line_item_usage_type": f"T{n}"} for n in range(5000)])
    path.write_bytes(path.read_bytes()[:-2000])
    assert refused(tmp_path).startswith("FOLDER/**/*.*: the export cannot be read: ")


@pytest.mark.parametrize("missing", NEEDED_COLUMNS)
def test_a_needed_column_that_is_missing_is_told(tmp_path: Path, missing: str) -> None:
    write_csv(tmp_path / "good.csv", [LINE])
    write_csv(tmp_path / "short.csv", [LINE], [name for name in LINE if name != missing])
    assert refused(tmp_path) == (
        f"FOLDER/short.csv: has no column {missing}; allowed: a CUR 2.0 export with {', '.join(NEEDED_COLUMNS)}."
    )


def test_a_column_that_is_there_twice_is_told(tmp_path: Path) -> None:
    (tmp_path / "bill.csv").write_text(",".join([*LINE, "product_region_code"]) + "\n", encoding="utf-8")
    assert refused(tmp_path) == "FOLDER/bill.csv: has the column product_region_code twice; allowed: each column once."


@pytest.mark.parametrize(
    ("name", "value", "said"),
    [
        ("bill_billing_period_start_date", "November", "read 'November'; allowed: a day such as 2026-11-01."),
        ("line_item_usage_start_date", "", "read nothing; allowed: a day such as 2026-11-14."),
        ("line_item_usage_account_id", "12345678901", "read '12345678901'; allowed: twelve digits."),
        ("line_item_line_item_type", "", "read nothing; allowed: a type such as Usage."),
        ("line_item_unblended_cost", "1,5", "read '1,5'; allowed: an amount of US dollars."),
        ("line_item_unblended_cost", "", "read nothing; allowed: an amount of US dollars."),
        ("line_item_usage_amount", "many", "read 'many'; allowed: a number, or nothing."),
        ("line_item_currency_code", "EUR", "read 'EUR'; allowed: USD, in which prices are."),
    ],
)
def test_a_wrong_value_is_told_with_file_and_column(tmp_path: Path, name: str, value: str, said: str) -> None:
    write_csv(tmp_path / "bill.csv", [{**LINE, "line_item_currency_code": "USD", name: value}])
    assert refused(tmp_path) == f"FOLDER/bill.csv: {name}: {said}"


def test_a_long_value_is_cut(tmp_path: Path) -> None:
    write_csv(tmp_path / "bill.csv", [{**LINE, "line_item_unblended_cost": "x" * 10_000}])
    assert len(refused(tmp_path)) < 500


def test_a_month_that_is_there_twice_is_refused_and_two_payers_are_not(tmp_path: Path) -> None:
    for folder in ("first", "second"):
        write_csv(tmp_path / folder / "bill.csv", [LINE])
    assert refused(tmp_path) == (
        "The bill of 2026-11 lies in FOLDER/first and in FOLDER/second; allowed: one folder, because each delivery "
        "holds the whole month. Let the export overwrite its files, or name one folder."
    )
    write_csv(tmp_path / "second" / "bill.csv", [{**LINE, "bill_payer_account_id": "999900001111"}])
    assert usd(tmp_path) == [Decimal("0.06"), Decimal("0.06")]
