"""Use of Amazon Q Developer and Kiro for the sample warehouse, in a Region that has no pool.

Ada has prompt logs and reports and a hostile neighbour; bob is known from a report alone; kim uses Kiro.
"""

from datetime import datetime

from usage_pipeline import reference
from usage_pipeline.assets.raw_q_developer_terms import term_rows
from usage_pipeline.config_q_developer import QDeveloperTermSettings
from usage_pipeline.q_developer_tables import (
    Q_DEVELOPER_ACTIVITY,
    Q_DEVELOPER_PROMPTS,
    Q_DEVELOPER_TERMS,
    Q_DEVELOPER_TOKEN_ESTIMATES,
)
from usage_pipeline.raw_tables import StoredTable
from usage_pipeline_tests.report.sample import DAYS, PRODUCTION, Rows

PLACE = {"account_id": PRODUCTION["account_id"], "region": "eu-central-1", "product": "q_developer"}
KIRO = PLACE | {"product": "kiro"}

HOSTILE_USER = '"><img src=x onerror=alert(2)>'

SEATS = 5


def q_developer_rows() -> dict[StoredTable, Rows]:
    """Rows of every table that use of both products fills."""
    seats = QDeveloperTermSettings.model_validate({"term": "seats", "value": SEATS, "product": "q_developer"})
    return {
        Q_DEVELOPER_PROMPTS: _prompts(),
        Q_DEVELOPER_ACTIVITY: _activity(),
        Q_DEVELOPER_TERMS: [dict(row) for row in term_rows(reference.q_developer_terms(), [seats])],
        Q_DEVELOPER_TOKEN_ESTIMATES: [row.model_dump() for row in reference.q_developer_token_estimates()],
    }


def _prompts() -> Rows:
    asked = (
        *(("ada", "chat", 100, 400, "c1"),) * 3,
        ("ada", "inline", 2000, 60, None),
        ("ada", "dev", 50, None, None),
        (HOSTILE_USER, "chat", 150_000, 20_000, HOSTILE_USER),
    )
    return [
        PLACE
        | {
            "usage_date": day,
            "ts": datetime(day.year, day.month, day.day, 9, number),
            "kind": kind,
            "user_id": user,
            "request_id": f"{day}-{number}",
            "conversation_id": conversation,
            "input_tokens": sent,
            "output_tokens": answered,
            "token_source": "counted",
        }
        for day in DAYS[:2]
        for number, (user, kind, sent, answered, conversation) in enumerate(asked)
    ]


def _activity() -> Rows:
    reported = PLACE | {"report": "by_user_analytic"}
    ada = {
        "chat_messages_sent": 6,
        "inline_suggestions_count": 1,
        "inline_acceptance_count": 1,
        "inline_ai_code_lines": 7,
    }
    return [
        *(reported | ada | {"usage_date": day, "user_id": "ada", "dev_generation_event_count": 14} for day in DAYS[:2]),
        reported
        | {"usage_date": DAYS[1], "user_id": "bob", "chat_messages_sent": 4, "transformation_lines_ingested": 10},
        KIRO
        | {"report": "user_report", "usage_date": DAYS[1], "user_id": "kim", "user_email": "kim@example.com"}
        | {"subscription_tier": "PRO", "client_type": "KIRO_CLI", "total_messages": 8, "credits_used": "2.5"},
    ]
