"""A refresh changes the future, never the past; one key has one price at a time and no gap while one is known."""

import datetime as dt
from collections import defaultdict
from decimal import Decimal
from itertools import pairwise

from hypothesis import given
from hypothesis import strategies as st

from usage_pipeline.prices.history import ended, merge_prices, overlaid
from usage_pipeline.prices.price_rows import FIRST_MOMENT, ModelPrice
from usage_pipeline_tests.prices.factory import at, price, shortly

NOW = at("2026-11-15T10:00")
BEGIN = "2023-09-28"


def test_another_price_closes_the_row_at_the_refresh_and_opens_the_next() -> None:
    merged = merge_prices([price(0.06, source="old")], [price(0.05, source="new")], NOW)
    assert shortly(merged) == [("*", "0.06", BEGIN, "2026-11-15T10:00:00"), ("*", "0.05", "2026-11-15T10:00:00", None)]
    assert [row.source for row in merged] == ["old", "new"]


def test_the_same_price_changes_nothing_not_even_the_source() -> None:
    stored = [price(0.06, source="old")]
    assert merge_prices(stored, [price("0.060000", source="new")], NOW) == stored


def test_a_price_that_disappears_stays() -> None:
    stored = [price(0.06), price(0.24, token_kind="output")]
    assert merge_prices(stored, [price(0.06)], NOW) == stored


def test_a_new_key_is_taken_with_its_own_start() -> None:
    fresh = [price(0.24, token_kind="output"), price(0.05, "2026-01-01", token_kind="cache_read")]
    merged = merge_prices([price(0.06)], fresh, NOW)
    assert {row.token_kind: row.valid_from for row in merged} == {
        "input": FIRST_MOMENT,
        "output": FIRST_MOMENT,
        "cache_read": at("2026-01-01"),
    }


def test_a_price_that_changes_back_is_a_third_row() -> None:
    once = merge_prices([price(0.06)], [price(0.05)], at("2026-11-01"))
    twice = merge_prices(once, [price(0.06)], at("2026-11-08"))
    assert shortly(twice) == [
        ("*", "0.06", BEGIN, "2026-11-01"),
        ("*", "0.05", "2026-11-01", "2026-11-08"),
        ("*", "0.06", "2026-11-08", None),
    ]


def test_another_threshold_is_another_price() -> None:
    long = {"context_band": "long", "context_threshold": 200_000}
    merged = merge_prices([price(6, **long)], [price(6, **{**long, "context_threshold": 272_000})], NOW)
    assert [(row.context_threshold, row.valid_to) for row in merged] == [(200_000, NOW), (272_000, None)]


def test_the_past_of_fresh_rows_does_not_replace_what_is_stored_and_fills_what_is_not() -> None:
    fresh = [price(9, end="2026-01-01"), price(8, "2026-01-01")]
    merged = merge_prices([price(7, "2026-06-01")], fresh, NOW)
    assert shortly(merged) == [
        ("*", "9", BEGIN, "2026-01-01"),
        ("*", "8", "2026-01-01", "2026-06-01"),
        ("*", "7", "2026-06-01", "2026-11-15T10:00:00"),
        ("*", "8", "2026-11-15T10:00:00", None),
    ]


def test_a_change_that_is_announced_for_later_is_kept() -> None:
    fresh = [price(5, end="2027-01-01"), price(4, "2027-01-01")]
    assert shortly(merge_prices([price(6)], fresh, NOW)) == [
        ("*", "6", BEGIN, "2026-11-15T10:00:00"),
        ("*", "5", "2026-11-15T10:00:00", "2027-01-01"),
        ("*", "4", "2027-01-01", None),
    ]


def test_a_region_that_begins_to_differ_does_so_from_the_refresh_on() -> None:
    merged = merge_prices([price(0.06)], [price(0.06), price(0.07, region="eu-west-1")], NOW)
    assert shortly(merged) == [("*", "0.06", BEGIN, None), ("eu-west-1", "0.07", "2026-11-15T10:00:00", None)]


def test_a_region_that_costs_what_every_region_costs_needs_no_row() -> None:
    fresh = [price(0.06), price(0.06, region="eu-west-1")]
    assert merge_prices([], fresh, NOW) == [price(0.06)]
    assert merge_prices([price(0.06)], fresh, NOW) == [price(0.06)]


def test_a_region_whose_price_stays_while_the_others_change_gets_a_row() -> None:
    merged = merge_prices([price(0.06)], [price(0.05), price(0.06, region="eu-west-1")], NOW)
    assert shortly(merged) == [
        ("*", "0.06", BEGIN, "2026-11-15T10:00:00"),
        ("*", "0.05", "2026-11-15T10:00:00", None),
        ("eu-west-1", "0.06", "2026-11-15T10:00:00", None),
    ]


def test_a_region_row_that_is_there_goes_on_when_it_comes_to_equal_the_others() -> None:
    stored = [price(0.06), price(0.08, region="eu-west-1")]
    merged = merge_prices(stored, [price(0.06), price(0.06, region="eu-west-1")], NOW)
    assert shortly(merged)[1:] == [
        ("eu-west-1", "0.08", BEGIN, "2026-11-15T10:00:00"),
        ("eu-west-1", "0.06", "2026-11-15T10:00:00", None),
    ]


def test_upper_rows_cover_lower_ones_only_while_they_hold() -> None:
    upper = [price(5, "2026-03-01", "2026-06-01", source="upper")]
    assert shortly(overlaid(upper, [price(6, source="lower")])) == [
        ("*", "6", BEGIN, "2026-03-01"),
        ("*", "5", "2026-03-01", "2026-06-01"),
        ("*", "6", "2026-06-01", None),
    ]


def test_ended_rows_stop_now_and_later_ones_never_begin() -> None:
    rows = [price(5, end="2026-01-01"), price(6, "2026-01-01"), price(7, "2027-01-01", token_kind="output")]
    assert shortly(ended(rows, NOW)) == [
        ("*", "5", BEGIN, "2026-01-01"),
        ("*", "6", "2026-01-01", "2026-11-15T10:00:00"),
    ]


FIRST = dt.datetime(2026, 1, 1)


def day(number: int) -> dt.datetime:
    return FIRST + dt.timedelta(days=number)


@st.composite
def histories(draw: st.DrawFn) -> list[ModelPrice]:
    """Rows of up to two Regions and two kinds, without overlaps; with gaps, open ends and equal neighbours."""
    rows: list[ModelPrice] = []
    for region in ("*", "eu-west-1"):
        for kind in ("input", "output"):
            bounds = sorted(draw(st.sets(st.integers(0, 20), max_size=6)))
            for start, end in zip(bounds[0::2], [*bounds[1::2], None], strict=False):
                usd = Decimal(draw(st.integers(1, 3)))
                rows.append(
                    price(1, region=region, token_kind=kind).model_copy(
                        update={
                            "usd_per_million": usd,
                            "valid_from": day(start),
                            "valid_to": None if end is None else day(end),
                        }
                    )
                )
    return rows


def by_key(rows: list[ModelPrice]) -> dict[tuple[str, ...], list[ModelPrice]]:
    found: defaultdict[tuple[str, ...], list[ModelPrice]] = defaultdict(list)
    for row in rows:
        found[row.price_key].append(row)
    return dict(found)


def usd_at(rows: list[ModelPrice], moment: dt.datetime) -> Decimal | None:
    holding = [row.usd_per_million for row in rows if row.holds_at(moment)]
    assert len(holding) <= 1
    return holding[0] if holding else None


def charged_at(rows: list[ModelPrice], region: str, kind: str, moment: dt.datetime) -> Decimal | None:
    """What a request pays: the Region's price, else that of `*`."""
    own, everywhere = (
        usd_at([row for row in rows if (row.region, row.token_kind) == (place, kind)], moment)
        for place in (region, "*")
    )
    return everywhere if own is None else own


DAYS = [day(number) for number in range(23)]


@given(histories(), histories(), st.integers(0, 22))
def test_prices_of_one_key_never_overlap(stored: list[ModelPrice], fresh: list[ModelPrice], today: int) -> None:
    for rows in by_key(merge_prices(stored, fresh, day(today))).values():
        for earlier, later in pairwise(rows):
            assert earlier.valid_to is not None
            assert earlier.valid_to <= later.valid_from


@given(histories(), histories(), st.integers(0, 22))
def test_what_was_paid_before_the_refresh_is_paid_after_it(
    stored: list[ModelPrice], fresh: list[ModelPrice], today: int
) -> None:
    merged = merge_prices(stored, fresh, day(today))
    for moment in DAYS[:today]:
        for kind in ("input", "output"):
            for region in ("eu-west-1", "us-east-1"):
                before = charged_at(stored, region, kind, moment)
                # A row of the Region itself stays too; where only `*` was known, `*` goes on being paid.
                if before is not None:
                    assert charged_at(merged, region, kind, moment) == before


@given(histories(), histories(), st.integers(0, 22))
def test_from_the_refresh_on_the_fresh_price_is_paid(
    stored: list[ModelPrice], fresh: list[ModelPrice], today: int
) -> None:
    merged = merge_prices(stored, fresh, day(today))
    for rows in by_key(fresh).values():
        for moment in DAYS[today:]:
            usd = usd_at(rows, moment)
            if usd is not None:
                assert charged_at(merged, rows[0].region, rows[0].token_kind, moment) == usd


@given(histories(), histories(), st.integers(0, 22))
def test_there_is_no_gap_while_a_price_is_known(stored: list[ModelPrice], fresh: list[ModelPrice], today: int) -> None:
    merged = merge_prices(stored, fresh, day(today))
    for region in ("*", "eu-west-1"):
        for kind in ("input", "output"):
            for moment in DAYS:
                known = [charged_at(rows, region, kind, moment) for rows in (stored, fresh)]
                if any(usd is not None for usd in known):
                    assert charged_at(merged, region, kind, moment) is not None


@given(histories(), histories(), st.integers(0, 22))
def test_the_same_refresh_again_changes_nothing(stored: list[ModelPrice], fresh: list[ModelPrice], today: int) -> None:
    once = merge_prices(stored, fresh, day(today))
    assert merge_prices(once, fresh, day(today)) == once
