"""What if: a pool's logged calls sent through its quota once more, as they were and with other settings.

The same replay as `usage-pipeline replay`. Not here: the replay (`replays.py`), running one at a time
(`replay_answers.py`).
"""

import json
from collections.abc import Callable, Sequence
from dataclasses import dataclass

import altair as alt
import duckdb
import pandas as pd
import streamlit as st

from usage_pipeline.planning.replay import SHAPES, Outcome
from usage_pipeline.replay_texts import (
    ESTIMATES,
    SETTINGS_LINES,
    ResultColumn,
    command_of,
    filled_in_text,
    lines_of,
)
from usage_pipeline.replays import DEFAULT_DAYS, MOST_TRAFFIC, Changes, ReplayError, changes_of
from usage_pipeline.report.formats import number
from usage_pipeline.report.table_rows import filled, rows
from usage_pipeline.ui import charts
from usage_pipeline.ui.plain import plain
from usage_pipeline.ui.replay_answers import Answer, Question, ReplayAnswers
from usage_pipeline.ui.tables import Column, show_table
from usage_pipeline.ui.view import View

TITLE = "What if"
URL = "what-if"

LONGEST_DAYS = 30
LARGEST_MAX_TOKENS = 100_000_000

CHART_HEIGHT = 240
"""Pixels."""

_POOLS = """
    with used as (
        select
            pool_id,
            sum(calls)::bigint as calls,
            sum(throttles)::bigint as throttles,
        from marts.usage_daily
        where pool_id is not null
        group by pool_id
    ),

    others as (
        select
            account_id,
            region,
            model_id,
            list(endpoint_type order by endpoint_type) as endpoint_types,
        from published.marts.quota_pools
        where tpm_limit is not null
        group by account_id, region, model_id
    )

    select
        pools.pool_id,
        coalesce(pools.model_name, pools.model_id) as model_name,
        pools.endpoint_type,
        pools.region,
        pools.account_name,
        pools.tpm_limit,
        pools.burndown_rate,
        list_filter(
            coalesce(others.endpoint_types, []), lambda name: name <> pools.endpoint_type
        ) as other_endpoint_types,
    from used
    inner join marts.quota_pools as pools using (pool_id)
    left join others
        on
            pools.account_id = others.account_id
            and pools.region = others.region
            and pools.model_id = others.model_id
    order by used.throttles desc, used.calls desc, pools.pool_id
"""


@dataclass(frozen=True)
class ReplayPool:
    """A pool with logged calls: today's limit in tokens per minute and burndown rate, None where they are unknown."""

    pool_id: str
    model_name: str
    endpoint_type: str
    region: str
    account_name: str
    tpm_limit: int | None
    burndown_rate: float | None
    other_endpoint_types: tuple[str, ...]


def read_pools(con: duckdb.DuckDBPyConnection) -> list[ReplayPool]:
    """Pools with logged calls, those with most throttles first."""
    return [filled(ReplayPool, row) for row in rows(con, _POOLS)]


def show(view: View) -> None:
    """Draw the page."""
    st.caption(
        "Logged calls of one pool are sent through its quota once more, as they were and with what you change here, to "
        "see who would have been throttled. The days of the sidebar do not count here, its other filters choose pools."
    )
    pools = _labelled(view.read(read_pools))
    if not pools:
        st.info("No pool has logged calls here. A replay needs model invocation logs.")
        return
    label = st.selectbox("Pool", list(pools), key="what-if_pool", bind="query-params", required=True)
    pool = pools.get(label or "", next(iter(pools.values())))
    try:
        changes, days = _ask_settings(pool)
    except ReplayError as error:
        st.error(plain(error))
        return
    question = Question(view.file, pool.pool_id, changes, days)
    answers = _answers()
    answer = answers.known(question)
    if answer is None and st.button("Replay", type="primary", key="what-if_replay"):
        answer = _ask(answers, question)
    if answer is not None:
        _show_answer(view, question, answer)


@st.cache_resource(show_spinner=False)
def _answers() -> ReplayAnswers:
    return ReplayAnswers()


def _labelled(pools: Sequence[ReplayPool]) -> dict[str, ReplayPool]:
    """Pools by what is shown of them; two that look alike are told apart by their ids."""
    labels = [f"{pool.model_name} · {pool.endpoint_type} · {pool.region} · {pool.account_name}" for pool in pools]
    return {
        label if labels.count(label) == 1 else f"{label} ({pool.pool_id})": pool
        for label, pool in zip(labels, pools, strict=True)
    }


def _ask_settings(pool: ReplayPool) -> tuple[Changes, int]:
    """What is to be other than today, and how many days are replayed.

    Raises:
        ReplayError: a value is not allowed.
    """
    first, second, third = st.columns(3)
    traffic = first.number_input(
        "Traffic, times today's", 0.01, float(MOST_TRAFFIC), 1.0, 0.1, key="what-if_traffic", bind="query-params"
    )
    max_tokens = second.number_input(
        "max_tokens of every call",
        1,
        LARGEST_MAX_TOKENS,
        None,
        256,
        key="what-if_max_tokens",
        placeholder="as called",
        bind="query-params",
    )
    quota = third.text_input(
        "Quota, tokens per minute",
        key="what-if_quota",
        placeholder=f"today's: {number(pool.tpm_limit, 'unknown')}",
        help="Such as 2000000 or 2e6.",
        bind="query-params",
    )
    burndown = first.text_input(
        "Burndown rate",
        key="what-if_burndown",
        placeholder=f"today's: {number(pool.burndown_rate, 'unknown')}",
        help="Tokens of the quota that one output token takes.",
        bind="query-params",
    )
    endpoint = second.selectbox(
        "Quotas of endpoint type",
        [pool.endpoint_type, *pool.other_endpoint_types],
        key="what-if_endpoint",
        help="Those of the same model's pool of another endpoint type. Calls that this pool has already are not added.",
        bind="query-params",
    )
    days = third.number_input("Newest days", 1, LONGEST_DAYS, DEFAULT_DAYS, key="what-if_days", bind="query-params")
    other_endpoint = None if endpoint in (None, pool.endpoint_type) else endpoint
    changes = changes_of(traffic or 1.0, max_tokens, quota or None, burndown or None, other_endpoint)
    return changes, days or DEFAULT_DAYS


def _ask(answers: ReplayAnswers, question: Question) -> Answer | None:
    bar = st.progress(0.0, "Reading the calls …")
    try:
        return answers.ask(
            question,
            lambda share: bar.progress(share, "Replaying the calls …") and None,
            lambda: bar.progress(0.0, "Another replay is under way; waiting for it to end …") and None,
        )
    except ValueError as error:
        st.error(plain(error))
        return None
    finally:
        bar.empty()


# ---------------------------------------------------------------------------------------------------------------------
# The answer


def _show_answer(view: View, question: Question, answer: Answer) -> None:
    st.subheader("What would have happened")
    st.caption(f"{answer.data['calls']:,} calls of {answer.days.first} to {answer.days.last} (UTC).")
    if answer.data["today"] is None:
        st.info("Today's quota or burndown rate is not known, so only the changed settings are replayed.")
    _show_charts(answer.columns)
    _show_lines(answer.columns)
    st.caption(filled_in_text(answer.data))
    st.caption(ESTIMATES)
    st.download_button(
        "JSON",
        json.dumps(answer.data, indent=2),
        file_name="replay.json",
        mime="application/json",
        key="what-if_json",
        icon=":material/download:",
        on_click="ignore",
        type="tertiary",
    )
    st.markdown("The same on the command line" + ("" if view.config else ", where the configuration is at hand") + ":")
    st.code(command_of(question.pool_id, question.changes, answer.days, view.config), language="bash", wrap_lines=True)


def _name(column: ResultColumn) -> str:
    return f"{column.label}, {column.outcome.shape}"


def _show_lines(columns: Sequence[ResultColumn]) -> None:
    """What came of it, and under it the settings that made it so."""
    names = [_name(column) for column in columns]
    lines = [{"name": name, **dict(zip(names, values, strict=True))} for name, values in lines_of(columns)]
    shown = [Column(name, name) for name in names]
    show_table([*lines[SETTINGS_LINES:]], (Column("name", "Result"), *shown), "what-if")
    show_table([*lines[:SETTINGS_LINES]], (Column("name", "Setting"), *shown), "what-if-settings")


def _show_charts(columns: Sequence[ResultColumn]) -> None:
    left, right = st.columns(2)
    with left:
        _show_bars(columns, "throttled requests, %", lambda outcome: _percent(outcome.throttled_share))
    with right:
        _show_bars(columns, "wait P99, s", lambda outcome: outcome.wait_p99)


def _percent(share: float | None) -> float | None:
    return None if share is None else 100 * share


def _show_bars(columns: Sequence[ResultColumn], unit: str, value: Callable[[Outcome], float | None]) -> None:
    """Bars of today's and the changed settings, one for each shape of limiter; no bar where there is no value."""
    found = [(column.label, column.outcome.shape, value(column.outcome)) for column in columns]
    highest = max((bar for _, _, bar in found if bar is not None), default=0.0)
    frame = pd.DataFrame(found, columns=["settings", "limiter", "value"])
    chart = (
        alt.Chart(frame)
        .mark_bar()
        .encode(
            x=alt.X("settings:N", title=None, sort=["today", "changed"], axis=alt.Axis(labelAngle=0)),
            xOffset=alt.XOffset("limiter:N", sort=list(SHAPES)),
            # Bars of nothing still need an axis.
            y=alt.Y("value:Q", title=unit, scale=alt.Scale(domain=[0, highest or 1.0])),
            color=alt.Color(
                "limiter:N",
                scale=alt.Scale(domain=list(SHAPES), range=list(charts.PALETTE[: len(SHAPES)])),
                legend=alt.Legend(title="limiter", orient="bottom"),
            ),
            tooltip=["settings:N", "limiter:N", alt.Tooltip("value:Q", title=unit, format=".3~f")],
        )
        .properties(height=CHART_HEIGHT)
    )
    said = "; ".join(f"{label}, {shape}: {'none' if bar is None else f'{bar:.3g}'}" for label, shape, bar in found)
    charts.show(chart, f"what-if-{unit.split()[0]}", f"{unit}: {said}")
