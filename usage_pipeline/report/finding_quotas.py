"""Findings about quotas: throttled pools, quotas that are too small or run out, room at another endpoint type.

Here: which pools have one, and its words. Not here: formulas (`planning/`, `dbt_like_sql/`), how a card is made
(`finding_cards.py`).
"""

from collections import Counter
from collections.abc import Iterator
from datetime import date, timedelta
from typing import Any

from usage_pipeline.alerts.advice import increase_command, is_quota
from usage_pipeline.report.contents import Pool, Quota
from usage_pipeline.report.finding_cards import (
    Known,
    Number,
    Row,
    advice,
    card,
    console_action,
    evidence,
    first_row,
    pool_name,
    sql_text,
    texts,
    unit_text,
)
from usage_pipeline.report.finding_contents import Action, Evidence, FindingCard, Severity
from usage_pipeline.report.labels import labels
from usage_pipeline.report.outlook_contents import QuotaOutlook
from usage_pipeline.report.table_rows import rows
from usage_pipeline.report.usage_contents import Throttling

SOON = timedelta(days=30)
"""A quota that may be used up within so many days is a warning."""

Dated = dict[str, date]


def throttle_cards(known: Known, days: Dated) -> Iterator[FindingCard]:
    """Pools with throttled requests in the report's days."""
    for pool in known.pools.values():
        if pool.throttling is not None:
            yield _throttle_card(known, pool, pool.throttling, days)


def _throttle_card(known: Known, pool: Pool, throttling: Throttling, days: Dated) -> FindingCard:
    throttles: Counter[str] = Counter()
    for day in throttling.causes:
        throttles[day.cause] += day.throttles
    cause = max(sorted(throttles), key=lambda name: throttles[name]) if throttles else "not_explained"
    sql = _throttle_sql(pool.pool_id, cause, days)
    row = first_row(known.con, sql)
    says = texts()["throttles"]
    quota = next(
        (quota for quota in pool.quotas if quota.kind == (cause if cause in texts()["quota"] else "tpm")), None
    )
    return card(
        "throttles",
        pool.pool_id,
        "WARN",
        says["title"].format(throttles=f"{row['throttles']:,}", pool=pool_name(pool), cause=texts()["cause"][cause]),
        pool=pool,
        since=row["first_day"],
        grade=_cause_grade(cause, row),
        effect=says["effect"].format(throttles=f"{row['throttles']:,}", minutes=f"{row['throttled_minutes']:,}"),
        effect_value=float(row["throttles"]),
        effect_unit=unit_text("requests"),
        evidence_sql=sql,
        rows_sql=(
            "select ts, throttles, invocations, cause, is_certain, consumed_tokens, top_consumers, victims "
            f"from marts.throttle_events where pool_id = {sql_text(pool.pool_id)} order by throttles desc, ts limit 50"
        ),
        evidence=(*evidence(row, _THROTTLE_NUMBERS), *_who(throttling)),
        actions=tuple(_throttle_actions(pool, quota, cause, row)),
    )


def _throttle_sql(pool_id: str, cause: str, days: Dated) -> str:
    return (
        "select sum(throttles)::bigint as throttles, count(*) as throttled_minutes, "
        "round(100 * sum(throttles) / sum(throttles + invocations), 1) as throttled_percent, "
        f"count(*) filter (where cause = '{cause}') as cause_minutes, "
        f"count(*) filter (where cause = '{cause}' and is_certain) as certain_minutes, "
        "count(*) filter (where is_retry_storm) as storm_minutes, "
        "min(usage_date) as first_day, max(usage_date) as last_day "
        f"from marts.throttle_events where pool_id = {sql_text(pool_id)} "
        f"and usage_date between '{days['first_day']}' and '{days['last_day']}'"
    )


_THROTTLE_NUMBERS = (
    Number("throttles", "throttles", "requests"),
    Number("throttled_minutes", "throttled_minutes", "minutes"),
    Number("throttled_percent", "throttled_percent", "percent"),
    Number("cause_minutes", "cause_minutes", "minutes"),
    Number("certain_minutes", "certain_minutes", "minutes"),
    Number("storm_minutes", "storm_minutes", "minutes"),
)


def _who(throttling: Throttling) -> Iterator[Evidence]:
    """The first consumer and the first victim, by name."""
    for consumer in throttling.consumers[:1]:
        names = [consumer.role_or_user, consumer.application, consumer.profile_name]
        yield Evidence(texts()["evidence"]["top_consumer"], " · ".join(dict.fromkeys(name for name in names if name)))
    for victim in throttling.victims[:1]:
        yield Evidence(texts()["evidence"]["top_victim"], victim.profile_name)


def _cause_grade(cause: str, row: Any) -> str:
    if cause == "not_explained":
        return "low"
    return "high" if row["certain_minutes"] == row["cause_minutes"] else "medium"


def _throttle_actions(pool: Pool, quota: Quota | None, cause: str, row: Any) -> Iterator[Action]:
    yield advice(texts()["throttles"]["advice"][cause])
    if row["storm_minutes"]:
        yield advice(texts()["throttles"]["storm"])
    if quota:
        yield from console_action(pool.region, quota.code)


# ---------------------------------------------------------------------------------------------------------------------
# Quotas that are too small, or run out


def quota_cards(known: Known) -> Iterator[FindingCard]:
    """Quotas for which planning asks for something, or that are used up within its view."""
    for pool in known.pools.values():
        for quota in pool.quotas:
            if quota.outlook and (kind := _kind(quota.outlook)):
                yield _quota_card(known, pool, quota, quota.outlook, kind)


def _kind(outlook: QuotaOutlook) -> str | None:
    """What the card says: the text of the labels with this name; None when there is nothing to say."""
    if outlook.action in ("increase", "lower_max_tokens"):
        return outlook.action
    return outlook.reaches_limit if outlook.reaches_limit in ("reached", "dated") else None


def _quota_card(known: Known, pool: Pool, quota: Quota, outlook: QuotaOutlook, kind: str) -> FindingCard:
    sql = _quota_sql(pool.pool_id, quota.kind)
    row = first_row(known.con, sql)
    says = texts()[kind]
    words = {
        "pool": pool_name(pool),
        "quota": texts()["quota"].get(quota.kind, quota.kind),
        "day": outlook.reaches_limit_on,
        "recommended": f"{outlook.recommended or 0:,}",
        "unit": unit_text(quota.kind),
    }
    highest = row.get("highest_percent")
    return card(
        "quota",
        f"{pool.pool_id}/{quota.kind}",
        _quota_severity(outlook, kind),
        says["title"].format(**words),
        pool=pool,
        since=row.get("first_day"),
        grade=outlook.grade,
        effect=says["effect"].format(**words),
        effect_value=None if highest is None else float(highest),
        effect_unit=unit_text("percent"),
        evidence_sql=sql,
        rows_sql=outlook.evidence_sql,
        evidence=evidence(row, _quota_numbers(quota.kind)),
        actions=tuple(_quota_actions(pool, quota, outlook, kind)),
    )


def _quota_severity(outlook: QuotaOutlook, kind: str) -> Severity:
    if kind in ("increase", "reached"):
        return "WARN"
    first = outlook.reaches_limit_earliest or outlook.reaches_limit_on
    return "WARN" if first is not None and first <= outlook.as_of + SOON else "ADVICE"


def _quota_sql(pool_id: str, quota: str) -> str:
    return (
        "select advice.current_limit, advice.peak, advice.peak_high, advice.reserved_peak, advice.recommended, "
        "advice.recommended_low, advice.recommended_high, round(100 * advice.daily_growth, 2) as growth_percent, "
        "round(100 * advice.daily_growth_low, 2) as growth_percent_low, "
        "round(100 * advice.daily_growth_high, 2) as growth_percent_high, advice.reaches_limit_on, "
        "advice.reaches_limit_earliest, advice.reaches_limit_latest, "
        "round(100 * max(days.utilization_peak), 1) as highest_percent, min(days.usage_date) as first_day "
        "from marts.quota_recommendations as advice "
        "left join marts.quota_headroom as days on advice.pool_id = days.pool_id and advice.quota = days.quota "
        "and days.usage_date between advice.as_of - 29 and advice.as_of "
        f"where advice.pool_id = {sql_text(pool_id)} and advice.quota = '{quota}' group by all"
    )


def _quota_numbers(kind: str) -> tuple[Number, ...]:
    return (
        Number("current_limit", "current_limit", kind),
        Number("highest_percent", "highest_percent", "percent"),
        Number("peak", "highest_day" if kind == "tpd" else "peak", kind),
        Number("reserved_peak", "reserved_peak", "tokens"),
        Number("recommended", "recommended", kind, "recommended_low", "recommended_high"),
        Number("reaches_limit_on", "reaches_limit_on", None, "reaches_limit_earliest", "reaches_limit_latest"),
        Number("growth_percent", "growth_percent", "percent", "growth_percent_low", "growth_percent_high"),
    )


def _quota_actions(pool: Pool, quota: Quota, outlook: QuotaOutlook, kind: str) -> Iterator[Action]:
    words = texts()["actions"]
    if kind == "lower_max_tokens":
        yield advice(texts()[kind]["advice"])
    yield from console_action(pool.region, quota.code)
    if outlook.action == "increase" and outlook.recommended and quota.code and is_quota(pool.region, quota.code):
        yield Action("command", words["increase"], increase_command(pool.region, quota.code, outlook.recommended))
    if outlook.request_text:
        yield Action("text", words["request_text"], outlook.request_text)


# ---------------------------------------------------------------------------------------------------------------------
# Room at another endpoint type of the same model

# The cheapest of those that hold both peaks, and of equally cheap ones the emptiest.
_MOVES = """
    select
        pool_id,
        to_pool_id,
        to_endpoint_type,
        cost_change,
        grade,
        evidence_sql,
    from marts.endpoint_moves
    qualify row_number() over (
        partition by pool_id order by cost_change nulls last, utilization, to_pool_id
    ) = 1
    order by pool_id
"""


def endpoint_cards(known: Known) -> Iterator[FindingCard]:
    """Pools near or over a quota whose calls would fit beside those of another endpoint type."""
    for row in rows(known.con, _MOVES):
        pool = known.pools.get(row["pool_id"])
        if pool is not None and pool.risk in ("critical", "warning"):
            yield _move_card(known, pool, row)


def _move_card(known: Known, pool: Pool, move: Row) -> FindingCard:
    sql = (
        "select peak, to_peak, to_limit, round(100 * utilization, 1) as together_percent, "
        "round(100 * cost_change, 1) as cost_percent "
        f"from marts.endpoint_moves where pool_id = {sql_text(pool.pool_id)} "
        f"and to_pool_id = {sql_text(move['to_pool_id'])}"
    )
    row = first_row(known.con, sql)
    says = texts()["endpoint_move"]
    endpoint = labels()["endpoint"].get(move["to_endpoint_type"], move["to_endpoint_type"])
    words = {"pool": pool_name(pool), "endpoint": endpoint, "percent": row["together_percent"]}
    effect = says["effect"].format(**words)
    if row["cost_percent"] is not None:
        effect += " " + says["cost"].format(change=f"{row['cost_percent']:+.1f}")
    return card(
        "endpoint_move",
        f"{pool.pool_id}/{move['to_endpoint_type']}",
        "ADVICE",
        says["title"].format(**words),
        pool=pool,
        grade=move["grade"],
        effect=effect,
        evidence_sql=sql,
        rows_sql=move["evidence_sql"],
        evidence=evidence(row, _MOVE_NUMBERS),
        actions=(advice(says["advice"].format(**words)),),
    )


_MOVE_NUMBERS = (
    Number("peak", "peak_here", "tpm"),
    Number("to_peak", "peak_there", "tpm"),
    Number("to_limit", "limit_there", "tpm"),
    Number("together_percent", "together_percent", "percent"),
    Number("cost_percent", "cost_percent", "percent"),
)
