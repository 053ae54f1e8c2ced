"""Use of Amazon Q Developer and Kiro in the report, against the published tables and what the sandbox's people did."""

import datetime as dt
import json
from collections.abc import Iterator
from decimal import Decimal
from pathlib import Path
from typing import Any

import duckdb
import pytest

from usage_pipeline.report.contents import Report
from usage_pipeline.report.json_text import plain
from usage_pipeline.report.markdown import report_markdown
from usage_pipeline.report.q_developer import MOST_CONVERSATIONS, read_q_developer
from usage_pipeline.report.q_developer_contents import QDeveloper
from usage_pipeline.report.render import report_html
from usage_pipeline.sandbox.options import SandboxOptions
from usage_pipeline_tests.marts.q_developer import QDeveloperStore, sandbox_store, sandbox_truth
from usage_pipeline_tests.report.q_developer_sample import HOSTILE_USER, SEATS
from usage_pipeline_tests.report.sample import DAYS

OPTIONS = SandboxOptions(days=30, seed=7, end=dt.datetime(2026, 11, 15, 10, 30))
FIRST, LAST = dt.date(2026, 10, 17), dt.date(2026, 11, 15)


@pytest.fixture(scope="module")
def truth() -> dict[str, list[dict[str, Any]]]:
    return sandbox_truth(OPTIONS)


@pytest.fixture(scope="module")
def people(truth: dict[str, list[dict[str, Any]]]) -> Iterator[QDeveloperStore]:
    store = sandbox_store(OPTIONS, truth)
    yield store
    store.con.close()


@pytest.fixture
def used(logged_report: Report) -> QDeveloper:
    assert logged_report.q_developer is not None
    return logged_report.q_developer


def known(rows: Any, name: str) -> int:
    return sum(row[name] for row in rows if row[name] is not None)


def test_totals_are_what_the_sandbox_s_people_did(
    people: QDeveloperStore, truth: dict[str, list[dict[str, Any]]]
) -> None:
    prompts = [row for row in truth["q_developer_prompts"] if FIRST <= row["usage_date"] <= LAST]
    activity = [row for row in truth["q_developer_activity"] if FIRST <= row["usage_date"] <= LAST]
    found = read_q_developer(people.con, FIRST, LAST)
    assert found is not None
    total = found.total
    assert total.requests == len(prompts)
    assert (total.input_tokens, total.output_tokens) == (
        known(prompts, "input_tokens"),
        known(prompts, "output_tokens"),
    )
    assert total.messages == known(activity, "chat_messages_sent") + known(
        [row for row in activity if row["chat_messages_sent"] is None], "total_messages"
    )
    assert total.accepted_suggestions == known(activity, "inline_acceptance_count")
    assert total.inline_lines == known(activity, "inline_ai_code_lines")
    assert total.people == len({row["user_id"] for row in (*prompts, *activity)})


@pytest.mark.parametrize("most", [20_000, 100, 1, 0])
def test_days_of_users_add_up_to_the_total_also_when_users_are_put_together(people: QDeveloperStore, most: int) -> None:
    found = read_q_developer(people.con, FIRST, LAST, most)
    assert found is not None
    for name in ("interactions", "messages", "suggestions", "requests", "input_tokens", "output_tokens", "dev_runs"):
        parts = [getattr(row, name) for row in found.user_days]
        assert sum(part for part in parts if part is not None) == getattr(found.total, name), name
    own = [row for row in found.user_days if row.user_id is not None]
    assert len(own) <= most
    assert all(row.merged_users == 0 for row in own)
    assert sum(row.merged_users or 1 for row in found.user_days) == 216


def test_users_with_the_least_use_are_put_together_first(people: QDeveloperStore) -> None:
    found = read_q_developer(people.con, FIRST, LAST, 100)
    whole = read_q_developer(people.con, FIRST, LAST)
    assert found is not None
    assert whole is not None
    use: dict[str | None, int] = {}
    for row in whole.user_days:
        use[row.user_id] = use.get(row.user_id, 0) + (row.interactions or 0)
    own = {row.user_id for row in found.user_days} - {None}
    assert min(use[user] for user in own) >= max(use[user] for user in use.keys() - own)


def test_largest_conversations_come_first_and_the_others_are_counted(people: QDeveloperStore) -> None:
    found = read_q_developer(people.con, FIRST, LAST)
    assert found is not None
    (every,) = people.con.execute(
        "select count(*) from marts.q_developer_conversations where last_request_at >= ?", [FIRST]
    ).fetchall()[0]
    assert len(found.conversations) == MOST_CONVERSATIONS
    assert found.left_out["conversations"] == every - MOST_CONVERSATIONS > 0
    assert found.conversations[0].window_share == pytest.approx(164_440 / 200_000)


def test_without_windows_the_newest_known_days_are_taken(people: QDeveloperStore) -> None:
    found = read_q_developer(people.con, None, None)
    assert found is not None
    assert (found.first_day, found.last_day) == (FIRST, LAST)


def test_seats_and_estimates_are_as_the_tables_have_them(used: QDeveloper) -> None:
    (value,) = [row for row in used.values if row.product == "q_developer"]
    assert (value.seats, value.seats_source, value.active_seats, value.idle_seats) == (SEATS, "configured", 3, 2)
    assert value.token_source == "mixed"
    assert value.virtual_cost_low_usd < value.virtual_cost_usd < value.virtual_cost_high_usd  # type: ignore[operator]
    (bob,) = [row for row in used.user_days if row.user_id == "bob"]
    assert (bob.input_tokens, bob.requests, bob.suggestions) == (None, None, None)
    assert bob.estimated_input_tokens_low is not None


def test_limit_of_a_user_has_use_projection_and_day(used: QDeveloper) -> None:
    (ada,) = [row for row in used.limits if (row.user_id, row.limit_name) == ("ada", "dev_runs")]
    assert (ada.used, ada.limit, ada.status) == (Decimal(28), Decimal(30), "warning")
    assert ada.projected == Decimal(60)
    assert ada.reaches_limit_on == dt.date(2026, 11, 15)


def test_json_has_exact_money_and_unknown_as_null(used: QDeveloper) -> None:
    written = json.loads(json.dumps(plain(used)))
    assert all(cost is None or "." in cost for cost in written["values"]["virtual_cost_usd"])
    assert written["user_days"]["input_tokens"][written["user_days"]["user_id"].index("bob")] is None


def test_hostile_user_stays_text(logged_page: Path, logged_report: Report) -> None:
    assert HOSTILE_USER in {row.user_id for row in logged_report.q_developer.user_days}  # type: ignore[union-attr]
    assert "<img" not in logged_page.read_text(encoding="utf-8")


def test_nothing_is_said_where_nobody_uses_it(report: Report) -> None:
    page = report_html(report)
    assert report.q_developer is None
    assert 'id="q_developer"' not in page
    assert "#q_developer" not in page
    assert 'id="q-developer-data"' not in page
    assert "Active seats" not in page
    assert "class QDeveloperSection" not in page
    assert "Amazon Q Developer" not in report_markdown(report)


def test_summary_has_people_limits_and_value(logged_report: Report) -> None:
    text = report_markdown(logged_report).partition("## Amazon Q Developer and Kiro\n")[2]
    assert "- 4 people asked for something (12 logged requests)" in text
    assert "- 1 monthly limit is reached, nearly used up, or will be reached" in text
    assert "2026-11: 4 of 6 seats active; tokens would have cost" in text


def test_equal_tables_give_equal_sections(logged: duckdb.DuckDBPyConnection) -> None:
    assert read_q_developer(logged, DAYS[0], DAYS[-1]) == read_q_developer(logged, DAYS[0], DAYS[-1])
