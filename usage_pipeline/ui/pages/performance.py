"""How long answers take, how many are cut or fail, and how much is throttled."""

from datetime import date
from typing import Any

import duckdb
import streamlit as st

from usage_pipeline.planning_calls import CUT_REASONS
from usage_pipeline.report.formats import number
from usage_pipeline.report.table_rows import rows
from usage_pipeline.ui import charts
from usage_pipeline.ui.headline import Tile, show_tiles
from usage_pipeline.ui.tables import UNKNOWN, Column, show_table
from usage_pipeline.ui.view import View

TITLE = "Performance"
URL = "performance"

Row = dict[str, Any]

# Percentiles of hours or days cannot be combined, so these are over the single calls.
_BY_MODEL = f"""
    with named as (
        select
            model_id,
            min(model_name) as model_name,
        from marts.quota_pools
        group by model_id
    )

    select
        coalesce(any_value(model_name), calls.model_id, any_value(profile_id)) as model,
        endpoint_type,
        count(*) as calls,
        count(error_code) / count(*) as error_share,
        count(*) filter (where error_code = 'ThrottlingException') as throttled,
        count(latency_ms) filter (where error_code is null) as answers,
        min(latency_ms) filter (where error_code is null) as latency_min,
        avg(latency_ms) filter (where error_code is null) as latency_avg,
        quantile_cont(latency_ms, 0.5) filter (where error_code is null) as latency_p50,
        quantile_cont(latency_ms, 0.9) filter (where error_code is null) as latency_p90,
        quantile_cont(latency_ms, 0.99) filter (where error_code is null) as latency_p99,
        max(latency_ms) filter (where error_code is null) as latency_max,
        avg(tpot_ms) as tpot_avg,
        quantile_cont(tpot_ms, 0.5) as tpot_p50,
        quantile_cont(tpot_ms, 0.99) as tpot_p99,
        1000 / nullif(avg(tpot_ms), 0) as tokens_per_second,
        count(*) filter (where lower(stop_reason) in {CUT_REASONS}) / nullif(count(stop_reason), 0) as cut_share,
    from marts.invocations as calls
    left join named using (model_id)
    where usage_date between $first_day and $last_day
    group by coalesce(calls.model_id, profile_id), calls.model_id, endpoint_type
    order by calls desc, model, endpoint_type
"""

_OVER_TIME = """
    select
        time_bucket(to_seconds($step_seconds), ts) as period_start,
        quantile_cont(latency_ms, 0.5) as p50,
        quantile_cont(latency_ms, 0.99) as p99,
    from marts.invocations
    where usage_date between $first_day and $last_day and error_code is null and latency_ms is not null
    group by period_start
    order by period_start
"""

# CloudWatch's, for the logs seldom have it: averages are weighted by calls; of its hourly P99, the highest is kept.
_TIME_TO_FIRST = """
    select
        time_bucket(to_seconds($step_seconds), ts) as period_start,
        sum(ttft_ms_avg * ttft_samples) / nullif(sum(ttft_samples), 0) as average,
        max(ttft_ms_p99) as p99,
    from marts.latency_hourly
    where usage_date between $first_day and $last_day and ttft_samples > 0
    group by period_start
    order by period_start
"""

_TROUBLE = """
    select
        usage_date,
        sum(throttles)::bigint as throttles,
        sum(client_errors)::bigint as client_errors,
        sum(server_errors)::bigint as server_errors,
    from marts.quota_usage_minutely
    where usage_date between $first_day and $last_day
    group by usage_date
    order by usage_date
"""

HOUR_SECONDS = 3600
DAY_SECONDS = 86_400

LONGEST_HOURLY_DAYS = 7
"""Days up to which the trends have a point for each hour; beyond, one for each day."""


def read_by_model(con: duckdb.DuckDBPyConnection, first_day: date, last_day: date) -> list[Row]:
    """One row per model and endpoint type, over its logged calls."""
    return rows(con, _BY_MODEL, {"first_day": first_day, "last_day": last_day})


def read_latency(con: duckdb.DuckDBPyConnection, first_day: date, last_day: date, step_seconds: int) -> list[Row]:
    """Latency of the answered calls of each period."""
    return rows(con, _OVER_TIME, {"first_day": first_day, "last_day": last_day, "step_seconds": step_seconds})


def read_first_token(con: duckdb.DuckDBPyConnection, first_day: date, last_day: date, step_seconds: int) -> list[Row]:
    """Time to the first token in each period, as CloudWatch counted it."""
    return rows(con, _TIME_TO_FIRST, {"first_day": first_day, "last_day": last_day, "step_seconds": step_seconds})


def read_trouble(con: duckdb.DuckDBPyConnection, first_day: date, last_day: date) -> list[Row]:
    """Throttled and failed requests of each UTC day, as CloudWatch counted them."""
    return rows(con, _TROUBLE, {"first_day": first_day, "last_day": last_day})


def show(view: View) -> None:
    """Draw the page."""
    first, last = view.filters.first_day, view.filters.last_day
    found = view.read(read_by_model, first, last)
    show_tiles(_tiles(found))
    st.subheader("By model")
    _show_models(found)
    step = HOUR_SECONDS if (last - first).days < LONGEST_HOURLY_DAYS else DAY_SECONDS
    period = "hour" if step == HOUR_SECONDS else "day"
    st.subheader("Latency over time")
    latency = view.read(read_latency, first, last, step)
    _show_trend(latency, {"p50": "P50", "p99": "P99"}, "latency", f"Answered calls of each {period}, by the logs.")
    st.subheader("Time to first token")
    first_token = view.read(read_first_token, first, last, step)
    note = f"By CloudWatch: the average of each {period}, and the highest P99 of any ModelId and hour in it."
    _show_trend(first_token, {"average": "Average", "p99": "Highest hourly P99"}, "first-token", note)
    st.subheader("Throttled and failed requests")
    _show_trouble(view)


def _tiles(found: list[Row]) -> list[Tile]:
    calls = sum(row["calls"] for row in found)
    throttled = sum(row["throttled"] for row in found)
    slowest = max((row["latency_p99"] for row in found if row["latency_p99"] is not None), default=None)
    cut = max((row["cut_share"] for row in found if row["cut_share"] is not None), default=None)
    return [
        Tile("Logged calls", number(calls, UNKNOWN)),
        Tile("Throttled, logged", number(throttled, UNKNOWN)),
        Tile("Highest P99, ms", number(slowest, UNKNOWN), "Latency of the model whose slowest calls take longest."),
        Tile(
            "Most answers cut",
            UNKNOWN if cut is None else f"{number(100 * cut, UNKNOWN)} %",
            "Answers that ended at max_tokens, of the model where that is most frequent.",
        ),
    ]


def _show_models(found: list[Row]) -> None:
    how = st.segmented_control(
        "Show as",
        ("Table", "Latency", "Per output token"),
        default="Table",
        required=True,
        key="performance_as",
        bind="query-params",
        label_visibility="collapsed",
    )
    if how == "Table" or not found:
        show_table(found, _MODEL_COLUMNS, "performance-by-model", empty="No logged call on these days.")
        return
    key = "latency" if how == "Latency" else "tpot"
    known = [row for row in found if row[f"{key}_p50"] is not None]
    spans = [
        charts.Span(f"{row['model']} ({row['endpoint_type'] or UNKNOWN})", row[f"{key}_p50"], row[f"{key}_p99"])
        for row in known
    ]
    charts.show(charts.spans(spans, "milliseconds"), f"{key}-by-model", f"{how} by model, P50 and P99")
    st.caption("The dot is P50, the end of the line P99.")


def _show_trend(found: list[Row], names: dict[str, str], name: str, note: str) -> None:
    points = [
        charts.Point(row["period_start"], label, row[key], f"{number(row[key], UNKNOWN)} ms")
        for key, label in names.items()
        for row in found
        if row[key] is not None
    ]
    if not points:
        st.caption("Nothing is known of these days.")
        return
    charts.show(charts.lines(points, list(names.values()), "milliseconds"), name, f"{name} over time, milliseconds")
    st.caption(note)


def _show_trouble(view: View) -> None:
    if view.filters.narrow_logs_only:
        st.caption("CloudWatch knows no callers; the filters of tags and callers do not apply to this chart.")
    names = {"throttles": "Throttled", "client_errors": "Client errors", "server_errors": "Server errors"}
    found = view.read(read_trouble, view.filters.first_day, view.filters.last_day)
    points = [
        charts.Point(row["usage_date"], label, row[key], number(row[key], UNKNOWN))
        for key, label in names.items()
        for row in found
        if row[key]
    ]
    if points:
        chart = charts.stacked(points, list(names.values()), "requests")
        charts.show(chart, "trouble", "Throttled and failed requests of each UTC day")
        st.caption("Counted by CloudWatch.")
    else:
        st.caption("CloudWatch counted none on these days.")


_MODEL_COLUMNS = (
    Column("model", "Model"),
    Column("endpoint_type", "Endpoint type"),
    Column("calls", "Calls", "integer"),
    Column("error_share", "Errors", "share"),
    Column("latency_min", "Latency min, ms", "milliseconds"),
    Column("latency_avg", "Average", "milliseconds"),
    Column("latency_p50", "P50", "milliseconds"),
    Column("latency_p90", "P90", "milliseconds"),
    Column("latency_p99", "P99", "milliseconds"),
    Column("latency_max", "Max", "milliseconds"),
    Column("tpot_avg", "Per output token, ms", "milliseconds"),
    Column("tpot_p50", "Its P50", "milliseconds"),
    Column("tpot_p99", "Its P99", "milliseconds"),
    Column("tokens_per_second", "Output tokens per second", "number"),
    Column("cut_share", "Cut at max_tokens", "share"),
)
