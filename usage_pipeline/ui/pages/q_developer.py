"""Who uses Amazon Q Developer and Kiro, how much, and how far their limits are.

Shown only where `marts.q_developer_usage` has rows. The activity report's metrics are many and AWS adds to them, so
every column of the table that counts something is shown under its own name.
"""

from datetime import date
from typing import Any

import duckdb
import streamlit as st

from usage_pipeline.report.formats import number
from usage_pipeline.report.table_rows import rows
from usage_pipeline.ui import charts
from usage_pipeline.ui.headline import Tile, show_tiles
from usage_pipeline.ui.reading import has_table
from usage_pipeline.ui.tables import UNKNOWN, Column, Kind, show_table
from usage_pipeline.ui.view import View

TITLE = "Q Developer"
URL = "q_developer"

Row = dict[str, Any]

_USAGE = "q_developer_usage"

_WHOLE_TABLES = {
    "Limits": (
        "q_developer_limits",
        "usage_month desc, used_share desc nulls last, account_id, product, user_id, limit_name",
    ),
    "Value against price": (
        "q_developer_value",
        "usage_month desc, virtual_cost_usd desc nulls last, account_id, product, subscription_tier",
    ),
    "Days that stand out": ("q_developer_spikes", "usage_date desc, score desc, account_id, product, user_id"),
    "Trends": ("q_developer_trends", "subject_kind = 'user', interactions desc, account_id, product, user_id"),
    "Conversations": (
        "q_developer_conversations",
        "context_tokens desc nulls last, account_id, product, conversation_id",
    ),
}
"""Tables that are shown as they are, where they are published and have rows, and what comes first in them."""

MOST_ROWS = 1000
"""Rows of such a table that are shown."""

_COUNTED = ("BIGINT", "HUGEINT", "INTEGER", "DECIMAL", "DOUBLE")
"""Types of columns that can be added up."""

_OF_A_MONTH = ("credits_limit",)
"""Columns that say the same on each day, so that their sum says nothing."""

_KINDS_OF_NAMES: tuple[tuple[str, Kind], ...] = (
    ("_per_million", "price"),
    ("usd_per_seat", "price"),
    ("_usd", "money"),
    ("_share", "share"),
)
"""How columns are written whose names end so."""

_KINDS_OF_TYPES: tuple[tuple[str, Kind], ...] = (
    ("BIGINT", "integer"),
    ("INTEGER", "integer"),
    ("DECIMAL", "number"),
    ("DOUBLE", "number"),
    ("DATE", "day"),
    ("TIMESTAMP", "moment"),
    ("BOOLEAN", "yes_no"),
)


def is_published(con: duckdb.DuckDBPyConnection) -> bool:
    """Whether there is any use of Q Developer to show."""
    if not has_table(con, "marts", _USAGE):
        return False
    return con.execute(f"select 1 from marts.{_USAGE} limit 1").fetchone() is not None


def read_metrics(con: duckdb.DuckDBPyConnection) -> dict[str, str]:
    """Columns of the table that count something, those in use first, and their types."""
    types = _types(con, _USAGE)
    counted = {name: kind for name, kind in types.items() if kind.startswith(_COUNTED) and name not in _OF_A_MONTH}
    sums = ", ".join(f"sum({_quoted(name)}) as {_quoted(name)}" for name in counted)
    (used,) = rows(con, f"select {sums} from marts.{_USAGE}")
    return dict(sorted(counted.items(), key=lambda item: not used[item[0]]))


def read_users(con: duckdb.DuckDBPyConnection, metrics: tuple[str, ...], first_day: date, last_day: date) -> list[Row]:
    """One row per user: the sum of each metric; NULL when no day says it."""
    sums = "".join(f"sum({_quoted(name)}) as {_quoted(name)}, " for name in metrics)
    query = f"""
        select user_id, max(user_email) as user_email, count(distinct usage_date) as days, {sums}
        from marts.{_USAGE}
        where usage_date between $first_day and $last_day
        group by user_id
        order by days desc, user_id
    """
    return rows(con, query, {"first_day": first_day, "last_day": last_day})


def read_days(con: duckdb.DuckDBPyConnection, metric: str, first_day: date, last_day: date) -> list[Row]:
    """One row per UTC day: the sum of one metric, and how many people used anything."""
    query = f"""
        select usage_date, sum({_quoted(metric)}) as value, count(distinct user_id) as users
        from marts.{_USAGE}
        where usage_date between $first_day and $last_day
        group by usage_date
        order by usage_date
    """
    return rows(con, query, {"first_day": first_day, "last_day": last_day})


def read_whole(con: duckdb.DuckDBPyConnection, table: str, order: str) -> tuple[list[Row], dict[str, str]]:
    """Rows of a small table, and the types of its columns; none where it is not published."""
    if not has_table(con, "marts", table):
        return [], {}
    return rows(con, f"select * from marts.{table} order by {order} limit {MOST_ROWS}"), _types(con, table)


def _types(con: duckdb.DuckDBPyConnection, table: str) -> dict[str, str]:
    return {row[0]: row[1] for row in con.execute(f"describe marts.{table}").fetchall()}


def _quoted(name: str) -> str:
    return '"' + name.replace('"', '""') + '"'


def show(view: View) -> None:
    """Draw the page."""
    first, last = view.filters.first_day, view.filters.last_day
    if view.filters.are_set:
        st.caption("Only days, account and Region apply here.")
    metrics = view.read(read_metrics)
    users = view.read(read_users, tuple(metrics), first, last)
    show_tiles(
        [
            Tile("Users", f"{len(users):,}"),
            Tile(
                "Days with use",
                f"{max((row['days'] for row in users), default=0):,}",
                "Of the person who used it on most days.",
            ),
        ]
    )
    st.subheader("Day by day")
    metric = st.selectbox("Metric", list(metrics), key="q_developer_metric", bind="query-params")
    _show_days(view.read(read_days, metric, first, last), metric)
    st.subheader("By user")
    columns = [Column("user_id", "User"), Column("user_email", "Address"), Column("days", "Days", "integer")]
    columns += [_column(name, kind) for name, kind in metrics.items()]
    show_table(users, columns, "q-developer-users", empty="Nobody used it on these days.")
    for heading, (table, order) in _WHOLE_TABLES.items():
        found, types = view.read(read_whole, table, order)
        if found:
            st.subheader(heading)
            show_table(found, [_column(name, kind) for name, kind in types.items()], table.replace("_", "-"))


def _column(name: str, column_type: str) -> Column:
    by_type: list[Kind] = [kind for beginning, kind in _KINDS_OF_TYPES if column_type.startswith(beginning)]
    by_name: list[Kind] = [kind for ending, kind in _KINDS_OF_NAMES if name.endswith(ending)]
    kind: Kind = (by_name or by_type or ["text"])[0]
    return Column(name, name.replace("_", " "), kind)


def _show_days(found: list[Row], metric: str) -> None:
    known = [row for row in found if row["value"] is not None]
    if not known:
        st.caption("Nothing is known of these days.")
        return
    name = metric.replace("_", " ")
    points = [
        charts.Point(row["usage_date"], name, row["value"], number(float(row["value"]), UNKNOWN)) for row in known
    ]
    charts.show(charts.stacked(points, [name], name), "q-developer-days", f"{name} of each UTC day")
