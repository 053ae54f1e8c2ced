"""A month of the sandbox's people: each mart equals what is added up here from what they did, to the token and cent."""

import datetime as dt
from collections import Counter, defaultdict
from collections.abc import Callable, Mapping
from decimal import Decimal
from statistics import median
from typing import Any

import pytest

from usage_pipeline.checks.q_developer import (
    LOGS_AGREE_WITH_ACTIVITY,
    NO_CONVERSATION_FILLS_ITS_WINDOW,
    NO_USE_STANDS_OUT,
    NO_USER_REACHES_A_LIMIT,
    PARTS_ADD_UP,
)
from usage_pipeline.checks.rules import evaluate
from usage_pipeline.q_developer.activity_rows import METRICS
from usage_pipeline.sandbox.options import SandboxOptions
from usage_pipeline_tests.marts.q_developer import QDeveloperStore, sandbox_store, sandbox_truth

END = dt.datetime(2026, 11, 15, 10, 30)
YESTERDAY = dt.date(2026, 11, 14)
NOVEMBER = dt.date(2026, 11, 1)
OPTIONS = SandboxOptions(days=30, seed=7, end=END)

Rows = list[dict[str, Any]]


@pytest.fixture(scope="module")
def truth() -> Mapping[str, Rows]:
    return sandbox_truth(OPTIONS)


@pytest.fixture(scope="module")
def store(truth: Mapping[str, Rows]) -> QDeveloperStore:
    return sandbox_store(OPTIONS, truth)


@pytest.fixture(scope="module")
def names(truth: Mapping[str, Rows]) -> Mapping[str, str]:
    return {row["user_id"]: row["name"] for row in truth["q_developer_people"]}


def added_up(rows: Rows, key: Callable[[dict[str, Any]], Any], *columns: str) -> dict[Any, tuple[int | None, ...]]:
    """Sums of columns by key; NULL where no row has a value."""
    values: dict[Any, list[tuple[int | None, ...]]] = defaultdict(list)
    for row in rows:
        values[key(row)].append(tuple(row[column] for column in columns))
    return {
        of: tuple(
            sum(value for value in column if value is not None) if any(v is not None for v in column) else None
            for column in zip(*found, strict=True)
        )
        for of, found in values.items()
    }


def test_requests_and_tokens_of_every_user_and_day_equal_the_truth(
    store: QDeveloperStore, truth: Mapping[str, Rows]
) -> None:
    prompts = truth["q_developer_prompts"]
    tokens = added_up(prompts, lambda row: (row["usage_date"], row["user_id"]), "input_tokens", "output_tokens")
    kinds = Counter((row["usage_date"], row["user_id"], row["kind"]) for row in prompts)
    expected = [
        (day, user, *(kinds[day, user, kind] for kind in ("chat", "inline", "dev")), *counted)
        for (day, user), counted in sorted(tokens.items())
    ]

    assert expected == store.rows(
        """
        select usage_date, user_id, chat_requests, inline_requests, dev_requests, input_tokens, output_tokens
        from marts.q_developer_usage where is_logged order by all
        """
    )


def test_all_metrics_of_every_user_and_day_equal_the_report(store: QDeveloperStore, truth: Mapping[str, Rows]) -> None:
    columns = list(METRICS.values())
    reported = [
        (row["usage_date"], row["user_id"], *(row[column] for column in columns), row["credits_used"])
        for row in truth["q_developer_activity"]
    ]
    found = store.rows(
        f"select usage_date, user_id, {', '.join(columns)}, credits_used from marts.q_developer_usage where is_reported"
    )

    assert len(columns) == 44
    assert sorted(reported, key=lambda row: row[:2]) == sorted(found, key=lambda row: row[:2])


@pytest.mark.parametrize(
    ("table", "key"),
    [
        ("q_developer_hourly", "hour_start::varchar"),
        ("q_developer_hourly", "kind"),
        ("q_developer_hourly", "user_id"),
        ("q_developer_usage", "usage_date::varchar"),
        ("q_developer_usage", "user_id"),
    ],
)
def test_parts_are_the_whole(store: QDeveloperStore, truth: Mapping[str, Rows], table: str, key: str) -> None:
    prompts = truth["q_developer_prompts"]
    whole = (
        len(prompts),
        sum(row["input_tokens"] for row in prompts),
        sum(row["output_tokens"] or 0 for row in prompts),
    )

    sums = "sum(requests) as requests, sum(input_tokens) as sent, sum(output_tokens) as answered"
    parts = f"select {key}, {sums} from marts.{table} group by 1"

    assert store.row(f"select sum(requests)::bigint, sum(sent)::bigint, sum(answered)::bigint from ({parts})") == whole


def test_limits_of_a_month_equal_the_truth(store: QDeveloperStore, truth: Mapping[str, Rows]) -> None:
    runs = Counter(
        (row["usage_date"].replace(day=1), row["user_id"])
        for row in truth["q_developer_prompts"]
        if row["kind"] == "dev" and row["usage_date"] <= YESTERDAY
    )
    lines = added_up(
        [row for row in truth["q_developer_activity"] if row["product"] == "q_developer"],
        lambda row: (row["usage_date"].replace(day=1), row["user_id"]),
        "transformation_lines_ingested",
    )
    elapsed = {NOVEMBER: Decimal(14), dt.date(2026, 10, 1): Decimal(31)}
    days = {NOVEMBER: 30, dt.date(2026, 10, 1): 31}
    expected = [(*key, "dev_runs", runs[key], 30) for key in lines]
    expected += [(*key, "transformation_lines", used, 4000) for key, (used,) in lines.items()]

    found = store.rows(
        """
        select usage_month, user_id, limit_name, used, "limit", projected
        from marts.q_developer_limits where product = 'q_developer' order by all
        """
    )

    assert [row[:5] for row in found] == sorted(expected)
    for month, *_, used, _limit, projected in found:
        assert abs(projected - used * days[month] / elapsed[month]) < Decimal("0.00001")


def test_the_planned_people_and_no_others_come_close_to_a_limit(
    store: QDeveloperStore, names: Mapping[str, str]
) -> None:
    result = evaluate(store.con, NO_USER_REACHES_A_LIMIT)

    told = {
        names[row["user_id"]]: (row["limit_name"], row["used"], row["status"], row["reaches_limit_on"])
        for row in result.rows
    }
    assert told == {
        "farah": ("dev_runs", 26, "warning", dt.date(2026, 11, 17)),
        "goran": ("dev_runs", 17, "reaches_limit", dt.date(2026, 11, 25)),
    }
    assert (result.severity, {row["severity"] for row in result.rows}) == ("WARN", {"WARN"})
    assert result.rows[0]["summary"].endswith(
        "has used 26 of 30 dev runs of the month by 2026-11-14; it lasts until 2026-11-17 if this goes on."
    )


def test_the_long_conversation_and_no_other_is_near_its_window(
    store: QDeveloperStore, truth: Mapping[str, Rows], names: Mapping[str, str]
) -> None:
    spoken = added_up(
        [row for row in truth["q_developer_prompts"] if row["conversation_id"]],
        lambda row: row["conversation_id"],
        "input_tokens",
        "output_tokens",
    )
    expected = sorted((key, sum(count or 0 for count in counts)) for key, counts in spoken.items())

    assert (
        store.rows("select conversation_id, context_tokens from marts.q_developer_conversations order by 1") == expected
    )
    (row,) = evaluate(store.con, NO_CONVERSATION_FILLS_ITS_WINDOW).rows
    assert (names[row["user_id"]], row["context_tokens"], row["context_window_tokens"]) == ("ines", 164_440, 200_000)
    assert row["value"] == pytest.approx(0.8222)


def test_the_planned_days_and_no_others_stand_out(
    store: QDeveloperStore, truth: Mapping[str, Rows], names: Mapping[str, str]
) -> None:
    daily: dict[str, Counter[dt.date]] = defaultdict(Counter)
    for row in truth["q_developer_prompts"]:
        if row["usage_date"] <= YESTERDAY:
            daily[row["user_id"]][row["usage_date"]] += 1
    expected = [
        (names[user], day, count, median(others))
        for user, counts in daily.items()
        for day, count in counts.items()
        if len(others := [value for other, value in counts.items() if other != day]) >= 2
        and count > 3 * median(others)
        and count >= 10 + median(others)
    ]

    rows = evaluate(store.con, NO_USE_STANDS_OUT).rows

    found = [(names[row["who"]], row["usage_date"], row["value"], row["threshold"]) for row in rows]
    assert sorted(found) == sorted(expected)
    assert {name for name, *_ in found} == {"hana", "ines"}
    assert len(rows) == store.one("select count(*) from marts.q_developer_spikes")


def test_value_is_exact_and_idle_seats_are_seen(store: QDeveloperStore, truth: Mapping[str, Rows]) -> None:
    november = [row for row in truth["q_developer_prompts"] if NOVEMBER <= row["usage_date"] <= YESTERDAY]
    cost = {
        product: sum(
            (
                Decimal(row["input_tokens"]) * 3 / 10**6 + Decimal(row["output_tokens"] or 0) * 15 / 10**6
                for row in november
                if row["product"] == product
            ),
            Decimal(0),
        )
        for product in ("q_developer", "kiro")
    }

    found = store.rows(
        """
        select product, subscription_tier, virtual_cost_usd, seats, active_seats, idle_seats, subscription_usd,
            subscription_to_date_usd, token_source
        from marts.q_developer_value where usage_month = $1 order by product
        """,
        NOVEMBER,
    )

    assert found == [
        ("kiro", "PRO", cost["kiro"], 3, 2, 1, 60, 28, "counted"),
        ("q_developer", None, cost["q_developer"], 9, 9, 0, 171, Decimal("79.8"), "counted"),
    ]


def test_a_trend_has_idle_days_as_none(store: QDeveloperStore, names: Mapping[str, str]) -> None:
    trends = {
        names.get(user, kind): rest
        for kind, user, *rest in store.rows(
            """
            select subject_kind, user_id, days, active_days, daily_average, daily_max, daily_max_on, daily_min
            from marts.q_developer_trends where product = 'q_developer'
            """
        )
    }

    assert trends["hana"][0] == 30
    assert trends["hana"][3:] == [50, dt.date(2026, 11, 13), 0]
    assert trends["ada"][1] == 30, "on call at weekends too"
    assert trends["ada"][5] >= 1
    total = store.one(
        "select sum(interactions) from marts.q_developer_trends where subject_kind = 'user' and days = 30"
    )
    assert trends["everybody"][2] == pytest.approx(total / 30)


def test_parts_add_up_and_logs_agree_with_reports(store: QDeveloperStore) -> None:
    assert [evaluate(store.con, rule).rows for rule in (PARTS_ADD_UP, LOGS_AGREE_WITH_ACTIVITY)] == [[], []]


def test_building_again_changes_nothing(store: QDeveloperStore) -> None:
    built = {model.table_name: model for model in store.build()}

    assert [name for name, model in built.items() if "q_developer" in name and not model.is_unchanged] == []
