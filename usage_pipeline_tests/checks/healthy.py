"""A small warehouse in which every rule holds: two scopes, two whole days and today until 10:30, all models built.

Here: the data. Not here: what is done to it so that a rule fails (`faults.py`).
"""

import datetime as dt
from decimal import Decimal

import pyarrow as pa

from usage_pipeline import raw_tables as raw
from usage_pipeline import reference
from usage_pipeline.assets.quota_mappings import mapping_rows
from usage_pipeline.assets.raw_q_developer_terms import term_rows
from usage_pipeline.checks.sources import ACCOUNT_SOURCES, DAY_SOURCES, READ_SOURCES
from usage_pipeline.q_developer_tables import (
    Q_DEVELOPER_ACTIVITY,
    Q_DEVELOPER_PROMPTS,
    Q_DEVELOPER_TERMS,
    Q_DEVELOPER_TOKEN_ESTIMATES,
)
from usage_pipeline.warehouse import arrow_schema, replace_all
from usage_pipeline_tests.marts.factory import NOVA, SONNET, Store, arns

TODAY = dt.date(2026, 11, 15)
DAYS = (dt.date(2026, 11, 13), dt.date(2026, 11, 14), TODAY)
NOW = dt.datetime(2026, 11, 15, 10, 30)

PRODUCTION = {"account_id": "111122223333", "account_name": "production", "region": "us-east-1"}
RESEARCH = {"account_id": "444455556666", "account_name": "research", "region": "eu-west-1"}

GEO_SONNET = f"us.{SONNET}"
GEO_POOL = f"111122223333/us-east-1/geo/{SONNET}"
NOVA_POOL = f"444455556666/eu-west-1/on_demand/{NOVA}"


def healthy_store() -> Store:
    """The warehouse, written and built."""
    store = Store()
    store.scope(RESEARCH["account_id"], RESEARCH["account_name"], RESEARCH["region"])
    _catalogues(store)
    for day in DAYS:
        _usage(store, day)
        if day < TODAY:
            _bill(store, day)
        for scope in (PRODUCTION, RESEARCH):
            _readings(store, scope, day)
    store.write()
    rows = mapping_rows(store.con, NOW)
    replace_all(store.con, raw.QUOTA_MAPPINGS, pa.Table.from_pylist(rows, schema=arrow_schema(raw.QUOTA_MAPPINGS)))
    store.build()
    return store


def _catalogues(store: Store) -> None:
    for term in term_rows(reference.q_developer_terms(), ()):
        store.add(Q_DEVELOPER_TERMS, **term)
    for estimate in reference.q_developer_token_estimates():
        store.add(Q_DEVELOPER_TOKEN_ESTIMATES, **estimate.model_dump())
    store.burndown("*", 1)
    store.burndown("anthropic.*", 5)
    store.model_limit("*", 4096)
    for kind, price in (("input", "3.3"), ("output", "16.5")):
        store.price(SONNET, kind, price, endpoint_type="geo")
        store.price(NOVA, kind, "0.06")
    store.model(SONNET, on_demand=False, model_name="Claude Sonnet 4.5")
    store.system_profile(GEO_SONNET, arns(SONNET, "us-east-1", "us-west-2"))
    store.application_profile("searchsearch", arns(SONNET, "us-east-1", "us-west-2"))
    research = {"account_id": RESEARCH["account_id"], "region": RESEARCH["region"]}
    store.model(NOVA, model_name="Nova Lite", provider_name="Amazon", **research)
    for scope, code, value, name in (
        (
            PRODUCTION,
            "L-F4DDD3EB",
            200_000.0,
            "Cross-region model inference tokens per minute for Anthropic Claude Sonnet 4.5 V1",
        ),
        (
            # Three calls and one throttle in a minute reach it.
            PRODUCTION,
            "L-4A6BFAB1",
            4.0,
            "Cross-region model inference requests per minute for Anthropic Claude Sonnet 4.5 V1",
        ),
        (RESEARCH, "L-70423BF8", 200_000.0, "On-demand model inference tokens per minute for Amazon Nova Lite"),
    ):
        store.add(
            raw.SERVICE_QUOTAS,
            account_id=scope["account_id"],
            region=scope["region"],
            quota_code=code,
            quota_name=name,
            limit_value=value,
            limit_source="default",
            default_value=value,
            valid_from=NOW,
        )


def _bill(store: Store, day: dt.date) -> None:
    """What AWS charged for a whole day's calls through the geo profile: 6,000 tokens in and 600 out."""
    for kind, usd in (("input", "0.0198"), ("output", "0.0099")):
        usage_type = f"USE1-Claude4.5Sonnet-{kind}-tokens-cross-region-geo"
        store.add(
            raw.BILL,
            **_ids(PRODUCTION),
            billing_month=day.replace(day=1),
            usage_date=day,
            product_code="AmazonBedrock",
            usage_type=usage_type,
            line_type="Usage",
            billed_usd=Decimal(usd),
        )
        if day == DAYS[0]:
            store.add(
                raw.BILLED_USAGE_TYPES,
                usage_type=usage_type,
                model_id=SONNET,
                endpoint_type="geo",
                service_tier="default",
                context_band="standard",
                token_kind=kind,
            )


def _usage(store: Store, day: dt.date) -> None:
    """In each scope at 02:05, 06:59 and 10:29: calls, their tokens and AWS's estimate, and the whole hours' totals."""
    research = {"account_id": RESEARCH["account_id"], "region": RESEARCH["region"]}
    for time in (dt.time(2, 5), dt.time(6, 59), dt.time(10, 29)):
        ts = dt.datetime.combine(day, time)
        tokens = {"input_tokens": 1000, "output_tokens": 100}
        store.usage(GEO_SONNET, ts, invocations=2, aws_estimated_tokens=1500, **tokens)
        store.usage("searchsearch", ts, invocations=1, throttles=1, aws_estimated_tokens=1500, **tokens)
        store.usage(NOVA, ts, invocations=1, aws_estimated_tokens=1100, **tokens, **research)
        for second, profile_id in enumerate((GEO_SONNET, GEO_SONNET, "searchsearch")):
            share = 1 if profile_id == "searchsearch" else 2
            called = ts + dt.timedelta(seconds=second)
            store.call(profile_id, called, input_tokens=1000 // share, output_tokens=100 // share)
        store.call(NOVA, ts, **tokens, **research)
        hour = ts.replace(minute=0)
        if hour + dt.timedelta(hours=1) <= NOW:
            store.usage(None, hour, period=3600, invocations=3, input_tokens=2000, output_tokens=200)
            store.usage(None, hour, period=3600, invocations=1, **tokens, **research)


def _readings(store: Store, scope: dict[str, str], day: dt.date) -> None:
    """Every source answered, and metrics reach to the day's end or to now."""
    is_whole = day < TODAY
    until = dt.datetime.combine(day + dt.timedelta(days=1), dt.time()) if is_whole else NOW
    for source in READ_SOURCES:
        has_days = source in DAY_SOURCES
        store.add(
            raw.SOURCE_STATUS,
            **(scope | {"region": None} if source in ACCOUNT_SOURCES else scope),
            source=source.name,
            partition_date=day,
            status="ok",
            row_count=1,
            covered_until=until if has_days else None,
            resolution_seconds=60 if has_days else None,
            run_id="run-1",
            finished_at=NOW,
        )
    store.add(
        raw.LOG_DELIVERY, snapshot_date=day, is_on=True, bucket="logs", key_prefix="", source="aws", **_ids(scope)
    )
    for source in (raw.INVOCATIONS, Q_DEVELOPER_PROMPTS, Q_DEVELOPER_ACTIVITY):
        store.add(
            raw.INGESTED_OBJECTS,
            **_ids(scope),
            source=source.name,
            bucket="logs",
            key=f"{scope['account_id']}/{scope['region']}/{day}.json.gz",
            etag="e",
            size_bytes=100_000,
            folder_date=day,
            record_count=2000,
            quarantined_count=0,
            is_complete=True,
        )
    store.add(
        Q_DEVELOPER_PROMPTS,
        **_ids(scope),
        usage_date=day,
        ts=dt.datetime.combine(day, dt.time(9)),
        product="q_developer",
        kind="chat",
        conversation_id=f"c-{scope['account_id']}-{day}",
        request_id=f"q-{scope['account_id']}-{day}",
        user_id="a-user",
        input_tokens=100,
        output_tokens=400,
        token_source="counted",
    )
    store.add(
        Q_DEVELOPER_ACTIVITY,
        **_ids(scope),
        usage_date=day,
        product="q_developer",
        report="by_user_analytic",
        user_id="a-user",
        chat_messages_sent=2,
        dev_generation_event_count=0,
    )
    store.add(
        raw.CLOUDWATCH_SERIES,
        **_ids(scope),
        usage_date=day,
        namespace="AWS/Bedrock",
        model_id="",
        resolution_seconds=60,
        covered_until=until,
        is_final=is_whole,
        query_set="q",
    )


def _ids(scope: dict[str, str]) -> dict[str, str]:
    return {"account_id": scope["account_id"], "region": scope["region"]}
