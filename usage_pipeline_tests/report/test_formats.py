from datetime import date, datetime
from decimal import Decimal

import pytest

from usage_pipeline.report import formats
from usage_pipeline.report.anchors import pool_anchor
from usage_pipeline.report.console_links import service_quota_url


@pytest.mark.parametrize(
    ("value", "expected"),
    [
        (None, "unknown"),
        (0, "0"),
        (0.0, "0"),
        (1234567, "1,234,567"),
        (1234567.8, "1,234,568"),
        (12.345, "12.35"),
        (2.5, "2.5"),
        (0.0625, "0.062"),
        (-1200, "−1,200"),
    ],
)
def test_numbers_are_grouped_and_unknown_is_never_zero(value: float | None, expected: str) -> None:
    assert formats.number(value, "unknown") == expected


@pytest.mark.parametrize(
    ("share", "expected"),
    [
        (None, "unknown"),
        (0.0, "0\u202f%"),
        (0.0337175, "3.4\u202f%"),
        (0.15000000000000002, "15\u202f%"),
        (0.9996, "100\u202f%"),
        (1.1, "110\u202f%"),
        (-0.10000000000000009, "−10\u202f%"),
        (-0.0001, "0\u202f%"),
    ],
)
def test_shares_are_percentages(share: float | None, expected: str) -> None:
    assert formats.percent(share, "unknown") == expected


def test_moments_are_utc_minutes_or_days() -> None:
    assert formats.moment(datetime.fromisoformat("2026-11-15T10:27:59"), "unknown") == "2026-11-15 10:27"
    assert formats.moment(date(2026, 11, 15), "unknown") == "2026-11-15"
    assert formats.moment(None, "unknown") == "unknown"
    assert formats.iso_time(datetime.fromisoformat("2026-11-15T10:27")) == "2026-11-15T10:27:00Z"


def test_one_and_many_have_their_own_sentence() -> None:
    text = {"one": "1 pool", "many": "{n} pools"}
    assert formats.counted(text, 1) == "1 pool"
    assert formats.counted(text, 0) == "0 pools"
    assert formats.counted(text, 1200) == "1,200 pools"


def test_quota_links_go_to_the_region_and_partition_of_the_quota() -> None:
    assert service_quota_url("ap-northeast-1", "L-F4DDD3EB") == (
        "https://ap-northeast-1.console.aws.amazon.com/servicequotas/home/services/bedrock/quotas/L-F4DDD3EB"
    )
    assert service_quota_url("us-gov-west-1", "L-F4DDD3EB") == (
        "https://us-gov-west-1.console.amazonaws-us-gov.com/servicequotas/home/services/bedrock/quotas/L-F4DDD3EB"
    )


def test_quota_links_cannot_leave_the_console() -> None:
    assert service_quota_url("evil.example/#", 'x"><b>') == (
        "https://evil.example%2F%23.console.aws.amazon.com/servicequotas/home/services/bedrock/quotas/x%22%3E%3Cb%3E"
    )


def test_anchor_of_a_pool_holds_no_character_that_a_link_would_break_on() -> None:
    assert pool_anchor("111122223333/us-east-1/geo/anthropic.claude-v1:0") == (
        "pool/111122223333/us-east-1/geo/anthropic.claude-v1:0"
    )
    assert pool_anchor('1/r/geo/a b"<#') == "pool/1/r/geo/a_b___"


@pytest.mark.parametrize(
    ("amount", "text"),
    [
        (None, "unknown"),
        (Decimal(0), "0.00"),
        (Decimal("0.000000000001"), "< 0.01"),
        (Decimal("0.009999"), "< 0.01"),
        (Decimal("0.01"), "0.01"),
        (Decimal("0.015"), "0.02"),
        (Decimal("1234567.891"), "1,234,567.89"),
    ],
)
def test_money_is_to_the_cent_and_never_rounded_to_nothing(amount: Decimal | None, text: str) -> None:
    assert formats.money(amount, "unknown") == text


@pytest.mark.parametrize(
    ("amount", "text"),
    [(None, "–"), (Decimal("3.000000"), "3.00"), (Decimal("0.018750"), "0.01875"), (Decimal("1500.5"), "1,500.50")],
)
def test_price_has_all_its_digits(amount: Decimal | None, text: str) -> None:
    assert formats.price(amount, "–") == text
