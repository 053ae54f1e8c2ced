"""The report's page, as text.

Here: numbers in, HTML out. Not here: reading tables (`numbers.py`), data of the scripts (`page_data.py`), writing files
(`write.py`), words, scripts and look of the page (`page/`). Equal reports give equal bytes.
"""

import base64
import hashlib
import json
from collections.abc import Callable
from datetime import date, datetime
from decimal import Decimal
from functools import cache, partial
from importlib.resources import files
from typing import Any

from jinja2 import Environment, FunctionLoader, StrictUndefined
from markupsafe import Markup

from usage_pipeline.report import formats
from usage_pipeline.report.anchors import check_anchor
from usage_pipeline.report.contents import CheckResult, Pool, Report
from usage_pipeline.report.json_text import plain
from usage_pipeline.report.packing import packed_text
from usage_pipeline.report.page_data import (
    packed_cube,
    packed_details,
    packed_json,
    packed_series,
    packed_tables,
    pool_facts,
)

MOST_COMPRESSION = 9

_MISSING = Markup('<span class="missing">{}</span>')

_CHART_LIBRARY = "vendor/echarts.min.js"
_PAGE_FOLDER = "page/"

PAGE_SCRIPTS = (
    # Without the page: each can be read and tested alone.
    *("formats.js", "times.js", "csv.js", "hash.js", "ordering.js", "matching.js", "packed_columns.js", "cube.js"),
    "q_developer_rows.js",
    # Tools.
    *("data.js", "elements.js", "state.js", "tables.js", "figures.js"),
    # Parts of the page.
    *(
        "pool_series.js",
        "pool_charts.js",
        "pool_days.js",
        "pool_tables.js",
        "throttles.js",
        "performance.js",
        "pools.js",
    ),
    *(
        "costs.js",
        "q_developer.js",
        "filters.js",
        "verdict.js",
        "findings.js",
        "search.js",
        "display.js",
        "main.js",
    ),
)
"""The scripts in the order in which they are joined."""

_Q_DEVELOPER_SCRIPT = "q_developer.js"
"""The one that only a page with use of Amazon Q Developer or Kiro needs."""

PAGE_STYLES = ("base.css", "layout.css", "tables.css", "parts.css")
"""The style sheets in the order in which they are joined."""

_SCRIPTED_SECTIONS = ("throttles", "performance")
"""Sections that need a pool with use, because nothing of them is written without one."""

# What could end a script element or a line of JavaScript; JSON reads the escapes as the characters themselves.
_UNSAFE_IN_A_SCRIPT = {ord(character): f"\\u{ord(character):04x}" for character in "<>&\u2028\u2029"}


def report_html(report: Report) -> str:
    """The page: complete in itself, with no request to anywhere."""
    library, script = _text(_CHART_LIBRARY), _page_script(report.q_developer is not None)
    shown = [pool for pool in report.pools if pool.has_traffic]
    cube = packed_cube(report)
    packed = {
        "pools-data": packed_json({pool.anchor: _page_facts(pool) for pool in shown}),
        "tables-data": packed_tables(shown),
        "details-data": packed_details(shown),
    }
    if cube:
        packed["cube-data"] = cube
    if report.q_developer:
        packed["q-developer-data"] = packed_json(report.q_developer)
    return (
        _environment()
        .get_template("page.html.j2")
        .render(
            t=_labels(),
            report=report,
            costs=report.costs,
            shown=shown,
            unused=[pool for pool in report.pools if not pool.has_traffic],
            parts=_parts(report, shown),
            first_window=_first_window(report),
            policy=_content_security_policy(library, script),
            style=_own("\n".join(_page_part(name) for name in PAGE_STYLES)),
            script=_own(script),
            library=_script_json(_packed_library()),
            page_data=_script_json(_page_data(report)),
            packed_parts={name: _script_json(text) for name, text in packed.items()},
            series={pool.anchor: _script_json(packed_series(pool.series)) for pool in shown},
        )
    )


def _parts(report: Report, shown: list[Pool]) -> set[str]:
    """Sections that the page has, by id."""
    costs = report.costs
    has = {
        "verdict": True,
        "pools": bool(shown),
        "findings": bool(report.findings),
        "details": bool(shown),
        "costs": True,
        "q_developer": report.q_developer is not None,
        "completeness": bool(costs.completeness or costs.log_sources or report.bill),
        "prices": bool(costs.prices),
        "checks": True,
        "notes": True,
    } | dict.fromkeys(_SCRIPTED_SECTIONS, bool(shown))
    return {name for name, is_there in has.items() if is_there}


def _first_window(report: Report) -> str | None:
    """The longest: what the page says of it is what it says without JavaScript."""
    return report.windows[-1].name if report.windows else None


def _labels_needed(report: Report) -> dict[str, Any]:
    """The words for the script; those of Amazon Q Developer only where it is used."""
    return {name: words for name, words in _labels().items() if name != "q_developer" or report.q_developer}


def _page_facts(pool: Pool) -> dict[str, Any]:
    endpoint = _labels()["endpoint"].get(pool.endpoint_type, pool.endpoint_type)
    return {"title": f"{pool.model_name}, {endpoint}", **pool_facts(pool)}


def _page_data(report: Report) -> dict[str, Any]:
    """What the page's script needs before anything is unpacked."""
    return {
        "labels": _labels_needed(report),
        "windows": plain(report.windows),
        "first_window": _first_window(report),
        "window_days": plain(report.window_days),
        "utilization_warning": report.utilization_warning,
        "is_lower_bound": report.summary.scopes_failed > 0,
        "cost_changes": plain(report.cost_changes),
        "covered": {
            f"{scope.account_id}/{scope.region}": plain(scope.covered) for scope in report.scopes if scope.region
        },
    }


# ---------------------------------------------------------------------------------------------------------------------
# Safe inside a page


def _script_json(value: Any) -> Markup:
    """JSON for a script element that is not run: no character of it can end the element."""
    text = json.dumps(value, ensure_ascii=False, separators=(",", ":"))
    return Markup(text.translate(_UNSAFE_IN_A_SCRIPT))  # noqa: S704  (every unsafe character is escaped above)


def _content_security_policy(*scripts: str) -> str:
    """Nothing may be loaded or sent, and no script may run but the page's own and the chart library."""
    hashes = [base64.b64encode(hashlib.sha256(script.encode()).digest()).decode("ascii") for script in scripts]
    allowed = " ".join(f"'sha256-{digest}'" for digest in hashes)
    return (
        f"default-src 'none'; script-src {allowed}; style-src 'unsafe-inline'; img-src data:; "
        "base-uri 'none'; form-action 'none'"
    )


# ---------------------------------------------------------------------------------------------------------------------
# The package's own files


def _own(text: str) -> Markup:
    """Text of a file of this package, which goes into the page as it is."""
    return Markup(text)  # noqa: S704  (never called with text from elsewhere)


@cache
def _text(name: str) -> str:
    return files("usage_pipeline.report").joinpath(name).read_text(encoding="utf-8")


@cache
def _packed_library() -> str:
    """The chart library, which is half of the page's own text."""
    return packed_text(_text(_CHART_LIBRARY).encode(), MOST_COMPRESSION)


def _page_part(name: str) -> str:
    return _text(_PAGE_FOLDER + name)


def _page_script(has_q_developer: bool) -> str:
    """The page's own files as one script, whose names nothing else sees."""
    names = (name for name in PAGE_SCRIPTS if has_q_developer or name != _Q_DEVELOPER_SCRIPT)
    return '(() => {\n"use strict";\n' + "\n".join(_page_part(name) for name in names) + "})();\n"


@cache
def _labels() -> dict[str, Any]:
    return json.loads(_page_part("labels.json"))


def _or_missing(text: str) -> str | Markup:
    """What is unknown looks so."""
    return _MISSING.format(text) if text == _labels()["unknown"] else text


def _is_time(value: date) -> bool:
    """A moment, which the page can show in another zone; a day cannot."""
    return isinstance(value, datetime)


def _plain_number(value: float | Decimal) -> str:
    """A number of any kind; exact ones that are not whole to their last digit."""
    if isinstance(value, Decimal) and value != value.to_integral_value():
        return formats.price(value, "")
    return formats.number(int(value) if isinstance(value, Decimal) else value, "")


def _signed_money(amount: Decimal) -> str:
    return formats.MINUS + formats.money(-amount, "") if amount < 0 else formats.money(amount, "")


def _anchor_of_check(check: CheckResult) -> str:
    return check_anchor(check.asset, check.check_name)


@cache
def _environment() -> Environment:
    environment = Environment(
        autoescape=True,
        loader=FunctionLoader(_page_part),
        undefined=StrictUndefined,
        trim_blocks=True,
        lstrip_blocks=True,
        keep_trailing_newline=True,
    )
    unknown = _labels()["unknown"]
    filters: dict[str, Callable[..., Any]] = {
        "number": partial(formats.number, unknown=unknown),
        "percent": partial(formats.percent, unknown=unknown),
        "money": partial(formats.money, unknown=unknown),
        "price": formats.price,
        "moment": partial(formats.moment, unknown=unknown),
        "counted": formats.counted,
        "or_missing": _or_missing,
        "bars": formats.bars,
        "level": formats.level,
        "compact_json": partial(json.dumps, ensure_ascii=False),
        "is_time": _is_time,
        "iso": formats.iso_time,
        "exact": plain,
        "plain_number": _plain_number,
        "signed_money": _signed_money,
        "check_anchor": _anchor_of_check,
    }
    environment.filters.update(filters)
    return environment
