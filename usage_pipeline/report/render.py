"""The report's page and its JSON, as text.

Here: numbers in, text out. Not here: reading tables (`numbers.py`), writing files (`write.py`), words, scripts and look
of the page (`page/`). Equal reports give equal bytes.
"""

import base64
import hashlib
import json
import zlib
from collections.abc import Callable, Mapping
from dataclasses import fields, is_dataclass
from datetime import date, datetime
from decimal import Decimal
from functools import cache, partial
from importlib.resources import files
from typing import Any

from jinja2 import Environment, FunctionLoader, StrictUndefined
from markupsafe import Markup

from usage_pipeline.report import formats
from usage_pipeline.report.contents import Pool, Report
from usage_pipeline.report.cost_contents import Costs

FIRST_WINDOW = "7days"
"""The window that a report opens with, when it has it."""

MOST_COMPRESSION = 9

_MISSING = Markup('<span class="missing">{}</span>')

_CHART_LIBRARY = "vendor/echarts.min.js"
_PAGE_FOLDER = "page/"
_PAGE_SCRIPTS = ("tools.js", "charts.js", "costs.js", "report.js")

# What could end a script element or a line of JavaScript; JSON reads the escapes as the characters themselves.
_UNSAFE_IN_A_SCRIPT = {ord(character): f"\\u{ord(character):04x}" for character in "<>&\u2028\u2029"}


def report_json(report: Report) -> str:
    """`report.json`: every number of the page, keys as in `report_schema.md`."""
    return json.dumps(plain(report), ensure_ascii=False, separators=(",", ":")) + "\n"


_PLAIN = (str, int, float, list)
"""Types that are JSON's own. Lists hold bare numbers only: the points of charts, which are many."""


def plain(value: Any) -> Any:
    """The value in JSON's types: fields by name, UTC times with a Z, dates as in ISO 8601, exact decimals as text."""
    if value is None or isinstance(value, _PLAIN):
        return value
    if isinstance(value, datetime):
        return formats.iso_time(value)
    if isinstance(value, date):
        return value.isoformat()
    if isinstance(value, Decimal):
        return format(value, "f")
    if isinstance(value, tuple):
        return [plain(part) for part in value]
    if isinstance(value, Mapping):
        return {key: plain(part) for key, part in value.items()}
    if is_dataclass(value):
        return {field.name: plain(getattr(value, field.name)) for field in fields(value)}
    raise TypeError(f"{type(value).__name__} has no form in JSON that a report uses.")


def report_html(report: Report) -> str:
    """The page: complete in itself, with no request to anywhere."""
    labels = _labels()
    library, script = _text(_CHART_LIBRARY), _page_script()
    shown = [pool for pool in report.pools if pool.has_traffic]
    template = _environment().get_template("page.html.j2")
    return template.render(
        t=labels,
        report=report,
        shown=shown,
        unused=[pool for pool in report.pools if not pool.has_traffic],
        policy=_content_security_policy(library, script),
        style=_own(_page_part("report.css")),
        library=_own(library),
        script=_own(script),
        page_data=_script_json(_page_data(report, shown)),
        tables=_packed({pool.anchor: _tables(pool) for pool in shown}),
        costs=report.costs,
        costs_data=_packed(_cost_tables(report.costs)),
        series={pool.anchor: _packed(pool.series) for pool in shown},
        first_window=_first_window(report),
    )


def _first_window(report: Report) -> str | None:
    names = [window.name for window in report.windows]
    return FIRST_WINDOW if FIRST_WINDOW in names else next(iter(reversed(names)), None)


def _page_data(report: Report, shown: list[Pool]) -> dict[str, Any]:
    """What the page's script needs before any table or chart is unpacked."""
    return {
        "labels": _labels(),
        "windows": plain(report.windows),
        "first_window": _first_window(report),
        "covered": {
            f"{scope.account_id}/{scope.region}": plain(scope.covered) for scope in report.scopes if scope.region
        },
        "pools": {
            pool.anchor: {
                "title": f"{pool.model_name}, {_labels()['endpoint'].get(pool.endpoint_type, pool.endpoint_type)}",
                "scope": f"{pool.account_id}/{pool.region}",
                "limits": {quota.kind: quota.limit_value for quota in pool.quotas},
                "profiles": plain(pool.profiles),
            }
            for pool in shown
        },
    }


def _tables(pool: Pool) -> dict[str, Any]:
    """The rows that the page's script puts into tables."""
    return {
        "statistics": pool.statistics,
        "contributions": pool.contributions,
        "days": {quota.kind: quota.days for quota in pool.quotas if quota.days},
    }


def _cost_tables(costs: Costs) -> dict[str, Any]:
    """The rows and the chart that costs.js makes."""
    names = ("first_day", "last_day", "total", "models", "applications", "callers", "tags", "days")
    return {name: getattr(costs, name) for name in names}


# ---------------------------------------------------------------------------------------------------------------------
# Safe inside a page


def _script_json(value: Any) -> Markup:
    """JSON for a script element that is not run: no character of it can end the element."""
    text = json.dumps(value, ensure_ascii=False, separators=(",", ":"))
    return Markup(text.translate(_UNSAFE_IN_A_SCRIPT))  # noqa: S704  (every unsafe character is escaped above)


def _packed(value: Any) -> Markup:
    """Compressed JSON as a JSON string of base64; the browser's DecompressionStream("deflate") reads it."""
    text = json.dumps(plain(value), ensure_ascii=False, separators=(",", ":"))
    return _script_json(base64.b64encode(zlib.compress(text.encode(), MOST_COMPRESSION)).decode("ascii"))


def _content_security_policy(*scripts: str) -> str:
    """Nothing may be loaded or sent, and no script may run but the page's own two."""
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


def _page_part(name: str) -> str:
    return _text(_PAGE_FOLDER + name)


def _page_script() -> str:
    """The page's own files as one script, whose names nothing else sees."""
    return '(() => {\n"use strict";\n' + "\n".join(_page_part(name) for name in _PAGE_SCRIPTS) + "})();\n"


@cache
def _labels() -> dict[str, Any]:
    return json.loads(_page_part("labels.json"))


def _or_missing(text: str) -> str | Markup:
    """What is unknown looks so."""
    return _MISSING.format(text) if text == _labels()["unknown"] else text


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
    }
    environment.filters.update(filters)
    return environment
