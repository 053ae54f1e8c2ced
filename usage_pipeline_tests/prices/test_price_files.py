"""Price files are read exactly, and what is wrong in one is told with file, line, column and what is allowed."""

import datetime as dt
from decimal import Decimal
from pathlib import Path

import pytest

from usage_pipeline.partitions import FIRST_DAY
from usage_pipeline.prices.overrides import PriceOverride
from usage_pipeline.prices.price_files import file_prices, price_file_text, read_price_file, read_price_overrides
from usage_pipeline.prices.price_rows import FIRST_MOMENT, ModelPrice
from usage_pipeline.raw_tables import MODEL_PRICES, PRICE_OVERRIDES
from usage_pipeline.reference import REFERENCE_FOLDER, ReferenceDataError
from usage_pipeline_tests.prices.factory import at, price

PRICES = (
    "model_id,endpoint_type,region,service_tier,context_band,context_threshold,token_kind,usd_per_million,valid_from,"
    "valid_to,source\n"
)
OVERRIDES = "model_pattern,endpoint_type,token_kind,usd_per_million,discount_percent,valid_from,valid_to,entered_by\n"
NOVA = "amazon.nova-lite-v1:0,geo,*,default,standard,,input"


def write(folder: Path, text: str, name: str = "prices.csv") -> Path:
    path = folder / name
    path.write_text(text, encoding="utf-8")
    return path


def test_the_columns_are_those_of_the_tables() -> None:
    assert list(ModelPrice.model_fields) == [column.name for column in MODEL_PRICES.columns]
    assert list(PriceOverride.model_fields) == [column.name for column in PRICE_OVERRIDES.columns]


def test_prices_begin_when_there_can_be_usage() -> None:
    assert dt.datetime.combine(FIRST_DAY, dt.time()) == FIRST_MOMENT


def test_a_row_is_read_as_it_is_written(tmp_path: Path) -> None:
    long = "acme.a-v1:0,on_demand,us-gov-west-1,flex,long,200000,cache_write_1h"
    text = f"{PRICES}{long},0.000001,2026-01-01,2026-06-01T09:30:00+09:00,a contract\n"
    assert read_price_file(write(tmp_path, text)) == [
        ModelPrice(
            model_id="acme.a-v1:0",
            endpoint_type="on_demand",
            region="us-gov-west-1",
            service_tier="flex",
            context_band="long",
            context_threshold=200_000,
            token_kind="cache_write_1h",
            usd_per_million=Decimal("0.000001"),
            valid_from=at("2026-01-01"),
            valid_to=at("2026-06-01T00:30"),
            source="a contract",
        )
    ]


def test_a_file_that_excel_saved_is_read(tmp_path: Path) -> None:
    path = tmp_path / "prices.csv"
    path.write_text(f"{PRICES}{NOVA},0.06,2026-01-01,,a list\n", encoding="utf-8-sig", newline="\r\n")
    assert [row.usd_per_million for row in read_price_file(path)] == [Decimal("0.06")]


def test_what_is_written_is_read_back(tmp_path: Path) -> None:
    rows = [price("0.060000", end="2026-01-01T10:00"), price(10, "2026-01-01T10:00", source='says "so", twice')]
    text = price_file_text(reversed(rows))
    assert text == (
        f"{PRICES}{NOVA},0.06,2023-09-28,2026-01-01T10:00:00Z,a list\n"
        f'{NOVA},10,2026-01-01T10:00:00Z,,"says ""so"", twice"\n'
    )
    assert read_price_file(write(tmp_path, text)) == rows


def test_a_users_row_says_which_file_it_is_from(tmp_path: Path) -> None:
    path = write(tmp_path, f"{PRICES}{NOVA},0.06,2026-01-01,,LiteLLM JSON of May\n", "mine.csv")
    assert [(row.source, row.origin) for row in file_prices(path)] == [("file mine.csv: LiteLLM JSON of May", "file")]


@pytest.mark.parametrize(
    ("source", "origin"),
    [
        ("LiteLLM 1.109.1, 2026-11-20: us.amazon.nova-lite-v1:0", "snapshot"),
        ("genai-prices 0.2.3: regional.openai.gpt-5.6-sol", "snapshot"),
        ("LiteLLM JSON, 2026-11-20: us.amazon.nova-lite-v1:0", "litellm_json"),
        ("AWS Price List, 2026-11-20: USE1-NovaLite-input-tokens (ABC)", "aws_price_list"),
    ],
)
def test_a_source_says_where_a_stored_price_came_from(source: str, origin: str) -> None:
    assert price(1, source=source).origin == origin


PRICE_PLACE = "prices.csv, line 2, column"


@pytest.mark.parametrize(
    ("row", "message"),
    [
        (
            "acme.a,regional,*,default,standard,,input,1,2026-01-01,,x",
            f"{PRICE_PLACE} endpoint_type: read 'regional'; allowed is on_demand, geo or global.",
        ),
        (
            "acme.a,geo,useast1,default,standard,,input,1,2026-01-01,,x",
            f"{PRICE_PLACE} region: read 'useast1'; allowed is a Region such as us-east-1, or *.",
        ),
        (
            "acme.a,geo,*,reserved,standard,,input,1,2026-01-01,,x",
            f"{PRICE_PLACE} service_tier: read 'reserved'; allowed is default, flex, priority or batch.",
        ),
        (
            "acme.a,geo,*,default,long,,input,1,2026-01-01,,x",
            f"{PRICE_PLACE} context_threshold: read ''; allowed is a whole number of input tokens; nothing is allowed "
            "in the band standard only.",
        ),
        (
            "acme.a,geo,*,default,standard,,prompt,1,2026-01-01,,x",
            f"{PRICE_PLACE} token_kind: read 'prompt'; allowed is input, output, cache_read, cache_write_5m, "
            "cache_write_1h or image.",
        ),
        (
            "acme.a,geo,*,default,standard,,input,-1,2026-01-01,,x",
            f"{PRICE_PLACE} usd_per_million: read '-1'; allowed is US dollars per million, 0 or more, with at most 6 "
            "decimals.",
        ),
        (
            "acme.a,geo,*,default,standard,,input,0.0000001,2026-01-01,,x",
            f"{PRICE_PLACE} usd_per_million: read '0.0000001'; allowed is US dollars per million, 0 or more, with at "
            "most 6 decimals.",
        ),
        (
            "acme.a,geo,*,default,standard,,input,nan,2026-01-01,,x",
            f"{PRICE_PLACE} usd_per_million: read 'nan'; allowed is US dollars per million, 0 or more, with at most 6 "
            "decimals.",
        ),
        (
            "acme.a,geo,*,default,standard,,input,1,soon,,x",
            f"{PRICE_PLACE} valid_from: read 'soon'; allowed is a UTC time such as 2026-11-15 or 2026-11-15T10:30:00Z.",
        ),
        (
            "acme.a,geo,*,default,standard,,input,1,2026-01-02,2026-01-02,x",
            f"{PRICE_PLACE} valid_to: read '2026-01-02'; allowed is a UTC time after valid_from, such as 2026-11-15, "
            "or nothing while the row holds.",
        ),
    ],
)
def test_a_wrong_price_is_told_with_its_place(tmp_path: Path, row: str, message: str) -> None:
    with pytest.raises(ReferenceDataError) as caught:
        read_price_file(write(tmp_path, f"{PRICES}{row}\n"))
    assert str(caught.value) == message


def test_two_prices_of_one_key_at_one_time_are_refused(tmp_path: Path) -> None:
    text = f"{PRICES}{NOVA},0.06,2026-01-01,2026-06-02,x\nacme.a,geo,*,default,standard,,input,1,2026-01-01,,x\n"
    with pytest.raises(ReferenceDataError) as caught:
        read_price_file(write(tmp_path, f"{text}{NOVA},0.05,2026-06-01,,x\n"))
    assert str(caught.value) == (
        "prices.csv, line 4, column valid_from: read '2026-06-01', but the row of line 2 has the same "
        "amazon.nova-lite-v1:0 | geo | * | default | standard | input and holds then; allowed is a row that starts "
        "when the other has ended (valid_to)."
    )


def test_the_example_of_overrides_is_one(tmp_path: Path) -> None:
    rows = read_price_overrides(REFERENCE_FOLDER / "price_overrides.example.csv")
    assert rows[0] == PriceOverride(
        model_pattern="anthropic.claude-sonnet-4-5-*",
        endpoint_type="*",
        token_kind="*",
        usd_per_million=None,
        discount_percent=Decimal("12.5"),
        valid_from=at("2026-01-01"),
        valid_to=at("2026-12-31"),
        entered_by="Ana Lima: private pricing addendum 2026",
    )


OVERRIDE_PLACE = "price_overrides.csv, line 2, column"
EITHER = "exactly one of usd_per_million and discount_percent is given"


@pytest.mark.parametrize(
    ("row", "message"),
    [
        (
            "acme.*,*,*,1,10,2026-01-01,,Ana",
            f"{OVERRIDE_PLACE} discount_percent: read '10'; allowed is a number from 0 to 100, with at most 6 "
            f"decimals, or nothing with a price; {EITHER}.",
        ),
        (
            "acme.*,*,*,,,2026-01-01,,Ana",
            f"{OVERRIDE_PLACE} discount_percent: read ''; allowed is a number from 0 to 100, with at most 6 decimals, "
            f"or nothing with a price; {EITHER}.",
        ),
        (
            "acme.*,*,*,,12%,2026-01-01,,Ana",
            f"{OVERRIDE_PLACE} discount_percent: read '12%'; allowed is a number from 0 to 100, with at most 6 "
            f"decimals, or nothing with a price; {EITHER}.",
        ),
        (
            "acme.*,*,*,,101,2026-01-01,,Ana",
            f"{OVERRIDE_PLACE} discount_percent: read '101'; allowed is a number from 0 to 100, with at most 6 "
            f"decimals, or nothing with a price; {EITHER}.",
        ),
        (
            "acme.*,*,*,-1,,2026-01-01,,Ana",
            f"{OVERRIDE_PLACE} usd_per_million: read '-1'; allowed is US dollars per million, 0 or more, with at most "
            "6 decimals, or nothing with a discount.",
        ),
        (
            ",*,*,1,,2026-01-01,,Ana",
            f"{OVERRIDE_PLACE} model_pattern: read ''; allowed is a text that is not empty.",
        ),
        (
            "acme.*,regional,*,1,,2026-01-01,,Ana",
            f"{OVERRIDE_PLACE} endpoint_type: read 'regional'; allowed is on_demand, geo, global, or * for all.",
        ),
        (
            "acme.*,*,tokens,1,,2026-01-01,,Ana",
            f"{OVERRIDE_PLACE} token_kind: read 'tokens'; allowed is input, output, cache_read, cache_write_5m, "
            "cache_write_1h, image, or * for all.",
        ),
        (
            "acme.*,*,*,1,,2026-01-01,,",
            f"{OVERRIDE_PLACE} entered_by: read ''; allowed is a text that is not empty.",
        ),
    ],
)
def test_a_wrong_override_is_told_with_its_place(tmp_path: Path, row: str, message: str) -> None:
    with pytest.raises(ReferenceDataError) as caught:
        read_price_overrides(write(tmp_path, f"{OVERRIDES}{row}\n", "price_overrides.csv"))
    assert str(caught.value) == message


def test_two_overrides_for_the_same_at_one_time_are_refused(tmp_path: Path) -> None:
    text = f"{OVERRIDES}acme.*,*,*,,10,2026-01-01,,Ana\nacme.*,*,input,,20,2026-01-01,,Ana\n"
    text += "acme.*,*,*,,15,2026-07-01,,Ben\n"
    with pytest.raises(ReferenceDataError) as caught:
        read_price_overrides(write(tmp_path, text, "price_overrides.csv"))
    assert str(caught.value) == (
        "price_overrides.csv, line 4, column valid_from: read '2026-07-01', but the row of line 2 has the same "
        "acme.* | * | * and holds then; allowed is a row that starts when the other has ended (valid_to)."
    )


def test_an_override_may_follow_another(tmp_path: Path) -> None:
    text = f"{OVERRIDES}acme.*,*,*,,10,2026-01-01,2026-07-01,Ana\nacme.*,*,*,,15,2026-07-01,,Ana\n"
    rows = read_price_overrides(write(tmp_path, text))
    assert [row.discount_percent for row in rows] == [Decimal(10), Decimal(15)]


def test_a_file_that_is_not_there_or_no_text_is_named(tmp_path: Path) -> None:
    (tmp_path / "binary.csv").write_bytes(b"\xff\xfe\x00")
    for name in ("missing.csv", "binary.csv"):
        with pytest.raises(ReferenceDataError, match=rf"^{name} cannot be read as a CSV file in UTF-8: "):
            read_price_overrides(tmp_path / name)
