"""The objects that Amazon Q Developer and Kiro leave in S3: prompt logs and activity reports, in every layout.

Here: keys and content. Not here: what happened (`q_developer_use.py`), serving it (`responses_s3.py`). Layouts: user
guides of Amazon Q Developer and Kiro, and keys of real exports, autumn 2026.
"""

import json
from collections.abc import Callable, Iterator, Sequence
from datetime import UTC, date, datetime, time, timedelta
from functools import partial
from hashlib import sha256
from typing import Any

from isal import igzip

from usage_pipeline.sandbox.log_objects import DAMAGES, Damage, LogBucket, LogObject
from usage_pipeline.sandbox.options import SandboxOptions
from usage_pipeline.sandbox.q_developer_reports import Report, reports_of
from usage_pipeline.sandbox.q_developer_use import ACCOUNT_ID, REGIONS, DayOfUse, Exchange, Kind, Product

BUCKET = "production-q-developer"
PROMPT_PREFIX, REPORT_PREFIX = "prompts", "reports"

LOG_TYPES: dict[Kind, str] = {
    "chat": "GenerateAssistantResponse",
    "inline": "GenerateCompletions",
    "dev": "StartTaskAssistCodeGeneration",
}
FOLDERS: dict[Product, str] = {"q_developer": "QDeveloperLogs", "kiro": "KiroLogs"}

KIRO_MODEL = "claude-sonnet-4.5"
LATE_DAYS_AGO = 2
"""The last two chats of that day are delivered the next morning, with its first three once more."""


def q_developer_bucket(days: Sequence[DayOfUse], options: SandboxOptions) -> LogBucket:
    """The bucket with everything that was written by the sandbox's clock."""
    objects = [*_prompt_objects(days), *_report_objects(reports_of(days, options.end)), _stray_object()]
    known = {made.key: made for made in objects if made.modified_ms < _milliseconds(options.end)}
    return LogBucket(BUCKET, (ACCOUNT_ID, REGIONS["q_developer"]), known, _planned_damage(list(known.values()), days))


def _prompt_objects(days: Sequence[DayOfUse]) -> Iterator[LogObject]:
    """One object for each day, product and kind; AWS writes many more, which hold as much."""
    late, again = _late_exchanges(days)
    for day in days:
        for product in FOLDERS:
            for kind in LOG_TYPES:
                held = [e for e in day.exchanges if (e.person.product, e.kind) == (product, kind) and e not in late]
                if held:
                    yield _prompt_object(product, kind, held, held[-1].ts + timedelta(seconds=90))
    if late:
        morning = datetime.combine(late[0].ts.date() + timedelta(days=1), time(9, 10))
        yield _prompt_object("q_developer", "chat", [*late, *again], morning)


def _late_exchanges(days: Sequence[DayOfUse]) -> tuple[list[Exchange], list[Exchange]]:
    """What is delivered late, and what is delivered a second time then."""
    if len(days) <= LATE_DAYS_AGO:
        return [], []
    chats = [e for e in days[-1 - LATE_DAYS_AGO].exchanges if (e.person.product, e.kind) == ("q_developer", "chat")]
    return chats[-2:], chats[:3]


def _prompt_object(product: Product, kind: Kind, held: Sequence[Exchange], written: datetime) -> LogObject:
    folder = _folder(PROMPT_PREFIX, product, LOG_TYPES[kind], written)
    unique = sha256(f"{folder}{held[0].request_id}".encode()).hexdigest()[:12]
    key = f"{folder}{ACCOUNT_ID}_{LOG_TYPES[kind]}_{written:%Y%m%d%H%M}_{unique}.json.gz"
    return LogObject(key, _milliseconds(written), held, "prompts", partial(_prompt_log, held))


def _folder(prefix: str, product: Product, log_type: str, written: datetime) -> str:
    return f"{prefix}/AWSLogs/{ACCOUNT_ID}/{FOLDERS[product]}/{log_type}/{REGIONS[product]}/{written:%Y/%m/%d/%H}/"


def _prompt_log(held: Sequence[Exchange], is_malformed: bool) -> bytes:
    """One JSON document; of a malformed one the middle record has lost its time."""
    records = [_RECORDS[exchange.kind](exchange) for exchange in held]
    if is_malformed:
        request = next(iter(records[len(records) // 2].values()))
        del request["timeStamp"]
    return igzip.compress(json.dumps({"records": records}).encode(), 1, mtime=0)


def _request(exchange: Exchange) -> dict[str, Any]:
    """What all requests have. Fractions of a second have six digits or nine, as AWS writes them."""
    digits = "" if exchange.number % 3 else f"{exchange.number % 1000:03d}"
    return {
        "customizationArn": None,
        "userId": exchange.person.logged_user_id,
        "timeStamp": f"{exchange.ts:%Y-%m-%dT%H:%M:%S.%f}{digits}Z",
    }


def _chat_record(exchange: Exchange) -> dict[str, Any]:
    request = {"prompt": exchange.sent_texts[0], "chatTriggerType": "MANUAL", **_request(exchange)}
    if exchange.person.product == "kiro":
        request["modelId"] = KIRO_MODEL
    return {
        "generateAssistantResponseEventRequest": request,
        "generateAssistantResponseEventResponse": {
            "assistantResponse": exchange.received_texts[0],
            "followupPrompts": "",
            "messageMetadata": {"conversationId": exchange.conversation_id, "utteranceId": None},
            "codeReferenceEvents": [],
            "supplementaryWebLinksEvent": [],
            "requestId": exchange.request_id,
        },
    }


def _inline_record(exchange: Exchange) -> dict[str, Any]:
    left, right = exchange.sent_texts
    return {
        "generateCompletionsEventRequest": {
            "leftContext": left,
            "rightContext": right,
            "fileName": "prices.py",
            **_request(exchange),
        },
        "generateCompletionsEventResponse": {
            "completions": exchange.received_texts,
            "requestId": exchange.request_id,
        },
    }


def _dev_record(exchange: Exchange) -> dict[str, Any]:
    return {
        "startTaskAssistCodeGenerationEventRequest": {
            "prompt": exchange.sent_texts[0],
            "chatTriggerType": "MANUAL",
            "conversationId": exchange.conversation_id,
            **_request(exchange),
        },
        "startTaskAssistCodeGenerationEventResponse": {"requestId": exchange.request_id},
    }


_RECORDS: dict[Kind, Callable[[Exchange], dict[str, Any]]] = {
    "chat": _chat_record,
    "inline": _inline_record,
    "dev": _dev_record,
}


def _report_objects(reports: Sequence[Report]) -> Iterator[LogObject]:
    for report in reports:
        written = report.written_at
        # Kiro's is in the folder of midnight all the same.
        folder = _folder(REPORT_PREFIX, report.product, report.kind, written.replace(hour=0))
        if report.kind == "user_report":
            name = f"KIRO_IDE_{ACCOUNT_ID}_user_report_{written:%Y%m%d%H%M}.csv"
        else:
            part = f"_part_{report.part}" if report.part else ""
            name = f"{ACCOUNT_ID}_by_user_analytic_{written:%Y%m%d%H%M}_report{part}.csv"
        yield LogObject(f"{folder}{name}", _milliseconds(written), report.rows, "activity", report.content)


def _stray_object() -> LogObject:
    """A small object without meaning, as Kiro leaves them."""
    created = datetime.combine(date(2026, 1, 12), time(9))
    key = f"{REPORT_PREFIX}/AWSLogs/{ACCOUNT_ID}/KiroLogs/{sha256(b'stray').hexdigest()[:32]}"
    return LogObject(key, _milliseconds(created), (), "stray", lambda _: b"x" * 103)


def _planned_damage(objects: Sequence[LogObject], days: Sequence[DayOfUse]) -> dict[Damage, str]:
    """Yesterday's chats end early; of those of the day before, one is malformed."""
    chats = f"/{FOLDERS['q_developer']}/{LOG_TYPES['chat']}/"
    planned: dict[Damage, str] = {}
    for damage, days_ago in zip(DAMAGES, (1, 2), strict=True):
        if len(days) > days_ago:
            folder = f"/{days[-1 - days_ago].day:%Y/%m/%d}/"
            keys = [made.key for made in objects if chats in made.key and folder in made.key]
            # The late object of a morning comes before the day's own.
            planned |= {damage: max(keys)} if keys else {}
    return planned


def _milliseconds(moment: datetime) -> int:
    return int(moment.replace(tzinfo=UTC).timestamp() * 1000)
