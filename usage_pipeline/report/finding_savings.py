"""Findings about what could be less: `max_tokens`, input that is never cached, what stands out, profiles nobody uses.

Here: which there are, and their words. Not here: formulas (`planning/`), how a card is made (`finding_cards.py`).
"""

from collections.abc import Iterable, Iterator, Mapping
from datetime import date, timedelta
from decimal import Decimal
from typing import Any

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
from usage_pipeline.report.finding_contents import FindingCard, Severity
from usage_pipeline.report.formats import percent
from usage_pipeline.report.outlook_contents import MaxTokens
from usage_pipeline.report.table_rows import rows

Row = Mapping[str, Any]

LEAST_FREED_SHARE = 0.01
"""Part of the TPM limit below which a lower `max_tokens` is no finding; the table has it nevertheless."""

LEAST_SAVING = Decimal(1)
"""US dollars over the days looked at below which caching is no finding."""

MOST_CACHING_CARDS = 5
"""Applications that are told to cache; those that would save most."""

HARDLY_CACHED = 0.1
"""Share of the input that was read from the cache below which a caller hardly caches."""

NEWS = timedelta(days=7)
"""What stood out within so many days up to the report's last is told."""


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

_OPPORTUNITIES = """
    select
        pool_id,
        application,
        repeated_share,
        reads_per_write,
        possible_usd,
        grade,
        evidence_sql,
    from marts.cache_opportunities
    where coalesce(hit_ratio, 0) < $hardly_cached and possible_usd >= $least_saving
    order by possible_usd desc, pool_id, application
    limit $most
"""


def caching_cards(known: Known) -> Iterator[FindingCard]:
    """Applications that hardly cache: those of which a repeated part of the input would save most."""
    asked = {"hardly_cached": HARDLY_CACHED, "least_saving": LEAST_SAVING, "most": MOST_CACHING_CARDS}
    for row in rows(known.con, _OPPORTUNITIES, asked):
        if pool := known.pools.get(row["pool_id"]):
            yield _caching_card(known, pool, row)


def _caching_card(known: Known, pool: Pool, found: Row) -> FindingCard:
    sql = (
        "select input_tokens, round(100 * hit_ratio, 1) as hit_percent, possible_usd, possible_quota_tokens, "
        "break_even_reads from marts.cache_opportunities "
        f"where pool_id = {sql_text(pool.pool_id)} and application = {sql_text(found['application'])}"
    )
    says = texts()["caching"]
    words = {
        "application": short(found["application"]),
        "pool": pool_name(pool),
        "usd": f"{found['possible_usd']:,.2f}",
        "share": percent(found["repeated_share"], ""),
        "reads": found["reads_per_write"],
    }
    return card(
        "caching",
        f"{pool.pool_id}/{found['application']}",
        "ADVICE",
        says["title"].format(**words),
        pool=pool,
        grade=found["grade"],
        effect=says["effect"].format(**words),
        effect_value=float(found["possible_usd"]),
        effect_unit=unit_text("usd"),
        evidence_sql=sql,
        rows_sql=found["evidence_sql"],
        evidence=evidence(first_row(known.con, sql), _CACHING_NUMBERS),
        actions=(advice(says["advice"].format(**words)),),
    )


_CACHING_NUMBERS = (
    Number("input_tokens", "input_tokens", "tokens"),
    Number("hit_percent", "hit_percent", "percent"),
    Number("possible_usd", "saved_usd", "usd"),
    Number("possible_quota_tokens", "saved_tokens", "tokens"),
    Number("break_even_reads", "break_even_reads"),
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


def anomaly_cards(known: Known, last_day: date) -> Iterator[FindingCard]:
    """What stood out lately, and profiles that nobody uses."""
    for row in rows(known.con, _ANOMALIES):
        if row["metric"] == "idle_days":
            yield _idle_card(known, row)
        elif row["usage_date"] + NEWS > last_day:
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
