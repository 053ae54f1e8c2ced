"""What the logged calls cost: divided in many ways, day by day, until the month's end, and what is unknown."""

from datetime import date
from typing import Any

import duckdb
import streamlit as st

from usage_pipeline.report.table_rows import rows
from usage_pipeline.ui import charts
from usage_pipeline.ui.breakdowns import MEASURES, UNITS, Measure, show_breakdown, show_over_time, written
from usage_pipeline.ui.headline import show_tiles, spending_tiles
from usage_pipeline.ui.spending import read_groups, read_over_time, read_tag_keys, read_total
from usage_pipeline.ui.tables import Column, show_table
from usage_pipeline.ui.view import View

TITLE = "Cost"
URL = "cost"

_SUBJECTS = {
    "Model": "model",
    "Application": "application",
    "Caller": "caller",
    "Account": "account",
    "Region": "region",
    "Endpoint type": "endpoint",
    "Profile": "profile",
    "Service tier": "tier",
}

_TOKEN_KINDS = {
    "Input": "input_cost_usd",
    "Output": "output_cost_usd",
    "Cache read": "cache_read_cost_usd",
    "Cache write": "cache_write_cost_usd",
}

_FORECASTS = """
    select
        usage_month,
        subject_kind,
        subject,
        account_name,
        to_date_usd,
        projected_usd,
        low_usd,
        high_usd,
        projected_days,
        unpriced_calls,
        unpriced_calls > 0 as is_at_least,
        as_of,
    from marts.cost_forecasts
    order by
        list_position(['total', 'scope', 'application', 'tag'], subject_kind),
        projected_usd desc nulls last,
        subject
"""

_UNPRICED = """
    select
        coalesce(model_id, profile_id) as model_id,
        endpoint_type,
        account_name,
        region,
        service_tier,
        cost_status,
        count(*) as calls,
        sum(input_tokens)::bigint as input_tokens,
        sum(output_tokens)::bigint as output_tokens,
    from marts.invocations
    where usage_date between $first_day and $last_day and cost_usd is null
    group by all
    order by calls desc, model_id, endpoint_type, account_name, region, service_tier, cost_status
"""

_BILL = """
    select
        account_name,
        model_id,
        status,
        sum(computed_usd) as computed_usd,
        sum(billed_usd) as billed_usd,
        sum(difference_usd) as difference_usd,
        sum(unpriced_calls)::bigint as unpriced_calls,
    from marts.bill_reconciliation
    where usage_date between $first_day and $last_day
    group by all
    order by
        abs(coalesce(sum(difference_usd), sum(billed_usd), sum(computed_usd))) desc nulls last,
        account_name,
        model_id,
        status
"""


_OF_DAYS = {"unpriced": _UNPRICED, "bill": _BILL}


def read_month_ends(con: duckdb.DuckDBPyConnection) -> list[dict[str, Any]]:
    """What the month has cost and will cost, by subject; the whole first."""
    return rows(con, _FORECASTS)


def read_of_days(con: duckdb.DuckDBPyConnection, name: str, first_day: date, last_day: date) -> list[dict[str, Any]]:
    """Rows of one of the page's queries over UTC days, both inclusive."""
    return rows(con, _OF_DAYS[name], {"first_day": first_day, "last_day": last_day})


def show(view: View) -> None:
    """Draw the page."""
    first, last = view.filters.first_day, view.filters.last_day
    total = view.read(read_total, first, last)
    show_tiles(spending_tiles(total))
    subject, measure = _ask(view)
    show_breakdown(view.read(read_groups, subject, first, last), _NAMED, URL, subject, measure)
    st.subheader("Over time")
    show_over_time(view.read(read_over_time, subject, first, last), "cost-days", measure)
    st.subheader("By kind of token")
    _show_kinds(total)
    st.subheader("Until the month's end")
    _show_month_ends(view)
    st.subheader("Calls without a price")
    unpriced = view.read(read_of_days, "unpriced", first, last)
    show_table(unpriced, _UNPRICED_COLUMNS, "calls-without-a-price", empty="Every logged call has a price.")
    billed = view.read(read_of_days, "bill", first, last)
    if billed:
        st.subheader("Against AWS's bill")
        show_table(billed, _BILL_COLUMNS, "bill")


def _ask(view: View) -> tuple[str, Measure]:
    """By what calls are divided, and what is counted."""
    keys = view.read(read_tag_keys, view.filters.first_day, view.filters.last_day)
    subjects = _SUBJECTS | {f"Tag {key}": f"tag:{key}" for key in keys}
    with st.container(horizontal=True):
        chosen = st.selectbox("Divided by", list(subjects), key="cost_by", bind="query-params", width=220)
        counted = st.segmented_control(
            "Measure", list(MEASURES), default="Cost", required=True, key="cost_measure", bind="query-params"
        )
    return subjects[chosen], MEASURES[counted]


def _show_kinds(total: dict[str, Any]) -> None:
    parts = [
        charts.Part(kind, total[key], written(total[key], "cost_usd", is_at_least=total["is_at_least"]))
        for kind, key in _TOKEN_KINDS.items()
        if total[key] is not None
    ]
    if parts:
        charts.show(charts.bars(parts, UNITS["cost_usd"]), "token-kinds", "Cost by kind of token, US dollars")
    else:
        st.caption("No logged call on these days has a known cost.")


def _show_month_ends(view: View) -> None:
    if view.filters.are_set:
        st.caption("Each projection is of all calls of what it is of; only account and Region choose among them.")
    found = view.read(read_month_ends)
    show_table(found, _MONTH_COLUMNS, "month-end", empty="There are too few days for a projection.")


_NAMED = (Column("name", "Name"), Column("account_name", "Account", missing="several"))

_UNPRICED_COLUMNS = (
    Column("model_id", "Model"),
    Column("endpoint_type", "Endpoint type"),
    Column("account_name", "Account"),
    Column("region", "Region"),
    Column("service_tier", "Tier"),
    Column("cost_status", "Why"),
    Column("calls", "Calls", "integer"),
    Column("input_tokens", "Input tokens", "integer"),
    Column("output_tokens", "Output tokens", "integer"),
)

_MONTH_COLUMNS = (
    Column("subject", "Of"),
    Column("subject_kind", "Kind"),
    Column("usage_month", "Month", "day"),
    Column("to_date_usd", "So far, USD", "money", at_least="is_at_least"),
    Column("projected_usd", "At its end, USD", "money", at_least="is_at_least"),
    Column("low_usd", "80 % from, USD", "money"),
    Column("high_usd", "80 % to, USD", "money"),
    Column("projected_days", "Days projected", "integer"),
    Column("as_of", "As of", "day"),
)

_BILL_COLUMNS = (
    Column("account_name", "Account"),
    Column("model_id", "Model"),
    Column("status", "Status"),
    Column("computed_usd", "Computed, USD", "money"),
    Column("billed_usd", "Billed, USD", "money"),
    Column("difference_usd", "Difference, USD", "money"),
    Column("unpriced_calls", "Calls without a price", "integer"),
)
