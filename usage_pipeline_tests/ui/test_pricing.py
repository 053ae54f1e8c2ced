"""The Pricing page shows what the tables say, and edits the file of agreed prices without losing anything."""

from datetime import datetime
from decimal import Decimal
from pathlib import Path

import duckdb
import pytest
from streamlit.testing.v1 import AppTest

from usage_pipeline.price_effects import effect_of
from usage_pipeline.prices.override_edits import HEADER, Adding, Editor
from usage_pipeline.prices.override_file import read_override_file, save_edits
from usage_pipeline.prices.price_files import read_price_overrides
from usage_pipeline_tests.marts.factory import NOVA, SONNET
from usage_pipeline_tests.prices.test_override_edits import override
from usage_pipeline_tests.ui.priced_sample import CONFIGURATION, draw, drawn, table

TAKEN_IN = "amazon.nova-*,*,input,,10,2026-11-14,,finance,,\n"


@pytest.fixture
def file(priced: Path) -> Path:
    return priced


@pytest.fixture
def config(tmp_path: Path) -> Path:
    """A configuration with the file of agreed prices that the published costs were made with beside it."""
    path = tmp_path / "usage_pipeline.yaml"
    path.write_text(CONFIGURATION, encoding="utf-8")
    (tmp_path / "price_overrides.csv").write_text(HEADER + TAKEN_IN, encoding="utf-8")
    return path


def overrides(config: Path) -> Path:
    return config.with_name("price_overrides.csv")


def say(page: AppTest) -> list[str]:
    """What stands in boxes on the page."""
    return [box.value for boxes in (page.error, page.warning, page.info, page.success) for box in boxes]


def fill_in(page: AppTest, **texts: str) -> AppTest:
    for name, text in texts.items():
        page.text_input(key=f"pricing_{name}").set_value(text)
    return page


def preview(page: AppTest) -> AppTest:
    page.button(key="pricing_preview").click()
    return drawn(page)


def save(page: AppTest) -> AppTest:
    page.button(key="pricing_save").click()
    return drawn(page)


def test_prices_history_and_calls_without_one_are_those_of_the_tables(file: Path) -> None:
    page = draw("pricing", file)
    nova, sonnet = table(page, "Output")
    assert (nova["Model"], nova["Input"], nova["Output"]) == ("Nova Lite", Decimal("1.35"), Decimal(8))
    assert nova["Source"] == "discount of 10 %, entered by finance, off list; list"
    assert (sonnet["Model"], sonnet["Input"], sonnet["Source"]) == ("Claude Sonnet 4.5", None, "unknown")

    with duckdb.connect(str(file), read_only=True) as con:
        stored = con.execute(
            "select usd_per_million, list_usd_per_million, valid_from from marts.model_prices where model_id = ?",
            [NOVA],
        ).fetchall()
    shown = table(page, "List price")
    assert sorted((row["USD per million"], row["List price"], row["From (UTC)"]) for row in shown) == sorted(stored)
    assert {row["To (UTC)"] for row in shown} == {"holds", "2026-11-14 00:00:00"}

    (unpriced,) = table(page, "Calls without a price")
    assert (unpriced["Model id"], unpriced["Calls without a price"], unpriced["All calls"]) == (SONNET, 1, 1)


def test_a_source_that_failed_is_shown_with_when_it_last_answered(file: Path) -> None:
    (source,) = table(draw("pricing", file), "Last answer (UTC)")
    assert (source["Source"], source["Status"], source["What went wrong"]) == (
        "litellm_json",
        "failed",
        "https://prices.example: no answer.",
    )
    assert (source["Last answer (UTC)"], source["Last asked (UTC)"]) == (
        datetime(2026, 11, 14, 6),
        datetime(2026, 11, 14, 9),
    )


def test_the_filters_narrow_the_prices_that_are_shown(file: Path) -> None:
    page = draw("pricing", file, models=(SONNET,))
    assert [row["Model id"] for row in table(page, "Long above, input tokens")] == [SONNET]
    assert [caption.value for caption in page.caption if "No price of it" in caption.value]


def test_without_a_configuration_nothing_can_be_edited_and_the_page_says_how(file: Path) -> None:
    page = draw("pricing", file)
    (text,) = say(page)
    assert text.startswith("The dashboard was opened with a published file alone")
    assert "usage-pipeline ui --config" in text
    assert list(page.button) == []


def test_without_a_file_of_agreed_prices_the_page_says_where_to_write_one(file: Path, config: Path) -> None:
    overrides(config).unlink()
    page = draw("pricing", file, config)
    (text,) = say(page)
    assert text.startswith("There is no file of agreed prices yet. Write one with this line as `price_overrides.csv`")
    assert [code.value for code in page.code] == [HEADER.strip()]
    assert list(page.button) == []


def test_a_configuration_or_a_file_that_cannot_be_used_is_told_and_nothing_can_be_edited(
    file: Path, config: Path
) -> None:
    overrides(config).write_text(f"{HEADER}acme.*,*,*,x,,2026-01-01,,*Ana*,,\n", encoding="utf-8")
    page = draw("pricing", file, config)
    (text,) = say(page)
    assert text.replace("\\", "").startswith(
        "price_overrides.csv, line 2, column usd_per_million: read 'x'; allowed is"
    )
    assert list(page.button) == []

    config.write_text("acounts: []\n", encoding="utf-8")
    (text,) = say(draw("pricing", file, config))
    assert text.startswith("The configuration cannot be used: ")


def test_an_edit_is_previewed_with_its_exact_effect_and_saved_with_who_and_when(file: Path, config: Path) -> None:
    page = draw("pricing", file, config)
    assert say(page) == []
    page.selectbox(key="pricing_kind").set_value("input")
    fill_in(
        page, pattern="amazon.nova-*", usd="1", name="Ben Okoro", note="addendum 7", **{"from": "2026-11-14T10:00:01"}
    )
    preview(page)

    assert overrides(config).read_text(encoding="utf-8") == HEADER + TAKEN_IN
    signs = [(row["Change"], row["USD per million"], row["To (UTC)"]) for row in table(page, "Change")]
    assert signs == [("−", "–", "open"), ("+", "–", "2026-11-14T10:00:01Z"), ("+", "1", "open")]
    (effect,) = table(page, "Difference, USD")
    # Three calls of a million tokens cost 1.35 each by now; two of them are after the new price begins.
    assert (effect["With the file as it is, USD"], effect["After this edit, USD"]) == (
        Decimal("7.05032"),
        Decimal("6.35032"),
    )
    assert effect["Difference, USD"] == Decimal("-0.7")

    save(page)
    assert [box.value.replace("\\", "") for box in page.success] == ["Saved: price_overrides.csv has 2 rows now."]
    ended, added = read_price_overrides(overrides(config))
    assert ended.valid_to == added.valid_from == datetime(2026, 11, 14, 10, 0, 1)
    assert (added.entered_by, added.changed_by, ended.changed_by) == (
        "Ben Okoro: addendum 7",
        "Ben Okoro",
        "Ben Okoro",
    )
    assert added.changed_at == ended.changed_at is not None
    assert [box.value for box in page.info] == [
        "The published costs do not know the file as it is now (rows that are new: 2; rows that are gone: 1). The next "
        "run takes it in; `usage-pipeline run --restate` does so at once and asks AWS nothing."
    ]
    found = effect_of(file, [ended, added])
    assert found is not None
    assert [row.after_usd for row in found.models] == [Decimal("6.35032")]


def test_of_two_editors_the_second_is_told_sees_the_file_as_it_is_and_loses_nothing_that_was_typed(
    file: Path, config: Path
) -> None:
    page = preview(fill_in(draw("pricing", file, config), pattern="mine.*", usd="1", name="Ben"))
    ana = Editor("Ana", datetime(2026, 11, 21, 9))
    save_edits(read_override_file(overrides(config)), [Adding(override("hers.*"))], ana)

    save(page)
    (told,) = page.warning
    assert told.value.replace("\\", "").startswith(
        "price_overrides.csv was changed after you opened it, so nothing was"
    )
    assert [row["Model id or pattern"] for row in table(page, "Line")] == ["amazon.nova-*", "hers.*"]
    assert [row["Model id or pattern"] for row in table(page, "Change")] == ["mine.*"]
    assert page.text_input(key="pricing_pattern").value == "mine.*"
    assert [row.model_pattern for row in read_price_overrides(overrides(config))] == ["amazon.nova-*", "hers.*"]

    save(page)
    assert [row.model_pattern for row in read_price_overrides(overrides(config))] == [
        "amazon.nova-*",
        "hers.*",
        "mine.*",
    ]


def test_an_edit_that_no_longer_fits_the_file_is_told_and_can_be_discarded(file: Path, config: Path) -> None:
    page = preview(
        fill_in(draw("pricing", file, config), pattern="acme.*", usd="1", name="Ben", **{"from": "2026-07-01"})
    )
    ana = Editor("Ana", datetime(2026, 11, 21, 9))
    save_edits(read_override_file(overrides(config)), [Adding(override("acme.*", start="2026-08-01"))], ana)
    save(page)
    assert [box.value for box in page.error if box.value.startswith("The edit does not fit the file as it is now: ")]
    page.button(key="pricing_discard").click()
    assert say(drawn(page))[1:] == []
    assert len(read_price_overrides(overrides(config))) == 2


@pytest.mark.parametrize(
    ("texts", "message"),
    [
        (
            {"usd": "1"},
            "Your name is ''; allowed are 1 to 100 characters on one line that begin with a letter or a digit.",
        ),
        (
            {"usd": "a lot", "name": "Ben"},
            "The price, column usd_per_million: read 'a lot'; allowed is US dollars per million, 0 or more, with at "
            "most 6 decimals, or nothing with a discount.",
        ),
        (
            {"usd": "1", "percent": "5", "name": "Ben"},
            "The price, column discount_percent: read '5'; allowed is a number from 0 to 100, with at most 6 decimals, "
            "or nothing with a price; exactly one of usd_per_million and discount_percent is given.",
        ),
        (
            {"usd": "1", "name": "Ben", "pattern": ""},
            "The price, column model_pattern: read ''; allowed is a text that is not empty.",
        ),
        (
            {"usd": "1", "name": "Ben", "note": "=HYPERLINK()"},
            "The note is '=HYPERLINK()'; allowed are 1 to 300 characters on one line that begin with a letter or a "
            "digit.",
        ),
    ],
)
def test_a_form_that_is_not_right_says_what_is_allowed(
    file: Path, config: Path, texts: dict[str, str], message: str
) -> None:
    page = preview(fill_in(draw("pricing", file, config), **{"pattern": "acme.*"} | texts))
    assert [text.replace("\\", "") for text in say(page)] == [message]
    assert "pricing_save" not in {button.key for button in page.button}


def test_a_price_is_ended_and_a_row_is_removed_by_who_is_signed_in(file: Path, config: Path) -> None:
    overrides(config).write_text(
        HEADER + TAKEN_IN + "</script><b>x,*,*,1,,2026-01-01,,<i>Ana</i>,,\n", encoding="utf-8"
    )
    page = draw("pricing", file, config, user="ben@corp.example")
    assert "pricing_name" not in {text.key for text in page.text_input}
    assert table(page, "Line")[1]["Entered by"] == "<i>Ana</i>"

    page.segmented_control(key="pricing_action").set_value("End a price")
    drawn(page).text_input(key="pricing_end_to").set_value("2026-11-20")
    page.button(key="pricing_End a price_preview").click()
    save(drawn(page))
    first, _ = read_price_overrides(overrides(config))
    assert (first.valid_to, first.changed_by) == (datetime(2026, 11, 20), "ben@corp.example")

    page.segmented_control(key="pricing_action").set_value("Remove a row")
    row = drawn(page).selectbox(key="pricing_Remove a row_row")
    row.set_value(row.options[1])
    page.button(key="pricing_Remove a row_preview").click()
    save(drawn(page))
    assert [row.model_pattern for row in read_price_overrides(overrides(config))] == ["amazon.nova-*"]


def test_before_anything_was_read_there_is_nothing_to_price_and_prices_can_be_agreed(
    unused: Path, config: Path
) -> None:
    page = preview(fill_in(draw("pricing", unused, config), pattern="acme.*", usd="1", name="Ben"))
    captions = [caption.value for caption in page.caption]
    assert "No logged call of a model that is charged by the token on these days." in captions
    assert "Every logged call has a price." in captions
    assert "No call is logged, so there is no cost to compare." in captions
    save(page)
    assert len(read_price_overrides(overrides(config))) == 2
