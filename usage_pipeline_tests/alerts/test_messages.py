"""What a message says."""

import datetime as dt
from decimal import Decimal
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from usage_pipeline.alerts.advice import next_steps
from usage_pipeline.alerts.channels import sns_subject
from usage_pipeline.alerts.deliveries import MessageKey
from usage_pipeline.alerts.due import Due
from usage_pipeline.alerts.messages import (
    Consumer,
    Message,
    clean,
    cut_bytes,
    digest_message,
    finding_message,
    shown_value,
)
from usage_pipeline_tests.alerts.factory import OPENED, POOL, finding

PAGE = "https://example.org/report.html"


def test_a_message_says_what_where_how_much_since_when_by_whom_and_what_to_do() -> None:
    about = finding(
        "no_pool_stays_close_to_its_quota",
        subject={"pool_id": POOL, "quota": "tpm"},
        summary="93 % of the quota was used.",
        value=Decimal("0.93"),
        worst_value=Decimal("0.97"),
        threshold=Decimal("0.8"),
        unit="share",
        evidence={"region": "us-east-1", "quota_code": "L-F4DDD3EB", "desired_value": 250000, "minutes_above": 12},
    )

    message = finding_message(
        about, "open", consumers=[Consumer("search", 0.6), Consumer("chat", 0.25)], report_url=PAGE
    )

    assert message.title == f"[ERROR] {POOL}, tpm: no pool stays close to its quota"
    assert message.body.splitlines() == [
        "93 % of the quota was used.",
        "Value: 93.0 %, limit 80.0 %, worst 97.0 %",
        "Since: 2026-11-15 10:30 UTC",
        "Details: region us-east-1; quota_code L-F4DDD3EB; desired_value 250000; minutes_above 12",
        "Used most by: search 60%, chat 25%",
        "What it means: No pool is throttled. Look at the worst minute.",
        "To do: look at the quota: "
        "https://us-east-1.console.aws.amazon.com/servicequotas/home/services/bedrock/quotas/L-F4DDD3EB",
        "To do: aws service-quotas request-service-quota-increase --service-code bedrock --quota-code L-F4DDD3EB "
        "--region us-east-1 --desired-value 250000",
        f"Report: {PAGE}#pool/111122223333/us-east-1/geo/anthropic.claude-sonnet-4-5-20250929-v1:0",
    ]


def test_a_resolved_finding_says_until_when_and_has_nothing_to_do() -> None:
    about = finding(resolved_at=OPENED + dt.timedelta(days=1), notice="resolved", subject={"model_id": "m"})

    message = finding_message(about, "resolved", report_url=PAGE)

    assert (message.title, message.is_good_news) == ("[RESOLVED] m: no pool is throttled too often", True)
    assert "Since: 2026-11-15 10:30 UTC, until 2026-11-16 10:30 UTC" in message.body
    assert "To do" not in message.body
    assert message.body.endswith("#checks")


def test_the_headline_is_the_same_while_open_and_when_resolved() -> None:
    assert (
        len({finding_message(finding(), notice).headline for notice in ("open", "worse", "reminder", "resolved")}) == 1
    )


@pytest.mark.parametrize(
    ("notice", "severity", "state"),
    [("open", "WARN", "WARN"), ("worse", "ERROR", "WORSE: ERROR"), ("reminder", "WARN", "STILL OPEN: WARN")],
)
def test_the_title_begins_with_what_changed(notice: Any, severity: str, state: str) -> None:
    assert finding_message(finding(severity=severity), notice).title.startswith(f"[{state}] ")


@pytest.mark.parametrize(
    ("value", "unit", "text"),
    [
        (None, "share", "unknown"),
        (Decimal("1.0352"), "share", "103.5 %"),
        (Decimal("1234.5"), "USD", "$1,234.50"),
        (Decimal("40.000000"), "throttles per day", "40 throttles per day"),
        (Decimal("1000000"), "rows", "1,000,000 rows"),
        (Decimal("0.25"), None, "0.25"),
    ],
)
def test_values_have_their_unit(value: Decimal | None, unit: str | None, text: str) -> None:
    assert shown_value(value, unit) == text


def test_text_from_aws_cannot_break_lines_hide_call_everybody_or_fill_the_screen() -> None:
    hostile = "a\nTo do: rm -rf\u202e\u200b @everyone @here " + "x" * 1000

    shown = clean(hostile)

    assert shown.startswith("a To do: rm -rf @\u200beveryone @\u200bhere xxx")
    assert len(shown) == 150
    message = finding_message(finding(subject={"profile_name": hostile}, evidence={"tag": hostile}), "open")
    assert [line for line in message.body.splitlines() if line.startswith("To do")] == []
    assert "\n" not in message.title


@given(st.text(max_size=400))
def test_any_name_stays_on_one_visible_line(name: str) -> None:
    message = finding_message(finding(subject={"name": name}, summary=name, evidence={"n": name}), "open")

    assert len(message.title.splitlines()) == 1
    assert len(message.body.splitlines()) <= 6
    assert "@everyone" not in message.body
    subject = sns_subject(message)
    assert len(subject) <= 100
    assert subject.isascii()
    assert subject.isprintable()


@given(st.text(max_size=50), st.integers(3, 60))
def test_bytes_are_cut_between_characters(text: str, longest: int) -> None:
    assert len(cut_bytes(text, longest).encode()) <= longest


@pytest.mark.parametrize(
    "row",
    [
        {"region": "us-east-1; rm -rf /", "quota_code": "L-F4DDD3EB", "desired_value": 1},
        {"region": "us-east-1", "quota_code": "L-F4DDD3EB$(id)", "desired_value": 1},
        {"partition_date": "2026-11-14; id"},
    ],
)
def test_nothing_but_well_formed_values_gets_into_a_command(row: dict[str, Any]) -> None:
    assert next_steps(finding(evidence=row)) == []


@pytest.mark.parametrize(
    ("name", "row", "steps"),
    [
        (
            "every_scope_answered_for_invocations",
            {"first_day": "2026-11-13", "last_day": "2026-11-15"},
            ["usage-pipeline doctor", "usage-pipeline run --from 2026-11-13 --to 2026-11-15"],
        ),
        ("no_day_was_left_out", {"partition_date": "2026-11-13"}, ["usage-pipeline run --date 2026-11-13"]),
        ("every_run_succeeds", {"run_id": "abc"}, ["usage-pipeline dev, then open run abc"]),
        (
            "no_pool_stays_close_to_its_quota",
            {"region": "us-gov-west-1", "quota_code": "L-00000001"},
            [
                "look at the quota: https://us-gov-west-1.console.amazonaws-us-gov.com/servicequotas/home/services/"
                "bedrock/quotas/L-00000001"
            ],
        ),
        (
            "applied_quotas_are_not_below_default",
            {"region": "us-east-1", "quota_code": "L-00000001", "adjustable": True},
            [
                "look at the quota: https://us-east-1.console.aws.amazon.com/servicequotas/home/services/"
                "bedrock/quotas/L-00000001",
                "aws service-quotas request-service-quota-increase --service-code bedrock --quota-code L-00000001 "
                "--region us-east-1 --desired-value 10",
            ],
        ),
        ("every_burndown_rate_is_known", {"pools": "a, b"}, []),
    ],
)
def test_the_next_step_is_a_link_or_a_command_that_can_be_pasted(
    name: str, row: dict[str, Any], steps: list[str]
) -> None:
    assert next_steps(finding(name, evidence=row)) == steps


def test_a_digest_counts_what_has_no_message_of_its_own() -> None:
    def due(number: int, notice: Any, name: str = "no_pool_is_throttled_too_often") -> Due:
        about = finding(name, number)
        return Due(MessageKey("chat", about.finding_id, OPENED, 1, 0), about, notice, 0)

    message = digest_message([due(1, "open"), due(2, "open"), due(3, "resolved", "every_call_has_a_price")], PAGE)

    assert message == Message(
        state="ERROR",
        headline="3 more findings",
        body="3 more findings: 2 new, 1 resolved.\n- every call has a price\n- no pool is throttled too often\n"
        f"All of them: usage-pipeline alerts list\nReport: {PAGE}#checks",
        is_good_news=False,
        is_error=True,
    )
