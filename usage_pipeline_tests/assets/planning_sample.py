"""A small warehouse with five weeks of use, from which every planning table gets rows.

Here: the data. A pool that grows by 2 % a day and holds 8,192 tokens for answers of 100; a global endpoint that nobody
uses; a batch job that costs 3 USD a day and 60 USD on the last; a day after that which is not over; a profile that
nobody uses. Not here: what is expected.
"""

import datetime as dt

from usage_pipeline import raw_tables as raw
from usage_pipeline_tests.marts.factory import ACCOUNT, ACCOUNT_NAME, DAY, NOVA, REGION, SONNET, Store, arns

DAYS = [DAY - dt.timedelta(days=34 - number) for number in range(35)]

TODAY = DAY + dt.timedelta(days=1)
"""Read in part."""

GEO_SONNET = f"us.{SONNET}"
SONNET_POOL = f"{ACCOUNT}/{REGION}/geo/{SONNET}"
NOVA_POOL = f"{ACCOUNT}/{REGION}/on_demand/{NOVA}"
TPM_LIMIT = 10_000


def planning_store() -> Store:
    """The warehouse, written and built."""
    store = Store()
    _catalogues(store)
    for number, day in enumerate(DAYS):
        store.covered(day)
        store.add(
            raw.SOURCE_STATUS,
            account_id=ACCOUNT,
            account_name=ACCOUNT_NAME,
            region=REGION,
            source="invocations",
            partition_date=day,
            status="ok",
            row_count=49,
            covered_until=dt.datetime.combine(day + dt.timedelta(days=1), dt.time()),
        )
        store.logging(True, day)
        _day(store, day, tokens=round(1000 * 1.02**number))
    _half_a_day(store)
    store.build()
    return store


def _half_a_day(store: Store) -> None:
    """The day after the last, read until noon: two calls at five past every hour, twice as large as the day before."""
    store.covered(TODAY, until=dt.datetime.combine(TODAY, dt.time(12)))
    for hour in range(12):
        ts = dt.datetime.combine(TODAY, dt.time(hour, 5))
        store.usage(GEO_SONNET, ts, invocations=2, input_tokens=8000, output_tokens=200, latency_ms_sum=8000)


def _catalogues(store: Store) -> None:
    store.burndown("*", 1)
    store.burndown("anthropic.*", 5)
    store.model_limit("*", 4096)
    for model_id, endpoint_type in ((SONNET, "geo"), (NOVA, "on_demand")):
        for kind in ("input", "output"):
            store.price(model_id, kind, "3", endpoint_type=endpoint_type)
    for kind, usd in (("cache_read", "0.3"), ("cache_write_5m", "3.75")):
        store.price(SONNET, kind, usd, endpoint_type="geo")
    for kind in ("input", "output"):
        store.price(SONNET, kind, "2.7", endpoint_type="global")
    store.model(SONNET, on_demand=False, model_name="Claude Sonnet 4.5")
    store.model(NOVA, model_name="Nova Lite", provider_name="Amazon")
    store.system_profile(GEO_SONNET, arns(SONNET, "us-east-1", "us-west-2"))
    for profile_id, made_at in (("forgotten123", dt.datetime(2026, 1, 1)), ("brandnew1234", dt.datetime(2026, 11, 10))):
        store.application_profile(profile_id, arns(SONNET, "us-east-1", "us-west-2"), created_at=made_at)
    store.quota(SONNET, "geo", "tpm", TPM_LIMIT, valid_from=dt.datetime(2026, 10, 1))
    store.quota(SONNET, "geo", "tpd", 10_000_000, valid_from=dt.datetime(2026, 10, 1))
    store.system_profile(f"global.{SONNET}", arns(SONNET, "us-east-1", ""))
    store.quota(SONNET, "global", "tpm", 100_000, valid_from=dt.datetime(2026, 10, 1))
    store.quota(SONNET, "global", "rpm", 1_000, valid_from=dt.datetime(2026, 10, 1))
    store.application_rule("role", "Batch", "nightly")
    store.application_rule("role", "Reader", "chat")


def _day(store: Store, day: dt.date, tokens: int) -> None:
    """Two chat calls at five past every hour, and the batch at three: one call a day, twenty on the last."""
    for hour in range(24):
        ts = dt.datetime.combine(day, dt.time(hour, 5))
        # Chance moves the minutes by up to 10 %, and repeats itself every 23 hours.
        size = tokens + tokens * ((day.toordinal() * 24 + hour) % 23) // 230
        store.usage(GEO_SONNET, ts, invocations=2, input_tokens=2 * size, output_tokens=200, latency_ms_sum=8000)
        for second in (1, 31):
            store.call(
                GEO_SONNET,
                ts.replace(second=second),
                input_tokens=size,
                output_tokens=100,
                max_tokens=8192,
                stop_reason="end_turn",
                latency_ms=4000,
            )
    batch = dt.datetime.combine(day, dt.time(3, 0))
    calls = 20 if day == DAY else 1
    store.usage(NOVA, batch, invocations=calls, input_tokens=calls * 1_000_000, output_tokens=calls)
    for second in range(calls):
        store.call(
            NOVA,
            batch.replace(second=second),
            input_tokens=1_000_000,
            output_tokens=1,
            principal_arn=f"arn:aws:sts::{ACCOUNT}:assumed-role/Batch/session",
        )
