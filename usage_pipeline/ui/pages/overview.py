"""The state of things on one page: use and cost, pools near their quotas, what is wrong."""

import streamlit as st

from usage_pipeline.ui.breakdowns import SPENDING_COLUMNS, show_over_time
from usage_pipeline.ui.headline import Tile, show_tiles, spending_tiles
from usage_pipeline.ui.pages.checks import FINDING_COLUMNS, read_checks, read_findings
from usage_pipeline.ui.pages.quotas import POOL_COLUMNS
from usage_pipeline.ui.pool_rows import read_pool_rows
from usage_pipeline.ui.spending import read_groups, read_over_time, read_total
from usage_pipeline.ui.tables import Column, show_table
from usage_pipeline.ui.view import View

TITLE = "Overview"
URL = "overview"

MOST_POOLS = 8

_SHORT_POOLS = ("risk_words", "model_name", "endpoint_type", "account_name", "region", "utilization_peak", "headroom")

_SHORT_SPENDING = ("cost_usd", "share", "calls")


def show(view: View) -> None:
    """Draw the page."""
    first, last = view.filters.first_day, view.filters.last_day
    pools = view.read(read_pool_rows, first, last, view.warning_utilization)
    checks = view.read_all(read_checks)
    urgent = sum(row["risk"] in ("critical", "warning") for row in pools)
    throttles = sum(row["throttles"] or 0 for row in pools)
    passed = sum(bool(row["passed"]) for row in checks)
    show_tiles(
        [
            *spending_tiles(view.read(read_total, first, last)),
            Tile("Pools to look at", f"{urgent:,} of {len(pools):,}", "Over a quota, throttled, or close to a quota."),
            Tile("Throttled requests", f"{throttles:,}", "Counted by CloudWatch."),
            Tile("Checks passed", f"{passed:,} of {len(checks):,}"),
        ]
    )
    st.subheader("Cost by application over time")
    show_over_time(view.read(read_over_time, "application", first, last), "overview-days", "cost_usd")
    st.subheader("Cost by model")
    columns = [column for column in SPENDING_COLUMNS if column.key in _SHORT_SPENDING]
    models = view.read(read_groups, "model", first, last)
    show_table(models, (Column("name", "Model"), *columns), "cost-by-model", empty="No logged call on these days.")
    st.subheader("Pools by risk")
    shown = [*(column for column in POOL_COLUMNS if column.key in _SHORT_POOLS)]
    shown += [column for column in POOL_COLUMNS if column.key in ("throttles", "reaches_limit")]
    show_table(pools[:MOST_POOLS], shown, "pools-by-risk", empty="No pool was used on these days.")
    if len(pools) > MOST_POOLS:
        st.caption(f"The {MOST_POOLS} most urgent of {len(pools):,}; the page Quotas has all.")
    st.subheader("Open findings")
    show_table(view.read_all(read_findings), FINDING_COLUMNS, "findings", empty="There is none.")
