"""The dashboard's frame: login, filters, refresh, and the page that was asked for.

Here: the list of pages. Not here: what a page shows (`pages/`), the script that Streamlit runs (`start/`).
"""

from types import ModuleType
from typing import Any

import duckdb
import streamlit as st

from usage_pipeline.ui import filters, freshness, login
from usage_pipeline.ui.options import Options
from usage_pipeline.ui.pages import callers, checks, cost, overview, performance, pricing, q_developer, quotas, what_if
from usage_pipeline.ui.reading import PublishedFile, published_file, read
from usage_pipeline.ui.view import View

PAGES: tuple[ModuleType, ...] = (overview, quotas, cost, callers, performance, checks, pricing, what_if, q_developer)


# The grid's own button would save what a spreadsheet takes for formulas; every table has a button that does not. Long
# numbers are seen whole in their tiles.
_STYLE = """
<style>
[data-testid="stMetricValue"] { font-size: 1.3rem; }
[data-testid="stElementToolbarButton"]:has([aria-label^="Download as CSV"]) { display: none; }
</style>
"""


def main(options: Options) -> None:
    """Draw the page that was asked for, or say why it cannot be."""
    st.set_page_config(page_title="Bedrock usage", layout="wide")
    st.html(_STYLE)
    person = login.require(options)
    if person is None:
        return
    try:
        file = published_file(options.file)
    except OSError:
        st.error(f"{options.file} is not there. Run `usage-pipeline run`, or `usage-pipeline demo` for made-up data.")
        return
    try:
        _show(options, file, person.name)
    except (duckdb.CatalogException, duckdb.BinderException):
        st.error("The published file lacks what this page reads; another version wrote it. Run `usage-pipeline run`.")


def _show(options: Options, file: PublishedFile, person: str | None) -> None:
    with st.sidebar:
        freshness.ask_refresh(file)
        chosen = filters.ask_filters(file)
    view = None if chosen is None else View(file, chosen, options.config, person, options.warning_utilization)
    with_q_developer = read(file, None, q_developer.is_published)
    shown = [module for module in PAGES if module is not q_developer or with_q_developer]
    st.navigation([_page(module, view) for module in shown]).run()


def _page(module: ModuleType, view: View | None) -> Any:
    def show() -> None:
        st.title(module.TITLE)
        if view is None:
            st.info("No use has been read yet. Run `usage-pipeline run`.")
        else:
            module.show(view)

    return st.Page(show, title=module.TITLE, url_path=module.URL, default=module is PAGES[0])
