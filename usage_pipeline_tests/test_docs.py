"""The documentation names what the program has: tables, columns, checks, settings, rights, files."""

import re
from collections.abc import Iterator
from pathlib import Path

import duckdb
import pytest

from usage_pipeline.checks.expectation_suites import Statement
from usage_pipeline.checks.expectations import EXPECTATION_SUITES
from usage_pipeline.checks.rules import Rule
from usage_pipeline.config import AccountSettings, ReportSettings, Settings
from usage_pipeline.config_alerts import AlertSettings, BudgetSettings, ChannelSettings, ThresholdSettings
from usage_pipeline.config_bill import BillSettings
from usage_pipeline.config_prices import PriceSettings
from usage_pipeline.config_quota_mapping import QuotaMappingSettings
from usage_pipeline.planning_tables import PLANNING_TABLES
from usage_pipeline.raw_tables import OPS_TABLES, RAW_TABLES
from usage_pipeline.sql_builds import build
from usage_pipeline.sql_models import load_models
from usage_pipeline.warehouse import prepare_tables
from usage_pipeline_tests.checks.every_rule import EVERY_RULE

ROOT = Path(__file__).parent.parent
DOCS = ROOT / "docs"
PAGES = [ROOT / "README.md", ROOT / "CHANGELOG.md", *sorted(DOCS.glob("*.md"))]

RULES = [rule for rule in EVERY_RULE if rule.expectation is None]

MART_NAMES = sorted(model.qualified_name for model in load_models() if model.schema == "marts")
TABLE_PAGES = {
    **dict.fromkeys(MART_NAMES, "tables.md"),
    **dict.fromkeys((table.qualified_name for table in PLANNING_TABLES), "tables.md"),
    **dict.fromkeys((table.qualified_name for table in OPS_TABLES), "ops_tables.md"),
    **dict.fromkeys((table.qualified_name for table in RAW_TABLES), "raw_tables.md"),
}

_COLUMNS = re.compile(r"^- (?P<names>`\w+`(?:, `\w+`)*) (?P<type>[A-Z][^:]*):", re.MULTILINE)
_SHARED = re.compile(r"^Shared: (?P<names>.+?)\.$", re.MULTILINE | re.DOTALL)
_NAME = re.compile(r"`(\w+)`")
_LINK = re.compile(r"\]\((?!https?://)([^)\s]+)\)")
_HEADING = re.compile(r"^#+ (.+)$", re.MULTILINE)


def page(name: str) -> str:
    return (DOCS / name).read_text(encoding="utf-8")


def sections(text: str) -> dict[str, str]:
    """The text below each second-level heading, by the heading."""
    parts = re.split(r"^## (.+)$", text, flags=re.MULTILINE)
    return {heading.strip("`"): body for heading, body in zip(parts[1::2], parts[2::2], strict=True)}


def defined_columns(section: str) -> dict[str, str]:
    """Type by name of the columns that a section's list explains."""
    return {name: found["type"] for found in _COLUMNS.finditer(section) for name in _NAME.findall(found["names"])}


def documented_columns(table: str) -> dict[str, str]:
    """Columns and types that a table's page gives it: its own, and the shared ones that it names."""
    on_page = sections(page(TABLE_PAGES[table]))
    shared = defined_columns(on_page["Shared columns"])
    named = _SHARED.search(on_page[table])
    own = defined_columns(on_page[table])
    return {name: shared[name] for name in (_NAME.findall(named["names"]) if named else ())} | own


@pytest.fixture(scope="module")
def empty_warehouse() -> Iterator[duckdb.DuckDBPyConnection]:
    with duckdb.connect(":memory:") as con:
        prepare_tables(con)
        build(con, load_models())
        yield con


@pytest.mark.parametrize("table", sorted(TABLE_PAGES))
def test_the_page_has_exactly_the_columns_of_the_table(table: str, empty_warehouse: duckdb.DuckDBPyConnection) -> None:
    actual = {row[0]: row[1] for row in empty_warehouse.execute(f"describe {table}").fetchall()}
    assert documented_columns(table) == actual


@pytest.mark.parametrize("name", sorted(set(TABLE_PAGES.values())))
def test_every_shared_column_is_in_two_tables_at_least(name: str) -> None:
    on_page = sections(page(name))
    shared = defined_columns(on_page.pop("Shared columns"))
    uses = [set(_NAME.findall(found["names"])) for body in on_page.values() if (found := _SHARED.search(body))]
    assert [column for column in shared if sum(column in names for names in uses) < 2] == []


def test_no_page_describes_a_table_that_is_gone() -> None:
    described = {heading for name in set(TABLE_PAGES.values()) for heading in sections(page(name))}
    assert described - {"Shared columns"} == set(TABLE_PAGES)


@pytest.mark.parametrize("rule", RULES, ids=lambda rule: rule.name)
def test_every_check_is_explained_with_its_table(rule: Rule) -> None:
    (line,) = [line for line in page("checks.md").splitlines() if line.startswith(f"| `{rule.name}` |")]
    assert f"`{rule.table}`" in line


def test_no_check_is_explained_that_is_gone() -> None:
    explained = re.findall(r"^\| `(\w+)` \|", page("checks.md"), re.MULTILINE)
    assert sorted(explained) == sorted(rule.name for rule in RULES)


def test_every_expectation_is_listed_with_its_table() -> None:
    expected = [
        f"| `{suite.table}` | {'SQL' if suite.evaluated_by == 'sql' else 'GX'} | "
        f"{', '.join(_listed(statement) for statement in suite.statements)} |"
        for suite in EXPECTATION_SUITES
    ]
    assert re.findall(r"^\| `\w+\.\w+` \| .*$", page("checks.md"), re.MULTILINE) == expected


def _listed(statement: Statement) -> str:
    marks = {" (WARN)": statement.severity == "warning", " (blocking)": statement.blocking}
    return f"`{statement.name}`" + "".join(mark for mark, holds in marks.items() if holds)


def test_every_setting_is_explained() -> None:
    settings = {
        name
        for name in Settings.model_fields
        if name not in ("accounts", "prices", "bill", "report", "alerts", "quota_mapping")
    }
    nested = {f"accounts[].{name}" for name in AccountSettings.model_fields}
    nested |= {f"prices.{name}" for name in PriceSettings.model_fields}
    nested |= {f"quota_mapping.{name}" for name in QuotaMappingSettings.model_fields}
    nested |= {f"bill.{name}" for name in BillSettings.model_fields}
    nested |= {f"report.{name}" for name in ReportSettings.model_fields}
    groups = {"channels", "thresholds", "budgets"}
    nested |= {f"alerts.{name}" for name in AlertSettings.model_fields if name not in groups}
    nested |= {f"alerts.channels[].{name}" for name in ChannelSettings.model_fields}
    nested |= {f"alerts.thresholds.{name}" for name in ThresholdSettings.model_fields}
    nested |= {f"alerts.budgets[].{name}" for name in BudgetSettings.model_fields}
    explained = set(re.findall(r"^\| `([\w.\[\]]+)` \|", page("configuration.md"), re.MULTILINE))
    assert explained == settings | nested | {"accounts"}


def test_every_right_that_the_reader_policies_give_is_explained() -> None:
    policies = [path.read_text(encoding="utf-8") for path in (ROOT / "deploy" / "iam").glob("*.json")]
    actions = {action for policy in policies for action in re.findall(r'"([a-z0-9]+:[A-Z]\w+)"', policy)}
    assert {action for action in actions if f"`{action}`" not in page("configuration.md")} - {"sts:ExternalId"} == set()


@pytest.mark.parametrize("path", PAGES, ids=lambda path: path.name)
def test_every_relative_link_leads_somewhere(path: Path) -> None:
    broken = [link for link in _LINK.findall(path.read_text(encoding="utf-8")) if not _leads_somewhere(path, link)]
    assert broken == []


def _leads_somewhere(path: Path, link: str) -> bool:
    file, _, anchor = link.partition("#")
    target = (path.parent / file).resolve() if file else path
    if not target.exists() or not anchor:
        return target.exists()
    headings = _HEADING.findall(target.read_text(encoding="utf-8"))
    return anchor in {re.sub(r"[^\w -]", "", heading).lower().replace(" ", "-") for heading in headings}


def test_the_readme_is_two_screens_at_most() -> None:
    assert len((ROOT / "README.md").read_text(encoding="utf-8").splitlines()) <= 80
