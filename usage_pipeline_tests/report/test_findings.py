import dataclasses
from datetime import date, datetime
from typing import Any

import duckdb
import pytest
from hypothesis import given
from hypothesis import strategies as st

from usage_pipeline.alerts.findings import Finding
from usage_pipeline.report.contents import Report
from usage_pipeline.report.finding_cards import Known, card, short, sql_text
from usage_pipeline.report.finding_contents import FindingCard, Severity
from usage_pipeline.report.findings import check_title, failed_check_cards, urgency
from usage_pipeline_tests.report.cost_sample import HOSTILE_APPLICATION
from usage_pipeline_tests.report.planned_sample import OPENED, REQUEST_TEXT
from usage_pipeline_tests.report.sample import HOSTILE_NAME, LITE_POOL, SONNET_POOL

SONNET = "Claude Sonnet 4.5, geo cross-Region, production us-east-1"
LITE = "Nova Lite, on-demand, production us-east-1"


def cards(report: Report, kind: str) -> list[FindingCard]:
    return [made for made in report.findings if made.kind == kind]


def numbers(made: FindingCard) -> dict[str, object]:
    return {item.label: item.value for item in made.evidence}


def actions(made: FindingCard, kind: str) -> list[str]:
    return [action.value for action in made.actions if action.kind == kind]


def test_most_urgent_come_first(planned_report: Report) -> None:
    assert [(made.severity, made.kind, made.subject) for made in planned_report.findings] == [
        ("ERROR", "throttles", SONNET_POOL),
        ("ERROR", "source", "cloudwatch_metrics/444455556666/research/eu-west-1"),
        ("WARN", "quota", f"{SONNET_POOL}/tpm"),
        ("WARN", "anomaly", f"caller/{HOSTILE_NAME}/cost_usd/2026-11-09"),
        ("WARN", "anomaly", f"pool/{SONNET_POOL}/consumed_tokens/2026-11-14"),
        ("WARN", "check", "0000000000000002"),
        ("ADVICE", "quota", f"{LITE_POOL}/tpm"),
        ("ADVICE", "caching", f"{SONNET_POOL}/app-1"),
        ("ADVICE", "caching", f"{SONNET_POOL}/app-6"),
        ("ADVICE", "caching", f"{SONNET_POOL}/app-5"),
        ("ADVICE", "caching", f"{SONNET_POOL}/app-3"),
        ("ADVICE", "caching", f"{SONNET_POOL}/app-4"),
        ("ADVICE", "max_tokens", f"{SONNET_POOL}/{HOSTILE_APPLICATION}"),
        ("ADVICE", "endpoint_move", f"{SONNET_POOL}/global"),
        ("ADVICE", "idle_profile", "profile/idle one/idle_days/2026-11-14"),
    ]


def test_every_number_is_what_its_sql_says(planned_report: Report, planned: duckdb.DuckDBPyConnection) -> None:
    checked = 0
    for made in planned_report.findings:
        assert made.evidence_sql
        cursor = planned.execute(made.evidence_sql)
        columns = [column[0] for column in cursor.description or []]
        row = dict(zip(columns, cursor.fetchone() or (), strict=True))
        for item in made.evidence:
            if item.column:
                assert row[item.column] == item.value, made.title
                checked += 1
    assert checked > 30


def test_rows_behind_the_numbers_can_be_read(planned_report: Report, planned: duckdb.DuckDBPyConnection) -> None:
    queries = [made.rows_sql for made in planned_report.findings if made.rows_sql]
    assert len(queries) == 10
    for query in queries:
        assert planned.execute(query).fetchall()


def test_throttled_pool_says_how_often_why_and_who(planned_report: Report) -> None:
    (made,) = cards(planned_report, "throttles")
    assert made.title == f"450 requests of {SONNET} were throttled, mostly by the requests-per-minute quota"
    assert numbers(made) == {
        "Throttled requests": 450,
        "Throttled minutes": 1,
        "Of the attempts in these minutes": 100,
        "Minutes with the likeliest cause": 1,
        "Of these certain": 0,
        "Minutes in retry storms": 0,
        "Turned away most": HOSTILE_NAME,
    }
    assert (made.grade, made.effect_value, made.effect_unit) == ("medium", 450, "requests")
    assert made.pool_anchor == next(pool.anchor for pool in planned_report.pools if pool.pool_id == SONNET_POOL)


def test_open_finding_of_a_check_gives_its_severity_and_beginning(planned_report: Report) -> None:
    (made,) = cards(planned_report, "throttles")
    assert (made.severity, made.since, made.description) == ("ERROR", OPENED, "450 of 450 requests were throttled.")


def test_without_an_open_finding_throttles_are_a_warning(logged_report: Report) -> None:
    (made,) = cards(logged_report, "throttles")
    assert (made.severity, made.since) == ("WARN", date(2026, 11, 15))


def test_quota_to_ask_for_has_its_interval_and_text(planned_report: Report) -> None:
    made = next(made for made in cards(planned_report, "quota") if made.pool_id == SONNET_POOL)
    assert made.title == f"{SONNET} needs a larger tokens-per-minute quota"
    evidence = {item.column: (item.value, item.low, item.high, item.unit) for item in made.evidence}
    assert evidence["recommended"] == (30_000, 27_000, 33_000, "tokens/min")
    assert evidence["reaches_limit_on"] == (date(2026, 12, 1), date(2026, 11, 25), date(2026, 12, 20), None)
    assert evidence["growth_percent"] == (2, 1, 3, "%")
    assert evidence["highest_percent"][0] == 7.6
    assert made.grade == "medium"
    assert actions(made, "text") == [REQUEST_TEXT]
    assert actions(made, "link") == [
        "https://us-east-1.console.aws.amazon.com/servicequotas/home/services/bedrock/quotas/L-00000001"
    ]
    assert actions(made, "command") == [
        "aws service-quotas request-service-quota-increase --service-code bedrock --quota-code L-00000001 "
        "--region us-east-1 --desired-value 30000"
    ]


def test_where_reservations_ask_for_more_lower_max_tokens_is_the_advice(planned_report: Report) -> None:
    made = next(made for made in cards(planned_report, "quota") if made.pool_id == LITE_POOL)
    assert made.title == f"{LITE} needs lower max_tokens before it needs a larger tokens-per-minute quota"
    assert actions(made, "command") == []
    assert actions(made, "advice") == ["Lower max_tokens as advised for each application of the pool, and look again."]


def test_max_tokens_is_told_where_it_frees_a_part_of_the_quota_that_counts(planned_report: Report) -> None:
    (made,) = cards(planned_report, "max_tokens")
    assert made.title == f"{HOSTILE_APPLICATION}: max_tokens of 1,088 is enough on {SONNET}"
    assert made.effect_value == 4_321.5
    assert len(planned_report.max_tokens) == 3


def test_cheapest_endpoint_type_that_holds_both_peaks_is_told_to_pools_in_need(planned_report: Report) -> None:
    (made,) = cards(planned_report, "endpoint_move")
    assert made.title == f"{SONNET} would fit into the global cross-Region quotas of the same model"
    assert made.effect == (
        "Both peaks together would use 40.0 % of those quotas. The pool's own tokens would cost -9.1 % there."
    )
    assert numbers(made) == {
        "Peak here (P99.9)": 19_500,
        "Peak there (P99.9)": 500,
        "Quota there": 50_000,
        "Of it used by both peaks together": 40,
        "Change of cost": -9.1,
    }


def test_caching_says_what_it_assumes(planned_report: Report) -> None:
    made = cards(planned_report, "caching")[0]
    assert made.title == f"app-1 caches hardly any of its input on {SONNET}"
    assert made.effect == (
        "If 10\u202f% of the input is a repeated beginning, 9.25 USD would have been saved in 30 days."
    )
    assert "each cached beginning read 4 times" in actions(made, "advice")[0]
    assert made.grade == "low"


def test_what_stood_out_within_a_week_is_told(planned_report: Report) -> None:
    told = [made.title for made in cards(planned_report, "anomaly")]
    assert told == [
        f"{HOSTILE_NAME} cost more than usual on 2026-11-09",
        f"{SONNET_POOL} used more tokens than usual on 2026-11-14",
    ]


def test_finding_of_a_check_has_its_evidence_and_steps(planned_report: Report) -> None:
    (made,) = cards(planned_report, "check")
    assert (made.title, made.region, made.pool_id) == ("Below the default.", "us-east-1", None)
    assert numbers(made) == {
        "Value": 800,
        "Threshold": 2000,
        "Quota name": f"tokens for {HOSTILE_NAME}",
        "Adjustable": "yes",
    }
    assert actions(made, "command") == [
        "aws service-quotas request-service-quota-increase --service-code bedrock --quota-code L-C0326783 "
        "--region us-east-1 --desired-value 2000"
    ]


def test_source_that_did_not_answer_is_one_card_with_the_error(planned_report: Report) -> None:
    (made,) = cards(planned_report, "source")
    assert made.title == "AWS did not answer for cloudwatch_metrics in research eu-west-1"
    assert made.description == "AccessDenied: not authorized to perform: cloudwatch:GetMetricData"
    assert numbers(made) == {"Days that lack it": 1, "Last such day": date(2026, 11, 15)}
    assert made.severity == "ERROR"


def test_failed_check_without_a_finding_is_told_by_its_rows(logged_report: Report) -> None:
    check = dataclasses.replace(logged_report.checks[0], check_name="costs_add_up", asset="marts.usage_daily")
    with duckdb.connect() as con:
        con.execute("create schema ops")
        con.execute(
            "create table ops.check_results as select 'costs_add_up' as check_name, "
            "'marts.usage_daily' as asset, 7::bigint as failing_rows, '[]' as examples"
        )
        (made,) = failed_check_cards(Known(con, {}), [check], [])
    assert (made.title, numbers(made)) == ("Not true: costs add up.", {"Rows that contradict it": 7})


def test_ids_are_the_same_in_every_report_and_differ(planned_report: Report, logged_report: Report) -> None:
    ids = [made.finding_id for made in planned_report.findings]
    assert len(set(ids)) == len(ids)
    assert {made.anchor for made in cards(logged_report, "throttles")} == {
        made.anchor for made in cards(planned_report, "throttles")
    }


def made_of(severity: Severity, unit: str | None, value: float | None, subject: str = "s") -> FindingCard:
    return card("k", subject, severity, "title", effect_unit=unit, effect_value=value)


def test_order_is_severity_then_kind_of_effect_then_size() -> None:
    order = [
        made_of("ERROR", None, None),
        made_of("WARN", "requests", 5),
        made_of("WARN", "%", 190.0),
        made_of("WARN", "%", 90.0),
        made_of("WARN", "USD", 1e9),
        made_of("WARN", None, None, "a"),
        made_of("WARN", None, None, "b"),
        made_of("ADVICE", "requests", 1e9),
    ]
    shuffled = [order[place] for place in (3, 7, 0, 5, 1, 6, 4, 2)]
    assert sorted(shuffled, key=urgency) == order


@given(st.text())
def test_any_text_is_one_literal_of_sql(text: str) -> None:
    if "\0" in text:
        return
    assert duckdb.execute(f"select {sql_text(text)}").fetchone() == (text,)


@pytest.mark.parametrize(("text", "expected"), [("a\n b", "a b"), (None, "unknown"), ("x" * 300, "x" * 199 + "…")])
def test_names_are_one_line_and_cut(text: str | None, expected: str) -> None:
    assert short(text) == expected


def test_since_is_when_it_was_first_told(planned_report: Report) -> None:
    assert {made.since for made in planned_report.findings if made.kind == "check"} == {
        datetime.fromisoformat("2026-11-15T06:00")
    }


def test_finding_of_a_check_names_its_pool_in_words(planned_report: Report) -> None:
    pool = next(pool for pool in planned_report.pools if pool.pool_id == LITE_POOL)
    unset: dict[str, Any] = dict.fromkeys(field.name for field in dataclasses.fields(Finding))
    like = Finding(**unset)
    finding = dataclasses.replace(like, check_name="every_pool_has_a_limit", summary=f"Not true for {LITE_POOL}: it.")
    assert check_title(finding, pool) == f"{LITE}: not true that every pool has a limit."
    assert check_title(finding, None) == f"Not true for {LITE_POOL}: it."
    assert check_title(dataclasses.replace(finding, summary="Own words."), pool) == "Own words."
