"""The report's summary as Markdown, short enough for a chat channel.

Here: which lines it has, and escaping. Not here: numbers (`numbers.py`), words (`labels.json`), writing the file.
Names come from AWS, so each is one line, cut, and can make no link, mention or markup.
"""

import re
from collections.abc import Iterable, Iterator
from decimal import Decimal
from typing import Any

from usage_pipeline.report import formats
from usage_pipeline.report.contents import Pool, Report
from usage_pipeline.report.finding_cards import short
from usage_pipeline.report.labels import labels
from usage_pipeline.report.outlook_contents import CostChange, Exhaustion

MOST_POOLS = 10
"""Pools and findings that are told; the report has all."""

MOST_MODELS = 5

NEAR_A_LIMIT = ("limit_reached", "warning", "reaches_limit")
"""States of a user's monthly limit that are worth a line."""

_SPECIAL = re.compile(r"([\\`*_{}\[\]()#+!|~@:$^])")


def escaped(text: str | None) -> str:
    """A text from elsewhere as plain words of Markdown: on one line, cut, without links, mentions or markup."""
    words = short(text).replace("&", "&amp;").replace("<", "&lt;").replace(">", "&gt;")
    return _SPECIAL.sub(r"\\\1", words)


def report_markdown(report: Report) -> str:
    """The verdict, the most urgent pools and findings, and the cost."""
    sections = (_verdict(report), _pools(report), _findings(report), _cost(report), _q_developer(report))
    return "\n\n".join("\n".join(lines) for section in sections if (lines := list(section))) + "\n"


def _words() -> dict[str, Any]:
    return labels()["markdown"]


def _unknown() -> str:
    return labels()["unknown"]


def _counted(name: str, n: int, **values: Any) -> str:
    return formats.counted(_words()[name], n, **values)


def _verdict(report: Report) -> Iterator[str]:
    summary, words = report.summary, _words()
    time = formats.moment(summary.data_up_to, _unknown())
    yield "# " + words["title"].format(title=labels()["title"], time=time)
    yield ""
    risks = summary.pools_by_risk
    says: list[str] = []
    if risks["critical"]:
        says.append(_counted("critical", risks["critical"]))
    if risks["warning"]:
        percent = formats.percent(report.utilization_warning, _unknown())
        says.append(_counted("warning", risks["warning"], percent=percent))
    if not says and report.windows:
        says.append(words["calm"])
    says.append(_counted("throttles", summary.throttles))
    if summary.scopes_failed:
        says.append(_counted("scopes", summary.scopes_failed))
    if summary.checks_failed:
        says.append(_counted("checks", summary.checks_failed))
    yield " · ".join(says)
    if report.first_day:
        yield words["days"].format(first=report.first_day, last=report.last_day)


def _pools(report: Report) -> Iterator[str]:
    used = [pool for pool in report.pools if pool.has_traffic]
    if not used:
        return
    words = _words()
    columns = words["columns"]
    yield f"## {words['pools']}"
    yield ""
    yield f"| {' | '.join(columns.values())} |"
    yield "|---|---|---:|---:|---:|---|"
    for pool in used[:MOST_POOLS]:
        yield f"| {' | '.join(_pool_cells(pool))} |"
    yield from _more(len(used) - MOST_POOLS)


def _pool_cells(pool: Pool) -> Iterator[str]:
    endpoint = labels()["endpoint"].get(pool.endpoint_type, pool.endpoint_type)
    yield f"{escaped(pool.model_name)}, {escaped(endpoint)}, {escaped(pool.account_name)} {escaped(pool.region)}"
    yield labels()["risk"][pool.risk]
    yield formats.percent(pool.utilization_peak, _unknown())
    yield formats.percent(pool.headroom, _unknown())
    yield formats.number(pool.throttles, _unknown())
    yield _used_up(pool.exhaustion)


def _used_up(exhaustion: Exhaustion | None) -> str:
    if exhaustion is None:
        return _unknown()
    quota = labels()["quota_kind"][exhaustion.quota]["label"]
    status = labels()["exhaustion"]["status"].get(exhaustion.status, exhaustion.status)
    return f"{quota}: {exhaustion.on if exhaustion.status == 'dated' else status}"


def _findings(report: Report) -> Iterator[str]:
    if not report.findings:
        return
    yield f"## {_words()['findings']}"
    yield ""
    severities = labels()["findings_text"]["severity"]
    for made in report.findings[:MOST_POOLS]:
        effect = f" {escaped(made.effect)}" if made.effect else ""
        yield f"- **{severities[made.severity]}** {escaped(made.title.rstrip('.'))}.{effect}"
    yield from _more(len(report.findings) - MOST_POOLS)


def _more(left: int) -> Iterable[str]:
    return ["", _counted("more", left)] if left > 0 else []


def _cost(report: Report) -> Iterator[str]:
    costs, words = report.costs, _words()
    if costs.total is None:
        return
    yield f"## {words['cost']}"
    yield ""
    for change in report.cost_changes:
        yield f"- {_change(change)}"
    if report.month:
        month = report.month
        text = words["month"] if month.projected_usd is not None else words["no_projection"]
        yield "- " + text.format(
            month=month.usage_month.strftime("%Y-%m"),
            to_date=_money(month.to_date_usd),
            projected=_money(month.projected_usd),
            low=_money(month.low_usd),
            high=_money(month.high_usd),
        )
    models = [f"{escaped(row.name)} {_money(row.cost_usd)} USD" for row in costs.models if row.cost_usd][:MOST_MODELS]
    if models:
        yield "- " + words["models"].format(models="; ".join(models))
    if costs.total.unpriced_calls:
        yield "- " + _counted("unpriced", costs.total.unpriced_calls)


def _change(change: CostChange) -> str:
    cost = ("≥ " if change.is_at_least and change.cost_usd is not None else "") + _money(change.cost_usd)
    return _counted(
        "no_change" if change.change is None else "change",
        (change.last_day - change.first_day).days + 1,
        first=change.first_day,
        last=change.last_day,
        cost=cost,
        change=None if change.change is None else f"{100 * change.change:+.1f} %",
    )


def _money(amount: Decimal | None) -> str:
    return formats.money(amount, _unknown())


def _q_developer(report: Report) -> Iterator[str]:
    used, words = report.q_developer, _words()
    if used is None:
        return
    yield f"## {words['q_developer']}"
    yield ""
    requests = formats.number(used.total.requests, _unknown())
    yield "- " + _counted("q_people", used.total.active_people, requests=requests)
    near = sum(row.status in NEAR_A_LIMIT for row in used.limits)
    if near:
        yield "- " + _counted("q_limits", near)
    if used.values:
        month = used.values[0].usage_month
        rows = [row for row in used.values if row.usage_month == month]
        yield "- " + words["q_value"].format(
            month=month.strftime("%Y-%m"),
            active=sum(row.active_seats for row in rows),
            seats=sum(row.seats for row in rows),
            virtual=_money(_all_of([row.virtual_cost_usd for row in rows])),
            paid=_money(_all_of([row.subscription_to_date_usd for row in rows])),
        )


def _all_of(amounts: list[Decimal | None]) -> Decimal | None:
    """The sum, unknown when a part is."""
    known = [amount for amount in amounts if amount is not None]
    return sum(known, Decimal()) if len(known) == len(amounts) else None
