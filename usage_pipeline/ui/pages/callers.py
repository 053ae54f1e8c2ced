"""Who called what: callers, their applications and models, their sessions, and how their use goes over time."""

from datetime import date
from typing import Any

import duckdb
import streamlit as st

from usage_pipeline.caller_usage import caller_usage
from usage_pipeline.report.table_rows import rows
from usage_pipeline.ui.breakdowns import MEASURES, SPENDING_COLUMNS, show_breakdown, show_over_time
from usage_pipeline.ui.headline import show_tiles, spending_tiles
from usage_pipeline.ui.spending import read_groups, read_over_time, read_total
from usage_pipeline.ui.tables import Column, as_rows, show_table
from usage_pipeline.ui.view import View

TITLE = "Callers"
URL = "callers"

MOST_ARNS = 1000
"""Rows of the table of single ARNs, the dearest; sessions of a busy role are many."""

_ARNS = """
    select
        principal_arn,
        role_or_user,
        principal_type,
        application,
        account_name,
        count(*) as calls,
        count(error_code) as errors,
        coalesce(sum(input_tokens), 0)::bigint as input_tokens,
        coalesce(sum(output_tokens), 0)::bigint as output_tokens,
        coalesce(sum(cache_read_tokens), 0)::bigint as cache_read_tokens,
        coalesce(sum(cache_write_tokens), 0)::bigint as cache_write_tokens,
        sum(cost_usd) as cost_usd,
        count(*) - count(cost_usd) as unpriced_calls,
        unpriced_calls > 0 as is_at_least,
        min(ts) as first_call,
        max(ts) as last_call,
        count(*) over () as all_rows,
    from marts.invocations
    where usage_date between $first_day and $last_day
    group by principal_arn, role_or_user, principal_type, application, account_name
    order by cost_usd desc nulls last, calls desc, principal_arn, application
    limit $most
"""


def read_arns(con: duckdb.DuckDBPyConnection, first_day: date, last_day: date, most: int) -> list[dict[str, Any]]:
    """One row per ARN and application, the dearest; `all_rows` says how many there are."""
    return rows(con, _ARNS, {"first_day": first_day, "last_day": last_day, "most": most})


def read_uses(con: duckdb.DuckDBPyConnection, first_day: date, last_day: date) -> list[dict[str, Any]]:
    """One row per caller, application and model."""
    found = as_rows(caller_usage(con, "", first_day, last_day))
    return [row | {"is_at_least": bool(row["unpriced_calls"])} for row in found]


def show(view: View) -> None:
    """Draw the page."""
    first, last = view.filters.first_day, view.filters.last_day
    show_tiles(spending_tiles(view.read(read_total, first, last)))
    measure = MEASURES[
        st.segmented_control(
            "Measure", list(MEASURES), default="Cost", required=True, key="callers_measure", bind="query-params"
        )
    ]
    show_breakdown(view.read(read_groups, "caller", first, last), _CALLER_COLUMNS, URL, "caller", measure)
    st.subheader("Over time")
    show_over_time(view.read(read_over_time, "caller", first, last), "caller-days", measure)
    st.subheader("By application and model")
    show_table(view.read(read_uses, first, last), _USE_COLUMNS, "caller-uses", empty="No logged call on these days.")
    st.subheader("By ARN")
    arns = view.read(read_arns, first, last, MOST_ARNS)
    show_table(arns, _ARN_COLUMNS, "arns", empty="No logged call on these days.")
    if arns and arns[0]["all_rows"] > len(arns):
        st.caption(f"The {len(arns):,} dearest of {arns[0]['all_rows']:,}; narrow the filters to see others.")


_CALLER_COLUMNS = (
    Column("name", "Caller"),
    Column("principal_type", "Kind"),
    Column("account_name", "Account"),
)

_USE_COLUMNS = (
    Column("role_or_user", "Caller"),
    Column("principal_type", "Kind"),
    Column("application", "Application"),
    Column("model_id", "Model"),
    Column("account_name", "Account"),
    Column("region", "Region"),
    *(column for column in SPENDING_COLUMNS if column.key in ("cost_usd", "calls", "errors") or "tokens" in column.key),
    Column("unpriced_calls", "Calls without a price", "integer"),
)

_ARN_COLUMNS = (
    Column("principal_arn", "ARN"),
    Column("role_or_user", "Caller"),
    Column("application", "Application"),
    Column("cost_usd", "Cost, USD", "money", at_least="is_at_least"),
    Column("calls", "Calls", "integer"),
    Column("errors", "Errors", "integer"),
    Column("input_tokens", "Input tokens", "integer"),
    Column("output_tokens", "Output tokens", "integer"),
    Column("cache_read_tokens", "Cache read tokens", "integer"),
    Column("cache_write_tokens", "Cache write tokens", "integer"),
    Column("unpriced_calls", "Calls without a price", "integer"),
    Column("first_call", "First call, UTC", "moment"),
    Column("last_call", "Last call, UTC", "moment"),
    Column("account_name", "Account"),
)
