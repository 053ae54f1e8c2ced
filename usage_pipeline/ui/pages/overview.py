"""The overview: what was used and what it cost, which pools to look at, what failed."""

import streamlit as st

from usage_pipeline.report.costs import read_costs
from usage_pipeline.ui.tables import Column, show_table
from usage_pipeline.ui.view import View

TITLE = "Overview"
URL = "overview"


def show(view: View) -> None:
    """Draw the page."""
    costs = view.read(read_costs, view.filters.first_day, view.filters.last_day)
    columns = (
        Column("name", "Model"),
        Column("cost_usd", "Cost, USD", "money", at_least="is_at_least"),
        Column("calls", "Calls", "integer"),
        Column("share", "Share", "share"),
    )
    show_table(costs.models, columns, "cost-by-model")
    st.caption("US dollars")
