"""Findings and deliveries together, whatever the checks say and however services fail."""

import dataclasses
import datetime as dt

from hypothesis import given
from hypothesis import strategies as st

from usage_pipeline.alerts.deliveries import Delivery, MessageKey
from usage_pipeline.alerts.due import Due, due_messages
from usage_pipeline.alerts.findings import Finding, next_findings
from usage_pipeline_tests.alerts.factory import OPENED, alert_settings, result

SETTINGS = alert_settings(channels=[{"name": "chat", "url_env": "A"}, {"name": "ops", "url_env": "B"}])

DAYS = st.lists(
    st.tuples(
        st.dictionaries(st.sampled_from("abc"), st.integers(1, 9), max_size=3),
        # For each of up to three looks of a day, whether each message is taken.
        st.lists(st.lists(st.booleans(), min_size=1, max_size=4), max_size=3),
    ),
    min_size=1,
    max_size=5,
)


class Record:
    """Deliveries as the file keeps them, and what each channel took, in order."""

    def __init__(self) -> None:
        self.deliveries: dict[MessageKey, Delivery] = {}
        self.taken: list[Due] = []

    def note(self, due: Due, now: dt.datetime, *, taken: bool) -> None:
        before = self.deliveries.get(due.key)
        assert before is None or before.delivered_at is None
        first = Delivery(due.key, due.notice, 0, now, now, None, None)
        self.deliveries[due.key] = dataclasses.replace(
            before or first,
            attempts=(before.attempts if before else 0) + 1,
            delivered_at=now if taken else None,
            error=None if taken else "no answer",
        )
        if taken:
            self.taken.append(due)

    def look(self, findings: list[Finding], now: dt.datetime, answers: list[bool]) -> None:
        due = due_messages(findings, self.deliveries.values(), SETTINGS, now)
        for number, message in enumerate(message for some in due.values() for message in some):
            self.note(message, now, taken=answers[number % len(answers)])


@given(DAYS)
def test_every_change_is_told_once_and_in_the_end_everybody_knows_what_is_open(
    days: list[tuple[dict[str, int], list[list[bool]]]],
) -> None:
    findings: list[Finding] = []
    record = Record()
    now = OPENED
    for day, (pools, looks) in enumerate(days):
        now = OPENED + dt.timedelta(hours=day)
        findings = next_findings(findings, [result(*pools.items())], now, worse_factor=1.25)
        for answers in looks:
            record.look(findings, now, answers)

    record.look(findings, now, [True])

    assert due_messages(findings, record.deliveries.values(), SETTINGS, now) == {}
    keys = [due.key for due in record.taken]
    assert len(set(keys)) == len(keys)
    for channel in ("chat", "ops"):
        for finding in findings:
            told = [
                due.notice
                for due in record.taken
                if due.key.channel == channel and due.key.finding_id == finding.finding_id
            ]
            assert not finding.is_open or (told and told[-1] != "resolved")
            assert finding.is_open or not told or told[-1] == "resolved"
