"""Edits of price_overrides.csv: each does what it says, every other line stays, and the pipeline accepts the result."""

import csv
import datetime as dt
import io
from decimal import Decimal

import pytest
from hypothesis import given
from hypothesis import strategies as st

from usage_pipeline.prices.override_edits import (
    HEADER,
    Adding,
    Edit,
    Editor,
    Ending,
    OverrideEditError,
    Removing,
    checked_name,
    edited,
    entered_by,
    rows_in_the_way,
)
from usage_pipeline.prices.overrides import PriceOverride
from usage_pipeline.prices.price_files import price_overrides_of
from usage_pipeline.reference import ReferenceDataError
from usage_pipeline_tests.prices.factory import at

NAME = "price_overrides.csv"
OLD = "model_pattern,endpoint_type,token_kind,usd_per_million,discount_percent,valid_from,valid_to,entered_by\n"
BEN = Editor("Ben Okoro", at("2026-11-21T09:30"))
STAMP = "Ben Okoro,2026-11-21T09:30:00Z"


def override(
    pattern: str = "acme.*",
    usd: str | None = "1.5",
    start: str = "2026-07-01",
    end: str | None = None,
    percent: str | None = None,
) -> PriceOverride:
    return PriceOverride(
        model_pattern=pattern,
        endpoint_type="*",
        token_kind="*",
        usd_per_million=Decimal(usd) if usd else None,
        discount_percent=Decimal(percent) if percent else None,
        valid_from=at(start),
        valid_to=at(end) if end else None,
        entered_by="Ben Okoro",
    )


def after(text: str, *edits: Edit) -> str:
    return edited(text, NAME, edits, BEN)


KEY = override(start="2026-01-01").key()


def test_a_price_that_is_added_says_who_and_when() -> None:
    assert after(HEADER, Adding(override())) == f"{HEADER}acme.*,*,*,1.5,,2026-07-01,,Ben Okoro,{STAMP}\n"


def test_an_empty_file_begins_with_its_columns() -> None:
    assert after("", Adding(override(percent="12.5", usd=None))) == (
        f"{HEADER}acme.*,*,*,,12.5,2026-07-01,,Ben Okoro,{STAMP}\n"
    )


def test_a_file_without_columns_for_who_and_when_gets_them_and_its_rows_stay_as_they_are_written() -> None:
    text = f'{OLD}\nacme.*, * ,*,,"12.50",2026-01-01,2026-07-01T00:00Z,"Ana, of procurement"\n'
    assert after(text, Adding(override())) == (
        f"{OLD.strip()},changed_by,changed_at\n"
        '\nacme.*, * ,*,,"12.50",2026-01-01,2026-07-01T00:00Z,"Ana, of procurement",,\n'
        f"acme.*,*,*,1.5,,2026-07-01,,Ben Okoro,{STAMP}\n"
    )


def test_a_price_that_is_ended_keeps_what_it_was() -> None:
    text = f"{OLD}acme.*,*,*,,12.50,2026-01-01,,Ana\nother.*,*,*,2,,2026-01-01,,Ana\n"
    assert after(text, Ending(KEY, at("2026-07-01"))) == (
        f"{HEADER}acme.*,*,*,,12.50,2026-01-01,2026-07-01,Ana,{STAMP}\nother.*,*,*,2,,2026-01-01,,Ana,,\n"
    )


def test_a_price_that_is_removed_takes_no_other_line_with_it() -> None:
    before, behind = "one.*,*,*,1,,2026-01-01,,Ana,,\n\n", "\ntwo.*,*,*,1,,2026-01-01,,Ana,,\n"
    text = f"{HEADER}{before}acme.*,*,*,,12.5,2026-01-01,,Ana,,\n{behind}"
    assert after(text, Removing(KEY)) == f"{HEADER}{before}{behind}"


def test_a_new_price_takes_over_where_the_old_one_is_ended_in_the_same_edit() -> None:
    text = f"{HEADER}acme.*,*,*,,12.5,2026-01-01,,Ana,,\n"
    rows = [row for _, row in price_overrides_of(text, NAME)]
    (old,) = rows_in_the_way(rows, override())
    assert after(text, Ending(old.key(), at("2026-07-01")), Adding(override())) == (
        f"{HEADER}acme.*,*,*,,12.5,2026-01-01,2026-07-01,Ana,{STAMP}\nacme.*,*,*,1.5,,2026-07-01,,Ben Okoro,{STAMP}\n"
    )


def test_only_a_row_of_the_same_models_that_holds_then_is_in_the_way() -> None:
    rows = [override("other.*", start="2026-01-01"), override(start="2025-01-01", end="2026-07-01")]
    assert rows_in_the_way([*rows, override(start="2026-08-01")], override()) == []


def test_line_ends_of_another_system_and_a_missing_last_one_are_kept() -> None:
    text = f"{HEADER}acme.*,*,*,,12.5,2026-01-01,2026-02-01,Ana,,".replace("\n", "\r\n")
    assert after(text, Adding(override())) == f"{text}\r\nacme.*,*,*,1.5,,2026-07-01,,Ben Okoro,{STAMP}\r\n"


def test_a_quotation_that_the_last_line_leaves_open_swallows_nothing() -> None:
    text = f'{OLD}acme.*,*,*,,12.5,2026-01-01,2026-02-01,"Ana\n'
    changed = after(text, Adding(override()))
    assert [row.entered_by for _, row in price_overrides_of(changed, NAME)] == ["Ana", "Ben Okoro"]


@pytest.mark.parametrize(
    ("edit", "message"),
    [
        (
            Adding(override(start="2026-06-01")),
            "price_overrides.csv, line 3, column valid_from: read '2026-06-01', but the row of line 2 has the same "
            "acme.* | * | * and holds then; allowed is a row that starts when the other has ended (valid_to).",
        ),
        (
            Ending(KEY, at("2025-12-31")),
            "price_overrides.csv, line 2, column valid_to: read '2025-12-31'; allowed is a UTC time after valid_from, "
            "such as 2026-11-15, or nothing while the row holds.",
        ),
    ],
)
def test_what_the_pipeline_would_refuse_is_refused_in_its_words(edit: Edit, message: str) -> None:
    with pytest.raises(ReferenceDataError) as caught:
        after(f"{HEADER}acme.*,*,*,,12.5,2026-01-01,,Ana,,\n", edit)
    assert str(caught.value) == message


@pytest.mark.parametrize("edit", [Removing(KEY), Ending(KEY, at("2026-07-01"))])
def test_a_row_that_is_gone_is_named(edit: Edit) -> None:
    with pytest.raises(OverrideEditError, match=r"no row of acme\.\* \| \* \| \* \| 2026-01-01T00:00:00; it was ended"):
        after(HEADER, edit)


@pytest.mark.parametrize("name", ["", "  ", "=cmd()", "+1", "@x", "-2", "Ana\nmallory", "x" * 101, "\u202eAna"])
def test_a_name_that_a_table_program_could_run_or_that_hides_something_is_refused(name: str) -> None:
    with pytest.raises(OverrideEditError, match=r"^Your name is .*; allowed are 1 to 100 characters on one line"):
        checked_name(name)


def test_a_note_stands_behind_the_name() -> None:
    assert entered_by(" Ana Lima ", "addendum 2026") == "Ana Lima: addendum 2026"
    assert entered_by("Ana Lima", " ") == "Ana Lima"
    with pytest.raises(OverrideEditError, match=r"^The note is"):
        entered_by("Ana Lima", "=2+2")


# ---------------------------------------------------------------------------------------------------------------------
# Any sequence of edits

PATTERNS = ("acme.*", "acme.a-v1:0", 'odd "name", with comma')
DAYS = st.dates(dt.date(2026, 1, 1), dt.date(2026, 1, 12)).map(lambda day: dt.datetime.combine(day, dt.time()))
NOTES = st.text(st.characters(codec="utf-8", exclude_categories=["C"]), min_size=1, max_size=8).map(str.strip)


@st.composite
def rows(draw: st.DrawFn) -> PriceOverride:
    start, end = draw(DAYS), draw(st.none() | DAYS)
    return PriceOverride(
        model_pattern=draw(st.sampled_from(PATTERNS)),
        endpoint_type=draw(st.sampled_from(("*", "geo"))),
        token_kind="input",
        usd_per_million=draw(st.decimals(0, 999, places=6)),
        discount_percent=None,
        valid_from=start,
        valid_to=end if end and end > start else None,
        entered_by=draw(NOTES.filter(bool)),
    )


def some_edits(draw: st.DrawFn) -> Edit:
    row = draw(rows())
    return draw(st.sampled_from((Adding(row), Ending(row.key(), draw(DAYS)), Removing(row.key()))))


EDITS = st.lists(st.composite(some_edits)(), max_size=12)
BEGINNINGS = (
    "",
    OLD,
    HEADER,
    f'{OLD}\nacme.*, geo ,input,"1.50",,2026-01-01,2026-01-03,"Ana, of\nprocurement"\n\n',
    f"{OLD}acme.*,*,input,1,,2025-01-01,2026-01-01,Ana".replace("\n", "\r\n"),
    f'{OLD}acme.a-v1:0,*,input,1,,2026-01-05,2026-01-06,"Ana',
)


def without_stamps(row: PriceOverride) -> tuple[object, ...]:
    return tuple(row.model_dump().values())[:-2]


@given(text=st.sampled_from(BEGINNINGS), edits=EDITS)
def test_any_sequence_of_edits_leaves_a_file_with_exactly_the_rows_that_it_should_have(
    text: str, edits: list[Edit]
) -> None:
    expected = {row.key(): without_stamps(row) for _, row in price_overrides_of(text or HEADER, NAME)}
    for edit in edits:
        try:
            text = after(text, edit)
        except (OverrideEditError, ReferenceDataError):
            continue
        if isinstance(edit, Adding):
            expected[edit.row.key()] = without_stamps(edit.row)
        elif isinstance(edit, Ending):
            expected[edit.key] = (*expected[edit.key][:6], edit.valid_to, expected[edit.key][7])
        else:
            del expected[edit.key]
        found = [row for _, row in price_overrides_of(text, NAME)]
        assert {row.key(): without_stamps(row) for row in found} == expected
        assert len(found) == len(expected)


@given(text=st.sampled_from(BEGINNINGS[:5]), edits=EDITS)
def test_a_row_that_nobody_edits_keeps_every_character(text: str, edits: list[Edit]) -> None:
    kept = 'zzz.*,*,*,"1.50",,2026-01-01 , 2027-01-01T00:00+01:00,"Ana ""A"" Lima"'
    text = f"{text or OLD}\n" if text[-1:] != "\n" else text
    columns = len(next(csv.reader(io.StringIO(text))))
    text += kept + ",,"[: columns - 8] + "\n"
    for edit in edits:
        try:
            text = after(text, edit)
        except (OverrideEditError, ReferenceDataError):
            continue
        assert kept in text
