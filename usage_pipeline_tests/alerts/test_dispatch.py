"""Telling people: at least once, never twice, and what fails is noted."""

import dataclasses
import datetime as dt
import os
import stat
import threading
from decimal import Decimal
from pathlib import Path

import duckdb
import pytest

from usage_pipeline.alerts.deliveries import RunEnd, open_delivery_log, stored_deliveries
from usage_pipeline.alerts.dispatch import Outcome, dispatch, open_findings
from usage_pipeline.alerts.stored import delivery_rows, finding_rows, read_consumers
from usage_pipeline.config import Settings
from usage_pipeline_tests.alerts.factory import OPENED, POOL, finding, publish_findings, settings_in
from usage_pipeline_tests.alerts.webhook import Webhook, webhook

NOW = OPENED + dt.timedelta(hours=1)
SECRET = "TOKEN-THAT-IS-SECRET"


def tell(settings: Settings, hook: Webhook, now: dt.datetime = NOW, seconds: float | None = None) -> Outcome:
    return dispatch(settings, now, environment={"CHAT_URL": hook.address}, seconds=seconds)


def test_one_message_per_finding_although_the_service_fails_twice_and_one_when_it_is_resolved(tmp_path: Path) -> None:
    settings = settings_in(tmp_path)
    findings = [finding(number=number) for number in range(4)]
    publish_findings(settings.published_file, findings)

    with webhook(failures=2) as hook:
        first, second, third = (tell(settings, hook) for _ in range(3))
        gone = dataclasses.replace(findings[0], resolved_at=NOW, notice="resolved", notice_number=2)
        publish_findings(settings.published_file, [gone, *findings[1:]])
        fourth, fifth = (tell(settings, hook) for _ in range(2))

    assert [outcome.delivered for outcome in (first, second, third, fourth, fifth)] == [2, 2, 0, 1, 0]
    assert first.errors == ["chat: the service answered with HTTP status 500"]
    assert second.errors == []
    errors = [title for title in hook.titles if title.startswith("[ERROR]")]
    assert len(set(errors)) == len(errors) == 4
    assert [title for title in hook.titles if title not in errors] == [
        f"[RESOLVED] {POOL}/0: no pool is throttled too often"
    ]


def test_a_service_that_is_down_is_asked_three_times_in_one_look_and_nothing_is_lost(tmp_path: Path) -> None:
    settings = settings_in(tmp_path)
    publish_findings(settings.published_file, [finding(number=number) for number in range(9)])

    with webhook(failures=3) as hook:
        tell(settings, hook)
        asked = hook.refused, len(hook.messages)
        tell(settings, hook)

    assert asked == (3, 0)
    assert len(set(hook.titles)) == len(hook.titles) == 9


def test_a_kill_while_sending_sends_again_and_a_kill_after_it_does_not(tmp_path: Path) -> None:
    settings = settings_in(tmp_path)
    publish_findings(settings.published_file, [finding()])

    class Killed(BaseException):
        pass

    def killed(*_: object) -> None:
        raise Killed

    with webhook() as hook:
        with pytest.MonkeyPatch.context() as patch:
            patch.setattr("usage_pipeline.alerts.channels.AppriseAddress.send", killed)
            with pytest.raises(Killed):
                tell(settings, hook)
        tell(settings, hook)
        tell(settings, hook)

    assert len(hook.messages) == 1


def test_two_dispatchers_at_once_send_each_message_once(tmp_path: Path) -> None:
    settings = settings_in(tmp_path)
    publish_findings(settings.published_file, [finding(number=number) for number in range(5)])

    with webhook() as hook:
        threads = [threading.Thread(target=tell, args=(settings, hook)) for _ in range(3)]
        for thread in threads:
            thread.start()
        for thread in threads:
            thread.join()

    assert len(set(hook.titles)) == len(hook.titles) == 5


def test_beyond_the_digest_limit_one_message_counts_the_rest_and_none_is_told_again(tmp_path: Path) -> None:
    settings = settings_in(tmp_path, digest_limit=3)
    publish_findings(settings.published_file, [finding(number=number) for number in range(40)])

    with webhook() as hook:
        outcome = tell(settings, hook)
        again = tell(settings, hook)

    assert (outcome.delivered, again.delivered) == (4, 0)
    assert hook.titles[-1] == "[ERROR] 37 more findings"
    assert len(stored_deliveries(settings.alerts_file)) == 40


def test_a_message_that_nobody_took_is_forgotten_once_its_finding_opened_anew(tmp_path: Path) -> None:
    settings = settings_in(tmp_path)
    with webhook(failures=1) as hook:
        publish_findings(settings.published_file, [finding()])
        tell(settings, hook)
        publish_findings(settings.published_file, [finding(opened_at=NOW, notice_number=3)])
        tell(settings, hook)

    (delivery,) = stored_deliveries(settings.alerts_file)
    assert (delivery.key.opened_at, delivery.delivered_at) == (NOW, NOW)


def test_a_dry_run_sends_nothing_and_says_each_message_once(tmp_path: Path) -> None:
    settings = settings_in(tmp_path, dry_run=True)
    publish_findings(settings.published_file, [finding()])

    with webhook() as hook:
        first, second = tell(settings, hook), tell(settings, hook)

    assert hook.messages == []
    assert first.said == [f"chat: [ERROR] {POOL}/1: no pool is throttled too often"]
    assert (first.text, second.text) == ("messages only said (dry run): 1", "")


def test_a_reminder_comes_after_a_day_and_only_one(tmp_path: Path) -> None:
    settings = settings_in(tmp_path)
    publish_findings(settings.published_file, [finding()])

    with webhook() as hook:
        for hours in (0, 23, 24, 25):
            tell(settings, hook, NOW + dt.timedelta(hours=hours))

    assert [title.split("]")[0] for title in hook.titles] == ["[ERROR", "[STILL OPEN: ERROR"]


def test_a_tick_ends_in_time_and_the_next_goes_on(tmp_path: Path) -> None:
    settings = settings_in(tmp_path)
    publish_findings(settings.published_file, [finding()])

    with webhook() as hook:
        assert tell(settings, hook, seconds=0).delivered == 0
        assert tell(settings, hook, seconds=40).delivered == 1


def test_a_failed_run_is_told_although_nothing_was_published(tmp_path: Path) -> None:
    settings = settings_in(tmp_path)
    with open_delivery_log(settings.alerts_file) as log:
        log.note_run(RunEnd("abc", NOW, succeeded=False, job="daily", reason="raw__invocations: disk full"))
        log.note_run(RunEnd("abc", NOW, succeeded=True, job="daily", reason=""))

    with webhook() as hook:
        tell(settings, hook)
        tell(settings, hook)
        with open_delivery_log(settings.alerts_file) as log:
            log.note_run(RunEnd("def", NOW + dt.timedelta(hours=1), succeeded=True, job="daily", reason=""))
        tell(settings, hook)

    assert hook.titles == ["[ERROR] ops.runs: every run succeeds", "[RESOLVED] ops.runs: every run succeeds"]
    assert "A run failed: raw__invocations: disk full" in hook.messages[0]["message"]
    assert "usage-pipeline dev, then open run abc" in hook.messages[0]["message"]


def test_a_missing_address_is_an_error_of_the_channel(tmp_path: Path) -> None:
    settings = settings_in(tmp_path)
    publish_findings(settings.published_file, [finding()])

    outcome = dispatch(settings, NOW, environment={})

    text = "the environment variable CHAT_URL is not set; it must hold the channel's address"
    assert outcome.errors == [f"chat: {text}"]
    (delivery,) = stored_deliveries(settings.alerts_file)
    assert (delivery.error, delivery.attempts, delivery.delivered_at) == (text, 1, None)


def test_without_channels_no_file_is_made(tmp_path: Path) -> None:
    settings = settings_in(tmp_path, channels=[])
    publish_findings(settings.published_file, [finding()])

    assert dispatch(settings, NOW, environment={}).text == ""
    assert not settings.alerts_file.exists()


def test_no_file_that_is_written_has_the_address(tmp_path: Path) -> None:
    settings = settings_in(tmp_path)
    publish_findings(settings.published_file, [finding(number=number) for number in range(3)])

    with webhook(failures=1) as hook:
        tell(settings, hook)

    written = [path for path in tmp_path.rglob("*") if path.is_file()]
    assert settings.alerts_file in written
    assert [path for path in written if SECRET.encode() in path.read_bytes()] == []
    if os.name == "posix":
        assert stat.S_IMODE(settings.alerts_file.stat().st_mode) == 0o600


def test_findings_carry_how_they_were_delivered(tmp_path: Path) -> None:
    settings = settings_in(tmp_path)
    taken, refused = finding(number=1), finding(number=2, value=Decimal(1))
    publish_findings(settings.published_file, [taken, refused])
    with webhook() as hook:
        tell(settings, hook)
        publish_findings(
            settings.published_file,
            [taken, dataclasses.replace(refused, notice="worse", notice_number=2, notice_value=Decimal(2))],
        )
        hook.failures_left = 1
        tell(settings, hook)
    deliveries = stored_deliveries(settings.alerts_file)

    rows = {row["finding_id"]: row for row in finding_rows([taken, refused], deliveries).to_pylist()}

    told = ("notified_at", "notified_state", "delivery_error", "attempts")
    assert [rows[taken.finding_id][column] for column in told] == [NOW, "open", None, 1]
    error = "chat: the service answered with HTTP status 500"
    assert [rows[refused.finding_id][column] for column in told] == [NOW, "open", error, 2]
    stored = sorted(delivery_rows(deliveries).to_pylist(), key=lambda row: row["notice_number"])
    assert [(row["notice"], row["attempts"], row["delivered_at"]) for row in stored] == [
        ("open", 1, NOW),
        ("open", 1, NOW),
        ("worse", 1, None),
    ]


def test_who_used_a_pool_most_is_its_callers_else_its_profiles(tmp_path: Path) -> None:
    settings = settings_in(tmp_path)
    logged, not_logged = finding(number=1), finding(number=2)
    publish_findings(settings.published_file, [])
    with duckdb.connect(str(settings.published_file)) as con:
        con.execute(
            f"""
            insert into marts.usage_daily values
                ('{POOL}/1', '2026-11-14', 'old', 1000),
                ('{POOL}/1', '2026-11-15', 'search', 750),
                ('{POOL}/1', '2026-11-15', 'chat', 250);
            insert into marts.quota_headroom values
                ('{POOL}/2', 'tpm', '2026-11-15', [{{'profile_id': 'p1', 'profile_name': null, 'share': 0.9}}]);
            """
        )

    found = read_consumers(settings.published_file, [logged, not_logged, finding(subject={"model_id": "m"})])

    assert [(item.name, item.share) for item in found[logged.finding_id]] == [("search", 0.75), ("chat", 0.25)]
    assert [(item.name, item.share) for item in found[not_logged.finding_id]] == [("p1", 0.9)]
    assert len(found) == 2


def test_open_findings_are_listed_errors_first(tmp_path: Path) -> None:
    settings = settings_in(tmp_path)
    gone = finding(number=3, resolved_at=NOW)
    publish_findings(settings.published_file, [finding(number=2, severity="WARN"), gone, finding(number=1)])

    assert [found.severity for found in open_findings(settings)] == ["ERROR", "WARN"]
