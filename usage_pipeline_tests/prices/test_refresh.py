"""The base is taken as it is now; what network sources said is kept, and ends when they are switched off."""

import datetime as dt

import pytest

from usage_pipeline.prices.refresh import is_due, kept_prices, refreshed_prices
from usage_pipeline_tests.prices.factory import at, price, shortly

NOW = at("2026-11-15T10:00")
BEGIN = "2023-09-28"
LITELLM = "LiteLLM JSON, 2026-11-15: amazon.nova-lite-v1:0"
AWS = "AWS Price List, 2026-11-15: USE1-NovaLite-input-tokens (ABC)"


@pytest.mark.parametrize(
    ("last_answer", "due"),
    [
        (None, True),
        (NOW - dt.timedelta(days=7), True),
        (NOW - dt.timedelta(days=6, hours=23), False),
        (NOW, False),
        (NOW + dt.timedelta(days=30), False),
    ],
)
def test_a_source_that_answered_is_left_alone_for_a_week(last_answer: dt.datetime | None, due: bool) -> None:
    assert is_due(last_answer, NOW) is due


def test_a_corrected_file_corrects_the_past() -> None:
    stored = [price(0.06, source="file prices.csv: first")]
    base = [price(0.05, source="file prices.csv: corrected")]
    assert kept_prices(stored, base, [], NOW) == base


def test_a_file_replaces_the_snapshot_and_the_snapshot_a_file() -> None:
    file, snapshot = [price(0.05, source="file prices.csv: ours")], [price(0.06, source="LiteLLM 1.109.1: x")]
    assert kept_prices(snapshot, file, [], NOW) == file
    assert kept_prices(file, snapshot, [], NOW) == snapshot


def test_what_a_source_said_stays_over_the_base() -> None:
    base = [price(0.06, source="snapshot")]
    stored = [price(0.06, end="2026-11-01", source="snapshot"), price(0.05, "2026-11-01", source=AWS)]
    assert shortly(kept_prices(stored, base, ["aws_price_list"], NOW)) == [
        ("*", "0.06", BEGIN, "2026-11-01"),
        ("*", "0.05", "2026-11-01", None),
    ]


def test_a_source_that_is_switched_off_ends_and_its_past_stays() -> None:
    base = [price(0.06, source="snapshot")]
    stored = [price(0.05, "2026-11-01", source=AWS)]
    once = kept_prices(stored, base, [], NOW)
    assert shortly(once) == [
        ("*", "0.06", BEGIN, "2026-11-01"),
        ("*", "0.05", "2026-11-01", "2026-11-15T10:00:00"),
        ("*", "0.06", "2026-11-15T10:00:00", None),
    ]
    assert kept_prices(once, base, [], at("2026-12-01")) == once


def test_no_answer_changes_nothing() -> None:
    known = [price(0.06)]
    assert refreshed_prices(known, {}, ["litellm_json", "aws_price_list"], NOW) == known


def test_a_later_source_wins_over_an_earlier_one() -> None:
    answers = {"litellm_json": [price(0.05, source=LITELLM)], "aws_price_list": [price(0.04, source=AWS)]}
    refreshed = refreshed_prices([price(0.06)], answers, ["litellm_json", "aws_price_list"], NOW)
    assert [(row.usd_per_million, row.origin) for row in refreshed] == [
        (price(0.06).usd_per_million, "snapshot"),
        (price(0.04).usd_per_million, "aws_price_list"),
    ]


def test_a_source_does_not_undo_what_one_that_wins_over_it_said_before() -> None:
    known = [price(0.06, end="2026-11-01"), price(0.04, "2026-11-01", source=AWS)]
    answers = {"litellm_json": [price(0.05, source=LITELLM)]}
    assert refreshed_prices(known, answers, ["litellm_json", "aws_price_list"], NOW) == known


def test_a_region_that_a_source_knows_in_part_does_not_borrow_the_rest() -> None:
    known = [price(0.06), price(0.24, token_kind="output"), price(0.03, service_tier="flex")]
    answers = {"aws_price_list": [price(0.09, region="eu-west-1", source=AWS)]}
    refreshed = refreshed_prices(known, answers, ["aws_price_list"], NOW)
    european = {(row.service_tier, row.token_kind): row for row in refreshed if row.region == "eu-west-1"}
    assert {key: str(row.usd_per_million.normalize()) for key, row in european.items()} == {
        ("default", "input"): "0.09",
        ("default", "output"): "0.36",
        ("flex", "input"): "0.045",
    }
    assert european["default", "output"].source == f"{AWS}; in proportion"


def test_a_regions_own_known_prices_are_not_replaced_by_proportion() -> None:
    known = [price(0.06), price(0.24, token_kind="output"), price(0.3, token_kind="output", region="eu-west-1")]
    answers = {"aws_price_list": [price(0.09, region="eu-west-1", source=AWS)]}
    refreshed = refreshed_prices(known, answers, ["aws_price_list"], NOW)
    assert [row for row in refreshed if row.token_kind == "output"] == known[1:]
