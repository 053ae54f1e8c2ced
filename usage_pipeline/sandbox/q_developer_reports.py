"""What activity reports say of each day: Amazon Q Developer's 46 columns, and Kiro's with a column for each model.

Here: numbers and CSV. Not here: who did what (`q_developer_use.py`), where the files lie (`q_developer_files.py`).
"""

import csv
import io
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from datetime import date, datetime, time, timedelta
from typing import Any, Literal

from usage_pipeline.sandbox.q_developer_use import (
    KIRO_DAYS,
    PEOPLE,
    DayOfUse,
    Person,
    Product,
)

_METRICS = """
    Chat_AICodeLines Chat_MessagesInteracted Chat_MessagesSent CodeFix_AcceptanceEventCount
    CodeFix_AcceptedLines CodeFix_GeneratedLines CodeFix_GenerationEventCount CodeReview_FailedEventCount
    CodeReview_FindingsCount CodeReview_SucceededEventCount Dev_AcceptanceEventCount Dev_AcceptedLines
    Dev_GeneratedLines Dev_GenerationEventCount DocGeneration_AcceptedFileUpdates
    DocGeneration_AcceptedFilesCreations DocGeneration_AcceptedLineAdditions DocGeneration_AcceptedLineUpdates
    DocGeneration_EventCount DocGeneration_RejectedFileCreations DocGeneration_RejectedFileUpdates
    DocGeneration_RejectedLineAdditions DocGeneration_RejectedLineUpdates InlineChat_AcceptedLineAdditions
    InlineChat_AcceptedLineDeletions InlineChat_AcceptanceEventCount InlineChat_DismissalEventCount
    InlineChat_DismissedLineAdditions InlineChat_DismissedLineDeletions InlineChat_TotalEventCount
    InlineChat_RejectedLineAdditions InlineChat_RejectedLineDeletions InlineChat_RejectionEventCount
    Inline_AICodeLines Inline_AcceptanceCount Inline_SuggestionsCount TestGeneration_AcceptedLines
    TestGeneration_AcceptedTests TestGeneration_EventCount TestGeneration_GeneratedLines
    TestGeneration_GeneratedTests Transformation_EventCount Transformation_LinesGenerated
    Transformation_LinesIngested
"""

METRICS = tuple(_METRICS.split())
"""The columns of by_user_analytic beside user and day, as AWS writes them."""

MISSING_COLUMNS = ("TestGeneration_GeneratedTests", "Transformation_LinesIngested")
"""Columns that the report of the day before yesterday lacks."""
ADDED_COLUMN = "Agentic_RequestCount"
"""A column of which nobody knows yet, in the first part of yesterday's report."""

KIRO_TIER = "PRO"
KIRO_PROFILE = "arn:aws:codewhisperer:us-east-1:111122223333:profile/EHGA3GRVQMUK"
CREDITS_PER_MESSAGE = 0.35
KIRO_MODELS = ("auto", "claude_sonnet_4.5")
NEW_KIRO_MODEL = "claude_opus_4.8"
"""A model that the report has since yesterday."""

_KIRO = """
    Date UserId Client_Type Chat_Conversations Credits_Used Overage_Cap Overage_Credits_Used Overage_Enabled
    ProfileId Subscription_Tier Total_Messages New_User User_Email
"""

_KIRO_COLUMNS = tuple(_KIRO.split())

Kind = Literal["by_user_analytic", "user_report"]


@dataclass(frozen=True)
class Report:
    """One file: its columns, and a row for each person by AWS's names of the columns."""

    product: Product
    kind: Kind
    day: date
    columns: Sequence[str]
    rows: Sequence[Mapping[str, Any]]
    part: int = 0
    """Which part of the day's report it is, from 1; 0 when it is whole."""
    models: Sequence[str] = ()

    @property
    def written_at(self) -> datetime:
        """When it was written, UTC: Kiro's two hours after midnight."""
        return datetime.combine(self.day + timedelta(days=1), time(2 if self.kind == "user_report" else 0))

    def content(self, is_malformed: bool) -> bytes:
        """The file; a malformed one has a row without its person."""
        file = io.StringIO(newline="")
        writer = csv.DictWriter(file, self.columns, extrasaction="ignore", lineterminator="\n")
        writer.writeheader()
        writer.writerows({**row, "UserId": ""} if is_malformed else row for row in self.rows)
        return file.getvalue().encode()


def reports_of(days: Sequence[DayOfUse], end: datetime) -> list[Report]:
    """The reports that were written before `end`."""
    reports = (report for ago, day in enumerate(reversed(days)) if day.is_over for report in _reports_of_day(day, ago))
    return [report for report in reports if report.written_at < end]


def _reports_of_day(day: DayOfUse, days_ago: int) -> Iterator[Report]:
    rows = [_q_developer_row(person, day, days_ago) for person in day.people("q_developer")]
    columns = ["UserId", "Date", *METRICS]
    if days_ago == 1 and len(rows) > 1:
        # Only reports of more than a thousand users have parts on AWS.
        iso = [{**row, "Date": day.day.isoformat(), ADDED_COLUMN: "7"} for row in rows[:1]]
        yield Report("q_developer", "by_user_analytic", day.day, [*columns, ADDED_COLUMN], iso, part=1)
        yield Report("q_developer", "by_user_analytic", day.day, columns, rows[1:], part=2)
    elif rows:
        missing = MISSING_COLUMNS if days_ago == 2 else ()
        kept = [column for column in columns if column not in missing]
        yield Report("q_developer", "by_user_analytic", day.day, kept, rows)
    if days_ago <= KIRO_DAYS:
        yield _kiro_report(day, days_ago)


def _q_developer_row(person: Person, day: DayOfUse, days_ago: int) -> dict[str, Any]:
    chats, suggestions, tasks = (day.count(person, kind) for kind in ("chat", "inline", "dev"))
    return {
        "UserId": person.user_id,
        "Date": f"{day.day:%m-%d-%Y}",
        **dict.fromkeys(METRICS, 0),
        "Chat_AICodeLines": 3 * chats,
        "Chat_MessagesInteracted": chats // 2,
        "Chat_MessagesSent": 2 * chats,
        "Dev_AcceptanceEventCount": tasks // 2,
        "Dev_AcceptedLines": 40 * (tasks // 2),
        "Dev_GeneratedLines": 40 * tasks,
        "Dev_GenerationEventCount": tasks,
        "Inline_AICodeLines": suggestions,
        "Inline_AcceptanceCount": suggestions // 2,
        "Inline_SuggestionsCount": suggestions,
        "Transformation_EventCount": 1 if tasks and days_ago % 5 == 0 else 0,
        "Transformation_LinesIngested": 200 if tasks and days_ago % 5 == 0 else 0,
    }


def _kiro_report(day: DayOfUse, days_ago: int) -> Report:
    """Kiro reports everybody with a subscription, also who did nothing."""
    models = [*KIRO_MODELS, *([NEW_KIRO_MODEL] if days_ago == 1 else [])]
    rows = [_kiro_row(person, day, days_ago, models) for person in PEOPLE if person.product == "kiro"]
    columns = [*_KIRO_COLUMNS, *(f"{model}_messages" for model in models)]
    return Report("kiro", "user_report", day.day, columns, rows, models=models)


def _kiro_row(person: Person, day: DayOfUse, days_ago: int, models: Sequence[str]) -> dict[str, Any]:
    messages = 2 * day.count(person, "chat")
    by_model = dict.fromkeys(models, 0) | {KIRO_MODELS[1]: messages}
    return {
        "Date": day.day.isoformat(),
        "UserId": person.user_id,
        "Client_Type": "KIRO_IDE",
        "Chat_Conversations": int(messages > 0),
        "Credits_Used": f"{messages * CREDITS_PER_MESSAGE:.2f}",
        "Overage_Cap": "1000",
        "Overage_Credits_Used": "0",
        "Overage_Enabled": "true",
        "ProfileId": KIRO_PROFILE,
        "Subscription_Tier": KIRO_TIER,
        "Total_Messages": messages,
        "New_User": "true" if days_ago == KIRO_DAYS else "false",
        "User_Email": f"{person.name}@example.com",
        **{f"{model}_messages": count for model, count in by_model.items()},
    }
