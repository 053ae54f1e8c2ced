"""Amazon Q Developer and Kiro: limits, spikes, value and terms, each by numbers that fit on a page."""

import datetime as dt
from decimal import Decimal
from typing import Any

import pytest

from usage_pipeline.checks.q_developer import NO_USER_REACHES_A_LIMIT, Q_DEVELOPER_RULES
from usage_pipeline.checks.rules import evaluate
from usage_pipeline.config_q_developer import QDeveloperTermSettings
from usage_pipeline_tests.marts.q_developer import QDeveloperStore

NOVEMBER = dt.date(2026, 11, 1)
LAST = dt.date(2026, 11, 30)


def day(number: int) -> dt.date:
    """A day of November 2026, which has thirty."""
    return dt.date(2026, 11, number)


def at(number: int, hour: int = 9) -> dt.datetime:
    return dt.datetime(2026, 11, number, hour)


def term(name: str, value: float | str, **values: Any) -> QDeveloperTermSettings:
    return QDeveloperTermSettings.model_validate({"term": name, "value": str(value), **values})


def limits(store: QDeveloperStore, columns: str, where: str = "limit_name = 'dev_runs'") -> list[tuple[Any, ...]]:
    return store.rows(f"select {columns} from marts.q_developer_limits where {where} order by all")


# ---------------------------------------------------------------------------------------------------------------------
# Limits


def test_a_limit_is_of_each_user_and_projected_to_the_month() -> None:
    store = QDeveloperStore()
    for user in ("ada", "bela"):
        store.activity(day(2), user, dev_generation_event_count=15)
        store.activity(day(9), user, dev_generation_event_count=5)
    store.read_through(day(10))
    store.build()

    columns = 'user_id, used, "limit", projected, projected_share, days_elapsed, reaches_limit_on, status'
    assert limits(store, columns) == [
        ("ada", 20, 30, 60, 2.0, 10, day(15), "reaches_limit"),
        ("bela", 20, 30, 60, 2.0, 10, day(15), "reaches_limit"),
    ]
    told = evaluate(store.con, NO_USER_REACHES_A_LIMIT)
    assert [row["user_id"] for row in told.rows] == ["ada", "bela"]


@pytest.mark.parametrize(
    ("runs", "status", "reached_on", "severity"),
    [
        ({2: 3}, "ok", None, None),
        ({2: 15}, "caution", None, "WARN"),
        ({2: 20, 20: 4}, "warning", None, "WARN"),
        ({2: 10, 20: 20, 24: 2}, "limit_reached", day(20), "ERROR"),
    ],
)
def test_a_status_says_how_a_limit_stands(
    runs: dict[int, int], status: str, reached_on: dt.date | None, severity: str | None
) -> None:
    store = QDeveloperStore()
    for number, count in runs.items():
        store.activity(day(number), dev_generation_event_count=count)
    store.read_through(day(30))
    store.build()

    assert limits(store, "status, reaches_limit_on") == [(status, reached_on)]
    rows = evaluate(store.con, NO_USER_REACHES_A_LIMIT).rows
    assert [row["severity"] for row in rows] == ([severity] if severity else [])


def test_transform_counts_the_lines_that_were_given_to_it_and_says_what_it_does_not_know() -> None:
    store = QDeveloperStore()
    store.activity(day(3), transformation_lines_ingested=3000, transformation_lines_generated=9000)
    store.activity(day(4), transformation_event_count=1)
    store.activity(day(4), "bela", transformation_event_count=1)
    store.read_through(day(30))
    store.build()

    columns = 'user_id, used, "limit", unknown_days, status'
    assert limits(store, columns, "limit_name = 'transformation_lines'") == [
        ("ada", 3000, 4000, 1, "caution"),
        ("bela", None, 4000, 1, "unknown"),
    ]


def test_a_day_that_is_not_over_and_another_month_are_not_counted() -> None:
    store = QDeveloperStore()
    store.activity(dt.date(2025, 12, 31), dev_generation_event_count=7)
    store.activity(dt.date(2026, 1, 2), dev_generation_event_count=2)
    store.prompt(dt.datetime(2026, 1, 3, 9), kind="dev", output_tokens=None)
    store.read_through(dt.date(2025, 12, 31))
    store.read_through(dt.date(2026, 1, 2))
    store.build()

    assert limits(store, "usage_month, used, known_through, days_elapsed, projected") == [
        (dt.date(2025, 12, 1), 7, dt.date(2025, 12, 31), 31, 7),
        (dt.date(2026, 1, 1), 2, dt.date(2026, 1, 2), 2, 31),
    ]
    assert store.row("select first_day, last_day, days from marts.q_developer_trends where subject_kind = 'user'") == (
        dt.date(2025, 12, 31),
        dt.date(2026, 1, 2),
        3,
    )


def test_without_reports_the_prompt_logs_count_dev() -> None:
    store = QDeveloperStore()
    for hour in range(4):
        store.prompt(at(5, hour), kind="dev", output_tokens=None)
    store.prompt(at(5, 9), kind="dev", user_id=None, output_tokens=None)
    store.read_through(day(10), "q_developer_prompts")
    store.build()

    assert limits(store, "user_id, used, projected") == [("ada", 4, 12)], "nobody has no limit"
    assert store.row("select sum(dev_requests) from marts.q_developer_usage") == (5,)


def test_kiros_credits_are_of_the_tier_unless_the_report_says_them() -> None:
    store = QDeveloperStore()
    kiro: dict[str, Any] = {"product": "kiro", "report": "user_report", "client_type": "KIRO_IDE"}
    for user, tier, limit in (
        ("ada", "Pro", None),
        ("bela", "PRO+", None),
        ("chidi", "KIRO_PRO_PLUS", None),
        ("dana", "POWER", None),
        ("emre", "POWER", Decimal(12000)),
        ("farah", None, None),
    ):
        store.activity(day(3), user, **kiro, subscription_tier=tier, usage_limit=limit, credits_used=Decimal("1.25"))
        store.activity(
            day(3), user, **kiro | {"client_type": "KIRO_CLI"}, subscription_tier=tier, credits_used=Decimal(1)
        )
    store.read_through(day(30))
    store.build()

    assert limits(store, 'user_id, used, "limit", status', "true") == [
        ("ada", Decimal("2.25"), 1000, "ok"),
        ("bela", Decimal("2.25"), 2000, "ok"),
        ("chidi", Decimal("2.25"), 2000, "ok"),
        ("dana", Decimal("2.25"), 10000, "ok"),
        ("emre", Decimal("2.25"), 12000, "ok"),
        ("farah", Decimal("2.25"), None, "unknown"),
    ]


# ---------------------------------------------------------------------------------------------------------------------
# Days that stand out


@pytest.mark.parametrize(
    ("daily", "standing_out"),
    [
        ([10, 10, 10, 100], [(day(4), 100, 10.0)]),
        ([10, 10, 100], [(day(3), 100, 10.0)]),
        ([10, 100], []),
        ([10, 10, 30], []),
        ([10, 10, 31], [(day(3), 31, 10.0)]),
        ([2, 2, 11], []),
        ([10, 0, 10, 100, 0], [(day(4), 100, 10.0)]),
    ],
)
def test_a_day_is_held_against_the_median_of_the_other_active_days(
    daily: list[int], standing_out: list[tuple[dt.date, int, float]]
) -> None:
    store = QDeveloperStore()
    for number, count in enumerate(daily, start=1):
        store.activity(day(number), inline_suggestions_count=count)
    store.read_through(day(len(daily)))
    store.build()

    for kind in ("user", "everybody"):
        query = "select usage_date, value, expected from marts.q_developer_spikes where subject_kind = $1 order by all"
        assert store.rows(query, kind) == standing_out
        columns = "daily_average, daily_max, daily_min, spike_days"
        trend = store.row(f"select {columns} from marts.q_developer_trends where subject_kind = $1", kind)
        assert trend == (sum(daily) / len(daily), max(daily), min(daily), len(standing_out))


# ---------------------------------------------------------------------------------------------------------------------
# Value and tokens


def test_seats_are_paid_for_each_and_those_without_use_are_idle() -> None:
    store = QDeveloperStore(term("seats", 25, product="q_developer"))
    store.prompt(at(3), input_tokens=1_000_000, output_tokens=100_000)
    store.prompt(at(3), user_id="bela", input_tokens=1, output_tokens=1)
    store.read_through(LAST, "q_developer_prompts")
    store.build()

    assert store.row(
        """
        select seats, seats_source, active_seats, idle_seats, subscription_usd, subscription_to_date_usd,
            virtual_cost_usd, net_usd, virtual_cost_per_seat_usd, token_source
        from marts.q_developer_value
        """
    ) == (
        *(25, "configured", 2, 23, 475, 475),
        *(Decimal("4.500018"), Decimal("-470.499982"), Decimal("0.180000"), "counted"),
    )


def test_a_month_that_is_not_over_is_paid_for_in_part() -> None:
    store = QDeveloperStore()
    store.prompt(at(3))
    store.read_through(day(10), "q_developer_prompts")
    store.build()

    query = "select seats, seats_source, subscription_usd, subscription_to_date_usd from marts.q_developer_value"
    assert store.row(query) == (1, "users_seen", 19, Decimal("6.333333"))


def test_without_logs_tokens_are_estimated_from_activity_and_say_so() -> None:
    store = QDeveloperStore()
    counts: dict[str, Any] = {"chat_messages_sent": 10, "inline_suggestions_count": 2, "dev_generation_event_count": 1}
    store.activity(day(3), **counts, inline_ai_code_lines=50, inline_acceptance_count=2)
    store.read_through(LAST)
    store.build()

    # Five questions and answers, two suggestions, one run of /dev.
    assert store.row(
        """
        select estimated_input_tokens_low, estimated_input_tokens_mean, estimated_input_tokens_high,
            estimated_output_tokens_low, estimated_output_tokens_mean, estimated_output_tokens_high,
            input_tokens, token_source, interactions
        from marts.q_developer_usage
        """
    ) == (5 * 100 + 80 + 400, 5 * 150 + 120 + 600, 5 * 200 + 160 + 1000, 2180, 3620, 5660, None, None, 8)
    assert store.row(
        """
        select token_source, input_tokens, output_tokens, virtual_cost_low_usd, virtual_cost_usd, virtual_cost_high_usd
        from marts.q_developer_value
        """
    ) == ("activity", 1470, 3620, Decimal("0.03564"), Decimal("0.05871"), Decimal("0.09138"))


def test_a_text_that_is_estimated_makes_its_day_an_estimate_and_a_missing_one_stays_unknown() -> None:
    store = QDeveloperStore()
    store.prompt(at(3, 9))
    store.prompt(at(3, 10), token_source="estimated")
    store.prompt(at(4), input_tokens=None, output_tokens=None, token_source=None)
    store.build()

    columns = "token_source, input_tokens, output_tokens, uncounted_requests"
    assert store.rows(f"select {columns} from marts.q_developer_usage order by usage_date") == [
        ("estimated", 200, 800, 0),
        (None, None, None, 1),
    ]


def test_the_context_is_of_one_conversation_and_not_of_all_that_was_said() -> None:
    store = QDeveloperStore(term("context_window_tokens", 2000, product="q_developer"))
    for number in range(4):
        store.prompt(at(3, number), conversation_id="long" if number else "short")
    store.build()

    assert store.rows(
        """
        select conversation_id, requests, context_tokens, largest_request_tokens, window_share, is_near_its_window
        from marts.q_developer_conversations order by 1
        """
    ) == [("long", 3, 1500, 500, 0.75, False), ("short", 1, 500, 500, 0.25, False)]


# ---------------------------------------------------------------------------------------------------------------------
# Terms


def test_a_changed_term_judges_what_is_stored_anew() -> None:
    store = QDeveloperStore()
    store.activity(day(3), dev_generation_event_count=25)
    store.read_through(LAST)
    store.build()
    assert limits(store, '"limit", status, limit_source') == [
        (30, "warning", store.one("select source from raw.q_developer_terms where term = 'dev_runs_per_month'"))
    ]

    store.terms(term("dev_runs_per_month", 100), term("limit_caution_share", "0.2"))
    store.build()

    assert limits(store, '"limit", status, limit_source') == [(100, "caution", "configuration")]


def test_the_nearest_term_wins() -> None:
    store = QDeveloperStore(
        term("dev_runs_per_month", 40),
        term("dev_runs_per_month", 50, account="production"),
        term("dev_runs_per_month", 60, account="research"),
        term("usd_per_seat", 15, product="q_developer", valid_to="2026-10-31"),
        term("usd_per_seat", 16, product="q_developer", valid_from="2026-12-01"),
    )
    store.activity(day(3), dev_generation_event_count=1)
    store.build()

    assert limits(store, '"limit"') == [(50,)]
    assert store.one("select usd_per_seat from marts.q_developer_value") == 19


def test_seats_of_several_tiers_count_where_their_tier_is_named() -> None:
    store = QDeveloperStore(
        term("seats", 9, product="kiro"), term("seats", 4, product="kiro", subscription_tier="POWER")
    )
    for user, tier in (("ada", "PRO"), ("bela", "POWER")):
        store.activity(day(3), user, product="kiro", report="user_report", subscription_tier=tier, total_messages=2)
    store.build()

    query = "select subscription_tier, seats, seats_source, subscription_usd from marts.q_developer_value order by 1"
    assert store.rows(query) == [("POWER", 4, "configured", 800), ("PRO", 1, "users_seen", 20)]


# ---------------------------------------------------------------------------------------------------------------------
# Nothing


def test_without_logs_and_reports_every_table_is_there_and_empty_and_no_check_fails() -> None:
    store = QDeveloperStore()
    built = store.build()

    of_use = {model.table_name for model in built if "q_developer" in model.table_name} - {
        "staging.stg_q_developer_terms",
        "staging.stg_q_developer_token_estimates",
    }
    assert len(of_use) == 12
    assert {name: store.one(f"select count(*) from {name}") for name in of_use} == dict.fromkeys(of_use, 0)
    assert [evaluate(store.con, rule).rows for rule in Q_DEVELOPER_RULES] == [[]] * len(Q_DEVELOPER_RULES)
