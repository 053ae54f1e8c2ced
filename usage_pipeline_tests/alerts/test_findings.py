"""From check results to findings, and what is new about them."""

import datetime as dt
from decimal import Decimal

import pytest
from hypothesis import given
from hypothesis import strategies as st

from usage_pipeline.alerts.findings import Finding, next_findings, number, observations
from usage_pipeline.checks.rules import RuleResult
from usage_pipeline_tests.alerts.factory import OPENED, result

LATER = OPENED + dt.timedelta(days=1)
FACTOR = 1.25


def after(*results: RuleResult, before: list[Finding] | None = None, now: dt.datetime = OPENED) -> list[Finding]:
    return next_findings(before or [], results, now, FACTOR)


def only(findings: list[Finding]) -> Finding:
    (found,) = findings
    return found


def test_rows_about_one_thing_are_one_finding_with_the_worst_of_them() -> None:
    found = {item.subject: item for item in observations(result(("a", 1), ("b", 7), ("a", 3)))}

    assert {subject: item.value for subject, item in found.items()} == {'{"pool_id": "a"}': 3, '{"pool_id": "b"}': 7}


def test_without_a_subject_all_rows_are_one_finding_and_without_a_value_their_number_is_it() -> None:
    query = result(("a", 1), ("b", 7), subject=())
    for row in query.rows:
        del row["value"]

    (found,) = observations(query)

    assert (found.subject, found.value, found.unit) == ("{}", 2, "rows")
    assert found.summary == "Not true: no pool is hot."


def test_a_rows_own_severity_and_sentence_win() -> None:
    query = result(("a", 1))
    query.rows[0] |= {"severity": "ERROR", "summary": "Hot.", "threshold": 0.5, "unit": "share"}

    (found,) = observations(query)

    assert (found.severity, found.summary, found.threshold, found.unit) == ("ERROR", "Hot.", Decimal("0.5"), "share")
    assert found.evidence == '{"pool_id": "a"}'


def test_a_new_finding_is_open_since_now() -> None:
    found = only(after(result(("a", 1))))

    assert (found.notice, found.notice_number, found.opened_at, found.resolved_at) == ("open", 1, OPENED, None)


def test_seen_again_it_is_the_same_finding_with_nothing_to_tell() -> None:
    first = only(after(result(("a", 4))))

    again = only(after(result(("a", 4.9)), before=[first], now=LATER))

    assert (again.opened_at, again.last_seen_at, again.value) == (OPENED, LATER, Decimal("4.9"))
    assert (again.notice, again.notice_number) == ("open", 1)


@pytest.mark.parametrize(("value", "notice"), [(4.99, "open"), (5, "worse"), (50, "worse")])
def test_it_is_worse_when_the_value_grew_by_the_factor_since_it_was_told(value: float, notice: str) -> None:
    first = only(after(result(("a", 4))))

    found = only(after(result(("a", value)), before=[first], now=LATER))

    assert found.notice == notice


def test_small_steps_add_up_to_worse() -> None:
    found = only(after(result(("a", 4))))
    for value in (4.4, 4.8, 5.2):
        found = only(after(result(("a", value)), before=[found], now=LATER))

    assert (found.notice, found.notice_number, found.notice_value) == ("worse", 2, Decimal("5.2"))


def test_it_is_worse_when_a_warning_becomes_an_error() -> None:
    first = only(after(result(("a", 4))))
    query = result(("a", 4))
    query.rows[0]["severity"] = "ERROR"

    found = only(after(query, before=[first], now=LATER))

    assert (found.notice, found.severity, found.notice_severity) == ("worse", "ERROR", "ERROR")


def test_what_no_row_speaks_of_any_more_is_resolved_and_may_open_again() -> None:
    first = only(after(result(("a", 4))))

    gone = only(after(result(), before=[first], now=LATER))
    back = only(after(result(("a", 1)), before=[gone], now=LATER + dt.timedelta(days=1)))

    assert (gone.notice, gone.notice_number, gone.resolved_at, gone.opened_at) == ("resolved", 2, LATER, OPENED)
    assert (back.notice, back.notice_number, back.resolved_at) == ("open", 3, None)
    assert (back.first_seen_at, back.opened_at) == (OPENED, LATER + dt.timedelta(days=1))
    assert back.worst_value == 1


def test_what_is_beyond_the_listed_rows_is_not_taken_for_resolved() -> None:
    first = after(result(("a", 4), ("b", 5)))

    found = after(result(("b", 5), failing_rows=1001), before=first, now=LATER)

    assert [item.is_open for item in found] == [True, True]


def test_a_check_that_is_gone_has_no_open_findings() -> None:
    first = after(result(("a", 4)))

    assert only(after(before=first, now=LATER)).resolved_at == LATER


@pytest.mark.parametrize(
    ("value", "expected"),
    [(None, None), (True, None), ("7", None), (float("nan"), None), (float("inf"), None), (1e300, None),
     (10**31, Decimal(10**31)), (0.1, Decimal("0.1")), (Decimal("1.23456789"), Decimal("1.234568"))],
)  # fmt: skip
def test_a_value_is_a_decimal_with_six_digits_or_unknown(value: object, expected: Decimal | None) -> None:
    assert number(value) == expected


POOLS = st.dictionaries(st.sampled_from("abc"), st.integers(0, 20), max_size=3)


@given(days=st.lists(POOLS, min_size=1, max_size=6))
def test_findings_follow_what_each_evaluation_says(days: list[dict[str, int]]) -> None:
    findings: list[Finding] = []
    for day, pools in enumerate(days):
        before = {item.finding_id: item for item in findings}
        now = OPENED + dt.timedelta(days=day)
        found = result(*pools.items())
        findings = after(found, before=findings, now=now)

        assert len({item.finding_id for item in findings}) == len(findings)
        assert {item.subject for item in findings if item.is_open} == {f'{{"pool_id": "{pool}"}}' for pool in pools}
        for item in findings:
            earlier = before.get(item.finding_id)
            assert item.notice_number - (earlier.notice_number if earlier else 0) in (0, 1)
            assert item.first_seen_at <= item.opened_at <= item.last_seen_at <= now
            assert (item.notice == "resolved") == (not item.is_open)
            assert item.worst_value is not None
            assert not item.is_open or item.value <= item.worst_value
        # The same evaluation again has nothing new to tell.
        again = after(found, before=findings, now=now)
        assert again == findings
