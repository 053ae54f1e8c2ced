"""What is there to be found about Amazon Q Developer and Kiro in the sandbox, by the numbers alone."""

import datetime as dt
from calendar import monthrange
from collections import Counter
from collections.abc import Sequence
from statistics import median

import pytest

from usage_pipeline.q_developer.tokenizer import token_counter
from usage_pipeline.sandbox import MARKER, SandboxOptions
from usage_pipeline.sandbox.q_developer_files import LOG_TYPES, q_developer_bucket
from usage_pipeline.sandbox.q_developer_use import (
    HEAVY_DEV_TASKS,
    MARKER_TOKENS,
    PEOPLE,
    WORDS,
    DayOfUse,
    Person,
    days_of_use,
    exchanges_of,
    text_of,
)

END = dt.datetime(2026, 11, 21, 6, 15)
OPTIONS = SandboxOptions(days=30, seed=7, end=END)
DEV_LIMIT = 30
"""/dev tasks of a month (peers' reading of AWS's price page)."""
CONTEXT_WINDOW = 200_000


@pytest.fixture(scope="module")
def days() -> list[DayOfUse]:
    return days_of_use(OPTIONS)


def of_role(role: str) -> Person:
    return next(person for person in PEOPLE if person.role == role)


def dev_tasks_of_month(days: Sequence[DayOfUse], person: Person) -> int:
    return sum(day.count(person, "dev") for day in days if day.day.month == END.month and day.is_over)


def test_equal_options_give_equal_use_and_another_seed_another() -> None:
    first, second = (list(exchanges_of(days_of_use(OPTIONS))) for _ in range(2))
    other = list(exchanges_of(days_of_use(SandboxOptions(days=30, seed=8, end=END))))

    assert first == second
    assert first != other
    assert len({exchange.request_id for exchange in first}) == len(first) > 1000
    assert {exchange.ts < END for exchange in first} == {True}


def test_twelve_people_and_one_of_them_does_nothing(days: list[DayOfUse]) -> None:
    active = {exchange.person for exchange in exchanges_of(days)}

    assert len(PEOPLE) == 12
    assert set(PEOPLE) - active == {of_role("idle")}


def test_one_has_used_more_than_four_fifths_of_the_dev_tasks_of_the_month(days: list[DayOfUse]) -> None:
    used = dev_tasks_of_month(days, of_role("heavy_dev"))

    assert used == 2 * HEAVY_DEV_TASKS
    assert 0.8 * DEV_LIMIT < used < DEV_LIMIT


@pytest.mark.parametrize("today", ["2026-11-13", "2026-02-09", "2026-12-19"])
def test_one_will_reach_the_limit_before_the_month_ends(today: str) -> None:
    person, end = of_role("rising_dev"), dt.datetime.fromisoformat(f"{today}T06:00")
    days = days_of_use(SandboxOptions(days=30, end=end))
    before = [day for day in days if day.day.month == end.month and day.is_over]
    used = sum(day.count(person, "dev") for day in before)

    assert used < DEV_LIMIT
    assert used / len(before) * monthrange(end.year, end.month)[1] > DEV_LIMIT


def test_one_day_of_one_person_has_three_times_the_median(days: list[DayOfUse]) -> None:
    person = of_role("spike")
    counts = [day.count(person, "chat") + day.count(person, "inline") for day in days]
    active = [count for count in counts if count]

    assert counts[-3] == max(counts) > 3 * median(active)


def test_one_conversation_takes_more_than_four_fifths_of_the_context_window(days: list[DayOfUse]) -> None:
    tokens: Counter[str | None] = Counter()
    for exchange in exchanges_of(days):
        tokens[exchange.conversation_id] += MARKER_TOKENS + sum(exchange.sent) + sum(exchange.received)

    (_, most), (_, next_most) = Counter({k: v for k, v in tokens.items() if k}).most_common(2)
    assert 0.8 * CONTEXT_WINDOW < most < CONTEXT_WINDOW
    assert next_most < 0.1 * CONTEXT_WINDOW


def test_texts_have_as_many_tokens_as_words() -> None:
    counter = token_counter()
    if counter.source == "estimated":
        pytest.skip("the extra q-developer is not installed")

    assert [counter.count(text_of(words, start)) for words, start in ((1, 3), (50, 7), (4000, 11))] == [1, 50, 4000]
    assert counter.count(f"{MARKER} {' '.join(WORDS)}") == MARKER_TOKENS + len(WORDS)


def test_objects_are_few_and_of_every_layout(days: list[DayOfUse]) -> None:
    keys = list(q_developer_bucket(days, OPTIONS).objects)
    folders = {key.split("/AWSLogs/")[1].split("/", 1)[1].rsplit("/", 5)[0] for key in keys if "." in key}

    assert folders == {
        *(f"QDeveloperLogs/{log_type}/eu-central-1" for log_type in LOG_TYPES.values()),
        "KiroLogs/GenerateAssistantResponse/us-east-1",
        "QDeveloperLogs/by_user_analytic/eu-central-1",
        "KiroLogs/user_report/us-east-1",
    }
    assert len(keys) < 150
