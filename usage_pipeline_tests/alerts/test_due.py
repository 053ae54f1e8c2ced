"""What is due to whom at a moment."""

import datetime as dt
from decimal import Decimal
from typing import Any

import pytest

from usage_pipeline.alerts.deliveries import Delivery, MessageKey, RunEnd
from usage_pipeline.alerts.due import due_messages, run_finding, with_digest
from usage_pipeline.alerts.findings import Finding
from usage_pipeline_tests.alerts.factory import OPENED, alert_settings, finding

HOUR = dt.timedelta(hours=1)
TWO_CHANNELS = [{"name": "chat", "url_env": "CHAT_URL"}, {"name": "ops", "url_env": "OPS_URL"}]


def told(
    about: Finding, *, at: dt.datetime = OPENED, failed: bool = False, channel: str = "chat", **key: Any
) -> Delivery:
    """A message about the finding's newest change that was sent, or could not be."""
    values = {"opened_at": about.opened_at, "notice_number": about.notice_number, "reminder": 0, **key}
    return Delivery(
        MessageKey(channel, about.finding_id, **values),
        "open",
        1,
        at,
        at,
        None if failed else at,
        "x" if failed else None,
    )


def due(findings: list[Finding], deliveries: list[Delivery], now: dt.datetime, **settings: Any) -> list[str]:
    """`channel notice` of what is due, in order."""
    messages = due_messages(findings, deliveries, alert_settings(**settings), now)
    return [f"{channel} {message.notice}" for channel, some in messages.items() for message in some]


def test_an_open_finding_is_told_once() -> None:
    about = finding()

    assert due([about], [], OPENED) == ["chat open"]
    assert due([about], [told(about)], OPENED + HOUR) == []


def test_a_failed_delivery_is_due_again() -> None:
    about = finding()

    assert due([about], [told(about, failed=True)], OPENED) == ["chat open"]


def test_an_open_finding_is_told_again_after_a_day_and_each_day_then() -> None:
    about = finding()
    reminded = told(about, at=OPENED + 24 * HOUR, reminder=1)

    assert due([about], [told(about)], OPENED + 23 * HOUR) == []
    assert due([about], [told(about)], OPENED + 24 * HOUR) == ["chat reminder"]
    assert due([about], [told(about), reminded], OPENED + 47 * HOUR) == []
    (message,) = due_messages([about], [told(about), reminded], alert_settings(), OPENED + 48 * HOUR)["chat"]
    assert message.key.reminder == 2


def test_a_worse_finding_is_told_although_it_was_told_before() -> None:
    about = finding(notice="worse", notice_number=2)

    assert due([about], [told(about, notice_number=1)], OPENED + HOUR) == ["chat worse"]


def test_a_resolved_finding_is_told_where_it_was_told_and_only_once() -> None:
    gone = finding(resolved_at=OPENED + HOUR, notice="resolved", notice_number=2)
    opened = told(gone, notice_number=1)

    assert due([gone], [], OPENED + HOUR) == []
    assert due([gone], [opened], OPENED + HOUR, channels=TWO_CHANNELS) == ["chat resolved"]
    assert due([gone], [opened, told(gone)], OPENED + 100 * HOUR) == []


def test_a_finding_that_came_back_and_went_while_nobody_looked_is_told_as_resolved() -> None:
    gone_again = finding(opened_at=OPENED + HOUR, resolved_at=OPENED + 2 * HOUR, notice="resolved", notice_number=4)

    assert due([gone_again], [told(finding())], OPENED + 3 * HOUR) == ["chat resolved"]


def test_a_finding_that_opens_again_is_told_again_also_in_a_warehouse_that_was_made_anew() -> None:
    again = finding(opened_at=OPENED + HOUR)

    assert due([again], [told(finding())], OPENED + HOUR) == ["chat open"]


def test_severities_go_where_the_configuration_says() -> None:
    routing = {"ERROR": ["chat", "ops"], "WARN": ["ops"]}

    error = due([finding()], [], OPENED, channels=TWO_CHANNELS, routing=routing)
    warning = due([finding(severity="WARN")], [], OPENED, channels=TWO_CHANNELS, routing=routing)

    assert (error, warning) == (["chat open", "ops open"], ["ops open"])


def test_errors_come_first_then_the_largest_and_what_failed_before_comes_last() -> None:
    failed, small = finding(number=1), finding(number=2, value=Decimal(1))
    warning, large = finding(number=3, severity="WARN"), finding(number=4, value=Decimal(9))

    messages = due_messages([failed, warning, small, large], [told(failed, failed=True)], alert_settings(), OPENED)

    assert [message.finding for message in messages["chat"]] == [large, small, warning, failed]


@pytest.mark.parametrize(
    ("utc", "is_due"),
    [("20:59", True), ("21:00", False), ("23:59", False), ("00:00", False), ("05:59", False), ("06:00", True)],
)
def test_messages_wait_in_quiet_hours_of_the_configured_zone(utc: str, is_due: bool) -> None:
    quiet = {"from": "22:00", "to": "07:00", "time_zone": "Europe/Berlin"}
    now = dt.datetime.combine(OPENED.date(), dt.time.fromisoformat(utc))

    assert (due([finding()], [], now, quiet_hours=quiet) == ["chat open"]) is is_due


def test_errors_pass_quiet_hours_when_configured() -> None:
    quiet = {"from": "09:00", "to": "17:00", "errors_pass": True}
    findings = [finding(number=1), finding(number=2, severity="WARN")]

    assert due(findings, [], OPENED, quiet_hours=quiet) == ["chat open"]


@pytest.mark.parametrize(
    ("number", "sizes"), [(0, (0, 0)), (10, (10, 0)), (11, (11, 0)), (12, (10, 2)), (40, (10, 30))]
)
def test_beyond_the_limit_one_message_counts_the_rest(number: int, sizes: tuple[int, int]) -> None:
    messages = due_messages([finding(number=item) for item in range(number)], [], alert_settings(), OPENED)

    single, rest = with_digest(messages.get("chat", []), 10)

    assert (len(single), len(rest)) == sizes


def test_a_dry_run_is_recorded_under_another_name_so_that_leaving_it_sends() -> None:
    about = finding()
    said = told(about, channel="dry run: chat")

    assert due([about], [said], OPENED, dry_run=True) == []
    assert due([about], [said], OPENED) == ["chat open"]


def run(number: int, succeeded: bool) -> RunEnd:
    return RunEnd(f"run-{number}", OPENED + number * HOUR, succeeded, "daily", "" if succeeded else f"reason {number}")


def test_failed_runs_are_one_finding_until_a_run_succeeds() -> None:
    failed_twice = [run(0, True), run(1, False), run(2, False)]
    found = run_finding(failed_twice)
    assert found is not None
    assert (found.notice, found.notice_number, found.value, found.opened_at) == ("worse", 2, 2, OPENED + HOUR)
    assert found.summary == "A run failed: reason 2"

    resolved = run_finding([*failed_twice, run(3, True), run(4, True)])
    assert resolved is not None
    assert (resolved.notice, resolved.notice_number, resolved.resolved_at) == ("resolved", 3, OPENED + 3 * HOUR)

    again = run_finding([*failed_twice, run(3, True), run(4, False)])
    assert again is not None
    assert (again.notice, again.notice_number, again.value, again.opened_at) == ("open", 4, 1, OPENED + 4 * HOUR)


def test_without_a_failed_run_there_is_nothing_to_tell() -> None:
    assert run_finding([run(1, True)]) is None
