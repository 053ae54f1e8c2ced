"""All findings of a report as cards, most urgent first.

Here: findings of the checks, of sources that did not answer, and the order of all. Not here: findings about quotas
(`finding_quotas.py`) and savings (`finding_savings.py`), the checks themselves (`usage_pipeline/checks`).
"""

import json
from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import fields, replace
from datetime import date
from typing import Any

import duckdb

from usage_pipeline.alerts.advice import next_steps
from usage_pipeline.alerts.findings import Finding
from usage_pipeline.report.contents import CheckResult, Pool, ScopeReading, SourceFailure
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
)
from usage_pipeline.report.finding_contents import SEVERITY_ORDER, Action, Evidence, FindingCard, Severity
from usage_pipeline.report.finding_quotas import endpoint_cards, quota_cards, throttle_cards
from usage_pipeline.report.finding_savings import anomaly_cards, caching_cards, max_tokens_cards
from usage_pipeline.report.outlook_contents import MaxTokens

_OPEN_FINDINGS = f"""
    select {", ".join(field.name for field in fields(Finding))}
    from ops.findings
    where resolved_at is null
    order by severity, check_name, finding_id
"""

_SAME_AS = {
    "no_pool_is_throttled_too_often": "throttles",
    "no_pool_stays_close_to_its_quota": "quota",
}
"""Checks whose findings are about what a card of this kind says with more numbers: that card gets their severity."""

_ANSWERED = "every_scope_answered_for_"

_EFFECT_ORDER = ("requests", "percent", "usd", "tokens")
"""Effects that are not measured alike: refused calls come before a full quota, and that before money."""


def read_findings(
    con: duckdb.DuckDBPyConnection,
    pools: Sequence[Pool],
    scopes: Sequence[ScopeReading],
    checks: Sequence[CheckResult],
    max_tokens: Sequence[MaxTokens],
    days: Mapping[str, date],
) -> tuple[FindingCard, ...]:
    """Everything that a person should act on, most urgent first.

    Raises:
        duckdb.Error: a table or column is missing from the published file.
    """
    known = Known(con, {pool.pool_id: pool for pool in pools})
    opened = [Finding(*row) for row in con.execute(_OPEN_FINDINGS).fetchall()]
    planned = [*throttle_cards(known, dict(days)), *quota_cards(known)]
    cards, rest = with_findings(planned, opened)
    cards += [_check_card(known, finding) for finding in rest]
    cards += failed_check_cards(known, checks, opened)
    cards += _source_cards(known, scopes, checks)
    cards += [
        *max_tokens_cards(known, max_tokens),
        *endpoint_cards(known),
        *caching_cards(known),
        *anomaly_cards(known, days["last_day"]),
    ]
    return tuple(sorted(cards, key=urgency))


def urgency(made: FindingCard) -> tuple[Any, ...]:
    """Sort key: severity, then the kind of effect, then its size, then words that never change."""
    units = [texts()["units"][name] for name in _EFFECT_ORDER]
    place = units.index(made.effect_unit) if made.effect_unit in units else len(units)
    return SEVERITY_ORDER.index(made.severity), place, -(made.effect_value or 0.0), made.kind, str(made.subject)


def with_findings(cards: Iterable[FindingCard], opened: Iterable[Finding]) -> tuple[list[FindingCard], list[Finding]]:
    """Cards with the severity and the beginning of the open findings that are about the same; the other findings.

    Findings about sources that did not answer are in neither: each scope's failure has a card of its own.
    """
    by_subject = {(made.kind, made.subject): made for made in cards}
    rest: list[Finding] = []
    for finding in opened:
        if finding.check_name.startswith(_ANSWERED):
            continue
        key = _SAME_AS.get(finding.check_name, "check"), _planned_subject(finding)
        if key in by_subject:
            by_subject[key] = replace(
                by_subject[key], severity=finding.severity, since=finding.opened_at, description=finding.summary
            )
        else:
            rest.append(finding)
    return list(by_subject.values()), rest


def _planned_subject(finding: Finding) -> str | None:
    subject = json.loads(finding.subject)
    return "/".join(str(subject[name]) for name in ("pool_id", "quota") if name in subject) or None


# ---------------------------------------------------------------------------------------------------------------------
# Findings of checks

_FINDING_NUMBERS = ("value", "threshold")

_SCOPE_NAMES = ("account_id", "account_name", "region", "pool_id")
"""What the card has anyway."""


def _check_card(known: Known, finding: Finding) -> FindingCard:
    sql = f"select value, threshold, unit, evidence from ops.findings where finding_id = {sql_text(finding.finding_id)}"
    row = {**json.loads(finding.evidence), **json.loads(finding.subject)}
    pool = known.pools.get(str(row.get("pool_id")))
    scope = {} if pool else {name: _text(row.get(name)) for name in ("account_id", "account_name", "region")}
    numbers = [Number(name, name, finding.unit) for name in _FINDING_NUMBERS]
    return card(
        "check",
        finding.finding_id,
        finding.severity,
        check_title(finding, pool),
        pool=pool,
        since=finding.opened_at,
        description=finding.description,
        evidence_sql=sql,
        evidence=(*evidence(first_row(known.con, sql), numbers), *_told_along(finding)),
        actions=tuple(_actions(finding)),
        **scope,
    )


def check_title(finding: Finding, pool: Pool | None) -> str:
    """What the check says; where it only names the pool by its id, the pool's name."""
    if pool is None or not finding.summary.startswith("Not true for "):
        return short(finding.summary)
    statement = finding.check_name.replace("_", " ")
    return texts()["check"]["of_pool"].format(pool=pool_name(pool), statement=statement)


def _told_along(finding: Finding) -> Iterator[Evidence]:
    """What the check says of the thing beside its value, such as a reason or the name of a quota."""
    for name, value in json.loads(finding.evidence).items():
        if name in _SCOPE_NAMES or not isinstance(value, str | int | float):
            continue
        told = texts()["yes" if value else "no"] if isinstance(value, bool) else value
        label = name.replace("_", " ")
        yield Evidence(label[:1].upper() + label[1:], short(told) if isinstance(told, str) else told)


def _text(value: Any) -> str | None:
    return None if value is None else str(value)


def _actions(finding: Finding) -> Iterator[Action]:
    words = texts()["actions"]
    for step in next_steps(finding):
        if "https://" in step:
            yield Action("link", words["console"], step[step.index("https://") :])
        elif ", then " in step:
            yield advice(step)
        else:
            yield Action("command", words["command"], step)


def failed_check_cards(known: Known, checks: Sequence[CheckResult], opened: Sequence[Finding]) -> Iterator[FindingCard]:
    """Failed checks of which no open finding is known, as on a warehouse that never told of findings."""
    told = {(finding.check_name, finding.asset) for finding in opened}
    for check in checks:
        if check.passed or (check.check_name, check.asset) in told or check.check_name.startswith(_ANSWERED):
            continue
        sql = (
            f"select failing_rows, examples from ops.check_results where check_name = {sql_text(check.check_name)} "
            f"and asset = {sql_text(check.asset)}"
        )
        numbers = (Number("failing_rows", "failing_rows", "rows"),)
        yield card(
            "check",
            f"{check.check_name}/{check.asset}",
            _severity(check.severity),
            texts()["check"]["title"].format(statement=check.check_name.replace("_", " ")),
            description=check.description,
            evidence_sql=sql,
            evidence=evidence(first_row(known.con, sql), numbers),
        )


def _severity(severity: str) -> Severity:
    return "ERROR" if severity == "ERROR" else "WARN"


# ---------------------------------------------------------------------------------------------------------------------
# Sources that did not answer


def _source_cards(known: Known, scopes: Sequence[ScopeReading], checks: Sequence[CheckResult]) -> Iterator[FindingCard]:
    """Sources that a scope's newest reading did not get."""
    severities: dict[str, Severity] = {
        check.check_name: _severity(check.severity) for check in checks if not check.passed
    }
    for scope in scopes:
        for failure in scope.failures:
            yield _source_card(known, scope, failure, severities.get(f"{_ANSWERED}{failure.source}", "WARN"))


def _source_card(known: Known, scope: ScopeReading, failure: SourceFailure, severity: Severity) -> FindingCard:
    sql = (
        "select count(distinct partition_date) as days, max(partition_date) as last_day from ops.source_status "
        f"where source = {sql_text(failure.source)} and account_name = {sql_text(scope.account_name)} "
        f"and region is not distinct from {'null' if scope.region is None else sql_text(scope.region)} "
        f"and status = {sql_text(failure.status)}"
    )
    says = texts()["source"]
    where = " ".join(part for part in (scope.account_name, scope.region) if part)
    numbers = (Number("days", "days", "days"), Number("last_day", "last_day"))
    return card(
        "source",
        f"{failure.source}/{scope.account_id}/{scope.account_name}/{scope.region}",
        severity,
        says["title"].format(source=failure.source, where=short(where)),
        since=failure.first_day,
        description=failure.error_text,
        account_id=scope.account_id,
        account_name=scope.account_name,
        region=scope.region,
        effect=says["effect"],
        evidence_sql=sql,
        evidence=evidence(first_row(known.con, sql), numbers),
        actions=(
            advice(says["advice"]),
            Action("command", texts()["actions"]["command"], "usage-pipeline doctor"),
        ),
    )
