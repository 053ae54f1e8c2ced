"""The columns of activity reports: what AWS names them, what they hold, and the Arrow schemas of their rows.

Here: the 44 metrics of Amazon Q Developer's report, which Kiro's older report has as well, and the columns of Kiro's
newer one. Not here: reading files (`activity_reports.py`), single cells (`report_cells.py`).

Sources: the user guide's table of metrics and headers of real exports, autumn 2026. Both spellings of the number of
inline chats are in use.
"""

import re
from collections.abc import Callable, Mapping
from typing import Any

import pyarrow as pa

from usage_pipeline.q_developer import report_cells

_METRIC_GROUPS: Mapping[str, tuple[str, str]] = {
    "chat": ("Chat", "AICodeLines MessagesInteracted MessagesSent"),
    "code_fix": ("CodeFix", "AcceptanceEventCount AcceptedLines GeneratedLines GenerationEventCount"),
    "code_review": ("CodeReview", "FailedEventCount FindingsCount SucceededEventCount"),
    "dev": ("Dev", "AcceptanceEventCount AcceptedLines GeneratedLines GenerationEventCount"),
    "doc_generation": (
        "DocGeneration",
        "AcceptedFileUpdates AcceptedFilesCreations AcceptedLineAdditions AcceptedLineUpdates EventCount "
        "RejectedFileCreations RejectedFileUpdates RejectedLineAdditions RejectedLineUpdates",
    ),
    "inline_chat": (
        "InlineChat",
        "AcceptanceEventCount AcceptedLineAdditions AcceptedLineDeletions DismissalEventCount DismissedLineAdditions "
        "DismissedLineDeletions RejectedLineAdditions RejectedLineDeletions RejectionEventCount TotalEventCount",
    ),
    "inline": ("Inline", "AICodeLines AcceptanceCount SuggestionsCount"),
    "test_generation": ("TestGeneration", "AcceptedLines AcceptedTests EventCount GeneratedLines GeneratedTests"),
    "transformation": ("Transformation", "EventCount LinesGenerated LinesIngested"),
}
"""AWS's names: the feature, and what is counted of it. Spelled as AWS does: `AcceptedFilesCreations`."""


def _snake_case(name: str) -> str:
    return re.sub(r"(?<=[a-z])(?=[A-Z])|(?<=[A-Z])(?=[A-Z][a-z])", "_", name).lower()


METRICS: Mapping[str, str] = {
    f"{feature}_{metric}": f"{prefix}_{_snake_case(metric)}"
    for prefix, (feature, metrics) in _METRIC_GROUPS.items()
    for metric in metrics.split()
}
"""The 44 metrics: AWS's column to ours."""

OTHER_SPELLINGS = {"InlineChat_EventCount": "InlineChat_TotalEventCount", "Email": "User_Email"}
"""Names that some reports have for a column."""

KIRO_COLUMNS: Mapping[str, str] = {
    "Client_Type": "client_type",
    "Subscription_Tier": "subscription_tier",
    "ProfileId": "profile_id",
    "User_Email": "user_email",
    "Chat_Conversations": "chat_conversations",
    "Total_Messages": "total_messages",
    "Credits_Used": "credits_used",
    "Overage_Credits_Used": "overage_credits_used",
    "Overage_Cap": "overage_cap",
    "Usage_Limit": "usage_limit",
    "Overage_Enabled": "overage_enabled",
    "New_User": "new_user",
}
"""The columns of Kiro's `user_report` beside user, day and messages by model."""

NEWER_COLUMNS = frozenset({"User_Email", "Usage_Limit"})
"""Columns that reports of early 2026 lack; nobody is warned of that."""

_TEXT = pa.string()
_COUNT = pa.int64()
_CREDITS = pa.decimal128(18, 6)

_SHARED = {
    "usage_date": pa.date32(),
    "account_id": _TEXT,
    "region": _TEXT,
    "product": _TEXT,
}

ACTIVITY_SCHEMA = pa.schema(
    {
        **_SHARED,
        "report": _TEXT,
        "user_id": _TEXT,
        "logged_user_id": _TEXT,
        **dict.fromkeys(METRICS.values(), _COUNT),
        **dict.fromkeys(("client_type", "subscription_tier", "profile_id", "user_email"), _TEXT),
        **dict.fromkeys(("chat_conversations", "total_messages"), _COUNT),
        **dict.fromkeys(("credits_used", "overage_credits_used", "overage_cap", "usage_limit"), _CREDITS),
        **dict.fromkeys(("overage_enabled", "new_user"), pa.bool_()),
    }
)
"""The columns of `raw.q_developer_activity`, in order."""

MODEL_MESSAGES_SCHEMA = pa.schema(
    {
        **_SHARED,
        "user_id": _TEXT,
        "logged_user_id": _TEXT,
        "client_type": _TEXT,
        "model": _TEXT,
        "messages": _COUNT,
    }
)
"""One row per user, day, client and model of Kiro's `user_report`."""

_READERS: Mapping[pa.DataType, Callable[[str], Any]] = {
    _TEXT: report_cells.name,
    _COUNT: report_cells.count,
    _CREDITS: report_cells.credits,
    pa.bool_(): report_cells.truth,
}


def reader_of(column: str) -> Callable[[str], Any]:
    """What turns a cell of one of our columns into its value, or raises `UnreadableCellError`."""
    return _READERS[ACTIVITY_SCHEMA.field(column).type]
