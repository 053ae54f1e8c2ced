"""What a language model says about quotas that rules leave open. Off unless the configuration names a model.

Not here: which questions are due and what rows they make (`llm_quota_answers.py`), the question and its judging
(`quotas/llm_mapper.py`), whose word counts (`quota_mappings.py`).
"""

import datetime as dt
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from decimal import Decimal
from typing import Any

import dagster as dg
import duckdb
import pyarrow as pa

from usage_pipeline.assets.llm_quota_answers import (
    OpenQuotas,
    Row,
    TokenPrices,
    due_questions,
    rows_to_store,
    said_of,
)
from usage_pipeline.assets.metadata import stored_table_schema
from usage_pipeline.assets.quota_mappings import CATALOGUES
from usage_pipeline.assets.quota_scopes import mappings_by_rule, stored_overrides
from usage_pipeline.aws.access import AwsAccess
from usage_pipeline.aws.bedrock_runtime import ToolAnswer, ask_by_tool, place_to_ask
from usage_pipeline.aws.errors import AWS_ERRORS, Shortfall, shortfall_of
from usage_pipeline.aws.scopes import Scope
from usage_pipeline.aws.sessions import counted_api_calls
from usage_pipeline.config import Settings
from usage_pipeline.config_quota_mapping import QuotaMappingSettings
from usage_pipeline.quotas.llm_mapper import TOOL_NAME, Question, converse_request
from usage_pipeline.raw_tables import LLM_QUOTA_MAPPINGS, MODEL_PRICES, SOURCE_STATUS, StoredTable
from usage_pipeline.reference import quota_labels
from usage_pipeline.warehouse import WAREHOUSE_POOL, Warehouse, arrow_schema, record_source_status, upsert

KEYS = ("account_id", "region", "model_id", "endpoint_type", "quota_kind")

_PRICES = """
    with called as (
        select
            coalesce(max(endpoint_type), 'on_demand') as endpoint_type,
            substr($model, coalesce(max(length(prefix)) + 2, 1)) as model_id,
        from raw.endpoint_prefixes
        where starts_with($model, prefix || '.')
    )

    select
        token_kind,
        usd_per_million,
    from raw.model_prices
    inner join called using (model_id, endpoint_type)
    where
        service_tier = 'default'
        and context_band = 'standard'
        and region in ('*', $region)
        and valid_from <= $now
        and (valid_to is null or valid_to > $now)
    qualify row_number() over (partition by token_kind order by region = '*') = 1
"""


@dataclass
class Asking:
    """How asking went: the answers, where they were given (None when out of reach), and why some are missing."""

    place: Scope | None = None
    answers: list[tuple[Question, ToolAnswer]] = field(default_factory=list[tuple[Question, ToolAnswer]])
    shortfall: Shortfall | None = None
    api_calls: int = 0


@dg.asset(
    key=[LLM_QUOTA_MAPPINGS.schema, LLM_QUOTA_MAPPINGS.name],
    deps=[dg.AssetKey([table.schema, table.name]) for table in (*CATALOGUES, MODEL_PRICES)],
    group_name="raw",
    kinds={"aws", "duckdb"},
    pool=WAREHOUSE_POOL,
    description=f"{LLM_QUOTA_MAPPINGS.description}\n\nOnly with `quota_mapping.llm_model` in the configuration; a "
    "question is asked once, until its candidates change.",
    metadata={"dagster/column_schema": stored_table_schema(LLM_QUOTA_MAPPINGS)},
)
def raw_llm_quota_mappings(
    context: dg.AssetExecutionContext,
    warehouse: Warehouse,
    aws: dg.ResourceParam[AwsAccess],
    settings: dg.ResourceParam[Settings],
) -> dg.MaterializeResult[Any]:
    """Ask what is due; without a configured model, leave everything as it is."""
    return dg.MaterializeResult(metadata=refresh_answers(warehouse, aws, settings, context.run_id))


def refresh_answers(warehouse: Warehouse, aws: AwsAccess, settings: Settings, run_id: str) -> dict[str, Any]:
    """Ask what is due, judge it, and store it with how it went. Returns the asset's metadata."""
    options, now = settings.quota_mapping_settings, settings.now()
    with warehouse.connect() as con:
        stored = stored_rows(con)
        if options.llm_model is None:
            # A failure of before, when it was asked, is no trouble any more.
            con.execute(f"delete from {SOURCE_STATUS.qualified_name} where source = ?", [LLM_QUOTA_MAPPINGS.name])
            return {"dagster/row_count": len(stored), "asked": "off", "calls": 0}
        open_quotas = OpenQuotas(mappings_by_rule(con), stored_overrides(con), quota_labels())
    due = due_questions(open_quotas, stored, options.llm_model)
    # Asked without the warehouse open: an answer takes seconds, and others wait for the file.
    asking = ask(aws, options, due)
    with warehouse.connect() as con:
        prices = token_prices(con, options.llm_model, asking.place, now)
        new = {
            question.candidate_hash: said_of(
                question, answer, mapper_model_id=options.llm_model, cost_usd=prices.cost(answer), asked_at=now
            )
            for question, answer in asking.answers
        }
        changed = rows_to_store(open_quotas, stored, new)
        upsert(con, LLM_QUOTA_MAPPINGS, _table(LLM_QUOTA_MAPPINGS, changed), KEYS)
        account_name = options.llm_account or settings.accounts[0].name
        status = status_row(asking, account_name, len(open_quotas.open), run_id, now)
        record_source_status(con, _table(SOURCE_STATUS, [status]))
        held = stored_rows(con)
    return _metadata(held, asking, len(due), prices)


def ask(aws: AwsAccess, options: QuotaMappingSettings, questions: Sequence[Question]) -> Asking:
    """Ask the questions one by one. Where AWS denies or throttles one, the rest waits for the next run."""
    asking = Asking()
    with counted_api_calls() as calls:
        try:
            asking.place = place_to_ask(aws.resolved, options)
            client = aws.resolved.sessions[asking.place.account_name].client("bedrock-runtime", asking.place.region)
        except AWS_ERRORS as error:
            asking.shortfall = shortfall_of(error)
            return asking
        for question in questions:
            try:
                answer = ask_by_tool(client, converse_request(question, options.llm_model or ""), TOOL_NAME)
            except AWS_ERRORS as error:
                asking.shortfall = shortfall_of(error)
                if asking.shortfall.status != "failed":
                    break
            else:
                asking.answers.append((question, answer))
    asking.api_calls = calls.count
    return asking


def stored_rows(con: duckdb.DuckDBPyConnection) -> list[dict[str, Any]]:
    """The rows of `raw.llm_quota_mappings`, in order."""
    order = ", ".join(KEYS)
    return (
        con.execute(f"select * from {LLM_QUOTA_MAPPINGS.qualified_name} order by {order}").to_arrow_table().to_pylist()
    )


def token_prices(
    con: duckdb.DuckDBPyConnection, mapper_model_id: str, place: Scope | None, now: dt.datetime
) -> TokenPrices:
    """The list prices of the model that is asked, by its id or its inference profile's."""
    region = place.region if place else None
    found = con.execute(_PRICES, {"model": mapper_model_id, "region": region, "now": now}).fetchall()
    prices: dict[str, Decimal] = dict(found)
    return TokenPrices(prices.get("input"), prices.get("output"))


def status_row(asking: Asking, account_name: str, row_count: int, run_id: str, now: dt.datetime) -> dict[str, Any]:
    """The row of `ops.source_status` for the place where the model is asked; `row_count` is how much is open."""
    shortfall = asking.shortfall
    return {
        "account_id": asking.place.account_id if asking.place else None,
        "account_name": account_name,
        "region": asking.place.region if asking.place else None,
        "source": LLM_QUOTA_MAPPINGS.name,
        "partition_date": now.date(),
        "status": shortfall.status if shortfall else "ok" if row_count else "empty",
        "error_text": shortfall.text if shortfall else None,
        "row_count": None if shortfall else row_count,
        "covered_until": None,
        "resolution_seconds": None,
        "api_calls": asking.api_calls,
        "run_id": run_id,
        "finished_at": now,
    }


def _metadata(held: Sequence[Row], asking: Asking, due: int, prices: TokenPrices) -> dict[str, Any]:
    costs = [prices.cost(answer) for _, answer in asking.answers]
    total = None if None in costs else sum((cost for cost in costs if cost is not None), Decimal(0))
    return {
        "dagster/row_count": len(held),
        "asked": f"{len(asking.answers)} of {due} questions",
        "calls": asking.api_calls,
        "input_tokens": sum(answer.input_tokens for _, answer in asking.answers),
        "output_tokens": sum(answer.output_tokens for _, answer in asking.answers),
        "cost_usd": "unknown" if total is None else str(total),
        "accepted": sum(row["status"] == "accepted" for row in held),
        "refused": sum(row["status"] == "refused" for row in held),
        "error": asking.shortfall.text if asking.shortfall else "none",
    }


def _table(table: StoredTable, rows: Sequence[Mapping[str, Any]]) -> pa.Table:
    return pa.Table.from_pylist(list(rows), schema=arrow_schema(table))
