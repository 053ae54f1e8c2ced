"""Findings about what could be less: `max_tokens`, input that is never cached, what stands out, profiles nobody uses.

Here: which there are, and their words. Not here: formulas (`planning/`), how a card is made (`finding_cards.py`).
"""

from collections.abc import Iterable, Iterator, Mapping
from datetime import date, timedelta
from decimal import Decimal
from typing import Any

from usage_pipeline.planning.alternatives import CachePrices, CacheSaving, cache_opportunity
from usage_pipeline.report.contents import Pool
from usage_pipeline.report.finding_cards import (
    Known,
    Number,
    advice,
    card,
    evidence,
    first_row,
    pool_name,
    short,
    sql_text,
    texts,
    unit_text,
)
from usage_pipeline.report.finding_contents import Evidence, FindingCard, Severity
from usage_pipeline.report.outlook_contents import MaxTokens
from usage_pipeline.report.table_rows import rows

Row = Mapping[str, Any]

LEAST_FREED_SHARE = 0.01
"""Part of the TPM limit below which a lower `max_tokens` is no finding; the table has it nevertheless."""

REPEATED_SHARE, READS_PER_WRITE = Decimal("0.1"), 4
"""What the card on caching assumes and says: a tenth of the input repeats, a cached beginning is read so often."""

LEAST_SAVING = Decimal(1)
"""US dollars over the report's days below which caching is no finding."""

HARDLY_CACHED = 0.1
"""Share of the input that was read from the cache below which a caller hardly caches."""

NEWS = timedelta(days=7)
"""What stood out within so many days is a warning, before that it is told no more."""


def max_tokens_cards(known: Known, found: Iterable[MaxTokens]) -> Iterator[FindingCard]:
    """Applications whose lower `max_tokens` would free a part of the quota that counts."""
    for row in found:
        pool = known.pools.get(row.pool_id)
        if pool is not None and row.status == "lower" and _frees_much(pool, row):
            yield _max_tokens_card(known, pool, row)


def _frees_much(pool: Pool, row: MaxTokens) -> bool:
    """Where holding is what asks for a larger quota, every application counts."""
    if any(quota.outlook and quota.outlook.action == "lower_max_tokens" for quota in pool.quotas):
        return True
    limit = next((quota.limit_value for quota in pool.quotas if quota.kind == "tpm"), None)
    return row.freed_tokens is not None and (not limit or row.freed_tokens >= LEAST_FREED_SHARE * limit)


def _max_tokens_card(known: Known, pool: Pool, found: MaxTokens) -> FindingCard:
    sql = (
        "select requests, max_tokens_p50, p999_output, p999_output_low, p999_output_high, recommended, "
        "round(100 * truncated_share_after, 3) as cut_percent, round(freed_tokens) as freed_tokens "
        f"from marts.max_tokens_recommendations where pool_id = {sql_text(found.pool_id)} "
        f"and application = {sql_text(found.application)}"
    )
    row = first_row(known.con, sql)
    says = texts()["max_tokens"]
    words = {
        "application": short(found.application),
        "pool": pool_name(pool),
        "recommended": f"{found.recommended:,}",
        "usual": f"{found.max_tokens_p50:,}",
        "freed": f"{found.freed_tokens or 0:,.0f}",
    }
    return card(
        "max_tokens",
        f"{found.pool_id}/{found.application}",
        "ADVICE",
        says["title"].format(**words),
        pool=pool,
        grade=found.grade,
        effect=says["effect"].format(**words),
        effect_value=found.freed_tokens,
        effect_unit=unit_text("tokens"),
        evidence_sql=sql,
        rows_sql=found.evidence_sql,
        evidence=evidence(row, _MAX_TOKENS_NUMBERS),
        actions=(advice(says["advice"].format(**words)),),
    )


_MAX_TOKENS_NUMBERS = (
    Number("requests", "requests", "requests"),
    Number("max_tokens_p50", "max_tokens_p50", "tokens"),
    Number("p999_output", "p999_output", "tokens", "p999_output_low", "p999_output_high"),
    Number("recommended", "recommended_max_tokens", "tokens"),
    Number("cut_percent", "cut_percent", "percent"),
    Number("freed_tokens", "freed_tokens", "tokens"),
)


# ---------------------------------------------------------------------------------------------------------------------
# Caching

_CALLERS = """
    select
        pool_id,
        application,
        sum(input_tokens)::bigint as input_tokens,
        sum(cache_read_tokens)::bigint as cache_read_tokens,
    from marts.usage_daily
    where usage_date between $first_day and $last_day and pool_id is not null
    group by pool_id, application
    order by input_tokens desc, pool_id, application
"""


def caching_cards(known: Known, days: Mapping[str, date]) -> Iterator[FindingCard]:
    """Applications that hardly cache where a cache read is cheaper: what a tenth of repeated input would save."""
    for row in rows(known.con, _CALLERS, days):
        pool = known.pools.get(row["pool_id"])
        if pool is None or row["cache_read_tokens"] > HARDLY_CACHED * (row["input_tokens"] + row["cache_read_tokens"]):
            continue
        prices = CachePrices(
            known.price(pool, "input"), known.price(pool, "cache_read"), known.price(pool, "cache_write_5m"), None
        )
        if None in (prices.input, prices.cache_read, prices.cache_write_5m):
            continue
        saving = cache_opportunity(row["input_tokens"], REPEATED_SHARE, READS_PER_WRITE, prices)
        if saving.usd is not None and saving.usd >= LEAST_SAVING:
            yield _caching_card(known, pool, row, prices, saving, days)


def _caching_card(
    known: Known, pool: Pool, found: Row, prices: CachePrices, saving: CacheSaving, days: Mapping[str, date]
) -> FindingCard:
    sql = (
        "select sum(input_tokens)::bigint as input_tokens, sum(cache_read_tokens)::bigint as cache_read_tokens "
        f"from marts.usage_daily where pool_id = {sql_text(pool.pool_id)} "
        f"and application = {sql_text(found['application'])} "
        f"and usage_date between '{days['first_day']}' and '{days['last_day']}'"
    )
    says, label = texts()["caching"], texts()["evidence"]
    usd = saving.usd or Decimal(0)
    words = {"application": short(found["application"]), "pool": pool_name(pool), "usd": f"{usd:,.2f}"}
    numbers = (
        Number("input_tokens", "input_tokens", "tokens"),
        Number("cache_read_tokens", "cache_read_tokens", "tokens"),
    )
    price_unit = unit_text("usd_per_million")
    return card(
        "caching",
        f"{pool.pool_id}/{found['application']}",
        "ADVICE",
        says["title"].format(**words),
        pool=pool,
        since=days["first_day"],
        grade="low",
        effect=says["effect"].format(**words),
        effect_value=float(usd),
        effect_unit=unit_text("usd"),
        evidence_sql=sql,
        rows_sql=(
            "select token_kind, region, usd_per_million, source from marts.model_prices "
            f"where model_id = {sql_text(pool.model_id)} and endpoint_type = {sql_text(pool.endpoint_type)} "
            "and service_tier = 'default' and context_band = 'standard' and valid_to is null order by all"
        ),
        evidence=(
            *evidence(first_row(known.con, sql), numbers),
            Evidence(label["input_usd"], prices.input, price_unit),
            Evidence(label["cache_read_usd"], prices.cache_read, price_unit),
            Evidence(label["cache_write_usd"], prices.cache_write_5m, price_unit),
            Evidence(label["saved_usd"], usd.quantize(Decimal("0.01")), unit_text("usd")),
        ),
        actions=(advice(says["advice"].format(reads=READS_PER_WRITE)),),
    )


# ---------------------------------------------------------------------------------------------------------------------
# What stands out

_ANOMALIES = """
    select
        usage_date,
        account_id,
        account_name,
        region,
        subject_kind,
        subject,
        metric,
        value,
        expected,
    from marts.anomalies
    order by usage_date desc, score desc nulls last, subject_kind, subject, metric
"""


def anomaly_cards(known: Known) -> Iterator[FindingCard]:
    """What stood out within the week up to the newest such day, and profiles that nobody uses."""
    found = rows(known.con, _ANOMALIES)
    news = max((row["usage_date"] for row in found), default=date.min)
    for row in found:
        if row["metric"] == "idle_days":
            yield _idle_card(known, row)
        elif row["usage_date"] > news - NEWS:
            yield _anomaly_card(known, row)


def _anomaly_sql(row: Row) -> str:
    return (
        "select value, expected, round(score, 1) as score from marts.anomalies "
        f"where usage_date = '{row['usage_date']}' and subject_kind = {sql_text(row['subject_kind'])} "
        f"and subject = {sql_text(row['subject'])} and metric = {sql_text(row['metric'])}"
    )


def _anomaly_card(known: Known, found: Row) -> FindingCard:
    sql = _anomaly_sql(found)
    says = texts()["anomaly"]
    unit = "usd" if found["metric"] == "cost_usd" else "tokens"
    words = {
        "subject": short(found["subject"]),
        "day": found["usage_date"],
        "metric": found["metric"].replace("_", " "),
        "value": f"{found['value']:,.2f}" if unit == "usd" else f"{found['value']:,.0f}",
        "expected": f"{found['expected']:,.2f}" if unit == "usd" else f"{found['expected']:,.0f}",
        "unit": unit_text(unit),
    }
    numbers = (Number("value", "value", unit), Number("expected", "expected", unit), Number("score", "score"))
    return _subject_card(
        known,
        found,
        "anomaly",
        "WARN",
        says["title"].get(found["metric"], says["other"]).format(**words),
        effect=says["effect"].format(**words),
        effect_value=float(found["value"] - found["expected"]),
        effect_unit=unit_text(unit),
        evidence_sql=sql,
        evidence=evidence(first_row(known.con, sql), numbers),
    )


def _idle_card(known: Known, found: Row) -> FindingCard:
    sql = _anomaly_sql(found)
    says = texts()["idle_profile"]
    return _subject_card(
        known,
        found,
        "idle_profile",
        "ADVICE",
        says["title"].format(subject=short(found["subject"])),
        evidence_sql=sql,
        evidence=evidence(first_row(known.con, sql), (Number("value", "idle_days", "days"),)),
        actions=(advice(says["advice"]),),
    )


def _subject_card(known: Known, found: Row, kind: str, severity: Severity, title: str, **parts: Any) -> FindingCard:
    """A card of a row of `marts.anomalies`, whose subject may be a pool."""
    pool = known.pools.get(found["subject"]) if found["subject_kind"] == "pool" else None
    scope = {} if pool else {name: found[name] for name in ("account_id", "account_name", "region")}
    subject = f"{found['subject_kind']}/{found['subject']}/{found['metric']}/{found['usage_date']}"
    return card(kind, subject, severity, title, pool=pool, since=found["usage_date"], **scope, **parts)
