"""Use of Amazon Q Developer and Kiro as raw rows: written by a test, or what the sandbox's people did.

Here: the rows. Not here: expected values.
"""

import datetime as dt
from collections.abc import Mapping, Sequence
from types import SimpleNamespace
from typing import Any, cast

from usage_pipeline import raw_tables as raw
from usage_pipeline import reference
from usage_pipeline.assets.raw_q_developer_terms import term_rows
from usage_pipeline.config_q_developer import QDeveloperTermSettings
from usage_pipeline.q_developer_tables import (
    Q_DEVELOPER_ACTIVITY,
    Q_DEVELOPER_PROMPTS,
    Q_DEVELOPER_TERMS,
    Q_DEVELOPER_TOKEN_ESTIMATES,
)
from usage_pipeline.sandbox.account_data import AccountData
from usage_pipeline.sandbox.options import SandboxOptions
from usage_pipeline.sandbox.q_developer_files import BUCKET
from usage_pipeline.sandbox.q_developer_truth import q_developer_tables
from usage_pipeline.sandbox.q_developer_use import days_of_use
from usage_pipeline_tests.marts.factory import ACCOUNT, ACCOUNT_NAME, REGION, Store

MARTS = tuple(f"marts.q_developer_{name}" for name in ("usage", "limits", "value", "conversations", "spikes", "trends"))


class QDeveloperStore(Store):
    """A warehouse in memory with the marts of Amazon Q Developer and Kiro."""

    def __init__(self, *terms: QDeveloperTermSettings) -> None:
        super().__init__(*MARTS)
        self.terms(*terms)
        for row in reference.q_developer_token_estimates():
            self.add(Q_DEVELOPER_TOKEN_ESTIMATES, **row.model_dump())

    def terms(self, *terms: QDeveloperTermSettings) -> None:
        """The reference file's terms and these of the configuration, and no others."""
        self.forget(Q_DEVELOPER_TERMS)
        for row in term_rows(reference.q_developer_terms(), terms):
            self.add(Q_DEVELOPER_TERMS, **row)

    def prompt(self, ts: dt.datetime, **values: Any) -> None:
        """One logged request: a chat of 100 tokens and 400 of answer, unless told otherwise."""
        number = len(self._rows.get(Q_DEVELOPER_PROMPTS.qualified_name, []))
        row = {
            **_place(),
            "kind": "chat",
            "user_id": "ada",
            "request_id": f"request-{number}",
            "input_tokens": 100,
            "output_tokens": 400,
            "token_source": "counted",
        }
        self.add(Q_DEVELOPER_PROMPTS, **row | {"usage_date": ts.date(), "ts": ts} | values)

    def activity(self, day: dt.date, user_id: str = "ada", **values: Any) -> None:
        """What a report says of a user's day."""
        row = {**_place(), "report": "by_user_analytic", "usage_date": day, "user_id": user_id}
        self.add(Q_DEVELOPER_ACTIVITY, **row | values)

    def read_through(self, last: dt.date, source: str = "q_developer_activity", account_id: str = ACCOUNT) -> None:
        """The source was read whole up to the end of a day."""
        self.add(
            raw.SOURCE_STATUS,
            account_id=account_id,
            account_name=ACCOUNT_NAME,
            source=source,
            partition_date=last,
            status="ok",
            covered_until=dt.datetime.combine(last + dt.timedelta(days=1), dt.time()),
        )


def _place() -> dict[str, str]:
    return {"account_id": ACCOUNT, "region": REGION, "product": "q_developer"}


def sandbox_store(options: SandboxOptions, truth: Mapping[str, Sequence[dict[str, Any]]]) -> QDeveloperStore:
    """What the sandbox's people did, read whole on the day of its clock."""
    store = QDeveloperStore()
    for row in truth["q_developer_prompts"]:
        store.add(Q_DEVELOPER_PROMPTS, **row, token_source="counted")
    for row in truth["q_developer_activity"]:
        store.add(Q_DEVELOPER_ACTIVITY, **row)
    yesterday = options.end.date() - dt.timedelta(days=1)
    for last in (yesterday, options.end.date().replace(day=1) - dt.timedelta(days=1)):
        store.read_through(last)
        store.read_through(last, "q_developer_prompts")
    store.build()
    return store


def sandbox_truth(options: SandboxOptions) -> dict[str, list[dict[str, Any]]]:
    """The rows of the sandbox's truth about both products, by table; nothing of its objects."""
    no_objects = SimpleNamespace(buckets={BUCKET: SimpleNamespace(objects={}, damaged={})})
    data = SimpleNamespace(options=options, q_developer_days=days_of_use(options), log_store=no_objects)
    return {name: table.to_pylist() for name, table in q_developer_tables(cast("AccountData", data)).items()}
