"""How near each pool came to its quotas, who was throttled and why, and which quota to ask for."""

from datetime import date, datetime, time
from typing import Any

import streamlit as st

from usage_pipeline.report.formats import number
from usage_pipeline.ui import charts
from usage_pipeline.ui.headline import Tile, show_tiles
from usage_pipeline.ui.one_pool import (
    QUOTA_NAMES,
    read_forecast,
    read_over_time,
    read_quotas,
    read_statistics,
    read_throttled_minutes,
    read_windows,
    step_seconds,
)
from usage_pipeline.ui.plain import plain
from usage_pipeline.ui.pool_rows import RISK_WORDS, read_pool_rows
from usage_pipeline.ui.tables import UNKNOWN, Column, show_table
from usage_pipeline.ui.view import View

TITLE = "Quotas"
URL = "quotas"

Row = dict[str, Any]

_UNITS = {"tpm": "tokens per minute", "rpm": "requests per minute", "tpd": "tokens of the UTC day so far"}

_STEP_WORDS = {60: "minute", 900: "quarter of an hour", 3600: "hour"}


def show(view: View) -> None:
    """Draw the page."""
    if view.filters.narrow_logs_only:
        st.caption("A quota is shared by all callers and tags; those two filters do not apply here.")
    found = view.read(read_pool_rows, view.filters.first_day, view.filters.last_day, view.warning_utilization)
    if not found:
        st.info("No pool was used on these days.")
        return
    show_tiles(_tiles(found))
    show_table(found, POOL_COLUMNS, "pools")
    ids = [row["pool_id"] for row in found]
    st.subheader("One pool")
    pool_id = st.selectbox("Pool, most urgent first", ids, key="quotas_pool", bind="query-params")
    if pool_id is not None:
        _show_pool(view, pool_id)


def _tiles(found: list[Row]) -> list[Tile]:
    counts = [(words, sum(row["risk"] == risk for row in found)) for risk, words in RISK_WORDS.items()]
    throttles = sum(row["throttles"] or 0 for row in found)
    return [Tile(words, f"{count:,}") for words, count in counts if count] + [
        Tile("Throttled requests", f"{throttles:,}", "Counted by CloudWatch.")
    ]


def _show_pool(view: View, pool_id: str) -> None:
    days = view.filters.first_day, view.filters.last_day
    quotas = view.read(read_quotas, pool_id, *days)
    show_table(quotas, _QUOTA_COLUMNS, "quotas-of-the-pool")
    for quota in quotas:
        if quota.get("request_text"):
            with st.expander(f"Text of the increase request for {quota['quota'].lower()}"):
                st.code(quota["request_text"], language=None, wrap_lines=True)
    kind = st.segmented_control(
        "Quota",
        list(QUOTA_NAMES),
        format_func=lambda kind: QUOTA_NAMES[kind],
        default="tpm",
        required=True,
        key="quotas_kind",
        bind="query-params",
    )
    _show_over_time(view, pool_id, kind)
    st.subheader("Throttled minutes")
    throttled = view.read(read_throttled_minutes, pool_id, *days)
    show_table(throttled, _THROTTLE_COLUMNS, "throttled-minutes", empty="Nothing was throttled on these days.")
    st.subheader("Statistics")
    _show_statistics(view, pool_id)
    st.subheader("The days to come")
    _show_forecast(view.read(read_forecast, pool_id, kind), kind)


def _show_statistics(view: View, pool_id: str) -> None:
    windows = view.read(read_windows)
    if not windows:
        st.caption("There are no statistics yet.")
        return
    window = st.segmented_control(
        "Window, up to the newest data",
        windows,
        default=windows[-1],
        required=True,
        key="quotas_window",
        bind="query-params",
    )
    found = view.read(read_statistics, pool_id, window)
    show_table(found, _STATISTIC_COLUMNS, "statistics", empty="The pool was not used in this window.")
    st.caption("Active: minutes with traffic. All: every minute that was read.")


def _show_over_time(view: View, pool_id: str, kind: str) -> None:
    days = view.filters.first_day, view.filters.last_day
    step = step_seconds(*days)
    found = view.read(read_over_time, pool_id, *days, step)
    use = _points(found, kind, QUOTA_NAMES[kind])
    if not use:
        st.caption("How much was used on these days is unknown.")
    else:
        limits = _points(found, f"{kind}_limit", "Limit")
        chart = charts.peaks(use, _UNITS[kind], limits)
        charts.show(chart, "use-over-time", f"{QUOTA_NAMES[kind]} of the pool over time, with its limit as dashes")
        st.caption(f"The highest minute of each {_STEP_WORDS[step]}; dashes are the limit." + _coarse(found))
    throttles = [point for point in _points(found, "throttles", "Throttled") if point.value]
    if throttles:
        charts.show(charts.peaks(throttles, "throttled requests", ()), "throttles", "Throttled requests over time")


def _coarse(found: list[Row]) -> str:
    return " Where CloudWatch had only coarser periods, it is their mean." if _is_coarse(found) else ""


def _is_coarse(found: list[Row]) -> bool:
    return any((row["resolution_seconds"] or 0) > charts.MINUTE_SECONDS for row in found)


def _points(found: list[Row], key: str, series: str) -> list[charts.Point]:
    return [
        charts.Point(row["period_start"], series, row[key], number(row[key], UNKNOWN))
        for row in found
        if row[key] is not None
    ]


def _show_forecast(found: list[Row], kind: str) -> None:
    if not found:
        st.caption("There is no forecast: it takes 14 known days.")
        return
    bands = [
        charts.Band(_at_midnight(row["usage_date"]), row["low"], row["forecast"], row["high"])
        for row in found
        if None not in (row["low"], row["forecast"], row["high"])
    ]
    limits = [
        charts.Point(_at_midnight(row["usage_date"]), "Limit", row["limit_value"], number(row["limit_value"], UNKNOWN))
        for row in found
        if row["limit_value"] is not None
    ]
    unit = "tokens of the UTC day" if kind == "tpd" else f"{_UNITS[kind]}, highest minute"
    charts.show(charts.forecast(bands, unit, limits), "forecast", "What is to be expected, with its interval")
    st.caption(plain("The line is the middle of what is expected, the band holds eight of ten days."))


def _at_midnight(day: date) -> datetime:
    return datetime.combine(day, time())


POOL_COLUMNS = (
    Column("risk_words", "Risk"),
    Column("model_name", "Model"),
    Column("endpoint_type", "Endpoint type"),
    Column("account_name", "Account"),
    Column("region", "Region"),
    Column("utilization_peak", "Highest use", "share"),
    Column("utilization_quota", "Of"),
    Column("headroom", "Headroom", "share"),
    Column("throttles", "Throttled requests", "integer"),
    Column("minutes_over_limit", "Minutes over", "integer"),
    Column("reaches_limit", "Used up on"),
    Column("consumed_tokens", "Consumed tokens", "integer"),
    Column("tpm_limit", "TPM limit", "integer"),
    Column("rpm_limit", "RPM limit", "integer"),
    Column("tpd_limit", "TPD limit", "integer"),
    Column("worst_minute", "Worst minute, UTC", "moment"),
    Column("pool_id", "Pool"),
)

_QUOTA_COLUMNS = (
    Column("quota", "Quota"),
    Column("limit_value", "Limit", "integer"),
    Column("limit_source", "From"),
    Column("peak", "Highest", "number"),
    Column("utilization_peak", "Highest use", "share"),
    Column("headroom", "Headroom", "share"),
    Column("minutes_over_80pct", "Minutes over 80 %", "integer"),
    Column("minutes_over_limit", "Minutes over", "integer"),
    Column("worst_minute", "Worst minute, UTC", "moment"),
    Column("recommended", "Recommended", "integer"),
    Column("action", "Action", missing="none"),
    Column("grade", "Grade", missing="none"),
    Column("reaches_limit_on", "Used up on", "day", missing="no date"),
    Column("code", "Quota code"),
    Column("quota_name", "Name at AWS"),
    Column("console", "AWS console", "link"),
)

_STATISTIC_COLUMNS = (
    Column("profile_id", "Profile"),
    Column("metric", "Metric"),
    Column("basis", "Minutes"),
    Column("p50", "P50", "number"),
    Column("p90", "P90", "number"),
    Column("p95", "P95", "number"),
    Column("p99", "P99", "number"),
    Column("p999", "P99.9", "number"),
    Column("max", "Max", "number"),
    Column("average", "Average", "number"),
    Column("total", "Total", "integer"),
    Column("data_points", "Data points", "integer"),
)

_THROTTLE_COLUMNS = (
    Column("ts", "Minute, UTC", "moment"),
    Column("throttles", "Throttled", "integer"),
    Column("invocations", "Served", "integer"),
    Column("cause", "Cause"),
    Column("is_certain", "Certain", "yes_no"),
    Column("is_retry_storm", "Retry storm", "yes_no"),
    Column("consumed_tokens", "Consumed tokens", "integer"),
    Column("reserved_tokens", "Reserved tokens", "integer"),
    Column("tpm_limit", "TPM limit", "integer"),
    Column("rpm_limit", "RPM limit", "integer"),
    Column("consumers", "Who used most"),
    Column("victims", "Who was throttled"),
)
